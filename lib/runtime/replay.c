/* replay.c - along the history: one commit after the other, handled by a task whose port is muted.
 */
#include "runtime/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/replay_internal.h"

enum { ASK_MS = 5000, FOLD_TRIES = 600 };

/* ---- its task ---- */

static enum outcome open_task(struct task **task, const struct replay_options *options,
                              struct port *port, struct error *error)
{
    struct task_options task_options = {
        .processor = options->processor,
        .settings = options->settings,
        .application_id = options->application_id,
        .state_path = options->state_path,
        .partition = options->partition,
        .port = port,
        .codec = options->codec,
        .store_commit_ms = options->store_commit_ms,
        .delete_retention_ms = options->delete_retention_ms,
        .take_max_bytes = options->take_max_bytes,
    };
    if (access(options->state_path, F_OK) == 0) {
        return fail_exit(error, EXIT_USAGE, "%s is there already: a replay makes its own file",
                         options->state_path);
    }
    return task_open(task, &task_options, error);
}

static enum outcome begin_task(struct replay *replay, struct error *error)
{
    enum outcome outcome = open_task(&replay->task, &replay->options, &replay->muted.port, error);
    if (outcome != OK) {
        return outcome;
    }
    struct task *task = replay->task;
    task->state = TASK_RUN;
    for (size_t i = 0; i < task->input_count; i++) {
        task->inputs[i].next_offset = -1;
    }
    return task->calls->producer_open(task->port, task->transactional_id, &task->producer, error);
}

/* Everything was forgotten: an empty file takes the place of this one. */
static enum outcome begin_anew(struct replay *replay, struct error *error)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    task_close(replay->task, true);
    replay->task = NULL;
    for (size_t i = 0; i < WEIR_LIST_MAX; i++) {
        replay_log_close(replay, &replay->inputs[i]);
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s%s", replay->options.state_path, suffixes[i]);
        unlink(path);
    }
    return begin_task(replay, error);
}

/* ---- life ---- */

enum outcome replay_look(struct replay *replay, struct error *error)
{
    struct port *port = replay->options.port;
    struct port_log log;
    enum outcome outcome = port->calls->log(port, replay->history_topic, replay->options.partition,
                                            ASK_MS, &log, error);
    if (outcome == OK && !replay->history.reader) {
        outcome = replay_log_open(replay, &replay->history, replay->history_topic,
                                  replay->options.partition, log.low, error);
    }
    if (outcome == OK) {
        replay->end = log.stable;
    }
    return outcome;
}

enum outcome replay_open(struct replay **opened, const struct replay_options *options,
                         struct error *error)
{
    struct replay *replay = xcalloc(1, sizeof *replay);
    replay->options = *options;
    replay->history_topic = xjoined(options->application_id, ".history");
    replay->changelog_topic = xjoined(options->application_id, ".changelog");
    muted_init(&replay->muted, options->port, replay->changelog_topic, replay->history_topic);
    arena_init(&replay->arena);
    enum outcome outcome = begin_task(replay, error);
    if (outcome == OK) {
        outcome = replay_look(replay, error);
    }
    if (outcome != OK) {
        replay_close(replay);
        return outcome;
    }
    *opened = replay;
    return OK;
}

void replay_close(struct replay *replay)
{
    if (!replay) {
        return;
    }
    task_close(replay->task, false);
    replay_log_close(replay, &replay->history);
    for (size_t i = 0; i < WEIR_LIST_MAX; i++) {
        replay_log_close(replay, &replay->inputs[i]);
    }
    muted_release(&replay->muted);
    arena_release(&replay->arena);
    free(replay->history_topic);
    free(replay->changelog_topic);
    free(replay);
}

/* ---- the history ---- */

static enum outcome unreadable(const struct replay *replay, struct error *error, const char *why)
{
    return fail_exit(error, EXIT_CONFIG, "%s/%d offset %" PRId64 " is no checkpoint: %s",
                     replay->history_topic, (int)replay->options.partition, replay->said_offset,
                     why);
}

