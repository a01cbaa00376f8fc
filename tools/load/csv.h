/* csv.h - comma-separated values by RFC 4180: quoted fields, doubled quotes, line breaks inside
 * quotes, CR LF or LF. A quote inside an unquoted field is taken as it stands; a byte order mark in
 * front is skipped.
 */
#ifndef WEIR_TOOLS_CSV_H
#define WEIR_TOOLS_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

enum { CSV_FIELDS_MAX = 64 };

struct csv {
    const char *name; /* for messages */
    const char *at, *end;
    int line; /* of `at`, from 1 */
};

struct csv_row {
    const char *fields[CSV_FIELDS_MAX];
    size_t count;
    int line; /* where it begins */
};

void csv_init(struct csv *csv, const char *name, const char *text, size_t size);

/* Reads the next row; its fields live in `arena`. Empty lines are skipped. *found false: the end.
 * FATAL with EXIT_DATA: "file:line: a quote is not closed". */
MUST_CHECK enum outcome csv_next(struct csv *csv, struct arena *arena, struct csv_row *row,
                                 bool *found, struct error *error);

#endif
