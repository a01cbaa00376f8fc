/* test_diagnosis.c - what `weir doctor` makes of the facts about a task. The cases that the broker
 * in memory can play from end to end are in protocol/test_repair.c; here are all of them, one fact
 * changed at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "doctor/diagnosis.h"
#include "doctor/plan.h"

#include <cmocka.h>

static const char incarnation[] = "0123456789abcdef0123456789abcdef";
static const char other_incarnation[] = "fedcba9876543210fedcba9876543210";

static struct input_range ranges[2];

static void commit_offset(struct task_facts *facts, size_t input, int64_t offset, int64_t number)
{
    facts->inputs[input].committed.offset = offset;
    metadata_write(number, incarnation, offset, facts->inputs[input].committed.metadata);
}

/* A task of two inputs at commit 12: nothing is wrong. */
static struct task_facts well(void)
{
    struct task_facts facts = {
        .processor = "order",
        .application_id = "order",
        .partition = 3,
        .now_ms = 2000000000,
        .transaction_timeout_ms = 10000,
        .delete_retention_ms = 86400000,
        .inputs = {{.topic = "order.requests",
                    .log = {.low = 0, .stable = 110, .high = 110},
                    .waiting = {.first_offset = -1}},
                   {.topic = "stock.replies",
                    .log = {.low = 5, .stable = 220, .high = 220},
                    .waiting = {.first_offset = -1}}},
        .input_count = 2,
        .file = FILE_READ,
    };
    ranges[0] = (struct input_range){.topic = "order.requests", .next_offset = 100};
    ranges[1] = (struct input_range){.topic = "stock.replies", .next_offset = 200};
    facts.changelog = (struct last_checkpoint){
        .log = {.stable = 500, .high = 500},
        .found = true,
        .offset = 498,
        .checkpoint = {.commit_number = 12,
                       .incarnation = incarnation,
                       .inputs = {.items = ranges, .count = 2}},
    };
    facts.meta = (struct store_meta){.commit_number = 12,
                                     .changelog_offset = 499,
                                     .appended_ms = facts.now_ms - 1000};
    snprintf(facts.meta.incarnation, sizeof facts.meta.incarnation, "%s", incarnation);
    commit_offset(&facts, 0, 100, 12);
    commit_offset(&facts, 1, 200, 12);
    return facts;
}

/* The one finding there is. */
static struct finding only(struct task_facts *facts)
{
    struct diagnosis diagnosis;
    if (facts->group != GROUP_HELD) {
        facts_read_group(facts);
    }
    diagnose(facts, &diagnosis);
    if (diagnosis.count != 1) {
        for (size_t i = 0; i < diagnosis.count; i++) {
            print_message("found: %s\n", diagnosis.items[i].text);
        }
        fail_msg("%zu findings", diagnosis.count);
    }
    assert_int_equal(diagnosis_needs_person(&diagnosis), diagnosis.items[0].needs_person);
    assert_int_equal(diagnosis.items[0].needs_person, diagnosis.items[0].command[0] != 0);
    return diagnosis.items[0];
}

static void expect(struct task_facts facts, enum finding_kind kind, const char *command)
{
    struct finding finding = only(&facts);
    assert_int_equal(finding.kind, kind);
    if (!strstr(finding.command, command)) {
        fail_msg("'%s' does not say '%s'", finding.command, command);
    }
}

static void expect_note(struct task_facts facts, enum finding_kind kind)
{
    struct finding finding = only(&facts);
    assert_int_equal(finding.kind, kind);
    assert_false(finding.needs_person);
}

static void expect_nothing(struct task_facts facts)
{
    struct diagnosis diagnosis;
    facts_read_group(&facts);
    diagnose(&facts, &diagnosis);
    assert_int_equal(diagnosis.count, 0);
}

static void lose_offsets(struct task_facts *facts)
{
    facts->inputs[0].committed.offset = facts->inputs[1].committed.offset = -1;
}

