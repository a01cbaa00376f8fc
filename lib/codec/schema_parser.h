/* schema_parser.h - what the parts of schema.c share: the parser's state, its limits, members of
 * JSON objects. */
#ifndef WEIR_CODEC_SCHEMA_PARSER_H
#define WEIR_CODEC_SCHEMA_PARSER_H

#include "base/json.h"
#include "codec/schema.h"

enum {
    MAX_TEXT_BYTES = 1024 * 1024,
    MAX_DEPTH = 32,
    MAX_NAMES = 1000,
    MAX_ITEMS = 20 * 1000, /* types, fields, symbols, branches and aliases together */
    MAX_FIELDS = 1000, /* of one record; the same for symbols, branches and aliases of one type */
    MAX_FIXED_BYTES = 16 * 1024 * 1024,
};

/* The record `from` has something of the record `to` in it: indexes into parser.named. */
struct mention {
    size_t from, to;
};

struct parser {
    struct arena *arena;
    struct error *error;
    schema_lookup *lookup;
    void *lookup_context;
    struct schema *named[MAX_NAMES];
    size_t named_count;
    struct mention mentions[MAX_ITEMS];
    size_t mention_count;
    size_t items;
    int depth;
    size_t enclosing; /* index of the innermost record around; MAX_NAMES: none */
};

/* Writes the reason and returns false: return parser_refuse(parser, "..."). */
bool parser_refuse(struct parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Every list of the text is counted here: `count` things named `what`. */
bool parser_take(struct parser *parser, size_t count, const char *what);

/* The text of a member; an absent optional one is NULL. false when it is something else than text.
 */
bool parser_optional(struct parser *parser, const struct json *object, const char *member,
                     const char **text);
bool parser_required(struct parser *parser, const struct json *object, const char *member,
                     const char **text);

/* A list member of names, NULL-terminated; untouched when the member is absent. `space` qualifies
 * full names (aliases of types); NULL asks for simple names. */
bool parser_names(struct parser *parser, const struct json *object, const char *member,
                  const char *space, const char ***names, size_t *count);

/* Documentation is for people: whatever else stands there is left to them, as NULL. */
const char *parser_doc(const struct json *object);

/* Index into parser->named, MAX_NAMES when it is not there. */
size_t parser_find(const struct parser *parser, const char *full_name);

/* The enclosing record has the named type `to` in it. */
void parser_mention(struct parser *parser, size_t to);

/* Sets `recursive` of every record that can be reached from itself. */
void parser_mark_recursive(struct parser *parser);

#endif
