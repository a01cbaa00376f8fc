/* protocol.c - the commit protocol: how a take becomes visible exactly once.
 *
 * Invariants. Every test of the protocol names the one it attacks.
 *
 *   I-1  An output is visible to a read_committed reader only if the offset of the input that
 *        caused it is committed with it.
 *   I-2  A store is never ahead of Kafka: SQLite commits only after Kafka's commit is known to have
 *        succeeded.
 *   I-3  Before the first record is handled, the store is exactly at the group's commit.
 *   I-4  A handler's effects happen all or not at all.
 *   I-5  After an abort the next record handled is the first one of the aborted take.
 *   I-6  A fenced or revoked task writes nothing more, to Kafka or to its file.
 *   I-7  A timer fires in exactly one committed transaction.
 *   I-8  Every input is accounted for: handled, dead-lettered, or not yet committed.
 *   I-9  A commit in doubt is resolved, never guessed.
 *
 * A take, in order:
 *
 *   SQLite     BEGIN IMMEDIATE (if none is open), SAVEPOINT take
 *   Kafka      begin; outputs, dead letters; changelog rows, checkpoint n; offsets with metadata n;
 *              commit
 *   committed  SQLite: meta := n, RELEASE take
 *   aborted    SQLite: ROLLBACK TO take; the same take again
 *   in doubt   any transactional call timed out or failed, or the interceptor saw a failed answer,
 *              even when the commit reported success: FENCE before the next begin. Close the
 *              producer, open one with the same transactional id, init (its epoch rises, strays of
 *              the old one die), ask for the group's stable number. n-1 or n: undo what is in
 *              doubt, and ask as at the start, where the changelog must agree; the file follows
 *              from its tail. Anything else: the task is no longer ours.
 *   fenced     never init that id again: undo, stop (75).
 *
 * SQLite commits about once a second, only between takes. The last two Kafka calls go on beside the
 * task (TASK_COMMIT), which does nothing meanwhile: the other tasks of the instance do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/testpoint.h"
#include "runtime/task_internal.h"

enum {
    INIT_SLICE_MS =
        1000, /* a transactional call of a state that waits: the consumer is polled in between */
    TAKES_BEFORE_PAUSE = 3,
    PAUSE_FIRST_MS = 200,
    PAUSE_MAX_MS = 30 * 1000,
};

static enum outcome fenced(struct error *error)
{
    error->exit_code = EXIT_TRY_AGAIN;
    return FATAL;
}

/* ---- keep or undo ---- */

/* Kafka's commit is known: the file may follow (I-2). A file that cannot (disk full) is only
 * behind: task.c sees that and brings it up from the changelog's tail before the next take. */
static void keep(struct task *task)
{
    struct error error;
    if (task->delivery.offset >= 0) {
        task->pending.changelog_offset = task->delivery.offset + 1;
        task->pending.appended_ms = task->delivery.timestamp_ms;
    }
    if (store_take_keep(task->store, &task->pending, &error) != OK) {
        log_event(LOG_ERROR, "state_file_behind", "partition=%d commit=%lld because=\"%s\"",
                  (int)task->options.partition, (long long)task->pending.commit_number, error.text);
    }
    for (size_t i = 0; i < task->input_count; i++) {
        task->counts.handled += task->inputs[i].handled;
        task->counts.stale += task->inputs[i].stale;
        task->counts.dead += task->inputs[i].dead;
        if (!task->inputs[i].blocked) {
            task->inputs[i].backoff_ms = 0;
            task->inputs[i].skip_blocked = false;
        }
    }
    task->counts.commits++;
    task->counts.outputs += task->outputs;
    task->counts.timers += (int64_t)task->timers_fired;
    task->counts.take_records += (int64_t)task->order_count;
    task->group_number = task->pending.commit_number;
    task->failed_takes = 0;
    task->take_again = false;
    task->commit_in_doubt = false;
    take_forget(task);
    context_keep_take(&task->context);
}

/* The take did not happen: nothing of it stays in the file, and the same records are handled again
 * (I-5). */
