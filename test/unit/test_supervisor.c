/* test_supervisor.c - tools/supervisor.h: how long to wait before a start; tools/status.h: what is
 * written is what is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "up/supervisor.h"
#include "watch/figures.h"

#include <cmocka.h>

static void pauses_double_up_to_ten_seconds(void **state)
{
    (void)state;
    static const int64_t expected[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    int64_t pause_ms = 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        pause_ms = supervisor_pause_ms(pause_ms, 50, -1);
        assert_int_equal(pause_ms, expected[i]);
    }
}

static void ten_seconds_of_running_are_healthy(void **state)
{
    (void)state;
    assert_int_equal(supervisor_pause_ms(6400, 9999, -1), 10000);
    assert_int_equal(supervisor_pause_ms(6400, 10000, -1), 100);
    assert_int_equal(supervisor_pause_ms(6400, 10000, EXIT_TRY_AGAIN), 100);
}

static void a_refused_configuration_waits_longest_at_once(void **state)
{
    (void)state;
    assert_int_equal(supervisor_pause_ms(0, 50, EXIT_CONFIG), 10000);
    assert_int_equal(supervisor_pause_ms(100, 60000, EXIT_CONFIG), 10000);
}

static void status_is_read_as_it_was_written(void **state)
{
    (void)state;
    static struct status wrote = {.supervisor_pid = 12, .since_ms = 34, .count = 2}, read;
    char path[] = "/tmp/weir-status-XXXXXX";
    struct error error = {0};
    wrote.processes[0] = (struct status_process){.name = "inventory.p0",
                                                 .pid = 56,
                                                 .restarts = 7,
                                                 .state = "running",
                                                 .since_ms = 89,
                                                 .last_exit = "signal 9"};
    wrote.processes[1] =
        (struct status_process){.name = "order.p3", .restarts = 2, .state = "waiting"};
    close(mkstemp(path));
    assert_int_equal(status_write(path, &wrote, &error), OK);
    assert_int_equal(status_read(path, &read, &error), OK);
    assert_memory_equal(&wrote, &read, sizeof read);
    assert_int_equal(status_restarts(&read), 9);
    FILE *file = fopen(path, "w");
    fputs("{\"processes\":7}", file);
    fclose(file);
    assert_int_equal(status_read(path, &read, &error), FATAL);
    unlink(path);
    assert_int_equal(status_read(path, &read, &error), FATAL);
}

static void numbers_are_grouped_by_thousands(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(figures_number(0, text), "0");
    assert_string_equal(figures_number(999, text), "999");
    assert_string_equal(figures_number(1000, text), "1,000");
    assert_string_equal(figures_number(-1234567, text), "-1,234,567");
    assert_string_equal(figures_number(INT64_MIN, text), "-9,223,372,036,854,775,808");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_ten_seconds),
        cmocka_unit_test(ten_seconds_of_running_are_healthy),
        cmocka_unit_test(a_refused_configuration_waits_longest_at_once),
        cmocka_unit_test(status_is_read_as_it_was_written),
        cmocka_unit_test(numbers_are_grouped_by_thousands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
