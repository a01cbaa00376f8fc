/* test_store_files.c - crashes, locks, damage, full disks: what becomes of the file.
 *
 * Processes are forked and killed by SIGKILL. Files are damaged from a forked process, because
 * closing a descriptor of a database drops SQLite's locks of this one.
 */
#include "store_fixture.h"

#include "store/internal.h"

#include <dirent.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "store/checksum.h"

/* ---- helpers ---- */

/* Change times have the resolution of the kernel's tick. */
static void let_time_pass(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
}

static void overwrite(struct fixture *fixture, off_t at, const void *bytes, size_t size)
{
    int file = open(fixture->path, O_WRONLY);
    if (file < 0 || pwrite(file, bytes, size, at) != (ssize_t)size) {
        _exit(1);
    }
    close(file);
}

static void overwrite_the_middle(struct fixture *fixture)
{
    char garbage[8192];
    memset(garbage, 0xa5, sizeof garbage);
    overwrite(fixture, 3 * 4096, garbage, sizeof garbage);
}

/* Everything but the header page and the first pages of the schema. */
static void overwrite_all_rows(struct fixture *fixture)
{
    char garbage[4096];
    memset(garbage, 0xa5, sizeof garbage);
    for (off_t at = 8 * 4096; at < size_of(fixture->path, ""); at += 4096) {
        overwrite(fixture, at, garbage, sizeof garbage);
    }
}

/* Through the VFS that keeps the page's checksum right. */
static void forge(struct fixture *fixture, const char *pragma)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(fixture->path, &db, SQLITE_OPEN_READWRITE, CHECKSUM_VFS) != SQLITE_OK ||
        sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK || sqlite3_close(db) != SQLITE_OK) {
        _exit(1);
    }
}

static void forge_format(struct fixture *fixture)
{
    forge(fixture, "PRAGMA user_version=99");
}

static void forge_application(struct fixture *fixture)
{
    forge(fixture, "PRAGMA application_id=1");
}

static void truncate_to_half(struct fixture *fixture)
{
    if (truncate(fixture->path, size_of(fixture->path, "") / 2) != 0) {
        _exit(1);
    }
}

static void truncate_to_nothing(struct fixture *fixture)
{
    if (truncate(fixture->path, 0) != 0) {
        _exit(1);
    }
}

static int is_set_aside(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return strstr(entry->d_name, ".aside-") && entry->d_name[length - 1] == 'Z';
}

static int files_set_aside(struct fixture *fixture)
{
    char directory[128];
    struct dirent **names = NULL;
    snprintf(directory, sizeof directory, "%s/state", fixture->directory);
    int count = scandir(directory, &names, is_set_aside, NULL);
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    return count;
}

/* Many pages of rows, committed and closed. */
static void close_with_rows(struct fixture *fixture)
{
    static char note[3000];
    memset(note, 'n', sizeof note - 1);
    open_store(fixture);
    begin(fixture);
    for (int i = 0; i < 200; i++) {
        struct item item = {.sku = "row", .seq = i, .qty = i, .note = note};
        assert_ok(fixture, store_put(fixture->store, &items, &item, &fixture->error));
    }
    keep(fixture);
    commit(fixture);
    close_store(fixture);
}

/* Opens and expects an empty store beside a file set aside with this reason. */
static void assert_sets_aside(struct fixture *fixture, const struct store_identity *as,
                              const char *reason)
{
    open_as(fixture, as);
    assert_int_equal(fixture->found, STORE_SET_ASIDE);
    assert_text(fixture->note.text, reason);
    assert_int_equal(store_meta(fixture->store)->commit_number, 0);
    assert_int_equal(qty_of(fixture, "row", 1), -1);
    assert_int_equal(files_set_aside(fixture), 1);
    commit_qty(fixture, "new", 1, 1);
    close_store(fixture);
    open_as(fixture, as);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "new", 1), 1);
}

static void assert_sets_aside_after(struct fixture *fixture, void (*act)(struct fixture *),
                                    const char *reason)
{
    close_with_rows(fixture);
    let_time_pass();
    in_a_process(fixture, act);
    assert_sets_aside(fixture, &identity, reason);
}

/* ---- crashes ---- */

