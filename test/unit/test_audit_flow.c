/* test_audit_flow.c - exactly once, flow and views: what the audit must find when records are lost,
 * doubled or invented, and how it reports.
 */
#include "audit_day.h"

/* o1's Accepted: its cause has three outputs, two commands and this. */
static struct entry *accepted_o1(void)
{
    return entry_at(the_day, "order.events", 0);
}

static struct checkpoint *checkpoint_at(const char *topic, int nth)
{
    return entry_at(the_day, topic, nth)->record;
}

/* ---- I22 ---- */

static void i22_sees_every_output_that_comes_twice(void **state)
{
    (void)state;
    static const char *const outputs[] = {"order.requests", "stock.commands", "stock.replies",
                                          "stock.ledger", "order.events"};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        struct entry *entry =
            entry_at(the_day, outputs[i], strcmp(outputs[i], "stock.commands") == 0 ? 5 : 0);
        assert_true(entry->caused);
        repeat(the_day, entry);
        assert_breaks(I22);
        the_day->count--;
    }
}

static void i22_sees_a_timer_that_fired_twice(void **state)
{
    (void)state;
    struct entry *expiry = entry_at(the_day, "stock.replies", -4);
    assert_non_null(expiry->cause.timer);
    repeat(the_day, expiry);
    assert_breaks(I22);
}

static void i22_wants_a_cause_on_every_output(void **state)
{
    (void)state;
    entry_at(the_day, "stock.ledger", 2)->caused = false;
    assert_breaks(I22);
}

static void i22_keeps_ordinals_and_views_apart(void **state)
{
    (void)state;
    entry_at(the_day, "stock.ledger", 2)->cause.ordinal = -1;
    assert_breaks(I22);
}

static void i22_sees_a_second_dead_letter(void **state)
{
    (void)state;
    repeat(the_day, entry_at(the_day, "stock.commands.dlq", 0));
    assert_breaks(I22);
}

/* ---- I23 ---- */

static void i23_sees_a_lost_dead_letter(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "stock.commands.dlq", 0));
    assert_breaks(I23);
}

static void i23_sees_a_lost_input(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "order.raw", 1));
    assert_breaks(I23);
}

static void i23_sees_an_input_all_of_whose_outputs_are_lost(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "order.requests", 1));
    assert_breaks(I23);
}

static void i23_sees_counts_that_do_not_add_up(void **state)
{
    (void)state;
    int64_t *counts[] = {&checkpoint_at("inventory.history", 0)->inputs.items[0].handled,
                         &checkpoint_at("inventory.history", 0)->inputs.items[0].stale,
                         &checkpoint_at("inventory.history", 0)->inputs.items[0].dead};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        (*counts[i])++;
        assert_breaks(I23);
        (*counts[i])--;
    }
    assert_int_equal(broken_by(the_day, &whole_audit), 0);
}

static void i23_sees_an_output_of_what_is_not_committed(void **state)
{
    (void)state;
    int64_t offset = put(the_day, "order.raw", "late", NULL, NULL);
    repeat(the_day, entry_at(the_day, "order.requests", -1));
    the_day->entries[the_day->count - 1].cause.offset = offset;
    assert_breaks(I23);
}

static void i23_sees_an_output_of_nothing(void **state)
{
    (void)state;
    struct cause *cause = &entry_at(the_day, "order.requests", 0)->cause;
    int64_t *offset = &cause->offset, was = *offset;
    *offset = 1; /* a control record */
    assert_breaks(I23);
    *offset = 1 << 20;
    assert_breaks(I23);
    *offset = was;
    cause->partition = 7;
    assert_breaks(I23);
}

static void i23_sees_a_dead_letter_that_had_effects(void **state)
{
    (void)state;
    struct entry *letter = entry_at(the_day, "order.raw.dlq", 0);
    letter->source = "order.raw/0/2";
    assert_breaks(I23);
}

/* ---- I24 ---- */

static void i24_sees_any_output_of_a_cause_that_is_lost(void **state)
{
    (void)state;
    assert_int_equal(accepted_o1()->cause.count, 3);
    assert_int_equal(accepted_o1()->cause.ordinal, 2);
    struct log *whole_day = the_day;
    for (int lost = 0; lost < 3; lost++) {
        the_day = make_day();
        drop(the_day, lost == 2 ? accepted_o1() : entry_at(the_day, "stock.commands", 5 + lost));
        assert_breaks(I24);
        log_release(the_day);
    }
    the_day = whole_day;
}

static void i24_sees_a_lost_last_output_by_the_count_of_the_others(void **state)
{
    (void)state;
    struct entry *reply = entry_at(the_day, "stock.replies", 0);
    assert_int_equal(reply->cause.ordinal, reply->cause.count - 1);
    drop(the_day, reply);
    assert_breaks(I24);
}

static void i24_sees_causes_that_disagree_on_their_count(void **state)
{
    (void)state;
    accepted_o1()->cause.count++;
    assert_breaks(I24);
}

