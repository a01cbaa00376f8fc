/* put.c - `weir put`: one record by hand: a restock, a cancellation, a loss found in the warehouse.
 *
 * What no processor of ours could read is not put. Topics that one processor alone writes are
 * refused, because a foreign record would break their gapless sequences.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "hand.h"
#include "processors.h"
#include "shop.h"
#include "tool.h"

enum { FLUSH_MS = 10000, FIND_MS = 2000 };

static struct tool_place place;
static bool force, dry_run;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"force", 0, OPTION_FLAG, &force, NULL,
     "also into a topic that a processor alone should write"},
    {"dry-run", 0, OPTION_FLAG, &dry_run, NULL, "only check the record"},
    {0},
};

struct put {
    const struct weir_topic *topic;
    const char *key;
    struct buffer text, value;
    struct arena arena;
    struct admin *admin;
    struct writer *writer;
};

static struct weir_bytes key_bytes(const struct put *put)
{
    return (struct weir_bytes){(const uint8_t *)put->key, strlen(put->key)};
}

/* The processor that alone writes this topic, or NULL: an output or view that no processor reads.
 */
static const char *only_writer(const struct weir_topic *topic)
{
    const char *writer = NULL;
    for (size_t i = 0; processors[i]; i++) {
        for (size_t k = 0; k < WEIR_LIST_MAX; k++) {
            if (processors[i]->inputs[k].topic == topic) {
                return NULL;
            }
            if (processors[i]->outputs[k] == topic || processors[i]->views[k].topic == topic) {
                writer = processors[i]->name;
            }
        }
    }
    return writer;
}

static bool same_bytes(struct weir_bytes a, struct weir_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Where the record came to stand: the first of its kind at or after `from`. -1 when it cannot be
 * found. */
static int64_t find_offset(struct put *put, int32_t partition, int64_t from)
{
    struct scan_partition part = {put->topic->name, partition, from, -1};
    struct weir_bytes value = {put->value.data, put->value.size};
    struct scan *scan = NULL;
    struct error error;
    int64_t offset = -1;
    bool done = scan_open(&scan, put->admin, &part, 1, &error) != OK;
    while (!done && offset < 0) {
        struct port_record record;
        size_t which;
        bool found;
        if (scan_next(scan, FIND_MS, &record, &which, &found, &done, &error) != OK || !found) {
            break;
        }
        if (same_bytes(record.key, key_bytes(put)) && same_bytes(record.value, value)) {
            offset = record.offset;
        }
    }
    scan_close(scan);
    return offset;
}

static enum outcome open_writer(struct put *put, struct error *error)
{
    struct settings settings;
    enum outcome outcome = tool_admin(&place, &put->admin, error);
    if (outcome != OK) {
        return outcome;
    }
    outcome = tool_settings(&place, processors[0], &settings, error);
    if (outcome == OK) {
        outcome = writer_open(&put->writer, settings.bootstrap_servers, settings.properties,
                              settings.property_count, error);
    }
    settings_release(&settings);
    return outcome;
}

static enum outcome send(struct put *put, struct error *error)
{
    struct port_log *logs = NULL;
    int32_t partitions = 0;
    enum outcome outcome = admin_logs(put->admin, put->topic->name, &logs, &partitions, error);
    if (outcome != OK) {
        return outcome;
    }
    int32_t partition = key_partition(key_bytes(put), partitions);
    int64_t high = logs[partition].high;
    free(logs);
    outcome = writer_send(put->writer, put->topic->name, partition, key_bytes(put),
                          (struct weir_bytes){put->value.data, put->value.size}, NULL, 0, error);
    if (outcome == OK) {
        outcome = writer_flush(put->writer, FLUSH_MS, error);
    }
    if (outcome == OK) {
        int64_t offset = find_offset(put, partition, high);
        printf("%s partition %d offset %" PRId64 " key %s\n", put->topic->name, (int)partition,
               offset, put->key);
    }
    return outcome;
}

static enum outcome work(struct put *put, const char *path, struct error *error)
{
    size_t most = (size_t)put->topic->max_message_bytes;
    enum outcome outcome = file_read(path, most * 2, &put->text, error);
    if (outcome == OK) {
        struct weir_bytes text = {put->text.data, put->text.size};
        outcome =
            hand_read(put->topic, text, tool_now_ms(), &put->arena, &put->key, &put->value, error);
        if (outcome != OK) {
            error_prefix(error, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
        }
    }
    if (outcome == OK && put->value.size > most) {
        outcome = fail_exit(error, EXIT_DATA, "%zu bytes, and %s takes %zu at most",
                            put->value.size, put->topic->name, most);
    }
    if (outcome == OK && dry_run) {
        printf("a good record for %s, key %s, %zu bytes\n", put->topic->name, put->key,
               put->value.size);
        return OK;
    }
    if (outcome == OK) {
        outcome = open_writer(put, error);
    }
    return outcome == OK ? send(put, error) : outcome;
}

static int run(size_t count, char **arguments)
{
    struct put put = {.topic = tool_topic("put", arguments[0])};
    struct error error;
    if (!put.topic) {
        return EXIT_USAGE;
    }
    const char *writer = only_writer(put.topic);
    if (writer && !force) {
        return tool_usage(
            "put",
            "%s is written by %s alone, which numbers its records; --force puts it nevertheless",
            put.topic->name, writer);
    }
    arena_init(&put.arena);
    enum outcome outcome = work(&put, count > 1 ? arguments[1] : "-", &error);
    int code = outcome == OK ? EXIT_DONE : tool_fail("put", outcome, &error);
    writer_close(put.writer);
    admin_close(put.admin);
    arena_release(&put.arena);
    buffer_release(&put.text);
    buffer_release(&put.value);
    return code;
}

const struct command put_command = {
    .name = "put",
    .summary = "put one record on a topic, from JSON",
    .usage = "weir put TOPIC [FILE]",
    .text = "Reads one JSON object from FILE or standard input and checks it against the topic's "
            "record: the whole record, or\n"
            "{\"KIND\":{...}} alone, which gets an envelope of agg_seq 0 and now. The key is the "
            "topic's key field. An error\n"
            "names the member: payload.Restock.qty.",
    .example = "  echo '{\"Restock\":{\"sku\":\"85123A\",\"receipt_id\":\"PO-991\",\"qty\":48}}' | "
               "weir put stock.commands\n"
               "  stock.commands partition 2 offset 1204 key 85123A",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 2,
    .run = run,
};
