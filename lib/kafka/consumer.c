/* consumer.c - the instance's consumer: its assignment, its group, and poll().
 *
 * Every assigned partition is diverted to a queue of its own before it is assigned, so that polling
 * the consumer brings callbacks only, and records are taken per partition with no rebalance under
 * way (librdkafka 2.0.2 loses records when a rebalance is served inside a batch call). A partition
 * is assigned paused: start() sets its offset and resumes it.
 *
 * Waiting: each queue writes to one eventfd when it gets its first entry. poll() serves what is
 * there, looks whether a started partition has records, and only then sleeps on the eventfd:
 * whatever comes in between has written to it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "kafka/internal.h"

enum { TELL_AGAIN_US = 60 * 1000 * 1000 };

/* ---- trouble ---- */

static bool told_lately(struct client *client, rd_kafka_resp_err_t code)
{
    enum { KINDS = sizeof client->told / sizeof client->told[0] };
    int64_t now = monotonic_us();
    for (size_t i = 0; i < KINDS; i++) {
        struct told *told = &client->told[i];
        if (told->code == code && told->at_us > 0) {
            bool lately = now - told->at_us < TELL_AGAIN_US;
            told->at_us = lately ? told->at_us : now;
            return lately;
        }
    }
    client->told[client->next_told] = (struct told){code, now};
    client->next_told = (client->next_told + 1) % KINDS;
    return false;
}

/* Keeps the first trouble until poll() reports it; a fatal one replaces a passing one and stays. */
static void note_trouble(struct client *client, rd_kafka_resp_err_t code, const char *reason)
{
    char text[512];
    if (client->trouble == FATAL) {
        return;
    }
    struct error *error = &client->trouble_error;
    if (code == RD_KAFKA_RESP_ERR__FATAL &&
        rd_kafka_fatal_error(client->consumer, text, sizeof text) ==
            RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        code = RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    }
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        client->trouble =
            fail_exit(error, EXIT_TRY_AGAIN,
                      "another process has joined group %s as instance %s: this one stops",
                      client->application_id, client->instance_id);
        return;
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
        client->trouble =
            fail_exit(error, EXIT_CONFIG,
                      "group %s has members that do not use the range assignor: stop them, or "
                      "choose another application.id",
                      client->application_id);
        return;
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
        client->trouble =
            fail_exit(error, EXIT_CONFIG,
                      "the broker refuses session.timeout_ms = %d: choose one between its "
                      "group.min.session.timeout.ms and group.max.session.timeout.ms",
                      client->session_timeout_ms);
        return;
    case RD_KAFKA_RESP_ERR__FATAL:
        client->trouble = fail_exit(error, EXIT_TRY_AGAIN, "the consumer cannot go on: %s", reason);
        return;
    default:
        if (client->trouble == OK && !told_lately(client, code)) {
            client->trouble =
                fail(error, RETRY, "%s (%s)", reason ? reason : rd_kafka_err2str(code),
                     rd_kafka_err2name(code));
        }
    }
}

void consumer_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    (void)handle;
    note_trouble(opaque, (rd_kafka_resp_err_t)code, reason);
}

/* ---- the group ---- */

static bool assigned_to(const rd_kafka_topic_partition_list_t *list, const char *topic,
                        int32_t partition)
{
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].partition == partition && strcmp(list->elems[i].topic, topic) == 0) {
            return true;
        }
    }
    return false;
}

/* The numbers of which every input was assigned, ascending; the others are named in a trouble.
 * Returns a malloc'ed list. */
static int32_t *common_partitions(struct client *client,
                                  const rd_kafka_topic_partition_list_t *list, size_t *count)
{
    int32_t *numbers = xcalloc((size_t)list->cnt, sizeof *numbers);
    *count = 0;
    for (int i = 0; i < list->cnt; i++) {
        int32_t partition = list->elems[i].partition;
        const char *missing = NULL;
        for (size_t t = 0; t < client->topic_count; t++) {
            if (!assigned_to(list, client->topics[t], partition)) {
                missing = client->topics[t];
            }
        }
        const char *first = client->topics[0];
        if (!missing && first && strcmp(list->elems[i].topic, first) == 0) {
            numbers[(*count)++] = partition;
        } else if (missing) {
            char text[300];
            snprintf(text, sizeof text,
                     "partition %" PRId32
                     " of %s was assigned without that of %s: inputs must have equally many "
                     "partitions and all members the same inputs; it waits",
                     partition, list->elems[i].topic, missing);
            note_trouble(client, RD_KAFKA_RESP_ERR__CONFLICT, text);
        }
    }
    return numbers;
}

void inputs_drop(struct client *client)
{
    for (size_t i = 0; i < client->input_count; i++) {
        input_close(&client->inputs[i]);
    }
    free(client->inputs);
    client->inputs = NULL;
    client->input_count = 0;
}

/* Before an input is first assigned it is paused, so that nothing is fetched: then it has no offset
 * that matters. */