static void commit_one_keep_one_write_one(struct fixture *fixture)
{
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    put_qty(fixture, "a", 1, 2);
    keep(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 3);
}

static void a_kill_loses_what_is_not_committed_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 1; i <= 3; i++) {
        in_a_process_that_is_killed(fixture, commit_one_keep_one_write_one);
        open_store(fixture);
        assert_int_equal(fixture->found, STORE_KEPT);
        assert_int_equal(qty_of(fixture, "a", 1), 1);
        assert_meta(store_meta(fixture->store), i);
        close_store(fixture);
    }
}

static void commit_for_ever(struct fixture *fixture)
{
    open_store(fixture);
    for (int32_t i = (int32_t)store_meta(fixture->store)->commit_number + 1;; i++) {
        begin(fixture);
        for (int64_t seq = 0; seq < 50; seq++) {
            put_qty(fixture, "a", seq, i);
        }
        keep(fixture);
        commit(fixture);
    }
}

/* All rows of a take have its number, at whatever instant the process dies. */
static void a_kill_at_any_instant_leaves_whole_takes(void **state)
{
    struct fixture *fixture = *state;
    int64_t last = 0;
    seed_random();
    for (int round = 0; round < 12; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            commit_for_ever(fixture);
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000 + rand() % 60000000}, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        open_store(fixture);
        assert_true(fixture->found == STORE_KEPT || (last == 0 && fixture->found == STORE_NEW));
        int64_t number = store_meta(fixture->store)->commit_number;
        assert_true(number >= last);
        for (int64_t seq = 0; seq < 50; seq++) {
            assert_int_equal(qty_of(fixture, "a", seq), number > 0 ? number : -1);
        }
        last = number;
        close_store(fixture);
    }
    assert_true(last > 0);
}

static void a_killed_process_leaves_the_lock_free_and_the_second_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *second = NULL;
    open_store(fixture);
    assert_int_equal(store_open(&second, fixture->path, &identity, &fixture->found, &fixture->note,
                                &fixture->error),
                     RETRY);
    assert_int_equal(fixture->error.exit_code, EXIT_TRY_AGAIN);
    char owner[32];
    snprintf(owner, sizeof owner, "process %ld", (long)getpid());
    assert_text(fixture->error.text, owner);
    commit_qty(fixture, "a", 1, 1); /* the first one is not disturbed */
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
}

/* The proof that nobody has touched the file spares the next start a look at all of it. */
static void the_witness_survives_a_kill(void **state)
{
    struct fixture *fixture = *state;
    char text[256] = "";
    char name[256];
    in_a_process_that_is_killed(fixture, commit_one_keep_one_write_one);
    snprintf(name, sizeof name, "%s.lock", fixture->path);
    int file = open(name, O_RDONLY);
    assert_true(read(file, text, sizeof text - 1) > 0);
    close(file);
    assert_text(text, "inode");
}

/* ---- files that are not ours or not healthy ---- */

static void write_garbage(struct fixture *fixture)
{
    char garbage[8192];
    memset(garbage, 'x', sizeof garbage);
    overwrite(fixture, 0, garbage, sizeof garbage);
}

static void sets_aside_what_is_no_database(void **state)
{
    assert_sets_aside_after(*state, write_garbage, "not a database");
}

static void sets_aside_an_empty_file(void **state)
{
    assert_sets_aside_after(*state, truncate_to_nothing, "not a weir state file");
}

static void sets_aside_a_truncated_file(void **state)
{
    assert_sets_aside_after(*state, truncate_to_half, "damaged");
}

static void sets_aside_a_file_damaged_after_a_clean_close(void **state)
{
    assert_sets_aside_after(*state, overwrite_the_middle, "damaged");
}

static void sets_aside_another_programs_database(void **state)
{
    assert_sets_aside_after(*state, forge_application, "not a weir state file");
}

static void sets_aside_another_format(void **state)
{
    assert_sets_aside_after(*state, forge_format, "format 99");
}

static void sets_aside_another_applications_file(void **state)
{
    close_with_rows(*state);
    assert_sets_aside(*state, &(struct store_identity){"other", 3, all_tables},
                      "belongs to application test, not other");
}

