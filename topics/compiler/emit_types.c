/* emit_types.c - enums, structs and arrays: what a processor's author reads to see what is in a
 * record. */
#include "emit.h"
#include "names.h"
#include "text.h"

static void emit_enum(const struct named *type, struct buffer *out)
{
    struct arena arena;
    arena_init(&arena);
    text_comment(out, "", type->schema->doc);
    buffer_format(out, "enum %s {\n", type->c_name);
    for (size_t i = 0; i < type->schema->symbol_count; i++) {
        buffer_format(out, "    %s_%s,\n", type->c_upper,
                      upper_case(&arena, type->schema->symbols[i]));
    }
    buffer_format(out, "};\n\n/* The symbol as the schema has it: \"%s\". */\n",
                  type->schema->symbols[0]);
    buffer_format(out, "const char *%s_name(enum %s symbol);\n\n", type->c_name, type->c_name);
    arena_release(&arena);
}

static void emit_branch_enum(const struct model *model, const struct named *type,
                             struct buffer *out)
{
    const struct schema *branches = type->schema->fields[type->union_field].type;
    buffer_format(out, "enum %s_branch {\n", type->c_name);
    for (size_t i = 0; i < branches->branch_count; i++) {
        buffer_format(out, "    %s_%s,\n", type->c_upper,
                      model_find(model, branches->branches[i]->name)->c_upper);
    }
    buffer_add_string(out, "};\n\n");
}

static void emit_union(const struct model *model, const struct named *type,
                       const struct schema_field *field, struct buffer *out)
{
    buffer_format(out, "    enum %s_branch %s_branch;\n    union {\n", type->c_name, field->name);
    for (size_t i = 0; i < field->type->branch_count; i++) {
        const char *branch = model_find(model, field->type->branches[i]->name)->c_name;
        buffer_format(out, "        struct %s %s;\n", branch, branch);
    }
    buffer_format(out, "    } %s;\n", field->name);
}

static void emit_struct(const struct model *model, const struct named *type, struct buffer *out)
{
    if (type->union_field >= 0) {
        emit_branch_enum(model, type, out);
    }
    text_comment(out, "", type->schema->doc);
    buffer_format(out, "struct %s {\n", type->c_name);
    for (size_t i = 0; i < type->schema->field_count; i++) {
        const struct schema_field *field = &type->schema->fields[i];
        struct shape shape = checked_shape(model, field->type);
        text_comment(out, "    ", field->doc);
        if (shape.kind == WEIR_UNION) {
            emit_union(model, type, field, out);
            continue;
        }
        if (has_flag(&shape)) {
            buffer_format(out, "    bool has_%s;\n", field->name);
        }
        buffer_add_string(out, "    ");
        text_type(out, model, &shape);
        buffer_format(out, "%s;%s\n", field->name,
                      shape.nullable && !has_flag(&shape) ? " /* may be NULL */" : "");
    }
    buffer_add_string(out, "};\n\n");
}

static void emit_array(const struct model *model, const struct shape *item, struct buffer *out)
{
    struct buffer scratch;
    buffer_init(&scratch);
    buffer_format(out, "struct %s {\n    ", text_array_tag(model, item, &scratch));
    text_type(out, model, item);
    buffer_add_string(out, "*items;\n    size_t count;\n};\n\n");
    buffer_release(&scratch);
}

void emit_types(const struct model *model, struct buffer *out)
{
    for (enum weir_kind kind = WEIR_BOOLEAN; kind <= WEIR_BYTES; kind++) {
        if (model->has_item[kind]) {
            emit_array(model, &(struct shape){.kind = kind}, out);
        }
    }
    for (size_t i = 0; i < model->type_count; i++) {
        struct named *type = model->types[i];
        if (is_enum(type)) {
            emit_enum(type, out);
        } else {
            emit_struct(model, type, out);
            buffer_format(out, "extern const struct weir_record %s_record;\n\n", type->c_name);
        }
        if (type->is_array_item) {
            emit_array(model,
                       &(struct shape){.kind = is_enum(type) ? WEIR_ENUM : WEIR_RECORD,
                                       .named = type},
                       out);
        }
    }
}
