/* restore.c - the changelog into the file, up to the checkpoint that the group stands at.
 *
 * Read committed, from where the file stands (the tail) or from the log's start (a new file). Rows
 * are gathered in a write set, so that a row that changed a thousand times is written once and in
 * key order. Checkpoint n may lie past the last stable offset for a moment (its transaction's
 * marker is still on the way): then we wait, up to the transaction time-out and a bit. Done in
 * slices, with the inputs not started and no transaction open.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/testpoint.h"
#include "runtime/restore_internal.h"

enum {
    BATCHES_PER_SLICE = 20,
    READ_MS = 50,
    FLUSH_BYTES = 8 * 1024 * 1024,
    MARKER_WAIT_MS =
        15 * 1000, /* beyond the transaction time-out: the broker's clean-up interval and some */
    SAY_EVERY_US = 2 * 1000000,
    ASK_EVERY_US = 1000000,
    ASK_MS = 200,
};

void restore_end(struct task *task)
{
    struct restore *restore = task->restore;
    if (!restore) {
        return;
    }
    task->calls->reader_close(restore->reader);
    write_set_release(&restore->rows);
    arena_release(&restore->row);
    arena_release(&restore->arena);
    arena_release(&restore->checkpoint_arena);
    buffer_release(&restore->scratch);
    free(restore);
    task->restore = NULL;
}

enum outcome restore_begin(struct task *task, struct error *error)
{
    const struct store_meta *meta = store_meta(task->store);
    bool fresh = meta->commit_number == 0;
    struct port_log log;
    enum outcome outcome =
        task->calls->log(task->port, task->changelog, task->options.partition, 1000, &log, error);
    if (outcome != OK) {
        return outcome;
    }
    struct reader *reader;
    /* Adopting needs the last checkpoint itself, which may be the very one that the file ends with.
     */
    int64_t from = fresh         ? log.low
                   : task->adopt ? meta->changelog_offset - 1
                                 : meta->changelog_offset;
    from = from > log.low ? from : log.low;
    outcome = task->calls->reader_open(task->port, task->changelog, task->options.partition, from,
                                       &reader, error);
    if (outcome != OK) {
        return outcome;
    }
    outcome = store_restore_begin(task->store, fresh, error);
    if (outcome != OK) {
        task->calls->reader_close(reader);
        return outcome;
    }
    struct restore *restore = xcalloc(1, sizeof *restore);
    restore->reader = reader;
    restore->meta = *store_meta(task->store);
    restore->end = log.high;
    restore->from_number = meta->commit_number;
    restore->since_ms = fresh ? task->calls->wall_ms(task->port) : meta->appended_ms;
    restore->position = from;
    restore->found = !task->adopt && meta->commit_number == task->group_number;
    restore->started_us = restore->said_us = task->calls->monotonic_us(task->port);
    write_set_init(&restore->rows);
    arena_init(&restore->row);
    arena_init(&restore->arena);
    arena_init(&restore->checkpoint_arena);
    buffer_init(&restore->scratch);
    task->restore = restore;
    log_event(task->waiting_since_us > 0 ? LOG_DEBUG : LOG_INFO, "restoring", /* again and again */
              "partition=%d to=%" PRId64 " from_offset=%" PRId64 " high=%" PRId64 " state=%s",
              (int)task->options.partition, task->group_number, from, log.high,
              fresh ? "new" : "tail");
    return OK;
}

/* ---- slices ---- */

static void say_progress(struct task *task)
{
    struct restore *restore = task->restore;
    int64_t now_us = task->calls->monotonic_us(task->port);
    if (now_us - restore->said_us >= SAY_EVERY_US) {
        restore->said_us = now_us;
        log_event(LOG_INFO, "restoring",
                  "partition=%d rows=%" PRId64 " offset=%" PRId64 " high=%" PRId64
                  " seconds=%" PRId64,
                  (int)task->options.partition, restore->row_count, restore->position, restore->end,
                  (now_us - restore->started_us) / 1000000);
    }
}

