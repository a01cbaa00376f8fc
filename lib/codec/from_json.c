/* from_json.c - records from JSON, which may be anybody's.
 *
 * Strict: what is not exactly one value of the field's type is refused, with the path of the
 * member, so that a shop's developer sees from the dead letter what to mend. The JSON tree is read
 * into the record's own arena, and the record's strings point into it.
 */
#include <stdio.h>

#include "base/json.h"
#include "codec/codec.h"
#include "codec/default.h"
#include "codec/value.h"

/* Where in the text we are, from the inside out; a member's name, or an item's index when name is
 * NULL. */
struct path {
    const struct path *around;
    const char *name;
    size_t index;
};

struct reader {
    struct arena *arena;
    struct error *error;
};

static const char *type_in_json(const struct weir_type *type)
{
    switch (type->kind) {
    case WEIR_BOOLEAN:
        return "true or false";
    case WEIR_INT:
        return "an integer of 32 bits";
    case WEIR_LONG:
        return "an integer of 64 bits";
    case WEIR_STRING:
        return "a string (without NUL)";
    case WEIR_BYTES:
        return "a string of lower-case hex digits, two for a byte";
    case WEIR_ENUM:
        return "a symbol";
    case WEIR_RECORD:
        return "an object";
    case WEIR_ARRAY:
        return "a list";
    case WEIR_UNION:
        return "an object with one member, the record's name";
    }
    return "";
}

/* The name may be a stranger's: it must not break the line, nor fill it. */
static void print_name(const char *name, struct buffer *out)
{
    for (size_t i = 0; name[i] && i < 100; i++) {
        bool plain = name[i] >= ' ' && name[i] <= '~';
        buffer_add_byte(out, plain ? (uint8_t)name[i] : '?');
    }
}

static void print_path(const struct path *path, struct buffer *out)
{
    if (!path) {
        return;
    }
    print_path(path->around, out);
    if (path->name) {
        buffer_add_string(out, out->size > 0 ? "." : "");
        print_name(path->name, out);
    } else {
        buffer_format(out, "[%zu]", path->index);
    }
}

static bool refuse(struct reader *reader, const struct path *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct reader *reader, const struct path *path, const char *format, ...)
{
    struct buffer text = {0};
    char reason[500];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    print_path(path, &text);
    buffer_format(&text, "%s%s", text.size > 0 ? ": " : "", reason);
    (void)fail_exit(reader->error, EXIT_DATA, "%s", buffer_string(&text));
    buffer_release(&text);
    return false;
}

static bool read_value(struct reader *reader, const struct path *path, const struct weir_type *type,
                       const struct json *json, void *at, void *beside);
static bool read_record(struct reader *reader, const struct path *path,
                        const struct weir_record *record, const struct json *json, void *out);

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_bytes(struct reader *reader, const struct json *json, void *at)
{
    const char *text = json_text(json);
    size_t size = json_text_size(json) / 2;
    uint8_t *data = arena_alloc(reader->arena, size);
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        data[i] = (uint8_t)(high << 4 | low);
    }
    store_bytes(at, (struct weir_bytes){data, size});
    return json_text_size(json) % 2 == 0;
}

static bool read_enum(const struct weir_type *type, const char *text, void *at)
{
    for (int32_t i = 0; i < type->symbols->symbol_count; i++) {
        if (strcmp(type->symbols->symbols[i], text) == 0) {
            store_int(at, i);
            return true;
        }
    }
    return false;
}

/* Everything that JSON writes as a string; false when it is not one of this type. */
static bool read_text(struct reader *reader, const struct weir_type *type, const struct json *json,
                      void *at)
{
    const char *text = json_text(json);
    if (strlen(text) != json_text_size(json)) {
        return false;
    }
    if (type->kind == WEIR_STRING) {
        store_string(at, text);
        return true;
    }
    return type->kind == WEIR_BYTES  ? read_bytes(reader, json, at)
           : type->kind == WEIR_ENUM ? read_enum(type, text, at)
                                     : false;
}

static bool read_number(const struct weir_type *type, int64_t number, void *at)
{
    if (type->kind == WEIR_LONG) {
        store_long(at, number);
        return true;
    }
    if (type->kind == WEIR_INT && number >= INT32_MIN && number <= INT32_MAX) {
        store_int(at, (int32_t)number);
        return true;
    }
    return false;
}

static bool read_array(struct reader *reader, const struct path *path, const struct weir_type *type,
                       const struct json *json, void *at)
{
    struct weir_array array = {0};
    size_t count = json_count(json);
    if (count > 0) {
        array.items = arena_alloc(reader->arena, count * type->item_size);
    }
    for (; array.count < count; array.count++) {
        struct path item = {.around = path, .index = array.count};
        uint8_t *into = (uint8_t *)array.items + array.count * type->item_size;
        if (!read_value(reader, &item, type->items, json_at(json, array.count), into, NULL)) {
            return false;
        }
    }
    store_array(at, array);
    return true;
}

