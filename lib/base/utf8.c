/* utf8.c - the table of well-formed byte sequences (Unicode 15, table 3-7) as comparisons. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

static size_t three_bytes(const uint8_t *at)
{
    uint8_t low = at[0] == 0xE0 ? 0xA0 : 0x80;  /* below: overlong */
    uint8_t high = at[0] == 0xED ? 0x9F : 0xBF; /* above: surrogates */
    return at[1] >= low && at[1] <= high && is_tail(at[2]) ? 3 : 0;
}

static size_t four_bytes(const uint8_t *at)
{
    uint8_t low = at[0] == 0xF0 ? 0x90 : 0x80;  /* below: overlong */
    uint8_t high = at[0] == 0xF4 ? 0x8F : 0xBF; /* above: beyond U+10FFFF */
    return at[1] >= low && at[1] <= high && is_tail(at[2]) && is_tail(at[3]) ? 4 : 0;
}

size_t utf8_character(const void *text, size_t left)
{
    const uint8_t *at = text;
    if (left == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        return left >= 2 && is_tail(at[1]) ? 2 : 0;
    }
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        return left >= 3 ? three_bytes(at) : 0;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        return left >= 4 ? four_bytes(at) : 0;
    }
    return 0;
}

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

bool utf8_valid(const void *text, size_t size)
{
    const uint8_t *at = text, *end = at + size;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && ((void)memcpy(&eight, at, 8), (eight & HIGHS) == 0)) {
            at += 8;
            continue;
        }
        size_t length = utf8_character(at, (size_t)(end - at));
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

/* Eight bytes at a time: (b - 1) has its high bit set for b = 0 and for b > 0x80, so one mask finds
 * both a NUL and the first byte beyond ASCII. (A borrow runs only out of a NUL.) */
bool utf8_valid_string(const void *text, size_t size)
{
    const uint8_t *at = text, *end = at + size;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 &&
            ((void)memcpy(&eight, at, 8), ((eight | (eight - ONES)) & HIGHS) == 0)) {
            at += 8;
            continue;
        }
        if ((uint8_t)(*at - 1) < 0x7F) {
            at++;
            continue;
        }
        size_t length = *at == 0 ? 0 : utf8_character(at, (size_t)(end - at));
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}
