/* mending.c - fences a task, asks again, commits.
 *
 * A dry run only asks. The deed first initialises the task's transactional id, so that nothing can
 * move any more, and then asks and decides anew: what was shown before may be out of date.
 */
#include "doctor/mending.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doctor/plan_commit.h"
#include "runtime/repair.h"
#include "runtime/topology.h"

enum {
    SETTLE_MS = 30 * 1000,
    SETTLE_STEP_MS = 100,
    RECREATE_TRIES = 60,
};

/* ---- what a person sees ---- */

static const char *number_or_none(int64_t number, char *text)
{
    snprintf(text, 24, number >= 0 ? "%" PRId64 : "none", number);
    return text;
}

static void show_plan(const struct task_facts *facts, const struct plan *plan, bool done)
{
    char group[24], last[24], file[24], from[24];
    const char *id = facts->application_id;
    int p = (int)facts->partition;
    if (plan->nothing_to_do) {
        printf("%s.p%d: nothing to do\n", id, p);
        return;
    }
    printf("%s.p%d: group at commit %s, changelog at %s, file at %s\n", id, p,
           number_or_none(facts->group == GROUP_AT ? facts->number : -1, group),
           number_or_none(facts->changelog.found ? facts->changelog.checkpoint.commit_number : -1,
                          last),
           number_or_none(facts->file == FILE_READ ? facts->meta.commit_number : -1, file));
    printf("  %-28s %14s %14s %14s\n", "input", "goes on at", done ? "now at" : "then at",
           "difference");
    for (size_t i = 0; i < facts->input_count; i++) {
        printf("  %-28s %14s %14" PRId64 " ", facts->inputs[i].topic,
               number_or_none(plan->from[i], from), plan->to[i]);
        if (plan->from[i] < 0) {
            printf("%14s\n", "-");
        } else {
            printf("%+14" PRId64 "\n", plan->to[i] - plan->from[i]);
        }
    }
    switch (plan->rows) {
    case ROWS_AS_THEY_ARE:
        break;
    case ROWS_FORGOTTEN:
        printf("  every row and timer of the task %s deleted\n", done ? "was" : "would be");
        break;
    case ROWS_FROM_FILE:
        printf("  the changelog %s written anew from the state file\n", done ? "was" : "would be");
        break;
    }
    if (plan->recreate) {
        printf("  the topic %s.changelog %s deleted and made anew, for all partitions\n", id,
               done ? "was" : "would be");
    }
    if (plan->repeats_outputs) {
        printf("  records that were handled before %s again: their outputs come twice\n",
               done ? "are handled" : "would be handled");
    }
    printf(done ? "  done, by commit %" PRId64 "\n"
                : "  all of it in one transaction, commit %" PRId64 "\n",
           plan->number);
}

/* ---- one task ---- */

struct mended {
    struct arena arena;
    struct task_facts facts;
    planner *decide; /* NULL: not to be touched */
    struct plan plan;
    struct producer *producer; /* NULL: not fenced */
    struct write_set rows;
};

static enum outcome look(const struct tasks *tasks, struct mended *task, struct error *error)
{
    enum outcome outcome =
        tasks_facts(tasks, task->facts.partition, &task->arena, &task->facts, error);
    return outcome == OK ? task->decide(&task->facts, &task->plan, error) : outcome;
}

/* The fenced owner's transaction is being ended; its markers come a moment later. */
static enum outcome look_when_settled(const struct tasks *tasks, struct mended *task,
                                      struct error *error)
{
    enum outcome outcome = OK;
    for (int waited_ms = 0; waited_ms < SETTLE_MS; waited_ms += SETTLE_STEP_MS) {
        outcome = look(tasks, task, error);
        const struct port_log *log = &task->facts.changelog.log;
        if (task->facts.group != GROUP_HELD && log->stable == log->high) {
            return outcome;
        }
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_STEP_MS * 1000000L}, NULL);
    }
    return outcome != OK ? outcome
                         : fail_exit(error, EXIT_TRY_AGAIN,
                                     "%s.p%d: its last transaction has not ended yet; try again",
                                     task->facts.application_id, (int)task->facts.partition);
}

