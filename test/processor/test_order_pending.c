/* test_order_pending.c - an order from placing to the last answer of its reservations: rows T1 to
 * T13 of section 10.
 */

#include "processor/fixture.h"
#include "processor/saga.h"

FIXTURE(order_processor);

/* ---- T1 to T3: an order comes ---- */

static void t1_accepts_an_order_and_reserves_every_line(void **state)
{
    struct harness *harness = *state;
    const struct place_order order = an_order("O1", 2);
    place(harness, &order);
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_ACCEPTED, WHY(NONE));
    assert_int_equal(event->state, IS(PENDING));
    assert_int_equal(event->totals.ordered, 2500);
    assert_int_equal(event->totals.accepted, 2500);
    assert_int_equal(event->lines.count, 2);
    assert_int_equal(event->lines.items[1].state, ORDER_LINE_STATE_REQUESTED);
    const struct reserve *reserve = expect_command(harness, TO(RESERVE), "O1/1/1");
    assert_int_equal(reserve->qty, 1);
    assert_int_equal(reserve->ttl_ms, 10 * MINUTE);
    assert_false(reserve->backorder_ok);
    assert_false(reserve->has_expected_version);
    assert_string_equal(reserve->customer_id, "C1");
    expect_command(harness, TO(RESERVE), "O1/2/1");
    const struct order_view *view = expect_state(harness, "O1", IS(PENDING));
    assert_int_equal(view->open_timers.count, 1);
    assert_string_equal(view->open_timers.items[0].name, "T_saga");
    assert_int_equal(view->open_timers.items[0].due_ms, harness_sent_ms(harness) + 5 * MINUTE);
    assert_string_equal(view->lines.items[0].reservation_id, "O1/1/1");
    harness_expect_nothing_more(harness);
}

static void expect_rejection(struct harness *harness, const struct place_order *order,
                             enum order_reason reason)
{
    place(harness, order);
    const struct order_accepted *event =
        expect_event(harness, order->order_id, ORDER_EVENT_ORDER_REJECTED, reason);
    assert_int_equal(event->state, IS(REJECTED));
    assert_int_equal(event->totals.accepted, 0);
    assert_true(event->detail[0] != 0);
    expect_state(harness, order->order_id, IS(REJECTED));
    harness_expect_nothing_more(harness);
}

static void t2_rejects_an_order_that_breaks_a_rule(void **state)
{
    struct harness *harness = *state;
    struct place_order order = an_order("qty", 2);
    order.lines.items[1].qty = 0;
    expect_rejection(harness, &order, WHY(QTY));
    order = an_order("grand_total", 2);
    order.grand_total++;
    expect_rejection(harness, &order, WHY(TOTALS));
    order = an_order("line_total", 2);
    order.lines.items[0].line_total--;
    expect_rejection(harness, &order, WHY(TOTALS));
    order = an_order("price", 1);
    order.lines.items[0].unit_price = -1000;
    expect_rejection(harness, &order, WHY(TOTALS));
    order = an_order("currency", 1);
    order.currency = "DUK";
    expect_rejection(harness, &order, WHY(CURRENCY));
    order = an_order("no-lines", 0);
    expect_rejection(harness, &order, WHY(LINES));
    order = an_order("too-many-lines", 1501);
    expect_rejection(harness, &order, WHY(LINES));
    order = an_order("line-twice", 2);
    order.lines.items[1].line_no = 1;
    expect_rejection(harness, &order, WHY(LINES));
    order = an_order("customer", 1);
    order.customer_id = "";
    expect_rejection(harness, &order, WHY(CUSTOMER));
    order = an_order("policy", 1);
    order.policy = ORDER_POLICY_BACKORDER;
    expect_rejection(harness, &order, WHY(POLICY));
}

static void t3_finds_a_repeated_order_stale_in_every_state(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 1);
    given_confirming(harness, "O2", 1);
    given_fulfilling(harness, "O3", 1);
    given_cancelling(harness, "O4", 1);
    const char *const ids[] = {"O1", "O2", "O3", "O4"};
    for (size_t i = 0; i < 4; i++) {
        const struct place_order order = an_order(ids[i], 1);
        place(harness, &order);
    }
    expect_stale(harness, 4);
}

