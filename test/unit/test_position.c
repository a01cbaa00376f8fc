/* test_position.c - tools/position.h: offsets and times as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "position.h"

#include <cmocka.h>

static void means(const char *text, enum position_kind kind, int64_t value)
{
    struct position position;
    if (!position_parse(text, &position)) {
        fail_msg("%s was refused", text);
    }
    assert_int_equal(position.kind, kind);
    assert_int_equal(position.value, value);
}

static void refused(const char *text)
{
    struct position position;
    if (position_parse(text, &position)) {
        fail_msg("%s was taken", text);
    }
}

static void reads_offsets_and_distances_from_the_end(void **state)
{
    (void)state;
    means("0", POSITION_OFFSET, 0);
    means("1234", POSITION_OFFSET, 1234);
    means("999999999999", POSITION_OFFSET, 999999999999);
    means("-10", POSITION_LAST, 10);
    means("-0", POSITION_LAST, 0);
    means("-1000000", POSITION_LAST, 1000000);
    means("start", POSITION_START, 0);
    means("end", POSITION_END, 0);
}

static void reads_times(void **state)
{
    (void)state;
    means("1700000000000", POSITION_TIME, 1700000000000);
    means("2023-11-14T22:13:20Z", POSITION_TIME, 1700000000000);
    means("2023-11-14T22:13:20.5Z", POSITION_TIME, 1700000000500);
    means("2023-11-14T22:13:20.0078", POSITION_TIME, 1700000000007);
    means("2023-11-14 22:13", POSITION_TIME, 1699999980000);
    means("2023-11-14", POSITION_TIME, 1699920000000);
}

static void refuses_what_is_neither(void **state)
{
    (void)state;
    refused("");
    refused("yesterday");
    refused("2023-11-14T");
    refused("2023-11-14T22:13:20+01:00");
    refused("12x");
    refused("2023-13-14");
    refused("-1000001");
    refused("-9223372036854775808");
}

static void resolves(struct position position, const struct port_log *logs, int64_t first,
                     int64_t second)
{
    struct error error;
    int64_t offsets[2];
    assert_int_equal(position_resolve(position, NULL, "t", logs, 2, offsets, &error), OK);
    assert_int_equal(offsets[0], first);
    assert_int_equal(offsets[1], second);
}

static void stays_inside_the_log(void **state)
{
    (void)state;
    static const struct port_log logs[] = {{.low = 10, .stable = 90, .high = 100}, {.high = 0}};
    resolves((struct position){POSITION_START, 0}, logs, 10, 0);
    resolves((struct position){POSITION_END, 0}, logs, 100, 0);
    resolves((struct position){POSITION_OFFSET, 3}, logs, 10, 3);
    resolves((struct position){POSITION_OFFSET, 30}, logs, 30, 30);
    resolves((struct position){POSITION_LAST, 0}, logs, 100, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_offsets_and_distances_from_the_end),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(refuses_what_is_neither),
        cmocka_unit_test(stays_inside_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
