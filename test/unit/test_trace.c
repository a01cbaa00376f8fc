/* test_trace.c - what a trace of port calls may say, and what it may not: the model takes what
 * Kafka does, and each impossible answer is named.
 */
#include "trace/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A story: "WHO EVENT..." lines, one a microsecond. */
struct story {
    const char *name, *lines[20];
    const char *impossible; /* what is said of its last line; NULL: all is possible */
};

#define OWNER_A       "a open t.p0", "a init", "a init=DONE"
#define OWNER_B       "b open t.p0", "b init", "b init=DONE"
#define SENT_A(value) "a offsets " value, "a offsets=DONE"
#define DONE_A(value) SENT_A(value), "a commit", "a commit=DONE"
#define ANSWER(value) "r committed t.p0", "r committed=OK " value

static const struct story stories[] = {
    {"a_commit_is_seen_by_the_next_answer", {OWNER_A, DONE_A("1"), ANSWER("1")}, NULL},
    {"an_older_offset_after_a_commit_that_was_done",
     {OWNER_A, ANSWER("none"), DONE_A("1"), ANSWER("none")},
     "cannot be this one"},
    {"an_offset_that_nobody_committed", {OWNER_A, ANSWER("none"), ANSWER("1")}, "cannot be"},
    {"an_offset_that_was_only_sent",
     {OWNER_A, ANSWER("none"), SENT_A("1"), ANSWER("1")},
     "cannot be"},
    {"an_aborted_offset",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "a abort", "a abort=DONE", ANSWER("1")},
     "cannot be"},
    {"a_commit_that_failed_for_sure",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "a commit", "a commit=ABORT", ANSWER("1")},
     "cannot be"},
    {"a_commit_in_doubt_may_have_happened",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "a commit", "a commit=DOUBT", OWNER_B, ANSWER("1")},
     NULL},
    {"a_commit_in_doubt_may_not_have_happened",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "a commit", "a commit=DOUBT", OWNER_B, ANSWER("none")},
     NULL},
    {"a_doubt_that_was_decided_stays_decided",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "a commit", "a commit=DOUBT", ANSWER("none"),
      ANSWER("1")},
     "cannot be"},
    {"a_commit_of_a_process_that_died_in_it",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "a commit", OWNER_B, ANSWER("1")},
     NULL},
    {"a_commit_that_an_answer_has_decided_against",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "a commit", ANSWER("none"), "a commit=DONE"},
     "has decided against it"},
    {"an_answer_from_before_the_offsets_were_sent",
     {OWNER_A, ANSWER("none"), "r committed t.p0", DONE_A("1"), "r committed=OK none"},
     NULL},
    {"an_answer_from_behind_a_commit_under_way",
     {OWNER_A, ANSWER("none"), "r committed t.p0", SENT_A("1"), "a commit", "r committed=OK 1",
      "a commit=DONE", ANSWER("1")},
     NULL},
    {"an_older_answer_while_the_offset_was_pending",
     {OWNER_A, ANSWER("none"), SENT_A("1"), "r committed t.p0", "a commit", "a commit=DONE",
      "r committed=OK none"},
     "cannot be"},
    {"a_commit_of_an_owner_that_was_fenced",
     {OWNER_A, SENT_A("1"), OWNER_B, "a commit", "a commit=DONE"},
     "has fenced"},
    {"offsets_of_an_owner_that_was_fenced", {OWNER_A, OWNER_B, SENT_A("1")}, "has fenced"},
    {"a_commit_that_hears_of_it_when_it_was_overtaken",
     {OWNER_A, SENT_A("1"), "a commit", OWNER_B, "b offsets 2", "b offsets=DONE", "b commit",
      "b commit=DONE", ANSWER("2"), "a commit=DONE", ANSWER("2")},
     NULL},
    {"a_commit_that_was_asked_for_before_the_fence",
     {OWNER_A, SENT_A("1"), "a commit", OWNER_B, "a commit=DONE", ANSWER("1")},
     NULL},
    {"a_fenced_one_is_told_nothing_else",
     {OWNER_A, SENT_A("1"), "a commit", "a commit=FENCED", "a init", "a init=DONE"},
     "has been told"},
    {"another_task_is_another_matter",
     {OWNER_A, "b open t.p1", "b init", "b init=DONE", DONE_A("1"), ANSWER("1")},
     NULL},
    {"ends_in_order_that_grow",
     {"r log x/0", "r log=OK 0 3 5", "r log x/0", "r log=OK 1 5 5"},
     NULL},
    {"a_stable_end_behind_the_high_one", {"r log x/0", "r log=OK 0 6 5"}, "out of order"},
    {"an_end_that_goes_back",
     {"r log x/0", "r log=OK 0 5 5", "r log x/0", "r log=OK 0 4 4"},
     "went back"},
    {"an_answer_that_was_asked_for_before",
     {"r log x/0", "s log x/0", "s log=OK 0 5 5", "r log=OK 0 4 4"},
     NULL},
    {"topics_made_anew", {OWNER_A, DONE_A("1"), "- anew", ANSWER("none")}, NULL},
};

static void tells(void **state)
{
    const struct story *story = *state;
    struct model *model = model_open();
    char line[200], why[300] = "";
    bool possible = true;
    for (int i = 0; i < 20 && story->lines[i]; i++) {
        assert_true(possible); /* only the last one may be wrong */
        snprintf(line, sizeof line, "%d %s", 100 + i, story->lines[i]);
        possible = model_line(model, line, why);
    }
    model_close(model);
    if (possible != !story->impossible || (story->impossible && !strstr(why, story->impossible))) {
        fail_msg("%s: %s", possible ? "it was taken" : "it was refused", why);
    }
}

int main(void)
{
    enum { COUNT = sizeof stories / sizeof *stories };
    struct CMUnitTest tests[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        tests[i] =
            (struct CMUnitTest){stories[i].name, tells, NULL, NULL, (void *)(uintptr_t)&stories[i]};
    }
    return _cmocka_run_group_tests("trace", tests, COUNT, NULL, NULL);
}
