/* dlq_put.h - `weir dlq put`: ends a task's pause at one record. */
#ifndef WEIR_TOOLS_DLQ_PUT_H
#define WEIR_TOOLS_DLQ_PUT_H

#include "tool.h"

/* Writes the word for take.c beside the task's state file. Refuses when the task does not wait at
 * this record, unless `force`. `name`: of the processor; NULL: the one that reads
 * the topic. Returns the exit
 * code. */
int dlq_put(const struct tool_place *place, const struct weir_topic *topic, int64_t partition,
            int64_t offset, const char *name, bool force);

#endif
