/* table.c - aligned columns. Widths are in characters, for UTF-8 texts without wide ones. */
#include "table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_MAX = 120 }; /* longer ones are cut in the print: --json and --csv have them whole */

void table_init(struct table *table)
{
    *table = (struct table){0};
    arena_init(&table->arena);
}

void table_release(struct table *table)
{
    free(table->cells);
    free(table->is_number);
    arena_release(&table->arena);
    *table = (struct table){0};
}

static const char *clean(struct arena *arena, const char *text)
{
    char *copy = arena_strndup(arena, text ? text : "", text ? strlen(text) : 0);
    for (char *at = copy; *at; at++) {
        if (iscntrl((unsigned char)*at)) {
            *at = ' ';
        }
    }
    return copy;
}

static void add_cells(struct table *table, const char *const *texts)
{
    size_t used = table->rows * table->columns;
    if (used + table->columns > table->capacity) {
        table->capacity = table->capacity * 2 + table->columns * 16;
        table->cells = xrealloc(table->cells, table->capacity * sizeof *table->cells);
    }
    for (size_t c = 0; c < table->columns; c++) {
        table->cells[used + c] = clean(&table->arena, texts[c]);
    }
    table->rows++;
}

void table_header(struct table *table, const char *const *names, size_t columns)
{
    table->columns = columns;
    table->is_number = xcalloc(columns + 1, sizeof *table->is_number);
    memset(table->is_number, true, columns * sizeof *table->is_number);
    add_cells(table, names);
}

void table_row(struct table *table, const char *const *values, const bool *is_number)
{
    for (size_t c = 0; c < table->columns; c++) {
        table->is_number[c] = table->is_number[c] && (!values[c] || (is_number && is_number[c]));
    }
    add_cells(table, values);
}

/* Bytes of the first `most` characters, and how many characters these are. */
static size_t measure(const char *text, size_t most, size_t *characters)
{
    size_t bytes = 0;
    *characters = 0;
    while (text[bytes] && *characters < most) {
        bytes++;
        while (((unsigned char)text[bytes] & 0xC0) == 0x80) {
            bytes++;
        }
        (*characters)++;
    }
    return bytes;
}

static void print_cell(const char *text, size_t width, bool to_the_right, bool is_last, FILE *out)
{
    size_t characters, bytes = measure(text, CELL_MAX, &characters);
    int pad = (int)(width - characters);
    bool is_cut = text[bytes] != 0;
    fprintf(out, "%*s%.*s%s", to_the_right ? pad : 0, "", (int)bytes, text, is_cut ? "..." : "");
    if (!is_last) {
        fprintf(out, "%*s  ", to_the_right || is_cut ? 0 : pad, "");
    }
}

void table_print(const struct table *table, FILE *out)
{
    size_t *widths = xcalloc(table->columns + 1, sizeof *widths);
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t characters;
        (void)measure(table->cells[i], CELL_MAX, &characters);
        widths[i % table->columns] =
            characters > widths[i % table->columns] ? characters : widths[i % table->columns];
    }
    for (size_t r = 0; r < table->rows; r++) {
        for (size_t c = 0; c < table->columns; c++) {
            print_cell(table->cells[r * table->columns + c], widths[c], table->is_number[c],
                       c + 1 == table->columns, out);
        }
        putc('\n', out);
    }
    free(widths);
}
