/* producer.c - a task's producer: its life, its records on their way out, and the eye on failed
 * requests.
 *
 * librdkafka repeats transactional requests silently, and a stray one can end or alter the next
 * transaction. An interceptor counts every such request whose answer did not come; the protocol
 * fences before the next begin when there was one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/testpoint.h"
#include "kafka/producer.h"

enum {
    SERVE_EVERY = 1000,
    FULL_QUEUE_MS = 5000,
    FULL_QUEUE_STEP_MS = 5,
    ANSWERS_MS = 300,
    ANSWERS_STEP_MS = 5,
    SLOT_BITS = 20
};

enum {
    API_PRODUCE = 0,
    API_INIT_PRODUCER_ID = 22,
    API_ADD_PARTITIONS_TO_TXN = 24,
    API_ADD_OFFSETS_TO_TXN = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,
};

/* ---- failed requests ---- */

/* On librdkafka's threads. Called twice for an answer that waited in a queue, so failures are
 * counted, not answers. */
static rd_kafka_resp_err_t on_response(rd_kafka_t *handle, int socket, const char *broker,
                                       int32_t broker_id, int16_t api, int16_t version, int32_t id,
                                       size_t size, int64_t rtt_us, rd_kafka_resp_err_t code,
                                       void *opaque)
{
    struct producer *producer = opaque;
    if (code &&
        (api == API_PRODUCE || api == API_INIT_PRODUCER_ID || api == API_ADD_PARTITIONS_TO_TXN ||
         api == API_ADD_OFFSETS_TO_TXN || api == API_END_TXN || api == API_TXN_OFFSET_COMMIT)) {
        atomic_fetch_add(&producer->failed_requests, 1);
    }
    if (!code && api == API_INIT_PRODUCER_ID) {
        atomic_store(&producer->init_under_way, false);
    }
    (void)handle, (void)socket, (void)broker, (void)broker_id;
    (void)version, (void)id, (void)size, (void)rtt_us;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_request(rd_kafka_t *handle, int socket, const char *broker,
                                      int32_t broker_id, int16_t api, int16_t version, int32_t id,
                                      size_t size, void *opaque)
{
    struct producer *producer = opaque;
    if (api == API_INIT_PRODUCER_ID) {
        atomic_store(&producer->init_under_way, true);
    } else if (api == API_END_TXN) {
        TESTPOINT("endtxn_sent");
    }
    (void)handle, (void)socket, (void)broker, (void)broker_id;
    (void)version, (void)id, (void)size;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* NOLINTBEGIN(readability-non-const-parameter): the signature is librdkafka's */
static rd_kafka_resp_err_t on_new(rd_kafka_t *handle, const rd_kafka_conf_t *conf, void *opaque,
                                  char *reason, size_t room)
{
    (void)conf, (void)reason, (void)room;
    rd_kafka_resp_err_t code =
        rd_kafka_interceptor_add_on_request_sent(handle, "weir", on_request, opaque);
    return code
               ? code
               : rd_kafka_interceptor_add_on_response_received(handle, "weir", on_response, opaque);
}
/* NOLINTEND(readability-non-const-parameter) */

unsigned producer_doubts(struct producer *producer)
{
    return atomic_load(&producer->failed_requests) - producer->failed_before;
}

/* ---- delivery reports ---- */

static void *report_tag(struct producer *producer, struct port_delivery *delivery)
{
    if (!delivery) {
        return NULL;
    }
    if (producer->delivery_count == producer->delivery_room) {
        producer->delivery_room = producer->delivery_room > 0 ? producer->delivery_room * 2 : 16;
        producer->deliveries =
            xrealloc(producer->deliveries, producer->delivery_room * sizeof *producer->deliveries);
    }
    CHECK(producer->delivery_count < ((size_t)1 << SLOT_BITS) - 1);
    *delivery = (struct port_delivery){.offset = -1, .timestamp_ms = -1};
    producer->deliveries[producer->delivery_count++] = delivery;
    return (void *)(uintptr_t)(producer->transaction << SLOT_BITS | producer->delivery_count);
}

/* Not rd_kafka_message_errstr(): for a produced record it returns the payload, without an end. */
static void note_failed_delivery(struct producer *producer, const rd_kafka_message_t *message)
{
    if (producer->delivery_failed || message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
        return;
    }
    producer->delivery_failed = true;
    snprintf(producer->delivery_reason, sizeof producer->delivery_reason,
             "a record of %zu bytes for %s partition %" PRId32 " was refused: %s", message->len,
             rd_kafka_topic_name(message->rkt), message->partition, rd_kafka_err2str(message->err));
    log_event(LOG_WARN, "delivery_failed", "transactional_id=%s text=\"%s\"",
              producer->transactional_id, producer->delivery_reason);
}

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct producer *producer = opaque;
    if (message->err) {
        note_failed_delivery(producer, message);
        return;
    }
    uint64_t tag = (uint64_t)(uintptr_t)message->_private;
    size_t slot = (size_t)(tag & (((uint64_t)1 << SLOT_BITS) - 1));
    if (slot == 0 || tag >> SLOT_BITS != producer->transaction || slot > producer->delivery_count) {
        return;
    }
    rd_kafka_timestamp_type_t type;
    if (message->offset >= 0) { /* a duplicate's report has none */
        *producer->deliveries[slot - 1] =
            (struct port_delivery){.offset = message->offset,
                                   .timestamp_ms = rd_kafka_message_timestamp(message, &type)};
    }
}

/* ---- records ---- */

/* A full queue empties as reports are served: waited for, but never for long, for a transaction is
 * open. */
static enum txn_result produce(struct producer *producer, const struct output *output,
                               int32_t partition, struct weir_bytes key, struct weir_bytes value,
                               const struct port_header *headers, size_t header_count, void *tag,
                               struct error *error)
{
    int64_t deadline_us = monotonic_us() + (int64_t)FULL_QUEUE_MS * 1000;
    for (;;) {
        rd_kafka_error_t *failure = outputs_produce(output, producer->handle, partition, key, value,
                                                    headers, header_count, tag);
        if (!failure) {
            return TXN_DONE;
        }
        rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && monotonic_us() < deadline_us) {
            rd_kafka_error_destroy(failure);
            rd_kafka_poll(producer->handle, FULL_QUEUE_STEP_MS);
            continue;
        }
        char what[300];
        snprintf(what, sizeof what, "producing %zu bytes to %s partition %" PRId32, value.size,
                 output->name, partition);
        enum txn_result result = txn_outcome(producer, what, failure, error);
        return result == TXN_DOUBT ? TXN_ABORT
                                   : result; /* it was not queued, so nothing of it can happen */
    }
}

