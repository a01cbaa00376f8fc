/* held.c - a search by time, and the processors' tables. */
#include "doctor/held.h"

#include <stdlib.h>
#include <string.h>

#include "processors.h"

enum { SEARCH_MS = 24 * 3600 * 1000 }; /* older is as bad as that */

/* Whether the first record stamped at or after `ms` stands at or before the last stable offset:
 * then the one that stands there is no younger. */
static enum outcome reaches(struct admin *admin, const char *topic, int32_t partition,
                            int32_t partitions, int64_t stable, int64_t ms, bool *reached,
                            struct error *error)
{
    int64_t *offsets = xcalloc((size_t)partitions, sizeof *offsets);
    enum outcome outcome = admin_offsets_for_time(admin, topic, ms, offsets, partitions, error);
    *reached = outcome == OK && offsets[partition] <= stable;
    free(offsets);
    return outcome;
}

enum outcome held_since(struct admin *admin, const char *topic, int32_t partition,
                        const struct port_log *log, int64_t *since_ms, struct error *error)
{
    *since_ms = 0;
    if (log->stable >= log->high) {
        return OK;
    }
    struct port_log *logs;
    int32_t partitions;
    enum outcome outcome = admin_logs(admin, topic, &logs, &partitions, error);
    if (outcome != OK) {
        return outcome;
    }
    bool still = logs[partition].stable == log->stable;
    free(logs);
    int64_t after = tool_now_ms() + 1000, before = after - SEARCH_MS; /* reached: not yet, surely */
    while (outcome == OK && still && after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        bool reached;
        outcome =
            reaches(admin, topic, partition, partitions, log->stable, middle, &reached, error);
        before = reached ? middle : before;
        after = reached ? after : middle;
    }
    *since_ms = outcome == OK && still ? before : 0;
    return outcome;
}

static bool writes(const struct weir_processor *processor, const char *topic)
{
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->outputs[i]; i++) {
        if (strcmp(processor->outputs[i]->name, topic) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->views[i].topic; i++) {
        if (strcmp(processor->views[i].topic->name, topic) == 0) {
            return true;
        }
    }
    return false;
}

const char *held_writers(const struct tool_place *place, const char *topic, struct arena *arena)
{
    const char *text = NULL;
    for (size_t i = 0; processors[i]; i++) {
        struct settings settings;
        struct error ignored;
        if (!writes(processors[i], topic)) {
            continue;
        }
        bool known = tool_settings(place, processors[i], &settings, &ignored) == OK;
        const char *id = known ? settings.application_id : processors[i]->name;
        int last = (int)processors[i]->inputs[0].topic->partitions - 1;
        text = text ? arena_format(arena, "%s, or of one of %s.p0 to .p%d", text, id, last)
                    : arena_format(arena, "one of %s.p0 to .p%d", id, last);
        settings_release(&settings);
    }
    return text ? text : "a producer outside weir";
}
