/* consumer.c - struct port_calls on the broker in memory: the instance's consumer.
 *
 * A fetch reads the log as it stands at that moment; what poll() adds is the group, waiting, and a
 * fresh high watermark. Records point into shared payloads, so they outlive compaction until they
 * are released.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "broker/internal.h"

static struct broker_port *self(struct port *port)
{
    return (struct broker_port *)port;
}

/* ---- cursors ---- */

static struct broker_cursor *find_cursor(struct broker_port *port, const char *topic,
                                         int32_t partition)
{
    for (size_t i = 0; i < port->cursor_count; i++) {
        const struct broker_partition *log = port->cursors[i].partition;
        if (log->number == partition && strcmp(log->topic->name, topic) == 0) {
            return &port->cursors[i];
        }
    }
    return NULL;
}

enum outcome broker_cursor_check(const struct broker_cursor *cursor, struct error *error)
{
    const struct broker_partition *log = cursor->partition;
    if (cursor->position >= log->low && cursor->position <= log->high) {
        return OK;
    }
    return fail_exit(
        error, EXIT_CONFIG,
        "offset %lld of %s [%d] is out of range: the log begins at %lld and ends at %lld",
        (long long)cursor->position, log->topic->name, (int)log->number, (long long)log->low,
        (long long)log->high);
}

bool broker_cursor_at_hand(const struct broker_cursor *cursor)
{
    int64_t position = cursor->position;
    return cursor->position < cursor->partition->low ||
           cursor->position > cursor->partition->high ||
           broker_log_next(cursor->partition, true, &position) != NULL;
}

size_t broker_cursor_take(struct broker_cursor *cursor, struct port_record *records, size_t max)
{
    size_t count = 0;
    while (count < max) {
        const struct broker_entry *entry =
            broker_log_next(cursor->partition, true, &cursor->position);
        if (!entry) {
            break;
        }
        entry->payload->references++;
        records[count++] = (struct port_record){
            .partition = cursor->partition->number,
            .offset = entry->offset,
            .timestamp_ms = entry->timestamp_ms,
            .key = entry->payload->key,
            .value = entry->payload->value,
            .message = entry->payload,
        };
        cursor->position = entry->offset + 1;
    }
    cursor->high = cursor->partition->high;
    return count;
}

void broker_records_release(struct port_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        broker_payload_release(records[i].message);
        records[i] = (struct port_record){0};
    }
}

/* ---- the group's part ---- */

void broker_port_assign(struct broker_port *port, const int32_t *partitions, size_t count)
{
    CHECK_EQUAL(port->assigned_count, 0);
    if (count == 0) {
        return;
    }
    size_t size = count * sizeof *partitions;
    port->assigned = memcpy(xrealloc(port->assigned, size), partitions, size);
    port->assigned_count = count;
    if (port->options.group.assigned) {
        port->options.group.assigned(port->options.group.context, port->assigned, count);
    }
}

void broker_port_revoke(struct broker_port *port, bool lost)
{
    port->generation = -1;
    if (port->assigned_count > 0 && port->options.group.revoked) {
        port->options.group.revoked(port->options.group.context, port->assigned,
                                    port->assigned_count, lost);
    }
    port->assigned_count = 0;
    port->cursor_count = 0;
}

static bool is_assigned(const struct broker_port *port, int32_t partition)
{
    for (size_t i = 0; i < port->assigned_count; i++) {
        if (port->assigned[i] == partition) {
            return true;
        }
    }
    return false;
}

static bool anything_at_hand(const struct broker_port *port)
{
    for (size_t i = 0; i < port->cursor_count; i++) {
        if (broker_cursor_at_hand(&port->cursors[i])) {
            return true;
        }
    }
    return false;
}

/* ---- the calls ---- */

enum outcome broker_consumer_poll(struct port *port, int timeout_ms, struct error *error)
{
    struct broker_port *this = self(port);
    struct broker_fault fault;
    enum outcome outcome = broker_gate_consumer(this, CALL_POLL, &fault, error);
    if (outcome != OK) {
        return outcome;
    }
    int64_t left_ms = timeout_ms;
    do {
        outcome = broker_group_serve(this, error);
    } while (outcome == OK && !anything_at_hand(this) && broker_wait(this->broker, &left_ms));
    for (size_t i = 0; i < this->cursor_count; i++) {
        this->cursors[i].high = this->cursors[i].partition->high;
    }
    return broker_gate_reply(this, &fault, outcome, error);
}

enum outcome broker_consumer_start(struct port *port, const char *topic, int32_t partition,
                                   int64_t offset, struct error *error)
{
    struct broker_port *this = self(port);
    struct broker_fault fault;
    enum outcome outcome = broker_gate_consumer(this, CALL_START, &fault, error);
    if (outcome != OK) {
        return outcome;
    }
    struct broker_partition *log = broker_partition_find(this->broker, topic, partition);
    if (!log || !is_assigned(this, partition)) {
        return fail(error, RETRY, "cannot start %s [%d]: %s", topic, (int)partition,
                    log ? "it is not assigned to this instance" : "there is no such partition");
    }
    struct broker_cursor *cursor = find_cursor(this, topic, partition);
    if (!cursor) {
        this->cursors = broker_grow(this->cursors, this->cursor_count, sizeof *this->cursors);
        cursor = &this->cursors[this->cursor_count++];
    }
    *cursor = (struct broker_cursor){log, offset, -1};
    return broker_gate_reply(this, &fault, OK, error);
}