static void sets_aside_another_partitions_file(void **state)
{
    close_with_rows(*state);
    assert_sets_aside(*state, &(struct store_identity){"test", 4, all_tables},
                      "belongs to partition 3, not 4");
}

static void sets_aside_rows_of_another_schema(void **state)
{
    struct fixture *fixture = *state;
    static struct weir_record record;
    static struct weir_store changed;
    static const struct weir_store *const tables[] = {&changed, &timers, NULL};
    record = item_record;
    record.fingerprint++;
    changed = items;
    changed.record = &record;
    close_with_rows(fixture);
    open_as(fixture, &(struct store_identity){"test", 3, tables});
    assert_int_equal(fixture->found, STORE_SET_ASIDE);
    assert_text(fixture->note.text, "row schemas");
    uint64_t fingerprint = store_row_schemas(fixture->store);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_SET_ASIDE);
    assert_true(fingerprint != store_row_schemas(fixture->store));
}

static bool take_qty(void *context, int columns, const char *const *names,
                     const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)types;
    *(int *)context = atoi(values[0]);
    return true;
}

static void a_file_set_aside_can_still_be_read_with_its_wal(void **state)
{
    struct fixture *fixture = *state;
    char name[512];
    int qty = 0;
    in_a_process_that_is_killed(fixture, commit_one_keep_one_write_one);
    open_as(fixture, &(struct store_identity){"test", 4, all_tables});
    assert_int_equal(fixture->found, STORE_SET_ASIDE);
    snprintf(name, sizeof name, "%s/state", fixture->directory);
    struct dirent **names = NULL;
    assert_int_equal(scandir(name, &names, is_set_aside, NULL), 1);
    snprintf(name, sizeof name, "%s/state/%s", fixture->directory, names[0]->d_name);
    free(names[0]);
    free(names);
    assert_ok(fixture, store_query(name, "SELECT qty FROM item", take_qty, &qty, &fixture->error));
    assert_int_equal(qty, 1);
}

static void keeps_rows_whose_tables_are_given_in_another_order(void **state)
{
    static const struct weir_store *const turned[] = {&timers, &items, NULL};
    close_with_rows(*state);
    open_as(*state, &(struct store_identity){"test", 3, turned});
    assert_int_equal(((struct fixture *)*state)->found, STORE_KEPT);
}

static void an_older_wal_beside_no_file_is_not_taken_for_the_new_files(void **state)
{
    struct fixture *fixture = *state;
    in_a_process_that_is_killed(fixture, commit_one_keep_one_write_one);
    assert_true(size_of(fixture->path, "-wal") > 0);
    assert_int_equal(unlink(fixture->path), 0);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_NEW);
    assert_int_equal(qty_of(fixture, "a", 1), -1);
    commit_qty(fixture, "b", 1, 1);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "a", 1), -1);
    assert_int_equal(qty_of(fixture, "b", 1), 1);
}

static void damage_found_at_run_time_is_fatal_and_the_next_open_sets_aside(void **state)
{
    struct fixture *fixture = *state;
    void *rows = NULL;
    size_t count = 0;
    close_with_rows(fixture);
    open_store(fixture);
    in_a_process(fixture, overwrite_all_rows);
    assert_int_equal(store_list(fixture->store, &items, NULL, 0, 0, &fixture->arena, &rows, &count,
                                &fixture->error),
                     FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, "is damaged");
    assert_text(fixture->error.text, "rebuilds it");
    close_store(fixture);
    assert_sets_aside(fixture, &identity, "does not match its checksum");
}

static void a_stale_file_is_set_aside_when_the_caller_says_so(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    assert_ok(fixture, store_set_aside(fixture->store, &fixture->error));
    assert_int_equal(store_meta(fixture->store)->commit_number, 0);
    assert_int_equal(qty_of(fixture, "a", 1), -1);
    assert_int_equal(files_set_aside(fixture), 1);
    commit_qty(fixture, "a", 1, 2);
    assert_int_equal(qty_of(fixture, "a", 1), 2);
}

static void the_three_newest_files_set_aside_are_kept(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    for (int i = 1; i <= 5; i++) {
        assert_ok(fixture, store_set_aside(fixture->store, &fixture->error));
        assert_int_equal(files_set_aside(fixture), i < 3 ? i : 3);
    }
}

