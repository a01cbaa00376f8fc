/* test_replay.c - a task's life again, on the broker in memory: along the history it comes to the
 * same, whatever happened on the way; and what is not the same is named where it begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/second_life.h"
#include "runtime/context.h"
#include "runtime_records.h"
#include "store/internal.h"

#include <cmocka.h>

enum { A_MINUTE_MS = 60 * 1000 };

/* ---- it comes to the same ---- */

/* Sums, refusals, garbage, repeats, a timer to come. */
static void live_a_while(struct world *world)
{
    world_remind(world, "a", A_MINUTE_MS);
    for (int i = 1; i <= 4; i++) {
        world_add(world, "a", i);
        world_add(world, "b", 10 * i);
    }
    world_add(world, "a", -5);
    world_garbage(world, "c");
    world_add(world, "c", 0);
    world_settle(world);
}

static void expect_same_after(void (*happens)(struct world *world))
{
    struct world world;
    world_open(&world);
    live_a_while(&world);
    happens(&world);
    world_settle(&world);
    world_stop(&world);
    life_expect_same(&world);
    struct second_life life;
    life_open(&life, &world, &tally_processor, NULL);
    assert_int_equal(life_run(&life), OK);
    life_expect_fold_same(&life);
    life_close(&life);
    world_close(&world);
}

static void nothing(struct world *world)
{
    (void)world;
}

static void comes_to_the_same(void **state)
{
    (void)state;
    expect_same_after(nothing);
}

static void a_tick_and_a_death(struct world *world)
{
    broker_advance(world->broker, A_MINUTE_MS + 1);
    world_settle(world);
    world_kill(world);
    world_add(world, "c", 7);
}

static void comes_to_the_same_over_ticks_and_restarts(void **state)
{
    (void)state;
    expect_same_after(a_tick_and_a_death);
}

static void an_abort(struct world *world)
{
    struct broker_fault fault = {.call = CALL_COMMIT,
                                 .nth = 1,
                                 .kind = FAULT_FAIL,
                                 .result = TXN_ABORT};
    broker_fault(world->broker, &fault);
    world_add(world, "c", 7);
    world_remind(world, "c", 0); /* for now: it fires before the next record */
    world_add(world, "b", 7);
}

static void comes_to_the_same_over_aborts(void **state)
{
    (void)state;
    expect_same_after(an_abort);
}

/* A take has room for three timers. The second four have a record that waits for them. */
static void many_timers(struct world *world)
{
    static const char *const names[] = {"p", "q", "r", "s"};
    for (size_t i = 0; i < 4; i++) {
        world_remind(world, names[i], 1000);
    }
    world_settle(world);
    broker_advance(world->broker, 2000);
    world_settle(world);
    for (size_t i = 0; i < 4; i++) {
        world_remind(world, names[i], 1000);
    }
    world_settle(world);
    world_kill(world);
    broker_advance(world->broker, 2000);
    world_add(world, "p", 1);
}

static void comes_to_the_same_when_a_take_has_no_room_for_all_timers(void **state)
{
    (void)state;
    expect_same_after(many_timers);
}

/* The process thinks that it is two minutes earlier, and takes no stamp that far ahead. */
static void a_slow_clock(struct world *world)
{
    broker_advance(world->broker, 10 * A_MINUTE_MS);
    world_kill(world);
    assert_int_equal(world_start(world), OK);
    broker_port_skew(world->port, -2 * A_MINUTE_MS);
    world_remind(world, "b", 500);
    world_add(world, "a", 1);
    world_settle(world);
    broker_advance(world->broker, 700);
    broker_port_skew(world->port, -20 * A_MINUTE_MS); /* behind task time, too */
    world_add(world, "a", 2);
    world_settle(world);
    world_kill(world);
}

static void comes_to_the_same_when_stamps_were_clamped(void **state)
{
    (void)state;
    expect_same_after(a_slow_clock);
}

/* ---- a schema that came late ---- */

