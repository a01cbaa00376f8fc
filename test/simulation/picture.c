/* picture.c - see picture.h. */
#include "simulation/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/deadletter.h"
#include "runtime_records.h"
#include "shop.h"
#include "simulation/world.h"
#include "store/internal.h"

struct lines {
    char **list;
    size_t count, room;
};

static void add_line(struct lines *lines, struct buffer *text)
{
    if (lines->count == lines->room) {
        lines->room = lines->room > 0 ? lines->room * 2 : 64;
        lines->list = xrealloc(lines->list, lines->room * sizeof *lines->list);
    }
    lines->list[lines->count++] = xstrdup(buffer_string(text));
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_sorted(struct lines *lines, struct buffer *out)
{
    if (lines->count > 0) {
        qsort(lines->list, lines->count, sizeof *lines->list, compare);
    }
    for (size_t i = 0; i < lines->count; i++) {
        buffer_format(out, "%s\n", lines->list[i]);
        free(lines->list[i]);
    }
    free(lines->list);
}

static const struct port_header *header_named(const struct broker_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) == 0) {
            return &record->headers[i];
        }
    }
    return NULL;
}

static void print_cause(const struct broker_record *record, struct codec *codec,
                        struct arena *arena, struct buffer *line)
{
    const struct port_header *header = header_named(record, "weir-cause");
    struct cause cause;
    struct error error;
    if (!header ||
        codec_decode_datum(codec, &cause_record, header->value, arena, &cause, &error) != DECODED) {
        buffer_add_string(line, "without a cause");
        return;
    }
    buffer_format(line, "%d.%06lld %s %03d/%d", (int)cause.partition, (long long)cause.offset,
                  cause.timer ? cause.timer : "", cause.ordinal, cause.count);
}

static void print_value(const struct weir_topic *topic, struct weir_bytes value,
                        struct codec *codec, struct arena *arena, struct buffer *line)
{
    void *record = arena_alloc(arena, topic->record->size);
    struct error error;
    if (codec_decode(codec, topic->record, value, arena, record, &error) == DECODED) {
        if (topic == &stock_levels_topic) { /* when a view is built depends on where takes end */
            struct stock_level_record *view = record;
            view->occurred_ms = view->payload.stock_level_view.updated_ms = 0;
        }
        record_to_json(topic->record, record, line);
    } else {
        buffer_format(line, "unreadable: %s", error.text);
    }
}

static void add_outputs(struct broker *broker, struct codec *codec, const struct weir_topic *topic,
                        int32_t partition, bool view, struct lines *lines)
{
    struct broker_record record;
    struct arena arena;
    struct buffer line;
    arena_init(&arena);
    buffer_init(&line);
    for (int64_t at = 0; broker_read(broker, topic->name, partition, true, &at, &record);) {
        arena_reset(&arena);
        buffer_reset(&line);
        if (!view) { /* a view names what touched it last in its take */
            print_cause(&record, codec, &arena, &line);
        }
        buffer_format(&line, " %s/%d %.*s ", topic->name, (int)partition, (int)record.key.size,
                      (const char *)record.key.data);
        print_value(topic, record.value, codec, &arena, &line);
        add_line(lines, &line);
    }
    buffer_release(&line);
    arena_release(&arena);
}

static void add_dead_letters(struct broker *broker, int32_t partition, struct lines *lines)
{
    struct broker_record record;
    struct buffer line;
    buffer_init(&line);
    for (int64_t at = 0;
         broker_read(broker, "stock.commands.dlq", partition, true, &at, &record);) {
        buffer_reset(&line);
        static const char *const names[] = {DEAD_SOURCE, DEAD_CLASS, DEAD_CAUSE, DEAD_REASON};
        for (size_t i = 0; i < 4; i++) {
            const struct port_header *header = header_named(&record, names[i]);
            buffer_format(&line, "%.*s ", header ? (int)header->value.size : 1,
                          header ? (const char *)header->value.data : "?");
        }
        add_line(lines, &line);
    }
    buffer_release(&line);
}