static void lose_changelog(struct task_facts *facts)
{
    facts->changelog = (struct last_checkpoint){0};
}

/* ---- the group's offsets ---- */

static void a_task_that_is_well_gets_no_finding(void **state)
{
    (void)state;
    expect_nothing(well());
}

static void a_task_that_has_never_run_is_well(void **state)
{
    (void)state;
    struct task_facts facts = well();
    lose_offsets(&facts);
    lose_changelog(&facts);
    facts.file = FILE_NONE;
    expect_nothing(facts);
}

static void a_file_that_lags_is_well(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.meta.commit_number = 9;
    facts.meta.changelog_offset = 300;
    expect_nothing(facts);
    facts.file = FILE_NONE;
    expect_nothing(facts);
}

static void offsets_without_our_metadata_are_foreign(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.inputs[1].committed.metadata[0] = 0;
    expect(facts, OFFSETS_FOREIGN, "weir offsets adopt order --partition 3 --execute");
    snprintf(facts.inputs[1].committed.metadata, PORT_METADATA_MAX, "weir1 x");
    expect(facts, OFFSETS_FOREIGN, "weir offsets adopt");
}

static void offsets_of_different_commits_are_mixed(void **state)
{
    (void)state;
    struct task_facts facts = well();
    commit_offset(&facts, 1, 190, 11);
    expect(facts, OFFSETS_MIXED, "weir offsets adopt order --partition 3");
    assert_non_null(strstr(only(&facts).text, "12 and 11"));
}

static void an_input_without_an_offset_makes_them_partial(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.inputs[0].committed.offset = -1;
    expect(facts, OFFSETS_PARTIAL, "weir offsets adopt order --partition 3");
}

static void a_commit_before_the_checkpoint_was_set_back(void **state)
{
    (void)state;
    struct task_facts facts = well();
    commit_offset(&facts, 0, 90, 11);
    commit_offset(&facts, 1, 190, 11);
    expect(facts, OFFSETS_SET_BACK, "weir offsets adopt order --partition 3");
}

static void a_running_task_is_never_said_to_contradict(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.moving = true;
    commit_offset(&facts, 0, 108, 14);
    commit_offset(&facts, 1, 208, 14);
    expect_nothing(facts);
}

static void a_checkpoint_of_another_incarnation_is_found(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.changelog.checkpoint.incarnation = other_incarnation;
    expect(facts, OFFSETS_OF_ANOTHER, "weir offsets adopt order --partition 3");
}

static void an_offset_that_is_not_the_checkpoints_is_found(void **state)
{
    (void)state;
    struct task_facts facts = well();
    commit_offset(&facts, 1, 210, 12);
    expect(facts, OFFSETS_DIFFER, "weir offsets adopt order --partition 3");
}

static void expired_offsets_are_only_noted(void **state)
{
    (void)state;
    struct task_facts facts = well();
    lose_offsets(&facts);
    expect_note(facts, OFFSETS_GONE);
}

static void offsets_that_a_transaction_holds_need_its_owner(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.group = GROUP_HELD;
    expect(facts, OFFSETS_HELD, "look again in 25 s");
}

/* Kafka 4.3.1, killed in the middle of a commit, may come back and believe that it is ended. */
static void a_commit_that_the_broker_forgot_is_told_from_one_under_way(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.group = GROUP_HELD;
    facts.changelog_held_since_ms = facts.now_ms - 25000;
    struct diagnosis diagnosis;
    diagnose(&facts, &diagnosis);
    assert_null(strstr(diagnosis.items[diagnosis.count - 1].command, "forgets"));
    facts.changelog_held_since_ms = facts.now_ms - 25001;
    diagnose(&facts, &diagnosis);
    assert_int_equal(diagnosis.items[diagnosis.count - 1].kind, OFFSETS_HELD);
    assert_non_null(strstr(diagnosis.items[diagnosis.count - 1].command, "forgets a commit"));
}

/* ---- the changelog ---- */

