/* reset.c - `weir reset`: a defined new start for a task whose file, changelog or input is gone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor/mending.h"
#include "doctor/tasks.h"

static struct tool_place place;
static int64_t partition = -1;
static bool state, accept_input_loss, changelog_from_file, recreate, forget_everything;
static bool execute, may_repeat;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"partition", 'p', OPTION_NUMBER, &partition, "N", "only this task (default: all)"},
    {"state", 0, OPTION_FLAG, &state, NULL,
     "set the state file aside; it is rebuilt at the next start"},
    {"accept-input-loss", 0, OPTION_FLAG, &accept_input_loss, NULL,
     "go on at the start of an input that was cut off or made anew"},
    {"changelog-from-file", 0, OPTION_FLAG, &changelog_from_file, NULL,
     "write a lost changelog anew from the state file"},
    {"recreate", 0, OPTION_FLAG, &recreate, NULL,
     "changelog-from-file: also when it seems whole, but somebody else wrote to it"},
    {"forget-everything", 0, OPTION_FLAG, &forget_everything, NULL,
     "no state, and all inputs from their start"},
    {"execute", 0, OPTION_FLAG, &execute, NULL, "do it (default: say what would change)"},
    {"yes-replay-from-start", 0, OPTION_FLAG, &may_repeat, NULL,
     "forget-everything: yes, outputs come twice"},
    {0},
};

/* ---- --state ---- */

static enum outcome set_aside(const struct tasks *tasks, int32_t p, struct error *error)
{
    struct arena arena;
    struct store *store = NULL;
    enum store_found found;
    arena_init(&arena);
    enum outcome outcome = tasks_store(tasks, p, &arena, &store, &found, error);
    if (outcome == OK && found == STORE_KEPT) {
        outcome = store_set_aside(store, error);
    }
    store_close(store);
    arena_release(&arena);
    return outcome;
}

static enum outcome reset_state(const struct tasks *tasks, int32_t p, struct error *error)
{
    char *path = tool_state_path(&tasks->settings, p);
    struct store_meta meta;
    struct error why;
    enum outcome outcome = OK;
    bool readable = store_peek(path, &meta, &why) == OK;
    if (access(path, F_OK) != 0) {
        printf("there is no %s: nothing to do\n", path);
    } else if (readable && meta.commit_number == 0) {
        printf("%s is empty: nothing to do\n", path);
    } else {
        if (readable) {
            printf("%s: commit %" PRId64 "\n", path, meta.commit_number);
        } else {
            printf("%s\n", why.text);
        }
        outcome = execute ? set_aside(tasks, p, error) : OK;
        if (outcome == OK && execute) {
            printf("  set aside; the next start rebuilds it from %s.changelog\n",
                   tasks->settings.application_id);
        } else if (outcome == OK) {
            printf("  would be set aside, and rebuilt from %s.changelog at the next start\n",
                   tasks->settings.application_id);
        }
    }
    free(path);
    return outcome;
}

/* The broker is not asked: the file is only a cache of what it has. */
static int run_state(const char *name)
{
    const struct weir_processor *processor = tasks_processor("reset", &place, name);
    struct tasks tasks = {.processor = processor};
    struct error error;
    if (!processor) {
        return EXIT_USAGE;
    }
    enum outcome outcome = tool_settings(&place, processor, &tasks.settings, &error);
    int32_t partitions = processor->inputs[0].topic->partitions;
    if (partition >= partitions) {
        settings_release(&tasks.settings);
        return tool_usage("reset", "--partition %" PRId64 ": %s has tasks 0 to %d", partition,
                          processor->name, (int)partitions - 1);
    }
    for (int32_t p = 0; p < partitions && outcome == OK; p++) {
        if (partition < 0 || partition == p) {
            outcome = reset_state(&tasks, p, &error);
        }
    }
    if (outcome == OK && !execute) {
        printf("nothing was changed; add --execute to do it\n");
    }
    settings_release(&tasks.settings);
    return outcome == OK ? EXIT_DONE : tool_fail("reset", outcome, &error);
}

/* ---- the command ---- */

static int run(size_t count, char **arguments)
{
    (void)count;
    if (state + accept_input_loss + changelog_from_file + forget_everything != 1) {
        return tool_usage("reset", "give one of --state, --accept-input-loss, "
                                   "--changelog-from-file, --forget-everything");
    }
    if (recreate && !changelog_from_file) {
        return tool_usage("reset", "--recreate goes with --changelog-from-file");
    }
    if (state) {
        return run_state(arguments[0]);
    }
    return mend(&(struct mending){
        .command = "reset",
        .place = &place,
        .name = arguments[0],
        .partition = partition,
        .plan = accept_input_loss     ? plan_accept_input_loss
                : changelog_from_file ? plan_changelog_from_file
                                      : plan_forget_everything,
        .execute = execute,
        .recreate = recreate,
        .may_repeat = may_repeat,
        .repeat_flag = "--yes-replay-from-start",
    });
}

const struct command reset_command = {
    .name = "reset",
    .summary = "a defined new start for a task whose file, changelog or input is gone",
    .usage = "weir reset PROCESSOR MODE [--partition N] [--execute]",
    .text =
        "`weir doctor` names the mode that is needed. Without --execute it only says what "
        "would change.\n"
        "  --state                the file is set aside and rebuilt from the changelog: always "
        "safe\n"
        "  --accept-input-loss    an input lost records that were not handled yet, or was made "
        "anew: the\n"
        "                         task goes on at its start. What is gone stays unhandled\n"
        "  --changelog-from-file  the changelog is gone or has lost its end, and the state "
        "file is at the\n"
        "                         group's commit: the changelog is written anew from it. "
        "Nothing is lost.\n"
        "                         With --recreate also when it seems whole, but holds what no "
        "task wrote\n"
        "  --forget-everything    neither is left, and `weir replay` cannot make the file again: "
        "rows,\n"
        "                         timers and offsets are forgotten, and every input is handled "
        "from its\n"
        "                         start. OUTPUTS COME TWICE: whoever reads them must be ready "
        "for that\n"
        "All but --state are one transaction per task, under the next commit number; they "
        "fence whoever\n"
        "runs the task, and the history shows them.",
    .example = "  weir reset inventory --accept-input-loss --partition 2\n"
               "  inventory.p2: group at commit 812, changelog at 812, file at 812\n"
               "    input                            goes on at        then at     difference\n"
               "    stock.commands                       24310          25000           +690",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
