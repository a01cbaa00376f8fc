/* port.c - see port.h. Only what concerns owners, offsets and ends of logs is written down; records
 * pass by.
 */
#include "trace/port.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

enum { LINE_MAX_BYTES = 4096 };

struct traced {
    struct port port; /* first */
    struct port_calls calls;
    struct port *inner;
    char *application_id;
    int out;
    unsigned long number;
};

struct producer {
    struct traced *traced;
    struct producer *inner;
    unsigned long number;
    const char *under_way;
};

static unsigned long numbers; /* of ports and producers in this process */

static struct traced *self(struct port *port)
{
    return (struct traced *)port;
}

__attribute__((format(printf, 3, 4))) static void say(const struct traced *traced,
                                                      unsigned long producer, const char *format,
                                                      ...)
{
    char line[LINE_MAX_BYTES];
    int64_t now_us = traced->inner->calls->monotonic_us(traced->inner);
    int size = snprintf(line, sizeof line, "%" PRId64 " %d.%lu.%lu ", now_us, (int)getpid(),
                        traced->number, producer);
    va_list args;
    va_start(args, format);
    size += vsnprintf(line + size, sizeof line - (size_t)size - 1, format, args);
    va_end(args);
    size = size < LINE_MAX_BYTES - 1 ? size : LINE_MAX_BYTES - 2;
    line[size++] = '\n';
    CHECK_EQUAL(write(traced->out, line, (size_t)size), size);
}

static const char *result_name(enum txn_result result)
{
    switch (result) {
    case TXN_DONE:
        return "DONE";
    case TXN_ABORT:
        return "ABORT";
    case TXN_DOUBT:
        return "DOUBT";
    case TXN_FENCED:
        return "FENCED";
    case TXN_MOVED:
        return "MOVED";
    case TXN_UNDER_WAY:
        return "UNDER_WAY";
    }
    return "?";
}

static void write_value(const struct port_offset *offsets, size_t count, char *value, size_t room)
{
    bool any = false;
    size_t size = 0;
    value[0] = 0;
    for (size_t i = 0; i < count && size < room; i++) {
        any |= offsets[i].offset >= 0;
        size += (size_t)snprintf(value + size, room - size, "%s%s:%" PRId64 ":%s", i > 0 ? "," : "",
                                 offsets[i].topic, offsets[i].offset, offsets[i].metadata);
    }
    for (char *at = value; *at; at++) {
        *at = *at == ' ' ? '_' : *at;
    }
    if (!any) {
        snprintf(value, room, "none");
    }
}

/* ---- the consumer ---- */

static int64_t wall_ms(struct port *port)
{
    return self(port)->inner->calls->wall_ms(self(port)->inner);
}

static int64_t monotonic_us(struct port *port)
{
    return self(port)->inner->calls->monotonic_us(self(port)->inner);
}

static enum outcome poll_port(struct port *port, int timeout_ms, struct error *error)
{
    return self(port)->inner->calls->poll(self(port)->inner, timeout_ms, error);
}

static enum outcome start(struct port *port, const char *topic, int32_t partition, int64_t offset,
                          struct error *error)
{
    return self(port)->inner->calls->start(self(port)->inner, topic, partition, offset, error);
}

static enum outcome stop(struct port *port, const char *topic, int32_t partition,
                         struct error *error)
{
    return self(port)->inner->calls->stop(self(port)->inner, topic, partition, error);
}

static enum outcome fetch(struct port *port, const char *topic, int32_t partition,
                          struct port_record *records, size_t max, size_t *count,
                          struct error *error)
{
    return self(port)->inner->calls->fetch(self(port)->inner, topic, partition, records, max, count,
                                           error);
}

static void release(struct port *port, struct port_record *records, size_t count)
{
    self(port)->inner->calls->release(self(port)->inner, records, count);
}

static bool header(struct port *port, const struct port_record *record, size_t index,
                   struct port_header *found)
{
    return self(port)->inner->calls->header(self(port)->inner, record, index, found);
}

static bool progress(struct port *port, const char *topic, int32_t partition, int64_t *position,
                     int64_t *high)
{
    return self(port)->inner->calls->progress(self(port)->inner, topic, partition, position, high);
}

static enum outcome committed(struct port *port, const char *const *topics, size_t count,
                              int32_t partition, int timeout_ms, struct port_offset *offsets,
                              struct error *error)
{
    struct traced *traced = self(port);
    char value[LINE_MAX_BYTES - 200];
    say(traced, 0, "committed %s.p%" PRId32, traced->application_id, partition);
    enum outcome outcome = traced->inner->calls->committed(traced->inner, topics, count, partition,
                                                           timeout_ms, offsets, error);
    if (outcome == OK) {
        write_value(offsets, count, value, sizeof value);
        say(traced, 0, "committed=OK %s", value);
    } else {
        say(traced, 0, "committed=RETRY");
    }
    return outcome;
}

static enum outcome log_ends(struct port *port, const char *topic, int32_t partition,
                             int timeout_ms, struct port_log *log, struct error *error)
{
    struct traced *traced = self(port);
    say(traced, 0, "log %s/%" PRId32, topic, partition);
    enum outcome outcome =
        traced->inner->calls->log(traced->inner, topic, partition, timeout_ms, log, error);
    if (outcome == OK) {
        say(traced, 0, "log=OK %" PRId64 " %" PRId64 " %" PRId64, log->low, log->stable, log->high);
    } else {
        say(traced, 0, "log=RETRY");
    }
    return outcome;
}

