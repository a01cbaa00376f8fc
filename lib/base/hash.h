/* hash.h - a fast 64-bit hash with a fixed definition (checkpoint digests are compared across
 * machines).
 *
 * Eight bytes a step, little endian, each folded in by a multiplication; the length closes it. Not
 * for hostile keys.
 */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Hashes `size` bytes on top of `seed`; chain calls to hash several pieces. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t size);

#endif
