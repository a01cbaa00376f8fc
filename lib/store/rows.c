/* rows.c - get, put, delete, list and scan.
 *
 * A statement is reset before its function returns: an open SELECT would hold back COMMIT and
 * checkpoints. Columns that do not fit the layout are damage, because STRICT tables and the schema
 * fingerprint leave no other explanation.
 */
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

/* Rows that a list makes room for at first. */
enum { LIST_ROOM = 16 };

static struct table *table_of(const struct store *store, const struct weir_store *layout)
{
    size_t i = 0;
    while (i < store->table_count && store->tables[i].layout != layout) {
        i++;
    }
    CHECK(i < store->table_count); /* the store was opened with this table */
    return &store->tables[i];
}

static enum outcome row_failed(struct store *store, const struct weir_store *table, int code,
                               const char *verb, struct error *error)
{
    char doing[160];
    snprintf(doing, sizeof doing, "%s %s", verb, table->name);
    return sqlite_fail(store, code, doing, error);
}

static enum outcome bind_key(struct store *store, const struct table *table,
                             sqlite3_stmt *statement, const void *key, size_t fields,
                             struct error *error)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < fields && code == SQLITE_OK; i++) {
        const struct weir_field *field =
            &table->layout->record->fields[table->layout->key_fields[i]];
        code = column_bind(store, statement, (int)i + 1, field, key);
    }
    return code == SQLITE_OK ? OK : row_failed(store, table->layout, code, "bind", error);
}

static enum outcome bind_row(struct store *store, const struct table *table, const void *row,
                             struct error *error)
{
    const struct weir_record *record = table->layout->record;
    int code = SQLITE_OK;
    for (size_t i = 0; i < record->field_count && code == SQLITE_OK; i++) {
        code = column_bind(store, table->put, (int)i + 1, &record->fields[i], row);
    }
    return code == SQLITE_OK ? OK : row_failed(store, table->layout, code, "bind", error);
}

/* As column_read. */
static int read_row(sqlite3_stmt *statement, const struct weir_store *table, struct arena *arena,
                    void *row)
{
    memset(row, 0, table->record->size);
    int code = SQLITE_OK;
    for (size_t i = 0; i < table->record->field_count && code == SQLITE_OK; i++) {
        code = column_read(statement, (int)i, &table->record->fields[i], arena, row);
    }
    return code;
}

/* Runs a SELECT of at most one row. */
static enum outcome read_one(struct store *store, const struct weir_store *table,
                             sqlite3_stmt *statement, struct arena *arena, void *row, bool *found,
                             struct error *error)
{
    int code = SQLITE_OK;
    int step = sqlite3_step(statement);
    if (step == SQLITE_ROW) {
        code = read_row(statement, table, arena, row);
    }
    int finished = sqlite3_reset(statement);
    code = code == SQLITE_OK ? finished : code;
    *found = code == SQLITE_OK && step == SQLITE_ROW;
    return code == SQLITE_OK ? OK : row_failed(store, table, code, "read", error);
}

enum outcome store_get(struct store *store, const struct weir_store *layout, const void *key,
                       struct arena *arena, void *row, bool *found, struct error *error)
{
    struct table *table = table_of(store, layout);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK) {
        outcome = bind_key(store, table, table->get, key, layout->key_field_count, error);
    }
    if (outcome != OK) {
        return outcome;
    }
    return read_one(store, layout, table->get, arena, row, found, error);
}

/* A write belongs to a take or to a restore; outside of both SQLite would commit it at once. */
static enum outcome write_begin(struct store *store, struct error *error)
{
    if (store->restore != RESTORE_NONE) {
        return restore_write(store, error);
    }
    CHECK(store->phase >= PHASE_TAKE);
    return transaction_check(store, error);
}

static enum outcome write_run(struct store *store, const struct weir_store *layout,
                              sqlite3_stmt *statement, const char *verb, struct error *error)
{
    (void)sqlite3_step(statement);
    int code = sqlite3_reset(statement);
    return code == SQLITE_OK ? OK : row_failed(store, layout, code, verb, error);
}

