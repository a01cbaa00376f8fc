/* test_options.c - a command line by a command's table: what is taken, what is refused, and which
 * exit code a failure ends with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static int64_t partition;
static bool execute;
static const char *name;
static struct option_list properties;
static size_t runs, arguments;

static const struct option options[] = {
    {"partition", 'p', OPTION_NUMBER, &partition, "N", "only this one"},
    {"execute", 0, OPTION_FLAG, &execute, NULL, "do it"},
    {"name", 0, OPTION_TEXT, &name, "TEXT", "a name"},
    {"property", 'X', OPTION_LIST, &properties, "KEY=VALUE", "may be repeated"},
    {0},
};

static int run(size_t count, char **given)
{
    (void)given;
    runs++;
    arguments = count;
    return EXIT_DONE;
}

static const struct command command = {
    .name = "mend",
    .summary = "mends",
    .usage = "weir mend WHAT",
    .example = "  weir mend it",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};

/* Words between blanks. */
static int type(const char *line)
{
    static char copy[200]; /* `name` and `properties` stand in it */
    char *words[20], *rest = copy;
    int count = 0;
    partition = -1;
    execute = false;
    name = NULL;
    properties.count = 0;
    runs = arguments = 0;
    snprintf(copy, sizeof copy, "%s", line);
    while (rest && count < 20) {
        words[count++] = strsep(&rest, " ");
    }
    return options_run(&command, count, words);
}

static void takes_options_in_any_place_and_form(void **state)
{
    (void)state;
    assert_int_equal(type("--partition 2 it --execute --name=x -X a=1 -Xb=2"), EXIT_DONE);
    assert_int_equal(partition, 2);
    assert_true(execute);
    assert_string_equal(name, "x");
    assert_int_equal(properties.count, 2);
    assert_string_equal(properties.items[1], "b=2");
    assert_int_equal(arguments, 1);
    assert_int_equal(type("it -p3 --partition=4"), EXIT_DONE); /* the last one counts */
    assert_int_equal(partition, 4);
    assert_int_equal(type("it"), EXIT_DONE);
    assert_int_equal(partition, -1); /* none was given */
    assert_int_equal(type("-- --execute"), EXIT_DONE);
    assert_false(execute);
}

static void refuses_what_it_does_not_understand(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "it --partitoin 2", "it -q",         "it --execute=yes", "it --partition",
        "it --name",        "it --force it", "it and that",      "--execute",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(type(lines[i]), EXIT_USAGE);
        assert_int_equal(runs, 0);
    }
}

/* A negative default stands for "all": whoever mistypes a number must not get that. */
static void takes_no_number_for_all(void **state)
{
    (void)state;
    static const char *const lines[] = {"it --partition -1", "it --partition=-3",
                                        "it -p-1",           "it --partition two",
                                        "it --partition 1x", "it --partition="};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(type(lines[i]), EXIT_USAGE);
        assert_int_equal(runs, 0);
    }
}

static void tells_a_broker_that_is_away_from_a_file_in_use(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(tool_fail("mend", (fail)(&error, RETRY, "no broker answers"), &error),
                     EXIT_UNAVAILABLE);
    enum outcome outcome = (fail)(&error, RETRY, "it is locked");
    error.exit_code = EXIT_TRY_AGAIN;
    assert_int_equal(tool_fail("mend", outcome, &error), EXIT_TRY_AGAIN);
    assert_int_equal(tool_fail("mend", fail_exit(&error, EXIT_DATA, "bad"), &error), EXIT_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_options_in_any_place_and_form),
        cmocka_unit_test(refuses_what_it_does_not_understand),
        cmocka_unit_test(takes_no_number_for_all),
        cmocka_unit_test(tells_a_broker_that_is_away_from_a_file_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
