/* reading.c - logs, scans and the progress line. */
#include "reading.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "processors.h"
#include "shop.h"
#include "tool.h"

enum {
    WAIT_MS = 200,
    QUIET_MS = 2000,        /* shorter runs need no progress line */
    STALLED_MS = 90 * 1000, /* longer than a transaction may stay open */
    BETWEEN_LOOKS = 1024,   /* records */
};

struct reading_log {
    const char *topic;
    int32_t partition;
    int64_t low, high;
    int phase;
};

void reading_init(struct reading *reading)
{
    *reading = (struct reading){.started_ms = tool_now_ms()};
    arena_init(&reading->arena);
}

void reading_release(struct reading *reading)
{
    admin_close(reading->admin);
    audit_close(reading->audit);
    for (size_t i = 0; i < reading->settings_count; i++) {
        settings_release(&reading->settings[i]);
    }
    free(reading->logs);
    arena_release(&reading->arena);
}

/* ---- progress ---- */

static void say_progress(struct reading *reading, const char *what)
{
    int64_t now_ms = tool_now_ms();
    bool terminal = isatty(STDERR_FILENO) == 1;
    if (now_ms - reading->started_ms < QUIET_MS ||
        now_ms - reading->said_ms < (terminal ? 200 : 5000)) {
        return;
    }
    reading->said_ms = now_ms;
    fprintf(stderr, "%sweir audit: %" PRId64 " of at most %" PRId64 " records, %s%s",
            terminal ? "\r\033[K" : "", audit_record_count(reading->audit), reading->total, what,
            terminal ? "" : "\n");
}

void reading_end_progress(const struct reading *reading)
{
    if (reading->said_ms > 0 && isatty(STDERR_FILENO) == 1) {
        fprintf(stderr, "\r\033[K");
    }
}

/* ---- which logs ---- */

static enum outcome add_logs(struct reading *reading, const char *topic, struct error *error)
{
    struct port_log *ends = NULL;
    int32_t partitions = 0;
    enum outcome outcome = admin_logs(reading->admin, topic, &ends, &partitions, error);
    for (int32_t p = 0; outcome == OK && p < partitions; p++) {
        struct reading_log log = {topic, p, ends[p].low, ends[p].high,
                                  audit_phase(reading->audit, topic)};
        reading->logs = xrealloc(reading->logs, (reading->log_count + 1) * sizeof *reading->logs);
        reading->logs[reading->log_count++] = log;
        reading->total += log.high - log.low;
        audit_partition(reading->audit, topic, p, log.low, log.high);
    }
    free(ends);
    return outcome;
}

static enum outcome add_dead_letters(struct reading *reading,
                                     const struct weir_processor *processor, struct error *error)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic && outcome == OK; i++) {
        outcome =
            add_logs(reading,
                     arena_format(&reading->arena, "%s.dlq", processor->inputs[i].topic->name),
                     error);
    }
    return outcome;
}

enum outcome reading_choose(struct reading *reading, struct error *error)
{
    enum outcome outcome = OK;
    for (size_t i = 0; processors[i] && outcome == OK; i++) {
        const char *application_id = reading->settings[i].application_id;
        audit_processor(reading->audit, application_id);
        outcome =
            add_logs(reading, arena_format(&reading->arena, "%s.history", application_id), error);
    }
    for (size_t i = 0; processors[i] && outcome == OK; i++) {
        outcome = add_dead_letters(reading, processors[i], error);
    }
    for (int phase = AUDIT_PHASES - 1; phase >= 0; phase--) {
        for (size_t i = 0; shop_topics[i] && outcome == OK; i++) {
            if (audit_phase(reading->audit, shop_topics[i]->name) == phase) {
                outcome = add_logs(reading, shop_topics[i]->name, error);
            }
        }
    }
    return outcome;
}

/* ---- reading ---- */

static enum outcome read_parts(struct reading *reading, const struct scan_partition *parts,
                               size_t count, reading_take *take, void *context, const bool *stop,
                               struct error *error)
{
    struct scan *scan = NULL;
    bool done = count == 0;
    bool moving = false;
    int64_t records = 0, quiet_since_ms = tool_now_ms();
    enum outcome outcome = done ? OK : scan_open(&scan, reading->admin, parts, count, error);
    while (outcome == OK && !done && !*stop && !tool_interrupted) {
        struct port_record record;
        size_t which = 0;
        bool found = false;
        outcome = scan_next(scan, WAIT_MS, &record, &which, &found, &done, error);
        if (outcome == OK && found) {
            take(context, parts[which].topic, &record);
            moving = true;
            if (++records % BETWEEN_LOOKS != 0) {
                continue;
            }
        }
        say_progress(reading, parts[which].topic);
        quiet_since_ms = moving ? tool_now_ms() : quiet_since_ms;
        moving = false;
        bool stalled = tool_now_ms() - quiet_since_ms >= STALLED_MS;
        if (outcome == RETRY && !stalled) {
            outcome = OK;
        } else if (outcome == OK && !done && !found && stalled) {
            outcome = fail(error, RETRY,
                           "nothing more came for %d s though the logs go on: is a transaction "
                           "left open (weir doctor tells), or the broker gone?",
                           STALLED_MS / 1000);
        }
    }
    scan_close(scan);
    return outcome;
}

static void feed(void *context, const char *topic, struct port_record *record)
{
    struct reading *reading = context;
    struct port_header headers[PORT_HEADERS_MAX];
    size_t count = 0;
    while (count < PORT_HEADERS_MAX && scan_header(record, count, &headers[count])) {
        count++;
    }
    audit_record(reading->audit, topic, record, headers, count);
}

static enum outcome feed_phase(struct reading *reading, int phase, struct error *error)
{
    struct scan_partition *parts = xcalloc(reading->log_count + 1, sizeof *parts);
    size_t count = 0;
    bool stop = false;
    for (size_t i = 0; i < reading->log_count; i++) {
        const struct reading_log *log = &reading->logs[i];
        if (log->phase == phase && log->low < log->high) {
            parts[count++] =
                (struct scan_partition){log->topic, log->partition, log->low, log->high};
        }
    }
    enum outcome outcome = read_parts(reading, parts, count, feed, reading, &stop, error);
    free(parts);
    return outcome;
}

enum outcome reading_feed(struct reading *reading, struct error *error)
{
    enum outcome outcome = OK;
    for (int phase = 0; phase < AUDIT_PHASES && outcome == OK; phase++) {
        outcome = feed_phase(reading, phase, error);
    }
    return outcome;
}

enum outcome reading_partition(struct reading *reading, const char *topic, int32_t partition,
                               reading_take *take, void *context, const bool *stop,
                               struct error *error)
{
    const struct scan_partition part = {topic, partition, 0, -1};
    return read_parts(reading, &part, 1, take, context, stop, error);
}
