/* test_json.c - base/json.h and base/utf8.h: what is read, what is refused and where, what is
 * written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

#include <cmocka.h>

static struct json *read_json(const char *text)
{
    struct json *root = NULL;
    struct error error = {0};
    if (json_parse(&root, text, strlen(text), &error)) {
        fail_msg("%s: %s", text, error.text);
    }
    return root;
}

static void refused(const void *text, size_t size, const char *reason)
{
    struct json *root = NULL;
    struct error error = {0};
    assert_int_equal(json_parse(&root, text, size, &error), FATAL);
    assert_null(root);
    assert_int_equal(error.exit_code, EXIT_DATA);
    if (!strstr(error.text, reason)) {
        fail_msg("%.60s: \"%s\" does not say \"%s\"", (const char *)text, error.text, reason);
    }
}

static void refused_text(const char *text, const char *reason)
{
    refused(text, strlen(text), reason);
}

static void round_trip(const char *text, const char *expected)
{
    struct json *root = read_json(text);
    struct buffer out = {0};
    json_print(root, &out);
    assert_string_equal(buffer_string(&out), expected);
    buffer_release(&out);
    json_free(root);
}

static void reads_every_kind_of_value(void **state)
{
    (void)state;
    struct json *root = read_json("{\"a\":[null,true,-9223372036854775808,1.5,\"x\"],\"b\":{}}");
    const struct json *list = json_get(root, "a");
    assert_int_equal(json_kind(root), JSON_MEMBERS);
    assert_int_equal(json_count(root), 2);
    assert_int_equal(json_count(list), 5);
    assert_int_equal(json_kind(json_at(list, 0)), JSON_NULL_VALUE);
    assert_true(json_boolean(json_at(list, 1)));
    assert_true(json_number(json_at(list, 2)) == INT64_MIN);
    assert_int_equal(json_kind(json_at(list, 3)), JSON_REAL_NUMBER);
    assert_string_equal(json_text(json_at(list, 4)), "x");
    assert_null(json_first(json_get(root, "b")));
    assert_null(json_get(root, "c"));
    json_free(root);
}

static void keeps_members_in_the_order_of_the_text(void **state)
{
    (void)state;
    struct json *root = read_json("{\"z\":1,\"a\":2,\"m\":3}");
    const char *names[] = {"z", "a", "m"};
    int64_t next = 0;
    for (void *at = json_first(root); at; at = json_next(root, at)) {
        assert_string_equal(json_name(at), names[next]);
        assert_int_equal(json_number(json_value(at)), ++next);
    }
    assert_int_equal(next, 3);
    json_free(root);
}

static void keeps_a_nul_inside_a_text(void **state)
{
    (void)state;
    struct json *root = read_json("\"a\\u0000b\"");
    assert_int_equal(json_text_size(root), 3);
    assert_memory_equal(json_text(root), "a\0b", 4);
    json_free(root);
}

static void lives_in_the_arena_it_is_read_into(void **state)
{
    (void)state;
    struct arena arena;
    struct json *root;
    struct error error;
    arena_init(&arena);
    assert_int_equal(json_parse_in(&root, "[\"x\"]", 5, &arena, &error), OK);
    assert_string_equal(json_text(json_at(root, 0)), "x");
    arena_release(&arena);
}

static void refuses_what_is_not_json_with_line_and_column(void **state)
{
    (void)state;
    refused_text("", "line 1");
    refused_text("{\n  \"a\": 1,\n}", "line 3, column ");
    refused_text("[1] 2", "end of file");
    refused_text("{\"a\":1,\"a\":2}", "duplicate");
    refused_text("[01]", "line 1");
    refused_text("[9223372036854775808]", "too big");
    refused_text("[1e999]", "overflow");
    refused_text("\"\\ud800\"", "line 1");
    refused_text("\"\xC3\x28\"", "line 1");
    refused_text("\"\xED\xA0\x80\"", "line 1");
    refused_text("{\"a\\u0000b\":1}", "line 1");
    refused_text("NaN", "line 1");
    refused("[1]\0", 4, "line 1");
}

static void refuses_every_truncation_of_a_text(void **state)
{
    (void)state;
    const char *text = "{\"a\":[1,true,{\"b\":\"\\u00e9\"}]}";
    for (size_t size = 0; size < strlen(text); size++) {
        char *cut = malloc(size + 1); /* exactly this size, so that a read beyond is seen */
        memcpy(cut, text, size);
        refused(cut, size, "line 1");
        free(cut);
    }
}

