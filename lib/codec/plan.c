/* plan.c - the resolver: "Schema Resolution" of the Avro specification, as a compiler of steps.
 *
 * build() is the heart: it emits what reads one value of the writer's type into one place of the
 * reader's (or skips it, when there is no place), and tells how few bytes such a value has. A
 * writer's union becomes a SWITCH over the branches, each resolved alone, so that a branch that
 * cannot be read does harm only where it occurs.
 *
 * Names match by full name, by the reader's aliases, or (as the specification has it) by their last
 * part.
 *
 * Limits: a recursive schema has no flat plan and is refused. Records that mention records that
 * mention records can be exponentially large when laid flat: steps are capped, and so is depth.
 */
#include "codec/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/match.h"
#include "codec/value.h"

enum { MAX_STEPS = 20 * 1000, MAX_DEPTH = 64 };

#define NEVER UINT32_MAX /* the least size of a value that cannot be */

struct builder {
    struct arena *arena;
    struct step *steps;
    size_t count, capacity;
    int depth;
    char reason[600]; /* of the last failure */
};

/* Where a value goes: offsets in the struct being read. type NULL: nowhere, skip it. */
struct place {
    const struct weir_type *type;
    size_t offset, beside;
    const char *path;
};

static bool refuse(struct builder *builder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct builder *builder, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(builder->reason, sizeof builder->reason, format, args);
    va_end(args);
    return false;
}

/* Appends a step and returns it to be filled in, until the next one; NULL when there are too many.
 */
static struct step *emit(struct builder *builder, enum step_code code, const struct place *to)
{
    if (builder->count == MAX_STEPS) {
        refuse(builder, "the plan has more than %d steps", MAX_STEPS);
        return NULL;
    }
    if (builder->count == builder->capacity) {
        builder->capacity = builder->capacity > 0 ? 2 * builder->capacity : 64;
        builder->steps = xrealloc(builder->steps, builder->capacity * sizeof *builder->steps);
    }
    struct step *step = &builder->steps[builder->count++];
    *step = (struct step){.code = code, .offset = (uint32_t)to->offset, .path = to->path};
    return step;
}

static uint32_t add_least(uint32_t a, uint32_t b)
{
    return a > NEVER - b ? NEVER : a + b;
}

static const char *type_name(const struct weir_type *type)
{
    static const char *const names[] = {
        [WEIR_BOOLEAN] = "boolean", [WEIR_INT] = "int",     [WEIR_LONG] = "long",
        [WEIR_STRING] = "string",   [WEIR_BYTES] = "bytes", [WEIR_ENUM] = "enum",
        [WEIR_RECORD] = "record",   [WEIR_ARRAY] = "array", [WEIR_UNION] = "union",
    };
    return type->kind == WEIR_ENUM     ? type->symbols->name
           : type->kind == WEIR_RECORD ? type->record->name
                                       : names[type->kind];
}

static bool mismatch(struct builder *builder, const struct schema *writer, const struct place *to)
{
    return refuse(builder, "%s: the writer's %s cannot be read as %s",
                  to->path[0] ? to->path : "the record",
                  writer->name ? writer->name : schema_kind_name(writer->kind),
                  type_name(to->type));
}

static bool build(struct builder *builder, const struct schema *writer, struct place to,
                  uint32_t *least);

/* ---- enums, arrays, maps ---- */

static bool build_enum(struct builder *builder, const struct schema *writer, const struct place *to)
{
    const struct weir_enum *reader = to->type->symbols;
    if (!match_name(writer->name, reader->name, reader->aliases)) {
        return mismatch(builder, writer, to);
    }
    int32_t *symbols = arena_alloc(builder->arena, writer->symbol_count * sizeof *symbols);
    match_symbols(writer, reader, symbols);
    struct step *step = emit(builder, READ_ENUM, to);
    if (!step) {
        return false;
    }
    step->count = (uint32_t)writer->symbol_count;
    step->symbols = symbols;
    return true;
}

