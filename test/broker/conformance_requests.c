/* conformance_requests.c - transactional requests that come late, twice, or whose answer is lost.
 *
 * The numbers are those of the experiments in protocol-facts.md, on which the commit protocol
 * stands.
 */
#include "broker/conformance_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static void e1_a_stray_commit_ends_the_next_transaction(void **state)
{
    struct world *world = *state;
    NEEDS(fault);
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_fault(world, CALL_COMMIT, FAULT_HIDDEN_RETRY, STRAY_AFTER_SEND);
    case_transact(world, port, task, "one", 1);
    assert_int_not_equal(port->calls->doubts(task), 0); /* the only sign */
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "torn"), TXN_DONE);
    /* INVALID_TXN_STATE: the client cannot know what happened. */
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DOUBT);
    expect_values(port, world->output, 0, "one torn");
    expect_offset(world, port, 1, "one");
    port->calls->producer_close(task);
}

static void e1_a_stray_commit_is_dead_after_init(void **state)
{
    struct world *world = *state;
    NEEDS(fault);
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_fault(world, CALL_COMMIT, FAULT_HIDDEN_RETRY, STRAY_AFTER_SEND);
    case_transact(world, port, task, "one", 1);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    expect_values(port, world->output, 0, "one");
    port->calls->producer_close(task);
}

static void e11_a_stray_offset_commit_sets_the_next_transaction_back(void **state)
{
    struct world *world = *state;
    NEEDS(fault);
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_fault(world, CALL_SEND_OFFSETS, FAULT_HIDDEN_RETRY, STRAY_AFTER_OFFSETS);
    case_transact(world, port, task, "one", 100);
    assert_int_not_equal(port->calls->doubts(task), 0);
    case_transact(world, port, task, "two", 200);
    expect_values(port, world->output, 0, "one two");
    expect_offset(world, port, 100, "one");
    port->calls->producer_close(task);
}

static void e11_a_stray_offset_commit_is_dead_after_init(void **state)
{
    struct world *world = *state;
    NEEDS(fault);
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_fault(world, CALL_SEND_OFFSETS, FAULT_HIDDEN_RETRY, STRAY_AFTER_OFFSETS);
    case_transact(world, port, task, "one", 100);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    case_transact(world, port, task, "two", 200);
    expect_offset(world, port, 200, "two");
    port->calls->producer_close(task);
}

/* Broker-side verification: the partition is not in the transaction, or the sequence number is an
 * old one. */
static void a_stray_record_never_gets_into_the_next_transaction(void **state)
{
    struct world *world = *state;
    NEEDS(fault);
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_fault(world, CALL_SEND, FAULT_LOSE_REPLY, STRAY_AFTER_SEND);
    case_transact(world, port, task, "one", 1);
    case_transact(world, port, task, "two", 2);
    expect_values(port, world->output, 0, "one two");
    port->calls->producer_close(task);
}

static void a_record_whose_reply_was_lost_is_there_once_and_its_place_unknown(void **state)
{
    struct world *world = *state;
    NEEDS(fault);
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    struct port_delivery lost = {0, 0}, known = {0, 0};
    case_fault(world, CALL_SEND, FAULT_LOSE_REPLY, STRAY_NONE);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(port->calls->send(task, world->output, 0, case_bytes("k"), case_bytes("a"), NULL,
                                    0, &lost, &case_error),
                  TXN_DONE);
    expect_result(port->calls->send(task, world->output, 0, case_bytes("k"), case_bytes("b"), NULL,
                                    0, &known, &case_error),
                  TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    assert_int_not_equal(port->calls->doubts(task), 0);
    assert_int_equal(lost.offset, -1);
    assert_int_equal(known.offset, 1);
    expect_values(port, world->output, 0, "a b");
    port->calls->producer_close(task);
}

/* A commit in doubt, either way it went: after init the stable offset says it, and a late copy
 * changes nothing. */
static void e6_what_the_offset_says_after_init_is_final(void **state)
{
    struct world *world = *state;
    NEEDS(fault);
    const enum broker_fault_kind kinds[] = {FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY};
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "start", 10);
    for (int i = 0; i < 2; i++) {
        expect_result(port->calls->begin(task, &case_error), TXN_DONE);
        expect_result(case_send(port, task, world->output, "doubt"), TXN_DONE);
        expect_result(case_send_offset(world, port, task, 20, "doubt"), TXN_DONE);
        case_fault(world, CALL_COMMIT, kinds[i], STRAY_AFTER_SEND);
        expect_result(case_commit(world, port, task), TXN_DOUBT);
        assert_int_not_equal(port->calls->doubts(task), 0);
        port->calls->producer_close(task);
        task = case_ready(world, port);
        const char *verdict = kinds[i] == FAULT_LOSE_REPLY ? "doubt" : "start";
        expect_offset(world, port, kinds[i] == FAULT_LOSE_REPLY ? 20 : 10, verdict);
        expect_result(port->calls->begin(task, &case_error), TXN_DONE);
        /* With this the copy arrives. */
        expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
        expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
        expect_offset(world, port, kinds[i] == FAULT_LOSE_REPLY ? 20 : 10, verdict);
    }
    expect_values(port, world->output, 0, "start doubt");
    port->calls->producer_close(task);
}

const struct conformance_case conformance_requests[] = {
    CASE(e1_a_stray_commit_ends_the_next_transaction),
    CASE(e1_a_stray_commit_is_dead_after_init),
    CASE(e11_a_stray_offset_commit_sets_the_next_transaction_back),
    CASE(e11_a_stray_offset_commit_is_dead_after_init),
    CASE(a_stray_record_never_gets_into_the_next_transaction),
    CASE(a_record_whose_reply_was_lost_is_there_once_and_its_place_unknown),
    CASE(e6_what_the_offset_says_after_init_is_final),
    {NULL, NULL},
};
