/* check.c - trace_check FILE...: puts the traces of port calls (trace/port.h) in order by time, and
 * says whether a broker can have answered so (trace/model.h).
 *
 * Exit: 0 possible, 65 not: the first impossible line is shown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "trace/model.h"

struct line {
    int64_t time;
    size_t order; /* of reading: decides between equal times */
    const char *file;
    int number;
    char *text;
};

struct lines {
    struct line *at;
    size_t count, room;
};

static int compare(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static bool read_file(struct lines *lines, const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    ssize_t size;
    if (!file) {
        perror(path);
        return false;
    }
    for (int number = 1; (size = getline(&text, &room, file)) > 0 && text[size - 1] == '\n';
         number++) {
        if (lines->count == lines->room) {
            lines->room = lines->room > 0 ? 2 * lines->room : 1024;
            lines->at = xrealloc(lines->at, lines->room * sizeof *lines->at);
        }
        text[size - 1] = 0;
        lines->at[lines->count] =
            (struct line){strtoll(text, NULL, 10), lines->count, path, number, xstrdup(text)};
        lines->count++;
    }
    free(text);
    fclose(file);
    return true;
}

int main(int argc, char **argv)
{
    struct lines lines = {0};
    for (int i = 1; i < argc; i++) {
        if (!read_file(&lines, argv[i])) {
            return EXIT_DATA;
        }
    }
    if (lines.count == 0) {
        fprintf(stderr, "trace_check: no lines: give it the files of a traced run\n");
        return EXIT_DATA;
    }
    qsort(lines.at, lines.count, sizeof *lines.at, compare);
    struct model *model = model_open();
    char why[300];
    bool possible = true;
    for (size_t i = 0; i < lines.count && possible; i++) {
        const struct line *line = &lines.at[i];
        possible = model_line(model, line->text, why);
        if (!possible) {
            printf("IMPOSSIBLE %s:%d: %s\n  %s\n", line->file, line->number, why, line->text);
        }
    }
    const struct model_counts *counts = model_counts(model);
    printf("%d traces, %lu lines: %lu inits, %lu commits, %lu committed offsets, %lu log ends%s\n",
           argc - 1, counts->lines, counts->inits, counts->commits, counts->answers, counts->logs,
           possible ? ": all possible" : "");
    model_close(model);
    for (size_t i = 0; i < lines.count; i++) {
        free(lines.at[i].text);
    }
    free(lines.at);
    return possible ? EXIT_DONE : EXIT_DATA;
}
