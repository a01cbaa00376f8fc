/* status.h - which processes `weir up` runs, in a file that scripts and `weir watch` read.
 *
 *     {"supervisor":812,"since_ms":1795282289886,"processes":[
 *       {"name":"inventory.p0","pid":815,"restarts":2,"state":"running","since_ms":1795282301218,"exit":"signal
 * 9"},
 *       ...]}
 *
 * The file is replaced in one step whenever something changes, and removed when `weir up` ends.
 */
#ifndef WEIR_TOOLS_STATUS_H
#define WEIR_TOOLS_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { STATUS_PROCESSES_MAX = 256, STATUS_TEXT_MAX = 96 };

struct status_process {
    char name[STATUS_TEXT_MAX]; /* "inventory.p0" */
    int64_t pid;                /* 0 while it is not running */
    int64_t restarts;
    char state[STATUS_TEXT_MAX];     /* running, waiting (to be started again), stopping, stopped */
    int64_t since_ms;                /* when it came into this state */
    char last_exit[STATUS_TEXT_MAX]; /* "exit 75", "signal 9"; "" when it never ended */
};

struct status {
    int64_t supervisor_pid, since_ms;
    struct status_process processes[STATUS_PROCESSES_MAX];
    size_t count;
};

MUST_CHECK enum outcome status_write(const char *path, const struct status *status,
                                     struct error *error);
MUST_CHECK enum outcome status_read(const char *path, struct status *status, struct error *error);

int64_t status_restarts(const struct status *status);

#endif
