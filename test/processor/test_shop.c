/* test_shop.c - order and inventory together, on random days: whatever customers, warehouse and
 * time do, every order comes to an end, and the stock agrees with the orders to the unit.
 *
 * A day is made from a seed; WEIR_TEST_SEED runs one day alone.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processor/saga.h"
#include "processors.h"

enum { DAYS = 12, STEPS = 250, SKUS = 5, ORDERS_MAX = STEPS };

struct day {
    struct harness *order, *inventory;
    uint64_t seed;
    int orders, papers; /* papers: receipts and adjustments */
    char ids[ORDERS_MAX][16];
};

static int up_to(struct day *day, int limit)
{
    day->seed ^= day->seed << 13;
    day->seed ^= day->seed >> 7;
    day->seed ^= day->seed << 17;
    return (int)(day->seed % (uint64_t)limit);
}

static const char *any_sku(struct day *day)
{
    static const char *const skus[SKUS] = {"A", "B", "C", "D", "E"};
    return skus[up_to(day, SKUS)];
}

/* ---- what happens on a day ---- */

static void a_customer_orders(struct day *day)
{
    char *id = day->ids[day->orders];
    snprintf(id, sizeof day->ids[0], "O%d", day->orders++);
    struct place_order order = an_order(id, (size_t)up_to(day, 4) + 1);
    order.grand_total = order.shipping_fee;
    for (size_t i = 0; i < order.lines.count; i++) {
        struct order_line *line = &order.lines.items[i];
        line->sku = any_sku(day);
        line->qty = up_to(day, 4) + 1;
        line->line_total = line->qty * line->unit_price;
        order.grand_total += line->line_total;
    }
    order.policy = up_to(day, 2) ? ORDER_POLICY_PARTIAL : ORDER_POLICY_ALL_OR_NOTHING;
    order.auto_accept = up_to(day, 2);
    place(day->order, &order);
}

static void a_customer_cancels(struct day *day)
{
    if (day->orders > 0) {
        cancel(day->order, day->ids[up_to(day, day->orders)]);
    }
}

static void goods_arrive(struct day *day)
{
    char id[20];
    snprintf(id, sizeof id, "D%d", day->papers++);
    const char *const locations[] = {"NORTH", "SOUTH"};
    struct restock restock = {any_sku(day), id, up_to(day, 20) + 1, locations[up_to(day, 2)]};
    harness_send(day->inventory, &stock_commands_topic, restock.sku,
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_RESTOCK,
                                         .payload.restock = restock});
}

static void somebody_counts(struct day *day)
{
    char id[20];
    snprintf(id, sizeof id, "N%d", day->papers++);
    struct adjust adjust = {.sku = any_sku(day),
                            .adjust_id = id,
                            .delta = up_to(day, 9) - 6,
                            .location_id = "NORTH"};
    harness_send(day->inventory, &stock_commands_topic, adjust.sku,
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_ADJUST,
                                         .payload.adjust = adjust});
}

static void time_goes_by(struct day *day, int64_t ms)
{
    /* either may lag behind the other */
    struct harness *first = up_to(day, 2) ? day->order : day->inventory;
    harness_advance(first, ms);
    if (up_to(day, 3)) {
        harness_advance(first == day->order ? day->inventory : day->order, 1);
    }
}

static void step(struct day *day)
{
    int dice = up_to(day, 100);
    if (dice < 55) {
        a_customer_orders(day);
    } else if (dice < 63) {
        a_customer_cancels(day);
    } else if (dice < 72) {
        goods_arrive(day);
    } else if (dice < 77) {
        somebody_counts(day);
    } else if (dice < 80) {
        time_goes_by(day, up_to(day, 12) * MINUTE);
    } else if (dice < 82) {
        harness_restart(up_to(day, 2) ? day->order : day->inventory);
    } else {
        time_goes_by(day, up_to(day, 100));
    }
}

static void let_everything_end(struct day *day)
{
    for (int round = 0; round < 3; round++) {
        for (int turn = 0; turn < 10; turn++) {
            harness_advance(day->order, 1);
            harness_advance(day->inventory, 1);
        }
        harness_advance(day->order, 15 * MINUTE); /* beyond every time-out but T_comp */
        harness_advance(day->inventory, 1);
    }
}

/* ---- what must be true in the evening ---- */