static void t3_takes_no_other_order_under_the_same_id(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 1);
    struct place_order order = an_order("O1", 1);
    order.payload_hash = (struct weir_bytes){(const uint8_t *)"another", 7};
    place(harness, &order);
    harness_expect_dead(harness, &order_requests_topic, "conflict");
    expect_state(harness, "O1", IS(PENDING));
    harness_expect_nothing_more(harness);
}

/* ---- T4 to T9: the answers ---- */

static void t4_waits_for_the_other_lines(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 3);
    reply(harness, SAYS(RESERVED), "O1/2/1");
    harness_expect_nothing_more(harness);
    const struct order_view *view = expect_state(harness, "O1", IS(PENDING));
    assert_int_equal(view->lines.items[1].state, ORDER_LINE_STATE_HELD);
    assert_int_equal(view->lines.items[1].qty_reserved, 1);
    assert_string_equal(view->lines.items[1].location_id, "MAIN");
    reply(harness, SAYS(RESERVED), "O1/2/1"); /* once more */
    expect_stale(harness, 1);
}

static void t4_waits_for_a_backorder_to_be_filled(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 1);
    reply(harness, SAYS(BACKORDERED), "O1/1/1");
    expect_state(harness, "O1", IS(PENDING));
    harness_expect_nothing_more(harness);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    expect_command(harness, TO(COMMIT), "O1/1/1");
}

static void t5_commits_when_every_line_is_held(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 3);
    reply(harness, SAYS(RESERVED), "O1/3/1");
    reply(harness, SAYS(RESERVED), "O1/1/1");
    reply(harness, SAYS(RESERVED), "O1/2/1");
    expect_command(harness, TO(COMMIT), "O1/1/1");
    expect_command(harness, TO(COMMIT), "O1/2/1");
    expect_command(harness, TO(COMMIT), "O1/3/1");
    const struct order_view *view = expect_state(harness, "O1", IS(CONFIRMING));
    assert_string_equal(view->open_timers.items[0].name, "T_commit");
    harness_expect_nothing_more(harness);
}

static void t6_releases_all_other_lines_answered_or_not(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 3);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    reply(harness, SAYS(REFUSED), "O1/2/1");
    expect_command(harness, TO(RELEASE), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/3/1");
    const struct order_view *view = expect_state(harness, "O1", IS(CANCELLING));
    assert_int_equal(view->reason, WHY(OUT_OF_STOCK));
    assert_int_equal(view->totals.accepted, 0);
    assert_int_equal(view->lines.items[1].qty_cancelled, 1);
    assert_string_equal(view->open_timers.items[0].name, "T_comp");
    harness_expect_nothing_more(harness);
}

static void t6_cancels_an_order_of_one_line_at_once(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 1);
    reply(harness, SAYS(REFUSED), "O1/1/1");
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_CANCELLED, WHY(OUT_OF_STOCK));
    assert_int_equal(event->state, IS(CANCELLED));
    assert_string_equal(event->detail, "line 1, S1: OUT_OF_STOCK");
    assert_int_equal(event->lines.items[0].state, ORDER_LINE_STATE_REFUSED);
    expect_state(harness, "O1", IS(CANCELLED));
    harness_expect_nothing_more(harness);
}

static void expect_amended(struct harness *harness)
{
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_AMENDED, WHY(NONE));
    assert_int_equal(event->state, IS(CONFIRMING));
    assert_int_equal(event->totals.ordered, 3500);
    assert_int_equal(event->totals.accepted, 2500); /* two lines and the fee */
    expect_command(harness, TO(COMMIT), "O1/1/1");
    expect_command(harness, TO(COMMIT), "O1/3/1");
    harness_expect_nothing_more(harness);
}

