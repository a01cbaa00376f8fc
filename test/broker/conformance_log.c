/* conformance_log.c - how a log reads: transactions, control records, the last stable offset,
 * compaction, the ends. */
#include "broker/conformance_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static void a_reader_sees_what_was_committed_and_not_what_was_aborted(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "one", 1);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    world->sleep(world, 300); /* a client sends in the background: else it drops the record */
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    case_transact(world, port, task, "two", 2);
    world->sleep(world, 200); /* markers are written after the answer */
    struct port_log log;
    expect_outcome(port->calls->log(port, world->output, 0, 5000, &log, &case_error), OK);
    assert_int_equal(log.high, 6); /* three records, three markers */
    assert_int_equal(expect_values(port, world->output, 0, "one two"), 6);
    port->calls->producer_close(task);
}

static void an_open_transaction_holds_back_what_stands_behind_it(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    world->produce(world, world->output, 0, "k", "before");
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "inside"), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 1, "1"), TXN_DONE);
    world->sleep(world, 100); /* a client sends in the background */
    world->produce(world, world->output, 0, "k", "behind");
    struct port_log log;
    expect_outcome(port->calls->log(port, world->output, 0, 5000, &log, &case_error), OK);
    assert_int_equal(log.stable, 1);
    assert_int_equal(log.high, 3);
    expect_values(port, world->output, 0, "before");
    expect_result(case_commit(world, port, task), TXN_DONE);
    world->sleep(world, 200); /* markers are written after the answer */
    assert_int_equal(expect_values(port, world->output, 0, "before inside behind"), 4);
    port->calls->producer_close(task);
}

/* The condition of a tick: a position behind control and aborted records, against the true high
 * watermark. */
static void the_position_counts_control_and_aborted_records(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->input, "seen"), TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->input, "undone"), TXN_DONE);
    world->sleep(world, 300); /* a client sends in the background: else it drops the record */
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    int64_t position = -1, high = -1;
    assert_false(port->calls->progress(port, world->input, 0, &position, &high));
    expect_outcome(port->calls->start(port, world->input, 0, 0, &case_error), OK);
    size_t seen = 0;
    for (int waited_ms = 0; position < 4 && waited_ms <= world->patience_ms; waited_ms += 10) {
        struct port_record records[4];
        size_t count = 0;
        expect_outcome(port->calls->poll(port, 10, &case_error), OK);
        expect_outcome(port->calls->fetch(port, world->input, 0, records, 4, &count, &case_error),
                       OK);
        port->calls->release(port, records, count);
        seen += count;
        (void)port->calls->progress(port, world->input, 0, &position, &high);
    }
    assert_int_equal(seen, 1);
    assert_int_equal(position, 4);
    assert_int_equal(high, 4);
    port->calls->producer_close(task);
}

static void a_record_comes_back_as_it_was_sent(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    struct port_header headers[] = {{"weir-cause", {(const uint8_t *)"\0\1", 2}},
                                    {"empty", {NULL, 0}}};
    struct port_delivery delivery = {7, 7};
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(port->calls->send(task, world->output, 1, case_bytes("k"), case_bytes(NULL),
                                    headers, 2, &delivery, &case_error),
                  TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    assert_int_equal(delivery.offset, 0);
    struct reader *reader = NULL;
    struct port_record record;
    struct port_header header;
    size_t count = 0;
    int64_t position = 0;
    expect_outcome(port->calls->reader_open(port, world->output, 1, 0, &reader, &case_error), OK);
    expect_outcome(port->calls->read(reader, world->patience_ms, &record, 1, &count, &position,
                                     &case_error),
                   OK);
    assert_int_equal(count, 1);
    assert_int_equal(record.timestamp_ms, delivery.timestamp_ms);
    assert_memory_equal(record.key.data, "k", 1);
    assert_null(record.value.data);
    assert_true(port->calls->header(port, &record, 0, &header));
    assert_string_equal(header.name, "weir-cause");
    assert_int_equal(header.value.size, 2);
    assert_memory_equal(header.value.data, "\0\1", 2);
    assert_true(port->calls->header(port, &record, 1, &header));
    assert_false(port->calls->header(port, &record, 2, &header));
    port->calls->reader_release(reader, &record, 1);
    port->calls->reader_close(reader);
    port->calls->producer_close(task);
}

static void compaction_keeps_the_last_value_of_each_key(void **state)
{
    struct world *world = *state;
    NEEDS(compact, "a real cleaner works when it likes");
    struct port *port = case_instance(world);
    world->produce(world, world->changelog, 0, "a", "a1");
    world->produce(world, world->changelog, 0, "b", "b1");
    world->produce(world, world->changelog, 0, "a", "a2");
    world->produce(world, world->changelog, 0, "b", NULL);
    world->produce(world, world->changelog, 0, "c", "c1");
    world->compact(world, world->changelog, 0);
    assert_int_equal(expect_values(port, world->changelog, 0, "a2  c1"),
                     5); /* b's tombstone is still there */
}

static void an_offset_outside_of_the_log_is_for_a_person_to_mend(void **state)
{
    struct world *world = *state;
    NEEDS(truncate, "records cannot be deleted here");
    struct port *port = case_instance(world);
    for (int i = 0; i < 5; i++) {
        world->produce(world, world->input, 0, "k", "v");
    }
    world->truncate(world, world->input, 0, 3);
    const int64_t outside[] = {2, 6};
    for (size_t i = 0; i < 2; i++) {
        struct port_record record;
        size_t count = 0;
        enum outcome outcome = OK;
        expect_outcome(port->calls->start(port, world->input, 0, outside[i], &case_error), OK);
        for (int waited_ms = 0; outcome == OK && waited_ms <= world->patience_ms; waited_ms += 10) {
            expect_outcome(port->calls->poll(port, 10, &case_error), OK);
            outcome = port->calls->fetch(port, world->input, 0, &record, 1, &count, &case_error);
        }
        expect_outcome(outcome, FATAL);
        assert_int_equal(case_error.exit_code, EXIT_CONFIG);
    }
}

const struct conformance_case conformance_log[] = {
    CASE(a_reader_sees_what_was_committed_and_not_what_was_aborted),
    CASE(an_open_transaction_holds_back_what_stands_behind_it),
    CASE(the_position_counts_control_and_aborted_records),
    CASE(a_record_comes_back_as_it_was_sent),
    CASE(compaction_keeps_the_last_value_of_each_key),
    CASE(an_offset_outside_of_the_log_is_for_a_person_to_mend),
    {NULL, NULL},
};
