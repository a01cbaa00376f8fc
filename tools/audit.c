/* audit.c - `weir audit`: reads what is committed and proves the invariants, or names the first
 * record that breaks one.
 *
 * Here is the command: options, state files, the report. tools/audit/ has the rest: audit.h the
 * checks, reading.h the logs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/fold.h"
#include "audit/reading.h"
#include "processors.h"
#include "runtime/topology.h"
#include "runtime_records.h"
#include "store/store.h"
#include "tool.h"

enum { GRACE_MS = 60 * 1000, FINDINGS = 3 };

static struct tool_place place;
static bool online, json, with_stores;
static const char *only_text;
static int64_t findings_kept = FINDINGS, grace_ms = GRACE_MS;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"stores", 0, OPTION_FLAG, &with_stores, NULL,
     "every state file must be here (default: check those that are)"},
    {"online", 0, OPTION_FLAG, &online, NULL,
     "the system runs: check what must hold at any moment"},
    {"only", 0, OPTION_TEXT, &only_text, "I3,I24", "only these invariants"},
    {"findings", 0, OPTION_NUMBER, &findings_kept, "N",
     "show so many findings of each invariant (default: 3)"},
    {"grace", 0, OPTION_NUMBER, &grace_ms, "MS",
     "how far a hold may outlive its expiry (default: 60000)"},
    {"json", 0, OPTION_FLAG, &json, NULL, "the report as one JSON object"},
    {0},
};

/* ---- state files ---- */

struct folding {
    struct fold *fold;
    bool complete;
};

static void feed_fold(void *context, const char *topic, struct port_record *record)
{
    struct folding *folding = context;
    (void)topic;
    fold_record(folding->fold, record->offset, record->key, record->value);
    folding->complete = fold_is_complete(folding->fold);
}

/* The processor's tables and the timers'; in the reading's arena. */
static const struct weir_store *const *all_tables(struct reading *reading,
                                                  const struct weir_processor *processor)
{
    const struct weir_store **tables =
        arena_alloc(&reading->arena, (WEIR_LIST_MAX + 2) * sizeof *tables);
    size_t count = 0;
    while (count < WEIR_LIST_MAX && processor->stores[count]) {
        tables[count] = processor->stores[count];
        count++;
    }
    tables[count] = &timer_row_store;
    return tables;
}

/* The file's commit first, then the changelog's end: a file is never ahead of that. */
static enum outcome check_file(struct reading *reading, const struct weir_processor *processor,
                               const char *changelog, int32_t partition, const char *path,
                               struct error *error)
{
    struct store_meta meta;
    struct error why;
    if (store_peek(path, &meta, &why) != OK) {
        fold_missing(reading->audit, path, why.text);
        return OK;
    }
    const struct weir_store *const *tables = all_tables(reading, processor);
    struct folding folding = {fold_open(reading->audit, changelog, partition, tables,
                                        meta.commit_number),
                              false};
    folding.complete = fold_is_complete(folding.fold);
    enum outcome outcome = reading_partition(reading, changelog, partition, feed_fold, &folding,
                                             &folding.complete, error);
    if (outcome == OK && !tool_interrupted) {
        fold_compare(folding.fold, path);
    }
    fold_close(folding.fold);
    return outcome;
}

static enum outcome check_processor(struct reading *reading, size_t number, size_t *files,
                                    struct error *error)
{
    const struct settings *settings = &reading->settings[number];
    const char *changelog = arena_format(&reading->arena, "%s.changelog", settings->application_id);
    enum outcome outcome = OK;
    for (int32_t p = 0;
         p < topology_partitions(processors[number]) && outcome == OK && !tool_interrupted; p++) {
        char *text = tool_state_path(settings, p);
        const char *path = arena_format(&reading->arena, "%s", text);
        free(text);
        if (access(path, F_OK) == 0) {
            (*files)++;
            outcome = check_file(reading, processors[number], changelog, p, path, error);
        } else if (with_stores) {
            fold_missing(reading->audit, path, "expected a state file, found none");
        }
    }
    return outcome;
}

