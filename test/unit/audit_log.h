/* audit_log.h - a small shop's topics, made by hand, for the tests of the audit.
 *
 * Entries keep their records as structs, so that a test can change one field of one record. Every
 * topic has one partition. Steps imitate the runtime: a step's outputs name its input, with
 * ordinals and their count; commit() writes what the steps since the last one come to, and leaves
 * an offset to the control record on every topic.
 *
 *     step(log, &inventory, "stock.commands", offset, NULL);
 *     out(log, "stock.replies", key, &stock_reply_record, &reply);
 *     done(log, HANDLED);
 *     commit(log, &inventory);
 */
#ifndef WEIR_TEST_AUDIT_LOG_H
#define WEIR_TEST_AUDIT_LOG_H

/* Before cmocka.h, whose macro `fail` would hit the function of that name. */
#include "audit/audit.h"

#include "codec/codec.h"
#include "runtime/deadletter.h"
#include "runtime_records.h"
#include "shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES_MAX = 600, TOPICS = 15, START_MS = 1000000 };

static const char *const topics[TOPICS] = {
    "order.raw",      "order.requests",     "order.events",       "order.view",
    "stock.commands", "stock.replies",      "stock.ledger",       "stock.levels",
    "order.raw.dlq",  "order.requests.dlq", "stock.commands.dlq", "stock.replies.dlq",
    "intake.history", "order.history",      "inventory.history",
};

struct entry {
    const char *topic, *key;
    int64_t offset, ms;
    const struct weir_record *type; /* NULL: a few other bytes */
    void *record;
    bool caused;
    struct cause cause;
    const char *source; /* of a dead letter */
};

/* What a processor has done since its last commit. */
struct app {
    const char *id;
    const char *inputs[2];
    struct input_range ranges[2];
    int64_t number, outputs;
};

/* A SKU at its one location. */
struct bin {
    const char *sku, *location;
    int64_t on_hand, held, committed, backordered, limit, seq;
};

struct log {
    struct arena arena;
    struct entry entries[ENTRIES_MAX];
    size_t count;
    int64_t next[TOPICS];
    int64_t now_ms;
    struct app intake, order, inventory;
    struct bin bins[3];
    /* the step at hand */
    struct app *app;
    size_t input, first_output;
    struct cause cause;
};

enum verdict { HANDLED, STALE, DEAD };

static inline size_t topic_number(const char *topic)
{
    size_t i = 0;
    while (i < TOPICS && strcmp(topics[i], topic) != 0) {
        i++;
    }
    assert_true(i < TOPICS);
    return i;
}

/* ---- entries ---- */

/* Appends a record that nobody caused. Returns its offset. */
static inline int64_t put(struct log *log, const char *topic, const char *key,
                          const struct weir_record *type, const void *record)
{
    assert_true(log->count < ENTRIES_MAX);
    struct entry *entry = &log->entries[log->count++];
    *entry = (struct entry){.topic = topics[topic_number(topic)],
                            .key = key,
                            .ms = log->now_ms++,
                            .type = type};
    entry->offset = log->next[topic_number(topic)]++;
    if (type) {
        entry->record = arena_alloc(&log->arena, type->size);
        record_copy(type, record, &log->arena, entry->record);
    }
    return entry->offset;
}

static inline void step(struct log *log, struct app *app, const char *topic, int64_t offset,
                        const char *timer)
{
    log->app = app;
    log->input = app->inputs[1] && strcmp(app->inputs[1], topic) == 0 ? 1 : 0;
    log->first_output = log->count;
    log->cause = (struct cause){.topic = topic, .offset = offset, .timer = timer};
    if (!timer) {
        app->ranges[log->input].next_offset = offset + 1;
    }
}

static inline void out(struct log *log, const char *topic, const char *key,
                       const struct weir_record *type, const void *record)
{
    put(log, topic, key, type, record);
    struct entry *entry = &log->entries[log->count - 1];
    entry->caused = true;
    entry->cause = log->cause;
    log->cause.ordinal++;
    log->app->outputs++;
}

static inline void view(struct log *log, const char *topic, const char *key,
                        const struct weir_record *type, const void *record)
{
    int32_t ordinal = log->cause.ordinal;
    log->cause.ordinal = -1;
    out(log, topic, key, type, record);
    log->cause.ordinal = ordinal;
}

static inline void done(struct log *log, enum verdict verdict)
{
    struct input_range *range = &log->app->ranges[log->input];
    for (size_t i = log->first_output; i < log->count; i++) {
        log->entries[i].cause.count = log->cause.ordinal;
    }
    if (!log->cause.timer) {
        range->handled += verdict == HANDLED;
        range->stale += verdict == STALE;
        range->dead += verdict == DEAD;
    }
}

