/* test_tools.c - what operators do when a task has stopped: each case breaks something, sees the
 * start refused, asks the doctor, tries the command that it names (which changes nothing), means
 * it, and then lives on as if nothing had happened. And the mistakes one makes at four in the
 * morning: they must cost a sentence, not a topic.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "doctor/tasks.h"
#include "kafka/operator.h"
#include "kafka/stock.h"
#include "kafka/wire.h"
#include "processors.h"
#include "runtime/metadata.h"
#include "shop.h"
#include "store/store.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { PATIENCE_MS = 25000, SOON_MS = 10000, FIRST_PART = 40 };

/* ---- a life with an accident in its middle ---- */

static const struct run one_by_one = {.settings = {"take.max_records=3"}};

static const char *path_of(struct system *system)
{
    return system_state_path(system, "a", 0);
}

static int64_t end_of_input(struct system *system)
{
    return system_end_of(system, stock_commands_topic.name, 0);
}

static void expect_all_handled(struct system *system)
{
    system_expect_committed(system, stock_commands_topic.name, 0, end_of_input(system),
                            PATIENCE_MS);
}

/* The story's first part, and the process that told it. */
static struct process *start_to_live(struct system *system, struct stock_marks *marks)
{
    stock_begin(system, marks);
    operator_configures(system, "inventory");
    stock_feed(system, 0, 0, FIRST_PART);
    struct process *process = system_run(system, &one_by_one);
    expect_all_handled(system);
    return process;
}

static void live_a_while(struct system *system, struct stock_marks *marks)
{
    process_stop(system, start_to_live(system, marks));
}

/* The rest of the story; in the end nothing must show that there was an accident. */
static struct process *live_on(struct system *system, const struct stock_marks *marks, size_t from)
{
    stock_feed(system, 0, from, stock_story_size());
    struct process *process = system_run(system, &one_by_one);
    process_expect_said(system, process, "task_running", PATIENCE_MS);
    stock_expect_as_undisturbed(system,
                                stock_finish(system, marks, process, "a", STOCK_LOOSE, PATIENCE_MS),
                                1);
    return process;
}

/* Until the file has what the group has: nothing more is to come. */
static void let_settle(struct system *system)
{
    struct store_meta meta = {0};
    struct error error;
    system_sleep(200); /* short holds run out */
    for (int64_t end = system_now_ms() + SOON_MS;
         store_peek(path_of(system), &meta, &error) != OK ||
         meta.commit_number != stock_commit_number(system, 0);
         system_sleep(20)) {
        assert_true(system_now_ms() < end);
    }
}

static struct port_offset committed(struct system *system, const char *topic)
{
    struct port_offset offset;
    struct error error;
    system_must(system,
                admin_committed(system->admin, system->application_id, &topic, 1, 0, &offset,
                                &error),
                &error);
    return offset;
}

static void set_offset(struct system *system, int64_t offset, const char *metadata)
{
    system_commit(system, stock_commands_topic.name, 0, offset, metadata);
}

static void empty_the_changelog(struct system *system)
{
    system_delete_topic(system,
                        arena_format(&system->arena, "%s.changelog", system->application_id));
    system_create_topics(system, &inventory_processor);
}

static void shell(const char *format, const char *path)
{
    char line[1500];
    snprintf(line, sizeof line, format, path, path, path);
    assert_int_equal(system(line), 0);
}

static int count(const char *text, const char *word)
{
    int found = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        found++;
    }
    return found;
}

/* ---- a task that is well ---- */