static bool read_union(struct reader *reader, const struct path *path, const struct weir_type *type,
                       const struct json *json, void *at, void *beside)
{
    if (json_count(json) != 1) {
        return refuse(reader, path, "%zu members; it must be %s", json_count(json),
                      type_in_json(type));
    }
    void *member = json_first(json);
    for (int32_t i = 0; type->branches[i]; i++) {
        if (strcmp(type->branches[i]->short_name, json_name(member)) == 0) {
            struct path inner = {.around = path, .name = json_name(member)};
            store_int(beside, i);
            return read_record(reader, &inner, type->branches[i], json_value(member), at);
        }
    }
    struct path inner = {.around = path, .name = json_name(member)};
    return refuse(reader, &inner, "it is not one of the records that may stand here");
}

static bool refuse_type(struct reader *reader, const struct path *path,
                        const struct weir_type *type)
{
    const char *or_null = type->nullable ? ", or null" : "";
    if (type->kind == WEIR_ENUM) {
        return refuse(reader, path, "it must be a symbol of %s%s", type->symbols->name, or_null);
    }
    return refuse(reader, path, "it must be %s%s", type_in_json(type), or_null);
}

static bool read_value(struct reader *reader, const struct path *path, const struct weir_type *type,
                       const struct json *json, void *at, void *beside)
{
    bool read = false;
    switch (json_kind(json)) {
    case JSON_NULL_VALUE:
        return type->nullable || refuse_type(reader, path, type);
    case JSON_BOOLEAN:
        read = type->kind == WEIR_BOOLEAN;
        if (read) {
            store_boolean(at, json_boolean(json));
        }
        break;
    case JSON_NUMBER:
        read = read_number(type, json_number(json), at);
        break;
    case JSON_REAL_NUMBER:
        break;
    case JSON_TEXT:
        read = read_text(reader, type, json, at);
        break;
    case JSON_LIST:
        if (type->kind == WEIR_ARRAY) {
            return read_array(reader, path, type, json, at);
        }
        break;
    case JSON_MEMBERS:
        if (type->kind == WEIR_RECORD) {
            return read_record(reader, path, type->record, json, at);
        }
        if (type->kind == WEIR_UNION) {
            return read_union(reader, path, type, json, at, beside);
        }
        break;
    }
    if (read && type_has_flag(type)) {
        store_boolean(beside, true);
    }
    return read || refuse_type(reader, path, type);
}

static bool check_members(struct reader *reader, const struct path *path,
                          const struct weir_record *record, const struct json *json)
{
    for (void *at = json_first(json); at; at = json_next(json, at)) {
        bool known = false;
        for (size_t i = 0; i < record->field_count && !known; i++) {
            known = strcmp(record->fields[i].name, json_name(at)) == 0;
        }
        if (!known) {
            struct path member = {.around = path, .name = json_name(at)};
            return refuse(reader, &member, "%s has no such member", record->short_name);
        }
    }
    return true;
}

static bool read_record(struct reader *reader, const struct path *path,
                        const struct weir_record *record, const struct json *json, void *out)
{
    if (json_kind(json) != JSON_MEMBERS) {
        return refuse(reader, path, "it must be an object");
    }
    if (!check_members(reader, path, record, json)) {
        return false;
    }
    for (size_t i = 0; i < record->field_count; i++) {
        const struct weir_field *field = &record->fields[i];
        const struct json *member = json_get(json, field->name);
        struct path inner = {.around = path, .name = field->name};
        void *at = (uint8_t *)out + field->offset, *beside = (uint8_t *)out + field->has_offset;
        if (member && !read_value(reader, &inner, &field->type, member, at, beside)) {
            return false;
        }
        if (!member && !field->default_value.data) {
            return refuse(reader, &inner, "it is missing");
        }
        if (!member) {
            default_fill(field, reader->arena, out);
        }
    }
    return true;
}

enum decode_result record_from_json(const struct weir_record *record, struct weir_bytes text,
                                    struct arena *arena, void *out, struct error *error)
{
    struct reader reader = {.arena = arena, .error = error};
    struct json *json;
    if (json_parse_in(&json, text.data, text.size, arena, error)) {
        return DECODE_BAD;
    }
    memset(out, 0, record->size);
    return read_record(&reader, NULL, record, json, out) ? DECODED : DECODE_BAD;
}

enum decode_result field_from_json(const struct weir_field *field, struct weir_bytes text,
                                   struct arena *arena, void *record, struct error *error)
{
    struct reader reader = {.arena = arena, .error = error};
    struct path path = {.name = field->name};
    struct json *json;
    if (json_parse_in(&json, text.data, text.size, arena, error)) {
        return DECODE_BAD;
    }
    void *at = (uint8_t *)record + field->offset, *beside = (uint8_t *)record + field->has_offset;
    if (json_kind(json) == JSON_NULL_VALUE && field->type.nullable) {
        struct weir_bytes none = {0};
        if (type_has_flag(&field->type)) {
            store_boolean(beside, false);
        } else if (field->type.kind == WEIR_STRING) {
            store_string(at, NULL);
        } else {
            store_bytes(at, none);
        }
        return DECODED;
    }
    return read_value(&reader, &path, &field->type, json, at, beside) ? DECODED : DECODE_BAD;
}