enum outcome store_put(struct store *store, const struct weir_store *layout, const void *row,
                       struct error *error)
{
    struct table *table = table_of(store, layout);
    enum outcome outcome = write_begin(store, error);
    if (outcome != OK) {
        return outcome;
    }
    outcome = bind_row(store, table, row, error);
    if (outcome == OK) {
        outcome = write_run(store, layout, table->put, "put", error);
    }
    restore_failed(store, outcome);
    return outcome;
}

enum outcome store_delete(struct store *store, const struct weir_store *layout, const void *key,
                          struct error *error)
{
    struct table *table = table_of(store, layout);
    enum outcome outcome = write_begin(store, error);
    if (outcome != OK) {
        return outcome;
    }
    outcome = bind_key(store, table, table->erase, key, layout->key_field_count, error);
    if (outcome == OK) {
        outcome = write_run(store, layout, table->erase, "delete", error);
    }
    restore_failed(store, outcome);
    return outcome;
}

/* Room for one more row behind `count` in an array that doubles. */
static char *room_for(char *rows, size_t count, size_t size, struct arena *arena)
{
    bool full = count >= LIST_ROOM && (count & (count - 1)) == 0;
    if (rows && !full) {
        return rows;
    }
    char *larger = arena_alloc(arena, size * (full ? count * 2 : LIST_ROOM));
    if (rows) {
        memcpy(larger, rows, size * count);
    }
    return larger;
}

static enum outcome read_all(struct store *store, const struct weir_store *layout,
                             sqlite3_stmt *statement, struct arena *arena, void **rows,
                             size_t *count, struct error *error)
{
    size_t size = layout->record->size;
    char *found = NULL;
    size_t n = 0;
    int code = SQLITE_OK;
    while (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        found = room_for(found, n, size, arena);
        code = read_row(statement, layout, arena, found + n * size);
        n++;
    }
    int finished = sqlite3_reset(statement);
    code = code == SQLITE_OK ? finished : code;
    if (code != SQLITE_OK) {
        return row_failed(store, layout, code, "read", error);
    }
    *rows = found;
    *count = n;
    return OK;
}

enum outcome store_list(struct store *store, const struct weir_store *layout, const void *key,
                        size_t prefix, size_t limit, struct arena *arena, void **rows,
                        size_t *count, struct error *error)
{
    struct table *table = table_of(store, layout);
    CHECK(prefix <= layout->key_field_count);
    enum outcome outcome = transaction_check(store, error);
    if (outcome != OK) {
        return outcome;
    }
    int code = statement_list(store, table, prefix);
    if (code != SQLITE_OK) {
        return row_failed(store, layout, code, "list", error);
    }
    sqlite3_stmt *statement = table->list[prefix];
    outcome = bind_key(store, table, statement, key, prefix, error);
    if (outcome != OK) {
        return outcome;
    }
    sqlite3_int64 most = limit > 0 && limit < INT64_MAX ? (sqlite3_int64)limit : -1;
    CHECK_EQUAL(sqlite3_bind_int64(statement, (int)prefix + 1, most), SQLITE_OK);
    return read_all(store, layout, statement, arena, rows, count, error);
}

enum outcome store_scan(struct store *store, const struct weir_store *layout, const void *like,
                        size_t field, struct arena *arena, void **rows, size_t *count,
                        struct error *error)
{
    struct table *table = table_of(store, layout);
    CHECK(field < layout->record->field_count);
    enum outcome outcome = transaction_check(store, error);
    if (outcome != OK) {
        return outcome;
    }
    int code = statement_scan(store, table, field);
    if (code != SQLITE_OK) {
        return row_failed(store, layout, code, "scan", error);
    }
    code = column_bind(store, table->scan[field], 1, &layout->record->fields[field], like);
    if (code != SQLITE_OK) {
        return row_failed(store, layout, code, "scan", error);
    }
    return read_all(store, layout, table->scan[field], arena, rows, count, error);
}

enum outcome store_first_timer(struct store *store, struct arena *arena, void *row, bool *found,
                               struct error *error)
{
    enum outcome outcome = transaction_check(store, error);
    if (outcome != OK) {
        return outcome;
    }
    *found = false;
    return store->first_timer ? read_one(store, store->timers->layout, store->first_timer, arena,
                                         row, found, error)
                              : OK;
}
