/* position.c - reads positions and finds their offsets. */
#include "position.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/conf.h"

enum { LAST_MOST = 1000000, LEAST_WINDOW = 64, WAIT_MS = 1000 };

static const int64_t least_epoch_ms = INT64_C(1000000000000);

/* ".5" is 500 ms; digits beyond the third do not count. */
static const char *read_fraction(const char *text, int64_t *ms)
{
    int64_t unit = 100;
    *ms = 0;
    if (*text != '.') {
        return text;
    }
    for (text++; *text >= '0' && *text <= '9'; text++) {
        *ms += (*text - '0') * unit;
        unit /= 10;
    }
    return text;
}

static bool read_time(const char *text, int64_t *time_ms)
{
    struct tm tm = {0};
    int64_t ms = 0;
    const char *at = strptime(text, "%Y-%m-%d", &tm);
    if (!at) {
        return false;
    }
    if (*at == 'T' || *at == ' ') {
        const char *clock = strptime(at + 1, "%H:%M:%S", &tm);
        at = clock ? read_fraction(clock, &ms) : strptime(at + 1, "%H:%M", &tm);
    }
    if (at && *at == 'Z') {
        at++;
    }
    *time_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return at && *at == 0;
}

bool position_parse(const char *text, struct position *position)
{
    int64_t number;
    if (strcmp(text, "start") == 0) {
        *position = (struct position){POSITION_START, 0};
    } else if (strcmp(text, "end") == 0) {
        *position = (struct position){POSITION_END, 0};
    } else if (conf_number(text, &number) && text[0] == '-') {
        if (number < -LAST_MOST) {
            return false;
        }
        *position = (struct position){POSITION_LAST, -number};
    } else if (conf_number(text, &number)) {
        position->kind = number >= least_epoch_ms ? POSITION_TIME : POSITION_OFFSET;
        position->value = number;
    } else if (read_time(text, &number)) {
        *position = (struct position){POSITION_TIME, number};
    } else {
        return false;
    }
    return true;
}

/* ---- the last records ---- */

struct last {
    int64_t *offsets; /* per partition: a ring of the newest `wanted` */
    int64_t *counts;  /* per partition: how many have been seen */
    size_t wanted;
};

static enum outcome see_all(struct scan *scan, struct last *last, struct error *error)
{
    bool done = false;
    while (!done) {
        struct port_record record;
        size_t p;
        bool found;
        enum outcome outcome = scan_next(scan, WAIT_MS, &record, &p, &found, &done, error);
        if (outcome == FATAL) {
            return outcome;
        }
        if (found) {
            size_t at = (size_t)last->counts[p]++ % last->wanted;
            last->offsets[p * last->wanted + at] = record.offset;
        }
    }
    return OK;
}

/* Looks at the last `window` offsets of each partition. *enough: no larger window is needed. */
static enum outcome look(struct admin *admin, const char *topic, const struct port_log *logs,
                         int32_t partitions, int64_t window, struct last *last, int64_t *offsets,
                         bool *enough, struct error *error)
{
    size_t count = (size_t)partitions;
    struct scan_partition *parts = xcalloc(count + 1, sizeof *parts);
    struct scan *scan = NULL;
    for (int32_t p = 0; p < partitions; p++) {
        offsets[p] = logs[p].high - window > logs[p].low ? logs[p].high - window : logs[p].low;
        parts[p] = (struct scan_partition){topic, p, offsets[p], logs[p].high};
        last->counts[p] = 0;
    }
    enum outcome outcome = scan_open(&scan, admin, parts, count, error);
    if (outcome == OK) {
        outcome = see_all(scan, last, error);
    }
    *enough = true;
    for (int32_t p = 0; p < partitions && outcome == OK; p++) {
        if (last->counts[p] >= (int64_t)last->wanted) {
            size_t oldest = (size_t)last->counts[p] % last->wanted;
            offsets[p] = last->offsets[(size_t)p * last->wanted + oldest];
        } else if (offsets[p] > logs[p].low) {
            *enough = false;
        }
    }
    scan_close(scan);
    free(parts);
    return outcome;
}

/* Offsets are not records: commits, aborted records and compaction take some. So the last ones are
 * counted, in a window that grows. */
static enum outcome find_last(struct admin *admin, const char *topic, const struct port_log *logs,
                              int32_t partitions, int64_t wanted, int64_t *offsets,
                              struct error *error)
{
    struct last last = {.wanted = (size_t)wanted};
    last.offsets = xcalloc((size_t)partitions * last.wanted + 1, sizeof *last.offsets);
    last.counts = xcalloc((size_t)partitions + 1, sizeof *last.counts);
    enum outcome outcome = OK;
    bool enough = false;
    for (int64_t window = wanted * 2 + LEAST_WINDOW; outcome == OK && !enough; window *= 4) {
        outcome = look(admin, topic, logs, partitions, window, &last, offsets, &enough, error);
    }
    free(last.offsets);
    free(last.counts);
    return outcome;
}

enum outcome position_resolve(struct position position, struct admin *admin, const char *topic,
                              const struct port_log *logs, int32_t partitions, int64_t *offsets,
                              struct error *error)
{
    switch (position.kind) {
    case POSITION_TIME:
        return admin_offsets_for_time(admin, topic, position.value, offsets, partitions, error);
    case POSITION_LAST:
        if (position.value > 0) {
            return find_last(admin, topic, logs, partitions, position.value, offsets, error);
        }
        position.kind = POSITION_END;
        break;
    case POSITION_START:
    case POSITION_END:
    case POSITION_OFFSET:
        break;
    }
    for (int32_t p = 0; p < partitions; p++) {
        int64_t offset = position.kind == POSITION_END      ? logs[p].high
                         : position.kind == POSITION_OFFSET ? position.value
                                                            : logs[p].low;
        offsets[p] = offset > logs[p].low ? offset : logs[p].low;
    }
    return OK;
}
