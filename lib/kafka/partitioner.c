/* partitioner.c - Java's choice of a partition: murmur2 of the key, made positive, modulo the
 * count.
 *
 * Every producer of a topic must choose alike, or a key's records are in two partitions: so this is
 * Kafka's own org.apache.kafka.common.utils.Utils.murmur2, with its seed.
 */
#include <string.h>

#include "base/error.h"
#include "kafka/admin.h"

enum { SHIFT = 24 };
static const uint32_t multiplier = 0x5bd1e995u, seed = 0x9747b28cu;

static uint32_t little_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

int32_t key_hash(struct weir_bytes key)
{
    size_t size = key.size;
    const uint8_t *at = key.data;
    uint32_t hash = seed ^ (uint32_t)size;
    for (; size >= 4; size -= 4, at += 4) {
        uint32_t word = little_endian(at) * multiplier;
        word ^= word >> SHIFT;
        hash = (hash * multiplier) ^ (word * multiplier);
    }
    if (size > 0) {
        for (size_t i = size; i-- > 0;) {
            hash ^= (uint32_t)at[i] << (8 * i);
        }
        hash *= multiplier;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    hash ^= hash >> 15;
    int32_t as_signed;
    memcpy(&as_signed, &hash, sizeof as_signed);
    return as_signed;
}

int32_t key_partition(struct weir_bytes key, int32_t partitions)
{
    CHECK(partitions > 0);
    return (key_hash(key) & INT32_MAX) % partitions;
}
