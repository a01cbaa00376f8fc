/* dlq.c - `weir dlq`: dead letters counted and shown, and the word that ends a pause at one record.
 *
 * A dead letter is the record as it came, with headers that say what was wrong
 * (runtime/deadletter.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/json.h"
#include "decode.h"
#include "dlq_put.h"
#include "processors.h"
#include "runtime/deadletter.h"
#include "tool.h"

enum { WAIT_MS = 5000, GROUPS_MAX = 1000, TEXT_BYTES = 128 };

static struct tool_place place;
static const char *wanted_cause, *put_processor;
static int64_t limit = -1;
static bool force, as_json;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"cause", 0, OPTION_TEXT, &wanted_cause, "WORD", "show: only dead letters with this cause"},
    {"limit", 'n', OPTION_NUMBER, &limit, "N", "show: only the last N of them"},
    {"json", 0, OPTION_FLAG, &as_json, NULL, "list, show: JSON, one object a line"},
    {"processor", 0, OPTION_TEXT, &put_processor, "NAME",
     "put: when several processors read the topic"},
    {"force", 0, OPTION_FLAG, &force, NULL, "put: also when the task does not wait at this record"},
    {0},
};

/* "order.raw.dlq" of "order.raw" or of itself. */
static const char *dlq_name(const char *topic, struct arena *arena)
{
    size_t length = strlen(topic);
    return length > 4 && strcmp(topic + length - 4, ".dlq") == 0
               ? arena_strndup(arena, topic, length)
               : arena_format(arena, "%s.dlq", topic);
}

static char *header_text(const struct port_record *record, const char *name, char *text,
                         size_t size)
{
    struct port_header header;
    text[0] = 0;
    for (size_t i = 0; scan_header(record, i, &header); i++) {
        if (strcmp(header.name, name) == 0 && header.value.data) {
            int length = (int)(header.value.size < size ? header.value.size : size - 1);
            snprintf(text, size, "%.*s", length, (const char *)header.value.data);
        }
    }
    return text;
}

/* ---- reading ---- */

typedef void see_letter(void *context, const char *topic, const struct port_record *record);

/* What to read of these topics; `partition` and `offset` -1: all. *parts is malloc'ed. */
static enum outcome choose(struct admin *admin, const char *const *topics, size_t count,
                           int64_t partition, int64_t offset, struct scan_partition **parts,
                           size_t *part_count, struct error *error)
{
    *parts = NULL;
    *part_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct port_log *logs = NULL;
        int32_t partitions = 0;
        enum outcome outcome = admin_logs(admin, topics[i], &logs, &partitions, error);
        if (outcome != OK) {
            return outcome;
        }
        *parts = xrealloc(*parts, (*part_count + (size_t)partitions + 1) * sizeof **parts);
        for (int32_t p = 0; p < partitions; p++) {
            bool one = offset >= 0 && offset < logs[p].stable;
            if (partition < 0 || partition == p) {
                (*parts)[(*part_count)++] =
                    (struct scan_partition){topics[i], p, offset >= 0 ? offset : logs[p].low,
                                            one ? offset + 1 : logs[p].stable};
            }
        }
        free(logs);
    }
    return OK;
}

static enum outcome read_letters(struct admin *admin, const char *const *topics, size_t count,
                                 int64_t partition, int64_t offset, see_letter *see, void *context,
                                 struct error *error)
{
    struct scan_partition *parts;
    struct scan *scan = NULL;
    size_t part_count;
    enum outcome outcome =
        choose(admin, topics, count, partition, offset, &parts, &part_count, error);
    bool done = part_count == 0;
    if (outcome == OK && !done) {
        outcome = scan_open(&scan, admin, parts, part_count, error);
    }
    while (outcome == OK && !done) {
        struct port_record record;
        size_t which;
        bool found;
        outcome = scan_next(scan, WAIT_MS, &record, &which, &found, &done, error);
        if (outcome == OK && !found && !done) {
            outcome = fail(error, RETRY, "the broker does not go on answering");
        }
        if (found && (offset < 0 || record.offset == offset)) {
            see(context, parts[which].topic, &record);
        }
    }
    scan_close(scan);
    free(parts);
    return outcome;
}

