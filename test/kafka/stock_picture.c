/* stock_picture.c - all that comes of inventory's story, as text. */
#include "kafka/stock.h"

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "processors.h"
#include "runtime/deadletter.h"
#include "runtime_records.h"
#include "shop.h"
#include "store/store.h"

#include <cmocka.h>

/* ---- topics ---- */

enum { REPLIES, LEDGER, LEVELS, DEAD_LETTERS, TOPICS };

static const struct {
    const char *name;
    const struct weir_topic *topic; /* NULL: dead letters */
} topics[TOPICS] = {
    {"stock.replies", &stock_replies_topic},
    {"stock.ledger", &stock_ledger_topic},
    {"stock.levels", &stock_levels_topic},
    {"stock.commands.dlq", NULL},
};

void stock_mark(struct system *system, struct stock_marks *marks)
{
    for (int t = 0; t < TOPICS; t++) {
        for (int32_t p = 0; p < SYSTEM_PARTITIONS; p++) {
            marks->ends[t][p] = system_end_of(system, topics[t].name, p);
        }
    }
}

struct picture {
    struct system *system;
    struct codec *codec;
    struct arena arena;
    bool loose;
    char *levels[256], **lines;
    size_t level_count, line_count, line_room;
};

static void add_line(struct picture *picture, char *line)
{
    if (picture->line_count == picture->line_room) {
        picture->line_room = picture->line_room > 0 ? picture->line_room * 2 : 256;
        picture->lines = xrealloc(picture->lines, picture->line_room * sizeof *picture->lines);
    }
    picture->lines[picture->line_count++] = line;
}

/* "..._ms":123 and ...@123 lose their digits. */
static void blank_times(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        bool is_time = strncmp(from, "_ms\":", 5) == 0;
        size_t plain = is_time ? 5 : 1;
        is_time = is_time || *from == '@';
        memmove(to, from, plain);
        to += plain;
        from += plain;
        while (is_time && isdigit((unsigned char)*from)) {
            from++;
        }
    }
    *to = 0;
}

static const char *header_text(struct picture *picture, const struct port_record *record,
                               const char *name)
{
    struct port_header header;
    for (size_t i = 0; scan_header(record, i, &header); i++) {
        if (strcmp(header.name, name) == 0) {
            return arena_strndup(&picture->arena, (const char *)header.value.data,
                                 header.value.size);
        }
    }
    return "-";
}

static const char *cause_text(struct picture *picture, const struct port_record *record)
{
    struct port_header header;
    for (size_t i = 0; scan_header(record, i, &header); i++) {
        struct cause cause;
        struct error error;
        if (strcmp(header.name, CAUSE_HEADER) != 0) {
            continue;
        }
        if (codec_decode_datum(picture->codec, &cause_record, header.value, &picture->arena, &cause,
                               &error) != DECODED) {
            system_fail(picture->system, "a cause that cannot be read: %s", error.text);
        }
        return arena_format(&picture->arena, "%s/%d/%08" PRId64 "/%s %d of %d", cause.topic,
                            (int)cause.partition, cause.offset, cause.timer ? cause.timer : "",
                            (int)cause.ordinal, (int)cause.count);
    }
    return "no cause";
}

static const char *value_text(struct picture *picture, const struct weir_topic *topic,
                              const struct port_record *record)
{
    struct error error;
    void *decoded = arena_alloc(&picture->arena, topic->record->size);
    if (codec_decode(picture->codec, topic->record, record->value, &picture->arena, decoded,
                     &error) != DECODED) {
        system_fail(picture->system, "%s: an output that cannot be read: %s", topic->name,
                    error.text);
    }
    if (topic == &stock_levels_topic) { /* built when a take ends, wherever that is */
        struct stock_level_record *level = decoded;
        level->occurred_ms = 0;
        level->payload.stock_level_view.updated_ms = 0;
    }
    struct buffer json;
    buffer_init(&json);
    record_to_json(topic->record, decoded, &json);
    const char *text = arena_strndup(&picture->arena, (const char *)json.data, json.size);
    buffer_release(&json);
    return text;
}

static void add_level(struct picture *picture, const char *key, char *line)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < picture->level_count; i++) {
        if (strncmp(picture->levels[i] + strlen("level "), key, length) == 0) {
            picture->levels[i] = line;
            return;
        }
    }
    CHECK(picture->level_count < sizeof picture->levels / sizeof *picture->levels);
    picture->levels[picture->level_count++] = line;
}

static void add_record(struct picture *picture, int which, const struct port_record *record)
{
    struct arena *arena = &picture->arena;
    const char *key = arena_strndup(arena, (const char *)record->key.data, record->key.size);
    if (which == DEAD_LETTERS) {
        add_line(picture,
                 arena_format(arena, "dead %s key=%s bytes=%zu class=%s cause=%s reason=%s",
                              header_text(picture, record, DEAD_SOURCE), key, record->value.size,
                              header_text(picture, record, DEAD_CLASS),
                              header_text(picture, record, DEAD_CAUSE),
                              header_text(picture, record, DEAD_REASON)));
        return;
    }
    const char *value = value_text(picture, topics[which].topic, record);
    if (which == LEVELS) {
        add_level(picture, key, arena_format(arena, "level %s %s", key, value));
        return;
    }
    add_line(picture,
             arena_format(arena, "%s by %s partition=%d key=%s %s",
                          which == REPLIES ? "reply" : "movement", cause_text(picture, record),
                          (int)record->partition, key, value));
}

