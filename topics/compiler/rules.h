/* rules.h - which Avro schemas weir takes, and the shape in C of those it does.
 *
 * Everything refused here is refused at build time, with the file, the field and the rule, so that
 * no program ever meets it. What layout.h has no place for (float, double, fixed, map, a nullable
 * array, a union of anything but records) is refused because a silent approximation of money or of
 * a key is worse than a build that stops.
 */
#ifndef SCHEMAC_RULES_H
#define SCHEMAC_RULES_H

#include "model.h"

/* Checks every type of the model, claims the C names it will have, and fills in what the checks
 * learn: row attributes, which types stand in arrays, which record has a union. */
MUST_CHECK enum outcome rules_check_types(struct model *model, struct error *error);

/* Checks the state-row attributes of a record (weir.key, weir.check, weir.scan) and fills
 * type->row. */
MUST_CHECK enum outcome rules_check_row(struct model *model, struct named *type,
                                        struct error *error);

/* Checks topics against their records (envelope, key field, one topic per record), and fills their
 * record. */
MUST_CHECK enum outcome rules_check_topics(struct model *model, struct error *error);

/* How a type is named in a refusal: "topics/place_order.avsc: PlaceOrder". */
const char *rules_owner(struct model *model, const struct named *type);

#endif
