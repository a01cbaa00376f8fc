/* test_generator.c - tools/generator.h and tools/random.h: the same seed, the same orders; and
 * habits as measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/codec.h"
#include "load/generator.h"
#include "load/random.h"

#include <cmocka.h>

enum { START_MS = 1000000 };

static const struct generator_options plain = {
    .run_id = "t",
    .seed = 7,
    .orders = 400,
    .rate = 100,
    .burst = 1,
    .profile = LINES_FIXED,
    .lines = 3,
    .skus = 50,
    .zipf = 0.5,
};

/* Everything about all placings, in one number. */
static uint64_t digest_of(const struct generator_options *options)
{
    struct generator *generator;
    struct placing placing;
    uint64_t digest = 0;
    generator_open(&generator, options);
    while (generator_next(generator, START_MS, &placing)) {
        digest = hash_bytes(digest, placing.order_id, strlen(placing.order_id));
        digest = hash_bytes(digest, &placing.after_us, sizeof placing.after_us);
        digest = hash_bytes(digest, placing.value.data, placing.value.size);
    }
    generator_close(generator);
    return digest;
}

static void the_same_seed_gives_the_same_orders(void **state)
{
    (void)state;
    struct generator_options options = plain;
    options.cancels = 0.1;
    options.dirty = 0.1;
    options.burst = 4;
    options.partial = 0.5;
    uint64_t first = digest_of(&options);
    assert_int_equal(first, digest_of(&options));
    options.seed++;
    assert_int_not_equal(first, digest_of(&options));
}

static void asking_for_demand_changes_no_order(void **state)
{
    (void)state;
    struct generator *generator;
    struct placing placing;
    struct demand *demand;
    size_t count, placings = 0;
    int64_t wanted = 0, ordered = 0;
    struct arena arena;
    arena_init(&arena);
    generator_open(&generator, &plain);
    generator_demand(generator, &demand, &count);
    for (size_t i = 0; i < count; i++) {
        wanted += demand[i].qty;
    }
    for (; generator_next(generator, START_MS, &placing); placings++) {
        struct raw_order order;
        struct error error;
        arena_reset(&arena);
        assert_int_equal(record_from_json(&raw_order_record, placing.value, &arena, &order, &error),
                         DECODED);
        assert_string_equal(order.order_id, placing.order_id);
        assert_int_equal(order.placed_ms, START_MS + placing.after_us / 1000);
        assert_int_equal(order.lines.count, 3);
        for (size_t i = 0; i < order.lines.count; i++) {
            assert_true(order.lines.items[i].qty >= 1 && order.lines.items[i].qty <= 10);
            ordered += order.lines.items[i].qty;
        }
    }
    assert_int_equal(placings, plain.orders);
    assert_int_equal(wanted, ordered);
    free(demand);
    generator_close(generator);
    arena_release(&arena);
}

static void placings_come_in_order_of_time_and_cancels_after_their_orders(void **state)
{
    (void)state;
    struct generator *generator;
    struct placing placing;
    struct generator_options options = plain;
    options.cancels = 0.5;
    int64_t last_us = 0, orders = 0, cancels = 0;
    char seen[512] = {0};
    generator_open(&generator, &options);
    while (generator_next(generator, START_MS, &placing)) {
        long number = strtol(placing.order_id + 2, NULL, 10);
        assert_true(placing.after_us >= last_us);
        last_us = placing.after_us;
        assert_true(number >= 1 && number <= options.orders);
        assert_int_equal(seen[number], placing.is_cancel ? 1 : 0);
        seen[number]++;
        orders += !placing.is_cancel;
        cancels += placing.is_cancel;
    }
    assert_int_equal(orders, options.orders);
    assert_in_range(cancels, 160, 240);
    generator_close(generator);
}

static void arrivals_keep_the_rate(void **state)
{
    (void)state;
    struct generator *generator;
    struct placing placing;
    struct generator_options options = plain;
    options.orders = 20000;
    int64_t last_us = 0;
    generator_open(&generator, &options);
    while (generator_next(generator, START_MS, &placing)) {
        last_us = placing.after_us;
    }
    assert_in_range(last_us, 195000000,
                    205000000); /* 20,000 at 100/s; the standard deviation is 1.4 s */
    generator_close(generator);
}

