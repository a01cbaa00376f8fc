/* replay.c - `weir replay`: a task's commits again, from its input along its history, beside what
 * they came to.
 *
 * It reads topics and, without ever writing or checkpointing it, the live state file; its own state
 * goes elsewhere. The file of a task that runs moves on meanwhile: the replay goes to the commit
 * where it stood at the start, looks again, and follows it over the few commits since, while a read
 * transaction holds it still.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "doctor/tasks.h"
#include "replay/replay_report.h"
#include "runtime/replay.h"
#include "tool.h"

enum { SAY_FIRST_MS = 1000, SAY_EVERY_MS = 2000, FOLLOW_TRIES = 100, FOLLOW_MS = 50 };

static struct tool_place place;
static int64_t partition = -1, to = -1;
static const char *state;
static bool compare_only, as_json;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"partition", 'p', OPTION_NUMBER, &partition, "N", "this task (required)"},
    {"to", 0, OPTION_NUMBER, &to, "COMMIT", "stop after this commit (default: the last one)"},
    {"state", 0, OPTION_TEXT, &state, "DIR", "put the replayed state there, and keep it"},
    {"compare-only", 0, OPTION_FLAG, &compare_only, NULL,
     "go on after a difference; count them, show the first few"},
    {"json", 0, OPTION_FLAG, &as_json, NULL, "one object for programs"},
    {0},
};

/* What the replay's state is compared with: the task's file, or the changelog's fold. */
struct other {
    char *path;     /* NULL: neither is there */
    char *name;     /* for people */
    int64_t number; /* the commit it stood at when we looked */
    char why[1200]; /* there is none */
    bool compared;
};

struct run {
    struct tasks tasks;
    char *directory; /* made by us, to be removed; NULL: none */
    char *path;      /* of the replay's file */
    struct other other;
    struct replay *replay;
    struct replay_report report;
    char not_compared[1400]; /* why; the report's */
    int64_t started_ms, said_ms;
};

/* ---- files ---- */

static char *path_in(const char *directory, const char *name)
{
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = xmalloc(size);
    snprintf(path, size, "%s/%s", directory, name);
    return path;
}

static enum outcome make_directory(struct run *run, struct error *error)
{
    const char *base = getenv("TMPDIR");
    run->directory = path_in(base && base[0] ? base : "/tmp", "weir-replay-XXXXXX");
    if (!mkdtemp(run->directory)) {
        enum outcome outcome =
            fail_exit(error, EXIT_IO, "%s cannot be made: %s", run->directory, strerror(errno));
        free(run->directory);
        run->directory = NULL;
        return outcome;
    }
    return OK;
}

static bool same_directory(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* <DIR>/<application.id>/p<N>.sqlite, so that DIR can be used as a state directory. */
static enum outcome choose_path(struct run *run, struct error *error)
{
    struct settings own = run->tasks.settings;
    own.state_dir = state ? state : run->directory;
    if (state && same_directory(state, run->tasks.settings.state_dir)) {
        return fail_exit(error, EXIT_USAGE,
                         "--state %s: that is the live state directory; a replay has its own",
                         state);
    }
    run->path = tool_state_path(&own, (int32_t)partition);
    if (access(run->path, F_OK) == 0) {
        return fail_exit(error, EXIT_USAGE,
                         "--state %s: %s is there already; a replay begins with an empty file",
                         state, run->path);
    }
    return OK;
}

static void remove_store(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; path && i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t size = strlen(path) + 8;
        char *file = xmalloc(size);
        snprintf(file, size, "%s%s", path, suffixes[i]);
        unlink(file);
        free(file);
    }
}

/* Only what we have made ourselves: the fold, and a state that nobody asked to keep. */
static void clean_up(struct run *run, bool keep)
{
    if (!run->directory) {
        return;
    }
    char *fold = path_in(run->directory, "fold.sqlite");
    remove_store(fold);
    free(fold);
    if (!keep && !state && run->path) {
        remove_store(run->path);
        *strrchr(run->path, '/') = 0;
        rmdir(run->path);
    }
    rmdir(run->directory); /* stays when something was kept in it */
}

/* ---- the other file ---- */

static struct replay_options replay_options(const struct run *run, const char *path)
{
    const struct settings *settings = &run->tasks.settings;
    return (struct replay_options){
        .processor = run->tasks.processor,
        .settings = settings->values,
        .application_id = settings->application_id,
        .partition = (int32_t)partition,
        .state_path = path,
        .port = run->tasks.port,
        .codec = run->tasks.decoder.codec,
        .take_max_bytes = (size_t)settings->take_max_bytes,
        .store_commit_ms = settings->store_commit_ms,
        .delete_retention_ms = settings->delete_retention_ms,
    };
}

