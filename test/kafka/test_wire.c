/* test_wire.c - a network that loses and repeats requests, on a real Kafka: doubt is resolved by a
 * fence, never guessed (I-9), and what a fence left behind can harm nobody.
 *
 * librdkafka repeats transactional requests by itself, so a commit may "succeed" with a copy of its
 * EndTxn still on the way. That copy then commits half of the next transaction, and a copy of a
 * TxnOffsetCommit sets the group back; both were seen on Kafka 4.3.
 */
#include "kafka/stock.h"
#include "kafka/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processors.h"
#include "shop.h"

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

struct trouble {
    const char *name;
    struct wire_plan plan;
    const char *kill_at; /* on top of it */
    bool no_fence; /* nothing was in doubt: there was no transaction yet, or the last one's answer
                      came */
};

#define LOST(kind, number)                                         \
    {                                                              \
        .trick = WIRE_REQUEST_LOST, .api = (kind), .nth = (number) \
    }
#define DEAF(kind, number)                                       \
    {                                                            \
        .trick = WIRE_REPLY_LOST, .api = (kind), .nth = (number) \
    }

static const struct trouble troubles[] = {
    {"InitProducerId is lost", LOST(WIRE_INIT, 1), .no_fence = true},
    {"AddPartitionsToTxn is lost", LOST(WIRE_ADD_PARTITIONS, 3)},
    {"Produce is lost", LOST(WIRE_PRODUCE, 4)},
    {"AddOffsetsToTxn is lost", LOST(WIRE_ADD_OFFSETS, 3)},
    {"TxnOffsetCommit is lost", LOST(WIRE_OFFSETS, 3)},
    {"EndTxn is lost", LOST(WIRE_END_TXN, 3)},
    {"InitProducerId is not answered", DEAF(WIRE_INIT, 1), .no_fence = true},
    {"AddPartitionsToTxn is not answered", DEAF(WIRE_ADD_PARTITIONS, 3)},
    {"Produce is not answered", DEAF(WIRE_PRODUCE, 4)},
    {"AddOffsetsToTxn is not answered", DEAF(WIRE_ADD_OFFSETS, 3)},
    {"TxnOffsetCommit is not answered", DEAF(WIRE_OFFSETS, 3)},
    {"EndTxn is not answered", DEAF(WIRE_END_TXN, 3)},
    {"EndTxn is not answered, killed before the fence", DEAF(WIRE_END_TXN, 3), "fence:1"},
    {"EndTxn is not answered, killed in the fence", DEAF(WIRE_END_TXN, 3), "fence_init:1"},
    {"EndTxn comes once more, into the next transaction",
     {.trick = WIRE_STRAY, .api = WIRE_END_TXN, .nth = 3, .at = WIRE_ADD_OFFSETS, .wait_ms = 200}},
    {"TxnOffsetCommit comes once more, into the next transaction",
     {.trick = WIRE_STRAY,
      .api = WIRE_OFFSETS,
      .nth = 3,
      .at = WIRE_END_TXN,
      .skip = 1,
      .answer_first = true}},
};

static char *expected;

static struct process *run(struct system *system, const char *bootstrap, const char *kill_at)
{
    return system_run(system, &(struct run){.bootstrap = bootstrap,
                                            .kill_at = kill_at,
                                            .settings = {"take.max_records=3"}});
}

static void nothing_happens_to_the_network(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    expected = stock_finish(system, &marks, run(system, NULL, NULL), "a", STOCK_EXACT, PATIENCE_MS);
}

static void ends_as_if_nothing_had_happened(void **state)
{
    struct system *system = *state;
    const struct trouble *trouble = system->spec;
    struct stock_marks marks;
    assert_non_null(expected);
    system_create_topics(system, &inventory_processor);
    stock_mark(system, &marks);
    struct wire *wire = system_wire(system, &trouble->plan);
    struct process *process = run(system, system_proxied(), trouble->kill_at);
    wire_victim(wire, process->pid);
    struct process *first = process;
    if (trouble->kill_at || trouble->plan.trick == WIRE_STRAY) {
        process_expect_end(system, process, -SIGKILL, PATIENCE_MS);
        process = run(system, NULL, NULL);
    }
    char *found = stock_finish(system, &marks, process, "a", STOCK_EXACT, PATIENCE_MS);
    assert_true(wire_is_done(wire));
    stock_expect_same(system, expected, found);
    if (!trouble->no_fence) {
        process_expect_said(system, first, " fencing ", 0);
    }
    free(found);
}

int main(void)
{
    enum { COUNT = sizeof troubles / sizeof *troubles };
    struct CMUnitTest tests[COUNT + 1] = {system_case(nothing_happens_to_the_network)};
    for (size_t i = 0; i < COUNT; i++) {
        tests[i + 1] =
            (struct CMUnitTest){troubles[i].name, ends_as_if_nothing_had_happened, system_set_up,
                                system_tear_down, (void *)(uintptr_t)&troubles[i]};
    }
    int failed = system_main("test_wire", tests, 0, NULL);
    free(expected);
    return failed;
}
