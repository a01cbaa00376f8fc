/* test_inventory_cells.c - section 7 of the domain, cell by cell: what each command does to a
 * reservation that is absent, HELD or BACKORDERED. (The other rows: test_inventory_ends.c.)
 */

#include "processor/fixture.h"
#include "processor/stock.h"

#define R            "O1/1/1"
#define STATE(state) RESERVATION_STATE_##state

FIXTURE(inventory_processor);

/* ---- no such reservation ---- */

static void holds_stock_that_is_available(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    reserve(harness, R, 3);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_RESERVE, 3);
    assert_int_equal(movement->movement_seq, 2);
    assert_string_equal(movement->ref_id, R);
    assert_string_equal(movement->location_id, "MAIN");
    assert_int_equal(movement->on_hand_after, 10);
    assert_int_equal(movement->held_after, 3);
    const struct reserved *reply = expect_reply(harness, SAYS(RESERVED), R, TO(RESERVE), WHY(NONE));
    assert_int_equal(reply->qty, 3);
    assert_int_equal(reply->available_after, 7);
    assert_int_equal(reply->expires_ms, harness_sent_ms(harness) + TEN_MINUTES);
    assert_int_equal(reply->allocations.count, 1);
    assert_int_equal(reply->allocations.items[0].qty, 3);
    expect_level(harness, 10, 3, 0);
    harness_expect_nothing_more(harness);
}

static void refuses_when_the_shelf_is_short(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 2);
    reserve(harness, R, 3);
    const struct reserved *reply =
        expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(OUT_OF_STOCK));
    assert_int_equal(reply->available_after, 2);
    expect_level(harness, 2, 0, 0);
    harness_expect_nothing_more(harness);
}

static void refuses_a_sku_it_has_never_seen(void **state)
{
    struct harness *harness = *state;
    reserve(harness, R, 1);
    expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(OUT_OF_STOCK));
    assert_null(harness_view(harness, &stock_levels_topic, "A"));
}

static void queues_a_backorder_when_the_shelf_is_short_and_the_buyer_waits(void **state)
{
    struct harness *harness = *state;
    given_backorder_limit(harness, 5);
    struct reserve command = a_reserve(R, 5);
    command.backorder_ok = true;
    send_reserve(harness, &command);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_BACKORDER, 5);
    assert_int_equal(movement->backordered_after, 5);
    assert_string_equal(movement->location_id, "");
    const struct reserved *reply =
        expect_reply(harness, SAYS(BACKORDERED), R, TO(RESERVE), WHY(NONE));
    assert_int_equal(reply->expires_ms, harness_sent_ms(harness) + TEN_MINUTES);
    harness_expect_nothing_more(harness);
}

static void refuses_a_backorder_over_the_limit(void **state)
{
    struct harness *harness = *state;
    given_backorder_limit(harness, 5);
    struct reserve command = a_reserve(R, 6);
    command.backorder_ok = true;
    send_reserve(harness, &command);
    expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(OUT_OF_STOCK));
}

static void refuses_when_the_product_has_changed(void **state)
{
    struct harness *harness = *state;
    struct stock_location main_location = {.location_id = "MAIN", .on_hand = 9};
    harness_given_row(harness, &stock_level_store,
                      &(struct stock_level){.sku = "A",
                                            .on_hand = 9,
                                            .locations = {&main_location, 1},
                                            .version = 4});
    struct reserve command = a_reserve(R, 1);
    command.has_expected_version = true;
    command.expected_version = 3;
    send_reserve(harness, &command);
    expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(VERSION_CHANGED));
    command.reservation_id = "O1/1/2";
    command.expected_version = 4;
    send_reserve(harness, &command);
    expect_reply(harness, SAYS(RESERVED), "O1/1/2", TO(RESERVE), WHY(NONE));
}

static void refuses_a_customer_who_has_enough(void **state)
{
    struct harness *harness = *state;
    struct stock_location main_location = {.location_id = "MAIN", .on_hand = 9};
    harness_given_row(harness, &stock_level_store,
                      &(struct stock_level){.sku = "A",
                                            .on_hand = 9,
                                            .locations = {&main_location, 1},
                                            .per_customer_limit = 3});
    reserve(harness, "O1/1/1", 2);
    expect_reply(harness, SAYS(RESERVED), "O1/1/1", TO(RESERVE), WHY(NONE));
    reserve(harness, "O2/1/1", 2);
    expect_reply(harness, SAYS(REFUSED), "O2/1/1", TO(RESERVE), WHY(LIMIT));
    release(harness, "O1/1/1");
    expect_reply(harness, SAYS(RELEASED), "O1/1/1", TO(RELEASE), WHY(NONE));
    reserve(harness, "O3/1/1", 3);
    expect_reply(harness, SAYS(RESERVED), "O3/1/1", TO(RESERVE), WHY(NONE));
}