static double mean_lines(enum lines_profile profile)
{
    struct generator *generator;
    struct placing placing;
    struct generator_options options = plain;
    options.orders = 20000;
    options.profile = profile;
    size_t lines = 0;
    generator_open(&generator, &options);
    while (generator_next(generator, START_MS, &placing)) {
        lines += placing.line_count;
    }
    generator_close(generator);
    return (double)lines / 20000;
}

static void lines_an_order_are_as_measured(void **state)
{
    (void)state;
    double retail = mean_lines(LINES_RETAIL), wholesale = mean_lines(LINES_WHOLESALE);
    assert_true(retail > 1.12 && retail < 1.16);
    assert_true(wholesale > 20 && wholesale < 36);
}

/* Malformed orders are malformed in many ways; some are no JSON of the right shape at all. */
static void dirt_is_there_in_the_share_that_was_asked_for(void **state)
{
    (void)state;
    struct generator *generator;
    struct placing placing;
    struct generator_options clean = plain, dirty = plain;
    dirty.dirty = 1;
    size_t unreadable = 0;
    struct arena arena;
    arena_init(&arena);
    generator_open(&generator, &dirty);
    while (generator_next(generator, START_MS, &placing)) {
        struct raw_order order;
        struct error error;
        arena_reset(&arena);
        unreadable +=
            record_from_json(&raw_order_record, placing.value, &arena, &order, &error) != DECODED;
    }
    generator_close(generator);
    assert_in_range(unreadable, 40, 120); /* two kinds of ten, of 400 */
    assert_int_not_equal(digest_of(&clean), digest_of(&dirty));
    arena_release(&arena);
}

static void zipf_ranks_fall_off_as_their_exponent_says(void **state)
{
    (void)state;
    enum { SKUS = 100, DRAWS = 200000 };
    struct zipf zipf;
    struct random random;
    int64_t counts[SKUS] = {0};
    zipf_init(&zipf, SKUS, 1);
    random_seed(&random, 1, 0);
    for (int i = 0; i < DRAWS; i++) {
        size_t rank = zipf_draw(&zipf, &random);
        assert_true(rank < SKUS);
        counts[rank]++;
    }
    double ratio = (double)counts[0] / (double)counts[9];
    assert_true(ratio > 9 && ratio < 11.2);
    zipf_release(&zipf);
    zipf_init(&zipf, SKUS, 0);
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < DRAWS; i++) {
        counts[zipf_draw(&zipf, &random)]++;
    }
    for (int i = 0; i < SKUS; i++) {
        assert_in_range(counts[i], 1700, 2300);
    }
    zipf_release(&zipf);
}

static void streams_of_one_seed_are_independent(void **state)
{
    (void)state;
    struct random a, b, again;
    random_seed(&a, 1, 1);
    random_seed(&b, 1, 2);
    random_seed(&again, 1, 1);
    uint64_t first = random_next(&a);
    assert_int_not_equal(first, random_next(&b));
    assert_int_equal(first, random_next(&again));
}

static void money_is_written_without_needless_zeros(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_string_equal(placing_money(&arena, 12500000, 2), "12.50");
    assert_string_equal(placing_money(&arena, 12345600, 2), "12.3456");
    assert_string_equal(placing_money(&arena, -1, 2), "-0.000001");
    assert_string_equal(placing_money(&arena, 0, 0), "0");
    assert_string_equal(placing_money(&arena, INT64_MIN, 2), "-9223372036854.775808");
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_orders),
        cmocka_unit_test(asking_for_demand_changes_no_order),
        cmocka_unit_test(placings_come_in_order_of_time_and_cancels_after_their_orders),
        cmocka_unit_test(arrivals_keep_the_rate),
        cmocka_unit_test(lines_an_order_are_as_measured),
        cmocka_unit_test(dirt_is_there_in_the_share_that_was_asked_for),
        cmocka_unit_test(zipf_ranks_fall_off_as_their_exponent_says),
        cmocka_unit_test(streams_of_one_seed_are_independent),
        cmocka_unit_test(money_is_written_without_needless_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
