/* effects.c - what a take leaves behind: outputs with their causes, dead letters, views, rows in
 * SQLite and in the changelog, the checkpoint, the offsets. All of it goes into the open
 * transaction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/testpoint.h"
#include "runtime/deadletter.h"
#include "runtime/task_internal.h"

/* ---- outputs and dead letters ---- */

static void add_to_digest(struct task *task, const char *topic, struct weir_bytes key,
                          struct weir_bytes value)
{
    task->digest = hash_bytes(task->digest, topic, strlen(topic));
    task->digest = hash_bytes(task->digest, key.data, key.size);
    task->digest = hash_bytes(task->digest, value.data, value.size);
    task->outputs++;
}

enum txn_result effects_send(struct task *task, struct error *error)
{
    struct weir_context *ctx = &task->context;
    struct cause cause = ctx->cause;
    cause.count = (int32_t)ctx->staged_count;
    for (size_t i = 0; i < ctx->staged_count; i++) {
        const struct staged *staged = &ctx->staged[i];
        if (!ctx->in_view) {
            cause.ordinal = (int32_t)i;
        }
        buffer_reset(&task->scratch);
        codec_encode_datum(&cause_record, &cause, &task->scratch);
        struct port_header header = {CAUSE_HEADER, {task->scratch.data, task->scratch.size}};
        struct weir_bytes key = {ctx->staged_bytes.data + staged->key_at, staged->key_size};
        struct weir_bytes value = {ctx->staged_bytes.data + staged->value_at, staged->value_size};
        add_to_digest(task, staged->topic->name, key, value);
        enum txn_result result = task->calls->send(task->producer, staged->topic->name, -1, key,
                                                   value, &header, 1, NULL, error);
        if (result != TXN_DONE) {
            return result;
        }
        TESTPOINT("produced");
    }
    return TXN_DONE;
}

static struct port_header text_header(struct task *task, const char *name, const char *text)
{
    const char *copy = arena_strndup(&task->context.arena, text, strlen(text));
    return (struct port_header){name, {(const uint8_t *)copy, strlen(copy)}};
}