static void leaves_a_task_alone_that_is_well(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    struct process *process = start_to_live(system, &marks);
    let_settle(system);
    operator_expects_well(system, "inventory");
    const char *report = operator_runs(system, EXIT_DONE, "doctor inventory 0 --json");
    operator_reads(system, report, "{\"well\":true,");
    operator_reads(system, report, "\"findings\":[]");
    operator_reads(system, report,
                   arena_format(&system->arena, "\"group_commit\":%" PRId64,
                                stock_commit_number(system, 0)));

    const char *before = operator_looks_around(system);
    static const char *const mendings[] = {"offsets adopt inventory",
                                           "reset inventory --accept-input-loss",
                                           "reset inventory --changelog-from-file"};
    for (size_t i = 0; i < sizeof mendings / sizeof *mendings; i++) {
        const char *printed =
            operator_runs(system, EXIT_DONE, "%s --partition 0 --execute", mendings[i]);
        operator_reads(system, printed, ".p0: nothing to do");
    }
    const char *printed =
        operator_runs(system, EXIT_TRY_AGAIN, "reset inventory --state --partition 0 --execute");
    operator_reads(system, printed, "is locked by process");
    printed = operator_runs(system, EXIT_DONE, "reset inventory --state --partition 0");
    operator_reads(system, printed, "would be set aside");
    assert_string_equal(operator_looks_around(system), before);
    assert_true(process_is_running(system, process));
    process_stop(system, process);
    live_on(system, &marks, FIRST_PART);
}

/* Its end does not reach the broker: inventory's changelog is held up, and so is whoever reads its
 * replies. */
static void names_a_transaction_that_is_open(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    live_a_while(system, &marks);
    system_create_topics(system, &order_processor);
    stock_feed(system, 0, FIRST_PART, stock_story_size());
    struct wire *wire =
        system_wire(system,
                    &(struct wire_plan){.trick = WIRE_REQUEST_HELD, .api = WIRE_END_TXN, .nth = 2});
    struct process *process =
        system_run(system, &(struct run){.bootstrap = system_proxied(),
                                         .settings = {"take.max_records=3",
                                                      "transaction.timeout_ms=20000"}});
    for (int64_t end = system_now_ms() + PATIENCE_MS; !wire_is_done(wire); system_sleep(10)) {
        assert_true(system_now_ms() < end);
    }
    const char *printed = operator_runs(system, EXIT_CONFIG, "doctor inventory 0");
    operator_reads(system, printed, ".p0 has been open in its changelog for ");
    operator_reads(system, printed, "its first step ends the transaction");
    operator_configures(system, "order");
    printed = operator_runs(system, EXIT_DONE, "doctor order 1");
    operator_reads(system, printed, "an open transaction in stock.replies holds back what follows");
    operator_reads(system, printed, "it is of one of inventory.p0 to .p3");
    process_signal(process, SIGKILL);
    process_expect_end(system, process, -SIGKILL, SOON_MS);
    operator_configures(system, "inventory");
    live_on(system, &marks, stock_story_size());
}

/* ---- the group's offsets ---- */

static void adopt_as_told(struct system *system, const char *kind, const char *finding)
{
    int64_t number = stock_commit_number(system, 0);
    const char *command = operator_asks_doctor(system, "inventory", kind, finding);
    assert_string_equal(command, "weir offsets adopt inventory --partition 0 --execute");
    operator_reads(system, operator_mends(system, command), "  done, by commit ");
    assert_true(stock_commit_number(system, 0) > number);
    operator_expects_well(system, "inventory");
    const char *again = operator_runs(system, EXIT_DONE, "%s", command + strlen("weir "));
    operator_reads(system, again, ".p0: nothing to do");
}

/* Three accidents in one life: back, forward over records that were not handled yet, and the
 * metadata of another task. */
static void adopts_after_another_tool_has_set_the_offset(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    live_a_while(system, &marks);
    int64_t end = end_of_input(system);
    set_offset(system, end - 9, "somebody");
    operator_sees_refused(system, &one_by_one, "was not set by weir");
    adopt_as_told(system, "offsets_foreign", "'somebody'");
    assert_int_equal(system_committed(system, stock_commands_topic.name, 0), end);

    stock_feed(system, 0, FIRST_PART, FIRST_PART + 6);
    set_offset(system, end + 5, "");
    operator_sees_refused(system, &one_by_one, "was not set by weir");
    adopt_as_told(system, "offsets_foreign", "was not set by weir (its metadata is '')");
    assert_int_equal(system_committed(system, stock_commands_topic.name, 0), end);

    set_offset(system, end,
               arena_format(&system->arena,
                            "weir1 %" PRId64 " 00112233445566778899aabbccddeeff %" PRId64,
                            stock_commit_number(system, 0), end));
    struct process *process = system_run(system, &one_by_one);
    process_expect_end(system, process, EXIT_CONFIG, PATIENCE_MS);
    process_expect_said(system, process, "is of incarnation", 0);
    adopt_as_told(system, "offsets_of_another_incarnation",
                  "the group's offsets are of 00112233445566778899aabbccddeeff");
    live_on(system, &marks, FIRST_PART + 6);
}

