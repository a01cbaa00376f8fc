/* conformance_strays.c - a copy of a transactional request that comes late: into the next
 * transaction, between two, or after the id was initialised anew.
 *
 * A client that gets no answer asks again, so the copy carries the same producer id and epoch as
 * what follows it; nothing else tells the two apart. The numbers are those of the experiments in
 * protocol-facts.md, on which the commit protocol stands.
 */
#include "broker/conformance_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

/* An instance with a producer whose first transaction, "one" at offset 1, was committed; of its
 * request of this kind a copy is kept. */
static struct producer *left_behind(struct world *world, struct port *port, enum broker_call call)
{
    struct producer *task = case_ready(world, port);
    case_keep(world, call, FAULT_HIDDEN_RETRY);
    case_transact(world, port, task, "one", 1);
    assert_int_not_equal(port->calls->doubts(task), 0); /* the only sign */
    expect_high(world, port, world->output, 2);
    return task;
}

/* The next transaction of this task, with "two" in the log. */
static void begin_two(struct world *world, struct port *port, struct producer *task)
{
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "two"), TXN_DONE);
    expect_high(world, port, world->output, 3);
}

/* ---- EndTxn ---- */

static void e1_a_stray_commit_ends_the_next_transaction(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_COMMIT);
    begin_two(world, port, task);
    case_arrives(world, TAKEN);
    /* The client cannot know what happened. */
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DOUBT);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one two");
    expect_offset(world, port, 1, "one");
    port->calls->producer_close(task);
}

static void e1_a_stray_commit_takes_the_offsets_with_it(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_COMMIT);
    begin_two(world, port, task);
    expect_result(case_send_offset(world, port, task, 2, "two"), TXN_DONE);
    case_arrives(world, TAKEN);
    expect_offset(world, port, 2, "two");
    /* Its own commit finds the same done already. */
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_values(port, world->output, 0, "one two");
    port->calls->producer_close(task);
}

static void e1_a_stray_commit_between_transactions_changes_nothing(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_COMMIT);
    case_arrives(world, TAKEN);
    case_transact(world, port, task, "two", 2);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one two");
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

static void e1_a_stray_commit_is_dead_after_init(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_COMMIT);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    begin_two(world, port, task);
    case_arrives(world, OLD_EPOCH);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one");
    port->calls->producer_close(task);
}

/* g: the old owner is still there, another initialises in between. */
static void e1_a_stray_commit_is_dead_after_another_owners_init(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port_a = case_instance(world), *port_b = case_instance(world);
    struct producer *a = left_behind(world, port_a, CALL_COMMIT);
    struct producer *b = case_ready(world, port_b);
    begin_two(world, port_b, b);
    case_arrives(world, OLD_EPOCH);
    expect_values(port_b, world->output, 0, "one");
    expect_result(case_send_offset(world, port_b, b, 2, "two"), TXN_DONE);
    expect_result(case_commit(world, port_b, b), TXN_DONE);
    expect_high(world, port_b, world->output, 4);
    expect_values(port_b, world->output, 0, "one two");
    expect_offset(world, port_b, 2, "two");
    port_a->calls->producer_close(a);
    port_b->calls->producer_close(b);
}

/* A transaction that was aborted, "undone", of whose EndTxn a copy is kept. */
static struct producer *abort_left_behind(struct world *world, struct port *port)
{
    struct producer *task = case_begun(world, port);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    expect_high(world, port, world->output, 1);
    case_keep(world, CALL_ABORT, FAULT_HIDDEN_RETRY);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    assert_int_not_equal(port->calls->doubts(task), 0);
    expect_high(world, port, world->output, 2);
    return task;
}

static void e1_a_stray_abort_ends_the_next_transaction(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = abort_left_behind(world, port);
    begin_two(world, port, task);
    expect_result(case_send_offset(world, port, task, 2, "two"), TXN_DONE);
    case_arrives(world, TAKEN);
    expect_result(case_commit(world, port, task), TXN_DOUBT);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "");
    expect_offset(world, port, -1, "");
    port->calls->producer_close(task);
}

static void a_stray_abort_behind_a_commit_is_refused(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = abort_left_behind(world, port);
    case_transact(world, port, task, "two", 2);
    expect_high(world, port, world->output, 4);
    case_arrives(world, WRONG_STATE);
    expect_values(port, world->output, 0, "two");
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

/* ---- TxnOffsetCommit ---- */

static void e11_a_stray_offset_commit_sets_the_next_transaction_back(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_SEND_OFFSETS);
    begin_two(world, port, task);
    expect_result(case_send_offset(world, port, task, 2, "two"), TXN_DONE);
    case_arrives(world, TAKEN);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one two");
    expect_offset(world, port, 1, "one");
    port->calls->producer_close(task);
}

static void e11_a_stray_offset_commit_between_transactions_is_refused(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_SEND_OFFSETS);
    case_arrives(world, WRONG_STATE);
    case_transact(world, port, task, "two", 2);
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

static void e11_a_stray_offset_commit_is_dead_after_init(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_SEND_OFFSETS);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    begin_two(world, port, task);
    expect_result(case_send_offset(world, port, task, 2, "two"), TXN_DONE);
    case_arrives(world, OLD_EPOCH);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

