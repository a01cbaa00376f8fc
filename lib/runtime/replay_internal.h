/* replay_internal.h - a replay from the inside, for replay.c (along the history), replay_input.c
 * (the records of a commit) and replay_cause.c (whose effects differ). */
#ifndef WEIR_RUNTIME_REPLAY_INTERNAL_H
#define WEIR_RUNTIME_REPLAY_INTERNAL_H

#include "runtime/muted.h"
#include "runtime/replay.h"
#include "runtime/task_internal.h"

enum { LOG_BATCH = 500 };

/* One partition of a topic, read from front to end. */
struct replay_log {
    struct reader *reader; /* NULL: not opened yet */
    struct port_record records[LOG_BATCH];
    size_t at, count;
    int64_t position; /* behind everything read */
};

struct replay {
    struct replay_options options;
    struct muted muted;
    struct task *task;
    char *history_topic, *changelog_topic;
    struct replay_log history;
    int64_t end; /* of the history, as far as it can be read */
    struct replay_log inputs[WEIR_LIST_MAX];

    struct arena arena;           /* of `said` */
    struct checkpoint said;       /* by the history: the commit at hand */
    int64_t said_offset, said_ms; /* where it stands in the history, and since when */
    bool begun;                   /* a commit was found to begin at */
    int64_t first_number;         /* of the history; 0: nothing read yet */
    struct replay_counts counts;
};

/* ---- replay_input.c ---- */

void replay_log_close(struct replay *replay, struct replay_log *log);
MUST_CHECK enum outcome replay_log_open(struct replay *replay, struct replay_log *log,
                                        const char *topic, int32_t partition, int64_t from,
                                        struct error *error);

/* The next record before offset `to`, to be released or passed on by the caller; *record NULL:
 * there is none. RETRY when the broker does not bring it. */
MUST_CHECK enum outcome replay_log_next(struct replay *replay, struct replay_log *log,
                                        const char *topic, int64_t to, struct port_record **record,
                                        struct error *error);

/* What `said` handled of each input into the task. FATAL with EXIT_CONFIG when it is not all there.
 */
MUST_CHECK enum outcome replay_load(struct replay *replay, struct error *error);

/* What `said` has of this input; NULL: the task did not have it then. */
const struct input_range *replay_range(const struct replay *replay, const char *topic);

#endif