static void a_directory_that_cannot_be_made_is_fatal(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = NULL;
    char path[256];
    snprintf(path, sizeof path, "/proc/weir/%s", "test.db");
    assert_int_equal(store_open(&store, path, &identity, &fixture->found, &fixture->note,
                                &fixture->error),
                     FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, "/proc/weir");
}

/* ---- restore ---- */

static void restore_rows(struct fixture *fixture, bool fresh, int32_t from, int32_t to)
{
    assert_ok(fixture, store_restore_begin(fixture->store, fresh, &fixture->error));
    for (int32_t i = from; i < to; i++) {
        put_qty(fixture, "row", i, i);
        if (i % 10 == 9) {
            struct store_meta meta = meta_of(i);
            assert_ok(fixture, store_restore_slice(fixture->store, &meta, &fixture->error));
        }
    }
}

static void restore_end(struct fixture *fixture, int64_t commit_number)
{
    struct store_meta meta = meta_of(commit_number);
    assert_ok(fixture, store_restore_end(fixture->store, &meta, &fixture->error));
}

static void a_fresh_restore_fills_the_file(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    restore_rows(fixture, true, 0, 25);
    delete_item(fixture, "row", 3);
    restore_end(fixture, 99);
    assert_meta(store_meta(fixture->store), 99);
    commit_qty(fixture, "a", 1, 1);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_meta(store_meta(fixture->store), 100);
    assert_int_equal(qty_of(fixture, "row", 3), -1);
    assert_int_equal(qty_of(fixture, "row", 24), 24);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
}

static void restore_freshly_but_do_not_end(struct fixture *fixture)
{
    open_store(fixture);
    restore_rows(fixture, true, 0, 25);
}

static void a_fresh_restore_cut_short_by_a_kill_is_set_aside(void **state)
{
    in_a_process_that_is_killed(*state, restore_freshly_but_do_not_end);
    assert_sets_aside(*state, &identity, "restore was cut short");
}

static void a_fresh_restore_cut_short_by_a_close_is_set_aside(void **state)
{
    restore_freshly_but_do_not_end(*state);
    close_store(*state);
    assert_sets_aside(*state, &identity, "restore was cut short");
}

static void the_tail_is_added_to_what_is_there(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    restore_rows(fixture, false, 5, 25);
    restore_end(fixture, 25);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_meta(store_meta(fixture->store), 25);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    assert_int_equal(qty_of(fixture, "row", 24), 24);
}

static void restore_the_tail_but_do_not_end(struct fixture *fixture)
{
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    restore_rows(fixture, false, 5, 25);
}

static void a_tail_restore_cut_short_keeps_its_slices(void **state)
{
    struct fixture *fixture = *state;
    in_a_process_that_is_killed(fixture, restore_the_tail_but_do_not_end);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_meta(store_meta(fixture->store), 19);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    assert_int_equal(qty_of(fixture, "row", 19), 19);
    assert_int_equal(qty_of(fixture, "row", 20), -1);
}

/* ---- full disks and failing writes ---- */

/* A file system of 6 MB in a mount name space of this process. */
static void mount_small_disk(struct fixture *fixture)
{
    char directory[128];
    snprintf(directory, sizeof directory, "%s/state", fixture->directory);
    mkdir(directory, 0700);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("small", directory, "tmpfs", 0, "size=6m") != 0) {
        print_message("SKIPPED: needs the right to mount a tmpfs\n");
        skip();
    }
}

static void unmount_small_disk(struct fixture *fixture)
{
    char directory[128];
    snprintf(directory, sizeof directory, "%s/state", fixture->directory);
    assert_int_equal(umount2(directory, MNT_DETACH), 0);
}

static enum outcome put_bytes(struct fixture *fixture, int64_t seq, size_t size)
{
    static uint8_t bytes[1000000];
    struct item item = {.sku = "large", .seq = seq, .blob = {bytes, size}};
    return store_put(fixture->store, &items, &item, &fixture->error);
}

static void assert_no_space(struct fixture *fixture)
{
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, "no space left");
    assert_text(fixture->error.text, fixture->path);
}

