/* watch.c - `weir watch`: how the orders are doing, while they do it and at the end.
 *
 * Reads what anybody can read: order.raw for what was placed, order.events for the answers, the
 * dead-letter topics, stock.levels. Committed records only, from the beginning of the topics, so
 * that it may be started late.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "processors.h"
#include "shop.h"
#include "tool.h"
#include "watch/figures.h"

enum {
    WAIT_MS = 100,
    SAY_EVERY_MS = 1000,
    FOLLOW = -2,
    TOPICS_MAX = 64,
    LEADER_TRIES = 100, /* WAIT_MS apart: a topic just made may have no leader yet */
    CALM_MS = 500,      /* after the last expected answer: views and dead letters may still come */
    CALM_UNEXPECTED_MS = 5000, /* nobody said how many orders there are */
};

static struct tool_place place;
static int64_t expected = -1, quiet_s = 30, timeout_s = 0;
static bool until_settled, from_now, from_start;
static const char *json_path, *status_path, *run_id;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"until-settled", 0, OPTION_FLAG, &until_settled, NULL,
     "end when every order is answered or dead-lettered"},
    {"orders", 'n', OPTION_NUMBER, &expected, "N",
     "the same, once order.raw has N records (cancellations count)"},
    {"quiet", 0, OPTION_NUMBER, &quiet_s, "SECONDS",
     "give up when nothing moves for so long (default: 30)"},
    {"timeout", 0, OPTION_NUMBER, &timeout_s, "SECONDS", "give up after so long (default: never)"},
    {"run-id", 0, OPTION_TEXT, &run_id, "TEXT", "only orders of this `weir load`"},
    {"from-start", 0, OPTION_FLAG, &from_start, NULL,
     "count what is in the topics already (the default)"},
    {"from-now", 0, OPTION_FLAG, &from_now, NULL, "count only what comes from now on"},
    {"status", 0, OPTION_TEXT, &status_path, "FILE",
     "status.json of `weir up`: show its processes, too"},
    {"json", 0, OPTION_TEXT, &json_path, "FILE", "write the final figures here"},
    {0},
};

struct watch {
    struct figures figures;
    struct decoder decoder;
    struct admin *admin;
    struct scan *scan;
    struct scan_partition *parts;
    size_t part_count;
    struct arena arena; /* of topic names */
    int64_t started_ms, said_ms, moved_ms;
    int64_t answered_before;
    int screen_lines;
    bool is_tty;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what to read ---- */

static enum outcome add_topic(struct watch *watch, const char *topic, struct error *error)
{
    struct port_log *logs = NULL;
    int32_t partitions = 0;
    enum outcome outcome = admin_logs(watch->admin, topic, &logs, &partitions, error);
    for (int i = 0; i < LEADER_TRIES && outcome == RETRY && !tool_interrupted; i++) {
        nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000L}, NULL);
        outcome = admin_logs(watch->admin, topic, &logs, &partitions, error);
    }
    if (outcome != OK) {
        return outcome;
    }
    watch->parts =
        xrealloc(watch->parts, (watch->part_count + (size_t)partitions + 1) * sizeof *watch->parts);
    for (int32_t p = 0; p < partitions; p++) {
        watch->parts[watch->part_count++] =
            (struct scan_partition){topic, p, from_now ? logs[p].high : logs[p].low, FOLLOW};
    }
    free(logs);
    return OK;
}

/* Dead letters come from the inputs of all processors. */
static enum outcome add_topics(struct watch *watch, struct error *error)
{
    const char *topics[TOPICS_MAX] = {order_raw_topic.name, order_events_topic.name,
                                      stock_levels_topic.name};
    size_t count = 3;
    for (size_t i = 0; processors[i]; i++) {
        for (size_t k = 0;
             k < WEIR_LIST_MAX && processors[i]->inputs[k].topic && count < TOPICS_MAX; k++) {
            topics[count++] =
                arena_format(&watch->arena, "%s.dlq", processors[i]->inputs[k].topic->name);
        }
    }
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome == OK; i++) {
        outcome = add_topic(watch, topics[i], error);
    }
    return outcome;
}

static enum outcome open_all(struct watch *watch, struct error *error)
{
    struct settings settings;
    enum outcome outcome = tool_settings(&place, processors[0], &settings, error);
    if (outcome == OK) {
        outcome = decoder_init(&watch->decoder, settings.schema_dir, error);
    }
    settings_release(&settings);
    if (outcome == OK) {
        outcome = tool_admin(&place, &watch->admin, error);
    }
    if (outcome == OK) {
        outcome = add_topics(watch, error);
    }
    return outcome == OK
               ? scan_open(&watch->scan, watch->admin, watch->parts, watch->part_count, error)
               : outcome;
}

/* ---- what to say ---- */

static void read_status(struct watch *watch)
{
    static struct status status;
    struct error error;
    if (status_path && status_read(status_path, &status, &error) == OK) {
        watch->figures.status = status; /* when it cannot be read, the last one stands */
    }
}

static void say(struct watch *watch, int64_t now_ms)
{
    const struct orders *orders = &watch->figures.orders;
    int64_t answered = (int64_t)orders->latency->count;
    double seconds = (double)(now_ms - watch->said_ms) / 1000;
    watch->figures.answers_per_s =
        seconds > 0 ? (double)(answered - watch->answered_before) / seconds : 0;
    watch->figures.watched_ms = now_ms - watch->started_ms;
    watch->answered_before = answered;
    watch->said_ms = now_ms;
    read_status(watch);
    if (watch->is_tty) {
        watch->screen_lines = figures_screen(&watch->figures, watch->screen_lines, stderr);
    } else {
        figures_line(&watch->figures, stderr);
    }
}

