/* handle.c - a take through the handlers.
 *
 * A timer due at t fires before the first record handled at or after t. Each record's effects are
 * kept or forgotten as a whole (I-4); its outputs are handed to the producer only when its handler
 * has returned, because what librdkafka has cannot be called back.
 */
#include <string.h>

#include "base/utf8.h"
#include "runtime/task_internal.h"

enum { VIEW_AGE_MS = 60 * 60 * 1000 };

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- timers ---- */

enum outcome timer_bound(struct task *task, int64_t *due_ms, struct error *error)
{
    struct weir_context *ctx = &task->context;
    if (ctx->timer_bound_ms == INT64_MIN) {
        struct timer_row row;
        bool found;
        context_clear(ctx);
        enum outcome outcome = store_first_timer(ctx->store, &ctx->arena, &row, &found, error);
        if (outcome != OK) {
            return outcome;
        }
        ctx->timer_bound_ms = found ? row.due_ms : INT64_MAX;
    }
    *due_ms = ctx->timer_bound_ms;
    return OK;
}

static const struct weir_timer *timer_kind(const struct task *task, const char *name)
{
    for (size_t i = 0; i < WEIR_LIST_MAX && task->options.processor->timers[i]; i++) {
        if (strcmp(task->options.processor->timers[i]->name, name) == 0) {
            return task->options.processor->timers[i];
        }
    }
    return NULL;
}

static enum txn_result fire(struct task *task, const struct timer_row *row, struct error *error)
{
    struct weir_context *ctx = &task->context;
    const struct weir_timer *kind = timer_kind(task, row->kind);
    if (!kind) {
        fail_exit(&task->fatal, EXIT_CONFIG,
                  "the state of partition %d has a timer of kind '%s', which this version of '%s' "
                  "does not know; run the "
                  "version that set it",
                  (int)task->options.partition, row->kind, task->options.processor->name);
        *error = task->fatal;
        return TXN_ABORT;
    }
    task->task_time_ms = later(task->task_time_ms, row->due_ms);
    struct cause cause = {
        .topic = row->cause_topic,
        .partition = row->cause_partition,
        .offset = row->cause_offset,
        .timer = weir_format(ctx, "%s/%s@%lld", row->kind, row->key, (long long)row->due_ms),
    };
    context_begin(ctx, &cause, row->key, task->task_time_ms);
    ctx->in_timer = true;
    weir_row_delete(ctx, &timer_row_store, row);
    kind->fire(ctx, row->key);
    if (context_end(ctx) == FAILED) {
        *error = ctx->error;
        return effects_of_store(task, ctx->failure, &ctx->error);
    }
    task->timers_fired++;
    return effects_send(task, error);
}

/* A view is built when its take ends, but a take may span days (a backlog), and a timer of a later
 * day may delete the row that the view is of. */
static bool views_are_old(const struct weir_context *ctx, int64_t now_ms)
{
    return ctx->views.count > 0 && now_ms - ctx->views_since_ms >= VIEW_AGE_MS;
}

/* Fires what is due at or before `until_ms`, in order of (due, kind, key), until the take has fired
 * `cap` of them. *all false: more is due. */
static enum txn_result fire_timers(struct task *task, int64_t until_ms, size_t cap, bool *all,
                                   struct error *error)
{
    struct weir_context *ctx = &task->context;
    *all = true;
    while (ctx->timer_bound_ms <= until_ms) {
        if (task->timers_fired >= cap) {
            *all = false;
            return TXN_DONE;
        }
        struct timer_row row;
        bool found;
        context_clear(ctx);
        enum outcome outcome = context_flush(ctx, error);
        if (outcome == OK) {
            outcome = store_first_timer(ctx->store, &ctx->arena, &row, &found, error);
        }
        if (outcome != OK) {
            return effects_of_store(task, outcome, error);
        }
        ctx->timer_bound_ms = found ? row.due_ms : INT64_MAX;
        if (ctx->timer_bound_ms > until_ms) {
            break;
        }
        bool views_first = views_are_old(ctx, row.due_ms);
        enum txn_result result = views_first ? effects_views(task, error) : fire(task, &row, error);
        if (result != TXN_DONE) {
            return result;
        }
    }
    return TXN_DONE;
}