static enum outcome check_repeats(const struct mending *mending, const struct mended *task,
                                  struct error *error)
{
    if (task->plan.nothing_to_do || !task->plan.repeats_outputs || mending->may_repeat) {
        return OK;
    }
    return fail_exit(error, EXIT_USAGE,
                     "%s.p%d: nothing was changed: this makes outputs come twice, for good; when "
                     "that is what you want, add %s",
                     task->facts.application_id, (int)task->facts.partition, mending->repeat_flag);
}

/* Fences the task, and decides anew. */
static enum outcome fence(const struct mending *mending, const struct tasks *tasks,
                          struct mended *task, struct error *error)
{
    enum outcome outcome = repair_fence(tasks->port, tasks->settings.application_id,
                                        task->facts.partition, SETTLE_MS, &task->producer, error);
    if (outcome == OK) {
        outcome = look_when_settled(tasks, task, error);
    }
    return outcome == OK ? check_repeats(mending, task, error) : outcome;
}

/* ---- all tasks ---- */

/* A topic's name is free a moment after it was deleted. */
static enum outcome recreate_changelog(const struct tasks *tasks, struct admin *admin,
                                       struct error *error)
{
    struct topology topology;
    topology_init(&topology);
    topology_add(&topology, tasks->processor, tasks->settings.application_id,
                 tasks->settings.delete_retention_ms);
    char name[300];
    snprintf(name, sizeof name, "%s.changelog", tasks->settings.application_id);
    const char *names[] = {name};
    enum outcome outcome = admin_delete_topics(admin, names, 1, error);
    for (size_t i = 0; i < topology.count && outcome == OK; i++) {
        if (strcmp(topology.topics[i].name, name) != 0) {
            continue;
        }
        for (int tries = 0; tries < RECREATE_TRIES; tries++) {
            nanosleep(&(struct timespec){.tv_nsec = SETTLE_STEP_MS * 1000000L}, NULL);
            outcome = admin_create(admin, &topology.topics[i], 1, error);
            if (outcome == OK) {
                break;
            }
        }
    }
    topology_release(&topology);
    return outcome;
}

/* Everything that can be refused is done before anything is deleted, and that before the commits.
 */
static enum outcome execute(const struct mending *mending, const struct tasks *tasks,
                            struct admin *admin, struct mended *list, size_t count, bool recreate,
                            struct error *error)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome == OK; i++) {
        struct mended *task = &list[i];
        if (task->decide && !task->plan.nothing_to_do) {
            outcome = fence(mending, tasks, task, error);
            task->plan.nothing_to_do = task->plan.nothing_to_do && !recreate;
        }
        if (outcome == OK && task->producer && !task->plan.nothing_to_do) {
            outcome = plan_rows(tasks, &task->facts, &task->plan, recreate, &task->rows, error);
        }
    }
    if (outcome == OK && recreate) {
        outcome = recreate_changelog(tasks, admin, error);
    }
    for (size_t i = 0; i < count && outcome == OK; i++) {
        struct mended *task = &list[i];
        if (task->producer && !task->plan.nothing_to_do) {
            outcome = plan_commit(tasks->port, task->producer, &task->facts, &task->plan,
                                  &task->rows, error);
        }
        if (outcome == OK && task->decide) {
            show_plan(&task->facts, &task->plan, true);
        }
    }
    return outcome;
}

/* With --execute an open transaction is no reason to stop: fencing ends it. */
static enum outcome decide(const struct mending *mending, const struct tasks *tasks,
                           struct mended *task, struct error *error)
{
    enum outcome outcome = look(tasks, task, error);
    if (outcome == FATAL && error->exit_code == EXIT_TRY_AGAIN && mending->execute) {
        return OK;
    }
    if (outcome == OK && mending->execute) {
        outcome = check_repeats(mending, task, error);
    }
    return outcome;
}

