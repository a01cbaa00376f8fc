/* findings.c - the list of invariants, and the report. */
#include "findings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"

static const struct {
    const char *name, *title, *unit;
    bool online;
    enum beginning needs;
} invariants[INVARIANTS] = {
    [I1] = {"I1", "on hand = what came in - what went out", "shelves", false, NEEDS_ALL},
    [I2] = {"I2", "no balance negative, none above on hand", "balances", true, NEEDS_NOTHING},
    [I3] = {"I3", "stock ledger gapless, running balances", "movements", true, NEEDS_LEDGERS},
    [I4] = {"I4", "held and committed = what the replies say", "reservations", false, NEEDS_ALL},
    [I5] = {"I5", "one final answer, repeats identical", "replies", true, NEEDS_ALL},
    [I6] = {"I6", "no unit twice", "movements", true, NEEDS_ALL},
    [I7] = {"I7", "holds end in time, no commit after", "reservations", true, NEEDS_ALL},
    [I8] = {"I8", "every order comes to one end", "orders", false, NEEDS_ALL},
    [I9] = {"I9", "order events gapless, legal transitions", "events", true, NEEDS_LEDGERS},
    [I10] = {"I10", "all or nothing, no line dropped silently", "events", true, NEEDS_ALL},
    [I11] = {"I11", "orders and stock agree", "orders", false, NEEDS_ALL},
    [I13] = {"I13", "totals = lines + fee, to the minor unit", "orders", true, NEEDS_ALL},
    [I22] = {"I22", "no output twice", "outputs", true, NEEDS_NOTHING},
    [I23] = {"I23", "every committed input has its outcome", "inputs", true, NEEDS_ALL},
    [I24] = {"I24", "every cause has all its outputs", "causes", true, NEEDS_ALL},
    [I25] = {"I25", "flow: commits gapless, in = out", "commits", true, NEEDS_ALL},
    [I27] = {"I27", "views = fold of their events", "views", false, NEEDS_LEDGERS},
    [I28] = {"I28", "state files = fold of their changelogs", "rows", false, NEEDS_NOTHING},
};

const char *invariant_name(enum invariant invariant)
{
    return invariants[invariant].name;
}

bool invariant_is_online(enum invariant invariant)
{
    return invariants[invariant].online;
}

enum beginning invariant_needs(enum invariant invariant)
{
    return invariants[invariant].needs;
}

bool invariants_read(const char *text, uint32_t *only, const char **unknown)
{
    *only = 0;
    while (*text) {
        size_t length = strcspn(text, ",");
        int found = -1;
        for (int i = 0; i < INVARIANTS; i++) {
            if (strlen(invariants[i].name) == length &&
                strncmp(invariants[i].name, text, length) == 0) {
                found = i;
            }
        }
        if (found < 0) {
            *unknown = text;
            return false;
        }
        *only |= UINT32_C(1) << found;
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return true;
}

void findings_init(struct findings *findings, size_t keep, uint32_t only)
{
    *findings = (struct findings){.keep = keep, .only = only ? only : UINT32_MAX};
    arena_init(&findings->arena);
}

void findings_release(struct findings *findings)
{
    free(findings->list);
    findings->list = NULL;
    findings->count = 0;
    arena_release(&findings->arena);
}

static const char *place_text(struct findings *findings, const struct place *place)
{
    if (place->partition < 0) {
        return arena_format(&findings->arena, "%s", place->topic);
    }
    if (place->offset < 0) {
        return arena_format(&findings->arena, "%s/%" PRId32, place->topic, place->partition);
    }
    return arena_format(&findings->arena, "%s/%" PRId32 "/%" PRId64, place->topic, place->partition,
                        place->offset);
}

void findings_add(struct findings *findings, enum invariant invariant, const struct place *place,
                  const char *format, va_list args)
{
    if ((findings->only & UINT32_C(1) << invariant) == 0 || findings->tallies[invariant].skipped) {
        return;
    }
    findings->tallies[invariant].broken++;
    if (findings->tallies[invariant].kept >= findings->keep) {
        return;
    }
    findings->tallies[invariant].kept++;
    findings->list = xrealloc(findings->list, (findings->count + 1) * sizeof *findings->list);
    findings->list[findings->count++] = (struct finding){
        .invariant = invariant,
        .place = place_text(findings, place),
        .text = arena_vformat(&findings->arena, format, args),
    };
}

bool findings_clean(const struct findings *findings)
{
    for (int i = 0; i < INVARIANTS; i++) {
        if (findings->tallies[i].broken > 0) {
            return false;
        }
    }
    return true;
}

/* "1,234,567" in `text` (at least 32 bytes). */
static const char *grouped(int64_t number, char *text)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, number);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = 0;
    return text;
}

