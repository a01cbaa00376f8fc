/* test_inventory_ends.c - section 7 of the domain, cell by cell: what each command does to a
 * reservation that is COMMITTED, SHIPPED or a tombstone.
 */
#include "processor/fixture.h"
#include "processor/stock.h"

#define R            "O1/1/1"
#define STATE(state) RESERVATION_STATE_##state

FIXTURE(inventory_processor);

/* ---- COMMITTED and SHIPPED ---- */

static void answers_a_committed_reservation(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(COMMITTED));
    reserve(harness, R, 3);
    expect_reply(harness, SAYS(RESERVED), R, TO(RESERVE), WHY(NONE));
    extend(harness, R, TEN_MINUTES);
    const struct reserved *extended =
        expect_reply(harness, SAYS(EXTENDED), R, TO(EXTEND), WHY(NONE));
    assert_false(extended->has_expires_ms);
    commit(harness, R);
    expect_reply(harness, SAYS(COMMIT_OK), R, TO(COMMIT), WHY(NONE));
    harness_expect_nothing_more(harness);
    release(harness, R);
    const struct stock_movement *movement = expect_movement(harness, MOVEMENT_KIND_RELEASE, 3);
    assert_int_equal(movement->committed_after, 0);
    expect_reply(harness, SAYS(RELEASED), R, TO(RELEASE), WHY(NONE));
    expect_level(harness, 10, 0, 0);
}

static void takes_nothing_back_that_has_left_the_house(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(SHIPPED));
    reserve(harness, R, 3);
    expect_reply(harness, SAYS(RESERVED), R, TO(RESERVE), WHY(NONE));
    extend(harness, R, TEN_MINUTES);
    expect_reply(harness, SAYS(EXTENDED), R, TO(EXTEND), WHY(NONE));
    commit(harness, R);
    expect_reply(harness, SAYS(COMMIT_OK), R, TO(COMMIT), WHY(NONE));
    release(harness, R);
    expect_reply(harness, SAYS(REFUSED), R, TO(RELEASE), WHY(CONFLICT));
    harness_expect_nothing_more(harness);
}

/* ---- tombstones ---- */

static void expect_tombstone(struct harness *harness, enum reservation_state state,
                             enum stock_reason reason)
{
    given_reservation(harness, state);
    for (int32_t qty = 3; qty < 5; qty++) { /* the same Reserve, and another one */
        reserve(harness, R, qty);
        expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), reason);
    }
    extend(harness, R, TEN_MINUTES);
    expect_reply(harness, SAYS(REFUSED), R, TO(EXTEND), reason);
    commit(harness, R);
    expect_reply(harness, SAYS(COMMIT_REFUSED), R, TO(COMMIT), reason);
    release(harness, R);
    expect_reply(harness, SAYS(RELEASED), R, TO(RELEASE), WHY(NONE));
    harness_advance(harness, 2 * TEN_MINUTES);
    harness_expect_nothing_more(harness);
}

static void repeats_that_it_was_released(void **state)
{
    expect_tombstone(*state, STATE(RELEASED), WHY(RELEASED));
}

static void repeats_that_it_has_expired(void **state)
{
    expect_tombstone(*state, STATE(EXPIRED), WHY(EXPIRED));
}

static void repeats_that_it_was_refused(void **state)
{
    expect_tombstone(*state, STATE(REFUSED), WHY(OUT_OF_STOCK));
}

static void repeats_that_it_was_fenced(void **state)
{
    expect_tombstone(*state, STATE(FENCED), WHY(FENCED));
}

static void keeps_refusing_when_stock_has_come(void **state)
{
    struct harness *harness = *state;
    given_reservation(harness, STATE(REFUSED));
    given_stock(harness, 10);
    reserve(harness, R, 3);
    expect_reply(harness, SAYS(REFUSED), R, TO(RESERVE), WHY(OUT_OF_STOCK));
    reserve(harness, "O1/1/2", 3); /* a retry is another attempt */
    expect_reply(harness, SAYS(RESERVED), "O1/1/2", TO(RESERVE), WHY(NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_a_committed_reservation),    TEST(takes_nothing_back_that_has_left_the_house),
        TEST(repeats_that_it_was_released),       TEST(repeats_that_it_has_expired),
        TEST(repeats_that_it_was_refused),        TEST(repeats_that_it_was_fenced),
        TEST(keeps_refusing_when_stock_has_come),
    };
    return cmocka_run_group_tests_name("inventory, section 7, ends", tests, NULL, NULL);
}
