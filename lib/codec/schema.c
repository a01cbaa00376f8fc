/* schema.c - an Avro schema from its JSON text, by the rules of the specification (1.11).
 *
 * One pass over the JSON tree builds the schema tree; a named type is known from its name on, so a
 * mention inside its own definition resolves (and makes the record recursive). Two things wait
 * until the tree is whole: defaults, which may be of a type defined around them, and recursion,
 * which is a question about all records at once.
 *
 * The text may come from a stranger: nesting, named types and everything that is counted have caps,
 * so that neither time nor memory grow beyond the text.
 */
#include "codec/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "codec/schema_parser.h"
#include "codec/schema_rules.h"

static const char *const kind_names[] = {
    [SCHEMA_NULL] = "null",     [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",
    [SCHEMA_LONG] = "long",     [SCHEMA_FLOAT] = "float",     [SCHEMA_DOUBLE] = "double",
    [SCHEMA_BYTES] = "bytes",   [SCHEMA_STRING] = "string",   [SCHEMA_FIXED] = "fixed",
    [SCHEMA_ENUM] = "enum",     [SCHEMA_ARRAY] = "array",     [SCHEMA_MAP] = "map",
    [SCHEMA_RECORD] = "record", [SCHEMA_UNION] = "union",
};

const char *schema_kind_name(enum schema_kind kind)
{
    return kind_names[kind];
}

static struct schema *new_schema(struct parser *parser, enum schema_kind kind,
                                 const struct json *attributes)
{
    struct schema *schema = arena_alloc(parser->arena, sizeof *schema);
    schema->kind = kind;
    schema->attributes = attributes;
    return schema;
}

static bool primitive_kind(const char *name, enum schema_kind *kind)
{
    static const enum schema_kind primitives[] = {SCHEMA_NULL,  SCHEMA_BOOLEAN, SCHEMA_INT,
                                                  SCHEMA_LONG,  SCHEMA_FLOAT,   SCHEMA_DOUBLE,
                                                  SCHEMA_BYTES, SCHEMA_STRING};
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++) {
        if (strcmp(name, kind_names[primitives[i]]) == 0) {
            *kind = primitives[i];
            return true;
        }
    }
    return false;
}

/* The name, namespace, aliases and doc of a named type; from here on the name is known. */
static bool parse_name(struct parser *parser, const struct json *object, const char *space,
                       struct schema *type)
{
    const char *name, *own_space;
    enum schema_kind kind;
    if (!parser_required(parser, object, "name", &name) ||
        !parser_optional(parser, object, "namespace", &own_space)) {
        return false;
    }
    const char *full_name = name_qualify(parser->arena, name, own_space ? own_space : space);
    if (!name_is_full(full_name)) {
        return parser_refuse(parser, "\"%s\" is not a name", full_name);
    }
    const char *dot = strrchr(full_name, '.');
    if (primitive_kind(dot ? dot + 1 : full_name, &kind)) {
        return parser_refuse(parser, "\"%s\": a primitive type's name cannot be defined again",
                             full_name);
    }
    if (parser_find(parser, full_name) != MAX_NAMES) {
        return parser_refuse(parser, "\"%s\" is defined twice", full_name);
    }
    if (parser->named_count == MAX_NAMES) {
        return parser_refuse(parser, "more than %d named types", MAX_NAMES);
    }
    type->name = full_name;
    type->doc = parser_doc(object);
    parser_mention(parser, parser->named_count);
    parser->named[parser->named_count++] = type;
    size_t count = 0;
    return parser_names(parser, object, "aliases", name_space(parser->arena, full_name),
                        &type->aliases, &count);
}

static struct schema *parse_type(struct parser *parser, const struct json *json, const char *space);

static bool parse_enum(struct parser *parser, const struct json *object, struct schema *type)
{
    if (!parser_names(parser, object, "symbols", NULL, &type->symbols, &type->symbol_count) ||
        !parser_optional(parser, object, "default", &type->default_symbol)) {
        return false;
    }
    if (!type->symbols) {
        return parser_refuse(parser, "\"symbols\" is missing");
    }
    bool default_known = !type->default_symbol;
    for (size_t i = 0; i < type->symbol_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(type->symbols[i], type->symbols[j]) == 0) {
                return parser_refuse(parser, "symbol \"%s\" stands there twice", type->symbols[i]);
            }
        }
        default_known = default_known || strcmp(type->symbols[i], type->default_symbol) == 0;
    }
    return default_known || parser_refuse(parser, "the default \"%s\" is not one of the symbols",
                                          type->default_symbol);
}

static bool parse_fixed(struct parser *parser, const struct json *object, struct schema *type)
{
    const struct json *size = json_get(object, "size");
    if (!size || json_kind(size) != JSON_NUMBER || json_number(size) < 0 ||
        json_number(size) > MAX_FIXED_BYTES) {
        return parser_refuse(parser, "\"size\" must be an integer from 0 to %d", MAX_FIXED_BYTES);
    }
    type->fixed_size = json_number(size);
    return true;
}