static void t7_goes_on_with_what_is_held_when_the_last_answer_is_no(void **state)
{
    struct harness *harness = *state;
    given_partial(harness, "O1", 3, true);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    reply(harness, SAYS(RESERVED), "O1/3/1");
    reply(harness, SAYS(REFUSED), "O1/2/1");
    expect_amended(harness);
}

static void t7_goes_on_with_what_is_held_when_the_last_answer_is_yes(void **state)
{
    struct harness *harness = *state;
    given_partial(harness, "O1", 3, true);
    reply(harness, SAYS(REFUSED), "O1/2/1");
    reply(harness, SAYS(RESERVED), "O1/1/1");
    reply(harness, SAYS(RESERVED), "O1/3/1");
    expect_amended(harness);
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    reply(harness, SAYS(COMMIT_OK), "O1/3/1");
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_CONFIRMED, WHY(NONE));
    assert_int_equal(event->totals.accepted, 2500);
    assert_int_equal(event->lines.items[1].state, ORDER_LINE_STATE_REFUSED);
}

static void t5_needs_nobodys_consent_when_a_partial_order_is_whole(void **state)
{
    struct harness *harness = *state;
    given_partial(harness, "O1", 1, false);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    expect_command(harness, TO(COMMIT), "O1/1/1");
    harness_expect_nothing_more(harness); /* no OrderAmended */
}

static void t8_gives_everything_back_without_consent(void **state)
{
    struct harness *harness = *state;
    given_partial(harness, "O1", 2, false);
    reply(harness, SAYS(REFUSED), "O1/1/1");
    reply(harness, SAYS(RESERVED), "O1/2/1");
    expect_command(harness, TO(RELEASE), "O1/2/1");
    reply(harness, SAYS(RELEASED), "O1/2/1");
    const struct order_accepted *event =
        expect_event(harness, "O1", ORDER_EVENT_ORDER_CANCELLED, WHY(OUT_OF_STOCK));
    assert_string_equal(event->detail, "1 of 2 lines are refused");
}

static void t9_cancels_a_partial_order_of_which_nothing_is_held(void **state)
{
    struct harness *harness = *state;
    given_partial(harness, "O1", 2, true);
    reply(harness, SAYS(REFUSED), "O1/1/1");
    harness_expect_nothing_more(harness);
    reply(harness, SAYS(REFUSED), "O1/2/1");
    expect_event(harness, "O1", ORDER_EVENT_ORDER_CANCELLED, WHY(OUT_OF_STOCK));
    harness_expect_nothing_more(harness);
}

/* ---- T12, T13: it does not come to an end by itself ---- */

static void t12_the_customer_cancels(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 2);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    cancel(harness, "O1");
    expect_command(harness, TO(RELEASE), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/2/1");
    assert_int_equal(expect_state(harness, "O1", IS(CANCELLING))->reason, WHY(CUSTOMER));
    cancel(harness, "O1");
    cancel(harness, "never-placed");
    expect_stale(harness, 2);
}

static void t12_the_saga_times_out(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 2);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    harness_advance(harness, 5 * MINUTE - 1000);
    harness_expect_nothing_more(harness);
    harness_advance(harness, 1000);
    expect_command(harness, TO(RELEASE), "O1/1/1");
    expect_command(harness, TO(RELEASE), "O1/2/1");
    assert_int_equal(expect_state(harness, "O1", IS(CANCELLING))->reason, WHY(TIMEOUT));
}

static void t12_the_orders_own_deadline_may_be_sooner(void **state)
{
    struct harness *harness = *state;
    struct place_order order = an_order("O1", 1);
    harness_advance(harness, 1000);
    const struct place_order now = an_order("O0", 1);
    place(harness, &now); /* to learn the time */
    order.has_deadline_ms = true;
    order.deadline_ms = harness_sent_ms(harness) + MINUTE;
    place(harness, &order);
    harness_skip(harness);
    harness_advance(harness, MINUTE);
    expect_command(harness, TO(RELEASE), "O1/1/1");
    harness_expect_nothing_more(harness); /* not O0 */
}