static void reads_64_levels_and_refuses_65(void **state)
{
    (void)state;
    char text[131];
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    refused(text, 130, "line 1, column 65: nested deeper");
    struct json *root;
    struct error error;
    assert_int_equal(json_parse(&root, text + 1, 128, &error), OK);
    json_free(root);
    round_trip(
        "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"",
        "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"");
}

static void refuses_more_values_than_it_wants_to_hold(void **state)
{
    (void)state;
    size_t count = 300 * 1000;
    char *text = malloc(2 * count + 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + 2 * i, i == 0 ? "[1" : ",1", 2);
    }
    text[2 * count] = ']';
    refused(text, 2 * count + 1, "more than 250000 values");
    free(text);
}

static void prints_what_it_read(void **state)
{
    (void)state;
    round_trip(" { \"b\" : [ 1 , -2.5 , 1e2, true , false, null ] , \"a\" : { } } ",
               "{\"b\":[1,-2.5,100.0,true,false,null],\"a\":{}}");
    round_trip("\"\\u0001\\n\\\"\\\\/\\u00e9\\ud83d\\ude00\\u007f\"",
               "\"\\u0001\\n\\\"\\\\/\xC3\xA9\xF0\x9F\x98\x80\x7F\"");
    round_trip("\"\\b\\f\\r\\t\\u0000\"", "\"\\b\\f\\r\\t\\u0000\"");
}

static void quotes_invalid_utf8_as_replacement_characters(void **state)
{
    (void)state;
    struct buffer out = {0};
    json_quote(&out, "a\xFF\xC3z\xE2\x82", 6);
    assert_string_equal(buffer_string(&out),
                        "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\"");
    buffer_release(&out);
}

static void knows_utf8_from_its_neighbours(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ascii, longer than eight", true},
        {"\xC2\x80", true},
        {"\xDF\xBF", true},
        {"\xE0\xA0\x80", true},
        {"\xED\x9F\xBF", true},
        {"\xEE\x80\x80", true},
        {"\xF0\x90\x80\x80", true},
        {"\xF4\x8F\xBF\xBF", true},
        {"\x80", false},
        {"\xC1\xBF", false},         /* overlong */
        {"\xE0\x9F\xBF", false},     /* overlong */
        {"\xF0\x8F\xBF\xBF", false}, /* overlong */
        {"\xED\xA0\x80", false},     /* surrogate */
        {"\xF4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xF5\x80\x80\x80", false},
        {"\xFF", false},
        {"\xC3", false}, /* cut */
        {"\xE2\x82", false},
        {"\xF0\x9F\x98", false},
        {"\xE2\x28\xA1", false},
        {"eight by\xC3\xA9tes", true},
        {"seven b\xC3(", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text);
        char *exact = malloc(size + 1);
        memcpy(exact, cases[i].text, size);
        char *moved = realloc(exact, size > 0 ? size : 1);
        if (utf8_valid(moved, size) != cases[i].valid ||
            utf8_valid_string(moved, size) != cases[i].valid) {
            fail_msg("case %zu", i);
        }
        free(moved);
    }
    assert_true(utf8_valid("12345678\0", 9));
    assert_false(utf8_valid_string("12345678\0", 9));
    assert_false(utf8_valid_string("1234\0"
                                   "5678",
                                   9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind_of_value),
        cmocka_unit_test(keeps_members_in_the_order_of_the_text),
        cmocka_unit_test(keeps_a_nul_inside_a_text),
        cmocka_unit_test(lives_in_the_arena_it_is_read_into),
        cmocka_unit_test(refuses_what_is_not_json_with_line_and_column),
        cmocka_unit_test(refuses_every_truncation_of_a_text),
        cmocka_unit_test(reads_64_levels_and_refuses_65),
        cmocka_unit_test(refuses_more_values_than_it_wants_to_hold),
        cmocka_unit_test(prints_what_it_read),
        cmocka_unit_test(quotes_invalid_utf8_as_replacement_characters),
        cmocka_unit_test(knows_utf8_from_its_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
