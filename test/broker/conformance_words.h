/* conformance_words.h - the words that the conformance cases are written in. Those that return
 * nothing fail the case. */
#ifndef WEIR_TEST_BROKER_CONFORMANCE_WORDS_H
#define WEIR_TEST_BROKER_CONFORMANCE_WORDS_H

#include "broker/conformance.h"

/* At the head of a case: skips it in a world that has no such function, and says why one may not.
 */
#define NEEDS(function, reason)                         \
    do {                                                \
        if (!world->function) {                         \
            print_message("    skipped: " reason "\n"); \
            skip();                                     \
        }                                               \
    } while (0)
#define NEEDS_FAULTS() NEEDS(fault, "no proxy can be put before this broker")

/* clang-format off */
#define CASE(function) {#function, function}
/* clang-format on */

enum answer { /* Kafka's numbers */
              TAKEN = 0,
              UNKNOWN_MEMBER = 25,
              OLD_EPOCH = 47,
              WRONG_STATE = 48,
};

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

/* The stable committed offset of partition 0 of the input; it is there, and is this one. */
void case_offset(struct world *world, struct port *port, struct port_offset *offset);
void expect_offset(struct world *world, struct port *port, int64_t offset, const char *metadata);

/* A read_committed reader of partition 0 sees just these values from `from` on ("a b c"). Returns
 * the position it comes to. */
int64_t expect_values(struct port *port, const char *topic, int64_t from, const char *expected);

/* Waits until so many records, control records counted, stand in partition 0: a client sends in the
 * background, and markers are written after the answer. */
void expect_high(struct world *world, struct port *port, const char *topic, int64_t high);

/* Waits until nothing is open there. */
void expect_stable(struct world *world, struct port *port, const char *topic);

/* The committed offset is held by a transaction. */
void expect_unstable(struct world *world, struct port *port);

/* The next such call of anybody goes wrong; case_keep: and a copy of its request is kept. */
void case_fault(struct world *world, enum broker_call call, enum broker_fault_kind kind);
void case_keep(struct world *world, enum broker_call call, enum broker_fault_kind kind);

/* The copy arrives now, and is answered so. */
void case_arrives(struct world *world, enum answer answer);

/* As case_transact, to another topic than the output. */
void case_transact_to(struct world *world, struct port *port, struct producer *producer,
                      const char *topic, const char *value, int64_t offset);

/* Polls these instances in turn until the group has come to rest. */
void case_settle(struct world *world, struct port *const *ports, size_t count);

#endif
