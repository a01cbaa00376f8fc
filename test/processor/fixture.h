/* fixture.h - what every file of processor tests begins with: cmocka, and a new harness per test.
 *
 * FIXTURE(order_processor) before the tests, TEST(its_name) in main()'s list.
 */
#ifndef WEIR_TEST_PROCESSOR_FIXTURE_H
#define WEIR_TEST_PROCESSOR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "processor/harness.h"
#include "processors.h"

#define FIXTURE(processor)                   \
    static int set_up(void **state)          \
    {                                        \
        *state = harness_open(&(processor)); \
        return 0;                            \
    }                                        \
    static int tear_down(void **state)       \
    {                                        \
        harness_close(*state);               \
        return 0;                            \
    }                                        \
    _Static_assert(1, "takes the semicolon")

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
