/* json.h - JSON trees, read-only; the one place that knows jansson.
 *
 * A tree lives as long as the arena it is read into, or until json_free of its root. Numbers that
 * are not integers are kept apart (JSON_REAL_NUMBER) and never turned into integers. Duplicate
 * members, a NUL in a member's name, integers beyond 64 bits, bad UTF-8 and trailing text are
 * refused; depth is bounded (64), and so are values (250,000 a text).
 */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

struct json;

enum json_kind {
    JSON_NULL_VALUE,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_REAL_NUMBER,
    JSON_TEXT,
    JSON_LIST,
    JSON_MEMBERS
};

/* FATAL (EXIT_DATA) with "line L, column C: reason". */
MUST_CHECK enum outcome json_parse(struct json **root, const void *text, size_t size,
                                   struct error *error);
void json_free(struct json *root); /* only of json_parse's root; NULL is fine */

/* The same with the whole tree in `arena`: nothing to free. */
MUST_CHECK enum outcome json_parse_in(struct json **root, const void *text, size_t size,
                                      struct arena *arena, struct error *error);

enum json_kind json_kind(const struct json *value);
bool json_boolean(const struct json *value);
int64_t json_number(const struct json *value); /* of a JSON_NUMBER (json_integer is jansson's) */
const char *json_text(
    const struct json *value); /* of a JSON_TEXT; may hold NULs: see json_text_size */
size_t json_text_size(const struct json *value);

size_t json_count(const struct json *value); /* of a list or an object */
const struct json *json_at(const struct json *list, size_t index);
const struct json *json_get(const struct json *object, const char *member); /* NULL when absent */

/* Members in the text's order: for (json_walk w = json_first(o); w; w = json_next(o, w)). */
void *json_first(const struct json *object);
void *json_next(const struct json *object, void *at);
const char *json_name(void *at);
const struct json *json_value(void *at);

/* Appends a JSON string literal: quotes, escapes, UTF-8 passed through, invalid UTF-8 as U+FFFD. */
void json_quote(struct buffer *out, const char *text, size_t size);

/* Appends the value as compact JSON. */
void json_print(const struct json *value, struct buffer *out);

#endif
