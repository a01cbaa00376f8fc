/* splice.c - see splice.h.
 *
 * The JSON tree does not know where in the text a value stands, so this file walks the text itself.
 * It has been parsed before: the walk may trust its syntax and look only for the places where a
 * schema stands ("type", "items", "values", the elements of a union), which a doc or a default that
 * looks like a schema is not.
 */
#include "splice.h"

#include <string.h>

/* One text in the making. */
struct splice {
    const struct model *model;
    struct buffer *out;
    const struct named **done; /* defined in `out` already */
    size_t done_count;
    const char *copied; /* the current file's bytes are in `out` up to here */
    /* When set, nothing is written: the walk looks for this definition instead. */
    const char *wanted;
    const char *found, *found_end;
};

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Behind the string that starts at `at`. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++) {
        at += *at == '\\';
    }
    return at + 1;
}

/* Behind the value that starts at `at`. */
static const char *skip_value(const char *at)
{
    int depth = 0;
    do {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at++;
    } while (depth > 0 || (*at != '\0' && strchr(",]} \t\r\n", *at) == NULL));
    return at;
}

/* Is the string at `at` exactly `text`? Names and keywords are never escaped. */
static bool is_string(const char *at, const char *text)
{
    size_t length = strlen(text);
    return *at == '"' && strncmp(at + 1, text, length) == 0 && at[length + 1] == '"';
}

/* The value of an object's member, or NULL. */
static const char *member_of(const char *object, const char *name)
{
    const char *at = skip_space(object + 1);
    while (*at != '}') {
        const char *value = skip_space(skip_space(skip_string(at)) + 1);
        if (is_string(at, name)) {
            return value;
        }
        at = skip_space(skip_value(value));
        at = *at == ',' ? skip_space(at + 1) : at;
    }
    return NULL;
}

/* The named type that the string at `at` names, by short or full name; NULL for "string", "record"
 * and the like. */
static const struct named *named_at(const struct splice *splice, const char *at)
{
    for (size_t i = 0; i < splice->model->type_count; i++) {
        const struct named *type = splice->model->types[i];
        if (is_string(at, type->short_name) || is_string(at, type->schema->name)) {
            return type;
        }
    }
    return NULL;
}

static const char *walk_schema(struct splice *splice, const char *at);

static void flush(struct splice *splice, const char *up_to)
{
    if (splice->wanted == NULL) {
        buffer_add(splice->out, splice->copied, (size_t)(up_to - splice->copied));
    }
    splice->copied = up_to;
}

static bool is_done(const struct splice *splice, const struct named *type)
{
    for (size_t i = 0; i < splice->done_count; i++) {
        if (splice->done[i] == type) {
            return true;
        }
    }
    return false;
}

/* A name in the place of a schema: the first time, its file's text instead. */
static void walk_mention(struct splice *splice, const char *at, const char *end)
{
    const struct named *type = named_at(splice, at);
    if (type == NULL || splice->wanted != NULL || is_done(splice, type)) {
        return;
    }
    flush(splice, at);
    splice->copied = skip_space(type->source->text);
    flush(splice, walk_schema(splice, splice->copied));
    splice->copied = end;
}

/* Calls walk_schema for what stands under "type" in every field. */
static const char *walk_fields(struct splice *splice, const char *list)
{
    const char *at = skip_space(list + 1);
    while (*at != ']') {
        const char *type = member_of(at, "type");
        if (type != NULL) {
            walk_schema(splice, type);
        }
        at = skip_space(skip_value(at));
        at = *at == ',' ? skip_space(at + 1) : at;
    }
    return at + 1;
}

static void note_definition(struct splice *splice, const char *object)
{
    const char *type = member_of(object, "type"), *name = member_of(object, "name");
    if (type == NULL || name == NULL || (!is_string(type, "record") && !is_string(type, "enum"))) {
        return;
    }
    if (splice->wanted == NULL) {
        splice->done[splice->done_count++] = named_at(splice, name);
    } else if (is_string(name, splice->wanted)) {
        splice->found = object;
        splice->found_end = skip_value(object);
    }
}

static const char *walk_object(struct splice *splice, const char *object)
{
    note_definition(splice, object);
    const char *at = skip_space(object + 1);
    while (*at != '}') {
        const char *value = skip_space(skip_space(skip_string(at)) + 1);
        const char *end = skip_value(value);
        if (is_string(at, "fields")) {
            walk_fields(splice, value);
        } else if (is_string(at, "type") || is_string(at, "items") || is_string(at, "values")) {
            walk_schema(splice, value);
        }
        at = skip_space(end);
        at = *at == ',' ? skip_space(at + 1) : at;
    }
    return at + 1;
}

static const char *walk_schema(struct splice *splice, const char *at)
{
    const char *end = skip_value(at);
    if (*at == '"') {
        walk_mention(splice, at, end);
    } else if (*at == '{') {
        walk_object(splice, at);
    } else if (*at == '[') {
        for (at = skip_space(at + 1); *at != ']'; at = *at == ',' ? skip_space(at + 1) : at) {
            at = skip_space(walk_schema(splice, at));
        }
    }
    return end;
}

/* A type defined inside another one's file: its own text, with the namespace that it had from
 * outside. */
static void splice_inner(struct splice *splice, const struct named *type)
{
    splice->wanted = type->short_name;
    walk_schema(splice, skip_space(type->source->text));
    splice->wanted = NULL;
    CHECK(splice->found != NULL);
    buffer_format(splice->out, "{\"namespace\": \"%s\",", splice->model->avro_namespace);
    splice->copied = splice->found + 1;
    walk_schema(splice, splice->found);
    flush(splice, splice->found_end);
}

static enum outcome finish(struct model *model, struct named *type, struct buffer *out,
                           struct error *error)
{
    struct schema *schema;
    type->text = arena_strndup(&model->arena, buffer_string(out), out->size);
    if (schema_parse(&schema, type->text, out->size, &model->arena, NULL, NULL, error) != OK) {
        error_prefix(error, "%s: the self-contained text of %s (a bug of the compiler)",
                     type->source->path, type->short_name);
        return FATAL;
    }
    type->fingerprint = schema_fingerprint(schema);
    return OK;
}

enum outcome splice_texts(struct model *model, struct error *error)
{
    for (size_t i = 0; i < model->type_count; i++) {
        struct named *type = model->types[i];
        if (is_enum(type)) {
            continue;
        }
        struct buffer out;
        buffer_init(&out);
        struct splice splice = {.model = model, .out = &out};
        splice.done = arena_alloc(&model->arena, (model->type_count + 1) * sizeof(*splice.done));
        if (strcmp(type->source->full_name, type->schema->name) == 0) {
            splice.copied = skip_space(type->source->text);
            flush(&splice, walk_schema(&splice, splice.copied));
        } else {
            splice_inner(&splice, type);
        }
        enum outcome outcome = finish(model, type, &out, error);
        buffer_release(&out);
        if (outcome != OK) {
            return FATAL;
        }
    }
    return OK;
}
