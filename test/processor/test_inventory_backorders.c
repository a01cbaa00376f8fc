/* test_inventory_backorders.c - where stock is taken from, and who gets it first.
 */
#include <stdio.h>

#include "processor/fixture.h"
#include "processor/stock.h"

FIXTURE(inventory_processor);

/* ---- where stock is taken from ---- */

static void takes_from_the_preferred_location_first(void **state)
{
    struct harness *harness = *state;
    restock_at(harness, "NORTH", 9);
    restock_at(harness, "SOUTH", 3);
    restock_at(harness, "WEST", 5);
    const char *preferred[] = {"NOWHERE", "SOUTH"};
    struct reserve command = a_reserve("O1/1/1", 10);
    command.location_pref = (struct shop_string_array){preferred, 2};
    send_reserve(harness, &command);
    const struct reserved *reply =
        expect_reply(harness, SAYS(RESERVED), "O1/1/1", TO(RESERVE), WHY(NONE));
    assert_int_equal(reply->allocations.count, 2);
    expect_allocation(reply, 0, "SOUTH", 3); /* then where there is most */
    expect_allocation(reply, 1, "NORTH", 7);
}

static void does_not_split_what_must_stay_together(void **state)
{
    struct harness *harness = *state;
    restock_at(harness, "NORTH", 4);
    restock_at(harness, "SOUTH", 6);
    const char *preferred[] = {"NORTH"};
    struct reserve command = a_reserve("O1/1/1", 5);
    command.location_pref = (struct shop_string_array){preferred, 1};
    command.allow_split = false;
    send_reserve(harness, &command);
    const struct reserved *reply =
        expect_reply(harness, SAYS(RESERVED), "O1/1/1", TO(RESERVE), WHY(NONE));
    expect_allocation(reply, 0, "SOUTH", 5);
    command.reservation_id = "O2/1/1";
    command.order_id = "O2";
    send_reserve(harness, &command); /* 4 + 1 are left */
    expect_reply(harness, SAYS(REFUSED), "O2/1/1", TO(RESERVE), WHY(OUT_OF_STOCK));
}

static void writes_a_movement_for_every_location(void **state)
{
    struct harness *harness = *state;
    restock_at(harness, "NORTH", 4);
    restock_at(harness, "SOUTH", 6);
    harness_skip(harness);
    reserve(harness, "O1/1/1", 10);
    const struct stock_movement *first = expect_movement(harness, MOVEMENT_KIND_RESERVE, 6);
    assert_string_equal(first->location_id, "SOUTH");
    assert_int_equal(first->held_after, 6);
    const struct stock_movement *second = expect_movement(harness, MOVEMENT_KIND_RESERVE, 4);
    assert_string_equal(second->location_id, "NORTH");
    assert_int_equal(second->held_after, 4);
    assert_int_equal(second->movement_seq, first->movement_seq + 1);
    release(harness, "O1/1/1");
    assert_string_equal(expect_movement(harness, MOVEMENT_KIND_RELEASE, 4)->location_id, "NORTH");
    assert_string_equal(expect_movement(harness, MOVEMENT_KIND_RELEASE, 6)->location_id, "SOUTH");
    expect_level(harness, 10, 0, 0);
}

/* ---- backorders ---- */

static void backorder(struct harness *harness, const char *id, int32_t qty, int64_t promise_ms)
{
    struct reserve command = a_reserve(id, qty);
    command.backorder_ok = true;
    command.promise_ms = promise_ms;
    send_reserve(harness, &command);
}

