/* statements.c - the SQL of a task's tables: one prepared statement per table and purpose, made
 * from the layout.
 *
 * Statements persist for as long as the connection: preparing costs more than running. list and
 * scan are prepared when a processor first uses them.
 */
#include <string.h>

#include "store/internal.h"

static void add_name(struct buffer *sql, const char *name)
{
    buffer_format(sql, "\"%s\"", name); /* an Avro name: letters, digits, _ */
}

/* `each` field's name, between `separator`s, each followed by `suffix`. */
static void add_names(struct buffer *sql, const struct weir_store *table, const char *separator,
                      const char *suffix)
{
    for (size_t i = 0; i < table->record->field_count; i++) {
        buffer_add_string(sql, i > 0 ? separator : "");
        add_name(sql, table->record->fields[i].name);
        buffer_add_string(sql, suffix);
    }
}

static const struct weir_field *key_field(const struct weir_store *table, size_t index)
{
    return &table->record->fields[table->key_fields[index]];
}

static void add_key_names(struct buffer *sql, const struct weir_store *table, size_t count,
                          const char *separator, const char *suffix)
{
    for (size_t i = 0; i < count; i++) {
        buffer_add_string(sql, i > 0 ? separator : "");
        add_name(sql, key_field(table, i)->name);
        buffer_add_string(sql, suffix);
    }
}

static void add_select(struct buffer *sql, const struct weir_store *table)
{
    buffer_add_string(sql, "SELECT ");
    add_names(sql, table, ", ", "");
    buffer_format(sql, " FROM \"%s\"", table->name);
}

static int prepare_get(struct store *store, struct table *table)
{
    struct buffer *sql = &store->scratch;
    buffer_reset(sql);
    add_select(sql, table->layout);
    buffer_add_string(sql, " WHERE ");
    add_key_names(sql, table->layout, table->layout->key_field_count, " AND ", " = ?");
    return sqlite_prepare(store, buffer_string(sql), &table->get);
}

/* REPLACE and not an upsert: as fast or up to a tenth faster, with and without an index. */
static int prepare_put(struct store *store, struct table *table)
{
    struct buffer *sql = &store->scratch;
    buffer_reset(sql);
    buffer_format(sql, "REPLACE INTO \"%s\"(", table->layout->name);
    add_names(sql, table->layout, ", ", "");
    buffer_add_string(sql, ") VALUES(");
    for (size_t i = 0; i < table->layout->record->field_count; i++) {
        buffer_add_string(sql, i > 0 ? ", ?" : "?");
    }
    buffer_add_string(sql, ")");
    return sqlite_prepare(store, buffer_string(sql), &table->put);
}

static int prepare_erase(struct store *store, struct table *table)
{
    struct buffer *sql = &store->scratch;
    buffer_reset(sql);
    buffer_format(sql, "DELETE FROM \"%s\" WHERE ", table->layout->name);
    add_key_names(sql, table->layout, table->layout->key_field_count, " AND ", " = ?");
    return sqlite_prepare(store, buffer_string(sql), &table->erase);
}

static void add_order(struct buffer *sql, const struct weir_store *table)
{
    buffer_add_string(sql, " ORDER BY ");
    add_key_names(sql, table, table->key_field_count, ", ", "");
}

/* By the first `prefix` key fields; the limit is the last parameter. */
int statement_list(struct store *store, struct table *table, size_t prefix)
{
    if (table->list[prefix]) {
        return SQLITE_OK;
    }
    struct buffer *sql = &store->scratch;
    buffer_reset(sql);
    add_select(sql, table->layout);
    buffer_add_string(sql, prefix > 0 ? " WHERE " : "");
    add_key_names(sql, table->layout, prefix, " AND ", " = ?");
    add_order(sql, table->layout);
    buffer_add_string(sql, " LIMIT ?");
    return sqlite_prepare(store, buffer_string(sql), &table->list[prefix]);
}

/* IS, because a nullable field may be looked for by its absence. */
int statement_scan(struct store *store, struct table *table, size_t field)
{
    if (table->scan[field]) {
        return SQLITE_OK;
    }
    struct buffer *sql = &store->scratch;
    buffer_reset(sql);
    add_select(sql, table->layout);
    buffer_format(sql, " WHERE \"%s\" IS ?", table->layout->record->fields[field].name);
    add_order(sql, table->layout);
    return sqlite_prepare(store, buffer_string(sql), &table->scan[field]);
}

/* INDEXED BY: without its index the statement is an error, not a read of the whole table per
 * record. */
static int prepare_first_timer(struct store *store)
{
    if (!store->timers) {
        return SQLITE_OK;
    }
    struct buffer *sql = &store->scratch;
    buffer_reset(sql);
    add_select(sql, store->timers->layout);
    buffer_add_string(sql, " INDEXED BY weir_timer_due ORDER BY due_ms, kind, key LIMIT 1");
    return sqlite_prepare(store, buffer_string(sql), &store->first_timer);
}

void statements_create_sql(const struct store *store, struct buffer *sql)
{
    for (size_t i = 0; i < store->table_count; i++) {
        buffer_format(sql, "%s;\n", store->tables[i].layout->create_sql);
    }
    if (store->timers) {
        buffer_format(sql, "CREATE INDEX weir_timer_due ON \"%s\"(due_ms, kind, key);",
                      store->timers->layout->name);
    }
}

int statements_prepare(struct store *store)
{
    int code = prepare_first_timer(store);
    for (size_t i = 0; i < store->table_count && code == SQLITE_OK; i++) {
        struct table *table = &store->tables[i];
        code = prepare_get(store, table);
        if (code == SQLITE_OK) {
            code = prepare_put(store, table);
        }
        if (code == SQLITE_OK) {
            code = prepare_erase(store, table);
        }
    }
    return code;
}

static void finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
    *statement = NULL;
}

void statements_finalize(struct store *store)
{
    finalize(&store->first_timer);
    for (size_t i = 0; i < store->table_count; i++) {
        struct table *table = &store->tables[i];
        finalize(&table->get);
        finalize(&table->put);
        finalize(&table->erase);
        for (size_t n = 0; n <= table->layout->key_field_count; n++) {
            finalize(&table->list[n]);
        }
        for (size_t n = 0; n < table->layout->record->field_count; n++) {
            finalize(&table->scan[n]);
        }
    }
}
