/* life.c - see life.h. */
#include "protocol/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "store/store.h"

#include <cmocka.h>

static void expect_a_clear_end(const struct world *world)
{
    const struct error *error = &world->error;
    if ((error->exit_code != EXIT_IO && error->exit_code != EXIT_TRY_AGAIN) || !error->text[0]) {
        fail_msg("it ends with %d: %s", error->exit_code, error->text);
    }
}

/* To the end of the input, through as many processes as it takes. */
static void live(struct life *life, struct world *world)
{
    for (int i = 0; i < 20; i++) {
        enum outcome outcome = world->task ? OK : life->start(world);
        if (outcome == OK) {
            outcome = life->run(world);
        }
        if (outcome == OK) {
            return;
        }
        if (outcome == RETRY) {
            life->stuck++;
        } else {
            expect_a_clear_end(world);
            life->ended++;
        }
        life->mend();
    }
    fail_msg("it does not settle: %s", world->error.text);
}

static void command(const struct world *world, const char *format)
{
    char text[256];
    const char *d = world->directory;
    snprintf(text, sizeof text, format, d, d, d, d);
    assert_int_equal(system(text), 0);
}

static void first_part(struct life *life, struct world *world)
{
    broker_fault(world->broker, &(struct broker_fault){.call = CALL_SEND_OFFSETS,
                                                       .nth = 2,
                                                       .kind = FAULT_FAIL,
                                                       .result = TXN_ABORT});
    world_remind(world, "a", 60000);
    for (int i = 1; i <= 4; i++) {
        world_add(world, "a", i);
        world_add(world, "b", 10 * i);
    }
    world_add(world, "a", -5);
    world_garbage(world, "c");
    live(life, world);
    life->stop(world);
    command(world, "cp -r %s/tally %s/copy");
}

static void second_part(struct life *life, struct world *world)
{
    broker_fault(world->broker, /* while the file has a take to commit */
                 &(struct broker_fault){.call = CALL_COMMIT, .nth = 2, .kind = FAULT_LOSE_REPLY});
    world_add(world, "a", 100); /* its row is read from the file */
    world_add(world, "c", 0);
    world_add(world, "d", 8);
    world_add(world, "d", 2);
    live(life, world);
    broker_advance(world->broker, 61000);
    live(life, world);
    life->stop(world);
    command(world, "rm -rf %s/tally && mv %s/copy %s/tally");
}

static void third_part(struct life *life, struct world *world)
{
    live(life, world); /* the tail */
    world_add(world, "d", 1);
    live(life, world);
    life->stop(world);
    command(world, "rm -rf %s/tally");
    live(life, world); /* the whole changelog */
    world_remind(world, "c", 90000);
    world_add(world, "b", 3);
    live(life, world);
    broker_advance(world->broker, 91000);
    live(life, world);
    life->stop(world);
}

static bool draw(void *context, int columns, const char *const *names, const char *const *values,
                 const int *types)
{
    (void)columns, (void)names, (void)types;
    buffer_format(context, "integrity %s\n", values[0]);
    return true;
}

static char *picture_of(struct world *world)
{
    struct buffer out;
    struct error error;
    buffer_init(&out);
    char *rest = world_picture(world);
    assert_int_equal(store_query(world->state_path, "PRAGMA integrity_check", draw, &out, &error),
                     OK);
    buffer_add_string(&out, rest);
    free(rest);
    buffer_string(&out);
    return (char *)out.data;
}

char *life_story(struct life *life)
{
    struct world world;
    world_open(&world);
    world.watch = life->watch;
    first_part(life, &world);
    second_part(life, &world);
    third_part(life, &world);
    life->mend(); /* what a failed stop left undone is in the changelog */
    live(life, &world);
    world_stop(&world);
    char *picture = picture_of(&world);
    world_close(&world);
    return picture;
}
