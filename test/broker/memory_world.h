/* memory_world.h - the conformance cases' world on the broker in memory, as cmocka's setup and
 * teardown. */
#ifndef WEIR_TEST_BROKER_MEMORY_WORLD_H
#define WEIR_TEST_BROKER_MEMORY_WORLD_H

#include "broker/conformance.h"

/* *state becomes the struct world *. The teardown fails when a scheduled fault was never met: such
 * a case does not test what it says. */
int memory_world_set_up(void **state);
int memory_world_tear_down(void **state);

struct broker *memory_world_broker(const struct world *world);

#endif
