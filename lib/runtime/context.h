/* context.h - what stands behind struct weir_context: one record's effects, until they are kept or
 * forgotten.
 *
 * A task has one context. For every record (or timer, or view) it is begun, handed to a handler,
 * and ended:
 *
 *     context_begin -> handler -> context_end: HANDLED or STALE: writes merged into the take,
 * outputs staged for sending REJECTED: everything this record did is forgotten FAILED: the world
 * failed; the whole take has to go
 *
 * Rows are looked for in the record's overlay, then in the take's write set, then in the file.
 */
#ifndef WEIR_RUNTIME_CONTEXT_H
#define WEIR_RUNTIME_CONTEXT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "codec/codec.h"
#include "runtime_records.h"
#include "store/store.h"
#include "store/write_set.h"
#include "weir.h"

enum verdict { HANDLED, STALE, REJECTED, FAILED };

/* One output record, staged: offsets into context.staged_bytes. */
struct staged {
    const struct weir_topic *topic;
    size_t key_at, key_size, value_at, value_size;
};

struct weir_context {
    /* for the task's life */
    const struct weir_processor *processor;
    const int64_t *settings; /* values, in the order of processor->settings */
    struct codec *codec;
    struct store *store;
    const struct weir_store *const *tables; /* of the store, NULL-terminated */
    int32_t partition;

    /* for the take */
    struct write_set take; /* rows */
    struct write_set last; /* rows of the take before; SQLite has them */
    struct write_set
        views; /* touched views: key "<view number>/<key>", value the toucher's Cause datum */
    int64_t views_since_ms; /* when the first of them was touched */
    int64_t timer_bound_ms; /* no timer of the task is due before this; INT64_MIN: not known */

    /* for the record */
    struct write_set overlay, touched;
    struct arena arena;
    struct arena row; /* one row on its way to SQLite */
    struct buffer scratch, staged_bytes;
    struct staged *staged;
    size_t staged_count, staged_capacity;
    const char *key;
    struct cause cause;
    int64_t now_ms, overlay_due_ms;
    bool in_timer, in_view, stale, rejected, failed;
    char reject_cause[40];
    const char *reject_reason;
    enum outcome failure;
    struct error error; /* of the failure */
};

void context_init(struct weir_context *ctx, const struct weir_processor *processor,
                  const int64_t *settings, struct codec *codec, struct store *store,
                  const struct weir_store *const *tables, int32_t partition);
void context_release(struct weir_context *ctx);

/* The take is committed: its rows are the last take's now. */
void context_keep_take(struct weir_context *ctx);

/* The take did not happen: its rows are forgotten, and timers that it fired or cancelled are armed
 * again. */
void context_undo_take(struct weir_context *ctx);

/* Forgets rows in the middle of a take; SQLite and the changelog have them. */
void context_spill(struct weir_context *ctx);

/* Forgets the last record's memory. Called by context_begin too; a record's decoded form is put
 * into ctx->arena in between. */
void context_clear(struct weir_context *ctx);

/* After context_clear. `key` must live until the end of the record. */
void context_begin(struct weir_context *ctx, const struct cause *cause, const char *key,
                   int64_t now_ms);
enum verdict context_end(struct weir_context *ctx);

/* An entry's row (of a deletion only the key fields). FATAL (78): it is not one of its table's. */
MUST_CHECK enum outcome context_read_entry(struct codec *codec, const struct write_entry *entry,
                                           struct arena *arena, void **row, struct error *error);

/* Puts the row, or deletes it. */
MUST_CHECK enum outcome context_write_entry(struct store *store, const struct write_entry *entry,
                                            const void *row, struct error *error);

/* Writes the take's rows that SQLite does not have yet, in key order. */
MUST_CHECK enum outcome context_flush(struct weir_context *ctx, struct error *error);

#endif