static enum outcome undo(struct task *task, struct error *error)
{
    context_undo_take(&task->context);
    task->commit_in_doubt = false;
    task->take_again = task->order_count > 0;
    task->task_time_ms = store_meta(task->store)->task_time_ms;
    return store_take_undo(task->store, error);
}

/* After an abort: again at once, and after some failures in a row with growing patience, loudly. */
static void pause_after_failure(struct task *task, const struct error *why)
{
    task->counts.aborts++;
    task->failed_takes++;
    int64_t now = task_now_us(task);
    if (task->failed_takes < TAKES_BEFORE_PAUSE) {
        log_event(LOG_WARN, "take_aborted", "partition=%d attempt=%d because=\"%s\"",
                  (int)task->options.partition, task->failed_takes, why->text);
        task->retry_us = now;
        return;
    }
    int shift = task->failed_takes - TAKES_BEFORE_PAUSE;
    int64_t pause_ms = shift < 8 ? (int64_t)PAUSE_FIRST_MS << shift : PAUSE_MAX_MS;
    task->retry_us = now + pause_ms * 1000;
    log_event(LOG_ERROR, "task_paused", "partition=%d failed_takes=%d retry_ms=%lld because=\"%s\"",
              (int)task->options.partition, task->failed_takes, (long long)pause_ms, why->text);
}

/* ---- INIT and FENCE ---- */

static enum outcome open_producer(struct task *task, struct error *error)
{
    return task->calls->producer_open(task->port, task->transactional_id, &task->producer, error);
}

void protocol_close_producer(struct task *task)
{
    if (task->producer) {
        task->calls->producer_close(task->producer);
        task->producer = NULL;
    }
}

/* Initialises the transactional id. *done: every earlier owner is fenced and no transaction of this
 * id is open. */
enum outcome protocol_init(struct task *task, bool *done, struct error *error)
{
    *done = false;
    if (!task->producer) {
        enum outcome outcome = open_producer(task, error);
        if (outcome != OK) {
            return outcome == FATAL ? FATAL : OK;
        }
    }
    switch (task->calls->init(task->producer, INIT_SLICE_MS, error)) {
    case TXN_DONE:
        *done = true;
        task->waiting_since_us = 0;
        return OK;
    case TXN_FENCED:
        return fenced(error);
    case TXN_DOUBT:
    case TXN_ABORT:
    case TXN_MOVED:
    case TXN_UNDER_WAY:
        if (error->exit_code == EXIT_CONFIG) { /* refused, and would be refused again */
            return FATAL;
        }
        task_say_waiting(task, "the transaction coordinator", error);
        return OK;
    }
    return OK;
}

static void enter_fence(struct task *task, const char *why)
{
    task->counts.fences++;
    task->fence_stage = FENCE_CLOSE;
    log_event(LOG_WARN, "fencing", "partition=%d commit=%lld in_doubt=%s because=\"%s\"",
              (int)task->options.partition, (long long)task->pending.commit_number,
              task->commit_in_doubt ? "yes" : "no", why);
    task_enter(task, TASK_FENCE);
}

/* A take in doubt is undone whatever the group says of its commit. A group that stands at that
 * number may have it from another owner, who had the id in between and came to other rows; and one
 * that does not may have lost sight of it, or of that owner's commits: a coordinator that has not
 * read all of its log after a crash answers with offsets of earlier. So the task asks as at its
 * start, where the changelog must agree, and the file follows from its tail. Takes kept before that
 * do not reach the file now are in the changelog, too. */
static enum outcome ask_as_at_the_start(struct task *task, struct error *error)
{
    enum outcome outcome = task->commit_in_doubt ? undo(task, error) : OK;
    if (outcome == OK) {
        outcome = store_commit(task->store, error);
    }
    if (outcome == ABORT) {
        log_event(LOG_ERROR, "state_file_lags", "partition=%d because=\"%s\"",
                  (int)task->options.partition, error->text);
        outcome = OK;
    }
    if (outcome == OK) {
        task_start_over(task);
    }
    return outcome;
}

