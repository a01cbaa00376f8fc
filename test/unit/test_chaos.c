/* test_chaos.c - the chaos program's own parts: what it understands of requests, which faults it
 * deals, and how it keeps its record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/nemesis.h"
#include "chaos/options.h"
#include "chaos/proxy_internal.h"
#include "chaos/record.h"

#include <cmocka.h>

/* ---- requests ---- */

static void expect_request(const char *bytes, size_t size, enum api api)
{
    struct request request;
    request_read(&request, (const uint8_t *)bytes, size);
    assert_int_equal(request_api(&request), api);
    assert_int_equal(request.correlation, 7);
    assert_string_equal(request.client, "order.p1#2");
    assert_string_equal(request.task, api == ANY_API ? "" : "order.p1");
}

static void knows_which_task_a_request_is_of(void **state)
{
    (void)state;
    static const char end_txn[] = "\0\0\0\x2b\0\x1a\0\x01\0\0\0\x07\0\x0aorder.p1#2\0\x08order.p1"
                                  "\0\0\0\0\0\0\0\x02\0\x04\x01";
    static const char offsets[] = "\0\0\0\x1f\0\x1c\0\x03\0\0\0\x07\0\x0aorder.p1#2\0"
                                  "\x09order.p1\x06order";
    static const char fetch[] = "\0\0\0\x14\0\x01\0\x0b\0\0\0\x07\0\x0aorder.p1#2";
    expect_request(end_txn, sizeof end_txn - 1, API_END_TXN);
    expect_request(offsets, sizeof offsets - 1, API_OFFSETS);
    expect_request(fetch, sizeof fetch - 1, ANY_API);
}

static void reads_nothing_behind_the_end_of_a_request(void **state)
{
    (void)state;
    static const char cut[] = "\0\0\0\x1a\0\x1a\0\x01\0\0\0\x07\0\x0aorder.p1#2\0\x08or";
    struct request request;
    request_read(&request, (const uint8_t *)cut, sizeof cut - 1);
    assert_string_equal(request.task, "");
}

/* ---- the deck ---- */

static size_t cards_of(const struct nemesis *nemesis, enum kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < nemesis->deck_count; i++) {
        count += nemesis->deck[i] == kind;
    }
    return count;
}

static bool parses(struct options *options, char *faults)
{
    char *arguments[] = {"chaos", "--dir", "d",   "--weir",   "w",   "--kafka",
                         "k",     "--gap", "100", "--faults", faults};
    return options_parse(options, sizeof arguments / sizeof *arguments, arguments);
}

static void deals_kinds_by_their_weights(void **state)
{
    (void)state;
    struct options options;
    static struct results results;
    static struct nemesis nemesis;
    assert_true(parses(&options, "kill=30,late:endtxn=10,zombie"));
    assert_int_equal(options.only_api[LATE], API_END_TXN);
    nemesis = (struct nemesis){.options = &options, .results = &results, .dice = {7}};
    nemesis_begin(&nemesis, FIXED, 44 * 100);
    assert_int_equal(cards_of(&nemesis, KILL), 30);
    assert_int_equal(cards_of(&nemesis, LATE), 10);
    assert_int_equal(cards_of(&nemesis, ZOMBIE), 4); /* its own weight */
    assert_int_equal(nemesis.deck_count, 44);
    assert_false(parses(&options, "kill=many"));
}

/* ---- the record ---- */

static void sums_up_what_stands_in_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-chaos-XXXXXX", text[8000];
    int file = mkstemp(path);
    assert_true(file >= 0);
    struct options options = {.seed = 5, .commit = "abc", .kafka_version = "4.3.1"};
    struct results results = {.options = &options, .began_ms = now_ms()};
    results.counts[COUNT_KILLS] = 700;
    results.faults[BROKER_KILL] = 40;
    record_run(&results, path);
    results.counts[COUNT_KILLS] = 301;
    results.faults[LATE] = 9;
    record_run(&results, path);
    ssize_t size = pread(file, text, sizeof text - 1, 0);
    assert_true(size > 0);
    text[size] = 0;
    assert_non_null(strstr(text, "in 2 runs"));
    assert_non_null(strstr(text, "- killed: **1001**\n"));
    assert_non_null(strstr(text, "- broker kills: **80**\n"));
    assert_non_null(strstr(text, "- late: **9**\n"));
    assert_non_null(strstr(text, "- violations: **0**\n"));
    close(file);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_which_task_a_request_is_of),
        cmocka_unit_test(reads_nothing_behind_the_end_of_a_request),
        cmocka_unit_test(deals_kinds_by_their_weights),
        cmocka_unit_test(sums_up_what_stands_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
