/* test_snapshot.c - two state files side by side: every row and every column that differs is told,
 * and nothing else.
 */
#include "store_fixture.h"

#include "store/internal.h"

/* ---- two files ---- */

struct pair {
    struct fixture *one, other;
};

static void open_pair(struct pair *pair, void **state)
{
    pair->one = *state;
    pair->other = *pair->one;
    snprintf(pair->other.path, sizeof pair->other.path, "%s/state/other.db", pair->one->directory);
    open_store(pair->one);
    open_store(&pair->other);
}

static void put(struct fixture *fixture, const struct item *item)
{
    begin(fixture);
    assert_ok(fixture, store_put(fixture->store, &items, item, &fixture->error));
    keep(fixture);
    commit(fixture);
}

struct told {
    struct buffer text;
    int most; /* it has seen enough then */
};

/* "sku=a seq=1: note 'x' 'y'; " */
static bool tell(void *context, const struct store_difference *difference)
{
    struct told *told = context;
    buffer_format(&told->text, "%s%s%s:", difference->key, difference->in_one ? "" : " not in one",
                  difference->in_other ? "" : " not in other");
    for (size_t i = 0; i < difference->column_count && difference->in_one && difference->in_other;
         i++) {
        const char *one = difference->one[i], *other = difference->other[i];
        buffer_format(&told->text, " %s %s %s", difference->columns[i], one ? one : "NULL",
                      other ? other : "NULL");
    }
    buffer_add_string(&told->text, "; ");
    return --told->most > 0;
}

static enum outcome compare(struct pair *pair, const struct weir_store *const *tables,
                            struct told *told, int64_t *rows)
{
    struct store_snapshot *one, *other;
    struct store_meta meta;
    struct error *error = &pair->one->error;
    assert_ok(pair->one, store_snapshot_open(&one, pair->one->path, &meta, error));
    assert_ok(pair->one, store_snapshot_open(&other, pair->other.path, &meta, error));
    enum outcome outcome = store_snapshot_compare(one, other, tables, tell, told, rows, error);
    store_snapshot_close(one);
    store_snapshot_close(other);
    return outcome;
}

static void close_pair(struct pair *pair)
{
    close_store(&pair->other);
}

static void expect(struct pair *pair, int most, int64_t all, const char *text)
{
    struct told told = {.most = most};
    int64_t rows = -1;
    assert_ok(pair->one, compare(pair, all_tables, &told, &rows));
    assert_string_equal(buffer_string(&told.text), text);
    assert_int_equal(rows, all);
    buffer_release(&told.text);
    close_pair(pair);
}

/* ---- what differs ---- */

static void tells_nothing_of_two_that_are_the_same(void **state)
{
    struct pair pair;
    open_pair(&pair, state);
    const struct item item = {.sku = "a", .note = "n", .blob = {(const uint8_t *)"\1\2", 2}};
    put(pair.one, &item);
    put(&pair.other, &item);
    expect(&pair, 9, 1, "");
}

static void tells_which_rows_one_file_has_and_the_other_has_not(void **state)
{
    struct pair pair;
    open_pair(&pair, state);
    put(pair.one, &(struct item){.sku = "a"});
    put(pair.one, &(struct item){.sku = "c"});
    put(&pair.other, &(struct item){.sku = "b"});
    put(&pair.other, &(struct item){.sku = "c"});
    put(&pair.other, &(struct item){.sku = "c", .seq = 1});
    expect(&pair, 9, 2,
           "sku=a seq=0 not in other:; sku=b seq=0 not in one:; sku=c seq=1 not in one:; ");
}

