/* test_order_confirming.c - an order from its commits to its end, good or bad: rows T23 to T45 of
 * section 10, and what is left of it afterwards.
 */

#include "processor/fixture.h"
#include "processor/saga.h"

FIXTURE(order_processor);

/* ---- T23, T25: commits ---- */

static void t23_the_customer_cancels_before_all_is_committed(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 2);
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    cancel(harness, "O1");
    expect_command(harness, TO(RELEASE), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/2/1");
    assert_int_equal(expect_state(harness, "O1", IS(CANCELLING))->reason, WHY(CUSTOMER));
    harness_expect_nothing_more(harness);
}

static void t25_confirms_when_the_last_line_is_committed(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 2);
    reply(harness, SAYS(COMMIT_OK), "O1/2/1");
    harness_expect_nothing_more(harness);
    reply(harness, SAYS(COMMIT_OK), "O1/2/1"); /* once more: not the other one */
    harness_expect_nothing_more(harness);
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_CONFIRMED, WHY(NONE));
    assert_int_equal(event->state, IS(FULFILLING));
    assert_int_equal(event->totals.accepted, 2500);
    assert_int_equal(event->lines.items[0].state, ORDER_LINE_STATE_COMMITTED);
    const struct order_view *view = expect_state(harness, "O1", IS(FULFILLING));
    assert_int_equal(view->lines.items[0].qty_committed, 1);
    assert_int_equal(view->open_timers.count, 0);
    harness_advance(harness, DAY);
    expect_stale(harness, 1);
}

/* ---- T26: a commit comes too late ---- */

static void t26_reserves_once_more_and_commits(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 2);
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    reply(harness, SAYS(COMMIT_REFUSED), "O1/2/1");
    expect_command(harness, TO(RESERVE), "O1/2/2");
    expect_state(harness, "O1", IS(CONFIRMING));
    reply(harness, SAYS(COMMIT_REFUSED), "O1/2/1"); /* of a commit that was sent twice */
    expect_stale(harness, 1);
    reply(harness, SAYS(RESERVED), "O1/2/2");
    expect_command(harness, TO(COMMIT), "O1/2/2");
    reply(harness, SAYS(RESERVED), "O1/2/2");
    expect_stale(harness, 2);
    reply(harness, SAYS(COMMIT_OK), "O1/2/2");
    expect_event(harness, "O1", ORDER_EVENT_ORDER_CONFIRMED, WHY(NONE));
}

static void t26_gives_up_when_the_second_hold_is_refused(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 2);
    reply(harness, SAYS(COMMIT_REFUSED), "O1/2/1");
    reply(harness, SAYS(REFUSED), "O1/2/2");
    expect_command(harness, TO(RESERVE), "O1/2/2");
    expect_command(harness, TO(RELEASE), "O1/1/1");
    assert_int_equal(expect_state(harness, "O1", IS(CANCELLING))->reason, WHY(EXPIRED));
    harness_expect_nothing_more(harness);
}

static void t26_gives_up_when_the_second_commit_is_refused(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 1);
    reply(harness, SAYS(COMMIT_REFUSED), "O1/1/1");
    reply(harness, SAYS(RESERVED), "O1/1/2");
    reply(harness, SAYS(COMMIT_REFUSED), "O1/1/2");
    expect_command(harness, TO(RESERVE), "O1/1/2");
    expect_command(harness, TO(COMMIT), "O1/1/2");
    expect_event(harness, "O1", ORDER_EVENT_ORDER_CANCELLED, WHY(EXPIRED));
    harness_expect_nothing_more(harness);
}

static void t26_does_not_leave_a_backorder_in_the_queue(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 1);
    reply_because(harness, SAYS(COMMIT_REFUSED), "O1/1/1", STOCK_REASON_OUT_OF_STOCK);
    expect_command(harness, TO(RELEASE), "O1/1/1");
    expect_state(harness, "O1", IS(CANCELLING));
}

static void t26_waits_for_the_refusal_after_a_hold_has_expired(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 1);
    reply(harness, SAYS(EXPIRED), "O1/1/1"); /* the Commit is under way behind it */
    expect_stale(harness, 1);
    expect_state(harness, "O1", IS(CONFIRMING));
}

/* ---- T27: commits are not answered ---- */

static void t27_sends_unanswered_commits_three_times_more(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 2);
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    for (int i = 0; i < 3; i++) {
        harness_advance(harness, MINUTE / 2);
        expect_command(harness, TO(COMMIT), "O1/2/1");
        harness_expect_nothing_more(harness);
    }
    harness_advance(harness, MINUTE / 2);
    expect_command(harness, TO(RELEASE), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/2/1");
    assert_int_equal(expect_state(harness, "O1", IS(CANCELLING))->reason, WHY(TIMEOUT));
    harness_expect_nothing_more(harness);
}

/* ---- T38, T40, T41: everything is given back ---- */