static void does_not_know_what_it_is_asked_to_extend(void **state)
{
    struct harness *harness = *state;
    extend(harness, R, TEN_MINUTES);
    expect_reply(harness, SAYS(REFUSED), R, TO(EXTEND), WHY(UNKNOWN));
    harness_expect_nothing_more(harness);
}

static void does_not_know_what_it_is_asked_to_commit(void **state)
{
    struct harness *harness = *state;
    commit(harness, R);
    expect_reply(harness, SAYS(COMMIT_REFUSED), R, TO(COMMIT), WHY(UNKNOWN));
    harness_expect_nothing_more(harness);
}

static void fences_a_reserve_that_comes_after_its_release(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    release(harness, R);
    expect_reply(harness, SAYS(RELEASED), R, TO(RELEASE), WHY(NONE));
    reserve(harness, R, 3);
    expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(FENCED));
    expect_level(harness, 10, 0, 0);
    harness_expect_nothing_more(harness);
}

/* ---- HELD ---- */

static void repeats_the_answer_to_the_same_reserve(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, 10);
    reserve(harness, R, 3);
    const struct reserved *first = expect_reply(harness, SAYS(RESERVED), R, TO(RESERVE), WHY(NONE));
    harness_advance(harness, 1000);
    harness_skip(harness);
    reserve(harness, R, 3);
    const struct reserved *second =
        expect_reply(harness, SAYS(RESERVED), R, TO(RESERVE), WHY(NONE));
    assert_int_equal(second->expires_ms, first->expires_ms);
    expect_level(harness, 10, 3, 0);
    harness_expect_nothing_more(harness);
}

static void refuses_another_reserve_under_the_same_id(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(HELD));
    static const char *somewhere = "NORTH";
    struct reserve others[8];
    for (size_t i = 0; i < 8; i++) {
        others[i] = a_reserve(R, 3);
    }
    others[0].qty = 4;
    others[1].ttl_ms++;
    others[2].customer_id = "C2";
    others[3].backorder_ok = true;
    others[4].allow_split = false;
    others[5].promise_ms = 1;
    others[6].has_expected_version = true;
    others[7].location_pref = (struct shop_string_array){&somewhere, 1};
    for (size_t i = 0; i < 8; i++) {
        send_reserve(harness, &others[i]);
        const struct reserved *reply =
            expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(CONFLICT));
        assert_int_equal(reply->qty, others[i].qty);
    }
    expect_level(harness, 10, 3, 0);
}

static void tells_a_conflict_to_the_order_that_asked(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(HELD));
    struct reserve command = a_reserve(R, 3);
    command.order_id = "O2";
    send_reserve(harness, &command);
    const struct stock_reply *reply = harness_expect(harness, &stock_replies_topic, "O2");
    assert_int_equal(reply->payload_branch, SAYS(REFUSED));
    assert_int_equal(reply->payload.refused.reason, WHY(CONFLICT));
}

static void extends_a_hold_but_never_shortens_it(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(HELD));
    extend(harness, R, 2 * TEN_MINUTES);
    const struct reserved *longer = expect_reply(harness, SAYS(EXTENDED), R, TO(EXTEND), WHY(NONE));
    assert_int_equal(longer->expires_ms, harness_sent_ms(harness) + 2 * TEN_MINUTES);
    extend(harness, R, 1000);
    const struct reserved *same = expect_reply(harness, SAYS(EXTENDED), R, TO(EXTEND), WHY(NONE));
    assert_int_equal(same->expires_ms, longer->expires_ms);
    harness_advance(harness, TEN_MINUTES + 60000);
    harness_expect_nothing_more(harness);
    harness_advance(harness, TEN_MINUTES);
    expect_reply(harness, SAYS(EXPIRED), R, TO(TIMER), WHY(EXPIRED));
}

static void commits_a_hold_for_good(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(HELD));
    commit(harness, R);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_COMMIT, 3);
    assert_int_equal(movement->held_after, 0);
    assert_int_equal(movement->committed_after, 3);
    const struct reserved *reply = expect_reply(harness, SAYS(COMMIT_OK), R, TO(COMMIT), WHY(NONE));
    assert_false(reply->has_expires_ms);
    assert_int_equal(reply->allocations.count, 1);
    harness_advance(harness, 2 * EIGHT_DAYS);
    expect_level(harness, 10, 0, 3);
    harness_expect_nothing_more(harness);
}