static void tells_which_columns_differ_and_how(void **state)
{
    struct pair pair;
    open_pair(&pair, state);
    put(pair.one, &(struct item){.sku = "a", .qty = 1, .note = "n", .order = RED});
    put(&pair.other, &(struct item){.sku = "a", .qty = 2, .note = "no", .order = RED});
    put(pair.one, &(struct item){.sku = "b", .blob = {(const uint8_t *)"\1\xff", 2}});
    put(&pair.other, &(struct item){.sku = "b", .note = ""});
    expect(&pair, 9, 2, "sku=a seq=0: qty 1 2 note n no; sku=b seq=0: note NULL  blob 01ff NULL; ");
}

static void stops_when_the_caller_has_seen_enough(void **state)
{
    struct pair pair;
    open_pair(&pair, state);
    put(pair.one, &(struct item){.sku = "a"});
    put(pair.one, &(struct item){.sku = "b"});
    expect(&pair, 1, 1, "sku=a seq=0 not in other:; ");
}

/* ---- what cannot be compared ---- */

static void says_which_file_lacks_a_table(void **state)
{
    for (int lacks = 0; lacks < 2; lacks++) {
        static const struct weir_store *const no_tables[] = {&timers, NULL};
        struct pair pair;
        struct told told = {.most = 9};
        int64_t rows;
        open_pair(&pair, state);
        struct fixture *poor = lacks == 0 ? pair.one : &pair.other;
        close_store(poor);
        assert_int_equal(unlink(poor->path), 0);
        open_as(poor, &(struct store_identity){"test", 3, no_tables});
        assert_int_equal(compare(&pair, all_tables, &told, &rows), FATAL);
        assert_int_equal(pair.one->error.exit_code, EXIT_IO);
        assert_text(pair.one->error.text, poor->path);
        assert_text(pair.one->error.text, "no such table");
        close_pair(&pair);
        close_store(pair.one);
        assert_int_equal(unlink(pair.one->path) + unlink(pair.other.path), 0);
    }
}

static void spoil(struct fixture *fixture)
{
    char garbage[4096];
    memset(garbage, 0xa5, sizeof garbage);
    int file = open(fixture->path, O_WRONLY);
    for (off_t at = 20 * 4096; at < size_of(fixture->path, ""); at += 4096) {
        if (pwrite(file, garbage, sizeof garbage, at) != sizeof garbage) {
            _exit(1);
        }
    }
    close(file);
}

static void says_which_file_is_damaged(void **state)
{
    for (int damaged = 0; damaged < 2; damaged++) {
        static char note[3000];
        struct pair pair;
        struct told told = {.most = 9};
        int64_t rows;
        memset(note, 'n', sizeof note - 1);
        open_pair(&pair, state);
        for (int i = 0; i < 100; i++) {
            put(pair.one, &(struct item){.sku = "a", .seq = i, .note = note});
            put(&pair.other, &(struct item){.sku = "a", .seq = i, .note = note});
        }
        struct fixture *bad = damaged == 0 ? pair.one : &pair.other;
        close_store(pair.one);
        close_store(&pair.other);
        in_a_process(bad, spoil);
        assert_int_equal(compare(&pair, all_tables, &told, &rows), FATAL);
        assert_int_equal(pair.one->error.exit_code, EXIT_IO);
        assert_text(pair.one->error.text, bad->path);
        assert_int_equal(unlink(pair.one->path) + unlink(pair.other.path), 0);
    }
}

static void needs_a_file(void **state)
{
    struct fixture *fixture = *state;
    struct store_snapshot *snapshot = NULL;
    struct store_meta meta;
    assert_int_equal(store_snapshot_open(&snapshot, fixture->path, &meta, &fixture->error), FATAL);
    assert_text(fixture->error.text, "no state file");
    store_snapshot_close(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tells_nothing_of_two_that_are_the_same),
        TEST(tells_which_rows_one_file_has_and_the_other_has_not),
        TEST(tells_which_columns_differ_and_how),
        TEST(stops_when_the_caller_has_seen_enough),
        TEST(says_which_file_lacks_a_table),
        TEST(says_which_file_is_damaged),
        TEST(needs_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
