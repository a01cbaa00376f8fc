/* write_set.h - rows written but not yet in SQLite, by table and key: undo is forgetting.
 *
 * Two of them stand above the file: the record's overlay, merged into the take's write set when its
 * handler succeeds and forgotten on a reject; and the take's write set, flushed in key order when
 * the take ends, before a range read, or at its memory bound. A row that changes a thousand times
 * in a take is here once.
 */
#ifndef WEIR_STORE_WRITE_SET_H
#define WEIR_STORE_WRITE_SET_H

#include "base/arena.h"
#include "codec/layout.h"

struct write_entry {
    const struct weir_store *table;
    struct weir_bytes key;   /* key_encode of all key fields */
    struct weir_bytes value; /* the row's Avro datum; data NULL: deleted */
    uint32_t hash;
    bool flushed;  /* SQLite has this value already */
    uint8_t *room; /* where values of this row are written while they fit */
    size_t room_size;
};

struct write_set {
    struct arena arena;
    struct write_entry *entries; /* in order of first write */
    size_t count, capacity;
    uint32_t *slots; /* open addressing: 0 or entry index + 1 */
    size_t slot_count;
    uint32_t *unflushed; /* indexes of the entries that are not flushed, in order of writing */
    size_t unflushed_count;
    struct write_entry **sorted; /* room for write_set_sorted() */
    size_t sorted_room;
    size_t bytes; /* of keys and values, room to grow and outgrown values included: for the memory
                     bound */
};

void write_set_init(struct write_set *set);
void write_set_release(struct write_set *set);
void write_set_reset(struct write_set *set); /* O(count), keeps its room */

/* NULL when the set does not know the row; an entry with value.data NULL when it was deleted. The
 * pointer is good until the next change of the set. */
struct write_entry *write_set_find(const struct write_set *set, const struct weir_store *table,
                                   struct weir_bytes key);

/* Copies key and value. value.data NULL deletes. */
void write_set_put(struct write_set *set, const struct weir_store *table, struct weir_bytes key,
                   struct weir_bytes value);

/* Puts every entry of `from` into `set`. */
void write_set_merge(struct write_set *set, const struct write_set *from);

/* The entries that are not flushed, by (position of table in `tables`, key): the order in which
 * SQLite likes them. Good until the next change of the set; an entry whose table is not in `tables`
 * is a bug. */
struct write_entry **write_set_sorted(struct write_set *set, const struct weir_store *const *tables,
                                      size_t *count);

/* SQLite has every entry now; or none of them any more. */
void write_set_flushed(struct write_set *set);
void write_set_unflushed(struct write_set *set);

#endif
