/* write_set.c - a hash table over an array in order of first write.
 *
 * Entries lie in one array, so that walking, merging and forgetting are O(count) and deterministic;
 * the slots hold indexes into it (open addressing, linear probing, at most half full, nothing is
 * ever removed one by one). What is not flushed is listed beside, so that a flush costs what is
 * new, however large the set. Keys and values lie in the arena. A value is overwritten in place
 * while it fits, with some room to grow: a row that changes a thousand times in a take must not
 * fill the take's memory.
 */
#include "store/write_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"

enum { FIRST_SLOTS = 64, ROOM_STEP = 32, TABLES_MAX = WEIR_LIST_MAX + 1 };

void write_set_init(struct write_set *set)
{
    *set = (struct write_set){0};
    arena_init(&set->arena);
}

void write_set_release(struct write_set *set)
{
    arena_release(&set->arena);
    free(set->entries);
    free(set->slots);
    free(set->unflushed);
    free(set->sorted);
    *set = (struct write_set){0};
}

/* The position in memory of a table differs from run to run; only the slots depend on it, never an
 * order. */
static uint32_t hash_key(const struct weir_store *table, struct weir_bytes key)
{
    uint64_t hash = hash_bytes((uint64_t)(uintptr_t)table, key.data, key.size);
    return (uint32_t)(hash ^ hash >> 32);
}

void write_set_reset(struct write_set *set)
{
    size_t mask = set->slot_count - 1;
    for (size_t i = 0; i < set->count; i++) {
        size_t slot = set->entries[i].hash & mask;
        while (set->slots[slot] != i + 1) {
            slot = (slot + 1) & mask;
        }
        set->slots[slot] = 0;
    }
    set->count = 0;
    set->unflushed_count = 0;
    set->bytes = 0;
    arena_reset(&set->arena);
}

static bool same_bytes(struct weir_bytes a, struct weir_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The slot of the key, or the empty slot where it belongs. */
static uint32_t *find_slot(const struct write_set *set, const struct weir_store *table,
                           struct weir_bytes key, uint32_t hash)
{
    size_t mask = set->slot_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &set->slots[at];
        if (*slot == 0) {
            return slot;
        }
        const struct write_entry *entry = &set->entries[*slot - 1];
        if (entry->hash == hash && entry->table == table && same_bytes(entry->key, key)) {
            return slot;
        }
    }
}

struct write_entry *write_set_find(const struct write_set *set, const struct weir_store *table,
                                   struct weir_bytes key)
{
    if (set->count == 0) {
        return NULL;
    }
    uint32_t slot = *find_slot(set, table, key, hash_key(table, key));
    return slot == 0 ? NULL : &set->entries[slot - 1];
}

