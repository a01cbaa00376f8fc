/* test_audit.c - every invariant of the audit holds on a correct day, and is found broken on one
 * that is not.
 *
 * Each test changes a correct log in one place: a record dropped, doubled, moved, a number off by
 * one. What else such a change breaks does not matter; that the invariant meant is among it does.
 */
#include "audit_shop.h"

/* ---- changing records ---- */

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

static struct order_event *event_envelope(int nth)
{
    return entry_at(the_day, "order.events", nth)->record;
}

static struct order_accepted *event_at(int nth)
{
    return &event_envelope(nth)->payload.order_accepted;
}

/* The first entry of a topic that belongs to this reservation or order (its key or its text). */
static struct entry *reply_to(const char *reservation_id, enum stock_reply_branch kind)
{
    for (int i = 0;; i++) {
        struct entry *entry = entry_at(the_day, "stock.replies", i);
        const struct stock_reply *reply = entry->record;
        if (reply->payload_branch == kind &&
            strcmp(reply->payload.reserved.reservation_id, reservation_id) == 0) {
            return entry;
        }
    }
}

static struct entry *event_of(const char *order_id, enum order_event_branch kind)
{
    for (int i = 0;; i++) {
        struct entry *entry = entry_at(the_day, "order.events", i);
        const struct order_event *event = entry->record;
        if (event->payload_branch == kind &&
            strcmp(event->payload.order_accepted.order_id, order_id) == 0) {
            return entry;
        }
    }
}

static struct entry *movement_of(const char *ref_id, enum movement_kind kind)
{
    for (int i = 0;; i++) {
        struct entry *entry = entry_at(the_day, "stock.ledger", i);
        const struct stock_ledger_entry *record = entry->record;
        const struct stock_movement *is = &record->payload.stock_movement;
        if (is->kind == kind && strcmp(is->ref_id, ref_id) == 0) {
            return entry;
        }
    }
}

/* ---- what is right ---- */

static void finds_nothing_in_a_correct_day(void **state)
{
    (void)state;
    struct audit *audit = audit_of(the_day, &whole_audit);
    const struct findings *findings = audit_findings(audit);
    print_findings(findings);
    assert_true(findings_clean(findings));
    for (int i = 0; i < INVARIANTS; i++) {
        if (i != I28) {
            assert_true(findings->tallies[i].checked > 0);
        }
    }
    audit_close(audit);
}

static void finds_nothing_online_in_a_correct_day(void **state)
{
    (void)state;
    assert_int_equal(broken_by(the_day,
                               &(struct audit_options){.online = true, .findings_kept = 1}),
                     0);
}

/* The day as the audit of a running system sees it: the histories up to entry `first`, what came of
 * them up to entry `second`, the inputs whole. */
static void cut(struct log *log, size_t first, size_t second)
{
    size_t kept = 0;
    for (size_t i = 0; i < log->count; i++) {
        const char *topic = log->entries[i].topic;
        bool effect = strcmp(topic, "order.events") == 0 || strcmp(topic, "order.view") == 0 ||
                      strcmp(topic, "stock.replies") == 0 || strcmp(topic, "stock.ledger") == 0 ||
                      strcmp(topic, "stock.levels") == 0;
        if (strstr(topic, ".history") ? i < first : effect ? i < second : true) {
            log->entries[kept++] = log->entries[i];
        }
    }
    log->count = kept;
}

static void online_finds_nothing_at_any_moment_of_a_correct_day(void **state)
{
    (void)state;
    static struct log seen;
    for (size_t first = 0; first < the_day->count; first += 7) {
        for (size_t second = first; second < the_day->count; second += 50) {
            seen = *the_day;
            cut(&seen, first, second);
            uint32_t bits =
                broken_by(&seen, &(struct audit_options){.online = true, .findings_kept = 1});
            if (bits != 0) {
                fail_msg("cut at %zu and %zu: 0x%x", first, second, (unsigned)bits);
            }
        }
    }
}

static void online_still_wants_what_a_checkpoint_covers(void **state)
{
    (void)state;
    const struct audit_options online = {.online = true, .findings_kept = 1};
    drop(the_day, reply_to("o1/1/1", STOCK_REPLY_RESERVED));
    assert_true((broken_by(the_day, &online) & UINT32_C(1) << I24) != 0);
}

/* ---- stock ---- */

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

/* ---- orders ---- */

static void i8_sees_an_order_in_flight(void **state)
{
    (void)state;
    drop(the_day, event_of("o1", ORDER_EVENT_ORDER_CONFIRMED));
    assert_breaks(I8);
}

static void i8_sees_an_order_that_nobody_answered(void **state)
{
    (void)state;
    drop(the_day, event_of("o4", ORDER_EVENT_ORDER_REJECTED));
    assert_breaks(I8);
}

static void i8_sees_an_order_that_nobody_placed(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "order.requests", 0));
    assert_breaks(I8);
}

static void i8_sees_a_second_end(void **state)
{
    (void)state;
    repeat(the_day, event_of("o2", ORDER_EVENT_ORDER_CANCELLED));
    struct order_event *second = arena_alloc(&the_day->arena, sizeof *second);
    *second = *(const struct order_event *)the_day->entries[the_day->count - 1].record;
    second->agg_seq++;
    the_day->entries[the_day->count - 1].record = second;
    assert_breaks(I8);
}

static void i8_sees_input_that_is_not_handled(void **state)
{
    (void)state;
    put(the_day, "order.raw", "o9", NULL, NULL);
    assert_breaks(I8);
}

