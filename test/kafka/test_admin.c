/* test_admin.c - what the tools stand on: topics, offsets of groups, scans and plain writing, on a
 * real Kafka. */
#include "kafka/kafka_world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/conformance_words.h"
#include "kafka/admin_internal.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { SKIPPED = 77 };

static struct error error;

static void write_values(struct world *world, const char *topic, int32_t partition,
                         const char *value, int count)
{
    struct writer *writer = kafka_world_writer(world);
    for (int i = 0; i < count; i++) {
        expect_outcome(writer_send(writer, topic, partition, case_bytes("k"), case_bytes(value),
                                   NULL, 0, &case_error),
                       OK);
    }
    expect_outcome(writer_flush(writer, 10000, &case_error), OK);
}

/* ---- topics ---- */

static void a_topic_is_described_as_it_was_made(void **state)
{
    struct world *world = *state;
    struct admin *admin = kafka_world_admin(world);
    struct topic_settings topics[3] = {{.name = world->changelog},
                                       {.name = "adapter-none"},
                                       {.name = world->input}};
    expect_outcome(admin_describe(admin, topics, 3, &case_error), OK);
    assert_int_equal(topics[0].partitions, 2);
    assert_int_equal(topics[0].replication_factor, 1);
    assert_int_equal(topics[0].cleanup, WEIR_COMPACT);
    assert_true(topics[0].log_append_time);
    assert_false(topics[0].unclean_leader_election);
    assert_int_equal(topics[0].retention_ms, -1);
    assert_int_equal(topics[0].delete_retention_ms, 86400000);
    assert_int_equal(topics[0].max_message_bytes, 1048576);
    assert_string_equal(topics[1].name, "adapter-none");
    assert_int_equal(topics[1].partitions, 0);
    assert_int_equal(topics[2].cleanup, WEIR_DELETE);

    assert_int_equal(admin_create(admin, topics, 1, &error), FATAL);
    assert_non_null(strstr(error.text, world->changelog));
}

/* Sets one override that weir knows nothing of, by a raw request. */
static void set_override(struct admin *admin, const char *topic, const char *name,
                         const char *value)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_ConfigResource_set_config(resource, name, value);
    rd_kafka_AlterConfigs(admin->handle, &resource, 1, NULL, admin->answers);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_event_t *answer;
    expect_outcome(admin_answer(admin, "changing", &answer, &case_error), OK);
    rd_kafka_event_destroy(answer);
}

static bool has_override(struct admin *admin, const char *topic, const char *name,
                         const char *value)
{
    rd_kafka_event_t *answer;
    expect_outcome(admin_describe_configs(admin, &topic, 1, &answer, &case_error), OK);
    size_t count, entry_count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer),
                                                  &count);
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &entry_count);
    bool found = false;
    for (size_t i = 0; i < entry_count; i++) {
        found |= strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0 &&
                 strcmp(rd_kafka_ConfigEntry_value(entries[i]), value) == 0;
    }
    rd_kafka_event_destroy(answer);
    return found;
}

/* AlterConfigs replaces every override: those of others must survive. */
static void altering_a_topic_keeps_what_others_have_set(void **state)
{
    struct world *world = *state;
    struct admin *admin = kafka_world_admin(world);
    set_override(admin, world->input, "segment.bytes", "33554432");
    for (int i = 0; i < 100 && !has_override(admin, world->input, "segment.bytes", "33554432");
         i++) {
        world->sleep(world, 20);
    }
    struct topic_settings topic = {.name = world->input,
                                   .cleanup = WEIR_COMPACT,
                                   .log_append_time = true,
                                   .retention_ms = 3600000,
                                   .delete_retention_ms = 172800000,
                                   .max_message_bytes = 2000000};
    expect_outcome(admin_alter(admin, &topic, &case_error), OK);
    struct topic_settings now = {.name = world->input};
    expect_outcome(admin_describe(admin, &now, 1, &case_error), OK);
    assert_int_equal(now.cleanup, WEIR_COMPACT);
    assert_int_equal(now.retention_ms, 3600000);
    assert_int_equal(now.delete_retention_ms, 172800000);
    assert_int_equal(now.max_message_bytes, 2000000);
    assert_true(has_override(admin, world->input, "segment.bytes", "33554432"));
}

