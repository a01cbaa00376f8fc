/* process.h - an instance as a process: waits for its broker, checks its topics, runs until a
 * signal.
 */
#ifndef WEIR_RUNTIME_PROCESS_H
#define WEIR_RUNTIME_PROCESS_H

#include "runtime/settings.h"
#include "weir.h"

struct process_options {
    const struct weir_processor *processor;
    const struct settings *settings;
    int32_t partition;       /* fixed mode; -1: group mode */
    const char *instance_id; /* group mode: group.instance.id */
    int wait_ms;             /* how long to wait for a broker at start */
};

/* Runs until SIGTERM or SIGINT, which end the take, commit and close; a second signal ends at once.
 * Returns the process's exit code, the reason logged. */
int process_run(const struct process_options *options);

#endif
