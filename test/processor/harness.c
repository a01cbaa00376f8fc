/* harness.c - a task on the broker in memory, and where a test has read its outputs up to. */
#include "processor/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/broker.h"
#include "runtime/deadletter.h"
#include "runtime/task.h"
#include "runtime_records.h"
#include "store/store.h"

#include <cmocka.h>

enum {
    TOPICS_MAX = 64,
    STEPS_MAX = 200000,
    PATIENCE_US = 500 * 1000, /* a wake-up nearer than this is the task's own pause */
};

struct position {
    char topic[100];
    int64_t offset;
};

struct harness {
    const struct weir_processor *processor;
    int64_t settings[WEIR_LIST_MAX];
    const char *topics[WEIR_LIST_MAX + 1]; /* inputs */
    struct broker *broker;
    struct codec *codec;
    struct port *port;
    struct task *task; /* NULL: not started yet */
    char directory[64], state_path[100];
    int64_t sent_ms, stale_before;
    struct position positions[TOPICS_MAX];
    size_t position_count;
    struct arena arena; /* what expectations have returned */
};

/* ---- the world ---- */

static const char *dead_letters_of(struct harness *harness, const struct weir_topic *topic)
{
    return arena_format(&harness->arena, "%s.dlq", topic->name);
}

static void create_topics(struct harness *harness)
{
    for (size_t i = 0; shop_topics[i]; i++) {
        const struct weir_topic *topic = shop_topics[i];
        broker_create_topic(harness->broker, topic->name, 1, topic->cleanup == WEIR_COMPACT);
        broker_create_topic(harness->broker, dead_letters_of(harness, topic), 1, false);
    }
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

struct harness *harness_open(const struct weir_processor *processor)
{
    struct harness *harness = xcalloc(1, sizeof *harness);
    arena_init(&harness->arena);
    log_set_level(getenv("WEIR_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    harness->processor = processor;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        harness->settings[i] = processor->settings[i]->default_value;
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        harness->topics[i] = processor->inputs[i].topic->name;
    }
    harness->broker = broker_open(INT64_C(1790000000000));
    broker_auto_advance(harness->broker, true);
    create_topics(harness);
    harness->codec = open_codec(harness);
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(harness->directory, sizeof harness->directory, "%s/weir-processor-XXXXXX", base);
    assert_non_null(mkdtemp(harness->directory));
    snprintf(harness->state_path, sizeof harness->state_path, "%s/p0.sqlite", harness->directory);
    return harness;
}

static void stop(struct harness *harness, bool lost)
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
    stop(harness, true);
    codec_close(harness->codec);
    broker_close(harness->broker);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", harness->directory);
    assert_int_equal(system(command), 0);
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

/* Steps until there is nothing to do but to wait for records or for a timer that is far off. */
static void run(struct harness *harness)
{
    if (!harness->task) {
        start(harness);
    }
    for (int i = 0; i < STEPS_MAX; i++) {
        struct error error;
        int64_t wake_us = 0;
        bool pausing = false;
        (void)harness->port->calls->poll(harness->port, 0, &error);
        if (task_step(harness->task, &wake_us, &pausing, &error) != OK) {
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
    run(harness);
    broker_advance(harness->broker, ms);
    run(harness);
}

void harness_restart(struct harness *harness)
{
    run(harness);
    stop(harness, true);
}

/* ---- records in ---- */

static void produce(struct harness *harness, const struct weir_topic *topic, const char *key,
                    const void *bytes, size_t size)
{
    harness->sent_ms = broker_now_ms(harness->broker);
    broker_produce(harness->broker, topic->name, 0,
                   (struct weir_bytes){(const uint8_t *)key, strlen(key)},
                   (struct weir_bytes){bytes, size}, NULL, 0);
}

void harness_send(struct harness *harness, const struct weir_topic *topic, const char *key,
                  const void *envelope)
{
    struct buffer bytes;
    buffer_init(&bytes);
    codec_encode(topic->record, envelope, &bytes);
    produce(harness, topic, key, bytes.data, bytes.size);
    buffer_release(&bytes);
}

void harness_send_text(struct harness *harness, const struct weir_topic *topic, const char *key,
                       const char *text)
{
    produce(harness, topic, key, text, strlen(text));
}

int64_t harness_sent_ms(const struct harness *harness)
{
    return harness->sent_ms;
}

/* ---- records out ---- */

static int64_t *position(struct harness *harness, const char *topic)
{
    for (size_t i = 0; i < harness->position_count; i++) {
        if (strcmp(harness->positions[i].topic, topic) == 0) {
            return &harness->positions[i].offset;
        }
    }
    assert_true(harness->position_count < TOPICS_MAX);
    struct position *added = &harness->positions[harness->position_count++];
    snprintf(added->topic, sizeof added->topic, "%s", topic);
    return &added->offset;
}

static const void *decode(struct harness *harness, const struct weir_topic *topic,
                          const struct broker_record *record)
{
    void *envelope = arena_alloc(&harness->arena, topic->record->size);
    struct error error;
    if (codec_decode(harness->codec, topic->record, record->value, &harness->arena, envelope,
                     &error) != DECODED) {
        fail_msg("%s: %s", topic->name, error.text);
    }
    return envelope;
}

static bool key_is(const struct broker_record *record, const char *key)
{
    return record->key.size == strlen(key) && memcmp(record->key.data, key, record->key.size) == 0;
}

const void *harness_expect(struct harness *harness, const struct weir_topic *topic, const char *key)
{
    run(harness);
    struct broker_record record;
    if (!broker_read(harness->broker, topic->name, 0, true, position(harness, topic->name),
                     &record)) {
        fail_msg("expected a record for %s on %s; there is none", key, topic->name);
    }
    if (!key_is(&record, key)) {
        fail_msg("expected a record for %s on %s; it is for %.*s", key, topic->name,
                 (int)record.key.size, (const char *)record.key.data);
    }
    return decode(harness, topic, &record);
}

static bool has_more(struct harness *harness, const char *topic)
{
    struct broker_record record;
    int64_t offset = *position(harness, topic);
    return broker_read(harness->broker, topic, 0, true, &offset, &record);
}

bool harness_has_more(struct harness *harness, const struct weir_topic *topic)
{
    run(harness);
    return has_more(harness, topic->name);
}

static void show_unexpected(struct harness *harness, const struct weir_topic *topic)
{
    if (has_more(harness, topic->name)) {
        struct broker_record record;
        struct buffer json;
        buffer_init(&json);
        broker_read(harness->broker, topic->name, 0, true, position(harness, topic->name), &record);
        record_to_json(topic->record, decode(harness, topic, &record), &json);
        fail_msg("not expected on %s: %.*s", topic->name, (int)json.size, (const char *)json.data);
    }
}

void harness_expect_nothing_more(struct harness *harness)
{
    run(harness);
    for (size_t i = 0; i < WEIR_LIST_MAX && harness->processor->outputs[i]; i++) {
        show_unexpected(harness, harness->processor->outputs[i]);
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && harness->processor->inputs[i].topic; i++) {
        const char *topic = dead_letters_of(harness, harness->processor->inputs[i].topic);
        if (has_more(harness, topic)) {
            fail_msg("not expected: a dead letter on %s", topic);
        }
    }
}

static void skip_topic(struct harness *harness, const char *topic)
{
    struct broker_record record;
    while (broker_read(harness->broker, topic, 0, true, position(harness, topic), &record)) {}
}

void harness_skip(struct harness *harness)
{
    run(harness);
    for (size_t i = 0; shop_topics[i]; i++) {
        skip_topic(harness, shop_topics[i]->name);
        skip_topic(harness, dead_letters_of(harness, shop_topics[i]));
    }
}

static const char *header(struct harness *harness, const struct broker_record *record,
                          const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) == 0) {
            return arena_strndup(&harness->arena, (const char *)record->headers[i].value.data,
                                 record->headers[i].value.size);
        }
    }
    fail_msg("a dead letter without %s", name);
    return "";
}

const char *harness_expect_dead(struct harness *harness, const struct weir_topic *input,
                                const char *cause)
{
    run(harness);
    const char *topic = dead_letters_of(harness, input);
    struct broker_record record;
    if (!broker_read(harness->broker, topic, 0, true, position(harness, topic), &record)) {
        fail_msg("expected a dead letter for %s on %s; there is none", cause, topic);
    }
    const char *reason = header(harness, &record, DEAD_REASON);
    if (strcmp(header(harness, &record, DEAD_CAUSE), cause) != 0) {
        fail_msg("expected a dead letter for %s; it is for %s: %s", cause,
                 header(harness, &record, DEAD_CAUSE), reason);
    }
    return reason;
}

int64_t harness_stale(struct harness *harness)
{
    run(harness);
    return harness->stale_before + task_counts(harness->task)->stale;
}

const void *harness_view(struct harness *harness, const struct weir_topic *view, const char *key)
{
    run(harness);
    struct broker_record record, last;
    bool found = false;
    for (int64_t offset = 0; broker_read(harness->broker, view->name, 0, true, &offset, &record);) {
        if (key_is(&record, key)) {
            last = record;
            found = true;
        }
    }
    return found ? decode(harness, view, &last) : NULL;
}

/* ---- state ---- */

static bool take_number(void *context, int columns, const char *const *names,
                        const char *const *values, const int *types)
{
    (void)names, (void)types;
    int64_t *number = context;
    assert_int_equal(columns, 1);
    assert_non_null(values[0]);
    *number = strtoll(values[0], NULL, 10);
    return false;
}

int64_t harness_number(struct harness *harness, const char *sql)
{
    run(harness);
    stop(harness, false); /* so that the file has it all */
    int64_t number = INT64_MIN;
    struct error error;
    if (store_query(harness->state_path, sql, take_number, &number, &error) != OK) {
        fail_msg("%s: %s", sql, error.text);
    }
    assert_true(number != INT64_MIN);
    return number;
}
