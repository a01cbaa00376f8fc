/* watcher.c - follows the topics; opens its reader anew when the broker was away for too long.
 */
#include "chaos/watcher.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "codec/codec.h"
#include "kafka/admin.h"
#include "names.h"
#include "processors.h"
#include "runtime/topology.h"
#include "shop.h"

enum { PARTS_MAX = 256, WAIT_MS = 200, FOLLOW = -2, END_NOW = -1, READ_AGAIN_MS = 120000 };

struct seen {
    int64_t offset;
    uint64_t hash;
};

struct part {
    const char *topic;
    int32_t partition;
    struct seen *seen;
    size_t count, capacity;
    size_t again; /* how many of them the second reading has found */
};

struct watcher {
    const struct options *options;
    struct topology topology; /* owns the names */
    struct admin *admin;
    struct part parts[PARTS_MAX];
    size_t part_count;
    pthread_t thread;
    atomic_bool stop;
    /* Orders: the event that ended each, by number of its id. */
    struct codec *codec;
    struct arena arena;
    struct names orders;
    unsigned char *ended;
    size_t ended_capacity;
    char wrong[400]; /* the first thing */
    int64_t wrongs;
};

__attribute__((format(printf, 2, 3))) static void say_wrong(struct watcher *watcher,
                                                            const char *format, ...)
{
    if (watcher->wrongs++ == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(watcher->wrong, sizeof watcher->wrong, format, args);
        va_end(args);
    }
}

/* ---- orders ---- */

static void see_event(struct watcher *watcher, const struct port_record *record)
{
    struct order_event event;
    struct error error;
    char id[300];
    arena_reset(&watcher->arena);
    snprintf(id, sizeof id, "%.*s", (int)record->key.size, (const char *)record->key.data);
    if (codec_decode(watcher->codec, &order_event_record, record->value, &watcher->arena, &event,
                     &error) != DECODED) {
        say_wrong(watcher, "order.events %d/%" PRId64 " cannot be read: %s", (int)record->partition,
                  record->offset, error.text);
        return;
    }
    size_t number = names_add(&watcher->orders, id);
    while (number >= watcher->ended_capacity) {
        size_t more = watcher->ended_capacity > 0 ? watcher->ended_capacity * 2 : 4096;
        watcher->ended = xrealloc(watcher->ended, more);
        memset(watcher->ended + watcher->ended_capacity, 0, more - watcher->ended_capacity);
        watcher->ended_capacity = more;
    }
    if (watcher->ended[number]) {
        say_wrong(watcher, "order %s has an event at order.events %d/%" PRId64 " after its end", id,
                  (int)record->partition, record->offset);
    }
    watcher->ended[number] = event.payload_branch == ORDER_EVENT_ORDER_CONFIRMED ||
                             event.payload_branch == ORDER_EVENT_ORDER_REJECTED ||
                             event.payload_branch == ORDER_EVENT_ORDER_CANCELLED;
}

/* ---- records ---- */

static uint64_t hash_of(const struct port_record *record)
{
    struct port_header header;
    uint64_t hash = hash_bytes((uint64_t)record->timestamp_ms, record->key.data, record->key.size);
    hash = hash_bytes(hash, record->value.data, record->value.size);
    for (size_t i = 0; scan_header(record, i, &header); i++) {
        hash = hash_bytes(hash, header.name, strlen(header.name));
        hash = hash_bytes(hash, header.value.data, header.value.size);
    }
    return hash;
}

static void see(struct watcher *watcher, struct part *part, const struct port_record *record)
{
    if (part->count > 0 && record->offset <= part->seen[part->count - 1].offset) {
        say_wrong(watcher, "%s %d/%" PRId64 " came again", part->topic, (int)part->partition,
                  record->offset);
        return;
    }
    if (part->count == part->capacity) {
        part->capacity = part->capacity > 0 ? part->capacity * 2 : 1024;
        part->seen = xrealloc(part->seen, part->capacity * sizeof *part->seen);
    }
    part->seen[part->count++] = (struct seen){record->offset, hash_of(record)};
    if (part->topic == order_events_topic.name ||
        strcmp(part->topic, order_events_topic.name) == 0) {
        see_event(watcher, record);
    }
}

/* What is read the second time must be what was read the first. */
static void see_again(struct watcher *watcher, struct part *part, const struct port_record *record)
{
    const struct seen *seen = part->again < part->count ? &part->seen[part->again] : NULL;
    if (!seen || record->offset < seen->offset) {
        say_wrong(watcher, "%s %d/%" PRId64 " was not there when it was watched", part->topic,
                  (int)part->partition, record->offset);
        return;
    }
    if (record->offset > seen->offset) {
        say_wrong(watcher, "%s %d/%" PRId64 " was seen and is gone", part->topic,
                  (int)part->partition, seen->offset);
        while (part->again < part->count && part->seen[part->again].offset < record->offset) {
            part->again++;
        }
        seen = part->again < part->count ? &part->seen[part->again] : seen;
    }
    if (seen->offset == record->offset && seen->hash != hash_of(record)) {
        say_wrong(watcher, "%s %d/%" PRId64 " is not what it was", part->topic,
                  (int)part->partition, record->offset);
    }
    part->again++;
}

/* ---- reading ---- */

