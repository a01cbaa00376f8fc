/* snapshot.c - two state files side by side, each as it stood at one moment.
 *
 * A snapshot is a read transaction on a read-only connection (query.c), begun by reading the meta.
 * Tables are compared like two sorted lists: one pass, in key order, a row of each in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

struct store_snapshot {
    struct query query;
    char *path;
};

enum outcome store_snapshot_open(struct store_snapshot **snapshot, const char *path,
                                 struct store_meta *meta, struct error *error)
{
    struct store_snapshot *opened = xcalloc(1, sizeof *opened);
    opened->path = xstrdup(path);
    enum outcome outcome = query_open(&opened->query, opened->path, error);
    if (outcome != OK) {
        free(opened->path);
        free(opened);
        return outcome;
    }
    struct meta_row row;
    sqlite3 *db = opened->query.db;
    sqlite3_progress_handler(db, 0, NULL, NULL);
    int code = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        code = meta_read(db, &row);
    }
    if (code != SQLITE_OK) {
        outcome = query_failed(&opened->query, code, error);
        store_snapshot_close(opened);
        return outcome;
    }
    *meta = row.meta;
    *snapshot = opened;
    return OK;
}

void store_snapshot_close(struct store_snapshot *snapshot)
{
    if (!snapshot) {
        return;
    }
    query_close(&snapshot->query);
    free(snapshot->path);
    free(snapshot);
}

/* ---- one table of both ---- */

struct side {
    struct query *query;
    sqlite3_stmt *statement;
    bool has_row;
};

/* The key fields first, in key order, so that they are columns 0 to key_field_count - 1. */
static void add_columns(struct buffer *sql, const struct weir_store *table)
{
    for (size_t i = 0; i < table->key_field_count; i++) {
        buffer_format(sql, "%s\"%s\"", i > 0 ? ", " : "",
                      table->record->fields[table->key_fields[i]].name);
    }
    for (size_t i = 0; i < table->record->field_count; i++) {
        bool is_key = false;
        for (size_t k = 0; k < table->key_field_count; k++) {
            is_key = is_key || table->key_fields[k] == i;
        }
        if (!is_key) {
            buffer_format(sql, ", \"%s\"", table->record->fields[i].name);
        }
    }
}

static enum outcome side_step(struct side *side, struct error *error)
{
    int code = sqlite3_step(side->statement);
    side->has_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : query_failed(side->query, code, error);
}

static enum outcome side_begin(struct side *side, struct query *query,
                               const struct weir_store *table, struct error *error)
{
    struct buffer sql;
    buffer_init(&sql);
    buffer_add_string(&sql, "SELECT ");
    add_columns(&sql, table);
    buffer_format(&sql, " FROM \"%s\" ORDER BY ", table->name);
    for (size_t i = 0; i < table->key_field_count; i++) {
        buffer_format(&sql, "%s%zu", i > 0 ? ", " : "", i + 1);
    }
    *side = (struct side){.query = query};
    int code = sqlite3_prepare_v2(query->db, buffer_string(&sql), -1, &side->statement, NULL);
    buffer_release(&sql);
    if (code != SQLITE_OK) {
        return fail_exit(error, EXIT_IO, "state file %s, table %s: %s", query->path, table->name,
                         sqlite_reason(query->db, code));
    }
    return side_step(side, error);
}

/* As SQLite orders values of one type: the tables are STRICT, a key is never NULL, and no field is
 * a fraction. */
static int compare_column(sqlite3_stmt *one, sqlite3_stmt *other, int column)
{
    int type = sqlite3_column_type(one, column), other_type = sqlite3_column_type(other, column);
    if (type != other_type) {
        return type - other_type;
    }
    if (type == SQLITE_INTEGER) {
        int64_t a = sqlite3_column_int64(one, column), b = sqlite3_column_int64(other, column);
        return (a > b) - (a < b);
    }
    if (type == SQLITE_NULL) {
        return 0;
    }
    const void *a = sqlite3_column_blob(one, column), *b = sqlite3_column_blob(other, column);
    int a_size = sqlite3_column_bytes(one, column), b_size = sqlite3_column_bytes(other, column);
    int common = a_size < b_size ? a_size : b_size;
    int order = common > 0 ? memcmp(a, b, (size_t)common) : 0;
    return order != 0 ? order : a_size - b_size;
}

