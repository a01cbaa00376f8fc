/* stock.c - see stock.h. */
#include "processor/stock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The order of a reservation's name: "O1" of "O1/1/1". Good for the next few calls. */
static const char *order_of(const char *id)
{
    static char orders[16][200];
    static unsigned next;
    char *order = orders[next++ % 16];
    snprintf(order, sizeof orders[0], "%.*s", (int)strcspn(id, "/"), id);
    return order;
}

static int32_t line_of(const char *id)
{
    return (int32_t)strtol(id + strcspn(id, "/") + 1, NULL, 10);
}

/* ---- commands ---- */

struct reserve a_reserve(const char *id, int32_t qty)
{
    return (struct reserve){
        .reservation_id = id,
        .order_id = order_of(id),
        .line_no = line_of(id),
        .sku = "A",
        .qty = qty,
        .allow_split = true,
        .ttl_ms = TEN_MINUTES,
        .customer_id = "C1",
    };
}

void send_reserve(struct harness *harness, const struct reserve *command)
{
    harness_send(harness, &stock_commands_topic, command->sku,
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_RESERVE,
                                         .payload.reserve = *command});
}

void send_release(struct harness *harness, const struct release *command)
{
    harness_send(harness, &stock_commands_topic, command->sku,
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_RELEASE,
                                         .payload.release = *command});
}

void send_restock(struct harness *harness, const struct restock *command)
{
    harness_send(harness, &stock_commands_topic, command->sku,
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_RESTOCK,
                                         .payload.restock = *command});
}

void send_adjust(struct harness *harness, const struct adjust *command)
{
    harness_send(harness, &stock_commands_topic, command->sku,
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_ADJUST,
                                         .payload.adjust = *command});
}

void reserve(struct harness *harness, const char *id, int32_t qty)
{
    const struct reserve command = a_reserve(id, qty);
    send_reserve(harness, &command);
}

void extend(struct harness *harness, const char *id, int64_t ttl_ms)
{
    harness_send(harness, &stock_commands_topic, "A",
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_EXTEND,
                                         .payload.extend = {id, order_of(id), line_of(id), "A",
                                                            ttl_ms}});
}

void commit(struct harness *harness, const char *id)
{
    harness_send(harness, &stock_commands_topic, "A",
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_COMMIT,
                                         .payload.commit = {id, order_of(id), line_of(id), "A"}});
}

void release(struct harness *harness, const char *id)
{
    send_release(harness, &(struct release){.reservation_id = id,
                                            .order_id = order_of(id),
                                            .line_no = line_of(id),
                                            .sku = "A",
                                            .reason = ORDER_REASON_CUSTOMER});
}

void restock(struct harness *harness, const char *receipt_id, int32_t qty)
{
    send_restock(harness, &(struct restock){"A", receipt_id, qty, "MAIN"});
}

void restock_at(struct harness *harness, const char *location_id, int32_t qty)
{
    send_restock(harness, &(struct restock){"A", location_id, qty, location_id});
}

void adjust(struct harness *harness, const char *adjust_id, int32_t delta)
{
    send_adjust(harness, &(struct adjust){.sku = "A",
                                          .adjust_id = adjust_id,
                                          .delta = delta,
                                          .reason = ADJUST_REASON_COUNT,
                                          .location_id = "MAIN"});
}

/* ---- where a test begins ---- */

void given_stock(struct harness *harness, int32_t qty)
{
    restock(harness, "initial", qty);
    harness_skip(harness);
}

void given_backorder_limit(struct harness *harness, int64_t limit)
{
    harness_given_row(harness, &stock_level_store,
                      &(struct stock_level){.sku = "A", .backorder_limit = limit});
}