/* ---- AddPartitionsToTxn, AddOffsetsToTxn ---- */

/* It opens a transaction that nobody knows of. The next one inherits it: a marker comes to stand in
 * a log that it did not write to. */
static void a_stray_add_partitions_joins_the_next_transaction(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_ADD_PARTITIONS);
    case_arrives(world, TAKEN);
    case_transact_to(world, port, task, world->changelog, "two", 2);
    expect_high(world, port, world->output, 3);
    expect_high(world, port, world->changelog, 2);
    expect_values(port, world->output, 0, "one");
    expect_values(port, world->changelog, 0, "two");
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

static void a_stray_add_partitions_is_dead_after_init(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_ADD_PARTITIONS);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    case_arrives(world, OLD_EPOCH);
    case_transact_to(world, port, task, world->changelog, "two", 2);
    expect_high(world, port, world->changelog, 2);
    expect_high(world, port, world->output, 2);
    port->calls->producer_close(task);
}

/* Until its time is over: then the owner, who had nothing open, is fenced. */
static void a_stray_add_partitions_between_transactions_fences_its_idle_owner(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    NEEDS(time_out, "nothing ends a transaction here");
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_ADD_PARTITIONS);
    case_arrives(world, TAKEN);
    world->time_out(world, world->id, 3);
    expect_high(world, port, world->output, 3);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 2, "undone"), TXN_FENCED);
    expect_offset(world, port, 1, "one");
    expect_values(port, world->output, 0, "one");
    port->calls->producer_close(task);
}

static void a_stray_add_offsets_in_the_next_transaction_changes_nothing(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_ADD_OFFSETS);
    begin_two(world, port, task);
    case_arrives(world, TAKEN);
    expect_offset(world, port, 1, "one"); /* nothing is pending */
    expect_result(case_send_offset(world, port, task, 2, "two"), TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one two");
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

static void a_stray_add_offsets_is_dead_after_init(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_ADD_OFFSETS);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    case_arrives(world, OLD_EPOCH);
    case_transact(world, port, task, "two", 2);
    expect_offset(world, port, 2, "two");
    port->calls->producer_close(task);
}

/* ---- Produce ---- */

/* The sequence number is an old one: the broker answers as it did the first time. */
static void a_stray_record_never_gets_into_the_next_transaction(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_SEND);
    begin_two(world, port, task);
    case_arrives(world, TAKEN);
    expect_result(case_send_offset(world, port, task, 2, "two"), TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one two");
    port->calls->producer_close(task);
}

/* Broker-side verification: the partition is in no open transaction. But Kafka (4.3) then waits for
 * just this record to come again, and refuses the next one as out of order: the client gives up. */
static void a_stray_record_between_transactions_is_refused_and_breaks_the_client(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_SEND);
    case_arrives(world, WRONG_STATE);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send(port, task, world->output, "undone"), TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DOUBT);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DOUBT);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    case_transact(world, port, task, "two", 2);
    expect_offset(world, port, 2, "two");
    expect_stable(world, port, world->output);
    expect_values(port, world->output, 0, "one two");
    port->calls->producer_close(task);
}

static void a_stray_record_is_dead_after_init(void **state)
{
    struct world *world = *state;
    NEEDS_FAULTS();
    struct port *port = case_instance(world);
    struct producer *task = left_behind(world, port, CALL_SEND);
    port->calls->producer_close(task);
    task = case_ready(world, port);
    begin_two(world, port, task);
    case_arrives(world, OLD_EPOCH);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_high(world, port, world->output, 4);
    expect_values(port, world->output, 0, "one two");
    port->calls->producer_close(task);
}

const struct conformance_case conformance_strays[] = {
    CASE(e1_a_stray_commit_ends_the_next_transaction),
    CASE(e1_a_stray_commit_takes_the_offsets_with_it),
    CASE(e1_a_stray_commit_between_transactions_changes_nothing),
    CASE(e1_a_stray_commit_is_dead_after_init),
    CASE(e1_a_stray_commit_is_dead_after_another_owners_init),
    CASE(e1_a_stray_abort_ends_the_next_transaction),
    CASE(a_stray_abort_behind_a_commit_is_refused),
    CASE(e11_a_stray_offset_commit_sets_the_next_transaction_back),
    CASE(e11_a_stray_offset_commit_between_transactions_is_refused),
    CASE(e11_a_stray_offset_commit_is_dead_after_init),
    CASE(a_stray_add_partitions_joins_the_next_transaction),
    CASE(a_stray_add_partitions_is_dead_after_init),
    CASE(a_stray_add_partitions_between_transactions_fences_its_idle_owner),
    CASE(a_stray_add_offsets_in_the_next_transaction_changes_nothing),
    CASE(a_stray_add_offsets_is_dead_after_init),
    CASE(a_stray_record_never_gets_into_the_next_transaction),
    CASE(a_stray_record_between_transactions_is_refused_and_breaks_the_client),
    CASE(a_stray_record_is_dead_after_init),
    {NULL, NULL},
};
