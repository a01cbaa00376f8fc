/* test_adapter.c - what our adapter promises beyond the conformance cases, on a real Kafka: order
 * and waking, rewinding, what failures are called, reading to the end, closing, costs. */
#include "kafka/kafka_world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "broker/conformance_words.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { SKIPPED = 77, BATCH = 500 };

static struct error error;

static int64_t now_us(struct port *port)
{
    return port->calls->monotonic_us(port);
}

/* Writes `count` records "0", "1", ... to partition 0 of the input. */
static void fill_input(struct world *world, int count)
{
    struct writer *writer = kafka_world_writer(world);
    for (int i = 0; i < count; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        expect_outcome(writer_send(writer, world->input, 0, case_bytes("k"), case_bytes(value),
                                   NULL, 0, &case_error),
                       OK);
    }
    expect_outcome(writer_flush(writer, 10000, &case_error), OK);
}

/* The next records of partition 0 of the input, waited for. */
static size_t next_records(struct world *world, struct port *port, struct port_record *records,
                           size_t max)
{
    size_t count = 0;
    int64_t deadline_us = now_us(port) + (int64_t)world->patience_ms * 1000;
    while (count == 0 && now_us(port) < deadline_us) {
        expect_outcome(port->calls->poll(port, 100, &case_error), OK);
        expect_outcome(port->calls->fetch(port, world->input, 0, records, max, &count, &case_error),
                       OK);
    }
    return count;
}

static void start_input(struct world *world, struct port *port, int64_t offset)
{
    expect_outcome(port->calls->start(port, world->input, 0, offset, &case_error), OK);
}

/* ---- the consumer ---- */

static void nothing_is_fetched_before_start_or_after_stop(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct port_record records[BATCH];
    size_t count;
    fill_input(world, 10);
    expect_outcome(port->calls->poll(port, 300, &case_error), OK);
    expect_outcome(port->calls->fetch(port, world->input, 0, records, BATCH, &count, &case_error),
                   OK);
    assert_int_equal(count, 0);
    start_input(world, port, 4);
    count = next_records(world, port, records, 3);
    assert_int_equal(count, 3);
    assert_int_equal(records[0].offset, 4);
    port->calls->release(port, records, count);
    expect_outcome(port->calls->stop(port, world->input, 0, &case_error), OK);
    expect_outcome(port->calls->poll(port, 300, &case_error), OK);
    expect_outcome(port->calls->fetch(port, world->input, 0, records, BATCH, &count, &case_error),
                   OK);
    assert_int_equal(count, 0);
    start_input(world, port, 7);
    count = next_records(world, port, records, BATCH);
    assert_int_equal(records[0].offset, 7);
    port->calls->release(port, records, count);
}

/* What an abort does: the take is read again from its first record, with nothing from before the
 * rewind among it. */
static void a_hundred_rewinds_show_no_stale_record_and_no_gap(void **state)
{
    enum { RECORDS = 5000, REWINDS = 100 };
    struct world *world = *state;
    struct port *port = case_instance(world);
    fill_input(world, RECORDS);
    struct port_record records[BATCH];
    int64_t slowest_us = 0;
    srand(7);
    for (int i = 0; i < REWINDS; i++) {
        int64_t from = rand() % (RECORDS - 10), begin_us = now_us(port);
        int64_t expected = from;
        start_input(world, port, from);
        for (int takes = rand() % 4; takes >= 0 && expected < RECORDS; takes--) {
            size_t count = next_records(world, port, records, (size_t)(1 + rand() % BATCH));
            assert_true(count > 0);
            int64_t took_us = now_us(port) - begin_us;
            slowest_us = expected == from && took_us > slowest_us ? took_us : slowest_us;
            for (size_t r = 0; r < count; r++) {
                assert_int_equal(records[r].offset, expected);
                expected++;
            }
            port->calls->release(port, records, count);
        }
    }
    printf("slowest rewind to its first record: %" PRId64 " us\n", slowest_us);
    assert_true(slowest_us < 500 * 1000);
}

/* Neither a lost wake-up nor a fetch that waits: 100 records one by one, each seen soon after it
 * was written. */
