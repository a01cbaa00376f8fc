/* binary.h - Avro's variable-length integers, bounded (internal to lib/codec).
 *
 * A long is zigzag-coded, then written seven bits a byte, least first, the high bit saying that
 * more follow: at most ten bytes, of which the tenth holds one bit.
 */
#ifndef WEIR_CODEC_BINARY_H
#define WEIR_CODEC_BINARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum { VARINT_MAX_BYTES = 10 };

static inline uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t unzigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
}

/* Writes at most VARINT_MAX_BYTES at `at` and returns the end. */
static inline uint8_t *varint_write(uint8_t *at, int64_t value)
{
    uint64_t bits = zigzag(value);
    while (bits > 0x7F) {
        *at++ = (uint8_t)(bits | 0x80);
        bits >>= 7;
    }
    *at++ = (uint8_t)bits;
    return at;
}

/* Moves *at behind the integer. false, with *at left alone, when the bytes end inside it or it is
 * longer than 64 bits. */
static inline bool varint_read(const uint8_t **at, const uint8_t *end, int64_t *value)
{
    const uint8_t *from = *at;
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 70 && from < end; shift += 7) {
        uint8_t byte = *from++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        bits |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = unzigzag(bits);
            *at = from;
            return true;
        }
    }
    return false;
}

/* buffer_reserve without the call, when there is room. */
static inline uint8_t *buffer_room(struct buffer *out, size_t more)
{
    return out->capacity - out->size >= more ? out->data + out->size : buffer_reserve(out, more);
}

static inline void buffer_add_varint(struct buffer *out, int64_t value)
{
    uint8_t *at = buffer_room(out, VARINT_MAX_BYTES);
    out->size += (size_t)(varint_write(at, value) - at);
}

#endif