static void an_empty_changelog_is_written_from_a_file_that_is_current(void **state)
{
    (void)state;
    struct task_facts facts = well();
    lose_changelog(&facts);
    expect(facts, CHANGELOG_EMPTY,
           "weir reset order --partition 3 --changelog-from-file --execute");
    facts.meta.commit_number = 11;
    expect(facts, CHANGELOG_EMPTY, "--forget-everything --execute --yes-replay-from-start");
    assert_non_null(strstr(only(&facts).text, "weir replay order --partition 3 --state DIR"));
    facts.meta.commit_number = 12;
    snprintf(facts.meta.incarnation, sizeof facts.meta.incarnation, "%s", other_incarnation);
    expect(facts, CHANGELOG_EMPTY, "--forget-everything");
}

static void foreign_offsets_cannot_be_adopted_from_an_empty_changelog(void **state)
{
    (void)state;
    struct task_facts facts = well();
    lose_changelog(&facts);
    facts.inputs[0].committed.metadata[0] = 0;
    expect(facts, CHANGELOG_EMPTY, "--forget-everything");
}

static void a_changelog_that_lost_its_end_is_behind(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.changelog.checkpoint.commit_number = 10;
    expect(facts, CHANGELOG_BEHIND, "--changelog-from-file");
    facts.file = FILE_NONE;
    expect(facts, CHANGELOG_BEHIND,
           "weir offsets adopt order --partition 3 --execute --yes-replay");
}

static void a_checkpoint_whose_marker_is_on_its_way_is_waited_for(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.changelog.checkpoint.commit_number = 11;
    facts.changelog.log.stable = 490;
    facts.file = FILE_NONE;
    expect_nothing(facts);
}

static void a_changelog_without_its_beginning_is_cut(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.changelog.log.low = 40;
    expect(facts, CHANGELOG_CUT, "weir reset order --partition 3 --changelog-from-file");
    facts.file = FILE_NONE;
    expect(facts, CHANGELOG_CUT, "--forget-everything");
}

static void rows_without_a_checkpoint_are_found(void **state)
{
    (void)state;
    struct task_facts facts = well();
    lose_changelog(&facts);
    lose_offsets(&facts);
    facts.file = FILE_NONE;
    facts.changelog.log = (struct port_log){.stable = 7, .high = 7};
    facts.changelog.rows = 6;
    expect(facts, CHANGELOG_HEADLESS, "--forget-everything");
}

static void a_checkpoint_that_cannot_be_read_is_found(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.changelog.found = false;
    snprintf(facts.changelog.unreadable, sizeof facts.changelog.unreadable, "no such schema");
    expect(facts, CHANGELOG_UNREADABLE, "--changelog-from-file");
    assert_non_null(strstr(only(&facts).text, "newer version"));
}

/* ---- inputs ---- */

static void input_below_the_logs_start_is_lost(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.inputs[1].log.low = 201;
    expect(facts, INPUT_CUT, "weir reset order --partition 3 --accept-input-loss --execute");
    assert_non_null(strstr(only(&facts).text, "1 offsets of input are gone"));
    facts.inputs[1].log.low = 200;
    expect_nothing(facts);
}

static void input_that_ends_before_the_offset_is_another_topic(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.inputs[0].log.stable = facts.inputs[0].log.high = 99;
    expect(facts, INPUT_SHORT, "--accept-input-loss");
    facts.inputs[0].log.stable = facts.inputs[0].log.high = 100;
    expect_nothing(facts);
}

static void expired_offsets_and_an_input_that_is_new_are_adopted_by_a_person(void **state)
{
    (void)state;
    struct task_facts facts = well();
    struct diagnosis diagnosis;
    lose_offsets(&facts);
    facts.changelog.checkpoint.inputs.count = 1;
    facts_read_group(&facts);
    diagnose(&facts, &diagnosis);
    assert_int_equal(diagnosis.count, 2);
    assert_int_equal(diagnosis.items[0].kind, OFFSETS_GONE);
    assert_int_equal(diagnosis.items[1].kind, INPUT_NEW);
    assert_non_null(strstr(diagnosis.items[1].command, "weir offsets adopt"));
}

