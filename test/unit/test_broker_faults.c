/* test_broker_faults.c - the broker in memory goes wrong as told: losses, strays, crashes. */
#include "broker/conformance_words.h"
#include "broker/memory_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static void a_lost_record_waits_and_an_abort_then_takes_a_new_epoch(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    broker_fault(broker,
                 &(struct broker_fault){.call = CALL_SEND, .nth = 2, .kind = FAULT_LOSE_REQUEST});
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    assert_int_equal(port->calls->doubts(producer), 1);
    expect_result(port->calls->abort(producer, 1000, &case_error), TXN_DONE);
    expect_result(port->calls->begin(producer, &case_error), TXN_DONE);
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    assert_int_equal(broker_count(broker, "out", 0, true), 1);
}

/* A stray commit has ended the transaction; its client goes on sending. */
static void a_record_of_a_transaction_that_is_over_is_refused(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    broker_fault(broker, &(struct broker_fault){.call = CALL_COMMIT,
                                                .nth = 1,
                                                .kind = FAULT_HIDDEN_RETRY,
                                                .stray = STRAY_AFTER_SEND});
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    expect_result(port->calls->begin(producer, &case_error), TXN_DONE);
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_ABORT);
    assert_int_equal(broker_count(broker, "out", 0, false), 2);
}

static void a_stray_offset_commit_between_transactions_is_refused(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    broker_fault(broker, &(struct broker_fault){.call = CALL_SEND_OFFSETS,
                                                .nth = 1,
                                                .kind = FAULT_HIDDEN_RETRY,
                                                .stray = STRAY_BY_HAND});
    expect_result(case_send_offset(world, port, producer, 1, "1"), TXN_DONE);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DONE);
    assert_int_equal(broker_deliver_strays(broker), 48); /* INVALID_TXN_STATE */
    assert_int_equal(broker_counts(broker)->strays_refused, 1);
    assert_int_equal(broker_counts(broker)->strays_taken, 0);
    struct port_offset offset;
    assert_true(broker_offsets(broker, "app", "in", 0, &offset));
    assert_int_equal(offset.offset, 1);
}

static jmp_buf crashed;

static void jump(void *context)
{
    longjmp(*(jmp_buf *)context, 1);
}

static void a_crash_leaves_its_transaction_to_the_next_owner(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *volatile port = case_instance(world);
    struct producer *volatile producer = case_begun(world, port);
    broker_fault(broker, &(struct broker_fault){
                             .call = CALL_COMMIT,
                             .nth = 1,
                             .who = "app.p0",
                             .kind = FAULT_CRASH_AFTER,
                             .run = jump,
                             .context = &crashed,
                         });
    if (setjmp(crashed) == 0) {
        expect_result(case_send_offset(world, port, producer, 1, "1"), TXN_DONE);
        (void)port->calls->commit(producer, 1000, &case_error);
        fail_msg("the crash did not happen");
    }
    assert_true(broker_port_crashed(port));
    expect_result(port->calls->begin(producer, &case_error), TXN_FENCED);
    world->drop(world, port);
    struct port_offset offset;
    assert_true(broker_offsets(broker, "app", "in", 0, &offset));
    assert_int_equal(offset.offset, 1);
}

static void initialise_elsewhere(void *context)
{
    (void)case_begun(context, case_instance(context));
}

static void another_instance_can_act_in_the_middle_of_a_call(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    broker_fault(broker, &(struct broker_fault){.call = CALL_SEND_OFFSETS,
                                                .nth = 1,
                                                .kind = FAULT_MEANWHILE,
                                                .run = initialise_elsewhere,
                                                .context = *state});
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(case_send_offset(world, port, producer, 1, "1"), TXN_FENCED);
    expect_result(port->calls->abort(producer, 1000, &case_error), TXN_FENCED);
}

static void calls_are_counted_and_faults_fall_on_the_named_one(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    broker_fault(broker, &(struct broker_fault){
                             .call = CALL_POLL, .nth = 2, .kind = FAULT_FAIL, .outcome = RETRY});
    expect_outcome(port->calls->poll(port, 0, &case_error), OK);
    expect_outcome(port->calls->poll(port, 0, &case_error), RETRY);
    expect_outcome(port->calls->poll(port, 0, &case_error), OK);
    assert_int_equal(broker_counts(broker)->calls[CALL_POLL], 4);
    assert_string_equal(broker_call_name(CALL_ADD_OFFSETS), "add_offsets");
}

static void lose_every_commit(void *context, enum broker_call call, const char *who,
                              struct broker_fault *fault)
{
    (void)who;
    if (call == CALL_COMMIT) {
        fault->kind = FAULT_LOSE_REPLY;
        ++*(int *)context;
    }
}

static void a_chooser_stands_in_for_the_schedule(void **state)
{
    struct world *world = *state;
    struct broker *broker = memory_world_broker(world);
    struct port *port = case_instance(world);
    struct producer *producer = case_begun(world, port);
    int chosen = 0;
    broker_set_chooser(broker, lose_every_commit, &chosen);
    expect_result(case_send(port, producer, "out", "v"), TXN_DONE);
    expect_result(port->calls->commit(producer, 1000, &case_error), TXN_DOUBT);
    assert_int_equal(broker_txn_state(broker, "app.p0"), TXN_COMPLETE_COMMIT);
    assert_int_equal(chosen, 1);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, memory_world_set_up, memory_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lost_record_waits_and_an_abort_then_takes_a_new_epoch),
        TEST(a_record_of_a_transaction_that_is_over_is_refused),
        TEST(a_stray_offset_commit_between_transactions_is_refused),
        TEST(a_crash_leaves_its_transaction_to_the_next_owner),
        TEST(another_instance_can_act_in_the_middle_of_a_call),
        TEST(calls_are_counted_and_faults_fall_on_the_named_one),
        TEST(a_chooser_stands_in_for_the_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