static void t38_cancels_when_every_line_is_settled(void **state)
{
    struct harness *harness = *state;
    given_cancelling(harness, "O1", 4);
    reply(harness, SAYS(EXPIRED), "O1/1/1");
    reply(harness, SAYS(RELEASED), "O1/1/1"); /* line 1 is settled already */
    reply(harness, SAYS(REFUSED), "O1/2/1");
    reply(harness, SAYS(RELEASED), "O1/2/1");
    reply(harness, SAYS(COMMIT_REFUSED), "O1/3/1");
    expect_stale(harness, 2);
    expect_state(harness, "O1", IS(CANCELLING));
    reply(harness, SAYS(RELEASED), "O1/4/1");
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_CANCELLED, WHY(CUSTOMER));
    assert_int_equal(event->lines.items[0].state, ORDER_LINE_STATE_EXPIRED);
    assert_int_equal(event->lines.items[3].state, ORDER_LINE_STATE_RELEASED);
    reply(harness, SAYS(RELEASED), "O1/4/1");
    expect_stale(harness, 3);
    expect_state(harness, "O1", IS(CANCELLED));
}

static void t38_is_not_settled_by_an_answer_about_something_else(void **state)
{
    struct harness *harness = *state;
    given_cancelling(harness, "O1", 1);
    reply_because(harness, SAYS(REFUSED), "O1/1/1", STOCK_REASON_CONFLICT);
    reply_because(harness, SAYS(COMMIT_REFUSED), "O1/1/1", STOCK_REASON_OUT_OF_STOCK);
    expect_stale(harness, 2);
    expect_state(harness, "O1", IS(CANCELLING));
}

static void t40_lets_the_release_catch_up_with_a_late_answer(void **state)
{
    struct harness *harness = *state;
    given_cancelling(harness, "O1", 1);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    expect_stale(harness, 0); /* in the table, but there is nothing to do */
    expect_state(harness, "O1", IS(CANCELLING));
    reply(harness, SAYS(RELEASED), "O1/1/1");
    expect_event(harness, "O1", ORDER_EVENT_ORDER_CANCELLED, WHY(CUSTOMER));
}

static void t41_asks_for_an_operator_when_releases_are_not_answered(void **state)
{
    struct harness *harness = *state;
    given_cancelling(harness, "O1", 2);
    reply(harness, SAYS(RELEASED), "O1/1/1");
    harness_advance(harness, DAY);
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_PARKED, WHY(COMPENSATION));
    assert_int_equal(event->state, IS(PARKED));
    assert_string_equal(event->detail, "1 lines are not released");
    assert_int_equal(expect_state(harness, "O1", IS(PARKED))->open_timers.count, 0);
    reply(harness, SAYS(RESERVED), "O1/2/1"); /* its Release is under way still */
    expect_stale(harness, 1);
    harness_advance(harness, 2 * EIGHT_DAYS);
    expect_state(harness, "O1", IS(PARKED)); /* kept until somebody has looked */
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM placed_order"), 1);
}

/* ---- T45: stock turns up that nobody wants ---- */

static void t45_gives_back_what_a_cancelled_order_is_given(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 1);
    reply(harness, SAYS(REFUSED), "O1/1/1");
    harness_skip(harness);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/1/1");
    reply(harness, SAYS(RELEASED), "O1/1/1");
    expect_stale(harness, 1);
    expect_state(harness, "O1", IS(CANCELLED));
}

static void t45_gives_back_what_a_rejected_order_is_given(void **state)
{
    struct harness *harness = *state;
    const struct place_order order = an_order("O1", 0);
    place(harness, &order);
    harness_skip(harness);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/1/1");
    expect_state(harness, "O1", IS(REJECTED));
}

static void t45_gives_back_what_an_earlier_attempt_got(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 1);
    reply(harness, SAYS(COMMIT_REFUSED), "O1/1/1");
    expect_command(harness, TO(RESERVE), "O1/1/2");
    reply(harness, SAYS(RESERVED), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/1/1");
    reply(harness, SAYS(RELEASED), "O1/1/1");
    expect_stale(harness, 1);
    reply(harness, SAYS(RESERVED), "O1/1/2");
    expect_command(harness, TO(COMMIT), "O1/1/2");
}

/* ---- what is not in the table, and what is left ---- */

static void finds_what_a_fulfilling_order_hears_stale(void **state)
{
    struct harness *harness = *state;
    given_fulfilling(harness, "O1", 1);
    reply(harness, SAYS(RESERVED), "O1/1/1"); /* a repeat: it must not be given back */
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    reply(harness, SAYS(EXPIRED), "O1/1/1");
    reply(harness, SAYS(RELEASED), "O1/1/1");
    cancel(harness, "O1");
    expect_stale(harness, 5);
    expect_state(harness, "O1", IS(FULFILLING));
}

