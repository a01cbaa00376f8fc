/* table.h - rows of text as an aligned table: collected first, because widths are known only at the
 * end. */
#ifndef WEIR_TOOLS_TABLE_H
#define WEIR_TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"

struct table {
    const char **cells; /* row by row, the header first */
    bool *is_number;    /* per column: all its values are numbers, which stand to the right */
    size_t columns, rows, capacity;
    struct arena arena;
};

void table_init(struct table *table);
void table_release(struct table *table);

/* Once, before the rows. */
void table_header(struct table *table, const char *const *names, size_t columns);

/* NULL prints as nothing; control characters as spaces. `is_number` per value; may be NULL: none
 * is. */
void table_row(struct table *table, const char *const *values, const bool *is_number);

void table_print(const struct table *table, FILE *out);

#endif
