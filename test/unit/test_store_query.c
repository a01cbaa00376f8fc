/* test_store_query.c - looking at a file that may be in use: what is seen, and that nothing is
 * touched. */
#include "store_fixture.h"

struct rows {
    int count;
    int stop_after;
    char text[4000];
    int types[16];
};

static bool collect(void *context, int columns, const char *const *names, const char *const *values,
                    const int *types)
{
    struct rows *rows = context;
    size_t used = strlen(rows->text);
    for (int i = 0; i < columns; i++) {
        int added = snprintf(rows->text + used, sizeof rows->text - used, "%s=%s ", names[i],
                             values[i] ? values[i] : "NULL");
        used += (size_t)added;
        rows->types[i] = types[i];
    }
    rows->count++;
    return rows->count != rows->stop_after;
}

static struct rows query(struct fixture *fixture, const char *sql)
{
    struct rows rows = {0};
    assert_ok(fixture, store_query(fixture->path, sql, collect, &rows, &fixture->error));
    return rows;
}

static void shows_what_is_committed_while_a_take_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct store_meta meta;
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    put_qty(fixture, "a", 1, 2);
    keep(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 3);
    assert_text(query(fixture, "SELECT qty FROM item").text, "qty=1 ");
    assert_ok(fixture, store_peek(fixture->path, &meta, &fixture->error));
    assert_meta(&meta, 1);
    keep(fixture);
    commit(fixture);
    assert_text(query(fixture, "SELECT qty FROM item").text, "qty=3 ");
    assert_ok(fixture, store_peek(fixture->path, &meta, &fixture->error));
    assert_meta(&meta, 3);
}

static void shows_every_kind_of_column(void **state)
{
    static struct part part = {"lid", 2};
    struct fixture *fixture = *state;
    struct item item = {.sku = "a",
                        .order = GREEN,
                        .note = "it's",
                        .blob = {(const uint8_t *)"\x00\xff", 2},
                        .parts = {&part, 1}};
    open_store(fixture);
    begin(fixture);
    assert_ok(fixture, store_put(fixture->store, &items, &item, &fixture->error));
    keep(fixture);
    commit(fixture);
    struct rows rows = query(fixture, "SELECT sku, seq, \"order\", \"limit\", note, blob, parts, "
                                      "x'' AS none, 1.5 AS real FROM item;  ");
    assert_int_equal(rows.count, 1);
    assert_string_equal(rows.text, "sku=a seq=0 order=GREEN limit=NULL note=it's blob=00ff "
                                   "parts=[{\"name\":\"lid\",\"qty\":2}] none= real=1.5 ");
    const int expected[] = {3, 1, 3, 5, 3, 4, 3, 4, 2};
    assert_memory_equal(rows.types, expected, sizeof expected);
}

static void stops_when_the_caller_has_enough(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = {.stop_after = 2};
    open_store(fixture);
    assert_ok(fixture,
              store_query(fixture->path, "VALUES (1), (2), (3)", collect, &rows, &fixture->error));
    assert_int_equal(rows.count, 2);
}

static void assert_refused(struct fixture *fixture, const char *sql, int exit_code,
                           const char *text)
{
    struct rows rows = {0};
    assert_int_equal(store_query(fixture->path, sql, collect, &rows, &fixture->error), FATAL);
    assert_text(fixture->error.text, text);
    assert_int_equal(fixture->error.exit_code, exit_code);
    assert_int_equal(rows.count, 0);
}

