/* utf8.h - is this text UTF-8? (RFC 3629: no overlong forms, no surrogates, nothing beyond
 * U+10FFFF.) */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at `text`: 1 to 4, or 0 when what is there (in `left` bytes) is not one.
 */
size_t utf8_character(const void *text, size_t left);

/* A NUL is a character like any other here. */
bool utf8_valid(const void *text, size_t size);

/* UTF-8 without a NUL: what a C string can hold. */
bool utf8_valid_string(const void *text, size_t size);

#endif