/* By someone who kept the metadata. */
static void adopts_offsets_of_an_earlier_commit(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    process_stop(system, start_to_live(system, &marks));
    struct port_offset then = committed(system, stock_commands_topic.name);
    stock_feed(system, 0, FIRST_PART, stock_story_size());
    struct process *process = system_run(system, &one_by_one);
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);
    set_offset(system, then.offset, then.metadata);
    operator_sees_refused(system, &one_by_one, "offsets were set back");
    adopt_as_told(system, "offsets_set_back", "were set back");
    live_on(system, &marks, stock_story_size());
}

static void adopts_offsets_that_were_all_deleted(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    live_a_while(system, &marks);
    int64_t end = end_of_input(system);
    system_delete_group(system);
    const char *report = operator_runs(system, EXIT_DONE, "doctor inventory 0 --json");
    operator_reads(system, report, "\"kind\":\"offsets_gone\",\"needs_person\":false");
    const char *printed =
        operator_mends(system, "weir offsets adopt inventory --partition 0 --execute");
    operator_reads(system, printed, "group at commit none");
    assert_int_equal(system_committed(system, stock_commands_topic.name, 0), end);
    operator_expects_well(system, "inventory");
    assert_false(process_said(live_on(system, &marks, FIRST_PART), "offsets_adopted"));
}

/* order reads two topics; the group has lost one of its two offsets. */
static void adopts_when_one_of_two_offsets_was_deleted(void **state)
{
    struct system *system = *state;
    const char *requests = order_requests_topic.name, *replies = stock_replies_topic.name;
    const struct run order = {.processor = "order"};
    struct weir_bytes bad = {(const uint8_t *)"not avro", 8};
    system_create_topics(system, &order_processor);
    system_forget_input(system, requests);
    system_forget_input(system, replies);
    operator_configures(system, "order");
    system_send(system, requests, 0, "bad", bad);
    system_flush(system);
    struct process *process = system_run(system, &order);
    system_expect_committed(system, requests, 0, system_end_of(system, requests, 0), SOON_MS);
    process_stop(system, process);

    int64_t at = system_committed(system, requests, 0),
            other = system_committed(system, replies, 0);
    system_delete_offset(system, requests, 0);
    operator_sees_refused(system, &order, "only 1 of 2 inputs have a committed offset");
    const char *command = operator_asks_doctor(system, "order", "offsets_partial",
                                               "only 1 of 2 inputs have a committed offset");
    assert_string_equal(command, "weir offsets adopt order --partition 0 --execute");
    operator_mends(system, command);
    assert_int_equal(system_committed(system, requests, 0), at);
    assert_int_equal(system_committed(system, replies, 0), other);
    operator_expects_well(system, "order");
    system_send(system, requests, 0, "bad", bad);
    system_flush(system);
    process = system_run(system, &order);
    system_expect_committed(system, requests, 0, at + 1, SOON_MS);
    process_stop(system, process);
}

/* ---- the changelog ---- */

/* Starts without its file, and comes to the same rows. */
static void expect_rows_from_changelog(struct system *system, int partition, char *rows)
{
    const struct run again = {.partition = partition, .settings = {"take.max_records=3"}};
    shell("rm -f %s %s-wal %s-shm", system_state_path(system, "a", partition));
    struct process *process = system_run(system, &again);
    process_expect_said(system, process, "task_running", PATIENCE_MS);
    process_stop(system, process);
    char *found = stock_rows(system, "a", partition);
    stock_expect_same(system, rows, found);
    stock_expect_agreement(system, "a", partition);
    free(found);
    free(rows);
}

