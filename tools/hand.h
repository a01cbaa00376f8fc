/* hand.h - a record written by hand, from JSON to the key and value of a topic. */
#ifndef WEIR_TOOLS_HAND_H
#define WEIR_TOOLS_HAND_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "weir.h"

/* `text` is the topic's whole record, or its short form: {"Restock":{...}} stands for an envelope
 * with agg_seq 0 and `now_ms`. Appends the value as it goes on the topic; *key lives in `arena`.
 * FATAL with EXIT_DATA naming the member: "payload.Restock.qty: ...". */
MUST_CHECK enum outcome hand_read(const struct weir_topic *topic, struct weir_bytes text,
                                  int64_t now_ms, struct arena *arena, const char **key,
                                  struct buffer *value, struct error *error);

#endif
