/* test_histogram.c - tools/histogram.h against the samples themselves, sorted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "load/random.h"
#include "watch/histogram.h"

#include <cmocka.h>

enum { SAMPLES = 20000 };

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void percentiles_are_those_of_the_sorted_samples_to_three_digits(void **state)
{
    (void)state;
    static const double shares[] = {0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    static int64_t samples[SAMPLES];
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct histogram *histogram = xcalloc(1, sizeof *histogram);
        struct random random;
        random_seed(&random, seed, 0);
        for (int i = 0; i < SAMPLES; i++) {
            samples[i] =
                (int64_t)exp(random_unit(&random) * (double)seed); /* up to 1.8e8, over all sizes */
            histogram_add(histogram, samples[i]);
        }
        qsort(samples, SAMPLES, sizeof *samples, by_value);
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
            size_t rank = (size_t)ceil(shares[i] * SAMPLES);
            double is = (double)histogram_percentile(histogram, shares[i]);
            double should = (double)samples[rank > 0 ? rank - 1 : 0];
            if (fabs(is - should) > should / 1000) {
                fail_msg("seed %d, share %g: %g instead of %g", (int)seed, shares[i], is, should);
            }
        }
        free(histogram);
    }
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct histogram *histogram = xcalloc(1, sizeof *histogram);
    for (int64_t value = 1; value <= 2047; value++) {
        histogram_add(histogram, value);
    }
    assert_int_equal(histogram_percentile(histogram, 0.5), 1024);
    assert_int_equal(histogram_percentile(histogram, 1), 2047);
    free(histogram);
}

static void takes_what_is_out_of_range_and_nothing_at_all(void **state)
{
    (void)state;
    struct histogram *histogram = xcalloc(1, sizeof *histogram);
    assert_int_equal(histogram_percentile(histogram, 0.5), 0);
    histogram_add(histogram, -5);
    assert_int_equal(histogram_percentile(histogram, 0.5), 0);
    histogram_add(histogram, INT64_MAX);
    assert_int_equal(histogram->max, INT64_MAX);
    assert_true(histogram_percentile(histogram, 1) > INT64_C(1) << 40);
    free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_those_of_the_sorted_samples_to_three_digits),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(takes_what_is_out_of_range_and_nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