/* ---- records ---- */

/* The key as the record itself has it; it decided the partition, so it must be the Kafka key. */
static const char *own_key(const struct input *input, const void *record)
{
    const char *base = record;
    int branch = 0;
    if (input->payload) {
        memcpy(&branch, base + input->payload->has_offset, sizeof branch);
        base += input->payload->offset;
    }
    const char *key;
    memcpy(&key, base + input->key_offset[branch], sizeof key);
    return key;
}

enum reading { READ, BAD, UNKNOWN };

/* Decodes value and key into the context's arena. BAD and UNKNOWN: `cause` and error say why. */
static enum reading read_record(struct task *task, const struct input *input,
                                const struct port_record *record, void **decoded, const char **key,
                                const char **cause, struct error *error)
{
    struct arena *arena = &task->context.arena;
    const struct weir_topic *topic = input->topic;
    *cause = "key";
    if (record->key.size == 0) {
        fail(error, OK, "the record has no key; %s is keyed by %s", topic->name, topic->key);
        return BAD;
    }
    if (memchr(record->key.data, 0, record->key.size) ||
        !utf8_valid(record->key.data, record->key.size)) {
        fail(error, OK, "the key is not UTF-8 text");
        return BAD;
    }
    *key = arena_strndup(arena, (const char *)record->key.data, record->key.size);
    *cause = topic->encoding == WEIR_AVRO ? "avro" : "json";
    if (!record->value.data) {
        fail(error, OK, "the value is null");
        return BAD;
    }
    *decoded = arena_alloc(arena, topic->record->size);
    enum decode_result result =
        topic->encoding == WEIR_AVRO
            ? codec_decode(task->options.codec, topic->record, record->value, arena, *decoded,
                           error)
            : record_from_json(topic->record, record->value, arena, *decoded, error);
    switch (result) {
    case DECODED:
        break;
    case DECODE_BAD:
        return BAD;
    case DECODE_UNKNOWN_SCHEMA:
    case DECODE_UNKNOWN_BRANCH:
        return UNKNOWN;
    }
    if (strcmp(own_key(input, *decoded), *key) != 0) {
        *cause = "key";
        fail(error, OK, "the record's %s is '%s', its key is '%s'", topic->key,
             own_key(input, *decoded), *key);
        return BAD;
    }
    return READ;
}

static enum txn_result skip(struct task *task, struct input *input,
                            const struct port_record *record, const char *why, struct error *error)
{
    input->skipped_next = record->offset + 1;
    return effects_dead_letter(task, input, record, "SKIPPED", "schema", why, error);
}

/* Nobody here knows what to do with it: the input waits, unless an operator has said otherwise. */
static enum txn_result wait_or_skip(struct task *task, struct input *input,
                                    const struct port_record *record, const char *why,
                                    struct error *error)
{
    if (input->skip_blocked && input->blocked_offset == record->offset) {
        return skip(task, input, record, why, error);
    }
    input_block(task, input, record, why);
    return TXN_DONE;
}

/* In a replay: nobody could read this record then, whoever can now. */
static bool was_skipped(const struct task *task, const struct input *input,
                        const struct port_record *record)
{
    for (size_t i = 0; task->along && i < task->along->inputs.count; i++) {
        const struct input_range *range = &task->along->inputs.items[i];
        if (strcmp(range->topic, input->topic->name) == 0) {
            return range->skipped_next == record->offset + 1;
        }
    }
    return false;
}

