/* json.c - jansson reads the text, an arena keeps the tree.
 *
 * jansson is a strict and well-tested reader, but its trees live on malloc and reference counts,
 * one block or more for every value. So its tree is copied once into nodes of our own and freed:
 * what is left is arena memory, without owners, that lives exactly as long as the record or schema
 * it belongs to.
 *
 * Limits: jansson recurses for each level of nesting, and spends a hundred bytes on a value of two.
 * A scan over the text counts both before jansson sees it.
 */
#include "base/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#undef json_boolean /* jansson's macro; json.h declares ours */

enum { MAX_DEPTH = 64, MAX_VALUES = 250 * 1000 };

struct json_list {
    struct json *items;
    size_t count;
};

struct json_string {
    const char *data;
    size_t size;
};

struct json {
    enum json_kind kind;
    const char *name; /* of a member, else NULL */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct json_string text;
        struct json_list list; /* of a list or an object */
    } as;
};

/* What json_parse hands out: a root that owns its arena. */
struct document {
    struct json root;
    struct arena arena;
};

static enum outcome refuse(struct error *error, int line, int column, const char *reason)
{
    return fail_exit(error, EXIT_DATA, "line %d, column %d: %s", line, column, reason);
}

/* Depth and values of a text, as far as brackets and commas tell. Whether it is JSON is for jansson
 * to say. */
static enum outcome check_limits(const char *text, size_t size, struct error *error)
{
    int line = 1, depth = 0, values = 1;
    bool in_string = false;
    const char *line_start = text;
    for (const char *at = text; at < text + size; at++) {
        if (*at == '\n') {
            line++;
            line_start = at + 1;
        } else if (in_string && *at == '\\') {
            at++;
        } else if (*at == '"') {
            in_string = !in_string;
        } else if (!in_string && (*at == '[' || *at == '{')) {
            depth++;
            values++;
        } else if (!in_string && (*at == ']' || *at == '}')) {
            depth--;
        } else if (!in_string && *at == ',') {
            values++;
        }
        if (depth > MAX_DEPTH) {
            return refuse(error, line, (int)(at - line_start) + 1, "nested deeper than 64 levels");
        }
        if (values > MAX_VALUES) {
            return refuse(error, line, (int)(at - line_start) + 1, "more than 250000 values");
        }
    }
    return OK;
}

static void copy_tree(const json_t *from, struct json *to, struct arena *arena);

static void copy_list(const json_t *from, struct json *to, struct arena *arena)
{
    to->kind = JSON_LIST;
    to->as.list.count = json_array_size(from);
    to->as.list.items = arena_alloc(arena, to->as.list.count * sizeof *to);
    for (size_t i = 0; i < to->as.list.count; i++) {
        copy_tree(json_array_get(from, i), &to->as.list.items[i], arena);
    }
}

static void copy_members(json_t *from, struct json *to, struct arena *arena)
{
    to->kind = JSON_MEMBERS;
    to->as.list.count = json_object_size(from);
    to->as.list.items = arena_alloc(arena, to->as.list.count * sizeof *to);
    struct json *member = to->as.list.items;
    for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at)) {
        const char *name = json_object_iter_key(at);
        member->name = arena_strndup(arena, name, strlen(name));
        copy_tree(json_object_iter_value(at), member++, arena);
    }
}

static void copy_tree(const json_t *from, struct json *to, struct arena *arena)
{
    switch (json_typeof(from)) {
    case JSON_OBJECT:
        copy_members((json_t *)(uintptr_t)from, to, arena);
        break;
    case JSON_ARRAY:
        copy_list(from, to, arena);
        break;
    case JSON_STRING:
        to->kind = JSON_TEXT;
        to->as.text.size = json_string_length(from);
        to->as.text.data = arena_strndup(arena, json_string_value(from), to->as.text.size);
        break;
    case JSON_INTEGER:
        to->kind = JSON_NUMBER;
        to->as.integer = json_integer_value(from);
        break;
    case JSON_REAL:
        to->kind = JSON_REAL_NUMBER;
        to->as.real = json_real_value(from);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        to->kind = JSON_BOOLEAN;
        to->as.boolean = json_is_true(from);
        break;
    case JSON_NULL:
        to->kind = JSON_NULL_VALUE;
        break;
    }
}

static enum outcome parse(struct json *root, const void *text, size_t size, struct arena *arena,
                          struct error *error)
{
    const char *begin = size > 0 ? text : "";
    if (check_limits(begin, size, error)) {
        return FATAL;
    }
    json_error_t reason;
    /* Else a text for which there is no memory would be refused as one that is not JSON. */
    json_set_alloc_funcs(xmalloc, free);
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *tree = json_loadb(begin, size, flags, &reason);
    if (!tree) {
        return refuse(error, reason.line > 0 ? reason.line : 1,
                      reason.column > 0 ? reason.column : 1, reason.text);
    }
    copy_tree(tree, root, arena);
    json_decref(tree);
    return OK;
}

enum outcome json_parse_in(struct json **root, const void *text, size_t size, struct arena *arena,
                           struct error *error)
{
    struct json *tree = arena_alloc(arena, sizeof *tree);
    if (parse(tree, text, size, arena, error)) {
        return FATAL;
    }
    *root = tree;
    return OK;
}

