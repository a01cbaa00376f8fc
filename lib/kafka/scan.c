/* scan.c - reads many partitions, read_committed, from given offsets to given ends.
 *
 * All partitions share one queue. A partition has reached its end when its position has: the offset
 * behind the last record that came, or behind the control record that followed it, or that of an
 * end-of-partition event, which also counts aborted records.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/admin_internal.h"

enum { BATCH = 1000, END_NOW = -1, FOLLOW = -2 };

struct part {
    rd_kafka_topic_t *topic; /* shared by the parts of one topic; NULL: never started */
    char *name;
    int32_t partition;
    int64_t position, to; /* to < 0: follow */
    bool running;
};

struct scan {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
    struct part *parts;
    size_t count;
    rd_kafka_message_t *batch[BATCH];
    size_t got, next; /* of batch */
    size_t last;      /* the part that the last message was of */
    rd_kafka_message_t *shown;
    struct fetch_pace pace;
};

/* Records of one partition come in runs, so the last one's is tried first. */
static struct part *part_of(struct scan *scan, const rd_kafka_message_t *message)
{
    const char *name = rd_kafka_topic_name(message->rkt);
    for (size_t tried = 0; tried < scan->count; tried++) {
        struct part *part = &scan->parts[(scan->last + tried) % scan->count];
        if (part->partition == message->partition && strcmp(part->name, name) == 0) {
            scan->last = (size_t)(part - scan->parts);
            return part;
        }
    }
    return NULL;
}

static void stop(struct part *part)
{
    if (part->running) {
        rd_kafka_consume_stop(part->topic, part->partition);
        part->running = false;
    }
}

/* ---- opening ---- */

static enum outcome start(struct scan *scan, struct admin *admin, struct part *part,
                          const struct scan_partition *wanted, struct error *error)
{
    int64_t low, high;
    enum outcome outcome =
        watermarks(admin->handle, wanted->topic, wanted->partition, ADMIN_MS, &low, &high, error);
    if (outcome != OK) {
        return outcome;
    }
    part->to = wanted->to == END_NOW ? high : wanted->to;
    part->position = wanted->from > low ? wanted->from : low;
    if (part->to >= 0 && part->position >= part->to) {
        part->position = part->to;
        return OK;
    }
    part->position = part->position < high ? part->position : high;
    part->topic = rd_kafka_topic_new(scan->handle, wanted->topic, NULL);
    if (!part->topic ||
        rd_kafka_consume_start_queue(part->topic, part->partition, part->position, scan->queue)) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s partition %" PRId32 " cannot be read from offset %" PRId64 ": %s",
                         wanted->topic, wanted->partition, part->position,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    part->running = true;
    return OK;
}

enum outcome scan_open(struct scan **scan, struct admin *admin,
                       const struct scan_partition *partitions, size_t count, struct error *error)
{
    struct handle_plan plan = admin_plan(admin, HANDLE_SCAN);
    rd_kafka_conf_t *conf;
    enum outcome outcome = handle_configure(&conf, &plan, error);
    if (outcome != OK) {
        return outcome;
    }
    struct scan *opened = xcalloc(1, sizeof *opened);
    outcome = handle_open(&opened->handle, &plan, conf, error);
    if (outcome != OK) {
        free(opened);
        return outcome;
    }
    opened->queue = rd_kafka_queue_new(opened->handle);
    opened->parts = xcalloc(count, sizeof *opened->parts);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        opened->parts[i].name = xstrdup(partitions[i].topic);
        opened->parts[i].partition = partitions[i].partition;
        opened->count++;
        outcome = start(opened, admin, &opened->parts[i], &partitions[i], error);
    }
    if (outcome != OK) {
        scan_close(opened);
        return outcome;
    }
    *scan = opened;
    return OK;
}

