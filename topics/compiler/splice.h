/* splice.h - self-contained schema texts.
 *
 * A record is registered with strangers, and read by our own resolver, as text that stands alone:
 * the .avsc file's own bytes (docs, defaults and attributes as their author wrote them), with every
 * type of another file put in where it is mentioned first. avro-c would print a schema without its
 * defaults, aliases and docs.
 */
#ifndef SCHEMAC_SPLICE_H
#define SCHEMAC_SPLICE_H

#include "model.h"

/* Fills text and fingerprint of every record. The fingerprint is taken from the text, which proves
 * that it parses alone. */
MUST_CHECK enum outcome splice_texts(struct model *model, struct error *error);

#endif
