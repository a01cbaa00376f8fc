/* csv.c - reads CSV from memory, one row at a time. */
#include "load/csv.h"

#include <string.h>

void csv_init(struct csv *csv, const char *name, const char *text, size_t size)
{
    *csv = (struct csv){.name = name, .at = text, .end = text + size, .line = 1};
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        csv->at += 3;
    }
}

static bool at_line_end(const struct csv *csv)
{
    return csv->at == csv->end || *csv->at == '\n' ||
           (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n');
}

static void skip_line_end(struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r') {
        csv->at++;
    }
    if (csv->at < csv->end) {
        csv->at++;
        csv->line++;
    }
}

/* From behind the opening quote to behind the closing one. */
static enum outcome read_quoted(struct csv *csv, struct arena *arena, const char **field,
                                struct error *error)
{
    int opened = csv->line;
    const char *start = csv->at;
    size_t doubled = 0;
    for (;; csv->at++) {
        if (csv->at == csv->end) {
            return fail_exit(error, EXIT_DATA, "%s:%d: a quote is opened here and never closed",
                             csv->name, opened);
        }
        if (*csv->at == '\n') {
            csv->line++;
        }
        if (*csv->at == '"') {
            if (csv->at + 1 == csv->end || csv->at[1] != '"') {
                break;
            }
            doubled++;
            csv->at++;
        }
    }
    char *text = arena_alloc(arena, (size_t)(csv->at - start) - doubled + 1);
    char *to = text;
    for (const char *from = start; from < csv->at; from++) {
        *to++ = *from;
        from += *from == '"';
    }
    csv->at++;
    *field = text;
    return OK;
}

static enum outcome read_field(struct csv *csv, struct arena *arena, const char **field,
                               struct error *error)
{
    if (csv->at < csv->end && *csv->at == '"') {
        csv->at++;
        enum outcome outcome = read_quoted(csv, arena, field, error);
        if (outcome == OK && !at_line_end(csv) && *csv->at != ',') {
            return fail_exit(error, EXIT_DATA,
                             "%s:%d: text behind a closing quote; a quote inside a quoted field is "
                             "written twice",
                             csv->name, csv->line);
        }
        return outcome;
    }
    const char *start = csv->at;
    while (!at_line_end(csv) && *csv->at != ',') {
        csv->at++;
    }
    *field = arena_strndup(arena, start, (size_t)(csv->at - start));
    return OK;
}

enum outcome csv_next(struct csv *csv, struct arena *arena, struct csv_row *row, bool *found,
                      struct error *error)
{
    while (csv->at < csv->end && at_line_end(csv)) {
        skip_line_end(csv);
    }
    *found = csv->at < csv->end;
    row->count = 0;
    row->line = csv->line;
    for (bool more = *found; more;) {
        if (row->count == CSV_FIELDS_MAX) {
            return fail_exit(error, EXIT_DATA, "%s:%d: more than %d fields", csv->name, row->line,
                             CSV_FIELDS_MAX);
        }
        const char *start = csv->at;
        enum outcome outcome = read_field(csv, arena, &row->fields[row->count++], error);
        if (outcome != OK) {
            return outcome;
        }
        if (memchr(start, 0, (size_t)(csv->at - start))) { /* it would end the field */
            return fail_exit(
                error, EXIT_DATA,
                "%s:%d: a NUL byte; is it UTF-16? convert it: iconv -f UTF-16 -t UTF-8", csv->name,
                csv->line);
        }
        more = csv->at < csv->end && *csv->at == ',';
        if (more) {
            csv->at++;
        } else {
            skip_line_end(csv);
        }
    }
    return OK;
}
