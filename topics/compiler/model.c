/* model.c - from files to named types, in C's order. The rules that refuse are in rules.c. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "rules.h"
#include "splice.h"

#define SCHEMA_FILE_MAX (1 << 20)

void model_init(struct model *model, const char *unit)
{
    *model = (struct model){.unit = unit};
    arena_init(&model->arena);
}

void model_release(struct model *model)
{
    names_release(&model->names);
    arena_release(&model->arena);
}

static enum outcome read_text(struct model *model, struct source *source, struct error *error)
{
    FILE *file = fopen(source->path, "rb");
    if (file == NULL) {
        return fail_exit(error, EXIT_IO, "%s: cannot be opened", source->path);
    }
    struct buffer text;
    buffer_init(&text);
    size_t got = 1;
    while (got > 0 && text.size <= SCHEMA_FILE_MAX) {
        got = fread(buffer_reserve(&text, 65536), 1, 65536, file);
        text.size += got;
    }
    bool failed = ferror(file) != 0 || text.size > SCHEMA_FILE_MAX;
    fclose(file);
    source->text = arena_strndup(&model->arena, buffer_string(&text), text.size);
    source->size = text.size;
    buffer_release(&text);
    if (failed) {
        return fail_exit(error, EXIT_IO, "%s: cannot be read, or is larger than %d bytes",
                         source->path, SCHEMA_FILE_MAX);
    }
    return OK;
}

/* The name that a file defines, from its JSON alone: mentions are looked up before anything is
 * parsed as Avro. */
static enum outcome read_name(struct model *model, struct source *source, struct error *error)
{
    struct json *root = NULL;
    if (json_parse_in(&root, source->text, source->size, &model->arena, error) != OK) {
        error_prefix(error, "%s", source->path);
        return FATAL;
    }
    const struct json *name = NULL, *space = NULL;
    if (json_kind(root) == JSON_MEMBERS) {
        name = json_get(root, "name");
        space = json_get(root, "namespace");
    }
    bool is_named = name != NULL && json_kind(name) == JSON_TEXT && space != NULL &&
                    json_kind(space) == JSON_TEXT && strchr(json_text(name), '.') == NULL;
    if (is_named) {
        source->full_name = arena_format(&model->arena, "%s.%s", json_text(space), json_text(name));
        model->avro_namespace =
            model->avro_namespace == NULL ? json_text(space) : model->avro_namespace;
    }
    bool is_ours = is_named && strcmp(json_text(space), model->avro_namespace) == 0;
    if (!is_named) {
        return fail_exit(
            error, EXIT_DATA,
            "%s: a file is one record or enum, with \"name\" (no dots) and \"namespace\"",
            source->path);
    }
    if (!is_ours) {
        return fail_exit(error, EXIT_DATA, "%s: %s is not in the namespace %s of the other files",
                         source->path, source->full_name, model->avro_namespace);
    }
    return OK;
}

static int by_name(const void *a, const void *b)
{
    const struct source *left = a, *right = b;
    return strcmp(left->full_name, right->full_name);
}

static enum outcome read_sources(struct model *model, char **paths, size_t count,
                                 struct error *error)
{
    model->sources = arena_alloc(&model->arena, (count + 1) * sizeof(*model->sources));
    model->source_count = count;
    for (size_t i = 0; i < count; i++) {
        struct source *source = &model->sources[i];
        source->path = paths[i];
        if (read_text(model, source, error) != OK || read_name(model, source, error) != OK) {
            return FATAL;
        }
    }
    /* Sorted, so that the output does not depend on the order of the arguments. */
    qsort(model->sources, count, sizeof(*model->sources), by_name);
    for (size_t i = 1; i < count; i++) {
        const struct source *a = &model->sources[i - 1], *b = &model->sources[i];
        if (strcmp(a->full_name, b->full_name) == 0) {
            return fail_exit(error, EXIT_DATA, "%s: %s is already defined in %s", b->path,
                             b->full_name, a->path);
        }
    }
    return OK;
}

/* What schema_parse is given to find other files' types with: it parses them in turn. */
struct lookup {
    struct model *model;
    struct error *error; /* text is empty until a file that was looked up failed */
};

static enum outcome parse_source(struct model *model, struct source *source, struct error *error);

static struct schema *look_up(void *context, const char *full_name)
{
    struct lookup *lookup = context;
    struct model *model = lookup->model;
    for (size_t i = 0; i < model->source_count; i++) {
        struct source *source = &model->sources[i];
        if (strcmp(source->full_name, full_name) != 0) {
            continue;
        }
        if (source->being_parsed) {
            fail_exit(lookup->error, EXIT_DATA,
                      "%s: %s contains itself: a recursive record has no C layout", source->path,
                      full_name);
            return NULL;
        }
        if (source->schema == NULL && parse_source(model, source, lookup->error) != OK) {
            return NULL;
        }
        return source->schema;
    }
    return NULL;
}

