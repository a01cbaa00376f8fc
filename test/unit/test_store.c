/* test_store.c - rows and takes: what is written is read, what is undone is gone, what is kept
 * survives. */
#include "store_fixture.h"

#include "store/internal.h"

/* ---- rows ---- */

static struct part two_parts[] = {{"lid", 1}, {"\"screw\"\n\xc3\xa4", 12}};
static const uint8_t some_bytes[] = {0x00, 0xff, 0x10};

static const struct item full_item = {
    .sku = "SKU'1\xc3\xa4",
    .seq = INT64_MIN,
    .qty = INT32_MAX,
    .open = true,
    .order = BLUE,
    .has_limit = true,
    .limit = INT64_MAX,
    .note = "",
    .blob = {some_bytes, 3},
    .parts = {two_parts, 2},
};

static void put_item(struct fixture *fixture, const struct item *item)
{
    assert_ok(fixture, store_put(fixture->store, &items, item, &fixture->error));
}

static bool get_item(struct fixture *fixture, const char *sku, int64_t seq, struct item *row)
{
    struct item key = {.sku = sku, .seq = seq};
    bool found = false;
    assert_ok(fixture, store_get(fixture->store, &items, &key, &fixture->arena, row, &found,
                                 &fixture->error));
    return found;
}

static void a_row_comes_back_as_it_was_put(void **state)
{
    struct fixture *fixture = *state;
    struct item row;
    open_store(fixture);
    begin(fixture);
    put_item(fixture, &full_item);
    assert_true(get_item(fixture, full_item.sku, full_item.seq, &row));
    assert_string_equal(row.sku, full_item.sku);
    assert_int_equal(row.seq, INT64_MIN);
    assert_int_equal(row.qty, INT32_MAX);
    assert_true(row.open);
    assert_int_equal(row.order, BLUE);
    assert_true(row.has_limit);
    assert_int_equal(row.limit, INT64_MAX);
    assert_string_equal(row.note, "");
    assert_int_equal(row.blob.size, 3);
    assert_memory_equal(row.blob.data, some_bytes, 3);
    assert_int_equal(row.parts.count, 2);
    assert_string_equal(row.parts.items[1].name, two_parts[1].name);
    assert_int_equal(row.parts.items[1].qty, 12);
}

static void absent_values_and_empty_ones_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct item row;
    open_store(fixture);
    begin(fixture);
    put_item(fixture, &(struct item){.sku = "absent"});
    put_item(fixture, &(struct item){.sku = "empty", .note = "", .blob = {some_bytes, 0}});
    assert_true(get_item(fixture, "absent", 0, &row));
    assert_false(row.has_limit);
    assert_null(row.note);
    assert_null(row.blob.data);
    assert_int_equal(row.parts.count, 0);
    assert_true(get_item(fixture, "empty", 0, &row));
    assert_non_null(row.note);
    assert_non_null(row.blob.data);
    assert_int_equal(row.blob.size, 0);
}

static void what_was_read_does_not_change_with_the_next_read(void **state)
{
    struct fixture *fixture = *state;
    struct item first, second;
    open_store(fixture);
    begin(fixture);
    put_item(fixture, &full_item);
    put_item(fixture, &(struct item){.sku = "other", .note = "other note"});
    assert_true(get_item(fixture, full_item.sku, full_item.seq, &first));
    assert_true(get_item(fixture, "other", 0, &second));
    assert_string_equal(first.sku, full_item.sku);
    assert_memory_equal(first.blob.data, some_bytes, 3);
    assert_string_equal(second.note, "other note");
}

static void a_second_put_replaces_the_whole_row(void **state)
{
    struct fixture *fixture = *state;
    struct item row;
    open_store(fixture);
    begin(fixture);
    put_item(fixture, &full_item);
    put_item(fixture, &(struct item){.sku = full_item.sku, .seq = full_item.seq, .qty = 7});
    assert_true(get_item(fixture, full_item.sku, full_item.seq, &row));
    assert_int_equal(row.qty, 7);
    assert_null(row.note);
    assert_int_equal(row.parts.count, 0);
}

