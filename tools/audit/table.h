/* table.h - things by their id: a hash table whose items never move and are never removed.
 *
 * Made for millions of items: they lie in chunks, their ids in blocks of text, a slot costs eight bytes. An item is a
 * struct of the caller's whose first member is `const char *id`.
 */
#ifndef WEIR_AUDIT_TABLE_H
#define WEIR_AUDIT_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_slot {
    uint32_t hash, number; /* number: of the item, from 1; 0: free */
};

struct table {
    size_t item_size, count;
    struct table_slot *slots; /* a power of two, at most three quarters full */
    size_t slot_count;
    char **chunks;
    size_t chunk_count;
    char **texts; /* blocks of ids */
    size_t text_count, text_used, text_size;
};

void table_init(struct table *table, size_t item_size);
void table_release(struct table *table);

/* NULL: there is no such item. */
void *table_find(const struct table *table, const char *id);

/* Finds it, or adds it with everything but its id zero. */
void *table_get(struct table *table, const char *id);

/* Items in the order in which they came, 0 to count - 1. */
void *table_at(const struct table *table, size_t number);

#endif
