/* stock.c - inventory's story: told, lived through, and compared. */
#include "kafka/stock.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "processors.h"
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

/* ---- is it over? ---- */

/* Whether the last hold's reply is there. */
static bool has_expired(struct system *system, const struct stock_marks *marks, int partition)
{
    char key[40];
    snprintf(key, sizeof key, "order-%d-99", partition);
    struct weir_bytes bytes = {(const uint8_t *)key, strlen(key)};
    int32_t p = key_partition(bytes, SYSTEM_PARTITIONS);
    struct scan_partition from = {stock_replies_topic.name, p, marks->ends[0][p], -1};
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

void stock_expect_as_undisturbed(struct system *system, char *found, int partitions)
{
    char *calm = stock_undisturbed(system, partitions);
    stock_expect_same(system, calm, found);
    free(calm);
    free(found);
}

/* ---- from the beginning to the end ---- */

void stock_begin(struct system *system, struct stock_marks *marks)
{
    system_create_topics(system, &inventory_processor);
    system_forget_input(system, stock_commands_topic.name);
    stock_mark(system, marks);
}

char *stock_finish(struct system *system, const struct stock_marks *marks, struct process *process,
                   const char *host, enum stock_view view, int timeout_ms)
{
    const char *const hosts[SYSTEM_PARTITIONS] = {host};
    stock_expect_settled(system, marks, 0, timeout_ms);
    process_stop(system, process);
    stock_expect_agreement(system, host, 0);
    return stock_picture(system, marks, view, hosts);
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
