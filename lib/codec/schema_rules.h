/* schema_rules.h - what the Avro specification asks of names and defaults (internal to schema.c).
 */
#ifndef WEIR_CODEC_SCHEMA_RULES_H
#define WEIR_CODEC_SCHEMA_RULES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "codec/schema.h"

/* [A-Za-z_][A-Za-z0-9_]*, and such parts joined by dots. */
bool name_is_simple(const char *name);
bool name_is_full(const char *name);

/* `name` as it stands when it has a dot, else in the namespace `space` ("" or NULL: none). */
const char *name_qualify(struct arena *arena, const char *name, const char *space);

/* The namespace of a full name, "" for none. */
const char *name_space(struct arena *arena, const char *full_name);

/* Is `value` a default of this type? Call it when the whole schema has been read: a record's
 * default needs its fields. */
MUST_CHECK bool default_is_valid(const struct schema *type, const struct json *value,
                                 struct error *error);

#endif
