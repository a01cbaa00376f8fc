/* test_audit_fold.c - I28: a state file is the fold of its changelog up to its commit, row by row.
 *
 * A real file, written by lib/store, against a changelog made by hand.
 */
#include "audit/audit.h"
#include "audit/fold.h"

#include "codec/codec.h"
#include "codec/key.h"
#include "runtime_records.h"
#include "shop.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct weir_store *const tables[] = {&stock_level_store, &reservation_store,
                                                  &timer_row_store, NULL};

static struct stock_location location = {.location_id = "MAIN", .on_hand = 9, .held = 2};
static struct stock_level level = {.sku = "A\"1",
                                   .on_hand = 9,
                                   .held = 2,
                                   .locations = {&location, 1},
                                   .movement_seq = 7};
static struct stock_allocation allocation = {"MAIN", 2};
static struct reservation reservation = {
    .reservation_id = "o1/1/1",
    .order_id = "o1",
    .line_no = 1,
    .sku = "A\"1",
    .state = RESERVATION_STATE_HELD,
    .qty = 2,
    .open_qty = 2,
    .allocations = {&allocation, 1},
    .customer_id = "c",
    .allow_split = true,
    .ttl_ms = 1000,
    .has_expires_ms = true,
    .expires_ms = 5000,
};
static const struct timer_row timer = {"hold_expiry", "o1/1/1", 5000, "stock.commands", 0, 3};

struct fixture {
    char directory[64], path[96];
    struct store *store;
    struct audit *audit;
    struct fold *fold;
    int64_t offset;
};

static struct fixture fixture;

static int open_fixture(void **state)
{
    (void)state;
    struct error error, note;
    enum store_found found;
    fixture = (struct fixture){.directory = "/tmp/weir-audit-XXXXXX"};
    assert_non_null(mkdtemp(fixture.directory));
    snprintf(fixture.path, sizeof fixture.path, "%s/p0.sqlite", fixture.directory);
    const struct store_identity identity = {"inventory", 0, tables};
    if (store_open(&fixture.store, fixture.path, &identity, &found, &note, &error) != OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(audit_open(&fixture.audit, &(struct audit_options){.findings_kept = 5},
                                &error),
                     OK);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    store_close(fixture.store);
    fold_close(fixture.fold);
    audit_close(fixture.audit);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", fixture.path, suffixes[i]);
        unlink(path);
    }
    return rmdir(fixture.directory);
}

/* ---- the file ---- */

static void write_row(const struct weir_store *table, const void *row)
{
    struct error error;
    assert_int_equal(store_put(fixture.store, table, row, &error), OK);
}

/* The three rows, at this commit. */
static void write_file(int64_t commit_number)
{
    struct error error;
    struct store_meta meta = {.commit_number = commit_number, .incarnation = "i"};
    assert_int_equal(store_take_begin(fixture.store, &error), OK);
    write_row(&stock_level_store, &level);
    write_row(&reservation_store, &reservation);
    write_row(&timer_row_store, &timer);
    assert_int_equal(store_take_keep(fixture.store, &meta, &error), OK);
    assert_int_equal(store_commit(fixture.store, &error), OK);
}

/* ---- the changelog ---- */

static void begin_changelog(void)
{
    struct store_meta meta;
    struct error error;
    assert_int_equal(store_peek(fixture.path, &meta, &error), OK);
    fixture.fold = fold_open(fixture.audit, "inventory.changelog", 0, tables, meta.commit_number);
}

static void log_row(const struct weir_store *table, const void *row, bool deleted)
{
    struct buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    buffer_add(&key, table->name, strlen(table->name) + 1);
    key_encode(table, row, table->key_field_count, &key);
    codec_encode(table->record, row, &value);
    fold_record(fixture.fold, fixture.offset++, (struct weir_bytes){key.data, key.size},
                (struct weir_bytes){deleted ? NULL : value.data, deleted ? 0 : value.size});
    buffer_release(&key);
    buffer_release(&value);
}

static void log_checkpoint(int64_t number)
{
    struct buffer value;
    buffer_init(&value);
    codec_encode(&checkpoint_record,
                 &(struct checkpoint){.commit_number = number, .incarnation = "i"}, &value);
    fold_record(fixture.fold, fixture.offset++,
                (struct weir_bytes){(const uint8_t *)"checkpoint", 10},
                (struct weir_bytes){value.data, value.size});
    buffer_release(&value);
}

/* What the file has, in two commits; on the way a row that is deleted again and one that changes.
 */