static void partitions_can_be_added_and_topics_deleted(void **state)
{
    struct world *world = *state;
    struct admin *admin = kafka_world_admin(world);
    const char *name = kafka_world_topic(world, "more", 1, 1048576);
    expect_outcome(admin_add_partitions(admin, name, 3, &case_error), OK);
    struct topic_settings now = {.name = name};
    expect_outcome(admin_describe(admin, &now, 1, &case_error), OK);
    assert_int_equal(now.partitions, 3);
    assert_int_equal(admin_add_partitions(admin, name, 2, &error), FATAL);
    assert_non_null(strstr(error.text, name));
    assert_int_equal(admin_add_partitions(admin, name, 0, &error), FATAL);
    assert_non_null(strstr(error.text, name));
    expect_outcome(admin_delete_topics(admin, NULL, 0, &case_error), OK);
    const char *const none[] = {"adapter-none"};
    assert_int_equal(admin_delete_topics(admin, none, 1, &error), FATAL);
    assert_non_null(strstr(error.text, "adapter-none"));
}

/* ---- logs and groups ---- */

static void logs_show_an_open_transaction(void **state)
{
    struct world *world = *state;
    struct admin *admin = kafka_world_admin(world);
    struct port *port = case_instance(world);
    write_values(world, world->output, 0, "v", 5);
    struct producer *task = case_begun(world, port);
    expect_result(case_send(port, task, world->output, "open"), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 1, "1"), TXN_DONE);
    world->sleep(world, 100); /* until the record is in the log */
    world->truncate(world, world->output, 0, 2);
    struct port_log *logs;
    int32_t partitions;
    expect_outcome(admin_logs(admin, world->output, &logs, &partitions, &case_error), OK);
    assert_int_equal(partitions, 2);
    assert_int_equal(logs[0].low, 2);
    assert_int_equal(logs[0].stable, 5);
    assert_int_equal(logs[0].high, 6);
    assert_int_equal(logs[1].high, 0);
    free(logs);
    assert_int_equal(admin_logs(admin, "adapter-none", &logs, &partitions, &error), FATAL);
    port->calls->producer_close(task);
}

static void offsets_are_found_by_time(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    write_values(world, world->input, 0, "early", 3);
    world->sleep(world, 50);
    int64_t between_ms = port->calls->wall_ms(port);
    world->sleep(world, 50);
    write_values(world, world->input, 0, "late", 2);
    int64_t offsets[2];
    struct admin *admin = kafka_world_admin(world);
    expect_outcome(admin_offsets_for_time(admin, world->input, between_ms, offsets, 2, &case_error),
                   OK);
    assert_int_equal(offsets[0], 3);
    assert_int_equal(offsets[1], 0);
    expect_outcome(admin_offsets_for_time(admin, world->input, between_ms + 3600000, offsets, 2,
                                          &case_error),
                   OK);
    assert_int_equal(offsets[0], 5);
}

static void offsets_of_a_group_are_set_and_read(void **state)
{
    struct world *world = *state;
    struct admin *admin = kafka_world_admin(world);
    struct port_offset now[2],
        wanted[2] = {{.topic = world->input, .offset = 7, .metadata = "17"},
                     {.topic = world->output, .offset = 0, .metadata = "18"}};
    const char *const topics[] = {world->input, world->output};
    expect_outcome(admin_committed(admin, world->group, topics, 2, 1, now, &case_error), OK);
    assert_int_equal(now[0].offset, -1);
    expect_outcome(admin_commit(admin, world->group, wanted, 2, 1, &case_error), OK);
    expect_outcome(admin_committed(admin, world->group, topics, 2, 1, now, &case_error), OK);
    assert_int_equal(now[0].offset, 7);
    assert_string_equal(now[0].metadata, "17");
    assert_int_equal(now[1].offset, 0);
    assert_string_equal(now[1].metadata, "18");
}