static enum outcome parse_source(struct model *model, struct source *source, struct error *error)
{
    struct error deeper = {0};
    struct lookup lookup = {.model = model, .error = &deeper};
    source->being_parsed = true;
    enum outcome outcome = schema_parse(&source->schema, source->text, source->size, &model->arena,
                                        look_up, &lookup, error);
    source->being_parsed = false;
    if (outcome == OK) {
        return OK;
    }
    if (deeper.text[0] != '\0') {
        *error = deeper; /* the cause is in the file that was mentioned */
        return FATAL;
    }
    error_prefix(error, "%s", source->path);
    error->exit_code = EXIT_DATA;
    return FATAL;
}

struct named *model_find(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->type_count; i++) {
        struct named *type = model->types[i];
        if (strcmp(type->short_name, name) == 0 || strcmp(type->schema->name, name) == 0) {
            return type;
        }
    }
    return NULL;
}

static void add_type(struct model *model, const struct source *source, const struct schema *schema)
{
    if (model->type_count == model->type_capacity) {
        size_t capacity = model->type_capacity == 0 ? 64 : 2 * model->type_capacity;
        struct named **grown = arena_alloc(&model->arena, capacity * sizeof(struct named *));
        if (model->type_count > 0) {
            memcpy(grown, model->types, model->type_count * sizeof(struct named *));
        }
        model->types = grown;
        model->type_capacity = capacity;
    }
    struct named *type = arena_alloc(&model->arena, sizeof(*type));
    type->schema = schema;
    type->source = source;
    type->short_name = short_name(schema->name);
    type->c_name = snake_case(&model->arena, type->short_name);
    type->c_upper = upper_case(&model->arena, type->c_name);
    type->union_field = -1;
    model->types[model->type_count++] = type;
}

/* Where a named type is defined: its own file, or, for a type defined inside another, the file that
 * mentions it. */
static const struct source *source_of(const struct model *model, const struct schema *schema,
                                      const struct source *mentioned_in)
{
    for (size_t i = 0; i < model->source_count; i++) {
        if (strcmp(model->sources[i].full_name, schema->name) == 0) {
            return &model->sources[i];
        }
    }
    return mentioned_in;
}

/* Adds the named types that `schema` contains, then itself: C's order. */
static enum outcome collect(struct model *model, const struct source *source,
                            const struct schema *schema, struct error *error)
{
    const struct named *known = schema->name == NULL ? NULL : model_find(model, schema->name);
    if (known != NULL && known->schema != schema) {
        return fail_exit(
            error, EXIT_DATA,
            "%s: %s is already defined in %s: give it a file of its own and mention it",
            source->path, schema->name, known->source->path);
    }
    if (known != NULL) {
        return OK;
    }
    const struct source *home = schema->name == NULL ? source : source_of(model, schema, source);
    if (schema->recursive) {
        return fail_exit(error, EXIT_DATA,
                         "%s: %s contains itself: a recursive record has no C layout", home->path,
                         schema->name);
    }
    for (size_t i = 0; i < schema->field_count; i++) {
        if (collect(model, home, schema->fields[i].type, error) != OK) {
            return FATAL;
        }
    }
    for (size_t i = 0; i < schema->branch_count; i++) {
        if (collect(model, home, schema->branches[i], error) != OK) {
            return FATAL;
        }
    }
    if (schema->items != NULL && collect(model, home, schema->items, error) != OK) {
        return FATAL;
    }
    if (schema->kind == SCHEMA_RECORD || schema->kind == SCHEMA_ENUM) {
        add_type(model, home, schema);
    }
    return OK;
}

enum outcome model_load(struct model *model, char **paths, size_t path_count, struct error *error)
{
    if (read_sources(model, paths, path_count, error) != OK) {
        return FATAL;
    }
    for (size_t i = 0; i < path_count; i++) {
        struct source *source = &model->sources[i];
        if (source->schema == NULL && parse_source(model, source, error) != OK) {
            return FATAL;
        }
    }
    for (size_t i = 0; i < path_count; i++) {
        if (collect(model, &model->sources[i], model->sources[i].schema, error) != OK) {
            return FATAL;
        }
    }
    if (rules_check_types(model, error) != OK) {
        return FATAL;
    }
    return splice_texts(model, error);
}

bool is_enum(const struct named *type)
{
    return type->schema->kind == SCHEMA_ENUM;
}
