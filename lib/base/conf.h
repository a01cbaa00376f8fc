/* conf.h - configuration files: `key = value` lines, `# comment` lines, `[section]` lines.
 *
 * A comment stands on its own line; a value goes to the end of its line, without the blanks around
 * it.
 */
#ifndef WEIR_BASE_CONF_H
#define WEIR_BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct conf_entry {
    const char *section; /* "" before the first one */
    const char *key, *value;
    const char *file;
    int line;
};

struct conf {
    struct conf_entry *entries;
    size_t count, capacity;
    struct arena arena;
};

void conf_init(struct conf *conf);
void conf_release(struct conf *conf);

/* Appends the entries of a file. FATAL with EXIT_CONFIG: "file:line: what is wrong and what to
 * write". `may_be_absent`: a missing file is an empty one. */
MUST_CHECK enum outcome conf_read(struct conf *conf, const char *path, bool may_be_absent,
                                  struct error *error);

/* The same for a text in memory; `name` stands for the file in messages. */
MUST_CHECK enum outcome conf_parse(struct conf *conf, const char *name, const char *text,
                                   size_t size, struct error *error);

/* The candidate that a person probably meant, or NULL: for "unknown key; did you mean ...".
 * NULL-terminated list. */
const char *conf_nearest(const char *word, const char *const *candidates);

/* Reads a whole number; accepts only digits with an optional minus. */
MUST_CHECK bool conf_number(const char *text, int64_t *number);

#endif
