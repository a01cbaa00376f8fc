/* test_repair.c - every contradiction that stops a task, on the broker in memory: the task stops,
 * the diagnosis names it, the repair that the diagnosis names mends it, and in the end a reader
 * sees what it would have seen without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/diagnosis.h"
#include "doctor/plan_commit.h"
#include "protocol/second_life.h"
#include "runtime/repair.h"

#include <cmocka.h>

/* ---- a world, and a second process that looks and mends ---- */

struct clinic {
    struct world world;
    struct tasks tasks; /* as the tools would have opened them */
    struct arena arena;
    struct task_facts facts;
    struct diagnosis diagnosis;
};

static void ignore_assigned(void *context, const int32_t *partitions, size_t count)
{
    (void)context, (void)partitions, (void)count;
}

static void ignore_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    (void)context, (void)partitions, (void)count, (void)lost;
}

static void first_half(struct world *world)
{
    for (int i = 1; i <= 5; i++) {
        world_add(world, "a", i);
        world_add(world, "b", 10 * i);
    }
    world_garbage(world, "c");
    world_remind(world, "a", 600000);
    world_settle(world);
}

static char *second_half(struct world *world)
{
    for (int i = 1; i <= 4; i++) {
        world_add(world, "a", i);
        world_add(world, "c", 100 * i);
    }
    world_settle(world);
    broker_advance(world->broker, 601000);
    world_settle(world);
    world_stop(world);
    life_expect_same(world); /* repairs stand in the history, too */
    return world_picture(world);
}

static void clinic_open(struct clinic *clinic)
{
    static const char *const topics[] = {"tally.events", NULL};
    memset(clinic, 0, sizeof *clinic);
    world_open(&clinic->world);
    arena_init(&clinic->arena);
    struct client_options options = {
        .application_id = "tally",
        .topics = topics,
        .group = {NULL, ignore_assigned, ignore_revoked},
        .session_timeout_ms = 10000,
        .transaction_timeout_ms = 10000,
    };
    clinic->tasks = (struct tasks){
        .processor = &tally_processor,
        .port = broker_port_open(clinic->world.broker, &options),
        .partitions = 1,
        .settings = {.application_id = "tally",
                     .state_dir = clinic->world.directory,
                     .transaction_timeout_ms = 10000,
                     .delete_retention_ms = 86400000},
        .decoder = {.codec = clinic->world.codec},
    };
    first_half(&clinic->world);
    world_stop(&clinic->world);
}

static void clinic_close(struct clinic *clinic)
{
    broker_port_close(clinic->tasks.port);
    world_close(&clinic->world);
    arena_release(&clinic->arena);
}

static void look(struct clinic *clinic)
{
    struct error error;
    if (tasks_facts(&clinic->tasks, 0, &clinic->arena, &clinic->facts, &error) != OK) {
        fail_msg("the facts cannot be had: %s", error.text);
    }
    diagnose(&clinic->facts, &clinic->diagnosis);
}

/* The task refuses to run, and the diagnosis says why and names this repair. */
static void expect_finding(struct clinic *clinic, enum finding_kind kind, const char *command)
{
    if (world_start(&clinic->world) == OK) {
        assert_int_equal(world_run(&clinic->world), FATAL);
    }
    assert_int_equal(clinic->world.error.exit_code, EXIT_CONFIG);
    look(clinic);
    for (size_t i = 0; i < clinic->diagnosis.count; i++) {
        const struct finding *finding = &clinic->diagnosis.items[i];
        if (finding->needs_person) {
            assert_int_equal(finding->kind, kind);
            assert_non_null(strstr(finding->command, command));
            return;
        }
    }
    fail_msg("the task stops (%s), and the diagnosis finds nothing", clinic->world.error.text);
}