/* The init has taken the id back from whoever has had it meanwhile, so the group is asked in any
 * case: where it stands says whether another owner went on (I-6), unless the answer is an old one.
 */
static enum outcome resolve(struct task *task, struct error *error)
{
    int64_t before = task->group_number;
    enum outcome outcome = truth_committed(task, error);
    if (outcome != OK) {
        task_say_waiting(task, "the group's stable offsets", error);
        return outcome;
    }
    int64_t found = task->group_number;
    bool happened = task->commit_in_doubt && found == task->pending.commit_number;
    if (found != before && !happened) {
        task->group_number = before;
        return fail_exit(error, EXIT_TRY_AGAIN,
                         "partition %d: the group stands at commit %lld and this task at %lld: "
                         "another owner went on",
                         (int)task->options.partition, (long long)found, (long long)before);
    }
    log_event(LOG_INFO, "fenced_off", "partition=%d commit=%lld", (int)task->options.partition,
              (long long)found);
    return ask_as_at_the_start(task, error);
}

enum outcome protocol_fence(struct task *task, struct error *error)
{
    enum outcome outcome;
    bool done = false;
    switch (task->fence_stage) {
    case FENCE_CLOSE: {
        struct error why;
        if (task->in_transaction &&
            task->calls->abort(task->producer, INIT_SLICE_MS, &why) == TXN_FENCED) {
            *error = why;
            return fenced(error);
        }
        task->in_transaction = false;
        protocol_close_producer(task);
        task->fence_stage = FENCE_INIT;
        TESTPOINT("fence");
        return OK;
    }
    case FENCE_INIT:
        outcome = protocol_init(task, &done, error);
        if (outcome == OK && done) {
            task->fence_stage = FENCE_RESOLVE;
            TESTPOINT("fence_init");
        }
        return outcome;
    case FENCE_RESOLVE:
        return resolve(task, error);
    }
    return OK;
}

/* ---- a take ---- */

/* What the checkpoint of this take will say: the next number, the same incarnation (made at the
 * first commit). */
static void prepare_meta(struct task *task)
{
    task->pending = *store_meta(task->store);
    task->pending.commit_number = task->group_number + 1;
    if (task->along) {
        snprintf(task->pending.incarnation, sizeof task->pending.incarnation, "%s",
                 task->along->incarnation);
    }
    if (task->pending.incarnation[0] == 0) {
        unsigned char bytes[16];
        CHECK_EQUAL(getrandom(bytes, sizeof bytes, 0), sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++) {
            snprintf(task->pending.incarnation + 2 * i, 3, "%02x", bytes[i]);
        }
    }
}

/* From begin to the last record. *empty: nothing was to be done after all (a paused input, a
 * cancelled timer); the transaction is still open. */
static enum txn_result fill_transaction(struct task *task, bool *empty, struct error *error)
{
    *empty = false;
    TESTPOINT("begin");
    enum txn_result result = task->calls->begin(task->producer, error);
    if (result != TXN_DONE) {
        return result;
    }
    task->in_transaction = true;
    bool anything;
    result = take_handle(task, &anything, error);
    *empty = result == TXN_DONE && !anything;
    if (result != TXN_DONE || *empty) {
        return result;
    }
    task->pending.task_time_ms = task->task_time_ms;
    return take_finish(task, error);
}

/* Aborts in Kafka and in the file. `why` NULL: nothing went wrong, there was nothing to do. A
 * doubtful abort is a doubt like any other. On FATAL *failure says why. */
static enum outcome abort_take(struct task *task, const struct error *why, bool doubt,
                               struct error *failure)
{
    struct error error = {0};
    enum txn_result result = TXN_DONE;
    if (task->in_transaction) {
        result = task->calls->abort(task->producer, task->options.transaction_timeout_ms, &error);
        task->in_transaction = result != TXN_DONE;
    }
    if (result == TXN_FENCED) {
        *failure = error;
        return fenced(failure);
    }
    if (undo(task, failure) != OK) {
        return FATAL;
    }
    if (why) {
        pause_after_failure(task, why);
    } else {
        task->take_again = false;
    }
    if (result != TXN_DONE || doubt) {
        enter_fence(task, result != TXN_DONE ? error.text : why->text);
    } else if (task->calls->doubts(task->producer) > 0) {
        enter_fence(task, "a transactional request failed on the wire");
    }
    return OK;
}

