/* muted.h - a broker port whose transactions always succeed and reach nobody.
 *
 * A replay hands it to a task: what the task sends is kept until its next begin, for whoever wants
 * to compare; the time of day and the records' headers are those of the port behind it, which is
 * asked nothing else.
 */
#ifndef WEIR_RUNTIME_MUTED_H
#define WEIR_RUNTIME_MUTED_H

#include "base/arena.h"
#include "kafka/port.h"

/* An output or a dead letter; no rows, no checkpoints. */
struct muted_record {
    const char *topic;
    struct weir_bytes key, value;
    const struct port_header *headers;
    size_t header_count;
};

struct muted {
    struct port port; /* first: hand &muted.port to a task */
    struct port *behind;
    const char *changelog, *history;
    int64_t appended_ms; /* the time of day that changelog records are said to have come at */
    struct arena arena;
    struct muted_record *records; /* of the transaction at hand, or the last one */
    size_t count, capacity;
};

/* All that is pointed to must outlive it. */
void muted_init(struct muted *muted, struct port *behind, const char *changelog,
                const char *history);
void muted_release(struct muted *muted);

#endif