static void name_other(struct other *other, const char *what, const char *name)
{
    size_t size = strlen(what) + strlen(name) + 1;
    other->name = xmalloc(size);
    snprintf(other->name, size, "%s%s", what, name);
}

static void choose_other(struct run *run)
{
    CHECK(run->directory != NULL);
    struct other *other = &run->other;
    struct store_meta meta = {0};
    struct error error;
    char *live = tool_state_path(&run->tasks.settings, (int32_t)partition);
    if (store_peek(live, &meta, &error) == OK && meta.commit_number > 0) {
        other->path = live;
        other->number = meta.commit_number;
        name_other(other, "", live);
        return;
    }
    free(live);
    char *fold = path_in(run->directory, "fold.sqlite");
    struct replay_options folding = replay_options(run, fold);
    enum outcome outcome = replay_fold(&folding, &meta, &error);
    if (outcome == OK && meta.commit_number > 0) {
        other->path = fold;
        other->number = meta.commit_number;
        name_other(other, "the changelog of ", folding.application_id);
        return;
    }
    snprintf(other->why, sizeof other->why, "there is no state file here, and the changelog %s%s",
             outcome == OK ? "is empty" : "cannot stand for it: ", outcome == OK ? "" : error.text);
    free(fold);
}

/* ---- along the history ---- */

static void say_progress(struct run *run)
{
    int64_t now = tool_now_ms(), first = run->started_ms + SAY_FIRST_MS;
    if (now < first || now - run->said_ms < SAY_EVERY_MS) {
        return;
    }
    run->said_ms = now;
    struct replay_counts counts = replay_counts(run->replay);
    fprintf(stderr,
            "weir replay: commit %" PRId64 ", %" PRId64 " records, %" PRId64 " of %" PRId64
            " of the history\n",
            replay_commit_number(run->replay), counts.records, counts.position, counts.end);
}

static enum outcome one_step(struct run *run, enum replay_found *found, struct error *error)
{
    struct replay_difference difference;
    enum outcome outcome = replay_step(run->replay, found, &difference, error);
    if (outcome == OK && *found == REPLAY_DIFFERS) {
        if (run->report.differing_commits < SHOWN_DIFFERENCES) {
            outcome = replay_name_cause(run->replay, &difference, error);
        }
        report_commit(&run->report, &difference);
    }
    if (outcome == OK && *found != REPLAY_END && run->report.from == 0) {
        run->report.from = replay_commit_number(run->replay);
    }
    say_progress(run);
    return outcome;
}

static bool has_seen_enough(const struct run *run)
{
    return tool_interrupted || (run->report.differing_commits > 0 && !compare_only) ||
           (to >= 0 && replay_commit_number(run->replay) >= to);
}

/* The replay is where the other file was at the start. That one may be ahead by now, but moves no
 * more while the snapshot is open. */
static enum outcome compare_state(struct run *run, struct error *error)
{
    struct other *other = &run->other;
    struct store_snapshot *snapshot;
    struct store_meta meta;
    enum outcome outcome = store_snapshot_open(&snapshot, other->path, &meta, error);
    if (outcome != OK) {
        return outcome;
    }
    enum replay_found found = REPLAY_SAME;
    for (int tries = 0; outcome == OK && tries < FOLLOW_TRIES && !has_seen_enough(run) &&
                        replay_commit_number(run->replay) < meta.commit_number;) {
        outcome = one_step(run, &found, error);
        if (outcome == OK && found == REPLAY_END) {
            tries++;
            usleep(FOLLOW_MS * 1000);
            outcome = replay_look(run->replay, error);
        }
    }
    other->number = meta.commit_number;
    if (outcome == OK && replay_commit_number(run->replay) == meta.commit_number) {
        other->compared = true;
        run->report.compared_at = meta.commit_number;
        outcome = replay_compare(run->replay, snapshot, report_row, &run->report, &run->report.rows,
                                 error);
    }
    store_snapshot_close(snapshot);
    return outcome;
}

static enum outcome follow(struct run *run, struct error *error)
{
    enum replay_found found = REPLAY_SAME;
    enum outcome outcome = OK;
    while (outcome == OK && found != REPLAY_END && !has_seen_enough(run)) {
        outcome = one_step(run, &found, error);
        bool is_there = run->other.path && !run->other.compared &&
                        replay_commit_number(run->replay) == run->other.number;
        if (outcome == OK && is_there && (compare_only || run->report.differing_commits == 0)) {
            outcome = compare_state(run, error);
        }
    }
    if (outcome == OK && found == REPLAY_END && to > replay_commit_number(run->replay)) {
        return fail_exit(error, EXIT_DATA,
                         "--to %" PRId64 ": the history ends with commit %" PRId64, to,
                         replay_commit_number(run->replay));
    }
    return outcome;
}