static void a_record_wakes_the_poll(void **state)
{
    enum { RECORDS = 100 };
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct port_record record;
    int64_t slowest_us = 0, total_us = 0;
    fill_input(world, 1);
    start_input(world, port, 0);
    assert_int_equal(next_records(world, port, &record, 1), 1);
    port->calls->release(port, &record, 1);
    for (int i = 0; i < RECORDS; i++) {
        world->sleep(world, rand() % 10);
        world->produce(world, world->input, 0, "k", "v");
        int64_t written_us = now_us(port);
        assert_int_equal(next_records(world, port, &record, 1), 1);
        int64_t took_us = now_us(port) - written_us;
        port->calls->release(port, &record, 1);
        total_us += took_us;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
    }
    printf("acknowledged to fetched: mean %" PRId64 " us, slowest %" PRId64 " us\n",
           total_us / RECORDS, slowest_us);
    assert_true(total_us / RECORDS < 20 * 1000);
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void an_idle_instance_costs_nothing_to_speak_of(void **state)
{
    enum { SECONDS = 3 };
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct port_record record;
    start_input(world, port, 0);
    int64_t begin_us = now_us(port), cpu_before_us = cpu_us();
    int polls = 0;
    for (; now_us(port) - begin_us < SECONDS * 1000000; polls++) {
        size_t count;
        expect_outcome(port->calls->poll(port, 1000, &case_error), OK);
        expect_outcome(port->calls->fetch(port, world->input, 0, &record, 1, &count, &case_error),
                       OK);
    }
    int64_t spent_us = cpu_us() - cpu_before_us;
    printf("idle: %.2f %% of a core, %d polls in %d s\n", (double)spent_us / SECONDS / 10000, polls,
           SECONDS);
    assert_true(polls < SECONDS * 10);
    assert_true(spent_us < SECONDS * 30000);
}

/* The queue is 20,000 records: a reader of 2.0.2 that is not woken pauses for a second at each of
 * them. */
static void catching_up_is_not_held_up_by_a_full_queue(void **state)
{
    enum { RECORDS = 200000 };
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct port_record records[BATCH];
    fill_input(world, RECORDS);
    start_input(world, port, 0);
    int64_t begin_us = now_us(port), slowest_us = 0, last_us = begin_us;
    for (int64_t seen = 0; seen < RECORDS;) {
        size_t count = next_records(world, port, records, BATCH);
        assert_true(count > 0);
        assert_int_equal(records[0].offset, seen);
        seen += (int64_t)count;
        port->calls->release(port, records, count);
        slowest_us = now_us(port) - last_us > slowest_us ? now_us(port) - last_us : slowest_us;
        last_us = now_us(port);
    }
    printf("%d records in %" PRId64 " ms, longest wait %" PRId64 " ms\n", RECORDS,
           (last_us - begin_us) / 1000, slowest_us / 1000);
    assert_true(slowest_us < 600 * 1000);
}

static void an_offset_outside_of_the_log_is_named_with_the_log_s_range(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    fill_input(world, 5);
    start_input(world, port, 70);
    enum outcome outcome = OK;
    struct port_record record;
    size_t count;
    for (int i = 0; i < 50 && outcome == OK; i++) {
        expect_outcome(port->calls->poll(port, 100, &case_error), OK);
        outcome = port->calls->fetch(port, world->input, 0, &record, 1, &count, &error);
    }
    assert_int_equal(outcome, FATAL);
    assert_int_equal(error.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(error.text, world->input));
    assert_non_null(strstr(error.text, "no offset 70, it goes from 0 to 5"));
    assert_non_null(strstr(error.text, "weir doctor"));
}

/* Telling it once is enough, and closing does not wait for a broker. */
static void an_unreachable_broker_is_told_once(void **state)
{
    struct world *world = *state;
    static const char *const topics[] = {"adapter-none", NULL};
    struct client_options options = {.bootstrap_servers = "127.0.0.1:1",
                                     .application_id = world->group,
                                     .topics = topics,
                                     .session_timeout_ms = 6000,
                                     .transaction_timeout_ms = 6000};
    options.group = kafka_world_group(NULL);
    struct port *port;
    expect_outcome(client_open(&port, &options, &case_error), OK);
    int told = 0;
    for (int i = 0; i < 20; i++) {
        enum outcome outcome = port->calls->poll(port, 100, &error);
        assert_int_not_equal(outcome, FATAL);
        told += outcome == RETRY;
    }
    printf("last told: %s\n", error.text);
    assert_in_range(told, 1, 3); /* the connection, and that none is left */
    struct port_offset offset;
    assert_int_equal(port->calls->committed(port, topics, 1, 0, 200, &offset, &error), RETRY);
    struct port *other = case_instance(world);
    int64_t begin_us = now_us(other);
    client_close(port);
    assert_true(now_us(other) - begin_us < 1000 * 1000);
}

/* ---- producers ---- */

static void a_failed_record_aborts_and_later_transactions_work(void **state)
{
    struct world *world = *state;
    const char *narrow = kafka_world_topic(world, "narrow", 1, 2000);
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    char large[100 * 1000];
    for (size_t i = 0; i < sizeof large - 1; i++) {
        large[i] = (char)(' ' + rand() % 90); /* nothing to compress */
    }
    large[sizeof large - 1] = '\0';
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, narrow, large), TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_ABORT);
    assert_non_null(strstr(case_error.text, narrow));
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    int failures = 0;
    enum txn_result result = TXN_ABORT;
    for (; result != TXN_DONE && failures < 3; failures += result != TXN_DONE) {
        expect_result(port->calls->begin(task, &case_error), TXN_DONE);
        result = case_send(port, task, narrow, "small");
        result = result == TXN_DONE ? case_commit(world, port, task) : result;
        if (result != TXN_DONE) {
            assert_int_equal(result, TXN_ABORT);
            expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
        }
    }
    printf("transactions that failed after it: %d\n", failures);
    expect_result(result, TXN_DONE);
    port->calls->producer_close(task);
}

