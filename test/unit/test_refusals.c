/* test_refusals.c - which of librdkafka's settings a user may give. No broker is asked. */
#include "kafka/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static struct error error;

static enum outcome check(const char *name, const char *value)
{
    struct client_property property = {name, value, "inventory.conf:12"};
    return client_check_properties(&property, 1, &error);
}

static void refuses_what_would_break_the_promise(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"enable.auto.commit", "true"},
        {"isolation.level", "read_uncommitted"},
        {"enable.idempotence", "false"},
        {"acks", "1"},
        {"request.required.acks", "0"},
        {"group.id", "mine"},
        {"transactional.id", "mine"},
        {"auto.offset.reset", "earliest"},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"partitioner", "consistent_random"},
        {"max.in.flight", "6"},
        {"plugin.library.paths", "/tmp/x.so"},
        {"ssl.engine.location", "/tmp/x.so"},
        {"sasl.kerberos.kinit.cmd", "rm -rf /"},
        {"test.mock.num.brokers", "3"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(check(refused[i][0], refused[i][1]), FATAL);
        assert_int_equal(error.exit_code, EXIT_CONFIG);
        assert_non_null(strstr(error.text, "inventory.conf:12"));
        assert_non_null(strstr(error.text, refused[i][0]));
    }
}

static void says_what_to_write_instead(void **state)
{
    (void)state;
    assert_int_equal(check("bootstrap.servers", "x:1"), FATAL);
    assert_non_null(strstr(error.text, "set bootstrap.servers"));
    assert_int_equal(check("fetch.wait.max.msec", "5"), FATAL);
    assert_non_null(strstr(error.text, "has no setting fetch.wait.max.msec"));
    assert_int_equal(check("fetch.wait.max.ms", "soon"), FATAL);
    assert_non_null(strstr(error.text, "fetch.wait.max.ms"));
}

static void takes_what_changes_nothing_or_is_the_users_business(void **state)
{
    (void)state;
    assert_int_equal(check("acks", "all"), OK);
    assert_int_equal(check("acks", "-1"), OK);
    assert_int_equal(check("enable.idempotence", "true"), OK);
    assert_int_equal(check("compression.type", "zstd"), OK);
    assert_int_equal(check("fetch.wait.max.ms", "50"), OK);
    assert_int_equal(check("security.protocol", "ssl"), OK);
    assert_int_equal(check("sasl.username", "weir"), OK);
    assert_int_equal(client_check_properties(NULL, 0, &error), OK);
}

/* In a process of its own: what it gives up (being root, having threads) it does not get back. */
static void wants_to_be_started_again_when_there_are_no_threads_to_be_had(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct writer *writer;
        struct rlimit none = {0};
        if ((geteuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0) {
            _exit(1);
        }
        _exit(writer_open(&writer, "127.0.0.1:1", NULL, 0, &error) == FATAL ? error.exit_code : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_TRY_AGAIN);
}

static void names_the_library(void **state)
{
    (void)state;
    assert_int_equal(strncmp(client_library(), "librdkafka ", 11), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_would_break_the_promise),
        cmocka_unit_test(says_what_to_write_instead),
        cmocka_unit_test(takes_what_changes_nothing_or_is_the_users_business),
        cmocka_unit_test(wants_to_be_started_again_when_there_are_no_threads_to_be_had),
        cmocka_unit_test(names_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