static void offsets_are_not_set_under_a_transaction_or_under_members(void **state)
{
    struct world *world = *state;
    struct admin *admin = kafka_world_admin(world);
    struct port *port = case_instance(world);
    struct producer *task = case_begun(world, port);
    struct port_offset now, wanted = {.topic = world->input, .offset = 7, .metadata = "7"};
    expect_result(case_send_offset(world, port, task, 1, "1"), TXN_DONE);
    assert_int_equal(admin_committed(admin, world->group, &world->input, 1, 0, &now, &error),
                     RETRY);
    assert_int_equal(admin_commit(admin, world->group, &wanted, 1, 0, &error), FATAL);
    assert_non_null(strstr(error.text, "open transaction"));
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    world->sleep(world, 200);
    expect_outcome(admin_commit(admin, world->group, &wanted, 1, 0, &case_error), OK);

    struct seen seen = {0};
    struct port *member = world->open(world, "a", 0, &seen);
    case_settle(world, &member, 1);
    assert_int_equal(seen.count, 2);
    assert_int_equal(admin_commit(admin, world->group, &wanted, 1, 0, &error), FATAL);
    assert_non_null(strstr(error.text, "1 members"));
    port->calls->producer_close(task);
}

/* ---- scans ---- */

struct counts {
    int64_t records[4];
    bool done;
};

/* Reads until the scan says that it is done, or for five seconds. */
static struct counts scan_all(struct world *world, const struct scan_partition *partitions,
                              size_t count)
{
    struct scan *scan;
    struct counts counts = {0};
    int64_t next[4];
    expect_outcome(scan_open(&scan, kafka_world_admin(world), partitions, count, &case_error), OK);
    for (size_t i = 0; i < count; i++) {
        next[i] = partitions[i].from;
    }
    int64_t deadline_us = monotonic_us() + 5000000;
    while (!counts.done && monotonic_us() < deadline_us) {
        struct port_record record;
        size_t which;
        bool found;
        expect_outcome(scan_next(scan, 100, &record, &which, &found, &counts.done, &case_error),
                       OK);
        if (found) {
            assert_int_equal(record.partition, partitions[which].partition);
            assert_true(record.offset >= next[which]);
            next[which] = record.offset + 1;
            counts.records[which]++;
        }
    }
    scan_close(scan);
    return counts;
}

static void a_scan_ends_where_the_logs_end(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    write_values(world, world->input, 0, "v", 3000);
    write_values(world, world->input, 1, "v", 10);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "one", 1); /* output 0: a record and a control record */
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 1, "undone"), TXN_DONE);
    world->sleep(world, 100);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);

    struct counts counts = scan_all(world,
                                    (struct scan_partition[]){{world->input, 0, 0, -1},
                                                              {world->input, 1, 4, -1},
                                                              {world->output, 0, 0, -1},
                                                              {world->output, 1, 0, -1}},
                                    4);
    assert_true(counts.done);
    assert_int_equal(counts.records[0], 3000);
    assert_int_equal(counts.records[1], 6);
    assert_int_equal(counts.records[2], 1);
    assert_int_equal(counts.records[3], 0);

    counts = scan_all(world,
                      (struct scan_partition[]){{world->input, 0, 100, 200},
                                                {world->input, 1, 500, -1},
                                                {world->output, 0, 1,
                                                 -1}}, /* control and aborted ones only */
                      3);
    assert_true(counts.done);
    assert_int_equal(counts.records[0], 100);
    assert_int_equal(counts.records[1], 0);
    assert_int_equal(counts.records[2], 0);
    port->calls->producer_close(task);
}

