/* checkpoints.c - reads stretches of a log, from an offset up to the last stable one. */
#include "doctor/checkpoints.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/metadata.h"

enum {
    ASK_MS = 2000,
    ASK_TRIES = 10,
    ASK_PAUSE_MS = 200,
    READ_MS = 200,
    BATCH = 500,
    FIRST_STRETCH = 500, /* offsets from the end; each further stretch is eight times as long */
    SILENCE_MS = 15 * 1000,
};

const struct weir_store raw_rows = {.name = ""};

enum outcome log_bounds(struct port *port, const char *topic, int32_t partition,
                        struct port_log *log, struct error *error)
{
    enum outcome outcome = RETRY;
    for (int tries = 0; outcome == RETRY && tries < ASK_TRIES; tries++) {
        if (tries > 0) {
            nanosleep(&(struct timespec){.tv_nsec = ASK_PAUSE_MS * 1000000L}, NULL);
        }
        outcome = port->calls->log(port, topic, partition, ASK_MS, log, error);
    }
    return outcome;
}

/* Called for each record; false stops. */
typedef bool see_record(void *context, const struct port_record *record);

/* Shows every committed record from `from` to before `to`. */
static enum outcome read_stretch(struct port *port, const char *topic, int32_t partition,
                                 int64_t from, int64_t to, see_record *see, void *context,
                                 struct error *error)
{
    struct reader *reader;
    enum outcome outcome =
        from < to ? port->calls->reader_open(port, topic, partition, from, &reader, error) : OK;
    if (outcome != OK || from >= to) {
        return outcome;
    }
    struct port_record records[BATCH];
    int64_t position = from, heard_us = port->calls->monotonic_us(port);
    bool more = true;
    while (outcome == OK && more && position < to) {
        size_t count = 0;
        int64_t before = position;
        outcome = port->calls->read(reader, READ_MS, records, BATCH, &count, &position, error);
        for (size_t i = 0; i < count && more && outcome == OK; i++) {
            more = records[i].offset < to && see(context, &records[i]);
        }
        port->calls->reader_release(reader, records, count);
        int64_t now_us = port->calls->monotonic_us(port);
        heard_us = position > before ? now_us : heard_us;
        if (outcome == OK && now_us - heard_us > (int64_t)SILENCE_MS * 1000) {
            outcome = fail(error, RETRY,
                           "%s partition %d cannot be read beyond offset %" PRId64
                           ", though it goes on to %" PRId64,
                           topic, (int)partition, position, to);
        }
    }
    port->calls->reader_close(reader);
    return outcome;
}

/* ---- the last checkpoint ---- */

struct search {
    struct codec *codec;
    struct arena *arena;
    struct last_checkpoint *last;
};

static bool is_checkpoint(const struct port_record *record)
{
    return record->key.size == strlen(CHECKPOINT_KEY) &&
           memcmp(record->key.data, CHECKPOINT_KEY, record->key.size) == 0;
}

static bool see_checkpoint(void *context, const struct port_record *record)
{
    struct search *search = context;
    struct last_checkpoint *last = search->last;
    if (!is_checkpoint(record)) {
        last->rows++;
        return true;
    }
    struct error why = {.text = "it is null"};
    last->found =
        record->value.data && codec_decode(search->codec, &checkpoint_record, record->value,
                                           search->arena, &last->checkpoint, &why) == DECODED;
    snprintf(last->unreadable, sizeof last->unreadable, "%.*s", last->found ? 0 : 250, why.text);
    last->offset = record->offset;
    last->appended_ms = record->timestamp_ms;
    return true;
}

enum outcome checkpoint_last(struct port *port, struct codec *codec, const char *changelog,
                             int32_t partition, struct arena *arena, struct last_checkpoint *last,
                             struct error *error)
{
    *last = (struct last_checkpoint){0};
    enum outcome outcome = log_bounds(port, changelog, partition, &last->log, error);
    struct search search = {codec, arena, last};
    int64_t to = outcome == OK ? last->log.stable : 0, stretch = FIRST_STRETCH;
    while (outcome == OK && to > last->log.low && !last->found && !last->unreadable[0]) {
        int64_t from = to - stretch > last->log.low ? to - stretch : last->log.low;
        outcome =
            read_stretch(port, changelog, partition, from, to, see_checkpoint, &search, error);
        to = from;
        stretch *= 8;
    }
    return outcome;
}

/* ---- rows ---- */

static bool see_row(void *context, const struct port_record *record)
{
    if (!is_checkpoint(record)) {
        write_set_put(context, &raw_rows, record->key, (struct weir_bytes){NULL, 0});
    }
    return true;
}

enum outcome changelog_keys(struct port *port, const char *changelog, int32_t partition,
                            struct write_set *rows, struct error *error)
{
    struct port_log log;
    enum outcome outcome = log_bounds(port, changelog, partition, &log, error);
    return outcome == OK
               ? read_stretch(port, changelog, partition, log.low, log.stable, see_row, rows, error)
               : outcome;
}

/* ---- what waits in an input ---- */

struct count {
    struct waiting *waiting;
    struct arena *arena;
};

static bool see_waiting(void *context, const struct port_record *record)
{
    struct count *count = context;
    struct waiting *waiting = count->waiting;
    if (waiting->records++ == 0) {
        waiting->first_offset = record->offset;
        waiting->first_ms = record->timestamp_ms;
        if (record->value.data) {
            uint8_t *copy = arena_alloc(count->arena, record->value.size + 1);
            memcpy(copy, record->value.data, record->value.size);
            waiting->first_value = (struct weir_bytes){copy, record->value.size};
        }
    }
    return waiting->records < WAITING_MAX;
}

enum outcome waiting_records(struct port *port, const char *topic, int32_t partition, int64_t from,
                             struct arena *arena, struct waiting *waiting, struct error *error)
{
    struct port_log log;
    *waiting = (struct waiting){.first_offset = -1};
    enum outcome outcome = log_bounds(port, topic, partition, &log, error);
    struct count count = {waiting, arena};
    from = outcome == OK && from < log.low ? log.low : from;
    return outcome == OK
               ? read_stretch(port, topic, partition, from, log.stable, see_waiting, &count, error)
               : outcome;
}