static void check_orders(struct day *day)
{
    assert_int_equal(harness_number(day->order, "SELECT count(*) FROM placed_order"), day->orders);
    assert_int_equal(harness_number(day->order, "SELECT count(*) FROM placed_order WHERE state NOT"
                                                " IN ('FULFILLING', 'CANCELLED')"),
                     0);
    /* nothing is half done: all lines of a whole order, none of a cancelled one */
    assert_int_equal(
        harness_number(day->order,
                       "SELECT count(*) FROM placed_line l JOIN placed_order o USING (order_id)"
                       " WHERE l.state NOT IN ('COMMITTED', 'REFUSED', 'EXPIRED', 'RELEASED')"
                       " OR (o.state = 'CANCELLED' AND l.state = 'COMMITTED')"
                       " OR (o.state = 'FULFILLING' AND l.state != 'COMMITTED'"
                       "     AND o.policy = 'ALL_OR_NOTHING')"),
        0);
    assert_int_equal(
        harness_number(day->order,
                       "SELECT count(*) FROM placed_order o WHERE state = 'FULFILLING' AND"
                       " accepted_total != shipping_fee + (SELECT total(line_total) FROM"
                       " placed_line l WHERE l.order_id = o.order_id AND l.state = 'COMMITTED')"),
        0);
}

static void check_events(struct day *day)
{
    static int64_t last_seq[ORDERS_MAX];
    static bool ended[ORDERS_MAX];
    memset(last_seq, 0, sizeof last_seq);
    memset(ended, 0, sizeof ended);
    const struct order_event *event;
    while ((event = harness_next(day->order, &order_events_topic))) {
        const struct order_accepted *fields = &event->payload.order_accepted;
        long number = strtol(fields->order_id + 1, NULL, 10);
        assert_false(ended[number]); /* nothing after the end */
        assert_int_equal(event->agg_seq, ++last_seq[number]);
        ended[number] = event->payload_branch == ORDER_EVENT_ORDER_CONFIRMED ||
                        event->payload_branch == ORDER_EVENT_ORDER_CANCELLED;
    }
    for (int i = 0; i < day->orders; i++) {
        assert_true(ended[i]);
    }
}

static void check_stock(struct day *day)
{
    struct harness *inventory = day->inventory;
    int64_t committed =
        harness_number(inventory,
                       "SELECT CAST(total(open_qty) AS INTEGER) FROM reservation WHERE state ="
                       " 'COMMITTED'");
    assert_int_equal(committed,
                     harness_number(day->order, "SELECT CAST(total(qty) AS INTEGER) FROM"
                                                " placed_line WHERE state = 'COMMITTED'"));
    assert_int_equal(committed, harness_number(inventory, "SELECT CAST(total(committed) AS"
                                                          " INTEGER) FROM stock_level"));
    assert_int_equal(harness_number(inventory, "SELECT count(*) FROM reservation WHERE state IN"
                                               " ('HELD', 'BACKORDERED')"),
                     0);
    assert_int_equal(harness_number(inventory, "SELECT count(*) FROM stock_level WHERE held != 0"),
                     0);
}

/* The ledger alone tells the balances: without gaps, each movement from the one before. */
static void check_ledger(struct day *day)
{
    int64_t seq[SKUS] = {0}, sum[SKUS] = {0};
    const struct stock_ledger_entry *entry;
    while ((entry = harness_next(day->inventory, &stock_ledger_topic))) {
        const struct stock_movement *movement = &entry->payload.stock_movement;
        int sku = movement->sku[0] - 'A';
        assert_int_equal(movement->movement_seq, ++seq[sku]);
        if (movement->kind == MOVEMENT_KIND_RESTOCK || movement->kind == MOVEMENT_KIND_ADJUST) {
            sum[sku] += movement->qty;
        }
        assert_true(movement->held_after >= 0 && movement->committed_after >= 0);
        assert_true(movement->held_after + movement->committed_after <= movement->on_hand_after);
    }
    for (int i = 0; i < SKUS; i++) {
        const char sku[] = {(char)('A' + i), 0};
        const struct stock_level_record *view =
            harness_view(day->inventory, &stock_levels_topic, sku);
        assert_int_equal(view ? view->payload.stock_level_view.on_hand : 0, sum[i]);
        assert_int_equal(view ? view->payload.stock_level_view.movement_seq : 0, seq[i]);
    }
}

static void live_a_day(uint64_t seed)
{
    struct day day = {.seed = seed * 0x9e3779b97f4a7c15 + 1};
    day.order = harness_open(&order_processor);
    day.inventory = harness_open_beside(day.order, &inventory_processor);
    for (int i = 0; i < SKUS; i++) {
        goods_arrive(&day);
    }
    for (int i = 0; i < STEPS; i++) {
        step(&day);
    }
    let_everything_end(&day);
    check_orders(&day);
    check_events(&day);
    check_stock(&day);
    check_ledger(&day);
    harness_close(day.inventory);
    harness_close(day.order);
}

static void every_order_ends_and_the_stock_agrees(void **state)
{
    (void)state;
    const char *seed = getenv("WEIR_TEST_SEED");
    if (seed) {
        live_a_day(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= DAYS; i++) {
        print_message("day %" PRIu64 "\n", i);
        live_a_day(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_order_ends_and_the_stock_agrees)};
    return cmocka_run_group_tests_name("shop", tests, NULL, NULL);
}
