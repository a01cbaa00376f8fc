/* names.h - a number for each distinct text: 0, 1, 2, ... in order of first mention. Callers keep
 * an array beside it. */
#ifndef WEIR_TOOLS_NAMES_H
#define WEIR_TOOLS_NAMES_H

#include <stddef.h>

#include "base/arena.h"

struct names {
    const char **texts; /* by number */
    size_t count, capacity;
    size_t *slots; /* by the text's hash: number + 1 */
    size_t slot_count;
    struct arena arena; /* of the texts */
};

void names_init(struct names *names);
void names_release(struct names *names);

/* The number of `text`; it is the old names->count when the text is new. */
size_t names_add(struct names *names, const char *text);

#endif
