/* rules.c - the rules for types and fields; see rules.h. Rows are in row_rules.c, topics in
 * topic_rules.c. */
#include "rules.h"

#include <string.h>

#include "defaults.h"

const char *rules_owner(struct model *model, const struct named *type)
{
    return arena_format(&model->arena, "%s: %s", type->source->path, type->short_name);
}

static enum outcome claim(struct model *model, const struct named *type, enum name_space space,
                          const char *suffix, struct error *error)
{
    const char *name = arena_format(&model->arena, "%s%s", type->c_name, suffix);
    return names_claim(&model->names, &model->arena, space, name, rules_owner(model, type), error);
}

static enum outcome claim_all(struct model *model, const struct named *type, enum name_space space,
                              const char *const *suffixes, struct error *error)
{
    for (; *suffixes != NULL; suffixes++) {
        if (claim(model, type, space, *suffixes, error) != OK) {
            return FATAL;
        }
    }
    return OK;
}

/* The enum constant of `symbol`: ORDER_STATE_NEW. */
static enum outcome claim_constant(struct model *model, const struct named *type,
                                   const char *symbol, struct error *error)
{
    const char *name =
        arena_format(&model->arena, "%s_%s", type->c_upper, upper_case(&model->arena, symbol));
    const char *owner = arena_format(&model->arena, "%s.%s", rules_owner(model, type), symbol);
    return names_claim(&model->names, &model->arena, ORDINARY, name, owner, error);
}

static enum outcome check_enum(struct model *model, const struct named *type, struct error *error)
{
    static const char *const objects[] = {"_name", "_symbols", "_enum", "_aliases", NULL};
    if (claim(model, type, TAG, "", error) != OK ||
        claim_all(model, type, ORDINARY, objects, error) != OK) {
        return FATAL;
    }
    for (size_t i = 0; i < type->schema->symbol_count; i++) {
        if (claim_constant(model, type, type->schema->symbols[i], error) != OK) {
            return FATAL;
        }
    }
    return OK;
}

/* A member that the layout adds beside the field: has_x, x_branch. */
static enum outcome check_beside(struct model *model, const struct named *type, const char *added,
                                 const char *because, struct error *error)
{
    for (size_t i = 0; i < type->schema->field_count; i++) {
        if (strcmp(type->schema->fields[i].name, added) == 0) {
            return fail_exit(error, EXIT_DATA,
                             "%s.%s: this C member is made for the field %s: choose another name",
                             rules_owner(model, type), added, because);
        }
    }
    return OK;
}

static enum outcome check_field_name(struct model *model, const struct named *type,
                                     const char *name, struct error *error)
{
    if (!is_lower_name(name)) {
        return fail_exit(error, EXIT_DATA,
                         "%s.%s: a field's name is lower case, digits and _: it becomes a C member",
                         rules_owner(model, type), name);
    }
    if (is_taken_by_c(name)) {
        return fail_exit(error, EXIT_DATA, "%s.%s: this is a word of C: choose another name",
                         rules_owner(model, type), name);
    }
    return OK;
}

static enum outcome check_default(struct model *model, const struct named *type,
                                  const struct schema_field *field, const struct shape *shape,
                                  struct error *error)
{
    if (field->default_value == NULL) {
        return OK;
    }
    if (shape->kind == WEIR_UNION) {
        return fail_exit(error, EXIT_DATA, "%s.%s: a union of records has no default",
                         rules_owner(model, type), field->name);
    }
    struct buffer bytes;
    buffer_init(&bytes);
    enum outcome outcome = default_encode(field->type, field->default_value, &bytes, error);
    buffer_release(&bytes);
    if (outcome != OK) {
        error_prefix(error, "%s.%s", rules_owner(model, type), field->name);
        return FATAL;
    }
    return claim(model, type, ORDINARY, arena_format(&model->arena, "_default_%s", field->name),
                 error);
}