static bool parse_order(struct parser *parser, const struct json *object)
{
    const char *order;
    if (!parser_optional(parser, object, "order", &order)) {
        return false;
    }
    return !order || strcmp(order, "ascending") == 0 || strcmp(order, "descending") == 0 ||
           strcmp(order, "ignore") == 0 ||
           parser_refuse(parser, "\"order\" is \"%s\": it must be ascending, descending or ignore",
                         order);
}

static bool parse_field(struct parser *parser, const struct json *object, const char *space,
                        struct schema_field *field)
{
    const struct json *type = json_get(object, "type");
    size_t alias_count = 0;
    field->doc = parser_doc(object);
    field->default_value = json_get(object, "default");
    if (!type) {
        return parser_refuse(parser, "\"type\" is missing");
    }
    if (!parser_names(parser, object, "aliases", NULL, &field->aliases, &alias_count) ||
        !parse_order(parser, object)) {
        return false;
    }
    field->type = parse_type(parser, type, space);
    return field->type;
}

static bool parse_field_name(struct parser *parser, const struct schema *record,
                             const struct json *object, const char **name)
{
    if (json_kind(object) != JSON_MEMBERS) {
        return parser_refuse(parser, "a field must be an object");
    }
    if (!parser_required(parser, object, "name", name)) {
        return false;
    }
    if (!name_is_simple(*name)) {
        return parser_refuse(parser, "\"%s\" is not a field name", *name);
    }
    for (size_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, *name) == 0) {
            return parser_refuse(parser, "field \"%s\" stands there twice", *name);
        }
    }
    return true;
}

static bool parse_fields(struct parser *parser, const struct json *object, struct schema *type)
{
    const struct json *list = json_get(object, "fields");
    if (!list || json_kind(list) != JSON_LIST) {
        return parser_refuse(parser, "\"fields\" must be a list");
    }
    size_t count = json_count(list);
    if (!parser_take(parser, count, "fields")) {
        return false;
    }
    const char *space = name_space(parser->arena, type->name);
    type->fields = arena_alloc(parser->arena, count * sizeof *type->fields);
    for (size_t i = 0; i < count; i++) {
        struct schema_field *field = &type->fields[i];
        if (!parse_field_name(parser, type, json_at(list, i), &field->name)) {
            return false;
        }
        if (!parse_field(parser, json_at(list, i), space, field)) {
            error_prefix(parser->error, "field \"%s\"", field->name);
            return false;
        }
        type->field_count++;
    }
    return true;
}

static bool parse_record(struct parser *parser, const struct json *object, struct schema *type)
{
    size_t around = parser->enclosing;
    parser->enclosing = parser_find(parser, type->name);
    bool parsed = parse_fields(parser, object, type);
    parser->enclosing = around;
    return parsed;
}

static bool parse_named(struct parser *parser, const struct json *object, const char *space,
                        struct schema *type)
{
    if (!parse_name(parser, object, space, type)) {
        return false;
    }
    bool parsed = type->kind == SCHEMA_RECORD ? parse_record(parser, object, type)
                  : type->kind == SCHEMA_ENUM ? parse_enum(parser, object, type)
                                              : parse_fixed(parser, object, type);
    if (!parsed) {
        error_prefix(parser->error, "%s \"%s\"", schema_kind_name(type->kind), type->name);
    }
    return parsed;
}

static bool parse_items(struct parser *parser, const struct json *object, const char *space,
                        struct schema *type)
{
    const char *member = type->kind == SCHEMA_ARRAY ? "items" : "values";
    const struct json *items = json_get(object, member);
    if (!items) {
        return parser_refuse(parser, "%s: \"%s\" is missing", schema_kind_name(type->kind), member);
    }
    type->items = parse_type(parser, items, space);
    return type->items;
}

/* A union holds no union, and no two branches that a reader could not tell apart. */
static bool check_branch(struct parser *parser, const struct schema *type,
                         const struct schema *branch)
{
    if (branch->kind == SCHEMA_UNION) {
        return parser_refuse(parser, "a union stands directly in a union");
    }
    for (size_t i = 0; i < type->branch_count; i++) {
        const struct schema *other = type->branches[i];
        bool same = branch->name ? other->name && strcmp(other->name, branch->name) == 0
                                 : other->kind == branch->kind;
        if (same) {
            return parser_refuse(parser, "the union has two branches of type %s",
                                 branch->name ? branch->name : schema_kind_name(branch->kind));
        }
    }
    return true;
}

static bool parse_union(struct parser *parser, const struct json *list, const char *space,
                        struct schema *type)
{
    size_t count = json_count(list);
    if (!parser_take(parser, count, "branches")) {
        return false;
    }
    type->branches = arena_alloc(parser->arena, (count + 1) * sizeof(struct schema *));
    for (size_t i = 0; i < count; i++) {
        struct schema *branch = parse_type(parser, json_at(list, i), space);
        if (!branch || !check_branch(parser, type, branch)) {
            return false;
        }
        type->branches[type->branch_count++] = branch;
    }
    return true;
}