/* ---- when to end ---- */

enum verdict { GO_ON, SETTLED, UNSETTLED };

static enum verdict judge(const struct watch *watch, int64_t now_ms)
{
    const struct orders *orders = &watch->figures.orders;
    int64_t calm_ms = now_ms - watch->moved_ms;
    if (until_settled && orders->placed > 0 && orders->raw_records >= expected) {
        int64_t enough_ms = expected >= 0 ? CALM_MS : CALM_UNEXPECTED_MS;
        if (orders_open(orders) == 0 && calm_ms >= enough_ms) {
            return SETTLED;
        }
        if (calm_ms >= quiet_s * 1000) {
            return UNSETTLED;
        }
    }
    return timeout_s > 0 && now_ms - watch->started_ms >= timeout_s * 1000 ? UNSETTLED : GO_ON;
}

static bool feed(struct watch *watch, const struct port_record *record, size_t which)
{
    const char *topic = watch->parts[which].topic;
    return strcmp(topic, stock_levels_topic.name) == 0
               ? stock_levels_feed(&watch->figures.stock, record)
               : orders_feed(&watch->figures.orders, topic, record);
}

static enum outcome follow(struct watch *watch, enum verdict *verdict, struct error *error)
{
    watch->started_ms = watch->said_ms = watch->moved_ms = monotonic_ms();
    *verdict = GO_ON;
    while (*verdict == GO_ON && !tool_interrupted) {
        struct port_record record;
        size_t which;
        bool found, done;
        enum outcome outcome =
            scan_next(watch->scan, WAIT_MS, &record, &which, &found, &done, error);
        if (outcome == FATAL) {
            return outcome; /* RETRY: the broker is away; it may come back */
        }
        int64_t now_ms = monotonic_ms();
        if (found && feed(watch, &record, which)) {
            watch->moved_ms = now_ms;
        }
        if (now_ms - watch->said_ms >= SAY_EVERY_MS) {
            say(watch, now_ms);
        }
        if (!found) {
            *verdict = judge(watch, now_ms);
        }
    }
    say(watch, monotonic_ms());
    return OK;
}

/* ---- the command ---- */

static enum outcome finish(struct watch *watch, enum verdict verdict, struct error *error)
{
    enum outcome outcome = OK;
    watch->figures.settled = verdict == SETTLED;
    figures_print(&watch->figures, stdout);
    if (json_path) {
        struct buffer text;
        buffer_init(&text);
        figures_json(&watch->figures, &text);
        outcome = file_replace(json_path, &text, error);
        buffer_release(&text);
    }
    if (verdict == UNSETTLED) {
        fprintf(stderr,
                "weir watch: not settled: %" PRId64 " orders placed%s, %" PRId64
                " of them still in flight; "
                "`weir doctor` says what they wait for\n",
                watch->figures.orders.placed,
                watch->figures.orders.raw_records < expected ? " (fewer than expected)" : "",
                orders_open(&watch->figures.orders));
    }
    return outcome;
}

static int run(size_t count, char **arguments)
{
    (void)count, (void)arguments;
    static struct watch watch;
    struct error error;
    enum verdict verdict = GO_ON;
    if (from_now && from_start) {
        return tool_usage("watch", "--from-start or --from-now: one of them");
    }
    until_settled = until_settled || expected >= 0;
    watch.is_tty = isatty(STDERR_FILENO) == 1;
    arena_init(&watch.arena);
    orders_init(&watch.figures.orders, &watch.decoder, run_id);
    stock_levels_init(&watch.figures.stock, &watch.decoder);
    tool_catch_signals();
    enum outcome outcome = open_all(&watch, &error);
    if (outcome == OK) {
        outcome = follow(&watch, &verdict, &error);
    }
    if (outcome == OK) {
        outcome = finish(&watch, verdict, &error);
    }
    int code = outcome != OK          ? tool_fail("watch", outcome, &error)
               : verdict == UNSETTLED ? EXIT_DATA
                                      : EXIT_DONE;
    scan_close(watch.scan);
    admin_close(watch.admin);
    orders_release(&watch.figures.orders);
    stock_levels_release(&watch.figures.stock);
    decoder_release(&watch.decoder);
    arena_release(&watch.arena);
    free(watch.parts);
    return code;
}

const struct command watch_command = {
    .name = "watch",
    .summary = "show how orders are doing, and report at the end",
    .usage = "weir watch [--orders N | --until-settled] [--status FILE] [--json FILE]",
    .text = "Counts what order.raw, order.events, stock.levels and the dead-letter topics say. "
            "Latency is from the intended\n"
            "time of an order (weir-intended-ms) to the broker's time of its OrderConfirmed, "
            "OrderRejected or\n"
            "OrderCancelled. Progress goes to standard error, the report to standard output. Exit "
            "0 when settled (or\n"
            "Ctrl-C without --until-settled), 65 when given up.",
    .example = "  weir watch --orders 2000 --run-id 20261121-165000 --status "
               "/var/lib/weir/run/status.json\n"
               "     7 s  placed 1,395  confirmed 1,290  cancelled 81  in flight 24  200/s  p50 58 "
               "ms  p99 131 ms",
    .options = options,
    .arguments_max = 0,
    .run = run,
};