static void a_scan_follows_and_begins_where_the_log_begins(void **state)
{
    struct world *world = *state;
    write_values(world, world->input, 0, "old", 10);
    world->truncate(world, world->input, 0, 8);
    struct scan *scan;
    const struct scan_partition follow = {world->input, 0, 0, -2};
    expect_outcome(scan_open(&scan, kafka_world_admin(world), &follow, 1, &case_error), OK);
    int64_t expected = 8;
    for (int i = 0; i < 50 && expected < 15; i++) {
        struct port_record record;
        size_t which;
        bool found, done;
        expect_outcome(scan_next(scan, 100, &record, &which, &found, &done, &case_error), OK);
        assert_false(done);
        if (found) {
            assert_int_equal(record.offset, expected);
            expected++;
        } else if (expected == 10) {
            write_values(world, world->input, 0, "new", 5);
        }
    }
    assert_int_equal(expected, 15);
    scan_close(scan);
}

/* ---- the writer ---- */

static void a_writer_s_records_come_back_as_they_were(void **state)
{
    struct world *world = *state;
    struct writer *writer = kafka_world_writer(world);
    const struct port_header headers[] = {{"intended-ms", case_bytes("17")},
                                          {"empty", case_bytes("")}};
    struct weir_bytes key = case_bytes("SKU-1");
    expect_outcome(writer_send(writer, world->input, -1, key, case_bytes("v"), headers, 2,
                               &case_error),
                   OK);
    expect_outcome(writer_send(writer, world->input, -1, key, case_bytes(NULL), NULL, 0,
                               &case_error),
                   OK);
    expect_outcome(writer_flush(writer, 5000, &case_error), OK);
    int32_t partition = key_partition(key, 2);
    const struct scan_partition partitions[] = {{world->input, partition, 0, -1}};
    struct scan *scan;
    expect_outcome(scan_open(&scan, kafka_world_admin(world), partitions, 1, &case_error), OK);
    int seen = 0;
    for (bool done = false; !done;) {
        struct port_record record;
        struct port_header header;
        size_t which;
        bool found;
        expect_outcome(scan_next(scan, 5000, &record, &which, &found, &done, &case_error), OK);
        if (found && seen++ == 0) {
            assert_memory_equal(record.key.data, "SKU-1", 5);
            assert_true(scan_header(&record, 0, &header));
            assert_string_equal(header.name, "intended-ms");
            assert_true(scan_header(&record, 1, &header));
            assert_int_equal(header.value.size, 0);
            assert_false(scan_header(&record, 2, &header));
        } else if (found) {
            assert_null(record.value.data);
            assert_false(scan_header(&record, 0, &header));
        }
    }
    assert_int_equal(seen, 2);
    scan_close(scan);
}

static void a_refused_record_is_named_at_the_flush(void **state)
{
    struct world *world = *state;
    const char *narrow = kafka_world_topic(world, "narrow", 1, 500);
    struct writer *writer = NULL;
    char large[4000];
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (char)(' ' + rand() % 90);
    }
    expect_outcome(writer_open(&writer, kafka_world_bootstrap(), NULL, 0, &case_error), OK);
    expect_outcome(writer_send(writer, narrow, 0, case_bytes("k"),
                               (struct weir_bytes){(const uint8_t *)large, sizeof large}, NULL, 0,
                               &case_error),
                   OK);
    assert_int_equal(writer_flush(writer, 5000, &error), FATAL);
    assert_non_null(strstr(error.text, narrow));
    writer_close(writer);
}

static struct weir_bytes zeros(size_t size)
{
    static uint8_t bytes[4000];
    CHECK(size <= sizeof bytes);
    return (struct weir_bytes){bytes, size};
}

