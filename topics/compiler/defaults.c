/* defaults.c - see defaults.h. The Avro binary encoding, for the few types that rules.h lets
 * through. schema_parse() has seen to it that a default is of its type. */
#include "defaults.h"

#include <string.h>

#include "base/json.h"
#include "codec/binary.h"

static enum outcome wrong(struct error *error, const struct schema *type, const char *what)
{
    return fail_exit(error, EXIT_DATA, "the default of this %s must be %s",
                     schema_kind_name(type->kind), what);
}

static enum outcome encode_number(const struct json *value, struct buffer *out)
{
    CHECK_EQUAL(json_kind(value), JSON_NUMBER);
    buffer_add_varint(out, json_number(value));
    return OK;
}

/* A bytes default is a string whose code points 0 to 255 are the bytes. */
static enum outcome encode_bytes(const struct json *value, struct buffer *out)
{
    CHECK_EQUAL(json_kind(value), JSON_TEXT);
    const char *text = json_text(value);
    size_t size = json_text_size(value), count = 0;
    for (size_t i = 0; i < size; i++) {
        count += ((uint8_t)text[i] & 0xc0) != 0x80;
    }
    buffer_add_varint(out, (int64_t)count);
    for (size_t i = 0; i < size; i++) {
        uint8_t first = (uint8_t)text[i];
        CHECK(first < 0xc4);
        if (first >= 0xc0) {
            i++;
            first = (uint8_t)((first & 0x03) << 6 | ((uint8_t)text[i] & 0x3f));
        }
        buffer_add_byte(out, first);
    }
    return OK;
}

static enum outcome encode_string(const struct schema *type, const struct json *value,
                                  struct buffer *out, struct error *error)
{
    if (json_kind(value) != JSON_TEXT ||
        memchr(json_text(value), '\0', json_text_size(value)) != NULL) {
        return wrong(error, type, "a string without NUL");
    }
    buffer_add_varint(out, (int64_t)json_text_size(value));
    buffer_add(out, json_text(value), json_text_size(value));
    return OK;
}

static enum outcome encode_symbol(const struct schema *type, const struct json *value,
                                  struct buffer *out, struct error *error)
{
    for (size_t i = 0; json_kind(value) == JSON_TEXT && i < type->symbol_count; i++) {
        if (strcmp(type->symbols[i], json_text(value)) == 0) {
            buffer_add_varint(out, (int64_t)i);
            return OK;
        }
    }
    return wrong(error, type, "one of its symbols");
}

static enum outcome encode_array(const struct schema *type, const struct json *value,
                                 struct buffer *out, struct error *error)
{
    CHECK_EQUAL(json_kind(value), JSON_LIST);
    if (json_count(value) > 0) {
        buffer_add_varint(out, (int64_t)json_count(value));
    }
    for (size_t i = 0; i < json_count(value); i++) {
        if (default_encode(type->items, json_at(value, i), out, error) != OK) {
            return FATAL;
        }
    }
    buffer_add_varint(out, 0);
    return OK;
}

static enum outcome encode_record(const struct schema *type, const struct json *value,
                                  struct buffer *out, struct error *error)
{
    CHECK_EQUAL(json_kind(value), JSON_MEMBERS);
    size_t used = 0;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct schema_field *field = &type->fields[i];
        const struct json *member = json_get(value, field->name);
        used += member != NULL;
        member = member == NULL ? field->default_value : member;
        if (member == NULL) {
            return fail_exit(error, EXIT_DATA,
                             "the default lacks the field %s, which has none of its own",
                             field->name);
        }
        if (default_encode(field->type, member, out, error) != OK) {
            return FATAL;
        }
    }
    if (used != json_count(value)) {
        return wrong(error, type, "an object with members of the record only");
    }
    return OK;
}

enum outcome default_encode(const struct schema *type, const struct json *value, struct buffer *out,
                            struct error *error)
{
    switch (type->kind) {
    case SCHEMA_NULL:
        return json_kind(value) == JSON_NULL_VALUE ? OK : wrong(error, type, "null");
    case SCHEMA_BOOLEAN:
        CHECK_EQUAL(json_kind(value), JSON_BOOLEAN);
        buffer_add_byte(out, json_boolean(value));
        return OK;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return encode_number(value, out);
    case SCHEMA_BYTES:
        return encode_bytes(value, out);
    case SCHEMA_STRING:
        return encode_string(type, value, out, error);
    case SCHEMA_ENUM:
        return encode_symbol(type, value, out, error);
    case SCHEMA_ARRAY:
        return encode_array(type, value, out, error);
    case SCHEMA_RECORD:
        return encode_record(type, value, out, error);
    case SCHEMA_UNION:
        buffer_add_varint(out, 0); /* the first branch */
        return default_encode(type->branches[0], value, out, error);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED:
    case SCHEMA_MAP:
        break;
    }
    return wrong(error, type, "left out: weir does not take this type");
}