enum txn_result producer_send(struct producer *producer, const char *topic, int32_t partition,
                              struct weir_bytes key, struct weir_bytes value,
                              const struct port_header *headers, size_t header_count,
                              struct port_delivery *delivery, struct error *error)
{
    struct output *output;
    if (outputs_find(&producer->outputs, producer->handle, topic, &output, error) != OK ||
        output_partition(output, &partition, key, error) != OK) {
        return TXN_ABORT;
    }
    void *tag = report_tag(producer, delivery);
    enum txn_result result =
        produce(producer, output, partition, key, value, headers, header_count, tag, error);
    if (++producer->queued >= SERVE_EVERY) {
        producer->queued = 0;
        rd_kafka_poll(producer->handle, 0);
    }
    return result;
}

/* ---- life ---- */

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    (void)handle;
    log_event(LOG_DEBUG, "librdkafka", "transactional_id=%s error=%s text=\"%s\"",
              ((struct producer *)opaque)->transactional_id,
              rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
}

static enum outcome open_handle(struct producer *producer, struct error *error)
{
    atomic_store(&producer->init_under_way, false);
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", producer->client->transaction_timeout_ms);
    const struct handle_setting own[] = {
        {"transactional.id", producer->transactional_id},
        {"transaction.timeout.ms", timeout},
    };
    struct handle_plan plan = client_plan(producer->client, HANDLE_PRODUCER);
    plan.own = own;
    plan.own_count = sizeof own / sizeof own[0];

    rd_kafka_conf_t *conf;
    enum outcome outcome = handle_configure(&conf, &plan, error);
    if (outcome != OK) {
        return outcome;
    }
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_resp_err_t code = rd_kafka_conf_interceptor_add_on_new(conf, "weir", on_new, producer);
    CHECK_EQUAL(code, RD_KAFKA_RESP_ERR_NO_ERROR);
    return handle_open(&producer->handle, &plan, conf, error);
}

enum outcome client_producer_open(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error)
{
    struct producer *opened = xcalloc(1, sizeof *opened);
    opened->client = client_of(port);
    opened->transactional_id = xstrdup(transactional_id);
    enum outcome outcome = open_handle(opened, error);
    if (outcome != OK) {
        free(opened->transactional_id);
        free(opened);
        return outcome;
    }
    background_start(opened);
    opened->next = opened->client->producers;
    opened->client->producers = opened;
    *producer = opened;
    return OK;
}

/* What is queued is purged, else closing would wait for it. What is under way is answered first, if
 * that takes but a moment: closing frees the text of a fatal error (librdkafka 2.0.2 to 2.15,
 * rd_kafka_txns_term), and a produce request that is refused meanwhile frees it again. */
static void close_handle(struct producer *producer)
{
    outputs_release(&producer->outputs);
    rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
    int64_t deadline_us = monotonic_us() + (int64_t)ANSWERS_MS * 1000;
    while (rd_kafka_outq_len(producer->handle) > 0 && monotonic_us() < deadline_us) {
        rd_kafka_poll(producer->handle, ANSWERS_STEP_MS);
    }
    rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                         RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(producer->handle);
    producer->handle = NULL;
}

enum outcome producer_reopen(struct producer *producer, struct error *error)
{
    if (producer->handle) {
        close_handle(producer);
    }
    return open_handle(producer, error);
}

void client_producer_close(struct producer *producer)
{
    if (!producer) {
        return;
    }
    struct producer **link = &producer->client->producers;
    while (*link != producer) {
        link = &(*link)->next;
    }
    *link = producer->next;

    background_stop(producer);
    if (producer->handle) {
        close_handle(producer);
    }
    if (producer->group) {
        rd_kafka_consumer_group_metadata_destroy(producer->group);
    }
    free(producer->deliveries);
    free(producer->transactional_id);
    free(producer);
}

void producers_serve(struct client *client)
{
    for (struct producer *producer = client->producers; producer; producer = producer->next) {
        if (producer->handle && !producer->under_way) {
            rd_kafka_poll(producer->handle, 0);
        }
    }
}