static enum outcome open_scan(struct watcher *watcher, struct scan **scan, bool again,
                              struct error *error)
{
    struct scan_partition from[PARTS_MAX];
    for (size_t i = 0; i < watcher->part_count; i++) {
        const struct part *part = &watcher->parts[i];
        int64_t next = part->count > 0 ? part->seen[part->count - 1].offset + 1 : 0;
        from[i] = (struct scan_partition){part->topic, part->partition, again ? 0 : next,
                                          again ? END_NOW : FOLLOW};
    }
    return scan_open(scan, watcher->admin, from, watcher->part_count, error);
}

/* Reads until told to stop (watching) or until the end (again). false: it has to begin anew. */
static bool read_all(struct watcher *watcher, struct scan *scan, bool again)
{
    bool found, done = false;
    while (!done && (again || !atomic_load(&watcher->stop))) {
        struct port_record record;
        struct error error;
        size_t which;
        if (scan_next(scan, WAIT_MS, &record, &which, &found, &done, &error) != OK) {
            return false;
        }
        if (found && again) {
            see_again(watcher, &watcher->parts[which], &record);
        } else if (found) {
            see(watcher, &watcher->parts[which], &record);
        }
    }
    return true;
}

static void *watch(void *context)
{
    struct watcher *watcher = context;
    while (!atomic_load(&watcher->stop)) {
        struct scan *scan;
        struct error error;
        if (open_scan(watcher, &scan, false, &error) == OK) {
            (void)read_all(watcher, scan, false);
            scan_close(scan);
        } else {
            sleep_ms(WAIT_MS);
        }
    }
    return NULL;
}

/* ---- life ---- */

static void choose_parts(struct watcher *watcher)
{
    topology_init(&watcher->topology);
    for (size_t i = 0; processors[i]; i++) {
        topology_add(&watcher->topology, processors[i], processors[i]->name, 86400000);
    }
    for (size_t i = 0; i < watcher->topology.count; i++) {
        const struct topic_settings *topic = &watcher->topology.topics[i];
        if (topic->cleanup != WEIR_DELETE || strcmp(topic->name, order_raw_topic.name) == 0) {
            continue; /* compaction may take what was seen */
        }
        for (int32_t p = 0; p < topic->partitions; p++) {
            CHECK(watcher->part_count < PARTS_MAX);
            watcher->parts[watcher->part_count++] =
                (struct part){.topic = topic->name, .partition = p};
        }
    }
}

struct watcher *watcher_open(const struct options *options)
{
    static const struct weir_record *const records[] = {&order_event_record, NULL};
    struct watcher *watcher = xcalloc(1, sizeof *watcher);
    struct error error;
    char bootstrap[40];
    watcher->options = options;
    arena_init(&watcher->arena);
    names_init(&watcher->orders);
    choose_parts(watcher);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", options->port);
    CHECK_EQUAL(codec_open(&watcher->codec, records, NULL, &error), OK);
    CHECK_EQUAL(admin_open(&watcher->admin, bootstrap, NULL, 0, &error), OK);
    CHECK_EQUAL(pthread_create(&watcher->thread, NULL, watch, watcher), 0);
    return watcher;
}

static void read_again(struct watcher *watcher)
{
    struct scan *scan;
    struct error error;
    int64_t end = now_ms() + READ_AGAIN_MS;
    while (open_scan(watcher, &scan, true, &error) != OK) {
        if (now_ms() > end) {
            say_wrong(watcher, "the topics cannot be read again: %s", error.text);
            return;
        }
        sleep_ms(WAIT_MS);
    }
    if (!read_all(watcher, scan, true)) {
        say_wrong(watcher, "the topics cannot be read again to their end");
    }
    scan_close(scan);
    for (size_t i = 0; i < watcher->part_count; i++) {
        const struct part *part = &watcher->parts[i];
        if (part->again < part->count) {
            say_wrong(watcher, "%s %d/%" PRId64 " was seen and is gone", part->topic,
                      (int)part->partition, part->seen[part->again].offset);
        }
    }
}

void watcher_finish(struct watcher *watcher, struct results *results)
{
    atomic_store(&watcher->stop, true);
    pthread_join(watcher->thread, NULL);
    if (results->violation_count == 0) { /* else an open transaction may hold a log for ever */
        read_again(watcher);
    }
    for (size_t i = 0; i < watcher->part_count; i++) {
        results->counts[COUNT_WATCHED] += (int64_t)watcher->parts[i].count;
    }
    if (watcher->wrongs > 0) {
        results_violation(results, "the watcher: %s (%" PRId64 " findings)", watcher->wrong,
                          watcher->wrongs);
    }
}

void watcher_close(struct watcher *watcher)
{
    if (!watcher) {
        return;
    }
    if (!atomic_load(&watcher->stop)) {
        atomic_store(&watcher->stop, true);
        pthread_join(watcher->thread, NULL);
    }
    for (size_t i = 0; i < watcher->part_count; i++) {
        free(watcher->parts[i].seen);
    }
    admin_close(watcher->admin);
    codec_close(watcher->codec);
    names_release(&watcher->orders);
    arena_release(&watcher->arena);
    topology_release(&watcher->topology);
    free(watcher->ended);
    free(watcher);
}