static void refuses_whatever_would_write(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    assert_refused(fixture, "DELETE FROM item", EXIT_USAGE, "read only");
    assert_refused(fixture, "INSERT INTO weir_meta SELECT * FROM weir_meta", EXIT_USAGE,
                   "read only");
    assert_refused(fixture, "CREATE TABLE x(y)", EXIT_USAGE, "read only");
    assert_refused(fixture, "PRAGMA wal_checkpoint", EXIT_USAGE, "read only");
    assert_refused(fixture, "PRAGMA journal_mode=DELETE", EXIT_USAGE, "read only");
    assert_refused(fixture, "PRAGMA query_only=0", EXIT_USAGE, "read only");
    assert_refused(fixture, "ATTACH ':memory:' AS x", EXIT_USAGE, "read only");
    assert_refused(fixture, "VACUUM INTO '/tmp/x'", EXIT_USAGE, "read only");
    assert_refused(fixture, "BEGIN", EXIT_USAGE, "read only");
    assert_int_equal(query(fixture, "SELECT * FROM item").count, 1);
}

static void refuses_what_it_cannot_run(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    assert_refused(fixture, "SELECT nowhere FROM item", EXIT_USAGE, "no such column: nowhere");
    assert_refused(fixture, "SELECT 1; SELECT 2", EXIT_USAGE, "one SQL statement");
    assert_refused(fixture, " ", EXIT_USAGE, "no SQL statement");
}

static void refuses_a_file_that_is_missing_or_no_store(void **state)
{
    struct fixture *fixture = *state;
    struct store_meta meta;
    assert_refused(fixture, "SELECT 1", EXIT_IO, "no state file");
    assert_int_equal(store_peek(fixture->path, &meta, &fixture->error), FATAL);
    assert_int_equal(size_of(fixture->path, ""), -1);
    snprintf(fixture->path, sizeof fixture->path, "%s/plain", fixture->directory);
    int file = open(fixture->path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(file, "just a text", 11), 11);
    close(file);
    assert_refused(fixture, "SELECT 1", EXIT_IO, "not a database");
}

/* ---- a reader never checkpoints ---- */

static void query_and_leave(struct fixture *fixture)
{
    assert_int_equal(query(fixture, "SELECT * FROM item").count, 1);
}

static void commit_and_die(struct fixture *fixture)
{
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
}

static void assert_untouched_by_a_reader(struct fixture *fixture)
{
    struct stat before, after;
    int64_t wal = size_of(fixture->path, "-wal");
    assert_int_equal(stat(fixture->path, &before), 0);
    assert_true(wal > 0);
    in_a_process(fixture, query_and_leave);
    assert_int_equal(size_of(fixture->path, "-wal"), wal);
    assert_int_equal(stat(fixture->path, &after), 0);
    assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim);
}

static void a_reader_beside_a_writer_leaves_the_wal_alone(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    assert_untouched_by_a_reader(fixture);
    commit_qty(fixture, "a", 1, 2);
    assert_int_equal(qty_of(fixture, "a", 1), 2);
}

/* Here the reader is the last to close, when SQLite would checkpoint and remove the WAL. */
static void a_reader_of_a_killed_tasks_file_leaves_the_wal_alone(void **state)
{
    struct fixture *fixture = *state;
    in_a_process_that_is_killed(fixture, commit_and_die);
    assert_untouched_by_a_reader(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
}

static void a_closed_file_can_be_read_and_opened_again(void **state)
{
    struct fixture *fixture = *state;
    commit_and_die(fixture);
    close_store(fixture);
    assert_int_equal(size_of(fixture->path, "-wal"), -1);
    in_a_process(fixture, query_and_leave);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    commit_qty(fixture, "a", 1, 2);
    in_a_process(fixture, query_and_leave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shows_what_is_committed_while_a_take_is_open),
        TEST(shows_every_kind_of_column),
        TEST(stops_when_the_caller_has_enough),
        TEST(refuses_whatever_would_write),
        TEST(refuses_what_it_cannot_run),
        TEST(refuses_a_file_that_is_missing_or_no_store),
        TEST(a_reader_beside_a_writer_leaves_the_wal_alone),
        TEST(a_reader_of_a_killed_tasks_file_leaves_the_wal_alone),
        TEST(a_closed_file_can_be_read_and_opened_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
