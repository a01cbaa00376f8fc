/* emit_layout.c - the tables of codec/layout.h that the codec walks. */
#include <inttypes.h>
#include <string.h>

#include "defaults.h"
#include "emit.h"
#include "text.h"

static const char *const kind_names[] = {
    [WEIR_BOOLEAN] = "WEIR_BOOLEAN", [WEIR_INT] = "WEIR_INT",     [WEIR_LONG] = "WEIR_LONG",
    [WEIR_STRING] = "WEIR_STRING",   [WEIR_BYTES] = "WEIR_BYTES", [WEIR_ENUM] = "WEIR_ENUM",
    [WEIR_RECORD] = "WEIR_RECORD",   [WEIR_ARRAY] = "WEIR_ARRAY", [WEIR_UNION] = "WEIR_UNION",
};

/* static const char *const order_state_symbols[] = {"NEW", ..., NULL}; */
static void emit_strings(const char *owner, const char *suffix, const char *const *strings,
                         struct buffer *out)
{
    buffer_format(out, "static const char *const %s%s[] = {\n", owner, suffix);
    for (; *strings != NULL; strings++) {
        buffer_format(out, "    \"%s\",\n", *strings);
    }
    buffer_add_string(out, "    NULL,\n};\n\n");
}

static void emit_aliases(const struct named *type, const char *middle, const char **aliases,
                         struct buffer *out)
{
    if (aliases == NULL) {
        return;
    }
    struct buffer suffix;
    buffer_init(&suffix);
    buffer_format(&suffix, "%s_aliases", middle);
    emit_strings(type->c_name, buffer_string(&suffix), aliases, out);
    buffer_release(&suffix);
}