static void t13_reserves_once_more_what_has_expired(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 2);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    reply(harness, SAYS(EXPIRED), "O1/1/1");
    expect_command(harness, TO(RESERVE), "O1/1/2");
    assert_string_equal(expect_state(harness, "O1", IS(PENDING))->lines.items[0].reservation_id,
                        "O1/1/2");
    reply(harness, SAYS(EXPIRED), "O1/1/1");
    expect_stale(harness, 1);
    reply(harness, SAYS(RESERVED), "O1/2/1");
    harness_expect_nothing_more(harness); /* line 1 is asked for again */
    reply(harness, SAYS(RESERVED), "O1/1/2");
    expect_command(harness, TO(COMMIT), "O1/1/2");
    expect_command(harness, TO(COMMIT), "O1/2/1");
}

static void t13_gives_up_when_it_expires_again(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 2);
    reply(harness, SAYS(RESERVED), "O1/1/1");
    reply(harness, SAYS(EXPIRED), "O1/1/1");
    reply(harness, SAYS(RESERVED), "O1/1/2");
    reply(harness, SAYS(EXPIRED), "O1/1/2");
    expect_command(harness, TO(RESERVE), "O1/1/2");
    expect_command(harness, TO(RELEASE), "O1/2/1");
    assert_int_equal(expect_state(harness, "O1", IS(CANCELLING))->reason, WHY(EXPIRED));
}

static void t13_cancels_an_order_of_one_line_at_once(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 1);
    reply(harness, SAYS(EXPIRED), "O1/1/1");
    expect_command(harness, TO(RESERVE), "O1/1/2");
    reply(harness, SAYS(EXPIRED), "O1/1/2");
    expect_event(harness, "O1", ORDER_EVENT_ORDER_CANCELLED, WHY(EXPIRED));
    harness_expect_nothing_more(harness);
}

/* ---- what is not in the table ---- */

static void finds_what_a_pending_order_does_not_wait_for_stale(void **state)
{
    struct harness *harness = *state;
    given_pending(harness, "O1", 2);
    reply(harness, SAYS(EXTENDED), "O1/1/1");
    reply(harness, SAYS(COMMIT_OK), "O1/1/1");
    reply(harness, SAYS(COMMIT_REFUSED), "O1/1/1");
    reply(harness, SAYS(RELEASED), "O1/1/1");
    reply(harness, SAYS(REFUSED), "O1/1/7");
    reply(harness, SAYS(RESERVED), "never-placed/1/1");
    reply(harness, SAYS(RELEASED), "never-placed/1/1");
    expect_stale(harness, 7);
    expect_state(harness, "O1", IS(PENDING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(t1_accepts_an_order_and_reserves_every_line),
        TEST(t2_rejects_an_order_that_breaks_a_rule),
        TEST(t3_finds_a_repeated_order_stale_in_every_state),
        TEST(t3_takes_no_other_order_under_the_same_id),
        TEST(t4_waits_for_the_other_lines),
        TEST(t4_waits_for_a_backorder_to_be_filled),
        TEST(t5_commits_when_every_line_is_held),
        TEST(t5_needs_nobodys_consent_when_a_partial_order_is_whole),
        TEST(t6_releases_all_other_lines_answered_or_not),
        TEST(t6_cancels_an_order_of_one_line_at_once),
        TEST(t7_goes_on_with_what_is_held_when_the_last_answer_is_no),
        TEST(t7_goes_on_with_what_is_held_when_the_last_answer_is_yes),
        TEST(t8_gives_everything_back_without_consent),
        TEST(t9_cancels_a_partial_order_of_which_nothing_is_held),
        TEST(t12_the_customer_cancels),
        TEST(t12_the_saga_times_out),
        TEST(t12_the_orders_own_deadline_may_be_sooner),
        TEST(t13_reserves_once_more_what_has_expired),
        TEST(t13_gives_up_when_it_expires_again),
        TEST(t13_cancels_an_order_of_one_line_at_once),
        TEST(finds_what_a_pending_order_does_not_wait_for_stale),
    };
    return cmocka_run_group_tests_name("order, T1 to T13", tests, NULL, NULL);
}