/* COMMIT is where a full disk shows. The kept takes are in the changelog. */
static void a_full_disk_at_commit_falls_back_to_the_last_commit(void **state)
{
    struct fixture *fixture = *state;
    mount_small_disk(fixture);
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    for (int i = 0; i < 8; i++) {
        assert_ok(fixture, put_bytes(fixture, i, 1000000));
    }
    keep(fixture);
    assert_int_equal(store_meta(fixture->store)->commit_number, 2);
    assert_int_equal(store_commit(fixture->store, &fixture->error), ABORT);
    assert_no_space(fixture);
    assert_int_equal(store_meta(fixture->store)->commit_number, 1);
    assert_false(store_is_dirty(fixture->store));
    assert_int_equal(qty_of(fixture, "large", 0), -1);
    commit_qty(fixture, "a", 1, 2); /* what fits goes on */
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "a", 1), 2);
    close_store(fixture);
    unmount_small_disk(fixture);
}

/* However large, a take reaches the disk at COMMIT and not before; a disk that is full then costs
 * the transaction, and what is written afterwards goes on from the last COMMIT. */
static void a_take_larger_than_the_disk_fails_at_commit(void **state)
{
    struct fixture *fixture = *state;
    mount_small_disk(fixture);
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    put_qty(fixture, "a", 1, 2);
    keep(fixture);
    assert_false(store_is_large(fixture->store));
    begin(fixture);
    for (int i = 0; i < 60; i++) {
        assert_ok(fixture, put_bytes(fixture, i, 1000000));
    }
    keep(fixture);
    assert_true(store_is_large(fixture->store));
    assert_int_equal(store_commit(fixture->store, &fixture->error), ABORT);
    assert_no_space(fixture);
    assert_int_equal(store_meta(fixture->store)->commit_number, 1);
    assert_int_equal(qty_of(fixture, "large", 0), -1);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    commit_qty(fixture, "a", 1, 3);
    assert_int_equal(qty_of(fixture, "a", 1), 3);
    close_store(fixture);
    unmount_small_disk(fixture);
}

static void copy_beside(const char *from, const char *to, const char *suffix)
{
    char command[600];
    snprintf(command, sizeof command, "cp %s%s %s%s", from, suffix, to, suffix);
    assert_int_equal(system(command), 0);
}

static void put_many(struct fixture *fixture, int from, int to, size_t size)
{
    for (int i = from; i < to; i++) {
        assert_ok(fixture, put_bytes(fixture, i, size));
    }
}

/* What a transaction needed beyond it is given back. */
static void keeps_no_more_of_the_file_in_memory_than_it_may(void **state)
{
    struct fixture *fixture = *state;
    int used, most;
    open_store(fixture);
    store_set_cache(fixture->store, STORE_CACHE_LEAST_BYTES);
    begin(fixture);
    put_many(fixture, 0, 4000, 2000);
    keep(fixture);
    assert_ok(fixture, store_commit(fixture->store, &fixture->error));
    begin(fixture);
    put_many(fixture, 0, 1, 2001);
    keep(fixture);
    assert_ok(fixture, store_commit(fixture->store, &fixture->error));
    assert_int_equal(sqlite3_db_status(fixture->store->db, SQLITE_DBSTATUS_CACHE_USED, &used, &most,
                                       0),
                     SQLITE_OK);
    assert_in_range(used, 0, STORE_CACHE_LEAST_BYTES + STORE_CACHE_LEAST_BYTES / 4);
    close_store(fixture);
}

/* SQLite 3.40.1 would commit frames with wrong sums here, were it allowed to spill. */
static void an_undone_take_larger_than_the_cache_leaves_a_wal_that_recovers(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    put_many(fixture, 0, 2000, 2000);
    keep(fixture);
    assert_ok(fixture, store_commit(fixture->store, &fixture->error));
    close_store(fixture);
    open_store(fixture);
    store_set_cache(fixture->store, INT64_C(20) * 4096);
    begin(fixture);
    put_many(fixture, 500, 550, 2001);
    keep(fixture);
    assert_ok(fixture, store_commit(fixture->store, &fixture->error));
    begin(fixture);
    put_many(fixture, 0, 100, 2002);
    keep(fixture);
    begin(fixture);
    put_many(fixture, 100, 400, 2003);
    put_many(fixture, 100, 400, 2004);
    undo(fixture);
    begin(fixture);
    put_many(fixture, 500, 600, 2005);
    keep(fixture);
    assert_ok(fixture, store_commit(fixture->store, &fixture->error));

    char copy[sizeof fixture->path + 8]; /* what kill -9 would leave */
    snprintf(copy, sizeof copy, "%s.copy", fixture->path);
    copy_beside(fixture->path, copy, "");
    copy_beside(fixture->path, copy, "-wal");
    int bytes = 0;
    assert_ok(fixture, store_query(copy, "SELECT sum(length(blob)) FROM item", take_qty, &bytes,
                                   &fixture->error));
    assert_int_equal(bytes, 2000 * 2000 + 100 * 2 + 100 * 5);
    close_store(fixture);
}

