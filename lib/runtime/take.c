/* take.c - the inputs of a task: what was fetched, in which order it is handled, and what to do
 * with an input whose next record nobody can read yet.
 *
 * Order: inputs are merged by their running-maximum timestamp, then by their place in the
 * processor's table; a partition is never reordered. The maximum runs within the take: so the order
 * follows from which records the take has, and that is what the history tells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/log.h"
#include "runtime/task_internal.h"

enum {
    FIRST_CAPACITY = 64,
    UNBLOCK_FIRST_MS = 500,
    UNBLOCK_MAX_MS = 10 * 1000,
};

/* ---- inputs ---- */

static size_t key_offset_of(const struct weir_record *record, const char *key)
{
    for (size_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, key) == 0) {
            return record->fields[i].offset;
        }
    }
    BUG("the schema compiler lets no record pass without its topic's key");
}

void input_prepare(struct input *input, const struct weir_topic *topic, const void *handlers)
{
    *input = (struct input){.topic = topic, .handlers = handlers};
    const struct weir_record *record = topic->record;
    for (size_t i = 0; i < record->field_count; i++) {
        if (record->fields[i].type.kind == WEIR_UNION) {
            input->payload = &record->fields[i];
        }
    }
    if (!input->payload) {
        input->key_offset[0] = key_offset_of(record, topic->key);
        return;
    }
    const struct weir_record *const *branches = input->payload->type.branches;
    for (size_t i = 0; branches[i]; i++) {
        CHECK(i < INPUT_BRANCHES_MAX);
        input->key_offset[i] = key_offset_of(branches[i], topic->key);
    }
}

void inputs_release(struct task *task)
{
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        task->calls->release(task->port, input->records, input->count);
        input->count = 0;
    }
    task->order_count = 0;
}

/* One round of fetching into the room behind what is there. *more: the room was filled, so there
 * may be more. */
static enum outcome fetch_input(struct task *task, struct input *input, bool *more,
                                struct error *error)
{
    size_t cap = task->options.take_max_records;
    if (input->count == input->capacity) {
        size_t capacity = input->capacity > 0 ? input->capacity * 2 : FIRST_CAPACITY;
        input->capacity = capacity < cap ? capacity : cap;
        input->records = xrealloc(input->records, input->capacity * sizeof *input->records);
    }
    size_t fetched = 0, room = input->capacity - input->count;
    struct port_record *at = input->records + input->count;
    enum outcome outcome = task->calls->fetch(task->port, input->topic->name,
                                              task->options.partition, at, room, &fetched, error);
    *more = outcome == OK && fetched == room;
    if (outcome != OK) {
        return outcome;
    }
    /* A fetch may start before the position asked for (whole batches); what is committed is not
     * handled again. */
    int64_t expected =
        input->count > 0 ? input->records[input->count - 1].offset + 1 : input->next_offset;
    size_t old = 0;
    while (old < fetched && at[old].offset < expected) {
        old++;
    }
    if (old > 0) {
        task->calls->release(task->port, at, old);
        memmove(at, at + old, (fetched - old) * sizeof *at);
    }
    input->count += fetched - old;
    return OK;
}

enum outcome take_fetch(struct task *task, struct error *error)
{
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        bool more = true;
        while (more && input->count < task->options.take_max_records) {
            enum outcome outcome = fetch_input(task, input, &more, error);
            if (outcome != OK) {
                return outcome;
            }
        }
    }
    return OK;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool take_order(struct task *task)
{
    size_t next[WEIR_LIST_MAX] = {0};
    int64_t running[WEIR_LIST_MAX];
    for (size_t i = 0; i < task->input_count; i++) {
        running[i] = INT64_MIN;
    }
    size_t bytes = 0;
    task->order_count = 0;
    while (task->along || (task->order_count < task->options.take_max_records &&
                           bytes < task->options.take_max_bytes)) {
        size_t best = SIZE_MAX;
        int64_t best_ms = INT64_MAX;
        for (size_t i = 0; i < task->input_count; i++) {
            const struct input *input = &task->inputs[i];
            if (input->blocked || next[i] == input->count) {
                continue;
            }
            int64_t ms = later(running[i], input->records[next[i]].timestamp_ms);
            if (best == SIZE_MAX || ms < best_ms) {
                best = i;
                best_ms = ms;
            }
        }
        if (best == SIZE_MAX) {
            break;
        }
        if (task->order_count == task->order_capacity) {
            task->order_capacity = task->order_capacity > 0 ? task->order_capacity * 2 : 256;
            task->order = xrealloc(task->order, task->order_capacity * sizeof *task->order);
        }
        running[best] = best_ms;
        bytes += task->inputs[best].records[next[best]].value.size;
        task->order[task->order_count].input = best;
        task->order[task->order_count++].record = next[best]++;
    }
    return task->order_count > 0;
}

void take_forget(struct task *task)
{
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        size_t done = 0;
        while (done < input->count && input->records[done].offset < input->done_offset) {
            done++;
        }
        if (done > 0) {
            task->calls->release(task->port, input->records, done);
            memmove(input->records, input->records + done,
                    (input->count - done) * sizeof *input->records);
            input->count -= done;
        }
        input->next_offset = input->done_offset;
    }
    task->order_count = 0;
}

/* ---- an input that waits for a schema ---- */

/* An operator's word (`weir dlq put`): "<topic> <offset>" in <state file>.skip. */
static bool operator_says_skip(const struct task *task, const struct input *input)
{
    char path[4096], line[400] = "";
    snprintf(path, sizeof path, "%s.skip", task->options.state_path);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = 0;
    char *blank = strchr(line, ' ');
    size_t length = blank ? (size_t)(blank - line) : 0;
    int64_t offset;
    bool said = read && blank && strlen(input->topic->name) == length &&
                strncmp(line, input->topic->name, length) == 0 && conf_number(blank + 1, &offset) &&
                offset == input->blocked_offset;
    if (said) {
        remove(path);
    }
    return said;
}

void inputs_unblock(struct task *task, int64_t now_us)
{
    for (size_t i = 0; i < task->input_count; i++) {
        struct input *input = &task->inputs[i];
        if (!input->blocked || now_us < input->retry_us) {
            continue;
        }
        struct error error;
        if (codec_refresh(task->options.codec, &error) != OK) {
            log_event(LOG_WARN, "schema_unreadable", "error=\"%s\"", error.text);
        }
        input->skip_blocked = operator_says_skip(task, input);
        input->blocked = false; /* the next take tries it again */
    }
}

void input_block(struct task *task, struct input *input, const struct port_record *record,
                 const char *why)
{
    int64_t now_us = task->calls->monotonic_us(task->port);
    bool again = input->blocked_offset == record->offset && input->backoff_ms > 0;
    input->backoff_ms = again ? input->backoff_ms * 2 : UNBLOCK_FIRST_MS;
    if (input->backoff_ms > UNBLOCK_MAX_MS) {
        input->backoff_ms = UNBLOCK_MAX_MS;
    }
    input->blocked = true;
    input->blocked_offset = record->offset;
    input->retry_us = now_us + (int64_t)input->backoff_ms * 1000;
    if (!again) {
        log_event(LOG_ERROR, "input_paused",
                  "topic=%s partition=%d offset=%lld reason=\"%s\" "
                  "remedy=\"add the writer's schema to schema.dir, deploy the newer processor, or "
                  "end the pause at this "
                  "record: weir dlq put %s %d %lld\"",
                  input->topic->name, (int)task->options.partition, (long long)record->offset, why,
                  input->topic->name, (int)task->options.partition, (long long)record->offset);
    }
}
