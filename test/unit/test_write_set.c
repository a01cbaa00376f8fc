/* test_write_set.c - rows written but not yet in SQLite: find, overwrite, forget, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/write_set.h"

static const struct weir_store apples = {.name = "apples"};
static const struct weir_store pears = {.name = "pears"};
static const struct weir_store *const tables[] = {&apples, &pears, NULL};

static struct weir_bytes bytes_of(const char *text)
{
    return (struct weir_bytes){(const uint8_t *)text, strlen(text)};
}

static const struct weir_bytes deleted = {NULL, 0};

static void put(struct write_set *set, const struct weir_store *table, const char *key,
                const char *value)
{
    write_set_put(set, table, bytes_of(key), value ? bytes_of(value) : deleted);
}

static void assert_value(const struct write_set *set, const struct weir_store *table,
                         const char *key, const char *value)
{
    const struct write_entry *entry = write_set_find(set, table, bytes_of(key));
    assert_non_null(entry);
    assert_int_equal(entry->value.size, strlen(value));
    assert_memory_equal(entry->value.data, value, strlen(value));
}

static int set_up(void **state)
{
    static struct write_set set;
    write_set_init(&set);
    *state = &set;
    return 0;
}

static int tear_down(void **state)
{
    write_set_release(*state);
    return 0;
}

static void knows_nothing_at_first(void **state)
{
    assert_null(write_set_find(*state, &apples, bytes_of("a")));
}

static void finds_a_row_by_table_and_key(void **state)
{
    struct write_set *set = *state;
    put(set, &apples, "a", "red");
    put(set, &pears, "a", "green");
    put(set, &apples, "", "empty key");
    assert_value(set, &apples, "a", "red");
    assert_value(set, &pears, "a", "green");
    assert_value(set, &apples, "", "empty key");
    assert_null(write_set_find(set, &pears, bytes_of("b")));
    assert_null(write_set_find(set, &pears, bytes_of("")));
    assert_int_equal(set->count, 3);
}

static void copies_what_it_is_given(void **state)
{
    struct write_set *set = *state;
    char key[] = "key", value[] = "value";
    write_set_put(set, &apples, bytes_of(key), bytes_of(value));
    key[0] = value[0] = 'X';
    assert_value(set, &apples, "key", "value");
}

static void the_last_write_of_a_row_counts(void **state)
{
    struct write_set *set = *state;
    put(set, &apples, "a", "1");
    put(set, &apples, "a", "a longer value than the room that was made for the first one, surely");
    put(set, &apples, "a", "3");
    assert_value(set, &apples, "a", "3");
    assert_int_equal(set->count, 1);
}

static void a_deleted_row_is_known_to_be_deleted(void **state)
{
    struct write_set *set = *state;
    put(set, &apples, "a", "1");
    put(set, &apples, "a", NULL);
    assert_non_null(write_set_find(set, &apples, bytes_of("a")));
    assert_null(write_set_find(set, &apples, bytes_of("a"))->value.data);
    put(set, &apples, "a", "2");
    assert_value(set, &apples, "a", "2");
}

static void an_empty_value_is_not_a_deletion(void **state)
{
    put(*state, &apples, "a", "");
    assert_non_null(write_set_find(*state, &apples, bytes_of("a"))->value.data);
}

static void a_flushed_row_that_changes_is_to_be_flushed_again(void **state)
{
    struct write_set *set = *state;
    size_t count;
    put(set, &apples, "a", "1");
    put(set, &apples, "b", "1");
    (void)write_set_sorted(set, tables, &count);
    assert_int_equal(count, 2);
    write_set_flushed(set);
    (void)write_set_sorted(set, tables, &count);
    assert_int_equal(count, 0);
    put(set, &apples, "b", "2");
    put(set, &apples, "b", "3");
    put(set, &pears, "b", "1");
    struct write_entry **sorted = write_set_sorted(set, tables, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(sorted[0], write_set_find(set, &apples, bytes_of("b")));
    assert_ptr_equal(sorted[1], write_set_find(set, &pears, bytes_of("b")));
    write_set_flushed(set);
    write_set_unflushed(set);
    (void)write_set_sorted(set, tables, &count);
    assert_int_equal(count, 3);
}

static void reset_forgets_everything(void **state)
{
    struct write_set *set = *state;
    char key[16];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(key, sizeof key, "%d-%d", round, i);
            put(set, &apples, key, "value");
        }
        write_set_reset(set);
        assert_int_equal(set->count, 0);
        assert_int_equal(set->bytes, 0);
        assert_null(write_set_find(set, &apples, bytes_of("0-1")));
        for (size_t i = 0; i < set->slot_count; i++) {
            assert_int_equal(set->slots[i], 0);
        }
    }
}

static void a_row_that_changes_ten_thousand_times_takes_the_memory_of_a_few(void **state)
{
    struct write_set *set = *state;
    char value[64];
    for (int i = 0; i < 10000; i++) {
        snprintf(value, sizeof value, "level %d", i);
        put(set, &apples, "the one SKU of a flash sale", value);
    }
    assert_in_range(set->bytes, 27, 200);
}

static void counts_the_bytes_that_it_keeps(void **state)
{
    struct write_set *set = *state;
    char value[5000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "%08d", i);
        put(set, &apples, key, value);
    }
    assert_in_range(set->bytes, 100 * (8 + 4999), 100 * (8 + 4999) * 5 / 4);
}

static void merging_lets_the_newer_set_win(void **state)
{
    struct write_set *take = *state;
    struct write_set record;
    write_set_init(&record);
    put(take, &apples, "a", "old");
    put(take, &apples, "b", "old");
    put(take, &apples, "c", "old");
    write_set_flushed(take);
    put(&record, &apples, "b", "new");
    put(&record, &apples, "c", NULL);
    put(&record, &pears, "a", "new");
    write_set_merge(take, &record);
    write_set_release(&record);
    assert_value(take, &apples, "a", "old");
    assert_value(take, &apples, "b", "new");
    assert_false(write_set_find(take, &apples, bytes_of("b"))->flushed);
    assert_null(write_set_find(take, &apples, bytes_of("c"))->value.data);
    assert_value(take, &pears, "a", "new");
    assert_int_equal(take->count, 4);
}

static void sorts_by_table_then_key(void **state)
{
    static const char *const expected[] = {"", "a", "aa", "b", "\xc3\xa4", "a", "c"};
    struct write_set *set = *state;
    put(set, &pears, "c", "7");
    put(set, &apples, "\xc3\xa4", "5");
    put(set, &apples, "aa", "3");
    put(set, &pears, "a", "6");
    put(set, &apples, "b", "4");
    put(set, &apples, "", "1");
    put(set, &apples, "a", "2");
    size_t count;
    struct write_entry **sorted = write_set_sorted(set, tables, &count);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(sorted[i]->table, i < 5 ? &apples : &pears);
        assert_int_equal(sorted[i]->key.size, strlen(expected[i]));
        assert_memory_equal(sorted[i]->key.data, expected[i], strlen(expected[i]));
    }
}

/* ---- random operations against a model that is too simple to be wrong ---- */

