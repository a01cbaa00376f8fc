/* context.c - the calls a handler may make (weir.h), on the three layers: overlay, write set, file.
 *
 * The write set of the take before stands between set and file, to be read only: what a take wrote
 * is what the next one asks for.
 */
#include "runtime/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/key.h"

enum {
    RECORD_OVERHEAD_BYTES =
        1024, /* batch header, key, our headers: what a record weighs beside its value */
    ROW_MAX_BYTES =
        900 * 1024, /* a changelog record must fit the broker's default limit of 1 MiB */
};

void context_init(struct weir_context *ctx, const struct weir_processor *processor,
                  const int64_t *settings, struct codec *codec, struct store *store,
                  const struct weir_store *const *tables, int32_t partition)
{
    *ctx = (struct weir_context){
        .processor = processor,
        .settings = settings,
        .codec = codec,
        .store = store,
        .tables = tables,
        .partition = partition,
        .timer_bound_ms = INT64_MIN,
    };
    write_set_init(&ctx->take);
    write_set_init(&ctx->last);
    write_set_init(&ctx->views);
    write_set_init(&ctx->overlay);
    write_set_init(&ctx->touched);
    arena_init(&ctx->arena);
    arena_init(&ctx->row);
    buffer_init(&ctx->scratch);
    buffer_init(&ctx->staged_bytes);
}

void context_release(struct weir_context *ctx)
{
    write_set_release(&ctx->take);
    write_set_release(&ctx->last);
    write_set_release(&ctx->views);
    write_set_release(&ctx->overlay);
    write_set_release(&ctx->touched);
    arena_release(&ctx->arena);
    arena_release(&ctx->row);
    buffer_release(&ctx->scratch);
    buffer_release(&ctx->staged_bytes);
    free(ctx->staged);
    ctx->staged = NULL;
}

void context_keep_take(struct weir_context *ctx)
{
    struct write_set before = ctx->last;
    ctx->last = ctx->take;
    ctx->take = before;
    write_set_reset(&ctx->take);
    write_set_reset(&ctx->views);
}

void context_undo_take(struct weir_context *ctx)
{
    write_set_reset(&ctx->take);
    write_set_reset(&ctx->last);
    write_set_reset(&ctx->views);
    ctx->timer_bound_ms = INT64_MIN;
}

void context_spill(struct weir_context *ctx)
{
    CHECK(ctx->take.unflushed_count == 0);
    write_set_reset(&ctx->take);
    write_set_reset(&ctx->last);
}

void context_clear(struct weir_context *ctx)
{
    write_set_reset(&ctx->overlay);
    write_set_reset(&ctx->touched);
    arena_reset(&ctx->arena);
    buffer_reset(&ctx->staged_bytes);
    ctx->staged_count = 0;
    ctx->in_timer = ctx->in_view = ctx->stale = ctx->rejected = ctx->failed = false;
    ctx->overlay_due_ms = INT64_MAX;
    ctx->reject_reason = "";
    ctx->reject_cause[0] = 0;
}

void context_begin(struct weir_context *ctx, const struct cause *cause, const char *key,
                   int64_t now_ms)
{
    ctx->cause = *cause;
    ctx->key = key;
    ctx->now_ms = now_ms;
}

enum verdict context_end(struct weir_context *ctx)
{
    if (ctx->failed) {
        return FAILED;
    }
    if (ctx->rejected) {
        ctx->staged_count = 0;
        return REJECTED;
    }
    write_set_merge(&ctx->take, &ctx->overlay);
    if (ctx->views.count == 0) {
        ctx->views_since_ms = ctx->now_ms;
    }
    write_set_merge(&ctx->views, &ctx->touched);
    if (ctx->overlay_due_ms < ctx->timer_bound_ms) {
        ctx->timer_bound_ms = ctx->overlay_due_ms;
    }
    return ctx->stale ? STALE : HANDLED;
}

/* A failure is sticky: the first one counts, later calls do nothing. */
static void context_fail(struct weir_context *ctx, enum outcome outcome)
{
    ctx->failed = true;
    ctx->failure = outcome;
}