static enum outcome mend_by(struct clinic *clinic, planner *decide, struct error *error)
{
    struct port *port = clinic->tasks.port;
    struct producer *producer;
    struct plan plan;
    struct write_set rows;
    assert_int_equal(repair_fence(port, "tally", 0, 10000, &producer, error), OK);
    look(clinic);
    write_set_init(&rows);
    enum outcome outcome = decide(&clinic->facts, &plan, error);
    if (outcome == OK && !plan.nothing_to_do) {
        outcome = plan_rows(&clinic->tasks, &clinic->facts, &plan, false, &rows, error);
        if (outcome == OK) {
            outcome = plan_commit(port, producer, &clinic->facts, &plan, &rows, error);
        }
    }
    write_set_release(&rows);
    port->calls->producer_close(producer);
    return outcome;
}

static void mend_well(struct clinic *clinic, planner *decide)
{
    struct error error;
    if (mend_by(clinic, decide, &error) != OK) {
        fail_msg("%s", error.text);
    }
    look(clinic);
    assert_false(diagnosis_needs_person(&clinic->diagnosis));
}

/* What a reader sees after the second half is what an undisturbed world shows. */
static void expect_no_trace(struct clinic *clinic)
{
    struct clinic plain;
    clinic_open(&plain);
    char *expected = second_half(&plain.world);
    char *found = second_half(&clinic->world);
    assert_string_equal(found, expected);
    free(expected);
    free(found);
    clinic_close(&plain);
}

static void set_offset(struct clinic *clinic, int64_t offset, const char *metadata)
{
    struct port_offset set = {.topic = "tally.events", .offset = offset};
    snprintf(set.metadata, sizeof set.metadata, "%s", metadata);
    broker_set_offsets(clinic->world.broker, "tally", 0, &set, 1);
}

/* Offsets that look like a task's own. */
static void set_commit(struct clinic *clinic, int64_t offset, int64_t numbers_on,
                       const char *incarnation)
{
    char metadata[PORT_METADATA_MAX];
    look(clinic);
    offset = offset < 0 ? clinic->facts.inputs[0].committed.offset : offset;
    metadata_write(clinic->facts.number + numbers_on,
                   incarnation ? incarnation : clinic->facts.incarnation, offset, metadata);
    set_offset(clinic, offset, metadata);
}

static void lose_file(struct clinic *clinic)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", clinic->world.state_path, suffixes[i]);
        remove(path);
    }
}

static bool read_sum(void *context, int columns, const char *const *names,
                     const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)types;
    *(long long *)context = strtoll(values[0], NULL, 10);
    return true;
}

/* As the state file has it. */
static long long sum_of_a(const struct clinic *clinic)
{
    long long sum = -1;
    struct error error;
    assert_int_equal(store_query(clinic->world.state_path, "SELECT sum FROM total WHERE name = 'a'",
                                 read_sum, &sum, &error),
                     OK);
    return sum;
}

/* ---- the group's offsets ---- */

