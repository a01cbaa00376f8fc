/* task_internal.h - a task from the inside, for protocol.c (commit, abort, fence), task.c (life,
 * one step), truth.c (what is so at start), restore.c (the changelog into the file), take.c
 * (inputs), handle.c (handlers) and effects.c (outputs).
 */
#ifndef WEIR_RUNTIME_TASK_INTERNAL_H
#define WEIR_RUNTIME_TASK_INTERNAL_H

#include "runtime/context.h"
#include "runtime/metadata.h"
#include "runtime/task.h"

enum { INPUT_BRANCHES_MAX = 64 };

/* One input topic of the task. */
struct input {
    const struct weir_topic *topic;
    const void *handlers;
    const struct weir_field *payload;      /* the envelope's union; NULL: a plain record */
    size_t key_offset[INPUT_BRANCHES_MAX]; /* of the key field in each branch ([0]: in the plain
                                              record) */
    struct port_record *records;           /* fetched and not yet committed, in offset order */
    size_t count, capacity;
    int64_t next_offset; /* the first offset not yet committed */

    /* in the take at hand */
    int64_t done_offset; /* one past the last record done with */
    int64_t handled, stale, dead;
    int64_t skipped_next; /* one past the record that was skipped; 0: none */

    /* paused at a record whose schema or branch is unknown */
    bool blocked;
    int64_t blocked_offset, retry_us;
    int backoff_ms;
    bool skip_blocked; /* an operator said: dead-letter it */
};

enum fence_stage { FENCE_CLOSE, FENCE_INIT, FENCE_RESOLVE };

struct task {
    struct task_options options;
    struct port *port;
    const struct port_calls *calls;
    char *changelog, *history, *transactional_id, *state_path;
    const struct weir_store **tables; /* the processor's stores and the timers; NULL-terminated */
    struct store *store;
    struct producer *producer;
    struct weir_context context;
    struct input inputs[WEIR_LIST_MAX];
    size_t input_count;

    enum task_state state;
    int64_t task_time_ms;
    struct task_counts counts;

    /* RUN */
    int64_t next_begin_us, last_commit_us, last_store_commit_us, retry_us;
    int failed_takes;
    struct {
        size_t input, record;
    } * order; /* of the take */
    size_t order_count, order_capacity;
    bool take_again;      /* the last take was aborted: the same one, from memory */
    bool tick;            /* the take has no records: the wall clock moves */
    int64_t looked_ms;    /* the wall clock before the inputs were last looked at */
    size_t timers_fired;  /* in the take */
    size_t timers_behind; /* of these, behind its last record */
    int64_t outputs;      /* in the take */
    uint64_t digest, rows_digest;
    bool in_transaction;
    bool committing; /* of a take's two last calls the second: the offsets are sent */
    int64_t began_us;
    struct port_delivery delivery; /* of the checkpoint in the changelog */
    struct store_meta pending;     /* what the file becomes if the take is kept */
    struct checkpoint checkpoint;  /* of the take at hand */
    struct input_range ranges[WEIR_LIST_MAX];
    struct error fatal; /* exit_code != 0: stop after the abort */
    struct buffer scratch;

    /* INIT, ASK, FENCE */
    bool commit_in_doubt; /* FENCE: the take at hand may have been committed */
    enum fence_stage fence_stage;
    int64_t waiting_since_us; /* 0: not waiting */
    int64_t said_us;          /* when the log was last told about waiting */
    int64_t asked_at;         /* a checkpoint beyond this number of the group's was seen; -1: none.
                                 Asked again, it must have moved */
    struct port_offset committed[WEIR_LIST_MAX];
    int64_t group_number; /* the group's commit number; 0: none */
    char group_incarnation[33];
    bool adopt; /* no offsets, but a changelog: take its last checkpoint */

    struct restore *restore; /* RESTORE */

    /* A replay (replay.h): the commit of the history that is handled again. NULL: a task that lives
     */
    const struct checkpoint *along;
};

/* ---- task.c ---- */

int64_t task_now_us(const struct task *task);
void task_enter(struct task *task, enum task_state state);

/* Forgets the take and what was fetched, and asks where the task stands, as at its start: there the
 * group and the changelog must agree. The file's transaction must be over. */
void task_start_over(struct task *task);

/* COMMITs the file when it is time for it. */
enum outcome task_commit_store(struct task *task, struct error *error);

/* Tells the log now and then what a task is waiting for; the first second is nobody's business. */
void task_say_waiting(struct task *task, const char *what, const struct error *error);

/* ---- protocol.c ---- */

void protocol_close_producer(
    struct task *task); /* what is open in Kafka can no longer be committed by us */

