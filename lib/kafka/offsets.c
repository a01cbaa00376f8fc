/* offsets.c - what the group has committed, and how far a log reaches. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kafka/internal.h"

/* Takes over one clean answer. Metadata that is too long to be ours is cut: it will not be taken
 * for ours. */
void offset_from_answer(const rd_kafka_topic_partition_t *answer, const char *topic,
                        struct port_offset *offset)
{
    *offset =
        (struct port_offset){.topic = topic, .offset = answer->offset >= 0 ? answer->offset : -1};
    size_t size = answer->metadata ? answer->metadata_size : 0;
    size = size < sizeof offset->metadata ? size : sizeof offset->metadata - 1;
    if (size > 0) {
        memcpy(offset->metadata, answer->metadata, size);
    }
}

void offset_to_list(rd_kafka_topic_partition_list_t *list, const struct port_offset *offset,
                    int32_t partition)
{
    rd_kafka_topic_partition_t *entry =
        rd_kafka_topic_partition_list_add(list, offset->topic, partition);
    entry->offset = offset->offset;
    entry->metadata = xstrdup(offset->metadata); /* the list frees it */
    entry->metadata_size = strlen(offset->metadata);
}

/* With isolation.level=read_committed librdkafka asks for stable offsets and asks again while a
 * transaction holds one. On a time-out it leaves offset -1001 and no error in the partition, which
 * reads like "none committed": so no answer counts unless all went well. */
enum outcome client_committed(struct port *port, const char *const *topics, size_t count,
                              int32_t partition, int timeout_ms, struct port_offset *offsets,
                              struct error *error)
{
    struct client *client = client_of(port);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topics[i], partition);
    }
    rd_kafka_resp_err_t code = rd_kafka_committed(client->consumer, list, timeout_ms);
    for (size_t i = 0; i < count && !code; i++) {
        code = list->elems[i].err;
    }
    for (size_t i = 0; i < count && !code; i++) {
        offset_from_answer(rd_kafka_topic_partition_list_find(list, topics[i], partition),
                           topics[i], &offsets[i]);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (code) {
        return fail(error, RETRY,
                    "the committed offsets of group %s for partition %" PRId32
                    " are not to be had: %s",
                    client->application_id, partition,
                    code == RD_KAFKA_RESP_ERR__TIMED_OUT
                        ? "an open transaction holds them, or the broker does not answer"
                        : rd_kafka_err2str(code));
    }
    return OK;
}

/* A question about a log's end is answered as the asking handle's isolation level sees it, so the
 * high watermark needs a handle of its own. The stable end is asked first: it can then never be
 * beyond the high one. */
enum outcome client_log(struct port *port, const char *topic, int32_t partition, int timeout_ms,
                        struct port_log *log, struct error *error)
{
    struct client *client = client_of(port);
    int64_t low, stable, high;
    enum outcome outcome =
        watermarks(client->consumer, topic, partition, timeout_ms, &low, &stable, error);
    if (outcome == OK && !client->high) {
        struct handle_plan plan = client_plan(client, HANDLE_HIGH);
        rd_kafka_conf_t *conf;
        outcome = handle_configure(&conf, &plan, error);
        if (outcome == OK) {
            outcome = handle_open(&client->high, &plan, conf, error);
        }
    }
    if (outcome == OK) {
        outcome = watermarks(client->high, topic, partition, timeout_ms, &low, &high, error);
    }
    if (outcome == OK) {
        *log = (struct port_log){.low = low, .stable = stable, .high = high};
    }
    return outcome;
}
