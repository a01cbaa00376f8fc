/* test_processors.c - what the processors' tables promise: settings that fit each other, names that
 * are unique, and a start-up check that refuses what would break the promise.
 */
#include "processors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One setting with another value; all others have their defaults. */
struct change {
    const char *name;
    int64_t value;
};

static int64_t changed_value(const void *from, const struct weir_setting *setting)
{
    const struct change *change = from;
    return strcmp(change->name, setting->name) == 0 ? change->value : setting->default_value;
}

static void every_default_is_in_its_range_and_explained(void **state)
{
    (void)state;
    for (size_t i = 0; processors[i]; i++) {
        for (size_t j = 0; j < WEIR_LIST_MAX && processors[i]->settings[j]; j++) {
            const struct weir_setting *setting = processors[i]->settings[j];
            assert_true(setting->min <= setting->default_value);
            assert_true(setting->default_value <= setting->max);
            assert_non_null(strstr(setting->doc, "ms"));
        }
    }
}

static void every_processor_has_its_own_name(void **state)
{
    (void)state;
    for (size_t i = 0; processors[i]; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(processors[i]->name, processors[j]->name);
        }
    }
}

static void the_defaults_agree_with_each_other(void **state)
{
    (void)state;
    const struct change none = {"", 0};
    for (size_t i = 0; processors[i]; i++) {
        if (processors[i]->check_settings) {
            assert_null(processors[i]->check_settings(changed_value, &none));
        }
    }
}

static void expect_refused(const struct weir_processor *processor, const char *name, int64_t value)
{
    const struct change change = {name, value};
    const char *why = processor->check_settings(changed_value, &change);
    assert_non_null(why);
    assert_non_null(strstr(why, name)); /* it names the setting, and a value to write */
    assert_non_null(strstr(why, "write "));
}

static void refuses_timers_in_the_wrong_order(void **state)
{
    (void)state;
    expect_refused(&order_processor, "commit.timeout_ms", 300000);
    expect_refused(&order_processor, "saga.timeout_ms", 30000);
    expect_refused(&order_processor, "saga.timeout_ms", 600000);
    expect_refused(&order_processor, "hold.ttl_ms", 300000);
    expect_refused(&order_processor, "hold.ttl_ms", 86400000);
    expect_refused(&order_processor, "compensation.timeout_ms", 600000);
}

static void refuses_to_forget_what_can_still_be_read_again(void **state)
{
    (void)state;
    const int64_t seven_days = 604800000;
    expect_refused(&order_processor, "settled.retention_ms", seven_days);
    expect_refused(&inventory_processor, "reservation.retention_ms", seven_days);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_in_its_range_and_explained),
        cmocka_unit_test(every_processor_has_its_own_name),
        cmocka_unit_test(the_defaults_agree_with_each_other),
        cmocka_unit_test(refuses_timers_in_the_wrong_order),
        cmocka_unit_test(refuses_to_forget_what_can_still_be_read_again),
    };
    return cmocka_run_group_tests_name("processors", tests, NULL, NULL);
}
