/* test_metadata.c - runtime/metadata.h: a commit's name in the metadata of its offsets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kafka/port.h"
#include "runtime/metadata.h"

#include <cmocka.h>

#define INCARNATION "0123456789abcdef0123456789abcdef"

static void reads_what_it_has_written(void **state)
{
    (void)state;
    static const int64_t numbers[] = {1, 42, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        char text[PORT_METADATA_MAX], incarnation[INCARNATION_BYTES];
        int64_t number = 0;
        metadata_write(numbers[i], INCARNATION, INT64_MAX - 1, text);
        assert_true(metadata_read(text, INT64_MAX - 1, &number, incarnation));
        assert_int_equal(number, numbers[i]);
        assert_string_equal(incarnation, INCARNATION);
        assert_false(metadata_read(text, INT64_MAX, &number, incarnation));
    }
}

static void refuses_what_a_task_does_not_write(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "",
        "weir1",
        "weir1 1 " INCARNATION,
        "weir2 1 " INCARNATION " 0",
        "weir1 0 " INCARNATION " 0",
        "weir1 -1 " INCARNATION " 0",
        "weir1 01 " INCARNATION " 0",
        "weir1 1 " INCARNATION " -0",
        "weir1 1 " INCARNATION " 00",
        "weir1 1 " INCARNATION " 0 ",
        "weir1  1 " INCARNATION " 0",
        "weir1 1 short 0",
        "weir1 1 " INCARNATION "0 0",
        "weir1 9223372036854775808 " INCARNATION " 0",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        char incarnation[INCARNATION_BYTES] = "untouched";
        int64_t number = -7;
        if (metadata_read(foreign[i], 0, &number, incarnation)) {
            fail_msg("taken: '%s'", foreign[i]);
        }
        assert_int_equal(number, -7);
        assert_string_equal(incarnation, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_has_written),
        cmocka_unit_test(refuses_what_a_task_does_not_write),
    };
    return cmocka_run_group_tests_name("metadata", tests, NULL, NULL);
}
