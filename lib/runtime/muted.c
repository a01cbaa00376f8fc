/* muted.c - struct port_calls that say yes. What a task that is replayed never calls is not there.
 */
#include "runtime/muted.h"

#include <stdlib.h>
#include <string.h>

struct producer {
    struct muted *muted;
};

static struct muted *self(struct port *port)
{
    return (struct muted *)port;
}

/* ---- what the port behind knows ---- */

static int64_t wall_ms(struct port *port)
{
    return self(port)->behind->calls->wall_ms(self(port)->behind);
}

static int64_t monotonic_us(struct port *port)
{
    return self(port)->behind->calls->monotonic_us(self(port)->behind);
}

static void release(struct port *port, struct port_record *records, size_t count)
{
    self(port)->behind->calls->release(self(port)->behind, records, count);
}

static bool header(struct port *port, const struct port_record *record, size_t index,
                   struct port_header *out)
{
    return self(port)->behind->calls->header(self(port)->behind, record, index, out);
}

/* ---- a producer ---- */

static enum outcome producer_open(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error)
{
    (void)transactional_id, (void)error;
    *producer = xcalloc(1, sizeof **producer);
    (*producer)->muted = self(port);
    return OK;
}

static void producer_close(struct producer *producer)
{
    free(producer);
}

static enum txn_result begin(struct producer *producer, struct error *error)
{
    (void)error;
    producer->muted->count = 0;
    arena_reset(&producer->muted->arena);
    return TXN_DONE;
}

static struct weir_bytes copy(struct arena *arena, struct weir_bytes bytes)
{
    return (struct weir_bytes){bytes.data
                                   ? (const uint8_t *)arena_strndup(arena, (const char *)bytes.data,
                                                                    bytes.size)
                                   : NULL,
                               bytes.size};
}

static void keep(struct muted *muted, const struct muted_record *record)
{
    struct arena *arena = &muted->arena;
    if (muted->count == muted->capacity) {
        muted->capacity = muted->capacity > 0 ? muted->capacity * 2 : 64;
        muted->records = xrealloc(muted->records, muted->capacity * sizeof *muted->records);
    }
    struct port_header *headers = arena_alloc(arena, record->header_count * sizeof *headers);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct port_header *from = &record->headers[i];
        headers[i] = (struct port_header){arena_strndup(arena, from->name, strlen(from->name)),
                                          copy(arena, from->value)};
    }
    muted->records[muted->count++] = (struct muted_record){
        .topic = arena_strndup(arena, record->topic, strlen(record->topic)),
        .key = copy(arena, record->key),
        .value = copy(arena, record->value),
        .headers = headers,
        .header_count = record->header_count,
    };
}

static enum txn_result send(struct producer *producer, const char *topic, int32_t partition,
                            struct weir_bytes key, struct weir_bytes value,
                            const struct port_header *headers, size_t header_count,
                            struct port_delivery *delivery, struct error *error)
{
    (void)partition, (void)error;
    struct muted *muted = producer->muted;
    if (delivery) {
        *delivery = (struct port_delivery){.offset = 0, .timestamp_ms = muted->appended_ms};
    }
    if (strcmp(topic, muted->changelog) != 0 && strcmp(topic, muted->history) != 0) {
        keep(muted, &(struct muted_record){topic, key, value, headers, header_count});
    }
    return TXN_DONE;
}

static enum txn_result send_offsets(struct producer *producer, const struct port_offset *offsets,
                                    size_t count, int32_t partition, int timeout_ms,
                                    struct error *error)
{
    (void)producer, (void)offsets, (void)count, (void)partition, (void)timeout_ms, (void)error;
    return TXN_DONE;
}

static enum txn_result end(struct producer *producer, int timeout_ms, struct error *error)
{
    (void)producer, (void)timeout_ms, (void)error;
    return TXN_DONE;
}

static unsigned doubts(struct producer *producer)
{
    (void)producer;
    return 0;
}

/* ---- life ---- */

static const struct port_calls calls = {
    .wall_ms = wall_ms,
    .monotonic_us = monotonic_us,
    .release = release,
    .header = header,
    .producer_open = producer_open,
    .producer_close = producer_close,
    .begin = begin,
    .send = send,
    .send_offsets = send_offsets,
    .commit = end,
    .abort = end,
    .doubts = doubts,
};

void muted_init(struct muted *muted, struct port *behind, const char *changelog,
                const char *history)
{
    *muted = (struct muted){.port = {&calls},
                            .behind = behind,
                            .changelog = changelog,
                            .history = history};
    arena_init(&muted->arena);
}

void muted_release(struct muted *muted)
{
    arena_release(&muted->arena);
    free(muted->records);
}
