/* weir.h - what a processor is, and what its handlers may do.
 *
 * A processor is a const table: the topics it reads, a handler for every kind of record, the topics
 * it writes, its stores, views and timers. The runtime feeds it one record at a time and makes all
 * effects of that record (rows, timers, outputs, the input's offset) happen together, exactly once,
 * or not at all.
 *
 * A handler is `void`: calls on the context report nothing to check. A failure is sticky in the
 * context, later calls do nothing, and the runtime acts on it when the handler returns. Everything
 * a handler is given, and everything the calls below return, lives until the handler returns.
 *
 * A handler may depend on its record, its stores, its settings and weir_now_ms() only: no clock, no
 * randomness, no I/O.
 *
 * The typed calls (stock_level_get, reserve_emit, ...) are generated from topics/ by the schema
 * compiler; the untyped ones at the end of this file are what they are made of.
 */
#ifndef WEIR_H
#define WEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_context;
struct weir_record; /* an Avro record's layout in memory: codec/layout.h */

struct weir_bytes {
    const uint8_t *data;
    size_t size;
};

/* How the value of a topic's records is written. */
enum weir_encoding {
    WEIR_AVRO, /* Avro single-object encoding: marker, schema fingerprint, binary */
    WEIR_JSON, /* one JSON object per record, read strictly by the same record layout */
};

enum weir_cleanup {
    WEIR_DELETE,
    WEIR_COMPACT,
};

/* One topic of topics.conf, generated. */
struct weir_topic {
    const char *name;                 /* "stock.commands" */
    const char *key;                  /* the field that holds the record's key: "sku" */
    const struct weir_record *record; /* the envelope { agg_seq, occurred_ms, payload } */
    enum weir_encoding encoding;
    enum weir_cleanup cleanup;
    int32_t partitions;
    int32_t max_message_bytes;
    int64_t retention_ms; /* -1: for ever */
    int64_t delete_retention_ms;
    /* Calls the handler that `handlers` (a generated struct with one slot per branch) has for this
     * record's branch. false when that slot is empty. */
    bool (*dispatch)(struct weir_context *ctx, const void *record, const void *handlers);
};

/* One table of state rows, generated from a record with a "weir.key" attribute. */
struct weir_store {
    const char *name; /* the table's name in SQLite: "stock_level" */
    const struct weir_record *record;
    const uint16_t *key_fields; /* indexes into record->fields, in key order */
    uint16_t key_field_count;
    const char *create_sql; /* CREATE TABLE ... STRICT, WITHOUT ROWID */
};

/* An input: `handlers` is the generated struct of typed handlers for the topic's record. */
struct weir_input {
    const struct weir_topic *topic;
    const void *handlers;
};

/* A compacted view, derived from state: built once per key and take for every key touched by
 * weir_view_touch(). */
struct weir_view {
    const struct weir_topic *topic;
    void (*build)(struct weir_context *ctx,
                  const char *key); /* reads stores, emits at most one record of topic */
};

/* A kind of timer. It fires in the transaction that consumes it, before any record stamped at or
 * after its due time. */
struct weir_timer {
    const char *name; /* stands in the state for ever: do not rename */
    void (*fire)(struct weir_context *ctx, const char *key);
};

/* A number that an operator may set in the processor's configuration file. */
struct weir_setting {
    const char *name; /* "reservation.retention_ms" */
    int64_t default_value, min, max;
    const char *doc; /* one line, units included */
};

#define WEIR_LIST_MAX 16

/* A business rule. Every list ends at its first empty element. */
struct weir_processor {
    const char *name;    /* also the default application.id */
    const char *summary; /* one line for --help */
    struct weir_input inputs[WEIR_LIST_MAX];
    const struct weir_topic *outputs[WEIR_LIST_MAX];
    const struct weir_store *stores[WEIR_LIST_MAX];
    struct weir_view views[WEIR_LIST_MAX];
    const struct weir_timer *timers[WEIR_LIST_MAX];
    const struct weir_setting *settings[WEIR_LIST_MAX];
    /* Rules between settings, checked at start. NULL, or returns NULL when they hold, else what is
     * wrong and what to write instead. `value` reads a setting. */
    const char *(*check_settings)(int64_t (*value)(const void *from, const struct weir_setting *),
                                  const void *from);
};

/* Task time, ms since the epoch: the record's timestamp (never running backwards), or the firing
 * timer's due time. */
int64_t weir_now_ms(const struct weir_context *ctx);

/* The Kafka key of the record at hand, NUL-terminated; a timer's key inside a timer. */
const char *weir_key(const struct weir_context *ctx);

/* Where the record at hand stands; offset -1 inside a timer. */
int32_t weir_partition(const struct weir_context *ctx);
int64_t weir_offset(const struct weir_context *ctx);

int64_t weir_setting(const struct weir_context *ctx, const struct weir_setting *setting);

/* This record is bad: its effects are undone, it goes to the dead-letter topic with this reason,
 * the offset moves on. `cause` is one word that a dashboard can group by ("qty", "totals",
 * "conflict"). A timer cannot reject: that is a bug. */
void weir_reject(struct weir_context *ctx, const char *cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* This record came too late or twice and changes nothing: counted as stale instead of handled. */
void weir_stale(struct weir_context *ctx);

/* One timer per (kind, key): setting it again moves it, cancelling an absent one is fine. */
void weir_timer_set(struct weir_context *ctx, const struct weir_timer *timer, const char *key,
                    int64_t due_ms);
void weir_timer_cancel(struct weir_context *ctx, const struct weir_timer *timer, const char *key);

/* This key of the view has changed: rebuild and emit it when the take ends. */
void weir_view_touch(struct weir_context *ctx, const struct weir_topic *view, const char *key);

/* Memory that lives until the handler returns; zeroed. Never NULL. */
void *weir_alloc(struct weir_context *ctx, size_t size);
const char *weir_format(struct weir_context *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- what the generated typed calls are made of ---- */

/* Stages `record` (a whole envelope of topic->record) under `key`. Sent when the handler returns,
 * dropped on a reject. A record larger than the topic allows is a reject. */
void weir_emit(struct weir_context *ctx, const struct weir_topic *topic, const char *key,
               const void *record);

/* Reads the row whose key fields equal those of `key` (other fields are ignored) into `row`; false
 * when there is none. */
bool weir_row_get(struct weir_context *ctx, const struct weir_store *store, const void *key,
                  void *row);
void weir_row_put(struct weir_context *ctx, const struct weir_store *store, const void *row);
void weir_row_delete(struct weir_context *ctx, const struct weir_store *store, const void *key);

/* Rows whose first `prefix` key fields equal those of `key`, in key order, at most `limit` (0:
 * all). Returns how many; *rows is an array of the store's struct. */
size_t weir_row_list(struct weir_context *ctx, const struct weir_store *store, const void *key,
                     size_t prefix, size_t limit, void **rows);

/* All rows whose field number `field` equals that of `like`, in key order. Reads the whole table:
 * for rare needs. */
size_t weir_row_scan(struct weir_context *ctx, const struct weir_store *store, const void *like,
                     size_t field, void **rows);

#endif
