/* schema_rules.c - names and defaults, by the Avro specification (1.11), "Names" and "Complex
 * Types". */
#include "codec/schema_rules.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name(const char *name, size_t size)
{
    if (size == 0 || !is_letter(name[0])) {
        return false;
    }
    for (size_t i = 1; i < size; i++) {
        if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9')) {
            return false;
        }
    }
    return true;
}

bool name_is_simple(const char *name)
{
    return is_name(name, strlen(name));
}

bool name_is_full(const char *name)
{
    for (;;) {
        size_t size = strcspn(name, ".");
        if (!is_name(name, size)) {
            return false;
        }
        if (!name[size]) {
            return true;
        }
        name += size + 1;
    }
}

const char *name_qualify(struct arena *arena, const char *name, const char *space)
{
    if (!space || !space[0] || strchr(name, '.')) {
        return arena_strndup(arena, name, strlen(name));
    }
    return arena_format(arena, "%s.%s", space, name);
}

const char *name_space(struct arena *arena, const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    return dot ? arena_strndup(arena, full_name, (size_t)(dot - full_name)) : "";
}

static bool refuse(const struct schema *type, struct error *error)
{
    (void)fail_exit(error, EXIT_CONFIG, "the default is not %s %s", type->name ? "of" : "of type",
                    type->name ? type->name : schema_kind_name(type->kind));
    return false;
}

/* Bytes are written as a string of the characters U+0000 to U+00FF: one character, one byte.
 * Returns -1 for another. */
static int64_t latin1_length(const struct json *value)
{
    if (json_kind(value) != JSON_TEXT) {
        return -1;
    }
    const char *text = json_text(value);
    size_t size = json_text_size(value);
    int64_t length = 0;
    for (size_t at = 0; at < size; length++) {
        size_t bytes = utf8_character(text + at, size - at);
        if (bytes == 0 || bytes > 2 || (bytes == 2 && (unsigned char)text[at] > 0xC3)) {
            return -1;
        }
        at += bytes;
    }
    return length;
}

static bool is_symbol(const struct schema *type, const struct json *value)
{
    if (json_kind(value) != JSON_TEXT || strlen(json_text(value)) != json_text_size(value)) {
        return false;
    }
    for (size_t i = 0; i < type->symbol_count; i++) {
        if (strcmp(type->symbols[i], json_text(value)) == 0) {
            return true;
        }
    }
    return false;
}

static bool list_is_valid(const struct schema *type, const struct json *value, struct error *error)
{
    if (json_kind(value) != JSON_LIST) {
        return refuse(type, error);
    }
    for (size_t i = 0; i < json_count(value); i++) {
        if (!default_is_valid(type->items, json_at(value, i), error)) {
            return false;
        }
    }
    return true;
}

static bool map_is_valid(const struct schema *type, const struct json *value, struct error *error)
{
    if (json_kind(value) != JSON_MEMBERS) {
        return refuse(type, error);
    }
    for (void *at = json_first(value); at; at = json_next(value, at)) {
        if (!default_is_valid(type->items, json_value(at), error)) {
            return false;
        }
    }
    return true;
}

/* A member that is missing takes its own field's default, which is checked where that field stands.
 */
static bool record_is_valid(const struct schema *type, const struct json *value,
                            struct error *error)
{
    if (json_kind(value) != JSON_MEMBERS) {
        return refuse(type, error);
    }
    for (size_t i = 0; i < type->field_count; i++) {
        const struct schema_field *field = &type->fields[i];
        const struct json *member = json_get(value, field->name);
        if (member && !default_is_valid(field->type, member, error)) {
            return false;
        }
        if (!member && !field->default_value) {
            (void)fail_exit(error, EXIT_CONFIG, "the default lacks the member \"%s\" of %s",
                            field->name, type->name);
            return false;
        }
    }
    return true;
}

/* The specification (1.11) wants the default of a union to be of its first branch. */
static bool union_is_valid(const struct schema *type, const struct json *value, struct error *error)
{
    if (type->branch_count == 0) {
        return refuse(type, error);
    }
    if (default_is_valid(type->branches[0], value, error)) {
        return true;
    }
    error_prefix(error, "of a union, the first branch gives the default's type");
    return false;
}

static bool is_integer(const struct json *value, int64_t least, int64_t most)
{
    return json_kind(value) == JSON_NUMBER && json_number(value) >= least &&
           json_number(value) <= most;
}

bool default_is_valid(const struct schema *type, const struct json *value, struct error *error)
{
    bool valid = false;
    switch (type->kind) {
    case SCHEMA_NULL:
        valid = json_kind(value) == JSON_NULL_VALUE;
        break;
    case SCHEMA_BOOLEAN:
        valid = json_kind(value) == JSON_BOOLEAN;
        break;
    case SCHEMA_INT:
        valid = is_integer(value, INT32_MIN, INT32_MAX);
        break;
    case SCHEMA_LONG:
        valid = is_integer(value, INT64_MIN, INT64_MAX);
        break;
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        valid = json_kind(value) == JSON_NUMBER || json_kind(value) == JSON_REAL_NUMBER;
        break;
    case SCHEMA_BYTES:
        valid = latin1_length(value) >= 0;
        break;
    case SCHEMA_FIXED:
        valid = latin1_length(value) == type->fixed_size;
        break;
    case SCHEMA_STRING:
        valid = json_kind(value) == JSON_TEXT;
        break;
    case SCHEMA_ENUM:
        valid = is_symbol(type, value);
        break;
    case SCHEMA_ARRAY:
        return list_is_valid(type, value, error);
    case SCHEMA_MAP:
        return map_is_valid(type, value, error);
    case SCHEMA_RECORD:
        return record_is_valid(type, value, error);
    case SCHEMA_UNION:
        return union_is_valid(type, value, error);
    }
    return valid || refuse(type, error);
}
