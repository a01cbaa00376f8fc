/* test_record_json.c - records as JSON and back, strictly; copies and comparison of records. */
#include "codec_cases.h"

/* Every kind of field. */
#define ALL                                                                                    \
    "a.R{yes boolean; i int; l long; s string; y bytes; e E<RED BLUE>; ns ?string; nl ?long; " \
    "ne ?E; nb ?boolean; ny ?bytes; lines []L{sku string; qty int}; in In{x int}; "            \
    "payload (Reserve{n long}|b.Release{ids []string})}"

static const char full[] =
    "{\"yes\":true,\"i\":-2147483648,\"l\":9223372036854775807,\"s\":\"a\\\"b\\n\xC3\xA9\",\"y\":"
    "\"00ff\",\"e\":\"BLUE\",\"ns\":\"\",\"nl\":0,\"ne\":\"RED\",\"nb\":false,\"ny\":\"\","
    "\"lines\":[{\"sku\":\"A\",\"qty\":1},{\"sku\":\"B\",\"qty\":2}],\"in\":{\"x\":5},\"payload\":{"
    "\"Release\":{\"ids\":[\"p\",\"q\"]}}}";
static const char spare[] = "{\"yes\":false,\"i\":0,\"l\":-1,\"s\":\"\",\"y\":\"\",\"e\":\"RED\","
                            "\"ns\":null,\"nl\":null,\"ne\":null,\"nb\":null,\"ny\":null,\"lines\":"
                            "[],\"in\":{\"x\":0},\"payload\":{\"Reserve\":{\"n\":1}}}";

static struct weir_bytes text_of(const char *text)
{
    return (struct weir_bytes){(const uint8_t *)text, strlen(text)};
}

static void *value_of(const struct weir_record *record, const char *json)
{
    void *value = arena_alloc(&arena, record->size);
    if (record_from_json(record, text_of(json), &arena, value, &error) != DECODED) {
        fail_msg("%s: %s", json, error.text);
    }
    return value;
}

static void is_written(const struct weir_record *record, const void *value, const char *json)
{
    struct buffer text = {0};
    record_to_json(record, value, &text);
    assert_string_equal(buffer_string(&text), json);
    buffer_release(&text);
}

static void refused(const char *schema, const char *json, const char *reason)
{
    const struct weir_record *record = record_of(schema);
    void *value = arena_alloc(&arena, record->size);
    if (record_from_json(record, text_of(json), &arena, value, &error) != DECODE_BAD) {
        fail_msg("accepted: %s", json);
    }
    assert_string_equal(error.text, reason);
    assert_int_equal(error.exit_code, EXIT_DATA);
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    const struct weir_record *record = record_of(ALL);
    is_written(record, value_of(record, full), full);
    is_written(record, value_of(record, spare), spare);
}

static void comes_back_from_avro_as_it_was(void **state)
{
    (void)state;
    const struct weir_record *record = record_of(ALL);
    const char *texts[] = {full, spare};
    for (size_t i = 0; i < 2; i++) {
        struct buffer bytes = {0};
        void *value = value_of(record, texts[i]), *back = arena_alloc(&arena, record->size);
        codec_encode_datum(record, value, &bytes);
        struct weir_bytes datum = {bytes.data, bytes.size};
        assert_int_equal(codec_decode_datum(codec, record, datum, &arena, back, &error), DECODED);
        assert_true(record_equal(record, value, back));
        is_written(record, back, texts[i]);
        buffer_release(&bytes);
    }
}

static void fills_defaults_of_members_that_are_missing(void **state)
{
    (void)state;
    const struct weir_record *record = record_of("a.R{n ?int = null; i int = 4; s string = 'd'}");
    is_written(record, value_of(record, "{}"), "{\"n\":null,\"i\":4,\"s\":\"d\"}");
    is_written(record, value_of(record, " { \"s\" : \"\" , \"n\" : 2 } "),
               "{\"n\":2,\"i\":4,\"s\":\"\"}");
}

static void refuses_members_that_are_unknown_missing_or_twice(void **state)
{
    (void)state;
    const char *schema = "a.R{lines []L{sku string; qty int}}";
    refused(schema, "{\"lines\":[{\"sku\":\"A\",\"qty\":1},{\"sku\":\"A\"}]}",
            "lines[1].qty: it is missing");
    refused(schema, "{\"lines\":[{\"sku\":\"A\",\"qty\":1,\"x\\n\":2}]}",
            "lines[0].x?: L has no such member");
    refused(schema, "{\"lines\":[],\"Lines\":[]}", "Lines: R has no such member");
    refused(schema, "{}", "lines: it is missing");
    refused(schema, "{\"lines\":[],\"lines\":[]}",
            "line 1, column 19: duplicate object key near '\"lines\"'");
}