static void a_full_disk_in_a_restore_undoes_the_slice(void **state)
{
    struct fixture *fixture = *state;
    enum outcome outcome = OK;
    mount_small_disk(fixture);
    open_store(fixture);
    restore_rows(fixture, false, 0, 10);
    for (int i = 0; i < 60 && outcome == OK; i++) {
        outcome = put_bytes(fixture, i, 1000000);
    }
    assert_int_equal(outcome, ABORT);
    assert_no_space(fixture);
    assert_meta(store_meta(fixture->store), 9);
    put_qty(fixture, "row", 10, 10);
    restore_end(fixture, 10);
    assert_int_equal(qty_of(fixture, "large", 0), -1);
    assert_int_equal(qty_of(fixture, "row", 10), 10);
    commit_qty(fixture, "a", 1, 1);
    close_store(fixture);
    unmount_small_disk(fixture);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failing_write_is_an_abort_that_names_the_file(void **state)
{
    struct fixture *fixture = *state;
    signal(SIGXFSZ, SIG_IGN);
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    assert_ok(fixture, put_bytes(fixture, 1, 1000000));
    keep(fixture);
    limit_file_size(200 * 1000);
    enum outcome outcome = store_commit(fixture->store, &fixture->error);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(outcome, ABORT);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, fixture->path);
    assert_text(fixture->error.text, "disk I/O error");
    assert_int_equal(store_meta(fixture->store)->commit_number, 1);
    commit_qty(fixture, "a", 1, 2);
    assert_int_equal(qty_of(fixture, "a", 1), 2);
}

/* ---- beside the file ---- */

static void assert_fatal(struct fixture *fixture, const char *text)
{
    assert_int_equal(store_open(&fixture->store, fixture->path, &identity, &fixture->found,
                                &fixture->note, &fixture->error),
                     FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, text);
}

static void name_beside(struct fixture *fixture, const char *suffix, char name[256])
{
    snprintf(name, 256, "%s%s", fixture->path, suffix);
}

static void make_directory(struct fixture *fixture)
{
    char directory[128];
    snprintf(directory, sizeof directory, "%s/state", fixture->directory);
    assert_int_equal(mkdir(directory, 0700), 0);
}

static void a_path_that_is_too_long_is_fatal(void **state)
{
    struct fixture *fixture = *state;
    char path[5000];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    assert_int_equal(store_open(&fixture->store, path, &identity, &fixture->found, &fixture->note,
                                &fixture->error),
                     FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, "too long");
}

static void a_lock_file_that_cannot_be_opened_is_fatal(void **state)
{
    struct fixture *fixture = *state;
    char name[256];
    name_beside(fixture, ".lock", name);
    make_directory(fixture);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_fatal(fixture, "cannot open");
}

/* Whoever holds it may not have written to it yet, or something else. */
static void a_lock_of_nobody_known_is_refused_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"", "somebody"};
    char name[256];
    name_beside(fixture, ".lock", name);
    make_directory(fixture);
    for (int i = 0; i < 2; i++) {
        int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(flock(file, LOCK_EX | LOCK_NB), 0);
        assert_int_equal(write(file, texts[i], strlen(texts[i])), strlen(texts[i]));
        assert_int_equal(store_open(&fixture->store, fixture->path, &identity, &fixture->found,
                                    &fixture->note, &fixture->error),
                         RETRY);
        assert_text(fixture->error.text, "is locked by process 0");
        close(file);
    }
}