static void a_writer_waits_while_its_queue_is_full(void **state)
{
    struct world *world = *state;
    const struct client_property narrow = {"queue.buffering.max.messages", "1", "a test"};
    struct writer *writer;
    expect_outcome(writer_open(&writer, kafka_world_bootstrap(), &narrow, 1, &case_error), OK);
    for (int i = 0; i < 50; i++) {
        expect_outcome(writer_send(writer, world->input, 0, case_bytes("k"), zeros(10), NULL, 0,
                                   &case_error),
                       OK);
    }
    expect_outcome(writer_flush(writer, 5000, &case_error), OK);
    writer_close(writer);
    struct port_log *logs;
    int32_t partitions;
    expect_outcome(admin_logs(kafka_world_admin(world), world->input, &logs, &partitions,
                              &case_error),
                   OK);
    assert_int_equal(logs[0].high, 50);
    free(logs);
}

static void a_record_that_is_too_large_for_the_client_is_refused_at_once(void **state)
{
    struct world *world = *state;
    const struct client_property small = {"message.max.bytes", "1000", "a test"};
    struct writer *writer;
    expect_outcome(writer_open(&writer, kafka_world_bootstrap(), &small, 1, &case_error), OK);
    assert_int_equal(writer_send(writer, world->input, 0, case_bytes("k"), zeros(2000), NULL, 0,
                                 &error),
                     FATAL);
    assert_int_equal(error.exit_code, EXIT_DATA);
    assert_non_null(strstr(error.text, "a record of 2000 bytes"));
    writer_close(writer);
}

static void a_writer_without_a_broker_says_so(void **state)
{
    (void)state;
    struct writer *writer;
    expect_outcome(writer_open(&writer, "127.0.0.1:1", NULL, 0, &case_error), OK);
    assert_int_equal(writer_send(writer, "nowhere", 0, case_bytes("k"), zeros(1), NULL, 0, &error),
                     RETRY);
    assert_non_null(strstr(error.text, "the broker does not say how many partitions nowhere has"));
    writer_close(writer);
}

static void a_writer_names_the_setting_that_it_cannot_have(void **state)
{
    (void)state;
    static const struct client_property wrong[][2] = {
        {{"acks", "many", "shop.conf:3"}, {"linger.ms", "5", "shop.conf:4"}},
        {{"security.protocol", "ssl", "shop.conf:3"},
         {"ssl.ca.location", "/nosuch", "shop.conf:4"}},
    };
    static const char *const says[] = {"shop.conf:3", "ssl.ca.location"};
    for (size_t i = 0; i < 2; i++) {
        struct writer *writer;
        assert_int_equal(writer_open(&writer, kafka_world_bootstrap(), wrong[i], 2, &error), FATAL);
        assert_int_equal(error.exit_code, EXIT_CONFIG);
        assert_non_null(strstr(error.text, says[i]));
    }
}

int main(void)
{
#define IN_WORLD(test) \
    cmocka_unit_test_setup_teardown(test, kafka_world_set_up, kafka_world_tear_down)
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_topic_is_described_as_it_was_made),
        IN_WORLD(altering_a_topic_keeps_what_others_have_set),
        IN_WORLD(partitions_can_be_added_and_topics_deleted),
        IN_WORLD(logs_show_an_open_transaction),
        IN_WORLD(offsets_are_found_by_time),
        IN_WORLD(offsets_of_a_group_are_set_and_read),
        IN_WORLD(offsets_are_not_set_under_a_transaction_or_under_members),
        IN_WORLD(a_scan_ends_where_the_logs_end),
        IN_WORLD(a_scan_follows_and_begins_where_the_log_begins),
        IN_WORLD(a_writer_s_records_come_back_as_they_were),
        IN_WORLD(a_refused_record_is_named_at_the_flush),
        IN_WORLD(a_writer_waits_while_its_queue_is_full),
        IN_WORLD(a_record_that_is_too_large_for_the_client_is_refused_at_once),
        IN_WORLD(a_writer_without_a_broker_says_so),
        IN_WORLD(a_writer_names_the_setting_that_it_cannot_have),
    };
    return kafka_world_is_there() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