/* ---- list ---- */

struct letter_group {
    const char *topic;
    char class_name[TEXT_BYTES], cause[TEXT_BYTES];
    int64_t count, first_ms, last_ms;
};

struct list {
    struct letter_group groups[GROUPS_MAX];
    size_t count;
    int64_t left_out;
};

static void count_letter(void *context, const char *topic, const struct port_record *record)
{
    struct list *list = context;
    struct letter_group new_group = {.topic = topic, .first_ms = record->timestamp_ms};
    header_text(record, DEAD_CLASS, new_group.class_name, sizeof new_group.class_name);
    header_text(record, DEAD_CAUSE, new_group.cause, sizeof new_group.cause);
    size_t at = 0;
    while (at < list->count && (strcmp(list->groups[at].topic, topic) != 0 ||
                                strcmp(list->groups[at].class_name, new_group.class_name) != 0 ||
                                strcmp(list->groups[at].cause, new_group.cause) != 0)) {
        at++;
    }
    if (at == GROUPS_MAX) {
        list->left_out++;
        return;
    }
    if (at == list->count) {
        list->groups[list->count++] = new_group;
    }
    struct letter_group *group = &list->groups[at];
    group->count++;
    group->first_ms =
        record->timestamp_ms < group->first_ms ? record->timestamp_ms : group->first_ms;
    group->last_ms = record->timestamp_ms > group->last_ms ? record->timestamp_ms : group->last_ms;
}

static int by_topic_and_count(const void *a, const void *b)
{
    const struct letter_group *one = a, *other = b;
    int order = strcmp(one->topic, other->topic);
    return order != 0 ? order : (one->count < other->count) - (one->count > other->count);
}

static void print_group(const struct letter_group *group)
{
    char first[32], last[32];
    tool_time(group->first_ms, first);
    tool_time(group->last_ms, last);
    if (!as_json) {
        printf("%-24s %-10s %-16s %8" PRId64 "  %-24s  %s\n", group->topic, group->class_name,
               group->cause, group->count, first, last);
        return;
    }
    struct buffer line;
    buffer_init(&line);
    buffer_format(&line, "{\"topic\":\"%s\",\"class\":", group->topic);
    json_quote(&line, group->class_name, strlen(group->class_name));
    buffer_add_string(&line, ",\"cause\":");
    json_quote(&line, group->cause, strlen(group->cause));
    buffer_format(&line, ",\"count\":%" PRId64 ",\"first\":\"%s\",\"last\":\"%s\"}", group->count,
                  first, last);
    puts(buffer_string(&line));
    buffer_release(&line);
}

static enum outcome list_letters(struct admin *admin, const char *topic, struct arena *arena,
                                 struct error *error)
{
    const char *topics[64];
    size_t count = 0;
    if (topic) {
        topics[count++] = dlq_name(topic, arena);
    }
    for (size_t i = 0; processors[i] && !topic; i++) {
        const struct weir_input *inputs = processors[i]->inputs;
        for (size_t k = 0; k < WEIR_LIST_MAX && inputs[k].topic && count < 64; k++) {
            topics[count++] = dlq_name(inputs[k].topic->name, arena);
        }
    }
    struct list *list = xcalloc(1, sizeof *list);
    enum outcome outcome = read_letters(admin, topics, count, -1, -1, count_letter, list, error);
    qsort(list->groups, list->count, sizeof *list->groups, by_topic_and_count);
    if (outcome == OK && list->count > 0 && !as_json) {
        printf("%-24s %-10s %-16s %8s  %-24s  %s\n", "topic", "class", "cause", "count", "first",
               "last");
    }
    for (size_t i = 0; i < list->count && outcome == OK; i++) {
        print_group(&list->groups[i]);
    }
    if (outcome == OK && list->count == 0 && !as_json) {
        printf("there are no dead letters\n");
    }
    if (list->left_out > 0) {
        printf("and %" PRId64 " of other causes\n", list->left_out);
    }
    free(list);
    return outcome;
}