static void grow(struct write_set *set)
{
    set->slot_count = set->slot_count > 0 ? set->slot_count * 2 : FIRST_SLOTS;
    CHECK(set->slot_count <= UINT32_MAX / 2);
    set->capacity = set->slot_count / 2;
    set->entries = xrealloc(set->entries, set->capacity * sizeof *set->entries);
    set->unflushed = xrealloc(set->unflushed, set->capacity * sizeof *set->unflushed);
    free(set->slots);
    set->slots = xcalloc(set->slot_count, sizeof *set->slots);
    size_t mask = set->slot_count - 1;
    for (size_t i = 0; i < set->count; i++) {
        size_t slot = set->entries[i].hash & mask;
        while (set->slots[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        set->slots[slot] = (uint32_t)(i + 1);
    }
}

static struct write_entry *add_entry(struct write_set *set, const struct weir_store *table,
                                     struct weir_bytes key, uint32_t hash, uint32_t *slot)
{
    struct write_entry *entry = &set->entries[set->count++];
    *slot = (uint32_t)set->count;
    const char *copy = arena_strndup(&set->arena, (const char *)key.data, key.size);
    *entry = (struct write_entry){.table = table,
                                  .key = {(const uint8_t *)copy, key.size},
                                  .hash = hash,
                                  .flushed = true};
    set->bytes += key.size;
    return entry;
}

static void set_value(struct write_set *set, struct write_entry *entry, struct weir_bytes value)
{
    if (entry->flushed) {
        entry->flushed = false;
        set->unflushed[set->unflushed_count++] = (uint32_t)(entry - set->entries);
    }
    entry->value = (struct weir_bytes){NULL, 0};
    if (!value.data) {
        return;
    }
    if (!entry->room || entry->room_size < value.size) {
        entry->room_size = (value.size + value.size / 8 + ROOM_STEP) & ~(size_t)(ROOM_STEP - 1);
        entry->room = arena_alloc(&set->arena, entry->room_size);
        set->bytes += entry->room_size;
    }
    memmove(entry->room, value.data, value.size); /* may be a part of what stands there */
    entry->value = (struct weir_bytes){entry->room, value.size};
}

static void put(struct write_set *set, const struct weir_store *table, struct weir_bytes key,
                uint32_t hash, struct weir_bytes value)
{
    if (set->count == set->capacity) {
        grow(set);
    }
    uint32_t *slot = find_slot(set, table, key, hash);
    struct write_entry *entry =
        *slot != 0 ? &set->entries[*slot - 1] : add_entry(set, table, key, hash, slot);
    set_value(set, entry, value);
}

void write_set_put(struct write_set *set, const struct weir_store *table, struct weir_bytes key,
                   struct weir_bytes value)
{
    put(set, table, key, hash_key(table, key), value);
}

void write_set_merge(struct write_set *set, const struct write_set *from)
{
    CHECK(set != from);
    for (size_t i = 0; i < from->count; i++) {
        const struct write_entry *entry = &from->entries[i];
        put(set, entry->table, entry->key, entry->hash, entry->value);
    }
}

/* memcmp order, a prefix first. */
static int compare_keys(const void *a, const void *b)
{
    const struct weir_bytes left = (*(struct write_entry *const *)a)->key;
    const struct weir_bytes right = (*(struct write_entry *const *)b)->key;
    size_t common = left.size < right.size ? left.size : right.size;
    int order = common > 0 ? memcmp(left.data, right.data, common) : 0;
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static size_t position_of(const struct weir_store *const *tables, size_t count,
                          const struct weir_store *table)
{
    size_t i = 0;
    while (i < count && tables[i] != table) {
        i++;
    }
    CHECK(i < count);
    return i;
}

/* Entries are dealt out to their tables first, then each table's are sorted by key. */
struct write_entry **write_set_sorted(struct write_set *set, const struct weir_store *const *tables,
                                      size_t *count)
{
    size_t table_count = 0;
    while (tables[table_count]) {
        table_count++;
    }
    CHECK(table_count <= TABLES_MAX);
    if (set->sorted_room < set->unflushed_count) {
        set->sorted_room = set->capacity;
        set->sorted = xrealloc(set->sorted, set->sorted_room * sizeof(struct write_entry *));
    }
    size_t ends[TABLES_MAX + 1] = {0};
    for (size_t i = 0; i < set->unflushed_count; i++) {
        ends[position_of(tables, table_count, set->entries[set->unflushed[i]].table) + 1]++;
    }
    for (size_t t = 0; t < table_count; t++) {
        ends[t + 1] += ends[t];
    }
    for (size_t i = 0; i < set->unflushed_count; i++) { /* ends[t]: where the next of t goes */
        struct write_entry *entry = &set->entries[set->unflushed[i]];
        set->sorted[ends[position_of(tables, table_count, entry->table)]++] = entry;
    }
    for (size_t t = 0, start = 0; t < table_count; start = ends[t], t++) {
        if (ends[t] > start + 1) {
            qsort(set->sorted + start, ends[t] - start, sizeof(struct write_entry *), compare_keys);
        }
    }
    *count = set->unflushed_count;
    return set->sorted;
}

void write_set_flushed(struct write_set *set)
{
    for (size_t i = 0; i < set->unflushed_count; i++) {
        set->entries[set->unflushed[i]].flushed = true;
    }
    set->unflushed_count = 0;
}

void write_set_unflushed(struct write_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        set->entries[i].flushed = false;
        set->unflushed[i] = (uint32_t)i;
    }
    set->unflushed_count = set->count;
}
