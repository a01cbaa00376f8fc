/* key.c - sortable keys, written and read back. */
#include "codec/key.h"

#include "base/utf8.h"
#include "codec/value.h"

#define SIGN_BIT (UINT64_C(1) << 63)

static void encode_number(int64_t number, struct buffer *out)
{
    uint64_t bits = (uint64_t)number ^ SIGN_BIT;
    uint8_t *at = buffer_reserve(out, 8);
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    out->size += 8;
}

static void encode_field(const struct weir_field *field, const void *row, struct buffer *out)
{
    const void *at = field_at(field, row);
    switch (field->type.kind) {
    case WEIR_STRING: {
        const char *text = load_string(at);
        CHECK(text);
        buffer_add(out, text, strlen(text) + 1);
        break;
    }
    case WEIR_INT:
    case WEIR_ENUM:
        encode_number(load_int(at), out);
        break;
    case WEIR_LONG:
        encode_number(load_long(at), out);
        break;
    case WEIR_BOOLEAN:
    case WEIR_BYTES:
    case WEIR_RECORD:
    case WEIR_ARRAY:
    case WEIR_UNION:
        CHECK_EQUAL(field->type.kind, WEIR_STRING);
        break; /* the compiler refuses such keys */
    }
}

static const struct weir_field *key_field(const struct weir_store *store, size_t index)
{
    return &store->record->fields[store->key_fields[index]];
}

void key_encode(const struct weir_store *store, const void *row, size_t fields, struct buffer *out)
{
    CHECK(fields <= store->key_field_count);
    for (size_t i = 0; i < fields; i++) {
        encode_field(key_field(store, i), row, out);
    }
}

static bool decode_string(struct weir_bytes *left, struct arena *arena, void *at)
{
    const uint8_t *nul = left->size > 0 ? memchr(left->data, 0, left->size) : NULL;
    if (!nul) {
        return false;
    }
    size_t size = (size_t)(nul - left->data);
    if (!utf8_valid(left->data, size)) {
        return false;
    }
    store_string(at, arena_strndup(arena, (const char *)left->data, size));
    left->data += size + 1;
    left->size -= size + 1;
    return true;
}

static bool decode_number(struct weir_bytes *left, int64_t least, int64_t most, int64_t *number)
{
    if (left->size < 8) {
        return false;
    }
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | left->data[i];
    }
    *number = (int64_t)(bits ^ SIGN_BIT);
    left->data += 8;
    left->size -= 8;
    return *number >= least && *number <= most;
}

static bool decode_field(const struct weir_field *field, struct weir_bytes *left,
                         struct arena *arena, void *row)
{
    void *at = (uint8_t *)row + field->offset;
    int64_t number = 0;
    switch (field->type.kind) {
    case WEIR_STRING:
        return decode_string(left, arena, at);
    case WEIR_INT:
        if (!decode_number(left, INT32_MIN, INT32_MAX, &number)) {
            return false;
        }
        store_int(at, (int32_t)number);
        return true;
    case WEIR_ENUM:
        if (!decode_number(left, 0, field->type.symbols->symbol_count - 1, &number)) {
            return false;
        }
        store_int(at, (int32_t)number);
        return true;
    case WEIR_LONG:
        if (!decode_number(left, INT64_MIN, INT64_MAX, &number)) {
            return false;
        }
        store_long(at, number);
        return true;
    case WEIR_BOOLEAN:
    case WEIR_BYTES:
    case WEIR_RECORD:
    case WEIR_ARRAY:
    case WEIR_UNION:
        CHECK_EQUAL(field->type.kind, WEIR_STRING);
        break; /* the compiler refuses such keys */
    }
    return false;
}

bool key_decode(const struct weir_store *store, struct weir_bytes bytes, struct arena *arena,
                void *row)
{
    struct weir_bytes left = bytes;
    for (size_t i = 0; i < store->key_field_count; i++) {
        if (!decode_field(key_field(store, i), &left, arena, row)) {
            return false;
        }
    }
    return left.size == 0;
}
