/* test_broker.c - the broker in memory does what Kafka does: the conformance cases on it. */
#include "broker/conformance.h"
#include "broker/memory_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { CASES_MAX = 32 };

static int run_cases(const char *name, const struct conformance_case *cases)
{
    struct CMUnitTest tests[CASES_MAX];
    size_t count = 0;
    for (; cases[count].name; count++) {
        CHECK(count < CASES_MAX);
        tests[count] = (struct CMUnitTest){cases[count].name, cases[count].run, memory_world_set_up,
                                           memory_world_tear_down, NULL};
    }
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int main(void)
{
    int failed = run_cases("log", conformance_log);
    failed += run_cases("strays", conformance_strays);
    failed += run_cases("losses", conformance_losses);
    failed += run_cases("offsets", conformance_offsets);
    failed += run_cases("owners", conformance_owners);
    return failed;
}
