/* shape.c - from an Avro type to its place in a C struct: the table at the head of codec/layout.h,
 * read from left to right. A type without a place is refused with the rule that says what to write
 * instead.
 */
#include "model.h"

#include <stddef.h>

static const char *shape_of_items(const struct model *model, const struct schema *items)
{
    struct shape shape;
    const char *refusal = shape_of(model, items, &shape);
    if (refusal != NULL) {
        return refusal;
    }
    if (shape.nullable || shape.kind == WEIR_UNION) {
        return "an array of a union is refused: use an array of records with a nullable field";
    }
    if (shape.kind == WEIR_ARRAY) {
        return "an array of arrays is refused: use an array of records with an array";
    }
    return NULL;
}

static bool has_null(const struct schema *type)
{
    for (size_t i = 0; i < type->branch_count; i++) {
        if (type->branches[i]->kind == SCHEMA_NULL) {
            return true;
        }
    }
    return false;
}

/* [null, T] or [T, null]. */
static const char *shape_of_nullable(const struct model *model, const struct schema *type,
                                     struct shape *shape)
{
    if (type->branch_count != 2) {
        return "a union with null has one other type: null and a scalar";
    }
    bool null_is_first = type->branches[0]->kind == SCHEMA_NULL;
    const char *refusal = shape_of(model, type->branches[null_is_first ? 1 : 0], shape);
    if (refusal != NULL) {
        return refusal;
    }
    if (shape->kind == WEIR_ARRAY) {
        return "a nullable array is refused: use an empty array";
    }
    if (shape->kind == WEIR_RECORD) {
        return "a nullable record is refused: use an array of at most one, or nullable fields";
    }
    shape->nullable = true;
    shape->null_is_first = null_is_first;
    return NULL;
}

static const char *shape_of_union(const struct model *model, const struct schema *type,
                                  struct shape *shape)
{
    if (has_null(type)) {
        return shape_of_nullable(model, type, shape);
    }
    if (type->branch_count == 0) {
        return "an empty union is refused";
    }
    for (size_t i = 0; i < type->branch_count; i++) {
        if (type->branches[i]->kind != SCHEMA_RECORD) {
            return "a union is of records only, or of null and a scalar";
        }
    }
    *shape = (struct shape){.kind = WEIR_UNION, .branches = type};
    return NULL;
}

const char *shape_of(const struct model *model, const struct schema *type, struct shape *shape)
{
    *shape = (struct shape){0};
    switch (type->kind) {
    case SCHEMA_NULL:
        return "a field that is always null is refused: leave it out";
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return "float and double are refused: use a long in the smallest unit";
    case SCHEMA_FIXED:
        return "fixed is refused: use bytes";
    case SCHEMA_MAP:
        return "map is refused: use an array of records";
    case SCHEMA_BOOLEAN:
        shape->kind = WEIR_BOOLEAN;
        return NULL;
    case SCHEMA_INT:
        shape->kind = WEIR_INT;
        return NULL;
    case SCHEMA_LONG:
        shape->kind = WEIR_LONG;
        return NULL;
    case SCHEMA_BYTES:
        shape->kind = WEIR_BYTES;
        return NULL;
    case SCHEMA_STRING:
        shape->kind = WEIR_STRING;
        return NULL;
    case SCHEMA_ENUM:
    case SCHEMA_RECORD:
        shape->kind = type->kind == SCHEMA_ENUM ? WEIR_ENUM : WEIR_RECORD;
        shape->named = model_find(model, type->name);
        return NULL;
    case SCHEMA_ARRAY:
        shape->kind = WEIR_ARRAY;
        shape->items = type->items;
        return shape_of_items(model, type->items);
    case SCHEMA_UNION:
        return shape_of_union(model, type, shape);
    }
    return "this type is not known";
}

struct shape checked_shape(const struct model *model, const struct schema *type)
{
    struct shape shape;
    CHECK(shape_of(model, type, &shape) == NULL);
    return shape;
}

bool has_flag(const struct shape *shape)
{
    return shape->nullable && shape->kind != WEIR_STRING && shape->kind != WEIR_BYTES;
}
