/* harness.c - the world of a processor under test: broker in memory, codec, task, clock. */
#include "processor/harness_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "runtime_records.h"
#include "store/store.h"

enum {
    STEPS_MAX = 200000,
    PATIENCE_US = 500 * 1000, /* a wake-up nearer than this is the task's own pause */
};

/* ---- the world ---- */

const char *harness_dead_letters_of(struct harness *harness, const struct weir_topic *topic)
{
    return arena_format(&harness->arena, "%s.dlq", topic->name);
}

static void create_shop_topics(struct harness *harness)
{
    for (size_t i = 0; shop_topics[i]; i++) {
        const struct weir_topic *topic = shop_topics[i];
        broker_create_topic(harness->broker, topic->name, 1, topic->cleanup == WEIR_COMPACT);
        broker_create_topic(harness->broker, harness_dead_letters_of(harness, topic), 1, false);
    }
}

static void create_own_topics(struct harness *harness)
{
    const char *application = harness->processor->name;
    broker_create_topic(harness->broker, arena_format(&harness->arena, "%s.changelog", application),
                        1, true);
    broker_create_topic(harness->broker, arena_format(&harness->arena, "%s.history", application),
                        1, false);
}

/* Every schema that the processor may meet: the shop's and the runtime's. */
static struct codec *open_codec(struct harness *harness)
{
    size_t count = 0;
    while (shop_records[count]) {
        count++;
    }
    const struct weir_record **records =
        arena_alloc(&harness->arena, (count + 4) * sizeof *records);
    memcpy(records, shop_records, count * sizeof *records);
    records[count++] = &timer_row_record;
    records[count++] = &checkpoint_record;
    records[count++] = &cause_record;
    struct codec *codec;
    struct error error;
    assert_int_equal(codec_open(&codec, records, NULL, &error), OK);
    return codec;
}

/* What every processor has for itself: settings, topics, a directory. */
static struct harness *open_harness(const struct weir_processor *processor, struct broker *broker)
{
    struct harness *harness = xcalloc(1, sizeof *harness);
    arena_init(&harness->arena);
    harness->processor = processor;
    harness->broker = broker;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        harness->settings[i] = processor->settings[i]->default_value;
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        harness->topics[i] = processor->inputs[i].topic->name;
    }
    create_own_topics(harness);
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(harness->directory, sizeof harness->directory, "%s/weir-processor-XXXXXX", base);
    assert_non_null(mkdtemp(harness->directory));
    snprintf(harness->state_path, sizeof harness->state_path, "%s/p0.sqlite", harness->directory);
    return harness;
}

struct harness *harness_open(const struct weir_processor *processor)
{
    log_set_level(getenv("WEIR_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    struct broker *broker = broker_open(INT64_C(1790000000000));
    broker_auto_advance(broker, true);
    struct harness *harness = open_harness(processor, broker);
    create_shop_topics(harness);
    harness->codec = open_codec(harness);
    return harness;
}

struct harness *harness_open_beside(struct harness *first, const struct weir_processor *processor)
{
    struct harness *harness = open_harness(processor, first->broker);
    harness->codec = first->codec;
    harness->is_guest = true;
    return harness;
}

void harness_stop(struct harness *harness, bool lost)
{
    if (harness->task) {
        harness->stale_before += task_counts(harness->task)->stale;
    }
    task_close(harness->task, lost);
    harness->task = NULL;
    broker_port_close(harness->port);
    harness->port = NULL;
}

void harness_close(struct harness *harness)
{
    harness_stop(harness, true);
    if (!harness->is_guest) {
        codec_close(harness->codec);
        broker_close(harness->broker);
    }
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", harness->directory);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): our own directory */
    arena_release(&harness->arena);
    free(harness);
}

void harness_set(struct harness *harness, const char *setting, int64_t value)
{
    assert_null(harness->task);
    for (size_t i = 0; i < WEIR_LIST_MAX && harness->processor->settings[i]; i++) {
        if (strcmp(harness->processor->settings[i]->name, setting) == 0) {
            harness->settings[i] = value;
            return;
        }
    }
    fail_msg("%s has no setting %s", harness->processor->name, setting);
}

void harness_given_row(struct harness *harness, const struct weir_store *store, const void *row)
{
    assert_null(harness->task);
    const struct weir_store *tables[WEIR_LIST_MAX + 2] = {NULL};
    size_t count = 0;
    for (; count < WEIR_LIST_MAX && harness->processor->stores[count]; count++) {
        tables[count] = harness->processor->stores[count];
    }
    tables[count] = &timer_row_store;
    const struct store_identity identity = {harness->processor->name, 0, tables};
    const struct store_meta meta = {0};
    struct store *file;
    enum store_found found;
    struct error note, error;
    assert_int_equal(store_open(&file, harness->state_path, &identity, &found, &note, &error), OK);
    assert_int_equal(store_restore_begin(file, false, &error), OK);
    assert_int_equal(store_put(file, store, row, &error), OK);
    assert_int_equal(store_restore_end(file, &meta, &error), OK);
    store_close(file);
}

static void no_assignment(void *context, const int32_t *partitions, size_t count)
{
    (void)context, (void)partitions, (void)count;
}

static void no_revocation(void *context, const int32_t *partitions, size_t count, bool lost)
{
    (void)context, (void)partitions, (void)count, (void)lost;
}

static void start(struct harness *harness)
{
    const struct client_options client = {
        .application_id = harness->processor->name,
        .topics = harness->topics,
        .group = {NULL, no_assignment, no_revocation},
        .session_timeout_ms = 10000,
        .transaction_timeout_ms = 10000,
    };
    const struct task_options options = {
        .processor = harness->processor,
        .settings = harness->settings,
        .application_id = harness->processor->name,
        .state_path = harness->state_path,
        .port = harness->port = broker_port_open(harness->broker, &client),
        .codec = harness->codec,
        .commit_pause_ms = 5,
        .transaction_timeout_ms = 10000,
        .store_commit_ms = 1000,
        .take_max_records = 10000,
        .take_max_bytes = 64 << 20,
        .clock_bound_ms = 60000,
        .delete_retention_ms = 86400000,
    };
    struct error error;
    if (task_open(&harness->task, &options, &error) != OK) {
        fail_msg("%s does not open: %s", harness->processor->name, error.text);
    }
}

void harness_run(struct harness *harness)
{
    if (!harness->task) {
        start(harness);
    }
    for (int i = 0; i < STEPS_MAX; i++) {
        struct error error;
        int64_t wake_us = 0;
        (void)harness->port->calls->poll(harness->port, 0, &error);
        if (task_step(harness->task, &wake_us, &error) != OK) {
            fail_msg("%s ended: %s", harness->processor->name, error.text);
        }
        int64_t now_us = harness->port->calls->monotonic_us(harness->port);
        if (wake_us == INT64_MAX || wake_us - now_us > PATIENCE_US) {
            return;
        }
        if (wake_us > now_us) {
            broker_advance(harness->broker, (wake_us - now_us + 999) / 1000);
        }
    }
    fail_msg("%s does not come to rest", harness->processor->name);
}

void harness_advance(struct harness *harness, int64_t ms)
{
    harness_run(harness);
    broker_advance(harness->broker, ms);
    harness_run(harness);
}

void harness_pass(struct harness *harness, int64_t ms)
{
    broker_advance(harness->broker, ms);
}

void harness_restart(struct harness *harness)
{
    harness_run(harness);
    harness_stop(harness, true);
}
