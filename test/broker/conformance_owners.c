/* conformance_owners.c - who owns what: old and new owners, members, generations.
 *
 * Letters are those of the interleavings in protocol-facts.md: the old owner of a partition stalls
 * or dies at that moment; what does the new one see? Of h and k the runtime is the judge, not the
 * broker: test/protocol has them.
 */
#include "broker/conformance_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static void e8_init_ends_and_fences_the_old_owners_transaction(void **state)
{
    struct world *world = *state;
    struct port *port_a = case_instance(world), *port_b = case_instance(world);
    struct producer *a = case_ready(world, port_a);
    case_transact(world, port_a, a, "one", 1);
    expect_result(port_a->calls->begin(a, &case_error), TXN_DONE);
    expect_result(case_send(port_a, a, world->output, "undone"), TXN_DONE);
    expect_result(case_send_offset(world, port_a, a, 2, "undone"), TXN_DONE);
    struct producer *b = case_ready(world, port_b);
    expect_offset(world, port_b, 1, "one");
    expect_result(case_commit(world, port_a, a), TXN_FENCED);
    case_transact(world, port_b, b, "two", 2);
    expect_values(port_b, world->output, 0, "one two");
    port_a->calls->producer_close(a);
    port_b->calls->producer_close(b);
}

/* a: outputs produced, offsets not sent. */
static void a_dead_owners_outputs_hold_readers_but_not_its_offset(void **state)
{
    struct world *world = *state;
    struct port *port_a = case_instance(world), *port_b = case_instance(world);
    struct producer *a = case_ready(world, port_a);
    case_transact(world, port_a, a, "one", 1);
    expect_result(port_a->calls->begin(a, &case_error), TXN_DONE);
    expect_result(case_send(port_a, a, world->output, "undone"), TXN_DONE);
    expect_offset(world, port_b, 1, "one");
    expect_values(port_b, world->output, 0, "one");
    world->drop(world, port_a);
    struct producer *b = case_ready(world, port_b);
    struct port_log log;
    expect_outcome(port_b->calls->log(port_b, world->output, 0, 5000, &log, &case_error), OK);
    assert_int_equal(log.stable, log.high);
    expect_values(port_b, world->output, 0, "one");
    port_b->calls->producer_close(b);
}

/* b: offsets sent, EndTxn not: unstable until the old owner commits, or the new one initialises. */
static void b_sent_offsets_are_unstable_until_the_transaction_ends(void **state)
{
    struct world *world = *state;
    struct port *port_a = case_instance(world), *port_b = case_instance(world);
    struct producer *a = case_ready(world, port_a);
    expect_result(port_a->calls->begin(a, &case_error), TXN_DONE);
    expect_result(case_send_offset(world, port_a, a, 1, "one"), TXN_DONE);
    expect_unstable(world, port_b);
    world->drop(world, port_a);
    struct producer *b = case_ready(world, port_b);
    expect_offset(world, port_b, -1, "");
    port_b->calls->producer_close(b);
}

/* c: EndTxn answered, markers not all written: the offset can be known before the changelog is
 * complete. */
static void c_markers_come_one_by_one(void **state)
{
    struct world *world = *state;
    NEEDS(hold_markers, "one node gets all markers of a transaction in one request");
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    world->hold_markers(world, world->output);
    world->hold_markers(world, BROKER_OFFSETS);
    case_transact(world, port, task, "one", 1);
    expect_unstable(world, port);
    world->release_markers(world, BROKER_OFFSETS);
    expect_offset(world, port, 1, "one");
    expect_values(port, world->output, 0, ""); /* a restore to the LSO would lose it */
    struct producer *next = case_producer(world, port);
    /* Not before the last marker: */
    expect_result(port->calls->init(next, 300, &case_error), TXN_DOUBT);
    world->release_markers(world, world->output);
    expect_result(port->calls->init(next, world->patience_ms, &case_error), TXN_DONE);
    expect_values(port, world->output, 0, "one");
    port->calls->producer_close(task);
    port->calls->producer_close(next);
}

/* d: the transaction timed out, the owner wakes before EndTxn. */
static void d_a_timed_out_owner_is_fenced(void **state)
{
    struct world *world = *state;
    NEEDS(time_out, "nothing ends a transaction here");
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 1, "undone"), TXN_DONE);
    world->time_out(world, world->id, 2);
    expect_result(case_commit(world, port, task), TXN_FENCED);
    expect_offset(world, port, -1, "");
    expect_values(port, world->output, 0, "");
    port->calls->producer_close(task);
    task = case_ready(world, port); /* if it is still a member, it may go on as a new owner */
    case_transact(world, port, task, "one", 1);
    expect_offset(world, port, 1, "one");
    port->calls->producer_close(task);
}

static void members_share_the_partitions_in_the_order_of_their_names(void **state)
{
    struct world *world = *state;
    struct seen seen_a = {0}, seen_b = {0};
    struct port *ports[2] = {world->open(world, "a", 0, &seen_a), NULL};
    case_settle(world, ports, 1);
    assert_int_equal(seen_a.count, 2);
    ports[1] = world->open(world, "b", 0, &seen_b);
    case_settle(world, ports, 2);
    assert_int_equal(seen_a.count, 1);
    assert_int_equal(seen_a.partitions[0], 0);
    assert_int_equal(seen_b.count, 1);
    assert_int_equal(seen_b.partitions[0], 1);
    assert_int_equal(seen_a.revoked, 1);
    assert_int_equal(seen_a.lost, 0);
}

