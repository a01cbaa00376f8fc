/* test_broker_memory.c - what only the broker in memory can do: its clock, its logs, its sessions.
 */
#include "broker/conformance_words.h"
#include "broker/memory_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static void time_stands_still_unless_asked_to_pass(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    expect_outcome(port->calls->poll(port, 500, &case_error), OK);
    assert_int_equal(port->calls->monotonic_us(port), 0);
    broker_auto_advance(broker, true);
    expect_outcome(port->calls->poll(port, 500, &case_error), OK);
    assert_int_equal(port->calls->monotonic_us(port), 500000);
    broker_produce(broker, "in", 0, case_bytes("k"), case_bytes("v"), NULL, 0);
    expect_outcome(port->calls->start(port, "in", 0, 0, &case_error), OK);
    expect_outcome(port->calls->poll(port, 500, &case_error), OK);
    assert_int_equal(port->calls->wall_ms(port), 1600000000500);
    broker_port_skew(port, -3);
    assert_int_equal(port->calls->wall_ms(port), 1600000000497);
}

static void a_waiting_reader_is_woken_by_the_time_out_of_a_transaction(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    expect_result(case_send_offset(world, port, producer, 1, "1"), TXN_DONE);
    broker_auto_advance(broker, true);
    struct port_offset offset;
    const char *topic = "in";
    expect_outcome(port->calls->committed(port, &topic, 1, 0, 100000, &offset, &case_error), OK);
    assert_int_equal(offset.offset, -1);
    assert_int_equal(port->calls->monotonic_us(port), 60000000); /* transaction_timeout_ms */
    assert_int_equal(broker_txn_state(broker, "app.p0"), TXN_COMPLETE_ABORT);
}

static void init_over_an_open_transaction_takes_half_a_second(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *old = case_begun(world, port);
    expect_result(case_send(port, old, "out", "v"), TXN_DONE);
    broker_auto_advance(broker, true);
    struct producer *new = case_begun(world, port);
    assert_int_equal(port->calls->monotonic_us(port), 500000);
    expect_result(port->calls->abort(new, 1000, &case_error), TXN_DONE);
}

static void a_marker_comes_when_its_delay_is_over(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    broker_delay_markers(broker, "out", 40);
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    assert_int_equal(broker_txn_state(broker, "app.p0"), TXN_PREPARE_COMMIT);
    assert_int_equal(broker_count(broker, "out", 0, true), 0);

    /* The next transaction waits in the client. */
    expect_result(port->calls->begin(producer, &case_error), TXN_DONE);
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    assert_int_equal(broker_log(broker, "out", 0).high, 1);
    broker_advance(broker, 40);
    assert_int_equal(broker_count(broker, "out", 0, true), 1);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    broker_advance(broker, 40);
    assert_int_equal(broker_count(broker, "out", 0, true), 2);
}

static void a_transaction_without_a_request_writes_nothing(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    assert_int_equal(broker_txn_state(broker, "app.p0"), TXN_EMPTY);
}

static void offsets_that_a_transaction_holds_do_not_expire(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    struct port_offset offset = {.topic = "in", .offset = 7, .metadata = "7"};
    broker_set_offsets(broker, "app", 0, &offset, 1);
    expect_result(case_send_offset(world, port, producer, 8, "8"), TXN_DONE);
    broker_forget_offsets(broker, "app");
    assert_false(broker_offsets(broker, "app", "in", 0, &offset));
    assert_int_equal(offset.offset, 7);
    expect_result(port->calls->abort(producer, 1000, &case_error), TXN_DONE);
    assert_true(broker_offsets(broker, "app", "in", 0, &offset));
    assert_int_equal(offset.offset, 7);
    broker_forget_offsets(broker, "app");
    assert_true(broker_offsets(broker, "app", "in", 0, &offset));
    assert_int_equal(offset.offset, -1);
}

/* As Kafka orders them: by arrival of the offset, not of the marker. */
static void an_older_offset_does_not_undo_a_newer_one(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    struct port_offset offset = {.topic = "in", .offset = 9, .metadata = ""};
    expect_result(case_send_offset(world, port, producer, 5, "5"), TXN_DONE);
    broker_set_offsets(broker, "app", 0, &offset, 1);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    assert_true(broker_offsets(broker, "app", "in", 0, &offset));
    assert_int_equal(offset.offset, 9);
}

static void a_recreated_topic_begins_at_zero_and_has_no_offsets(void **state)
{
    struct broker *broker = memory_world_broker(*state);
    broker_produce(broker, "in", 0, case_bytes("k"), case_bytes("v"), NULL, 0);
    struct port_offset offset = {.topic = "in", .offset = 1, .metadata = ""};
    broker_set_offsets(broker, "app", 0, &offset, 1);
    broker_recreate_topic(broker, "in");
    assert_int_equal(broker_log(broker, "in", 0).high, 0);
    assert_true(broker_offsets(broker, "app", "in", 0, &offset));
    assert_int_equal(offset.offset, -1);
}