static void a_witness_that_is_no_witness_makes_the_next_open_look_at_everything(void **state)
{
    struct fixture *fixture = *state;
    char name[256];
    close_with_rows(fixture);
    name_beside(fixture, ".lock", name);
    int file = open(name, O_WRONLY | O_TRUNC);
    assert_int_equal(write(file, "x", 1), 1);
    close(file);
    in_a_process(fixture, overwrite_the_middle);
    assert_sets_aside(fixture, &identity, "damaged");
}

/* There is nothing to be a witness of. */
static void closes_a_file_that_was_removed_under_it(void **state)
{
    struct fixture *fixture = *state;
    char text[100] = "", name[256];
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    assert_int_equal(unlink(fixture->path), 0);
    close_store(fixture);
    name_beside(fixture, ".lock", name);
    int file = open(name, O_RDONLY);
    assert_true(read(file, text, sizeof text - 1) > 0);
    close(file);
    assert_null(strstr(text, "inode"));
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_NEW);
}

static void a_mark_that_cannot_be_removed_is_fatal(void **state)
{
    struct fixture *fixture = *state;
    char name[256];
    close_with_rows(fixture);
    name_beside(fixture, ".damaged", name);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_fatal(fixture, "cannot remove");
}

/* The file's own name is as long as a name may be, but for the suffixes of what lies beside it. */
static void a_file_that_cannot_be_set_aside_is_fatal(void **state)
{
    enum { LONGEST = 255, ROOM = 12 };
    struct fixture *fixture = *state;
    char path[400], name[LONGEST - ROOM + 1];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    assert_ok(fixture, store_open(&fixture->store, path, &identity, &fixture->found, &fixture->note,
                                  &fixture->error));
    assert_int_equal(store_set_aside(fixture->store, &fixture->error), FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, "cannot rename");
    close_store(fixture);
    assert_int_equal(store_open(&fixture->store, path, &identity, &fixture->found, &fixture->note,
                                &fixture->error),
                     FATAL);
    assert_text(fixture->error.text, "cannot rename");
}

/* A configuration may name the state by a path of one part. */
static void a_file_in_the_working_directory_is_a_file_like_any_other(void **state)
{
    struct fixture *fixture = *state;
    char before[1000];
    struct dirent **names = NULL;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fixture->directory), 0);
    assert_ok(fixture, store_open(&fixture->store, "p.db", &identity, &fixture->found,
                                  &fixture->note, &fixture->error));
    for (int i = 0; i < 5; i++) {
        commit_qty(fixture, "a", 1, i);
        assert_ok(fixture, store_set_aside(fixture->store, &fixture->error));
        assert_int_equal(qty_of(fixture, "a", 1), -1);
    }
    close_store(fixture);
    int count = scandir(".", &names, is_set_aside, NULL);
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    assert_int_equal(count, 3);
    assert_int_equal(chdir(before), 0);
}

/* ---- a content that is not ours, under right checksums ---- */

static void delete_meta(struct fixture *fixture)
{
    forge(fixture, "DELETE FROM weir_meta");
}

static void drop_a_table(struct fixture *fixture)
{
    forge(fixture, "DROP TABLE item");
}

static void sets_aside_a_file_without_its_meta(void **state)
{
    assert_sets_aside_after(*state, delete_meta, "damaged");
}

static void sets_aside_a_file_without_one_of_its_tables(void **state)
{
    assert_sets_aside_after(*state, drop_a_table, "no such table");
}

