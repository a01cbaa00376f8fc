/* names.c - open addressing, at most half full. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { FIRST_SLOTS = 1024 };

void names_init(struct names *names)
{
    *names = (struct names){0};
    arena_init(&names->arena);
}

void names_release(struct names *names)
{
    free(names->texts);
    free(names->slots);
    arena_release(&names->arena);
    *names = (struct names){0};
}

static size_t *slot_of(const struct names *names, const char *text)
{
    size_t at = hash_bytes(0, text, strlen(text)) % names->slot_count;
    while (names->slots[at] && strcmp(names->texts[names->slots[at] - 1], text) != 0) {
        at = (at + 1) % names->slot_count;
    }
    return &names->slots[at];
}

static void grow(struct names *names)
{
    free(names->slots);
    names->slot_count = names->slot_count > 0 ? names->slot_count * 2 : FIRST_SLOTS;
    names->slots = xcalloc(names->slot_count, sizeof *names->slots);
    names->capacity = names->slot_count / 2;
    names->texts = xrealloc(names->texts, names->capacity * sizeof *names->texts);
    for (size_t i = 0; i < names->count; i++) {
        *slot_of(names, names->texts[i]) = i + 1;
    }
}

size_t names_add(struct names *names, const char *text)
{
    if (names->count == names->capacity) {
        grow(names);
    }
    size_t *slot = slot_of(names, text);
    if (!*slot) {
        names->texts[names->count++] = arena_strndup(&names->arena, text, strlen(text));
        *slot = names->count;
    }
    return *slot - 1;
}
