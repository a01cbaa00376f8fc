/* test_audit_stock.c - I1 to I7: what the audit must find when the books of stock are wrong.
 *
 * Each test changes a correct log in one place: a record dropped, doubled, moved, a number off by
 * one. What else such a change breaks does not matter; that the invariant meant is among it does.
 */
#include "audit_day.h"

static struct stock_movement *movement(int nth)
{
    return &((struct stock_ledger_entry *)entry_at(the_day, "stock.ledger", nth)->record)
                ->payload.stock_movement;
}

static struct stock_level_view *level(int nth)
{
    return &((struct stock_level_record *)entry_at(the_day, "stock.levels", nth)->record)
                ->payload.stock_level_view;
}

/* All branches have the same fields. */
static struct reserved *answer_at(int nth)
{
    return &((struct stock_reply *)entry_at(the_day, "stock.replies", nth)->record)
                ->payload.reserved;
}

static void i1_counts_what_came_and_went(void **state)
{
    (void)state;
    level(-1)->locations.items[0].on_hand++;
    level(-1)->on_hand++;
    level(-1)->available++;
    assert_breaks(I1);
}

static void i1_misses_the_movement_of_a_delivery(void **state)
{
    (void)state;
    struct stock_command *command = entry_at(the_day, "stock.commands", 0)->record;
    command->payload.restock.qty++;
    assert_breaks(I1);
}

static void i1_knows_where_a_movement_comes_from(void **state)
{
    (void)state;
    movement(0)->ref_id = "nobody's";
    assert_breaks(I1);
}

static void i2_sees_more_held_than_there_is(void **state)
{
    (void)state;
    movement(3)->held_after = 11;
    assert_breaks(I2);
}

static void i2_sees_a_negative_balance_in_a_view(void **state)
{
    (void)state;
    level(0)->locations.items[0].committed = -1;
    assert_breaks(I2);
}

static void i2_sees_more_backorders_than_the_limit(void **state)
{
    (void)state;
    movement(-4)->backordered_after = -1;
    assert_breaks(I2);
    movement(-4)->backordered_after = 2;
    level(-3)->backorder_limit = 1;
    assert_breaks(I2);
}

static void i3_sees_a_lost_movement(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "stock.ledger", 4));
    assert_breaks(I3);
}

static void i3_sees_a_movement_twice(void **state)
{
    (void)state;
    repeat(the_day, entry_at(the_day, "stock.ledger", -1));
    assert_breaks(I3);
}

static void i3_sees_movements_in_the_wrong_order(void **state)
{
    (void)state;
    swap(movement_of("o1/1/1", MOVEMENT_KIND_RESERVE), movement_of("o1/1/1", MOVEMENT_KIND_COMMIT));
    assert_breaks(I3);
}

static void i3_sees_every_balance_that_is_off_by_one(void **state)
{
    (void)state;
    int64_t *balances[] = {&movement(3)->on_hand_after, &movement(3)->held_after,
                           &movement(3)->committed_after, &movement(3)->unavailable_after,
                           &movement(3)->backordered_after};
    for (size_t i = 0; i < sizeof balances / sizeof *balances; i++) {
        (*balances[i])++;
        assert_breaks(I3);
        (*balances[i])--;
    }
    assert_int_equal(broken_by(the_day, &whole_audit), 0);
}

static void i4_sees_an_answer_that_the_ledger_does_not_know(void **state)
{
    (void)state;
    drop(the_day, reply_to("m1/1/1", STOCK_REPLY_EXPIRED));
    assert_breaks(I4);
}

static void i4_sees_a_backorder_without_an_answer(void **state)
{
    (void)state;
    drop(the_day, reply_to("m2/1/1", STOCK_REPLY_BACKORDERED));
    drop(the_day, reply_to("m2/1/1", STOCK_REPLY_RESERVED));
    drop(the_day, reply_to("m2/1/1", STOCK_REPLY_COMMIT_OK));
    assert_breaks(I4);
}

static void i4_sums_the_answers_up_to_the_last_level(void **state)
{
    (void)state;
    level(-1)->locations.items[0].committed++;
    level(-1)->committed++;
    level(-1)->available--;
    assert_breaks(I4);
}

