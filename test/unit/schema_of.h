/* schema_of.h - Avro schemas in short, for tests: schema_of("a.R{id string; n ?int = null}").
 *
 *   int, a.Other         a primitive, or a name that was defined before
 *   a.R{f int; g long}   a record; a field is: name type, or name type = default
 *   E<A B C>  E<A B=B>   an enum, with a default
 *   F#16                 fixed
 *   []int  {}int  ?int   array, map, ["null", int]
 *   (int|null)           a union; () is the empty one
 *   old@older@oldest     aliases, behind a field's, record's or enum's name
 *
 * Defaults are JSON. Quotes may be written as ' there.
 */
#ifndef WEIR_TEST_SCHEMA_OF_H
#define WEIR_TEST_SCHEMA_OF_H

#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"

static inline const char *schema_type(const char *at, struct buffer *out);

static inline const char *schema_word(const char *at, struct buffer *out)
{
    size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    CHECK(size > 0);
    buffer_format(out, "\"%.*s\"", (int)size, at);
    return at + size;
}

/* "name":"x","aliases":[...] */
static inline const char *schema_name(const char *at, struct buffer *out)
{
    buffer_add_string(out, "\"name\":");
    at = schema_word(at, out);
    for (int i = 0; *at == '@'; i++) {
        buffer_add_string(out, i == 0 ? ",\"aliases\":[" : ",");
        at = schema_word(at + 1, out);
        buffer_add_string(out, *at == '@' ? "" : "]");
    }
    return at;
}

/* JSON up to the end of the field. */
static inline const char *schema_default(const char *at, struct buffer *out)
{
    for (int depth = 0; *at && (depth > 0 || !strchr(";}", *at)); at++) {
        depth += strchr("[{", *at) ? 1 : strchr("]}", *at) ? -1 : 0;
        buffer_add_byte(out, *at == '\'' ? '"' : (uint8_t)*at);
    }
    return at;
}

static inline const char *schema_fields(const char *at, struct buffer *out)
{
    buffer_add_string(out, ",\"fields\":[");
    for (int i = 0; *at != '}'; i++) {
        buffer_add_string(out, i > 0 ? ",{" : "{");
        at = schema_name(at + strspn(at, "; "), out);
        buffer_add_string(out, ",\"type\":");
        at = schema_type(at + strspn(at, " "), out);
        if (strncmp(at, " = ", 3) == 0) {
            buffer_add_string(out, ",\"default\":");
            at = schema_default(at + 3, out);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
    return at + 1;
}

static inline const char *schema_symbols(const char *at, struct buffer *out)
{
    buffer_add_string(out, ",\"symbols\":[");
    for (int i = 0; *at != '>' && *at != '='; i++) {
        buffer_add_string(out, i > 0 ? "," : "");
        at = schema_word(at, out);
        at += strspn(at, " ");
    }
    buffer_add_byte(out, ']');
    if (*at == '=') {
        buffer_add_string(out, ",\"default\":");
        at = schema_word(at + 1, out);
    }
    return at + 1;
}

static inline const char *schema_union(const char *at, struct buffer *out)
{
    buffer_add_byte(out, '[');
    for (int i = 0; *at != ')'; i++) {
        buffer_add_string(out, i > 0 ? "," : "");
        at = schema_type(at + (i > 0), out);
    }
    buffer_add_byte(out, ']');
    return at + 1;
}

/* A word alone, or a definition that begins with its name. */
static inline const char *schema_named(const char *at, struct buffer *out)
{
    const char *end = at + strcspn(at, " ;|)}>{<#");
    if (!*end || !strchr("{<#", *end)) {
        return schema_word(at, out);
    }
    buffer_add_byte(out, '{');
    schema_name(at, out);
    buffer_format(out, ",\"type\":\"%s\"", *end == '{' ? "record" : *end == '<' ? "enum" : "fixed");
    if (*end == '#') {
        size_t digits = strspn(end + 1, "0123456789");
        buffer_format(out, ",\"size\":%.*s", (int)digits, end + 1);
        at = end + 1 + digits;
    } else {
        at = *end == '{' ? schema_fields(end + 1, out) : schema_symbols(end + 1, out);
    }
    buffer_add_byte(out, '}');
    return at;
}

static inline const char *schema_type(const char *at, struct buffer *out)
{
    if (*at == '?') {
        buffer_add_string(out, "[\"null\",");
        at = schema_type(at + 1, out);
        buffer_add_byte(out, ']');
    } else if (*at == '(') {
        at = schema_union(at + 1, out);
    } else if (*at == '[' || *at == '{') {
        buffer_add_string(out, *at == '[' ? "{\"type\":\"array\",\"items\":"
                                          : "{\"type\":\"map\",\"values\":");
        at = schema_type(at + 2, out);
        buffer_add_byte(out, '}');
    } else {
        at = schema_named(at, out);
    }
    return at;
}

static inline const char *schema_of(const char *text, struct arena *arena)
{
    struct buffer out = {0};
    const char *end = schema_type(text, &out);
    CHECK(*end == 0);
    const char *schema = arena_strndup(arena, (char *)out.data, out.size);
    buffer_release(&out);
    return schema;
}

#endif