static void log_rows(void)
{
    struct stock_level earlier = level;
    struct reservation gone = reservation;
    earlier.held = 0;
    gone.reservation_id = "o0/1/1";
    log_row(&stock_level_store, &earlier, false);
    log_row(&reservation_store, &gone, false);
    log_checkpoint(1);
    log_row(&stock_level_store, &level, false);
    log_row(&reservation_store, &gone, true);
    log_row(&reservation_store, &reservation, false);
    log_row(&timer_row_store, &timer, false);
}

static int64_t found(void)
{
    fold_compare(fixture.fold, fixture.path);
    return audit_findings(fixture.audit)->tallies[I28].broken;
}

static const struct finding *first(void)
{
    return &audit_findings(fixture.audit)->list[0];
}

/* ---- tests ---- */

static void finds_a_file_equal_to_its_fold(void **state)
{
    (void)state;
    write_file(2);
    begin_changelog();
    log_rows();
    assert_false(fold_is_complete(fixture.fold));
    log_checkpoint(2);
    assert_true(fold_is_complete(fixture.fold));
    assert_int_equal(found(), 0);
    assert_int_equal(audit_findings(fixture.audit)->tallies[I28].checked, 3);
}

static void a_file_may_lag_behind_its_changelog(void **state)
{
    (void)state;
    write_file(2);
    begin_changelog();
    log_rows();
    log_checkpoint(2);
    log_row(&reservation_store, &reservation, true);
    log_checkpoint(3);
    assert_int_equal(found(), 0);
}

static void an_empty_file_is_the_fold_of_nothing(void **state)
{
    (void)state;
    begin_changelog();
    log_rows();
    log_checkpoint(2);
    assert_int_equal(found(), 0);
}

static void sees_a_row_that_differs(void **state)
{
    (void)state;
    write_file(2);
    begin_changelog();
    level.held++;
    log_rows();
    level.held--;
    log_checkpoint(2);
    assert_int_equal(found(), 1);
    assert_non_null(strstr(first()->text, "stock_level (\"A\\\"1\")"));
    assert_non_null(strstr(first()->text, "inventory.changelog/0/3"));
}

static void sees_a_difference_in_a_list(void **state)
{
    (void)state;
    write_file(2);
    begin_changelog();
    allocation.qty--;
    log_rows();
    allocation.qty++;
    log_checkpoint(2);
    assert_int_equal(found(), 1);
}

static void sees_a_row_that_the_changelog_does_not_have(void **state)
{
    (void)state;
    write_file(2);
    begin_changelog();
    log_rows();
    log_row(&timer_row_store, &timer, true);
    log_checkpoint(2);
    assert_int_equal(found(), 1);
    assert_non_null(strstr(first()->text, "timer_row"));
}

static void sees_a_row_that_the_file_does_not_have(void **state)
{
    (void)state;
    write_file(2);
    begin_changelog();
    log_rows();
    struct reservation another = reservation;
    another.reservation_id = "o9/1/1";
    log_row(&reservation_store, &another, false);
    log_checkpoint(2);
    assert_int_equal(found(), 1);
    assert_string_equal(first()->place, "inventory.changelog/0/7");
}

static void sees_a_file_ahead_of_kafka(void **state)
{
    (void)state;
    write_file(3);
    begin_changelog();
    log_rows();
    log_checkpoint(2);
    assert_int_equal(found(), 1);
    assert_non_null(strstr(first()->text, "ahead of Kafka"));
}

static void says_when_the_commit_of_the_file_is_compacted_away(void **state)
{
    (void)state;
    write_file(2);
    begin_changelog();
    log_rows();
    log_checkpoint(4);
    assert_int_equal(found(), 1);
    assert_non_null(strstr(first()->text, "compacted away"));
}

static void sees_a_changelog_row_under_the_wrong_key(void **state)
{
    (void)state;
    struct buffer value;
    write_file(2);
    begin_changelog();
    log_rows();
    buffer_init(&value);
    codec_encode(&stock_level_record, &level, &value);
    fold_record(fixture.fold, fixture.offset++,
                (struct weir_bytes){(const uint8_t *)"stock_level\0B", 14},
                (struct weir_bytes){value.data, value.size});
    buffer_release(&value);
    log_checkpoint(2);
    assert_true(found() > 0);
    assert_non_null(strstr(first()->text, "with the key (\"B\")"));
}

#define ON(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(finds_a_file_equal_to_its_fold),
        ON(a_file_may_lag_behind_its_changelog),
        ON(an_empty_file_is_the_fold_of_nothing),
        ON(sees_a_row_that_differs),
        ON(sees_a_difference_in_a_list),
        ON(sees_a_row_that_the_changelog_does_not_have),
        ON(sees_a_row_that_the_file_does_not_have),
        ON(sees_a_file_ahead_of_kafka),
        ON(says_when_the_commit_of_the_file_is_compacted_away),
        ON(sees_a_changelog_row_under_the_wrong_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
