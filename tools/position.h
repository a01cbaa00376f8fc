/* position.h - where to begin or end reading a log, as a person writes it.
 *
 * 1234                      an offset
 * -10                     the last ten records of each partition; at most a million
 * 1700000000000             ms since the epoch: a number of 10^12 and more
 * 2026-11-21T16:50:00.5Z    a time, UTC; seconds, fraction and Z may be left out, also the whole
 * time of day start, end
 */
#ifndef WEIR_TOOLS_POSITION_H
#define WEIR_TOOLS_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "kafka/admin.h"

enum position_kind {
    POSITION_START,
    POSITION_END,
    POSITION_OFFSET,
    POSITION_LAST, /* value: how many */
    POSITION_TIME, /* value: ms since the epoch */
};

struct position {
    enum position_kind kind;
    int64_t value;
};

bool position_parse(const char *text, struct position *position);

/* The offset of each partition; `logs` has their bounds. */
MUST_CHECK enum outcome position_resolve(struct position position, struct admin *admin,
                                         const char *topic, const struct port_log *logs,
                                         int32_t partitions, int64_t *offsets, struct error *error);

#endif