/* The next checkpoint into `said`. *found false: the history ends. */
static enum outcome read_checkpoint(struct replay *replay, bool *found, struct error *error)
{
    struct port_record *record;
    struct error why;
    enum outcome outcome = replay_log_next(replay, &replay->history, replay->history_topic,
                                           replay->end, &record, error);
    *found = outcome == OK && record;
    if (!*found) {
        return outcome;
    }
    arena_reset(&replay->arena);
    replay->said_offset = record->offset;
    replay->said_ms = record->timestamp_ms;
    bool read =
        record->value.data && codec_decode(replay->options.codec, &checkpoint_record, record->value,
                                           &replay->arena, &replay->said, &why) == DECODED;
    bool is_null = !record->value.data;
    replay->options.port->calls->reader_release(replay->history.reader, record, 1);
    if (!read) {
        return unreadable(replay, error, is_null ? "it is null" : why.text);
    }
    bool sound =
        replay->said.commit_number > 0 && strlen(replay->said.incarnation) == INCARNATION_BYTES - 1;
    return sound ? OK : unreadable(replay, error, "no task has written it");
}

/* Made by a repair (repair.h) and not by a task: nothing was handled, no timer fired. */
static bool is_by_hand(const struct checkpoint *said)
{
    int64_t records = 0;
    for (size_t i = 0; i < said->inputs.count; i++) {
        const struct input_range *range = &said->inputs.items[i];
        records += range->handled + range->stale + range->dead;
    }
    return records == 0 && said->timers_fired == 0;
}

/* `weir reset --forget-everything`: task time begins anew, too. */
static bool forgets(const struct checkpoint *said)
{
    return is_by_hand(said) && said->task_time_ms == 0;
}

/* Reads on to the commit to handle next: the first one at which the state was empty, then one after
 * the other. */
static enum outcome next_commit(struct replay *replay, bool *found, struct error *error)
{
    int64_t before =
        replay->counts.commits > 0 ? store_meta(replay->task->store)->commit_number : 0;
    enum outcome outcome;
    do {
        outcome = read_checkpoint(replay, found, error);
        if (outcome != OK || !*found) {
            break;
        }
        if (replay->first_number == 0) {
            replay->first_number = replay->said.commit_number;
        }
        replay->begun = replay->begun || replay->said.commit_number == 1 || forgets(&replay->said);
    } while (!replay->begun);
    if (outcome == OK && !replay->begun && replay->first_number > 0) {
        return fail_exit(
            error, EXIT_CONFIG,
            "%s/%d begins with commit %" PRId64
            ": the commits before it are gone, and with them the state that it began with; a "
            "replay needs every commit from the first one on",
            replay->history_topic, (int)replay->options.partition, replay->first_number);
    }
    if (outcome == OK && *found && before > 0 && !is_by_hand(&replay->said) &&
        replay->said.commit_number != before + 1) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s/%d goes from commit %" PRId64 " to %" PRId64 " (offset %" PRId64
                         "): what was between them is gone",
                         replay->history_topic, (int)replay->options.partition, before,
                         replay->said.commit_number, replay->said_offset);
    }
    return outcome;
}

/* ---- a commit ---- */

