/* world.c - the tally's world. */
#include "protocol/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "codec/schema.h"
#include "runtime_records.h"
#include "store/store.h"

#include <cmocka.h>

static const int64_t start_ms = INT64_C(1790000000000);

void world_open(struct world *world)
{
    *world = (struct world){0};
    log_set_level(getenv("WEIR_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    world->broker = broker_open(start_ms);
    broker_auto_advance(world->broker, true);
    broker_create_topic(world->broker, "tally.events", 1, false);
    broker_create_topic(world->broker, "tally.events.dlq", 1, false);
    broker_create_topic(world->broker, "tally.sums", 1, false);
    broker_create_topic(world->broker, "tally.totals", 1, true);
    broker_create_topic(world->broker, "tally.changelog", 1, true);
    broker_create_topic(world->broker, "tally.history", 1, false);
    const struct weir_record *const records[] = {&tally_event_record, &tally_answer_record,
                                                 &tally_total_record, &total_record,
                                                 &timer_row_record,   &checkpoint_record,
                                                 &cause_record,       NULL};
    struct error error;
    assert_int_equal(codec_open(&world->codec, records, NULL, &error), OK);
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(world->directory, sizeof world->directory, "%s/weir-protocol-XXXXXX", base);
    assert_non_null(mkdtemp(world->directory));
    snprintf(world->state_path, sizeof world->state_path, "%s/tally/p0.sqlite", world->directory);
}

void world_close(struct world *world)
{
    world_kill(world);
    codec_close(world->codec);
    broker_close(world->broker);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", world->directory);
    assert_int_equal(system(command), 0);
}

static void produce(struct world *world, const char *name, const struct tally_event *event)
{
    struct buffer bytes;
    buffer_init(&bytes);
    codec_encode(&tally_event_record, event, &bytes);
    broker_produce(world->broker, "tally.events", 0,
                   (struct weir_bytes){(const uint8_t *)name, strlen(name)},
                   (struct weir_bytes){bytes.data, bytes.size}, NULL, 0);
    buffer_release(&bytes);
}

void world_frame(const char *schema, uint8_t frame[WORLD_FRAME_BYTES])
{
    struct schema *parsed;
    struct arena arena;
    struct error error;
    arena_init(&arena);
    assert_int_equal(schema_parse(&parsed, schema, strlen(schema), &arena, NULL, NULL, &error), OK);
    uint64_t fingerprint = schema_fingerprint(parsed);
    frame[0] = 0xc3;
    frame[1] = 1;
    for (int i = 0; i < 8; i++) {
        frame[2 + i] = (uint8_t)(fingerprint >> 8 * i);
    }
    arena_release(&arena);
}

void world_add(struct world *world, const char *name, int64_t n)
{
    struct tally_event event = {.payload_branch = TALLY_EVENT_ADD,
                                .payload.add = {.name = name, .n = n}};
    produce(world, name, &event);
}

void world_remind(struct world *world, const char *name, int64_t after_ms)
{
    struct tally_event event = {.payload_branch = TALLY_EVENT_REMIND,
                                .payload.remind = {.name = name, .after_ms = after_ms}};
    produce(world, name, &event);
}

void world_garbage(struct world *world, const char *name)
{
    struct weir_bytes garbage = {(const uint8_t *)"\x01\x02\x03", 3};
    broker_produce(world->broker, "tally.events", 0,
                   (struct weir_bytes){(const uint8_t *)name, strlen(name)}, garbage, NULL, 0);
}

static void ignore_assigned(void *context, const int32_t *partitions, size_t count)
{
    (void)context, (void)partitions, (void)count;
}

static void ignore_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    (void)context, (void)partitions, (void)count, (void)lost;
}

static void runs(const struct world *world, bool running)
{
    if (world->watch && world->watch->runs) {
        world->watch->runs(running);
    }
}

enum outcome world_start(struct world *world)
{
    static const char *const topics[] = {"tally.events", NULL};
    static const int64_t settings[1];
    struct client_options client = {
        .application_id = "tally",
        .topics = topics,
        .group = {NULL, ignore_assigned, ignore_revoked},
        .session_timeout_ms = 10000,
        .transaction_timeout_ms = 10000,
    };
    world->port = broker_port_open(world->broker, &client);
    if (world->watch && world->watch->port_opened) {
        world->watch->port_opened(world->port);
    }
    struct error error;
    (void)world->port->calls->poll(world->port, 0,
                                   &error); /* assigns; a fault may be scheduled here too */
    struct task_options options = {
        .processor = world->processor ? world->processor : &tally_processor,
        .settings = settings,
        .application_id = "tally",
        .state_path = world->state_path,
        .port = world->port,
        .codec = world->codec,
        .commit_pause_ms = 5,
        .transaction_timeout_ms = 10000,
        .store_commit_ms = 1000,
        .take_max_records = 3, /* small, so that a run has many takes */
        .take_max_bytes = 1 << 20,
        .clock_bound_ms = 60000,
        .delete_retention_ms = 86400000,
    };
    world->starts++;
    runs(world, true);
    enum outcome outcome = task_open(&world->task, &options, &world->error);
    runs(world, false);
    if (outcome != OK) {
        world->task = NULL;
        world_kill(world);
    }
    return outcome;
}

static void end(struct world *world, bool lost)
{
    struct task *task = world->task;
    world->task = NULL;
    runs(world, true);
    task_close(task, lost);
    runs(world, false);
    broker_port_close(world->port);
    world->port = NULL;
}

void world_kill(struct world *world)
{
    end(world, true);
}

void world_stop(struct world *world)
{
    end(world, false);
}

enum outcome world_run(struct world *world)
{
    const int steps = world->watch ? world->watch->steps : 20000;
    for (int i = 0; i < steps; i++) {
        if (broker_port_crashed(world->port)) {
            world_kill(world);
            return fail_exit(&world->error, EXIT_TRY_AGAIN, "crashed by the schedule");
        }
        struct error ignored;
        (void)world->port->calls->poll(world->port, 0, &ignored);
        int64_t wake_us = 0;
        runs(world, true);
        enum outcome outcome = task_step(world->task, &wake_us, &world->error);
        runs(world, false);
        if (outcome != OK) {
            if (broker_port_crashed(world->port)) {
                world->error.exit_code = EXIT_TRY_AGAIN;
            }
            world_kill(world);
            return FATAL;
        }
        int64_t now_us = world->port->calls->monotonic_us(world->port);
        if (task_state(world->task) != TASK_COMMIT && wake_us > now_us) {
            /* Nothing to do now. A second ahead is worth waiting for; a reminder far off is the
             * test's own affair. */
            if (wake_us == INT64_MAX || wake_us - now_us > 3 * 1000000) {
                return OK;
            }
            broker_advance(world->broker, (wake_us - now_us + 999) / 1000);
        }
    }
    if (world->watch) {
        return RETRY;
    }
    fail_msg("the task does not come to rest");
    return FATAL;
}

void world_settle(struct world *world)
{
    for (int i = 0; i < 50; i++) {
        if (!world->task && world_start(world) != OK) {
            assert_int_equal(world->error.exit_code, EXIT_TRY_AGAIN);
            continue;
        }
        if (world_run(world) == OK) {
            return;
        }
        if (world->error.exit_code != EXIT_TRY_AGAIN) {
            fail_msg("the task ended: %s", world->error.text);
        }
    }
    fail_msg("it does not settle: %s", world->error.text);
}

/* ---- the picture ---- */

static void draw_topic(struct world *world, const char *topic, const struct weir_record *record,
                       struct buffer *out)
{
    struct broker_record at;
    struct arena arena;
    arena_init(&arena);
    for (int64_t offset = 0; broker_read(world->broker, topic, 0, true, &offset, &at);) {
        buffer_format(out, "%s %.*s ", topic, (int)at.key.size, (const char *)at.key.data);
        for (size_t i = 0; i < at.header_count; i++) {
            struct cause cause;
            struct error error;
            if (strcmp(at.headers[i].name, "weir-cause") == 0) {
                assert_int_equal(codec_decode_datum(world->codec, &cause_record,
                                                    at.headers[i].value, &arena, &cause, &error),
                                 DECODED);
                buffer_format(out, "by %lld.%d/%d %s ", (long long)cause.offset, cause.ordinal,
                              cause.count, cause.timer ? "timer" : "");
            }
        }
        if (record) {
            void *value = arena_alloc(&arena, record->size);
            struct error error;
            assert_int_equal(codec_decode(world->codec, record, at.value, &arena, value, &error),
                             DECODED);
            memset((char *)value + sizeof(int64_t), 0,
                   sizeof(int64_t)); /* occurred_ms depends on the faults */
            record_to_json(record, value, out);
        }
        buffer_add_byte(out, '\n');
    }
    arena_release(&arena);
}

static bool draw_row(void *context, int columns, const char *const *names,
                     const char *const *values, const int *types)
{
    (void)types;
    struct buffer *out = context;
    for (int i = 0; i < columns; i++) {
        buffer_format(out, "%s=%s ", names[i], values[i] ? values[i] : "NULL");
    }
    buffer_add_byte(out, '\n');
    return true;
}

/* The last view of each name: how many there were before depends on where the takes ended. */
static void draw_views(struct world *world, struct buffer *out)
{
    broker_compact(world->broker, "tally.totals", 0, false);
    struct broker_record at;
    struct arena arena;
    arena_init(&arena);
    char lines[32][100];
    size_t count = 0;
    for (int64_t offset = 0;
         broker_read(world->broker, "tally.totals", 0, true, &offset, &at) && count < 32;) {
        struct tally_total total;
        struct error error;
        assert_int_equal(codec_decode(world->codec, &tally_total_record, at.value, &arena, &total,
                                      &error),
                         DECODED);
        snprintf(lines[count++], sizeof lines[0], "view %s=%lld\n", total.payload.total_view.name,
                 (long long)total.payload.total_view.sum);
    }
    qsort(lines, count, sizeof lines[0], (int (*)(const void *, const void *))strcmp);
    for (size_t i = 0; i < count; i++) {
        buffer_add_string(out, lines[i]);
    }
    arena_release(&arena);
}

/* Gapless numbers, contiguous ranges, and every input counted once (I-8). */
static void draw_history(struct world *world, struct buffer *out)
{
    struct broker_record at;
    struct arena arena;
    arena_init(&arena);
    int64_t number = 0, next = 0, handled = 0, stale = 0, dead = 0, timers = 0;
    for (int64_t offset = 0; broker_read(world->broker, "tally.history", 0, true, &offset, &at);) {
        struct checkpoint checkpoint;
        struct error error;
        assert_int_equal(codec_decode(world->codec, &checkpoint_record, at.value, &arena,
                                      &checkpoint, &error),
                         DECODED);
        assert_int_equal(checkpoint.commit_number, ++number);
        const struct input_range *range = &checkpoint.inputs.items[0];
        assert_true(range->first_offset == next || number == 1);
        assert_true(range->next_offset >= range->first_offset);
        next = range->next_offset;
        handled += range->handled;
        stale += range->stale;
        dead += range->dead;
        timers += checkpoint.timers_fired;
    }
    arena_release(&arena);
    buffer_format(out, "history next=%lld handled=%lld stale=%lld dead=%lld timers=%lld\n",
                  (long long)next, (long long)handled, (long long)stale, (long long)dead,
                  (long long)timers);
    struct port_offset group;
    assert_true(broker_offsets(world->broker, "tally", "tally.events", 0, &group));
    buffer_format(out, "group offset=%lld\n", (long long)group.offset);
    long long said = 0;
    assert_int_equal(sscanf(group.metadata, "weir1 %lld", &said), 1);
    assert_int_equal(said, number);
}

char *world_picture(struct world *world)
{
    struct buffer out;
    buffer_init(&out);
    draw_topic(world, "tally.sums", &tally_answer_record, &out);
    draw_topic(world, "tally.events.dlq", NULL, &out);
    draw_views(world, &out);
    draw_history(world, &out);
    struct error error;
    assert_int_equal(store_query(world->state_path, "SELECT * FROM total ORDER BY name", draw_row,
                                 &out, &error),
                     OK);
    assert_int_equal(store_query(world->state_path,
                                 "SELECT kind, key FROM timer_row ORDER BY kind, key", draw_row,
                                 &out, &error),
                     OK);
    buffer_string(&out);
    return (char *)out.data;
}
