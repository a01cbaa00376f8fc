/* supervisor.h - child processes that are started again when they end.
 *
 * A child that ends waits before it is started again: 100 ms, twice as long each time, 10 s at
 * most; ten seconds of running make it 100 ms again. One that refuses its configuration waits 10 s
 * at once: only a person can mend that. Children write into pipes; each line comes out with the
 * child's name in front. They die with the supervisor, however it dies, and are in process groups
 * of their own, so that Ctrl-C on a terminal reaches the supervisor alone.
 */
#ifndef WEIR_TOOLS_SUPERVISOR_H
#define WEIR_TOOLS_SUPERVISOR_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"
#include "up/status.h"

struct child {
    char **arguments; /* what to run, NULL-terminated; malloc'ed */
    struct status_process *status;
    int pipe; /* where its output comes from; -1: none */
    struct buffer line;
    int64_t started_ms, start_at_ms, pause_ms;
};

struct supervisor {
    struct child children[STATUS_PROCESSES_MAX];
    struct status status;
    size_t name_width;
    bool stopping, coloured;
    bool changed;            /* since the status was last written */
    const char *status_path; /* NULL: none is written */
    FILE *out;
};

void supervisor_init(struct supervisor *supervisor, FILE *out, const char *status_path);
void supervisor_release(struct supervisor *supervisor);

/* `arguments` are copied. CHECKs that there are at most STATUS_PROCESSES_MAX. */
void supervisor_add(struct supervisor *supervisor, const char *name, const char *const *arguments);

/* Runs until SIGTERM or SIGINT: then every child gets SIGTERM, and SIGKILL after ten seconds or a
 * second signal. */
MUST_CHECK enum outcome supervisor_run(struct supervisor *supervisor, struct error *error);

/* How long to wait before the next start, given how long the last one waited (0: none yet), how
 * long the child then ran, and its exit code (-1: a signal). */
int64_t supervisor_pause_ms(int64_t last_pause_ms, int64_t ran_ms, int exit_code);

#endif