static void given_shipped(struct harness *harness)
{
    struct stock_location main_location = {.location_id = "MAIN", .on_hand = 7};
    harness_given_row(harness, &stock_level_store,
                      &(struct stock_level){.sku = "A",
                                            .on_hand = 7,
                                            .locations = {&main_location, 1}});
    harness_given_row(harness, &reservation_store,
                      &(struct reservation){
                          .reservation_id = "O1/1/1",
                          .order_id = "O1",
                          .line_no = 1,
                          .sku = "A",
                          .state = RESERVATION_STATE_SHIPPED,
                          .qty = 3,
                          .customer_id = "C1",
                          .allow_split = true,
                          .ttl_ms = TEN_MINUTES,
                      });
}

void given_reservation(struct harness *harness, enum reservation_state state)
{
    switch (state) {
    case RESERVATION_STATE_HELD:
        given_stock(harness, 10);
        reserve(harness, "O1/1/1", 3);
        break;
    case RESERVATION_STATE_BACKORDERED: {
        given_backorder_limit(harness, 100);
        struct reserve command = a_reserve("O1/1/1", 3);
        command.backorder_ok = true;
        send_reserve(harness, &command);
        break;
    }
    case RESERVATION_STATE_COMMITTED:
        given_stock(harness, 10);
        reserve(harness, "O1/1/1", 3);
        commit(harness, "O1/1/1");
        break;
    case RESERVATION_STATE_SHIPPED:
        given_shipped(harness);
        break;
    case RESERVATION_STATE_RELEASED:
        given_stock(harness, 10);
        reserve(harness, "O1/1/1", 3);
        release(harness, "O1/1/1");
        break;
    case RESERVATION_STATE_EXPIRED:
        given_stock(harness, 10);
        reserve(harness, "O1/1/1", 3);
        harness_advance(harness, TEN_MINUTES);
        break;
    case RESERVATION_STATE_REFUSED:
        reserve(harness, "O1/1/1", 3);
        break;
    case RESERVATION_STATE_FENCED:
        given_stock(harness, 10);
        release(harness, "O1/1/1");
        break;
    }
    if (state != RESERVATION_STATE_SHIPPED) {
        harness_skip(harness);
    }
}

/* ---- what came of it ---- */

const struct reserved *expect_reply(struct harness *harness, enum stock_reply_branch what,
                                    const char *id, enum stock_command_kind answers,
                                    enum stock_reason reason)
{
    const struct stock_reply *reply = harness_expect(harness, &stock_replies_topic, order_of(id));
    const struct reserved *fields = &reply->payload.reserved;
    assert_int_equal(reply->payload_branch, what);
    assert_string_equal(fields->reservation_id, id);
    assert_string_equal(fields->order_id, order_of(id));
    assert_int_equal(fields->line_no, line_of(id));
    assert_string_equal(stock_command_kind_name(fields->command), stock_command_kind_name(answers));
    assert_string_equal(stock_reason_name(fields->reason), stock_reason_name(reason));
    return fields;
}

void expect_allocation(const struct reserved *reply, size_t index, const char *location_id,
                       int32_t qty)
{
    assert_true(index < reply->allocations.count);
    assert_string_equal(reply->allocations.items[index].location_id, location_id);
    assert_int_equal(reply->allocations.items[index].qty, qty);
}

const struct stock_movement *expect_movement(struct harness *harness, enum movement_kind kind,
                                             int32_t qty)
{
    const struct stock_ledger_entry *entry = harness_expect(harness, &stock_ledger_topic, "A");
    const struct stock_movement *movement = &entry->payload.stock_movement;
    assert_string_equal(movement_kind_name(movement->kind), movement_kind_name(kind));
    assert_int_equal(movement->qty, qty);
    assert_int_equal(entry->agg_seq, movement->movement_seq);
    return movement;
}

void expect_level(struct harness *harness, int64_t on_hand, int64_t held, int64_t committed)
{
    const struct stock_level_record *record = harness_view(harness, &stock_levels_topic, "A");
    assert_non_null(record);
    const struct stock_level_view *level = &record->payload.stock_level_view;
    assert_int_equal(level->on_hand, on_hand);
    assert_int_equal(level->held, held);
    assert_int_equal(level->committed, committed);
    assert_int_equal(level->available, on_hand - held - committed - level->unavailable);
}
