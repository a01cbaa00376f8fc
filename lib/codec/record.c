/* record.c - copies and comparison of structs, by their layout. */
#include "codec/codec.h"
#include "codec/value.h"

static void deepen_record(const struct weir_record *record, struct arena *arena, void *out);

/* `at` holds a flat copy of a value: what it points at is copied too. */
static void deepen_value(const struct weir_type *type, struct arena *arena, void *at,
                         const void *beside)
{
    if (value_is_null(type, at, beside)) {
        return;
    }
    switch (type->kind) {
    case WEIR_BOOLEAN:
    case WEIR_INT:
    case WEIR_LONG:
    case WEIR_ENUM:
        break;
    case WEIR_STRING:
        store_string(at, arena_strndup(arena, load_string(at), strlen(load_string(at))));
        break;
    case WEIR_BYTES: {
        struct weir_bytes bytes = load_bytes(at);
        bytes.data = (const uint8_t *)arena_strndup(arena, (const char *)bytes.data, bytes.size);
        store_bytes(at, bytes);
        break;
    }
    case WEIR_RECORD:
        deepen_record(type->record, arena, at);
        break;
    case WEIR_ARRAY: {
        struct weir_array array = load_array(at);
        uint8_t *items = arena_alloc(arena, array.count * type->item_size);
        if (array.count > 0) {
            memcpy(items, array.items, array.count * type->item_size);
        }
        for (size_t i = 0; i < array.count; i++) {
            deepen_value(type->items, arena, items + i * type->item_size, NULL);
        }
        store_array(at, (struct weir_array){array.count > 0 ? items : NULL, array.count});
        break;
    }
    case WEIR_UNION:
        deepen_record(type->branches[load_int(beside)], arena, at);
        break;
    }
}

static void deepen_record(const struct weir_record *record, struct arena *arena, void *out)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct weir_field *field = &record->fields[i];
        deepen_value(&field->type, arena, (uint8_t *)out + field->offset, field_beside(field, out));
    }
}

void record_copy(const struct weir_record *record, const void *in, struct arena *arena, void *out)
{
    memmove(out, in, record->size);
    deepen_record(record, arena, out);
}

static bool value_equal(const struct weir_type *type, const void *a, const void *b,
                        const void *beside_a, const void *beside_b);

static bool array_equal(const struct weir_type *type, struct weir_array a, struct weir_array b)
{
    if (a.count != b.count) {
        return false;
    }
    for (size_t i = 0; i < a.count; i++) {
        size_t at = i * type->item_size;
        if (!value_equal(type->items, (const uint8_t *)a.items + at, (const uint8_t *)b.items + at,
                         NULL, NULL)) {
            return false;
        }
    }
    return true;
}

static bool bytes_equal(struct weir_bytes a, struct weir_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool value_equal(const struct weir_type *type, const void *a, const void *b,
                        const void *beside_a, const void *beside_b)
{
    bool a_is_null = value_is_null(type, a, beside_a), b_is_null = value_is_null(type, b, beside_b);
    if (a_is_null || b_is_null) {
        return a_is_null && b_is_null;
    }
    switch (type->kind) {
    case WEIR_BOOLEAN:
        return load_boolean(a) == load_boolean(b);
    case WEIR_INT:
    case WEIR_ENUM:
        return load_int(a) == load_int(b);
    case WEIR_LONG:
        return load_long(a) == load_long(b);
    case WEIR_STRING:
        return strcmp(load_string(a), load_string(b)) == 0;
    case WEIR_BYTES:
        return bytes_equal(load_bytes(a), load_bytes(b));
    case WEIR_RECORD:
        return record_equal(type->record, a, b);
    case WEIR_ARRAY:
        return array_equal(type, load_array(a), load_array(b));
    case WEIR_UNION: {
        int32_t branch = load_int(beside_a);
        return branch == load_int(beside_b) && record_equal(type->branches[branch], a, b);
    }
    }
    return false;
}

bool record_equal(const struct weir_record *record, const void *a, const void *b)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct weir_field *field = &record->fields[i];
        if (!value_equal(&field->type, field_at(field, a), field_at(field, b),
                         field_beside(field, a), field_beside(field, b))) {
            return false;
        }
    }
    return true;
}
