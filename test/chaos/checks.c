/* checks.c - weir's own commands, and what their exit codes must be. */
#include "chaos/checks.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "processors.h"

enum {
    SETTLED_WITHIN_S = 120,
    WELL_WITHIN_MS = 60000,
    AUDIT_WITHIN_MS = 300000,
    REPLAY_WITHIN_MS = 300000,
};

bool check_settled(const struct checks *checks, int64_t orders, bool *settled)
{
    char records[24], timeout[12];
    int64_t began = now_ms();
    snprintf(records, sizeof records, "%" PRId64, orders);
    snprintf(timeout, sizeof timeout, "%d", SETTLED_WITHIN_S);
    const char *arguments[] = {checks->options->weir,
                               "watch",
                               "-c",
                               checks->config,
                               "--until-settled",
                               "--orders",
                               records,
                               "--timeout",
                               timeout,
                               "--quiet",
                               "60",
                               NULL};
    int code =
        fleet_run(checks->fleet, "watch", arguments, (SETTLED_WITHIN_S + 30) * INT64_C(1000));
    *settled = code == EXIT_DONE;
    if (*settled) {
        results_settled(checks->results, now_ms() - began);
    }
    return !interrupted;
}

void check_unsettled(const struct checks *checks)
{
    const char *arguments[] = {checks->options->weir, "doctor", "-c", checks->config, NULL};
    results_violation(checks->results,
                      "the orders have not settled within %d s of quiet: logs/watch.log, "
                      "logs/doctor.log",
                      SETTLED_WITHIN_S);
    (void)fleet_run(checks->fleet, "doctor", arguments, WELL_WITHIN_MS);
}

bool check_well(const struct checks *checks)
{
    const char *arguments[] = {checks->options->weir, "doctor", "-c", checks->config, NULL};
    for (int64_t end = now_ms() + WELL_WITHIN_MS; !interrupted;) {
        if (fleet_run(checks->fleet, "doctor", arguments, WELL_WITHIN_MS) == EXIT_DONE) {
            return true;
        }
        if (now_ms() > end) {
            results_violation(checks->results, "weir doctor finds a task that is not well: "
                                               "logs/doctor.log");
            return false;
        }
        fleet_turns(checks->fleet, 500);
    }
    return false;
}

/* ---- the audit ---- */

static bool has_files(const char *disk)
{
    char path[600];
    for (int i = 0; i < PROCESSORS; i++) {
        for (int p = 0; p < PARTITIONS; p++) {
            snprintf(path, sizeof path, "%s/%s/p%d.sqlite", disk, processors[i]->name, p);
            if (access(path, F_OK) == 0) {
                return true;
            }
        }
    }
    return false;
}

void check_books(const struct checks *checks)
{
    bool first = true;
    for (int disk = 0; disk < DISKS && !interrupted; disk++) {
        char path[500];
        snprintf(path, sizeof path, "%s/state/%s", checks->options->directory, disks[disk]);
        if (!has_files(path)) {
            continue;
        }
        const char *arguments[] = {checks->options->weir,   "audit",       "-c",
                                   checks->config,          "--state-dir", path,
                                   first ? NULL : "--only", "I28",         NULL};
        int code = fleet_run(checks->fleet, "audit", arguments, AUDIT_WITHIN_MS);
        if (code != EXIT_DONE && !interrupted) {
            results_violation(checks->results, "weir audit (%s) ended with %d: logs/audit.log",
                              path, code);
        }
        first = false;
    }
    checks->results->counts[COUNT_AUDITS]++;
}

/* ---- the replay ---- */

/* Beside the file of whoever ran the task last; where there is none, beside the changelog. */
static void replay_task(const struct checks *checks, int processor, int32_t partition)
{
    const struct place *owner = checks->fleet->tasks[processor][partition].owner;
    const char *name = processors[processor]->name, *last;
    char number[12], disk[500];
    snprintf(number, sizeof number, "%d", (int)partition);
    snprintf(disk, sizeof disk, "%s/state/%s", checks->options->directory,
             disks[owner ? owner->disk : DISK_A]);
    const char *arguments[] = {
        checks->options->weir, "replay",      name, "--partition", number, "-c",
        checks->config,        "--state-dir", disk, NULL};
    struct child *replay = fleet_command(checks->fleet, "replay", arguments);
    int code = fleet_wait(checks->fleet, replay, REPLAY_WITHIN_MS);
    if (interrupted) {
        return;
    }
    last = replay->last; /* "  state: 1520 rows, as in <file> at commit 812" */
    checks->results->counts[COUNT_REPLAYS]++;
    if (code != EXIT_DONE || strncmp(last, "  state: ", 9) != 0 || !strstr(last, ", as in ")) {
        results_violation(checks->results, "weir replay %s --partition %d ended with %d: %s", name,
                          (int)partition, code, last);
    }
}

void check_replay(const struct checks *checks)
{
    for (int i = 0; i < PROCESSORS; i++) {
        for (int32_t p = 0; p < PARTITIONS && !interrupted; p++) {
            replay_task(checks, i, p);
        }
    }
}
