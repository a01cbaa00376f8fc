/* buffer.h - bytes that grow, with the room given back by buffer_release. data is NULL until the
 * first byte. */
#ifndef WEIR_BASE_BUFFER_H
#define WEIR_BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t size, capacity;
};

void buffer_init(struct buffer *buffer);
void buffer_release(struct buffer *buffer);
void buffer_reset(struct buffer *buffer); /* size 0, keeps the room */

/* Makes room for `more` bytes behind size and returns where they start (size is not moved). */
uint8_t *buffer_reserve(struct buffer *buffer, size_t more);
void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_byte(struct buffer *buffer, uint8_t byte);
void buffer_add_string(struct buffer *buffer, const char *text); /* without its NUL */
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts a NUL behind the bytes (not counted in size) and returns them as a string. */
const char *buffer_string(struct buffer *buffer);

#endif