/* Kafka has it: the file follows, and if anything was doubtful on the way the id is fenced before
 * its next use. */
static void take_committed(struct task *task)
{
    keep(task);
    task->last_commit_us = task_now_us(task);
    log_event(LOG_DEBUG, "committed", "partition=%d commit=%lld us=%lld",
              (int)task->options.partition, (long long)task->group_number,
              (long long)(task->last_commit_us - task->began_us));
    task->next_begin_us = task->last_commit_us + (int64_t)task->options.commit_pause_ms * 1000;
    int64_t took_us = task->last_commit_us - task->began_us;
    task->counts.commit_us_sum += took_us;
    if (took_us > task->counts.commit_us_max) {
        task->counts.commit_us_max = took_us;
    }
    if (task->calls->doubts(task->producer) > 0) {
        enter_fence(task, "a transactional request failed on the wire and was repeated");
    }
}

/* What a take came to, by its last call's result. */
static enum outcome take_ended(struct task *task, enum txn_result result, const struct error *why,
                               struct error *error)
{
    enum outcome outcome;
    switch (result) {
    case TXN_DONE:
        take_committed(task);
        return OK;
    case TXN_ABORT:
        outcome = abort_take(task, why, false, error);
        if (outcome == OK && task->fatal.exit_code != 0) {
            *error = task->fatal;
            return FATAL;
        }
        return outcome;
    case TXN_DOUBT:
        if (!task->commit_in_doubt) {
            return abort_take(task, why, true, error);
        }
        enter_fence(task, why->text);
        return OK;
    case TXN_FENCED:
        *error = *why;
        return fenced(error);
    case TXN_MOVED:
        if (abort_take(task, NULL, false, error) != OK) {
            return FATAL;
        }
        return fail_exit(error, EXIT_TRY_AGAIN, "%s", why->text);
    case TXN_UNDER_WAY:
        break;
    }
    BUG("a take that has not ended");
}

/* A take's last two calls: `result` is what the first, or the second, came to. */
static enum outcome advance(struct task *task, enum txn_result result, struct error *why,
                            struct error *error)
{
    if (result == TXN_DONE && !task->committing) {
        TESTPOINT("offsets_sent");
        TESTPOINT("commit");
        task->committing = true;
        task->commit_in_doubt = true; /* from here on only the broker knows */
        result = task->calls->commit(task->producer, task->options.transaction_timeout_ms, why);
    }
    if (result == TXN_UNDER_WAY) {
        if (task->state != TASK_COMMIT) {
            task_enter(task, TASK_COMMIT);
        }
        return OK;
    }
    if (task->committing) {
        TESTPOINT("commit_answered");
        task->commit_in_doubt = result == TXN_DOUBT || result == TXN_MOVED;
        task->in_transaction = result != TXN_DONE;
    }
    if (task->state == TASK_COMMIT) {
        task_enter(task, TASK_RUN);
    }
    return take_ended(task, result, why, error);
}

enum outcome protocol_commit(struct task *task, int timeout_ms, struct error *error)
{
    struct error why;
    enum txn_result result = task->calls->ended(task->producer, timeout_ms, &why);
    return advance(task, result, &why, error);
}

enum outcome protocol_take(struct task *task, struct error *error)
{
    enum outcome outcome = store_take_begin(task->store, error);
    if (outcome == FATAL) {
        return FATAL;
    }
    if (outcome != OK) {
        pause_after_failure(task, error);
        return OK;
    }
    prepare_meta(task);
    task->began_us = task_now_us(task);
    task->committing = false;
    bool empty;
    struct error why;
    enum txn_result result = fill_transaction(task, &empty, &why);
    if (empty) {
        return abort_take(task, NULL, false, error);
    }
    if (result != TXN_DONE) {
        return take_ended(task, result, &why, error);
    }
    return advance(task, take_send_offsets(task, &why), &why, error);
}
