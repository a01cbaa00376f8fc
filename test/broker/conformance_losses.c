/* conformance_losses.c - transactional requests that are lost, or whose answer is.
 *
 * Where the connection broke, the client asks again by itself and reports success: doubts() is the
 * only sign (E7). Where nothing comes back at all, the call ends in doubt, and what became of the
 * transaction is known after the next init, then for good (E6).
 */
#include "broker/conformance_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- repeated by the client ---- */

static void expect_hidden(struct world *world, enum broker_call call, enum broker_fault_kind kind)
{
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "one", 1);
    assert_int_equal(port->calls->doubts(task), 0);
    case_fault(world, call, kind);
    case_transact(world, port, task, "two", 2);
    assert_int_not_equal(port->calls->doubts(task), 0);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one two");
    expect_offset(world, port, 2, "two");
    case_transact(world, port, task, "three", 3);
    assert_int_equal(port->calls->doubts(task), 0); /* counted since begin */
    expect_high(world, port, world->output, 6);
    expect_values(port, world->output, 0, "one two three");
    expect_offset(world, port, 3, "three");
    port->calls->producer_close(task);
}

static void e7_a_lost_answer_to_end_txn_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_COMMIT, FAULT_HIDDEN_RETRY);
}

static void e7_a_lost_answer_to_txn_offset_commit_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_SEND_OFFSETS, FAULT_HIDDEN_RETRY);
}

static void e7_a_lost_answer_to_add_offsets_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_ADD_OFFSETS, FAULT_LOSE_REPLY);
}

static void e7_a_lost_answer_to_add_partitions_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_ADD_PARTITIONS, FAULT_LOSE_REPLY);
}

static void a_lost_answer_to_produce_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_SEND, FAULT_LOSE_REPLY);
}

static void a_lost_add_offsets_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_ADD_OFFSETS, FAULT_LOSE_REQUEST);
}

static void a_lost_add_partitions_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_ADD_PARTITIONS, FAULT_LOSE_REQUEST);
}

static void a_lost_produce_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    expect_hidden(world, CALL_SEND, FAULT_LOSE_REQUEST);
}

static void a_lost_answer_to_an_abort_shows_in_doubts_alone(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = case_begun(world, port);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    expect_high(world, port, world->output, 1); /* else the abort might find it in our queue */
    expect_result(case_send_offset(world, port, task, 1, "undone"), TXN_DONE);
    case_fault(world, CALL_ABORT, FAULT_HIDDEN_RETRY);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    assert_int_not_equal(port->calls->doubts(task), 0);
    case_transact(world, port, task, "two", 2);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "two");
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

/* Where it stands may never be known: what the broker remembers of late batches answers a repeated
 * one with its place, else the client is told that it is a duplicate. */
static void a_record_whose_reply_was_lost_is_there_once(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = case_begun(world, port);
    struct port_delivery lost = {0, 0}, known = {0, 0};
    case_fault(world, CALL_SEND, FAULT_LOSE_REPLY);
    expect_result(port->calls->send(task, world->output, 0, case_bytes("k"), case_bytes("a"), NULL,
                                    0, &lost, &case_error),
                  TXN_DONE);
    expect_high(world, port, world->output, 1);
    expect_result(port->calls->send(task, world->output, 0, case_bytes("k"), case_bytes("b"), NULL,
                                    0, &known, &case_error),
                  TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    assert_int_not_equal(port->calls->doubts(task), 0);
    assert_true(lost.offset == -1 || lost.offset == 0);
    assert_int_equal(known.offset, 1);
    expect_high(world, port, world->output, 3);
    expect_values(port, world->output, 0, "a b");
    port->calls->producer_close(task);
}

/* ---- in doubt ---- */

/* A call that nobody answers need not be waited for as long as one that must succeed. */
enum { DOUBT_MS = 1000 };

/* An init whose answer was lost is asked for again; one of them is the last. */
static void an_init_whose_answer_was_lost_is_repeated(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *old = case_ready(world, port);
    case_transact(world, port, old, "one", 1);
    case_fault(world, CALL_INIT, FAULT_LOSE_REPLY);
    struct producer *new = case_producer(world, port);
    enum txn_result result = port->calls->init(new, world->patience_ms, &case_error);
    if (result == TXN_DOUBT) {
        result = port->calls->init(new, world->patience_ms, &case_error);
    }
    expect_result(result, TXN_DONE);
    case_transact(world, port, new, "two", 2);
    expect_result(port->calls->begin(old, &case_error), TXN_DONE);
    expect_result(case_send_offset(world, port, old, 3, "undone"), TXN_FENCED);
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(old);
    port->calls->producer_close(new);
}

/* Offsets that nobody answers: the transaction is to be aborted, with a copy still on its way.
 * After init they are gone, and the late copy changes nothing. */
static void e6_offsets_in_doubt_are_gone_after_init(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    const enum broker_fault_kind kinds[] = {FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY};
    const int patience_ms = world->patience_ms;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "start", 10);
    for (int i = 0; i < 2; i++) {
        expect_result(port->calls->begin(task, &case_error), TXN_DONE);
        case_keep(world, CALL_SEND_OFFSETS, kinds[i]);
        world->patience_ms = DOUBT_MS;
        expect_result(case_send_offset(world, port, task, 20, "doubt"), TXN_ABORT);
        world->patience_ms = patience_ms;
        assert_int_not_equal(port->calls->doubts(task), 0);
        port->calls->producer_close(task);
        task = case_ready(world, port);
        expect_offset(world, port, 10, "start");
        case_arrives(world, OLD_EPOCH);
        expect_offset(world, port, 10, "start");
    }
    port->calls->producer_close(task);
}

