/* test_start.c - what weir refuses to start with: exit 78, naming what is wrong, where, and what to
 * write or to run instead.
 */
#include "kafka/stock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "processors.h"
#include "shop.h"

#include <cmocka.h>

enum { SOON_MS = 15000 };

/* ---- topics ---- */

static void expect_refused(struct system *system, const struct run *run, const char *text)
{
    struct process *process = system_run(system, run);
    process_expect_end(system, process, EXIT_CONFIG, SOON_MS);
    process_expect_said(system, process, text, 0);
}

static void refuses_a_missing_topic(void **state)
{
    struct system *system = *state;
    expect_refused(system, &(struct run){0},
                   ".changelog does not exist; create it: weir topics apply");
}

/* The case's own changelog, as it should be but for one thing. */
static struct topic_settings changelog_of(struct system *system)
{
    return (struct topic_settings){
        .name = arena_format(&system->arena, "%s.changelog", system->application_id),
        .partitions = SYSTEM_PARTITIONS,
        .cleanup = WEIR_COMPACT,
        .log_append_time = true,
        .retention_ms = -1,
        .delete_retention_ms = 86400000,
        .max_message_bytes = 1048576,
    };
}

static void refuses_a_wrong_number_of_partitions(void **state)
{
    struct system *system = *state;
    struct topic_settings topic = changelog_of(system);
    topic.partitions = 3;
    system_create_topic(system, &topic);
    expect_refused(system, &(struct run){0},
                   ".changelog has 3 partitions, topics.conf says 4; records are placed by key");
}

static void refuses_a_wrong_cleanup(void **state)
{
    struct system *system = *state;
    struct topic_settings topic = changelog_of(system);
    topic.cleanup = WEIR_DELETE;
    system_create_topic(system, &topic);
    expect_refused(system, &(struct run){0},
                   ".changelog does not have cleanup.policy=compact; set it: weir topics apply "
                   "--alter");
}

static void refuses_a_wrong_timestamp_type(void **state)
{
    struct system *system = *state;
    struct topic_settings topic = changelog_of(system);
    topic.log_append_time = false;
    system_create_topic(system, &topic);
    expect_refused(system, &(struct run){0},
                   ".changelog does not have message.timestamp.type=LogAppendTime; set it: weir "
                   "topics apply --alter");
}

static void refuses_a_changelog_that_forgets_deletions_too_soon(void **state)
{
    struct system *system = *state;
    struct topic_settings topic = changelog_of(system);
    topic.delete_retention_ms = 1000;
    system_create_topic(system, &topic);
    expect_refused(system, &(struct run){0}, ".changelog has delete.retention.ms=1000, 86400000");
}

static void refuses_a_partition_that_there_is_not(void **state)
{
    struct system *system = *state;
    struct process *process = system_run(system, &(struct run){.partition = 4});
    process_expect_end(system, process, EXIT_USAGE, SOON_MS);
    process_expect_said(system, process, "stock.commands has partitions 0 to 3", 0);
}

/* ---- the remedies ---- */

static void write_file(struct system *system, const char *name, const char *text)
{
    FILE *file = fopen(arena_format(&system->arena, "%s/%s", system->directory, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void topics_command(struct system *system, const char *verb, const char *more, int code)
{
    const char *arguments[] = {"topics",           verb, "-c", system->directory, "-b",
                               system_bootstrap(), more, NULL};
    process_expect_end(system, system_weir(system, arguments), code, SOON_MS);
}

static void topics_apply_mends_what_was_refused(void **state)
{
    struct system *system = *state;
    static const char *const names[] = {"intake", "order", "inventory"};
    for (size_t i = 0; i < 3; i++) {
        write_file(system, arena_format(&system->arena, "%s.conf", names[i]),
                   strcmp(names[i], "inventory") == 0
                       ? arena_format(&system->arena, "application.id = %s\n",
                                      system->application_id)
                       : "# as usual\n");
    }
    struct topic_settings topic = changelog_of(system);
    topic.cleanup = WEIR_DELETE;
    topic.log_append_time = false;
    system_create_topic(system, &topic);
    topics_command(system, "check", NULL, EXIT_CONFIG);
    topics_command(system, "apply", NULL, EXIT_CONFIG); /* creates, but changes nothing unasked */
    topics_command(system, "apply", "--alter", EXIT_DONE);
    topics_command(system, "check", NULL, EXIT_DONE);
    struct process *process = system_run(system, &(struct run){0});
    process_expect_said(system, process, "task_running", SOON_MS);
    process_stop(system, process);
}

/* ---- settings ---- */

/* Whatever stands in weir.conf; the broker is not asked. */
static void expect_settings_refused(struct system *system, const char *file, const char *text)
{
    write_file(system, "weir.conf", file);
    expect_refused(system, &(struct run){.bootstrap = "127.0.0.1:9"}, text);
}

static void refuses_settings_by_file_and_line(void **state)
{
    struct system *system = *state;
    expect_settings_refused(system, "# one\n\ntake.max_record = 3\n",
                            "/weir.conf:3: unknown setting 'take.max_record'; did you mean "
                            "'take.max_records'?");
    expect_settings_refused(system, "take.max_records = many\n",
                            "/weir.conf:1: take.max_records = many: write a whole number from 1");
    expect_settings_refused(system, "commit.pause_ms = 5\ncommit.pause_ms = 6\n",
                            "/weir.conf:2: 'commit.pause_ms' was set in line 1 already");
    expect_settings_refused(system, "librdkafka.enable.auto.commit = true\n",
                            "/weir.conf:1: librdkafka.enable.auto.commit is refused: offsets are "
                            "committed inside transactions only");
    expect_settings_refused(system, "\nlibrdkafka.isolation.level = read_uncommitted\n",
                            "/weir.conf:2: librdkafka.isolation.level is refused");
    expect_settings_refused(system, "librdkafka.plugin.library.paths = evil\n",
                            "it loads code into the process");
    expect_settings_refused(system, "librdkafka.transaction.timeout.ms = 5000\n",
                            "set transaction.timeout_ms");
}

static void refuses_settings_that_contradict_each_other(void **state)
{
    struct system *system = *state;
    expect_settings_refused(system, "commit.pause_ms = 3000\ntransaction.timeout_ms = 4000\n",
                            "commit.pause_ms = 3000 is more than half of transaction.timeout_ms = "
                            "4000; lower the one or raise the other");
    expect_settings_refused(system, "reservation.retention_ms = 1000\n",
                            "reservation.retention_ms must be longer than stock.commands keeps its "
                            "records");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(refuses_a_missing_topic),
        system_case(refuses_a_wrong_number_of_partitions),
        system_case(refuses_a_wrong_cleanup),
        system_case(refuses_a_wrong_timestamp_type),
        system_case(refuses_a_changelog_that_forgets_deletions_too_soon),
        system_case(refuses_a_partition_that_there_is_not),
        system_case(topics_apply_mends_what_was_refused),
        system_case(refuses_settings_by_file_and_line),
        system_case(refuses_settings_that_contradict_each_other),
    };
    return system_main("test_start", tests, argc, argv);
}
