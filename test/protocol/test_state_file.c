/* test_state_file.c - the state file under a running task: lost by SQLite, damaged, large, not of
 * this changelog, in a directory that is gone. It is brought up or rebuilt from the changelog, and
 * is never ahead of Kafka.
 */
#include "protocol/world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/context.h"
#include "store/internal.h"

#include <cmocka.h>

/* The tally, whose file we get hold of. */
static struct store *held;

static void hold_and_add(struct weir_context *ctx, const struct add *add)
{
    held = ctx->store;
    ((const struct tally_event_handlers *)tally_processor.inputs[0].handlers)->add(ctx, add);
}

static void open_held(struct world *world)
{
    static const struct tally_event_handlers handlers = {.add = hold_and_add};
    static struct weir_processor processor;
    processor = tally_processor;
    processor.inputs[0].handlers = &handlers;
    world_open(world);
    world->processor = &processor;
}

static void work(struct world *world)
{
    for (int i = 1; i <= 4; i++) {
        world_add(world, "a", i);
        world_add(world, "b", 10 * i);
    }
    world_settle(world);
}

/* Adds one more, and expects that everything is there, once. */
static void expect_all_of_it(struct world *world)
{
    world_add(world, "a", 5);
    world_settle(world);
    world_stop(world);
    char *picture = world_picture(world);
    assert_non_null(strstr(picture, "name=a sum=15 count=5"));
    assert_non_null(strstr(picture, "name=b sum=100 count=4"));
    free(picture);
    assert_int_equal(broker_count(world->broker, "tally.sums", 0, true), 9);
    world_close(world);
}

/* ---- SQLite gives up what Kafka has ---- */

