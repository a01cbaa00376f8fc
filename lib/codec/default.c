/* default.c - a field's default, from the Avro bytes that the schema compiler put into its layout.
 *
 * These bytes are ours: compiled in, written in the field's own type. So this is a plain reader by
 * layout; what does not fit is a bug in the compiler. Bytes of strangers go through plan.c and
 * decode.c.
 */
#include "codec/default.h"

#include "codec/binary.h"
#include "codec/value.h"

struct source {
    const uint8_t *at, *end;
    struct arena *arena;
};

static int64_t next_long(struct source *source)
{
    int64_t value = 0;
    CHECK(varint_read(&source->at, source->end, &value));
    return value;
}

static struct weir_bytes next_bytes(struct source *source)
{
    int64_t size = next_long(source);
    CHECK(size >= 0 && size <= source->end - source->at);
    struct weir_bytes bytes = {source->at, (size_t)size};
    source->at += size;
    return bytes;
}

static void fill_record(struct source *source, const struct weir_record *record, void *out);
static void fill_value(struct source *source, const struct weir_type *type, void *at, void *beside);

static void fill_array(struct source *source, const struct weir_type *type, void *at)
{
    struct weir_array array = {0};
    int64_t count = next_long(source);
    CHECK(count >= 0 && count <= source->end - source->at);
    if (count > 0) {
        array.items = arena_alloc(source->arena, (size_t)count * type->item_size);
        for (; array.count < (size_t)count; array.count++) {
            fill_value(source, type->items, (uint8_t *)array.items + array.count * type->item_size,
                       NULL);
        }
        CHECK_EQUAL(next_long(source), 0); /* one block */
    }
    store_array(at, array);
}

static void fill_value(struct source *source, const struct weir_type *type, void *at, void *beside)
{
    if (type->nullable) {
        bool null = (next_long(source) == 0) == type->null_is_first;
        if (type_has_flag(type)) {
            store_boolean(beside, !null);
        }
        if (null) {
            return;
        }
    }
    switch (type->kind) {
    case WEIR_BOOLEAN:
        CHECK(source->at < source->end);
        store_boolean(at, *source->at++ != 0);
        break;
    case WEIR_INT:
    case WEIR_ENUM:
        store_int(at, (int32_t)next_long(source));
        break;
    case WEIR_LONG:
        store_long(at, next_long(source));
        break;
    case WEIR_STRING: {
        struct weir_bytes text = next_bytes(source);
        store_string(at, arena_strndup(source->arena, (const char *)text.data, text.size));
        break;
    }
    case WEIR_BYTES:
        store_bytes(at, next_bytes(source));
        break; /* constant, and lives for ever */
    case WEIR_RECORD:
        fill_record(source, type->record, at);
        break;
    case WEIR_ARRAY:
        fill_array(source, type, at);
        break;
    case WEIR_UNION: {
        int64_t branch = next_long(source);
        CHECK(branch >= 0 && branch < type_branch_count(type));
        store_int(beside, (int32_t)branch);
        fill_record(source, type->branches[branch], at);
        break;
    }
    }
}

static void fill_record(struct source *source, const struct weir_record *record, void *out)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct weir_field *field = &record->fields[i];
        fill_value(source, &field->type, (uint8_t *)out + field->offset,
                   (uint8_t *)out + field->has_offset);
    }
}

void default_fill(const struct weir_field *field, struct arena *arena, void *record)
{
    struct weir_bytes value = field->default_value;
    CHECK(value.data);
    struct source source = {.at = value.data, .end = value.data + value.size, .arena = arena};
    fill_value(&source, &field->type, (uint8_t *)record + field->offset,
               (uint8_t *)record + field->has_offset);
    CHECK(source.at == source.end);
}
