/* arena.h - memory that is forgotten all at once.
 *
 * Blocks are kept across resets, so that after warm-up a record costs no malloc. Out of memory ends
 * the process: a crash is a path that weir survives anyway.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    size_t used; /* of current */
};

void arena_init(struct arena *arena);
void arena_release(struct arena *arena);

/* Forgets everything; keeps blocks for the next round, up to a megabyte. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type, never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_vformat(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* malloc and friends that end the process when there is no memory. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xjoined(const char *a, const char *b); /* one behind the other */

#endif
