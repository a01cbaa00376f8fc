/* replay_input.c - the records that a commit of the history has handled, read again. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/replay_internal.h"

enum { ASK_MS = 5000, READ_MS = 100, READ_TRIES = 300 };

void replay_log_close(struct replay *replay, struct replay_log *log)
{
    const struct port_calls *calls = replay->options.port->calls;
    if (log->reader) {
        calls->reader_release(log->reader, log->records + log->at, log->count - log->at);
        calls->reader_close(log->reader);
    }
    *log = (struct replay_log){0};
}

enum outcome replay_log_open(struct replay *replay, struct replay_log *log, const char *topic,
                             int32_t partition, int64_t from, struct error *error)
{
    struct port *port = replay->options.port;
    log->at = log->count = 0;
    log->position = from;
    return port->calls->reader_open(port, topic, partition, from, &log->reader, error);
}

enum outcome replay_log_next(struct replay *replay, struct replay_log *log, const char *topic,
                             int64_t to, struct port_record **record, struct error *error)
{
    const struct port_calls *calls = replay->options.port->calls;
    *record = NULL;
    for (int tries = 0; log->at == log->count && log->position < to; tries++) {
        if (tries == READ_TRIES) {
            return fail(error, RETRY, "%s/%d cannot be read beyond offset %" PRId64, topic,
                        (int)replay->options.partition, log->position);
        }
        log->at = 0;
        enum outcome outcome = calls->read(log->reader, READ_MS, log->records, LOG_BATCH,
                                           &log->count, &log->position, error);
        if (outcome == FATAL) {
            return FATAL;
        }
    }
    if (log->at < log->count && log->records[log->at].offset < to) {
        *record = &log->records[log->at++];
    }
    return OK;
}

const struct input_range *replay_range(const struct replay *replay, const char *topic)
{
    for (size_t i = 0; i < replay->said.inputs.count; i++) {
        if (strcmp(replay->said.inputs.items[i].topic, topic) == 0) {
            return &replay->said.inputs.items[i];
        }
    }
    return NULL;
}

static int64_t records_of(const struct input_range *range)
{
    return range->handled + range->stale + range->dead;
}

/* Opens an input where it is first needed. */
static enum outcome open_input(struct replay *replay, struct replay_log *log,
                               const struct input_range *range, struct error *error)
{
    struct port *port = replay->options.port;
    int partition = (int)replay->options.partition;
    struct port_log bounds;
    enum outcome outcome = port->calls->log(port, range->topic, partition, ASK_MS, &bounds, error);
    if (outcome != OK) {
        return outcome;
    }
    if (bounds.low > range->first_offset) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s/%d begins at offset %" PRId64 "; commit %" PRId64 " handled %" PRId64
                         " to %" PRId64
                         ": that input is gone, and no later commit can be replayed without it",
                         range->topic, partition, bounds.low, replay->said.commit_number,
                         range->first_offset, range->next_offset - 1);
    }
    if (bounds.high < range->next_offset) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s/%d ends at offset %" PRId64 "; commit %" PRId64 " handled %" PRId64
                         " to %" PRId64 ": it is not the topic that it was",
                         range->topic, partition, bounds.high, replay->said.commit_number,
                         range->first_offset, range->next_offset - 1);
    }
    return replay_log_open(replay, log, range->topic, partition, range->first_offset, error);
}

static void push(struct input *input, const struct port_record *record)
{
    if (input->count == input->capacity) {
        input->capacity = input->capacity > 0 ? input->capacity * 2 : LOG_BATCH;
        input->records = xrealloc(input->records, input->capacity * sizeof *input->records);
    }
    input->records[input->count++] = *record;
}

static enum outcome load_input(struct replay *replay, struct input *input, struct replay_log *log,
                               const struct input_range *range, struct error *error)
{
    const struct port_calls *calls = replay->options.port->calls;
    enum outcome outcome = OK;
    if (!log->reader) {
        outcome = open_input(replay, log, range, error);
    }
    struct port_record *record = NULL;
    while (outcome == OK) {
        outcome = replay_log_next(replay, log, range->topic, range->next_offset, &record, error);
        if (outcome != OK || !record) {
            break;
        }
        if (record->offset < range->first_offset) { /* given up by `weir reset` */
            calls->reader_release(log->reader, record, 1);
        } else {
            push(input, record);
        }
    }
    if (outcome == OK && (int64_t)input->count != records_of(range)) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s/%d has %zu records from offset %" PRId64 " to %" PRId64
                         ", of which commit %" PRId64 " handled %" PRId64
                         ": it is not the topic that it was",
                         range->topic, (int)replay->options.partition, input->count,
                         range->first_offset, range->next_offset - 1, replay->said.commit_number,
                         records_of(range));
    }
    return outcome;
}

enum outcome replay_load(struct replay *replay, struct error *error)
{
    struct task *task = replay->task;
    size_t known = 0;
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        const struct input_range *range = replay_range(replay, input->topic->name);
        if (!range) {
            continue;
        }
        known++;
        if (input->next_offset >= 0 && input->next_offset != range->first_offset) {
            return fail_exit(error, EXIT_CONFIG,
                             "%s/%d: commit %" PRId64 " begins at offset %" PRId64
                             " of %s, the commit before it ended at %" PRId64,
                             replay->history_topic, (int)replay->options.partition,
                             replay->said.commit_number, range->first_offset, range->topic,
                             input->next_offset);
        }
        input->next_offset = range->first_offset;
        if (records_of(range) > 0) {
            enum outcome outcome = load_input(replay, input, &replay->inputs[i], range, error);
            if (outcome != OK) {
                return outcome;
            }
        }
    }
    if (known < replay->said.inputs.count) {
        return fail_exit(error, EXIT_CONFIG,
                         "commit %" PRId64 " has an input that this version of '%s' does not read",
                         replay->said.commit_number, replay->options.processor->name);
    }
    return OK;
}
