/* instance.h - one running process of a processor: one consumer and the tasks assigned to it, in
 * turn, in one thread.
 *
 * Fixed: one partition, without membership. Group: a static member of the consumer group;
 * partitions come and go, and a task that was fenced is dropped and the member rejoins. One
 * protocol: both initialise the same transactional ids.
 */
#ifndef WEIR_RUNTIME_INSTANCE_H
#define WEIR_RUNTIME_INSTANCE_H

#include "runtime/settings.h"
#include "weir.h"

struct instance_options {
    const struct weir_processor *processor;
    const struct settings *settings;
    int32_t partition;       /* fixed mode; -1: group mode */
    const char *instance_id; /* group mode: group.instance.id */
    int wait_ms;             /* how long to wait for a broker at start */
};

/* Runs until SIGTERM or SIGINT, which end the take, commit and close; a second signal ends at once.
 * Returns the process's exit code, the reason logged. */
int instance_run(const struct instance_options *options);

#endif
