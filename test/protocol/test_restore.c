/* test_restore.c - a changelog that is not what a task has written: the start is refused, with the
 * changelog's name, as often as it is tried. test/fuzz/fuzz_restore.c looks for more of it.
 */
#include "protocol/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "codec/key.h"
#include "runtime/metadata.h"
#include "runtime_records.h"
#include "store/store.h"

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

static void put_checkpoint_of(struct world *world, int64_t number, const char *incarnation,
                              const char *input)
{
    struct input_range range = {.topic = input};
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

static void put_checkpoint(struct world *world, int64_t number, const char *incarnation)
{
    put_checkpoint_of(world, number, incarnation, "tally.events");
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

static bool read_number(void *context, int columns, const char *const *names,
                        const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)types;
    *(int64_t *)context = strtoll(values[0], NULL, 10);
    return true;
}

static int64_t rows_in_file(struct world *world)
{
    int64_t rows = -1;
    struct error error;
    assert_int_equal(store_query(world->state_path, "SELECT count(*) FROM total", read_number,
                                 &rows, &error),
                     OK);
    return rows;
}

/* Up to commit `number`, and with so many rows. */
static void expect_restored(struct world *world, int64_t number, int64_t rows)
{
    assert_int_equal(world_run(world), OK);
    assert_int_equal(task_state(world->task), TASK_RUN);
    assert_int_equal(task_commit_number(world->task), number);
    world_stop(world);
    assert_int_equal(rows_in_file(world), rows);
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
    world_open(&world);
    put_under(&world, "a", &(struct total){.name = "longer", .sum = 1, .count = 1});
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

/* It bears the fingerprint of the table's own schema. */
static void refuses_a_row_whose_schema_is_right_and_whose_bytes_are_not(void **state)
{
    (void)state;
    struct buffer value;
    struct world world;
    buffer_init(&value);
    codec_frame(&total_record, &value);
    buffer_add(&value, garbage.data, garbage.size);
    world_open(&world);
    put_raw(&world, "total\0a\0", 8, (struct weir_bytes){value.data, value.size});
    put_checkpoint(&world, 1, INCARNATION);
    expect_refusal(&world, "a row of table total");
    buffer_release(&value);
}

static void refuses_a_deletion_whose_key_cannot_be_read(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_raw(&world, "total\0a", 7, (struct weir_bytes){NULL, 0});
    put_checkpoint(&world, 1, INCARNATION);
    expect_refusal(&world, "a key of table total cannot be read");
}

static void refuses_to_adopt_a_commit_that_names_not_every_input(void **state) /* I-8 */
{
    (void)state;
    struct world world;
    world_open(&world);
    put_checkpoint_of(&world, 1, INCARNATION, "tally.others");
    expect_refusal(&world, "does not name input tally.events");
}

/* ---- rows of an older version ---- */

static const char older_schema[] =
    "{\"type\":\"record\",\"name\":\"Total\",\"namespace\":\"weir.tally\",\"fields\":["
    "{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"sum\",\"type\":\"int\"},"
    "{\"name\":\"note\",\"type\":\"string\"},{\"name\":\"count\",\"type\":\"int\"}]}";

/* a: 5 of 1, and a note. */
static void put_older_row(struct world *world)
{
    static const uint8_t datum[] = {2, 'a', 10, 2, 'n', 2};
    uint8_t bytes[WORLD_FRAME_BYTES + sizeof datum];
    world_frame(older_schema, bytes);
    memcpy(bytes + WORLD_FRAME_BYTES, datum, sizeof datum);
    struct buffer key;
    buffer_init(&key);
    buffer_add(&key, "total", sizeof "total");
    key_encode(&total_store, &(struct total){.name = "a"}, 1, &key);
    broker_produce(world->broker, "tally.changelog", 0, (struct weir_bytes){key.data, key.size},
                   (struct weir_bytes){bytes, sizeof bytes}, NULL, 0);
    buffer_release(&key);
}

static void know_older_schema(struct world *world)
{
    static const struct weir_record *const records[] = {&tally_event_record, &total_record,
                                                        &timer_row_record,   &checkpoint_record,
                                                        &cause_record,       NULL};
    char directory[96], path[128];
    struct error error;
    snprintf(directory, sizeof directory, "%s/schemas", world->directory);
    snprintf(path, sizeof path, "%s/older.avsc", directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(older_schema, file);
    assert_int_equal(fclose(file), 0);
    codec_close(world->codec);
    assert_int_equal(codec_open(&world->codec, records, directory, &error), OK);
}

static void restores_rows_that_an_older_version_wrote(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    know_older_schema(&world);
    put_older_row(&world);
    put_checkpoint(&world, 1, INCARNATION);
    assert_int_equal(world_start(&world), OK);
    expect_restored(&world, 1, 1);
}

/* ---- a long changelog ---- */

static void put_totals(struct world *world, int first, int end, size_t name_bytes)
{
    char *name = xcalloc(name_bytes + 1, 1);
    memset(name, 'x', name_bytes);
    for (int i = first; i < end; i++) {
        snprintf(name, 12, "%011d", i);
        name[11] = 'x';
        put_total(world, &(struct total){.name = name, .sum = i, .count = 1});
    }
    free(name);
}

/* The consumer is polled between slices. */
static void restores_a_long_changelog_in_slices(void **state)
{
    enum { ROWS = 21000 };
    (void)state;
    struct world world;
    world_open(&world);
    put_totals(&world, 0, ROWS, 12);
    put_checkpoint(&world, 1, INCARNATION);
    assert_int_equal(world_start(&world), OK);
    int slices = 0;
    for (int i = 0; i < 100 && task_state(world.task) != TASK_RUN; i++) {
        int64_t wake_us;
        slices += task_state(world.task) == TASK_RESTORE;
        assert_int_equal(task_step(world.task, &wake_us, &world.error), OK);
    }
    assert_true(slices > 1);
    expect_restored(&world, 1, ROWS);
}

enum { LARGE_ROWS = 80, LARGE_NAME_BYTES = 150 * 1000 };

/* More than is held in memory. */
static void open_large(struct world *world)
{
    world_open(world);
    put_totals(world, 0, LARGE_ROWS, LARGE_NAME_BYTES);
}

static void refuses_a_bad_row_in_a_large_changelog(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    put_total(&world, &(struct total){.name = "a", .sum = -5, .count = 1});
    put_totals(&world, 0, LARGE_ROWS, LARGE_NAME_BYTES);
    put_checkpoint(&world, 1, INCARNATION);
    expect_refusal(&world, "sum >= 0");
}

/* ---- something else holds it up ---- */

static void remove_directory(void *context)
{
    const struct world *world = context;
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s/tally", world->directory);
    assert_int_equal(system(command), 0);
}

static sqlite3 *other;

static void lock_file(void *context)
{
    const struct world *world = context;
    assert_int_equal(sqlite3_open(world->state_path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

static void unlock_file(void *context)
{
    (void)context;
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void meanwhile(struct world *world, enum broker_call call, unsigned nth,
                      void (*run)(void *context))
{
    broker_fault(world->broker, &(struct broker_fault){.call = call,
                                                       .nth = nth,
                                                       .kind = FAULT_MEANWHILE,
                                                       .run = run,
                                                       .context = world});
}

static void begins_again_while_another_program_has_the_file_locked(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    open_large(&world);
    put_checkpoint(&world, 1, INCARNATION);
    meanwhile(&world, CALL_READ, 1, lock_file);
    meanwhile(&world, CALL_COMMITTED, 2, unlock_file); /* it begins by asking the group again */
    assert_int_equal(world_start(&world), OK);
    expect_restored(&world, 1, LARGE_ROWS);
}

/* Another task's transaction, left open in this changelog partition. */
static struct producer *open_transaction(struct port *port)
{
    struct producer *producer;
    struct error error;
    const struct weir_bytes key = {(const uint8_t *)"gone\0x", 6};
    assert_int_equal(port->calls->producer_open(port, "other", &producer, &error), OK);
    assert_int_equal(port->calls->init(producer, 1000, &error), TXN_DONE);
    assert_int_equal(port->calls->begin(producer, &error), TXN_DONE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(port->calls->send(producer, "tally.changelog", 0, key, garbage, NULL, 0,
                                           NULL, &error),
                         TXN_DONE);
    }
    return producer;
}

/* What stands behind it may be a later commit. */
static void waits_for_the_end_that_a_transaction_hides(void **state) /* I-3 */
{
    (void)state;
    for (int offsets_expired = 0; offsets_expired < 2; offsets_expired++) {
        static const struct world_watch watch = {.steps = 20};
        struct world world;
        struct error error;
        world_open(&world);
        world_add(&world, "a", 1);
        world_settle(&world);
        struct producer *producer = open_transaction(world.port);
        struct port *port = world.port;
        task_close(world.task, true);
        world.task = NULL;
        if (offsets_expired) {
            broker_forget_offsets(world.broker, "tally");
        }
        remove_directory(&world);
        world.watch = &watch;
        assert_int_equal(world_start(&world), OK);
        assert_int_equal(world_run(&world), RETRY);
        assert_int_equal(task_state(world.task), TASK_RESTORE);
        assert_int_equal(port->calls->abort(producer, 1000, &error), TXN_DONE);
        port->calls->producer_close(producer);
        broker_port_close(port);
        world.watch = NULL;
        expect_restored(&world, 1, 1);
    }
}

/* A reader that gets nothing for long, as after the broker was away. */
static struct port_calls calls_that_read_nothing;

static enum outcome read_nothing(struct reader *reader, int timeout_ms, struct port_record *records,
                                 size_t max, size_t *count, int64_t *position, struct error *error)
{
    (void)reader, (void)timeout_ms, (void)records, (void)max, (void)position, (void)error;
    *count = 0;
    return OK;
}

static void read_nothing_from_now_on(struct port *port)
{
    calls_that_read_nothing = *port->calls;
    calls_that_read_nothing.read = read_nothing;
    port->calls = &calls_that_read_nothing;
}

static void waits_as_long_as_the_broker_has_more_than_was_read(void **state) /* I-3 */
{
    (void)state;
    static const struct world_watch watch = {.port_opened = read_nothing_from_now_on, .steps = 20};
    struct world world;
    world_open(&world);
    world_add(&world, "a", 1);
    world_settle(&world);
    world_stop(&world);
    remove_directory(&world);
    world.watch = &watch;
    assert_int_equal(world_start(&world), OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_run(&world), RETRY);
        assert_int_equal(task_state(world.task), TASK_RESTORE);
        broker_advance(world.broker, 3600 * 1000);
    }
    world_kill(&world);
    world.watch = NULL;
    assert_int_equal(world_start(&world), OK);
    expect_restored(&world, 1, 1);
}

/* ---- a file of another changelog, and no offsets that would say so ---- */

static void leave_a_file_and_another_changelog(struct world *world)
{
    world_open(world);
    world_add(world, "a", 1);
    world_settle(world);
    world_stop(world);
    broker_forget_offsets(world->broker, "tally");
    broker_recreate_topic(world->broker, "tally.changelog");
    put_totals(world, 0, 20, 12);
    put_checkpoint(world, 9, INCARNATION);
}

static void begins_with_an_empty_file_when_the_changelog_is_another(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    leave_a_file_and_another_changelog(&world);
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), OK);
    assert_int_equal(task_commit_number(world.task), 10); /* and one take */
    world_stop(&world);
    assert_int_equal(rows_in_file(&world), 21);
    world_close(&world);
}

static void ends_when_there_is_no_place_for_the_empty_file(void **state)
{
    (void)state;
    struct world world;
    leave_a_file_and_another_changelog(&world);
    meanwhile(&world, CALL_READ, 1, remove_directory);
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), FATAL);
    assert_int_equal(world.error.exit_code, EXIT_IO);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_row_whose_schema_is_right_and_whose_bytes_are_not),
        cmocka_unit_test(refuses_a_deletion_whose_key_cannot_be_read),
        cmocka_unit_test(refuses_to_adopt_a_commit_that_names_not_every_input),
        cmocka_unit_test(restores_rows_that_an_older_version_wrote),
        cmocka_unit_test(restores_a_long_changelog_in_slices),
        cmocka_unit_test(refuses_a_bad_row_in_a_large_changelog),
        cmocka_unit_test(begins_again_while_another_program_has_the_file_locked),
        cmocka_unit_test(waits_for_the_end_that_a_transaction_hides),
        cmocka_unit_test(waits_as_long_as_the_broker_has_more_than_was_read),
        cmocka_unit_test(begins_with_an_empty_file_when_the_changelog_is_another),
        cmocka_unit_test(ends_when_there_is_no_place_for_the_empty_file),
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
