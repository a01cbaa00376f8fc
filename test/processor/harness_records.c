/* harness_records.c - what a test sends, where it has read the outputs up to, and what it asks of
 * the state.
 */
#include "processor/harness_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "runtime/deadletter.h"
#include "store/store.h"

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
    harness_run(harness);
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

const void *harness_next(struct harness *harness, const struct weir_topic *topic)
{
    harness_run(harness);
    struct broker_record record;
    int64_t *at = position(harness, topic->name);
    bool found = broker_read(harness->broker, topic->name, 0, true, at, &record);
    return found ? decode(harness, topic, &record) : NULL;
}

static void show_unexpected(struct harness *harness, const struct weir_topic *topic)
{
    const void *envelope = harness_next(harness, topic);
    if (envelope) {
        struct buffer json;
        buffer_init(&json);
        record_to_json(topic->record, envelope, &json);
        fail_msg("not expected on %s: %.*s", topic->name, (int)json.size, (const char *)json.data);
    }
}

void harness_expect_nothing_more(struct harness *harness)
{
    harness_run(harness);
    for (size_t i = 0; i < WEIR_LIST_MAX && harness->processor->outputs[i]; i++) {
        show_unexpected(harness, harness->processor->outputs[i]);
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && harness->processor->inputs[i].topic; i++) {
        const char *topic = harness_dead_letters_of(harness, harness->processor->inputs[i].topic);
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
    harness_run(harness);
    for (size_t i = 0; shop_topics[i]; i++) {
        skip_topic(harness, shop_topics[i]->name);
        skip_topic(harness, harness_dead_letters_of(harness, shop_topics[i]));
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
    harness_run(harness);
    const char *topic = harness_dead_letters_of(harness, input);
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
    harness_run(harness);
    return harness->stale_before + task_counts(harness->task)->stale;
}

const void *harness_view(struct harness *harness, const struct weir_topic *view, const char *key)
{
    harness_run(harness);
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
    harness_run(harness);
    harness_stop(harness, false); /* so that the file has it all */
    int64_t number = INT64_MIN;
    struct error error;
    if (store_query(harness->state_path, sql, take_number, &number, &error) != OK) {
        fail_msg("%s: %s", sql, error.text);
    }
    assert_true(number != INT64_MIN);
    return number;
}
