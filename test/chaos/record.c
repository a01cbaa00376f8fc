/* record.c - the file is read back, row by row: what stands in it is what is summed.
 */
#include "chaos/record.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "kafka/admin.h"

enum { LINE = 1000, COLUMNS = 16, TEXTS = 4 };

/* The columns that are numbers, and summed; four of text stand before them. */
static const char *const columns[COLUMNS] = {"seed",         "minutes",     "orders",
                                             "commits",      "killed",      "broker kills",
                                             "broker stops", "zombies",     "late",
                                             "duplicate",    "other wire",  "rebalances",
                                             "state",        "disk, clock", "offsets",
                                             "violations"};

struct row {
    char texts[TEXTS][120]; /* date, commit, versions, how */
    double numbers[COLUMNS];
};

struct record {
    struct row *rows;
    size_t count;
    struct buffer recoveries; /* the lines of the second table */
};

/* ---- reading ---- */

static bool read_row(struct row *row, const char *line)
{
    char copy[LINE], *at = copy;
    snprintf(copy, sizeof copy, "%s", line + 1);
    for (int i = 0; i < TEXTS + COLUMNS; i++) {
        char *end = strchr(at, '|');
        if (!end) {
            return false;
        }
        *end = 0;
        if (i < TEXTS) {
            at += strspn(at, " ");
            snprintf(row->texts[i], sizeof row->texts[i], "%.*s",
                     end - at > 1 ? (int)(end - at - 1) : 0, at);
        } else {
            row->numbers[i - TEXTS] = strtod(at, NULL);
        }
        at = end + 1;
    }
    return true;
}

static void add_row(struct record *record, const struct row *row)
{
    record->rows = xrealloc(record->rows, (record->count + 1) * sizeof *record->rows);
    record->rows[record->count++] = *row;
}

static void read_file(struct record *record, const char *path)
{
    char line[LINE];
    bool in_recoveries = false;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        struct row row;
        in_recoveries = in_recoveries || strncmp(line, "## Recovery", 11) == 0;
        if (strncmp(line, "| 2", 3) != 0) {
            continue; /* rows begin with a date */
        }
        if (in_recoveries) {
            buffer_add_string(&record->recoveries, line);
        } else if (read_row(&row, line)) {
            add_row(record, &row);
        }
    }
    if (file) {
        fclose(file);
    }
}

/* ---- this run ---- */

static struct row row_of(const struct results *results)
{
    static const char *const modes[] = {"one process per partition", "members", "mixed"};
    const struct options *options = results->options;
    const int64_t *faults = results->faults, *counts = results->counts;
    time_t now = time(NULL);
    struct tm tm;
    struct row row = {
        .numbers = {(double)options->seed, (double)(now_ms() - results->began_ms) / 60000,
                    (double)counts[COUNT_ORDERS], (double)counts[COUNT_COMMITS],
                    (double)counts[COUNT_KILLS],
                    (double)(faults[BROKER_KILL] + faults[BROKER_TORN]),
                    (double)faults[BROKER_STOP], (double)faults[ZOMBIE], (double)faults[LATE],
                    (double)faults[DUPLICATE],
                    (double)(faults[DELAY] + faults[CUT] + faults[DROP_REPLY]),
                    (double)faults[REBALANCE],
                    (double)(faults[STATE_LOST] + faults[STATE_OLD] + faults[STATE_FLIP]),
                    (double)(faults[DISK_FULL] + faults[CLOCK]), (double)faults[OFFSETS_DELETED],
                    (double)results->violation_count}};
    strftime(row.texts[0], sizeof row.texts[0], "%Y-%m-%d %H:%M", gmtime_r(&now, &tm));
    snprintf(row.texts[1], sizeof row.texts[1], "%s", options->commit ? options->commit : "?");
    snprintf(row.texts[2], sizeof row.texts[2], "Kafka %s, %s, SQLite %s",
             options->kafka_version ? options->kafka_version : "?", client_library(),
             sqlite3_libversion());
    snprintf(row.texts[3], sizeof row.texts[3], "%s", modes[options->mode]);
    return row;
}