static void writes_a_changelog_anew_from_the_file(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    struct process *process = start_to_live(system, &marks);
    let_settle(system);
    empty_the_changelog(system);
    const char *command = operator_asks_doctor(system, "inventory", "changelog_empty",
                                               "is empty; the state file has it all");
    assert_string_equal(command,
                        "weir reset inventory --partition 0 --changelog-from-file --execute");
    /* While the task still runs its file is its own. */
    const char *printed = operator_runs(system, EXIT_TRY_AGAIN, "%s", command + strlen("weir "));
    operator_reads(system, printed, "is locked by process");
    process_signal(process, SIGKILL);
    process_expect_end(system, process, -SIGKILL, SOON_MS);

    operator_sees_refused(system, &one_by_one, ".changelog is empty");
    char *rows = stock_rows(system, "a", 0);
    printed = operator_mends(system, command);
    operator_reads(system, printed, "the changelog was written anew from the state file");
    operator_expects_well(system, "inventory");
    expect_rows_from_changelog(system, 0, rows);
    live_on(system, &marks, FIRST_PART);
}

/* The log itself is of no use: the topic is deleted and made. Of the tasks that have their rows in
 * it one is carried over, too, and two have never run. */
static void makes_a_changelog_anew_whose_last_checkpoint_cannot_be_read(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    const struct run other = {.partition = 1};
    live_a_while(system, &marks);
    stock_feed(system, 1, 0, FIRST_PART);
    struct process *process = system_run(system, &other);
    system_expect_committed(system, stock_commands_topic.name, 1,
                            system_end_of(system, stock_commands_topic.name, 1), PATIENCE_MS);
    process_stop(system, process);

    system_send(system, arena_format(&system->arena, "%s.changelog", system->application_id), 0,
                CHECKPOINT_KEY, (struct weir_bytes){(const uint8_t *)"not avro", 8});
    system_flush(system);
    operator_sees_refused(system, &one_by_one, "checkpoint");
    const char *command =
        operator_asks_doctor(system, "inventory", "changelog_unreadable", "cannot be read");
    assert_string_equal(command,
                        "weir reset inventory --partition 0 --changelog-from-file --execute");
    char *rows = stock_rows(system, "a", 0), *others = stock_rows(system, "a", 1);
    operator_reads(system, operator_mends(system, command),
                   "the changelog was written anew from the state file");
    operator_expects_well(system, "inventory");
    expect_rows_from_changelog(system, 0, rows);
    expect_rows_from_changelog(system, 1, others);
}

/* Whoever has a state file does not read that part of the changelog; whoever has lost it must. */
static void makes_a_changelog_anew_that_somebody_else_wrote_to(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    struct process *process = start_to_live(system, &marks);
    system_send(system, arena_format(&system->arena, "%s.changelog", system->application_id), 0,
                "no table", (struct weir_bytes){(const uint8_t *)"not avro", 8});
    system_flush(system);
    stock_feed(system, 0, FIRST_PART, FIRST_PART + 3);
    expect_all_handled(system);
    process_stop(system, process);

    shell("mv %s %s.backup; rm -f %s-wal", path_of(system));
    process = system_run(system, &one_by_one);
    process_expect_end(system, process, EXIT_CONFIG, PATIENCE_MS);
    process_expect_said(system, process, "its key names no table; nothing was changed", 0);
    process_expect_said(system, process, " --changelog-from-file --recreate` makes", 0);
    shell("rm -f %s*-wal; mv %s.backup %s", path_of(system));
    const char *printed =
        operator_runs(system, EXIT_DONE, "reset inventory --changelog-from-file --execute");
    operator_reads(system, printed, ".p0: nothing to do");
    char *rows = stock_rows(system, "a", 0);
    printed =
        operator_mends(system, "weir reset inventory --changelog-from-file --recreate --execute");
    operator_reads(system, printed, "the changelog was written anew from the state file");
    operator_expects_well(system, "inventory");
    expect_rows_from_changelog(system, 0, rows);
    live_on(system, &marks, FIRST_PART + 3);
}

