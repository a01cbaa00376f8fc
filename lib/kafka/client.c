/* client.c - opens and closes the broker port on librdkafka: its options, its consumer, its table
 * of calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "kafka/internal.h"

enum { CLOSE_MS = 5000, HEARTBEAT_MS = 3000 };

struct client *client_of(struct port *port)
{
    return (struct client *)port;
}

static int64_t client_wall_ms(struct port *port)
{
    (void)port;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t client_monotonic_us(struct port *port)
{
    (void)port;
    return monotonic_us();
}

/* ---- opening and closing ---- */

static const struct port_calls calls = {
    .wall_ms = client_wall_ms,
    .monotonic_us = client_monotonic_us,
    .poll = client_poll,
    .start = client_start,
    .stop = client_stop,
    .fetch = client_fetch,
    .release = client_release,
    .header = client_header,
    .progress = client_progress,
    .committed = client_committed,
    .log = client_log,
    .producer_open = client_producer_open,
    .producer_close = client_producer_close,
    .init = producer_init,
    .begin = producer_begin,
    .send = producer_send,
    .send_offsets = producer_send_offsets,
    .commit = producer_commit,
    .ended = producer_ended,
    .abort = producer_abort,
    .doubts = producer_doubts,
    .reader_open = client_reader_open,
    .reader_close = reader_close,
    .read = reader_read,
    .reader_release = reader_release,
};

static const char *keep(struct client *client, const char *text)
{
    return text ? arena_strndup(&client->arena, text, strlen(text)) : NULL;
}

static void keep_options(struct client *client, const struct client_options *options)
{
    client->bootstrap_servers = keep(client, options->bootstrap_servers);
    client->application_id = keep(client, options->application_id);
    client->instance_id = keep(client, options->instance_id);
    client->fixed_partition = options->fixed_partition;
    client->session_timeout_ms = options->session_timeout_ms;
    client->transaction_timeout_ms = options->transaction_timeout_ms;
    client->group = options->group;
    while (options->topics[client->topic_count]) {
        client->topic_count++;
    }
    const char **topics = arena_alloc(&client->arena, client->topic_count * sizeof *topics);
    for (size_t i = 0; i < client->topic_count; i++) {
        topics[i] = keep(client, options->topics[i]);
    }
    client->topics = topics;
    struct client_property *properties =
        arena_alloc(&client->arena, options->property_count * sizeof *properties);
    for (size_t i = 0; i < options->property_count; i++) {
        properties[i].name = keep(client, options->properties[i].name);
        properties[i].value = keep(client, options->properties[i].value);
        properties[i].source = keep(client, options->properties[i].source);
    }
    client->properties = properties;
    client->property_count = options->property_count;
}

struct handle_plan client_plan(const struct client *client, enum handle_kind kind)
{
    return (struct handle_plan){.kind = kind,
                                .bootstrap_servers = client->bootstrap_servers,
                                .properties = client->properties,
                                .property_count = client->property_count};
}

static enum outcome open_consumer(struct client *client, struct error *error)
{
    char session[16], heartbeat[16];
    int interval_ms = client->session_timeout_ms / 3;
    snprintf(session, sizeof session, "%d", client->session_timeout_ms);
    snprintf(heartbeat, sizeof heartbeat, "%d",
             interval_ms < HEARTBEAT_MS ? interval_ms : HEARTBEAT_MS);
    bool member = client->instance_id != NULL;
    const struct handle_setting own[] = {
        {"group.id", client->application_id},
        {"group.instance.id", client->instance_id},
        {"partition.assignment.strategy", member ? "range" : NULL},
        {"session.timeout.ms", member ? session : NULL},
        {"heartbeat.interval.ms", member ? heartbeat : NULL},
    };
    struct handle_plan plan = client_plan(client, HANDLE_CONSUMER);
    plan.own = own;
    plan.own_count = sizeof own / sizeof own[0];

    rd_kafka_conf_t *conf;
    enum outcome outcome = handle_configure(&conf, &plan, error);
    if (outcome != OK) {
        return outcome;
    }
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_error_cb(conf, consumer_error);
    if (member) {
        rd_kafka_conf_set_rebalance_cb(conf, consumer_rebalance);
    }
    return handle_open(&client->consumer, &plan, conf, error);
}

static enum outcome join_or_assign(struct client *client, struct error *error)
{
    rd_kafka_resp_err_t code;
    if (client->instance_id) {
        rd_kafka_topic_partition_list_t *list =
            rd_kafka_topic_partition_list_new((int)client->topic_count);
        for (size_t i = 0; i < client->topic_count; i++) {
            rd_kafka_topic_partition_list_add(list, client->topics[i], RD_KAFKA_PARTITION_UA);
        }
        code = rd_kafka_subscribe(client->consumer, list);
        rd_kafka_topic_partition_list_destroy(list);
    } else {
        code = inputs_assign(client, &client->fixed_partition, 1);
    }
    if (code) {
        return fail_exit(error, EXIT_CONFIG, "the inputs of %s cannot be assigned: %s",
                         client->application_id, rd_kafka_err2str(code));
    }
    client->announced = client->instance_id != NULL;
    return OK;
}

enum outcome client_open(struct port **port, const struct client_options *options,
                         struct error *error)
{
    struct client *client = xcalloc(1, sizeof *client);
    client->port.calls = &calls;
    arena_init(&client->arena);
    keep_options(client, options);
    client->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(client->wake_fd >= 0);
    enum outcome outcome = open_consumer(client, error);
    if (outcome == OK) {
        rd_kafka_poll_set_consumer(client->consumer);
        client->events = rd_kafka_queue_get_consumer(client->consumer);
        rd_kafka_queue_cb_event_enable(client->events, client_wake, client);
        outcome = join_or_assign(client, error);
    }
    if (outcome != OK) {
        client_close(&client->port);
        return outcome;
    }
    *port = &client->port;
    return OK;
}

/* Closing serves the last revocation. librdkafka has hung here before (2.0.2 with an assignment
 * under way): after CLOSE_MS the handle goes without leaving, and the group learns of it by the
 * session's time-out. */
static void close_consumer(struct client *client)
{
    client->closing = true;
    rd_kafka_queue_cb_event_enable(client->events, NULL, NULL);
    int64_t deadline_us = monotonic_us() + (int64_t)CLOSE_MS * 1000;
    rd_kafka_error_t *refused = rd_kafka_consumer_close_queue(client->consumer, client->events);
    if (refused) {
        rd_kafka_error_destroy(refused);
    } else {
        while (!rd_kafka_consumer_closed(client->consumer) && monotonic_us() < deadline_us) {
            rd_kafka_message_t *message = rd_kafka_consume_queue(client->events, 10);
            if (message) {
                rd_kafka_message_destroy(message);
            }
        }
    }
    inputs_drop(client);
    rd_kafka_queue_destroy(client->events);
    rd_kafka_destroy_flags(client->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void client_close(struct port *port)
{
    if (!port) {
        return;
    }
    struct client *client = client_of(port);
    CHECK(!client->producers);
    if (client->consumer) {
        close_consumer(client);
    }
    if (client->high) {
        rd_kafka_destroy(client->high);
    }
    if (client->wake_fd >= 0) {
        close(client->wake_fd);
    }
    free(client->batch);
    arena_release(&client->arena);
    free(client);
}