/* e: the generation moved in the middle of a transaction: what counts is the one of begin. */
static void e_offsets_carry_the_generation_of_begin(void **state)
{
    struct world *world = *state;
    struct seen seen_a = {0}, seen_b = {0};
    struct port *ports[2] = {world->open(world, "a", 0, &seen_a), NULL};
    case_settle(world, ports, 1);
    struct producer *task = case_ready(world, ports[0]);
    expect_result(ports[0]->calls->begin(task, &case_error), TXN_DONE);
    ports[1] = world->open(world, "b", 0, &seen_b);
    case_settle(world, ports, 2);
    expect_result(case_send_offset(world, ports[0], task, 1, "undone"), TXN_MOVED);
    ports[0]->calls->producer_close(task);
}

/* (-1, ""): a fixed instance is never refused, not even beside members. */
static void e5_a_fixed_instance_commits_beside_members(void **state)
{
    struct world *world = *state;
    struct seen seen = {0};
    struct port *member = world->open(world, "a", 0, &seen);
    case_settle(world, &member, 1);
    struct port *fixed = case_instance(world);
    struct producer *task = case_ready(world, fixed);
    case_transact(world, fixed, task, "one", 1);
    expect_offset(world, fixed, 1, "one");
    fixed->calls->producer_close(task);
}

/* f: the session is over, the group has moved on or is empty. */
static void f_a_member_that_was_lost_cannot_send_offsets(void **state)
{
    struct world *world = *state;
    NEEDS(expire, "no proxy can hold heartbeats before this broker");
    struct seen seen = {0};
    struct port *port = world->open(world, "a", 0, &seen);
    case_settle(world, &port, 1);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "one", 1);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    world->expire(world, "a");
    expect_result(case_send_offset(world, port, task, 2, "undone"), TXN_MOVED);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    case_settle(world, &port, 1);
    assert_int_equal(seen.lost, 1);
    assert_int_equal(seen.count, 2); /* joined again */
    case_transact(world, port, task, "two", 2);
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

/* g: the same instance id was started elsewhere. */
static void g_a_second_process_with_the_same_instance_id_fences_the_first(void **state)
{
    struct world *world = *state;
    struct seen seen_old = {0}, seen_new = {0};
    struct port *old = world->open(world, "a", 0, &seen_old);
    case_settle(world, &old, 1);
    struct producer *task = case_ready(world, old);
    struct port *new = world->open(world, "a", 0, &seen_new);
    case_settle(world, &new, 1);
    assert_int_equal(seen_new.count, 2);
    enum txn_result result = old->calls->begin(task, &case_error);
    if (result == TXN_DONE) { /* a client's heartbeat may have told it before */
        result = case_send_offset(world, old, task, 1, "undone");
    }
    expect_result(result, TXN_MOVED);
    enum outcome outcome = OK;
    for (int waited_ms = 0; outcome == OK && waited_ms <= world->patience_ms; waited_ms += 10) {
        outcome = old->calls->poll(old, 10, &case_error);
    }
    expect_outcome(outcome, FATAL);
    assert_int_equal(case_error.exit_code, EXIT_TRY_AGAIN);
    old->calls->producer_close(task);
}

/* i: B has read number 1; C takes over and commits 2; compaction drops the checkpoint of 1. */
static void i_a_checkpoint_that_was_compacted_away_is_never_found(void **state)
{
    struct world *world = *state;
    NEEDS(compact, "a real cleaner works when it likes");
    struct port *port_b = case_instance(world), *port_c = case_instance(world);
    struct producer *b = case_ready(world, port_b);
    case_transact_to(world, port_b, b, world->changelog, "1", 1);
    expect_offset(world, port_b, 1, "1");
    struct producer *c = case_ready(world, port_c);
    case_transact_to(world, port_c, c, world->changelog, "2", 2);
    world->compact(world, world->changelog, 0);
    expect_values(port_b, world->changelog, 0, "2");
    expect_offset(world, port_b, 2, "2"); /* so it asks again, and drops the task */
    expect_result(port_b->calls->begin(b, &case_error), TXN_DONE);
    expect_result(case_send_offset(world, port_b, b, 2, "undone"), TXN_FENCED);
    port_b->calls->producer_close(b);
    port_c->calls->producer_close(c);
}

/* l: the client goes on asking a coordinator that was deposed. */
static void l_a_deposed_coordinator_still_answers(void **state)
{
    struct world *world = *state;
    NEEDS(depose, "there is one node, so nobody can take over from it");
    fail_msg("no world can do it yet: say what is expected");
}

const struct conformance_case conformance_owners[] = {
    CASE(e8_init_ends_and_fences_the_old_owners_transaction),
    CASE(a_dead_owners_outputs_hold_readers_but_not_its_offset),
    CASE(b_sent_offsets_are_unstable_until_the_transaction_ends),
    CASE(c_markers_come_one_by_one),
    CASE(d_a_timed_out_owner_is_fenced),
    CASE(members_share_the_partitions_in_the_order_of_their_names),
    CASE(e_offsets_carry_the_generation_of_begin),
    CASE(e5_a_fixed_instance_commits_beside_members),
    CASE(f_a_member_that_was_lost_cannot_send_offsets),
    CASE(g_a_second_process_with_the_same_instance_id_fences_the_first),
    CASE(i_a_checkpoint_that_was_compacted_away_is_never_found),
    CASE(l_a_deposed_coordinator_still_answers),
    {NULL, NULL},
};