/* The step's input is a dead letter. */
static inline void bury(struct log *log)
{
    put(log, arena_format(&log->arena, "%s.dlq", log->cause.topic), "key", NULL, NULL);
    log->entries[log->count - 1].source =
        arena_format(&log->arena, "%s/0/%lld", log->cause.topic, (long long)log->cause.offset);
    done(log, DEAD);
}

static inline void commit(struct log *log, struct app *app)
{
    struct input_range ranges[2];
    size_t count = app->inputs[1] ? 2 : 1;
    memcpy(ranges, app->ranges, sizeof ranges);
    const struct checkpoint checkpoint = {
        .commit_number = ++app->number,
        .incarnation = app->id,
        .task_time_ms = log->now_ms,
        .wall_ms = log->now_ms,
        .inputs = {ranges, count},
        .outputs = app->outputs,
    };
    put(log, arena_format(&log->arena, "%s.history", app->id), "checkpoint", &checkpoint_record,
        &checkpoint);
    app->outputs = 0;
    for (size_t i = 0; i < count; i++) {
        app->ranges[i] = (struct input_range){
            .topic = app->inputs[i],
            .first_offset = app->ranges[i].next_offset,
            .next_offset = app->ranges[i].next_offset,
        };
    }
    for (size_t i = 0; i < TOPICS; i++) {
        log->next[i]++;
    }
}

/* ---- finding and changing them ---- */

/* The topic's entry number `nth` that fits; negative: from the end. */
static inline struct entry *entry_at(struct log *log, const char *topic, int nth)
{
    int found = 0;
    for (size_t i = 0; i < log->count; i++) {
        struct entry *entry = &log->entries[nth < 0 ? log->count - 1 - i : i];
        if (strcmp(entry->topic, topic) == 0 && found++ == (nth < 0 ? -1 - nth : nth)) {
            return entry;
        }
    }
    fail_msg("%s has no entry %d", topic, nth);
    return NULL;
}

static inline void drop(struct log *log, struct entry *entry)
{
    size_t at = (size_t)(entry - log->entries);
    memmove(entry, entry + 1, (log->count - at - 1) * sizeof *entry);
    log->count--;
}

/* Appends the same record once more. */
static inline void repeat(struct log *log, const struct entry *entry)
{
    struct entry copy = *entry;
    copy.offset = log->next[topic_number(entry->topic)]++;
    log->entries[log->count++] = copy;
}

/* Two records of one topic change places. */
static inline void swap(struct entry *a, struct entry *b)
{
    struct entry was = *a;
    *a = *b;
    *b = was;
    b->offset = a->offset;
    a->offset = was.offset;
}

/* ---- the audit of a log ---- */

static inline void feed_entry(struct audit *audit, const struct entry *entry)
{
    struct buffer value, header;
    struct port_header headers[1];
    size_t count = 0;
    buffer_init(&value);
    buffer_init(&header);
    if (entry->type) {
        codec_encode(entry->type, entry->record, &value);
    } else {
        buffer_add_string(&value, "not a record");
    }
    if (entry->caused) {
        codec_encode_datum(&cause_record, &entry->cause, &header);
        headers[count++] = (struct port_header){CAUSE_HEADER, {header.data, header.size}};
    } else if (entry->source) {
        headers[count++] =
            (struct port_header){DEAD_SOURCE,
                                 {(const uint8_t *)entry->source, strlen(entry->source)}};
    }
    struct port_record record = {
        .offset = entry->offset,
        .timestamp_ms = entry->ms,
        .key = {(const uint8_t *)entry->key, strlen(entry->key)},
        .value = {value.data, value.size},
    };
    audit_record(audit, entry->topic, &record, headers, count);
    buffer_release(&value);
    buffer_release(&header);
}

static inline struct audit *audit_of(const struct log *log, const struct audit_options *options)
{
    struct audit *audit = NULL;
    struct error error;
    assert_int_equal(audit_open(&audit, options, &error), OK);
    audit_processor(audit, "intake");
    audit_processor(audit, "order");
    audit_processor(audit, "inventory");
    for (size_t i = 0; i < TOPICS; i++) {
        audit_partition(audit, topics[i], 0, 0, log->next[i]);
    }
    for (int phase = 0; phase < AUDIT_PHASES; phase++) {
        for (size_t i = 0; i < log->count; i++) {
            if (audit_phase(audit, log->entries[i].topic) == phase) {
                feed_entry(audit, &log->entries[i]);
            }
        }
    }
    audit_finish(audit);
    return audit;
}

#endif