static bool build_blocks(struct builder *builder, const struct schema *writer,
                         const struct place *to)
{
    struct place item = {.path = to->path};
    if (to->type) {
        item.type = to->type->items;
        item.path = arena_format(builder->arena, "%s[]", to->path);
        if (item.type->nullable || item.type->kind == WEIR_UNION) {
            return refuse(builder, "%s: the layout has an array of unions", to->path);
        }
    }
    size_t at = builder->count;
    uint32_t least = writer->kind == SCHEMA_MAP ? 1 : 0,
             value_least = 0; /* a map's item has a key */
    if (!emit(builder, to->type ? READ_ARRAY : SKIP_BLOCKS, to) ||
        (writer->kind == SCHEMA_MAP && !emit(builder, SKIP_STRING, &item)) ||
        !build(builder, writer->items, item, &value_least)) {
        return false;
    }
    struct step *blocks = &builder->steps[at];
    blocks->body = (uint32_t)(builder->count - at - 1);
    blocks->least = add_least(least, value_least);
    blocks->size = to->type ? (uint32_t)to->type->item_size : 0;
    return true;
}

/* ---- records ---- */

static const char *inner_path(struct builder *builder, const char *path, const char *name)
{
    return path[0] ? arena_format(builder->arena, "%s.%s", path, name) : name;
}

static bool build_default(struct builder *builder, const struct weir_field *field,
                          const struct place *record)
{
    struct place to = *record;
    to.path = inner_path(builder, record->path, field->name);
    if (!field->default_value.data) {
        return refuse(builder, "%s: the writer lacks it and it has no default", to.path);
    }
    struct step *step = emit(builder, SET_DEFAULT, &to);
    if (step) {
        step->field = field;
    }
    return step;
}

/* Fields of the writer in their order, then the defaults. `reader` NULL: all are skipped. */
static bool build_record(struct builder *builder, const struct schema *writer,
                         const struct weir_record *reader, const struct place *to, uint32_t *least)
{
    if (writer->recursive) {
        return refuse(builder, "%s: the writer's %s is recursive", to->path, writer->name);
    }
    size_t reader_count = reader ? reader->field_count : 0;
    size_t *sources = arena_alloc(builder->arena, reader_count * sizeof *sources);
    if (reader) {
        match_fields(writer, reader, sources);
    }
    for (size_t i = 0; i < writer->field_count; i++) {
        const struct schema_field *source = &writer->fields[i];
        struct place inner = {.path = inner_path(builder, to->path, source->name)};
        for (size_t j = 0; j < reader_count; j++) {
            const struct weir_field *field = &reader->fields[j];
            if (sources[j] == i) {
                inner = (struct place){&field->type, to->offset + field->offset,
                                       to->offset + field->has_offset,
                                       inner_path(builder, to->path, field->name)};
            }
        }
        uint32_t field_least;
        if (!build(builder, source->type, inner, &field_least)) {
            return false;
        }
        *least = add_least(*least, field_least);
    }
    for (size_t j = 0; j < reader_count; j++) {
        if (sources[j] == NO_MATCH && !build_default(builder, &reader->fields[j], to)) {
            return false;
        }
    }
    return true;
}

static bool build_to_record(struct builder *builder, const struct schema *writer,
                            const struct place *to, uint32_t *least)
{
    const struct weir_record *reader = to->type->record;
    if (!match_name(writer->name, reader->name, reader->aliases)) {
        return mismatch(builder, writer, to);
    }
    return build_record(builder, writer, reader, to, least);
}

/* ---- unions ---- */

static bool build_to_branch(struct builder *builder, const struct schema *writer,
                            const struct place *to, uint32_t *least)
{
    size_t branch = match_branch(writer, to->type->branches);
    if (branch == NO_MATCH) {
        return mismatch(builder, writer, to);
    }
    struct step *step = emit(builder, SET_BRANCH, to);
    if (!step) {
        return false;
    }
    step->offset = (uint32_t)to->beside;
    step->count = (uint32_t)branch;
    return build_record(builder, writer, to->type->branches[branch], to, least);
}