static const char newer_schema[] =
    "{\"type\":\"record\",\"name\":\"TallyEvent\",\"namespace\":\"weir.tally\",\"fields\":["
    "{\"name\":\"agg_seq\",\"type\":\"long\"},{\"name\":\"occurred_ms\",\"type\":\"long\"},"
    "{\"name\":\"payload\",\"type\":[{\"type\":\"record\",\"name\":\"Add\",\"fields\":["
    "{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"long\"},"
    "{\"name\":\"note\",\"type\":\"string\"}]}]}]}";

/* An Add of 5 to "a", by a producer that was deployed first. */
static void add_in_newer_schema(struct world *world)
{
    static const uint8_t datum[] = {0, 0, 0, 2, 'a', 10, 0};
    uint8_t bytes[WORLD_FRAME_BYTES + sizeof datum];
    world_frame(newer_schema, bytes);
    memcpy(bytes + WORLD_FRAME_BYTES, datum, sizeof datum);
    broker_produce(world->broker, "tally.events", 0, (struct weir_bytes){(const uint8_t *)"a", 1},
                   (struct weir_bytes){bytes, sizeof bytes}, NULL, 0);
}

/* `weir dlq put`. */
static void say_skip(struct world *world, int64_t offset)
{
    char path[128];
    snprintf(path, sizeof path, "%s.skip", world->state_path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "tally.events %lld\n", (long long)offset);
    fclose(file);
}

