/* picture.h - what a reader can see of inventory's work, as text: two worlds are equal when their
 * pictures are. */
#ifndef WEIR_TEST_SIMULATION_PICTURE_H
#define WEIR_TEST_SIMULATION_PICTURE_H

#include <stddef.h>

#include "base/buffer.h"
#include "broker/broker.h"
#include "codec/codec.h"

/* The committed outputs, each with its cause, the dead letters, the last view of every SKU. In
 * order of cause, since what different tasks write has no order. */
void picture_of_topics(struct broker *broker, struct codec *codec, struct buffer *out);

/* Every row of a state file. false: it cannot be read. */
bool picture_of_state(const char *path, struct buffer *out);

/* Gapless commit numbers and contiguous ranges that end at the input's end; how many records were
 * handled, stale, dead. false, with the reason in `why`, when they are not so. */
bool picture_of_history(struct broker *broker, struct codec *codec, int32_t partition,
                        struct buffer *out, char *why, size_t room);

#endif
