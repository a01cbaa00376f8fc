/* log.c - a partition's log.
 *
 * One array of entries in offset order, with holes where compaction took something. An entry knows
 * its fate: OPEN until its transaction's marker comes, then COMMITTED or ABORTED. So what Kafka
 * works out from aborted ranges is a look at the entry here. The last stable offset is the first
 * offset of the oldest open transaction, else the high watermark.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "broker/internal.h"

void *broker_grow(void *array, size_t count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0) {
        return array;
    }
    return xrealloc(array, (count == 0 ? 1 : 2 * count) * size);
}

/* ---- payloads ---- */

static struct weir_bytes copy_bytes(uint8_t **at, struct weir_bytes from)
{
    if (!from.data) {
        return (struct weir_bytes){NULL, 0};
    }
    struct weir_bytes to = {*at, from.size};
    if (from.size > 0) {
        memcpy(*at, from.data, from.size);
    }
    *at += from.size;
    return to;
}

struct broker_payload *broker_payload_new(struct weir_bytes key, struct weir_bytes value,
                                          const struct port_header *headers, size_t header_count)
{
    CHECK(header_count <= PORT_HEADERS_MAX);
    size_t bytes = key.size + value.size;
    for (size_t i = 0; i < header_count; i++) {
        bytes += strlen(headers[i].name) + 1 + headers[i].value.size;
    }
    /* One byte more, so that an empty key at the end still points into the block. */
    struct broker_payload *payload =
        xmalloc(sizeof *payload + header_count * sizeof *headers + bytes + 1);
    *payload = (struct broker_payload){.references = 1, .header_count = header_count};
    uint8_t *at = (uint8_t *)(payload->headers + header_count);
    payload->key = copy_bytes(&at, key);
    payload->value = copy_bytes(&at, value);
    for (size_t i = 0; i < header_count; i++) {
        size_t name_size = strlen(headers[i].name) + 1;
        memcpy(at, headers[i].name, name_size);
        payload->headers[i].name = (char *)at;
        at += name_size;
        payload->headers[i].value = copy_bytes(&at, headers[i].value);
    }
    return payload;
}

void broker_payload_release(struct broker_payload *payload)
{
    if (payload && --payload->references == 0) {
        free(payload);
    }
}

/* ---- writing ---- */

static int64_t append(struct broker_partition *partition, const struct broker_entry *entry)
{
    partition->entries =
        broker_grow(partition->entries, partition->entry_count, sizeof *partition->entries);
    struct broker_entry *new = &partition->entries[partition->entry_count++];
    *new = *entry;
    new->offset = partition->high++;
    return new->offset;
}

static struct broker_span *find_open(struct broker_partition *partition, int64_t producer_id)
{
    for (size_t i = 0; i < partition->open_count; i++) {
        if (partition->open[i].producer_id == producer_id) {
            return &partition->open[i];
        }
    }
    return NULL;
}

int64_t broker_log_append(struct broker_partition *partition, int64_t now_ms, int64_t producer_id,
                          struct broker_payload *payload)
{
    if (producer_id >= 0 && !find_open(partition, producer_id)) {
        partition->open =
            broker_grow(partition->open, partition->open_count, sizeof *partition->open);
        partition->open[partition->open_count++] =
            (struct broker_span){producer_id, partition->high};
    }
    payload->references++;
    return append(partition,
                  &(struct broker_entry){.timestamp_ms = now_ms,
                                         .producer_id = producer_id,
                                         .fate = producer_id >= 0 ? BROKER_OPEN : BROKER_COMMITTED,
                                         .payload = payload});
}

