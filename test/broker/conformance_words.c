/* conformance_words.c - the words that the conformance cases are written in. */
#include "broker/conformance_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

struct error case_error;

struct weir_bytes case_bytes(const char *text)
{
    return text ? (struct weir_bytes){(const uint8_t *)text, strlen(text)}
                : (struct weir_bytes){NULL, 0};
}

void expect_result(enum txn_result result, enum txn_result expected)
{
    if (result != expected) {
        fail_msg("got %d instead of %d: %s", (int)result, (int)expected, case_error.text);
    }
}

void expect_outcome(enum outcome outcome, enum outcome expected)
{
    if (outcome != expected) {
        fail_msg("got outcome %d instead of %d: %s", (int)outcome, (int)expected, case_error.text);
    }
}

struct producer *case_producer(struct world *world, struct port *port)
{
    struct producer *producer = NULL;
    expect_outcome(port->calls->producer_open(port, world->id, &producer, &case_error), OK);
    return producer;
}

struct producer *case_ready(struct world *world, struct port *port)
{
    struct producer *new = case_producer(world, port);
    expect_result(port->calls->init(new, world->patience_ms, &case_error), TXN_DONE);
    return new;
}

struct producer *case_begun(struct world *world, struct port *port)
{
    struct producer *new = case_ready(world, port);
    expect_result(port->calls->begin(new, &case_error), TXN_DONE);
    return new;
}

enum txn_result case_send(struct port *port, struct producer *producer, const char *topic,
                          const char *value)
{
    return port->calls->send(producer, topic, 0, case_bytes("key"), case_bytes(value), NULL, 0,
                             NULL, &case_error);
}

enum txn_result case_send_offset(struct world *world, struct port *port, struct producer *producer,
                                 int64_t offset, const char *metadata)
{
    struct port_offset offsets = {.topic = world->input, .offset = offset};
    snprintf(offsets.metadata, sizeof offsets.metadata, "%s", metadata);
    return port_wait(port, producer,
                     port->calls->send_offsets(producer, &offsets, 1, 0, world->patience_ms,
                                               &case_error),
                     &case_error);
}

enum txn_result case_commit(struct world *world, struct port *port, struct producer *producer)
{
    return port_wait(port, producer, port->calls->commit(producer, world->patience_ms, &case_error),
                     &case_error);
}

void case_transact(struct world *world, struct port *port, struct producer *producer,
                   const char *value, int64_t offset)
{
    expect_result(port->calls->begin(producer, &case_error), TXN_DONE);
    expect_result(case_send(port, producer, world->output, value), TXN_DONE);
    expect_result(case_send_offset(world, port, producer, offset, value), TXN_DONE);
    expect_result(case_commit(world, port, producer), TXN_DONE);
}

static enum outcome read_offset(struct world *world, struct port *port, struct port_offset *offset)
{
    return port->calls->committed(port, &world->input, 1, 0, world->patience_ms, offset,
                                  &case_error);
}

void expect_offset(struct world *world, struct port *port, int64_t offset, const char *metadata)
{
    struct port_offset at;
    expect_outcome(read_offset(world, port, &at), OK);
    assert_int_equal(at.offset, offset);
    assert_string_equal(at.metadata, metadata);
}

int64_t expect_values(struct port *port, const char *topic, int64_t from, const char *expected)
{
    struct port_log log;
    expect_outcome(port->calls->log(port, topic, 0, 5000, &log, &case_error), OK);
    struct reader *reader = NULL;
    expect_outcome(port->calls->reader_open(port, topic, 0, from, &reader, &case_error), OK);
    char got[256] = "";
    int64_t position = from;
    for (int round = 0; position < log.stable && round < 100; round++) {
        struct port_record records[3];
        size_t count = 0;
        expect_outcome(port->calls->read(reader, 100, records, 3, &count, &position, &case_error),
                       OK);
        for (size_t i = 0; i < count; i++) {
            size_t used = strlen(got);
            snprintf(got + used, sizeof got - used, "%s%.*s", used > 0 ? " " : "",
                     (int)records[i].value.size, (const char *)records[i].value.data);
        }
        port->calls->reader_release(reader, records, count);
    }
    port->calls->reader_close(reader);
    assert_string_equal(got, expected);
    return position;
}

void case_fault(struct world *world, enum broker_call call, enum broker_fault_kind kind,
                enum broker_stray stray)
{
    world->fault(world,
                 &(struct broker_fault){.call = call, .nth = 1, .kind = kind, .stray = stray});
}

struct port *case_instance(struct world *world)
{
    struct port *port = world->open(world, NULL, 0, NULL);
    expect_outcome(port->calls->poll(port, 0, &case_error), OK);
    return port;
}

void case_settle(struct world *world, struct port *const *ports, size_t count)
{
    for (int waited_ms = 0; waited_ms <= world->patience_ms; waited_ms += 50) {
        for (size_t i = 0; i < count; i++) {
            expect_outcome(ports[i]->calls->poll(ports[i], 10, &case_error), OK);
        }
        world->sleep(world, 50);
    }
}