static void i4_compares_the_answer_with_the_question(void **state)
{
    (void)state;
    struct stock_command *command = entry_at(the_day, "stock.commands", -2)->record;
    assert_int_equal(command->payload_branch, STOCK_COMMAND_RESTOCK);
    command = entry_at(the_day, "stock.commands", -3)->record;
    command->payload.reserve.qty = 3;
    assert_breaks(I4);
}

static void i5_sees_a_repeat_that_differs(void **state)
{
    (void)state;
    answer_at(4)->allocations.items[0].location_id = "SOUTH"; /* o1's second CommitOk */
    assert_string_equal(answer_at(4)->reservation_id, "o1/1/1");
    assert_breaks(I5);
    answer_at(4)->allocations.items[0].location_id = "MAIN";
    answer_at(4)->qty++;
    assert_breaks(I5);
}

static void i5_sees_a_second_final_answer(void **state)
{
    (void)state;
    struct entry *refused = reply_to("o2/2/1", STOCK_REPLY_REFUSED);
    repeat(the_day, refused);
    struct stock_reply *again = arena_alloc(&the_day->arena, sizeof *again);
    *again = *(const struct stock_reply *)refused->record;
    again->payload.refused.reason = STOCK_REASON_LIMIT;
    the_day->entries[the_day->count - 1].record = again;
    assert_breaks(I5);
}

static void i5_sees_an_answer_that_the_state_does_not_admit(void **state)
{
    (void)state;
    repeat(the_day, reply_to("o2/1/1", STOCK_REPLY_RESERVED)); /* it is released by now */
    assert_breaks(I5);
}

static void i6_sees_more_reserved_than_asked_for(void **state)
{
    (void)state;
    ((struct stock_ledger_entry *)movement_of("o1/1/1", MOVEMENT_KIND_RESERVE)->record)
        ->payload.stock_movement.qty++;
    assert_breaks(I6);
}

static void i6_sees_a_unit_committed_twice(void **state)
{
    (void)state;
    repeat(the_day, movement_of("m2/1/1", MOVEMENT_KIND_COMMIT));
    assert_breaks(I6);
}

static void i6_sees_a_delivery_counted_twice(void **state)
{
    (void)state;
    repeat(the_day, movement_of("R1", MOVEMENT_KIND_RESTOCK));
    assert_breaks(I6);
}

static void i7_sees_a_hold_that_outlives_its_time(void **state)
{
    (void)state;
    drop(the_day, reply_to("m1/1/1", STOCK_REPLY_EXPIRED));
    assert_breaks(I7);
}

static void i7_sees_a_commit_after_the_expiry(void **state)
{
    (void)state;
    repeat(the_day, reply_to("m2/1/1", STOCK_REPLY_COMMIT_OK));
    struct stock_reply *late = arena_alloc(&the_day->arena, sizeof *late);
    *late = *(const struct stock_reply *)the_day->entries[the_day->count - 1].record;
    late->payload.commit_ok.reservation_id = "m1/1/1";
    the_day->entries[the_day->count - 1].record = late;
    assert_breaks(I7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(i1_counts_what_came_and_went),
        ON(i1_misses_the_movement_of_a_delivery),
        ON(i1_knows_where_a_movement_comes_from),
        ON(i2_sees_more_held_than_there_is),
        ON(i2_sees_a_negative_balance_in_a_view),
        ON(i2_sees_more_backorders_than_the_limit),
        ON(i3_sees_a_lost_movement),
        ON(i3_sees_a_movement_twice),
        ON(i3_sees_movements_in_the_wrong_order),
        ON(i3_sees_every_balance_that_is_off_by_one),
        ON(i4_sees_an_answer_that_the_ledger_does_not_know),
        ON(i4_sees_a_backorder_without_an_answer),
        ON(i4_sums_the_answers_up_to_the_last_level),
        ON(i4_compares_the_answer_with_the_question),
        ON(i5_sees_a_repeat_that_differs),
        ON(i5_sees_a_second_final_answer),
        ON(i5_sees_an_answer_that_the_state_does_not_admit),
        ON(i6_sees_more_reserved_than_asked_for),
        ON(i6_sees_a_unit_committed_twice),
        ON(i6_sees_a_delivery_counted_twice),
        ON(i7_sees_a_hold_that_outlives_its_time),
        ON(i7_sees_a_commit_after_the_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
