/* again.h - the check that needs no other world: a task's history is replayed, and must come to the
 * same. */
#ifndef WEIR_TEST_SIMULATION_AGAIN_H
#define WEIR_TEST_SIMULATION_AGAIN_H

#include "broker/broker.h"
#include "codec/codec.h"
#include "runtime/settings.h"

/* Replays a task into `path`, where nothing is, and compares every commit, and in
 * the end the rows with those of the file `state`. false: `why` says what differs. */
bool comes_to_the_same_again(struct broker *broker, struct codec *codec,
                             const struct weir_processor *processor,
                             const struct settings *settings, int32_t partition, const char *path,
                             const char *state, char *why, size_t room);

#endif