static void i9_sees_a_gap_in_the_events(void **state)
{
    (void)state;
    event_envelope(1)->agg_seq++;
    assert_breaks(I9);
}

static void i9_sees_events_in_the_wrong_order(void **state)
{
    (void)state;
    swap(event_of("o1", ORDER_EVENT_ORDER_ACCEPTED), event_of("o1", ORDER_EVENT_ORDER_CONFIRMED));
    assert_breaks(I9);
}

static void i9_sees_states_that_no_transition_joins(void **state)
{
    (void)state;
    struct entry *accepted = event_of("o2", ORDER_EVENT_ORDER_ACCEPTED);
    drop(the_day, accepted);
    ((struct order_event *)event_of("o2", ORDER_EVENT_ORDER_CANCELLED)->record)->agg_seq = 1;
    assert_breaks(I9); /* NEW to CANCELLED */
}

static void i9_sees_an_event_of_another_state(void **state)
{
    (void)state;
    event_at(1)->state = ORDER_STATE_COMPLETED;
    assert_breaks(I9);
}

static void i9_wants_a_reason_for_a_cancellation(void **state)
{
    (void)state;
    ((struct order_event *)event_of("o2", ORDER_EVENT_ORDER_CANCELLED)->record)
        ->payload.order_cancelled.reason = ORDER_REASON_NONE;
    assert_breaks(I9);
}

static void i10_sees_a_part_shipped_of_all_or_nothing(void **state)
{
    (void)state;
    struct order_event *event = event_of("o1", ORDER_EVENT_ORDER_CONFIRMED)->record;
    event->payload.order_confirmed.lines.items[1].state = ORDER_LINE_STATE_REFUSED;
    assert_breaks(I10);
}

static void i10_sees_a_line_dropped_silently(void **state)
{
    (void)state;
    struct order_event *event = event_of("o1", ORDER_EVENT_ORDER_CONFIRMED)->record;
    event->payload.order_confirmed.lines.count = 1;
    assert_breaks(I10);
    event = event_of("o3", ORDER_EVENT_ORDER_AMENDED)->record;
    event->payload.order_amended.lines.items[0].qty++;
    assert_breaks(I10);
}

static void i10_sees_an_amendment_that_nobody_agreed_to(void **state)
{
    (void)state;
    struct order_request *request = entry_at(the_day, "order.requests", 2)->record;
    request->payload.place_order.auto_accept = false;
    assert_breaks(I10);
}

static void i11_sees_stock_of_a_cancelled_order(void **state)
{
    (void)state;
    drop(the_day, reply_to("o2/1/1", STOCK_REPLY_RELEASED));
    assert_breaks(I11);
}

static void i11_sees_a_confirmed_line_without_stock(void **state)
{
    (void)state;
    drop(the_day, reply_to("o3/1/1", STOCK_REPLY_COMMIT_OK));
    assert_breaks(I11);
}

static void i13_sees_a_minor_unit_too_much_in_a_request(void **state)
{
    (void)state;
    struct order_request *request = entry_at(the_day, "order.requests", 0)->record;
    struct place_order *place_order = &request->payload.place_order;
    int64_t *amounts[] = {&place_order->grand_total, &place_order->shipping_fee,
                          &place_order->tax_total, &place_order->lines.items[0].line_total,
                          &place_order->lines.items[1].discount};
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        (*amounts[i])++;
        assert_breaks(I13);
        (*amounts[i])--;
    }
    assert_int_equal(broken_by(the_day, &whole_audit), 0);
}

static void i13_sees_a_minor_unit_too_much_in_an_event(void **state)
{
    (void)state;
    struct order_totals *totals = &event_at(0)->totals;
    totals->ordered--;
    assert_breaks(I13);
    totals->ordered++;
    struct order_event *amended = event_of("o3", ORDER_EVENT_ORDER_AMENDED)->record;
    amended->payload.order_amended.totals.accepted++;
    assert_breaks(I13);
    amended->payload.order_amended.totals.accepted--;
    struct order_event *cancelled = event_of("o2", ORDER_EVENT_ORDER_CANCELLED)->record;
    cancelled->payload.order_cancelled.totals.accepted++;
    assert_breaks(I13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(finds_nothing_in_a_correct_day),
        ON(finds_nothing_online_in_a_correct_day),
        ON(online_finds_nothing_at_any_moment_of_a_correct_day),
        ON(online_still_wants_what_a_checkpoint_covers),
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
        ON(i8_sees_an_order_in_flight),
        ON(i8_sees_an_order_that_nobody_answered),
        ON(i8_sees_an_order_that_nobody_placed),
        ON(i8_sees_a_second_end),
        ON(i8_sees_input_that_is_not_handled),
        ON(i9_sees_a_gap_in_the_events),
        ON(i9_sees_events_in_the_wrong_order),
        ON(i9_sees_states_that_no_transition_joins),
        ON(i9_sees_an_event_of_another_state),
        ON(i9_wants_a_reason_for_a_cancellation),
        ON(i10_sees_a_part_shipped_of_all_or_nothing),
        ON(i10_sees_a_line_dropped_silently),
        ON(i10_sees_an_amendment_that_nobody_agreed_to),
        ON(i11_sees_stock_of_a_cancelled_order),
        ON(i11_sees_a_confirmed_line_without_stock),
        ON(i13_sees_a_minor_unit_too_much_in_a_request),
        ON(i13_sees_a_minor_unit_too_much_in_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
