/* kafka_world.c - the conformance cases' world on a real Kafka. */
#include "kafka/kafka_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "kafka/admin_internal.h"
#include "kafka/wire.h"

enum { PORTS_MAX = 8, TOPICS_MAX = 8, PARTITIONS = 2, SESSION_MS = 3000, TRANSACTION_MS = 3000 };

struct real {
    struct world world; /* first */
    struct admin *admin;
    struct writer *writer;
    struct wire *wire;  /* NULL: straight to the broker */
    char bootstrap[40]; /* through it */
    struct port *ports[PORTS_MAX];
    size_t port_count;
    char group[64], id[80];
    char topics[TOPICS_MAX][96];
    size_t topic_count;
    struct error error;
};

static struct real *self(struct world *world)
{
    return (struct real *)world;
}

const char *kafka_world_bootstrap(void)
{
    const char *given = getenv("WEIR_KAFKA");
    return given ? given : "127.0.0.1:19092";
}

static void must(struct real *real, enum outcome outcome)
{
    if (outcome != OK) {
        fprintf(stderr, "kafka_world: %s\n", real->error.text);
    }
    CHECK_EQUAL(outcome, OK);
}

/* ---- topics ---- */

static const char *make_topic(struct real *real, const char *suffix,
                              const struct topic_settings *like)
{
    CHECK(real->topic_count < TOPICS_MAX);
    char *name = real->topics[real->topic_count++];
    snprintf(name, sizeof real->topics[0], "%s-%s", real->group, suffix);
    struct topic_settings topic = *like;
    topic.name = name;
    must(real, admin_create(real->admin, &topic, 1, &real->error));
    return name;
}

const char *kafka_world_topic(struct world *world, const char *suffix, int32_t partitions,
                              int32_t max_message_bytes)
{
    return make_topic(self(world), suffix,
                      &(struct topic_settings){.partitions = partitions,
                                               .log_append_time = true,
                                               .retention_ms = -1,
                                               .delete_retention_ms = 86400000,
                                               .max_message_bytes = max_message_bytes});
}

/* ---- instances ---- */

static void assigned(void *context, const int32_t *partitions, size_t count)
{
    struct seen *seen = context;
    if (!seen) {
        return;
    }
    CHECK(count <= sizeof seen->partitions / sizeof *partitions);
    seen->assigned++;
    seen->count = count;
    memcpy(seen->partitions, partitions, count * sizeof *partitions);
}

static void revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    struct seen *seen = context;
    if (!seen) {
        return;
    }
    CHECK(count == seen->count &&
          memcmp(partitions, seen->partitions, count * sizeof *partitions) == 0);
    seen->revoked++;
    seen->lost += lost;
    seen->count = 0;
}

struct port_group kafka_world_group(struct seen *seen)
{
    return (struct port_group){seen, assigned, revoked};
}

struct port *kafka_world_open(struct world *world, const char *instance_id, int32_t partition,
                              const char *const *topics, const struct client_property *properties,
                              size_t property_count, struct seen *seen)
{
    struct real *real = self(world);
    const char *const input[] = {world->input, NULL};
    struct client_options options = {
        .bootstrap_servers = real->wire ? real->bootstrap : kafka_world_bootstrap(),
        .application_id = world->group,
        .instance_id = instance_id,
        .fixed_partition = partition,
        .topics = topics ? topics : input,

        .group = kafka_world_group(seen),
        .session_timeout_ms = SESSION_MS,
        .transaction_timeout_ms = TRANSACTION_MS,
        .properties = properties,
        .property_count = property_count,
    };
    CHECK(real->port_count < PORTS_MAX);
    struct port *port = NULL;
    must(real, client_open(&port, &options, &real->error));
    real->ports[real->port_count++] = port;
    return port;
}

static struct port *open_instance(struct world *world, const char *instance_id, int32_t partition,
                                  struct seen *seen)
{
    return kafka_world_open(world, instance_id, partition, NULL, NULL, 0, seen);
}

/* What it has open stays open at the broker; a static member leaves no word. */
static void close_instance(struct port *port)
{
    struct client *client = client_of(port);
    while (client->producers) {
        client_producer_close(client->producers);
    }
    client_close(port);
}

static void drop(struct world *world, struct port *port)
{
    struct real *real = self(world);
    size_t at = 0;
    while (real->ports[at] != port) {
        at++;
        CHECK(at < real->port_count);
    }
    real->ports[at] = real->ports[--real->port_count];
    close_instance(port);
}

