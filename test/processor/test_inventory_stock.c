/* test_inventory_stock.c - stock that comes, is found, is lost; where it is taken from; backorders
 * that wait for it; what is remembered and for how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "processor/stock.h"
#include "processors.h"

#define NO_REASON     STOCK_REASON_NONE
#define BY(command)   STOCK_COMMAND_KIND_##command
#define REPLY(branch) STOCK_REPLY_##branch

static int set_up(void **state)
{
    *state = harness_open(&inventory_processor);
    return 0;
}

static int tear_down(void **state)
{
    harness_close(*state);
    return 0;
}

static void restock_at(struct harness *harness, const char *location_id, int32_t qty)
{
    send_restock(harness, &(struct restock){"A", location_id, qty, location_id});
}

static void expect_allocation(const struct reserved *reply, size_t index, const char *location_id,
                              int32_t qty)
{
    assert_true(index < reply->allocations.count);
    assert_string_equal(reply->allocations.items[index].location_id, location_id);
    assert_int_equal(reply->allocations.items[index].qty, qty);
}

/* ---- restock ---- */

static void counts_goods_that_arrive(void **state)
{
    struct harness *harness = *state;
    restock(harness, "D1", 10);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_RESTOCK, 10);
    assert_int_equal(movement->movement_seq, 1);
    assert_int_equal(movement->on_hand_after, 10);
    assert_string_equal(movement->ref_id, "D1");
    expect_level(harness, 10, 0, 0);
    harness_expect_nothing_more(harness);
}

static void puts_a_restock_without_location_into_the_main_one(void **state)
{
    struct harness *harness = *state;
    send_restock(harness, &(struct restock){"A", "D1", 10, ""});
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_RESTOCK, 10);
    assert_string_equal(movement->location_id, "MAIN");
}

static void counts_a_delivery_note_once(void **state)
{
    struct harness *harness = *state;
    restock(harness, "D1", 10);
    restock(harness, "D1", 10);
    expect_movement(harness, MOVEMENT_KIND_RESTOCK, 10);
    harness_expect_nothing_more(harness);
    assert_int_equal(harness_stale(harness), 1);
    harness_advance(harness, 2 * EIGHT_DAYS);
    restock(harness, "D1", 10);
    harness_expect_nothing_more(harness);
    expect_level(harness, 10, 0, 0);
}

static void does_not_take_another_quantity_under_the_same_delivery_note(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    restock(harness, "initial", 11);
    harness_expect_dead(harness, &stock_commands_topic, "conflict");
    expect_level(harness, 10, 0, 0);
}

static void takes_no_restock_of_nothing(void **state)
{
    struct harness *harness = *state;
    restock(harness, "D1", 0);
    harness_expect_dead(harness, &stock_commands_topic, "qty");
    restock(harness, "D2", -5);
    harness_expect_dead(harness, &stock_commands_topic, "qty");
    restock(harness, "", 5);
    harness_expect_dead(harness, &stock_commands_topic, "id");
    harness_expect_nothing_more(harness);
}

/* ---- adjust ---- */

static void corrects_a_count_upwards_and_downwards(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    adjust(harness, "N1", 2);
    assert_int_equal(expect_movement(harness, MOVEMENT_KIND_ADJUST, 2)->on_hand_after, 12);
    adjust(harness, "N2", -5);
    assert_int_equal(expect_movement(harness, MOVEMENT_KIND_ADJUST, -5)->on_hand_after, 7);
    adjust(harness, "N2", -5);
    harness_expect_nothing_more(harness);
    assert_int_equal(harness_stale(harness), 1);
    adjust(harness, "N2", -6);
    harness_expect_dead(harness, &stock_commands_topic, "conflict");
    adjust(harness, "N3", 0);
    harness_expect_dead(harness, &stock_commands_topic, "qty");
    expect_level(harness, 7, 0, 0);
}

static void adjusts_only_the_stock_that_it_expects(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    struct adjust command = {
        .sku = "A", .adjust_id = "N1", .delta = -1, .location_id = "MAIN", .expected_on_hand = 9};
    command.has_expected_on_hand = true;
    send_adjust(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "expected");
    command.expected_on_hand = 10;
    send_adjust(harness, &command);
    expect_movement(harness, MOVEMENT_KIND_ADJUST, -1);
    expect_level(harness, 9, 0, 0);
}