/* A repair: the file goes on to its number; rows change only when all are forgotten. */
static enum outcome follow_repair(struct replay *replay, struct error *error)
{
    const struct checkpoint *said = &replay->said;
    enum outcome outcome = forgets(said) ? begin_anew(replay, error) : OK;
    if (outcome != OK) {
        return outcome;
    }
    struct task *task = replay->task;
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        const struct input_range *range = replay_range(replay, input->topic->name);
        if (range && range->next_offset < input->next_offset) {
            return fail_exit(
                error, EXIT_CONFIG,
                "commit %" PRId64 " was made by hand (`weir offsets adopt`) and went back, from "
                "offset %" PRId64 " of %s to %" PRId64
                ": to which older state, the history does not tell; replay --to %" PRId64,
                said->commit_number, input->next_offset, range->topic, range->next_offset,
                store_meta(task->store)->commit_number);
        }
        input->next_offset = range ? range->next_offset : input->next_offset;
    }
    outcome = store_take_begin(task->store, error);
    if (outcome == OK) {
        struct store_meta meta = *store_meta(task->store);
        meta.commit_number = said->commit_number;
        meta.changelog_offset = 1;
        meta.appended_ms = replay->said_ms;
        meta.task_time_ms = said->task_time_ms;
        snprintf(meta.incarnation, sizeof meta.incarnation, "%s", said->incarnation);
        outcome = store_take_keep(task->store, &meta, error);
    }
    task->task_time_ms = said->task_time_ms;
    return outcome;
}

/* A record that was handled once can be neither unknown nor without a handler, unless the binary or
 * its schemas are others. */
static enum outcome check_blocked(const struct replay *replay, struct error *error)
{
    for (size_t i = 0; i < replay->task->input_count; i++) {
        const struct input *input = &replay->task->inputs[i];
        if (input->blocked) {
            return fail_exit(error, EXIT_CONFIG,
                             "%s/%d offset %" PRId64 ", which commit %" PRId64
                             " handled, has a schema or a kind that this version of '%s' does not "
                             "know",
                             input->topic->name, (int)replay->options.partition,
                             input->blocked_offset, replay->said.commit_number,
                             replay->options.processor->name);
        }
    }
    return OK;
}

static enum outcome handle_again(struct replay *replay, struct error *error)
{
    struct task *task = replay->task;
    enum outcome outcome = replay_load(replay, error);
    if (outcome != OK) {
        return outcome;
    }
    task->along = &replay->said;
    task->tick = replay->said.tick;
    task->group_number = replay->said.commit_number - 1;
    replay->muted.appended_ms = replay->said_ms;
    take_order(task);
    outcome = protocol_take(task, error);
    if (outcome == OK) {
        outcome = check_blocked(replay, error);
    }
    if (outcome == OK && task->group_number != replay->said.commit_number) {
        return fail_exit(error, EXIT_IO, "commit %" PRId64 " could not be written to %s",
                         replay->said.commit_number, replay->options.state_path);
    }
    return outcome == OK ? task_commit_store(task, error) : outcome;
}

static void count(struct replay *replay)
{
    const struct task_counts *counts = task_counts(replay->task);
    replay->counts.commits++;
    replay->counts.records = counts->handled + counts->stale + counts->dead;
    replay->counts.timers = counts->timers;
    replay->counts.outputs = counts->outputs;
    replay->counts.dead = counts->dead;
}

/* ---- the comparison ---- */