static void refuses_values_of_another_type(void **state)
{
    (void)state;
    refused("a.R{f int}", "{\"f\":2147483648}", "f: it must be an integer of 32 bits");
    refused("a.R{f int}", "{\"f\":1.0}", "f: it must be an integer of 32 bits");
    refused("a.R{f int}", "{\"f\":1e2}", "f: it must be an integer of 32 bits");
    refused("a.R{f int}", "{\"f\":\"1\"}", "f: it must be an integer of 32 bits");
    refused("a.R{f int}", "{\"f\":null}", "f: it must be an integer of 32 bits");
    refused("a.R{f int}", "{\"f\":true}", "f: it must be an integer of 32 bits");
    refused("a.R{f int}", "{\"f\":[1]}", "f: it must be an integer of 32 bits");
    refused("a.R{f ?long}", "{\"f\":{\"long\":1}}", "f: it must be an integer of 64 bits, or null");
    refused("a.R{f boolean}", "{\"f\":1}", "f: it must be true or false");
    refused("a.R{f string}", "{\"f\":1}", "f: it must be a string (without NUL)");
    refused("a.R{f string}", "{\"f\":\"a\\u0000\"}", "f: it must be a string (without NUL)");
    refused("a.R{f E<RED BLUE>}", "{\"f\":\"GREEN\"}", "f: it must be a symbol of a.E");
    refused("a.R{f E<RED BLUE>}", "{\"f\":\"red\"}", "f: it must be a symbol of a.E");
    refused("a.R{f E<RED BLUE>}", "{\"f\":0}", "f: it must be a symbol of a.E");
    refused("a.R{f bytes}", "{\"f\":\"0\"}",
            "f: it must be a string of lower-case hex digits, two for a byte");
    refused("a.R{f bytes}", "{\"f\":\"0G\"}",
            "f: it must be a string of lower-case hex digits, two for a byte");
    refused("a.R{f bytes}", "{\"f\":\"AA\"}",
            "f: it must be a string of lower-case hex digits, two for a byte");
    refused("a.R{f []L{sku string; qty int}}", "{\"f\":{}}", "f: it must be a list");
    refused("a.R{f []L{sku string; qty int}}", "{\"f\":[[]]}", "f[0]: it must be an object");
    refused("a.R{f int}", "[]", "it must be an object");
    refused("a.R{f int}", "null", "it must be an object");
}

static void refuses_unions_that_are_not_one_known_record(void **state)
{
    (void)state;
    const char *schema = "a.R{u (Reserve{n long}|b.Release{ids []string})}";
    refused(schema, "{\"u\":{}}",
            "u: 0 members; it must be an object with one member, the record's name");
    refused(schema, "{\"u\":{\"Reserve\":{\"n\":1},\"Release\":{}}}",
            "u: 2 members; it must be an object with one member, the record's name");
    refused(schema, "{\"u\":{\"Other\":{}}}",
            "u.Other: it is not one of the records that may stand here");
    refused(schema, "{\"u\":{\"Reserve\":{\"n\":\"1\"}}}",
            "u.Reserve.n: it must be an integer of 64 bits");
    refused(schema, "{\"u\":{\"Reserve\":[]}}", "u.Reserve: it must be an object");
    refused(schema, "{\"u\":null}", "u: it must be an object with one member, the record's name");
}

static void refuses_text_that_is_not_json(void **state)
{
    (void)state;
    refused("a.R{}", "{} x", "line 1, column 4: end of file expected near 'x'");
    refused("a.R{}", "{\n]", "line 2, column 1: string or '}' expected near ']'");
    refused("a.R{}", "", "line 1, column 1: unexpected token near end of file");
    refused("a.R{f long}", "{\"f\":9223372036854775808}",
            "line 1, column 24: too big integer near '9223372036854775808'");
}

static void survives_every_truncation_and_every_flipped_bit(void **state)
{
    (void)state;
    const struct weir_record *record = record_of(ALL);
    void *value = arena_alloc(&arena, record->size);
    size_t size = strlen(full), decoded = 0;
    struct arena own;
    arena_init(&own);
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, full, cut);
        struct weir_bytes text = {(uint8_t *)copy, cut};
        assert_int_equal(record_from_json(record, text, &own, value, &error), DECODE_BAD);
        free(copy);
        arena_reset(&own);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        struct buffer again = {0};
        char *copy = malloc(size);
        memcpy(copy, full, size);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        struct weir_bytes text = {(uint8_t *)copy, size};
        if (record_from_json(record, text, &own, value, &error) == DECODED) {
            decoded++;
            codec_encode_datum(record, value, &again); /* a whole record, or this would stop */
        }
        buffer_release(&again);
        free(copy);
        arena_reset(&own);
    }
    assert_true(decoded > 50);
    arena_release(&own);
}