static void a_loss_revokes_the_newest_holds_first(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    reserve(harness, "O1/1/1", 4);
    reserve(harness, "O2/1/1", 2);
    reserve(harness, "O3/1/1", 3);
    harness_skip(harness);
    adjust(harness, "N1", -5); /* 10 - 5 = 5 on hand, 9 held: 4 too many */
    expect_movement(harness, MOVEMENT_KIND_EXPIRE, 3);
    expect_movement(harness, MOVEMENT_KIND_EXPIRE, 2);
    expect_movement(harness, MOVEMENT_KIND_ADJUST, -5);
    expect_reply(harness, REPLY(EXPIRED), "O3/1/1", BY(ADJUST), STOCK_REASON_EXPIRED);
    expect_reply(harness, REPLY(EXPIRED), "O2/1/1", BY(ADJUST), STOCK_REASON_EXPIRED);
    expect_level(harness, 5, 4, 0);
    commit(harness, "O2/1/1");
    expect_reply(harness, REPLY(COMMIT_REFUSED), "O2/1/1", BY(COMMIT), STOCK_REASON_EXPIRED);
    harness_advance(harness, TEN_MINUTES);
    expect_movement(harness, MOVEMENT_KIND_EXPIRE, 4); /* the others do not expire again */
    expect_reply(harness, REPLY(EXPIRED), "O1/1/1", BY(TIMER), STOCK_REASON_EXPIRED);
    harness_expect_nothing_more(harness);
}

static void a_loss_that_no_hold_can_cover_changes_nothing(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    reserve(harness, "O1/1/1", 6);
    commit(harness, "O1/1/1");
    reserve(harness, "O2/1/1", 3);
    harness_skip(harness);
    adjust(harness, "N1", -5);
    harness_expect_dead(harness, &stock_commands_topic, "committed");
    expect_level(harness, 10, 3, 6);
    harness_expect_nothing_more(harness);
    adjust(harness, "N1", -4); /* this the hold can cover; the id was not used up */
    expect_movement(harness, MOVEMENT_KIND_EXPIRE, 3);
    expect_movement(harness, MOVEMENT_KIND_ADJUST, -4);
    expect_level(harness, 6, 0, 6);
}

static void a_loss_revokes_only_holds_of_its_own_location(void **state)
{
    struct harness *harness = *state;
    restock_at(harness, "NORTH", 5);
    struct reserve command = a_reserve("O1/1/1", 5);
    send_reserve(harness, &command);
    restock_at(harness, "SOUTH", 5);
    reserve(harness, "O2/1/1", 5);
    harness_skip(harness);
    send_adjust(harness, &(struct adjust){
                             .sku = "A", .adjust_id = "N1", .delta = -1, .location_id = "NORTH"});
    expect_reply(harness, REPLY(EXPIRED), "O1/1/1", BY(ADJUST), STOCK_REASON_EXPIRED);
    expect_level(harness, 9, 5, 0);
}

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
        expect_reply(harness, REPLY(RESERVED), "O1/1/1", BY(RESERVE), NO_REASON);
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
        expect_reply(harness, REPLY(RESERVED), "O1/1/1", BY(RESERVE), NO_REASON);
    expect_allocation(reply, 0, "SOUTH", 5);
    command.reservation_id = "O2/1/1";
    command.order_id = "O2";
    send_reserve(harness, &command); /* 4 + 1 are left */
    expect_reply(harness, REPLY(REFUSED), "O2/1/1", BY(RESERVE), STOCK_REASON_OUT_OF_STOCK);
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
        expect_reply(harness, REPLY(RESERVED), "O2/1/1", BY(BACKFILL), NO_REASON);
    assert_int_equal(reply->expires_ms, harness_sent_ms(harness) + TEN_MINUTES);
    assert_int_equal(reply->available_after, 4);
    expect_reply(harness, REPLY(RESERVED), "O1/1/1", BY(BACKFILL), NO_REASON);
    expect_movement(harness, MOVEMENT_KIND_RESTOCK, 8);
    assert_int_equal(expect_movement(harness, MOVEMENT_KIND_BACKFILL, 4)->backordered_after, 5);
    assert_int_equal(expect_movement(harness, MOVEMENT_KIND_BACKFILL, 3)->backordered_after, 2);
    harness_expect_nothing_more(harness); /* one unit is left, O3 wants two */
    expect_level(harness, 8, 7, 0);
    commit(harness, "O2/1/1");
    expect_reply(harness, REPLY(COMMIT_OK), "O2/1/1", BY(COMMIT), NO_REASON);
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
    expect_reply(harness, REPLY(RELEASED), "O1/1/1", BY(RELEASE), NO_REASON);
    expect_reply(harness, REPLY(RESERVED), "O2/1/1", BY(BACKFILL), NO_REASON);
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
    expect_reply(harness, REPLY(RELEASED), "O1/1/1", BY(RELEASE), NO_REASON);
    expect_reply(harness, REPLY(RESERVED), "O2/1/1", BY(BACKFILL), NO_REASON);
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
        expect_reply(harness, REPLY(RESERVED), ids[i], BY(BACKFILL), NO_REASON);
    }
    expect_level(harness, MANY, MANY, 0);
}

