/* table.c - linear probing over numbered items. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"

enum { CHUNK_ITEMS = 4096, TEXT_BYTES = 64 * 1024, SLOTS_FIRST = 1024 };

void table_init(struct table *table, size_t item_size)
{
    *table = (struct table){.item_size = item_size};
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->chunk_count; i++) {
        free(table->chunks[i]);
    }
    for (size_t i = 0; i < table->text_count; i++) {
        free(table->texts[i]);
    }
    free(table->chunks);
    free(table->texts);
    free(table->slots);
    table_init(table, table->item_size);
}

void *table_at(const struct table *table, size_t number)
{
    CHECK(number < table->count);
    return table->chunks[number / CHUNK_ITEMS] + number % CHUNK_ITEMS * table->item_size;
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
static struct table_slot *probe(const struct table *table, const char *id, uint32_t hash)
{
    size_t mask = table->slot_count - 1;
    size_t at = hash & mask;
    while (table->slots[at].number != 0) {
        const struct table_slot *slot = &table->slots[at];
        if (slot->hash == hash && strcmp(id_of(table_at(table, slot->number - 1)), id) == 0) {
            break;
        }
        at = (at + 1) & mask;
    }
    return &table->slots[at];
}

static void grow_slots(struct table *table)
{
    struct table_slot *old = table->slots;
    size_t old_count = table->slot_count;
    table->slot_count = old_count > 0 ? old_count * 2 : SLOTS_FIRST;
    table->slots = xcalloc(table->slot_count, sizeof *table->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].number == 0) {
            continue;
        }
        size_t at = old[i].hash & (table->slot_count - 1);
        while (table->slots[at].number != 0) {
            at = (at + 1) & (table->slot_count - 1);
        }
        table->slots[at] = old[i];
    }
    free(old);
}

static const char *keep_id(struct table *table, const char *id)
{
    size_t size = strlen(id) + 1;
    if (table->text_count == 0 || table->text_size - table->text_used < size) {
        table->text_size = size > TEXT_BYTES ? size : TEXT_BYTES;
        table->text_used = 0;
        table->texts = xrealloc(table->texts, (table->text_count + 1) * sizeof *table->texts);
        table->texts[table->text_count++] = xmalloc(table->text_size);
    }
    char *copy = table->texts[table->text_count - 1] + table->text_used;
    table->text_used += size;
    return memcpy(copy, id, size);
}

static void *add(struct table *table, const char *id)
{
    if (table->count == table->chunk_count * CHUNK_ITEMS) {
        table->chunks = xrealloc(table->chunks, (table->chunk_count + 1) * sizeof *table->chunks);
        table->chunks[table->chunk_count++] = xcalloc(CHUNK_ITEMS, table->item_size);
    }
    table->count++;
    void *item = table_at(table, table->count - 1);
    const char *kept = keep_id(table, id);
    memcpy(item, &kept, sizeof kept);
    return item;
}

void *table_find(const struct table *table, const char *id)
{
    if (table->slot_count == 0) {
        return NULL;
    }
    const struct table_slot *slot = probe(table, id, hash_of(id));
    return slot->number != 0 ? table_at(table, slot->number - 1) : NULL;
}

void *table_get(struct table *table, const char *id)
{
    if ((table->count + 1) * 4 > table->slot_count * 3) {
        grow_slots(table);
    }
    uint32_t hash = hash_of(id);
    struct table_slot *slot = probe(table, id, hash);
    if (slot->number == 0) {
        void *item = add(table, id);
        *slot = (struct table_slot){hash, (uint32_t)table->count};
        return item;
    }
    return table_at(table, slot->number - 1);
}