static void numbers_its_events_without_gaps(void **state)
{
    struct harness *harness = *state;
    struct place_order order = an_order("O1", 2);
    order.policy = ORDER_POLICY_PARTIAL;
    order.auto_accept = true;
    place(harness, &order);
    reply(harness, SAYS(REFUSED), "O1/1/1");
    reply(harness, SAYS(RESERVED), "O1/2/1");
    reply(harness, SAYS(COMMIT_OK), "O1/2/1");
    const enum order_event_branch branches[] = {ORDER_EVENT_ORDER_ACCEPTED,
                                                ORDER_EVENT_ORDER_AMENDED,
                                                ORDER_EVENT_ORDER_CONFIRMED};
    for (int i = 0; i < 3; i++) {
        const struct order_event *event = harness_expect(harness, &order_events_topic, "O1");
        assert_int_equal(event->payload_branch, branches[i]);
        assert_int_equal(event->agg_seq, i + 1);
    }
    const struct order_view_record *view = harness_view(harness, &order_view_topic, "O1");
    assert_int_equal(view->agg_seq, 3);
}

static void forgets_settled_orders_after_eight_days(void **state)
{
    struct harness *harness = *state;
    given_fulfilling(harness, "confirmed", 3);
    given_pending(harness, "cancelled", 1);
    reply(harness, SAYS(REFUSED), "cancelled/1/1");
    const struct place_order rejected = an_order("rejected", 0);
    place(harness, &rejected);
    harness_advance(harness, EIGHT_DAYS - MINUTE);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM placed_order"), 3);
    harness_advance(harness, 2 * MINUTE);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM placed_order"), 0);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM placed_line"), 0);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM timer_row"), 0);
    const struct order_view_record *view = harness_view(harness, &order_view_topic, "confirmed");
    assert_int_equal(view->payload.order_view.state,
                     IS(FULFILLING)); /* it can still be looked up */
}

/* A backlog of ten days in one take: the order is settled and forgotten in it. */
static void a_view_outlives_an_order_that_is_forgotten_in_the_same_take(void **state)
{
    struct harness *harness = *state;
    const struct place_order order = an_order("O1", 1), next = an_order("O2", 1);
    place(harness, &order);
    reply(harness, SAYS(REFUSED), "O1/1/1");
    harness_pass(harness, EIGHT_DAYS + DAY);
    place(harness, &next);
    harness_advance(harness, 0);
    assert_int_equal(harness_number(harness, "SELECT count(*) FROM placed_order"), 1);
    const struct order_view_record *view = harness_view(harness, &order_view_topic, "O1");
    assert_non_null(view);
    assert_int_equal(view->payload.order_view.state, IS(CANCELLED));
}

static void remembers_everything_across_a_restart(void **state)
{
    struct harness *harness = *state;
    given_confirming(harness, "O1", 2);
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    harness_restart(harness);
    reply(harness, SAYS(COMMIT_OK), "O1/2/1");
    expect_event(harness, "O1", ORDER_EVENT_ORDER_CONFIRMED, WHY(NONE));
}

static void handles_an_order_of_fifteen_hundred_lines(void **state)
{
    struct harness *harness = *state;
    given_fulfilling(harness, "O1", 1500);
    const struct order_view *view = expect_state(harness, "O1", IS(FULFILLING));
    assert_int_equal(view->lines.count, 1500);
    assert_int_equal(view->totals.accepted, 1500500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(t23_the_customer_cancels_before_all_is_committed),
        TEST(t25_confirms_when_the_last_line_is_committed),
        TEST(t26_reserves_once_more_and_commits),
        TEST(t26_gives_up_when_the_second_hold_is_refused),
        TEST(t26_gives_up_when_the_second_commit_is_refused),
        TEST(t26_does_not_leave_a_backorder_in_the_queue),
        TEST(t26_waits_for_the_refusal_after_a_hold_has_expired),
        TEST(t27_sends_unanswered_commits_three_times_more),
        TEST(t38_cancels_when_every_line_is_settled),
        TEST(t38_is_not_settled_by_an_answer_about_something_else),
        TEST(t40_lets_the_release_catch_up_with_a_late_answer),
        TEST(t41_asks_for_an_operator_when_releases_are_not_answered),
        TEST(t45_gives_back_what_a_cancelled_order_is_given),
        TEST(t45_gives_back_what_a_rejected_order_is_given),
        TEST(t45_gives_back_what_an_earlier_attempt_got),
        TEST(finds_what_a_fulfilling_order_hears_stale),
        TEST(numbers_its_events_without_gaps),
        TEST(forgets_settled_orders_after_eight_days),
        TEST(a_view_outlives_an_order_that_is_forgotten_in_the_same_take),
        TEST(remembers_everything_across_a_restart),
        TEST(handles_an_order_of_fifteen_hundred_lines),
    };
    return cmocka_run_group_tests_name("order, T23 to T45", tests, NULL, NULL);
}
