/* layout.h - how an Avro record lies in a C struct.
 *
 * The schema compiler turns every .avsc file of topics/ into a struct and a const table of these
 * types; the codec walks the table. Only layouts are generated, never codec code: there is one
 * decoder to test and to fuzz.
 *
 * Avro            C member `x`
 * boolean         bool x
 * int, long       int32_t x, int64_t x
 * string          const char *x           NUL-terminated UTF-8 without NULs inside; NULL only when
 * nullable bytes           struct weir_bytes x     NULL data only when nullable enum E enum e x the
 * symbol's position in the reader's schema record R        struct r x array of T      struct { T
 * *items; size_t count; } x [null, T]       has_x beside x for boolean, int, long, enum; a NULL
 * pointer for string and bytes; other T are refused [R1, R2, ...]   enum x_branch beside a C union
 * of the records' structs (records only; the union is `x`) float, double, fixed, map, recursive and
 * nested unions are refused by the compiler (a writer's schema may have them).
 */
#ifndef WEIR_CODEC_LAYOUT_H
#define WEIR_CODEC_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir.h"

enum weir_kind {
    WEIR_BOOLEAN,
    WEIR_INT,
    WEIR_LONG,
    WEIR_STRING,
    WEIR_BYTES,
    WEIR_ENUM,
    WEIR_RECORD,
    WEIR_ARRAY,
    WEIR_UNION,
};

struct weir_enum {
    const char *name;           /* full name: "weir.shop.OrderState" */
    const char *const *aliases; /* NULL-terminated full names, or NULL */
    const char *const *symbols; /* NULL-terminated, in the order of the C enum */
    int32_t symbol_count;
    int32_t default_symbol; /* for a writer's unknown symbol; -1: none */
};

struct weir_type {
    enum weir_kind kind;
    bool nullable;                             /* a union of null and this type */
    bool null_is_first;                        /* which of the two branches null is */
    const struct weir_enum *symbols;           /* ENUM */
    const struct weir_record *record;          /* RECORD */
    const struct weir_type *items;             /* ARRAY */
    size_t item_size;                          /* ARRAY: sizeof one item */
    const struct weir_record *const *branches; /* UNION: NULL-terminated, in branch order */
};

struct weir_field {
    const char *name;           /* as in the schema; the C member has the same name */
    const char *const *aliases; /* NULL-terminated, or NULL */
    struct weir_type type;
    size_t offset;     /* of the member */
    size_t has_offset; /* of has_x (nullable scalars) or of x_branch (UNION; an int-sized enum) */
    /* The default, as Avro binary of this field's own type (so a null default is the null branch);
     * data NULL: none. */
    struct weir_bytes default_value;
    const char *doc;
};

/* Array members lie like this. */
struct weir_array {
    void *items;
    size_t count;
};

struct weir_record {
    const char *name;           /* full name: "weir.shop.StockLevel" */
    const char *short_name;     /* "StockLevel" */
    const char *const *aliases; /* NULL-terminated full names, or NULL */
    const struct weir_field *fields;
    size_t field_count;
    size_t size; /* sizeof the struct */
    const char *doc;
    /* The self-contained schema text: the .avsc file's own bytes with the definitions it refers to
     * put in at their first mention. And its CRC-64-AVRO fingerprint. */
    const char *schema;
    uint64_t fingerprint;
};

#endif
