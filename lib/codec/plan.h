/* plan.h - a writer's schema and a reader's layout, resolved into one flat list of steps (internal
 * to lib/codec).
 *
 * Resolution (names, aliases, promotion, defaults, unions) is thought through once for each pair of
 * schemas. What is left is a short program over the writer's bytes, in their order: read this into
 * that member, skip that, repeat these. Nested records are laid flat; only arrays and maps have a
 * body of steps, which follow them.
 */
#ifndef WEIR_CODEC_PLAN_H
#define WEIR_CODEC_PLAN_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/codec.h"
#include "codec/layout.h"
#include "codec/schema.h"

enum step_code {
    /* Read into the member at `offset`. */
    READ_BOOLEAN,
    READ_INT,
    READ_LONG,
    READ_INT_AS_LONG,
    READ_STRING,
    READ_BYTES,
    READ_ENUM, /* `symbols`: the reader's position for each of the writer's `count`, -1 where it has
                  none */
    READ_ARRAY, /* blocks of items of `size` bytes, each read by the `body` steps that follow */
    /* Without a byte read. */
    SET_PRESENT, /* the has_x at `offset` */
    SET_BRANCH,  /* the x_branch at `offset` to `count` */
    SET_DEFAULT, /* `field`, of the record at `offset` */
    /* Read and forget. A skipped value must be valid too. */
    SKIP_BOOLEAN,
    SKIP_INT,
    SKIP_LONG,
    SKIP_BYTES,
    SKIP_STRING,
    SKIP_ENUM,   /* of `count` symbols */
    SKIP_FIXED,  /* `size` bytes */
    SKIP_BLOCKS, /* blocks of `body` steps */
    /* Control. `targets` and `body` count steps from this one. */
    SWITCH, /* go to targets[the branch number that is read], of `count` */
    JUMP,   /* by `body` */
    REFUSE, /* `reason`: this branch cannot be read */
    REFUSE_UNKNOWN,
};

struct step {
    uint32_t code; /* enum step_code */
    uint32_t offset;
    uint32_t body;  /* steps */
    uint32_t count; /* symbols, branches, or the number of a branch */
    uint32_t least; /* READ_ARRAY, SKIP_BLOCKS: bytes that every item has at least */
    uint32_t size;
    union {
        const int32_t *symbols;
        const uint32_t *targets;
        const struct weir_field *field;
        const char *reason;
    };
    const char *path; /* the field for people: "lines[].qty" */
};

struct plan {
    const struct step *steps;
    size_t count;
    const char *refusal; /* why the one cannot be read as the other; NULL when it can */
};

/* Never fails: a pair that cannot be resolved becomes a plan with a refusal. Everything in `arena`.
 */
void plan_resolve(struct plan *plan, const struct schema *writer, const struct weir_record *reader,
                  struct arena *arena);

/* Runs a plan over one datum (decode.c). `out` is zeroed first. */
enum decode_result plan_run(const struct plan *plan, const struct weir_record *reader,
                            struct weir_bytes datum, struct arena *arena, void *out,
                            struct error *error);

#endif