static void i24_counts_a_cause_of_many_outputs(void **state)
{
    (void)state;
    const struct stock_command *command = entry_at(the_day, "stock.commands", -1)->record;
    step(the_day, &the_day->order, "order.requests", 0, "order_deadline/o1@1");
    for (int i = 0; i < 200; i++) {
        out(the_day, "stock.commands", "D", &stock_command_record, command);
    }
    done(the_day, HANDLED);
    const uint32_t bit = UINT32_C(1) << I24;
    assert_int_equal(broken_by(the_day, &whole_audit) & bit, 0);
    drop(the_day, entry_at(the_day, "stock.commands", -60));
    assert_breaks(I24);
}

/* ---- I25 ---- */

static void i25_sees_a_lost_checkpoint(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "order.history", 3));
    assert_breaks(I25);
}

static void i25_sees_a_commit_twice(void **state)
{
    (void)state;
    repeat(the_day, entry_at(the_day, "order.history", -1));
    assert_breaks(I25);
}

static void i25_sees_a_gap_between_ranges(void **state)
{
    (void)state;
    checkpoint_at("inventory.history", 2)->inputs.items[0].first_offset++;
    assert_breaks(I25);
}

static void i25_sees_another_incarnation(void **state)
{
    (void)state;
    checkpoint_at("inventory.history", 2)->incarnation = "another";
    assert_breaks(I25);
}

static void i25_counts_outputs_views_included(void **state)
{
    (void)state;
    checkpoint_at("inventory.history", 2)->outputs++;
    assert_breaks(I25);
    checkpoint_at("inventory.history", 2)->outputs--;
    drop(the_day,
         entry_at(the_day, "stock.levels", 2)); /* a later level stands, so the fold is right */
    uint32_t bits = broken_by(the_day, &whole_audit);
    assert_int_equal(bits, UINT32_C(1) << I25);
}

static void i25_forgives_views_that_may_be_compacted(void **state)
{
    (void)state;
    const int64_t month_ms = 30 * 24 * 60 * 60 * INT64_C(1000);
    drop(the_day, entry_at(the_day, "stock.levels", 2));
    entry_at(the_day, "stock.levels", -1)->ms += month_ms;
    assert_int_equal(broken_by(the_day, &whole_audit) & UINT32_C(1) << I25, 0);
}

/* ---- I27 ---- */

static void i27_sees_a_view_that_lags(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "stock.levels", -1));
    assert_breaks(I27);
}

static void i27_sees_a_view_of_an_order_that_lags(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "order.view", -1));
    assert_breaks(I27);
}

static void i27_sees_every_difference_in_a_level(void **state)
{
    (void)state;
    struct stock_level_record *record = entry_at(the_day, "stock.levels", -1)->record;
    struct stock_level_view *view = &record->payload.stock_level_view;
    int64_t *numbers[] = {&view->on_hand,
                          &view->held,
                          &view->committed,
                          &view->unavailable,
                          &view->backordered,
                          &view->available,
                          &view->movement_seq,
                          &view->locations.items[0].held,
                          &view->locations.items[0].on_hand};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        (*numbers[i])++;
        assert_breaks(I27);
        (*numbers[i])--;
    }
    assert_int_equal(broken_by(the_day, &whole_audit), 0);
}

static void i27_sees_every_difference_in_an_order(void **state)
{
    (void)state;
    struct order_view_record *record = NULL;
    for (int i = -1; !record || strcmp(record->payload.order_view.order_id, "o3") != 0; i--) {
        record = entry_at(the_day, "order.view", i)->record;
    }
    record->payload.order_view.state = ORDER_STATE_CONFIRMING;
    assert_breaks(I27);
    record->payload.order_view.state = ORDER_STATE_FULFILLING;
    record->payload.order_view.totals.accepted++;
    assert_breaks(I27);
    record->payload.order_view.totals.accepted--;
    record->payload.order_view.lines.items[0].state = ORDER_LINE_STATE_HELD;
    assert_breaks(I27);
    record->payload.order_view.lines.items[0].state = ORDER_LINE_STATE_COMMITTED;
    record->agg_seq--;
    assert_breaks(I27);
}

/* ---- records that cannot be read ---- */

static void wants_outputs_that_can_be_read(void **state)
{
    (void)state;
    entry_at(the_day, "stock.ledger", 3)->type = NULL;
    assert_breaks(I3);
}

static void wants_a_dead_letter_for_an_input_that_cannot_be_read(void **state)
{
    (void)state;
    entry_at(the_day, "stock.commands", 5)->type = NULL;
    assert_breaks(I23);
}

/* ---- the report ---- */

static void names_the_first_record_that_breaks(void **state)
{
    (void)state;
    struct entry *entry = entry_at(the_day, "stock.ledger", 4);
    ((struct stock_ledger_entry *)entry->record)->payload.stock_movement.held_after++;
    char place[64];
    snprintf(place, sizeof place, "stock.ledger/0/%lld", (long long)entry->offset);
    struct audit *audit =
        audit_of(the_day, &(struct audit_options){.findings_kept = 5, .only = 1u << I3});
    const struct findings *findings = audit_findings(audit);
    assert_string_equal(findings->list[0].place, place);
    assert_non_null(strstr(findings->list[0].text, "expected held_after 1"));
    assert_non_null(strstr(findings->list[0].text, "found 2"));
    audit_close(audit);
}