static void a_record_that_nobody_can_read_is_given_up_by_dlq_put(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.inputs[1].waiting = (struct waiting){.records = 3, .first_offset = 204};
    expect_nothing(facts);
    snprintf(facts.inputs[1].unreadable, sizeof facts.inputs[1].unreadable, "no schema");
    expect(facts, INPUT_PAUSED, "weir dlq put stock.replies 3 204");
}

static void an_open_transaction_needs_a_person_when_it_is_too_old(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.inputs[0].log.stable = 105;
    facts.inputs[0].held_since_ms = facts.now_ms - 20000;
    facts.inputs[0].writers = "one of intake.p0 to .p3";
    expect_note(facts, INPUT_HELD);
    assert_non_null(strstr(only(&facts).text, "intake.p0"));
    facts.inputs[0].held_since_ms = facts.now_ms - 25001;
    expect(facts, INPUT_HELD, "start that writer");
}

static void an_open_transaction_in_the_changelog_ends_with_the_tasks_start(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.changelog_held_since_ms = facts.now_ms - 2000;
    expect_note(facts, CHANGELOG_HELD);
    facts.changelog_held_since_ms = facts.now_ms - 60000;
    expect(facts, CHANGELOG_HELD, "weir run order --partition 3");
}

/* ---- the file ---- */

static void a_file_ahead_of_everything_is_rebuilt(void **state)
{
    (void)state;
    struct task_facts facts = well();
    facts.meta.commit_number = 15;
    expect(facts, FILE_AHEAD, "weir reset order --partition 3 --state --execute");
}

static void a_file_ahead_of_the_group_alone_shows_that_offsets_were_set_back(void **state)
{
    (void)state;
    struct task_facts facts = well();
    commit_offset(&facts, 0, 90, 10);
    commit_offset(&facts, 1, 190, 10);
    expect(facts, OFFSETS_SET_BACK, "weir offsets adopt");
}

static void a_file_with_nothing_in_kafka_stands_alone(void **state)
{
    (void)state;
    struct task_facts facts = well();
    lose_changelog(&facts);
    lose_offsets(&facts);
    expect(facts, FILE_ALONE, "--forget-everything");
}

static void files_that_the_next_start_sets_aside_are_noted(void **state)
{
    (void)state;
    struct task_facts facts = well();
    snprintf(facts.meta.incarnation, sizeof facts.meta.incarnation, "%s", other_incarnation);
    expect_note(facts, FILE_USELESS);

    facts = well();
    facts.meta.changelog_offset = 501;
    expect_note(facts, FILE_USELESS);

    facts = well();
    facts.meta.commit_number = 3;
    facts.meta.appended_ms = facts.now_ms - 50000000;
    expect_note(facts, FILE_USELESS);

    facts = well();
    facts.file = FILE_UNREADABLE;
    snprintf(facts.file_trouble, sizeof facts.file_trouble, "not a state file");
    expect_note(facts, FILE_USELESS);
}

/* ---- plans ---- */

static void a_plan_uses_no_number_twice(void **state)
{
    (void)state;
    struct task_facts facts = well();
    struct plan plan;
    struct error error;
    facts.meta.commit_number = 15;
    facts_read_group(&facts);
    assert_int_equal(plan_forget_everything(&facts, &plan, &error), OK);
    assert_int_equal(plan.number, 16);
    facts.inputs[0].committed.metadata[0] = 0;
    facts.file = FILE_NONE;
    facts_read_group(&facts);
    assert_int_equal(plan_adopt(&facts, &plan, &error), OK);
    assert_int_equal(plan.number, 13);
}

