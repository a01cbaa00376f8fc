/* test_life.c - a process's end, and the broker's: signals finish the take at hand, and a broker
 * that goes away and comes back costs time, never a record.
 */
#include "kafka/stock.h"
#include "kafka/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "processors.h"
#include "shop.h"

#include <cmocka.h>

enum { PATIENCE_MS = 60000, SOON_MS = 5000 };

static const char *const all_on_a[SYSTEM_PARTITIONS] = {"a", "a", "a", "a"};

/* ---- signals ---- */

/* One record a take, so that there is always something at hand. */
static struct process *run_slowly(struct system *system, const char *bootstrap)
{
    return system_run(system, &(struct run){.bootstrap = bootstrap,
                                            .settings = {"take.max_records=1", "commit.pause_ms=5",
                                                         "store.commit_ms=600000"}});
}

static void finishes_and_commits_on_a_signal(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    static const int signals[] = {SIGTERM, SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct process *process = run_slowly(system, NULL);
        process_expect_said(system, process, "task_running", SOON_MS);
        system_sleep(20 + system_random(150));
        int64_t asked_ms = system_now_ms();
        process_signal(process, signals[i]);
        process_expect_end(system, process, EXIT_DONE, SOON_MS);
        assert_true(system_now_ms() - asked_ms < 2000);
        stock_expect_agreement(system, "a", 0); /* so the next start restores nothing */
        assert_false(process_said(process, " restoring "));
    }
    struct process *last = run_slowly(system, NULL);
    stock_expect_as_undisturbed(system,
                                stock_finish(system, &marks, last, "a", STOCK_LOOSE, PATIENCE_MS),
                                1);
}

static void ends_at_once_on_a_second_signal(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    /* A commit that nobody answers. */
    struct wire *wire =
        system_wire(system,
                    &(struct wire_plan){.trick = WIRE_REPLY_HELD, .api = WIRE_END_TXN, .nth = 4});
    struct process *process = run_slowly(system, system_proxied());
    for (int64_t end = system_now_ms() + SOON_MS; !wire_is_done(wire); system_sleep(10)) {
        assert_true(system_now_ms() < end);
    }
    process_signal(process, SIGTERM);
    system_sleep(300);
    assert_true(process_is_running(system, process));
    int64_t asked_ms = system_now_ms();
    process_signal(process, SIGTERM);
    process_expect_end(system, process, EXIT_DONE, SOON_MS);
    assert_true(system_now_ms() - asked_ms < 300);
    struct process *last = run_slowly(system, NULL);
    stock_expect_as_undisturbed(system,
                                stock_finish(system, &marks, last, "a", STOCK_LOOSE, PATIENCE_MS),
                                1);
}

/* ---- no broker ---- */

static void gives_up_when_no_broker_answers_at_start(void **state)
{
    struct system *system = *state;
    int64_t began_ms = system_now_ms();
    struct process *process =
        system_run(system, &(struct run){.bootstrap = "127.0.0.1:9", .wait_ms = 3500});
    process_expect_end(system, process, EXIT_UNAVAILABLE, 15000);
    assert_true(system_now_ms() - began_ms >= 3000);
    process_expect_said(system, process, "waiting_for_broker", 0);
    process_expect_said(system, process, "no broker at 127.0.0.1:9 answers", 0);
}

/* How often a process raised its voice. */
static int count_alarms(const struct process *process)
{
    FILE *file = fopen(process->log, "r");
    char line[2000];
    int count = 0;
    while (file && fgets(line, sizeof line, file)) {
        bool is_alarm = strstr(line, " warn ") || strstr(line, " error ");
        count += is_alarm && !strstr(line, "dead_letter");
    }
    if (file) {
        fclose(file);
    }
    return count;
}

static struct process *run_through_outage(struct system *system, int partition, const char *timeout,
                                          const char *kill_at)
{
    return system_run(system, &(struct run){.partition = partition,
                                            .kill_at = kill_at,
                                            .settings = {"take.max_records=1", "commit.pause_ms=30",
                                                         timeout}});
}

/* With transactions open, but in the middle of ending none: Kafka 4.3.1 may forget a commit whose
 * markers it was about to write (README, "When the broker forgets a commit"). */
static void kill_the_broker(struct process *const *processes, int count)
{
    for (int i = 0; i < count; i++) {
        process_signal(processes[i], SIGSTOP);
    }
    system_sleep(300);
    system_broker("kill");
    for (int i = 0; i < count; i++) {
        process_signal(processes[i], SIGCONT);
    }
}

/* Two wait it out, as long as their transactions may; one's transaction is too old when the broker
 * is back, so its supervisor (this test) starts it again; one dies in the fence. */
static void loses_nothing_when_the_broker_dies_under_load(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        stock_feed_all(system, p);
    }
    /* First, because a kill brings back the records that were deleted less than a minute before. */
    char *calm = stock_undisturbed(system, SYSTEM_PARTITIONS);
    stock_mark(system, &marks);
    static const char *const patient = "transaction.timeout_ms=120000";
    struct process *processes[SYSTEM_PARTITIONS] = {
        run_through_outage(system, 0, patient, NULL),
        run_through_outage(system, 1, patient, NULL),
        run_through_outage(system, 2, patient, "fence_init:1"),
        run_through_outage(system, 3, "transaction.timeout_ms=1000", NULL),
    };
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        process_expect_said(system, processes[p], "task_running", SOON_MS);
    }
    system_sleep(300 + system_random(500));
    kill_the_broker(processes, SYSTEM_PARTITIONS);
    system_sleep(2500);
    system_broker("start");
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        for (int64_t end = system_now_ms() + PATIENCE_MS;
             system_committed(system, stock_commands_topic.name, p) <
             system_end_of(system, stock_commands_topic.name, p);) {
            assert_true(system_now_ms() < end);
            if (!process_is_running(system, processes[p])) {
                assert_true(p >= 2); /* the patient ones stay */
                process_expect_end(system, processes[p], p == 2 ? -SIGKILL : EXIT_TRY_AGAIN, 0);
                processes[p] = run_through_outage(system, p, patient, NULL);
            }
            system_sleep(50);
        }
        stock_expect_settled(system, &marks, p, PATIENCE_MS);
    }
    for (int p = 0; p < SYSTEM_PARTITIONS; p++) {
        assert_true(count_alarms(processes[p]) < 30); /* once, and then rarely */
        process_stop(system, processes[p]);
        stock_expect_agreement(system, "a", p);
    }
    char *found = stock_picture(system, &marks, STOCK_LOOSE, all_on_a);
    stock_expect_same(system, calm, found);
    free(calm);
    free(found);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(finishes_and_commits_on_a_signal),
        system_case(ends_at_once_on_a_second_signal),
        system_case(gives_up_when_no_broker_answers_at_start),
        system_case(loses_nothing_when_the_broker_dies_under_load),
    };
    return system_main("test_life", tests, argc, argv);
}
