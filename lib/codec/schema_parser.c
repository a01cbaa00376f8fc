/* schema_parser.c - the schema parser's counting, its JSON members and its question about
 * recursion. */
#include "codec/schema_parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/schema_rules.h"

bool parser_refuse(struct parser *parser, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    parser->error->exit_code = EXIT_CONFIG;
    vsnprintf(parser->error->text, sizeof parser->error->text, format, args);
    va_end(args);
    return false;
}

bool parser_take(struct parser *parser, size_t count, const char *what)
{
    if (count > MAX_FIELDS) {
        return parser_refuse(parser, "%zu %s; at most %d are allowed", count, what, MAX_FIELDS);
    }
    parser->items += count;
    return parser->items <= MAX_ITEMS ||
           parser_refuse(parser, "the schema has more than %d parts", MAX_ITEMS);
}

static bool is_plain_text(const struct json *value)
{
    return json_kind(value) == JSON_TEXT && strlen(json_text(value)) == json_text_size(value);
}

bool parser_optional(struct parser *parser, const struct json *object, const char *member,
                     const char **text)
{
    const struct json *value = json_get(object, member);
    *text = NULL;
    if (value && !is_plain_text(value)) {
        return parser_refuse(parser, "\"%s\" must be a string", member);
    }
    if (value) {
        *text = json_text(value);
    }
    return true;
}

bool parser_required(struct parser *parser, const struct json *object, const char *member,
                     const char **text)
{
    if (!parser_optional(parser, object, member, text)) {
        return false;
    }
    return *text || parser_refuse(parser, "\"%s\" is missing", member);
}

const char *parser_doc(const struct json *object)
{
    const struct json *value = json_get(object, "doc");
    return value && is_plain_text(value) ? json_text(value) : NULL;
}

bool parser_names(struct parser *parser, const struct json *object, const char *member,
                  const char *space, const char ***names, size_t *count)
{
    const struct json *list = json_get(object, member);
    if (!list) {
        return true;
    }
    if (json_kind(list) != JSON_LIST) {
        return parser_refuse(parser, "\"%s\" must be a list of names", member);
    }
    *count = json_count(list);
    if (!parser_take(parser, *count, member)) {
        return false;
    }
    *names = arena_alloc(parser->arena, (*count + 1) * sizeof **names);
    for (size_t i = 0; i < *count; i++) {
        const struct json *item = json_at(list, i);
        const char *name = is_plain_text(item) ? json_text(item) : "";
        if (space ? !name_is_full(name) : !name_is_simple(name)) {
            return parser_refuse(parser, "\"%s\" holds \"%s\", which is not a name", member, name);
        }
        (*names)[i] = space ? name_qualify(parser->arena, name, space) : name;
    }
    return true;
}

size_t parser_find(const struct parser *parser, const char *full_name)
{
    for (size_t i = 0; i < parser->named_count; i++) {
        if (strcmp(parser->named[i]->name, full_name) == 0) {
            return i;
        }
    }
    return MAX_NAMES;
}

void parser_mention(struct parser *parser, size_t to)
{
    if (parser->enclosing != MAX_NAMES) {
        CHECK(parser->mention_count < MAX_ITEMS);
        parser->mentions[parser->mention_count++] =
            (struct mention){.from = parser->enclosing, .to = to};
    }
}

/* Warshall's closure over rows of bits: a thousand named types that mention each other cost 16
 * million words. */
void parser_mark_recursive(struct parser *parser)
{
    size_t count = parser->named_count, words = count / 64 + 1;
    uint64_t *reach = xcalloc(count * words, sizeof *reach);
    for (size_t i = 0; i < parser->mention_count; i++) {
        struct mention mention = parser->mentions[i];
        reach[mention.from * words + mention.to / 64] |= UINT64_C(1) << mention.to % 64;
    }
    for (size_t via = 0; via < count; via++) {
        for (size_t from = 0; from < count; from++) {
            bool reaches = reach[from * words + via / 64] >> via % 64 & 1;
            for (size_t word = 0; reaches && word < words; word++) {
                reach[from * words + word] |= reach[via * words + word];
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        parser->named[i]->recursive = reach[i * words + i / 64] >> i % 64 & 1;
    }
    free(reach);
}
