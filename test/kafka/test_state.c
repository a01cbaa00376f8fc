/* test_state.c - state files that are gone, damaged or someone else's are rebuilt with equal
 * content; contradictions between offsets, changelog and file are told, never guessed away; a full
 * disk costs time.
 */
#include "kafka/stock.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "codec/codec.h"
#include "processors.h"
#include "shop.h"

#include <cmocka.h>

enum { PATIENCE_MS = 25000, SOON_MS = 10000 };

static struct process *run(struct system *system, const char *host, const char *kill_at)
{
    return system_run(system, &(struct run){.host = host,
                                            .kill_at = kill_at,
                                            .settings = {"take.max_records=3"}});
}

/* The whole story on partition 0, and a clean stop. */
static void tell_the_story(struct system *system)
{
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    struct process *process = run(system, "a", NULL);
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);
}

static void shell(const char *format, const char *path)
{
    char line[1500];
    snprintf(line, sizeof line, format, path, path, path);
    assert_int_equal(system(line), 0);
}

/* ---- files ---- */

static const char *path_of(struct system *system)
{
    return system_state_path(system, "a", 0);
}

/* Starts, stops, and the rows are what they were. */
static void expect_rebuilt(struct system *system, const char *rows, const char *damage,
                           const char *said)
{
    shell(damage, path_of(system));
    struct process *process = run(system, "a", NULL);
    process_expect_said(system, process, "task_running", PATIENCE_MS);
    process_expect_said(system, process, said, 0);
    process_stop(system, process);
    stock_expect_agreement(system, "a", 0);
    char *found = stock_rows(system, "a", 0);
    stock_expect_same(system, rows, found);
    free(found);
}

static void rebuilds_a_file_that_is_gone_or_damaged(void **state)
{
    struct system *system = *state;
    tell_the_story(system);
    char *rows = stock_rows(system, "a", 0);
    expect_rebuilt(system, rows, "rm -f %s %s-wal %s-shm", "state=new");
    expect_rebuilt(system, rows, "truncate -s 10000 %s", "state_set_aside");
    expect_rebuilt(system, rows, "truncate -s 0 %s", "restored ");
    expect_rebuilt(system, rows, "head -c 30000 /dev/urandom >%s", "state_set_aside");
    expect_rebuilt(system, rows, "printf 'not a database at all, by any means' >%s",
                   "state_set_aside");
    free(rows);
}

static void rebuilds_a_file_of_another_partition(void **state)
{
    struct system *system = *state;
    tell_the_story(system);
    char *rows = stock_rows(system, "a", 0);
    struct process *other = system_run(system, &(struct run){.partition = 1});
    process_expect_said(system, other, "task_running", SOON_MS);
    stock_feed(system, 1, 0, 20);
    system_expect_committed(system, stock_commands_topic.name, 1,
                            system_end_of(system, stock_commands_topic.name, 1), SOON_MS);
    process_stop(system, other);
    char damage[1000];
    snprintf(damage, sizeof damage, "cp '%s' %%s", system_state_path(system, "a", 1));
    expect_rebuilt(system, rows, damage, "state_set_aside");
    free(rows);
}

static void brings_an_old_copy_up_to_date_by_the_tail(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed(system, 0, 0, 40);
    struct process *process = run(system, "a", NULL);
    system_expect_committed(system, stock_commands_topic.name, 0,
                            system_end_of(system, stock_commands_topic.name, 0), SOON_MS);
    process_stop(system, process);
    shell("cp %s %s.old", path_of(system));
    stock_feed(system, 0, 40, stock_story_size());
    process = run(system, "a", NULL);
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);
    char *rows = stock_rows(system, "a", 0);
    expect_rebuilt(system, rows, "cp %s.old %s; rm -f %s-wal", "state=tail");
    free(rows);
}

/* A restore that takes more than one slice: 9 MiB of rows. */
static void send_many_reserves(struct system *system)
{
    enum { COUNT = 14000, ID = 100 };
    struct buffer bytes;
    buffer_init(&bytes);
    for (int i = 0; i < COUNT; i++) {
        char id[ID + 1], reservation[ID + 8];
        snprintf(id, sizeof id, "%0*d", ID, i);
        snprintf(reservation, sizeof reservation, "%s/1/1", id);
        buffer_reset(&bytes);
        codec_encode(&stock_command_record,
                     &(struct stock_command){.payload_branch = STOCK_COMMAND_RESERVE,
                                             .payload.reserve = {.reservation_id = reservation,
                                                                 .order_id = id,
                                                                 .line_no = 1,
                                                                 .sku = "many",
                                                                 .qty = 1,
                                                                 .ttl_ms = 3600000,
                                                                 .customer_id = id}},
                     &bytes);
        system_send(system, stock_commands_topic.name, 0, "many",
                    (struct weir_bytes){bytes.data, bytes.size});
    }
    system_flush(system);
    buffer_release(&bytes);
}

static void restores_after_kills_in_the_middle_of_a_restore(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    send_many_reserves(system);
    struct process *process = system_run(system, &(struct run){0});
    system_expect_committed(system, stock_commands_topic.name, 0,
                            system_end_of(system, stock_commands_topic.name, 0), PATIENCE_MS);
    process_stop(system, process);
    char *rows = stock_rows(system, "a", 0);
    shell("rm -f %s %s-wal %s-shm", path_of(system));
    static const char *const points[] = {"restore_slice:1", "restore_end:1", "restore_slice:1"};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        process_expect_end(system, run(system, "a", points[i]), -SIGKILL, PATIENCE_MS);
    }
    expect_rebuilt(system, rows, "true", "restored ");
    free(rows);
}