/* Neither changelog nor file: all is handled once more. Then the old file turns up. */
static void forgets_everything_when_nothing_is_left(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    live_a_while(system, &marks);
    empty_the_changelog(system);
    shell("mv %s %s.backup; rm -f %s-wal", path_of(system));
    operator_sees_refused(system, &one_by_one, ".changelog is empty");
    const char *command =
        operator_asks_doctor(system, "inventory", "changelog_empty", ".changelog is empty");
    assert_string_equal(command, "weir reset inventory --partition 0 --forget-everything --execute "
                                 "--yes-replay-from-start");
    const char *before = operator_looks_around(system);
    const char *printed =
        operator_runs(system, EXIT_USAGE,
                      "reset inventory --partition 0 --forget-everything --execute");
    operator_reads(system, printed, "nothing was changed: this makes outputs come twice");
    assert_string_equal(operator_looks_around(system), before);
    printed = operator_mends(system, command);
    operator_reads(system, printed, "their outputs come twice");

    shell("mv %s.backup %s", path_of(system));
    printed = operator_runs(system, EXIT_DONE, "doctor inventory 0 --json");
    operator_reads(system, printed, "\"kind\":\"file_set_aside\",\"needs_person\":false");
    stock_mark(system, &marks);
    process_expect_said(system, live_on(system, &marks, FIRST_PART), "state_set_aside", 0);
}

static void fences_the_process_whose_task_is_reset(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    struct process *process = start_to_live(system, &marks);
    let_settle(system);
    const char *printed =
        operator_mends(system, "weir reset inventory --forget-everything --partition 0 --execute "
                               "--yes-replay-from-start");
    operator_reads(system, printed, "every row and timer of the task was deleted");
    stock_mark(system, &marks);
    stock_feed(system, 0, FIRST_PART, FIRST_PART + 1);
    process_expect_end(system, process, EXIT_TRY_AGAIN, PATIENCE_MS);
    process = system_run(system, &one_by_one);
    process_expect_said(system, process, "state_set_aside", PATIENCE_MS);
    expect_all_handled(system);
    process_stop(system, process);
    stock_expect_agreement(system, "a", 0);
    char *picture = stock_picture(system, &marks, STOCK_LOOSE, NULL);
    assert_true(count(picture, "reply ") > FIRST_PART / 2); /* they came once more */
    free(picture);
}

/* ---- input ---- */

static void goes_on_behind_input_that_was_cut_off(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    live_a_while(system, &marks);
    char *rows = stock_rows(system, "a", 0);
    int64_t end = end_of_input(system);
    stock_feed(system, 0, FIRST_PART, FIRST_PART + 7);
    system_delete_records(system, stock_commands_topic.name, 0, end + 7);
    operator_sees_refused(system, &one_by_one, "7 offsets of input are gone");
    const char *command =
        operator_asks_doctor(system, "inventory", "input_cut", "7 offsets of input are gone");
    assert_string_equal(command,
                        "weir reset inventory --partition 0 --accept-input-loss --execute");
    operator_reads(system, operator_mends(system, command), "  done, by commit ");
    operator_expects_well(system, "inventory");
    assert_int_equal(system_committed(system, stock_commands_topic.name, 0), end + 7);
    /* The history says what was given up; the state is what it was. */
    const char *last = operator_runs(system, EXIT_DONE, "cat %s.history --partition 0 --from -2",
                                     system->application_id);
    operator_reads(system, last,
                   arena_format(&system->arena,
                                "\"first_offset\":%" PRId64 ",\"next_offset\":%" PRId64, end,
                                end + 7));
    struct process *process = system_run(system, &one_by_one);
    process_expect_said(system, process, "task_running", PATIENCE_MS);
    process_stop(system, process);
    char *found = stock_rows(system, "a", 0);
    stock_expect_same(system, rows, found);
    free(found);
    free(rows);
    stock_feed(system, 0, FIRST_PART + 7, stock_story_size());
    process = system_run(system, &one_by_one);
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);
    stock_expect_agreement(system, "a", 0);
}

/* ---- the state file ---- */

