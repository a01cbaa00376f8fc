/* catalog.h - things by their id: a hash table whose items never move and are never removed.
 *
 * Made for millions of items: they lie in chunks, their ids in blocks of text, a slot costs eight
 * bytes. An item is a struct of the caller's whose first member is `const char *id`.
 */
#ifndef WEIR_AUDIT_CATALOG_H
#define WEIR_AUDIT_CATALOG_H

#include <stddef.h>
#include <stdint.h>

struct catalog_slot {
    uint32_t hash, number; /* number: of the item, from 1; 0: free */
};

struct catalog {
    size_t item_size, count;
    struct catalog_slot *slots; /* a power of two, at most three quarters full */
    size_t slot_count;
    char **chunks;
    size_t chunk_count;
    char **texts; /* blocks of ids */
    size_t text_count, text_used, text_size;
};

void catalog_init(struct catalog *catalog, size_t item_size);
void catalog_release(struct catalog *catalog);

/* NULL: there is no such item. */
void *catalog_find(const struct catalog *catalog, const char *id);

/* Finds it, or adds it with everything but its id zero. */
void *catalog_get(struct catalog *catalog, const char *id);

/* Items in the order in which they came, 0 to count - 1. */
void *catalog_at(const struct catalog *catalog, size_t number);

#endif