/* INIT: initialises the transactional id. *done: every earlier owner is fenced, no transaction of
 * this id is open. */
enum outcome protocol_init(struct task *task, bool *done, struct error *error);

/* FENCE: one slice; at the end the task is in TASK_RUN again, or in TASK_ASK after a doubt. */
enum outcome protocol_fence(struct task *task, struct error *error);

/* RUN: the take in task->order (or a tick), from begin to commit or abort. In TASK_COMMIT when it
 * returns: the broker is still at it. */
enum outcome protocol_take(struct task *task, struct error *error);

/* COMMIT: goes on when the call under way has ended, for which it waits up to `timeout_ms`; the
 * task is in another state again when the take is decided. */
enum outcome protocol_commit(struct task *task, int timeout_ms, struct error *error);

/* ---- truth.c ---- */

/* ASK: asks for the group's offsets and decides what to do: run, restore, adopt, or stop. */
enum outcome truth_ask(struct task *task, struct error *error);

/* Asks for the stable offsets of all inputs, and sets committed, group_number and
 * group_incarnation. */
enum outcome truth_committed(struct task *task, struct error *error);

/* No offsets, and no commit in the changelog: from each input's log start. */
enum outcome truth_first_start(struct task *task, struct error *error);

/* Renames the state file aside, with a warning; an empty one takes its place. */
enum outcome truth_set_aside(struct task *task, const char *why, struct error *error);

/* Compaction may have removed deletions that were made since: delete.retention.ms keeps them, and
 * half of it is left for the reading. */
bool truth_deletions_are_gone(const struct task *task, int64_t since_ms);

/* Are the offsets in `committed` inside their logs? */
enum outcome truth_check_inputs(struct task *task, struct error *error);

/* ---- restore.c ---- */

/* Begins to read the changelog into the file, from where the file stands (or from its start). */
enum outcome restore_begin(struct task *task, struct error *error);
/* One slice. *done: the file stands at the group's commit. RETRY with task->restore NULL: the
 * group's answer was stale, ask again. */
enum outcome restore_step(struct task *task, bool *done, struct error *error);
void restore_end(struct task *task); /* NULL-safe: frees what restore holds */

/* ---- take.c: the inputs ---- */

/* What the runtime must know of each input's key, from the layouts. */
void input_prepare(struct input *input, const struct weir_topic *topic, const void *handlers);

/* Fetches what is here already, into the inputs. */
enum outcome take_fetch(struct task *task, struct error *error);

/* Merges what was fetched into task->order, up to the cap. false: there is no record to handle. */
bool take_order(struct task *task);

/* The take is committed: releases its records and moves the inputs on. */
void take_forget(struct task *task);

/* Drops everything fetched. */
void inputs_release(struct task *task);

/* The input waits at this record, whose schema or branch nobody here knows: an outage, not a bad
 * record. */
void input_block(struct task *task, struct input *input, const struct port_record *record,
                 const char *why);

/* Looks again at blocked inputs: a schema may have come, or an operator's word. */
void inputs_unblock(struct task *task, int64_t now_us);

/* ---- handle.c: a take through the handlers ---- */

/* Outputs and dead letters go to Kafka, rows into the write set. *anything: a record was done with
 * or a timer fired. */
enum txn_result take_handle(struct task *task, bool *anything, struct error *error);

/* The earliest time at which a timer may be due (INT64_MAX: none is armed); asks SQLite when it is
 * not known. */
enum outcome timer_bound(struct task *task, int64_t *due_ms, struct error *error);

/* ---- effects.c: what a take leaves behind ---- */

/* Hands over what the record at hand has staged, each with its cause. */
enum txn_result effects_send(struct task *task, struct error *error);

/* The record as it came, into <topic>.dlq, with the reason beside it. */
enum txn_result effects_dead_letter(struct task *task, struct input *input,
                                    const struct port_record *record, const char *class_name,
                                    const char *cause, const char *reason, struct error *error);

/* Every touched view, in order of first touch, from the state as it is now. */
enum txn_result effects_views(struct task *task, struct error *error);

/* The take's rows into SQLite and the changelog. */
enum txn_result effects_rows(struct task *task, struct error *error);

/* What a failed store means for the transaction; a FATAL one is kept in task->fatal. */
enum txn_result effects_of_store(struct task *task, enum outcome outcome,
                                 const struct error *error);

/* Views, rows, the checkpoint: the take's last records. */
enum txn_result take_finish(struct task *task, struct error *error);

/* The take's offsets, with the commit number beside each; may be under way when it returns. */
enum txn_result take_send_offsets(struct task *task, struct error *error);

#endif