/* As if the brokers had lost three commits that they had acknowledged. */
static void let_the_file_run_ahead(struct system *system)
{
    struct store_identity identity = {system->application_id, 0,
                                      tasks_tables(&inventory_processor, &system->arena)};
    struct store *store;
    enum store_found found;
    struct error note, error;
    system_must(system, store_open(&store, path_of(system), &identity, &found, &note, &error),
                &error);
    assert_int_equal(found, STORE_KEPT);
    struct store_meta meta = *store_meta(store);
    meta.commit_number += 3;
    system_must(system, store_take_begin(store, &error), &error);
    system_must(system, store_take_keep(store, &meta, &error), &error);
    system_must(system, store_commit(store, &error), &error);
    store_close(store);
}

static void sets_a_file_aside_that_is_ahead(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    live_a_while(system, &marks);
    let_the_file_run_ahead(system);
    operator_sees_refused(system, &one_by_one, "the state file holds commit");
    const char *command = operator_asks_doctor(system, "inventory", "file_ahead",
                                               "or this file is of another cluster");
    assert_string_equal(command, "weir reset inventory --partition 0 --state --execute");
    operator_reads(system, operator_mends(system, command), "set aside; the next start rebuilds");
    operator_expects_well(system, "inventory");
    process_expect_said(system, live_on(system, &marks, FIRST_PART), "restored ", 0);
}

/* ---- dead letters ---- */

/* A record of a schema that nobody here knows. *offset: where it stands. */
static void send_unknown(struct system *system, int64_t *offset)
{
    static const uint8_t bytes[] = {0xC3, 1, 'u', 'n', 'k', 'n', 'o', 'w', 'n', '!', 0, 2, 4};
    system_flush(system);
    *offset = end_of_input(system);
    system_send(system, stock_commands_topic.name, 0, "unknown",
                (struct weir_bytes){bytes, sizeof bytes});
    system_flush(system);
}

/* How many the list has of class SKIPPED, cause schema. */
static int64_t skipped(struct system *system)
{
    const char *printed = operator_runs(system, EXIT_DONE, "dlq list stock.commands --json");
    static const char wanted[] = "\"class\":\"SKIPPED\",\"cause\":\"schema\",\"count\":";
    const char *at = strstr(printed, wanted);
    return at ? strtoll(at + sizeof wanted - 1, NULL, 10) : 0;
}