static bool is_dead_letter_header(const char *name)
{
    static const char *const names[] = {DEAD_CLASS,     DEAD_CAUSE,   DEAD_REASON,   DEAD_SOURCE,
                                        DEAD_PROCESSOR, DEAD_ATTEMPT, DEAD_FIRST_MS, DEAD_LAST_MS};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum txn_result effects_dead_letter(struct task *task, struct input *input,
                                    const struct port_record *record, const char *class_name,
                                    const char *cause, const char *reason, struct error *error)
{
    struct arena *arena = &task->context.arena;
    struct port_header headers[PORT_HEADERS_MAX];
    size_t count = 0;
    int attempt = 1;
    struct port_header original;
    for (size_t i = 0; task->calls->header(task->port, record, i, &original); i++) {
        if (strcmp(original.name, DEAD_ATTEMPT) == 0) {
            int64_t before = 0;
            if (conf_number(arena_strndup(arena, (const char *)original.value.data,
                                          original.value.size),
                            &before)) {
                attempt = (int)before + 1;
            }
        } else if (!is_dead_letter_header(original.name) && count < PORT_HEADERS_MAX - 8) {
            headers[count++] = original;
        }
    }
    int partition = (int)task->options.partition;
    const char *source =
        arena_format(arena, "%s/%d/%lld", input->topic->name, partition, (long long)record->offset);
    headers[count++] = text_header(task, DEAD_CLASS, class_name);
    headers[count++] = text_header(task, DEAD_CAUSE, cause);
    headers[count++] = text_header(task, DEAD_REASON, reason);
    headers[count++] = text_header(task, DEAD_SOURCE, source);
    headers[count++] = text_header(task, DEAD_PROCESSOR, task->options.application_id);
    headers[count++] = text_header(task, DEAD_ATTEMPT, arena_format(arena, "%d", attempt));
    headers[count++] = text_header(task, DEAD_FIRST_MS,
                                   arena_format(arena, "%lld", (long long)record->timestamp_ms));
    headers[count++] =
        text_header(task, DEAD_LAST_MS, arena_format(arena, "%lld", (long long)task->task_time_ms));

    const char *topic = arena_format(arena, "%s.dlq", input->topic->name);
    log_event(LOG_WARN, "dead_letter", "source=%s class=%s cause=%s reason=\"%s\"", source,
              class_name, cause, reason);
    input->dead++;
    return task->calls->send(task->producer, topic, task->options.partition, record->key,
                             record->value, headers, count, NULL, error);
}

/* ---- rows to SQLite and to the changelog ---- */

enum txn_result effects_of_store(struct task *task, enum outcome outcome, const struct error *error)
{
    if (outcome == OK) {
        return TXN_DONE;
    }
    if (outcome == FATAL) {
        task->fatal = *error;
    }
    return TXN_ABORT;
}

enum txn_result effects_rows(struct task *task, struct error *error)
{
    struct weir_context *ctx = &task->context;
    enum txn_result result = effects_of_store(task, context_flush(ctx, error), error);
    if (result != TXN_DONE) {
        return result;
    }
    for (size_t i = 0; i < ctx->take.count && result == TXN_DONE; i++) {
        const struct write_entry *entry = &ctx->take.entries[i];
        buffer_reset(&task->scratch);
        buffer_add(&task->scratch, entry->table->name, strlen(entry->table->name) + 1);
        buffer_add(&task->scratch, entry->key.data, entry->key.size);
        size_t key_size = task->scratch.size;
        struct weir_bytes value = {NULL, 0};
        if (entry->value.data) {
            codec_frame(entry->table->record, &task->scratch);
            buffer_add(&task->scratch, entry->value.data, entry->value.size);
            value =
                (struct weir_bytes){task->scratch.data + key_size, task->scratch.size - key_size};
        }
        struct weir_bytes key = {task->scratch.data, key_size};
        task->rows_digest = hash_bytes(task->rows_digest, key.data, key.size);
        task->rows_digest = hash_bytes(task->rows_digest, value.data, value.size);
        result = task->calls->send(task->producer, task->changelog, task->options.partition, key,
                                   value, NULL, 0, NULL, error);
    }
    return result;
}

/* ---- views ---- */

enum txn_result effects_views(struct task *task, struct error *error)
{
    struct weir_context *ctx = &task->context;
    for (size_t i = 0; i < ctx->views.count; i++) {
        const struct write_entry *entry = &ctx->views.entries[i];
        context_clear(ctx);
        const struct weir_view *view = &task->options.processor->views[entry->key.data[0]];
        struct cause cause;
        CHECK(codec_decode_datum(ctx->codec, &cause_record, entry->value, &ctx->arena, &cause,
                                 error) == DECODED);
        cause.ordinal = -1; /* coalesced: it stands for all that touched it, and names the last */
        context_begin(ctx, &cause, (const char *)entry->key.data + 1, task->task_time_ms);
        ctx->in_view = true;
        view->build(ctx, ctx->key);
        if (context_end(ctx) == FAILED) {
            *error = ctx->error;
            return effects_of_store(task, ctx->failure, &ctx->error);
        }
        CHECK(ctx->staged_count <= 1);
        enum txn_result result = effects_send(task, error);
        if (result != TXN_DONE) {
            return result;
        }
    }
    write_set_reset(&ctx->views);
    return TXN_DONE;
}

/* ---- the end of a take ---- */

static void fill_checkpoint(struct task *task)
{
    for (size_t i = 0; i < task->input_count; i++) {
        const struct input *input = &task->inputs[i];
        task->ranges[i] = (struct input_range){
            .topic = input->topic->name,
            .first_offset = input->next_offset,
            .next_offset = input->done_offset,
            .handled = input->handled,
            .stale = input->stale,
            .dead = input->dead,
            .skipped_next = input->skipped_next,
        };
    }
    task->checkpoint = (struct checkpoint){
        .commit_number = task->pending.commit_number,
        .incarnation = task->pending.incarnation,
        .row_schemas = (int64_t)store_row_schemas(task->store),
        .task_time_ms = task->task_time_ms,
        .wall_ms = task->calls->wall_ms(task->port),
        .tick = task->tick,
        .inputs = {.items = task->ranges, .count = task->input_count},
        .timers_fired = (int64_t)task->timers_fired,
        .timers_behind = (int64_t)task->timers_behind,
        .outputs = task->outputs,
        .digest = (int64_t)task->digest,
        .rows_digest = (int64_t)task->rows_digest,
    };
}

enum txn_result take_finish(struct task *task, struct error *error)
{
    enum txn_result result = effects_views(task, error);
    if (result == TXN_DONE) {
        result = effects_rows(task, error);
    }
    if (result != TXN_DONE) {
        return result;
    }
    fill_checkpoint(task);
    buffer_reset(&task->scratch);
    codec_encode(&checkpoint_record, &task->checkpoint, &task->scratch);
    struct weir_bytes key = {(const uint8_t *)CHECKPOINT_KEY, strlen(CHECKPOINT_KEY)};
    struct weir_bytes value = {task->scratch.data, task->scratch.size};
    result = task->calls->send(task->producer, task->history, task->options.partition, key, value,
                               NULL, 0, NULL, error);
    task->delivery = (struct port_delivery){.offset = -1};
    if (result == TXN_DONE) {
        result = task->calls->send(task->producer, task->changelog, task->options.partition, key,
                                   value, NULL, 0, &task->delivery, error);
    }
    if (result != TXN_DONE) {
        return result;
    }
    TESTPOINT("produced_last");
    return TXN_DONE;
}

enum txn_result take_send_offsets(struct task *task, struct error *error)
{
    struct port_offset offsets[WEIR_LIST_MAX];
    for (size_t i = 0; i < task->input_count; i++) {
        offsets[i] = (struct port_offset){.topic = task->inputs[i].topic->name,
                                          .offset = task->inputs[i].done_offset};
        metadata_write(task->pending.commit_number, task->pending.incarnation, offsets[i].offset,
                       offsets[i].metadata);
    }
    return task->calls->send_offsets(task->producer, offsets, task->input_count,
                                     task->options.partition, task->options.transaction_timeout_ms,
                                     error);
}