/* ---- offsets, changelog, input ---- */

static void expect_refused(struct system *system, const char *text)
{
    struct process *process = run(system, "a", NULL);
    process_expect_end(system, process, EXIT_CONFIG, PATIENCE_MS);
    process_expect_said(system, process, text, 0);
    process_expect_said(system, process, "weir doctor", 0);
}

static void adopts_the_last_checkpoint_when_the_offsets_are_gone(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    tell_the_story(system);
    int64_t end = system_end_of(system, stock_commands_topic.name, 0);
    stock_mark(system, &marks);
    system_delete_group(system);
    struct process *process = run(system, "a", NULL);
    process_expect_said(system, process, "offsets_adopted", PATIENCE_MS);
    stock_feed(system, 0, 0, 1); /* a receipt that was counted: nothing comes of it */
    system_expect_committed(system, stock_commands_topic.name, 0, end + 1, SOON_MS);
    process_stop(system, process);
    stock_expect_agreement(system, "a", 0);
    char *outputs = stock_picture(system, &marks, STOCK_EXACT, NULL);
    assert_string_equal(outputs, "");
    free(outputs);
}

static void refuses_offsets_that_someone_else_has_set(void **state)
{
    struct system *system = *state;
    tell_the_story(system);
    int64_t end = system_end_of(system, stock_commands_topic.name, 0);
    system_commit(system, stock_commands_topic.name, 0, end - 5, "");
    expect_refused(system, "was not set by weir");
    assert_int_equal(system_committed(system, stock_commands_topic.name, 0), end - 5);
}

/* By someone who kept the metadata: an old answer of the group, in effect. */
static void refuses_offsets_that_were_set_back(void **state)
{
    struct system *system = *state;
    struct error error;
    struct port_offset then;
    const char *topic = stock_commands_topic.name;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed(system, 0, 0, 40);
    struct process *process = run(system, "a", NULL);
    system_expect_committed(system, topic, 0, system_end_of(system, topic, 0), SOON_MS);
    assert_true(stock_commit_number(system, 0) > 0);
    assert_int_equal(admin_committed(system->admin, system->application_id, &topic, 1, 0, &then,
                                     &error),
                     OK);
    stock_feed(system, 0, 40, stock_story_size());
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);
    system_commit(system, topic, 0, then.offset, then.metadata);
    expect_refused(system, "offsets were set back");
    shell("rm -f %s %s-wal %s-shm", path_of(system)); /* nor without a file that knows better */
    expect_refused(system, "offsets were set back");
}

static void refuses_an_empty_changelog(void **state)
{
    struct system *system = *state;
    tell_the_story(system);
    system_delete_topic(system,
                        arena_format(&system->arena, "%s.changelog", system->application_id));
    system_create_topics(system, &inventory_processor);
    expect_refused(system, ".changelog is empty");
}

static void refuses_input_that_was_cut_off_unhandled(void **state)
{
    struct system *system = *state;
    tell_the_story(system);
    int64_t end = system_end_of(system, stock_commands_topic.name, 0);
    stock_feed(system, 0, 0, 10);
    system_delete_records(system, stock_commands_topic.name, 0, end + 4);
    expect_refused(system, "4 offsets of input are gone");
}

/* ---- a full disk ---- */

static void waits_for_space_on_a_full_disk(void **state)
{
    struct system *system = *state;
    struct stock_marks marks;
    stock_begin(system, &marks);
    stock_feed_all(system, 0);
    const char *disk = arena_format(&system->arena, "%s/tiny", system->directory);
    assert_int_equal(mkdir(disk, 0755), 0);
    if (geteuid() != 0 || mount("tmpfs", disk, "tmpfs", 0, "size=2m") != 0) {
        print_message("needs root, to mount a small disk\n");
        skip();
    }
    shell("head -c 1800000 /dev/zero >%s/filler", disk);
    struct process *process = run(system, "tiny", NULL);
    process_expect_said(system, process, "no space left for state file", PATIENCE_MS);
    system_sleep(1000);
    assert_true(process_is_running(system, process));
    shell("rm %s/filler", disk);
    stock_expect_settled(system, &marks, 0, PATIENCE_MS);
    process_stop(system, process);
    stock_expect_agreement(system, "tiny", 0);
    static const char *const on_tiny[SYSTEM_PARTITIONS] = {"tiny"};
    char *found = stock_picture(system, &marks, STOCK_LOOSE, on_tiny);
    assert_int_equal(umount(disk), 0);
    char *calm = stock_undisturbed(system, 1);
    stock_expect_same(system, calm, found);
    free(calm);
    free(found);
}

/* Also when the case failed. */
static int unmount(void **state)
{
    struct system *system = *state;
    char disk[400];
    snprintf(disk, sizeof disk, "%s/tiny", system->directory);
    int result = system_tear_down(state);
    umount2(disk, MNT_DETACH);
    return result;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(rebuilds_a_file_that_is_gone_or_damaged),
        system_case(rebuilds_a_file_of_another_partition),
        system_case(brings_an_old_copy_up_to_date_by_the_tail),
        system_case(restores_after_kills_in_the_middle_of_a_restore),
        system_case(adopts_the_last_checkpoint_when_the_offsets_are_gone),
        system_case(refuses_offsets_that_someone_else_has_set),
        system_case(refuses_offsets_that_were_set_back),
        system_case(refuses_an_empty_changelog),
        system_case(refuses_input_that_was_cut_off_unhandled),
        cmocka_unit_test_setup_teardown(waits_for_space_on_a_full_disk, system_set_up, unmount),
    };
    return system_main("test_state", tests, argc, argv);
}
