/* defaults.h - a field's JSON default as Avro binary, which is how the codec puts it into a struct.
 */
#ifndef SCHEMAC_DEFAULTS_H
#define SCHEMAC_DEFAULTS_H

#include "base/buffer.h"
#include "base/error.h"
#include "codec/schema.h"

struct json;

/* Appends `value` as a datum of `type`; a union's default is of its first branch. FATAL, with what
 * the value should have been, when it is not of that type. */
MUST_CHECK enum outcome default_encode(const struct schema *type, const struct json *value,
                                       struct buffer *out, struct error *error);

#endif