static void fills_backorders_first_promised_first_come(void **state)
{
    struct harness *harness = *state;
    given_backorder_limit(harness, 100);
    backorder(harness, "O1/1/1", 3, 2000);
    backorder(harness, "O2/1/1", 4, 1000);
    backorder(harness, "O3/1/1", 2, 2000);
    harness_advance(harness, 1000);
    harness_skip(harness);
    restock(harness, "D1", 8);
    const struct reserved *reply =
        expect_reply(harness, SAYS(RESERVED), "O2/1/1", TO(BACKFILL), WHY(NONE));
    assert_int_equal(reply->expires_ms, harness_sent_ms(harness) + TEN_MINUTES);
    assert_int_equal(reply->available_after, 4);
    expect_reply(harness, SAYS(RESERVED), "O1/1/1", TO(BACKFILL), WHY(NONE));
    expect_movement(harness, MOVEMENT_KIND_RESTOCK, 8);
    assert_int_equal(expect_movement(harness, MOVEMENT_KIND_BACKFILL, 4)->backordered_after, 5);
    assert_int_equal(expect_movement(harness, MOVEMENT_KIND_BACKFILL, 3)->backordered_after, 2);
    harness_expect_nothing_more(harness); /* one unit is left, O3 wants two */
    expect_level(harness, 8, 7, 0);
    commit(harness, "O2/1/1");
    expect_reply(harness, SAYS(COMMIT_OK), "O2/1/1", TO(COMMIT), WHY(NONE));
}

static void a_hold_that_ends_fills_a_backorder(void **state)
{
    struct harness *harness = *state;
    given_backorder_limit(harness, 100);
    restock(harness, "D1", 3);
    reserve(harness, "O1/1/1", 3);
    harness_advance(harness, 1000);
    backorder(harness, "O2/1/1", 3, 0);
    harness_skip(harness);
    release(harness, "O1/1/1");
    expect_reply(harness, SAYS(RELEASED), "O1/1/1", TO(RELEASE), WHY(NONE));
    expect_reply(harness, SAYS(RESERVED), "O2/1/1", TO(BACKFILL), WHY(NONE));
    expect_level(harness, 3, 3, 0);
}

static void nobody_overtakes_a_backorder_that_does_not_fit_yet(void **state)
{
    struct harness *harness = *state;
    given_backorder_limit(harness, 100);
    backorder(harness, "O1/1/1", 5, 0);
    backorder(harness, "O2/1/1", 1, 0);
    harness_skip(harness);
    restock(harness, "D1", 2);
    expect_movement(harness, MOVEMENT_KIND_RESTOCK, 2);
    harness_expect_nothing_more(harness);
    release(harness, "O1/1/1"); /* the first in the queue goes: the next one fits */
    expect_reply(harness, SAYS(RELEASED), "O1/1/1", TO(RELEASE), WHY(NONE));
    expect_reply(harness, SAYS(RESERVED), "O2/1/1", TO(BACKFILL), WHY(NONE));
}

static void fills_what_is_left_of_a_backorder(void **state)
{
    struct harness *harness = *state;
    given_backorder_limit(harness, 100);
    backorder(harness, "O1/1/1", 5, 0);
    send_release(harness, &(struct release){"O1/1/1", "O1", 1, "A", ORDER_REASON_NONE, true, 3});
    harness_skip(harness);
    restock(harness, "D1", 4);
    expect_reply(harness, SAYS(RESERVED), "O1/1/1", TO(BACKFILL), WHY(NONE));
    expect_level(harness, 4, 2, 0);
    assert_int_equal(harness_number(harness, "SELECT backordered FROM stock_level"), 0);
}

static void fills_any_number_of_backorders(void **state)
{
    struct harness *harness = *state;
    enum { MANY = 1234 };
    given_backorder_limit(harness, MANY);
    static char ids[MANY][20];
    for (int i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof ids[i], "O%d/1/1", i);
        backorder(harness, ids[i], 1, 0);
    }
    harness_skip(harness);
    restock(harness, "D1", MANY);
    for (int i = 0; i < MANY; i++) {
        expect_reply(harness, SAYS(RESERVED), ids[i], TO(BACKFILL), WHY(NONE));
    }
    expect_level(harness, MANY, MANY, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_from_the_preferred_location_first),
        TEST(does_not_split_what_must_stay_together),
        TEST(writes_a_movement_for_every_location),
        TEST(fills_backorders_first_promised_first_come),
        TEST(a_hold_that_ends_fills_a_backorder),
        TEST(nobody_overtakes_a_backorder_that_does_not_fit_yet),
        TEST(fills_what_is_left_of_a_backorder),
        TEST(fills_any_number_of_backorders),
    };
    return cmocka_run_group_tests_name("inventory, allocation and backorders", tests, NULL, NULL);
}