static void refuses_to_give_up_another_record(struct system *system, int64_t offset)
{
    static const struct {
        const char *arguments;
        int code;
        const char *says;
    } mistakes[] = {
        {"stock.commands 1", EXIT_DATA, "partition 1: no record waits there"},
        {"stock.commands 4", EXIT_USAGE, "stock.commands has partitions 0 to 3"},
        {"stock.commands zero", EXIT_USAGE, "write the numbers of a partition and an offset"},
        {"stock.comands 0", EXIT_USAGE, "did you mean 'stock.commands'?"},
        {"stock.levels 0", EXIT_USAGE, "no processor reads stock.levels"},
        {"--processor order stock.commands 0", EXIT_USAGE, "order does not read stock.commands"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *printed = operator_runs(system, mistakes[i].code, "dlq put %s %" PRId64,
                                            mistakes[i].arguments, offset);
        operator_reads(system, printed, mistakes[i].says);
    }
    const char *printed =
        operator_runs(system, EXIT_DATA, "dlq put stock.commands 0 %" PRId64, offset + 1);
    operator_reads(system, printed,
                   arena_format(&system->arena, "its next record is at offset %" PRId64, offset));
    shell("mkdir %s.skip.new", path_of(system));
    printed = operator_runs(system, EXIT_IO, "dlq put stock.commands 0 %" PRId64, offset);
    operator_reads(system, printed, "put must run where the task runs");
    shell("rmdir %s.skip.new", path_of(system));
    const char *word = arena_format(&system->arena, "%s.skip", path_of(system));
    assert_int_not_equal(access(word, F_OK), 0);
}

static void show_the_letter(struct system *system, int64_t offset)
{
    int partition;
    int64_t at;
    const char *printed =
        operator_runs(system, EXIT_DONE, "dlq show stock.commands --cause schema --limit 1 --json");
    operator_reads(system, printed, "\"key\":\"unknown\"");
    const char *place = strstr(printed, "\"partition\":");
    assert_non_null(place);
    assert_int_equal(sscanf(place, "\"partition\":%d,\"offset\":%" SCNd64, &partition, &at), 2);
    printed =
        operator_runs(system, EXIT_DONE, "dlq show stock.commands.dlq %d %" PRId64, partition, at);
    operator_reads(system, printed, "class       SKIPPED, cause schema\n");
    operator_reads(system, printed,
                   arena_format(&system->arena,
                                "came from   stock.commands/0/%" PRId64 ", refused by ", offset));
    operator_reads(system, printed, "key         \"unknown\"");
    operator_reads(system, printed, "c301756e6b6e6f776e21"); /* the record, as it came */
    printed = operator_runs(system, EXIT_DONE, "dlq list");
    operator_reads(system, printed, "stock.commands.dlq       SKIPPED    schema ");
    printed = operator_runs(system, EXIT_DATA, "dlq show stock.commands 0 999999999");
    operator_reads(system, printed, "has no dead letter at offset 999999999");
}

static void gives_one_record_up_that_nobody_can_read(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    int64_t offset;
    static const char *const hosts[SYSTEM_PARTITIONS] = {"a"};
    stock_begin(system, &marks);
    operator_configures(system, "inventory");
    stock_feed(system, 0, 0, FIRST_PART);
    send_unknown(system, &offset);
    stock_feed(system, 0, FIRST_PART, stock_story_size());
    int64_t before = skipped(system);
    struct process *process = system_run(system, &one_by_one);
    process_expect_said(system, process, "input_paused", PATIENCE_MS);
    system_expect_committed(system, stock_commands_topic.name, 0, offset, PATIENCE_MS);
    const char *put =
        arena_format(&system->arena, "weir dlq put stock.commands 0 %" PRId64, offset);
    process_expect_said(system, process, put, 0);
    operator_reads(system,
                   operator_asks_doctor(system, "inventory", "input_paused",
                                        "which nobody here can read"),
                   put);
    refuses_to_give_up_another_record(system, offset);
    assert_int_equal(system_committed(system, stock_commands_topic.name, 0), offset);

    const char *printed = operator_runs(system, EXIT_DONE, "%s", put + strlen("weir "));
    operator_reads(system, printed, "goes to stock.commands.dlq when ");
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);
    stock_expect_agreement(system, "a", 0);
    char *picture = stock_picture(system, &marks, STOCK_LOOSE, hosts);
    assert_int_equal(count(picture, "class=SKIPPED cause=schema"), 1);
    assert_int_equal(count(picture, "dead "), 1 + 6); /* and those of the story */
    free(picture);
    assert_int_equal(skipped(system), before + 1);
    show_the_letter(system, offset);
    operator_expects_well(system, "inventory");
}

/* ---- mistakes ---- */

static void says_what_is_wrong_with_a_command(void **state)
{
    struct system *system = *state;
    static const struct {
        const char *line;
        int code;
        const char *says;
    } mistakes[] = {
        {"reset inventory", EXIT_USAGE, "give one of --state, --accept-input-loss"},
        {"reset inventory --state --forget-everything", EXIT_USAGE, "give one of --state"},
        {"reset inventory --state --recreate", EXIT_USAGE, "goes with --changelog-from-file"},
        {"reset inventory --state --partition 0 --execute", EXIT_DONE, "nothing to do"},
        {"reset inventry --state", EXIT_USAGE, "there is no processor 'inventry'"},
        {"reset inventory --state --partition 4", EXIT_USAGE, "inventory has tasks 0 to 3"},
        {"reset inventory --state --partition -2", EXIT_USAGE, "a whole number from 0 on"},
        {"reset inventory --forget-everything --partition 4", EXIT_USAGE,
         "inventory has tasks 0 to 3"},
        {"reset inventory --forget-everything --partition -1 --execute --yes-replay-from-start",
         EXIT_USAGE, "a whole number from 0 on"},
        {"reset inventory --forget-all", EXIT_USAGE, "unknown option --forget-all"},
        {"offsets drop inventory", EXIT_USAGE, "'drop': write adopt"},
        {"offsets adopt inventory --partition 4", EXIT_USAGE, "inventory has tasks 0 to 3"},
        {"offsets adopt inventory --partition=-3", EXIT_USAGE, "a whole number from 0 on"},
        {"doctor inventory 4", EXIT_USAGE, "inventory has partitions 0 to 3"},
        {"dlq eat stock.commands", EXIT_USAGE, "'eat': write list, show or put"},
        {"dlq show stock.comands", EXIT_USAGE, "did you mean 'stock.commands'?"},
        {"dlq list stock.levels", EXIT_CONFIG, "stock.levels.dlq"}, /* nobody reads it */
    };
    operator_configures(system, "inventory");
    struct process *lost =
        system_weir(system, (const char *const[]){"offsets", "adopt", "inventory", "-c",
                                                  system->directory, "-b", "127.0.0.1:9", NULL});
    system_create_topics(system, &inventory_processor);
    const char *before = operator_looks_around(system);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *printed = operator_runs(system, mistakes[i].code, "%s", mistakes[i].line);
        operator_reads(system, printed, mistakes[i].says);
    }
    assert_string_equal(operator_looks_around(system), before);
    process_expect_end(system, lost, EXIT_UNAVAILABLE, PATIENCE_MS);
    process_expect_said(system, lost, "no broker at 127.0.0.1:9 answers", 0);
}

