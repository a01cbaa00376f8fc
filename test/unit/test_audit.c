/* test_audit.c - a correct day is clean, at rest and at any moment; I8 to I13: what the audit must
 * find when an order goes wrong.
 *
 * Each test changes a correct log in one place: a record dropped, doubled, moved, a number off by
 * one. What else such a change breaks does not matter; that the invariant meant is among it does.
 */
#include "audit_day.h"

static struct order_event *event_envelope(int nth)
{
    return entry_at(the_day, "order.events", nth)->record;
}

static struct order_accepted *event_at(int nth)
{
    return &event_envelope(nth)->payload.order_accepted;
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
