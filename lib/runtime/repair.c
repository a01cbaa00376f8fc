/* repair.c - fences a task and commits once in its place. */
#include "runtime/repair.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "codec/codec.h"
#include "runtime/metadata.h"

enum { INIT_SLICE_MS = 1000, NAME_BYTES = 300 };

void repair_incarnation(char incarnation[33])
{
    unsigned char bytes[16];
    CHECK_EQUAL(getrandom(bytes, sizeof bytes, 0), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(incarnation + 2 * i, 3, "%02x", bytes[i]);
    }
}

static enum outcome taken_over(const char *transactional_id, struct error *error)
{
    return fail_exit(error, EXIT_TRY_AGAIN,
                     "%s: another process has taken the task over; stop what runs it (and what "
                     "starts it again), then try again",
                     transactional_id);
}

enum outcome repair_fence(struct port *port, const char *application_id, int32_t partition,
                          int timeout_ms, struct producer **producer, struct error *error)
{
    char id[NAME_BYTES];
    snprintf(id, sizeof id, "%s.p%d", application_id, (int)partition);
    struct producer *opened;
    enum outcome outcome = port->calls->producer_open(port, id, &opened, error);
    if (outcome != OK) {
        return outcome;
    }
    int64_t deadline_us = port->calls->monotonic_us(port) + (int64_t)timeout_ms * 1000;
    outcome = RETRY;
    while (outcome == RETRY) {
        switch (port->calls->init(opened, INIT_SLICE_MS, error)) {
        case TXN_DONE:
            *producer = opened;
            return OK;
        case TXN_FENCED:
            outcome = taken_over(id, error);
            break;
        case TXN_DOUBT:
        case TXN_ABORT:
        case TXN_MOVED:
        case TXN_UNDER_WAY:
            if (port->calls->monotonic_us(port) >= deadline_us) {
                error_prefix(error, "%s cannot be initialised", id);
                port->calls->producer_close(opened);
                return RETRY;
            }
            break;
        }
    }
    port->calls->producer_close(opened);
    return outcome;
}

static enum txn_result send_rows(struct port *port, struct producer *producer,
                                 const struct repair *repair, const char *changelog,
                                 struct error *error)
{
    enum txn_result result = TXN_DONE;
    for (size_t i = 0; repair->rows && i < repair->rows->count && result == TXN_DONE; i++) {
        const struct write_entry *entry = &repair->rows->entries[i];
        result = port->calls->send(producer, changelog, repair->partition, entry->key, entry->value,
                                   NULL, 0, NULL, error);
    }
    return result;
}

static enum txn_result send_checkpoint(struct port *port, struct producer *producer,
                                       const struct repair *repair, const char *changelog,
                                       const char *history, struct error *error)
{
    struct buffer value;
    buffer_init(&value);
    codec_encode(&checkpoint_record, &repair->checkpoint, &value);
    struct weir_bytes key = {(const uint8_t *)CHECKPOINT_KEY, strlen(CHECKPOINT_KEY)};
    struct weir_bytes bytes = {value.data, value.size};
    enum txn_result result =
        port->calls->send(producer, history, repair->partition, key, bytes, NULL, 0, NULL, error);
    if (result == TXN_DONE) {
        result = port->calls->send(producer, changelog, repair->partition, key, bytes, NULL, 0,
                                   NULL, error);
    }
    buffer_release(&value);
    return result;
}

static enum txn_result send_offsets(struct port *port, struct producer *producer,
                                    const struct repair *repair, struct error *error)
{
    const struct checkpoint *checkpoint = &repair->checkpoint;
    struct port_offset offsets[WEIR_LIST_MAX];
    CHECK(checkpoint->inputs.count > 0 && checkpoint->inputs.count <= WEIR_LIST_MAX);
    for (size_t i = 0; i < checkpoint->inputs.count; i++) {
        const struct input_range *range = &checkpoint->inputs.items[i];
        offsets[i] = (struct port_offset){.topic = range->topic, .offset = range->next_offset};
        metadata_write(checkpoint->commit_number, checkpoint->incarnation, offsets[i].offset,
                       offsets[i].metadata);
    }
    enum txn_result result =
        port->calls->send_offsets(producer, offsets, checkpoint->inputs.count, repair->partition,
                                  repair->timeout_ms, error);
    return port_wait(port, producer, result, error);
}

enum outcome repair_commit(struct port *port, struct producer *producer,
                           const struct repair *repair, struct error *error)
{
    char changelog[NAME_BYTES], history[NAME_BYTES], id[NAME_BYTES];
    snprintf(changelog, sizeof changelog, "%s.changelog", repair->application_id);
    snprintf(history, sizeof history, "%s.history", repair->application_id);
    snprintf(id, sizeof id, "%s.p%d", repair->application_id, (int)repair->partition);

    enum txn_result result = port->calls->begin(producer, error);
    bool begun = result == TXN_DONE, ending = false;
    if (begun) {
        result = send_rows(port, producer, repair, changelog, error);
    }
    if (begun && result == TXN_DONE) {
        result = send_checkpoint(port, producer, repair, changelog, history, error);
    }
    if (begun && result == TXN_DONE) {
        result = send_offsets(port, producer, repair, error);
    }
    if (begun && result == TXN_DONE) {
        ending = true;
        result = port_wait(port, producer, port->calls->commit(producer, repair->timeout_ms, error),
                           error);
    }
    if (result == TXN_DONE) {
        return OK;
    }
    if (result == TXN_FENCED) {
        return taken_over(id, error);
    }
    struct error ignored; /* what is left open ends with the next owner's init, or its time-out */
    if (begun && (!ending || result == TXN_ABORT)) {
        (void)port->calls->abort(producer, repair->timeout_ms, &ignored);
    }
    if (ending && result == TXN_DOUBT) {
        return fail_exit(error, EXIT_TRY_AGAIN,
                         "%s: the answer to the commit got lost, so it may or may not be done; run "
                         "the same command again: it asks first, and does it only if need be",
                         id);
    }
    error_prefix(error, "%s: nothing was changed", id);
    error->exit_code = EXIT_TRY_AGAIN;
    return FATAL;
}
