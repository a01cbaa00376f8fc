/* default.h - fields that were not there (internal to lib/codec). */
#ifndef WEIR_CODEC_DEFAULT_H
#define WEIR_CODEC_DEFAULT_H

#include "base/arena.h"
#include "codec/layout.h"

/* Sets the field of `record` (zeroed so far) to its default, which it must have. Strings and arrays
 * go into `arena`. */
void default_fill(const struct weir_field *field, struct arena *arena, void *record);

#endif
