/* writer.c - plain producing for tools: idempotent, acknowledged by all replicas, partitioned as
 * Java does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/admin.h"
#include "kafka/internal.h"

enum { SERVE_EVERY = 1000, FULL_QUEUE_STEP_MS = 20 };

struct writer {
    rd_kafka_t *handle;
    struct outputs outputs;
    unsigned queued; /* records since reports were last served */
    bool failed;
    struct error first_failure;
};

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct writer *writer = opaque;
    if (message->err && !writer->failed) {
        writer->failed = true;
        (void)fail_exit(&writer->first_failure, EXIT_UNAVAILABLE,
                        "a record of %zu bytes for %s partition %" PRId32 " was not taken: %s",
                        message->len, rd_kafka_topic_name(message->rkt), message->partition,
                        rd_kafka_err2str(message->err));
    }
}

enum outcome writer_open(struct writer **writer, const char *bootstrap_servers,
                         const struct client_property *properties, size_t property_count,
                         struct error *error)
{
    struct handle_plan plan = {.kind = HANDLE_WRITER,
                               .bootstrap_servers = bootstrap_servers,
                               .properties = properties,
                               .property_count = property_count};
    rd_kafka_conf_t *conf;
    enum outcome outcome = handle_configure(&conf, &plan, error);
    if (outcome != OK) {
        return outcome;
    }
    struct writer *opened = xcalloc(1, sizeof *opened);
    rd_kafka_conf_set_opaque(conf, opened);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    outcome = handle_open(&opened->handle, &plan, conf, error);
    if (outcome != OK) {
        free(opened);
        return outcome;
    }
    *writer = opened;
    return OK;
}

/* After a fatal error of the client's own librdkafka 2.0.2 was seen not to come back from closing:
 * the handle is left, and goes with the process. */
void writer_close(struct writer *writer)
{
    char reason[8];
    if (!writer || rd_kafka_fatal_error(writer->handle, reason, sizeof reason)) {
        return;
    }
    outputs_release(&writer->outputs);
    rd_kafka_purge(writer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                       RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(writer->handle);
    free(writer);
}

void writer_poll(struct writer *writer)
{
    rd_kafka_poll(writer->handle, 0);
}

static enum outcome report_failure(const struct writer *writer, struct error *error)
{
    *error = writer->first_failure;
    return FATAL;
}

enum outcome writer_send(struct writer *writer, const char *topic, int32_t partition,
                         struct weir_bytes key, struct weir_bytes value,
                         const struct port_header *headers, size_t header_count,
                         struct error *error)
{
    struct output *output;
    enum outcome outcome = outputs_find(&writer->outputs, writer->handle, topic, &output, error);
    if (outcome == OK) {
        outcome = output_partition(output, &partition, key, error);
    }
    if (outcome != OK) {
        return outcome;
    }
    rd_kafka_error_t *failure;
    while ((failure = outputs_produce(output, writer->handle, partition, key, value, headers,
                                      header_count, NULL)) != NULL &&
           rd_kafka_error_code(failure) == RD_KAFKA_RESP_ERR__QUEUE_FULL && !writer->failed) {
        rd_kafka_error_destroy(failure);
        rd_kafka_poll(writer->handle, FULL_QUEUE_STEP_MS);
    }
    if (failure) {
        outcome = fail_exit(error, EXIT_DATA,
                            "a record of %zu bytes for %s partition %" PRId32 " cannot be sent: %s",
                            value.size, topic, partition, rd_kafka_error_string(failure));
        rd_kafka_error_destroy(failure);
        return outcome;
    }
    if (++writer->queued >= SERVE_EVERY) {
        writer->queued = 0;
        rd_kafka_poll(writer->handle, 0);
    }
    return writer->failed ? report_failure(writer, error) : OK;
}

enum outcome writer_flush(struct writer *writer, int timeout_ms, struct error *error)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(writer->handle, timeout_ms);
    if (writer->failed) {
        return report_failure(writer, error);
    }
    if (code) {
        return fail(error, RETRY, "%d records are not acknowledged yet",
                    rd_kafka_outq_len(writer->handle));
    }
    return OK;
}