/* A branch that the reader cannot have stands in the plan as a refusal. An unknown record in a
 * union of records is news from a newer producer; anything else is a bad record. */
static bool build_refusal(struct builder *builder, const struct schema *branch,
                          const struct place *to)
{
    bool unknown = to->type->kind == WEIR_UNION && branch->kind == SCHEMA_RECORD &&
                   match_branch(branch, to->type->branches) == NO_MATCH;
    struct step *step = emit(builder, unknown ? REFUSE_UNKNOWN : REFUSE, to);
    if (step) {
        step->path = ""; /* the reason says it, deeper inside perhaps */
        step->reason = arena_strndup(builder->arena, builder->reason, strlen(builder->reason));
    }
    return step;
}

static bool build_switch(struct builder *builder, const struct schema *writer,
                         const struct place *to, uint32_t *least)
{
    size_t at = builder->count, count = writer->branch_count;
    uint32_t *targets = arena_alloc(builder->arena, count * sizeof *targets);
    uint32_t branch_least = count > 0 ? NEVER : 0;
    struct step *step = emit(builder, SWITCH, to);
    if (!step) {
        return false;
    }
    step->count = (uint32_t)count;
    step->targets = targets;
    for (size_t i = 0; i < count; i++) {
        size_t start = builder->count;
        uint32_t this_least = 0;
        targets[i] = (uint32_t)(start - at);
        if (!build(builder, writer->branches[i], *to, &this_least)) {
            builder->count = start;
            if (!to->type || !build_refusal(builder, writer->branches[i], to)) {
                return false;
            }
            this_least = 0;
        }
        branch_least = this_least < branch_least ? this_least : branch_least;
        if (i + 1 < count && !emit(builder, JUMP, to)) {
            return false;
        }
    }
    for (size_t i = 1; i < count;
         i++) { /* every branch but the last ends in a jump behind the last */
        size_t jump = at + targets[i] - 1;
        builder->steps[jump].body = (uint32_t)(builder->count - jump);
    }
    *least = add_least(1, branch_least);
    return true;
}

/* ---- any value ---- */

/* A value of one piece: its size is the least that it can have, and exact for those of SKIP_FIXED.
 */
static bool skip_one(struct builder *builder, const struct schema *writer, const struct place *to,
                     uint32_t *least)
{
    static const struct {
        enum step_code code;
        uint32_t size;
    } skips[] = {
        [SCHEMA_BOOLEAN] = {SKIP_BOOLEAN, 1}, [SCHEMA_INT] = {SKIP_INT, 1},
        [SCHEMA_LONG] = {SKIP_LONG, 1},       [SCHEMA_BYTES] = {SKIP_BYTES, 1},
        [SCHEMA_STRING] = {SKIP_STRING, 1},   [SCHEMA_ENUM] = {SKIP_ENUM, 1},
        [SCHEMA_FLOAT] = {SKIP_FIXED, 4},     [SCHEMA_DOUBLE] = {SKIP_FIXED, 8},
        [SCHEMA_FIXED] = {SKIP_FIXED, 0},
    };
    struct step *step = emit(builder, skips[writer->kind].code, to);
    if (!step) {
        return false;
    }
    step->count = (uint32_t)writer->symbol_count;
    step->size = *least = skips[writer->kind].size + (uint32_t)writer->fixed_size;
    return true;
}

static bool build_skip(struct builder *builder, const struct schema *writer, const struct place *to,
                       uint32_t *least)
{
    *least = 0;
    switch (writer->kind) {
    case SCHEMA_NULL:
        return true;
    case SCHEMA_BOOLEAN:
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
    case SCHEMA_FIXED:
    case SCHEMA_ENUM:
        return skip_one(builder, writer, to, least);
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        *least = 1;
        return build_blocks(builder, writer, to);
    case SCHEMA_RECORD:
        return build_record(builder, writer, NULL, to, least);
    case SCHEMA_UNION:
        return build_switch(builder, writer, to, least);
    }
    return false;
}