void picture_of_topics(struct broker *broker, struct codec *codec, struct buffer *out)
{
    struct lines lines = {0};
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        add_outputs(broker, codec, &stock_replies_topic, partition, false, &lines);
        add_outputs(broker, codec, &stock_ledger_topic, partition, false, &lines);
        add_dead_letters(broker, partition, &lines);
        broker_compact(broker, stock_levels_topic.name, partition, false);
        add_outputs(broker, codec, &stock_levels_topic, partition, true, &lines);
    }
    print_sorted(&lines, out);
}

static int print_rows(sqlite3 *db, const char *sql, struct buffer *out)
{
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &rows, NULL);
    while (code == SQLITE_OK && sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            const char *text = (const char *)sqlite3_column_text(rows, i);
            buffer_format(out, "%s|", text ? text : "NULL");
        }
        buffer_add_byte(out, '\n');
    }
    int finished = sqlite3_finalize(rows);
    return code == SQLITE_OK ? finished : code;
}

bool picture_of_state(const char *path, struct buffer *out)
{
    static const char *const queries[] = {
        "SELECT * FROM stock_level ORDER BY sku",
        "SELECT * FROM reservation ORDER BY reservation_id",
        "SELECT * FROM receipt ORDER BY sku, kind, receipt_id",
        "SELECT * FROM backorder ORDER BY sku, promise_ms, seq",
        "SELECT * FROM customer_units ORDER BY 1, 2",
        "SELECT * FROM timer_row ORDER BY kind, key",
    };
    struct query query;
    struct error error;
    if (query_open(&query, path, &error) != OK) {
        return false;
    }
    int code = SQLITE_OK;
    for (size_t i = 0; i < sizeof queries / sizeof *queries && code == SQLITE_OK; i++) {
        code = print_rows(query.db, queries[i], out);
    }
    query_close(&query);
    return code == SQLITE_OK;
}

static bool read_checkpoint(const struct broker_record *record, struct codec *codec,
                            struct arena *arena, struct checkpoint *checkpoint)
{
    struct error error;
    arena_reset(arena);
    return codec_decode(codec, &checkpoint_record, record->value, arena, checkpoint, &error) ==
           DECODED;
}

bool picture_of_history(struct broker *broker, struct codec *codec, int32_t partition,
                        struct buffer *out, char *why, size_t room)
{
    struct broker_record record;
    struct arena arena;
    arena_init(&arena);
    int64_t number = 0, next = 0, handled = 0, stale = 0, dead = 0, timers = 0;
    bool good = true;
    for (int64_t at = 0;
         good && broker_read(broker, "inventory.history", partition, true, &at, &record);) {
        struct checkpoint checkpoint;
        if (!read_checkpoint(&record, codec, &arena, &checkpoint)) {
            snprintf(why, room, "partition %d: a checkpoint is unreadable", (int)partition);
            good = false;
            break;
        }
        const struct input_range *range = &checkpoint.inputs.items[0];
        if (checkpoint.commit_number != number + 1 || range->first_offset != next) {
            snprintf(why, room, "partition %d: commit %lld from %lld comes after %lld up to %lld",
                     (int)partition, (long long)checkpoint.commit_number,
                     (long long)range->first_offset, (long long)number, (long long)next);
            good = false;
        }
        number = checkpoint.commit_number;
        next = range->next_offset;
        handled += range->handled;
        stale += range->stale;
        dead += range->dead;
        timers += checkpoint.timers_fired;
    }
    arena_release(&arena);
    buffer_format(out, "%d: next=%lld handled=%lld stale=%lld dead=%lld timers=%lld\n",
                  (int)partition, (long long)next, (long long)handled, (long long)stale,
                  (long long)dead, (long long)timers);
    return good;
}
