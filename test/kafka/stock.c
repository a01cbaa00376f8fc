/* stock.c - inventory's story and its picture. */
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

enum {
    SKUS = 5,
    FIRST_ORDERS = 24,
    SECOND_ORDERS = 12,
    PAUSE_MS = 30, /* so that short holds run out between records */
    STORY_MAX = 128,
};

#define HOUR_MS INT64_C(3600000)

/* ---- the story ---- */

struct line {
    const char *key;
    struct weir_bytes value;
    bool pause_before;
};

struct story {
    struct arena arena;
    struct buffer buffer;
    int partition;
    struct line lines[STORY_MAX];
    size_t count;
};

static void add(struct story *story, const char *key, const void *bytes, size_t size)
{
    CHECK(story->count < STORY_MAX);
    uint8_t *copy = arena_alloc(&story->arena, size + 1);
    memcpy(copy, bytes, size);
    story->lines[story->count++] = (struct line){.key = key, .value = {copy, size}};
}

static void add_command(struct story *story, const char *key, const struct stock_command *command)
{
    buffer_reset(&story->buffer);
    codec_encode(&stock_command_record, command, &story->buffer);
    add(story, key, story->buffer.data, story->buffer.size);
}

static const char *sku(struct story *story, int number)
{
    return arena_format(&story->arena, "sku-%d-%d", story->partition, number % SKUS);
}

static void restock(struct story *story, int number, int qty, const char *receipt)
{
    const char *key = sku(story, number);
    add_command(story, key,
                &(struct stock_command){.payload_branch = STOCK_COMMAND_RESTOCK,
                                        .payload.restock = {.sku = key,
                                                            .receipt_id = receipt,
                                                            .qty = qty,
                                                            .location_id = "MAIN"}});
}

static void adjust(struct story *story, int number, int delta)
{
    const char *key = sku(story, number);
    add_command(story, key,
                &(struct stock_command){.payload_branch = STOCK_COMMAND_ADJUST,
                                        .payload.adjust = {.sku = key,
                                                           .adjust_id = "count-1",
                                                           .delta = delta,
                                                           .reason = ADJUST_REASON_COUNT,
                                                           .location_id = "MAIN"}});
}

static void reserve(struct story *story, int order, int qty, int64_t ttl_ms)
{
    const char *key = sku(story, order);
    const char *id = arena_format(&story->arena, "order-%d-%02d", story->partition, order);
    add_command(story, key,
                &(struct stock_command){
                    .payload_branch = STOCK_COMMAND_RESERVE,
                    .payload.reserve = {.reservation_id = arena_format(&story->arena, "%s/1/1", id),
                                        .order_id = id,
                                        .line_no = 1,
                                        .sku = key,
                                        .qty = qty,
                                        .allow_split = true,
                                        .backorder_ok = order % 3 == 0,
                                        .ttl_ms = ttl_ms,
                                        .customer_id = "customer"}});
}

/* Extend, Commit and Release begin with the same fields. */
static void follow_up(struct story *story, int order, enum stock_command_branch branch)
{
    const char *key = sku(story, order);
    const char *id = arena_format(&story->arena, "order-%d-%02d", story->partition, order);
    const char *reservation = arena_format(&story->arena, "%s/1/1", id);
    struct stock_command command = {.payload_branch = branch};
    switch (branch) {
    case STOCK_COMMAND_EXTEND:
        command.payload.extend = (struct extend){reservation, id, 1, key, 2 * HOUR_MS};
        break;
    case STOCK_COMMAND_COMMIT:
        command.payload.commit = (struct commit){reservation, id, 1, key};
        break;
    case STOCK_COMMAND_RELEASE:
    case STOCK_COMMAND_RESERVE:
    case STOCK_COMMAND_RESTOCK:
    case STOCK_COMMAND_ADJUST:
        command.payload_branch = STOCK_COMMAND_RELEASE;
        command.payload.release =
            (struct release){reservation, id, 1, key, ORDER_REASON_CUSTOMER, false, 0};
        break;
    }
    add_command(story, key, &command);
}

static int quantity(int order)
{
    return 1 + order % 4;
}

static int64_t hold_ms(int order)
{
    return order % 6 == 5 ? 5 : HOUR_MS;
}

static void add_bad_records(struct story *story)
{
    add(story, sku(story, 0), "not avro", 8);
    reserve(story, 90, -1, HOUR_MS);
    restock(story, 0, 999, "first"); /* the receipt was counted with another quantity */
    buffer_reset(&story->buffer);
    struct line last = story->lines[story->count - 1];
    add(story, last.key, last.value.data, last.value.size - 3);
    add(story, NULL, last.value.data, last.value.size);
    add(story, "another key", last.value.data, last.value.size);
}

static void tell(struct story *story)
{
    for (int i = 0; i < SKUS - 1; i++) {
        restock(story, i, 10, "first");
    }
    for (int i = 0; i < FIRST_ORDERS; i++) {
        reserve(story, i, quantity(i), hold_ms(i));
    }
    size_t second_part = story->count;
    for (int i = 0; i < FIRST_ORDERS; i++) {
        static const enum stock_command_branch what[] = {STOCK_COMMAND_EXTEND, STOCK_COMMAND_COMMIT,
                                                         STOCK_COMMAND_RELEASE};
        if (i % 4 == 3) {
            reserve(story, i, quantity(i), hold_ms(i)); /* once more */
        } else {
            follow_up(story, i, what[i % 4]);
        }
    }
    add_bad_records(story);
    size_t third_part = story->count;
    for (int i = 0; i < SKUS; i++) {
        restock(story, i, 7, "second");
    }
    restock(story, 1, 7, "second");
    adjust(story, 1, -3);
    for (int i = FIRST_ORDERS; i < FIRST_ORDERS + SECOND_ORDERS; i++) {
        reserve(story, i, quantity(i), hold_ms(i));
        if (i % 2 == 0) {
            follow_up(story, i, STOCK_COMMAND_COMMIT);
        }
    }
    reserve(story, 99, 1, 20); /* the last hold to run out */
    story->lines[second_part].pause_before = true;
    story->lines[third_part].pause_before = true;
}

