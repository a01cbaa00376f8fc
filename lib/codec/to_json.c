/* to_json.c - records as JSON, for people and for the list columns of stores. */
#include "base/json.h"
#include "codec/codec.h"
#include "codec/value.h"

static void write_value(const struct weir_type *type, const void *at, const void *beside,
                        struct buffer *out);

/* printf would be half the time of a record. */
static void write_number(int64_t number, struct buffer *out)
{
    char digits[20];
    char *at = digits + sizeof digits;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        buffer_add_byte(out, '-');
    }
    buffer_add(out, at, (size_t)(digits + sizeof digits - at));
}

static void write_bytes(struct weir_bytes bytes, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    buffer_add_byte(out, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        buffer_add_byte(out, (uint8_t)digits[bytes.data[i] >> 4]);
        buffer_add_byte(out, (uint8_t)digits[bytes.data[i] & 15]);
    }
    buffer_add_byte(out, '"');
}

static void write_array(const struct weir_type *type, const void *at, struct buffer *out)
{
    struct weir_array array = load_array(at);
    buffer_add_byte(out, '[');
    for (size_t i = 0; i < array.count; i++) {
        if (i > 0) {
            buffer_add_byte(out, ',');
        }
        write_value(type->items, (const uint8_t *)array.items + i * type->item_size, NULL, out);
    }
    buffer_add_byte(out, ']');
}

static void write_union(const struct weir_type *type, const void *at, const void *beside,
                        struct buffer *out)
{
    int32_t branch = load_int(beside);
    CHECK(branch >= 0 && branch < type_branch_count(type));
    buffer_format(out, "{\"%s\":", type->branches[branch]->short_name);
    record_to_json(type->branches[branch], at, out);
    buffer_add_byte(out, '}');
}

static void write_value(const struct weir_type *type, const void *at, const void *beside,
                        struct buffer *out)
{
    if (value_is_null(type, at, beside)) {
        buffer_add_string(out, "null");
        return;
    }
    switch (type->kind) {
    case WEIR_BOOLEAN:
        buffer_add_string(out, load_boolean(at) ? "true" : "false");
        break;
    case WEIR_INT:
        write_number(load_int(at), out);
        break;
    case WEIR_LONG:
        write_number(load_long(at), out);
        break;
    case WEIR_STRING:
        json_quote(out, load_string(at), strlen(load_string(at)));
        break;
    case WEIR_BYTES:
        write_bytes(load_bytes(at), out);
        break;
    case WEIR_ENUM: {
        int32_t symbol = load_int(at);
        CHECK(symbol >= 0 && symbol < type->symbols->symbol_count);
        buffer_format(out, "\"%s\"", type->symbols->symbols[symbol]);
        break;
    }
    case WEIR_RECORD:
        record_to_json(type->record, at, out);
        break;
    case WEIR_ARRAY:
        write_array(type, at, out);
        break;
    case WEIR_UNION:
        write_union(type, at, beside, out);
        break;
    }
}

void field_to_json(const struct weir_field *field, const void *record, struct buffer *out)
{
    write_value(&field->type, field_at(field, record), field_beside(field, record), out);
}

void record_to_json(const struct weir_record *record, const void *in, struct buffer *out)
{
    buffer_add_byte(out, '{');
    for (size_t i = 0; i < record->field_count; i++) {
        buffer_add_string(out, i > 0 ? ",\"" : "\"");
        buffer_add_string(out, record->fields[i].name);
        buffer_add_string(out, "\":");
        field_to_json(&record->fields[i], in, out);
    }
    buffer_add_byte(out, '}');
}
