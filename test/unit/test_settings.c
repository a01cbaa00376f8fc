/* test_settings.c - configuration: what is read, and what is refused with file, line and remedy. */
#include "runtime/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "processors.h"

#include <cmocka.h>

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/weir-settings-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char path[128];
    const char *const files[] = {"common.conf", "order.conf"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    return rmdir(directory);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum outcome load(struct settings *settings, const char *text, const char *const *extra,
                         struct error *error)
{
    char path[128];
    write_file("order.conf", text);
    snprintf(path, sizeof path, "%s/order.conf", directory);
    return settings_load(settings, &order_processor, path, extra, error);
}

static void expect_refusal(const char *text, const char *const *says, size_t count)
{
    struct settings settings;
    struct error error;
    assert_int_equal(load(&settings, text, NULL, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_CONFIG);
    for (size_t i = 0; i < count; i++) {
        if (!strstr(error.text, says[i])) {
            fail_msg("'%s' is not in: %s", says[i], error.text);
        }
    }
    settings_release(&settings);
}
#define REFUSES(text, ...)                                   \
    expect_refusal(text, (const char *const[]){__VA_ARGS__}, \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void reads_an_empty_file_as_all_defaults(void **state)
{
    (void)state;
    struct settings settings;
    struct error error;
    assert_int_equal(load(&settings, "# nothing\n\n", NULL, &error), OK);
    assert_string_equal(settings.application_id, "order");
    assert_int_equal(settings.commit_pause_ms, 5);
    assert_null(settings.schema_dir);
    settings_release(&settings);
}

static void lets_the_processors_file_overrule_the_common_one(void **state)
{
    (void)state;
    struct settings settings;
    struct error error;
    write_file("common.conf", "commit.pause_ms = 50\nstate.dir = /somewhere\n");
    assert_int_equal(load(&settings, "commit.pause_ms = 7\n", NULL, &error), OK);
    assert_int_equal(settings.commit_pause_ms, 7);
    assert_string_equal(settings.state_dir, "/somewhere");
    settings_release(&settings);
    write_file("common.conf", "");
}

static void lets_the_command_line_overrule_the_files(void **state)
{
    (void)state;
    struct settings settings;
    struct error error;
    const char *const extra[] = {"commit.pause_ms=9", "librdkafka.debug=broker", NULL};
    assert_int_equal(load(&settings, "commit.pause_ms = 7\n", extra, &error), OK);
    assert_int_equal(settings.commit_pause_ms, 9);
    assert_int_equal(settings.property_count, 1);
    assert_string_equal(settings.properties[0].name, "debug");
    settings_release(&settings);
}

static void refuses_an_unknown_key_and_guesses_what_was_meant(void **state)
{
    (void)state;
    REFUSES("\ncommit.pause = 5\n", "order.conf:2", "commit.pause",
            "did you mean 'commit.pause_ms'");
    REFUSES("colour = red\n", "order.conf:1", "unknown setting 'colour'", "--settings");
}

static void refuses_values_out_of_range_and_says_the_range(void **state)
{
    (void)state;
    REFUSES("commit.pause_ms = 1\n", "order.conf:1", "from 2 to 60000");
    REFUSES("commit.pause_ms = 5ms\n", "write a whole number");
    REFUSES("commit.pause_ms =\n", "write a whole number");
    REFUSES("commit.pause_ms = 99999999999999999999\n", "write a whole number");
    REFUSES("log.level = loud\n", "error, warn, info or debug");
    REFUSES("application.id = a/b\n", "letters, digits");
    REFUSES("bootstrap.servers =\n", "is empty");
}

static void refuses_lines_that_are_not_settings(void **state)
{
    (void)state;
    REFUSES("a\n", "order.conf:1", "key = value");
    REFUSES("[section]\ncommit.pause_ms = 5\n", "no sections here");
    REFUSES("commit.pause_ms = 5\ncommit.pause_ms = 6\n", "order.conf:2", "line 1");
    REFUSES("a = \xff\n", "not a text file");
}

static void refuses_contradictions(void **state)
{
    (void)state;
    REFUSES("transaction.timeout_ms = 1000\ncommit.pause_ms = 900\n", "more than half");
    REFUSES("saga.timeout_ms = 700000\n", "saga.timeout_ms must be shorter than hold.ttl_ms");
}

static void refuses_what_would_break_the_promise(void **state)
{
    (void)state;
    REFUSES("librdkafka.enable.auto.commit = true\n", "order.conf:1", "enable.auto.commit");
    REFUSES("librdkafka.isolation.level = read_uncommitted\n", "isolation.level");
    REFUSES("librdkafka.enable.idempotence = false\n", "enable.idempotence");
    REFUSES("librdkafka.acks = 1\n", "acks");
    REFUSES("librdkafka.plugin.library.paths = x.so\n", "plugin.library.paths");
}

static void says_which_file_is_missing(void **state)
{
    (void)state;
    struct settings settings;
    struct error error;
    assert_int_equal(settings_load(&settings, &order_processor, "/nowhere/order.conf", NULL,
                                   &error),
                     FATAL);
    assert_non_null(strstr(error.text, "/nowhere/order.conf"));
    settings_release(&settings);
}

static void hides_secrets_in_the_start_line(void **state)
{
    (void)state;
    struct settings settings;
    struct error error;
    struct buffer line;
    buffer_init(&line);
    assert_int_equal(load(&settings, "librdkafka.sasl.password = hunter2\n", NULL, &error), OK);
    settings_print(&settings, &order_processor, &line);
    assert_null(strstr(buffer_string(&line), "hunter2"));
    assert_non_null(strstr(buffer_string(&line), "sasl.password=***"));
    buffer_release(&line);
    settings_release(&settings);
}

/* config/ explains every key: its files are what `weir run PROCESSOR --settings` prints. */
static void finds_every_key_explained_in_config(void **state)
{
    (void)state;
    for (size_t i = 0; processors[i]; i++) {
        struct buffer reference, shipped;
        buffer_init(&reference);
        buffer_init(&shipped);
        settings_reference(processors[i], &reference);
        char path[512];
        snprintf(path, sizeof path, "%s/config/%s.conf", SOURCE_DIR, processors[i]->name);
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        for (int c; (c = fgetc(file)) != EOF;) {
            buffer_add_byte(&shipped, (uint8_t)c);
        }
        fclose(file);
        if (strcmp(buffer_string(&reference), buffer_string(&shipped)) != 0) {
            fail_msg("%s is not what `weir run %s --settings` prints: write it anew", path,
                     processors[i]->name);
        }
        buffer_release(&reference);
        buffer_release(&shipped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_empty_file_as_all_defaults),
        cmocka_unit_test(lets_the_processors_file_overrule_the_common_one),
        cmocka_unit_test(lets_the_command_line_overrule_the_files),
        cmocka_unit_test(refuses_an_unknown_key_and_guesses_what_was_meant),
        cmocka_unit_test(refuses_values_out_of_range_and_says_the_range),
        cmocka_unit_test(refuses_lines_that_are_not_settings),
        cmocka_unit_test(refuses_contradictions),
        cmocka_unit_test(refuses_what_would_break_the_promise),
        cmocka_unit_test(says_which_file_is_missing),
        cmocka_unit_test(hides_secrets_in_the_start_line),
        cmocka_unit_test(finds_every_key_explained_in_config),
    };
    return cmocka_run_group_tests_name("settings", tests, make_directory, remove_directory);
}
