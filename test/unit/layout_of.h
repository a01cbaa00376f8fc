/* layout_of.h - a layout made at run time from a schema's text, as the schema compiler would make
 * it.
 *
 * With it a test says a schema and a value as text, and needs no struct: values go in and come out
 * as JSON. Members lie in schema order, each followed by its has_x or x_branch. Texts must be
 * right: anything else ends the test.
 */
#ifndef WEIR_TEST_LAYOUT_OF_H
#define WEIR_TEST_LAYOUT_OF_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "codec/codec.h"
#include "codec/schema.h"

static inline const struct weir_record *layout_of_record(const struct schema *schema,
                                                         struct arena *arena);

static inline size_t layout_align(size_t size, size_t align)
{
    return (size + align - 1) / align * align;
}

static inline const char *layout_short_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static inline const struct weir_enum *layout_of_enum(const struct schema *schema,
                                                     struct arena *arena)
{
    struct weir_enum *symbols = arena_alloc(arena, sizeof *symbols);
    symbols->name = schema->name;
    symbols->aliases = schema->aliases;
    symbols->symbols = schema->symbols;
    symbols->symbol_count = (int32_t)schema->symbol_count;
    symbols->default_symbol = -1;
    for (int32_t i = 0; schema->default_symbol && i < symbols->symbol_count; i++) {
        if (strcmp(schema->symbols[i], schema->default_symbol) == 0) {
            symbols->default_symbol = i;
        }
    }
    return symbols;
}

/* Fills `type` and returns the size of a member of it. */
static inline size_t layout_of_type(const struct schema *schema, struct arena *arena,
                                    struct weir_type *type)
{
    switch (schema->kind) {
    case SCHEMA_BOOLEAN:
        type->kind = WEIR_BOOLEAN;
        return sizeof(bool);
    case SCHEMA_INT:
        type->kind = WEIR_INT;
        return sizeof(int32_t);
    case SCHEMA_LONG:
        type->kind = WEIR_LONG;
        return sizeof(int64_t);
    case SCHEMA_STRING:
        type->kind = WEIR_STRING;
        return sizeof(char *);
    case SCHEMA_BYTES:
        type->kind = WEIR_BYTES;
        return sizeof(struct weir_bytes);
    case SCHEMA_ENUM:
        type->kind = WEIR_ENUM;
        type->symbols = layout_of_enum(schema, arena);
        return sizeof(int32_t);
    case SCHEMA_RECORD:
        type->kind = WEIR_RECORD;
        type->record = layout_of_record(schema, arena);
        return type->record->size;
    case SCHEMA_ARRAY: {
        struct weir_type *items = arena_alloc(arena, sizeof *items);
        type->kind = WEIR_ARRAY;
        type->items = items;
        type->item_size = layout_of_type(schema->items, arena, items);
        return sizeof(struct weir_array);
    }
    case SCHEMA_UNION: {
        const struct schema *first = schema->branches[0], *second = schema->branches[1];
        if (schema->branch_count == 2 &&
            (first->kind == SCHEMA_NULL || second->kind == SCHEMA_NULL)) {
            type->nullable = true;
            type->null_is_first = first->kind == SCHEMA_NULL;
            return layout_of_type(type->null_is_first ? second : first, arena, type);
        }
        const struct weir_record **branches =
            arena_alloc(arena, (schema->branch_count + 1) * sizeof(struct weir_record *));
        size_t size = 0;
        for (size_t i = 0; i < schema->branch_count; i++) {
            branches[i] = layout_of_record(schema->branches[i], arena);
            size = branches[i]->size > size ? branches[i]->size : size;
        }
        type->kind = WEIR_UNION;
        type->branches = branches;
        return size;
    }
    case SCHEMA_NULL:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED:
    case SCHEMA_MAP:
        break;
    }
    fprintf(stderr, "no layout for %s\n", schema_kind_name(schema->kind));
    abort();
}

/* A default as Avro binary: read as JSON into a record of this field alone, which is then encoded.
 */
static inline struct weir_bytes layout_default(const struct weir_field *field,
                                               const struct json *value, struct arena *arena)
{
    struct weir_field alone = *field;
    alone.default_value = (struct weir_bytes){0};
    struct weir_record record = {.name = "Alone",
                                 .short_name = "Alone",
                                 .fields = &alone,
                                 .field_count = 1,
                                 .size = field->offset + field->has_offset + 4096};
    void *memory = arena_alloc(arena, record.size);
    struct buffer text = {0}, binary = {0};
    struct error error;
    json_print(value, &text);
    struct weir_bytes bytes = {text.data, text.size};
    if (field_from_json(&alone, bytes, arena, memory, &error) != DECODED) {
        fprintf(stderr, "default: %s\n", error.text);
        abort();
    }
    codec_encode_datum(&record, memory, &binary);
    struct weir_bytes result = {(uint8_t *)arena_strndup(arena, (char *)binary.data, binary.size),
                                binary.size};
    buffer_release(&text);
    buffer_release(&binary);
    return result;
}

static inline const struct weir_record *layout_of_record(const struct schema *schema,
                                                         struct arena *arena)
{
    struct weir_record *record = arena_alloc(arena, sizeof *record);
    struct weir_field *fields = arena_alloc(arena, schema->field_count * sizeof *fields);
    record->name = schema->name;
    record->short_name = layout_short_name(schema->name);
    record->aliases = schema->aliases;
    record->fields = fields;
    record->field_count = schema->field_count;
    for (size_t i = 0; i < schema->field_count; i++) {
        fields[i].name = schema->fields[i].name;
        fields[i].aliases = schema->fields[i].aliases;
        fields[i].offset = layout_align(record->size, 8);
        size_t size = layout_of_type(schema->fields[i].type, arena, &fields[i].type);
        fields[i].has_offset = layout_align(fields[i].offset + size, 4);
        record->size = layout_align(fields[i].has_offset + 4, 8);
        if (schema->fields[i].default_value) {
            fields[i].default_value =
                layout_default(&fields[i], schema->fields[i].default_value, arena);
        }
    }
    return record;
}

static inline const struct weir_record *layout_of(const char *text, struct arena *arena)
{
    struct schema *schema;
    struct error error;
    if (schema_parse(&schema, text, strlen(text), arena, NULL, NULL, &error)) {
        fprintf(stderr, "schema: %s\n%s\n", error.text, text);
        abort();
    }
    struct weir_record *record = (struct weir_record *)(uintptr_t)layout_of_record(schema, arena);
    record->schema = text;
    record->fingerprint = schema_fingerprint(schema);
    return record;
}

#endif
