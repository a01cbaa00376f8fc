/* test_replay.c - a task's life again, on the broker in memory: along the history it comes to the
 * same, whatever happened on the way; and what is not the same is named where it begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/world.h"
#include "runtime/replay.h"

#include <cmocka.h>

/* ---- a replay beside a world ---- */

struct second_life {
    struct world *world;
    char path[128];
    struct port *port;
    struct replay *replay;
    struct replay_difference first; /* difference; commit_number 0: none */
    int differences;
    struct error error;
};

static void ignore_assigned(void *context, const int32_t *partitions, size_t count)
{
    (void)context, (void)partitions, (void)count;
}

static void ignore_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    (void)context, (void)partitions, (void)count, (void)lost;
}

static struct replay_options options_of(const struct second_life *life,
                                        const struct weir_processor *processor)
{
    static const int64_t settings[1];
    return (struct replay_options){
        .processor = processor,
        .settings = settings,
        .application_id = "tally",
        .state_path = life->path,
        .port = life->port,
        .codec = life->world->codec,
        .take_max_bytes = 1 << 20,
        .store_commit_ms = 1000,
    };
}

static void life_open(struct second_life *life, struct world *world,
                      const struct weir_processor *processor)
{
    static const char *const topics[] = {"tally.events", NULL};
    static int number;
    struct client_options client = {
        .application_id = "tally",
        .topics = topics,
        .group = {NULL, ignore_assigned, ignore_revoked},
    };
    *life = (struct second_life){.world = world};
    snprintf(life->path, sizeof life->path, "%s/again/%d/p0.sqlite", world->directory, number++);
    life->port = broker_port_open(world->broker, &client);
    struct replay_options options = options_of(life, processor);
    if (replay_open(&life->replay, &options, &life->error) != OK) {
        fail_msg("%s", life->error.text);
    }
}

static void life_close(struct second_life *life)
{
    replay_close(life->replay);
    broker_port_close(life->port);
}

/* To the end of the history, differences or not; FATAL: life->error says why it cannot go on. */
static enum outcome life_run(struct second_life *life)
{
    enum replay_found found = REPLAY_SAME;
    while (found != REPLAY_END) {
        struct replay_difference difference;
        enum outcome outcome = replay_step(life->replay, &found, &difference, &life->error);
        if (outcome != OK) {
            return outcome;
        }
        if (found == REPLAY_DIFFERS && life->differences++ == 0) {
            life->first = difference;
        }
    }
    return OK;
}

struct rows {
    int differing;
    char text[400]; /* of the first */
};

static bool note_row(void *context, const struct store_difference *difference)
{
    struct rows *rows = context;
    if (rows->differing++ == 0) {
        const char *one = difference->column_count > 0 ? difference->one[0] : NULL;
        const char *other = difference->column_count > 0 ? difference->other[0] : NULL;
        snprintf(rows->text, sizeof rows->text, "%s %s %s: %s, %s", difference->table->name,
                 difference->key, difference->column_count > 0 ? difference->columns[0] : "",
                 difference->in_one ? one : "no row", difference->in_other ? other : "no row");
    }
    return true;
}

static struct rows compare_with(struct second_life *life, const char *path, int64_t rows_expected)
{
    struct rows rows = {0};
    struct store_snapshot *other;
    struct store_meta meta;
    int64_t count = -1;
    if (store_snapshot_open(&other, path, &meta, &life->error) != OK ||
        replay_compare(life->replay, other, note_row, &rows, &count, &life->error) != OK) {
        fail_msg("%s", life->error.text);
    }
    assert_int_equal(meta.commit_number, replay_commit_number(life->replay));
    assert_int_equal(count, rows_expected);
    store_snapshot_close(other);
    return rows;
}

/* ---- a life with everything in it ---- */

static void first_part(struct world *world)
{
    world_remind(world, "a", 60000);
    for (int i = 1; i <= 4; i++) {
        world_add(world, "a", i);
        world_add(world, "b", 10 * i);
    }
    world_add(world, "a", -5);
    world_garbage(world, "c");
    world_add(world, "c", 0);
    world_settle(world);
}

static void second_part(struct world *world)
{
    broker_advance(world->broker, 61000); /* a tick */
    world_settle(world);
    world_kill(world);
    for (int i = 1; i <= 3; i++) {
        world_remind(world, "b", 0); /* for now: fires before the next record */
        world_add(world, "c", 7);
    }
    struct broker_fault fault = {.call = CALL_COMMIT,
                                 .nth = 1,
                                 .kind = FAULT_FAIL,
                                 .result = TXN_ABORT};
    broker_fault(world->broker, &fault);
    world_settle(world);
    world_remind(world, "c", 90000);
    world_settle(world);
}

static void comes_to_the_same_again(void **state)
{
    (void)state;
    struct world world;
    struct second_life life;
    world_open(&world);
    first_part(&world);
    second_part(&world);
    world_stop(&world);
    life_open(&life, &world, &tally_processor);
    if (life_run(&life) != OK) {
        fail_msg("%s", life.error.text);
    }
    assert_int_equal(life.differences, 0);
    assert_int_equal(compare_with(&life, world.state_path, 4).differing, 0);
    life_close(&life);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_to_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