static void read_topic(struct picture *picture, int which, const struct stock_marks *marks)
{
    for (int32_t p = 0; p < SYSTEM_PARTITIONS; p++) {
        struct scan_partition from = {topics[which].name, p, marks->ends[which][p], -1};
        struct scan *scan;
        struct error error;
        struct port_record record;
        size_t index;
        bool found, done = false;
        enum outcome outcome = scan_open(&scan, picture->system->admin, &from, 1, &error);
        while (outcome == OK && !done) {
            outcome = scan_next(scan, 5000, &record, &index, &found, &done, &error);
            if (outcome == OK && !found && !done) {
                system_fail(picture->system, "%s partition %d: an open transaction hides its end",
                            topics[which].name, (int)p);
            }
            if (outcome == OK && found) {
                add_record(picture, which, &record);
            }
        }
        if (outcome != OK) {
            system_fail(picture->system, "reading %s: %s", topics[which].name, error.text);
        }
        scan_close(scan);
    }
}

/* ---- rows ---- */

struct row_place {
    struct picture *picture;
    const char *table;
    int partition;
};

static bool add_row(void *context, int columns, const char *const *names, const char *const *values,
                    const int *types)
{
    (void)types;
    const struct row_place *place = context;
    struct arena *arena = &place->picture->arena;
    char *line = arena_format(arena, "row %s", place->table);
    for (int i = 0; i < columns; i++) {
        size_t length = strlen(names[i]);
        bool is_time = length > 3 && strcmp(names[i] + length - 3, "_ms") == 0;
        const char *value = values[i] ? values[i] : "null";
        line = arena_format(arena, "%s %s=%s", line, names[i],
                            is_time && place->picture->loose ? "" : value);
    }
    add_line(place->picture, line);
    return true;
}

static void read_rows(struct picture *picture, const char *host, int partition)
{
    const char *path = system_state_path(picture->system, host, partition);
    const struct weir_store *const *store = inventory_processor.stores;
    for (bool last = false; !last; store++) {
        last = *store == NULL;
        struct row_place place = {picture, last ? "timer_row" : (*store)->name, partition};
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT * FROM %s", place.table);
        struct error error;
        if (store_query(path, sql, add_row, &place, &error) != OK) {
            system_fail(picture->system, "%s: %s", path, error.text);
        }
    }
}

/* ---- all of it ---- */

static void picture_open(struct picture *picture, struct system *system, bool loose)
{
    static const struct weir_record *const records[] = {&cause_record, &stock_reply_record,
                                                        &stock_ledger_entry_record,
                                                        &stock_level_record_record, NULL};
    struct error error;
    *picture = (struct picture){.system = system, .loose = loose};
    arena_init(&picture->arena);
    CHECK(codec_open(&picture->codec, records, NULL, &error) == OK);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *picture_close(struct picture *picture)
{
    qsort(picture->levels, picture->level_count, sizeof *picture->levels, by_text);
    for (size_t i = 0; i < picture->level_count; i++) {
        add_line(picture, picture->levels[i]);
    }
    for (size_t i = 0; i < picture->line_count && picture->loose; i++) {
        blank_times(picture->lines[i]);
    }
    if (picture->loose) {
        qsort(picture->lines, picture->line_count, sizeof *picture->lines, by_text);
    }
    struct buffer text;
    buffer_init(&text);
    for (size_t i = 0; i < picture->line_count; i++) {
        buffer_format(&text, "%s\n", picture->lines[i]);
    }
    char *copy = xstrdup(buffer_string(&text));
    buffer_release(&text);
    free(picture->lines);
    codec_close(picture->codec);
    arena_release(&picture->arena);
    return copy;
}

char *stock_picture(struct system *system, const struct stock_marks *marks, enum stock_view view,
                    const char *const hosts[SYSTEM_PARTITIONS])
{
    struct picture picture;
    picture_open(&picture, system, view == STOCK_LOOSE);
    for (int t = 0; t < TOPICS; t++) {
        read_topic(&picture, t, marks);
    }
    for (int p = 0; p < SYSTEM_PARTITIONS && hosts; p++) {
        if (hosts[p]) {
            read_rows(&picture, hosts[p], p);
        }
    }
    return picture_close(&picture);
}

char *stock_rows(struct system *system, const char *host, int partition)
{
    struct picture picture;
    picture_open(&picture, system, false);
    read_rows(&picture, host, partition);
    return picture_close(&picture);
}

static int line_length(const char *line)
{
    return (int)strcspn(line, "\n");
}

void stock_expect_same(struct system *system, const char *expected, const char *found)
{
    while (*expected && *found &&
           strncmp(expected, found, (size_t)line_length(expected) + 1) == 0) {
        expected += line_length(expected) + 1;
        found += line_length(found) + 1;
    }
    if (*expected || *found) {
        system_fail(system, "the pictures differ:\n  expected %.*s\n  found    %.*s",
                    line_length(expected), expected, line_length(found), found);
    }
}
