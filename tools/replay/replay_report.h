/* replay_report.h - what a replay found: lines for people as it goes, one object for programs. */
#ifndef WEIR_TOOLS_REPLAY_REPORT_H
#define WEIR_TOOLS_REPLAY_REPORT_H

#include "base/buffer.h"
#include "runtime/replay.h"

enum { SHOWN_DIFFERENCES = 3 }; /* of commits, and of rows */

struct replay_report {
    const char *application_id;
    int32_t partition;
    bool as_json;
    int64_t from, to; /* commits; 0: none */
    struct replay_counts counts;
    int64_t took_ms;

    int64_t differing_commits;
    struct buffer commits; /* JSON of those shown */

    const char *compared_with; /* "the state file ...", "the fold of ..."; NULL: nothing */
    const char *not_compared;  /* why; NULL when it was */
    int64_t compared_at, rows, differing_rows;
    struct buffer row_texts; /* JSON of those shown */

    const char *kept; /* the replay's file; NULL: removed */
};

void report_init(struct replay_report *report, const char *application_id, int32_t partition,
                 bool as_json);
void report_release(struct replay_report *report);

/* Tells one, if it is among the first. */
void report_commit(struct replay_report *report, const struct replay_difference *difference);

/* A store_difference_callback; `context` is the report. */
bool report_row(void *context, const struct store_difference *difference);

/* The sum. Returns EXIT_DONE, or EXIT_DATA when anything differs. */
int report_end(const struct replay_report *report);

#endif
