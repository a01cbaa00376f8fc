/* producer.c - struct port_calls on the broker in memory: a task's transactional producer.
 *
 * It behaves as librdkafka's: send() queues, and what the broker refused shows in a later call;
 * requests that were lost on the way are repeated silently and counted in doubts(); a transaction
 * without a request is committed without one.
 *
 * `broken` is what the broker's answer has made of this transaction; TXN_FENCED and TXN_DOUBT (its
 * sequence numbers are out of step) are for ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "broker/producer.h"

/* ---- answers ---- */

enum txn_result broker_producer_told(struct error *error, enum txn_result result,
                                     enum broker_call call, const char *what)
{
    (void)fail(error, result == TXN_FENCED ? FATAL : ABORT, "%s: %s", broker_call_name(call), what);
    error->exit_code = result == TXN_FENCED ? EXIT_TRY_AGAIN : EXIT_BUG;
    return result;
}

static enum txn_result result_of(enum broker_call call, enum broker_code code)
{
    switch (code) {
    case CODE_NONE:
        return TXN_DONE;
    case CODE_INVALID_EPOCH:
        return TXN_FENCED;
    case CODE_FENCED_INSTANCE:
    case CODE_ILLEGAL_GENERATION:
    case CODE_UNKNOWN_MEMBER:
        return TXN_MOVED;
    case CODE_CONCURRENT:
    case CODE_OUT_OF_ORDER:
        return TXN_DOUBT;
    case CODE_TIMED_OUT: /* offsets that nobody answered are known not to be committed */
        return call == CALL_SEND_OFFSETS ? TXN_ABORT : TXN_DOUBT;
    case CODE_INVALID_STATE:
        return call == CALL_COMMIT || call == CALL_ABORT ? TXN_DOUBT : TXN_ABORT;
    case CODE_UNKNOWN_TOPIC:
    case CODE_DUPLICATE_SEQUENCE:
    case CODE_INVALID_RECORD:
        return TXN_ABORT;
    }
    return TXN_ABORT;
}

enum txn_result broker_producer_answered(struct producer *producer, enum broker_call call,
                                         enum broker_code code, struct error *error)
{
    enum txn_result result = result_of(call, code);
    if (result == TXN_DONE) {
        return TXN_DONE;
    }
    if (result == TXN_FENCED || code == CODE_OUT_OF_ORDER) {
        producer->broken = result;
    } else if (result != TXN_DOUBT && producer->broken == TXN_DONE) {
        producer->broken = TXN_ABORT;
    }
    char text[64];
    snprintf(text, sizeof text, "the broker answered with error %d", (int)code);
    return broker_producer_told(error, result, call, text);
}

enum txn_result broker_producer_gate(struct producer *producer, enum broker_call call,
                                     struct broker_fault *fault, struct error *error)
{
    if (!broker_gate(producer->port, call, producer->txn->id, fault)) {
        return broker_producer_told(error, TXN_FENCED, call,
                                    "this instance has crashed (by the test's fault schedule)");
    }
    if (fault->kind == FAULT_FAIL) {
        if (fault->result == TXN_FENCED || fault->result == TXN_ABORT) {
            producer->broken = fault->result;
        }
        return broker_producer_told(error, fault->result, call,
                                    "fails by the test's fault schedule");
    }
    if (fault->kind == FAULT_LOSE_REQUEST || fault->kind == FAULT_LOSE_REPLY ||
        fault->kind == FAULT_HIDDEN_RETRY) {
        producer->doubts++;
    }
    switch (producer->broken) {
    case TXN_FENCED:
        return broker_producer_told(error, TXN_FENCED, call,
                                    "another owner has this transactional id");
    case TXN_DOUBT:
        return broker_producer_told(error, TXN_DOUBT, call, "this client cannot go on");
    case TXN_DONE:
    case TXN_ABORT:
    case TXN_MOVED:
    case TXN_UNDER_WAY:
        break;
    }
    return TXN_DONE;
}

enum txn_result broker_producer_gate_after(struct producer *producer,
                                           const struct broker_fault *fault, enum txn_result result,
                                           struct error *error)
{
    if (!broker_gate_after(producer->port, fault)) {
        return broker_producer_told(error, TXN_FENCED, fault->call,
                                    "this instance has crashed (by the test's fault schedule)");
    }
    return result;
}

struct broker_request broker_producer_request(const struct producer *producer,
                                              enum broker_request_kind kind)
{
    return (struct broker_request){.kind = kind,
                                   .txn = producer->txn,
                                   .producer_id = producer->producer_id,
                                   .epoch = producer->epoch};
}