/* A primitive, or a type that was defined before. */
static struct schema *parse_mention(struct parser *parser, const struct json *json,
                                    const char *name, const char *space)
{
    enum schema_kind kind;
    if (primitive_kind(name, &kind)) {
        return new_schema(parser, kind, json_kind(json) == JSON_MEMBERS ? json : NULL);
    }
    const char *full_name = name_qualify(parser->arena, name, space);
    size_t index = parser_find(parser, full_name);
    if (index != MAX_NAMES) {
        parser_mention(parser, index);
        return parser->named[index];
    }
    struct schema *found =
        parser->lookup ? parser->lookup(parser->lookup_context, full_name) : NULL;
    if (!found) {
        parser_refuse(parser, "the type \"%s\" is not defined", full_name);
    }
    return found;
}

static struct schema *parse_object(struct parser *parser, const struct json *object,
                                   const char *space)
{
    const char *name;
    if (!parser_required(parser, object, "type", &name)) {
        return NULL;
    }
    static const struct {
        const char *name;
        enum schema_kind kind;
        bool (*parse)(struct parser *, const struct json *, const char *, struct schema *);
    } complex_types[] = {
        {"record", SCHEMA_RECORD, parse_named}, {"error", SCHEMA_RECORD, parse_named},
        {"enum", SCHEMA_ENUM, parse_named},     {"fixed", SCHEMA_FIXED, parse_named},
        {"array", SCHEMA_ARRAY, parse_items},   {"map", SCHEMA_MAP, parse_items},
    };
    for (size_t i = 0; i < sizeof complex_types / sizeof *complex_types; i++) {
        if (strcmp(name, complex_types[i].name) == 0) {
            struct schema *type = new_schema(parser, complex_types[i].kind, object);
            return complex_types[i].parse(parser, object, space, type) ? type : NULL;
        }
    }
    return parse_mention(parser, object, name, space);
}

static struct schema *parse_by_form(struct parser *parser, const struct json *json,
                                    const char *space)
{
    switch (json_kind(json)) {
    case JSON_TEXT:
        if (strlen(json_text(json)) == json_text_size(json)) {
            return parse_mention(parser, json, json_text(json), space);
        }
        break;
    case JSON_MEMBERS:
        return parse_object(parser, json, space);
    case JSON_LIST: {
        struct schema *type = new_schema(parser, SCHEMA_UNION, NULL);
        return parse_union(parser, json, space, type) ? type : NULL;
    }
    case JSON_NULL_VALUE:
    case JSON_BOOLEAN:
    case JSON_NUMBER:
    case JSON_REAL_NUMBER:
        break;
    }
    parser_refuse(parser, "a type must be a name, an object or a list");
    return NULL;
}

static struct schema *parse_type(struct parser *parser, const struct json *json, const char *space)
{
    if (parser->depth == MAX_DEPTH) {
        parser_refuse(parser, "types nest deeper than %d", MAX_DEPTH);
        return NULL;
    }
    if (!parser_take(parser, 1, "types")) {
        return NULL;
    }
    parser->depth++;
    struct schema *type = parse_by_form(parser, json, space);
    parser->depth--;
    return type;
}

static bool check_defaults(struct parser *parser)
{
    for (size_t i = 0; i < parser->named_count; i++) {
        const struct schema *type = parser->named[i];
        for (size_t j = 0; j < type->field_count; j++) {
            const struct schema_field *field = &type->fields[j];
            if (field->default_value &&
                !default_is_valid(field->type, field->default_value, parser->error)) {
                error_prefix(parser->error, "record \"%s\": field \"%s\"", type->name, field->name);
                return false;
            }
        }
    }
    return true;
}

enum outcome schema_parse(struct schema **schema, const char *text, size_t size,
                          struct arena *arena, schema_lookup *lookup, void *lookup_context,
                          struct error *error)
{
    struct json *root;
    if (size > MAX_TEXT_BYTES) {
        return fail_exit(error, EXIT_CONFIG, "a schema of %zu bytes; at most %d are read", size,
                         MAX_TEXT_BYTES);
    }
    if (json_parse_in(&root, text, size, arena, error)) {
        error->exit_code = EXIT_CONFIG;
        return FATAL;
    }
    struct parser *parser =
        xcalloc(1, sizeof *parser); /* 300 KB, mostly never touched: not for the stack */
    parser->arena = arena;
    parser->error = error;
    parser->lookup = lookup;
    parser->lookup_context = lookup_context;
    parser->enclosing = MAX_NAMES;
    struct schema *parsed = parse_type(parser, root, "");
    bool valid = parsed && check_defaults(parser);
    if (valid) {
        parser_mark_recursive(parser);
        *schema = parsed;
    }
    free(parser);
    return valid ? OK : FATAL;
}