static void a_topic_or_partition_that_is_not_there_aborts(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_begun(world, port);
    struct port_header header = {"weir-cause", case_bytes("x")};
    for (int i = 0; i < 3; i++) { /* 2.0.2 would free the headers twice */
        assert_int_equal(port->calls->send(task, world->output, 99, case_bytes("k"),
                                           case_bytes("v"), &header, 1, NULL, &error),
                         TXN_ABORT);
    }
    assert_non_null(strstr(error.text, "no partition 99"));
    assert_int_equal(case_send(port, task, "adapter-none", "v"), TXN_ABORT);
    assert_non_null(strstr(case_error.text, "weir topics"));
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    port->calls->producer_close(task);
}

static void two_owners_of_one_id_fence_each_other(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *old = case_ready(world, port);
    case_transact(world, port, old, "one", 1);
    struct producer *new = case_ready(world, port);
    expect_result(port->calls->begin(old, &case_error), TXN_DONE);
    expect_result(case_send(port, old, world->output, "undone"), TXN_DONE);
    expect_result(case_commit(world, port, old), TXN_FENCED);
    assert_int_equal(case_error.exit_code, EXIT_TRY_AGAIN);
    case_transact(world, port, new, "two", 2);
    expect_result(port->calls->begin(old, &case_error), TXN_FENCED); /* and for ever */
    port->calls->producer_close(old);
    port->calls->producer_close(new);
}

/* librdkafka waits half a second when it is put off: a takeover that waits for it is our loss. */
static void taking_over_an_open_transaction_is_quick(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    int64_t slowest_us = 0;
    for (int i = 0; i < 10; i++) {
        struct producer *old = case_begun(world, port);
        expect_result(case_send(port, old, world->output, "undone"), TXN_DONE);
        expect_result(case_send_offset(world, port, old, 1, "undone"), TXN_DONE);
        for (int more = 0; more < 100; more++) {
            expect_result(case_send(port, old, world->output, "undone"), TXN_DONE);
        }
        int64_t begin_us = now_us(port);
        port->calls->producer_close(old);
        int64_t closed_us = now_us(port) - begin_us;
        assert_true(closed_us < 50 * 1000);
        struct producer *new = case_ready(world, port);
        int64_t took_us = now_us(port) - begin_us;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
        expect_offset(world, port, -1, "");
        port->calls->producer_close(new);
    }
    printf("slowest takeover of an open transaction: %" PRId64 " ms\n", slowest_us / 1000);
    assert_true(slowest_us < 400 * 1000);
}

/* What a fenced owner has under way is refused, request by request, and librdkafka takes a refusal
 * badly while it closes. So it is closed as soon as it has learnt of the first one, again and
 * again: there is no saying when exactly. */
static void a_fenced_owner_can_be_closed_while_its_requests_are_refused(void **state)
{
    enum { ROUNDS = 60, WIDE = 16 };
    struct world *world = *state;
    struct port *port = case_instance(world);
    const char *topic = kafka_world_topic(world, "wide", WIDE, 1000000);
    for (int round = 0; round < ROUNDS; round++) {
        struct producer *old = case_begun(world, port);
        struct port_delivery delivered[WIDE];
        for (int p = 0; p < WIDE; p++) {
            expect_result(port->calls->send(old, topic, p, case_bytes("k"), case_bytes("v"), NULL,
                                            0, &delivered[p], &case_error),
                          TXN_DONE);
        }
        for (int p = 0; p < WIDE; p++) { /* all are in its transaction */
            while (delivered[p].offset < 0) {
                expect_outcome(port->calls->poll(port, 5, &case_error), OK);
            }
        }
        struct producer *new = case_ready(world, port);
        int32_t p = 0;
        while (port->calls->send(old, topic, p, case_bytes("k"), case_bytes("v"), NULL, 0, NULL,
                                 &case_error) == TXN_DONE) {
            p = (p + 1) % WIDE;
        }
        port->calls->producer_close(old);
        port->calls->producer_close(new);
    }
}