static void give_up(void *context)
{
    (void)context;
    assert_int_equal(sqlite3_exec(held->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
}

static void brings_a_file_up_that_could_not_follow_a_commit(void **state) /* I-2, I-3 */
{
    (void)state;
    struct world world;
    open_held(&world);
    broker_fault(world.broker, &(struct broker_fault){.call = CALL_COMMIT,
                                                      .nth = 2,
                                                      .kind = FAULT_MEANWHILE,
                                                      .run = give_up});
    work(&world);
    assert_int_equal(broker_faults_left(world.broker), 0);
    assert_int_equal(task_counts(world.task)->aborts, 0);
    expect_all_of_it(&world);
}

/* ---- damage ---- */

enum { PAGE_BYTES = 4096, WAL_HEADER_BYTES = 32, FRAME_HEADER_BYTES = 24 };

static void spoil(const char *path, const char *suffix, off_t first, off_t stride)
{
    char name[128], garbage[100];
    memset(garbage, 0xa5, sizeof garbage);
    snprintf(name, sizeof name, "%s%s", path, suffix);
    int file = open(name, O_RDWR);
    off_t end = file < 0 ? -1 : lseek(file, 0, SEEK_END);
    for (off_t at = first; at < end; at += stride) {
        if (pwrite(file, garbage, sizeof garbage, at) != sizeof garbage) {
            _exit(1);
        }
    }
    _exit(end < 0);
}

/* Every page, in the file and in its WAL, and SQLite asks for them again. A process of its own does
 * it: closing a descriptor drops the locks that this one has. */
static void damage(struct world *world)
{
    static const struct {
        const char *suffix;
        off_t first, stride;
    } files[] = {{"", 0, PAGE_BYTES},
                 {"-wal", WAL_HEADER_BYTES + FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + PAGE_BYTES}};
    for (int i = 0; i < 2; i++) {
        int status = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            spoil(world->state_path, files[i].suffix, files[i].first, files[i].stride);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    assert_int_equal(sqlite3_db_release_memory(held->db), SQLITE_OK);
}

static void expect_to_end_at_damage(struct world *world)
{
    assert_int_equal(world_run(world), FATAL);
    assert_int_equal(world->error.exit_code, EXIT_IO);
    assert_non_null(strstr(world->error.text, "is damaged"));
}

static void ends_at_a_damaged_page_and_begins_with_a_new_file(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    open_held(&world);
    work(&world);
    damage(&world);
    world_add(&world, "b", 0); /* stale: it changes nothing */
    expect_to_end_at_damage(&world);
    expect_all_of_it(&world);
}

static void step(struct world *world)
{
    struct error error;
    int64_t wake_us = 0;
    (void)world->port->calls->poll(world->port, 0, &error);
    assert_int_equal(task_step(world->task, &wake_us, &error), OK);
}

/* Kafka has a take, and the file is to follow within the second. */
static void ends_when_the_file_turns_out_to_be_damaged_at_its_commit(void **state) /* I-2, I-3 */
{
    (void)state;
    struct world world;
    open_held(&world);
    work(&world);
    world_stop(&world);
    world_add(&world, "b", 0);
    assert_int_equal(world_start(&world), OK);
    while (task_counts(world.task)->stale == 0) {
        step(&world);
        broker_advance(world.broker, 1);
    }
    assert_true(store_is_dirty(held));
    damage(&world);
    broker_advance(world.broker, 1000);
    expect_to_end_at_damage(&world);
    expect_all_of_it(&world);
}

/* ---- a large one ---- */

/* What is not committed is in memory. */
static void commits_a_large_file_before_its_second_is_over(void **state)
{
    enum { NAMES = 90, NAME_BYTES = 300 * 1000 };
    (void)state;
    struct world world;
    open_held(&world);
    char *name = xcalloc(NAME_BYTES + 1, 1);
    memset(name, 'x', NAME_BYTES);
    for (int i = 0; i < NAMES; i++) {
        name[0] = (char)('A' + i % 26);
        name[1] = (char)('A' + i / 26);
        world_add(&world, name, 1);
    }
    free(name);
    int64_t begin_ms = broker_now_ms(world.broker);
    assert_int_equal(world_start(&world), OK);
    while (task_counts(world.task)->handled < NAMES) {
        step(&world);
        broker_advance(world.broker, 1);
    }
    assert_true(broker_now_ms(world.broker) - begin_ms < 1000);
    struct store_meta meta;
    assert_int_equal(store_peek(world.state_path, &meta, &world.error), OK);
    assert_true(meta.commit_number > 0);
    world_close(&world);
}

/* ---- a file that is not of this changelog ---- */

static struct weir_bytes copy_of(struct weir_bytes bytes, struct arena *arena)
{
    const char *copy = arena_strndup(arena, (const char *)bytes.data, bytes.size);
    return (struct weir_bytes){bytes.data ? (const uint8_t *)copy : NULL, bytes.size};
}

/* From a copy that somebody had: the same records, at other offsets. */
static void make_the_changelog_anew(struct world *world)
{
    enum { MOST = 100 };
    struct broker_record record;
    struct weir_bytes keys[MOST], values[MOST];
    size_t count = 0;
    struct arena arena;
    arena_init(&arena);
    for (int64_t at = 0; broker_read(world->broker, "tally.changelog", 0, true, &at, &record);) {
        assert_true(count < MOST);
        keys[count] = copy_of(record.key, &arena);
        values[count++] = copy_of(record.value, &arena);
    }
    broker_recreate_topic(world->broker, "tally.changelog");
    for (size_t i = 0; i < count; i++) {
        broker_produce(world->broker, "tally.changelog", 0, keys[i], values[i], NULL, 0);
    }
    arena_release(&arena);
}

static void rebuilds_a_file_that_stands_beyond_the_changelogs_end(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    open_held(&world);
    work(&world);
    world_stop(&world);
    make_the_changelog_anew(&world);
    world_settle(&world);
    assert_int_equal(task_counts(world.task)->restored_rows, 6); /* two in each take */
    expect_all_of_it(&world);
}

/* ---- no directory ---- */

static void remove_directory(struct world *world)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s/tally", world->directory);
    assert_int_equal(system(command), 0);
}

/* The file is too old to be brought up, and there is no place for another one. */
static void ends_when_it_can_make_no_other_file(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    open_held(&world);
    work(&world);
    world_stop(&world);
    broker_forget_offsets(world.broker, "tally");
    broker_advance(world.broker, 86400000);
    assert_int_equal(world_start(&world), OK);
    remove_directory(&world);
    assert_int_equal(world_run(&world), FATAL);
    assert_int_equal(world.error.exit_code, EXIT_IO);
    expect_all_of_it(&world);
}

/* ---- a restore that takes half of delete.retention.ms ---- */

static void a_day_goes_by(void *context)
{
    struct world *world = context;
    broker_advance(world->broker, 86400000);
}

static void a_day_goes_by_and_the_directory(void *context)
{
    a_day_goes_by(context);
    remove_directory(context);
}

/* Without a file, and `run` happens while the changelog is read. */
static void restore_while(struct world *world, void (*run)(void *context))
{
    open_held(world);
    work(world);
    world_stop(world);
    remove_directory(world);
    broker_fault(world->broker, &(struct broker_fault){.call = CALL_READ,
                                                       .nth = 1,
                                                       .kind = FAULT_MEANWHILE,
                                                       .run = run,
                                                       .context = world});
    assert_int_equal(world_start(world), OK);
}

static void reads_again_what_took_too_long_to_read(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    restore_while(&world, a_day_goes_by);
    assert_int_equal(world_run(&world), OK);
    assert_true(broker_counts(world.broker)->calls[CALL_READER_OPEN] >= 2);
    expect_all_of_it(&world);
}

static void ends_when_it_can_make_no_file_to_read_again_into(void **state) /* I-3 */
{
    (void)state;
    struct world world;
    restore_while(&world, a_day_goes_by_and_the_directory);
    assert_int_equal(world_run(&world), FATAL);
    assert_int_equal(world.error.exit_code, EXIT_IO);
    expect_all_of_it(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_again_what_took_too_long_to_read),
        cmocka_unit_test(ends_when_it_can_make_no_file_to_read_again_into),
        cmocka_unit_test(brings_a_file_up_that_could_not_follow_a_commit),
        cmocka_unit_test(ends_at_a_damaged_page_and_begins_with_a_new_file),
        cmocka_unit_test(ends_when_the_file_turns_out_to_be_damaged_at_its_commit),
        cmocka_unit_test(commits_a_large_file_before_its_second_is_over),
        cmocka_unit_test(rebuilds_a_file_that_stands_beyond_the_changelogs_end),
        cmocka_unit_test(ends_when_it_can_make_no_other_file),
    };
    return cmocka_run_group_tests_name("state file", tests, NULL, NULL);
}