static void add_recovery(struct record *record, struct results *results, const struct row *row)
{
    static const enum kind told[] = {KILL,       ZOMBIE,     BROKER_KILL, BROKER_STOP, LATE,
                                     DROP_REPLY, STATE_LOST, STATE_FLIP,  REBALANCE};
    buffer_format(&record->recoveries, "| %s | %.0f |", row->texts[0], row->numbers[0]);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        double p50, p99, max;
        if (results_recovery(results, told[i], &p50, &p99, &max)) {
            buffer_format(&record->recoveries, " %.2f, %.2f, %.2f |", p50, p99, max);
        } else {
            buffer_add_string(&record->recoveries, " |");
        }
    }
    buffer_add_byte(&record->recoveries, '\n');
}

/* ---- writing ---- */

static void write_sums(FILE *file, const struct record *record)
{
    double sums[COLUMNS] = {0};
    for (size_t i = 0; i < record->count; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            sums[c] += record->rows[i].numbers[c];
        }
    }
    fprintf(file,
            "# Chaos: what was done to the real thing, and what came of it\n\n"
            "Written by `scripts/chaos --record`, never by hand; `scripts/chaos --help` says what "
            "the faults are.\n"
            "Any row can be repeated: `scripts/chaos --minutes M --seed S`, with `--members` or "
            "`--mixed` as it says.\n\n"
            "**In all**, in %zu runs of %.0f minutes together:\n\n",
            record->count, sums[1]);
    for (int c = 2; c < COLUMNS; c++) {
        fprintf(file, "- %s: **%.0f**\n", columns[c], sums[c]);
    }
    fprintf(file,
            "\n`killed` counts processes that SIGKILL ended; `other wire` requests that were "
            "delayed, cut or whose answer was lost;\n"
            "`late` and `duplicate` transactional requests; `state` files lost, replaced by old "
            "copies or with flipped bits;\n"
            "`offsets` tasks whose committed offsets were deleted.\n");
}

static void write_rows(FILE *file, const struct record *record)
{
    fprintf(file, "\n## Runs\n\n| date (UTC) | commit | versions | processes |");
    for (int c = 0; c < COLUMNS; c++) {
        fprintf(file, " %s |", columns[c]);
    }
    fprintf(file, "\n|");
    for (int c = 0; c < TEXTS + COLUMNS; c++) {
        fprintf(file, c < TEXTS ? "---|" : "--:|");
    }
    fputc('\n', file);
    for (size_t i = 0; i < record->count; i++) {
        const struct row *row = &record->rows[i];
        fputc('|', file);
        for (int c = 0; c < TEXTS; c++) {
            fprintf(file, " %s |", row->texts[c]);
        }
        for (int c = 0; c < COLUMNS; c++) {
            fprintf(file, c == 1 ? " %.1f |" : " %.0f |", row->numbers[c]);
        }
        fputc('\n', file);
    }
}

void record_run(struct results *results, const char *path)
{
    struct record record = {0};
    buffer_init(&record.recoveries);
    read_file(&record, path);
    struct row row = row_of(results);
    add_row(&record, &row);
    add_recovery(&record, results, &row);
    FILE *file = fopen(path, "we");
    CHECK(file);
    write_sums(file, &record);
    write_rows(file, &record);
    fprintf(file,
            "\n## Recovery\n\n"
            "Seconds from a fault to the next commit of a task that it struck, the fault's own "
            "length included (a broker needs 5 s\n"
            "and more to start again; other faults go on meanwhile): median, 99th percentile, "
            "worst.\n\n"
            "| date (UTC) | seed | kill | zombie | broker-kill | broker-stop | late | drop-reply | "
            "state-lost | state-flip | rebalance |\n"
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n%s",
            buffer_string(&record.recoveries));
    fclose(file);
    free(record.rows);
    buffer_release(&record.recoveries);
}
