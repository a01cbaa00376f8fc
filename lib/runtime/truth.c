/* truth.c - where a task stands when it starts: never guessed.
 *
 * The group's stable committed offsets are fence and pointer; the changelog's checkpoint of the
 * same number is the content. Both were written by one transaction. The file is a cache that says
 * which commit it holds.
 *
 *   offsets    changelog         file           then
 *   number n   -                 at n           run
 *   number n   has checkpoint n  behind, none   read up to checkpoint n (restore.c)
 *   none       has checkpoints   any            nothing is in flight: adopt the last, warn
 *   none       empty             none, empty    first start, from each input's log start
 *
 * Anything else is a contradiction: stop (78), say what was found; `weir doctor` explains and names
 * the mending command.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/log.h"
#include "runtime/task_internal.h"

enum { ASK_MS = 1000 };

void metadata_write(int64_t number, const char *incarnation, int64_t offset, char *metadata)
{
    snprintf(metadata, PORT_METADATA_MAX, "weir1 %" PRId64 " %.32s %" PRId64, number, incarnation,
             offset);
}

/* Written again it must be the same text: nobody else's way of writing numbers passes for ours. */
bool metadata_read(const char *metadata, int64_t offset, int64_t *number, char *incarnation)
{
    char copy[PORT_METADATA_MAX], again[PORT_METADATA_MAX], *rest = copy;
    snprintf(copy, sizeof copy, "%s", metadata);
    (void)strsep(&rest, " ");
    const char *first = strsep(&rest, " "), *second = strsep(&rest, " ");
    int64_t written;
    if (!second || !conf_number(first, &written) || written <= 0 ||
        strlen(second) != INCARNATION_BYTES - 1) {
        return false;
    }
    metadata_write(written, second, offset, again);
    if (strcmp(metadata, again) != 0) {
        return false;
    }
    *number = written;
    memcpy(incarnation, second, INCARNATION_BYTES);
    return true;
}

/* A finding that a person must decide on. */
static enum outcome contradiction(const struct task *task, struct error *error, const char *format,
                                  ...) __attribute__((format(printf, 3, 4)));

static enum outcome contradiction(const struct task *task, struct error *error, const char *format,
                                  ...)
{
    char found[600];
    va_list args;
    va_start(args, format);
    vsnprintf(found, sizeof found, format, args);
    va_end(args);
    return fail_exit(
        error, EXIT_CONFIG,
        "%s: %s; nothing was changed. `weir doctor %s` explains, and names the command "
        "that mends it",
        task->transactional_id, found, task->options.application_id);
}

enum outcome truth_committed(struct task *task, struct error *error)
{
    const char *topics[WEIR_LIST_MAX];
    for (size_t i = 0; i < task->input_count; i++) {
        topics[i] = task->inputs[i].topic->name;
    }
    struct port_offset offsets[WEIR_LIST_MAX];
    enum outcome outcome = task->calls->committed(task->port, topics, task->input_count,
                                                  task->options.partition, ASK_MS, offsets, error);
    if (outcome != OK) {
        return outcome;
    }
    size_t present = 0;
    int64_t number = 0;
    for (size_t i = 0; i < task->input_count; i++) {
        if (offsets[i].offset < 0) {
            continue;
        }
        int64_t its_number;
        char incarnation[33];
        if (!metadata_read(offsets[i].metadata, offsets[i].offset, &its_number, incarnation)) {
            return contradiction(task, error,
                                 "the committed offset %" PRId64
                                 " of %s was not set by weir (metadata '%s')",
                                 offsets[i].offset, topics[i], offsets[i].metadata);
        }
        if (present > 0 && its_number != number) {
            return contradiction(
                task, error,
                "the committed offsets of %s and %s are of different commits, %" PRId64
                " and %" PRId64,
                topics[0], topics[i], number, its_number);
        }
        number = its_number;
        memcpy(task->group_incarnation, incarnation, sizeof incarnation);
        present++;
    }
    if (present > 0 && present < task->input_count) {
        return contradiction(task, error, "only %zu of %zu inputs have a committed offset", present,
                             task->input_count);
    }
    memcpy(task->committed, offsets, sizeof offsets);
    task->group_number = number;
    return OK;
}

/* An offset below the log's start means lost input; one beyond its end, another topic under the
 * same name. */
enum outcome truth_check_inputs(struct task *task, struct error *error)
{
    for (size_t i = 0; i < task->input_count; i++) {
        struct port_log log;
        const char *topic = task->inputs[i].topic->name;
        int64_t offset = task->committed[i].offset;
        enum outcome outcome =
            task->calls->log(task->port, topic, task->options.partition, ASK_MS, &log, error);
        if (outcome != OK) {
            return outcome;
        }
        if (offset < log.low) {
            return contradiction(task, error,
                                 "%s was cut off below offset %" PRId64 ", and commit %" PRId64
                                 " goes on at %" PRId64 ": %" PRId64 " offsets of input are gone",
                                 topic, log.low, task->group_number, offset, log.low - offset);
        }
        if (offset > log.high) {
            return contradiction(task, error,
                                 "commit %" PRId64 " goes on at offset %" PRId64
                                 " of %s, which ends at %" PRId64,
                                 task->group_number, offset, topic, log.high);
        }
    }
    return OK;
}