static void delivery_says_where_and_when_and_nothing_after_an_abort(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_begun(world, port);
    struct port_delivery first = {7, 7}, second = {7, 7};
    expect_result(port->calls->send(task, world->output, 0, case_bytes("k"), case_bytes("v"), NULL,
                                    0, &first, &case_error),
                  TXN_DONE);
    assert_int_equal(first.offset, -1);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    first.offset = -77; /* memory that may be something else by now */
    int64_t before_ms = port->calls->wall_ms(port);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    for (int i = 0; i < 3000; i++) {
        expect_result(case_send(port, task, world->output, "v"), TXN_DONE);
    }
    expect_result(port->calls->send(task, world->output, 0, case_bytes("k"), case_bytes("v"), NULL,
                                    0, &second, &case_error),
                  TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    assert_in_range(second.offset, 3000, 3010);
    assert_in_range(second.timestamp_ms, before_ms - 1000, port->calls->wall_ms(port) + 1000);
    assert_int_equal(first.offset, -77);
    assert_int_equal(port->calls->doubts(task), 0);
    port->calls->producer_close(task);
}

static void a_transaction_time_out_above_the_broker_s_needs_a_person(void **state)
{
    struct world *world = *state;
    static const char *const topics[] = {"adapter-none", NULL};
    struct client_options options = {.bootstrap_servers = kafka_world_bootstrap(),
                                     .application_id = world->group,
                                     .topics = topics,
                                     .session_timeout_ms = 6000,
                                     .transaction_timeout_ms = 1000 * 1000 * 1000};
    options.group = kafka_world_group(NULL);
    struct port *port;
    expect_outcome(client_open(&port, &options, &case_error), OK);
    struct producer *task = case_producer(world, port);
    assert_int_equal(port->calls->init(task, world->patience_ms, &error), TXN_DOUBT);
    assert_int_equal(error.exit_code, EXIT_CONFIG);
    port->calls->producer_close(task);
    client_close(port);
}

/* ---- members ---- */

static void a_member_begins_only_after_it_has_joined(void **state)
{
    struct world *world = *state;
    struct seen seen = {0};
    struct port *port = world->open(world, "a", 0, &seen);
    struct producer *task = case_ready(world, port);
    expect_result(port->calls->begin(task, &case_error), TXN_MOVED);
    case_settle(world, &port, 1);
    assert_int_equal(seen.count, 2);
    case_transact(world, port, task, "one", 1);
    expect_offset(world, port, 1, "one");
    port->calls->producer_close(task);
}

/* The answer to offsets of a replaced static member, seen before its own heartbeat tells it. */
static void a_replaced_member_is_told_and_ends(void **state)
{
    struct world *world = *state;
    struct seen seen_old = {0}, seen_new = {0};
    struct port *old = world->open(world, "a", 0, &seen_old);
    case_settle(world, &old, 1);
    struct producer *task = case_ready(world, old);
    expect_result(old->calls->begin(task, &case_error), TXN_DONE);
    struct port *new = world->open(world, "a", 0, &seen_new);
    for (int i = 0; i < 100 && seen_new.count == 0; i++) {
        expect_outcome(new->calls->poll(new, 50, &case_error), OK);
    }
    assert_int_equal(seen_new.count, 2);
    enum txn_result result = case_send_offset(world, old, task, 1, "undone");
    printf("offsets of a replaced member: %s\n", case_error.text);
    expect_result(result, TXN_MOVED);
    enum outcome outcome = OK;
    for (int i = 0; i < 100 && outcome == OK; i++) {
        outcome = old->calls->poll(old, 50, &error);
    }
    assert_int_equal(outcome, FATAL);
    assert_int_equal(error.exit_code, EXIT_TRY_AGAIN);
    old->calls->producer_close(task);
}

static void inputs_with_unequal_partition_counts_are_named(void **state)
{
    struct world *world = *state;
    const char *single = kafka_world_topic(world, "single", 1, 1048576);
    const char *const topics[] = {world->input, single, NULL};
    struct seen seen = {0};
    struct port *port = kafka_world_open(world, "a", 0, topics, NULL, 0, &seen);
    enum outcome outcome = OK;
    for (int i = 0; i < 100 && outcome == OK; i++) {
        outcome = port->calls->poll(port, 50, &error);
    }
    assert_int_equal(outcome, RETRY);
    assert_non_null(strstr(error.text, "equally many partitions"));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.partitions[0], 0);
}

