/* test_restore.c - a changelog that is not what a task has written: the start is refused, with the
 * changelog's name, as often as it is tried. test/fuzz/fuzz_restore.c looks for more of it.
 */
#include "protocol/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "codec/key.h"
#include "runtime/metadata.h"
#include "runtime_records.h"

#include <cmocka.h>

#define INCARNATION "0123456789abcdef0123456789abcdef"

static void put_under(struct world *world, const char *name, const struct total *total)
{
    struct buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    buffer_add(&key, "total", sizeof "total");
    key_encode(&total_store, &(struct total){.name = name}, 1, &key);
    codec_encode(&total_record, total, &value);
    broker_produce(world->broker, "tally.changelog", 0, (struct weir_bytes){key.data, key.size},
                   (struct weir_bytes){value.data, value.size}, NULL, 0);
    buffer_release(&key);
    buffer_release(&value);
}

static void put_total(struct world *world, const struct total *total)
{
    put_under(world, total->name, total);
}

static void put_checkpoint(struct world *world, int64_t number, const char *incarnation)
{
    struct input_range range = {.topic = "tally.events"};
    struct checkpoint checkpoint = {.commit_number = number,
                                    .incarnation = incarnation,
                                    .inputs = {&range, 1}};
    struct buffer value;
    buffer_init(&value);
    codec_encode(&checkpoint_record, &checkpoint, &value);
    broker_produce(world->broker, "tally.changelog", 0,
                   (struct weir_bytes){(const uint8_t *)CHECKPOINT_KEY, strlen(CHECKPOINT_KEY)},
                   (struct weir_bytes){value.data, value.size}, NULL, 0);
    buffer_release(&value);
}

static void put_raw(struct world *world, const char *key, size_t size, struct weir_bytes value)
{
    broker_produce(world->broker, "tally.changelog", 0,
                   (struct weir_bytes){(const uint8_t *)key, size}, value, NULL, 0);
}

static const struct weir_bytes garbage = {(const uint8_t *)"\x01\x02\x03", 3};

static void expect_refusal(struct world *world, const char *text)
{
    for (int start = 0; start < 2; start++) {
        assert_int_equal(world_start(world), OK);
        assert_int_equal(world_run(world), FATAL);
        assert_int_equal(world->error.exit_code, EXIT_CONFIG);
        if (!strstr(world->error.text, "tally.changelog") || !strstr(world->error.text, text)) {
            fail_msg("'%s' does not say '%s'", world->error.text, text);
        }
    }
    world_close(world);
}

static void restores_what_a_task_could_have_written(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_total(&world, &(struct total){.name = "a", .sum = 5, .count = 1});
    put_checkpoint(&world, 1, INCARNATION);
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), OK);
    assert_int_equal(task_commit_number(world.task), 1);
    world_close(&world);
}

static void refuses_a_row_that_breaks_the_rule_of_its_table(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_total(&world, &(struct total){.name = "a", .sum = -5, .count = 1});
    put_checkpoint(&world, 1, INCARNATION);
    expect_refusal(&world, "sum >= 0");
}

static void refuses_a_row_under_another_rows_key(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_under(&world, "a", &(struct total){.name = "b", .sum = 1, .count = 1});
    put_checkpoint(&world, 1, INCARNATION);
    expect_refusal(&world, "another row's key");
}

static void refuses_a_checkpoint_that_no_task_has_written(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *incarnation;
    } written[] = {{0, INCARNATION}, {-3, INCARNATION}, {INT64_MAX, INCARNATION},
                   {1, ""},          {1, "short"},      {1, INCARNATION "0"}};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        struct world world;
        world_open(&world);
        put_checkpoint(&world, written[i].number, written[i].incarnation);
        expect_refusal(&world, "no task has written it");
    }
}

/* A version that had another table wrote to the same changelog. */
static void refuses_checkpoints_that_go_back(void **state)
{
    (void)state;
    static const int64_t numbers[][3] = {{3, 1, 3}, {3, 3, 0}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct world world;
        world_open(&world);
        for (size_t k = 0; k < 3 && numbers[i][k] > 0; k++) {
            put_checkpoint(&world, numbers[i][k], INCARNATION);
        }
        expect_refusal(&world, "a later commit stands before it");
    }
}

static void passes_over_rows_of_a_table_that_is_gone(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_raw(&world, "gone\0x", 6, garbage);
    put_raw(&world, "total_of_more\0x", 15, garbage);
    put_checkpoint(&world, 1, INCARNATION);
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), OK);
    assert_int_equal(task_commit_number(world.task), 1);
    world_close(&world);
}

static void refuses_a_record_whose_key_names_no_table(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_raw(&world, "total", 5, garbage);
    put_checkpoint(&world, 1, INCARNATION);
    expect_refusal(&world, "its key names no table");
}

static void refuses_a_row_that_is_no_record(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_raw(&world, "total\0a\0", 8, garbage);
    put_checkpoint(&world, 1, INCARNATION);
    expect_refusal(&world, "total");
}

static void refuses_a_checkpoint_that_is_null_or_no_record(void **state)
{
    (void)state;
    static const struct weir_bytes null = {NULL, 0};
    struct world world;
    world_open(&world);
    put_raw(&world, CHECKPOINT_KEY, strlen(CHECKPOINT_KEY), null);
    expect_refusal(&world, "it is null");
    world_open(&world);
    put_raw(&world, CHECKPOINT_KEY, strlen(CHECKPOINT_KEY), garbage);
    expect_refusal(&world, "checkpoint");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restores_what_a_task_could_have_written),
        cmocka_unit_test(refuses_a_row_that_breaks_the_rule_of_its_table),
        cmocka_unit_test(refuses_a_row_under_another_rows_key),
        cmocka_unit_test(refuses_a_checkpoint_that_no_task_has_written),
        cmocka_unit_test(refuses_checkpoints_that_go_back),
        cmocka_unit_test(passes_over_rows_of_a_table_that_is_gone),
        cmocka_unit_test(refuses_a_record_whose_key_names_no_table),
        cmocka_unit_test(refuses_a_row_that_is_no_record),
        cmocka_unit_test(refuses_a_checkpoint_that_is_null_or_no_record),
    };
    return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
