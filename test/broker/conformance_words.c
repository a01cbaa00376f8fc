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

void case_transact_to(struct world *world, struct port *port, struct producer *producer,
                      const char *topic, const char *value, int64_t offset)
{
    expect_result(port->calls->begin(producer, &case_error), TXN_DONE);
    expect_result(case_send(port, producer, topic, value), TXN_DONE);
    expect_result(case_send_offset(world, port, producer, offset, value), TXN_DONE);
    expect_result(case_commit(world, port, producer), TXN_DONE);
}

void case_transact(struct world *world, struct port *port, struct producer *producer,
                   const char *value, int64_t offset)
{
    case_transact_to(world, port, producer, world->output, value, offset);
}

void case_offset(struct world *world, struct port *port, struct port_offset *offset)
{
    expect_outcome(port->calls->committed(port, &world->input, 1, 0, world->patience_ms, offset,
                                          &case_error),
                   OK);
}

void expect_offset(struct world *world, struct port *port, int64_t offset, const char *metadata)
{
    struct port_offset at;
    case_offset(world, port, &at);
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

void expect_unstable(struct world *world, struct port *port)
{
    struct port_offset offset;
    expect_outcome(port->calls->committed(port, &world->input, 1, 0, 300, &offset, &case_error),
                   RETRY);
}

void expect_high(struct world *world, struct port *port, const char *topic, int64_t high)
{
    struct port_log log = {0};
    for (int waited_ms = 0; log.high < high && waited_ms <= world->patience_ms; waited_ms += 10) {
        world->sleep(world, 10);
        expect_outcome(port->calls->log(port, topic, 0, 5000, &log, &case_error), OK);
    }
    assert_int_equal(log.high, high);
}

void expect_stable(struct world *world, struct port *port, const char *topic)
{
    struct port_log log = {.high = 1};
    for (int waited_ms = 0; log.stable < log.high && waited_ms <= world->patience_ms;
         waited_ms += 10) {
        world->sleep(world, 10);
        expect_outcome(port->calls->log(port, topic, 0, 5000, &log, &case_error), OK);
    }
    assert_int_equal(log.stable, log.high);
}

static void fault(struct world *world, enum broker_call call, enum broker_fault_kind kind,
                  enum broker_stray stray)
{
    world->fault(world,
                 &(struct broker_fault){.call = call, .nth = 1, .kind = kind, .stray = stray});
}

void case_fault(struct world *world, enum broker_call call, enum broker_fault_kind kind)
{
    fault(world, call, kind, STRAY_NONE);
}

void case_keep(struct world *world, enum broker_call call, enum broker_fault_kind kind)
{
    fault(world, call, kind, STRAY_BY_HAND);
}

void case_arrives(struct world *world, enum answer answer)
{
    assert_int_equal(world->arrive(world), answer);
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
            enum outcome outcome = ports[i]->calls->poll(ports[i], 10, &case_error);
            expect_outcome(outcome,
                           outcome == RETRY ? RETRY : OK); /* told of a broken connection */
        }
        world->sleep(world, 50);
    }
}