static void adopting_begins_a_new_input_at_its_logs_start(void **state)
{
    (void)state;
    struct task_facts facts = well();
    struct plan plan;
    struct error error;
    facts.inputs[1].committed.offset = -1;
    facts.changelog.checkpoint.inputs.count = 1;
    facts_read_group(&facts);
    assert_int_equal(plan_adopt(&facts, &plan, &error), OK);
    assert_false(plan.nothing_to_do);
    assert_int_equal(plan.to[0], 100);
    assert_int_equal(plan.to[1], 5);
}

static void adopting_refuses_to_repeat_what_the_file_still_has(void **state)
{
    (void)state;
    struct task_facts facts = well();
    struct plan plan;
    struct error error;
    facts.changelog.checkpoint.commit_number = 10;
    facts_read_group(&facts);
    assert_int_equal(plan_adopt(&facts, &plan, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(error.text, "--changelog-from-file"));
}

static void plans_wait_for_an_open_transaction(void **state)
{
    (void)state;
    struct task_facts facts = well();
    struct plan plan;
    struct error error;
    facts.group = GROUP_HELD;
    planner *const planners[] = {plan_adopt, plan_accept_input_loss, plan_changelog_from_file};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(planners[i](&facts, &plan, &error), FATAL);
        assert_int_equal(error.exit_code, EXIT_TRY_AGAIN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_is_well_gets_no_finding),
        cmocka_unit_test(a_task_that_has_never_run_is_well),
        cmocka_unit_test(a_file_that_lags_is_well),
        cmocka_unit_test(offsets_without_our_metadata_are_foreign),
        cmocka_unit_test(offsets_of_different_commits_are_mixed),
        cmocka_unit_test(an_input_without_an_offset_makes_them_partial),
        cmocka_unit_test(a_commit_before_the_checkpoint_was_set_back),
        cmocka_unit_test(a_running_task_is_never_said_to_contradict),
        cmocka_unit_test(a_checkpoint_of_another_incarnation_is_found),
        cmocka_unit_test(an_offset_that_is_not_the_checkpoints_is_found),
        cmocka_unit_test(expired_offsets_are_only_noted),
        cmocka_unit_test(offsets_that_a_transaction_holds_need_its_owner),
        cmocka_unit_test(a_commit_that_the_broker_forgot_is_told_from_one_under_way),
        cmocka_unit_test(an_empty_changelog_is_written_from_a_file_that_is_current),
        cmocka_unit_test(foreign_offsets_cannot_be_adopted_from_an_empty_changelog),
        cmocka_unit_test(a_changelog_that_lost_its_end_is_behind),
        cmocka_unit_test(a_checkpoint_whose_marker_is_on_its_way_is_waited_for),
        cmocka_unit_test(a_changelog_without_its_beginning_is_cut),
        cmocka_unit_test(rows_without_a_checkpoint_are_found),
        cmocka_unit_test(a_checkpoint_that_cannot_be_read_is_found),
        cmocka_unit_test(input_below_the_logs_start_is_lost),
        cmocka_unit_test(input_that_ends_before_the_offset_is_another_topic),
        cmocka_unit_test(expired_offsets_and_an_input_that_is_new_are_adopted_by_a_person),
        cmocka_unit_test(a_record_that_nobody_can_read_is_given_up_by_dlq_put),
        cmocka_unit_test(an_open_transaction_needs_a_person_when_it_is_too_old),
        cmocka_unit_test(an_open_transaction_in_the_changelog_ends_with_the_tasks_start),
        cmocka_unit_test(a_file_ahead_of_everything_is_rebuilt),
        cmocka_unit_test(a_file_ahead_of_the_group_alone_shows_that_offsets_were_set_back),
        cmocka_unit_test(a_file_with_nothing_in_kafka_stands_alone),
        cmocka_unit_test(files_that_the_next_start_sets_aside_are_noted),
        cmocka_unit_test(a_plan_uses_no_number_twice),
        cmocka_unit_test(adopting_begins_a_new_input_at_its_logs_start),
        cmocka_unit_test(adopting_refuses_to_repeat_what_the_file_still_has),
        cmocka_unit_test(plans_wait_for_an_open_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