/* A changelog that must be made anew is one topic for all tasks: the others are carried over from
 * their files. */
static enum outcome decide_all(const struct mending *mending, const struct tasks *tasks,
                               struct mended *list, size_t count, bool *recreate,
                               struct error *error)
{
    enum outcome outcome = OK;
    *recreate = mending->recreate;
    for (size_t i = 0; i < count && outcome == OK; i++) {
        if (mending->partition < 0 || (size_t)mending->partition == i) {
            list[i].decide = mending->plan;
            outcome = decide(mending, tasks, &list[i], error);
            *recreate = *recreate || (outcome == OK && list[i].plan.recreate);
        }
    }
    for (size_t i = 0; i < count && outcome == OK && *recreate; i++) {
        if (!list[i].decide) {
            list[i].decide = plan_changelog_from_file;
            outcome = decide(mending, tasks, &list[i], error);
        }
        if (outcome != OK || facts_never_committed(&list[i].facts)) {
            continue;
        }
        if (list[i].plan.rows == ROWS_FROM_FILE) {
            outcome = plan_check_file(&list[i].facts, error);
        }
        list[i].plan.nothing_to_do = false;
        list[i].plan.recreate = true;
    }
    return outcome;
}

static enum outcome check_cluster(const struct tasks *tasks, struct admin *admin, int64_t partition,
                                  struct error *error)
{
    if (partition >= tasks->partitions) {
        return fail_exit(error, EXIT_USAGE, "--partition %" PRId64 ": %s has tasks 0 to %d",
                         partition, tasks->processor->name, (int)tasks->partitions - 1);
    }
    struct topology topology;
    topology_init(&topology);
    topology_add(&topology, tasks->processor, tasks->settings.application_id,
                 tasks->settings.delete_retention_ms);
    enum outcome outcome = topology_check(&topology, admin, error);
    topology_release(&topology);
    return outcome;
}

static enum outcome mend_all(const struct mending *mending, const struct tasks *tasks,
                             struct admin *admin, struct error *error)
{
    size_t count = (size_t)tasks->partitions;
    struct mended *list = xcalloc(count, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        arena_init(&list[i].arena);
        write_set_init(&list[i].rows);
        list[i].facts.partition = (int32_t)i;
    }
    bool recreate;
    enum outcome outcome = decide_all(mending, tasks, list, count, &recreate, error);
    if (outcome == OK && mending->execute) {
        outcome = execute(mending, tasks, admin, list, count, recreate, error);
    } else if (outcome == OK) {
        for (size_t i = 0; i < count; i++) {
            if (list[i].decide) {
                show_plan(&list[i].facts, &list[i].plan, false);
            }
        }
        printf("nothing was changed; add --execute to do it\n");
    }
    for (size_t i = 0; i < count; i++) {
        if (list[i].producer) {
            tasks->port->calls->producer_close(list[i].producer);
        }
        write_set_release(&list[i].rows);
        arena_release(&list[i].arena);
    }
    free(list);
    return outcome;
}

int mend(const struct mending *mending)
{
    const struct weir_processor *processor =
        tasks_processor(mending->command, mending->place, mending->name);
    if (!processor) {
        return EXIT_USAGE;
    }
    struct error error;
    struct admin *admin = NULL;
    struct tasks tasks = {0};
    enum outcome outcome = tool_admin(mending->place, &admin, &error);
    if (outcome == OK) {
        outcome = tasks_open(&tasks, mending->place, processor, PLAN_COMMIT_MS, &error);
    }
    if (outcome == OK) {
        outcome = check_cluster(&tasks, admin, mending->partition, &error);
    }
    if (outcome == OK) {
        outcome = mend_all(mending, &tasks, admin, &error);
    }
    tasks_release(&tasks);
    admin_close(admin);
    return outcome == OK ? EXIT_DONE : tool_fail(mending->command, outcome, &error);
}