enum broker_code broker_producer_exchange(struct producer *producer,
                                          const struct broker_request *request,
                                          const struct broker_fault *fault, int64_t *offset)
{
    struct broker *broker = producer->port->broker;
    producer->used = true;
    if (fault->stray != STRAY_NONE) {
        broker_stray_keep(broker, request, fault->stray);
    }
    if (fault->kind == FAULT_LOSE_REQUEST) {
        return CODE_TIMED_OUT;
    }
    enum broker_code code = broker_handle(broker, request, offset);
    return fault->kind == FAULT_LOSE_REPLY ? CODE_TIMED_OUT : code;
}

/* ---- open, init, begin ---- */

enum outcome broker_producer_open(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error)
{
    struct broker_port *this = (struct broker_port *)port;
    struct broker_fault fault;
    enum outcome outcome = broker_gate_consumer(this, CALL_PRODUCER_OPEN, &fault, error);
    if (outcome == OK) {
        outcome = broker_gate_reply(this, &fault, OK, error);
    }
    if (outcome != OK) {
        return outcome;
    }
    *producer = xcalloc(1, sizeof **producer);
    **producer = (struct producer){.port = this,
                                   .txn = broker_txn_find(this->broker, transactional_id),
                                   .next = this->producers};
    this->producers = *producer;
    return OK;
}

void broker_producer_close(struct producer *producer)
{
    if (!producer) {
        return;
    }
    struct producer **link = &producer->port->producers;
    while (*link != producer) {
        link = &(*link)->next;
    }
    *link = producer->next;
    broker_producer_forget_items(producer);
    free(producer->items);
    free(producer->targets);
    free(producer);
}

/* InitProducerId. Over an open transaction the client's fixed timer makes it half a second (when
 * time may pass at all). */
static enum broker_code take_id(struct producer *producer, int64_t left_ms)
{
    enum { CLIENT_TIMER_MS = 500 };
    struct broker *broker = producer->port->broker;
    struct broker_txn *txn = producer->txn;
    int64_t timeout_ms = producer->port->options.transaction_timeout_ms;
    enum broker_code code = broker_txn_init(broker, txn, timeout_ms);
    while (code == CODE_CONCURRENT && broker->auto_advance && left_ms > 0) {
        int64_t step = left_ms < CLIENT_TIMER_MS ? left_ms : CLIENT_TIMER_MS;
        broker_advance(broker, step);
        left_ms -= step;
        code = broker_txn_init(broker, txn, timeout_ms);
    }
    if (code == CODE_CONCURRENT && !broker->auto_advance) {
        code = broker_txn_init(broker, txn, timeout_ms);
    }
    if (code == CODE_NONE) {
        producer->producer_id = txn->producer_id;
        producer->epoch = txn->epoch;
        producer->target_count = 0;
    }
    return code;
}

enum txn_result broker_producer_init(struct producer *producer, int timeout_ms, struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_INIT, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    CHECK(!producer->begun);
    enum broker_code code =
        fault.kind == FAULT_LOSE_REQUEST ? CODE_TIMED_OUT : take_id(producer, timeout_ms);
    if (fault.kind == FAULT_LOSE_REPLY && code == CODE_NONE) {
        code = CODE_TIMED_OUT;
    }
    producer->ready = code == CODE_NONE;
    return broker_producer_gate_after(producer, &fault,
                                      broker_producer_answered(producer, CALL_INIT, code, error),
                                      error);
}

enum txn_result broker_producer_begin(struct producer *producer, struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_BEGIN, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    CHECK(producer->ready && !producer->begun);
    const struct broker_port *port = producer->port;
    producer->identity = broker_group_identity(port);
    if (port->options.instance_id && (port->member == 0 || port->generation < 0)) {
        return broker_producer_told(error, TXN_MOVED, CALL_BEGIN,
                                    "this instance is not a member of its group now");
    }
    producer->begun = true;
    producer->used = false;
    producer->broken = TXN_DONE;
    producer->doubts = 0;
    producer->txn->begun++;
    for (size_t i = 0; i < producer->target_count; i++) {
        producer->targets[i].added = false;
    }
    return broker_producer_gate_after(producer, &fault, TXN_DONE, error);
}

/* ---- offsets ---- */

static enum txn_result add_offsets(struct producer *producer, int64_t *left_ms, struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_ADD_OFFSETS, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    struct broker_request request = broker_producer_request(producer, REQUEST_ADD_OFFSETS);
    request.group = producer->port->group;
    enum broker_code code =
        broker_producer_exchange(producer, &request, &(struct broker_fault){.stray = fault.stray},
                                 NULL);
    while (code == CODE_CONCURRENT && broker_wait(producer->port->broker, left_ms)) {
        code = broker_handle(producer->port->broker, &request, NULL);
    }
    return broker_producer_gate_after(
        producer, &fault, broker_producer_answered(producer, CALL_ADD_OFFSETS, code, error), error);
}