/* ---- what is remembered ---- */

static void forgets_tombstones_after_eight_days(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    reserve(harness, "O1/1/1", 1);
    release(harness, "O1/1/1");
    reserve(harness, "O2/1/1", 1);
    commit(harness, "O2/1/1");
    reserve(harness, "O3/1/1", 99);
    release(harness, "O4/1/1");
    reserve(harness, "O5/1/1", 1);
    harness_advance(harness, TEN_MINUTES);
    harness_advance(harness, EIGHT_DAYS - 2 * TEN_MINUTES);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM reservation"), 5);
    harness_advance(harness, 3 * TEN_MINUTES);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM reservation"), 1);
    expect_level(harness, 10, 0, 1); /* what is committed stays, until it is shipped */
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM timer_row"), 0);
}

static void remembers_everything_across_a_restart(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    reserve(harness, "O1/1/1", 4);
    harness_skip(harness);
    harness_restart(harness);
    commit(harness, "O1/1/1");
    expect_reply(harness, REPLY(COMMIT_OK), "O1/1/1", BY(COMMIT), NO_REASON);
    expect_level(harness, 10, 0, 4);
}

/* ---- bad commands ---- */

static void rejects_commands_that_make_no_sense(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    struct reserve command = a_reserve("O1/1/1", 0);
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "qty");
    command = a_reserve("O1/1/1", -3);
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "qty");
    command = a_reserve("O1/1/1", 1);
    command.ttl_ms = 0;
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "ttl");
    command = a_reserve("O1/1/1", 1);
    command.ttl_ms = INT64_MAX;
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "ttl");
    command = a_reserve("O1/1/1", 1);
    command.reservation_id = "";
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "id");
    extend(harness, "O1/1/1", -1);
    harness_expect_dead(harness, &stock_commands_topic, "ttl");
    send_release(harness, &(struct release){"O1/1/1", "O1", 1, "A", ORDER_REASON_NONE, true, 0});
    harness_expect_dead(harness, &stock_commands_topic, "qty");
    harness_expect_nothing_more(harness);
}

static void takes_no_command_for_somebody_elses_reservation(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, RESERVATION_STATE_HELD);
    send_release(harness, &(struct release){"O1/1/1", "O2", 1, "A", ORDER_REASON_NONE, false, 0});
    harness_expect_dead(harness, &stock_commands_topic, "conflict");
    send_release(harness, &(struct release){"O1/1/1", "O1", 1, "B", ORDER_REASON_NONE, false, 0});
    harness_expect_dead(harness, &stock_commands_topic, "conflict");
    expect_level(harness, 10, 3, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_goods_that_arrive),
        TEST(puts_a_restock_without_location_into_the_main_one),
        TEST(counts_a_delivery_note_once),
        TEST(does_not_take_another_quantity_under_the_same_delivery_note),
        TEST(takes_no_restock_of_nothing),
        TEST(corrects_a_count_upwards_and_downwards),
        TEST(adjusts_only_the_stock_that_it_expects),
        TEST(a_loss_revokes_the_newest_holds_first),
        TEST(a_loss_that_no_hold_can_cover_changes_nothing),
        TEST(a_loss_revokes_only_holds_of_its_own_location),
        TEST(takes_from_the_preferred_location_first),
        TEST(does_not_split_what_must_stay_together),
        TEST(writes_a_movement_for_every_location),
        TEST(fills_backorders_first_promised_first_come),
        TEST(a_hold_that_ends_fills_a_backorder),
        TEST(nobody_overtakes_a_backorder_that_does_not_fit_yet),
        TEST(fills_any_number_of_backorders),
        TEST(forgets_tombstones_after_eight_days),
        TEST(remembers_everything_across_a_restart),
        TEST(rejects_commands_that_make_no_sense),
        TEST(takes_no_command_for_somebody_elses_reservation),
    };
    return cmocka_run_group_tests_name("inventory, stock", tests, NULL, NULL);
}