/* ---- show ---- */

/* The last `limit` texts; without a limit each is printed at once. */
struct show {
    struct decoder decoder;
    struct buffer *last;
    int64_t seen;
};

static void add_time(struct buffer *out, const char *name, const char *ms)
{
    char text[32];
    int64_t value;
    if (conf_number(ms, &value)) {
        buffer_format(out, "  %-11s %s\n", name, tool_time(value, text));
    }
}

static void add_letter_text(struct show *show, const char *topic, const struct port_record *record,
                            struct buffer *out)
{
    char text[1024], time[32];
    buffer_format(out, "%s/%d/%" PRId64 "\n", topic, (int)record->partition, record->offset);
    buffer_format(out, "  %-11s %s", "class", header_text(record, DEAD_CLASS, text, sizeof text));
    buffer_format(out, ", cause %s\n", header_text(record, DEAD_CAUSE, text, sizeof text));
    buffer_format(out, "  %-11s %s\n", "reason",
                  header_text(record, DEAD_REASON, text, sizeof text));
    buffer_format(out, "  %-11s %s", "came from",
                  header_text(record, DEAD_SOURCE, text, sizeof text));
    buffer_format(out, ", refused by %s", header_text(record, DEAD_PROCESSOR, text, sizeof text));
    buffer_format(out, ", attempt %s\n", header_text(record, DEAD_ATTEMPT, text, sizeof text));
    add_time(out, "first seen", header_text(record, DEAD_FIRST_MS, text, sizeof text));
    buffer_format(out, "  %-11s %s\n", "put here", tool_time(record->timestamp_ms, time));
    buffer_format(out, "  %-11s ", "key");
    decode_key(&show->decoder, topic, record, out);
    buffer_format(out, "\n  %-11s ", "record");
    decode_value(&show->decoder, topic, record, out);
    buffer_add_string(out, "\n");
}

static void add_letter_json(struct show *show, const char *topic, const struct port_record *record,
                            struct buffer *out)
{
    char time[32];
    buffer_format(out,
                  "{\"topic\":\"%s\",\"partition\":%d,\"offset\":%" PRId64
                  ",\"time\":\"%s\",\"key\":",
                  topic, (int)record->partition, record->offset,
                  tool_time(record->timestamp_ms, time));
    decode_key(&show->decoder, topic, record, out);
    buffer_add_string(out, ",\"headers\":");
    decode_headers(&show->decoder, record, out);
    buffer_add_string(out, ",\"value\":");
    decode_value(&show->decoder, topic, record, out);
    buffer_add_string(out, "}\n");
}

static void show_letter(void *context, const char *topic, const struct port_record *record)
{
    struct show *show = context;
    char cause[TEXT_BYTES];
    if (wanted_cause &&
        strcmp(header_text(record, DEAD_CAUSE, cause, sizeof cause), wanted_cause) != 0) {
        return;
    }
    struct buffer *text = &show->last[limit > 0 ? show->seen % limit : 0];
    show->seen++;
    buffer_reset(text);
    if (as_json) {
        add_letter_json(show, topic, record, text);
    } else {
        add_letter_text(show, topic, record, text);
    }
    if (limit <= 0) {
        fwrite(text->data, text->size, 1, stdout);
    }
}

