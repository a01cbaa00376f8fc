/* test_order_liveness.c - inventory gone mad: any reply, about any line, in any attempt, at any
 * time, any number of times, or never. Every order ends all the same, and its counters stay true.
 *
 * What it ends in cannot be judged then: that is test_shop.c's affair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "processor/saga.h"
#include "processors.h"

enum { ORDERS = 40, STEPS = 3000 };

static uint64_t seed;

static int up_to(int limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int)(seed % (uint64_t)limit);
}

static void anything_is_said(struct harness *harness, int orders)
{
    char id[40];
    snprintf(id, sizeof id, "O%d/%d/%d", up_to(orders), up_to(4) + 1, up_to(3) + 1);
    reply_because(harness, (enum stock_reply_branch)up_to(STOCK_REPLY_EXPIRED + 1), id,
                  (enum stock_reason)up_to(STOCK_REASON_RELEASED + 1));
}

/* Some luck, or no order would ever get far: the reply that most orders hope for. */
static void something_good_is_said(struct harness *harness, int orders)
{
    char id[40];
    snprintf(id, sizeof id, "O%d/%d/1", up_to(orders), up_to(3) + 1);
    reply(harness, up_to(2) ? STOCK_REPLY_RESERVED : STOCK_REPLY_COMMIT_OK, id);
}

static void live_through_madness(uint64_t its_seed)
{
    struct harness *harness = harness_open(&order_processor);
    int orders = 0;
    seed = its_seed * 0x9e3779b97f4a7c15 + 1;
    for (int i = 0; i < STEPS; i++) {
        if (i % (STEPS / ORDERS) == 0) {
            static char ids[ORDERS][20];
            snprintf(ids[orders], sizeof ids[0], "O%d", orders);
            struct place_order order = an_order(ids[orders++], (size_t)up_to(3) + 1);
            order.policy = up_to(2) ? ORDER_POLICY_PARTIAL : ORDER_POLICY_ALL_OR_NOTHING;
            order.auto_accept = up_to(2);
            place(harness, &order);
        } else if (up_to(2)) {
            something_good_is_said(harness, orders);
        } else {
            anything_is_said(harness, orders);
        }
        if (up_to(20) == 0) {
            harness_advance(harness, up_to(60) * 1000);
        }
    }
    harness_advance(harness, 2 * DAY);
    harness_advance(harness, 2 * DAY); /* T_saga, then T_comp */
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM placed_order"), ORDERS);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM placed_order WHERE state NOT IN"
                                             " ('FULFILLING', 'CANCELLED', 'PARKED')"),
                     0);
    for (int i = 0; i < ORDERS; i++) {
        char id[20];
        snprintf(id, sizeof id, "O%d", i);
        const struct order_view_record *view = harness_view(harness, &order_view_topic, id);
        assert_non_null(view);
        expect_state(harness, id, view->payload.order_view.state);
    }
    harness_close(harness);
}

static void every_order_ends_whatever_inventory_says(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 5; i++) {
        print_message("seed %d\n", (int)i);
        live_through_madness(i);
    }
}

static void every_order_ends_if_inventory_says_nothing(void **state)
{
    (void)state;
    struct harness *harness = harness_open(&order_processor);
    given_pending(harness, "O1", 3);
    given_confirming(harness, "O2", 3);
    harness_advance(harness, 10 * MINUTE);
    harness_advance(harness, 2 * DAY);
    expect_state(harness, "O1", IS(PARKED));
    expect_state(harness, "O2", IS(PARKED));
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM timer_row"), 0);
    harness_close(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_ends_whatever_inventory_says),
        cmocka_unit_test(every_order_ends_if_inventory_says_nothing),
    };
    return cmocka_run_group_tests_name("order, liveness", tests, NULL, NULL);
}