static void releases_a_hold(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(HELD));
    release(harness, R);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_RELEASE, 3);
    assert_int_equal(movement->held_after, 0);
    const struct reserved *reply = expect_reply(harness, SAYS(RELEASED), R, TO(RELEASE), WHY(NONE));
    assert_int_equal(reply->available_after, 10);
    assert_int_equal(reply->allocations.count, 0);
    assert_false(reply->has_expires_ms);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM timer_row"), 1); /* to forget */
    harness_advance(harness, 2 * TEN_MINUTES);
    harness_expect_nothing_more(harness); /* no time-out after that */
}

static void releases_a_part_of_a_hold(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(HELD));
    struct release command = {R, "O1", 1, "A", ORDER_REASON_CUSTOMER, true, 1};
    send_release(harness, &command);
    expect_movement(harness, MOVEMENT_KIND_RELEASE, 1);
    const struct reserved *reply = expect_reply(harness, SAYS(RELEASED), R, TO(RELEASE), WHY(NONE));
    assert_int_equal(reply->allocations.items[0].qty, 2);
    commit(harness, R);
    expect_movement(harness, MOVEMENT_KIND_COMMIT, 2);
    expect_level(harness, 10, 0, 2);
}

static void expires_a_hold_that_nobody_committed(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(HELD));
    harness_advance(harness, TEN_MINUTES);
    expect_movement(harness, MOVEMENT_KIND_EXPIRE, 3);
    expect_reply(harness, SAYS(EXPIRED), R, TO(TIMER), WHY(EXPIRED));
    expect_level(harness, 10, 0, 0);
    harness_expect_nothing_more(harness);
}

/* ---- BACKORDERED ---- */

static void answers_a_backordered_reservation(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(BACKORDERED));
    struct reserve command = a_reserve(R, 3);
    command.backorder_ok = true;
    send_reserve(harness, &command);
    expect_reply(harness, SAYS(BACKORDERED), R, TO(RESERVE), WHY(NONE));
    command.qty = 2;
    send_reserve(harness, &command);
    expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(CONFLICT));
    extend(harness, R, 2 * TEN_MINUTES);
    expect_reply(harness, SAYS(EXTENDED), R, TO(EXTEND), WHY(NONE));
    commit(harness, R);
    expect_reply(harness, SAYS(COMMIT_REFUSED), R, TO(COMMIT), WHY(OUT_OF_STOCK));
    harness_expect_nothing_more(harness);
    release(harness, R);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_RELEASE, 3);
    assert_int_equal(movement->backordered_after, 0);
    expect_reply(harness, SAYS(RELEASED), R, TO(RELEASE), WHY(NONE));
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM backorder"), 0);
}

static void expires_a_backorder_that_was_not_filled(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(BACKORDERED));
    harness_advance(harness, TEN_MINUTES);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_EXPIRE, 3);
    assert_int_equal(movement->backordered_after, 0);
    expect_reply(harness, SAYS(EXPIRED), R, TO(TIMER), WHY(EXPIRED));
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM backorder"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(holds_stock_that_is_available),
        TEST(refuses_when_the_shelf_is_short),
        TEST(refuses_a_sku_it_has_never_seen),
        TEST(queues_a_backorder_when_the_shelf_is_short_and_the_buyer_waits),
        TEST(refuses_a_backorder_over_the_limit),
        TEST(refuses_when_the_product_has_changed),
        TEST(refuses_a_customer_who_has_enough),
        TEST(does_not_know_what_it_is_asked_to_extend),
        TEST(does_not_know_what_it_is_asked_to_commit),
        TEST(fences_a_reserve_that_comes_after_its_release),
        TEST(repeats_the_answer_to_the_same_reserve),
        TEST(refuses_another_reserve_under_the_same_id),
        TEST(tells_a_conflict_to_the_order_that_asked),
        TEST(extends_a_hold_but_never_shortens_it),
        TEST(commits_a_hold_for_good),
        TEST(releases_a_hold),
        TEST(releases_a_part_of_a_hold),
        TEST(expires_a_hold_that_nobody_committed),
        TEST(answers_a_backordered_reservation),
        TEST(expires_a_backorder_that_was_not_filled),
    };
    return cmocka_run_group_tests_name("inventory, section 7", tests, NULL, NULL);
}