/* The index of the first entry at or behind `offset`. */
static size_t lower_bound(const struct broker_partition *partition, int64_t offset)
{
    size_t from = 0, to = partition->entry_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (partition->entries[middle].offset < offset) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

void broker_log_mark(struct broker_partition *partition, int64_t now_ms, int64_t producer_id,
                     bool commit)
{
    enum broker_fate fate = commit ? BROKER_COMMITTED : BROKER_ABORTED;
    struct broker_span *span = find_open(partition, producer_id);
    if (span) {
        for (size_t i = lower_bound(partition, span->first); i < partition->entry_count; i++) {
            struct broker_entry *entry = &partition->entries[i];
            if (entry->producer_id == producer_id && entry->fate == BROKER_OPEN) {
                entry->fate = fate;
            }
        }
        *span = partition->open[--partition->open_count];
    }
    append(partition, &(struct broker_entry){.timestamp_ms = now_ms,
                                             .producer_id = producer_id,
                                             .fate = fate,
                                             .payload = NULL});
}

/* ---- reading ---- */

int64_t broker_log_stable(const struct broker_partition *partition)
{
    int64_t stable = partition->high;
    for (size_t i = 0; i < partition->open_count; i++) {
        if (partition->open[i].first < stable) {
            stable = partition->open[i].first;
        }
    }
    return stable;
}

const struct broker_entry *broker_log_next(const struct broker_partition *partition, bool committed,
                                           int64_t *position)
{
    int64_t end = committed ? broker_log_stable(partition) : partition->high;
    for (size_t i = lower_bound(partition, *position); i < partition->entry_count; i++) {
        const struct broker_entry *entry = &partition->entries[i];
        if (entry->offset >= end) {
            break;
        }
        if (entry->payload && (!committed || entry->fate == BROKER_COMMITTED)) {
            *position = entry->offset;
            return entry;
        }
    }
    if (*position < end) {
        *position = end;
    }
    return NULL;
}

/* ---- shortening ---- */

void broker_log_truncate(struct broker_partition *partition, int64_t low)
{
    CHECK(low >= partition->low && low <= partition->high);
    size_t gone = lower_bound(partition, low);
    for (size_t i = 0; i < gone; i++) {
        broker_payload_release(partition->entries[i].payload);
    }
    partition->entry_count -= gone;
    if (partition->entry_count > 0) {
        memmove(partition->entries, partition->entries + gone,
                partition->entry_count * sizeof *partition->entries);
    }
    partition->low = low;
    for (size_t i = 0; i < partition->open_count; i++) {
        if (partition->open[i].first < low) {
            partition->open[i].first = low;
        }
    }
}

struct last { /* of a key: the index of its last committed record */
    const struct broker_payload *payload;
    size_t index;
};

static int compare_last(const void *left, const void *right)
{
    const struct last *a = left, *b = right;
    size_t common =
        a->payload->key.size < b->payload->key.size ? a->payload->key.size : b->payload->key.size;
    int order = common > 0 ? memcmp(a->payload->key.data, b->payload->key.data, common) : 0;
    if (order == 0 && a->payload->key.size != b->payload->key.size) {
        order = a->payload->key.size < b->payload->key.size ? -1 : 1;
    }
    if (order == 0) {
        order = a->index < b->index ? -1 : a->index > b->index;
    }
    return order;
}

static bool same_key(const struct last *a, const struct last *b)
{
    return a->payload->key.size == b->payload->key.size &&
           memcmp(a->payload->key.data, b->payload->key.data, a->payload->key.size) == 0;
}

/* keep[i]: entry i is the last committed record of its key (below `count`). */
static void mark_last(const struct broker_partition *partition, size_t count, bool *keep)
{
    struct last *lasts = xcalloc(count + 1, sizeof *lasts);
    size_t last_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct broker_entry *entry = &partition->entries[i];
        if (entry->payload && entry->fate == BROKER_COMMITTED && entry->payload->key.data) {
            lasts[last_count++] = (struct last){entry->payload, i};
        }
    }
    qsort(lasts, last_count, sizeof *lasts, compare_last);
    for (size_t i = 0; i < last_count; i++) {
        if (i + 1 == last_count || !same_key(&lasts[i], &lasts[i + 1])) {
            keep[lasts[i].index] = true;
        }
    }
    free(lasts);
}

void broker_log_compact(struct broker_partition *partition, bool drop_tombstones)
{
    size_t count = lower_bound(partition, broker_log_stable(partition));
    bool *keep = xcalloc(count + 1, sizeof *keep);
    mark_last(partition, count, keep);
    size_t kept = 0;
    for (size_t i = 0; i < partition->entry_count; i++) {
        struct broker_entry *entry = &partition->entries[i];
        bool stays = i >= count;
        if (!stays && !entry->payload) {
            stays = !drop_tombstones;
        } else if (!stays) {
            stays = keep[i] && (entry->payload->value.data || !drop_tombstones);
        }
        if (stays) {
            partition->entries[kept++] = *entry;
        } else {
            broker_payload_release(entry->payload);
        }
    }
    partition->entry_count = kept;
    free(keep);
}

void broker_log_reset(struct broker_partition *partition)
{
    for (size_t i = 0; i < partition->entry_count; i++) {
        broker_payload_release(partition->entries[i].payload);
    }
    free(partition->entries);
    free(partition->open);
    free(partition->sequences);
    *partition = (struct broker_partition){.topic = partition->topic, .number = partition->number};
}