static void names_a_topic_that_is_not_there(void **state)
{
    struct system *system = *state;
    static const char missing[] = "does not exist; create it: weir topics apply";
    operator_configures(system, "inventory");
    operator_reads(system, operator_runs(system, EXIT_CONFIG, "doctor inventory 0"), missing);
    operator_reads(system, operator_runs(system, EXIT_CONFIG, "doctor inventory --json"), missing);
    operator_reads(system, operator_runs(system, EXIT_CONFIG, "offsets adopt inventory --execute"),
                   missing);
    operator_reads(system,
                   operator_runs(system, EXIT_CONFIG,
                                 "reset inventory --forget-everything --execute "
                                 "--yes-replay-from-start"),
                   missing);
}

/* A mending that would not help, or would do harm, names the one that does. */
static void refuses_the_wrong_mending(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    live_a_while(system, &marks);
    int64_t end = end_of_input(system);
    set_offset(system, end - 9, "somebody");
    const char *before = operator_looks_around(system);
    const char *printed =
        operator_runs(system, EXIT_CONFIG,
                      "reset inventory --partition 0 --accept-input-loss --execute");
    operator_reads(system, printed, "weir offsets adopt inventory --partition 0");
    printed = operator_runs(system, EXIT_CONFIG,
                            "reset inventory --partition 0 --changelog-from-file --execute");
    operator_reads(system, printed, "it cannot stand for the changelog");
    assert_string_equal(operator_looks_around(system), before);

    empty_the_changelog(system);
    before = operator_looks_around(system);
    printed = operator_runs(system, EXIT_CONFIG, "offsets adopt inventory --partition 0 --execute");
    operator_reads(system, printed,
                   ".changelog has no checkpoint; `weir doctor inventory` names what mends that");
    assert_string_equal(operator_looks_around(system), before);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(leaves_a_task_alone_that_is_well),
        system_case(names_a_transaction_that_is_open),
        system_case(adopts_after_another_tool_has_set_the_offset),
        system_case(adopts_offsets_of_an_earlier_commit),
        system_case(adopts_offsets_that_were_all_deleted),
        system_case(adopts_when_one_of_two_offsets_was_deleted),
        system_case(writes_a_changelog_anew_from_the_file),
        system_case(makes_a_changelog_anew_whose_last_checkpoint_cannot_be_read),
        system_case(makes_a_changelog_anew_that_somebody_else_wrote_to),
        system_case(forgets_everything_when_nothing_is_left),
        system_case(fences_the_process_whose_task_is_reset),
        system_case(goes_on_behind_input_that_was_cut_off),
        system_case(sets_a_file_aside_that_is_ahead),
        system_case(gives_one_record_up_that_nobody_can_read),
        system_case(says_what_is_wrong_with_a_command),
        system_case(names_a_topic_that_is_not_there),
        system_case(refuses_the_wrong_mending),
    };
    return system_main("test_tools", tests, argc, argv);
}
