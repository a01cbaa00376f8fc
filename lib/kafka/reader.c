/* reader.c - reads one partition of a changelog, read_committed, from an offset on.
 *
 * The reader has a handle of its own and no group. Where it stands is the larger of librdkafka's
 * position (which counts control records) and the last end-of-partition event's offset (which also
 * counts what compaction left out at the end).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

struct reader {
    rd_kafka_t *handle;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    char *name;
    int32_t partition;
    int64_t position;
    bool running;
    rd_kafka_resp_err_t failed; /* an error that came behind records, for the next read */
    struct fetch_pace pace;
    rd_kafka_message_t **batch;
    size_t batch_room;
};

static enum outcome start(struct reader *reader, int64_t offset, struct error *error)
{
    reader->topic = rd_kafka_topic_new(reader->handle, reader->name, NULL);
    reader->queue = rd_kafka_queue_new(reader->handle);
    if (!reader->topic ||
        rd_kafka_consume_start_queue(reader->topic, reader->partition, offset, reader->queue)) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s partition %" PRId32 " cannot be read from offset %" PRId64 ": %s",
                         reader->name, reader->partition, offset,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    reader->running = true;
    return OK;
}

enum outcome client_reader_open(struct port *port, const char *topic, int32_t partition,
                                int64_t offset, struct reader **reader, struct error *error)
{
    struct handle_plan plan = client_plan(client_of(port), HANDLE_READER);
    rd_kafka_conf_t *conf;
    enum outcome outcome = handle_configure(&conf, &plan, error);
    if (outcome != OK) {
        return outcome;
    }
    rd_kafka_t *handle;
    outcome = handle_open(&handle, &plan, conf, error);
    if (outcome != OK) {
        return outcome;
    }
    struct reader *opened = xcalloc(1, sizeof *opened);
    *opened = (struct reader){.handle = handle,
                              .name = xstrdup(topic),
                              .partition = partition,
                              .position = offset};
    outcome = start(opened, offset, error);
    if (outcome != OK) {
        reader_close(opened);
        return outcome;
    }
    *reader = opened;
    return OK;
}

void reader_close(struct reader *reader)
{
    if (!reader) {
        return;
    }
    if (reader->running) {
        rd_kafka_consume_stop(reader->topic, reader->partition);
    }
    if (reader->topic) {
        rd_kafka_topic_destroy(reader->topic);
    }
    rd_kafka_queue_destroy(reader->queue);
    rd_kafka_destroy(reader->handle);
    free(reader->batch);
    free(reader->name);
    free(reader);
}

/* Waits for the first only: the batch call would wait until it has all. */
static size_t take(struct reader *reader, int timeout_ms, size_t max)
{
    size_t got = 0;
    if (rd_kafka_queue_length(reader->queue) == 0) {
        rd_kafka_message_t *first = rd_kafka_consume_queue(reader->queue, timeout_ms);
        if (!first) {
            return 0;
        }
        reader->batch[got++] = first;
    }
    if (got < max) {
        ssize_t more =
            rd_kafka_consume_batch_queue(reader->queue, 0, reader->batch + got, max - got);
        got += more > 0 ? (size_t)more : 0;
    }
    return got;
}

/* Moves over control records, which librdkafka counts and does not show. */
static void advance(struct reader *reader)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, reader->name, reader->partition);
    rd_kafka_position(reader->handle, list);
    if (list->elems[0].offset > reader->position) {
        reader->position = list->elems[0].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* Keeps the records from `position` on, and moves it. */
static size_t sort_out(struct reader *reader, size_t got, struct port_record *records)
{
    size_t kept = 0, bytes = 0;
    for (size_t i = 0; i < got; i++) {
        rd_kafka_message_t *message = reader->batch[i];
        if (!message->err && message->offset >= reader->position) {
            reader->position = message->offset + 1;
            bytes += message->len + message->key_len;
            record_from_message(message, &records[kept++]);
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            reader->position =
                message->offset > reader->position ? message->offset : reader->position;
        } else if (message->err) {
            reader->failed = message->err;
        }
        rd_kafka_message_destroy(message);
    }
    handle_taken(reader->handle, &reader->pace, got, bytes);
    return kept;
}

enum outcome reader_read(struct reader *reader, int timeout_ms, struct port_record *records,
                         size_t max, size_t *count, int64_t *position, struct error *error)
{
    if (reader->batch_room < max) {
        reader->batch = xrealloc(reader->batch, max * sizeof *reader->batch);
        reader->batch_room = max;
    }
    rd_kafka_poll(reader->handle, 0);
    int64_t before = reader->position, deadline_us = monotonic_us() + (int64_t)timeout_ms * 1000,
            left_us;
    do { /* an end-of-partition event where we stand already is no reason to return */
        left_us = deadline_us - monotonic_us();
        size_t got =
            reader->failed ? 0 : take(reader, left_us > 0 ? (int)((left_us + 999) / 1000) : 0, max);
        *count = sort_out(reader, got, records);
        advance(reader);
    } while (*count == 0 && reader->position == before && !reader->failed && left_us > 0);
    *position = reader->position;
    if (reader->failed && *count == 0) {
        rd_kafka_resp_err_t code = reader->failed;
        reader->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
        return fetch_failed(reader->handle, code, reader->name, reader->partition, reader->position,
                            error);
    }
    return OK;
}

void reader_release(struct reader *reader, struct port_record *records, size_t count)
{
    (void)reader;
    records_release(records, count);
}