static void a_file_without_its_meta_cannot_be_peeked_at(void **state)
{
    struct fixture *fixture = *state;
    struct store_meta meta;
    close_with_rows(fixture);
    in_a_process(fixture, delete_meta);
    assert_int_equal(store_peek(fixture->path, &meta, &fixture->error), FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    struct store_snapshot *snapshot;
    assert_int_equal(store_snapshot_open(&snapshot, fixture->path, &meta, &fixture->error), FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
}

static void forge_a_colour(struct fixture *fixture)
{
    forge(fixture, "UPDATE item SET \"order\" = 'MAUVE'");
}

static void forge_a_large_number(struct fixture *fixture)
{
    forge(fixture, "UPDATE item SET qty = 5000000000");
}

static void forge_no_json(struct fixture *fixture)
{
    forge(fixture, "UPDATE item SET parts = '{}'");
}

/* Only damage, or another program, can bring a column that no row of ours has. */
static void a_column_that_fits_no_field_is_damage(void **state)
{
    struct fixture *fixture = *state;
    static void (*const forgeries[])(struct fixture *) = {forge_a_colour, forge_a_large_number,
                                                          forge_no_json};
    for (int i = 0; i < 3; i++) {
        struct item key = {.sku = "row", .seq = 1}, row;
        void *rows;
        size_t count;
        bool found;
        close_with_rows(fixture);
        in_a_process(fixture, forgeries[i]);
        open_store(fixture);
        assert_int_equal(fixture->found, STORE_KEPT);
        assert_int_equal(store_get(fixture->store, &items, &key, &fixture->arena, &row, &found,
                                   &fixture->error),
                         FATAL);
        assert_int_equal(fixture->error.exit_code, EXIT_IO);
        assert_int_equal(store_list(fixture->store, &items, &key, 1, 0, &fixture->arena, &rows,
                                    &count, &fixture->error),
                         FATAL);
        assert_text(fixture->error.text, "damaged");
        close_store(fixture);
        open_store(fixture);
        assert_int_equal(fixture->found, STORE_SET_ASIDE);
        close_store(fixture);
        assert_int_equal(unlink(fixture->path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_that_is_too_long_is_fatal),
        TEST(a_lock_file_that_cannot_be_opened_is_fatal),
        TEST(a_lock_of_nobody_known_is_refused_all_the_same),
        TEST(a_witness_that_is_no_witness_makes_the_next_open_look_at_everything),
        TEST(closes_a_file_that_was_removed_under_it),
        TEST(a_mark_that_cannot_be_removed_is_fatal),
        TEST(a_file_that_cannot_be_set_aside_is_fatal),
        TEST(a_file_in_the_working_directory_is_a_file_like_any_other),
        TEST(sets_aside_a_file_without_its_meta),
        TEST(sets_aside_a_file_without_one_of_its_tables),
        TEST(a_file_without_its_meta_cannot_be_peeked_at),
        TEST(a_column_that_fits_no_field_is_damage),
        TEST(a_kill_loses_what_is_not_committed_and_nothing_else),
        TEST(a_kill_at_any_instant_leaves_whole_takes),
        TEST(a_killed_process_leaves_the_lock_free_and_the_second_is_refused),
        TEST(the_witness_survives_a_kill),
        TEST(sets_aside_what_is_no_database),
        TEST(sets_aside_an_empty_file),
        TEST(sets_aside_a_truncated_file),
        TEST(sets_aside_a_file_damaged_after_a_clean_close),
        TEST(sets_aside_another_programs_database),
        TEST(sets_aside_another_format),
        TEST(sets_aside_another_applications_file),
        TEST(sets_aside_another_partitions_file),
        TEST(sets_aside_rows_of_another_schema),
        TEST(a_file_set_aside_can_still_be_read_with_its_wal),
        TEST(keeps_rows_whose_tables_are_given_in_another_order),
        TEST(an_older_wal_beside_no_file_is_not_taken_for_the_new_files),
        TEST(damage_found_at_run_time_is_fatal_and_the_next_open_sets_aside),
        TEST(a_stale_file_is_set_aside_when_the_caller_says_so),
        TEST(the_three_newest_files_set_aside_are_kept),
        TEST(a_directory_that_cannot_be_made_is_fatal),
        TEST(a_fresh_restore_fills_the_file),
        TEST(a_fresh_restore_cut_short_by_a_kill_is_set_aside),
        TEST(a_fresh_restore_cut_short_by_a_close_is_set_aside),
        TEST(the_tail_is_added_to_what_is_there),
        TEST(a_tail_restore_cut_short_keeps_its_slices),
        TEST(a_full_disk_at_commit_falls_back_to_the_last_commit),
        TEST(a_take_larger_than_the_disk_fails_at_commit),
        TEST(keeps_no_more_of_the_file_in_memory_than_it_may),
        TEST(an_undone_take_larger_than_the_cache_leaves_a_wal_that_recovers),
        TEST(a_full_disk_in_a_restore_undoes_the_slice),
        TEST(a_failing_write_is_an_abort_that_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
