/* conformance_words.h - the words that the conformance cases are written in. Those that return
 * nothing fail the case. */
#ifndef WEIR_TEST_BROKER_CONFORMANCE_WORDS_H
#define WEIR_TEST_BROKER_CONFORMANCE_WORDS_H

#include "broker/conformance.h"

/* At the head of a case: skips it in a world that has no such function. */
#define NEEDS(function)         \
    do {                        \
        if (!world->function) { \
            skip();             \
        }                       \
    } while (0)

/* clang-format off */
#define CASE(function) {#function, function}
/* clang-format on */

extern struct error case_error; /* of the last call; a case that fails prints it */

struct weir_bytes case_bytes(const char *text); /* NULL: none */
void expect_result(enum txn_result result, enum txn_result expected);
void expect_outcome(enum outcome outcome, enum outcome expected);

/* A fixed instance of partition 0 that has polled once. */
struct port *case_instance(struct world *world);

/* A producer of world->id; a ready one is initialised, a begun one has a transaction. */
struct producer *case_producer(struct world *world, struct port *port);
struct producer *case_ready(struct world *world, struct port *port);
struct producer *case_begun(struct world *world, struct port *port);

/* To partition 0 of `topic`; for partition 0 of the input. */
enum txn_result case_send(struct port *port, struct producer *producer, const char *topic,
                          const char *value);
enum txn_result case_send_offset(struct world *world, struct port *port, struct producer *producer,
                                 int64_t offset, const char *metadata);
enum txn_result case_commit(struct world *world, struct port *port, struct producer *producer);

/* A whole transaction that must succeed: one output and one offset, whose metadata is `value`. */
void case_transact(struct world *world, struct port *port, struct producer *producer,
                   const char *value, int64_t offset);

/* The committed offset of partition 0 of the input is stable, and this one. */
void expect_offset(struct world *world, struct port *port, int64_t offset, const char *metadata);

/* A read_committed reader of partition 0 sees just these values from `from` on ("a b c"). Returns
 * the position it comes to. */
int64_t expect_values(struct port *port, const char *topic, int64_t from, const char *expected);

/* The next such call of anybody goes wrong. */
void case_fault(struct world *world, enum broker_call call, enum broker_fault_kind kind,
                enum broker_stray stray);

/* Polls these instances in turn until the group has come to rest. */
void case_settle(struct world *world, struct port *const *ports, size_t count);

#endif
