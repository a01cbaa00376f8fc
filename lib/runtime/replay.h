/* replay.h - a task's life again: its commits, one by one, from its input along its history.
 *
 * The history says of every commit which records of which inputs it handled, what timers did behind
 * them, and what task time became; with the same order rule (take.c) that is all that a handler can
 * depend on. So the task's own code handles the same takes again (protocol.c, handle.c, effects.c),
 * with a port that reaches nobody (muted.h), into a state file of its own, and every checkpoint is
 * compared with the history's.
 *
 * It begins where the state was empty: at commit 1, or at a commit by which `weir reset` has
 * forgotten everything. A later beginning is not to be had: the changelog is compacted and holds no
 * older state than the last one.
 *
 * What may differ between two binaries shows as a difference; what the history does not tell must
 * be as it was: the processor's settings, and for takes of extreme size take.max_bytes.
 */
#ifndef WEIR_RUNTIME_REPLAY_H
#define WEIR_RUNTIME_REPLAY_H

#include "codec/codec.h"
#include "kafka/port.h"
#include "store/store.h"
#include "weir.h"

struct replay;

/* All that is pointed to must outlive the replay. */
struct replay_options {
    const struct weir_processor *processor;
    const int64_t *settings; /* values, in the order of processor->settings */
    const char *application_id;
    int32_t partition;
    const char *state_path; /* there must be no such file */
    struct port *port;      /* is read from; nothing is written, no group is joined */
    struct codec *codec;
    size_t take_max_bytes;
    int64_t store_commit_ms;
    int64_t delete_retention_ms; /* of the changelog: replay_fold() */
};

enum replay_found {
    REPLAY_SAME,    /* the next commit came to the same again */
    REPLAY_DIFFERS, /* or not */
    REPLAY_END,     /* there is none: the history ends here, by the last replay_look() */
};

/* How a commit differs; the first of "1 instead of 2" is what the handlers did now. */
struct replay_difference {
    int64_t commit_number;
    bool tick;
    char inputs[500]; /* what the commit handled: "stock.commands/0 offsets 12 to 15" */
    char what[500];   /* "2 outputs instead of 3" */
    char record[300]; /* whose effects differ first: "stock.commands/0/13", or the timer it set */
    char effect[700]; /* and how. Both are "" until replay_name_cause() has found them */
};

/* Opens its file, and the history from its start. RETRY: the broker does not answer. */
MUST_CHECK enum outcome replay_open(struct replay **replay, const struct replay_options *options,
                                    struct error *error);
void replay_close(struct replay *replay); /* COMMITs its file; NULL is fine */

/* Asks how far the history goes now. */
MUST_CHECK enum outcome replay_look(struct replay *replay, struct error *error);

/* Handles the next commit again. `difference` is filled for REPLAY_DIFFERS, but for its cause; what
 * was done now stands in the file then, too, and the next step goes on from it. FATAL with
 * EXIT_CONFIG: history or input is gone, or cannot be read; the text says what is needed and what
 * there is. */
MUST_CHECK enum outcome replay_step(struct replay *replay, enum replay_found *found,
                                    struct replay_difference *difference, struct error *error);

/* Reads what the commit of the last step had left in outputs and dead letters, all of these topics,
 * and names the first record whose effects are others now: none, when no topic shows it. */
MUST_CHECK enum outcome replay_name_cause(struct replay *replay,
                                          struct replay_difference *difference,
                                          struct error *error);

/* Of the last step. */
int64_t replay_commit_number(const struct replay *replay);

struct replay_counts {
    int64_t commits, records, timers, outputs, dead;
    int64_t position, end; /* in the history */
};

struct replay_counts replay_counts(const struct replay *replay);

/* Compares the rows of all tables, the timers' too, with those of another file of this task; the
 * replay's is `one`. *rows: how many the replay has. */
MUST_CHECK enum outcome replay_compare(struct replay *replay, struct store_snapshot *other,
                                       store_difference_callback *each, void *context,
                                       int64_t *rows, struct error *error);

/* Folds the task's changelog, as it is now, into a file at options->state_path: what a start
 * without a file would restore. meta->commit_number 0: it holds no commit. */
MUST_CHECK enum outcome replay_fold(const struct replay_options *options, struct store_meta *meta,
                                    struct error *error);

#endif