/* The pairs of kinds that can be read as each other. int as long and string as bytes (and back) are
 * the promotions that our layouts can hold; float and double they cannot. */
static bool build_read(struct builder *builder, const struct schema *writer, const struct place *to,
                       uint32_t *least)
{
    enum weir_kind reader = to->type->kind;
    *least = 1;
    if (writer->kind == SCHEMA_BOOLEAN && reader == WEIR_BOOLEAN) {
        return emit(builder, READ_BOOLEAN, to);
    }
    if (writer->kind == SCHEMA_INT && (reader == WEIR_INT || reader == WEIR_LONG)) {
        return emit(builder, reader == WEIR_INT ? READ_INT : READ_INT_AS_LONG, to);
    }
    if (writer->kind == SCHEMA_LONG && reader == WEIR_LONG) {
        return emit(builder, READ_LONG, to);
    }
    if (writer->kind == SCHEMA_STRING || writer->kind == SCHEMA_BYTES) {
        if (reader == WEIR_STRING || reader == WEIR_BYTES) {
            return emit(builder, reader == WEIR_STRING ? READ_STRING : READ_BYTES, to);
        }
    }
    if (writer->kind == SCHEMA_ENUM && reader == WEIR_ENUM) {
        return build_enum(builder, writer, to);
    }
    if (writer->kind == SCHEMA_ARRAY && reader == WEIR_ARRAY) {
        return build_blocks(builder, writer, to);
    }
    if (writer->kind == SCHEMA_RECORD && (reader == WEIR_RECORD || reader == WEIR_UNION)) {
        *least = 0;
        return reader == WEIR_RECORD ? build_to_record(builder, writer, to, least)
                                     : build_to_branch(builder, writer, to, least);
    }
    return mismatch(builder, writer, to);
}

static bool build_place(struct builder *builder, const struct schema *writer,
                        const struct place *to, uint32_t *least)
{
    if (!to->type) {
        return build_skip(builder, writer, to, least);
    }
    if (writer->kind == SCHEMA_UNION) {
        return build_switch(builder, writer, to, least);
    }
    if (writer->kind == SCHEMA_NULL && to->type->nullable) {
        *least = 0;
        return true; /* the struct is zeroed before: no has_x, a NULL pointer */
    }
    if (!build_read(builder, writer, to, least)) {
        return false;
    }
    if (!type_has_flag(to->type)) {
        return true;
    }
    struct place flag = {.offset = to->beside, .path = to->path};
    return emit(builder, SET_PRESENT, &flag);
}

static bool build(struct builder *builder, const struct schema *writer, struct place to,
                  uint32_t *least)
{
    if (builder->depth == MAX_DEPTH) {
        return refuse(builder, "%s: nested deeper than %d", to.path, MAX_DEPTH);
    }
    builder->depth++;
    bool built = build_place(builder, writer, &to, least);
    builder->depth--;
    return built;
}

void plan_resolve(struct plan *plan, const struct schema *writer, const struct weir_record *reader,
                  struct arena *arena)
{
    struct builder builder = {.arena = arena};
    struct weir_type type = {.kind = WEIR_RECORD, .record = reader};
    uint32_t least;
    *plan = (struct plan){0};
    if (build(&builder, writer, (struct place){.type = &type, .path = ""}, &least)) {
        struct step *steps = arena_alloc(arena, builder.count * sizeof *steps);
        if (builder.count > 0) {
            memcpy(steps, builder.steps, builder.count * sizeof *steps);
        }
        plan->steps = steps;
        plan->count = builder.count;
    } else {
        plan->refusal = arena_format(arena, "schema %016" PRIx64 " cannot be read as %s: %s",
                                     schema_fingerprint(writer), reader->name, builder.reason);
    }
    free(builder.steps);
}
