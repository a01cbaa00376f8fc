/* arena.c - a chain of blocks, bumped through and reset. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { BLOCK_BYTES = 16 * 1024, KEEP_BYTES = 1024 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_release(struct arena *arena)
{
    while (arena->first) {
        struct arena_block *next = arena->first->next;
        free(arena->first);
        arena->first = next;
    }
    arena_init(arena);
}

/* A single huge record must not make the process large for ever: what goes beyond KEEP_BYTES is
 * given back. */
void arena_reset(struct arena *arena)
{
    size_t kept = 0;
    struct arena_block **link = &arena->first;
    while (*link) {
        struct arena_block *block = *link;
        if (kept + block->size > KEEP_BYTES && kept > 0) {
            *link = block->next;
            free(block);
            continue;
        }
        kept += block->size;
        link = &block->next;
    }
    arena->current = arena->first;
    arena->used = 0;
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *block = xmalloc(sizeof *block + size);
    block->next = NULL;
    block->size = size;
    return block;
}

/* Goes on to the next kept block that is large enough, or links a new one in behind the current. */
static void next_block(struct arena *arena, size_t size)
{
    struct arena_block *next = arena->current ? arena->current->next : arena->first;
    if (!next || next->size < size) {
        struct arena_block *block = block_new(size > BLOCK_BYTES ? size : BLOCK_BYTES);
        block->next = next;
        if (arena->current) {
            arena->current->next = block;
        } else {
            arena->first = block;
        }
        next = block;
    }
    arena->current = next;
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    CHECK(size <= SIZE_MAX / 2);
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!arena->current || arena->current->size - arena->used < size) {
        next_block(arena, size);
    }
    void *memory = arena->current->data + arena->used;
    arena->used += size;
    return memset(memory, 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length > 0) {
        memcpy(copy, text, length);
    }
    return copy;
}

char *arena_vformat(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    CHECK(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vformat(arena, format, args);
    va_end(args);
    return text;
}

static void *memory_or_exit(void *memory)
{
    if (!memory) {
        fputs("weir: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *xmalloc(size_t size)
{
    return memory_or_exit(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return memory_or_exit(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
    return memory_or_exit(realloc(old, size > 0 ? size : 1));
}

char *xstrdup(const char *text)
{
    return memory_or_exit(strdup(text));
}

char *xjoined(const char *a, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 1;
    char *text = xmalloc(size);
    snprintf(text, size, "%s%s", a, b);
    return text;
}
