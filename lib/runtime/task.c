/* task.c - a task's life and its one step: which part of the protocol is due now, and when to come
 * again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/testpoint.h"
#include "runtime/task_internal.h"

enum {
    WAIT_MS = 50,                /* between two questions to a broker that could not answer */
    SAY_EVERY_US = 10 * 1000000, /* how often waiting is told to the log */
    LONG_SECONDS = 60,           /* then a person may want to look */
};

int64_t task_now_us(const struct task *task)
{
    return task->calls->monotonic_us(task->port);
}

void task_enter(struct task *task, enum task_state state)
{
    log_event(LOG_DEBUG, "task_state", "partition=%d from=%s to=%s", (int)task->options.partition,
              task_state_name(task->state), task_state_name(state));
    task->state = state;
    task->waiting_since_us = 0;
}

void task_say_waiting(struct task *task, const char *what, const struct error *error)
{
    int64_t now = task_now_us(task);
    if (task->waiting_since_us == 0) {
        task->waiting_since_us = now;
        task->said_us = now - SAY_EVERY_US + 1000000;
        return;
    }
    if (now - task->said_us >= SAY_EVERY_US) {
        task->said_us = now;
        int64_t seconds = (now - task->waiting_since_us) / 1000000;
        char next[300] = "";
        if (seconds >= LONG_SECONDS) {
            snprintf(next, sizeof next, " next=\"weir doctor %s\"", task->options.application_id);
        }
        log_event(LOG_WARN, "waiting", "partition=%d for=\"%s\" seconds=%lld because=\"%s\"%s",
                  (int)task->options.partition, what, (long long)seconds, error->text, next);
    }
}

static enum outcome enter_run(struct task *task, struct error *error)
{
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        input->next_offset = task->committed[i].offset;
        enum outcome outcome =
            task->calls->start(task->port, input->topic->name, task->options.partition,
                               input->next_offset, error);
        if (outcome != OK) {
            return outcome;
        }
    }
    task->task_time_ms = store_meta(task->store)->task_time_ms;
    task->asked_at = -1;
    log_event(LOG_INFO, "task_running", "partition=%d commit=%lld restored_rows=%lld",
              (int)task->options.partition, (long long)task->group_number,
              (long long)task->counts.restored_rows);
    task_enter(task, TASK_RUN);
    return OK;
}

/* A tick moves task time by the wall clock: only when a timer is due and no input can still hold an
 * older record. What the inputs hold is known as of the last look at them, and so far the clock may
 * move, however long the tick's transaction takes to begin. */
static bool may_tick(const struct task *task, int64_t bound_ms)
{
    if (bound_ms > task->looked_ms) {
        return false;
    }
    for (size_t i = 0; i < task->input_count; i++) {
        const struct input *input = &task->inputs[i];
        int64_t position, high;
        if (input->blocked || input->count > 0 ||
            !task->calls->progress(task->port, input->topic->name, task->options.partition,
                                   &position, &high) ||
            position < high) {
            return false;
        }
    }
    return true;
}

enum outcome task_commit_store(struct task *task, struct error *error)
{
    int64_t now = task_now_us(task);
    if (!store_is_dirty(task->store) ||
        (now - task->last_store_commit_us < task->options.store_commit_ms * 1000 &&
         !store_is_large(task->store))) {
        return OK;
    }
    TESTPOINT("store_commit");
    enum outcome outcome = store_commit(task->store, error);
    TESTPOINT("store_committed");
    task->last_store_commit_us = now;
    if (outcome == ABORT) {
        log_event(LOG_ERROR, "state_file_lags", "partition=%d because=\"%s\"",
                  (int)task->options.partition, error->text);
        return OK;
    }
    return outcome;
}

/* When an idle task wants to be called again. */
static int64_t idle_until(const struct task *task, int64_t bound_ms)
{
    int64_t now = task_now_us(task), until = INT64_MAX;
    if (bound_ms != INT64_MAX) {
        int64_t wait_ms = bound_ms - task->calls->wall_ms(task->port);
        until = now + (wait_ms > WAIT_MS ? wait_ms : WAIT_MS) *
                          1000; /* overdue: an input is not at its end yet */
    }
    if (store_is_dirty(task->store)) {
        int64_t commit_us = task->last_store_commit_us + task->options.store_commit_ms * 1000;
        until = commit_us < until ? commit_us : until;
    }
    for (size_t i = 0; i < task->input_count; i++) {
        if (task->inputs[i].blocked && task->inputs[i].retry_us < until) {
            until = task->inputs[i].retry_us;
        }
    }
    return until;
}

