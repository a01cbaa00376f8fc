/* memory_world.c - the conformance cases' world on the broker in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "broker/memory_world.h"

enum { PORTS_MAX = 4, PARTITIONS = 2 };

struct memory {
    struct world world; /* first */
    struct broker *broker;
    struct port *ports[PORTS_MAX];
    size_t port_count;
};

static struct memory *self(struct world *world)
{
    return (struct memory *)world;
}

static void assigned(void *context, const int32_t *partitions, size_t count)
{
    struct seen *seen = context;
    CHECK(count <= sizeof seen->partitions / sizeof *partitions);
    seen->assigned++;
    seen->count = count;
    memcpy(seen->partitions, partitions, count * sizeof *partitions);
}

static void revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    struct seen *seen = context;
    CHECK(count == seen->count &&
          memcmp(partitions, seen->partitions, count * sizeof *partitions) == 0);
    seen->revoked++;
    seen->lost += lost;
    seen->count = 0;
}

static struct port *open_instance(struct world *world, const char *instance_id, int32_t partition,
                                  struct seen *seen)
{
    static const char *const topics[] = {"in", NULL};
    struct memory *memory = self(world);
    struct client_options options = {
        .application_id = world->group,
        .instance_id = instance_id,
        .fixed_partition = partition,
        .topics = topics,
    };
    if (seen) {
        options.group = (struct port_group){seen, assigned, revoked};
    }
    CHECK(memory->port_count < PORTS_MAX);
    struct port *port = broker_port_open(memory->broker, &options);
    memory->ports[memory->port_count++] = port;
    return port;
}

static void drop(struct world *world, struct port *port)
{
    struct memory *memory = self(world);
    size_t at = 0;
    while (memory->ports[at] != port) {
        at++;
        CHECK(at < memory->port_count);
    }
    memory->ports[at] = memory->ports[--memory->port_count];
    broker_port_close(port);
}

static struct weir_bytes bytes(const char *text)
{
    return text ? (struct weir_bytes){(const uint8_t *)text, strlen(text)}
                : (struct weir_bytes){NULL, 0};
}

static void produce(struct world *world, const char *topic, int32_t partition, const char *key,
                    const char *value)
{
    broker_produce(self(world)->broker, topic, partition, bytes(key), bytes(value), NULL, 0);
}

static void pass_time(struct world *world, int ms)
{
    broker_advance(self(world)->broker, ms);
}

static void time_out(struct world *world, const char *id, int64_t high)
{
    broker_time_out(self(world)->broker, id);
    CHECK_EQUAL(broker_log(self(world)->broker, world->output, 0).high, high);
}

static void expire(struct world *world, const char *instance_id)
{
    broker_expire_member(self(world)->broker, world->group, instance_id);
}

static void cut(struct world *world, const char *topic, int32_t partition, int64_t low)
{
    broker_truncate(self(world)->broker, topic, partition, low);
}

static void compact(struct world *world, const char *topic, int32_t partition)
{
    broker_compact(self(world)->broker, topic, partition, false);
}

static void fault(struct world *world, const struct broker_fault *fault)
{
    broker_fault(self(world)->broker, fault);
}

static int arrive(struct world *world)
{
    return broker_deliver_strays(self(world)->broker);
}

static void mix(struct world *world, int way)
{
    static const enum broker_pace paces[] = {PACE_AT_ONCE, PACE_EARLY, PACE_LATE};
    broker_set_pace(self(world)->broker, paces[way % 3]);
}

static void forget(struct world *world)
{
    broker_forget_offsets(self(world)->broker, world->group);
}

static void hold_markers(struct world *world, const char *topic)
{
    broker_delay_markers(self(world)->broker, topic, BROKER_HELD);
}

static void release_markers(struct world *world, const char *topic)
{
    broker_release_markers(self(world)->broker, topic);
}

int memory_world_set_up(void **state)
{
    struct memory *memory = xcalloc(1, sizeof *memory);
    memory->broker = broker_open(1600000000000);
    memory->world = (struct world){
        .input = "in",
        .output = "out",
        .changelog = "log",
        .group = "app",
        .id = "app.p0",
        .patience_ms = 1000,
        .open = open_instance,
        .drop = drop,
        .produce = produce,
        .sleep = pass_time,
        .time_out = time_out,
        .expire = expire,
        .truncate = cut,
        .compact = compact,
        .forget = forget,
        .fault = fault,
        .arrive = arrive,
        .mix = mix,
        .hold_markers = hold_markers,
        .release_markers = release_markers,
    };
    broker_create_topic(memory->broker, "in", PARTITIONS, false);
    broker_create_topic(memory->broker, "out", PARTITIONS, false);
    broker_create_topic(memory->broker, "log", PARTITIONS, true);
    *state = memory;
    return 0;
}

int memory_world_tear_down(void **state)
{
    struct memory *memory = *state;
    while (memory->port_count > 0) {
        broker_port_close(memory->ports[--memory->port_count]);
    }
    size_t faults_left = broker_faults_left(memory->broker);
    broker_close(memory->broker);
    free(memory);
    return faults_left == 0 ? 0 : -1;
}

struct broker *memory_world_broker(const struct world *world)
{
    return ((const struct memory *)world)->broker;
}