/* ---- reading changelogs ---- */

static void a_reader_reaches_the_high_watermark_past_an_aborted_tail(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    for (int i = 0; i < 100; i++) {
        expect_result(case_send(port, task, world->changelog, "kept"), TXN_DONE);
    }
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    for (int i = 0; i < 100; i++) {
        expect_result(case_send(port, task, world->changelog, "undone"), TXN_DONE);
    }
    expect_result(case_send_offset(world, port, task, 1, "undone"), TXN_DONE);
    world->sleep(world, 100); /* until they are in the log */
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    struct port_log log;
    expect_outcome(port->calls->log(port, world->changelog, 0, 5000, &log, &case_error), OK);
    assert_int_equal(log.high, 202);
    struct reader *reader;
    expect_outcome(port->calls->reader_open(port, world->changelog, 0, 0, &reader, &case_error),
                   OK);
    int64_t position = 0, seen = 0, begin_us = now_us(port);
    while (position < log.high && now_us(port) - begin_us < 5000 * 1000) {
        struct port_record records[BATCH];
        size_t count;
        expect_outcome(port->calls->read(reader, 100, records, BATCH, &count, &position,
                                         &case_error),
                       OK);
        for (size_t i = 0; i < count; i++, seen++) {
            assert_int_equal(records[i].offset, seen);
            assert_memory_equal(records[i].value.data, "kept", 4);
        }
        port->calls->reader_release(reader, records, count);
    }
    assert_int_equal(position, log.high);
    assert_int_equal(seen, 100);
    begin_us = now_us(port);
    port->calls->reader_close(reader);
    assert_true(now_us(port) - begin_us < 100 * 1000);
    port->calls->producer_close(task);
}

static void a_reader_outside_of_the_log_says_so(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct reader *reader;
    expect_outcome(port->calls->reader_open(port, world->changelog, 0, 50, &reader, &case_error),
                   OK);
    struct port_record record;
    size_t count;
    int64_t position;
    enum outcome outcome = OK;
    for (int i = 0; i < 50 && outcome == OK; i++) {
        outcome = port->calls->read(reader, 100, &record, 1, &count, &position, &error);
    }
    assert_int_equal(outcome, FATAL);
    assert_int_equal(error.exit_code, EXIT_CONFIG);
    port->calls->reader_close(reader);
}

int main(void)
{
#define IN_WORLD(test) \
    cmocka_unit_test_setup_teardown(test, kafka_world_set_up, kafka_world_tear_down)
    const struct CMUnitTest tests[] = {
        IN_WORLD(nothing_is_fetched_before_start_or_after_stop),
        IN_WORLD(a_hundred_rewinds_show_no_stale_record_and_no_gap),
        IN_WORLD(a_record_wakes_the_poll),
        IN_WORLD(an_idle_instance_costs_nothing_to_speak_of),
        IN_WORLD(catching_up_is_not_held_up_by_a_full_queue),
        IN_WORLD(an_offset_outside_of_the_log_is_named_with_the_log_s_range),
        IN_WORLD(an_unreachable_broker_is_told_once),
        IN_WORLD(a_failed_record_aborts_and_later_transactions_work),
        IN_WORLD(a_topic_or_partition_that_is_not_there_aborts),
        IN_WORLD(two_owners_of_one_id_fence_each_other),
        IN_WORLD(taking_over_an_open_transaction_is_quick),
        IN_WORLD(a_fenced_owner_can_be_closed_while_its_requests_are_refused),
        IN_WORLD(delivery_says_where_and_when_and_nothing_after_an_abort),
        IN_WORLD(a_transaction_time_out_above_the_broker_s_needs_a_person),
        IN_WORLD(a_member_begins_only_after_it_has_joined),
        IN_WORLD(a_replaced_member_is_told_and_ends),
        IN_WORLD(inputs_with_unequal_partition_counts_are_named),
        IN_WORLD(a_reader_reaches_the_high_watermark_past_an_aborted_tail),
        IN_WORLD(a_reader_outside_of_the_log_says_so),
    };
    return kafka_world_is_there() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