static int default_symbol(const struct schema *schema)
{
    for (size_t i = 0; schema->default_symbol != NULL && i < schema->symbol_count; i++) {
        if (strcmp(schema->symbols[i], schema->default_symbol) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void emit_enum(const struct named *type, struct buffer *out)
{
    const struct schema *schema = type->schema;
    emit_strings(type->c_name, "_symbols", schema->symbols, out);
    emit_aliases(type, "", schema->aliases, out);
    buffer_format(out, "static const struct weir_enum %s_enum = {\n", type->c_name);
    buffer_format(out, "    .name = \"%s\",\n", schema->name);
    if (schema->aliases != NULL) {
        buffer_format(out, "    .aliases = %s_aliases,\n", type->c_name);
    }
    buffer_format(out, "    .symbols = %s_symbols,\n    .symbol_count = %zu,\n", type->c_name,
                  schema->symbol_count);
    buffer_format(out, "    .default_symbol = %d,\n};\n\n", default_symbol(schema));
    buffer_format(
        out,
        "_Static_assert(sizeof(enum %s) == sizeof(int), \"the codec writes enums as int\");\n\n",
        type->c_name);
    buffer_format(out, "const char *%s_name(enum %s symbol)\n{\n", type->c_name, type->c_name);
    buffer_format(out,
                  "    size_t position = (size_t)symbol;\n    return position < %zu ? "
                  "%s_symbols[position] : ",
                  schema->symbol_count, type->c_name);
    buffer_add_string(out, "\"?\";\n}\n\n");
}

/* {.kind = WEIR_ENUM, .symbols = &order_state_enum} */
static void emit_type(const struct model *model, const struct named *type, const char *field,
                      const struct shape *shape, struct buffer *out)
{
    buffer_format(out, "{.kind = %s", kind_names[shape->kind]);
    if (shape->nullable) {
        buffer_add_string(out, ", .nullable = true");
    }
    if (shape->null_is_first) {
        buffer_add_string(out, ", .null_is_first = true");
    }
    if (shape->kind == WEIR_ENUM) {
        buffer_format(out, ", .symbols = &%s_enum", shape->named->c_name);
    } else if (shape->kind == WEIR_RECORD) {
        buffer_format(out, ", .record = &%s_record", shape->named->c_name);
    } else if (shape->kind == WEIR_ARRAY) {
        struct shape item = checked_shape(model, shape->items);
        buffer_format(out, ", .items = &%s_%s_items, .item_size = sizeof(", type->c_name, field);
        text_type(out, model, &item);
        out->size -= out->data[out->size - 1] == ' ';
        buffer_add_byte(out, ')');
    } else if (shape->kind == WEIR_UNION) {
        buffer_format(out, ", .branches = %s_branches", type->c_name);
    }
    buffer_add_byte(out, '}');
}

static void emit_default(const struct named *type, const struct schema_field *field,
                         struct buffer *out)
{
    struct buffer bytes;
    struct error error;
    buffer_init(&bytes);
    enum outcome outcome = default_encode(field->type, field->default_value, &bytes, &error);
    CHECK(outcome == OK); /* rules.c has tried it */
    buffer_format(out, "static const uint8_t %s_default_%s[] = {", type->c_name, field->name);
    for (size_t i = 0; i < bytes.size; i++) {
        const char *separator = i == 0 ? "" : i % 16 == 0 ? ",\n    " : ", ";
        buffer_format(out, "%s0x%02x", separator, bytes.data[i]);
    }
    buffer_add_string(out, "};\n\n");
    buffer_release(&bytes);
}

/* What the field table points to. */
static void emit_field_parts(const struct model *model, const struct named *type,
                             const struct schema_field *field, const struct shape *shape,
                             struct buffer *out)
{
    if (shape->kind == WEIR_ARRAY) {
        struct shape item = checked_shape(model, shape->items);
        buffer_format(out, "static const struct weir_type %s_%s_items = ", type->c_name,
                      field->name);
        emit_type(model, type, field->name, &item, out);
        buffer_add_string(out, ";\n\n");
    }
    if (shape->kind == WEIR_UNION) {
        buffer_format(out, "static const struct weir_record *const %s_branches[] = {\n",
                      type->c_name);
        for (size_t i = 0; i < shape->branches->branch_count; i++) {
            buffer_format(out, "    &%s_record,\n",
                          model_find(model, shape->branches->branches[i]->name)->c_name);
        }
        buffer_add_string(out, "    NULL,\n};\n\n");
        buffer_format(out, "_Static_assert(sizeof(enum %s_branch) == sizeof(int), \"",
                      type->c_name);
        buffer_add_string(out, "the codec writes branches as int\");\n\n");
    }
    struct buffer middle;
    buffer_init(&middle);
    buffer_format(&middle, "_%s", field->name);
    emit_aliases(type, buffer_string(&middle), field->aliases, out);
    buffer_release(&middle);
    if (field->default_value != NULL) {
        emit_default(type, field, out);
    }
}

static void emit_field(const struct model *model, const struct named *type,
                       const struct schema_field *field, const struct shape *shape,
                       struct buffer *out)
{
    const char *c_name = type->c_name;
    buffer_format(out, "    {\n        .name = \"%s\",\n", field->name);
    if (field->aliases != NULL) {
        buffer_format(out, "        .aliases = %s_%s_aliases,\n", c_name, field->name);
    }
    buffer_add_string(out, "        .type = ");
    emit_type(model, type, field->name, shape, out);
    buffer_format(out, ",\n        .offset = offsetof(struct %s, %s),\n", c_name, field->name);
    if (has_flag(shape)) {
        buffer_format(out, "        .has_offset = offsetof(struct %s, has_%s),\n", c_name,
                      field->name);
    } else if (shape->kind == WEIR_UNION) {
        buffer_format(out, "        .has_offset = offsetof(struct %s, %s_branch),\n", c_name,
                      field->name);
    }
    if (field->default_value != NULL) {
        buffer_format(out, "        .default_value = {%s_default_%s, sizeof(%s_default_%s)},\n",
                      c_name, field->name, c_name, field->name);
    }
    if (field->doc != NULL) {
        buffer_add_string(out, "        .doc = ");
        text_literal(out, "               ", field->doc);
        buffer_add_string(out, ",\n");
    }
    buffer_add_string(out, "    },\n");
}

static void emit_record(const struct model *model, const struct named *type, struct buffer *out)
{
    const struct schema *schema = type->schema;
    for (size_t i = 0; i < schema->field_count; i++) {
        struct shape shape = checked_shape(model, schema->fields[i].type);
        emit_field_parts(model, type, &schema->fields[i], &shape, out);
    }
    buffer_format(out, "static const struct weir_field %s_fields[] = {\n", type->c_name);
    for (size_t i = 0; i < schema->field_count; i++) {
        struct shape shape = checked_shape(model, schema->fields[i].type);
        emit_field(model, type, &schema->fields[i], &shape, out);
    }
    buffer_add_string(out, "};\n\n");
    emit_aliases(type, "", schema->aliases, out);
    buffer_format(out, "const struct weir_record %s_record = {\n    .name = \"%s\",\n",
                  type->c_name, schema->name);
    buffer_format(out, "    .short_name = \"%s\",\n", type->short_name);
    if (schema->aliases != NULL) {
        buffer_format(out, "    .aliases = %s_aliases,\n", type->c_name);
    }
    buffer_format(out, "    .fields = %s_fields,\n    .field_count = %zu,\n", type->c_name,
                  schema->field_count);
    buffer_format(out, "    .size = sizeof(struct %s),\n", type->c_name);
    if (schema->doc != NULL) {
        buffer_add_string(out, "    .doc = ");
        text_literal(out, "           ", schema->doc);
        buffer_add_string(out, ",\n");
    }
    buffer_add_string(out, "    .schema =\n        ");
    text_literal(out, "        ", type->text);
    buffer_format(out, ",\n    .fingerprint = UINT64_C(0x%016" PRIx64 "),\n};\n\n",
                  type->fingerprint);
}

static void emit_array_assert(const struct model *model, const struct shape *item,
                              struct buffer *out)
{
    struct buffer scratch;
    buffer_init(&scratch);
    const char *tag = text_array_tag(model, item, &scratch);
    buffer_format(out, "_Static_assert(sizeof(struct %s) == sizeof(struct weir_array) &&\n", tag);
    buffer_format(
        out, "               offsetof(struct %s, count) == offsetof(struct weir_array, count),\n",
        tag);
    buffer_add_string(out, "               \"the codec writes arrays as struct weir_array\");\n\n");
    buffer_release(&scratch);
}

void emit_layouts(const struct model *model, struct buffer *out)
{
    for (enum weir_kind kind = WEIR_BOOLEAN; kind <= WEIR_BYTES; kind++) {
        if (model->has_item[kind]) {
            emit_array_assert(model, &(struct shape){.kind = kind}, out);
        }
    }
    for (size_t i = 0; i < model->type_count; i++) {
        struct named *type = model->types[i];
        if (is_enum(type)) {
            emit_enum(type, out);
        } else {
            emit_record(model, type, out);
        }
        if (type->is_array_item) {
            emit_array_assert(model, &(struct shape){.kind = WEIR_RECORD, .named = type}, out);
        }
    }
}
