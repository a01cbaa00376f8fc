/* cat.c - `weir cat`: the records of a topic as JSON lines, one object each.
 *
 * Reads committed records only. Without --follow it ends where the log ended when it began. Order
 * holds within a partition.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "decode.h"
#include "position.h"
#include "processors.h"
#include "shop.h"
#include "tool.h"

enum { WAIT_MS = 200, FOLLOW = -2 };

static struct tool_place place;
static const char *from_text = "start", *to_text = "end", *wanted_key;
static int64_t partition = -1, limit = -1;
static bool follow, with_topic;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"from", 0, OPTION_TEXT, &from_text, "WHERE",
     "offset, -N: the last N, or time (default: start)"},
    {"to", 0, OPTION_TEXT, &to_text, "WHERE",
     "stop before this offset or time (default: the end as it is now)"},
    {"partition", 'p', OPTION_NUMBER, &partition, "N", "only this partition"},
    {"key", 'k', OPTION_TEXT, &wanted_key, "KEY",
     "only records with this key; of a changelog: rows with it in their key"},
    {"limit", 'n', OPTION_NUMBER, &limit, "N", "stop after so many records"},
    {"follow", 'f', OPTION_FLAG, &follow, NULL, "go on with what comes, until Ctrl-C"},
    {"topic", 0, OPTION_FLAG, &with_topic, NULL, "say the topic in every line"},
    {0},
};

struct cat {
    const char *topic;
    struct position from, to;
    struct admin *admin;
    struct scan *scan;
    struct decoder decoder;
    struct buffer line;
    int64_t shown;
};

/* Which partitions, from where to where. *parts is malloc'ed. */
static enum outcome choose(struct cat *cat, struct scan_partition **parts, size_t *count,
                           struct error *error)
{
    struct port_log *logs = NULL;
    int32_t partitions = 0;
    enum outcome outcome = admin_logs(cat->admin, cat->topic, &logs, &partitions, error);
    if (outcome != OK) {
        return outcome;
    }
    if (partition >= partitions) {
        free(logs);
        return fail_exit(error, EXIT_USAGE, "--partition %" PRId64 ": %s has partitions 0 to %d",
                         partition, cat->topic, (int)partitions - 1);
    }
    int64_t *from = xcalloc((size_t)partitions + 1, sizeof *from),
            *to = xcalloc((size_t)partitions + 1, sizeof *to);
    outcome = position_resolve(cat->from, cat->admin, cat->topic, logs, partitions, from, error);
    if (outcome == OK) {
        outcome = position_resolve(cat->to, cat->admin, cat->topic, logs, partitions, to, error);
    }
    *parts = xcalloc((size_t)partitions + 1, sizeof **parts);
    *count = 0;
    for (int32_t p = 0; p < partitions; p++) {
        if (partition < 0 || partition == p) {
            (*parts)[(*count)++] =
                (struct scan_partition){cat->topic, p, from[p], follow ? FOLLOW : to[p]};
        }
    }
    free(from);
    free(to);
    free(logs);
    return outcome;
}

/* The record's own key, or any text in the decoded key of a row. `key` is that key as JSON. */
static bool key_fits(const struct port_record *record, const char *key, size_t size)
{
    struct buffer quoted;
    size_t length = strlen(wanted_key);
    if (record->key.size == length && memcmp(record->key.data, wanted_key, length) == 0) {
        return true;
    }
    if (key[0] != '{') {
        return false;
    }
    buffer_init(&quoted);
    buffer_add_byte(&quoted, ':');
    json_quote(&quoted, wanted_key, length);
    bool found = memmem(key, size, quoted.data, quoted.size) != NULL;
    buffer_release(&quoted);
    return found;
}

