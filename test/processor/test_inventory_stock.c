/* test_inventory_stock.c - stock that comes, is found, is lost; what is remembered and for how
 * long; commands that make no sense.
 */
#include <stdio.h>

#include "processor/fixture.h"
#include "processor/stock.h"

FIXTURE(inventory_processor);

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
    expect_reply(harness, SAYS(EXPIRED), "O3/1/1", TO(ADJUST), WHY(EXPIRED));
    expect_reply(harness, SAYS(EXPIRED), "O2/1/1", TO(ADJUST), WHY(EXPIRED));
    expect_level(harness, 5, 4, 0);
    commit(harness, "O2/1/1");
    expect_reply(harness, SAYS(COMMIT_REFUSED), "O2/1/1", TO(COMMIT), WHY(EXPIRED));
    harness_advance(harness, TEN_MINUTES);
    expect_movement(harness, MOVEMENT_KIND_EXPIRE, 4); /* the others do not expire again */
    expect_reply(harness, SAYS(EXPIRED), "O1/1/1", TO(TIMER), WHY(EXPIRED));
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
    expect_reply(harness, SAYS(EXPIRED), "O1/1/1", TO(ADJUST), WHY(EXPIRED));
    expect_level(harness, 9, 5, 0);
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
    expect_reply(harness, SAYS(COMMIT_OK), "O1/1/1", TO(COMMIT), WHY(NONE));
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

static void rejects_names_and_lists_that_are_too_long(void **state)
{
    struct harness *harness = *state;
    static const char *many[101];
    for (int i = 0; i < 101; i++) {
        many[i] = "MAIN";
    }
    const char *long_one = "123456789-123456789-123456789-123456789-123456789-123456789-12345";
    const char *longer = "123456789-123456789-123456789-123456789-123456789-123456789-"
                         "123456789-123456789-123456789-123456789-123456789-123456789-123456789";
    struct reserve command = a_reserve("O1/1/1", 1);
    command.location_pref = (struct shop_string_array){many, 101};
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "location");
    command.location_pref = (struct shop_string_array){&long_one, 1};
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "location");
    command = a_reserve("O1/1/1", 1);
    command.customer_id = longer;
    send_reserve(harness, &command);
    harness_expect_dead(harness, &stock_commands_topic, "id");
    send_restock(harness, &(struct restock){"A", "D1", 1, long_one});
    harness_expect_dead(harness, &stock_commands_topic, "location");
    harness_expect_nothing_more(harness);
}

static void keeps_a_sku_at_a_hundred_locations_at_most(void **state)
{
    struct harness *harness = *state;
    char ids[101][20];
    for (int i = 0; i < 101; i++) {
        snprintf(ids[i], sizeof ids[i], "L%d", i);
        restock_at(harness, ids[i], 1);
    }
    harness_expect_dead(harness, &stock_commands_topic, "location");
    expect_level(harness, 100, 0, 0);
    reserve(harness, "O1/1/1", 100);
    assert_int_equal(
        expect_reply(harness, SAYS(RESERVED), "O1/1/1", TO(RESERVE), WHY(NONE))->allocations.count,
        100);
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
        TEST(forgets_tombstones_after_eight_days),
        TEST(remembers_everything_across_a_restart),
        TEST(rejects_commands_that_make_no_sense),
        TEST(rejects_names_and_lists_that_are_too_long),
        TEST(keeps_a_sku_at_a_hundred_locations_at_most),
        TEST(takes_no_command_for_somebody_elses_reservation),
    };
    return cmocka_run_group_tests_name("inventory, stock", tests, NULL, NULL);
}
