/* conf.c - reads configuration lines, and says with file and line what cannot be one. */
#include "base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { FILE_MAX_BYTES = 1024 * 1024 };

void conf_init(struct conf *conf)
{
    *conf = (struct conf){0};
    arena_init(&conf->arena);
}

void conf_release(struct conf *conf)
{
    free(conf->entries);
    arena_release(&conf->arena);
}

static const char *trimmed(struct arena *arena, const char *start, const char *end)
{
    while (start < end && isspace((unsigned char)*start)) {
        start++;
    }
    while (end > start && isspace((unsigned char)end[-1])) {
        end--;
    }
    return arena_strndup(arena, start, (size_t)(end - start));
}

static enum outcome parse_line(struct conf *conf, const char *file, int number,
                               const char **section, const char *line, const char *end,
                               struct error *error)
{
    const char *text = trimmed(&conf->arena, line, end);
    size_t length = strlen(text);
    if (length == 0 || text[0] == '#') {
        return OK;
    }
    if (text[0] == '[') {
        if (text[length - 1] != ']' || length < 3) {
            return fail_exit(error, EXIT_CONFIG, "%s:%d: a section is written [name]", file,
                             number);
        }
        *section = trimmed(&conf->arena, text + 1, text + length - 1);
        return OK;
    }
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return fail_exit(error, EXIT_CONFIG, "%s:%d: '%.60s' is not a setting; write: key = value",
                         file, number, text);
    }
    if (conf->count == conf->capacity) {
        conf->capacity = conf->capacity > 0 ? conf->capacity * 2 : 32;
        conf->entries = xrealloc(conf->entries, conf->capacity * sizeof *conf->entries);
    }
    conf->entries[conf->count++] = (struct conf_entry){
        .section = *section,
        .key = trimmed(&conf->arena, text, equals),
        .value = trimmed(&conf->arena, equals + 1, text + length),
        .file = file,
        .line = number,
    };
    return OK;
}

enum outcome conf_parse(struct conf *conf, const char *name, const char *text, size_t size,
                        struct error *error)
{
    const char *file = arena_strndup(&conf->arena, name, strlen(name));
    if (memchr(text, 0, size) || !utf8_valid(text, size)) {
        return fail_exit(error, EXIT_CONFIG, "%s: not a text file (UTF-8)", name);
    }
    const char *section = "", *at = text, *end = text + size;
    for (int number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline ? newline : end;
        enum outcome outcome = parse_line(conf, file, number, &section, at, line_end, error);
        if (outcome != OK) {
            return outcome;
        }
        at = newline ? newline + 1 : end;
    }
    return OK;
}

enum outcome conf_read(struct conf *conf, const char *path, bool may_be_absent, struct error *error)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        if (errno == ENOENT && may_be_absent) {
            return OK;
        }
        return fail_exit(error, EXIT_CONFIG, "%s: cannot be read: %s", path, strerror(errno));
    }
    char *text = xmalloc(FILE_MAX_BYTES + 1);
    size_t size = fread(text, 1, FILE_MAX_BYTES + 1, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    enum outcome outcome;
    if (failed) {
        outcome = fail_exit(error, EXIT_CONFIG, "%s: cannot be read", path);
    } else if (size > FILE_MAX_BYTES) {
        outcome = fail_exit(error, EXIT_CONFIG,
                            "%s: larger than a megabyte: not a configuration file", path);
    } else {
        outcome = conf_parse(conf, path, text, size, error);
    }
    free(text);
    return outcome;
}

/* Levenshtein distance, for short words. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t row[MAX + 1], a_size = strlen(a), b_size = strlen(b);
    if (a_size > MAX || b_size > MAX) {
        return MAX;
    }
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
        }
    }
    return row[b_size];
}

const char *conf_nearest(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 2;
    for (; *candidates; candidates++) {
        size_t d = distance(word, *candidates);
        if (d < best) {
            best = d;
            nearest = *candidates;
        }
    }
    return nearest;
}

bool conf_number(const char *text, int64_t *number)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (!isdigit((unsigned char)digits[0])) {
        return false;
    }
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *number = value;
    return *end == 0 && errno == 0;
}
