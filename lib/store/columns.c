/* columns.c - one field of a C struct as one column of a table.
 *
 * Numbers as they are, strings as TEXT, bytes as BLOB, an enum as its symbol, arrays and records as
 * JSON text, so that a person who looks at a table can read it. An empty array, the commonest one,
 * is read without a JSON parser.
 */
#include <string.h>

#include "codec/codec.h"
#include "store/internal.h"

static const void *member(const struct weir_field *field, const void *row)
{
    return (const char *)row + field->offset;
}

static bool is_absent(const struct weir_field *field, const void *row)
{
    if (!field->type.nullable) {
        return false;
    }
    switch (field->type.kind) {
    case WEIR_STRING:
        return !*(const char *const *)member(field, row);
    case WEIR_BYTES:
        return !((const struct weir_bytes *)member(field, row))->data;
    case WEIR_BOOLEAN:
    case WEIR_INT:
    case WEIR_LONG:
    case WEIR_ENUM:
        return !*(const bool *)((const char *)row + field->has_offset);
    case WEIR_RECORD:
    case WEIR_ARRAY:
    case WEIR_UNION:
        break;
    }
    return false;
}

/* Strings stay where they are until the statement has run; only JSON is copied by SQLite, its
 * buffer being shared. */
int column_bind(struct store *store, sqlite3_stmt *statement, int parameter,
                const struct weir_field *field, const void *row)
{
    const void *value = member(field, row);
    int code = SQLITE_OK;
    if (is_absent(field, row)) {
        return sqlite3_bind_null(statement, parameter);
    }
    switch (field->type.kind) {
    case WEIR_BOOLEAN:
        code = sqlite3_bind_int(statement, parameter, *(const bool *)value);
        break;
    case WEIR_INT:
        code = sqlite3_bind_int(statement, parameter, *(const int32_t *)value);
        break;
    case WEIR_LONG:
        code = sqlite3_bind_int64(statement, parameter, *(const int64_t *)value);
        break;
    case WEIR_STRING:
        code =
            sqlite3_bind_text(statement, parameter, *(const char *const *)value, -1, SQLITE_STATIC);
        break;
    case WEIR_BYTES: {
        const struct weir_bytes *bytes = value;
        code =
            sqlite3_bind_blob64(statement, parameter, bytes->data ? (const void *)bytes->data : "",
                                bytes->size, SQLITE_STATIC);
        break;
    }
    case WEIR_ENUM: {
        int32_t position = *(const int32_t *)value;
        CHECK(position >= 0 && position < field->type.symbols->symbol_count);
        code = sqlite3_bind_text(statement, parameter, field->type.symbols->symbols[position], -1,
                                 SQLITE_STATIC);
        break;
    }
    case WEIR_RECORD:
    case WEIR_ARRAY:
    case WEIR_UNION:
        buffer_reset(&store->scratch);
        field_to_json(field, row, &store->scratch);
        code = sqlite3_bind_text64(statement, parameter, buffer_string(&store->scratch),
                                   store->scratch.size, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    }
    return code;
}

static int32_t symbol_position(const struct weir_enum *symbols, const char *text)
{
    for (int32_t i = 0; i < symbols->symbol_count; i++) {
        if (strcmp(symbols->symbols[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

/* What follows returns SQLITE_OK, SQLITE_CORRUPT when the column does not fit the field, or
 * SQLITE_NOMEM: then SQLite gives no text for a column that has one. */

static int read_json(sqlite3_stmt *statement, int column, const struct weir_field *field,
                     struct arena *arena, void *row)
{
    struct error ignored;
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    if (!text) {
        return SQLITE_NOMEM;
    }
    if (field->type.kind == WEIR_ARRAY && size == 2 && memcmp(text, "[]", 2) == 0) {
        return SQLITE_OK; /* the row is zeroed */
    }
    bool fits = field_from_json(field, (struct weir_bytes){(const uint8_t *)text, size}, arena, row,
                                &ignored) == DECODED;
    return fits ? SQLITE_OK : SQLITE_CORRUPT;
}

static int read_string(sqlite3_stmt *statement, int column, struct arena *arena, void *value)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    if (!text) {
        return SQLITE_NOMEM;
    }
    *(const char **)value =
        arena_strndup(arena, text, (size_t)sqlite3_column_bytes(statement, column));
    return SQLITE_OK;
}

static int read_symbol(sqlite3_stmt *statement, int column, const struct weir_enum *symbols,
                       void *value)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    if (!text) {
        return SQLITE_NOMEM;
    }
    int32_t position = symbol_position(symbols, text);
    *(int32_t *)value = position;
    return position >= 0 ? SQLITE_OK : SQLITE_CORRUPT;
}

static void read_bytes(sqlite3_stmt *statement, int column, struct arena *arena, void *value)
{
    const void *blob = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    *(struct weir_bytes *)value =
        (struct weir_bytes){(const uint8_t *)arena_strndup(arena, size > 0 ? blob : "", size),
                            size};
}

int column_read(sqlite3_stmt *statement, int column, const struct weir_field *field,
                struct arena *arena, void *row)
{
    char *value = (char *)row + field->offset;
    int code = SQLITE_OK;
    int64_t number;
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        return field->type.nullable ? SQLITE_OK : SQLITE_CORRUPT;
    }
    switch (field->type.kind) {
    case WEIR_BOOLEAN:
        *(bool *)value = sqlite3_column_int(statement, column) != 0;
        break;
    case WEIR_INT:
        number = sqlite3_column_int64(statement, column);
        *(int32_t *)value = (int32_t)number;
        code = number == *(int32_t *)value ? SQLITE_OK : SQLITE_CORRUPT;
        break;
    case WEIR_LONG:
        *(int64_t *)value = sqlite3_column_int64(statement, column);
        break;
    case WEIR_STRING:
        return read_string(statement, column, arena, value);
    case WEIR_BYTES:
        read_bytes(statement, column, arena, value);
        return SQLITE_OK;
    case WEIR_ENUM:
        code = read_symbol(statement, column, field->type.symbols, value);
        break;
    case WEIR_RECORD:
    case WEIR_ARRAY:
    case WEIR_UNION:
        return read_json(statement, column, field, arena, row);
    }
    if (field->type.nullable) {
        *(bool *)((char *)row + field->has_offset) = true;
    }
    return code;
}
