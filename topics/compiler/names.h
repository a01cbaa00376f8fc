/* names.h - Avro's names as C's, and the refusal of those that cannot be.
 *
 * OrderState is `enum order_state` with ORDER_STATE_NEW; PlaceOrder is `struct place_order`;
 * order.events is `order_events_topic`. Everything the compiler writes at file scope is claimed
 * first, so that two schemas that would make the same C name are refused by the names of both.
 */
#ifndef SCHEMAC_NAMES_H
#define SCHEMAC_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

/* "RawOrderLine" -> "raw_order_line", "HTTPCall" -> "http_call", "order.events" -> "order_events".
 */
const char *snake_case(struct arena *arena, const char *name);

/* "order_state" -> "ORDER_STATE", for the constants of an enum. */
const char *upper_case(struct arena *arena, const char *name);

/* The last part of a dotted name. */
const char *short_name(const char *full_name);

/* A lower-case C identifier: [a-z][a-z0-9_]*. */
bool is_lower_name(const char *name);

/* A keyword of C (up to C23), or a word that system headers define as a macro or a struct. */
bool is_taken_by_c(const char *name);

/* C keeps struct and enum tags apart from functions, objects and enum constants. */
enum name_space { TAG, ORDINARY };

struct claim {
    enum name_space space;
    const char *name, *owner;
};

struct names {
    struct claim *claims;
    size_t count, capacity;
};

/* Takes `name` (copied into `arena`) for `owner` ("enum OrderState", with its file). FATAL when
 * another owner has it, or C does, or it is one of the runtime's own (weir_...). */
MUST_CHECK enum outcome names_claim(struct names *names, struct arena *arena, enum name_space space,
                                    const char *name, const char *owner, struct error *error);
void names_release(struct names *names);

#endif
