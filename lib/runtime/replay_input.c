/* replay_input.c - the records that a commit of the history has handled, read again. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/replay_internal.h"

enum { ASK_MS = 5000, READ_MS = 100, READ_TRIES = 300 };

void source_close(struct replay *replay, struct source *source)
{
    const struct port_calls *calls = replay->options.port->calls;
    if (source->reader) {
        calls->reader_release(source->reader, source->records + source->at,
                              source->count - source->at);
        calls->reader_close(source->reader);
    }
    *source = (struct source){0};
}

enum outcome source_open(struct replay *replay, struct source *source, const char *topic,
                         int32_t partition, int64_t from, struct error *error)
{
    struct port *port = replay->options.port;
    source->at = source->count = 0;
    source->position = from;
    return port->calls->reader_open(port, topic, partition, from, &source->reader, error);
}

enum outcome source_next(struct replay *replay, struct source *source, const char *topic,
                         int64_t to, struct port_record **record, struct error *error)
{
    const struct port_calls *calls = replay->options.port->calls;
    *record = NULL;
    for (int tries = 0; source->at == source->count && source->position < to; tries++) {
        if (tries == READ_TRIES) {
            return fail(error, RETRY, "%s/%d cannot be read beyond offset %" PRId64, topic,
                        (int)replay->options.partition, source->position);
        }
        source->at = 0;
        enum outcome outcome = calls->read(source->reader, READ_MS, source->records, SOURCE_BATCH,
                                           &source->count, &source->position, error);
        if (outcome == FATAL) {
            return FATAL;
        }
    }
    if (source->at < source->count && source->records[source->at].offset < to) {
        *record = &source->records[source->at++];
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
static enum outcome open_input(struct replay *replay, struct source *source,
                               const struct input_range *range, struct error *error)
{
    struct port *port = replay->options.port;
    int partition = (int)replay->options.partition;
    struct port_log log;
    enum outcome outcome = port->calls->log(port, range->topic, partition, ASK_MS, &log, error);
    if (outcome != OK) {
        return outcome;
    }
    if (log.low > range->first_offset) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s/%d begins at offset %" PRId64 "; commit %" PRId64 " handled %" PRId64
                         " to %" PRId64
                         ": that input is gone, and no later commit can be replayed without it",
                         range->topic, partition, log.low, replay->said.commit_number,
                         range->first_offset, range->next_offset - 1);
    }
    if (log.high < range->next_offset) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s/%d ends at offset %" PRId64 "; commit %" PRId64 " handled %" PRId64
                         " to %" PRId64 ": it is not the topic that it was",
                         range->topic, partition, log.high, replay->said.commit_number,
                         range->first_offset, range->next_offset - 1);
    }
    return source_open(replay, source, range->topic, partition, range->first_offset, error);
}

static void push(struct input *input, const struct port_record *record)
{
    if (input->count == input->capacity) {
        input->capacity = input->capacity > 0 ? input->capacity * 2 : SOURCE_BATCH;
        input->records = xrealloc(input->records, input->capacity * sizeof *input->records);
    }
    input->records[input->count++] = *record;
}

static enum outcome load_input(struct replay *replay, struct input *input, struct source *source,
                               const struct input_range *range, struct error *error)
{
    const struct port_calls *calls = replay->options.port->calls;
    enum outcome outcome = OK;
    if (!source->reader) {
        outcome = open_input(replay, source, range, error);
    }
    struct port_record *record = NULL;
    while (outcome == OK) {
        outcome = source_next(replay, source, range->topic, range->next_offset, &record, error);
        if (outcome != OK || !record) {
            break;
        }
        if (record->offset < range->first_offset) { /* given up by `weir reset` */
            calls->reader_release(source->reader, record, 1);
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
