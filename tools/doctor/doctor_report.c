/* doctor_report.c - what doctor found: a table and findings for people, one object for programs. */
#include "doctor/doctor_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tool.h"

/* ---- telling: people ---- */

static const char *number_text(bool known, int64_t number, char *text)
{
    snprintf(text, 24, known ? "%" PRId64 : "-", number);
    return text;
}

static void print_patient(const struct patient *patient)
{
    const struct task_facts *facts = &patient->facts;
    char name[128], group[24], last[24], file[24], waiting[32], lag[24];
    int64_t records = 0, behind = 0;
    bool placed = true;
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct input_facts *input = &facts->inputs[i];
        int64_t from = facts_position(facts, input);
        placed = placed && from >= 0;
        records += input->waiting.records;
        behind += input->log.high - from;
    }
    snprintf(waiting, sizeof waiting, "%" PRId64 "%s", records, records >= WAITING_MAX ? "+" : "");
    snprintf(name, sizeof name, "%.100s.p%d", facts->application_id, (int)facts->partition);
    printf("%-20s %10s %10s %10s %9s %11s   %s\n", name,
           number_text(facts->group == GROUP_AT, facts->number, group),
           number_text(facts->changelog.found, facts->changelog.checkpoint.commit_number, last),
           number_text(facts->file == FILE_READ, facts->meta.commit_number, file),
           placed ? waiting : "-", number_text(placed, behind, lag),
           diagnosis_needs_person(&patient->diagnosis) ? "NEEDS YOU"
           : patient->diagnosis.count > 0              ? "well, see below"
           : facts->moving                             ? "well, working"
                                                       : "well");
}

static size_t print_findings(const struct visit *visit)
{
    size_t needs = visit->topic_finding_count;
    for (size_t i = 0; i < visit->topic_finding_count; i++) {
        printf("\n%s\n", visit->topic_findings[i]);
    }
    for (size_t i = 0; i < visit->patient_count; i++) {
        const struct patient *patient = &visit->patients[i];
        needs += diagnosis_needs_person(&patient->diagnosis);
        for (size_t k = 0; k < patient->diagnosis.count; k++) {
            const struct finding *finding = &patient->diagnosis.items[k];
            printf("\n%s.p%d: %s\n", patient->facts.application_id, (int)patient->facts.partition,
                   finding->text);
            if (finding->needs_person) {
                printf("  mend it: %s\n", finding->command);
            }
        }
    }
    return needs;
}

void report_text(const struct visit *visit)
{
    printf("%-20s %10s %10s %10s %9s %11s\n", "task", "group", "changelog", "file", "waiting",
           "lag");
    for (size_t i = 0; i < visit->patient_count; i++) {
        print_patient(&visit->patients[i]);
    }
    for (size_t i = 0; i < visit->dead_count; i++) {
        char time[32];
        const struct dead_letters *dead = &visit->dead[i];
        if (dead->count > 0) {
            printf("%s%s: %" PRId64 " dead letters, the last at %s\n", i == 0 ? "\n" : "",
                   dead->topic, dead->count, tool_time(dead->last_ms, time));
        }
    }
    if (print_findings(visit) > 0) {
        printf("\nWithout --execute the commands only say what would change. Then look again: one "
               "trouble may hide another.\n");
    } else {
        printf("\nall is well\n");
    }
}

/* ---- telling: programs ---- */

static void add_text(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, "\"%s\":", name);
    json_quote(out, text, strlen(text));
}

static void add_input(struct buffer *out, const struct input_facts *input)
{
    buffer_add_byte(out, '{');
    add_text(out, "topic", input->topic);
    buffer_format(out,
                  ",\"committed\":%" PRId64 ",\"low\":%" PRId64 ",\"stable\":%" PRId64
                  ",\"high\":%" PRId64 ",\"waiting\":%" PRId64 ",\"held_since_ms\":%" PRId64 "}",
                  input->committed.offset, input->log.low, input->log.stable, input->log.high,
                  input->waiting.records, input->held_since_ms);
}