static void print_invariant(const struct findings *findings, enum invariant invariant, FILE *out)
{
    char checked[32], broken[32];
    const char *unit = invariants[invariant].unit;
    fprintf(out, "%-4s %-42s ", invariants[invariant].name, invariants[invariant].title);
    if (findings->tallies[invariant].skipped) {
        fprintf(out, "--      %s\n", findings->tallies[invariant].skipped);
        return;
    }
    grouped(findings->tallies[invariant].checked, checked);
    if (findings->tallies[invariant].broken == 0) {
        fprintf(out, "ok      %s %s\n", checked, unit);
        return;
    }
    fprintf(out, "BROKEN  %s findings, %s %s checked\n",
            grouped(findings->tallies[invariant].broken, broken), checked, unit);
    for (size_t i = 0; i < findings->count; i++) {
        if (findings->list[i].invariant == invariant) {
            fprintf(out, "     %s: %s\n", findings->list[i].place, findings->list[i].text);
        }
    }
    int64_t more = findings->tallies[invariant].broken - (int64_t)findings->tallies[invariant].kept;
    if (more > 0) {
        fprintf(out, "     and %s more (--findings N shows them)\n", grouped(more, broken));
    }
}

void findings_print(const struct findings *findings, FILE *out)
{
    for (int i = 0; i < INVARIANTS; i++) {
        if ((findings->only & UINT32_C(1) << i) != 0) {
            print_invariant(findings, (enum invariant)i, out);
        }
    }
}

static void quoted(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, ",\"%s\":", name);
    json_quote(out, text, strlen(text));
}

void findings_to_json(const struct findings *findings, struct buffer *out)
{
    buffer_format(out, "{\"clean\":%s,\"invariants\":[",
                  findings_clean(findings) ? "true" : "false");
    const char *separator = "";
    for (int i = 0; i < INVARIANTS; i++) {
        if ((findings->only & UINT32_C(1) << i) == 0) {
            continue;
        }
        const char *skipped = findings->tallies[i].skipped;
        buffer_format(out, "%s{\"id\":\"%s\"", separator, invariants[i].name);
        quoted(out, "title", invariants[i].title);
        quoted(out, "status",
               skipped                           ? "skipped"
               : findings->tallies[i].broken > 0 ? "broken"
                                                 : "ok");
        if (skipped) {
            quoted(out, "because", skipped);
        }
        buffer_format(out, ",\"checked\":%" PRId64, findings->tallies[i].checked);
        quoted(out, "unit", invariants[i].unit);
        buffer_format(out, ",\"broken\":%" PRId64 "}", findings->tallies[i].broken);
        separator = ",";
    }
    buffer_add_string(out, "],\"findings\":[");
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        buffer_format(out, "%s{\"id\":\"%s\"", i > 0 ? "," : "",
                      invariants[finding->invariant].name);
        quoted(out, "place", finding->place);
        quoted(out, "text", finding->text);
        buffer_add_byte(out, '}');
    }
    buffer_add_string(out, "]}");
}