enum outcome broker_consumer_stop(struct port *port, const char *topic, int32_t partition,
                                  struct error *error)
{
    struct broker_port *this = self(port);
    struct broker_fault fault;
    enum outcome outcome = broker_gate_consumer(this, CALL_STOP, &fault, error);
    struct broker_cursor *cursor = outcome == OK ? find_cursor(this, topic, partition) : NULL;
    if (cursor) {
        *cursor = this->cursors[--this->cursor_count];
    }
    return outcome == OK ? broker_gate_reply(this, &fault, OK, error) : outcome;
}

enum outcome broker_consumer_fetch(struct port *port, const char *topic, int32_t partition,
                                   struct port_record *records, size_t max, size_t *count,
                                   struct error *error)
{
    struct broker_port *this = self(port);
    struct broker_fault fault;
    *count = 0;
    enum outcome outcome = broker_gate_consumer(this, CALL_FETCH, &fault, error);
    struct broker_cursor *cursor = outcome == OK ? find_cursor(this, topic, partition) : NULL;
    if (!cursor) {
        return outcome;
    }
    outcome = broker_cursor_check(cursor, error);
    if (outcome == OK && fault.kind != FAULT_LOSE_REPLY) {
        *count = broker_cursor_take(cursor, records, max);
    }
    outcome = broker_gate_reply(this, &fault, outcome, error);
    if (outcome != OK) {
        broker_records_release(records, *count);
        *count = 0;
    }
    return outcome;
}

void broker_consumer_release(struct port *port, struct port_record *records, size_t count)
{
    (void)port;
    broker_records_release(records, count);
}

bool broker_consumer_header(struct port *port, const struct port_record *record, size_t index,
                            struct port_header *header)
{
    (void)port;
    const struct broker_payload *payload = record->message;
    if (index >= payload->header_count) {
        return false;
    }
    *header = payload->headers[index];
    return true;
}

bool broker_consumer_progress(struct port *port, const char *topic, int32_t partition,
                              int64_t *position, int64_t *high)
{
    const struct broker_cursor *cursor = find_cursor(self(port), topic, partition);
    if (!cursor || cursor->high < 0) {
        return false;
    }
    *position = cursor->position;
    *high = cursor->high;
    return true;
}

/* Every answer clean, or none counts. */
static enum outcome read_committed(struct broker_port *this, const char *const *topics,
                                   size_t count, int32_t partition,
                                   const struct broker_fault *fault, struct port_offset *offsets,
                                   struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct broker_partition *log =
            broker_partition_find(this->broker, topics[i], partition);
        if (!log) {
            return fail(error, RETRY, "committed offset of %s [%d]: there is no such partition",
                        topics[i], (int)partition);
        }
        offsets[i].topic = topics[i];
        if (fault->kind == FAULT_OLD_ANSWER) {
            broker_group_old_offset(this->group, log->topic, partition, fault->ago, &offsets[i]);
        } else if (!broker_group_offset(this->group, log->topic, partition, &offsets[i])) {
            return fail(error, RETRY,
                        "the committed offset of %s [%d] is held by an open transaction", topics[i],
                        (int)partition);
        }
    }
    return OK;
}

enum outcome broker_consumer_committed(struct port *port, const char *const *topics, size_t count,
                                       int32_t partition, int timeout_ms,
                                       struct port_offset *offsets, struct error *error)
{
    struct broker_port *this = self(port);
    struct broker_fault fault;
    enum outcome outcome = broker_gate_consumer(this, CALL_COMMITTED, &fault, error);
    int64_t left_ms = timeout_ms;
    if (outcome == OK) {
        do {
            outcome = read_committed(this, topics, count, partition, &fault, offsets, error);
        } while (outcome == RETRY && broker_wait(this->broker, &left_ms));
        outcome = broker_gate_reply(this, &fault, outcome, error);
    }
    for (size_t i = 0; outcome != OK && i < count;
         i++) { /* as librdkafka does on a time-out: it looks like "none" */
        offsets[i] = (struct port_offset){.topic = topics[i], .offset = -1};
    }
    return outcome;
}

enum outcome broker_consumer_log(struct port *port, const char *topic, int32_t partition,
                                 int timeout_ms, struct port_log *log, struct error *error)
{
    struct broker_port *this = self(port);
    struct broker_fault fault;
    (void)timeout_ms;
    enum outcome outcome = broker_gate_consumer(this, CALL_LOG, &fault, error);
    if (outcome != OK) {
        return outcome;
    }
    if (!broker_partition_find(this->broker, topic, partition)) {
        return fail(error, RETRY, "%s [%d]: there is no such partition", topic, (int)partition);
    }
    struct port_log now = broker_log(this->broker, topic, partition);
    outcome = broker_gate_reply(this, &fault, OK, error);
    if (outcome == OK) {
        *log = now;
    }
    return outcome;
}