static struct codec *codec_with_newer_schema(struct world *world)
{
    char path[160];
    static const struct weir_record *const records[] = {&tally_event_record, &tally_answer_record,
                                                        &tally_total_record, &total_record,
                                                        &timer_row_record,   &checkpoint_record,
                                                        &cause_record,       NULL};
    snprintf(path, sizeof path, "%s/schemas", world->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    size_t length = strlen(path);
    snprintf(path + length, sizeof path - length, "/newer.avsc");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(newer_schema, file);
    fclose(file);
    path[length] = 0;
    struct codec *codec;
    struct error error;
    if (codec_open(&codec, records, path, &error) != OK) {
        fail_msg("%s", error.text);
    }
    return codec;
}

/* It had fired a timer before it had to wait. Whoever replays can read the record; but it was
 * skipped. */
static void skips_what_was_skipped_though_it_can_be_read_now(void **state)
{
    (void)state;
    struct world world;
    struct second_life life;
    world_open(&world);
    live_a_while(&world);
    world_remind(&world, "b", 500);
    world_settle(&world);
    world_kill(&world);
    broker_advance(world.broker, 600);
    int64_t offset = broker_log(world.broker, "tally.events", 0).high;
    add_in_newer_schema(&world);
    world_add(&world, "b", 1);
    world_settle(&world);
    say_skip(&world, offset);
    broker_advance(world.broker, A_MINUTE_MS / 2);
    world_settle(&world);
    world_stop(&world);
    life_expect_same(&world);

    struct codec *codec = codec_with_newer_schema(&world);
    life_open(&life, &world, &tally_processor, codec);
    assert_int_equal(life_run(&life), OK);
    assert_string_equal(life.first.what, "");
    assert_string_equal(life_compare(&life, world.state_path).first, "");
    life_close(&life);
    codec_close(codec);
    world_close(&world);
}

/* An older binary has no handler for a kind of record; a newer one replays. */
static void gives_a_record_up_that_has_no_handler(void **state)
{
    (void)state;
    static const struct tally_event_handlers none;
    struct weir_processor older = tally_processor;
    struct world world;
    older.inputs[0].handlers = &none;
    world_open(&world);
    world_add(&world, "a", 1);
    world_add(&world, "b", 2);
    world.processor = &older;
    world_settle(&world);
    say_skip(&world, 0);
    broker_advance(world.broker, A_MINUTE_MS / 2);
    world_settle(&world);
    assert_int_equal(broker_count(world.broker, "tally.events.dlq", 0, true), 1);
    world_stop(&world);
    world.processor = NULL;
    world_settle(&world);
    world_stop(&world);
    life_expect_same(&world);
    world_close(&world);
}

/* ---- what differs ---- */

static void add_twice_to_b(struct weir_context *ctx, const struct add *add)
{
    struct add twice = *add;
    twice.n *= strcmp(add->name, "b") == 0 ? 2 : 1;
    ((const struct tally_event_handlers *)tally_processor.inputs[0].handlers)->add(ctx, &twice);
}

static void refuse_twos(struct weir_context *ctx, const struct add *add)
{
    if (add->n == 2) {
        weir_reject(ctx, "n", "a two");
        return;
    }
    ((const struct tally_event_handlers *)tally_processor.inputs[0].handlers)->add(ctx, add);
}

static void count_from_one(struct weir_context *ctx, const struct add *add)
{
    ((const struct tally_event_handlers *)tally_processor.inputs[0].handlers)->add(ctx, add);
    struct total total;
    if (add->n == 3 && total_get(ctx, add->name, &total)) {
        total.count++; /* of which no output speaks */
        total_put(ctx, &total);
    }
}

/* Whose input has a record at every offset, too. */
static void add_outputs_of_another_task(struct world *world)
{
    struct buffer header;
    buffer_init(&header);
    for (int i = 0; i < 30; i++) {
        struct cause cause = {.topic = "tally.events", .partition = 1, .offset = i / 3};
        cause.ordinal = i % 3;
        cause.count = 3;
        buffer_reset(&header);
        codec_encode_datum(&cause_record, &cause, &header);
        struct port_header headers[] = {{"weir-cause", {header.data, header.size}}};
        broker_produce(world->broker, "tally.sums", 0,
                       (struct weir_bytes){(const uint8_t *)"other", 5},
                       (struct weir_bytes){(const uint8_t *)"value", 5}, headers, 1);
    }
    buffer_release(&header);
}

static void replay_with(struct world *world, struct second_life *life,
                        void (*on_add)(struct weir_context *ctx, const struct add *add))
{
    static struct weir_processor changed;
    static struct tally_event_handlers handlers;
    changed = tally_processor;
    handlers = *(const struct tally_event_handlers *)changed.inputs[0].handlers;
    handlers.add = on_add;
    changed.inputs[0].handlers = &handlers;
    world_open(world);
    live_a_while(world);
    world_stop(world);
    add_outputs_of_another_task(world);
    life_open(life, world, &changed, NULL);
    if (life_run(life) != OK) {
        fail_msg("%s", life->error.text);
    }
}

/* The first take has a's reminder, a 1 (offset 1), b 10 (offset 2). */
static void names_the_record_whose_output_is_another_now(void **state)
{
    (void)state;
    struct world world;
    struct second_life life;
    replay_with(&world, &life, add_twice_to_b);
    assert_int_equal(life.first.commit_number, 1);
    assert_string_equal(life.first.inputs, "tally.events/0 offset 0 to 2");
    assert_string_equal(life.first.record, "tally.events/0/2");
    assert_non_null(strstr(life.first.effect, "tally.sums b: "));
    assert_non_null(strstr(life.first.effect, "\"n\":20"));
    assert_non_null(strstr(life.first.effect, ", was "));
    assert_non_null(strstr(life.first.effect, "\"n\":10"));
    struct life_rows rows = life_compare(&life, world.state_path);
    assert_int_equal(rows.differing, 1);
    assert_string_equal(rows.first, "total name=b sum: 200, 100");
    life_close(&life);
    world_close(&world);
}

static void names_the_record_that_is_refused_now(void **state)
{
    (void)state;
    struct world world;
    struct second_life life;
    replay_with(&world, &life, refuse_twos);
    assert_int_equal(life.first.commit_number, 2);
    assert_string_equal(life.first.record, "tally.events/0/3");
    assert_non_null(strstr(life.first.what, "1 dead letters instead of 0"));
    life_close(&life);
    world_close(&world);
}

static void names_the_commit_whose_rows_are_others_now(void **state)
{
    (void)state;
    struct world world;
    struct second_life life;
    replay_with(&world, &life, count_from_one);
    assert_string_equal(life.first.what, "other rows");
    assert_string_equal(life.first.inputs, "tally.events/0 offset 3 to 5");
    assert_string_equal(life.first.record, "");
    assert_string_equal(life_compare(&life, world.state_path).first, "total name=a count: 5, 4");
    life_close(&life);
    world_close(&world);
}

static void remember_nothing(struct weir_context *ctx, const struct remind *remind)
{
    (void)ctx, (void)remind;
}

/* The tick was for the reminder only: now nothing is left of it but task time. */
static void goes_through_a_tick_that_has_nothing_to_do_now(void **state)
{
    (void)state;
    struct weir_processor changed = tally_processor;
    struct tally_event_handlers handlers =
        *(const struct tally_event_handlers *)changed.inputs[0].handlers;
    handlers.remind = remember_nothing;
    changed.inputs[0].handlers = &handlers;
    struct world world;
    struct second_life life;
    world_open(&world);
    world_remind(&world, "a", A_MINUTE_MS);
    world_settle(&world);
    broker_advance(world.broker, A_MINUTE_MS + 1);
    world_settle(&world);
    world_stop(&world);
    life_open(&life, &world, &changed, NULL);
    assert_int_equal(life_run(&life), OK);
    assert_int_equal(life.differences, 2);
    assert_int_equal(replay_commit_number(life.replay), 2);
    assert_int_equal(replay_counts(life.replay).timers, 0);
    life_close(&life);
    world_close(&world);
}

/* ---- its own file ---- */

static void lose_the_transaction(struct weir_context *ctx, const struct add *add)
{
    assert_int_equal(sqlite3_exec(ctx->store->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ((const struct tally_event_handlers *)tally_processor.inputs[0].handlers)->add(ctx, add);
}

static void ends_when_its_file_cannot_be_written(void **state)
{
    (void)state;
    struct weir_processor processor = tally_processor;
    struct tally_event_handlers handlers =
        *(const struct tally_event_handlers *)processor.inputs[0].handlers;
    handlers.add = lose_the_transaction;
    processor.inputs[0].handlers = &handlers;
    struct world world;
    struct second_life life;
    world_open(&world);
    live_a_while(&world);
    world_stop(&world);
    life_open(&life, &world, &processor, NULL);
    assert_int_equal(life_run(&life), FATAL);
    assert_int_equal(life.error.exit_code, EXIT_IO);
    assert_non_null(strstr(life.error.text, "commit 1 could not be written to"));
    life_close(&life);
    world_close(&world);
}

/* ---- what is gone ---- */

static void expect_refused(struct world *world, const char *reason)
{
    struct second_life life;
    life_open(&life, world, &tally_processor, NULL);
    assert_int_equal(life_run(&life), FATAL);
    assert_int_equal(life.error.exit_code, EXIT_CONFIG);
    if (!strstr(life.error.text, reason)) {
        fail_msg("'%s' is not in: %s", reason, life.error.text);
    }
    life_close(&life);
}

/* A record, a marker, a record, a marker: two where there were four. */
static void fill_with_transactions(struct world *world)
{
    struct port *port = broker_port_open(world->broker, &(struct client_options){
                                                            .application_id = "other",
                                                        });
    struct producer *producer;
    struct error error;
    const struct weir_bytes text = {(const uint8_t *)"text", 4};
    assert_int_equal(port->calls->producer_open(port, "other", &producer, &error), OK);
    assert_int_equal(port->calls->init(producer, 1000, &error), TXN_DONE);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(port->calls->begin(producer, &error), TXN_DONE);
        assert_int_equal(port->calls->send(producer, "tally.events", 0, text, text, NULL, 0, NULL,
                                           &error),
                         TXN_DONE);
        assert_int_equal(port->calls->commit(producer, 1000, &error), TXN_DONE);
    }
    port->calls->producer_close(producer);
    broker_port_close(port);
}

static void says_that_an_input_is_another_topic_now(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    live_a_while(&world);
    world_stop(&world);
    broker_recreate_topic(world.broker, "tally.events");
    fill_with_transactions(&world);
    expect_refused(&world, "it is not the topic that it was");
    world_close(&world);
}

/* The tally with another input beside its own. */
static const struct weir_processor *tally_of_two(struct broker *broker)
{
    static struct weir_topic more;
    static struct weir_processor two;
    more = tally_events_topic;
    more.name = "tally.more";
    two = tally_processor;
    two.inputs[1] = (struct weir_input){&more, two.inputs[0].handlers};
    broker_create_topic(broker, more.name, 1, false);
    return &two;
}

static void says_that_an_input_was_read_which_is_none_now(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    world.processor = tally_of_two(world.broker);
    live_a_while(&world);
    world_stop(&world);
    expect_refused(&world, "has an input that this version of 'tally' does not read");
    world_close(&world);
}

static void comes_to_the_same_with_an_input_that_was_none_then(void **state)
{
    (void)state;
    struct world world;
    struct second_life life;
    world_open(&world);
    live_a_while(&world);
    world_stop(&world);
    life_open(&life, &world, tally_of_two(world.broker), NULL);
    assert_int_equal(life_run(&life), OK);
    assert_int_equal(life.differences, 0);
    assert_int_equal(life_compare(&life, world.state_path).differing, 0);
    life_close(&life);
    world_close(&world);
}

static void says_that_the_history_does_not_begin_at_the_beginning(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    live_a_while(&world);
    broker_truncate(world.broker, "tally.history", 0, 2);
    expect_refused(&world, "tally.history/0 begins with commit 2: the commits before it are gone");
    world_close(&world);
}

static void says_which_input_is_gone(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    live_a_while(&world);
    broker_truncate(world.broker, "tally.events", 0, 2);
    expect_refused(&world, "tally.events/0 begins at offset 2; commit 1 handled 0 to 2");
    broker_recreate_topic(world.broker, "tally.events");
    world_add(&world, "a", 1);
    expect_refused(&world, "tally.events/0 ends at offset 1; commit 1 handled 0 to 2");
    world_close(&world);
}

static void makes_a_file_of_its_own(void **state)
{
    (void)state;
    struct world world;
    struct second_life life;
    struct replay *again;
    world_open(&world);
    live_a_while(&world);
    life_open(&life, &world, &tally_processor, NULL);
    assert_int_equal(replay_open(&again, &life.options, &life.error), FATAL);
    assert_non_null(strstr(life.error.text, "is there already"));
    life_close(&life);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_to_the_same),
        cmocka_unit_test(comes_to_the_same_over_ticks_and_restarts),
        cmocka_unit_test(comes_to_the_same_over_aborts),
        cmocka_unit_test(comes_to_the_same_when_a_take_has_no_room_for_all_timers),
        cmocka_unit_test(comes_to_the_same_when_stamps_were_clamped),
        cmocka_unit_test(skips_what_was_skipped_though_it_can_be_read_now),
        cmocka_unit_test(gives_a_record_up_that_has_no_handler),
        cmocka_unit_test(names_the_record_whose_output_is_another_now),
        cmocka_unit_test(names_the_record_that_is_refused_now),
        cmocka_unit_test(names_the_commit_whose_rows_are_others_now),
        cmocka_unit_test(goes_through_a_tick_that_has_nothing_to_do_now),
        cmocka_unit_test(ends_when_its_file_cannot_be_written),
        cmocka_unit_test(says_that_an_input_is_another_topic_now),
        cmocka_unit_test(says_that_an_input_was_read_which_is_none_now),
        cmocka_unit_test(comes_to_the_same_with_an_input_that_was_none_then),
        cmocka_unit_test(says_that_the_history_does_not_begin_at_the_beginning),
        cmocka_unit_test(says_which_input_is_gone),
        cmocka_unit_test(makes_a_file_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
