/* sql.c - `weir sql`: looks into a task's state file, also while its process runs.
 *
 * Read-only, and it never checkpoints: a plain sqlite3 shell would do so when it closes, which must
 * not happen under a running task. What it sees is about a second behind the topics.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/json.h"
#include "runtime/topology.h"
#include "store/store.h"
#include "table.h"
#include "tool.h"

enum { COLUMNS_MAX = 2000, TYPE_INTEGER = 1, TYPE_REAL = 2 };

static struct tool_place place;
static bool as_json, as_csv;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"json", 0, OPTION_FLAG, &as_json, NULL, "one JSON object per row"},
    {"csv", 0, OPTION_FLAG, &as_csv, NULL, "comma-separated, with a header"},
    {0},
};

static bool is_number(int type)
{
    return type == TYPE_INTEGER || type == TYPE_REAL;
}

/* ---- one way to print each ---- */

static bool on_table_row(void *context, int columns, const char *const *names,
                         const char *const *values, const int *types)
{
    struct table *table = context;
    bool numbers[COLUMNS_MAX];
    if (table->columns == 0) {
        table_header(table, names, (size_t)columns);
    }
    for (int c = 0; c < columns && c < COLUMNS_MAX; c++) {
        numbers[c] = is_number(types[c]);
    }
    table_row(table, values, numbers);
    return true;
}

static bool on_json_row(void *context, int columns, const char *const *names,
                        const char *const *values, const int *types)
{
    struct buffer *line = context;
    buffer_reset(line);
    for (int c = 0; c < columns; c++) {
        buffer_add_byte(line, c == 0 ? '{' : ',');
        json_quote(line, names[c], strlen(names[c]));
        buffer_add_byte(line, ':');
        if (!values[c]) {
            buffer_add_string(line, "null");
        } else if (is_number(types[c])) {
            buffer_add_string(line, values[c]);
        } else {
            json_quote(line, values[c], strlen(values[c]));
        }
    }
    buffer_add_string(line, "}\n");
    return fwrite(line->data, line->size, 1, stdout) == 1;
}

static void print_field(const char *text, bool is_last)
{
    bool quote = strpbrk(text, ",\"\r\n") != NULL;
    if (quote) {
        putchar('"');
    }
    for (const char *at = text; *at; at++) {
        if (quote && *at == '"') {
            putchar('"');
        }
        putchar(*at);
    }
    fputs(quote ? "\"" : "", stdout);
    putchar(is_last ? '\n' : ',');
}

static bool on_csv_row(void *context, int columns, const char *const *names,
                       const char *const *values, const int *types)
{
    bool *has_header = context;
    (void)types;
    for (int c = 0; c < columns && !*has_header; c++) {
        print_field(names[c], c + 1 == columns);
    }
    *has_header = true;
    for (int c = 0; c < columns; c++) {
        print_field(values[c] ? values[c] : "", c + 1 == columns);
    }
    return !ferror(stdout);
}

static enum outcome query(const char *path, const char *sql, struct error *error)
{
    struct buffer line;
    struct table table;
    bool has_header = false;
    buffer_init(&line);
    table_init(&table);
    enum outcome outcome = as_json  ? store_query(path, sql, on_json_row, &line, error)
                           : as_csv ? store_query(path, sql, on_csv_row, &has_header, error)
                                    : store_query(path, sql, on_table_row, &table, error);
    if (outcome == OK && !as_json && !as_csv) {
        table_print(&table, stdout);
        printf("%zu row%s\n", table.rows > 0 ? table.rows - 1 : 0, table.rows == 2 ? "" : "s");
    }
    table_release(&table);
    buffer_release(&line);
    return outcome;
}

/* ---- without SQL: what there is ---- */

struct listed {
    char *name, *create;
};

struct listing {
    struct listed tables[WEIR_LIST_MAX * 4];
    size_t count;
};

static bool on_listed(void *context, int columns, const char *const *names,
                      const char *const *values, const int *types)
{
    struct listing *listing = context;
    (void)columns, (void)names, (void)types;
    if (listing->count < sizeof listing->tables / sizeof *listing->tables) {
        listing->tables[listing->count++] = (struct listed){xstrdup(values[0]), xstrdup(values[1])};
    }
    return true;
}

static bool on_count(void *context, int columns, const char *const *names,
                     const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)types;
    return conf_number(values[0], context);
}

static enum outcome list_tables(const char *path, struct error *error)
{
    struct listing listing = {.count = 0};
    enum outcome outcome =
        store_query(path, "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name",
                    on_listed, &listing, error);
    for (size_t i = 0; i < listing.count; i++) {
        char sql[512];
        int64_t rows = 0;
        if (outcome == OK) {
            snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", listing.tables[i].name);
            outcome = store_query(path, sql, on_count, &rows, error);
        }
        if (outcome == OK) {
            printf("-- %" PRId64 " row%s\n%s;\n\n", rows, rows == 1 ? "" : "s",
                   listing.tables[i].create);
        }
        free(listing.tables[i].name);
        free(listing.tables[i].create);
    }
    return outcome;
}

/* ---- the command ---- */

static int run(size_t count, char **arguments)
{
    const struct weir_processor *processor = tool_processor("sql", arguments[0]);
    if (!processor) {
        return EXIT_USAGE;
    }
    int64_t partition;
    int32_t partitions = topology_partitions(processor);
    if (!conf_number(arguments[1], &partition) || partition < 0 || partition >= partitions) {
        return tool_usage("sql", "'%s': %s has partitions 0 to %d", arguments[1], processor->name,
                          (int)partitions - 1);
    }
    if (as_json && as_csv) {
        return tool_usage("sql", "--json or --csv: one of them");
    }
    struct settings settings;
    struct error error;
    enum outcome outcome = tool_settings(&place, processor, &settings, &error);
    if (outcome == OK) {
        char *path = tool_state_path(&settings, (int32_t)partition);
        outcome = count > 2 ? query(path, arguments[2], &error) : list_tables(path, &error);
        free(path);
    }
    settings_release(&settings);
    return outcome == OK ? EXIT_DONE : tool_fail("sql", outcome, &error);
}

const struct command sql_command = {
    .name = "sql",
    .summary = "ask a task's state file in SQL, also while it runs",
    .usage = "weir sql PROCESSOR PARTITION [SQL]",
    .text = "One SELECT, for at most a minute. Without SQL: every table, its rows and its CREATE "
            "TABLE. Read-only; what it\n"
            "shows is about a second behind the topics.",
    .example = "  weir sql inventory 0 'SELECT sku, on_hand, held, committed FROM stock_level "
               "ORDER BY held DESC LIMIT 3'\n"
               "  sku     on_hand  held  committed\n"
               "  85123A      612    48        564",
    .options = options,
    .arguments_min = 2,
    .arguments_max = 3,
    .run = run,
};