static enum broker_code commit_offsets(struct producer *producer, const struct port_offset *offsets,
                                       size_t count, int32_t partition,
                                       const struct broker_fault *fault)
{
    struct broker *broker = producer->port->broker;
    struct broker_request request = broker_producer_request(producer, REQUEST_OFFSETS);
    request.group = producer->port->group;
    request.identity = producer->identity;
    request.offsets = xcalloc(count, sizeof *request.offsets);
    enum broker_code code = CODE_NONE;
    for (size_t i = 0; i < count && code == CODE_NONE; i++) {
        struct broker_partition *log = broker_partition_find(broker, offsets[i].topic, partition);
        struct broker_committed *held = &request.offsets[request.offset_count];
        if (!log) {
            code = CODE_UNKNOWN_TOPIC;
        } else {
            *held = (struct broker_committed){.topic = log->topic,
                                              .partition = partition,
                                              .offset = offsets[i].offset};
            memcpy(held->metadata, offsets[i].metadata, sizeof held->metadata);
            request.offset_count++;
        }
    }
    if (code == CODE_NONE) {
        code = broker_producer_exchange(producer, &request, fault, NULL);
    }
    free(request.offsets);
    return code;
}

enum txn_result broker_producer_offsets_now(struct producer *producer,
                                            const struct port_offset *offsets, size_t count,
                                            int32_t partition, int timeout_ms, struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_SEND_OFFSETS, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    CHECK(producer->begun);
    if (producer->broken != TXN_DONE) {
        return broker_producer_told(error, producer->broken, CALL_SEND_OFFSETS,
                                    "this transaction has failed already");
    }
    int64_t left_ms = timeout_ms;
    result = broker_producer_flush(producer, &left_ms, error);
    if (result == TXN_DONE) {
        broker_strays_arrive(producer->port->broker, producer->txn, STRAY_BEFORE_OFFSETS);
        result = add_offsets(producer, &left_ms, error);
    }
    if (result == TXN_DONE) {
        enum broker_code code = commit_offsets(producer, offsets, count, partition, &fault);
        result = broker_producer_answered(producer, CALL_SEND_OFFSETS, code, error);
        broker_strays_arrive(producer->port->broker, producer->txn, STRAY_AFTER_OFFSETS);
    }
    return broker_producer_gate_after(producer, &fault, result, error);
}

/* ---- commit, abort ---- */

static enum broker_code end(struct producer *producer, bool commit,
                            const struct broker_fault *fault, int64_t *left_ms)
{
    if (!producer->used) {
        return CODE_NONE;
    }
    struct broker_request request = broker_producer_request(producer, REQUEST_END);
    request.commit = commit;
    enum broker_code code = broker_producer_exchange(producer, &request, fault, NULL);
    while (code == CODE_CONCURRENT && broker_wait(producer->port->broker, left_ms)) {
        code = broker_handle(producer->port->broker, &request, NULL);
    }
    return code;
}

enum txn_result broker_producer_commit_now(struct producer *producer, int timeout_ms,
                                           struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_COMMIT, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    CHECK(producer->begun);
    int64_t left_ms = timeout_ms;
    result = broker_producer_flush(producer, &left_ms, error);
    if (result == TXN_DONE) {
        result = broker_producer_answered(producer, CALL_COMMIT,
                                          end(producer, true, &fault, &left_ms), error);
    } else {
        (void)broker_producer_told(error, result, CALL_COMMIT,
                                   "this transaction has failed already");
    }
    if (result == TXN_DONE) {
        broker_producer_fill_deliveries(producer);
        broker_producer_forget_items(producer);
        producer->begun = false;
    }
    return broker_producer_gate_after(producer, &fault, result, error);
}

enum txn_result broker_producer_abort(struct producer *producer, int timeout_ms,
                                      struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_ABORT, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    CHECK(producer->begun);
    /* Records that never arrived leave a gap in the sequence: then the client asks for a new epoch.
     */
    bool gap = producer->sent_count < producer->item_count;
    broker_producer_forget_items(producer);
    int64_t left_ms = timeout_ms;
    enum broker_code code = end(producer, false, &fault, &left_ms);
    if (code == CODE_NONE &&
        gap) { /* it shows its present epoch (KIP-360): a fenced one gets none */
        bool current = producer->producer_id == producer->txn->producer_id &&
                       producer->epoch == producer->txn->epoch;
        code = current ? take_id(producer, left_ms) : CODE_INVALID_EPOCH;
    }
    result = broker_producer_answered(producer, CALL_ABORT, code, error);
    if (result == TXN_DONE) {
        producer->begun = false;
        producer->broken = TXN_DONE;
    }
    return broker_producer_gate_after(producer, &fault, result, error);
}

unsigned broker_producer_doubts(struct producer *producer)
{
    return producer->doubts;
}