static void add_words(char *out, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_words(char *out, size_t room, const char *format, ...)
{
    size_t used = strlen(out);
    used += (size_t)snprintf(out + used, room - used, "%s", used > 0 ? ", " : "");
    va_list args;
    va_start(args, format);
    if (used < room) {
        vsnprintf(out + used, room - used, format, args);
    }
    va_end(args);
}

static void compare_number(char *out, size_t room, const char *what, int64_t now, int64_t said)
{
    if (now != said) {
        add_words(out, room, "%" PRId64 " %s instead of %" PRId64, now, what, said);
    }
}

/* What of the checkpoint at hand is not as the history says, in words; "" when all is. */
static void compare_checkpoints(const struct replay *replay, char *what, size_t room)
{
    const struct checkpoint *now = &replay->task->checkpoint, *said = &replay->said;
    what[0] = 0;
    for (size_t i = 0; i < now->inputs.count; i++) {
        const struct input_range *is = &now->inputs.items[i];
        const struct input_range *was = replay_range(replay, is->topic);
        if (was) {
            compare_number(what, room, "handled", is->handled, was->handled);
            compare_number(what, room, "stale", is->stale, was->stale);
            compare_number(what, room, "dead letters", is->dead, was->dead);
        }
    }
    compare_number(what, room, "timers fired", now->timers_fired, said->timers_fired);
    compare_number(what, room, "outputs", now->outputs, said->outputs);
    if (now->digest != said->digest && now->outputs == said->outputs) {
        add_words(what, room, "other outputs");
    }
    if (now->rows_digest != said->rows_digest && now->row_schemas == said->row_schemas) {
        add_words(what, room, "other rows");
    }
    compare_number(what, room, "is task time", now->task_time_ms, said->task_time_ms);
}

static void describe_inputs(const struct replay *replay, char *out, size_t room)
{
    out[0] = 0;
    for (size_t i = 0; i < replay->said.inputs.count; i++) {
        const struct input_range *range = &replay->said.inputs.items[i];
        if (range->handled + range->stale + range->dead == 0) {
            continue;
        }
        add_words(out, room, "%s/%d offset %" PRId64, range->topic, (int)replay->options.partition,
                  range->first_offset);
        if (range->next_offset > range->first_offset + 1) {
            size_t used = strlen(out);
            snprintf(out + used, room - used, " to %" PRId64, range->next_offset - 1);
        }
    }
}

enum outcome replay_step(struct replay *replay, enum replay_found *found,
                         struct replay_difference *difference, struct error *error)
{
    bool any;
    *found = REPLAY_END;
    enum outcome outcome = next_commit(replay, &any, error);
    if (outcome != OK || !any) {
        return outcome;
    }
    *found = REPLAY_SAME;
    if (is_by_hand(&replay->said)) {
        outcome = follow_repair(replay, error);
        replay->counts.commits++;
        return outcome;
    }
    outcome = handle_again(replay, error);
    if (outcome != OK) {
        return outcome;
    }
    count(replay);
    *difference = (struct replay_difference){.commit_number = replay->said.commit_number,
                                             .tick = replay->said.tick};
    compare_checkpoints(replay, difference->what, sizeof difference->what);
    if (!difference->what[0]) {
        return OK;
    }
    *found = REPLAY_DIFFERS;
    describe_inputs(replay, difference->inputs, sizeof difference->inputs);
    return OK;
}

int64_t replay_commit_number(const struct replay *replay)
{
    return replay->task ? store_meta(replay->task->store)->commit_number : 0;
}

struct replay_counts replay_counts(const struct replay *replay)
{
    struct replay_counts counts = replay->counts;
    counts.position = replay->history.position;
    counts.end = replay->end;
    return counts;
}

/* ---- the other file ---- */

enum outcome replay_compare(struct replay *replay, struct store_snapshot *other,
                            store_difference_callback *each, void *context, int64_t *rows,
                            struct error *error)
{
    struct store_snapshot *own;
    struct store_meta meta;
    enum outcome outcome = store_commit(replay->task->store, error);
    if (outcome == OK) {
        outcome = store_snapshot_open(&own, replay->options.state_path, &meta, error);
    }
    if (outcome == OK) {
        outcome =
            store_snapshot_compare(own, other, replay->task->tables, each, context, rows, error);
        store_snapshot_close(own);
    }
    return outcome;
}

/* A task without inputs: where the group stands is of no concern. */
enum outcome replay_fold(const struct replay_options *options, struct store_meta *meta,
                         struct error *error)
{
    struct task *task = NULL;
    enum outcome outcome = open_task(&task, options, options->port, error);
    if (outcome != OK) {
        return outcome;
    }
    CHECK(task != NULL);
    task->input_count = 0;
    task->adopt = true;
    outcome = restore_begin(task, error);
    bool done = false;
    for (int tries = 0; !done && (outcome == OK || outcome == RETRY) && tries < FOLD_TRIES;) {
        outcome = restore_step(task, &done, error);
        tries = outcome == RETRY ? tries + 1 : 0;
        if (outcome == RETRY && !task->restore) {
            break;
        }
    }
    *meta = *store_meta(task->store);
    task_close(task, true);
    return outcome;
}