/* A commit in doubt, either way it went: after init the stable offset says it, and a late copy
 * changes nothing. */
static void e6_what_the_offset_says_after_init_is_final(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    const enum broker_fault_kind kinds[] = {FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY};
    const int patience_ms = world->patience_ms;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "start", 10);
    for (int i = 0; i < 2; i++) {
        int64_t verdict = kinds[i] == FAULT_LOSE_REPLY ? 20 : 10;
        const char *word = kinds[i] == FAULT_LOSE_REPLY ? "doubt" : "start";
        expect_result(port->calls->begin(task, &case_error), TXN_DONE);
        expect_result(case_send(port, task, world->output, "doubt"), TXN_DONE);
        expect_result(case_send_offset(world, port, task, 20, "doubt"), TXN_DONE);
        case_keep(world, CALL_COMMIT, kinds[i]);
        world->patience_ms = DOUBT_MS;
        expect_result(case_commit(world, port, task), TXN_DOUBT);
        world->patience_ms = patience_ms;
        port->calls->producer_close(task);
        task = case_ready(world, port);
        expect_offset(world, port, verdict, word);
        expect_result(port->calls->begin(task, &case_error), TXN_DONE);
        expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
        expect_high(world, port, world->output, 5 + 4 * i);
        case_arrives(world, OLD_EPOCH);
        expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
        expect_offset(world, port, verdict, word);
    }
    expect_values(port, world->output, 0, "start doubt");
    port->calls->producer_close(task);
}

/* A commit races with another owner's init: whoever wins, the answer after init is final, and a
 * commit that was told done is in it. */
static void e6_a_race_of_commit_and_init_is_decided_at_init(void **state)
{
    enum { RACES = 24 };
    struct world *world = *state;
    struct port *port_a = case_instance(world), *port_b = case_instance(world);
    struct producer *a = case_ready(world, port_a);
    case_transact(world, port_a, a, "0", 0);
    int64_t stands = 0;
    for (int i = 1; i <= RACES; i++) {
        char word[16];
        struct port_offset before, after;
        snprintf(word, sizeof word, "%d", i);
        expect_result(port_a->calls->begin(a, &case_error), TXN_DONE);
        expect_result(case_send(port_a, a, world->output, word), TXN_DONE);
        expect_result(case_send_offset(world, port_a, a, i, word), TXN_DONE);
        if (world->mix) {
            world->mix(world, i);
        }
        enum txn_result result = port_a->calls->commit(a, world->patience_ms, &case_error);
        world->sleep(world, i % 4);
        struct producer *b = case_ready(world, port_b);
        case_offset(world, port_b, &before);
        result = port_wait(port_a, a, result, &case_error);
        world->sleep(world, 30);
        case_offset(world, port_b, &after);
        assert_int_equal(before.offset, after.offset);
        assert_true(after.offset == i || after.offset == stands);
        assert_true(result == TXN_DONE || result == TXN_FENCED || result == TXN_DOUBT);
        assert_true(result != TXN_DONE || after.offset == i);
        stands = after.offset;
        port_a->calls->producer_close(a);
        struct port *port = port_a; /* the new owner is the old one of the next race */
        port_a = port_b;
        port_b = port;
        a = b;
    }
    port_a->calls->producer_close(a);
}

const struct conformance_case conformance_losses[] = {
    CASE(e7_a_lost_answer_to_end_txn_shows_in_doubts_alone),
    CASE(e7_a_lost_answer_to_txn_offset_commit_shows_in_doubts_alone),
    CASE(e7_a_lost_answer_to_add_offsets_shows_in_doubts_alone),
    CASE(e7_a_lost_answer_to_add_partitions_shows_in_doubts_alone),
    CASE(a_lost_answer_to_produce_shows_in_doubts_alone),
    CASE(a_lost_add_offsets_shows_in_doubts_alone),
    CASE(a_lost_add_partitions_shows_in_doubts_alone),
    CASE(a_lost_produce_shows_in_doubts_alone),
    CASE(a_lost_answer_to_an_abort_shows_in_doubts_alone),
    CASE(a_record_whose_reply_was_lost_is_there_once),
    CASE(an_init_whose_answer_was_lost_is_repeated),
    CASE(e6_offsets_in_doubt_are_gone_after_init),
    CASE(e6_what_the_offset_says_after_init_is_final),
    CASE(e6_a_race_of_commit_and_init_is_decided_at_init),
    {NULL, NULL},
};