static enum txn_result handle_record(struct task *task, struct input *input,
                                     const struct port_record *record, struct error *error)
{
    struct weir_context *ctx = &task->context;
    context_clear(ctx);
    if (was_skipped(task, input, record)) {
        return skip(task, input, record, "an operator had it skipped", error);
    }
    void *decoded = NULL;
    const char *key = "", *cause = "";
    struct error why;
    switch (read_record(task, input, record, &decoded, &key, &cause, &why)) {
    case READ:
        break;
    case BAD:
        return effects_dead_letter(task, input, record, "MALFORMED", cause, why.text, error);
    case UNKNOWN:
        return wait_or_skip(task, input, record, why.text, error);
    }
    struct cause by = {.topic = input->topic->name,
                       .partition = task->options.partition,
                       .offset = record->offset};
    context_begin(ctx, &by, key, task->task_time_ms);
    if (!input->topic->dispatch(ctx, decoded, input->handlers)) {
        return wait_or_skip(task, input, record,
                            "this version of the processor has no handler for this kind of record",
                            error);
    }
    switch (context_end(ctx)) {
    case HANDLED:
        input->handled++;
        return effects_send(task, error);
    case STALE:
        input->stale++;
        return effects_send(task, error);
    case REJECTED:
        return effects_dead_letter(task, input, record, "REJECTED", ctx->reject_cause,
                                   ctx->reject_reason, error);
    case FAILED:
        *error = ctx->error;
        return effects_of_store(task, ctx->failure, &ctx->error);
    }
    return TXN_ABORT;
}

/* What timers did behind the last record of the commit that is replayed: how many is known, for
 * whose sake (a tick, a record that then had to wait) need not be. */
static enum txn_result fire_behind(struct task *task, struct error *error)
{
    int64_t until_ms = task->along->task_time_ms;
    size_t cap = task->timers_fired + (size_t)task->along->timers_behind;
    bool all;
    enum txn_result result = fire_timers(task, until_ms, cap, &all, error);
    task->task_time_ms = later(task->task_time_ms, until_ms);
    return result;
}

/* Nothing here may go by what the history does not tell: the records of the take, task time before
 * and after it, and the timers behind the last record. So in a replay the wall clock is what task
 * time became, which is the same: a record was clamped to nothing else. */
enum txn_result take_handle(struct task *task, bool *anything, struct error *error)
{
    int64_t wall_ms = task->calls->wall_ms(task->port);
    int64_t bound_ms =
        task->along ? task->along->task_time_ms : wall_ms + task->options.clock_bound_ms;
    size_t cap = task->along ? SIZE_MAX : task->options.take_max_records;
    enum txn_result result = TXN_DONE;
    bool all = true;
    task->timers_fired = 0;
    task->outputs = 0;
    task->digest = task->rows_digest = 0;
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        input->done_offset = input->next_offset;
        input->handled = input->stale = input->dead = input->skipped_next = 0;
    }
    if (task->tick && !task->along) {
        result = fire_timers(task, task->looked_ms, cap, &all, error);
        if (all && result == TXN_DONE) {
            task->task_time_ms = later(task->task_time_ms, task->looked_ms);
        }
    }
    int64_t records = 0;
    size_t fired_before = 0; /* the last record */
    for (size_t i = 0; i < task->order_count && result == TXN_DONE; i++) {
        struct input *input = &task->inputs[task->order[i].input];
        const struct port_record *record = &input->records[task->order[i].record];
        if (input->blocked) {
            continue; /* it was blocked by an earlier record of this take */
        }
        int64_t record_ms = record->timestamp_ms < bound_ms ? record->timestamp_ms : bound_ms;
        int64_t time_ms = later(task->task_time_ms, record_ms);
        result = fire_timers(task, time_ms, cap, &all, error);
        if (result != TXN_DONE || !all) {
            break;
        }
        task->task_time_ms = time_ms;
        result = handle_record(task, input, record, error);
        if (result == TXN_DONE && !input->blocked) {
            input->done_offset = record->offset + 1;
            fired_before = task->timers_fired;
            records++;
        }
        if (result == TXN_DONE && task->context.take.bytes > task->options.take_max_bytes) {
            result = effects_rows(task, error);
            context_spill(&task->context);
        }
    }
    if (task->along && result == TXN_DONE) {
        result = fire_behind(task, error);
    }
    task->timers_behind = task->timers_fired - fired_before;
    *anything = records > 0 || task->timers_fired > 0 || task->along;
    return result;
}
