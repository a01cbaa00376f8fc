/* held.h - who keeps read_committed readers from the end of a log, and since when. */
#ifndef WEIR_TOOLS_HELD_H
#define WEIR_TOOLS_HELD_H

#include "tool.h"

/* The time of the first record of the open transaction that holds back `log` (a partition of
 * `topic`); 0 when none does. Its records cannot be read, but the broker finds them by time. */
MUST_CHECK enum outcome held_since(struct admin *admin, const char *topic, int32_t partition,
                                   const struct port_log *log, int64_t *since_ms,
                                   struct error *error);

/* The transactional ids that may write to a topic, by the processors' tables and their
 * configuration; in words, in `arena`. */
const char *held_writers(const struct tool_place *place, const char *topic, struct arena *arena);

#endif