static enum outcome check_stores(struct reading *reading, struct error *error)
{
    size_t files = 0;
    enum outcome outcome = OK;
    for (size_t i = 0; processors[i] && outcome == OK; i++) {
        outcome = check_processor(reading, i, &files, error);
    }
    if (files == 0 && !with_stores) {
        audit_skip(reading->audit, I28, "no state files here");
    }
    return outcome;
}

/* ---- the command ---- */

static enum outcome load_settings(struct reading *reading, struct error *error)
{
    enum outcome outcome = OK;
    for (size_t i = 0; processors[i] && outcome == OK; i++) {
        CHECK(i < WEIR_LIST_MAX);
        outcome = tool_settings(&place, processors[i], &reading->settings[i], error);
        reading->settings_count++;
    }
    return outcome;
}

static enum outcome work(struct reading *reading, uint32_t only, struct error *error)
{
    enum outcome outcome = load_settings(reading, error);
    if (outcome == OK) {
        struct audit_options audit_options = {
            .online = online,
            .only = only,
            .findings_kept = (size_t)findings_kept,
            .grace_ms = grace_ms,
            .schema_dir = reading->settings[0].schema_dir,
        };
        outcome = audit_open(&reading->audit, &audit_options, error);
    }
    if (outcome == OK) {
        outcome = tool_admin(&place, &reading->admin, error);
    }
    const uint32_t stores = UINT32_C(1) << I28;
    bool wants_stores = !online && (only == 0 || (only & stores) != 0);
    if (outcome == OK && only != stores) {
        outcome = reading_choose(reading, error);
    }
    if (outcome == OK) {
        outcome = reading_feed(reading, error);
    }
    if (outcome == OK && wants_stores) {
        outcome = check_stores(reading, error);
    }
    if (outcome == OK && tool_interrupted) {
        outcome = fail_exit(error, EXIT_TRY_AGAIN, "interrupted: nothing is proved");
    }
    if (outcome == OK) {
        audit_finish(reading->audit);
    }
    return outcome;
}

static void report(const struct reading *reading)
{
    const struct findings *findings = audit_findings(reading->audit);
    if (json) {
        struct buffer text;
        buffer_init(&text);
        findings_to_json(findings, &text);
        puts(buffer_string(&text));
        buffer_release(&text);
        return;
    }
    findings_print(findings, stdout);
    printf("%s: %" PRId64 " records read in %.1f s\n",
           findings_clean(findings) ? "clean" : "BROKEN", audit_record_count(reading->audit),
           (double)(tool_now_ms() - reading->started_ms) / 1000);
}

static int run(size_t count, char **arguments)
{
    (void)count, (void)arguments;
    uint32_t only = 0;
    const char *unknown;
    if (only_text && !invariants_read(only_text, &only, &unknown)) {
        return tool_usage("audit",
                          "--only %s: there is no invariant '%s'; write I1 to I28, with commas",
                          only_text, unknown);
    }
    if (findings_kept < 1 || grace_ms < 0) {
        return tool_usage("audit", "--findings must be at least 1, --grace at least 0");
    }
    struct reading reading;
    struct error error;
    reading_init(&reading);
    tool_catch_signals();
    enum outcome outcome = work(&reading, only, &error);
    reading_end_progress(&reading);
    int code;
    if (outcome != OK) {
        code = tool_fail("audit", outcome, &error);
    } else {
        report(&reading);
        code = findings_clean(audit_findings(reading.audit)) ? EXIT_DONE : EXIT_DATA;
    }
    reading_release(&reading);
    return code;
}

const struct command audit_command = {
    .name = "audit",
    .summary = "prove from the topics and state files that nothing was lost, doubled or invented",
    .usage = "weir audit [options]",
    .text = "Reads every committed record of all topics and checks the invariants of stock, "
            "orders, money, exactly-once,\n"
            "views and state files; each that does not hold is shown with the first records that "
            "break it. It shares no\n"
            "code with the processors but the records' layouts. It expects the system to be at "
            "rest: while it runs, use\n"
            "--online. Exit codes: 0 clean, 65 broken, 69 no broker.",
    .example = "  weir audit\n"
               "  I3   stock ledger gapless, running balances     ok      123,456 movements",
    .options = options,
    .run = run,
};
