/* test_conformance.c - a real Kafka behind our adapter, and a network that goes wrong between them,
 * do what the conformance cases say. A first argument is a filter for their names.
 */
#include "kafka/kafka_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { CASES_MAX = 32, SKIPPED = 77 };

static int run_cases(const char *name, const struct conformance_case *cases)
{
    struct CMUnitTest tests[CASES_MAX];
    size_t count = 0;
    for (; cases[count].name; count++) {
        CHECK(count < CASES_MAX);
        tests[count] = (struct CMUnitTest){cases[count].name, cases[count].run,
                                           kafka_world_set_up_proxied, kafka_world_tear_down, NULL};
    }
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int main(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    if (!kafka_world_is_there()) {
        return SKIPPED;
    }
    int failed = run_cases("log", conformance_log);
    failed += run_cases("strays", conformance_strays);
    failed += run_cases("losses", conformance_losses);
    failed += run_cases("offsets", conformance_offsets);
    failed += run_cases("owners", conformance_owners);
    return failed;
}
