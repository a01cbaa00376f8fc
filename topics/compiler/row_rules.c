/* row_rules.c - the attributes that make a record a state row:
 *
 *   "weir.key": ["sku", "seq"]      the primary key, in order: strings, ints, longs, enums, not
 * nullable "weir.scan": ["sku"]            fields to look rows up by when the key will not do
 * (reads the whole table) "weir.check": "qty > 0"         an SQL expression over the columns, or a
 * list of them
 *
 * A row's key sorts in the changelog as in SQLite. There an enum is its text and in the key its
 * position, so the symbols of an enum in a key must stand in alphabetical order.
 */
#include <string.h>

#include "base/json.h"
#include "rules.h"

static enum outcome refuse(struct model *model, const struct named *type, const char *attribute,
                           const char *rule, struct error *error)
{
    return fail_exit(error, EXIT_DATA, "%s: \"%s\": %s", rules_owner(model, type), attribute, rule);
}

static int field_index(const struct schema *record, const char *name)
{
    for (size_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_sorted(const struct schema *symbols)
{
    for (size_t i = 1; i < symbols->symbol_count; i++) {
        if (strcmp(symbols->symbols[i - 1], symbols->symbols[i]) >= 0) {
            return false;
        }
    }
    return true;
}

/* The parameters of the generated calls that stand beside the key fields. */
static bool is_parameter(const char *name)
{
    static const char *const parameters[] = {"ctx",    "row",   "rows", "limit",
                                             "wanted", "found", NULL};
    for (size_t i = 0; parameters[i] != NULL; i++) {
        if (strcmp(parameters[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Why this field cannot be looked up by, or NULL. */
static const char *key_refusal(const struct model *model, const struct schema_field *field,
                               bool in_key)
{
    struct shape shape = checked_shape(model, field->type);
    switch (shape.kind) {
    case WEIR_INT:
    case WEIR_LONG:
    case WEIR_STRING:
    case WEIR_ENUM:
        break;
    case WEIR_BOOLEAN:
    case WEIR_BYTES:
    case WEIR_RECORD:
    case WEIR_ARRAY:
    case WEIR_UNION:
        return "names strings, ints, longs and enums only";
    }
    if (shape.nullable) {
        return "names fields that are never null";
    }
    if (in_key && shape.kind == WEIR_ENUM && !is_sorted(shape.named->schema)) {
        return "an enum in a key has its symbols in alphabetical order, so that key order is table "
               "order";
    }
    if (is_parameter(field->name)) {
        return "a key field is a parameter of the generated calls: not ctx, row, rows, limit, "
               "wanted or found";
    }
    return NULL;
}

/* Reads a list of distinct field names. */
static enum outcome read_fields(struct model *model, const struct named *type,
                                const char *attribute, bool in_key, uint16_t *indexes,
                                uint16_t *count, struct error *error)
{
    const struct json *list = json_get(type->schema->attributes, attribute);
    if (list == NULL) {
        return OK;
    }
    if (json_kind(list) != JSON_LIST || json_count(list) == 0 ||
        json_count(list) > KEY_FIELDS_MAX) {
        return refuse(model, type, attribute, "is a list of one to eight field names", error);
    }
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *name = json_at(list, i);
        int index = json_kind(name) == JSON_TEXT ? field_index(type->schema, json_text(name)) : -1;
        if (index < 0) {
            return refuse(model, type, attribute, "names a field that the record does not have",
                          error);
        }
        for (size_t earlier = 0; earlier < i; earlier++) {
            if (indexes[earlier] == index) {
                return refuse(model, type, attribute, "names a field twice", error);
            }
        }
        const char *refusal = key_refusal(model, &type->schema->fields[index], in_key);
        if (refusal != NULL) {
            return refuse(model, type, attribute, refusal, error);
        }
        indexes[i] = (uint16_t)index;
    }
    *count = (uint16_t)json_count(list);
    return OK;
}

static enum outcome read_checks(struct model *model, struct named *type, struct error *error)
{
    const struct json *value = json_get(type->schema->attributes, "weir.check");
    if (value == NULL) {
        return OK;
    }
    bool is_list = json_kind(value) == JSON_LIST;
    size_t count = is_list ? json_count(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const struct json *check = is_list ? json_at(value, i) : value;
        if (json_kind(check) != JSON_TEXT || count > CHECKS_MAX) {
            return refuse(model, type, "weir.check",
                          "is an SQL expression, or a list of at most 32", error);
        }
        type->row.checks[i] = json_text(check);
    }
    type->row.check_count = count;
    return OK;
}

/* weir_... attributes that are none of ours are typing mistakes. */
static enum outcome check_attribute_names(struct model *model, const struct named *type,
                                          struct error *error)
{
    const struct json *object = type->schema->attributes;
    for (void *at = json_first(object); at != NULL; at = json_next(object, at)) {
        const char *name = json_name(at);
        bool is_ours = strcmp(name, "weir.key") == 0 || strcmp(name, "weir.scan") == 0 ||
                       strcmp(name, "weir.check") == 0;
        if (strncmp(name, "weir.", 5) == 0 && !is_ours) {
            return refuse(model, type, name,
                          "is not an attribute: weir.key, weir.scan and weir.check are", error);
        }
    }
    return OK;
}

static enum outcome claim_calls(struct model *model, const struct named *type, struct error *error)
{
    const struct row_rules *row = &type->row;
    const char *owner = rules_owner(model, type);
    static const char *const suffixes[] = {"_store", "_key_fields", "_get",
                                           "_put",   "_delete",     NULL};
    for (size_t i = 0; suffixes[i] != NULL; i++) {
        const char *name = arena_format(&model->arena, "%s%s", type->c_name, suffixes[i]);
        if (names_claim(&model->names, &model->arena, ORDINARY, name, owner, error) != OK) {
            return FATAL;
        }
    }
    const char *name = arena_format(&model->arena, "%s_list_by", type->c_name);
    for (size_t i = 0; i + 1 < row->key_count; i++) {
        name = arena_format(&model->arena, "%s_%s", name, type->schema->fields[row->key[i]].name);
        if (names_claim(&model->names, &model->arena, ORDINARY, name, owner, error) != OK) {
            return FATAL;
        }
    }
    for (size_t i = 0; i < row->scan_count; i++) {
        name = arena_format(&model->arena, "%s_scan_by_%s", type->c_name,
                            type->schema->fields[row->scan[i]].name);
        if (names_claim(&model->names, &model->arena, ORDINARY, name, owner, error) != OK) {
            return FATAL;
        }
    }
    return OK;
}

enum outcome rules_check_row(struct model *model, struct named *type, struct error *error)
{
    struct row_rules *row = &type->row;
    if (check_attribute_names(model, type, error) != OK ||
        read_fields(model, type, "weir.key", true, row->key, &row->key_count, error) != OK ||
        read_fields(model, type, "weir.scan", false, row->scan, &row->scan_count, error) != OK ||
        read_checks(model, type, error) != OK) {
        return FATAL;
    }
    if (row->key_count == 0) {
        if (row->scan_count > 0 || row->check_count > 0) {
            return refuse(model, type, "weir.key",
                          "is missing: weir.scan and weir.check are for state rows", error);
        }
        return OK;
    }
    if (type->union_field >= 0) {
        return refuse(model, type, "weir.key", "a state row has no union of records", error);
    }
    return claim_calls(model, type, error);
}