static rd_kafka_resp_err_t assign_all(struct client *client)
{
    rd_kafka_topic_partition_list_t *all =
        rd_kafka_topic_partition_list_new((int)client->input_count);
    rd_kafka_topic_partition_list_t *paused =
        rd_kafka_topic_partition_list_new((int)client->input_count);
    for (size_t i = 0; i < client->input_count; i++) {
        const struct input *input = &client->inputs[i];
        rd_kafka_topic_partition_list_add(all, input->topic, input->partition)->offset =
            input->expected;
        if (input->paused) {
            rd_kafka_topic_partition_list_add(paused, input->topic, input->partition);
        }
    }
    rd_kafka_pause_partitions(client->consumer, paused);
    rd_kafka_resp_err_t code = rd_kafka_assign(client->consumer, all);
    rd_kafka_topic_partition_list_destroy(paused);
    rd_kafka_topic_partition_list_destroy(all);
    return code;
}

rd_kafka_resp_err_t inputs_assign(struct client *client, const int32_t *partitions, size_t count)
{
    inputs_drop(client);
    client->inputs = xcalloc(count * client->topic_count, sizeof *client->inputs);
    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < client->topic_count; t++) {
            input_open(client, &client->inputs[client->input_count++], client->topics[t],
                       partitions[i]);
        }
    }
    return assign_all(client);
}

rd_kafka_resp_err_t inputs_assign_again(struct client *client)
{
    for (size_t i = 0; i < client->input_count; i++) {
        client->inputs[i].broken = false;
        client->inputs[i].answered = false;
    }
    return assign_all(client);
}

static void on_assigned(struct client *client, const rd_kafka_topic_partition_list_t *list)
{
    size_t count;
    int32_t *numbers = common_partitions(client, list, &count);
    rd_kafka_resp_err_t code = inputs_assign(client, numbers, count);
    if (code) {
        note_trouble(client, code, NULL);
    } else {
        client->group.assigned(client->group.context, numbers, count);
    }
    free(numbers);
}

static void on_revoked(struct client *client)
{
    bool lost = rd_kafka_assignment_lost(client->consumer);
    int32_t *numbers = xcalloc(client->input_count, sizeof *numbers);
    size_t count = 0;
    for (size_t i = 0; i < client->input_count; i += client->topic_count) {
        numbers[count++] = client->inputs[i].partition;
    }
    if (count > 0 && !client->closing) {
        client->group.revoked(client->group.context, numbers, count, lost);
    }
    free(numbers);
    inputs_drop(client);
    rd_kafka_assign(client->consumer, NULL);
}

void consumer_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
                        rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct client *client = opaque;
    client->served = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !client->closing) {
        on_assigned(client, list);
    } else {
        on_revoked(client);
    }
    (void)handle;
}

/* ---- poll ---- */

/* On librdkafka's threads: a queue has got its first entry. */
void client_wake(rd_kafka_t *handle, void *opaque)
{
    (void)handle;
    (void)eventfd_write(((struct client *)opaque)->wake_fd, 1);
}

/* Callbacks come from here and from nowhere else. A record here would be one that no partition's
 * queue got: handling it later would break the order, dropping it would lose it. */
static void serve(struct client *client)
{
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consumer_poll(client->consumer, 0)) != NULL) {
        CHECK(message->err != RD_KAFKA_RESP_ERR_NO_ERROR);
        if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            note_trouble(client, message->err, rd_kafka_message_errstr(message));
        }
        rd_kafka_message_destroy(message);
    }
    producers_serve(client);
}

/* Returns when a queue has got its first entry, at the deadline, or at a signal (false). */
static bool sleep_until(const struct client *client, int64_t deadline_us)
{
    int64_t left_us = deadline_us - monotonic_us();
    if (left_us <= 0) {
        return false;
    }
    struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = (left_us % 1000000) * 1000};
    struct pollfd wake = {.fd = client->wake_fd, .events = POLLIN};
    int ready = ppoll(&wake, 1, &left, NULL);
    if (ready <= 0) {
        return false;
    }
    eventfd_t ignored;
    (void)eventfd_read(client->wake_fd, &ignored);
    return true;
}

enum outcome client_poll(struct port *port, int timeout_ms, struct error *error)
{
    struct client *client = client_of(port);
    int64_t deadline_us = monotonic_us() + (int64_t)timeout_ms * 1000;
    client->served = false;
    if (!client->announced) {
        client->announced = client->served = true;
        client->group.assigned(client->group.context, &client->fixed_partition, 1);
    }
    do {
        serve(client);
        if (client->trouble != OK) {
            enum outcome outcome = client->trouble;
            *error = client->trouble_error;
            client->trouble = outcome == FATAL ? FATAL : OK;
            return outcome;
        }
    } while (!client->served && !atomic_exchange(&client->call_ended, false) &&
             !inputs_at_hand(client) && sleep_until(client, deadline_us));
    return OK;
}