static const char *finding_name(enum finding_kind kind)
{
    static const char *const names[] = {
        [OFFSETS_HELD] = "offsets_held",
        [OFFSETS_FOREIGN] = "offsets_foreign",
        [OFFSETS_MIXED] = "offsets_mixed",
        [OFFSETS_PARTIAL] = "offsets_partial",
        [OFFSETS_SET_BACK] = "offsets_set_back",
        [OFFSETS_OF_ANOTHER] = "offsets_of_another_incarnation",
        [OFFSETS_DIFFER] = "offsets_differ",
        [OFFSETS_GONE] = "offsets_gone",
        [INPUT_NEW] = "input_new",
        [INPUT_CUT] = "input_cut",
        [INPUT_SHORT] = "input_short",
        [INPUT_PAUSED] = "input_paused",
        [INPUT_HELD] = "input_held",
        [CHANGELOG_EMPTY] = "changelog_empty",
        [CHANGELOG_BEHIND] = "changelog_behind",
        [CHANGELOG_CUT] = "changelog_cut",
        [CHANGELOG_HEADLESS] = "changelog_without_checkpoint",
        [CHANGELOG_UNREADABLE] = "changelog_unreadable",
        [CHANGELOG_HELD] = "changelog_held",
        [FILE_AHEAD] = "file_ahead",
        [FILE_ALONE] = "file_alone",
        [FILE_USELESS] = "file_set_aside",
    };
    return names[kind];
}

static void add_findings(struct buffer *out, const struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < diagnosis->count; i++) {
        const struct finding *finding = &diagnosis->items[i];
        buffer_add_string(out, i > 0 ? ",{" : "{");
        add_text(out, "kind", finding_name(finding->kind));
        buffer_format(out, ",\"needs_person\":%s,", finding->needs_person ? "true" : "false");
        add_text(out, "text", finding->text);
        buffer_add_byte(out, ',');
        add_text(out, "mend", finding->command);
        buffer_add_byte(out, '}');
    }
}

static void add_task(struct buffer *out, const struct patient *patient)
{
    const struct task_facts *facts = &patient->facts;
    const struct last_checkpoint *changelog = &facts->changelog;
    buffer_add_byte(out, '{');
    add_text(out, "processor", facts->processor);
    buffer_add_byte(out, ',');
    add_text(out, "application_id", facts->application_id);
    buffer_format(out, ",\"partition\":%d,\"moving\":%s", (int)facts->partition,
                  facts->moving ? "true" : "false");
    if (facts->group == GROUP_AT) {
        buffer_format(out, ",\"group_commit\":%" PRId64 ",\"incarnation\":\"%s\"", facts->number,
                      facts->incarnation);
    }
    if (changelog->found) {
        buffer_format(out, ",\"changelog_commit\":%" PRId64, changelog->checkpoint.commit_number);
    }
    if (facts->file == FILE_READ) {
        buffer_format(out, ",\"file_commit\":%" PRId64, facts->meta.commit_number);
    }
    buffer_format(out,
                  ",\"changelog\":{\"low\":%" PRId64 ",\"stable\":%" PRId64 ",\"high\":%" PRId64
                  ",\"held_since_ms\":%" PRId64 "},\"inputs\":[",
                  changelog->log.low, changelog->log.stable, changelog->log.high,
                  facts->changelog_held_since_ms);
    for (size_t i = 0; i < facts->input_count; i++) {
        if (i > 0) {
            buffer_add_byte(out, ',');
        }
        add_input(out, &facts->inputs[i]);
    }
    buffer_add_string(out, "],\"findings\":[");
    add_findings(out, &patient->diagnosis);
    buffer_add_string(out, "]}");
}

void report_json(const struct visit *visit, bool well)
{
    struct buffer out;
    buffer_init(&out);
    buffer_format(&out, "{\"well\":%s,\"tasks\":[", well ? "true" : "false");
    for (size_t i = 0; i < visit->patient_count; i++) {
        buffer_add_string(&out, i > 0 ? ",\n" : "\n");
        add_task(&out, &visit->patients[i]);
    }
    buffer_add_string(&out, "],\n\"topics\":[");
    for (size_t i = 0; i < visit->topic_finding_count; i++) {
        buffer_add_string(&out, i > 0 ? "," : "");
        json_quote(&out, visit->topic_findings[i], strlen(visit->topic_findings[i]));
    }
    buffer_add_string(&out, "],\n\"dead_letters\":{");
    for (size_t i = 0; i < visit->dead_count; i++) {
        buffer_format(&out, "%s\"%s\":%" PRId64, i > 0 ? "," : "", visit->dead[i].topic,
                      visit->dead[i].count);
    }
    buffer_add_string(&out, "}}\n");
    fwrite(out.data, out.size, 1, stdout);
    buffer_release(&out);
}
