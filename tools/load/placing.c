/* placing.c - money as a shop front writes it. */
#include "load/placing.h"

#include <inttypes.h>
#include <string.h>

enum { MICRO_DECIMALS = 6 };

const char *placing_money(struct arena *arena, int64_t micros, int decimals)
{
    uint64_t size = micros < 0 ? 0 - (uint64_t)micros : (uint64_t)micros;
    char *text = arena_format(arena, "%s%" PRIu64 ".%06" PRIu64, micros < 0 ? "-" : "",
                              size / 1000000, size % 1000000);
    size_t length = strlen(text), shortest = length - (size_t)(MICRO_DECIMALS - decimals);
    while (length > shortest && text[length - 1] == '0') {
        length--;
    }
    text[text[length - 1] == '.' ? length - 1 : length] = 0;
    return text;
}
