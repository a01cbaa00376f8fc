/* match.h - which name of the writer is which of the reader (internal to lib/codec). */
#ifndef WEIR_CODEC_MATCH_H
#define WEIR_CODEC_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/layout.h"
#include "codec/schema.h"

#define NO_MATCH SIZE_MAX

/* Is the writer's type `name` the reader's type? By full name, an alias, or the last part of
 * either. */
bool match_name(const char *writer, const char *reader, const char *const *aliases);

/* For each field of the reader, the index of the writer's field that it is read from, or NO_MATCH:
 * the one of its name, else one of its aliases that no other field of the reader bears as its name.
 */
void match_fields(const struct schema *writer, const struct weir_record *reader, size_t *sources);

/* For each of the writer's symbols its position in the reader's, the reader's default where it is
 * not there, -1 where there is no default either. */
void match_symbols(const struct schema *writer, const struct weir_enum *reader, int32_t *symbols);

/* The branch for the writer's record: of its full name, else of an alias, else of its last part. */
size_t match_branch(const struct schema *writer, const struct weir_record *const *branches);

#endif
