/* record.c - what the readers of kafka/ share: records out of messages, errors out of fetches,
 * questions to a broker. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kafka/internal.h"

int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void record_from_message(rd_kafka_message_t *message, struct port_record *record)
{
    rd_kafka_timestamp_type_t type;
    *record = (struct port_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .key = {message->key, message->key_len},
        .value = {message->payload, message->len},
        .message = message,
    };
}

void records_release(struct port_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_destroy(records[i].message);
        records[i].message = NULL;
    }
}

bool record_header(const struct port_record *record, size_t index, struct port_header *header)
{
    rd_kafka_headers_t *headers;
    const void *value;
    if (rd_kafka_message_headers(record->message, &headers) ||
        rd_kafka_header_get_all(headers, index, &header->name, &value, &header->value.size)) {
        return false;
    }
    header->value.data = value;
    return true;
}

/* With auto.offset.reset=error an offset outside the log comes as _AUTO_OFFSET_RESET. */
enum outcome fetch_failed(rd_kafka_t *handle, rd_kafka_resp_err_t code, const char *topic,
                          int32_t partition, int64_t offset, struct error *error)
{
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        return OK;
    }
    if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        int64_t low, high;
        struct error unknown;
        if (watermarks(handle, topic, partition, 2000, &low, &high, &unknown) != OK) {
            return fail_exit(error, EXIT_CONFIG,
                             "%s partition %" PRId32 " has no offset %" PRId64
                             " (its range could not be asked): run `weir doctor`",
                             topic, partition, offset);
        }
        return fail_exit(error, EXIT_CONFIG,
                         "%s partition %" PRId32 " has no offset %" PRId64 ", it goes from %" PRId64
                         " to %" PRId64
                         ": records were deleted or the topic was made anew; run `weir doctor`",
                         topic, partition, offset, low, high);
    }
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        return fail_exit(error, EXIT_CONFIG,
                         "there is no partition %" PRId32 " of %s: run `weir topics check`",
                         partition, topic);
    }
    return fail(error, RETRY, "%s partition %" PRId32 " cannot be read now: %s", topic, partition,
                rd_kafka_err2str(code));
}

/* Asks for a topic's metadata, so that librdkafka's cache has it as it is now. */
static void refresh_metadata(rd_kafka_t *handle, const char *topic, int timeout_ms)
{
    rd_kafka_topic_t *asked = rd_kafka_topic_new(handle, topic, NULL);
    const struct rd_kafka_metadata *metadata;
    if (asked && !rd_kafka_metadata(handle, 0, asked, &metadata, timeout_ms)) {
        rd_kafka_metadata_destroy(metadata);
    }
    if (asked) {
        rd_kafka_topic_destroy(asked);
    }
}

/* A broker that has just come up says for a moment that nobody leads a partition. librdkafka
 * (2.0.2) keeps this answer for a quarter of an hour, calls the partition unknown and does not ask
 * again: rd_kafka_topic_partition_list_get_leaders takes it for permanent. */
enum outcome watermarks(rd_kafka_t *handle, const char *topic, int32_t partition, int timeout_ms,
                        int64_t *low, int64_t *high, struct error *error)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(handle, topic, partition, low, high, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
        code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        refresh_metadata(handle, topic, timeout_ms);
    }
    if (code) {
        return fail(error, RETRY,
                    "the broker does not say where %s partition %" PRId32 " begins and ends: %s",
                    topic, partition, rd_kafka_err2str(code));
    }
    return OK;
}

enum outcome partition_count(rd_kafka_t *handle, rd_kafka_topic_t *topic, int timeout_ms,
                             int32_t *partitions, struct error *error)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 0, topic, &metadata, timeout_ms);
    if (code) {
        return fail(error, RETRY, "the broker does not say how many partitions %s has: %s",
                    rd_kafka_topic_name(topic), rd_kafka_err2str(code));
    }
    int32_t count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                    : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(metadata);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return fail_exit(error, EXIT_CONFIG, "there is no topic %s: run `weir topics apply`",
                         rd_kafka_topic_name(topic));
    }
    if (code || count <= 0) {
        return fail(error, RETRY, "the broker does not say how many partitions %s has: %s",
                    rd_kafka_topic_name(topic), rd_kafka_err2str(code));
    }
    *partitions = count;
    return OK;
}
