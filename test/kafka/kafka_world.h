/* kafka_world.h - the conformance cases' world on a real Kafka, and the fixture of the adapter's
 * own tests.
 *
 * The broker is at WEIR_KAFKA (127.0.0.1:19092). Without one the tests end with 77, skipped. Every
 * case has topics and a group of its own; the topics are deleted when it ends.
 */
#ifndef WEIR_TEST_KAFKA_WORLD_H
#define WEIR_TEST_KAFKA_WORLD_H

#include "broker/conformance.h"
#include "kafka/admin.h"

/* Whether a broker answers; says what to do when none does. */
bool kafka_world_is_there(void);

/* *state becomes a struct world *. */
int kafka_world_set_up(void **state);
int kafka_world_tear_down(void **state);

/* The same with a proxy before the broker, when that is on this machine: faults can be ordered. */
int kafka_world_set_up_proxied(void **state);

/* An instance with settings of its own; closed with the world. `topics` NULL: the world's input. */
struct port *kafka_world_open(struct world *world, const char *instance_id, int32_t partition,
                              const char *const *topics, const struct client_property *properties,
                              size_t property_count, struct seen *seen);

/* A topic of this case alone: "adapter-<case>-<suffix>". */
const char *kafka_world_topic(struct world *world, const char *suffix, int32_t partitions,
                              int32_t max_message_bytes);

struct admin *kafka_world_admin(struct world *world);
struct writer *kafka_world_writer(struct world *world);

const char *kafka_world_bootstrap(void);

/* Callbacks that keep a struct seen (the context) up to date. */
struct port_group kafka_world_group(struct seen *seen);

#endif