/* Adopting: the last checkpoint's offsets stand for the group's. */
static enum outcome adopt_offsets(struct task *task, struct error *error)
{
    const struct checkpoint *checkpoint = &task->restore->checkpoint;
    for (size_t i = 0; i < task->input_count; i++) {
        const char *topic = task->inputs[i].topic->name;
        task->committed[i] = (struct port_offset){.topic = topic, .offset = -1};
        for (size_t k = 0; k < checkpoint->inputs.count; k++) {
            if (strcmp(checkpoint->inputs.items[k].topic, topic) == 0) {
                task->committed[i].offset = checkpoint->inputs.items[k].next_offset;
            }
        }
        if (task->committed[i].offset < 0) {
            return fail_exit(error, EXIT_CONFIG,
                             "%s: the group has no offsets, and checkpoint %" PRId64
                             " of %s does not name input %s; nothing was changed. `weir doctor %s` "
                             "explains, and names the command that mends it",
                             task->transactional_id, checkpoint->commit_number, task->changelog,
                             topic, task->options.application_id);
        }
    }
    task->group_number = checkpoint->commit_number;
    log_event(LOG_WARN, "offsets_adopted",
              "partition=%d commit=%" PRId64
              " because=\"the group had no committed offsets; the last checkpoint of %s "
              "has them\"",
              (int)task->options.partition, task->group_number, task->changelog);
    return truth_check_inputs(task, error);
}

/* The checkpoint and the group's offsets were written by one transaction: they must say the same.
 */
static enum outcome compare_offsets(struct task *task, struct error *error)
{
    const struct checkpoint *checkpoint = &task->restore->checkpoint;
    for (size_t i = 0; i < checkpoint->inputs.count; i++) {
        const struct input_range *range = &checkpoint->inputs.items[i];
        for (size_t k = 0; k < task->input_count; k++) {
            if (strcmp(range->topic, task->inputs[k].topic->name) == 0 &&
                range->next_offset != task->committed[k].offset) {
                return fail_exit(
                    error, EXIT_CONFIG,
                    "%s: commit %" PRId64 " goes on at offset %" PRId64
                    " of %s by the group, at %" PRId64
                    " by the changelog; nothing was changed. `weir doctor %s` explains",
                    task->transactional_id, task->group_number, task->committed[k].offset,
                    range->topic, range->next_offset, task->options.application_id);
            }
        }
    }
    return OK;
}

/* Everything in the changelog was aborted: no commit of this task ever succeeded. */
static enum outcome nothing_to_adopt(struct task *task, struct error *error)
{
    struct restore *restore = task->restore;
    if (restore->row_count > 0) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s: %s has rows but no checkpoint; nothing was changed. `weir doctor %s` "
                         "explains, and names the command that mends it",
                         task->transactional_id, task->changelog, task->options.application_id);
    }
    enum outcome outcome = truth_first_start(task, error);
    if (outcome == OK) {
        outcome = store_restore_end(task->store, &restore->meta, error);
    }
    if (outcome == OK) {
        restore_end(task);
    }
    return outcome;
}

/* A file that was young enough when the reading began may not be when it ends: processes are put
 * to sleep. */
static enum outcome begin_again(struct task *task, struct error *error)
{
    restore_end(task);
    const char *why = "deletions since its last commit may be missing from the changelog by now";
    enum outcome outcome = truth_set_aside(task, why, error);
    return outcome == OK ? fail(error, RETRY, "%s", why) : outcome;
}

static enum outcome finish(struct task *task, struct error *error)
{
    struct restore *restore = task->restore;
    bool moved = restore->meta.commit_number != restore->from_number;
    if (moved && truth_deletions_are_gone(task, restore->since_ms)) {
        return begin_again(task, error);
    }
    if (!restore->found) {
        return nothing_to_adopt(task, error);
    }
    enum outcome outcome = task->adopt ? adopt_offsets(task, error) : compare_offsets(task, error);
    if (outcome == OK) {
        outcome = restore_flush(task, error);
    }
    if (outcome == OK) {
        TESTPOINT("restore_end");
        outcome = store_restore_end(task->store, &restore->meta, error);
    }
    if (outcome != OK) {
        return outcome;
    }
    int64_t took_us = task->calls->monotonic_us(task->port) - restore->started_us;
    log_event(LOG_INFO, "restored", "partition=%d commit=%" PRId64 " rows=%" PRId64 " ms=%" PRId64,
              (int)task->options.partition, restore->meta.commit_number, restore->row_count,
              took_us / 1000);
    if (restore->unknown_tables > 0) {
        log_event(LOG_WARN, "rows_of_unknown_tables",
                  "partition=%d rows=%" PRId64 " because=\"%s has rows of tables "
                  "that this version of the processor does not declare\"",
                  (int)task->options.partition, restore->unknown_tables, task->changelog);
    }
    task->counts.restored_rows += restore->row_count;
    task->context.timer_bound_ms = INT64_MIN;
    restore_end(task);
    return OK;
}

