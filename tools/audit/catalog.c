/* catalog.c - linear probing over numbered items. */
#include "catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

enum { CHUNK_ITEMS = 4096, TEXT_BYTES = 64 * 1024, SLOTS_FIRST = 1024 };

void catalog_init(struct catalog *catalog, size_t item_size)
{
    *catalog = (struct catalog){.item_size = item_size};
}

void catalog_release(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->chunk_count; i++) {
        free(catalog->chunks[i]);
    }
    for (size_t i = 0; i < catalog->text_count; i++) {
        free(catalog->texts[i]);
    }
    free(catalog->chunks);
    free(catalog->texts);
    free(catalog->slots);
    catalog_init(catalog, catalog->item_size);
}

void *catalog_at(const struct catalog *catalog, size_t number)
{
    CHECK(number < catalog->count);
    return catalog->chunks[number / CHUNK_ITEMS] + number % CHUNK_ITEMS * catalog->item_size;
}

static const char *id_of(const void *item)
{
    const char *id;
    memcpy(&id, item, sizeof id);
    return id;
}

static uint32_t hash_of(const char *id)
{
    return (uint32_t)hash_bytes(0, id, strlen(id));
}

/* The slot of this id, or the free one where it belongs. */
static struct catalog_slot *probe(const struct catalog *catalog, const char *id, uint32_t hash)
{
    size_t mask = catalog->slot_count - 1;
    size_t at = hash & mask;
    while (catalog->slots[at].number != 0) {
        const struct catalog_slot *slot = &catalog->slots[at];
        if (slot->hash == hash && strcmp(id_of(catalog_at(catalog, slot->number - 1)), id) == 0) {
            break;
        }
        at = (at + 1) & mask;
    }
    return &catalog->slots[at];
}

static void grow_slots(struct catalog *catalog)
{
    struct catalog_slot *old = catalog->slots;
    size_t old_count = catalog->slot_count;
    catalog->slot_count = old_count > 0 ? old_count * 2 : SLOTS_FIRST;
    catalog->slots = xcalloc(catalog->slot_count, sizeof *catalog->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].number == 0) {
            continue;
        }
        size_t at = old[i].hash & (catalog->slot_count - 1);
        while (catalog->slots[at].number != 0) {
            at = (at + 1) & (catalog->slot_count - 1);
        }
        catalog->slots[at] = old[i];
    }
    free(old);
}

static const char *keep_id(struct catalog *catalog, const char *id)
{
    size_t size = strlen(id) + 1;
    if (catalog->text_count == 0 || catalog->text_size - catalog->text_used < size) {
        catalog->text_size = size > TEXT_BYTES ? size : TEXT_BYTES;
        catalog->text_used = 0;
        catalog->texts =
            xrealloc(catalog->texts, (catalog->text_count + 1) * sizeof *catalog->texts);
        catalog->texts[catalog->text_count++] = xmalloc(catalog->text_size);
    }
    char *copy = catalog->texts[catalog->text_count - 1] + catalog->text_used;
    catalog->text_used += size;
    return memcpy(copy, id, size);
}

static void *add(struct catalog *catalog, const char *id)
{
    if (catalog->count == catalog->chunk_count * CHUNK_ITEMS) {
        catalog->chunks =
            xrealloc(catalog->chunks, (catalog->chunk_count + 1) * sizeof *catalog->chunks);
        catalog->chunks[catalog->chunk_count++] = xcalloc(CHUNK_ITEMS, catalog->item_size);
    }
    catalog->count++;
    void *item = catalog_at(catalog, catalog->count - 1);
    const char *kept = keep_id(catalog, id);
    memcpy(item, &kept, sizeof kept);
    return item;
}

void *catalog_find(const struct catalog *catalog, const char *id)
{
    if (catalog->slot_count == 0) {
        return NULL;
    }
    const struct catalog_slot *slot = probe(catalog, id, hash_of(id));
    return slot->number != 0 ? catalog_at(catalog, slot->number - 1) : NULL;
}

void *catalog_get(struct catalog *catalog, const char *id)
{
    if ((catalog->count + 1) * 4 > catalog->slot_count * 3) {
        grow_slots(catalog);
    }
    uint32_t hash = hash_of(id);
    struct catalog_slot *slot = probe(catalog, id, hash);
    if (slot->number == 0) {
        void *item = add(catalog, id);
        *slot = (struct catalog_slot){hash, (uint32_t)catalog->count};
        return item;
    }
    return catalog_at(catalog, slot->number - 1);
}