static struct story *story_of(int partition)
{
    struct story *story = xcalloc(1, sizeof *story);
    arena_init(&story->arena);
    buffer_init(&story->buffer);
    story->partition = partition;
    tell(story);
    return story;
}

static void story_free(struct story *story)
{
    arena_release(&story->arena);
    buffer_release(&story->buffer);
    free(story);
}

size_t stock_story_size(void)
{
    struct story *story = story_of(0);
    size_t count = story->count;
    story_free(story);
    return count;
}

void stock_feed(struct system *system, int partition, size_t from, size_t before)
{
    struct story *story = story_of(partition);
    for (size_t i = from; i < before && i < story->count; i++) {
        if (story->lines[i].pause_before) {
            system_flush(system);
            system_sleep(PAUSE_MS);
        }
        system_send(system, stock_commands_topic.name, partition, story->lines[i].key,
                    story->lines[i].value);
    }
    system_flush(system);
    story_free(story);
}

void stock_feed_all(struct system *system, int partition)
{
    stock_feed(system, partition, 0, STORY_MAX);
}

/* ---- the picture: topics ---- */

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

/* ---- the picture: rows ---- */

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

/* ---- the picture: all of it ---- */

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

/* ---- is it over? ---- */

/* Whether the last hold's reply is there. */
static bool has_expired(struct system *system, const struct stock_marks *marks, int partition)
{
    char key[40];
    snprintf(key, sizeof key, "order-%d-99", partition);
    struct weir_bytes bytes = {(const uint8_t *)key, strlen(key)};
    int32_t p = key_partition(bytes, SYSTEM_PARTITIONS);
    struct scan_partition from = {topics[REPLIES].name, p, marks->ends[REPLIES][p], -1};
    struct scan *scan;
    struct error error;
    if (scan_open(&scan, system->admin, &from, 1, &error) != OK) {
        system_fail(system, "%s", error.text);
    }
    int replies = 0;
    struct port_record record;
    size_t index;
    bool found = true, done = false;
    while (!done && found) {
        if (scan_next(scan, 50, &record, &index, &found, &done, &error) != OK) {
            system_fail(system, "%s", error.text);
        }
        replies += found && record.key.size == bytes.size &&
                   memcmp(record.key.data, bytes.data, bytes.size) == 0;
    }
    scan_close(scan);
    return replies >= 2; /* Reserved, Expired */
}

void stock_expect_settled(struct system *system, const struct stock_marks *marks, int partition,
                          int timeout_ms)
{
    int64_t end = system_now_ms() + timeout_ms;
    system_expect_committed(system, stock_commands_topic.name, partition,
                            system_end_of(system, stock_commands_topic.name, partition),
                            timeout_ms);
    while (!has_expired(system, marks, partition)) {
        if (system_now_ms() > end) {
            system_fail(system, "the last hold has not run out within %d ms", timeout_ms);
        }
        system_sleep(10);
    }
}

char *stock_undisturbed(struct system *system, int partitions)
{
    static const char *const hosts[SYSTEM_PARTITIONS] = {"calm", "calm", "calm", "calm"};
    const char *used[SYSTEM_PARTITIONS] = {NULL};
    char own_id[sizeof system->application_id];
    struct stock_marks marks;
    struct process *processes[SYSTEM_PARTITIONS];
    memcpy(own_id, system->application_id, sizeof own_id);
    snprintf(system->application_id, sizeof system->application_id, "%.60s-calm", own_id);
    system_create_topics(system, &inventory_processor);
    stock_mark(system, &marks);
    for (int p = 0; p < partitions; p++) {
        used[p] = hosts[p];
        processes[p] = system_run(system, &(struct run){.partition = p,
                                                        .host = hosts[p],
                                                        .application_id = system->application_id});
    }
    for (int p = 0; p < partitions; p++) {
        stock_expect_settled(system, &marks, p, 20000);
        process_stop(system, processes[p]);
    }
    char *picture = stock_picture(system, &marks, STOCK_LOOSE, used);
    memcpy(system->application_id, own_id, sizeof own_id);
    return picture;
}

/* ---- group and file ---- */

int64_t stock_commit_number(struct system *system, int partition)
{
    struct error error;
    struct port_offset offset;
    const char *topic = stock_commands_topic.name;
    enum outcome outcome = RETRY;
    for (int64_t end = system_now_ms() + 10000; outcome == RETRY && system_now_ms() < end;) {
        outcome = admin_committed(system->admin, system->application_id, &topic, 1, partition,
                                  &offset, &error);
        system_sleep(outcome == RETRY ? 20 : 0);
    }
    if (outcome != OK) {
        system_fail(system, "%s", error.text);
    }
    int64_t number = 0;
    return sscanf(offset.metadata, "weir1 %" SCNd64, &number) == 1 ? number : 0;
}

void stock_expect_agreement(struct system *system, const char *host, int partition)
{
    struct error error;
    struct store_meta meta;
    const char *path = system_state_path(system, host, partition);
    if (store_peek(path, &meta, &error) != OK) {
        system_fail(system, "%s: %s", path, error.text);
    }
    if (meta.commit_number != stock_commit_number(system, partition)) {
        system_fail(system, "%s stands at commit %" PRId64 ", the group at %" PRId64, path,
                    meta.commit_number, stock_commit_number(system, partition));
    }
}