static void show(struct cat *cat, const struct port_record *record)
{
    struct buffer *line = &cat->line;
    char time[32];
    buffer_reset(line);
    decode_key(&cat->decoder, cat->topic, record, line);
    if (wanted_key && !key_fits(record, buffer_string(line), line->size)) {
        return;
    }
    buffer_reset(line);
    buffer_add_byte(line, '{');
    if (with_topic) {
        buffer_format(line, "\"topic\":\"%s\",", cat->topic);
    }
    buffer_format(line, "\"partition\":%d,\"offset\":%" PRId64 ",\"time\":\"%s\",\"key\":",
                  (int)record->partition, record->offset, tool_time(record->timestamp_ms, time));
    decode_key(&cat->decoder, cat->topic, record, line);
    buffer_add_string(line, ",\"headers\":");
    decode_headers(&cat->decoder, record, line);
    buffer_add_string(line, ",\"value\":");
    decode_value(&cat->decoder, cat->topic, record, line);
    buffer_add_string(line, "}\n");
    fwrite(line->data, line->size, 1, stdout);
    cat->shown++;
}

static enum outcome read_all(struct cat *cat, struct error *error)
{
    bool done = false;
    while (!done && !tool_interrupted && (limit < 0 || cat->shown < limit)) {
        struct port_record record;
        size_t which;
        bool found;
        enum outcome outcome = scan_next(cat->scan, WAIT_MS, &record, &which, &found, &done, error);
        if (outcome == FATAL) {
            return outcome;
        }
        if (found) {
            show(cat, &record);
        } else {
            fflush(stdout);
        }
        if (ferror(stdout)) {
            return fail_exit(error, EXIT_IO, "standard output cannot be written");
        }
    }
    return OK;
}

static enum outcome work(struct cat *cat, struct error *error)
{
    struct settings settings;
    struct scan_partition *parts = NULL;
    size_t count = 0;
    enum outcome outcome = tool_settings(&place, processors[0], &settings, error);
    if (outcome == OK) {
        outcome = decoder_init(&cat->decoder, settings.schema_dir, error);
    }
    settings_release(&settings);
    if (outcome == OK) {
        outcome = tool_admin(&place, &cat->admin, error);
    }
    if (outcome == OK) {
        outcome = choose(cat, &parts, &count, error);
    }
    if (outcome == OK) {
        outcome = scan_open(&cat->scan, cat->admin, parts, count, error);
    }
    if (outcome == OK) {
        outcome = read_all(cat, error);
    }
    free(parts);
    return outcome;
}

static int run(size_t count, char **arguments)
{
    (void)count;
    struct cat cat = {.topic = arguments[0]};
    struct error error;
    if (!position_parse(from_text, &cat.from) || !position_parse(to_text, &cat.to)) {
        return tool_usage("cat",
                          "--from %s --to %s: write an offset, -N, start, end, or a time such as "
                          "2026-11-21T16:50:00Z",
                          from_text, to_text);
    }
    tool_catch_signals();
    enum outcome outcome = work(&cat, &error);
    int code = outcome == OK ? EXIT_DONE : tool_fail("cat", outcome, &error);
    fflush(stdout);
    scan_close(cat.scan);
    admin_close(cat.admin);
    decoder_release(&cat.decoder);
    buffer_release(&cat.line);
    return code;
}

const struct command cat_command = {
    .name = "cat",
    .summary = "print the records of a topic as JSON lines",
    .usage = "weir cat TOPIC [--from WHERE] [--to WHERE] [--key KEY] [--follow]",
    .text =
        "Decodes any topic: the shop's, dead letters (TOPIC.dlq), changelogs (PROCESSOR.changelog: "
        "rows, timers,\n"
        "checkpoints) and histories. What cannot be decoded is shown as text or hex, with the "
        "reason. Only committed\n"
        "records are shown; a time is that of the broker's log. Positions count per partition:\n"
        "  1234   an offset          -10   the last ten records\n"
        "  2026-11-21T16:50:00Z      a time, UTC; or ms since the epoch",
    .example = "  weir cat order.events --key 20261121-165000-0000017\n"
               "  "
               "{\"partition\":1,\"offset\":230,\"time\":\"2026-11-21T16:50:02.417Z\",\"key\":"
               "\"20261121-165000-0000017\",...",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
