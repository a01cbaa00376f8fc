/* test_rescue.c - `weir replay` on a real Kafka: an audit beside a task that runs, a damaged row
 * that is named, and a changelog that is written anew from nothing but input and history.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "doctor/tasks.h"
#include "kafka/operator.h"
#include "kafka/stock.h"
#include "processors.h"
#include "shop.h"
#include "store/store.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { PATIENCE_MS = 25000, FIRST_PART = 40 };

static const struct run one_by_one = {.settings = {"take.max_records=3"}};

static const char *path_of(struct system *system)
{
    return system_state_path(system, "a", 0);
}

static struct process *start_to_live(struct system *system, struct stock_marks *marks)
{
    stock_begin(system, marks);
    operator_configures(system, "inventory");
    stock_feed(system, 0, 0, FIRST_PART);
    struct process *process = system_run(system, &one_by_one);
    system_expect_committed(system, stock_commands_topic.name, 0,
                            system_end_of(system, stock_commands_topic.name, 0), PATIENCE_MS);
    return process;
}

static void shell(const char *format, const char *path)
{
    char line[1500];
    snprintf(line, sizeof line, format, path, path, path);
    assert_int_equal(system(line), 0);
}

/* ---- an audit ---- */

static void audits_a_task_while_it_runs(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    struct process *process = start_to_live(system, &marks);
    const char *printed = operator_runs(system, EXIT_DONE, "replay inventory --partition 0");
    operator_reads(system, printed, "commits: every one came to the same\n");
    operator_reads(system, printed, arena_format(&system->arena, ", as in %s", path_of(system)));
    assert_true(process_is_running(system, process));
    stock_feed(system, 0, FIRST_PART, stock_story_size());
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);

    const char *before = operator_looks_around(system);
    printed = operator_runs(system, EXIT_DONE, "replay inventory --partition 0 --json");
    operator_reads(system, printed, "\"same\":true");
    operator_reads(system, printed,
                   arena_format(&system->arena, "\"to\":%" PRId64, stock_commit_number(system, 0)));
    assert_string_equal(operator_looks_around(system), before);

    shell("mv %s %s.away", path_of(system));
    printed = operator_runs(system, EXIT_DONE, "replay inventory --partition 0");
    operator_reads(system, printed, ", as in the changelog of ");
    printed = operator_runs(system, EXIT_DONE, "replay inventory --partition 0 --to 3");
    operator_reads(system, printed, "3 commits (1 to 3)");
    operator_reads(system, printed, "state: not compared");
    printed = operator_runs(system, EXIT_DATA, "replay inventory --partition 0 --to 100000");
    operator_reads(system, printed, "the history ends with commit");
}

/* ---- a row that nobody has written ---- */

/* As a bad disk might, but with the right checksum. */
static void damage_a_row(struct system *system)
{
    struct store_identity identity = {system->application_id, 0,
                                      tasks_tables(&inventory_processor, &system->arena)};
    struct store *store;
    enum store_found found;
    struct error error, note;
    size_t count = 0;
    void *rows;
    system_must(system, store_open(&store, path_of(system), &identity, &found, &note, &error),
                &error);
    struct store_meta meta = *store_meta(store);
    system_must(system, store_take_begin(store, &error), &error);
    system_must(system,
                store_list(store, &stock_level_store, NULL, 0, 1, &system->arena, &rows, &count,
                           &error),
                &error);
    assert_int_equal(count, 1);
    struct stock_level *level = rows;
    level->on_hand += 1000;
    system_must(system, store_take_undo(store, &error), &error);
    system_must(system, store_commit(store, &error), &error);
    system_must(system, store_restore_begin(store, false, &error), &error);
    system_must(system, store_put(store, &stock_level_store, level, &error), &error);
    system_must(system, store_restore_end(store, &meta, &error), &error);
    store_close(store);
}

static void names_a_row_that_is_not_what_the_history_makes_it(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    process_stop(system, start_to_live(system, &marks));
    damage_a_row(system);
    assert_int_equal(setenv("TMPDIR", system->directory, 1), 0);
    const char *printed = operator_runs(system, EXIT_DATA, "replay inventory --partition 0");
    operator_reads(system, printed, "commits: every one came to the same\n");
    operator_reads(system, printed, "stock_level sku=");
    operator_reads(system, printed, " differs at commit ");
    operator_reads(system, printed, "on_hand ");
    operator_reads(system, printed, "state: 1 row differs from ");
    /* It is kept, to look closer. */
    operator_reads(system, printed,
                   arena_format(&system->arena, "the replayed state is in %s/weir-replay-",
                                system->directory));
}

/* ---- a rescue ---- */

static void reset_from(struct system *system, const char *directory)
{
    const char *const words[] = {"reset",
                                 "inventory",
                                 "--partition",
                                 "0",
                                 "--changelog-from-file",
                                 "--execute",
                                 "--config",
                                 system->directory,
                                 "--state-dir",
                                 directory,
                                 "-b",
                                 system_bootstrap(),
                                 NULL};
    struct process *process = system_weir(system, words);
    process_expect_end(system, process, EXIT_DONE, PATIENCE_MS);
}

static void writes_a_lost_changelog_anew_when_the_file_is_lost_too(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    process_stop(system, start_to_live(system, &marks));
    system_delete_topic(system,
                        arena_format(&system->arena, "%s.changelog", system->application_id));
    system_create_topics(system, &inventory_processor);
    shell("rm -f %s %s-wal %s-shm", path_of(system));
    operator_sees_refused(system, &one_by_one, ".changelog is empty");

    const char *rescue = arena_format(&system->arena, "%s/rescue", system->directory);
    const char *printed =
        operator_runs(system, EXIT_DONE, "replay inventory --partition 0 --state %s", rescue);
    operator_reads(system, printed, "commits: every one came to the same\n");
    operator_reads(system, printed, "state: not compared: there is no state file here");
    printed =
        operator_runs(system, EXIT_USAGE, "replay inventory --partition 0 --state %s", rescue);
    operator_reads(system, printed, "is there already");
    printed = operator_runs(system, EXIT_USAGE, "replay inventory --partition 0 --state %s/a",
                            system->directory);
    operator_reads(system, printed, "that is the live state directory");
    reset_from(system, rescue);
    operator_expects_well(system, "inventory");

    stock_feed(system, 0, FIRST_PART, stock_story_size());
    struct process *process = system_run(system, &one_by_one);
    process_expect_said(system, process, "task_running", PATIENCE_MS);
    stock_expect_as_undisturbed(
        system, stock_finish(system, &marks, process, "a", STOCK_LOOSE, PATIENCE_MS), 1);
    printed = operator_runs(system, EXIT_DONE, "replay inventory --partition 0");
    operator_reads(system, printed, "commits: every one came to the same\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(audits_a_task_while_it_runs),
        system_case(names_a_row_that_is_not_what_the_history_makes_it),
        system_case(writes_a_lost_changelog_anew_when_the_file_is_lost_too),
    };
    return system_main("test_rescue", tests, argc, argv);
}
