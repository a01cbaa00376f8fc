/* test_kills.c - kill -9 at every named point of the protocol; what is there in the end must be the
 * same, to the byte, as after a run that nobody killed.
 *
 * Attacks I-1 to I-5 and I-8: the log alone must not show where a process died, and neither must
 * the state file. Every case is a list of deaths, one process after the other; then one that lives.
 */
#include "kafka/stock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processors.h"
#include "shop.h"

#include <cmocka.h>

enum { DEATHS_MAX = 3, PATIENCE_MS = 20000 };

struct deaths {
    const char *points[DEATHS_MAX];
    const char *store_commit; /* NULL: every 20 ms */
};

#define NEVER "store.commit_ms=600000" /* the file stays empty: every start restores everything */

/* clang-format off */
static const struct deaths deaths[] = {
    {{"begin:1"}}, {{"begin:9"}},
    {{"produced:1"}}, {{"produced:31"}},
    {{"produced_last:1"}}, {{"produced_last:8"}},
    {{"offsets_sent:1"}}, {{"offsets_sent:8"}},
    {{"commit:1"}}, {{"commit:8"}},
    {{"endtxn_sent:1"}}, {{"endtxn_sent:8"}},
    {{"commit_answered:1"}}, {{"commit_answered:8"}},
    {{"store_commit:1"}}, {{"store_commit:4"}},
    {{"store_committed:1"}}, {{"store_committed:4"}},
    {{"commit_answered:8", "restore_end:1"}},
    {{"commit_answered:8", "restore_end:1", "restore_end:1"}, NEVER},
    {{"commit_answered:8", "begin:1", "offsets_sent:2"}, NEVER},
    {{"produced_last:5", "produced_last:1", "endtxn_sent:1"}},
};
/* clang-format on */

static char *expected;

static struct process *run(struct system *system, const char *kill_at, const char *store_commit)
{
    return system_run(system, &(struct run){.kill_at = kill_at,
                                            .settings = {"take.max_records=3",
                                                         store_commit ? store_commit
                                                                      : "store.commit_ms=20"}});
}

static char *live_to_the_end(struct system *system, const struct stock_marks *marks,
                             const char *store_commit)
{
    return stock_finish(system, marks, run(system, NULL, store_commit), "a", STOCK_EXACT,
                        PATIENCE_MS);
}

static void nobody_is_killed(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    expected = live_to_the_end(system, &marks, NULL);
    assert_non_null(strstr(expected, "\"Expired\""));
    assert_non_null(strstr(expected, "\"Refused\""));
    assert_non_null(strstr(expected, "dead "));
    assert_true(stock_commit_number(system, 0) >= (int64_t)stock_story_size() / 3);
}

static void ends_as_if_nobody_had_been_killed(void **state)
{
    struct system *system = *state;
    const struct deaths *spec = system->spec;
    struct stock_marks marks;
    assert_non_null(expected);
    system_create_topics(system, &inventory_processor);
    stock_mark(system, &marks);
    for (size_t i = 0; i < DEATHS_MAX && spec->points[i]; i++) {
        process_expect_end(system, run(system, spec->points[i], spec->store_commit), -SIGKILL,
                           PATIENCE_MS);
    }
    char *found = live_to_the_end(system, &marks, spec->store_commit);
    stock_expect_same(system, expected, found);
    free(found);
}

int main(void)
{
    enum { COUNT = sizeof deaths / sizeof *deaths };
    struct CMUnitTest tests[COUNT + 1] = {system_case(nobody_is_killed)};
    char names[COUNT][120];
    for (size_t i = 0; i < COUNT; i++) {
        const char *const *points = deaths[i].points;
        snprintf(names[i], sizeof names[i], "killed at %s%s%s%s%s", points[0],
                 points[1] ? ", " : "", points[1] ? points[1] : "", points[2] ? ", " : "",
                 points[2] ? points[2] : "");
        tests[i + 1] =
            (struct CMUnitTest){names[i], ends_as_if_nobody_had_been_killed, system_set_up,
                                system_tear_down, (void *)(uintptr_t)&deaths[i]};
    }
    int failed = system_main("test_kills", tests, 0, NULL);
    free(expected);
    return failed;
}
