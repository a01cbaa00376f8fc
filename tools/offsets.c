/* offsets.c - `weir offsets adopt`: puts a group's offsets back to where its changelog stands. */
#include <stdio.h>
#include <string.h>

#include "doctor/mending.h"

static struct tool_place place;
static int64_t partition = -1;
static bool execute, may_repeat;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"partition", 'p', OPTION_NUMBER, &partition, "N", "only this task (default: all)"},
    {"execute", 0, OPTION_FLAG, &execute, NULL, "do it (default: say what would change)"},
    {"yes-replay", 0, OPTION_FLAG, &may_repeat, NULL,
     "also when the changelog has lost commits: their outputs come twice"},
    {0},
};

static int run(size_t count, char **arguments)
{
    (void)count;
    if (strcmp(arguments[0], "adopt") != 0) {
        return tool_usage("offsets", "'%s': write adopt", arguments[0]);
    }
    return mend(&(struct mending){
        .command = "offsets",
        .place = &place,
        .name = arguments[1],
        .partition = partition,
        .plan = plan_adopt,
        .execute = execute,
        .may_repeat = may_repeat,
        .repeat_flag = "--yes-replay",
    });
}

const struct command offsets_command = {
    .name = "offsets",
    .summary = "put a group's offsets back to the last checkpoint of its changelog",
    .usage = "weir offsets adopt PROCESSOR [--partition N] [--execute]",
    .text = "A task goes on only when its group's committed offsets are those of its last commit. "
            "After a\n"
            "foreign tool has set them, forward or back, or deleted some, the changelog still "
            "knows where\n"
            "the state stands: adopt commits those offsets, under the next number, in a "
            "transaction that\n"
            "fences whoever runs the task. No record is skipped and none is handled twice. An "
            "input that\n"
            "the processor has got since then begins at its log's start.\n"
            "Without --execute it only says what would change.",
    .example = "  weir offsets adopt inventory --partition 0\n"
               "  inventory.p0: group at commit none, changelog at 812, file at 812\n"
               "    input                            goes on at        then at     difference\n"
               "    stock.commands                        1000          24310         +23310",
    .options = options,
    .arguments_min = 2,
    .arguments_max = 2,
    .run = run,
};
