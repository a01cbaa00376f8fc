/* schema.h - an Avro schema as a tree, read from its JSON text.
 *
 * Keeps what avro-c drops: defaults, aliases, docs, enum defaults, attributes. Used by the schema
 * compiler at build time and by the resolver at run time (where the text may come from a stranger:
 * depth, count and name rules are checked).
 */
#ifndef WEIR_CODEC_SCHEMA_H
#define WEIR_CODEC_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

enum schema_kind {
    SCHEMA_NULL,
    SCHEMA_BOOLEAN,
    SCHEMA_INT,
    SCHEMA_LONG,
    SCHEMA_FLOAT,
    SCHEMA_DOUBLE,
    SCHEMA_BYTES,
    SCHEMA_STRING,
    SCHEMA_FIXED,
    SCHEMA_ENUM,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_RECORD,
    SCHEMA_UNION,
};

struct json; /* base/json.h */

struct schema_field {
    const char *name;
    const char **aliases; /* NULL-terminated; NULL when there are none */
    const char *doc;      /* or NULL */
    struct schema *type;
    const struct json *default_value; /* or NULL */
};

struct schema {
    enum schema_kind kind;
    const char *name; /* full name of a named type, else NULL */
    const char **aliases;
    const char *doc;
    const char **symbols; /* ENUM, NULL-terminated */
    size_t symbol_count;
    const char *default_symbol; /* ENUM, or NULL */
    int64_t fixed_size;         /* FIXED */
    struct schema *items;       /* ARRAY and MAP */
    struct schema **branches;   /* UNION */
    size_t branch_count;
    struct schema_field *fields; /* RECORD */
    size_t field_count;
    const struct json
        *attributes; /* the JSON object it was read from, custom attributes included; else NULL */
    bool recursive;  /* RECORD: mentions itself, directly or not */
};

/* Resolves a name that the text mentions but does not define (the compiler's other files). Returns
 * NULL when it does not know it either. */
typedef struct schema *schema_lookup(void *context, const char *full_name);

/* Parses `text`. Everything is allocated from `arena`, the JSON tree too (it stays readable for as
 * long). `lookup` may be NULL. FATAL names line and column, or the type and field, and the rule of
 * the specification that is broken. */
MUST_CHECK enum outcome schema_parse(struct schema **schema, const char *text, size_t size,
                                     struct arena *arena, schema_lookup *lookup,
                                     void *lookup_context, struct error *error);

/* Appends the Parsing Canonical Form. */
void schema_canonical_form(const struct schema *schema, struct buffer *out);

/* The CRC-64-AVRO fingerprint of the Parsing Canonical Form. */
uint64_t schema_fingerprint(const struct schema *schema);

const char *schema_kind_name(enum schema_kind kind); /* "record", "enum", ... */

#endif
