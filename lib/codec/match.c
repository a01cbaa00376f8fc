/* match.c - names, aliases and their order of precedence. */
#include "codec/match.h"

#include <string.h>

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool is_alias(const char *name, const char *const *aliases)
{
    for (; aliases && *aliases; aliases++) {
        if (same(name, *aliases)) {
            return true;
        }
    }
    return false;
}

static bool same_last_part(const char *writer, const char *reader, const char *const *aliases)
{
    if (same(last_part(writer), last_part(reader))) {
        return true;
    }
    for (; aliases && *aliases; aliases++) {
        if (same(last_part(writer), last_part(*aliases))) {
            return true;
        }
    }
    return false;
}

bool match_name(const char *writer, const char *reader, const char *const *aliases)
{
    return same(writer, reader) || is_alias(writer, aliases) ||
           same_last_part(writer, reader, aliases);
}

static bool reader_has_field(const struct weir_record *reader, const char *name)
{
    for (size_t i = 0; i < reader->field_count; i++) {
        if (same(reader->fields[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool is_taken(const size_t *sources, size_t count, size_t source)
{
    for (size_t i = 0; i < count; i++) {
        if (sources[i] == source) {
            return true;
        }
    }
    return false;
}

void match_fields(const struct schema *writer, const struct weir_record *reader, size_t *sources)
{
    for (size_t i = 0; i < reader->field_count; i++) {
        const struct weir_field *field = &reader->fields[i];
        sources[i] = NO_MATCH;
        for (size_t j = 0; j < writer->field_count; j++) {
            if (same(writer->fields[j].name, field->name)) {
                sources[i] = j;
            }
        }
        for (size_t j = 0; sources[i] == NO_MATCH && j < writer->field_count; j++) {
            const char *name = writer->fields[j].name;
            if (is_alias(name, field->aliases) && !reader_has_field(reader, name) &&
                !is_taken(sources, i, j)) {
                sources[i] = j;
            }
        }
    }
}

void match_symbols(const struct schema *writer, const struct weir_enum *reader, int32_t *symbols)
{
    for (size_t i = 0; i < writer->symbol_count; i++) {
        symbols[i] = reader->default_symbol;
        for (int32_t j = 0; j < reader->symbol_count; j++) {
            if (same(writer->symbols[i], reader->symbols[j])) {
                symbols[i] = j;
            }
        }
    }
}

size_t match_branch(const struct schema *writer, const struct weir_record *const *branches)
{
    size_t by_alias = NO_MATCH, by_last_part = NO_MATCH;
    if (writer->kind != SCHEMA_RECORD) {
        return NO_MATCH;
    }
    for (size_t i = 0; branches[i]; i++) {
        if (same(writer->name, branches[i]->name)) {
            return i;
        }
        if (by_alias == NO_MATCH && is_alias(writer->name, branches[i]->aliases)) {
            by_alias = i;
        }
        if (by_last_part == NO_MATCH &&
            same_last_part(writer->name, branches[i]->name, branches[i]->aliases)) {
            by_last_part = i;
        }
    }
    return by_alias != NO_MATCH ? by_alias : by_last_part;
}
