/* harness.h - one processor under test: send it records, expect its outputs, advance its time.
 *
 * The real task, codec and SQLite on the broker in memory, one partition of every topic. Records
 * that are sent one after the other, without an expectation between them, come in one take.
 * An expectation that is not met fails the test and says what was there instead.
 */
#ifndef WEIR_TEST_PROCESSOR_HARNESS_H
#define WEIR_TEST_PROCESSOR_HARNESS_H

#include "shop.h"
#include "weir.h"

struct harness;

/* A new world in which nothing has happened yet. */
struct harness *harness_open(const struct weir_processor *processor);

/* Another processor in the same world: it reads what the other writes. Close it before the first.
 */
struct harness *harness_open_beside(struct harness *first, const struct weir_processor *processor);
void harness_close(struct harness *harness);

/* Before the first record: another value than the default. */
void harness_set(struct harness *harness, const char *setting, int64_t value);

/* Before the first record: a row that the processor finds in its state. */
void harness_given_row(struct harness *harness, const struct weir_store *store, const void *row);

/* A record of the topic: a whole envelope. */
void harness_send(struct harness *harness, const struct weir_topic *topic, const char *key,
                  const void *envelope);
/* Any bytes. */
void harness_send_text(struct harness *harness, const struct weir_topic *topic, const char *key,
                       const char *text);

/* When the last record was sent, by the broker's clock. */
int64_t harness_sent_ms(const struct harness *harness);

/* Lets the processor finish what is there, then moves the clock; timers fire. */
void harness_advance(struct harness *harness, int64_t ms);

/* The clock moves while the processor is away: what is sent before and after comes in one take. */
void harness_pass(struct harness *harness, int64_t ms);

/* kill -9, and a new process: state comes back from file and changelog. */
void harness_restart(struct harness *harness);

/* The next record of an output topic that nobody has asked for yet; it must have this key. The
 * envelope lives as long as the harness. */
const void *harness_expect(struct harness *harness, const struct weir_topic *topic,
                           const char *key);
/* The same for any key; NULL: there is none. */
const void *harness_next(struct harness *harness, const struct weir_topic *topic);

/* No output topic has a record that was not asked for (views apart), no dead letter either. */
void harness_expect_nothing_more(struct harness *harness);

/* Forgets the outputs up to now: they are not what the test is about. */
void harness_skip(struct harness *harness);

/* The next dead letter of this input: its cause. Returns its reason. */
const char *harness_expect_dead(struct harness *harness, const struct weir_topic *input,
                                const char *cause);

/* How many inputs were found stale, up to now. */
int64_t harness_stale(struct harness *harness);

/* The last state of the view for the key; NULL: there was none yet. */
const void *harness_view(struct harness *harness, const struct weir_topic *view, const char *key);

/* The only value of an SQL query on the processor's state. */
int64_t harness_number(struct harness *harness, const char *sql);

#endif