/* ---- the command ---- */

static enum outcome open_run(struct run *run, const struct weir_processor *processor,
                             struct error *error)
{
    struct admin *admin = NULL;
    enum outcome outcome = tool_admin(&place, &admin, error); /* is there a broker at all? */
    admin_close(admin);
    if (outcome == OK) {
        outcome = tasks_open(&run->tasks, &place, processor, 0, error);
    }
    if (outcome == OK && partition >= run->tasks.partitions) {
        return fail_exit(error, EXIT_USAGE, "--partition %" PRId64 ": %s has tasks 0 to %d",
                         partition, processor->name, (int)run->tasks.partitions - 1);
    }
    if (outcome == OK) {
        outcome = make_directory(run, error);
    }
    if (outcome == OK) {
        outcome = choose_path(run, error);
    }
    if (outcome == OK) {
        choose_other(run);
        struct replay_options opened = replay_options(run, run->path);
        outcome = replay_open(&run->replay, &opened, error);
    }
    return outcome;
}

static const char *why_not_compared(struct run *run)
{
    if (run->other.compared) {
        return NULL;
    }
    if (!run->other.path) {
        return run->other.why;
    }
    snprintf(run->not_compared, sizeof run->not_compared,
             "%s is at commit %" PRId64 ", the replay ended at %" PRId64, run->other.name,
             run->other.number, run->report.to);
    return run->not_compared;
}

static int tell(struct run *run)
{
    struct replay_report *report = &run->report;
    report->counts = replay_counts(run->replay);
    report->to = replay_commit_number(run->replay);
    report->took_ms = tool_now_ms() - run->started_ms;
    report->compared_with = run->other.name;
    report->not_compared = why_not_compared(run);
    bool differs = report->differing_commits > 0 || report->differing_rows > 0;
    report->kept = state || differs ? run->path : NULL;
    return report_end(report);
}

static int run_replay(size_t count, char **arguments)
{
    (void)count;
    const struct weir_processor *processor = tasks_processor("replay", &place, arguments[0]);
    if (!processor) {
        return EXIT_USAGE;
    }
    if (partition < 0) {
        return tool_usage("replay", "give --partition N: one task is replayed at a time");
    }
    log_set_level(LOG_ERROR); /* what was told once about dead letters is not told again */
    tool_catch_signals();
    struct run run = {.started_ms = tool_now_ms()};
    struct error error;
    enum outcome outcome = open_run(&run, processor, &error);
    report_init(&run.report, run.tasks.settings.application_id, (int32_t)partition, as_json);
    if (outcome == OK) {
        outcome = follow(&run, &error);
    }
    int code = outcome == OK ? tell(&run) : tool_fail("replay", outcome, &error);
    replay_close(run.replay);
    clean_up(&run, outcome == OK && code == EXIT_DATA);
    report_release(&run.report);
    tasks_release(&run.tasks);
    free(run.other.path);
    free(run.other.name);
    free(run.path);
    free(run.directory);
    return tool_interrupted && code == EXIT_DONE ? EXIT_TRY_AGAIN : code;
}

const struct command replay_command = {
    .name = "replay",
    .summary = "handle a task's input again along its history, and compare",
    .usage = "weir replay PROCESSOR --partition N [--to COMMIT] [--state DIR] [--compare-only]",
    .text =
        "Runs the handlers again over every commit of the history, from the first one on, and "
        "compares what\n"
        "each came to: outputs, rows, dead letters, timers. Then its state with the task's state "
        "file, which\n"
        "may be in use, or, where there is none, with the changelog. Nothing is written to Kafka "
        "or to the live\n"
        "state directory. It names the first difference: commit, input record, what differs; exit "
        "code 65.\n"
        "History and input must go back to the first commit (or to a weir reset "
        "--forget-everything), and the\n"
        "processor's settings must be what they were.\n"
        "  an audit           weir replay inventory --partition 0\n"
        "  a changed rule     build it, then: weir replay inventory --partition 0 --compare-only\n"
        "  a lost changelog   while nothing runs, for every task of it:\n"
        "                       weir replay inventory --partition 0 --state rescue\n"
        "                       weir reset inventory --partition 0 --changelog-from-file "
        "--state-dir rescue --execute\n"
        "                     DIR is laid out as a state directory; the next start rebuilds its "
        "own from the\n"
        "                     changelog, and rescue can be deleted",
    .example = "  weir replay inventory --partition 0\n"
               "  inventory.p0: 812 commits (1 to 812), 24310 records, 118 timers, 48120 outputs, "
               "3 dead letters in 0.6 s\n"
               "    commits: every one came to the same\n"
               "    state: 1520 rows, as in state/inventory/p0.sqlite at commit 812",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_replay,
};