static bool dead(const struct weir_context *ctx)
{
    return ctx->failed || ctx->rejected;
}

enum outcome context_read_entry(struct codec *codec, const struct write_entry *entry,
                                struct arena *arena, void **row, struct error *error)
{
    const struct weir_store *table = entry->table;
    *row = arena_alloc(arena, table->record->size);
    if (!entry->value.data) {
        return key_decode(table, entry->key, arena, *row)
                   ? OK
                   : fail_exit(error, EXIT_CONFIG, "a key of table %s cannot be read", table->name);
    }
    if (codec_decode_datum(codec, table->record, entry->value, arena, *row, error) != DECODED) {
        error_prefix(error, "a row of table %s", table->name);
        error->exit_code = EXIT_CONFIG;
        return FATAL;
    }
    return OK;
}

enum outcome context_write_entry(struct store *store, const struct write_entry *entry,
                                 const void *row, struct error *error)
{
    return entry->value.data ? store_put(store, entry->table, row, error)
                             : store_delete(store, entry->table, row, error);
}

/* Puts what is not flushed into SQLite, in key order. */
static enum outcome flush_set(struct weir_context *ctx, struct write_set *set, struct error *error)
{
    if (set->unflushed_count == 0) {
        return OK;
    }
    size_t count;
    struct write_entry **entries = write_set_sorted(set, ctx->tables, &count);
    for (size_t i = 0; i < count; i++) {
        arena_reset(&ctx->row);
        void *row;
        enum outcome outcome = context_read_entry(ctx->codec, entries[i], &ctx->row, &row, error);
        if (outcome == OK) {
            outcome = context_write_entry(ctx->store, entries[i], row, error);
        }
        if (outcome != OK) {
            return outcome;
        }
    }
    write_set_flushed(set);
    return OK;
}

enum outcome context_flush(struct weir_context *ctx, struct error *error)
{
    return flush_set(ctx, &ctx->take, error);
}

/* ---- the record at hand ---- */

int64_t weir_now_ms(const struct weir_context *ctx)
{
    return ctx->now_ms;
}

const char *weir_key(const struct weir_context *ctx)
{
    return ctx->key;
}

int32_t weir_partition(const struct weir_context *ctx)
{
    return ctx->partition;
}

int64_t weir_offset(const struct weir_context *ctx)
{
    return ctx->in_timer ? -1 : ctx->cause.offset;
}

int64_t weir_setting(const struct weir_context *ctx, const struct weir_setting *setting)
{
    for (size_t i = 0; i < WEIR_LIST_MAX && ctx->processor->settings[i]; i++) {
        if (ctx->processor->settings[i] == setting) {
            return ctx->settings[i];
        }
    }
    BUG("a setting that the processor's table does not list");
}

void weir_reject(struct weir_context *ctx, const char *cause, const char *format, ...)
{
    if (dead(ctx)) {
        return;
    }
    CHECK(!ctx->in_timer && !ctx->in_view);
    va_list args;
    va_start(args, format);
    ctx->reject_reason = arena_vformat(&ctx->arena, format, args);
    va_end(args);
    snprintf(ctx->reject_cause, sizeof ctx->reject_cause, "%s", cause);
    ctx->rejected = true;
}

void weir_stale(struct weir_context *ctx)
{
    ctx->stale = true;
}

void *weir_alloc(struct weir_context *ctx, size_t size)
{
    return arena_alloc(&ctx->arena, size);
}

const char *weir_format(struct weir_context *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vformat(&ctx->arena, format, args);
    va_end(args);
    return text;
}

/* ---- outputs ---- */

static bool may_emit(const struct weir_context *ctx, const struct weir_topic *topic)
{
    for (size_t i = 0; i < WEIR_LIST_MAX && ctx->processor->outputs[i]; i++) {
        if (ctx->processor->outputs[i] == topic) {
            return !ctx->in_view;
        }
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && ctx->processor->views[i].topic; i++) {
        if (ctx->processor->views[i].topic == topic) {
            return ctx->in_view;
        }
    }
    return false;
}

