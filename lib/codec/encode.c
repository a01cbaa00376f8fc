/* encode.c - a struct to Avro binary, by its layout.
 *
 * The layout is in schema order, so encoding is one walk. What is written is our own: a value that
 * its schema does not allow is a bug and stops the process before it can reach a topic.
 */
#include "codec/binary.h"
#include "codec/codec.h"
#include "codec/value.h"

static void encode_fields(const struct weir_record *record, const void *in, struct buffer *out);
static void encode_value(const struct weir_type *type, const void *at, const void *beside,
                         struct buffer *out);

static void encode_sized(struct buffer *out, const void *data, size_t size)
{
    uint8_t *start = buffer_room(out, size + VARINT_MAX_BYTES);
    uint8_t *at = varint_write(start, (int64_t)size);
    if (size > 0) {
        memcpy(at, data, size);
    }
    out->size += (size_t)(at - start) + size;
}

static void encode_array(const struct weir_type *type, const void *at, struct buffer *out)
{
    struct weir_array array = load_array(at);
    if (array.count > 0) {
        CHECK(array.items);
        buffer_add_varint(out, (int64_t)array.count);
        for (size_t i = 0; i < array.count; i++) {
            encode_value(type->items, (const uint8_t *)array.items + i * type->item_size, NULL,
                         out);
        }
    }
    buffer_add_byte(out, 0);
}

static void encode_union(const struct weir_type *type, const void *at, const void *beside,
                         struct buffer *out)
{
    CHECK(beside);
    int32_t branch = load_int(beside);
    CHECK(branch >= 0 && branch < type_branch_count(type));
    buffer_add_varint(out, branch);
    encode_fields(type->branches[branch], at, out);
}

static void encode_enum(const struct weir_type *type, const void *at, struct buffer *out)
{
    int32_t symbol = load_int(at);
    CHECK(symbol >= 0 && symbol < type->symbols->symbol_count);
    buffer_add_varint(out, symbol);
}

static void encode_value(const struct weir_type *type, const void *at, const void *beside,
                         struct buffer *out)
{
    if (type->nullable) {
        bool null = value_is_null(type, at, beside);
        buffer_add_byte(out, null == type->null_is_first ? 0 : 2);
        if (null) {
            return;
        }
    }
    switch (type->kind) {
    case WEIR_BOOLEAN:
        buffer_add_byte(out, load_boolean(at));
        break;
    case WEIR_INT:
        buffer_add_varint(out, load_int(at));
        break;
    case WEIR_LONG:
        buffer_add_varint(out, load_long(at));
        break;
    case WEIR_STRING: {
        const char *text = load_string(at);
        CHECK(text);
        encode_sized(out, text, strlen(text));
        break;
    }
    case WEIR_BYTES: {
        struct weir_bytes bytes = load_bytes(at);
        CHECK(bytes.data || bytes.size == 0);
        encode_sized(out, bytes.data, bytes.size);
        break;
    }
    case WEIR_ENUM:
        encode_enum(type, at, out);
        break;
    case WEIR_RECORD:
        encode_fields(type->record, at, out);
        break;
    case WEIR_ARRAY:
        encode_array(type, at, out);
        break;
    case WEIR_UNION:
        encode_union(type, at, beside, out);
        break;
    }
}

static void encode_fields(const struct weir_record *record, const void *in, struct buffer *out)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct weir_field *field = &record->fields[i];
        encode_value(&field->type, field_at(field, in), field_beside(field, in), out);
    }
}

void codec_encode_datum(const struct weir_record *record, const void *in, struct buffer *out)
{
    encode_fields(record, in, out);
}

enum { FRAME_BYTES = 10 };

static void write_frame(const struct weir_record *record, uint8_t *frame)
{
    frame[0] = 0xC3;
    frame[1] = 0x01;
    for (int i = 0; i < 8; i++) {
        frame[2 + i] = (uint8_t)(record->fingerprint >> 8 * i);
    }
}

void codec_frame(const struct weir_record *record, struct buffer *out)
{
    write_frame(record, buffer_reserve(out, FRAME_BYTES));
    out->size += FRAME_BYTES;
}

bool codec_unframe(const struct weir_record *record, struct weir_bytes bytes,
                   struct weir_bytes *datum)
{
    uint8_t frame[FRAME_BYTES];
    write_frame(record, frame);
    if (bytes.size < FRAME_BYTES || memcmp(bytes.data, frame, FRAME_BYTES) != 0) {
        return false;
    }
    *datum = (struct weir_bytes){bytes.data + FRAME_BYTES, bytes.size - FRAME_BYTES};
    return true;
}

void codec_encode(const struct weir_record *record, const void *in, struct buffer *out)
{
    codec_frame(record, out);
    encode_fields(record, in, out);
}