void task_start_over(struct task *task)
{
    inputs_release(task);
    task->take_again = false;
    context_undo_take(&task->context);
    task_enter(task, TASK_ASK);
}

/* A failed write (disk full) takes SQLite's whole open transaction with it, kept takes included.
 * The file is then behind the group, never ahead: it is brought up from the changelog before the
 * next take (I-3). */
static bool file_is_behind(struct task *task)
{
    if (store_meta(task->store)->commit_number >= task->group_number) {
        return false;
    }
    log_event(LOG_WARN, "state_file_behind",
              "partition=%d file=%lld group=%lld next=\"replaying the changelog's tail\"",
              (int)task->options.partition, (long long)store_meta(task->store)->commit_number,
              (long long)task->group_number);
    task_start_over(task);
    return true;
}

static enum outcome run_step(struct task *task, int64_t *wake_us, struct error *error)
{
    enum outcome outcome = task_commit_store(task, error);
    if (outcome != OK) {
        return outcome;
    }
    if (file_is_behind(task)) {
        *wake_us = task_now_us(task) + WAIT_MS * 1000;
        return OK;
    }
    int64_t looked_ms = task->calls->wall_ms(task->port);
    outcome = take_fetch(task, error);
    if (outcome == FATAL) {
        return FATAL;
    }
    if (outcome == OK) {
        task->looked_ms = looked_ms;
    }
    int64_t now = task_now_us(task);
    inputs_unblock(task, now);
    int64_t not_before =
        task->next_begin_us > task->retry_us ? task->next_begin_us : task->retry_us;
    if (now < not_before) {
        *wake_us = not_before;
        return OK;
    }
    if (!task->take_again) {
        task->tick = false;
        take_order(task);
    }
    if (task->order_count == 0) {
        int64_t bound_ms;
        outcome = timer_bound(task, &bound_ms, error);
        if (outcome != OK) {
            return outcome;
        }
        task->tick = may_tick(task, bound_ms);
        if (!task->tick) {
            *wake_us = idle_until(task, bound_ms);
            return OK;
        }
    }
    *wake_us = 0;
    return protocol_take(task, error);
}

/* Meanwhile the next records come in, so that they do not wake the loop for nothing. */
static enum outcome commit_step(struct task *task, int64_t *wake_us, struct error *error)
{
    enum outcome outcome = protocol_commit(task, 0, error);
    if (outcome == OK && task->state == TASK_COMMIT) {
        *wake_us = INT64_MAX;
        outcome = take_fetch(task, error) == FATAL ? FATAL : OK;
    }
    return outcome;
}

/* ---- the state machine ---- */

enum outcome task_step(struct task *task, int64_t *wake_us, struct error *error)
{
    *wake_us = 0;
    bool done = false;
    enum outcome outcome = OK;
    switch (task->state) {
    case TASK_INIT:
        outcome = protocol_init(task, &done, error);
        if (outcome == OK && done) {
            task_enter(task, TASK_ASK);
        }
        break;
    case TASK_ASK:
        outcome = truth_ask(task, error);
        if (outcome == RETRY || outcome == ABORT) {
            task_say_waiting(task, "the group's stable offsets and the changelog", error);
        } else if (outcome == OK && !task->restore) {
            outcome = enter_run(task, error);
        } else if (outcome == OK) {
            task_enter(task, TASK_RESTORE);
        }
        break;
    case TASK_RESTORE:
        outcome = restore_step(task, &done, error);
        if (outcome == ABORT) { /* the file could not take it: begin again, patiently */
            task_say_waiting(task, "room for the state file", error);
            restore_end(task);
        }
        if (outcome == ABORT || (outcome == RETRY && !task->restore)) {
            int64_t since_us = task->waiting_since_us;
            task_enter(task, TASK_ASK);
            task->waiting_since_us = since_us;
        } else if (outcome == RETRY) {
            task_say_waiting(task, "the changelog", error);
        } else if (outcome == OK && done) {
            outcome = enter_run(task, error);
            if (outcome == RETRY) { /* nothing is left to restore: asking again finds that */
                task_enter(task, TASK_ASK);
            }
        }
        break;
    case TASK_FENCE:
        outcome = protocol_fence(task, error);
        break;
    case TASK_RUN:
        outcome = run_step(task, wake_us, error);
        break;
    case TASK_COMMIT:
        outcome = commit_step(task, wake_us, error);
        break;
    }
    if (outcome == RETRY || outcome == ABORT) {
        *wake_us = task_now_us(task) + WAIT_MS * 1000;
        return OK;
    }
    return outcome;
}