static enum outcome reader_open(struct port *port, const char *topic, int32_t partition,
                                int64_t offset, struct reader **reader, struct error *error)
{
    return self(port)->inner->calls->reader_open(self(port)->inner, topic, partition, offset,
                                                 reader, error);
}

/* ---- producers ---- */

static enum outcome producer_open(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error)
{
    struct traced *traced = self(port);
    struct producer *inner = NULL;
    enum outcome outcome =
        traced->inner->calls->producer_open(traced->inner, transactional_id, &inner, error);
    if (outcome == OK) {
        *producer = xcalloc(1, sizeof **producer);
        **producer = (struct producer){traced, inner, ++numbers, NULL};
        say(traced, (*producer)->number, "open %s", transactional_id);
    }
    return outcome;
}

static void producer_close(struct producer *producer)
{
    if (producer) {
        producer->traced->inner->calls->producer_close(producer->inner);
        free(producer);
    }
}

static void ask(const struct producer *producer, const char *call)
{
    say(producer->traced, producer->number, "%s", call);
}

static enum txn_result answered(const struct producer *producer, const char *call,
                                enum txn_result result)
{
    say(producer->traced, producer->number, "%s=%s", call, result_name(result));
    return result;
}

static enum txn_result init(struct producer *producer, int timeout_ms, struct error *error)
{
    ask(producer, "init");
    return answered(producer, "init",
                    producer->traced->inner->calls->init(producer->inner, timeout_ms, error));
}

static enum txn_result begin(struct producer *producer, struct error *error)
{
    enum txn_result result = producer->traced->inner->calls->begin(producer->inner, error);
    return result == TXN_DONE ? result : answered(producer, "begin", result);
}

static enum txn_result send(struct producer *producer, const char *topic, int32_t partition,
                            struct weir_bytes key, struct weir_bytes value,
                            const struct port_header *headers, size_t header_count,
                            struct port_delivery *delivery, struct error *error)
{
    enum txn_result result =
        producer->traced->inner->calls->send(producer->inner, topic, partition, key, value, headers,
                                             header_count, delivery, error);
    return result == TXN_DONE ? result : answered(producer, "send", result);
}

static enum txn_result went(struct producer *producer, const char *call, enum txn_result result)
{
    producer->under_way = result == TXN_UNDER_WAY ? call : NULL;
    return result == TXN_UNDER_WAY ? result : answered(producer, call, result);
}

static enum txn_result send_offsets(struct producer *producer, const struct port_offset *offsets,
                                    size_t count, int32_t partition, int timeout_ms,
                                    struct error *error)
{
    char value[LINE_MAX_BYTES - 200];
    write_value(offsets, count, value, sizeof value);
    say(producer->traced, producer->number, "offsets %s", value);
    return went(producer, "offsets",
                producer->traced->inner->calls->send_offsets(producer->inner, offsets, count,
                                                             partition, timeout_ms, error));
}

static enum txn_result commit(struct producer *producer, int timeout_ms, struct error *error)
{
    ask(producer, "commit");
    return went(producer, "commit",
                producer->traced->inner->calls->commit(producer->inner, timeout_ms, error));
}

static enum txn_result ended(struct producer *producer, int timeout_ms, struct error *error)
{
    return went(producer, producer->under_way,
                producer->traced->inner->calls->ended(producer->inner, timeout_ms, error));
}

static enum txn_result abort_transaction(struct producer *producer, int timeout_ms,
                                         struct error *error)
{
    ask(producer, "abort");
    return answered(producer, "abort",
                    producer->traced->inner->calls->abort(producer->inner, timeout_ms, error));
}

static unsigned doubts(struct producer *producer)
{
    return producer->traced->inner->calls->doubts(producer->inner);
}

/* ---- life ---- */

struct port *trace_port(struct port *inner, const char *application_id, int out)
{
    struct traced *traced = xcalloc(1, sizeof *traced);
    traced->calls = *inner->calls; /* readers know their own port */
    traced->calls.wall_ms = wall_ms;
    traced->calls.monotonic_us = monotonic_us;
    traced->calls.poll = poll_port;
    traced->calls.start = start;
    traced->calls.stop = stop;
    traced->calls.fetch = fetch;
    traced->calls.release = release;
    traced->calls.header = header;
    traced->calls.progress = progress;
    traced->calls.committed = committed;
    traced->calls.log = log_ends;
    traced->calls.producer_open = producer_open;
    traced->calls.producer_close = producer_close;
    traced->calls.init = init;
    traced->calls.begin = begin;
    traced->calls.send = send;
    traced->calls.send_offsets = send_offsets;
    traced->calls.commit = commit;
    traced->calls.ended = ended;
    traced->calls.abort = abort_transaction;
    traced->calls.doubts = doubts;
    traced->calls.reader_open = reader_open;
    traced->port.calls = &traced->calls;
    traced->inner = inner;
    traced->application_id = xstrdup(application_id);
    traced->out = out;
    traced->number = ++numbers;
    return &traced->port;
}

struct port *trace_unwrap(struct port *port)
{
    struct traced *traced = self(port);
    struct port *inner = traced ? traced->inner : NULL;
    if (traced) {
        free(traced->application_id);
        free(traced);
    }
    return inner;
}