static void a_deleted_row_is_gone_and_deleting_it_again_is_fine(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 5);
    put_qty(fixture, "a", 2, 6);
    delete_item(fixture, "a", 1);
    delete_item(fixture, "a", 1);
    assert_int_equal(qty_of(fixture, "a", 1), -1);
    assert_int_equal(qty_of(fixture, "a", 2), 6);
}

static void put_some(struct fixture *fixture)
{
    put_qty(fixture, "b", 2, 22);
    put_qty(fixture, "a", 10, 10);
    put_qty(fixture, "b", -1, 20);
    put_qty(fixture, "a", 9, 9);
    put_qty(fixture, "ab", 0, 0);
    put_qty(fixture, "b", 1, 21);
}

static void assert_list(struct fixture *fixture, const char *sku, size_t prefix, size_t limit,
                        size_t expected_count, const int32_t *expected)
{
    struct item key = {.sku = sku, .seq = 1};
    void *found = NULL;
    size_t count = 99;
    assert_ok(fixture, store_list(fixture->store, &items, &key, prefix, limit, &fixture->arena,
                                  &found, &count, &fixture->error));
    assert_int_equal(count, expected_count);
    const struct item *rows = found;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].qty, expected[i]);
    }
}

static void lists_by_prefix_in_key_order(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    put_some(fixture);
    assert_list(fixture, "b", 1, 0, 3, (int32_t[]){20, 21, 22});
    assert_list(fixture, "b", 1, 2, 2, (int32_t[]){20, 21});
    assert_list(fixture, "b", 2, 0, 1, (int32_t[]){21});
    assert_list(fixture, "", 0, 0, 6, (int32_t[]){9, 10, 0, 20, 21, 22});
    assert_list(fixture, "c", 1, 0, 0, NULL);
}

static void lists_more_rows_than_it_first_makes_room_for(void **state)
{
    struct fixture *fixture = *state;
    int32_t expected[1000];
    open_store(fixture);
    begin(fixture);
    for (int32_t i = 0; i < 1000; i++) {
        put_qty(fixture, "many", i, i);
        expected[i] = i;
    }
    for (size_t limit = 15; limit < 35; limit++) {
        assert_list(fixture, "many", 1, limit, limit, expected);
    }
    assert_list(fixture, "many", 1, 0, 1000, expected);
}

static void scans_by_any_field_even_by_its_absence(void **state)
{
    struct fixture *fixture = *state;
    void *rows = NULL;
    size_t count = 0;
    open_store(fixture);
    begin(fixture);
    put_item(fixture, &(struct item){.sku = "b", .order = GREEN, .note = "x"});
    put_item(fixture, &(struct item){.sku = "c", .order = RED, .note = "x"});
    put_item(fixture, &(struct item){.sku = "a", .order = GREEN});
    assert_ok(fixture, store_scan(fixture->store, &items, &(struct item){.order = GREEN},
                                  ITEM_ORDER, &fixture->arena, &rows, &count, &fixture->error));
    assert_int_equal(count, 2);
    assert_string_equal(((struct item *)rows)[0].sku, "a");
    assert_string_equal(((struct item *)rows)[1].sku, "b");
    assert_ok(fixture, store_scan(fixture->store, &items, &(struct item){.note = NULL}, ITEM_NOTE,
                                  &fixture->arena, &rows, &count, &fixture->error));
    assert_int_equal(count, 1);
    assert_string_equal(((struct item *)rows)[0].sku, "a");
}

static void a_broken_constraint_is_reported_as_our_bug(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 1);
    assert_int_equal(store_put(fixture->store, &items, &(struct item){.sku = "a", .qty = -1},
                               &fixture->error),
                     FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_BUG);
    assert_text(fixture->error.text, "qty >= 0");
    assert_text(fixture->error.text, "item");
    undo(fixture);
    assert_int_equal(qty_of(fixture, "a", 1), -1);
}

/* ---- timers ---- */

