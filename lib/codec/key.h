/* key.h - a state row's key as bytes that sort like the row.
 *
 * Strings are their bytes and a NUL, numbers eight big-endian bytes with the sign bit flipped, so
 * that memcmp order is the order of the table's primary key. A changelog record's Kafka key is the
 * store's name, a NUL, and these bytes. Key fields are non-nullable strings, ints, longs and enums
 * (an enum sorts by position).
 */
#ifndef WEIR_CODEC_KEY_H
#define WEIR_CODEC_KEY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "codec/layout.h"

/* Appends the first `fields` key fields of `row`. */
void key_encode(const struct weir_store *store, const void *row, size_t fields, struct buffer *out);

/* Fills the key fields of `row` (the rest is left alone). false when the bytes are not a key of
 * this store. */
MUST_CHECK bool key_decode(const struct weir_store *store, struct weir_bytes bytes,
                           struct arena *arena, void *row);

#endif