static enum outcome check_union(struct model *model, struct named *type, size_t index,
                                const struct shape *shape, struct error *error)
{
    const struct schema_field *field = &type->schema->fields[index];
    if (type->union_field >= 0) {
        return fail_exit(error, EXIT_DATA, "%s.%s: a record has at most one union of records",
                         rules_owner(model, type), field->name);
    }
    type->union_field = (int)index;
    if (claim(model, type, TAG, "_branch", error) != OK ||
        claim(model, type, ORDINARY, "_branches", error) != OK) {
        return FATAL;
    }
    for (size_t i = 0; i < shape->branches->branch_count; i++) {
        struct named *branch = model_find(model, shape->branches->branches[i]->name);
        if (branch->union_field >= 0) {
            return fail_exit(error, EXIT_DATA,
                             "%s.%s: nested unions are refused: %s has a union of its own",
                             rules_owner(model, type), field->name, branch->short_name);
        }
        if (claim_constant(model, type, branch->c_name, error) != OK) {
            return FATAL;
        }
    }
    return check_beside(model, type, arena_format(&model->arena, "%s_branch", field->name),
                        field->name, error);
}

static enum outcome check_contents(struct model *model, struct named *type,
                                   const struct schema_field *field, const struct shape *shape,
                                   struct error *error)
{
    struct shape inner = *shape;
    if (shape->kind == WEIR_ARRAY) {
        inner = checked_shape(model, shape->items);
        model->has_item[inner.kind] = model->has_item[inner.kind] || inner.named == NULL;
        if (claim(model, type, ORDINARY, arena_format(&model->arena, "_%s_items", field->name),
                  error) != OK) {
            return FATAL;
        }
    }
    if (inner.named == NULL) {
        return OK;
    }
    inner.named->is_array_item = inner.named->is_array_item || shape->kind == WEIR_ARRAY;
    if (inner.named->union_field >= 0) {
        return fail_exit(error, EXIT_DATA,
                         "%s.%s: nested unions are refused: %s has a union of its own",
                         rules_owner(model, type), field->name, inner.named->short_name);
    }
    return OK;
}

static enum outcome check_field(struct model *model, struct named *type, size_t index,
                                struct error *error)
{
    const struct schema_field *field = &type->schema->fields[index];
    struct shape shape;
    if (check_field_name(model, type, field->name, error) != OK) {
        return FATAL;
    }
    const char *refusal = shape_of(model, field->type, &shape);
    if (refusal != NULL) {
        return fail_exit(error, EXIT_DATA, "%s.%s: %s", rules_owner(model, type), field->name,
                         refusal);
    }
    if (has_flag(&shape) &&
        check_beside(model, type, arena_format(&model->arena, "has_%s", field->name), field->name,
                     error) != OK) {
        return FATAL;
    }
    if (field->aliases != NULL &&
        claim(model, type, ORDINARY, arena_format(&model->arena, "_%s_aliases", field->name),
              error) != OK) {
        return FATAL;
    }
    if (shape.kind == WEIR_UNION && check_union(model, type, index, &shape, error) != OK) {
        return FATAL;
    }
    if (check_contents(model, type, field, &shape, error) != OK) {
        return FATAL;
    }
    return check_default(model, type, field, &shape, error);
}

static enum outcome check_record(struct model *model, struct named *type, struct error *error)
{
    static const char *const objects[] = {"_record", "_fields", "_aliases", "_schema", NULL};
    if (type->schema->field_count == 0) {
        return fail_exit(error, EXIT_DATA, "%s: a record without fields has no C struct",
                         rules_owner(model, type));
    }
    if (type->schema->field_count > UINT16_MAX) {
        return fail_exit(error, EXIT_DATA, "%s: too many fields", rules_owner(model, type));
    }
    if (claim(model, type, TAG, "", error) != OK ||
        claim_all(model, type, ORDINARY, objects, error) != OK) {
        return FATAL;
    }
    for (size_t i = 0; i < type->schema->field_count; i++) {
        if (check_field(model, type, i, error) != OK) {
            return FATAL;
        }
    }
    return rules_check_row(model, type, error);
}

enum outcome rules_check_types(struct model *model, struct error *error)
{
    for (size_t i = 0; i < model->type_count; i++) {
        struct named *type = model->types[i];
        if ((is_enum(type) ? check_enum(model, type, error) : check_record(model, type, error)) !=
            OK) {
            return FATAL;
        }
    }
    /* Last, because the types behind an array's items stand before it. */
    for (size_t i = 0; i < model->type_count; i++) {
        if (model->types[i]->is_array_item &&
            claim(model, model->types[i], TAG, "_array", error) != OK) {
            return FATAL;
        }
    }
    return OK;
}
