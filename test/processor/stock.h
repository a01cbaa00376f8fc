/* stock.h - words for tests of inventory: its commands, replies and movements, in one line each.
 *
 * A reservation is named "O1/1/1": order, line, attempt. Unless said otherwise it is of SKU "A", by
 * customer "C1", for ten minutes.
 */
#ifndef WEIR_TEST_PROCESSOR_STOCK_H
#define WEIR_TEST_PROCESSOR_STOCK_H

#include "processor/harness.h"

#define TEN_MINUTES INT64_C(600000)
#define EIGHT_DAYS  INT64_C(691200000)

/* Some STOCK_REPLY, STOCK_COMMAND_KIND and STOCK_REASON, shorter. */
#define SAYS(branch) STOCK_REPLY_##branch
#define TO(command)  STOCK_COMMAND_KIND_##command
#define WHY(reason)  STOCK_REASON_##reason

/* ---- commands ---- */

struct reserve a_reserve(const char *id, int32_t qty);
void send_reserve(struct harness *harness, const struct reserve *command);
void send_release(struct harness *harness, const struct release *command);
void send_restock(struct harness *harness, const struct restock *command);
void send_adjust(struct harness *harness, const struct adjust *command);

void reserve(struct harness *harness, const char *id, int32_t qty);
void extend(struct harness *harness, const char *id, int64_t ttl_ms);
void commit(struct harness *harness, const char *id);
void release(struct harness *harness, const char *id);
void restock(struct harness *harness, const char *receipt_id, int32_t qty);
void restock_at(struct harness *harness, const char *location_id, int32_t qty);
void adjust(struct harness *harness, const char *adjust_id, int32_t delta);

/* ---- where a test begins; outputs on the way are skipped ---- */

void given_stock(struct harness *harness, int32_t qty);

/* Before the first record: SKU A is empty and takes so many units of backorders. */
void given_backorder_limit(struct harness *harness, int64_t limit);

/* The reservation O1/1/1 of 3 units in this state; of 10 units on hand 7 are left in HELD,
 * COMMITTED and SHIPPED, none were there in BACKORDERED and REFUSED, and all 10 in the others.
 * First in a test. */
void given_reservation(struct harness *harness, enum reservation_state state);

/* ---- what came of it ---- */

/* The next reply. All replies have the same fields: read them as one kind. */
const struct reserved *expect_reply(struct harness *harness, enum stock_reply_branch what,
                                    const char *id, enum stock_command_kind answers,
                                    enum stock_reason reason);

/* That the reply's stock number `index` is so much at this location. */
void expect_allocation(const struct reserved *reply, size_t index, const char *location_id,
                       int32_t qty);

/* The next movement of SKU A; its number follows the last one's. */
const struct stock_movement *expect_movement(struct harness *harness, enum movement_kind kind,
                                             int32_t qty);

/* The view of SKU A. */
void expect_level(struct harness *harness, int64_t on_hand, int64_t held, int64_t committed);

#endif
