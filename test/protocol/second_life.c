/* second_life.c - replays of a world. */
#include "protocol/second_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void ignore_assigned(void *context, const int32_t *partitions, size_t count)
{
    (void)context, (void)partitions, (void)count;
}

static void ignore_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    (void)context, (void)partitions, (void)count, (void)lost;
}

void life_open(struct second_life *life, struct world *world,
               const struct weir_processor *processor, struct codec *codec)
{
    static const char *const topics[] = {"tally.events", NULL};
    static const int64_t settings[1];
    static int number;
    struct client_options client = {
        .application_id = "tally",
        .topics = topics,
        .group = {NULL, ignore_assigned, ignore_revoked},
    };
    *life = (struct second_life){.world = world};
    snprintf(life->path, sizeof life->path, "%s/again/%d/p0.sqlite", world->directory, number++);
    life->port = broker_port_open(world->broker, &client);
    life->options = (struct replay_options){
        .processor = processor,
        .settings = settings,
        .application_id = "tally",
        .state_path = life->path,
        .port = life->port,
        .codec = codec ? codec : world->codec,
        .take_max_bytes = 1 << 20,
        .store_commit_ms = 1000,
        .delete_retention_ms = 86400000,
    };
    if (replay_open(&life->replay, &life->options, &life->error) != OK) {
        fail_msg("%s", life->error.text);
    }
}

void life_close(struct second_life *life)
{
    replay_close(life->replay);
    broker_port_close(life->port);
}

enum outcome life_run(struct second_life *life)
{
    enum replay_found found = REPLAY_SAME;
    while (found != REPLAY_END) {
        struct replay_difference difference;
        enum outcome outcome = replay_step(life->replay, &found, &difference, &life->error);
        if (outcome == OK && found == REPLAY_DIFFERS && life->differences++ == 0) {
            outcome = replay_name_cause(life->replay, &difference, &life->error);
            life->first = difference;
        }
        if (outcome != OK) {
            return outcome;
        }
    }
    return OK;
}

static bool note_row(void *context, const struct store_difference *difference)
{
    struct life_rows *rows = context;
    if (rows->differing++ == 0) {
        const char *one = difference->column_count > 0 ? difference->one[0] : "";
        const char *other = difference->column_count > 0 ? difference->other[0] : "";
        snprintf(rows->first, sizeof rows->first, "%s %s %s: %s, %s", difference->table->name,
                 difference->key, difference->column_count > 0 ? difference->columns[0] : "",
                 difference->in_one ? one : "no row", difference->in_other ? other : "no row");
    }
    return true;
}

struct life_rows life_compare(struct second_life *life, const char *path)
{
    struct life_rows rows = {0};
    struct store_snapshot *other;
    struct store_meta meta;
    if (store_snapshot_open(&other, path, &meta, &life->error) != OK ||
        replay_compare(life->replay, other, note_row, &rows, &rows.all, &life->error) != OK) {
        fail_msg("%s", life->error.text);
    }
    assert_int_equal(meta.commit_number, replay_commit_number(life->replay));
    store_snapshot_close(other);
    return rows;
}

/* What is scheduled is meant for the first life. */
static void no_fault(void *context, enum broker_call call, const char *who,
                     struct broker_fault *fault)
{
    (void)context, (void)call, (void)who, (void)fault;
}

void life_expect_same(struct world *world)
{
    broker_set_chooser(world->broker, no_fault, NULL);
    struct second_life life;
    life_open(&life, world, &tally_processor, NULL);
    if (life_run(&life) != OK) {
        fail_msg("%s", life.error.text);
    }
    if (life.differences > 0) {
        fail_msg("commit %lld (%s): %s; %s: %s", (long long)life.first.commit_number,
                 life.first.inputs, life.first.what, life.first.record, life.first.effect);
    }
    struct life_rows rows = life_compare(&life, world->state_path);
    assert_string_equal(rows.first, "");
    assert_true(rows.all > 0);
    life_close(&life);
    broker_set_chooser(world->broker, NULL, NULL);
}

void life_expect_fold_same(struct second_life *life)
{
    struct store_meta meta;
    char path[160];
    struct replay_options options = life->options;
    snprintf(path, sizeof path, "%s.fold", life->path);
    options.state_path = path;
    if (replay_fold(&options, &meta, &life->error) != OK) {
        fail_msg("%s", life->error.text);
    }
    assert_string_equal(life_compare(life, path).first, "");
}
