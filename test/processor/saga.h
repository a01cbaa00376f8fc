/* saga.h - words for tests of order: what customers and inventory say to it, and what it says.
 *
 * Orders have lines 1, 2, 3, ... of one unit of SKU "S1", "S2", "S3", ... at 10.00 EUR each, and a
 * shipping fee of 5.00. The test plays inventory: reservations are named "O1/2/1": order, line,
 * attempt.
 */
#ifndef WEIR_TEST_PROCESSOR_SAGA_H
#define WEIR_TEST_PROCESSOR_SAGA_H

#include "processor/harness.h"

#define MINUTE     INT64_C(60000)
#define DAY        (24 * 60 * MINUTE)
#define EIGHT_DAYS (8 * DAY)

/* Some ORDER_STATE, ORDER_REASON, STOCK_REPLY, STOCK_COMMAND and STOCK_REASON, shorter. */
#define IS(state)    ORDER_STATE_##state
#define WHY(reason)  ORDER_REASON_##reason
#define SAYS(branch) STOCK_REPLY_##branch
#define TO(branch)   STOCK_COMMAND_##branch

/* ---- what order is told ---- */

/* A valid one, ALL_OR_NOTHING. Its lines may be changed in place. */
struct place_order an_order(const char *order_id, size_t lines);
void place(struct harness *harness, const struct place_order *order);
void cancel(struct harness *harness, const char *order_id);

/* Inventory's reply about a reservation, with the reason that this kind of reply usually has. */
void reply(struct harness *harness, enum stock_reply_branch what, const char *reservation_id);
void reply_because(struct harness *harness, enum stock_reply_branch what,
                   const char *reservation_id, enum stock_reason reason);

/* ---- where a test begins; outputs on the way are skipped ---- */

void given_pending(struct harness *harness, const char *order_id, size_t lines);
void given_partial(struct harness *harness, const char *order_id, size_t lines, bool auto_accept);
void given_confirming(struct harness *harness, const char *order_id, size_t lines);
void given_fulfilling(struct harness *harness, const char *order_id, size_t lines);
/* By the customer, from PENDING, nothing answered. */
void given_cancelling(struct harness *harness, const char *order_id, size_t lines);

/* ---- what it says ---- */

/* The next command to inventory. Commands share their first fields: read them as one kind. */
const struct reserve *expect_command(struct harness *harness, enum stock_command_branch what,
                                     const char *reservation_id);

/* The next event of an order, and that it says so. Events have the same fields. */
const struct order_accepted *expect_event(struct harness *harness, const char *order_id,
                                          enum order_event_branch what, enum order_reason reason);

/* The order's view: its state, and that it agrees with the counters in order's own state. */
const struct order_view *expect_state(struct harness *harness, const char *order_id,
                                      enum order_state state);

/* Nothing more was said, and so many records were counted as stale since the test began. */
void expect_stale(struct harness *harness, int64_t records);

#endif