static void set_timer(struct fixture *fixture, const char *kind, const char *key, int64_t due_ms)
{
    struct timer_row row = {kind, key, due_ms};
    assert_ok(fixture, store_put(fixture->store, &timers, &row, &fixture->error));
}

static void the_first_timer_is_the_least_by_due_time_kind_and_key(void **state)
{
    static const struct timer_row expected[] = {
        {"hold", "b", 3}, {"expire", "z", 5}, {"hold", "a", 5}, {"hold", "b2", 5}, {"hold", "c", 9},
    };
    struct fixture *fixture = *state;
    struct timer_row row;
    bool found = true;
    open_store(fixture);
    begin(fixture);
    set_timer(fixture, "hold", "c", 1);
    set_timer(fixture, "hold", "b2", 5);
    set_timer(fixture, "hold", "a", 5);
    set_timer(fixture, "hold", "c", 9); /* moved */
    set_timer(fixture, "expire", "z", 5);
    set_timer(fixture, "hold", "b", 3);
    for (size_t i = 0; i < 5; i++) {
        assert_ok(fixture, store_first_timer(fixture->store, &fixture->arena, &row, &found,
                                             &fixture->error));
        assert_true(found);
        assert_string_equal(row.kind, expected[i].kind);
        assert_string_equal(row.key, expected[i].key);
        assert_int_equal(row.due_ms, expected[i].due_ms);
        assert_ok(fixture, store_delete(fixture->store, &timers, &row, &fixture->error));
    }
    assert_ok(fixture,
              store_first_timer(fixture->store, &fixture->arena, &row, &found, &fixture->error));
    assert_false(found);
}

static void a_store_without_timers_has_no_first_one(void **state)
{
    static const struct weir_store *const tables[] = {&items, NULL};
    struct fixture *fixture = *state;
    struct timer_row row;
    bool found = true;
    open_as(fixture, &(struct store_identity){"test", 3, tables});
    assert_ok(fixture,
              store_first_timer(fixture->store, &fixture->arena, &row, &found, &fixture->error));
    assert_false(found);
}

/* ---- takes ---- */

static void a_new_store_has_no_commits(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_NEW);
    assert_int_equal(store_meta(fixture->store)->commit_number, 0);
    assert_string_equal(store_meta(fixture->store)->incarnation, "");
    assert_false(store_is_dirty(fixture->store));
    assert_string_equal(fixture->note.text, "");
}

static void undo_takes_back_the_take_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 1);
    put_qty(fixture, "a", 2, 2);
    keep(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 100);
    put_qty(fixture, "a", 3, 3);
    delete_item(fixture, "a", 2);
    undo(fixture);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    assert_int_equal(qty_of(fixture, "a", 2), 2);
    assert_int_equal(qty_of(fixture, "a", 3), -1);
    assert_int_equal(store_meta(fixture->store)->commit_number, 1);
}

static void kept_and_committed_takes_survive_a_close(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 1);
    keep(fixture);
    begin(fixture);
    put_qty(fixture, "a", 2, 2);
    keep(fixture);
    assert_true(store_is_dirty(fixture->store));
    commit(fixture);
    assert_false(store_is_dirty(fixture->store));
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    assert_int_equal(qty_of(fixture, "a", 2), 2);
    assert_meta(store_meta(fixture->store), 2);
}

static void kept_takes_that_were_not_committed_are_lost_at_close(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    put_qty(fixture, "a", 1, 2);
    keep(fixture);
    assert_int_equal(store_meta(fixture->store)->commit_number, 2);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    assert_int_equal(store_meta(fixture->store)->commit_number, 1);
}

static void committing_without_takes_is_fine(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    commit(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 1);
    undo(fixture);
    commit(fixture);
    assert_int_equal(qty_of(fixture, "a", 1), -1);
    begin(fixture);
    undo(fixture);
}

