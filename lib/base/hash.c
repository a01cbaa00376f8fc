/* hash.c - multiply and fold. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

static const uint64_t multiplier = UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio, odd */

static uint64_t fold(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * multiplier;
    return hash ^ (hash >> 32);
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t hash = seed ^ multiplier, word;
    size_t left = size;
    for (; left >= sizeof word; left -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = fold(hash, le64toh(word));
    }
    if (left > 0) {
        word = 0;
        memcpy(&word, bytes, left);
        hash = fold(hash, le64toh(word));
    }
    return fold(hash, size);
}