enum outcome truth_first_start(struct task *task, struct error *error)
{
    const struct store_meta *meta = store_meta(task->store);
    if (meta->commit_number > 0) {
        return contradiction(task, error,
                             "the state file holds commit %" PRId64
                             ", but the group has no offsets and %s is empty",
                             meta->commit_number, task->changelog);
    }
    for (size_t i = 0; i < task->input_count; i++) {
        struct port_log log;
        enum outcome outcome = task->calls->log(task->port, task->inputs[i].topic->name,
                                                task->options.partition, ASK_MS, &log, error);
        if (outcome != OK) {
            return outcome;
        }
        task->committed[i] =
            (struct port_offset){.topic = task->inputs[i].topic->name, .offset = log.low};
    }
    log_event(LOG_INFO, "first_start", "partition=%d inputs=%zu from=\"log start\"",
              (int)task->options.partition, task->input_count);
    return OK;
}

enum outcome truth_set_aside(struct task *task, const char *why, struct error *error)
{
    log_event(LOG_WARN, "state_set_aside",
              "partition=%d path=%s because=\"%s\" next=\"rebuilding from %s\"",
              (int)task->options.partition, task->options.state_path, why, task->changelog);
    return store_set_aside(task->store, error);
}

bool truth_deletions_are_gone(const struct task *task, int64_t since_ms)
{
    int64_t age_ms = task->calls->wall_ms(task->port) - since_ms;
    return age_ms > task->options.delete_retention_ms / 2;
}

/* Sets aside a file that the changelog's tail cannot bring up to date. `incarnation` NULL: not
 * known yet. */
static enum outcome drop_useless_file(struct task *task, const struct port_log *changelog,
                                      const char *incarnation, struct error *error)
{
    const struct store_meta *meta = store_meta(task->store);
    char why[200] = "";
    if (incarnation && strcmp(meta->incarnation, incarnation) != 0) {
        snprintf(why, sizeof why, "it belongs to incarnation %s, the changelog is %s",
                 meta->incarnation, incarnation);
    } else if (meta->changelog_offset > changelog->high) {
        snprintf(why, sizeof why, "it stands at offset %" PRId64 " of %s, which ends at %" PRId64,
                 meta->changelog_offset, task->changelog, changelog->high);
    } else if ((!incarnation || meta->commit_number < task->group_number) &&
               meta->appended_ms > 0 && truth_deletions_are_gone(task, meta->appended_ms)) {
        snprintf(why, sizeof why,
                 "its last commit is %" PRId64
                 " s old, so that deletions may be missing from the changelog",
                 (task->calls->wall_ms(task->port) - meta->appended_ms) / 1000);
    }
    return why[0] && meta->commit_number > 0 ? truth_set_aside(task, why, error) : OK;
}

/* The group stands at commit n: what is the file worth? Even one that stands there too is not
 * believed before the changelog's end was seen: both may have been set back. */
static enum outcome compare_file(struct task *task, const struct port_log *changelog,
                                 struct error *error)
{
    if (changelog->high == changelog->low) {
        return contradiction(task, error, "the group stands at commit %" PRId64 ", but %s is empty",
                             task->group_number, task->changelog);
    }
    enum outcome outcome = drop_useless_file(task, changelog, task->group_incarnation, error);
    if (outcome != OK) {
        return outcome;
    }
    const struct store_meta *meta = store_meta(task->store);
    if (meta->commit_number == task->group_number && store_is_restoring(task->store)) {
        const struct store_meta reached = *meta; /* all but its last step was done */
        outcome = store_restore_end(task->store, &reached, error);
    }
    if (meta->commit_number == task->group_number) {
        bool is_end = changelog->high <= meta->changelog_offset + 1; /* but for the marker */
        return outcome == OK && !is_end ? restore_begin(task, error) : outcome;
    }
    if (meta->commit_number > task->group_number) {
        if (task->asked_at != task->group_number) {
            task->asked_at = task->group_number;
            return fail(error, RETRY,
                        "the state file is ahead of the group's answer: asking again");
        }
        return contradiction(task, error,
                             "the state file holds commit %" PRId64
                             ", the group stands at commit %" PRId64 ": its offsets were set back",
                             meta->commit_number, task->group_number);
    }
    return restore_begin(task, error);
}

enum outcome truth_ask(struct task *task, struct error *error)
{
    restore_end(task);
    task->adopt = false;
    enum outcome outcome = truth_committed(task, error);
    if (outcome != OK) {
        return outcome;
    }
    struct port_log changelog;
    outcome = task->calls->log(task->port, task->changelog, task->options.partition, ASK_MS,
                               &changelog, error);
    if (outcome != OK) {
        return outcome;
    }
    if (changelog.low > 0 && changelog.low < changelog.high) {
        return contradiction(task, error,
                             "%s begins at offset %" PRId64
                             ": records were deleted from it, not compacted",
                             task->changelog, changelog.low);
    }
    if (task->group_number > 0) {
        outcome = truth_check_inputs(task, error);
        return outcome == OK ? compare_file(task, &changelog, error) : outcome;
    }
    if (changelog.high == changelog.low) {
        return truth_first_start(task, error);
    }
    /* Offsets expire (seven days without a commit, by default); missing and stable proves that
     * nothing is in flight. */
    task->adopt = true;
    outcome = drop_useless_file(task, &changelog, NULL, error);
    return outcome == OK ? restore_begin(task, error) : outcome;
}
