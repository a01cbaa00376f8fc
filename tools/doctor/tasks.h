/* tasks.h - the tasks of one processor, as doctor and the repairs find them: settings, a port for
 * asking their cluster, a codec. Opening it joins nothing and fetches nothing. */
#ifndef WEIR_TOOLS_TASKS_H
#define WEIR_TOOLS_TASKS_H

#include "decode.h"
#include "doctor/facts.h"
#include "store/store.h"
#include "tool.h"

struct tasks {
    const struct weir_processor *processor;
    struct settings settings;
    struct decoder decoder;
    struct port *port;
    int32_t partitions;
};

/* The processor of this name, or of this application id in the configuration of `place`; NULL after
 * telling which there are. */
const struct weir_processor *tasks_processor(const char *command, const struct tool_place *place,
                                             const char *name);

/* `transaction_timeout_ms` 0: the configuration's. Release it either way. */
MUST_CHECK enum outcome tasks_open(struct tasks *tasks, const struct tool_place *place,
                                   const struct weir_processor *processor,
                                   int transaction_timeout_ms, struct error *error);
void tasks_release(struct tasks *tasks);

MUST_CHECK enum outcome tasks_facts(const struct tasks *tasks, int32_t partition,
                                    struct arena *arena, struct task_facts *facts,
                                    struct error *error);

/* Opens the state file as its owner would: it must not be in use. RETRY, EXIT_TRY_AGAIN when it is.
 */
MUST_CHECK enum outcome tasks_store(const struct tasks *tasks, int32_t partition,
                                    struct arena *arena, struct store **store,
                                    enum store_found *found, struct error *error);

/* The tables of a processor's state: its stores and the timers; NULL-terminated, in `arena`. */
const struct weir_store *const *tasks_tables(const struct weir_processor *processor,
                                             struct arena *arena);

#endif
