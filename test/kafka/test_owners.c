/* test_owners.c - two processes for one partition: never do both write (I-6), whichever way they
 * got it: fixed or as members of the group, on one disk or on two, one of them asleep meanwhile.
 */
#include "kafka/stock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "processors.h"
#include "shop.h"
#include "store/store.h"

#include <cmocka.h>

enum { PATIENCE_MS = 25000, SOON_MS = 5000 };

/* Small takes, and time-outs as short as weir allows. */
#define BRISK "take.max_records=3", "transaction.timeout_ms=1000"

static struct process *run_fixed(struct system *system, const char *host, const char *stop_at)
{
    return system_run(system, &(struct run){.host = host, .stop_at = stop_at, .settings = {BRISK}});
}

/* ---- fixed ---- */

static void refuses_a_second_process_on_the_same_disk(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    struct process *first = run_fixed(system, "a", NULL);
    process_expect_said(system, first, "task_running", SOON_MS);
    struct process *second = run_fixed(system, "a", NULL);
    process_expect_end(system, second, EXIT_TRY_AGAIN, SOON_MS);
    process_expect_said(system, second, "is locked by process", 0);
    stock_feed_all(system, 0);
    stock_expect_as_undisturbed(system,
                                stock_finish(system, &marks, first, "a", STOCK_LOOSE, PATIENCE_MS),
                                1);
}

static void fences_the_first_when_a_second_starts_on_another_disk(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed(system, 0, 0, 40);
    struct process *first = run_fixed(system, "a", NULL);
    system_expect_committed(system, stock_commands_topic.name, 0,
                            system_end_of(system, stock_commands_topic.name, 0), PATIENCE_MS);
    struct process *second = run_fixed(system, "b", NULL);
    process_expect_said(system, second, "task_running", SOON_MS);
    stock_feed(system, 0, 40, stock_story_size());
    process_expect_end(system, first, EXIT_TRY_AGAIN, SOON_MS);
    stock_expect_as_undisturbed(system,
                                stock_finish(system, &marks, second, "b", STOCK_LOOSE, PATIENCE_MS),
                                1);
}

/* ---- asleep while another takes over ---- */

static int64_t file_stands_at(struct system *system, const char *host)
{
    struct store_meta meta;
    struct error error;
    if (store_peek(system_state_path(system, host, 0), &meta, &error) != OK) {
        system_fail(system, "%s", error.text);
    }
    return meta.commit_number;
}

static void writes_nothing_after_a_sleep(struct system *system, const char *stop_at)
{
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    struct process *sleeper = run_fixed(system, "a", stop_at);
    process_expect_stopped(system, sleeper, PATIENCE_MS);
    int64_t slept_at = system_now_ms();
    struct process *other = run_fixed(system, "b", NULL);
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    while (system_now_ms() < slept_at + 1600) {
        system_sleep(20); /* past every time-out */
    }
    process_signal(sleeper, SIGCONT);
    process_expect_end(system, sleeper, EXIT_TRY_AGAIN, SOON_MS);
    assert_true(file_stands_at(system, "a") < file_stands_at(system, "b"));
    stock_expect_as_undisturbed(system,
                                stock_finish(system, &marks, other, "b", STOCK_LOOSE, PATIENCE_MS),
                                1);
}

static void writes_nothing_after_a_sleep_before_begin(void **state)
{
    writes_nothing_after_a_sleep(*state, "begin:5");
}

static void writes_nothing_after_a_sleep_with_records_produced(void **state)
{
    writes_nothing_after_a_sleep(*state, "produced_last:5");
}

static void writes_nothing_after_a_sleep_with_offsets_sent(void **state)
{
    writes_nothing_after_a_sleep(*state, "offsets_sent:5");
}

static void writes_nothing_after_a_sleep_behind_a_commit(void **state)
{
    writes_nothing_after_a_sleep(*state, "commit_answered:5");
}

/* The broker has aborted the transaction meanwhile; that looks like a fence, and is treated so. */
static void starts_again_after_a_sleep_beyond_the_transaction_timeout(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    struct process *sleeper = run_fixed(system, "a", "offsets_sent:5");
    process_expect_stopped(system, sleeper, PATIENCE_MS);
    system_sleep(5500); /* the time-out, and the broker's look at what is over it */
    process_signal(sleeper, SIGCONT);
    process_expect_end(system, sleeper, EXIT_TRY_AGAIN, SOON_MS);
    struct process *again = run_fixed(system, "a", NULL);
    stock_expect_as_undisturbed(system,
                                stock_finish(system, &marks, again, "a", STOCK_LOOSE, PATIENCE_MS),
                                1);
}

/* ---- members of the group ---- */

static struct process *join(struct system *system, const char *instance, const char *host,
                            const char *stop_at)
{
    return system_run(system, &(struct run){.instance = instance,
                                            .host = host,
                                            .stop_at = stop_at,
                                            .settings = {BRISK, "session.timeout_ms=1500"}});
}

static void feed_everywhere(struct system *system, size_t from, size_t before)
{
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        stock_feed(system, p, from, before);
    }
}

static void expect_settled_everywhere(struct system *system, const struct stock_marks *marks)
{
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        stock_expect_settled(system, marks, p, PATIENCE_MS);
    }
}