/* ---- what happens around it ---- */

static struct weir_bytes bytes(const char *text)
{
    return text ? (struct weir_bytes){(const uint8_t *)text, strlen(text)}
                : (struct weir_bytes){NULL, 0};
}

static void produce(struct world *world, const char *topic, int32_t partition, const char *key,
                    const char *value)
{
    struct real *real = self(world);
    struct writer *writer = kafka_world_writer(world);
    must(real,
         writer_send(writer, topic, partition, bytes(key), bytes(value), NULL, 0, &real->error));
    must(real, writer_flush(writer, world->patience_ms, &real->error));
}

static void pass_time(struct world *world, int ms)
{
    (void)world;
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

enum { TIMED_OUT_WITHIN_MS = 60000 };

/* The broker looks for transactions that are over their time every ten seconds. */
static void time_out(struct world *world, const char *id, int64_t high)
{
    (void)id;
    struct real *real = self(world);
    int waited_ms = 0;
    for (int64_t stands = -1; stands < high; pass_time(world, 100)) {
        waited_ms += 100;
        must(real, waited_ms < TIMED_OUT_WITHIN_MS
                       ? OK
                       : fail(&real->error, FATAL, "%s does not come to stand at %lld",
                              world->output, (long long)high));
        struct port_log *logs;
        int32_t partitions;
        must(real, admin_logs(real->admin, world->output, &logs, &partitions, &real->error));
        stands = logs[0].stable;
        free(logs);
    }
}

static void cut(struct world *world, const char *topic, int32_t partition, int64_t low)
{
    struct real *real = self(world);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = low;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(real->admin->handle, &request, 1, NULL, real->admin->answers);
    rd_kafka_event_t *answer;
    must(real, admin_answer(real->admin, "deleting records", &answer, &real->error));
    rd_kafka_event_destroy(answer);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

static void forget(struct world *world)
{
    struct real *real = self(world);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, world->input, 0);
    rd_kafka_DeleteConsumerGroupOffsets_t *request =
        rd_kafka_DeleteConsumerGroupOffsets_new(world->group, list);
    rd_kafka_DeleteConsumerGroupOffsets(real->admin->handle, &request, 1, NULL,
                                        real->admin->answers);
    rd_kafka_event_t *answer;
    must(real, admin_answer(real->admin, "deleting offsets", &answer, &real->error));
    rd_kafka_event_destroy(answer);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- what the network does ---- */

static enum wire_api api_of(enum broker_call call)
{
    switch (call) {
    case CALL_INIT:
        return WIRE_INIT;
    case CALL_SEND:
        return WIRE_PRODUCE;
    case CALL_ADD_PARTITIONS:
        return WIRE_ADD_PARTITIONS;
    case CALL_ADD_OFFSETS:
        return WIRE_ADD_OFFSETS;
    case CALL_SEND_OFFSETS:
        return WIRE_OFFSETS;
    case CALL_COMMIT:
    case CALL_ABORT:
        return WIRE_END_TXN;
    case CALL_POLL:
    case CALL_START:
    case CALL_STOP:
    case CALL_FETCH:
    case CALL_COMMITTED:
    case CALL_LOG:
    case CALL_PRODUCER_OPEN:
    case CALL_BEGIN:
    case CALL_READER_OPEN:
    case CALL_READ:
    case BROKER_CALLS:
        break;
    }
    BUG("no request of a transaction");
}

/* A connection that breaks makes the client ask again; where the caller is to be in doubt, it stays
 * and nothing comes back. */
static enum wire_trick trick_of(const struct broker_fault *fault)
{
    bool doubt =
        fault->call == CALL_SEND_OFFSETS || fault->call == CALL_COMMIT || fault->call == CALL_ABORT;
    switch (fault->kind) {
    case FAULT_LOSE_REQUEST:
        return doubt ? WIRE_REQUEST_HELD : WIRE_REQUEST_LOST;
    case FAULT_LOSE_REPLY:
        return doubt ? WIRE_REPLY_HELD : WIRE_REPLY_LOST;
    case FAULT_HIDDEN_RETRY:
        return WIRE_REPLY_LOST;
    case FAULT_NONE:
        return WIRE_NOTHING;
    case FAULT_FAIL:
    case FAULT_OLD_ANSWER:
    case FAULT_MEANWHILE:
    case FAULT_CRASH_BEFORE:
    case FAULT_CRASH_AFTER:
        break;
    }
    BUG("no fault of the network's");
}

static void fault(struct world *world, const struct broker_fault *fault)
{
    wire_order(self(world)->wire, &(struct wire_plan){
                                      .trick = trick_of(fault),
                                      .api = api_of(fault->call),
                                      .nth = (int)fault->nth,
                                      .keep = fault->stray != STRAY_NONE,
                                  });
}

static int arrive(struct world *world)
{
    return wire_arrive(self(world)->wire);
}

/* Nobody's heartbeats come through until the session is over. */
static void expire(struct world *world, const char *instance_id)
{
    enum { BROKER_MS = 500 };
    struct real *real = self(world);
    (void)instance_id;
    wire_order(real->wire, &(struct wire_plan){.trick = WIRE_REQUEST_HELD, .api = WIRE_HEARTBEAT});
    pass_time(world, SESSION_MS + BROKER_MS);
    wire_order(real->wire, &(struct wire_plan){.trick = WIRE_NOTHING});
}

/* ---- set up and tear down ---- */

struct admin *kafka_world_admin(struct world *world)
{
    return self(world)->admin;
}

struct writer *kafka_world_writer(struct world *world)
{
    struct real *real = self(world);
    if (!real->writer) {
        must(real, writer_open(&real->writer, kafka_world_bootstrap(), NULL, 0, &real->error));
    }
    return real->writer;
}

bool kafka_world_is_there(void)
{
    struct error error;
    struct admin *admin = NULL;
    log_set_level(LOG_ERROR);
    bool there = admin_open(&admin, kafka_world_bootstrap(), NULL, 0, &error) == OK &&
                 admin_wait_for_broker(admin, 5000, &error) == OK;
    admin_close(admin);
    if (!there) {
        fprintf(stderr, "skipped: %s; run scripts/kafka start, or set WEIR_KAFKA\n", error.text);
    }
    return there;
}

int kafka_world_set_up(void **state)
{
    static int cases;
    struct real *real = xcalloc(1, sizeof *real);
    log_set_level(LOG_ERROR); /* the cases make every kind of trouble */
    must(real, admin_open(&real->admin, kafka_world_bootstrap(), NULL, 0, &real->error));
    *state = real;
    snprintf(real->group, sizeof real->group, "adapter-%d-%d-%lld", (int)getpid(), ++cases,
             (long long)time(NULL) % 100000);
    snprintf(real->id, sizeof real->id, "%s.p0", real->group);
    real->world = (struct world){
        .group = real->group,
        .id = real->id,
        .patience_ms = 3000,
        .open = open_instance,
        .drop = drop,
        .produce = produce,
        .sleep = pass_time,
        .time_out = time_out,
        .truncate = cut,
        .forget = forget,
    };
    struct topic_settings topic = {.partitions = PARTITIONS,
                                   .log_append_time = true,
                                   .retention_ms = -1,
                                   .delete_retention_ms = 86400000,
                                   .max_message_bytes = 1048576};
    real->world.input = make_topic(real, "in", &topic);
    real->world.output = make_topic(real, "out", &topic);
    topic.cleanup = WEIR_COMPACT;
    real->world.changelog = make_topic(real, "log", &topic);
    return 0;
}

int kafka_world_set_up_proxied(void **state)
{
    int port = 0, code = kafka_world_set_up(state);
    struct real *real = *state;
    if (sscanf(kafka_world_bootstrap(), "127.0.0.1:%d", &port) == 1) {
        real->wire = wire_open(0, port, NULL);
        snprintf(real->bootstrap, sizeof real->bootstrap, "127.0.0.1:%d", wire_port(real->wire));
        real->world.fault = fault;
        real->world.arrive = arrive;
        real->world.expire = expire;
    }
    return code;
}

int kafka_world_tear_down(void **state)
{
    struct real *real = *state;
    while (real->port_count > 0) {
        close_instance(real->ports[--real->port_count]);
    }
    wire_close(real->wire);
    writer_close(real->writer);
    const char *names[TOPICS_MAX];
    for (size_t i = 0; i < real->topic_count; i++) {
        names[i] = real->topics[i];
    }
    enum outcome outcome = admin_delete_topics(real->admin, names, real->topic_count, &real->error);
    admin_close(real->admin);
    free(real);
    return outcome == OK ? 0 : -1;
}
