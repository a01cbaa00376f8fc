/* emit_sql.c - a state row's table.
 *
 * STRICT, so that a column holds what it says; WITHOUT ROWID, so that rows lie in key order, which
 * is the order they are written in. Enums are their text, so that a person can read the table;
 * arrays and records are JSON, which SQL can open. What the schema forbids, a CHECK forbids too: a
 * store that breaks it stops the transaction, not the audit next month.
 */
#include "emit.h"

static void emit_checks_of(const struct shape *shape, const char *name, struct buffer *out)
{
    if (shape->kind == WEIR_BOOLEAN) {
        buffer_format(out, " CHECK (\"%s\" = 0 OR \"%s\" = 1)", name, name);
    } else if (shape->kind == WEIR_ENUM) {
        /* Not IN (...): SQLite builds a table of the list anew for every row written. */
        buffer_add_string(out, " CHECK (");
        const struct schema *symbols = shape->named->schema;
        for (size_t i = 0; i < symbols->symbol_count; i++) {
            buffer_format(out, "%s\"%s\" = '%s'", i > 0 ? " OR " : "", name, symbols->symbols[i]);
        }
        buffer_add_string(out, ")");
    }
}

static const char *column_type(enum weir_kind kind)
{
    switch (kind) {
    case WEIR_BOOLEAN:
    case WEIR_INT:
    case WEIR_LONG:
        return "INTEGER";
    case WEIR_BYTES:
        return "BLOB";
    case WEIR_STRING:
    case WEIR_ENUM:
    case WEIR_RECORD:
    case WEIR_ARRAY:
    case WEIR_UNION: /* not in a state row */
        break;
    }
    return "TEXT";
}

void emit_create_sql(const struct model *model, const struct named *row, struct buffer *out)
{
    buffer_format(out, "CREATE TABLE \"%s\" (\n", row->c_name);
    for (size_t i = 0; i < row->schema->field_count; i++) {
        const struct schema_field *field = &row->schema->fields[i];
        struct shape shape = checked_shape(model, field->type);
        buffer_format(out, "  \"%s\" %s%s", field->name, column_type(shape.kind),
                      shape.nullable ? "" : " NOT NULL");
        emit_checks_of(&shape, field->name, out);
        buffer_add_string(out, ",\n");
    }
    buffer_add_string(out, "  PRIMARY KEY (");
    for (size_t i = 0; i < row->row.key_count; i++) {
        buffer_format(out, "%s\"%s\"", i > 0 ? ", " : "",
                      row->schema->fields[row->row.key[i]].name);
    }
    buffer_add_byte(out, ')');
    for (size_t i = 0; i < row->row.check_count; i++) {
        buffer_format(out, ",\n  CHECK (%s)", row->row.checks[i]);
    }
    buffer_add_string(out, "\n) STRICT, WITHOUT ROWID");
}