/* Which side's row comes first: below 0 the one's, above it the other's, 0: it is the same key. */
static int compare_keys(const struct side *one, const struct side *other,
                        const struct weir_store *table)
{
    if (!one->has_row || !other->has_row) {
        return one->has_row ? -1 : 1;
    }
    int order = 0;
    for (int i = 0; i < table->key_field_count && order == 0; i++) {
        order = compare_column(one->statement, other->statement, i);
    }
    return order;
}

/* ---- what differs, in words ---- */

static const char *text_of(sqlite3_stmt *statement, int column, struct arena *arena)
{
    int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_NULL) {
        return NULL;
    }
    if (type != SQLITE_BLOB) {
        const char *text = (const char *)sqlite3_column_text(statement, column);
        return arena_strndup(arena, text, strlen(text));
    }
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    char *text = arena_alloc(arena, 2 * size + 1);
    for (size_t i = 0; i < size; i++) {
        static const char digits[] = "0123456789abcdef";
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    return text;
}

static const char *key_text(sqlite3_stmt *statement, const struct weir_store *table,
                            struct arena *arena)
{
    const char *text = "";
    for (int i = 0; i < table->key_field_count; i++) {
        text = arena_format(arena, "%s%s%s=%s", text, i > 0 ? " " : "",
                            sqlite3_column_name(statement, i), text_of(statement, i, arena));
    }
    return text;
}

/* false: the caller has seen enough. `one` or `other` NULL: the row is not there. */
static bool tell(const struct weir_store *table, sqlite3_stmt *one, sqlite3_stmt *other,
                 struct arena *arena, store_difference_callback *each, void *context)
{
    arena_reset(arena);
    sqlite3_stmt *any = one ? one : other;
    size_t count = table->record->field_count;
    const char **columns = arena_alloc(arena, count * sizeof *columns);
    const char **ones = arena_alloc(arena, count * sizeof *ones);
    const char **others = arena_alloc(arena, count * sizeof *others);
    struct store_difference difference = {.table = table,
                                          .key = key_text(any, table, arena),
                                          .in_one = one != NULL,
                                          .in_other = other != NULL,
                                          .columns = columns,
                                          .one = ones,
                                          .other = others};
    for (int i = table->key_field_count; i < (int)count; i++) {
        if (one && other && compare_column(one, other, i) == 0) {
            continue;
        }
        size_t at = difference.column_count++;
        columns[at] = sqlite3_column_name(any, i);
        ones[at] = one ? text_of(one, i, arena) : NULL;
        others[at] = other ? text_of(other, i, arena) : NULL;
    }
    bool same = one && other && difference.column_count == 0;
    return same || each(context, &difference);
}

static enum outcome compare_table(struct side *one, struct side *other,
                                  const struct weir_store *table, store_difference_callback *each,
                                  void *context, int64_t *rows, bool *stop, struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    enum outcome outcome = OK;
    while (outcome == OK && !*stop && (one->has_row || other->has_row)) {
        int order = compare_keys(one, other, table);
        *rows += order <= 0;
        *stop = !tell(table, order <= 0 ? one->statement : NULL,
                      order >= 0 ? other->statement : NULL, &arena, each, context);
        if (order <= 0) {
            outcome = side_step(one, error);
        }
        if (order >= 0 && outcome == OK) {
            outcome = side_step(other, error);
        }
    }
    arena_release(&arena);
    return outcome;
}

enum outcome store_snapshot_compare(struct store_snapshot *one, struct store_snapshot *other,
                                    const struct weir_store *const *tables,
                                    store_difference_callback *each, void *context, int64_t *rows,
                                    struct error *error)
{
    enum outcome outcome = OK;
    bool stop = false;
    *rows = 0;
    for (size_t i = 0; tables[i] && outcome == OK && !stop; i++) {
        struct side left = {0}, right = {0};
        outcome = side_begin(&left, &one->query, tables[i], error);
        if (outcome == OK) {
            outcome = side_begin(&right, &other->query, tables[i], error);
        }
        if (outcome == OK) {
            outcome = compare_table(&left, &right, tables[i], each, context, rows, &stop, error);
        }
        sqlite3_finalize(left.statement);
        sqlite3_finalize(right.statement);
    }
    return outcome;
}