enum { MODEL_KEYS = 500 };

struct model {
    int value[2][MODEL_KEYS]; /* -1: unknown, 0: deleted, else the number that the value spells */
};

static void spell(int number, char text[64])
{
    int length = number % 40;
    memset(text, 'x', 64);
    snprintf(text + length, (size_t)(64 - length), "%d", number);
}

static void random_write(struct write_set *set, struct model *model, int number)
{
    int table = rand() % 2, key = rand() % MODEL_KEYS;
    char name[16], text[64];
    snprintf(name, sizeof name, "key %d", key);
    spell(number, text);
    bool erase = rand() % 4 == 0;
    put(set, tables[table], name, erase ? NULL : text);
    model->value[table][key] = erase ? 0 : number;
}

static void assert_like_model(const struct write_set *set, const struct model *model)
{
    size_t known = 0;
    for (int table = 0; table < 2; table++) {
        for (int key = 0; key < MODEL_KEYS; key++) {
            char name[16], text[64];
            int value = model->value[table][key];
            snprintf(name, sizeof name, "key %d", key);
            const struct write_entry *entry = write_set_find(set, tables[table], bytes_of(name));
            known += value >= 0;
            if (value < 0) {
                assert_null(entry);
            } else if (value == 0) {
                assert_non_null(entry);
                assert_null(entry->value.data);
            } else {
                spell(value, text);
                assert_value(set, tables[table], name, text);
            }
        }
    }
    assert_int_equal(set->count, known);
}

static void behaves_like_the_model_under_random_operations(void **state)
{
    struct write_set *take = *state;
    struct write_set record;
    struct model taken, recorded;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    write_set_init(&record);
    memset(&taken, 0xff, sizeof taken);
    for (int step = 1; step < 3000; step++) {
        memset(&recorded, 0xff, sizeof recorded);
        for (int n = rand() % 20; n > 0; n--) {
            random_write(&record, &recorded, step * 20 + n);
        }
        assert_like_model(&record, &recorded);
        if (rand() % 3 > 0) { /* else a reject */
            write_set_merge(take, &record);
            for (int i = 0; i < 2 * MODEL_KEYS; i++) {
                int value = recorded.value[i / MODEL_KEYS][i % MODEL_KEYS];
                if (value >= 0) {
                    taken.value[i / MODEL_KEYS][i % MODEL_KEYS] = value;
                }
            }
        }
        write_set_reset(&record);
        if (rand() % 200 == 0) {
            write_set_reset(take);
            memset(&taken, 0xff, sizeof taken);
        }
        if (step % 50 == 0) {
            assert_like_model(take, &taken);
        }
    }
    write_set_release(&record);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(knows_nothing_at_first),
        TEST(finds_a_row_by_table_and_key),
        TEST(copies_what_it_is_given),
        TEST(the_last_write_of_a_row_counts),
        TEST(a_deleted_row_is_known_to_be_deleted),
        TEST(an_empty_value_is_not_a_deletion),
        TEST(a_flushed_row_that_changes_is_to_be_flushed_again),
        TEST(reset_forgets_everything),
        TEST(a_row_that_changes_ten_thousand_times_takes_the_memory_of_a_few),
        TEST(counts_the_bytes_that_it_keeps),
        TEST(merging_lets_the_newer_set_win),
        TEST(sorts_by_table_then_key),
        TEST(behaves_like_the_model_under_random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