static void reads_and_writes_one_field_alone(void **state)
{
    (void)state;
    const struct weir_record *record = record_of(ALL);
    uint8_t *value = value_of(record, full);
    struct buffer text = {0};
    const struct weir_field *lines = &record->fields[11], *ns = &record->fields[6],
                            *nl = &record->fields[7], *ny = &record->fields[10];
    field_to_json(lines, value, &text);
    assert_string_equal(buffer_string(&text),
                        "[{\"sku\":\"A\",\"qty\":1},{\"sku\":\"B\",\"qty\":2}]");
    assert_int_equal(field_from_json(lines, text_of("[{\"sku\":\"C\",\"qty\":3}]"), &arena, value,
                                     &error),
                     DECODED);
    assert_int_equal(field_from_json(ns, text_of("null"), &arena, value, &error), DECODED);
    assert_int_equal(field_from_json(nl, text_of("null"), &arena, value, &error), DECODED);
    assert_int_equal(field_from_json(ny, text_of("null"), &arena, value, &error), DECODED);
    buffer_reset(&text);
    record_to_json(record, value, &text);
    assert_non_null(strstr(buffer_string(&text), "\"lines\":[{\"sku\":\"C\",\"qty\":3}]"));
    assert_non_null(strstr(buffer_string(&text), "\"ns\":null,\"nl\":null"));
    assert_non_null(strstr(buffer_string(&text), "\"ny\":null"));
    assert_int_equal(field_from_json(nl, text_of("7"), &arena, value, &error), DECODED);
    assert_int_equal(field_from_json(lines, text_of("[{\"sku\":\"C\"}]"), &arena, value, &error),
                     DECODE_BAD);
    assert_string_equal(error.text, "lines[0].qty: it is missing");
    assert_int_equal(field_from_json(nl, text_of("{"), &arena, value, &error), DECODE_BAD);
    assert_int_equal(field_from_json(lines, text_of("null"), &arena, value, &error), DECODE_BAD);
    assert_int_equal(field_from_json(nl, text_of("{}"), &arena, value, &error), DECODE_BAD);
    buffer_release(&text);
}

static void copies_share_nothing(void **state)
{
    (void)state;
    const struct weir_record *record = record_of(ALL);
    struct arena own, other;
    arena_init(&own);
    arena_init(&other);
    void *value = arena_alloc(&own, record->size), *copy = arena_alloc(&other, record->size);
    assert_int_equal(record_from_json(record, text_of(full), &own, value, &error), DECODED);
    record_copy(record, value, &other, copy);
    assert_true(record_equal(record, value, copy));
    arena_release(&own); /* whatever the copy still points at there, the sanitizer sees */
    is_written(record, copy, full);
    arena_release(&other);
    is_written(record, value_of(record, spare), spare);
}

static void differs_in_every_single_field(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } changes[] = {
        {"\"yes\":true", "\"yes\":false"},
        {"-2147483648", "1"},
        {"9223372036854775807", "1"},
        {"a\\\"b", "a"},
        {"00ff", "00fe"},
        {"00ff", "00"},
        {"BLUE", "RED"},
        {"\"ns\":\"\"", "\"ns\":null"},
        {"\"nl\":0", "\"nl\":null"},
        {"\"nl\":0", "\"nl\":1"},
        {"\"ne\":\"RED\"", "\"ne\":null"},
        {"\"nb\":false", "\"nb\":null"},
        {"\"ny\":\"\"", "\"ny\":null"},
        {"\"qty\":2", "\"qty\":3"},
        {",{\"sku\":\"B\",\"qty\":2}", ""},
        {"\"x\":5", "\"x\":6"},
        {"\"q\"]", "\"r\"]"},
        {"{\"Release\":{\"ids\":[\"p\",\"q\"]}}", "{\"Reserve\":{\"n\":1}}"},
    };
    const struct weir_record *record = record_of(ALL);
    const void *value = value_of(record, full);
    assert_true(record_equal(record, value, value_of(record, full)));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(full, changes[i].from);
        assert_non_null(at);
        const char *changed = arena_format(&arena, "%.*s%s%s", (int)(at - full), full,
                                           changes[i].to, at + strlen(changes[i].from));
        const void *other = value_of(record, changed);
        if (record_equal(record, value, other) || record_equal(record, other, value)) {
            fail_msg("equal: %s", changed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_what_it_reads),
        TEST(comes_back_from_avro_as_it_was),
        TEST(fills_defaults_of_members_that_are_missing),
        TEST(refuses_members_that_are_unknown_missing_or_twice),
        TEST(refuses_values_of_another_type),
        TEST(refuses_unions_that_are_not_one_known_record),
        TEST(refuses_text_that_is_not_json),
        TEST(survives_every_truncation_and_every_flipped_bit),
        TEST(reads_and_writes_one_field_alone),
        TEST(copies_share_nothing),
        TEST(differs_in_every_single_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
