/* task.h - one processor x one partition: a transactional id, a SQLite file and a changelog
 * partition, owned together.
 *
 * A task is a state machine moved on by task_step(), one slice at a time; it never sleeps and never
 * waits long: its commit goes on beside it (COMMIT), an abort or a slice of a fence may take a
 * second. protocol.c has the invariants.
 *
 *   open -> INIT -> ASK -> RESTORE -> RUN <-> COMMIT <-> FENCE
 *
 *   from each of them FATAL: fenced 75, contradiction 78, state directory 74
 */
#ifndef WEIR_RUNTIME_TASK_H
#define WEIR_RUNTIME_TASK_H

#include "codec/codec.h"
#include "kafka/port.h"
#include "weir.h"

struct task;

struct task_options {
    const struct weir_processor *processor;
    const int64_t *settings; /* values, in the order of processor->settings */
    const char *application_id;
    const char *state_path; /* the SQLite file: <state.dir>/<application.id>/p<N>.sqlite */
    int32_t partition;
    struct port *port;
    struct codec *codec;
    int commit_pause_ms; /* least time between a commit and the next transaction's first request */
    int transaction_timeout_ms;
    int64_t store_commit_ms; /* how far the file may lag */
    size_t take_max_records;
    size_t take_max_bytes; /* of input; as many of rows, then they go to file and changelog early */
    int64_t
        clock_bound_ms; /* a record stamped further ahead of the wall clock than this is clamped */
    int64_t delete_retention_ms; /* of the changelog */
};

enum task_state { TASK_INIT, TASK_ASK, TASK_RESTORE, TASK_RUN, TASK_COMMIT, TASK_FENCE };

struct task_counts {
    int64_t commits, handled, stale, dead, outputs, timers, aborts, fences, restored_rows,
        take_records;
    int64_t commit_us_sum, commit_us_max;
};

/* Opens the state file; asks the broker nothing. Strings in `options` must outlive the task. */
MUST_CHECK enum outcome task_open(struct task **task, const struct task_options *options,
                                  struct error *error);

/* Waits for the commit under way, commits the file when the last commit is known, and closes.
 * `lost`: the partition belongs to another already; what is in doubt is left undone. NULL is fine.
 */
void task_close(struct task *task, bool lost);

/* So many tasks share the memory that an instance keeps rows in. */
void task_share_memory(struct task *task, size_t tasks);

/* Does one slice of work. *wake_us: monotonic time at which it wants to be called again (INT64_MAX:
 * when the port's poll() returns early; 0: at once). FATAL: close the task; error has why and the
 * exit code. Anything less it tells the log and handles itself. */
MUST_CHECK enum outcome task_step(struct task *task, int64_t *wake_us, struct error *error);

enum task_state task_state(const struct task *task);
const char *task_state_name(enum task_state state);
const struct task_counts *task_counts(const struct task *task);
int64_t task_commit_number(const struct task *task);

#endif