static void tombstones_and_aborted_records_go_when_they_may(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    expect_result(port->calls->send(producer, "log", 0, case_bytes("a"), case_bytes("1"), NULL, 0,
                                    NULL, &case_error),
                  TXN_DONE);
    expect_result(port->calls->abort(producer, 1000, &case_error), TXN_DONE);
    broker_produce(broker, "log", 0, case_bytes("b"), case_bytes("1"), NULL, 0);
    broker_produce(broker, "log", 0, case_bytes("b"), case_bytes(NULL), NULL, 0);
    broker_compact(broker, "log", 0, false);
    assert_int_equal(broker_count(broker, "log", 0, false), 1);
    broker_compact(broker, "log", 0, true);
    assert_int_equal(broker_count(broker, "log", 0, false), 0);
    assert_int_equal(broker_log(broker, "log", 0).high, 4);
}

static void compaction_stops_at_an_open_transaction(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    broker_produce(broker, "log", 0, case_bytes("a"), case_bytes("1"), NULL, 0);
    expect_result(port->calls->send(producer, "log", 0, case_bytes("a"), case_bytes("2"), NULL, 0,
                                    NULL, &case_error),
                  TXN_DONE);
    broker_compact(broker, "log", 0, false);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    assert_int_equal(broker_count(broker, "log", 0, true), 2);
    broker_compact(broker, "log", 0, false);
    assert_int_equal(broker_count(broker, "log", 0, true), 1);
}

static void a_record_that_is_released_late_outlives_its_log(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct port_record record;
    size_t count = 0;
    broker_produce(broker, "in", 0, case_bytes("k"), case_bytes("v"), NULL, 0);
    expect_outcome(port->calls->start(port, "in", 0, 0, &case_error), OK);
    expect_outcome(port->calls->fetch(port, "in", 0, &record, 1, &count, &case_error), OK);
    assert_int_equal(count, 1);
    broker_truncate(broker, "in", 0, 1);
    assert_memory_equal(record.value.data, "v", 1);
    port->calls->release(port, &record, 1);
}

static void a_silent_member_loses_its_session(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct seen seen_a = {0}, seen_b = {0};
    struct port *a = world->open(world, "a", 0, &seen_a), *b = world->open(world, "b", 0, &seen_b);
    for (int i = 0; i < 3; i++) {
        expect_outcome(a->calls->poll(a, 0, &case_error), OK);
        expect_outcome(b->calls->poll(b, 0, &case_error), OK);
    }
    assert_int_equal(seen_b.count, 1);
    broker_port_pause(a);
    broker_advance(broker, 9999);
    expect_outcome(b->calls->poll(b, 0, &case_error), OK);
    assert_int_equal(seen_b.count, 1);
    broker_advance(broker, 1);
    expect_outcome(b->calls->poll(b, 0, &case_error), OK);
    assert_int_equal(seen_b.count, 2);
    expect_outcome(a->calls->poll(a, 0, &case_error), OK);
    assert_int_equal(seen_a.lost, 1);
}

/* The generation has not moved yet: the member is judged by itself. */
static void a_lost_member_is_refused_before_the_others_have_noticed(void **state)
{
    struct world *world = *state;
    struct seen seen_a = {0}, seen_b = {0};
    struct port *a = world->open(world, "a", 0, &seen_a), *b = world->open(world, "b", 0, &seen_b);
    for (int i = 0; i < 3; i++) {
        expect_outcome(a->calls->poll(a, 0, &case_error), OK);
        expect_outcome(b->calls->poll(b, 0, &case_error), OK);
    }
    struct producer *producer = case_begun(world, a);
    world->expire(world, "a");
    expect_result(case_send_offset(world, a, producer, 1, "1"), TXN_MOVED);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, memory_world_set_up, memory_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(time_stands_still_unless_asked_to_pass),
        TEST(a_waiting_reader_is_woken_by_the_time_out_of_a_transaction),
        TEST(init_over_an_open_transaction_takes_half_a_second),
        TEST(a_marker_comes_when_its_delay_is_over),
        TEST(a_transaction_without_a_request_writes_nothing),
        TEST(offsets_that_a_transaction_holds_do_not_expire),
        TEST(an_older_offset_does_not_undo_a_newer_one),
        TEST(a_recreated_topic_begins_at_zero_and_has_no_offsets),
        TEST(tombstones_and_aborted_records_go_when_they_may),
        TEST(compaction_stops_at_an_open_transaction),
        TEST(a_record_that_is_released_late_outlives_its_log),
        TEST(a_silent_member_loses_its_session),
        TEST(a_lost_member_is_refused_before_the_others_have_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