static void finds_nothing_wrong_with_a_task_that_is_well(void **state)
{
    (void)state;
    struct clinic clinic;
    struct error error;
    clinic_open(&clinic);
    look(&clinic);
    assert_int_equal(clinic.diagnosis.count, 0);
    int64_t number = clinic.facts.number;
    assert_int_equal(mend_by(&clinic, plan_adopt, &error), OK);
    assert_int_equal(mend_by(&clinic, plan_accept_input_loss, &error), OK);
    assert_int_equal(mend_by(&clinic, plan_changelog_from_file, &error), OK);
    look(&clinic);
    assert_int_equal(clinic.facts.number, number);
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

static void adopts_when_a_foreign_tool_has_set_the_offset_back(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    set_offset(&clinic, 3, "");
    expect_finding(&clinic, OFFSETS_FOREIGN, "weir offsets adopt tally --partition 0 --execute");
    mend_well(&clinic, plan_adopt);
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

static void adopts_when_a_foreign_tool_has_set_the_offset_forward(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    world_add(&clinic.world, "a", 7);
    set_offset(&clinic, 13, "somebody");
    expect_finding(&clinic, OFFSETS_FOREIGN, "weir offsets adopt");
    mend_well(&clinic, plan_adopt);
    look(&clinic);
    assert_int_equal(clinic.facts.inputs[0].waiting.records, 1); /* it is not skipped */
    clinic_close(&clinic);
}

static void adopts_when_the_offsets_of_an_earlier_commit_came_back(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    set_commit(&clinic, 3, -1, NULL);
    expect_finding(&clinic, OFFSETS_SET_BACK, "weir offsets adopt");
    mend_well(&clinic, plan_adopt);
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

static void adopts_when_the_offsets_are_of_another_incarnation(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    set_commit(&clinic, 3, 0, "00112233445566778899aabbccddeeff");
    expect_finding(&clinic, OFFSETS_OF_ANOTHER, "weir offsets adopt");
    mend_well(&clinic, plan_adopt);
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

static void adopts_when_offset_and_checkpoint_of_one_commit_differ(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    lose_file(&clinic);
    set_commit(&clinic, 3, 0, NULL);
    expect_finding(&clinic, OFFSETS_DIFFER, "weir offsets adopt");
    mend_well(&clinic, plan_adopt);
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

static void leaves_offsets_that_expired_to_the_task(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    broker_forget_offsets(clinic.world.broker, "tally");
    look(&clinic);
    assert_int_equal(clinic.diagnosis.count, 1);
    assert_int_equal(clinic.diagnosis.items[0].kind, OFFSETS_GONE);
    assert_false(clinic.diagnosis.items[0].needs_person);
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

/* ---- inputs ---- */

static void goes_on_behind_input_that_was_cut_off(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    look(&clinic);
    int64_t before = clinic.facts.inputs[0].committed.offset;
    for (int i = 0; i < 4; i++) {
        world_add(&clinic.world, "a", 1000);
    }
    broker_truncate(clinic.world.broker, "tally.events", 0, 14);
    expect_finding(&clinic, INPUT_CUT, "weir reset tally --partition 0 --accept-input-loss");
    mend_well(&clinic, plan_accept_input_loss);
    assert_int_equal(clinic.facts.inputs[0].committed.offset, 14);
    assert_int_equal(clinic.facts.inputs[0].waiting.records, 2);
    const struct input_range *given_up = &clinic.facts.changelog.checkpoint.inputs.items[0];
    assert_int_equal(given_up->first_offset, before); /* it stands in the history */
    assert_int_equal(given_up->next_offset, 14);
    world_settle(&clinic.world);
    clinic_close(&clinic);
}

static void begins_an_input_that_was_made_anew_at_its_start(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    broker_recreate_topic(clinic.world.broker, "tally.events");
    world_add(&clinic.world, "a", 5);
    expect_finding(&clinic, INPUT_SHORT, "--accept-input-loss");
    mend_well(&clinic, plan_accept_input_loss);
    assert_int_equal(clinic.facts.inputs[0].committed.offset, 0);
    world_settle(&clinic.world);
    clinic_close(&clinic);
}

static void does_not_accept_loss_while_the_offsets_are_in_doubt(void **state)
{
    (void)state;
    struct clinic clinic;
    struct error error;
    clinic_open(&clinic);
    set_offset(&clinic, 3, "");
    assert_int_equal(mend_by(&clinic, plan_accept_input_loss, &error), FATAL);
    assert_non_null(strstr(error.text, "weir offsets adopt tally --partition 0"));
    clinic_close(&clinic);
}

/* ---- the changelog ---- */

static void writes_an_emptied_changelog_anew_from_the_file(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    broker_recreate_topic(clinic.world.broker, "tally.changelog");
    expect_finding(&clinic, CHANGELOG_EMPTY, "--changelog-from-file");
    mend_well(&clinic, plan_changelog_from_file);
    lose_file(&clinic); /* from here on the new changelog has to do */
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

static void forgets_everything_when_changelog_and_file_are_gone(void **state)
{
    (void)state;
    struct clinic clinic;
    struct error error;
    clinic_open(&clinic);
    broker_recreate_topic(clinic.world.broker, "tally.changelog");
    lose_file(&clinic);
    expect_finding(&clinic, CHANGELOG_EMPTY, "--forget-everything");
    assert_int_equal(mend_by(&clinic, plan_adopt, &error), FATAL);
    assert_int_equal(mend_by(&clinic, plan_changelog_from_file, &error), FATAL);
    mend_well(&clinic, plan_forget_everything);
    assert_int_equal(clinic.facts.inputs[0].waiting.records, 12);
    world_settle(&clinic.world);
    world_stop(&clinic.world);
    life_expect_same(&clinic.world);
    clinic_close(&clinic);
}

static void forgets_the_rows_of_a_changelog_that_is_whole(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    mend_well(&clinic, plan_forget_everything);
    struct write_set keys;
    struct broker_record record;
    struct error error;
    write_set_init(&keys);
    assert_int_equal(changelog_keys(clinic.tasks.port, "tally.changelog", 0, &keys, &error), OK);
    assert_true(keys.count >= 3);
    write_set_release(&keys);
    broker_compact(clinic.world.broker, "tally.changelog", 0, true);
    int64_t at = 0;
    assert_true(broker_read(clinic.world.broker, "tally.changelog", 0, true, &at, &record));
    assert_memory_equal(record.key.data, CHECKPOINT_KEY, record.key.size);
    assert_false(broker_read(clinic.world.broker, "tally.changelog", 0, true, &at, &record));
    world_settle(&clinic.world);
    world_stop(&clinic.world);
    assert_int_equal(sum_of_a(&clinic), 15); /* and not twice that: the old file was not used */
    life_expect_same(&clinic.world);
    clinic_close(&clinic);
}

static void goes_back_to_the_last_checkpoint_only_when_told_that_outputs_repeat(void **state)
{
    (void)state;
    struct clinic clinic;
    struct plan plan;
    struct error error;
    clinic_open(&clinic);
    set_commit(&clinic, -1, 2, NULL);
    expect_finding(&clinic, CHANGELOG_BEHIND,
                   "weir offsets adopt tally --partition 0 --execute --yes-replay");
    assert_int_equal(plan_adopt(&clinic.facts, &plan, &error), OK);
    assert_true(plan.repeats_outputs);
    assert_false(plan.same_incarnation);
    mend_well(&clinic, plan_adopt);
    assert_int_equal(clinic.facts.number, plan.number);
    world_settle(&clinic.world);
    clinic_close(&clinic);
}

static void stops_at_rows_without_a_checkpoint(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    broker_recreate_topic(clinic.world.broker, "tally.changelog");
    broker_forget_offsets(clinic.world.broker, "tally");
    lose_file(&clinic);
    struct weir_bytes key = {(const uint8_t *)"total\0a\0", 8};
    broker_produce(clinic.world.broker, "tally.changelog", 0, key, (struct weir_bytes){NULL, 0},
                   NULL, 0);
    expect_finding(&clinic, CHANGELOG_HEADLESS, "--forget-everything");
    mend_well(&clinic, plan_forget_everything);
    world_settle(&clinic.world);
    clinic_close(&clinic);
}

static void wants_a_changelog_whose_beginning_was_deleted_made_anew(void **state)
{
    (void)state;
    struct clinic clinic;
    struct plan plan;
    struct error error;
    clinic_open(&clinic);
    broker_truncate(clinic.world.broker, "tally.changelog", 0, 2);
    expect_finding(&clinic, CHANGELOG_CUT, "--changelog-from-file");
    assert_int_equal(plan_changelog_from_file(&clinic.facts, &plan, &error), OK);
    assert_true(plan.recreate);
    assert_int_equal(plan_adopt(&clinic.facts, &plan, &error), FATAL);
    lose_file(&clinic);
    expect_finding(&clinic, CHANGELOG_CUT, "--forget-everything");
    assert_int_equal(plan_forget_everything(&clinic.facts, &plan, &error), OK);
    assert_true(plan.recreate);
    clinic_close(&clinic);
}

/* ---- the file ---- */

static void sends_away_a_file_without_anything_in_kafka(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    broker_recreate_topic(clinic.world.broker, "tally.changelog");
    broker_forget_offsets(clinic.world.broker, "tally");
    expect_finding(&clinic, FILE_ALONE, "--forget-everything");
    mend_well(&clinic, plan_forget_everything);
    world_settle(&clinic.world);
    clinic_close(&clinic);
}

/* ---- the repair itself ---- */

static void fences_the_process_that_runs_the_task(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic);
    assert_int_equal(world_start(&clinic.world), OK);
    assert_int_equal(world_run(&clinic.world), OK);
    mend_well(&clinic, plan_forget_everything);
    world_add(&clinic.world, "a", 1);
    assert_int_equal(world_run(&clinic.world), FATAL);
    assert_int_equal(clinic.world.error.exit_code, EXIT_TRY_AGAIN);
    world_settle(&clinic.world);
    clinic_close(&clinic);
}

static void changes_nothing_when_it_is_fenced_itself(void **state)
{
    (void)state;
    struct clinic clinic;
    struct producer *producer, *other;
    struct plan plan;
    struct error error;
    clinic_open(&clinic);
    set_offset(&clinic, 3, "");
    struct port *port = clinic.tasks.port;
    assert_int_equal(repair_fence(port, "tally", 0, 10000, &producer, &error), OK);
    look(&clinic);
    assert_int_equal(plan_adopt(&clinic.facts, &plan, &error), OK);
    assert_int_equal(repair_fence(port, "tally", 0, 10000, &other, &error), OK);
    assert_int_equal(plan_commit(port, producer, &clinic.facts, &plan, NULL, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_TRY_AGAIN);
    port->calls->producer_close(producer);
    port->calls->producer_close(other);
    expect_finding(&clinic, OFFSETS_FOREIGN, "weir offsets adopt");
    clinic_close(&clinic);
}

static void is_done_or_not_done_when_the_answer_to_its_commit_is_lost(void **state)
{
    (void)state;
    static const enum broker_fault_kind kinds[] = {FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY};
    for (size_t i = 0; i < 2; i++) {
        struct clinic clinic;
        struct error error;
        clinic_open(&clinic);
        set_offset(&clinic, 3, "");
        broker_fault(clinic.world.broker,
                     &(struct broker_fault){.call = CALL_COMMIT, .nth = 1, .kind = kinds[i]});
        assert_int_equal(mend_by(&clinic, plan_adopt, &error), FATAL);
        assert_int_equal(error.exit_code, EXIT_TRY_AGAIN);
        assert_non_null(strstr(error.text, "run the same command again"));
        mend_well(&clinic, plan_adopt);
        expect_no_trace(&clinic);
        clinic_close(&clinic);
    }
}

/* Whatever fails before the commit: the task stands where it stood, and the same command does it.
 */
static void changes_nothing_when_a_call_fails_before_its_commit(void **state)
{
    (void)state;
    static const struct {
        enum broker_call call;
        unsigned nth;
        enum txn_result result;
    } failing[] = {
        {CALL_BEGIN, 1, TXN_DOUBT},        {CALL_SEND, 1, TXN_ABORT},   {CALL_SEND, 2, TXN_ABORT},
        {CALL_SEND_OFFSETS, 1, TXN_ABORT}, {CALL_COMMIT, 1, TXN_ABORT}, {CALL_COMMIT, 1, TXN_MOVED},
    };
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        struct clinic clinic;
        struct error error;
        clinic_open(&clinic);
        set_offset(&clinic, 3, "");
        broker_fault(clinic.world.broker, &(struct broker_fault){.call = failing[i].call,
                                                                 .nth = failing[i].nth,
                                                                 .kind = FAULT_FAIL,
                                                                 .result = failing[i].result});
        assert_int_equal(mend_by(&clinic, plan_adopt, &error), FATAL);
        assert_int_equal(broker_faults_left(clinic.world.broker), 0);
        assert_int_equal(error.exit_code, EXIT_TRY_AGAIN);
        assert_non_null(strstr(error.text, "tally.p0: nothing was changed"));
        mend_well(&clinic, plan_adopt);
        expect_no_trace(&clinic);
        clinic_close(&clinic);
    }
}

static void writes_no_row_after_one_that_failed(void **state)
{
    (void)state;
    struct clinic clinic;
    struct error error;
    clinic_open(&clinic);
    broker_recreate_topic(clinic.world.broker, "tally.changelog");
    expect_finding(&clinic, CHANGELOG_EMPTY, "");
    unsigned before = broker_counts(clinic.world.broker)->calls[CALL_SEND];
    broker_fault(clinic.world.broker, &(struct broker_fault){.call = CALL_SEND,
                                                             .nth = 1,
                                                             .kind = FAULT_FAIL,
                                                             .result = TXN_ABORT});
    assert_int_equal(mend_by(&clinic, plan_changelog_from_file, &error), FATAL);
    assert_int_equal(broker_counts(clinic.world.broker)->calls[CALL_SEND], before + 1);
    mend_well(&clinic, plan_changelog_from_file);
    expect_no_trace(&clinic);
    clinic_close(&clinic);
}

static void gives_up_on_an_id_that_cannot_be_initialised(void **state)
{
    (void)state;
    struct clinic clinic;
    struct producer *producer;
    struct error error;
    clinic_open(&clinic);
    struct broker *broker = clinic.world.broker;
    struct port *port = clinic.tasks.port;
    broker_fault(broker, &(struct broker_fault){.call = CALL_PRODUCER_OPEN,
                                                .nth = 1,
                                                .kind = FAULT_FAIL,
                                                .outcome = FATAL,
                                                .exit_code = EXIT_UNAVAILABLE});
    assert_int_equal(repair_fence(port, "tally", 0, 10000, &producer, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_UNAVAILABLE);

    struct broker_fault lost = {.call = CALL_INIT, .nth = 1, .kind = FAULT_LOSE_REQUEST};
    broker_fault(broker, &lost);
    assert_int_equal(repair_fence(port, "tally", 0, 10000, &producer, &error), OK);
    port->calls->producer_close(producer);

    lost.kind = FAULT_FAIL;
    lost.result = TXN_DOUBT;
    broker_fault(broker, &lost);
    assert_int_equal(repair_fence(port, "tally", 0, 0, &producer, &error), RETRY);
    assert_non_null(strstr(error.text, "tally.p0 cannot be initialised"));

    lost.result = TXN_FENCED;
    broker_fault(broker, &lost);
    assert_int_equal(repair_fence(port, "tally", 0, 10000, &producer, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_TRY_AGAIN);
    assert_non_null(strstr(error.text, "another process has taken the task over"));
    clinic_close(&clinic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_nothing_when_a_call_fails_before_its_commit),
        cmocka_unit_test(writes_no_row_after_one_that_failed),
        cmocka_unit_test(gives_up_on_an_id_that_cannot_be_initialised),
        cmocka_unit_test(finds_nothing_wrong_with_a_task_that_is_well),
        cmocka_unit_test(adopts_when_a_foreign_tool_has_set_the_offset_back),
        cmocka_unit_test(adopts_when_a_foreign_tool_has_set_the_offset_forward),
        cmocka_unit_test(adopts_when_the_offsets_of_an_earlier_commit_came_back),
        cmocka_unit_test(adopts_when_the_offsets_are_of_another_incarnation),
        cmocka_unit_test(adopts_when_offset_and_checkpoint_of_one_commit_differ),
        cmocka_unit_test(leaves_offsets_that_expired_to_the_task),
        cmocka_unit_test(goes_on_behind_input_that_was_cut_off),
        cmocka_unit_test(begins_an_input_that_was_made_anew_at_its_start),
        cmocka_unit_test(does_not_accept_loss_while_the_offsets_are_in_doubt),
        cmocka_unit_test(writes_an_emptied_changelog_anew_from_the_file),
        cmocka_unit_test(forgets_everything_when_changelog_and_file_are_gone),
        cmocka_unit_test(forgets_the_rows_of_a_changelog_that_is_whole),
        cmocka_unit_test(goes_back_to_the_last_checkpoint_only_when_told_that_outputs_repeat),
        cmocka_unit_test(stops_at_rows_without_a_checkpoint),
        cmocka_unit_test(wants_a_changelog_whose_beginning_was_deleted_made_anew),
        cmocka_unit_test(sends_away_a_file_without_anything_in_kafka),
        cmocka_unit_test(fences_the_process_that_runs_the_task),
        cmocka_unit_test(changes_nothing_when_it_is_fenced_itself),
        cmocka_unit_test(is_done_or_not_done_when_the_answer_to_its_commit_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