void scan_close(struct scan *scan)
{
    if (!scan) {
        return;
    }
    if (scan->shown) {
        rd_kafka_message_destroy(scan->shown);
    }
    while (scan->next < scan->got) {
        rd_kafka_message_destroy(scan->batch[scan->next++]);
    }
    for (size_t i = 0; i < scan->count; i++) {
        stop(&scan->parts[i]);
        if (scan->parts[i].topic) {
            rd_kafka_topic_destroy(scan->parts[i].topic);
        }
        free(scan->parts[i].name);
    }
    free(scan->parts);
    rd_kafka_queue_destroy(scan->queue);
    rd_kafka_destroy(scan->handle);
    free(scan);
}

/* ---- reading ---- */

/* Control records move librdkafka's position and are not shown. Asked only when nothing is at hand.
 */
static void advance(struct scan *scan)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)scan->count);
    for (size_t i = 0; i < scan->count; i++) {
        rd_kafka_topic_partition_list_add(list, scan->parts[i].name, scan->parts[i].partition);
    }
    rd_kafka_position(scan->handle, list);
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->parts[i].running && list->elems[i].offset > scan->parts[i].position) {
            scan->parts[i].position = list->elems[i].offset;
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static bool all_done(struct scan *scan)
{
    bool all = true;
    for (size_t i = 0; i < scan->count; i++) {
        struct part *part = &scan->parts[i];
        bool ended = part->to >= 0 && part->position >= part->to;
        all = all && ended;
        if (ended) {
            stop(part);
        }
    }
    return all;
}

/* Waits for one message, then takes what else is there. */
static void refill(struct scan *scan, int timeout_ms)
{
    scan->got = scan->next = 0;
    rd_kafka_message_t *first = rd_kafka_consume_queue(scan->queue, timeout_ms);
    if (!first) {
        return;
    }
    scan->batch[scan->got++] = first;
    ssize_t more = rd_kafka_consume_batch_queue(scan->queue, 0, scan->batch + 1, BATCH - 1);
    scan->got += more > 0 ? (size_t)more : 0;
    size_t bytes = 0;
    for (size_t i = 0; i < scan->got; i++) {
        bytes += scan->batch[i]->len + scan->batch[i]->key_len;
    }
    handle_taken(scan->handle, &scan->pace, scan->got, bytes);
}

/* Moves the message's partition on. Returns the partition when the message is a record to be shown.
 */
static enum outcome consider(struct scan *scan, const rd_kafka_message_t *message,
                             struct part **show, struct error *error)
{
    struct part *part = part_of(scan, message);
    *show = NULL;
    if (!part || !part->running) {
        return OK;
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        part->position = message->offset > part->position ? message->offset : part->position;
        return OK;
    }
    if (message->err) {
        return fetch_failed(scan->handle, message->err, part->name, part->partition, part->position,
                            error);
    }
    if (message->offset < part->position) {
        return OK;
    }
    part->position = message->offset + 1;
    if (part->to < 0 || message->offset < part->to) {
        *show = part;
    }
    return OK;
}

enum outcome scan_next(struct scan *scan, int timeout_ms, struct port_record *record, size_t *which,
                       bool *found, bool *done, struct error *error)
{
    int64_t deadline_us = monotonic_us() + (int64_t)timeout_ms * 1000;
    *found = *done = false;
    if (scan->shown) {
        rd_kafka_message_destroy(scan->shown);
        scan->shown = NULL;
    }
    rd_kafka_poll(scan->handle, 0);
    for (;;) {
        while (scan->next < scan->got) {
            rd_kafka_message_t *message = scan->batch[scan->next++];
            struct part *part;
            enum outcome outcome = consider(scan, message, &part, error);
            if (part) {
                scan->shown = message;
                record_from_message(message, record);
                *which = (size_t)(part - scan->parts);
                *found = true;
                return OK;
            }
            rd_kafka_message_destroy(message);
            if (outcome != OK) {
                return outcome;
            }
        }
        advance(scan);
        *done = all_done(scan);
        int64_t left_us = deadline_us - monotonic_us();
        if (*done || left_us <= 0) {
            return OK;
        }
        refill(scan, (int)((left_us + 999) / 1000));
    }
}

bool scan_header(const struct port_record *record, size_t index, struct port_header *header)
{
    return record_header(record, index, header);
}