/* Which disk has the newest file of each partition is a matter of who came last: topics only. */
static void expect_topics_as_undisturbed(struct system *system, const struct stock_marks *marks)
{
    char *found = stock_picture(system, marks, STOCK_LOOSE, NULL);
    char *calm = stock_undisturbed(system, SYSTEM_PARTITIONS);
    char *rows = strstr(calm, "\nrow ");
    if (rows) {
        rows[1] = 0;
    }
    stock_expect_same(system, calm, found);
    free(calm);
    free(found);
}

/* Nothing is to be done, so it is the group that tells. */
static void the_first_of_two_processes_of_one_name_ends(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    struct process *first = join(system, "a", "one", NULL);
    process_expect_said(system, first, "task_running", PATIENCE_MS);
    struct process *second = join(system, "a", "two", NULL);
    process_expect_end(system, first, EXIT_TRY_AGAIN, PATIENCE_MS);
    process_expect_said(system, first, "another process has joined group ", 0);
    feed_everywhere(system, 0, stock_story_size());
    expect_settled_everywhere(system, &marks);
    process_stop(system, second);
    expect_topics_as_undisturbed(system, &marks);
}

static void moves_partitions_when_a_member_stops(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    feed_everywhere(system, 0, 30);
    struct process *a = join(system, "a", "shared", NULL), *b = join(system, "b", "shared", NULL);
    process_expect_said(system, a, "task_running", PATIENCE_MS);
    process_expect_said(system, b, "task_running", PATIENCE_MS);
    feed_everywhere(system, 30, 60);
    process_stop(system, a);
    feed_everywhere(system, 60, stock_story_size());
    expect_settled_everywhere(system, &marks);
    process_stop(system, b);
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        stock_expect_agreement(system, "shared", p);
    }
    expect_topics_as_undisturbed(system, &marks);
}

static void moves_partitions_when_a_member_is_killed(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    struct process *a = join(system, "a", "a", NULL), *b = join(system, "b", "b", NULL);
    process_expect_said(system, a, "task_running", PATIENCE_MS);
    process_expect_said(system, b, "task_running", PATIENCE_MS);
    feed_everywhere(system, 0, 60);
    process_signal(a, SIGKILL);
    process_expect_end(system, a, -SIGKILL, SOON_MS);
    feed_everywhere(system, 60, stock_story_size());
    expect_settled_everywhere(system, &marks);
    process_stop(system, b);
    expect_topics_as_undisturbed(system, &marks);
}

/* It learns that it is out from the group, or from the fence that its commit runs into. */
static void expect_out(struct system *system, const struct process *member)
{
    int64_t end = system_now_ms() + PATIENCE_MS;
    while (!process_said(member, "lost=yes") && !process_said(member, "exit_code=75")) {
        if (system_now_ms() > end) {
            system_fail(system, "the member does not notice that it is out");
        }
        system_sleep(10);
    }
}

static void a_member_that_slept_drops_its_tasks_and_rejoins(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    feed_everywhere(system, 0, 60);
    struct process *a = join(system, "a", "a", "offsets_sent:6");
    process_expect_stopped(system, a, PATIENCE_MS);
    struct process *b = join(system, "b", "b", NULL);
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        system_expect_committed(system, stock_commands_topic.name, p,
                                system_end_of(system, stock_commands_topic.name, p), PATIENCE_MS);
    }
    process_signal(a, SIGCONT);
    expect_out(system, a);
    feed_everywhere(system, 60, 70);
    system_sleep(500);
    assert_true(process_is_running(system, a));
    process_signal(b, SIGKILL); /* now it is the sleeper's turn */
    process_expect_end(system, b, -SIGKILL, SOON_MS);
    feed_everywhere(system, 70, stock_story_size());
    expect_settled_everywhere(system, &marks);
    process_stop(system, a);
    expect_topics_as_undisturbed(system, &marks);
}

static void a_static_member_is_replaced_by_its_successor(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    feed_everywhere(system, 0, 40);
    struct process *first = join(system, "a", "a", NULL);
    process_expect_said(system, first, "task_running", PATIENCE_MS);
    struct process *second = join(system, "a", "b", NULL);
    process_expect_end(system, first, EXIT_TRY_AGAIN, PATIENCE_MS);
    feed_everywhere(system, 40, stock_story_size());
    expect_settled_everywhere(system, &marks);
    process_stop(system, second);
    expect_topics_as_undisturbed(system, &marks);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(refuses_a_second_process_on_the_same_disk),
        system_case(fences_the_first_when_a_second_starts_on_another_disk),
        system_case(writes_nothing_after_a_sleep_before_begin),
        system_case(writes_nothing_after_a_sleep_with_records_produced),
        system_case(writes_nothing_after_a_sleep_with_offsets_sent),
        system_case(writes_nothing_after_a_sleep_behind_a_commit),
        system_case(starts_again_after_a_sleep_beyond_the_transaction_timeout),
        system_case(the_first_of_two_processes_of_one_name_ends),
        system_case(moves_partitions_when_a_member_stops),
        system_case(moves_partitions_when_a_member_is_killed),
        system_case(a_member_that_slept_drops_its_tasks_and_rejoins),
        system_case(a_static_member_is_replaced_by_its_successor),
    };
    return system_main("test_owners", tests, argc, argv);
}
