/* listen.c - reads "TIME LEVEL NAME EVENT key=value...", see base/log.h. */
#include "chaos/listen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* The number after " key=", or -1. */
static int64_t field(const char *line, const char *key)
{
    char wanted[40];
    snprintf(wanted, sizeof wanted, " %s=", key);
    const char *at = strstr(line, wanted);
    return at ? strtoll(at + strlen(wanted), NULL, 10) : -1;
}

static void on_committed(struct fleet *fleet, struct child *child, const char *line)
{
    int64_t partition = field(line, "partition"), commit = field(line, "commit");
    if (partition < 0 || partition >= PARTITIONS || commit < 0) {
        return;
    }
    struct task_seen *task = &fleet->tasks[child->place->processor][partition];
    if (commit == task->commit && strcmp(task->committer, child->id) != 0) {
        results_violation(fleet->results,
                          "partition %d: commit %" PRId64 " is claimed by %s and by %s",
                          (int)partition, commit, task->committer, child->id);
    }
    if (commit > task->commit) {
        task->commit = commit;
        snprintf(task->committer, sizeof task->committer, "%s", child->id);
        snprintf(task->holder, sizeof task->holder, "%s", child->id);
    }
    if (!child->retired) {
        task->owner = child->place;
    }
    fleet->results->counts[COUNT_COMMITS]++;
    results_committed(fleet->results, child->place->processor, (int32_t)partition);
}

static void on_running(struct fleet *fleet, struct child *child, const char *line)
{
    int64_t partition = field(line, "partition");
    if (partition < 0 || partition >= PARTITIONS) {
        return;
    }
    struct task_seen *task = &fleet->tasks[child->place->processor][partition];
    snprintf(task->holder, sizeof task->holder, "%s", child->id);
    if (!child->retired) {
        task->owner = child->place;
    }
}

void listen_line(struct fleet *fleet, struct child *child, const char *text, size_t size)
{
    char line[1024], level[16], event[40];
    int64_t *counts = fleet->results->counts;
    snprintf(line, sizeof line, "%.*s", (int)(size < sizeof line ? size : sizeof line - 1), text);
    if (sscanf(line, "%*s %15s %*s %39s", level, event) != 2) {
        snprintf(child->last, sizeof child->last, "%.290s", line); /* a failed CHECK, a sanitizer */
        return;
    }
    if (strcmp(event, "committed") == 0) {
        on_committed(fleet, child, line);
    } else if (strcmp(event, "task_running") == 0) {
        on_running(fleet, child, line);
    } else if (strcmp(event, "fencing") == 0) {
        counts[COUNT_FENCES]++;
    } else if (strcmp(event, "restoring") == 0) {
        counts[COUNT_RESTORES]++;
    } else if (strcmp(event, "state_set_aside") == 0) {
        counts[COUNT_SET_ASIDE]++;
    } else if (strcmp(event, "offsets_adopted") == 0) {
        counts[COUNT_ADOPTED]++;
    } else if (strcmp(level, "error") == 0) {
        snprintf(child->last, sizeof child->last, "%.290s", line);
    }
}