static void keeps_few_findings_and_counts_all(void **state)
{
    (void)state;
    while (the_day->count > 0 && strcmp(entry_at(the_day, "stock.ledger", -1)->key, "A") != 0) {
        drop(the_day, entry_at(the_day, "stock.ledger", -1));
    }
    for (int i = 0; i < 6; i++) {
        ((struct stock_ledger_entry *)entry_at(the_day, "stock.ledger", i)->record)->agg_seq = 99;
    }
    struct audit *audit =
        audit_of(the_day, &(struct audit_options){.findings_kept = 2, .only = 1u << I3});
    assert_int_equal(audit_findings(audit)->count, 2);
    assert_int_equal(audit_findings(audit)->tallies[I3].broken, 6);
    audit_close(audit);
}

static void checks_only_what_is_asked_for(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "stock.ledger", 4));
    uint32_t only;
    const char *unknown;
    assert_true(invariants_read("I9,I13", &only, &unknown));
    assert_int_equal(broken_by(the_day, &(struct audit_options){.only = only}), 0);
    assert_true(invariants_read("I3", &only, &unknown));
    assert_int_equal(broken_by(the_day, &(struct audit_options){.only = only}), 1u << I3);
    assert_false(invariants_read("I3,I12", &only, &unknown));
    assert_string_equal(unknown, "I12");
}

static void skips_what_a_log_without_its_beginning_cannot_prove(void **state)
{
    (void)state;
    struct audit *audit = NULL;
    struct error error;
    assert_int_equal(audit_open(&audit, &whole_audit, &error), OK);
    audit_partition(audit, "stock.replies", 0, 10, 20);
    const struct findings *findings = audit_findings(audit);
    assert_non_null(strstr(findings->tallies[I24].skipped, "stock.replies/0 begins at offset 10"));
    assert_null(findings->tallies[I3].skipped); /* the ledger is whole */
    audit_partition(audit, "stock.ledger", 0, 10, 20);
    assert_non_null(findings->tallies[I3].skipped);
    audit_close(audit);
}

static void reports_in_json(void **state)
{
    (void)state;
    drop(the_day, entry_at(the_day, "order.view", -1));
    struct audit *audit =
        audit_of(the_day, &(struct audit_options){.findings_kept = 5, .only = 1u << I27});
    struct buffer text;
    buffer_init(&text);
    findings_to_json(audit_findings(audit), &text);
    const char *json = buffer_string(&text);
    assert_non_null(strstr(json, "{\"clean\":false,\"invariants\":[{\"id\":\"I27\""));
    assert_non_null(strstr(json, "\"status\":\"broken\""));
    assert_non_null(strstr(json, "\"findings\":[{\"id\":\"I27\",\"place\":\"order.events/0/"));
    buffer_release(&text);
    audit_close(audit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(i22_sees_every_output_that_comes_twice),
        ON(i22_sees_a_timer_that_fired_twice),
        ON(i22_wants_a_cause_on_every_output),
        ON(i22_keeps_ordinals_and_views_apart),
        ON(i22_sees_a_second_dead_letter),
        ON(i23_sees_a_lost_dead_letter),
        ON(i23_sees_a_lost_input),
        ON(i23_sees_an_input_all_of_whose_outputs_are_lost),
        ON(i23_sees_counts_that_do_not_add_up),
        ON(i23_sees_an_output_of_what_is_not_committed),
        ON(i23_sees_an_output_of_nothing),
        ON(i23_sees_a_dead_letter_that_had_effects),
        ON(i24_sees_any_output_of_a_cause_that_is_lost),
        ON(i24_sees_a_lost_last_output_by_the_count_of_the_others),
        ON(i24_sees_causes_that_disagree_on_their_count),
        ON(i24_counts_a_cause_of_many_outputs),
        ON(i25_sees_a_lost_checkpoint),
        ON(i25_sees_a_commit_twice),
        ON(i25_sees_a_gap_between_ranges),
        ON(i25_sees_another_incarnation),
        ON(i25_counts_outputs_views_included),
        ON(i25_forgives_views_that_may_be_compacted),
        ON(i27_sees_a_view_that_lags),
        ON(i27_sees_a_view_of_an_order_that_lags),
        ON(i27_sees_every_difference_in_a_level),
        ON(i27_sees_every_difference_in_an_order),
        ON(wants_outputs_that_can_be_read),
        ON(wants_a_dead_letter_for_an_input_that_cannot_be_read),
        ON(names_the_first_record_that_breaks),
        ON(keeps_few_findings_and_counts_all),
        ON(checks_only_what_is_asked_for),
        ON(skips_what_a_log_without_its_beginning_cannot_prove),
        ON(reports_in_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