/* ---- life ---- */

static const struct weir_store **all_tables(const struct weir_processor *processor)
{
    size_t count = 0;
    while (count < WEIR_LIST_MAX && processor->stores[count]) {
        count++;
    }
    const struct weir_store **tables = xcalloc(count + 2, sizeof *tables);
    memcpy(tables, processor->stores, count * sizeof *tables);
    tables[count] = &timer_row_store;
    return tables;
}

enum outcome task_open(struct task **opened, const struct task_options *options,
                       struct error *error)
{
    struct task *task = xcalloc(1, sizeof *task);
    task->options = *options;
    task->port = options->port;
    task->calls = options->port->calls;
    task->changelog = xjoined(options->application_id, ".changelog");
    task->history = xjoined(options->application_id, ".history");
    char suffix[24];
    snprintf(suffix, sizeof suffix, ".p%d", (int)options->partition);
    task->transactional_id = xjoined(options->application_id, suffix);
    task->state_path = xstrdup(options->state_path); /* the caller's does not outlive this call */
    task->options.state_path = task->state_path;
    task->tables = all_tables(options->processor);
    task->last_store_commit_us = task_now_us(task);
    task->asked_at = -1;
    buffer_init(&task->scratch);
    for (; task->input_count < WEIR_LIST_MAX; task->input_count++) {
        const struct weir_input *input = &options->processor->inputs[task->input_count];
        if (!input->topic) {
            break;
        }
        input_prepare(&task->inputs[task->input_count], input->topic, input->handlers);
    }
    struct store_identity identity = {options->application_id, options->partition, task->tables};
    enum store_found found;
    struct error note;
    enum outcome outcome =
        store_open(&task->store, options->state_path, &identity, &found, &note, error);
    context_init(&task->context, options->processor, options->settings, options->codec, task->store,
                 task->tables, options->partition);
    if (outcome == OK && found == STORE_SET_ASIDE) {
        log_event(LOG_WARN, "state_set_aside",
                  "partition=%d path=%s because=\"%s\" next=\"rebuilding from %s\"",
                  (int)options->partition, options->state_path, note.text, task->changelog);
    }
    if (outcome != OK) {
        task_close(task, true);
        return FATAL;
    }
    *opened = task;
    return OK;
}

void task_close(struct task *task, bool lost)
{
    if (!task) {
        return;
    }
    struct error ignored; /* what is decided here is told by the file or by the next start */
    while (!lost && task->state == TASK_COMMIT) {
        lost = protocol_commit(task, WAIT_MS, &ignored) != OK;
    }
    protocol_close_producer(
        task); /* first: whatever is open in Kafka can no longer be committed by us */
    restore_end(task);
    inputs_release(task);
    if (task->store && !lost && task->state == TASK_RUN && store_is_dirty(task->store)) {
        struct error error;
        if (store_commit(task->store, &error) != OK) {
            log_event(LOG_WARN, "state_file_lags", "partition=%d because=\"%s\"",
                      (int)task->options.partition, error.text);
        }
    }
    store_close(task->store);
    context_release(&task->context);
    buffer_release(&task->scratch);
    for (size_t i = 0; i < task->input_count; i++) {
        free(task->inputs[i].records);
    }
    free(task->order);
    free(task->tables);
    free(task->changelog);
    free(task->history);
    free(task->transactional_id);
    free(task->state_path);
    free(task);
}

enum task_state task_state(const struct task *task)
{
    return task->state;
}

const char *task_state_name(enum task_state state)
{
    static const char *const names[] = {"init", "ask", "restore", "run", "commit", "fence"};
    return names[state];
}

const struct task_counts *task_counts(const struct task *task)
{
    return &task->counts;
}

void task_share_memory(struct task *task, size_t tasks)
{
    int64_t share = STORE_CACHE_BYTES / (int64_t)tasks;
    store_set_cache(task->store, share > STORE_CACHE_LEAST_BYTES ? share : STORE_CACHE_LEAST_BYTES);
}

int64_t task_commit_number(const struct task *task)
{
    return task->group_number;
}