void weir_emit(struct weir_context *ctx, const struct weir_topic *topic, const char *key,
               const void *record)
{
    if (dead(ctx)) {
        return;
    }
    CHECK(may_emit(ctx, topic));
    if (ctx->staged_count == ctx->staged_capacity) {
        ctx->staged_capacity = ctx->staged_capacity > 0 ? ctx->staged_capacity * 2 : 16;
        ctx->staged = xrealloc(ctx->staged, ctx->staged_capacity * sizeof *ctx->staged);
    }
    struct buffer *bytes = &ctx->staged_bytes;
    struct staged staged = {.topic = topic, .key_at = bytes->size, .key_size = strlen(key)};
    buffer_add(bytes, key, staged.key_size);
    staged.value_at = bytes->size;
    if (topic->encoding == WEIR_AVRO) {
        codec_encode(topic->record, record, bytes);
    } else {
        record_to_json(topic->record, record, bytes);
    }
    staged.value_size = bytes->size - staged.value_at;
    if (staged.key_size + staged.value_size + RECORD_OVERHEAD_BYTES >
        (size_t)topic->max_message_bytes) {
        weir_reject(ctx, "too_large", "an output of %zu bytes for %s, which takes %d",
                    staged.value_size, topic->name, (int)topic->max_message_bytes);
        return;
    }
    ctx->staged[ctx->staged_count++] = staged;
}

void weir_view_touch(struct weir_context *ctx, const struct weir_topic *view, const char *key)
{
    if (dead(ctx)) {
        return;
    }
    size_t number = 0;
    while (number < WEIR_LIST_MAX && ctx->processor->views[number].topic != view) {
        number++;
    }
    CHECK(number < WEIR_LIST_MAX);
    buffer_reset(&ctx->scratch);
    buffer_add_byte(&ctx->scratch, (uint8_t)number);
    buffer_add(&ctx->scratch, key, strlen(key) + 1);
    size_t key_size = ctx->scratch.size;
    codec_encode_datum(&cause_record, &ctx->cause, &ctx->scratch);
    write_set_put(&ctx->touched, NULL, (struct weir_bytes){ctx->scratch.data, key_size},
                  (struct weir_bytes){ctx->scratch.data + key_size, ctx->scratch.size - key_size});
}

/* ---- rows ---- */

bool weir_row_get(struct weir_context *ctx, const struct weir_store *store, const void *key,
                  void *row)
{
    if (dead(ctx)) {
        memset(row, 0, store->record->size);
        return false;
    }
    buffer_reset(&ctx->scratch);
    key_encode(store, key, store->key_field_count, &ctx->scratch);
    struct weir_bytes bytes = {ctx->scratch.data, ctx->scratch.size};
    const struct write_entry *entry = write_set_find(&ctx->overlay, store, bytes);
    if (!entry) {
        entry = write_set_find(&ctx->take, store, bytes);
    }
    if (!entry) {
        entry = write_set_find(&ctx->last, store, bytes);
    }
    if (entry) {
        if (!entry->value.data) {
            return false;
        }
        CHECK(codec_decode_datum(ctx->codec, store->record, entry->value, &ctx->arena, row,
                                 &ctx->error) == DECODED);
        return true;
    }
    bool found = false;
    enum outcome outcome = store_get(ctx->store, store, key, &ctx->arena, row, &found, &ctx->error);
    if (outcome != OK) {
        context_fail(ctx, outcome);
        memset(row, 0, store->record->size);
        return false;
    }
    return found;
}

void weir_row_put(struct weir_context *ctx, const struct weir_store *store, const void *row)
{
    if (dead(ctx)) {
        return;
    }
    CHECK(!ctx->in_view);
    buffer_reset(&ctx->scratch);
    key_encode(store, row, store->key_field_count, &ctx->scratch);
    size_t key_size = ctx->scratch.size;
    codec_encode_datum(store->record, row, &ctx->scratch);
    size_t value_size = ctx->scratch.size - key_size;
    if (ctx->scratch.size > ROW_MAX_BYTES) {
        weir_reject(ctx, "too_large", "a row of %zu bytes in %s; the limit is %d", value_size,
                    store->name, ROW_MAX_BYTES);
        return;
    }
    write_set_put(&ctx->overlay, store, (struct weir_bytes){ctx->scratch.data, key_size},
                  (struct weir_bytes){ctx->scratch.data + key_size, value_size});
}