static void run(struct fixture *fixture, const char *sql)
{
    assert_int_equal(sqlite3_exec(fixture->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void assert_bug(struct fixture *fixture, enum outcome outcome)
{
    assert_int_equal(outcome, FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_BUG);
    assert_text(fixture->error.text, "no such savepoint");
}

/* It is ours alone: nobody else may end it. */
static void a_savepoint_that_is_gone_is_reported_as_our_bug(void **state)
{
    struct fixture *fixture = *state;
    struct store_meta meta = meta_of(1);
    open_store(fixture);
    begin(fixture);
    run(fixture, "RELEASE take");
    assert_bug(fixture, store_take_undo(fixture->store, &fixture->error));
    close_store(fixture);
    open_store(fixture);
    begin(fixture);
    run(fixture, "RELEASE take");
    assert_bug(fixture, store_take_keep(fixture->store, &meta, &fixture->error));
    close_store(fixture);
    open_store(fixture);
    begin(fixture);
    assert_ok(fixture, store_savepoint(fixture->store, &fixture->error));
    run(fixture, "RELEASE record");
    assert_bug(fixture, store_savepoint_undo(fixture->store, &fixture->error));
    assert_bug(fixture, store_savepoint_keep(fixture->store, &fixture->error));
}

/* Every call says so, until the take is undone. */
static void a_transaction_that_sqlite_gave_up_is_an_abort_everywhere(void **state)
{
    struct fixture *fixture = *state;
    const struct item key = {.sku = "a", .seq = 1};
    struct item row;
    struct timer_row timer;
    void *rows;
    size_t count;
    bool found;
    struct error *error = &fixture->error;
    open_store(fixture);
    struct store *store = fixture->store;
    begin(fixture);
    run(fixture, "ROLLBACK");
    assert_int_equal(store_get(store, &items, &key, &fixture->arena, &row, &found, error), ABORT);
    assert_int_equal(store_put(store, &items, &key, error), ABORT);
    assert_int_equal(store_delete(store, &items, &key, error), ABORT);
    assert_int_equal(store_list(store, &items, &key, 1, 0, &fixture->arena, &rows, &count, error),
                     ABORT);
    assert_int_equal(store_scan(store, &items, &key, ITEM_QTY, &fixture->arena, &rows, &count,
                                error),
                     ABORT);
    assert_int_equal(store_first_timer(store, &fixture->arena, &timer, &found, error), ABORT);
    assert_int_equal(store_savepoint(store, error), ABORT);
    assert_int_equal(error->exit_code, EXIT_IO);
    undo(fixture);
    begin(fixture);
    assert_ok(fixture, store_savepoint(store, error));
    run(fixture, "ROLLBACK");
    assert_int_equal(store_savepoint_undo(store, error), ABORT);
    assert_int_equal(store_savepoint_keep(store, error), ABORT);
    undo(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 1);
    keep(fixture);
    run(fixture, "ROLLBACK");
    assert_int_equal(store_take_begin(store, error), ABORT);
    assert_int_equal(store_commit(store, error), ABORT);
    assert_false(store_is_large(store));
    assert_int_equal(store_meta(store)->commit_number, 0);
    commit_qty(fixture, "a", 1, 2);
    assert_int_equal(qty_of(fixture, "a", 1), 2);
}

static void a_nested_savepoint_is_undone_alone(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    put_qty(fixture, "a", 1, 1);
    assert_ok(fixture, store_savepoint(fixture->store, &fixture->error));
    put_qty(fixture, "a", 1, 2);
    put_qty(fixture, "a", 2, 2);
    assert_int_equal(qty_of(fixture, "a", 2), 2);
    assert_ok(fixture, store_savepoint_undo(fixture->store, &fixture->error));
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    assert_int_equal(qty_of(fixture, "a", 2), -1);
    assert_ok(fixture, store_savepoint(fixture->store, &fixture->error));
    put_qty(fixture, "a", 3, 3);
    assert_ok(fixture, store_savepoint_keep(fixture->store, &fixture->error));
    keep(fixture);
    commit(fixture);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(qty_of(fixture, "a", 1), 1);
    assert_int_equal(qty_of(fixture, "a", 2), -1);
    assert_int_equal(qty_of(fixture, "a", 3), 3);
}

static void undoing_a_take_closes_the_savepoint_in_it(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture);
    assert_ok(fixture, store_savepoint(fixture->store, &fixture->error));
    put_qty(fixture, "a", 1, 1);
    undo(fixture);
    commit_qty(fixture, "b", 1, 1);
    assert_int_equal(qty_of(fixture, "a", 1), -1);
    assert_int_equal(qty_of(fixture, "b", 1), 1);
}

static void the_wal_is_copied_into_the_file_when_it_is_large(void **state)
{
    enum { ROWS = 170, ROW_BYTES = 1000 * 1000 };
    struct fixture *fixture = *state;
    uint8_t *bytes = calloc(1, ROW_BYTES);
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    int64_t before = size_of(fixture->path, "");
    begin(fixture);
    for (int i = 0; i < ROWS; i++) {
        put_item(fixture, &(struct item){.sku = "large", .seq = i, .blob = {bytes, ROW_BYTES}});
    }
    keep(fixture);
    assert_int_equal(size_of(fixture->path, ""), before);
    commit(fixture);
    assert_true(size_of(fixture->path, "") > (int64_t)ROWS * ROW_BYTES);
    int64_t wal = size_of(fixture->path, "-wal");
    commit_qty(fixture, "a", 2, 1);
    assert_int_equal(size_of(fixture->path, "-wal"), wal); /* begun anew, its blocks used again */
    free(bytes);
}

/* ---- random operations against a model that is too simple to be wrong ---- */

enum { MODEL_SKUS = 6, MODEL_SEQS = 8, MODEL_ROWS = MODEL_SKUS * MODEL_SEQS };

/* A row is made of one number; 0: there is none. */
struct model {
    int number[MODEL_ROWS];
};

static struct item make_item(int row, int number)
{
    static const char *const skus[MODEL_SKUS] = {"", "a", "aa", "b", "z z", "\xc3\xa4"};
    static char note[64];
    static struct part part[3];
    struct item item = {.sku = skus[row / MODEL_SEQS],
                        .seq = row % MODEL_SEQS - 3,
                        .qty = number,
                        .open = number % 2,
                        .order = (enum colour)(number % COLOURS),
                        .has_limit = number % 3 == 0,
                        .limit = number % 3 == 0 ? -number : 0,
                        .note = number % 5 == 0 ? NULL : note,
                        .parts = {part, (size_t)number % 4}};
    snprintf(note, sizeof note, "number %.*d", number % 30, number);
    for (int i = 0; i < 3; i++) {
        part[i] = (struct part){.name = note, .qty = number + i};
    }
    return item;
}

static void assert_item(const struct item *row, int index, int number)
{
    struct item expected = make_item(index, number);
    assert_string_equal(row->sku, expected.sku);
    assert_int_equal(row->seq, expected.seq);
    assert_int_equal(row->qty, number);
    assert_int_equal(row->open, expected.open);
    assert_int_equal(row->order, expected.order);
    assert_int_equal(row->has_limit, expected.has_limit);
    assert_int_equal(row->limit, expected.limit);
    assert_int_equal(!row->note, !expected.note);
    if (row->note) {
        assert_string_equal(row->note, expected.note);
    }
    assert_int_equal(row->parts.count, expected.parts.count);
    for (size_t i = 0; i < row->parts.count; i++) {
        assert_string_equal(row->parts.items[i].name, expected.parts.items[i].name);
        assert_int_equal(row->parts.items[i].qty, expected.parts.items[i].qty);
    }
}

static void assert_like_model(struct fixture *fixture, const struct model *model)
{
    void *found = NULL;
    size_t count = 0, at = 0;
    arena_reset(&fixture->arena);
    assert_ok(fixture, store_list(fixture->store, &items, NULL, 0, 0, &fixture->arena, &found,
                                  &count, &fixture->error));
    const struct item *rows = found;
    for (int i = 0; i < MODEL_ROWS; i++) {
        if (model->number[i] > 0) {
            assert_true(at < count);
            assert_item(&rows[at++], i, model->number[i]);
        }
    }
    assert_int_equal(at, count);
}

static void random_write(struct fixture *fixture, struct model *model)
{
    int row = rand() % MODEL_ROWS, number = 1 + rand() % 100000;
    struct item item = make_item(row, number);
    if (rand() % 3 == 0) {
        delete_item(fixture, item.sku, item.seq);
        model->number[row] = 0;
    } else {
        put_item(fixture, &item);
        model->number[row] = number;
    }
    struct item read;
    row = rand() % MODEL_ROWS;
    item = make_item(row, 1);
    assert_int_equal(get_item(fixture, item.sku, item.seq, &read), model->number[row] > 0);
    if (model->number[row] > 0) {
        assert_item(&read, row, model->number[row]);
    }
}

static void random_writes(struct fixture *fixture, struct model *model)
{
    for (int n = rand() % 12; n > 0; n--) {
        random_write(fixture, model);
    }
}

/* A take with records of which some are undone; returns whether it was kept. */
static bool random_take(struct fixture *fixture, struct model *kept)
{
    struct model take = *kept;
    begin(fixture);
    random_writes(fixture, &take);
    for (int records = rand() % 4; records > 0; records--) {
        struct model record = take;
        assert_ok(fixture, store_savepoint(fixture->store, &fixture->error));
        random_writes(fixture, &record);
        if (rand() % 2) {
            assert_ok(fixture, store_savepoint_keep(fixture->store, &fixture->error));
            take = record;
        } else {
            assert_ok(fixture, store_savepoint_undo(fixture->store, &fixture->error));
        }
        assert_like_model(fixture, &take);
    }
    if (rand() % 3 == 0) {
        undo(fixture);
        return false;
    }
    keep(fixture);
    *kept = take;
    return true;
}

static void behaves_like_the_model_under_random_takes_commits_and_reopens(void **state)
{
    struct fixture *fixture = *state;
    struct model kept = {0}, committed = {0};
    int64_t kept_number = 0, committed_number = 0;
    seed_random();
    open_store(fixture);
    for (int step = 0; step < 400; step++) {
        kept_number += random_take(fixture, &kept);
        assert_int_equal(store_meta(fixture->store)->commit_number, kept_number);
        if (rand() % 4 == 0) {
            commit(fixture);
            committed = kept;
            committed_number = kept_number;
        }
        if (rand() % 20 == 0) {
            close_store(fixture);
            open_store(fixture);
            assert_int_equal(fixture->found, STORE_KEPT);
            kept = committed;
            kept_number = committed_number;
        }
        assert_like_model(fixture, &kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_comes_back_as_it_was_put),
        TEST(absent_values_and_empty_ones_are_told_apart),
        TEST(what_was_read_does_not_change_with_the_next_read),
        TEST(a_second_put_replaces_the_whole_row),
        TEST(a_deleted_row_is_gone_and_deleting_it_again_is_fine),
        TEST(lists_by_prefix_in_key_order),
        TEST(lists_more_rows_than_it_first_makes_room_for),
        TEST(scans_by_any_field_even_by_its_absence),
        TEST(a_broken_constraint_is_reported_as_our_bug),
        TEST(the_first_timer_is_the_least_by_due_time_kind_and_key),
        TEST(a_store_without_timers_has_no_first_one),
        TEST(a_new_store_has_no_commits),
        TEST(undo_takes_back_the_take_and_nothing_else),
        TEST(kept_and_committed_takes_survive_a_close),
        TEST(kept_takes_that_were_not_committed_are_lost_at_close),
        TEST(committing_without_takes_is_fine),
        TEST(a_savepoint_that_is_gone_is_reported_as_our_bug),
        TEST(a_transaction_that_sqlite_gave_up_is_an_abort_everywhere),
        TEST(a_nested_savepoint_is_undone_alone),
        TEST(undoing_a_take_closes_the_savepoint_in_it),
        TEST(the_wal_is_copied_into_the_file_when_it_is_large),
        TEST(behaves_like_the_model_under_random_takes_commits_and_reopens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
