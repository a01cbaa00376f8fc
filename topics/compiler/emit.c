/* emit.c - the frames of the two generated files, and the lists of everything in them. */
#include "emit.h"

#include "names.h"

static void emit_first_comment(const struct model *model, const char *extension, const char *what,
                               struct buffer *out)
{
    buffer_format(out, "/* %s.%s - %s\n", model->unit, extension, what);
    buffer_add_string(out, " *\n * Written by schemac from the .avsc files");
    buffer_add_string(out, model->has_topics ? " and topics.conf" : "");
    buffer_add_string(out, ": change those, not this.\n */\n");
}

static const char *guard(const struct model *model, struct buffer *scratch)
{
    struct arena arena;
    arena_init(&arena);
    buffer_format(scratch, "GENERATED_%s_H", upper_case(&arena, model->unit));
    arena_release(&arena);
    return buffer_string(scratch);
}

static void emit_list_declarations(const struct model *model, struct buffer *out)
{
    buffer_add_string(out, "/* Everything above, each list ending with NULL. */\n");
    buffer_format(out, "extern const struct weir_record *const %s_records[];\n", model->unit);
    buffer_format(out, "extern const struct weir_store *const %s_stores[];\n", model->unit);
    if (model->has_topics) {
        buffer_format(out, "extern const struct weir_topic *const %s_topics[];\n", model->unit);
    }
}

void emit_header(const struct model *model, struct buffer *out)
{
    struct buffer scratch;
    buffer_init(&scratch);
    const char *name = guard(model, &scratch);
    emit_first_comment(model, "h", "records as C structs, and the typed calls on them.", out);
    buffer_format(out, "#ifndef %s\n#define %s\n\n", name, name);
    buffer_add_string(out, "#include \"weir.h\"\n\n/* clang-format off */\n\n");
    emit_types(model, out);
    emit_row_declarations(model, out);
    emit_topic_declarations(model, out);
    emit_list_declarations(model, out);
    buffer_add_string(out, "\n#endif\n");
    buffer_release(&scratch);
}

static void emit_lists(const struct model *model, struct buffer *out)
{
    buffer_format(out, "const struct weir_record *const %s_records[] = {\n", model->unit);
    for (size_t i = 0; i < model->type_count; i++) {
        if (!is_enum(model->types[i])) {
            buffer_format(out, "    &%s_record,\n", model->types[i]->c_name);
        }
    }
    buffer_format(out, "    NULL,\n};\n\nconst struct weir_store *const %s_stores[] = {\n",
                  model->unit);
    for (size_t i = 0; i < model->type_count; i++) {
        if (model->types[i]->row.key_count > 0) {
            buffer_format(out, "    &%s_store,\n", model->types[i]->c_name);
        }
    }
    buffer_add_string(out, "    NULL,\n};\n");
    if (!model->has_topics) {
        return;
    }
    buffer_format(out, "\nconst struct weir_topic *const %s_topics[] = {\n", model->unit);
    for (size_t i = 0; i < model->topic_count; i++) {
        buffer_format(out, "    &%s_topic,\n", model->topics[i].c_name);
    }
    buffer_add_string(out, "    NULL,\n};\n");
}

void emit_source(const struct model *model, struct buffer *out)
{
    emit_first_comment(model, "c", "layouts, tables and the typed calls.", out);
    buffer_format(out, "#include \"%s.h\"\n\n#include \"codec/layout.h\"\n\n", model->unit);
    buffer_add_string(out, "/* clang-format off */\n\n");
    buffer_add_string(
        out,
        "/* Schema texts are longer than the 4,095 bytes that every C compiler must take. */\n");
    buffer_add_string(out, "#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\n");
    emit_layouts(model, out);
    emit_row_definitions(model, out);
    emit_topic_definitions(model, out);
    emit_lists(model, out);
}