void weir_row_delete(struct weir_context *ctx, const struct weir_store *store, const void *key)
{
    if (dead(ctx)) {
        return;
    }
    CHECK(!ctx->in_view);
    buffer_reset(&ctx->scratch);
    key_encode(store, key, store->key_field_count, &ctx->scratch);
    write_set_put(&ctx->overlay, store, (struct weir_bytes){ctx->scratch.data, ctx->scratch.size},
                  (struct weir_bytes){NULL, 0});
}

/* A range read sees SQLite only, so the take's rows are flushed first, and the record's own are put
 * under a savepoint that is undone once the answer stands in the arena: a reject later must find
 * nothing of this record in the file. */
static bool range_begin(struct weir_context *ctx)
{
    enum outcome outcome = context_flush(ctx, &ctx->error);
    if (outcome == OK && ctx->overlay.count > 0) {
        outcome = store_savepoint(ctx->store, &ctx->error);
        if (outcome == OK) {
            outcome = flush_set(ctx, &ctx->overlay, &ctx->error);
        }
    }
    if (outcome != OK) {
        context_fail(ctx, outcome);
    }
    return outcome == OK;
}

static void range_end(struct weir_context *ctx, enum outcome outcome)
{
    if (outcome == OK && ctx->overlay.count > 0) {
        outcome = store_savepoint_undo(ctx->store, &ctx->error);
        write_set_unflushed(&ctx->overlay);
    }
    if (outcome != OK) {
        context_fail(ctx, outcome);
    }
}

size_t weir_row_list(struct weir_context *ctx, const struct weir_store *store, const void *key,
                     size_t prefix, size_t limit, void **rows)
{
    *rows = NULL;
    if (dead(ctx) || !range_begin(ctx)) {
        return 0;
    }
    size_t count = 0;
    enum outcome outcome =
        store_list(ctx->store, store, key, prefix, limit, &ctx->arena, rows, &count, &ctx->error);
    range_end(ctx, outcome);
    return ctx->failed ? 0 : count;
}

size_t weir_row_scan(struct weir_context *ctx, const struct weir_store *store, const void *like,
                     size_t field, void **rows)
{
    *rows = NULL;
    if (dead(ctx) || !range_begin(ctx)) {
        return 0;
    }
    size_t count = 0;
    enum outcome outcome =
        store_scan(ctx->store, store, like, field, &ctx->arena, rows, &count, &ctx->error);
    range_end(ctx, outcome);
    return ctx->failed ? 0 : count;
}

/* ---- timers: rows of the task's own table ---- */

void weir_timer_set(struct weir_context *ctx, const struct weir_timer *timer, const char *key,
                    int64_t due_ms)
{
    if (ctx->in_timer && due_ms <= ctx->now_ms) {
        due_ms = ctx->now_ms + 1; /* a timer that re-arms itself for now would fire for ever */
    }
    weir_row_put(ctx, &timer_row_store,
                 &(struct timer_row){
                     .kind = timer->name,
                     .key = key,
                     .due_ms = due_ms,
                     .cause_topic = ctx->cause.topic,
                     .cause_partition = ctx->cause.partition,
                     .cause_offset = ctx->cause.offset,
                 });
    if (due_ms < ctx->overlay_due_ms) {
        ctx->overlay_due_ms = due_ms;
    }
}

void weir_timer_cancel(struct weir_context *ctx, const struct weir_timer *timer, const char *key)
{
    struct timer_row row = {.kind = timer->name, .key = key};
    struct timer_row armed;
    if (weir_row_get(ctx, &timer_row_store, &row, &armed)) {
        weir_row_delete(ctx, &timer_row_store, &row);
    }
}
