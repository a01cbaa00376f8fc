/* position.c - reads positions and finds their offsets. */
#include "position.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/conf.h"

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
    } else if (conf_number(text, &number)) {
        position->kind = text[0] == '-'              ? POSITION_BEFORE_END
                         : number >= least_epoch_ms ? POSITION_TIME
                                                    : POSITION_OFFSET;
        position->value = text[0] == '-' ? -number : number;
        return number != INT64_MIN;
    } else if (read_time(text, &number)) {
        *position = (struct position){POSITION_TIME, number};
    } else {
        return false;
    }
    return true;
}

enum outcome position_resolve(struct position position, struct admin *admin, const char *topic,
                              const struct port_log *logs, int32_t partitions, int64_t *offsets,
                              struct error *error)
{
    if (position.kind == POSITION_TIME) {
        return admin_offsets_for_time(admin, topic, position.value, offsets, partitions, error);
    }
    for (int32_t p = 0; p < partitions; p++) {
        int64_t before = position.kind == POSITION_BEFORE_END ? position.value : 0;
        int64_t offset = position.kind == POSITION_OFFSET  ? position.value
                         : position.kind == POSITION_START ? logs[p].low
                                                           : logs[p].high - before;
        offsets[p] = offset > logs[p].low ? offset : logs[p].low;
    }
    return OK;
}