/* Everything that can be read was read, by an answer of the broker's. */
static bool is_at_the_end(const struct task *task)
{
    struct port_log log;
    struct error why;
    return task->calls->log(task->port, task->changelog, task->options.partition, ASK_MS, &log,
                            &why) == OK &&
           task->restore->position >= log.stable;
}

/* Nothing more can be read now, and checkpoint n was not among it. While the broker is away that
 * means nothing, and once it is back it has as long again to end what was open. */
static enum outcome wait_for_marker(struct task *task, struct error *error)
{
    struct restore *restore = task->restore;
    int64_t now_us = task->calls->monotonic_us(task->port);
    if (restore->waiting_since_us == 0) {
        restore->waiting_since_us = restore->asked_us = now_us;
    }
    if (now_us - restore->asked_us > ASK_EVERY_US) {
        bool at_the_end = is_at_the_end(task);
        now_us = restore->asked_us = task->calls->monotonic_us(task->port);
        restore->waiting_since_us = at_the_end ? restore->waiting_since_us : now_us;
    }
    int64_t limit_ms = task->options.transaction_timeout_ms + MARKER_WAIT_MS;
    if (now_us - restore->waiting_since_us > limit_ms * 1000) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s: the group stands at commit %" PRId64
                         ", but %s ends at offset %" PRId64
                         " without its checkpoint; nothing was changed. `weir doctor %s` explains, "
                         "and names the command "
                         "that mends it",
                         task->transactional_id, task->group_number, task->changelog,
                         restore->position, task->options.application_id);
    }
    return fail(error, RETRY, "checkpoint %" PRId64 " is not visible yet in %s", task->group_number,
                task->changelog);
}

static enum outcome read_batch(struct task *task, size_t *count, struct error *error)
{
    struct restore *restore = task->restore;
    enum outcome outcome =
        task->calls->read(restore->reader, READ_MS, restore->records, RESTORE_BATCH_RECORDS, count,
                          &restore->position, error);
    for (size_t i = 0; i < *count && outcome == OK; i++) {
        const struct port_record *record = &restore->records[i];
        bool is_checkpoint = record->key.size == strlen(CHECKPOINT_KEY) &&
                             memcmp(record->key.data, CHECKPOINT_KEY, record->key.size) == 0;
        if (is_checkpoint) {
            outcome = restore_checkpoint(task, record, error);
            int64_t number = restore->last_number;
            restore->found = task->adopt || number == task->group_number;
        } else if (task->adopt || !restore->found) {
            outcome = restore_row(task, record, error);
        }
    }
    if (*count > 0) {
        task->calls->reader_release(restore->reader, restore->records, *count);
        restore->waiting_since_us = 0;
    }
    if (outcome == OK && restore->rows.bytes > FLUSH_BYTES) {
        outcome = restore_flush(task, error);
        if (outcome == OK) {
            TESTPOINT("restore_slice");
            outcome = store_restore_slice(task->store, &restore->meta, error);
        }
    }
    return outcome;
}

/* Behind checkpoint n there may be what was aborted, but no checkpoint: that one would mean that
 * the group's offsets were set back. Its marker alone needs no look. */
static bool is_read(const struct task *task)
{
    const struct restore *restore = task->restore;
    return task->adopt ? restore->position >= restore->end
                       : restore->found && restore->position + 1 >= restore->end;
}

enum outcome restore_step(struct task *task, bool *done, struct error *error)
{
    struct restore *restore = task->restore;
    *done = false;
    for (int i = 0; i < BATCHES_PER_SLICE; i++) {
        size_t count = 0;
        enum outcome outcome = read_batch(task, &count, error);
        if (outcome == ABORT && restore->ask_again) {
            restore_end(task);
            return RETRY;
        }
        if (outcome != OK) {
            return outcome;
        }
        if (is_read(task)) {
            outcome = finish(task, error);
            *done = outcome == OK;
            return outcome;
        }
        say_progress(task);
        if (count == 0 && restore->found && !task->adopt) {
            return fail(error, RETRY, "an open transaction hides the end of %s", task->changelog);
        }
        if (count == 0) {
            return wait_for_marker(task, error);
        }
    }
    return OK;
}
