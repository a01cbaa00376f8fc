/* conformance_offsets.c - offsets that transactions commit: pending, stable, missing.
 *
 * The numbers are those of the experiments in protocol-facts.md, j that of its interleavings.
 */
#include "broker/conformance_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

/* Nobody ends it but the coordinator; until then the offset is pending, and readers wait. */
static void e2_a_dangling_transaction_holds_its_offset_until_its_time_is_over(void **state)
{
    struct world *world = *state;
    NEEDS(time_out, "nothing ends a transaction here");
    struct port *port_a = case_instance(world), *port_b = case_instance(world);
    struct producer *a = case_ready(world, port_a);
    case_transact(world, port_a, a, "one", 1);
    expect_result(port_a->calls->begin(a, &case_error), TXN_DONE);
    expect_result(case_send(port_a, a, world->output, "undone"), TXN_DONE);
    expect_result(case_send_offset(world, port_a, a, 2, "undone"), TXN_DONE);
    expect_high(world, port_b, world->output, 3); /* it is there, not on its way */
    world->drop(world, port_a);
    expect_unstable(world, port_b);
    expect_values(port_b, world->output, 0, "one");
    world->time_out(world, world->id, 4);
    expect_offset(world, port_b, 1, "one");
    expect_values(port_b, world->output, 0, "one");
}

static void e4b_metadata_comes_back_with_its_offset(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    expect_offset(world, port, -1, "");
    case_transact(world, port, task, "commit=1", 5);
    expect_offset(world, port, 5, "commit=1");
    port->calls->producer_close(task);
}

static void e4c_a_pending_offset_is_never_taken_for_none(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_transact(world, port, task, "1", 5);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 6, "2"), TXN_DONE);
    expect_unstable(world, port);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_offset(world, port, 6, "2");
    port->calls->producer_close(task);
}

static void e10_metadata_tells_what_equal_offsets_cannot(void **state)
{
    struct world *world = *state;
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 100, "7"), TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 100, "8"), TXN_DONE);
    expect_result(port->calls->abort(task, world->patience_ms, &case_error), TXN_DONE);
    expect_offset(world, port, 100, "7");
    expect_result(port->calls->begin(task, &case_error), TXN_DONE);
    expect_result(case_send_offset(world, port, task, 100, "8"), TXN_DONE);
    expect_result(case_commit(world, port, task), TXN_DONE);
    expect_offset(world, port, 100, "8");
    port->calls->producer_close(task);
}

/* j: the offset has expired, the changelog is full. The answer is a clean "none": only the
 * changelog tells it from a first start. */
static void j_an_offset_that_expired_is_missing_and_stable(void **state)
{
    struct world *world = *state;
    NEEDS(forget, "offsets cannot be deleted here");
    struct port *port = case_instance(world);
    struct producer *task = case_ready(world, port);
    case_transact_to(world, port, task, world->changelog, "1", 1);
    expect_high(world, port, world->changelog, 2);
    world->forget(world);
    expect_offset(world, port, -1, "");
    expect_values(port, world->changelog, 0, "1");
    case_transact_to(world, port, task, world->changelog, "2", 2);
    expect_offset(world, port, 2, "2");
    port->calls->producer_close(task);
}

const struct conformance_case conformance_offsets[] = {
    CASE(e2_a_dangling_transaction_holds_its_offset_until_its_time_is_over),
    CASE(e4b_metadata_comes_back_with_its_offset),
    CASE(e4c_a_pending_offset_is_never_taken_for_none),
    CASE(e10_metadata_tells_what_equal_offsets_cannot),
    CASE(j_an_offset_that_expired_is_missing_and_stable),
    {NULL, NULL},
};
