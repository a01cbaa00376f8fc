/* port.c - struct port_calls on the broker in memory: the table, an instance's life, and changelog
 * readers. */
#include <stdlib.h>

#include "base/arena.h"
#include "broker/internal.h"

struct reader {
    struct broker_port *port;
    struct broker_cursor cursor;
    struct reader *next;
};

static struct broker_port *self(struct port *port)
{
    return (struct broker_port *)port;
}

/* ---- time ---- */

static int64_t wall_ms(struct port *port)
{
    return self(port)->broker->now_ms + self(port)->skew_ms;
}

static int64_t monotonic_us(struct port *port)
{
    return (self(port)->broker->now_ms - self(port)->broker->start_ms) * 1000;
}

/* ---- readers ---- */

static enum outcome reader_open(struct port *port, const char *topic, int32_t partition,
                                int64_t offset, struct reader **reader, struct error *error)
{
    struct broker_port *this = self(port);
    struct broker_fault fault;
    enum outcome outcome = broker_gate_consumer(this, CALL_READER_OPEN, &fault, error);
    if (outcome != OK) {
        return outcome;
    }
    struct broker_partition *log = broker_partition_find(this->broker, topic, partition);
    if (!log) {
        return fail(error, RETRY, "cannot read %s [%d]: there is no such partition", topic,
                    (int)partition);
    }
    outcome = broker_gate_reply(this, &fault, OK, error);
    if (outcome == OK) {
        *reader = xcalloc(1, sizeof **reader);
        **reader =
            (struct reader){.port = this, .cursor = {log, offset, -1}, .next = this->readers};
        this->readers = *reader;
    }
    return outcome;
}

static void reader_close(struct reader *reader)
{
    if (!reader) {
        return;
    }
    struct reader **link = &reader->port->readers;
    while (*link != reader) {
        link = &(*link)->next;
    }
    *link = reader->next;
    free(reader);
}

static enum outcome read_changelog(struct reader *reader, int timeout_ms,
                                   struct port_record *records, size_t max, size_t *count,
                                   int64_t *position, struct error *error)
{
    struct broker_fault fault;
    *count = 0;
    enum outcome outcome = broker_gate_consumer(reader->port, CALL_READ, &fault, error);
    if (outcome != OK) {
        return outcome;
    }
    int64_t left_ms = timeout_ms;
    while (!broker_cursor_at_hand(&reader->cursor) && broker_wait(reader->port->broker, &left_ms)) {
    }
    outcome = broker_cursor_check(&reader->cursor, error);
    if (outcome == OK && fault.kind != FAULT_LOSE_REPLY) {
        *count = broker_cursor_take(&reader->cursor, records, max);
    }
    *position = reader->cursor.position;
    outcome = broker_gate_reply(reader->port, &fault, outcome, error);
    if (outcome != OK) {
        broker_records_release(records, *count);
        *count = 0;
    }
    return outcome;
}

static void reader_release(struct reader *reader, struct port_record *records, size_t count)
{
    (void)reader;
    broker_records_release(records, count);
}

/* ---- the instance ---- */

static const struct port_calls calls = {
    .wall_ms = wall_ms,
    .monotonic_us = monotonic_us,
    .poll = broker_consumer_poll,
    .start = broker_consumer_start,
    .stop = broker_consumer_stop,
    .fetch = broker_consumer_fetch,
    .release = broker_consumer_release,
    .header = broker_consumer_header,
    .progress = broker_consumer_progress,
    .committed = broker_consumer_committed,
    .log = broker_consumer_log,
    .producer_open = broker_producer_open,
    .producer_close = broker_producer_close,
    .init = broker_producer_init,
    .begin = broker_producer_begin,
    .send = broker_producer_send,
    .send_offsets = broker_producer_send_offsets,
    .commit = broker_producer_commit,
    .ended = broker_producer_ended,
    .abort = broker_producer_abort,
    .doubts = broker_producer_doubts,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .read = read_changelog,
    .reader_release = reader_release,
};

struct port *broker_port_open(struct broker *broker, const struct client_options *options)
{
    struct broker_port *port = xcalloc(1, sizeof *port);
    *port = (struct broker_port){.port = {&calls},
                                 .broker = broker,
                                 .options = *options,
                                 .generation = -1};
    if (port->options.session_timeout_ms == 0) {
        port->options.session_timeout_ms = 10000;
    }
    if (port->options.transaction_timeout_ms == 0) {
        port->options.transaction_timeout_ms = 60000;
    }
    port->group = broker_group_find(broker, options->application_id);
    broker->port_count++;
    return &port->port;
}

void broker_port_close(struct port *port)
{
    if (!port) {
        return;
    }
    struct broker_port *this = self(port);
    broker_group_silence(this, true);
    while (this->producers) {
        broker_producer_close(this->producers);
    }
    while (this->readers) {
        reader_close(this->readers);
    }
    this->broker->port_count--;
    free(this->assigned);
    free(this->cursors);
    free(this);
}

void broker_port_pause(struct port *port)
{
    self(port)->paused = true;
    broker_group_silence(self(port), true);
}

void broker_port_skew(struct port *port, int64_t ms)
{
    self(port)->skew_ms = ms;
}

void broker_port_crash(struct port *port)
{
    self(port)->crashed = true;
    broker_group_silence(self(port), true);
}

bool broker_port_crashed(const struct port *port)
{
    return ((const struct broker_port *)port)->crashed;
}
