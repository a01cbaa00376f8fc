/* replay_report.c - telling. */
#include "replay/replay_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

void report_init(struct replay_report *report, const char *application_id, int32_t partition,
                 bool as_json)
{
    *report = (struct replay_report){.application_id = application_id,
                                     .partition = partition,
                                     .as_json = as_json};
    buffer_init(&report->commits);
    buffer_init(&report->row_texts);
}

void report_release(struct replay_report *report)
{
    buffer_release(&report->commits);
    buffer_release(&report->row_texts);
}

static void add_text(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, "\"%s\":", name);
    if (text && text[0]) {
        json_quote(out, text, strlen(text));
    } else {
        buffer_add_string(out, "null");
    }
}

/* ---- commits ---- */

void report_commit(struct replay_report *report, const struct replay_difference *difference)
{
    if (++report->differing_commits > SHOWN_DIFFERENCES) {
        return;
    }
    struct buffer *out = &report->commits;
    if (report->as_json) {
        buffer_format(out, "%s{\"commit\":%" PRId64 ",\"tick\":%s,", out->size > 0 ? "," : "",
                      difference->commit_number, difference->tick ? "true" : "false");
        add_text(out, "inputs", difference->inputs);
        buffer_add_byte(out, ',');
        add_text(out, "what", difference->what);
        buffer_add_byte(out, ',');
        add_text(out, "record", difference->record);
        buffer_add_byte(out, ',');
        add_text(out, "effect", difference->effect);
        buffer_add_byte(out, '}');
        return;
    }
    printf("commit %" PRId64 " differs: %s\n", difference->commit_number, difference->what);
    printf("  it handled %s\n", difference->inputs[0] ? difference->inputs
                                : difference->tick    ? "no record: it was a tick"
                                                      : "no record");
    if (difference->record[0]) {
        printf("  first by %s: %s\n", difference->record, difference->effect);
    }
}

/* ---- rows ---- */

static void add_row_json(struct buffer *out, const struct store_difference *difference)
{
    buffer_format(out, "%s{", out->size > 0 ? "," : "");
    add_text(out, "table", difference->table->name);
    buffer_add_byte(out, ',');
    add_text(out, "key", difference->key);
    buffer_format(out, ",\"replayed\":%s,\"stored\":%s,\"columns\":[",
                  difference->in_one ? "true" : "false", difference->in_other ? "true" : "false");
    for (size_t i = 0; i < difference->column_count; i++) {
        buffer_add_string(out, i > 0 ? ",{" : "{");
        add_text(out, "name", difference->columns[i]);
        buffer_add_byte(out, ',');
        add_text(out, "replayed", difference->one[i]);
        buffer_add_byte(out, ',');
        add_text(out, "stored", difference->other[i]);
        buffer_add_byte(out, '}');
    }
    buffer_add_string(out, "]}");
}

static const char *or_null(const char *text)
{
    return text ? text : "null";
}

bool report_row(void *context, const struct store_difference *difference)
{
    struct replay_report *report = context;
    if (++report->differing_rows > SHOWN_DIFFERENCES) {
        return true;
    }
    if (report->as_json) {
        add_row_json(&report->row_texts, difference);
        return true;
    }
    printf("%s %s differs at commit %" PRId64 ": ", difference->table->name, difference->key,
           report->compared_at);
    if (!difference->in_one || !difference->in_other) {
        printf("%s\n",
               difference->in_one ? "it is in the replay alone" : "it is not in the replay");
        return true;
    }
    for (size_t i = 0; i < difference->column_count; i++) {
        printf("%s%s %s, stored %s", i > 0 ? "; " : "", difference->columns[i],
               or_null(difference->one[i]), or_null(difference->other[i]));
    }
    printf("\n");
    return true;
}

/* ---- the sum ---- */

static const char *plural(int64_t number)
{
    return number == 1 ? "" : "s";
}

static void end_text(const struct replay_report *report)
{
    const struct replay_counts *counts = &report->counts;
    printf("%s.p%d: %" PRId64 " commit%s (%" PRId64 " to %" PRId64 "), %" PRId64
           " record%s, %" PRId64 " timer%s, %" PRId64 " output%s, %" PRId64
           " dead letter%s in %.1f s\n",
           report->application_id, (int)report->partition, counts->commits, plural(counts->commits),
           report->from, report->to, counts->records, plural(counts->records), counts->timers,
           plural(counts->timers), counts->outputs, plural(counts->outputs), counts->dead,
           plural(counts->dead), (double)report->took_ms / 1000);
    if (report->differing_commits > 0) {
        printf("  commits: %" PRId64 " differ%s\n", report->differing_commits,
               report->differing_commits == 1 ? "s" : "");
    } else {
        printf("  commits: every one came to the same\n");
    }
    if (!report->compared_with || report->not_compared) {
        printf("  state: not compared: %s\n", report->not_compared);
    } else if (report->differing_rows > 0) {
        printf("  state: %" PRId64 " row%s differ%s from %s at commit %" PRId64 "\n",
               report->differing_rows, plural(report->differing_rows),
               report->differing_rows == 1 ? "s" : "", report->compared_with, report->compared_at);
    } else {
        printf("  state: %" PRId64 " row%s, as in %s at commit %" PRId64 "\n", report->rows,
               plural(report->rows), report->compared_with, report->compared_at);
    }
    if (report->kept) {
        printf("  the replayed state is in %s\n", report->kept);
    }
}

static void end_json(const struct replay_report *report)
{
    const struct replay_counts *counts = &report->counts;
    bool same = report->differing_commits == 0 && report->differing_rows == 0;
    struct buffer out;
    buffer_init(&out);
    buffer_add_byte(&out, '{');
    add_text(&out, "application_id", report->application_id);
    buffer_format(&out,
                  ",\"partition\":%d,\"same\":%s,\"commits\":%" PRId64 ",\"from\":%" PRId64
                  ",\"to\":%" PRId64 ",\"records\":%" PRId64 ",\"timers\":%" PRId64
                  ",\"outputs\":%" PRId64 ",\"dead_letters\":%" PRId64 ",\"ms\":%" PRId64
                  ",\"differing_commits\":%" PRId64 ",\"commit_differences\":[",
                  (int)report->partition, same ? "true" : "false", counts->commits, report->from,
                  report->to, counts->records, counts->timers, counts->outputs, counts->dead,
                  report->took_ms, report->differing_commits);
    buffer_add(&out, report->commits.data, report->commits.size);
    buffer_add_string(&out, "],\"state\":{");
    add_text(&out, "compared_with", report->not_compared ? NULL : report->compared_with);
    buffer_add_byte(&out, ',');
    add_text(&out, "not_compared", report->not_compared);
    buffer_format(&out,
                  ",\"commit\":%" PRId64 ",\"rows\":%" PRId64 ",\"differing_rows\":%" PRId64
                  ",\"row_differences\":[",
                  report->compared_at, report->rows, report->differing_rows);
    buffer_add(&out, report->row_texts.data, report->row_texts.size);
    buffer_add_string(&out, "]},");
    add_text(&out, "state_file", report->kept);
    printf("%s}\n", buffer_string(&out));
    buffer_release(&out);
}

int report_end(const struct replay_report *report)
{
    if (report->as_json) {
        end_json(report);
    } else {
        end_text(report);
    }
    return report->differing_commits > 0 || report->differing_rows > 0 ? EXIT_DATA : EXIT_DONE;
}