enum outcome json_parse(struct json **root, const void *text, size_t size, struct error *error)
{
    struct document *document = xcalloc(1, sizeof *document);
    arena_init(&document->arena);
    if (parse(&document->root, text, size, &document->arena, error)) {
        json_free(&document->root);
        return FATAL;
    }
    *root = &document->root;
    return OK;
}

void json_free(struct json *root)
{
    if (root) {
        struct document *document = (struct document *)root;
        arena_release(&document->arena);
        free(document);
    }
}

enum json_kind json_kind(const struct json *value)
{
    return value->kind;
}

bool json_boolean(const struct json *value)
{
    CHECK_EQUAL(value->kind, JSON_BOOLEAN);
    return value->as.boolean;
}

int64_t json_number(const struct json *value)
{
    CHECK_EQUAL(value->kind, JSON_NUMBER);
    return value->as.integer;
}

const char *json_text(const struct json *value)
{
    CHECK_EQUAL(value->kind, JSON_TEXT);
    return value->as.text.data;
}

size_t json_text_size(const struct json *value)
{
    CHECK_EQUAL(value->kind, JSON_TEXT);
    return value->as.text.size;
}

size_t json_count(const struct json *value)
{
    CHECK(value->kind == JSON_LIST || value->kind == JSON_MEMBERS);
    return value->as.list.count;
}

const struct json *json_at(const struct json *list, size_t index)
{
    CHECK(list->kind == JSON_LIST && index < list->as.list.count);
    return &list->as.list.items[index];
}

const struct json *json_get(const struct json *object, const char *member)
{
    for (void *at = json_first(object); at; at = json_next(object, at)) {
        if (strcmp(json_name(at), member) == 0) {
            return json_value(at);
        }
    }
    return NULL;
}

void *json_first(const struct json *object)
{
    CHECK_EQUAL(object->kind, JSON_MEMBERS);
    return object->as.list.count > 0 ? object->as.list.items : NULL;
}

void *json_next(const struct json *object, void *at)
{
    struct json *next = (struct json *)at + 1;
    return next < object->as.list.items + object->as.list.count ? next : NULL;
}

const char *json_name(void *at)
{
    return ((struct json *)at)->name;
}

const struct json *json_value(void *at)
{
    return at;
}

static void quote_ascii(struct buffer *out, uint8_t byte)
{
    static const char shorts[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = byte ? strchr(shorts, byte) : NULL;
    if (found) {
        buffer_add_byte(out, '\\');
        buffer_add_byte(out, (uint8_t)letters[found - shorts]);
    } else if (byte < 0x20) {
        buffer_format(out, "\\u%04x", byte);
    } else {
        buffer_add_byte(out, byte);
    }
}

/* Bytes from the start that stand for themselves. */
static size_t plain_run(const char *text, size_t size)
{
    size_t run = 0;
    while (run < size && text[run] >= ' ' && text[run] <= '~' && text[run] != '"' &&
           text[run] != '\\') {
        run++;
    }
    return run;
}

void json_quote(struct buffer *out, const char *text, size_t size)
{
    buffer_add_byte(out, '"');
    for (size_t at = 0; at < size;) {
        size_t run = plain_run(text + at, size - at);
        buffer_add(out, text + at, run);
        at += run;
        size_t length = utf8_character(text + at, size - at);
        if (length == 1) {
            quote_ascii(out, (uint8_t)text[at]);
        } else if (length > 1) {
            buffer_add(out, text + at, length);
        } else if (at < size) {
            buffer_add_string(out, "\xEF\xBF\xBD");
        }
        at += length > 0 ? length : 1;
    }
    buffer_add_byte(out, '"');
}

static void print_list(const struct json *value, struct buffer *out)
{
    bool members = value->kind == JSON_MEMBERS;
    buffer_add_byte(out, members ? '{' : '[');
    for (size_t i = 0; i < value->as.list.count; i++) {
        const struct json *item = &value->as.list.items[i];
        if (i > 0) {
            buffer_add_byte(out, ',');
        }
        if (members) {
            json_quote(out, item->name, strlen(item->name));
            buffer_add_byte(out, ':');
        }
        json_print(item, out);
    }
    buffer_add_byte(out, members ? '}' : ']');
}

/* 1e2 is printed as 100.0: a real stays one when it is read again. */
static void print_real(double real, struct buffer *out)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", real);
    buffer_add_string(out, text);
    if (!strpbrk(text, ".e")) {
        buffer_add_string(out, ".0");
    }
}

void json_print(const struct json *value, struct buffer *out)
{
    switch (value->kind) {
    case JSON_NULL_VALUE:
        buffer_add_string(out, "null");
        break;
    case JSON_BOOLEAN:
        buffer_add_string(out, value->as.boolean ? "true" : "false");
        break;
    case JSON_NUMBER:
        buffer_format(out, "%" PRId64, value->as.integer);
        break;
    case JSON_REAL_NUMBER:
        print_real(value->as.real, out);
        break;
    case JSON_TEXT:
        json_quote(out, value->as.text.data, value->as.text.size);
        break;
    case JSON_LIST:
    case JSON_MEMBERS:
        print_list(value, out);
        break;
    }
}
