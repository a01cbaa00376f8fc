/* again.c - see again.h. */
#include "simulation/again.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/replay.h"

struct rows {
    char *why;
    size_t room;
};

static bool note_row(void *context, const struct store_difference *difference)
{
    const struct rows *rows = context;
    const char *column = difference->column_count > 0 ? difference->columns[0] : "";
    snprintf(rows->why, rows->room, "a replay comes to another row of %s, %s: %s",
             difference->table->name, difference->key, column);
    return false;
}

static bool follow(struct replay *replay, char *why, size_t room)
{
    enum replay_found found = REPLAY_SAME;
    struct replay_difference difference;
    struct error error;
    while (found == REPLAY_SAME) {
        if (replay_step(replay, &found, &difference, &error) != OK) {
            snprintf(why, room, "no replay: %.300s", error.text);
            return false;
        }
    }
    if (found == REPLAY_DIFFERS) {
        (void)!replay_name_cause(replay, &difference, &error);
        snprintf(why, room, "a replay differs at commit %" PRId64 ": %.200s; %.100s: %.200s",
                 difference.commit_number, difference.what, difference.record, difference.effect);
    }
    return found == REPLAY_END;
}

static bool compare(struct replay *replay, const char *state, char *why, size_t room)
{
    struct store_snapshot *snapshot;
    struct store_meta meta;
    struct error error;
    int64_t rows;
    enum outcome outcome = store_snapshot_open(&snapshot, state, &meta, &error);
    if (outcome == OK) {
        outcome =
            replay_compare(replay, snapshot, note_row, &(struct rows){why, room}, &rows, &error);
        store_snapshot_close(snapshot);
    }
    if (outcome != OK) {
        snprintf(why, room, "no comparison: %.300s", error.text);
    } else if (meta.commit_number != replay_commit_number(replay)) {
        snprintf(why, room, "a replay ends at commit %" PRId64 ", the file is at %" PRId64,
                 replay_commit_number(replay), meta.commit_number);
    }
    return why[0] == 0;
}

bool comes_to_the_same_again(struct broker *broker, struct codec *codec,
                             const struct weir_processor *processor,
                             const struct settings *settings, int32_t partition, const char *path,
                             const char *state, char *why, size_t room)
{
    const char *topics[WEIR_LIST_MAX + 1] = {NULL};
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        topics[i] = processor->inputs[i].topic->name;
    }
    struct client_options client = {.application_id = settings->application_id, .topics = topics};
    struct port *port = broker_port_open(broker, &client);
    struct replay_options options = {
        .processor = processor,
        .settings = settings->values,
        .application_id = settings->application_id,
        .partition = partition,
        .state_path = path,
        .port = port,
        .codec = codec,
        .take_max_bytes = (size_t)settings->take_max_bytes,
        .store_commit_ms = settings->store_commit_ms,
        .delete_retention_ms = settings->delete_retention_ms,
    };
    struct replay *replay = NULL;
    struct error error;
    why[0] = 0;
    if (replay_open(&replay, &options, &error) != OK) {
        snprintf(why, room, "no replay: %.300s", error.text);
    }
    bool same = !why[0] && follow(replay, why, room) && compare(replay, state, why, room);
    replay_close(replay);
    broker_port_close(port);
    return same;
}
