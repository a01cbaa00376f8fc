/* test_pause.c - a record that cannot be read yet stops its input and nothing else: it is neither
 * lost nor dead-lettered until its schema comes, or an operator says so for this one record.
 */
#include "protocol/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime_records.h"

#include <cmocka.h>

/* A record of a schema that nobody knows: the marker, a fingerprint, a body. */
static void add_unknown(struct world *world)
{
    static const uint8_t bytes[] = {0xC3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    broker_produce(world->broker, "tally.events", 0, (struct weir_bytes){(const uint8_t *)"u", 1},
                   (struct weir_bytes){bytes, sizeof bytes}, NULL, 0);
}

/* Offsets 0 to 3: a row, a timer, what is unknown, what waits behind it. */
static void open_paused(struct world *world, int64_t reminder_ms)
{
    world_open(world);
    world_add(world, "a", 1);
    world_remind(world, "a", reminder_ms);
    add_unknown(world);
    world_add(world, "a", 2);
    assert_int_equal(world_start(world), OK);
    assert_int_equal(world_run(world), OK);
}

/* A minute is longer than any pause between two attempts. */
static void try_again(struct world *world)
{
    broker_advance(world->broker, 61000);
    assert_int_equal(world_run(world), OK);
}

static void expect(struct world *world, int64_t offset, size_t dead)
{
    struct port_offset group;
    assert_true(broker_offsets(world->broker, "tally", "tally.events", 0, &group));
    assert_int_equal(group.offset, offset);
    assert_int_equal(broker_count(world->broker, "tally.events.dlq", 0, true), dead);
}

static void say_skip(struct world *world, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s.skip", world->state_path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void waits_at_a_record_of_an_unknown_schema(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    open_paused(&world, 3600000);
    expect(&world, 2, 0);
    for (int i = 0; i < 8; i++) {
        try_again(&world);
    }
    expect(&world, 2, 0);
    world_kill(&world); /* another process waits there too */
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), OK);
    expect(&world, 2, 0);
    world_close(&world);
}

/* An input that waits may hold a record that is older than the timer's due time. */
static void fires_no_timer_by_the_clock_while_an_input_waits(void **state) /* I-7 */
{
    (void)state;
    static const struct world_watch watch = {.steps =
                                                 200}; /* an overdue timer is asked for again */
    struct world world;
    open_paused(&world, 60000);
    world.watch = &watch;
    size_t sums = broker_count(world.broker, "tally.sums", 0, true);
    broker_advance(world.broker, 61000);
    assert_int_equal(world_run(&world), RETRY);
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), sums);
    say_skip(&world, "tally.events 2\n"); /* what waits behind it is older than the timer */
    broker_advance(world.broker, 61000);
    assert_int_equal(world_run(&world), OK);
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), sums + 2);
    world_close(&world);
}

static void goes_on_behind_a_record_that_an_operator_gives_up(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    open_paused(&world, 3600000);
    say_skip(&world, "tally.events 2\n");
    try_again(&world);
    expect(&world, 4, 1);
    add_unknown(&world); /* it was said of one record */
    world_add(&world, "a", 4);
    assert_int_equal(world_run(&world), OK);
    expect(&world, 4, 1);
    world_close(&world);
}

static void an_operators_word_for_something_else_changes_nothing(void **state) /* I-8 */
{
    (void)state;
    static const char *const texts[] = {"",
                                        "tally.events\n",
                                        "tally.events 3\n",
                                        "tally.events x\n",
                                        "tally.event2 2\n",
                                        "tally.event 2\n",
                                        "2\n"};
    struct world world;
    open_paused(&world, 3600000);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        say_skip(&world, texts[i]);
        try_again(&world);
        expect(&world, 2, 0);
    }
    world_close(&world);
}

/* Whoever copies the schema there may have moved the directory meanwhile. */
static void waits_while_the_schemas_cannot_be_looked_at(void **state) /* I-8 */
{
    (void)state;
    static const struct weir_record *const records[] = {&tally_event_record, &tally_answer_record,
                                                        &tally_total_record, &total_record,
                                                        &timer_row_record,   &checkpoint_record,
                                                        &cause_record,       NULL};
    char path[96];
    struct error error;
    struct world world;
    world_open(&world);
    codec_close(world.codec);
    snprintf(path, sizeof path, "%s/schemas", world.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(codec_open(&world.codec, records, path, &error), OK);
    assert_int_equal(rmdir(path), 0);
    world_add(&world, "a", 1);
    add_unknown(&world);
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), OK);
    try_again(&world);
    expect(&world, 1, 0);
    say_skip(&world, "tally.events 1\n"); /* an operator's word counts all the same */
    try_again(&world);
    expect(&world, 2, 1);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_at_a_record_of_an_unknown_schema),
        cmocka_unit_test(fires_no_timer_by_the_clock_while_an_input_waits),
        cmocka_unit_test(goes_on_behind_a_record_that_an_operator_gives_up),
        cmocka_unit_test(an_operators_word_for_something_else_changes_nothing),
        cmocka_unit_test(waits_while_the_schemas_cannot_be_looked_at),
    };
    return cmocka_run_group_tests_name("pause", tests, NULL, NULL);
}
