/* input.c - one partition of an input: where it stands, starting and stopping it, taking its
 * records. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

void input_open(struct client *client, struct input *input, const char *topic, int32_t partition)
{
    *input = (struct input){.topic = topic, .partition = partition, .paused = true};
    input->queue = rd_kafka_queue_get_partition(client->consumer, topic, partition);
    CHECK(input->queue);
    rd_kafka_queue_forward(input->queue, NULL);
    rd_kafka_queue_cb_event_enable(input->queue, client_wake, client);
}

void input_close(struct input *input)
{
    rd_kafka_queue_cb_event_enable(input->queue, NULL, NULL);
    rd_kafka_queue_destroy(input->queue);
}

static struct input *find(struct client *client, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < client->input_count; i++) {
        struct input *input = &client->inputs[i];
        if (input->partition == partition && strcmp(input->topic, topic) == 0) {
            return input;
        }
    }
    return NULL;
}

bool inputs_at_hand(const struct client *client)
{
    for (size_t i = 0; i < client->input_count; i++) {
        const struct input *input = &client->inputs[i];
        if (input->started &&
            (input->failed || (!input->left && rd_kafka_queue_length(input->queue) > 0))) {
            return true;
        }
    }
    return false;
}

/* A list of one, for the calls that want a list. */
static rd_kafka_topic_partition_list_t *list_of(const struct input *input, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, input->topic, input->partition)->offset = offset;
    return list;
}

static rd_kafka_resp_err_t resume(struct client *client, struct input *input)
{
    rd_kafka_topic_partition_list_t *list = list_of(input, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_resume_partitions(client->consumer, list);
    code = code ? code : list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    input->paused = code != RD_KAFKA_RESP_ERR_NO_ERROR;
    return code;
}

/* The time-out is endless because 2.0.2 takes a finite one for microseconds (issue 4230);
 * librdkafka itself answers and waits for no broker. */
static rd_kafka_resp_err_t seek(struct client *client, const struct input *input, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = list_of(input, offset);
    rd_kafka_error_t *refused = rd_kafka_seek_partitions(client->consumer, list, -1);
    rd_kafka_resp_err_t code = refused ? rd_kafka_error_code(refused) : list->elems[0].err;
    if (refused) {
        rd_kafka_error_destroy(refused);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* Resumes if it was paused (resuming what is not paused can jump back on 2.0.2, issue 4636), then
 * seeks, which makes librdkafka discard what it fetched before. Neither wakes the fetcher in every
 * version, hence the last line: without it the first record may come a second later. */
enum outcome client_start(struct port *port, const char *topic, int32_t partition, int64_t offset,
                          struct error *error)
{
    struct client *client = client_of(port);
    struct input *input = find(client, topic, partition);
    if (!input) {
        return fail(error, RETRY, "%s partition %" PRId32 " is not assigned", topic, partition);
    }
    CHECK(offset >= 0);
    rd_kafka_resp_err_t code = input->paused ? resume(client, input) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (input->broken) {
        input->expected = offset;
        code = inputs_assign_again(client);
    } else if (!code) {
        code = seek(client, input, offset);
    }
    if (code) {
        return fail(error, RETRY,
                    "%s partition %" PRId32 " cannot be set to offset %" PRId64 " now: %s", topic,
                    partition, offset, rd_kafka_err2str(code));
    }
    input->started = true;
    input->answered = input->left = false;
    input->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    input->expected = offset;
    handle_wake(client->consumer);
    return OK;
}

enum outcome client_stop(struct port *port, const char *topic, int32_t partition,
                         struct error *error)
{
    struct client *client = client_of(port);
    struct input *input = find(client, topic, partition);
    if (!input) {
        return fail(error, RETRY, "%s partition %" PRId32 " is not assigned", topic, partition);
    }
    input->started = false;
    if (input->paused) {
        return OK;
    }
    rd_kafka_topic_partition_list_t *list = list_of(input, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_pause_partitions(client->consumer, list);
    code = code ? code : list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    if (code) {
        return fail(error, RETRY, "%s partition %" PRId32 " cannot be paused now: %s", topic,
                    partition, rd_kafka_err2str(code));
    }
    input->paused = true;
    return OK;
}

/* Keeps the messages from `expected` on. Of an error behind records the records come first. */
static size_t sort_out(struct input *input, rd_kafka_message_t **batch, size_t got,
                       struct port_record *records, size_t *bytes)
{
    size_t kept = 0;
    for (size_t i = 0; i < got; i++) {
        rd_kafka_message_t *message = batch[i];
        if (message->err || message->offset < input->expected) {
            if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
                input->failed = message->err;
                input->broken = message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
                input->failed_at = message->offset >= 0 ? message->offset : input->expected;
            }
            rd_kafka_message_destroy(message);
            continue;
        }
        input->expected = message->offset + 1;
        *bytes += message->len + message->key_len;
        record_from_message(message, &records[kept++]);
    }
    return kept;
}

enum outcome client_fetch(struct port *port, const char *topic, int32_t partition,
                          struct port_record *records, size_t max, size_t *count,
                          struct error *error)
{
    struct client *client = client_of(port);
    struct input *input = find(client, topic, partition);
    *count = 0;
    if (!input || !input->started || max == 0) {
        return OK;
    }
    if (input->failed) {
        rd_kafka_resp_err_t code = input->failed;
        input->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
        return fetch_failed(client->consumer, code, topic, partition, input->failed_at, error);
    }
    if (client->batch_room < max) {
        client->batch = xrealloc(client->batch, max * sizeof *client->batch);
        client->batch_room = max;
    }
    ssize_t got = rd_kafka_consume_batch_queue(input->queue, 0, client->batch, max);
    input->left = got == (ssize_t)max && rd_kafka_queue_length(input->queue) > 0;
    if (got > 0) {
        size_t bytes = 0;
        input->answered = true;
        *count = sort_out(input, client->batch, (size_t)got, records, &bytes);
        handle_taken(client->consumer, &input->pace, (size_t)got, bytes);
    }
    return OK;
}

void client_release(struct port *port, struct port_record *records, size_t count)
{
    (void)port;
    records_release(records, count);
}

bool client_header(struct port *port, const struct port_record *record, size_t index,
                   struct port_header *header)
{
    (void)port;
    return record_header(record, index, header);
}

/* librdkafka's position counts control records once they were taken out of the queue, so look after
 * a fetch() that gave nothing. The cached high watermark may be older than this assignment: it
 * counts only when a fetch was answered since. */
bool client_progress(struct port *port, const char *topic, int32_t partition, int64_t *position,
                     int64_t *high)
{
    struct client *client = client_of(port);
    struct input *input = find(client, topic, partition);
    if (!input || !input->started) {
        return false;
    }
    rd_kafka_topic_partition_list_t *list = list_of(input, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_position(client->consumer, list);
    int64_t at = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    input->answered |= at > input->expected; /* a control record was taken */
    *position = at > input->expected ? at : input->expected;

    int64_t low;
    return input->answered &&
           rd_kafka_get_watermark_offsets(client->consumer, topic, partition, &low, high) ==
               RD_KAFKA_RESP_ERR_NO_ERROR &&
           *high >= *position;
}
