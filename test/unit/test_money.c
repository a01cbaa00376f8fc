/* test_money.c - money is exact, or it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "money.h"

static void expect_minor(const char *text, int decimals, int64_t minor)
{
    int64_t is = 4711;
    assert_int_equal(money_parse(text, decimals, &is), MONEY_OK);
    assert_int_equal(is, minor);
}

static void expect_error(const char *text, int decimals, enum money_error error)
{
    int64_t is = 4711;
    assert_int_equal(money_parse(text, decimals, &is), error);
    assert_int_equal(is, 4711); /* left alone */
}

static void reads_major_units_as_minor_ones(void **state)
{
    (void)state;
    expect_minor("12.50", 2, 1250);
    expect_minor("12.5", 2, 1250);
    expect_minor("12", 2, 1200);
    expect_minor("0", 2, 0);
    expect_minor("0.01", 2, 1);
    expect_minor("007.50", 2, 750);
    expect_minor("-3.99", 2, -399);
    expect_minor("-0.00", 2, 0);
    expect_minor("1500", 0, 1500);
    expect_minor("1.234", 3, 1234);
}

static void refuses_more_decimals_than_the_currency_has(void **state)
{
    (void)state;
    expect_error("0.001", 2, MONEY_DECIMALS);
    expect_error("1.500", 2, MONEY_DECIMALS);
    expect_error("1.0", 0, MONEY_DECIMALS);
}

static void refuses_what_is_not_a_plain_decimal_number(void **state)
{
    (void)state;
    const char *const texts[] = {"",    "-",   ".",   ".5",   "5.",    "1,50",  "1.5.0",
                                 "+1",  " 1",  "1 ",  "1e3",  "0x10",  "--1",   "1-",
                                 "NaN", "inf", "12a", "1.2a", "1 000", "1_000", "\xc2\xa0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_error(texts[i], 2, MONEY_SYNTAX);
    }
}

static void goes_to_the_ends_of_64_bits_and_not_beyond(void **state)
{
    (void)state;
    expect_minor("92233720368547758.07", 2, INT64_MAX);
    expect_minor("-92233720368547758.08", 2, INT64_MIN);
    expect_error("92233720368547758.08", 2, MONEY_RANGE);
    expect_error("-92233720368547758.09", 2, MONEY_RANGE);
    expect_error("92233720368547759", 2, MONEY_RANGE);
    expect_error("9223372036854775807", 2, MONEY_RANGE);
    expect_minor("9223372036854775807", 0, INT64_MAX);
    expect_error("99999999999999999999999999999999999999", 0, MONEY_RANGE);
}

static void knows_how_many_decimals_a_currency_has(void **state)
{
    (void)state;
    assert_int_equal(currency_decimals("EUR"), 2);
    assert_int_equal(currency_decimals("GBP"), 2);
    assert_int_equal(currency_decimals("JPY"), 0);
    assert_int_equal(currency_decimals("KRW"), 0);
    assert_int_equal(currency_decimals("KWD"), 3);
    assert_int_equal(currency_decimals("BHD"), 3);
    assert_int_equal(currency_decimals("TND"), 3);
    assert_int_equal(currency_decimals("AED"), 2); /* the first and the last of the table */
    assert_int_equal(currency_decimals("ZMW"), 2);
}

static void knows_no_currency_that_is_not_one(void **state)
{
    (void)state;
    const char *const texts[] = {"", "E", "EU", "EURO", "eur", "XXX", "XAU", "AAA", "ZZZ", "EUR "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(currency_decimals(texts[i]), -1);
    }
}

static void notices_every_overflow(void **state)
{
    (void)state;
    int64_t sum = INT64_MAX - 1;
    assert_true(money_add(&sum, 1));
    assert_false(money_add(&sum, 1));
    assert_int_equal(sum, INT64_MAX);
    sum = INT64_MIN + 1;
    assert_true(money_subtract(&sum, 1));
    assert_false(money_subtract(&sum, 1));
    assert_int_equal(sum, INT64_MIN);
    sum = -1;
    assert_true(money_subtract(&sum, INT64_MIN));
    assert_int_equal(sum, INT64_MAX);
    int64_t product = 7;
    assert_false(money_multiply(INT64_MAX, 2, &product));
    assert_false(money_multiply(INT64_MIN, -1, &product));
    assert_int_equal(product, 7);
    assert_true(money_multiply(-3, 4, &product));
    assert_int_equal(product, -12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_major_units_as_minor_ones),
        cmocka_unit_test(refuses_more_decimals_than_the_currency_has),
        cmocka_unit_test(refuses_what_is_not_a_plain_decimal_number),
        cmocka_unit_test(goes_to_the_ends_of_64_bits_and_not_beyond),
        cmocka_unit_test(knows_how_many_decimals_a_currency_has),
        cmocka_unit_test(knows_no_currency_that_is_not_one),
        cmocka_unit_test(notices_every_overflow),
    };
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
