/* figures.h - the figures of `weir watch`, as a line, a screen, a text for people and JSON for
 * scripts. */
#ifndef WEIR_TOOLS_FIGURES_H
#define WEIR_TOOLS_FIGURES_H

#include <stdio.h>

#include "up/status.h"
#include "watch/orders.h"
#include "watch/stock_levels.h"

struct figures {
    struct orders orders;
    struct stock_levels stock;
    struct status status; /* count 0: none was given */
    int64_t watched_ms;   /* since watch began */
    double answers_per_s; /* in the last second */
    bool settled;
};

/* One line of progress, with its newline. */
void figures_line(const struct figures *figures, FILE *out);

/* The same as a block of lines with a line per process. Returns how many lines; `redraw`: over the
 * last that many. */
int figures_screen(const struct figures *figures, int redraw, FILE *out);

void figures_print(const struct figures *figures, FILE *out);
void figures_json(const struct figures *figures, struct buffer *out);

/* 1234567 as "1,234,567" into `text` (at least 32 bytes). */
const char *figures_number(int64_t number, char *text);

#endif
