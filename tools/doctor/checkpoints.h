/* checkpoints.h - looks into the logs of a task without changing anything: the last checkpoint of
 * its changelog, the keys that stand there, the records that wait in an input.
 *
 * All of it is read through the broker port, read_committed, so that the broker in memory can play
 * every case.
 */
#ifndef WEIR_TOOLS_CHECKPOINTS_H
#define WEIR_TOOLS_CHECKPOINTS_H

#include "codec/codec.h"
#include "kafka/port.h"
#include "runtime_records.h"
#include "store/write_set.h"

/* The bounds of a log; asks again for some seconds while the broker gives no answer (a topic that
 * was just made has no leader yet). */
MUST_CHECK enum outcome log_bounds(struct port *port, const char *topic, int32_t partition,
                                   struct port_log *log, struct error *error);

struct last_checkpoint {
    struct port_log log;
    bool found;
    struct checkpoint checkpoint; /* its texts are in the arena */
    int64_t offset, appended_ms;
    int64_t rows;         /* seen on the way, when none was found: all there are */
    char unreadable[300]; /* why the last one cannot be decoded; "" when it can */
};

/* The last committed checkpoint of `changelog`. Read from the end: it closes every transaction, so
 * it is near. RETRY when the broker does not answer. */
MUST_CHECK enum outcome checkpoint_last(struct port *port, struct codec *codec,
                                        const char *changelog, int32_t partition,
                                        struct arena *arena, struct last_checkpoint *last,
                                        struct error *error);

/* Puts the key of every row that stands in the changelog into `rows`, as deleted. `raw` is the one
 * table that they are filed under: keys are whole Kafka keys. */
extern const struct weir_store raw_rows;
MUST_CHECK enum outcome changelog_keys(struct port *port, const char *changelog, int32_t partition,
                                       struct write_set *rows, struct error *error);

enum { WAITING_MAX = 1000 };

/* What is committed in a topic from an offset on. */
struct waiting {
    int64_t records;               /* counted up to WAITING_MAX */
    int64_t first_offset;          /* of the first; -1: there is none */
    int64_t first_ms;              /* its time */
    struct weir_bytes first_value; /* in the arena */
};

MUST_CHECK enum outcome waiting_records(struct port *port, const char *topic, int32_t partition,
                                        int64_t from, struct arena *arena, struct waiting *waiting,
                                        struct error *error);

#endif
