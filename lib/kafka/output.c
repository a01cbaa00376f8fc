/* output.c - topics that are produced to: their handles, their partition counts, and one record's
 * way into the queue. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/admin.h"
#include "kafka/internal.h"

enum { ASK_MS = 5000 };

/* The count is asked for once: weir refuses topics whose partition count changes while it runs. It
 * must be known before a record is produced, because 2.0.2 frees the headers twice of one for a
 * partition that is not there (issue 4628). */
enum outcome outputs_find(struct outputs *outputs, rd_kafka_t *handle, const char *topic,
                          struct output **output, struct error *error)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (outputs->list[i].name == topic || strcmp(outputs->list[i].name, topic) == 0) {
            *output = &outputs->list[i];
            return OK;
        }
    }
    rd_kafka_topic_t *opened = rd_kafka_topic_new(handle, topic, NULL);
    if (!opened) {
        return fail_exit(error, EXIT_CONFIG, "%s is not a topic's name: %s", topic,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    int32_t partitions;
    enum outcome outcome = partition_count(handle, opened, ASK_MS, &partitions, error);
    if (outcome != OK) {
        rd_kafka_topic_destroy(opened);
        return outcome;
    }
    outputs->list = xrealloc(outputs->list, (outputs->count + 1) * sizeof *outputs->list);
    *output = &outputs->list[outputs->count++];
    **output = (struct output){.topic = opened, .name = xstrdup(topic), .partitions = partitions};
    return OK;
}

void outputs_release(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        rd_kafka_topic_destroy(outputs->list[i].topic);
        free(outputs->list[i].name);
    }
    free(outputs->list);
    *outputs = (struct outputs){0};
}

enum outcome output_partition(const struct output *output, int32_t *partition,
                              struct weir_bytes key, struct error *error)
{
    if (*partition < 0) {
        *partition = key_partition(key, output->partitions);
    }
    if (*partition >= output->partitions) {
        return fail_exit(error, EXIT_CONFIG, "%s has no partition %" PRId32 ", it has %" PRId32,
                         output->name, *partition, output->partitions);
    }
    return OK;
}

/* A key that is there but empty needs an address: NULL stands for no key. */
static void *bytes_address(struct weir_bytes bytes)
{
    return (void *)(uintptr_t)bytes.data;
}

rd_kafka_error_t *outputs_produce(const struct output *output, rd_kafka_t *handle,
                                  int32_t partition, struct weir_bytes key, struct weir_bytes value,
                                  const struct port_header *headers, size_t header_count,
                                  void *opaque)
{
    rd_kafka_vu_t parts[6 + PORT_HEADERS_MAX];
    size_t count = 0;
    CHECK(header_count <= PORT_HEADERS_MAX);
    parts[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = output->topic};
    parts[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition};
    parts[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    parts[count++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque};
    parts[count++] =
        (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {bytes_address(key), key.size}};
    parts[count++] =
        (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {bytes_address(value), value.size}};
    for (size_t i = 0; i < header_count; i++) {
        parts[count++] =
            (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER,
                            .u.header = {headers[i].name, bytes_address(headers[i].value),
                                         (ssize_t)headers[i].value.size}};
    }
    return rd_kafka_produceva(handle, parts, count);
}