static enum outcome show_letters(struct admin *admin, const char *topic, int64_t partition,
                                 int64_t offset, struct arena *arena, struct error *error)
{
    struct settings settings;
    struct show show = {.last = xcalloc((size_t)(limit > 0 ? limit : 1), sizeof *show.last)};
    enum outcome outcome = tool_settings(&place, processors[0], &settings, error);
    if (outcome == OK) {
        outcome = decoder_init(&show.decoder, settings.schema_dir, error);
    }
    settings_release(&settings);
    const char *name = dlq_name(topic, arena);
    if (outcome == OK) {
        outcome = read_letters(admin, &name, 1, partition, offset, show_letter, &show, error);
    }
    int64_t kept = show.seen < limit ? show.seen : limit;
    for (int64_t i = show.seen - kept; i < show.seen && limit > 0 && outcome == OK; i++) {
        const struct buffer *text = &show.last[i % limit];
        fwrite(text->data, text->size, 1, stdout);
    }
    if (outcome == OK && show.seen == 0 && offset >= 0) {
        outcome = fail_exit(error, EXIT_DATA,
                            "%s partition %" PRId64 " has no dead letter at offset "
                            "%" PRId64,
                            name, partition, offset);
    } else if (outcome == OK && show.seen == 0 && !as_json) {
        printf("%s: there is none\n", name);
    }
    for (int64_t i = 0; i < (limit > 0 ? limit : 1); i++) {
        buffer_release(&show.last[i]);
    }
    free(show.last);
    decoder_release(&show.decoder);
    return outcome;
}

/* ---- the command ---- */

static int run(size_t count, char **arguments)
{
    const char *verb = arguments[0], *topic = count > 1 ? arguments[1] : NULL;
    int64_t partition = -1, offset = -1;
    bool is_list = strcmp(verb, "list") == 0, is_put = strcmp(verb, "put") == 0;
    if (!is_list && !is_put && strcmp(verb, "show") != 0) {
        return tool_usage("dlq", "'%s': write list, show or put", verb);
    }
    if (is_list ? count > 2 : is_put ? count != 4 : count != 2 && count != 4) {
        return tool_usage("dlq", "write: list [TOPIC], show TOPIC [PARTITION OFFSET], or put TOPIC "
                                 "PARTITION OFFSET");
    }
    if (count == 4 && (!conf_number(arguments[2], &partition) || partition < 0 ||
                       !conf_number(arguments[3], &offset) || offset < 0)) {
        return tool_usage("dlq", "%s %s: write the numbers of a partition and an offset",
                          arguments[2], arguments[3]);
    }
    if (topic && !decode_topic(topic)) {
        (void)tool_topic("dlq", topic);
        return EXIT_USAGE;
    }
    CHECK(topic || is_list);
    if (is_put) {
        return dlq_put(&place, decode_topic(topic), partition, offset, put_processor, force);
    }
    struct arena arena;
    struct admin *admin = NULL;
    struct error error;
    arena_init(&arena);
    enum outcome outcome = tool_admin(&place, &admin, &error);
    if (outcome == OK) {
        outcome = is_list ? list_letters(admin, topic, &arena, &error)
                          : show_letters(admin, topic, partition, offset, &arena, &error);
    }
    admin_close(admin);
    arena_release(&arena);
    return outcome == OK ? EXIT_DONE : tool_fail("dlq", outcome, &error);
}

const struct command dlq_command = {
    .name = "dlq",
    .summary = "dead letters: what could not be handled, and why; end a pause at one record",
    .usage = "weir dlq list [TOPIC] | show TOPIC [PARTITION OFFSET] | put TOPIC PARTITION OFFSET",
    .text =
        "list  counts dead letters by topic, class and cause, with the time of the first and the "
        "last\n"
        "show  prints them: reason, where each came from, times, and the record as JSON (as text "
        "or hex\n"
        "      when it cannot be read). PARTITION OFFSET is the dead letter's own place\n"
        "put   A task waits, loudly, at a record whose schema or kind nobody here knows. put says: "
        "give\n"
        "      this one up. The task moves it to TOPIC.dlq (class SKIPPED) and goes on, within "
        "ten\n"
        "      seconds. It leaves a word beside the state file, so run it where the task runs.\n"
        "TOPIC is an input, or its .dlq.",
    .example = "  weir dlq list\n"
               "  topic                    class      cause               count  first ...\n"
               "  order.raw.dlq            MALFORMED  json                    3  "
               "2026-11-21T16:50:02.417Z ...",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 4,
    .run = run,
};
