/* emit_rows.c - stores and their typed calls. */
#include "emit.h"
#include "text.h"

static bool is_row(const struct named *type)
{
    return type->row.key_count > 0;
}

/* "bool stock_level_get(struct weir_context *ctx, const char *sku, struct stock_level *row)" */
static void emit_get_head(const struct model *model, const struct named *row, struct buffer *out)
{
    size_t start = out->size;
    buffer_format(out, "bool %s_get(struct weir_context *ctx, ", row->c_name);
    text_parameters(out, model, row, row->row.key, row->row.key_count);
    buffer_format(out, ", struct %s *row)", row->c_name);
    text_wrap_head(out, start);
}

static void emit_put_head(const struct named *row, struct buffer *out)
{
    size_t start = out->size;
    buffer_format(out, "void %s_put(struct weir_context *ctx, const struct %s *row)", row->c_name,
                  row->c_name);
    text_wrap_head(out, start);
}

static void emit_delete_head(const struct model *model, const struct named *row, struct buffer *out)
{
    size_t start = out->size;
    buffer_format(out, "void %s_delete(struct weir_context *ctx, ", row->c_name);
    text_parameters(out, model, row, row->row.key, row->row.key_count);
    buffer_add_byte(out, ')');
    text_wrap_head(out, start);
}

static void emit_list_head(const struct model *model, const struct named *row, size_t prefix,
                           struct buffer *out)
{
    size_t start = out->size;
    buffer_format(out, "size_t %s_list_by", row->c_name);
    for (size_t i = 0; i < prefix; i++) {
        buffer_format(out, "_%s", row->schema->fields[row->row.key[i]].name);
    }
    buffer_add_string(out, "(struct weir_context *ctx, ");
    text_parameters(out, model, row, row->row.key, prefix);
    buffer_format(out, ", size_t limit, struct %s **rows)", row->c_name);
    text_wrap_head(out, start);
}

static void emit_scan_head(const struct model *model, const struct named *row,
                           const uint16_t *field, struct buffer *out)
{
    size_t start = out->size;
    buffer_format(out, "size_t %s_scan_by_%s(struct weir_context *ctx, ", row->c_name,
                  row->schema->fields[*field].name);
    text_parameters(out, model, row, field, 1);
    buffer_format(out, ", struct %s **rows)", row->c_name);
    text_wrap_head(out, start);
}

static void emit_declarations(const struct model *model, const struct named *row,
                              struct buffer *out)
{
    const struct row_rules *rules = &row->row;
    buffer_format(out, "/* ---- rows of %s ---- */\n\n", row->c_name);
    buffer_format(out, "extern const struct weir_store %s_store;\n\n", row->c_name);
    buffer_add_string(out, "/* false, and *row as it was, when there is no such row. */\n");
    emit_get_head(model, row, out);
    buffer_add_string(out, ";\n");
    emit_put_head(row, out);
    buffer_add_string(out, ";\n");
    emit_delete_head(model, row, out);
    buffer_add_string(out, ";\n");
    if (rules->key_count > 1) {
        buffer_add_string(out,
                          "\n/* In key order, at most `limit` (0: all). Returns how many. */\n");
    }
    for (size_t prefix = 1; prefix < rules->key_count; prefix++) {
        emit_list_head(model, row, prefix, out);
        buffer_add_string(out, ";\n");
    }
    if (rules->scan_count > 0) {
        buffer_add_string(out, "\n/* In key order. Reads the whole table. */\n");
    }
    for (size_t i = 0; i < rules->scan_count; i++) {
        emit_scan_head(model, row, &rules->scan[i], out);
        buffer_add_string(out, ";\n");
    }
    buffer_add_byte(out, '\n');
}

void emit_row_declarations(const struct model *model, struct buffer *out)
{
    for (size_t i = 0; i < model->type_count; i++) {
        if (is_row(model->types[i])) {
            emit_declarations(model, model->types[i], out);
        }
    }
}

static void emit_store(const struct model *model, const struct named *row, struct buffer *out)
{
    struct buffer sql;
    buffer_init(&sql);
    buffer_format(out, "static const uint16_t %s_key_fields[] = {", row->c_name);
    for (size_t i = 0; i < row->row.key_count; i++) {
        buffer_format(out, "%s%d", i > 0 ? ", " : "", row->row.key[i]);
    }
    buffer_format(out, "};\n\nconst struct weir_store %s_store = {\n", row->c_name);
    buffer_format(out, "    .name = \"%s\",\n    .record = &%s_record,\n", row->c_name,
                  row->c_name);
    buffer_format(out, "    .key_fields = %s_key_fields,\n    .key_field_count = %d,\n",
                  row->c_name, row->row.key_count);
    buffer_add_string(out, "    .create_sql =\n        ");
    emit_create_sql(model, row, &sql);
    text_literal(out, "        ", buffer_string(&sql));
    buffer_add_string(out, ",\n};\n\n");
    buffer_release(&sql);
}

/* The row that a lookup takes its key from. */
static void emit_wanted(const struct named *row, const uint16_t *fields, size_t count,
                        struct buffer *out)
{
    buffer_format(out, "\n{\n    const struct %s wanted = {", row->c_name);
    text_initializers(out, row, fields, count);
    buffer_add_string(out, "};\n");
}

static void emit_found(struct buffer *out)
{
    buffer_add_string(out, "    *rows = found;\n    return count;\n}\n\n");
}

static void emit_definitions(const struct model *model, const struct named *row, struct buffer *out)
{
    const struct row_rules *rules = &row->row;
    emit_store(model, row, out);
    emit_get_head(model, row, out);
    emit_wanted(row, rules->key, rules->key_count, out);
    buffer_format(out, "    return weir_row_get(ctx, &%s_store, &wanted, row);\n}\n\n",
                  row->c_name);
    emit_put_head(row, out);
    buffer_format(out, "\n{\n    weir_row_put(ctx, &%s_store, row);\n}\n\n", row->c_name);
    emit_delete_head(model, row, out);
    emit_wanted(row, rules->key, rules->key_count, out);
    buffer_format(out, "    weir_row_delete(ctx, &%s_store, &wanted);\n}\n\n", row->c_name);
    for (size_t prefix = 1; prefix < rules->key_count; prefix++) {
        emit_list_head(model, row, prefix, out);
        emit_wanted(row, rules->key, prefix, out);
        buffer_format(out,
                      "    void *found = NULL;\n    size_t count = weir_row_list(ctx, &%s_store, "
                      "&wanted, %zu, ",
                      row->c_name, prefix);
        buffer_add_string(out, "limit, &found);\n");
        emit_found(out);
    }
    for (size_t i = 0; i < rules->scan_count; i++) {
        emit_scan_head(model, row, &rules->scan[i], out);
        emit_wanted(row, &rules->scan[i], 1, out);
        buffer_format(out,
                      "    void *found = NULL;\n    size_t count = weir_row_scan(ctx, &%s_store, "
                      "&wanted, %d, ",
                      row->c_name, rules->scan[i]);
        buffer_add_string(out, "&found);\n");
        emit_found(out);
    }
}

void emit_row_definitions(const struct model *model, struct buffer *out)
{
    for (size_t i = 0; i < model->type_count; i++) {
        if (is_row(model->types[i])) {
            emit_definitions(model, model->types[i], out);
        }
    }
}
