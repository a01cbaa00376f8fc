/* test_resolution.c - codec/plan.c: what a record of one schema is when it is read as another.
 *
 * Each case is said in text: the writer's schema, a value in it, the reader's schema, and what the
 * reader sees, or why it cannot.
 */
#include <inttypes.h>

#include "codec_cases.h"

#define R(fields)            "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[" fields "]}"
#define F(name, type)        "{\"name\":\"" name "\",\"type\":" type "}"
#define D(name, type, value) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" value "}"
#define ENUM(symbols, more)  "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[" symbols "]" more "}"
#define ARRAY(type)          "{\"type\":\"array\",\"items\":" type "}"
#define MAP(type)            "{\"type\":\"map\",\"values\":" type "}"
#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"

/* A codec that knows the writer's schema as one of a directory would. */
static struct codec *codec_of(const char *writer)
{
    struct schema *schema;
    struct codec *own;
    struct weir_record *record = arena_alloc(&arena, sizeof *record);
    assert_int_equal(schema_parse(&schema, writer, strlen(writer), &arena, NULL, NULL, &error), OK);
    record->name = "the writer's";
    record->schema = writer;
    record->fingerprint = schema_fingerprint(schema);
    const struct weir_record *records[] = {record, NULL};
    assert_int_equal(codec_open(&own, records, NULL, &error), OK);
    return own;
}

static uint64_t fingerprint_of(const char *writer)
{
    struct schema *schema;
    assert_int_equal(schema_parse(&schema, writer, strlen(writer), &arena, NULL, NULL, &error), OK);
    return schema_fingerprint(schema);
}

static enum decode_result decode(const char *writer, const char *hex,
                                 const struct weir_record *reader, void *out)
{
    struct weir_bytes datum = from_hex(hex);
    struct buffer framed = {0};
    uint64_t fingerprint = fingerprint_of(writer);
    buffer_add(&framed, "\xC3\x01", 2);
    for (int i = 0; i < 8; i++) {
        buffer_add_byte(&framed, (uint8_t)(fingerprint >> 8 * i));
    }
    buffer_add(&framed, datum.data, datum.size);
    struct codec *own = codec_of(writer);
    error.text[0] = 0;
    struct weir_bytes bytes = {framed.data, framed.size};
    enum decode_result result = codec_decode(own, reader, bytes, &arena, out, &error);
    codec_close(own);
    buffer_release(&framed);
    free_bytes(datum);
    return result;
}

static void becomes(const char *writer, const char *hex, const char *reader, const char *json)
{
    const struct weir_record *record = layout_of(reader, &arena);
    void *out = arena_alloc(&arena, record->size);
    struct buffer text = {0};
    if (decode(writer, hex, record, out) != DECODED) {
        fail_msg("%s\nas %s: %s", writer, reader, error.text);
    }
    record_to_json(record, out, &text);
    assert_string_equal(buffer_string(&text), json);
    buffer_release(&text);
}

static void fails(const char *writer, const char *hex, const char *reader,
                  enum decode_result result, const char *reason)
{
    const struct weir_record *record = layout_of(reader, &arena);
    void *out = arena_alloc(&arena, record->size);
    assert_int_equal(decode(writer, hex, record, out), result);
    if (!strstr(error.text, reason)) {
        fail_msg("%s\nas %s:\n\"%s\" does not say \"%s\"", writer, reader, error.text, reason);
    }
}

static void is_bad(const char *writer, const char *hex, const char *reader, const char *reason)
{
    fails(writer, hex, reader, DECODE_BAD, reason);
}

/* ---- records ---- */

static void finds_fields_by_name_in_any_order(void **state)
{
    (void)state;
    becomes(R(F("a", "\"int\"") "," F("b", "\"string\"")), "02 0278",
            R(F("b", "\"string\"") "," F("a", "\"int\"")), "{\"b\":\"x\",\"a\":1}");
}

static void skips_fields_that_the_reader_lacks(void **state)
{
    (void)state;
    const char *reader = R(F("last", "\"int\""));
    static const struct {
        const char *type, *hex;
    } skipped[] = {
        {"\"null\"", ""},
        {"\"boolean\"", "01"},
        {"\"int\"", "feffffff0f"},
        {"\"long\"", "feffffffffffffffff01"},
        {"\"float\"", "00000000"},
        {"\"double\"", "0000000000000000"},
        {"\"bytes\"", "04 00ff"},
        {"\"string\"", "04 c3a9"},
        {"\"string\"", "02 00"}, /* nobody keeps it, so a NUL does no harm */
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "010203"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":0}", ""},
        {ENUM("\"A\",\"B\"", ""), "02"},
        {ARRAY("\"string\""), "04 0261 00 00"},
        {ARRAY("\"string\""), "03 06 0261 00 02 0262 00"}, /* -2 items in 3 bytes, then one */
        {ARRAY("\"null\""), "80897a 00"},                  /* a million of nothing */
        {MAP("\"long\""), "02 0261 02 03 0e 0262 8001 0263 00 00"},
        {MAP(MAP("\"double\"")), "02 00 02 0261 0000000000000000 00 00"},
        {"[\"null\",\"string\",\"long\"]", "00"},
        {"[\"null\",\"string\",\"long\"]", "02 0261"},
        {"[\"null\",\"string\",\"long\"]", "04 02"},
        {RECORD("Inner", F("x", "\"int\"") "," F("y", ARRAY("\"int\""))), "02 02 04 00"},
    };
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++) {
        char writer[400], hex[100], more[100];
        snprintf(writer, sizeof writer, R(F("s", "%s") "," F("last", "\"int\"")), skipped[i].type);
        snprintf(hex, sizeof hex, "%s 0e", skipped[i].hex);
        becomes(writer, hex, reader, "{\"last\":7}");
        snprintf(more, sizeof more, "%s 0e 00", skipped[i].hex);
        is_bad(writer, more, reader, "1 bytes behind");
        is_bad(writer, skipped[i].hex, reader, "last: byte ");
    }
}

static void refuses_bad_values_in_what_it_skips(void **state)
{
    (void)state;
    static const struct {
        const char *type, *hex, *reason;
    } cases[] = {
        {"\"boolean\"", "02", "s: byte 0: not a boolean"},
        {"\"int\"", "8080808010", "is not an int"},
        {"\"long\"", "ffffffffffffffffff02", "longer than 64 bits"},
        {"\"float\"", "000000", "4 bytes wanted, 3 left"},
        {"\"bytes\"", "06 00", "a length of 3"},
        {"\"bytes\"", "01 00", "a length of -1"},
        {"\"string\"", "02 ff", "not UTF-8"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "0102", "3 bytes wanted"},
        {ENUM("\"A\"", ""), "02", "symbol 1 of 1"},
        {ARRAY("\"null\""), "80a8d6b907 00", "more than 1000000 items"},
        {ARRAY("\"int\""), "03 02 02 02 00 02", "size that it says"},
        {MAP("\"null\""), "06 00", "3 items with 1 bytes left"},
        {"[]", "00", "branch 0 of 0"},
        {"[\"null\"]", "02", "branch 1 of 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char writer[400];
        snprintf(writer, sizeof writer, R(F("s", "%s")), cases[i].type);
        is_bad(writer, cases[i].hex, R(), cases[i].reason);
    }
}

static void fills_defaults_for_what_the_writer_lacks(void **state)
{
    (void)state;
    becomes(
        R(F("a", "\"int\"")), "02",
        R(D("b", "\"boolean\"", "true") "," D("i", "\"int\"", "-5") "," D("l", "\"long\"", "5000000000") "," D("s", "\"string\"", "\"text\"") "," D("y", "\"bytes\"", "\"\"") "," F(
            "a",
            "\"int\"") "," D("e", ENUM("\"A\",\"B\"", ""),
                             "\"B\"") "," D("n", "[\"null\",\"int\"]",
                                            "null") "," D("m", "[\"int\",\"null\"]",
                                                          "3") "," D("t", "[\"null\",\"string\"]",
                                                                     "null") "," D("r",
                                                                                   RECORD(
                                                                                       "In",
                                                                                       F("x", "\"in"
                                                                                              "t\"") "," F(
                                                                                           "z",
                                                                                           ARRAY(
                                                                                               "\"s"
                                                                                               "tri"
                                                                                               "ng"
                                                                                               "\""))),
                                                                                   "{\"x\":1,\"z\":"
                                                                                   "[\"p\",\"q\"]}") "," D("z",
                                                                                                           ARRAY(
                                                                                                               "\"long\""),
                                                                                                           "[]")),
        "{\"b\":true,\"i\":-5,\"l\":5000000000,\"s\":\"text\",\"y\":\"\",\"a\":1,\"e\":\"B\",\"n\":"
        "null,\"m\":3,"
        "\"t\":null,\"r\":{\"x\":1,\"z\":[\"p\",\"q\"]},\"z\":[]}");
    /* inside arrays too, and into nested records */
    becomes(R(F("l", ARRAY(RECORD("L", F("x", "\"int\""))))), "04 02 04 00",
            R(F("l", ARRAY(RECORD("L", D("t", "\"string\"", "\"d\"") "," F("x", "\"int\""))))),
            "{\"l\":[{\"t\":\"d\",\"x\":1},{\"t\":\"d\",\"x\":2}]}");
}

static void refuses_a_missing_field_without_default(void **state)
{
    (void)state;
    const char *writer = R(F("l", ARRAY(RECORD("L", F("x", "\"int\"")))));
    is_bad(writer, "00", R(F("l", ARRAY(RECORD("L", F("y", "\"int\""))))),
           "cannot be read as a.R: l[].y: the writer lacks it and it has no default");
    char hex[17];
    snprintf(hex, sizeof hex, "%016" PRIx64, fingerprint_of(writer));
    assert_non_null(strstr(error.text, hex));
}

static void does_not_fill_memory_with_defaults(void **state)
{
    (void)state;
    /* a million items of one byte, each with a default of 100 */
    struct buffer hex = {0};
    buffer_add_string(&hex, "80897a");
    for (int i = 0; i < 1000 * 1000; i++) {
        buffer_add_string(&hex, "00");
    }
    buffer_add_string(&hex, "00");
    is_bad(R(F("l", ARRAY(RECORD("L", F("x", "\"int\""))))), buffer_string(&hex),
           R(F("l", ARRAY(RECORD("L", F("x", "\"int\"") "," D(
                                          "t", "\"string\"",
                                          "\"012345678901234567890123456789012345678901234567890123"
                                          "4567890123456789012345678901234567890123456789\""))))),
           "bytes in memory");
    buffer_release(&hex);
}

static void follows_aliases_of_fields_and_types(void **state)
{
    (void)state;
    const char *alias = R("{\"name\":\"new\",\"type\":\"int\",\"aliases\":[\"older\",\"old\"]}");
    becomes(R(F("old", "\"int\"")), "02", alias, "{\"new\":1}");
    becomes(R(F("old", "\"int\"") "," F("new", "\"int\"")), "02 04", alias,
            "{\"new\":2}"); /* its name goes first */
    is_bad(R(F("other", "\"int\"")), "02", alias, "new: the writer lacks it");
    /* an alias does not take what another field of the reader bears as its name */
    is_bad(R(F("old", "\"int\"")), "02",
           R("{\"name\":\"new\",\"type\":\"int\",\"aliases\":[\"old\"]}," F("old", "\"int\"")),
           "new: the writer lacks it");
    becomes("{\"type\":\"record\",\"name\":\"b.Was\",\"fields\":[" F("f", "\"int\"") "]}", "02",
            "{\"type\":\"record\",\"name\":\"a.Is\",\"aliases\":[\"b.Was\"],\"fields\":[" F(
                "f", "\"int\"") "]}",
            "{\"f\":1}");
    becomes("{\"type\":\"record\",\"name\":\"b.Is\",\"fields\":[" F("f", "\"int\"") "]}", "02",
            "{\"type\":\"record\",\"name\":\"a.Is\",\"fields\":[" F("f", "\"int\"") "]}",
            "{\"f\":1}");
    is_bad("{\"type\":\"record\",\"name\":\"a.Other\",\"fields\":[]}", "", R(),
           "the record: the writer's a.Other cannot be read as a.R");
}

static void lays_nested_records_flat(void **state)
{
    (void)state;
    becomes(
        R(F("o",
            RECORD("O",
                   F("i", RECORD("I", F("x", "\"int\"") "," F("y", "[\"null\",\"int\"]"))) "," F(
                       "s", "\"string\"")))),
        "02 02 06 0278",
        R(F("o",
            RECORD("O",
                   F("s", "\"string\"") "," F(
                       "i", RECORD("I", F("y", "[\"int\",\"null\"]") "," F("x", "\"long\"")))))),
        "{\"o\":{\"s\":\"x\",\"i\":{\"y\":3,\"x\":1}}}");
}

/* ---- promotion ---- */

static void promotes_what_the_layout_can_hold(void **state)
{
    (void)state;
    becomes(R(F("f", "\"int\"")), "feffffff0f", R(F("f", "\"long\"")), "{\"f\":2147483647}");
    is_bad(R(F("f", "\"int\"")), "8080808010", R(F("f", "\"long\"")),
           "not an int"); /* still the writer's int */
    becomes(R(F("f", "\"string\"")), "04 c3a9", R(F("f", "\"bytes\"")), "{\"f\":\"c3a9\"}");
    becomes(R(F("f", "\"bytes\"")), "04 c3a9", R(F("f", "\"string\"")), "{\"f\":\"\xC3\xA9\"}");
    is_bad(R(F("f", "\"bytes\"")), "02 ff", R(F("f", "\"string\"")), "not UTF-8");
    becomes(R(F("f", ARRAY("\"int\""))), "02 02 00", R(F("f", ARRAY("\"long\""))), "{\"f\":[1]}");
}

static void refuses_other_kinds_by_name(void **state)
{
    (void)state;
    is_bad(R(F("f", "\"long\"")), "02", R(F("f", "\"int\"")),
           "f: the writer's long cannot be read as int");
    is_bad(R(F("f", "\"float\"")), "00000000", R(F("f", "\"long\"")),
           "the writer's float cannot be read as long");
    is_bad(R(F("f", "\"double\"")), "", R(F("f", "\"int\"")), "the writer's double");
    is_bad(R(F("f", MAP("\"int\""))), "00", R(F("f", ARRAY("\"int\""))), "the writer's map");
    is_bad(R(F("f", "\"null\"")), "", R(F("f", "\"int\"")), "the writer's null");
    is_bad(R(F("f", "{\"type\":\"fixed\",\"name\":\"F\",\"size\":1}")), "00",
           R(F("f", "\"bytes\"")), "the writer's a.F");
    is_bad(R(F("f", ENUM("\"A\"", ""))), "00", R(F("f", "\"string\"")),
           "the writer's a.E cannot be read as string");
    is_bad(R(F("f", ENUM("\"A\"", ""))), "00",
           R(F("f", "{\"type\":\"enum\",\"name\":\"Other\",\"symbols\":[\"A\"]}")),
           "the writer's a.E cannot be read as a.Other");
    is_bad(R(F("f", ARRAY("\"string\""))), "00", R(F("f", ARRAY("\"int\""))),
           "f[]: the writer's string");
    is_bad("\"int\"", "02", R(F("f", "\"int\"")), "the writer's int cannot be read as a.R");
}

static void refuses_recursive_and_exploding_writers(void **state)
{
    (void)state;
    is_bad(R(F("n", "[\"null\",\"R\"]")), "00", R(), "recursive");
    is_bad(R(F("n", RECORD("N", F("m", MAP("\"N\""))))), "00", R(), "recursive");
    struct buffer writer = {0};
    buffer_add_string(&writer,
                      "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[" F("r0",
                                                                             RECORD("R0", "")));
    for (int i = 1; i < 40; i++) { /* each has two of the one before: 2^39 when laid flat */
        buffer_format(&writer,
                      "," F("r%d",
                            RECORD("R%d",
                                   F("x", "\"R%d\"") "," F("y", "\"R%d\"") "," F("z", "\"int\""))),
                      i, i, i - 1, i - 1);
    }
    buffer_add_string(&writer, "]}");
    is_bad(buffer_string(&writer), "00", R(), "more than 20000 steps");
    buffer_reset(&writer);
    buffer_add_string(&writer, "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[" F(
                                   "r0", RECORD("R0", F("z", "\"int\""))));
    for (int i = 1; i < 80; i++) {
        buffer_format(&writer, "," F("r%d", RECORD("R%d", F("x", "\"R%d\""))), i, i, i - 1);
    }
    buffer_add_string(&writer, "]}");
    is_bad(buffer_string(&writer), "00", R(), "nested deeper than 64");
    buffer_release(&writer);
}

/* ---- enums ---- */

static void finds_symbols_by_name(void **state)
{
    (void)state;
    becomes(R(F("e", ENUM("\"A\",\"B\"", ""))), "00", R(F("e", ENUM("\"B\",\"A\"", ""))),
            "{\"e\":\"A\"}");
    becomes(R(F("e", ENUM("\"A\",\"B\"", ""))), "02", R(F("e", ENUM("\"B\",\"A\"", ""))),
            "{\"e\":\"B\"}");
    is_bad(R(F("e", ENUM("\"A\",\"B\"", ""))), "04", R(F("e", ENUM("\"B\",\"A\",\"C\"", ""))),
           "symbol 2 of 2");
}

static void reads_an_unknown_symbol_as_the_readers_default(void **state)
{
    (void)state;
    const char *writer = R(F("e", ENUM("\"NEW\",\"A\"", ",\"default\":\"NEW\"")));
    becomes(writer, "00", R(F("e", ENUM("\"A\",\"UNKNOWN\"", ",\"default\":\"UNKNOWN\""))),
            "{\"e\":\"UNKNOWN\"}");
    becomes(writer, "02", R(F("e", ENUM("\"A\",\"UNKNOWN\"", ",\"default\":\"UNKNOWN\""))),
            "{\"e\":\"A\"}");
    is_bad(writer, "00", R(F("e", ENUM("\"A\",\"UNKNOWN\"", ""))),
           "does not know the writer's symbol 0");
    becomes(writer, "02", R(F("e", ENUM("\"A\",\"UNKNOWN\"", ""))), "{\"e\":\"A\"}");
    becomes(R(F("e", "{\"type\":\"enum\",\"name\":\"Was\",\"symbols\":[\"A\"]}")), "00",
            R(F("e", ENUM("\"A\"", ",\"aliases\":[\"Was\"]"))), "{\"e\":\"A\"}");
}

/* ---- unions ---- */

static void reads_nullables_either_way(void **state)
{
    (void)state;
    const char *plain = R(F("f", "\"int\"")), *wide = R(F("f", "[\"null\",\"long\"]"));
    const char *null_first = R(F("f", "[\"null\",\"int\"]")),
               *null_last = R(F("f", "[\"int\",\"null\"]"));
    becomes(plain, "02", null_first, "{\"f\":1}");
    becomes(plain, "02", wide, "{\"f\":1}");
    becomes(null_first, "00", null_last, "{\"f\":null}");
    becomes(null_first, "02 02", null_last, "{\"f\":1}");
    becomes(null_last, "02", wide, "{\"f\":null}");
    becomes(null_last, "00 02", wide, "{\"f\":1}");
    becomes(null_first, "02 02", plain, "{\"f\":1}");
    is_bad(null_first, "00", plain, "byte 1: f: the writer's null cannot be read as int");
    becomes(R(F("f", "\"null\"")), "", wide, "{\"f\":null}");
    becomes(R(F("f", "[\"null\",\"int\",\"string\",\"long\"]") "," F("g", "\"int\"")), "06 02 04",
            R(F("f", "[\"null\",\"long\"]") "," F("g", "\"int\"")), "{\"f\":1,\"g\":2}");
    is_bad(R(F("f", "[\"null\",\"int\",\"string\"]")), "04 00", wide,
           "the writer's string cannot be read as long");
    becomes(R(F("f", "[\"null\",\"string\"]")), "02 0261", R(F("f", "[\"null\",\"bytes\"]")),
            "{\"f\":\"61\"}");
    becomes(R(F("f", "[\"string\"]")), "00 0261", R(F("f", "\"string\"")), "{\"f\":\"a\"}");
    is_bad(R(F("f", "[]")), "00", plain, "branch 0 of 0");
}

#define AB "[" RECORD("A", F("x", "\"int\"")) "," RECORD("B", F("y", "\"string\"")) "]"
#define BA "[" RECORD("B", F("y", "\"string\"")) "," RECORD("A", F("x", "\"int\"")) "]"
#define ABC \
    "[" RECORD("A", F("x", "\"int\"")) "," RECORD("B", F("y", "\"string\"")) "," RECORD("C", "") "]"

static void finds_branches_by_name(void **state)
{
    (void)state;
    becomes(R(F("u", AB) "," F("n", "\"int\"")), "00 02 04", R(F("u", BA) "," F("n", "\"int\"")),
            "{\"u\":{\"A\":{\"x\":1}},\"n\":2}");
    becomes(R(F("u", AB) "," F("n", "\"int\"")), "02 0261 04", R(F("u", BA) "," F("n", "\"int\"")),
            "{\"u\":{\"B\":{\"y\":\"a\"}},\"n\":2}");
    becomes(R(F("u", RECORD("B", F("y", "\"string\"")))), "0261", R(F("u", AB)),
            "{\"u\":{\"B\":{\"y\":\"a\"}}}");
    becomes(R(F("u", AB)), "02 0261", R(F("u", RECORD("B", F("y", "\"string\"")))),
            "{\"u\":{\"y\":\"a\"}}");
    becomes(R(F("u", "[\"null\"," RECORD("B", F("y", "\"string\"")) "]")), "02 0261", R(F("u", AB)),
            "{\"u\":{\"B\":{\"y\":\"a\"}}}");
    is_bad(R(F("u", AB)), "00 02", R(F("u", RECORD("B", F("y", "\"string\"")))),
           "the writer's a.A cannot be read as a.B");
    is_bad(R(F("u", "[\"null\"," RECORD("B", F("y", "\"string\"")) "]")), "00", R(F("u", AB)),
           "the writer's null");
}

static void prefers_the_full_name_then_an_alias_then_the_last_part(void **state)
{
    (void)state;
    const char *reader =
        R(F("u",
            "[" RECORD(
                "p.X",
                D("by", "\"string\"",
                  "\"last part\"")) ","
                                    "{\"type\":\"record\",\"name\":\"q.Y\",\"aliases\":[\"s.X\"],"
                                    "\"fields\":[" D("by", "\"string\"", "\"alias\"") "]}," RECORD(
                                        "q.X", D("by", "\"string\"", "\"full name\"")) "]"));
    becomes(R(F("u", RECORD("q.X", ""))), "", reader, "{\"u\":{\"X\":{\"by\":\"full name\"}}}");
    becomes(R(F("u", RECORD("s.X", ""))), "", reader, "{\"u\":{\"Y\":{\"by\":\"alias\"}}}");
    becomes(R(F("u", RECORD("t.X", ""))), "", reader, "{\"u\":{\"X\":{\"by\":\"last part\"}}}");
}

static void pauses_on_an_unknown_branch_only_where_it_occurs(void **state)
{
    (void)state;
    becomes(R(F("u", ABC)), "00 02", R(F("u", AB)), "{\"u\":{\"A\":{\"x\":1}}}");
    fails(R(F("u", ABC)), "04", R(F("u", AB)), DECODE_UNKNOWN_BRANCH,
          "byte 1: u: the writer's a.C cannot be read as union");
    is_bad(R(F("u", ABC)), "06", R(F("u", AB)), "branch 3 of 3");
    is_bad(R(F("u", "[\"null\",\"string\"]")), "02 00", R(F("u", AB)), "the writer's string");
    is_bad(R(F("u", RECORD("C", ""))), "", R(F("u", AB)),
           "the writer's a.C"); /* no union: the schemas do not fit */
}

static void harms_only_the_branch_that_does_not_fit(void **state)
{
    (void)state;
    const char *writer =
        R(F("u", "[" RECORD("A", F("x", "\"string\"")) "," RECORD("B", F("y", "\"string\"")) "]"));
    becomes(writer, "02 0261", R(F("u", AB)), "{\"u\":{\"B\":{\"y\":\"a\"}}}");
    is_bad(writer, "00 0261", R(F("u", AB)), "u.x: the writer's string cannot be read as int");
}

static void evolves_an_order_forth_and_back(void **state)
{
    (void)state;
    const char *old =
        R(F("id", "\"string\"") "," F("total", "\"int\"") "," F("legacy", MAP("\"string\"")));
    const char *new = R(F("id", "\"string\"") "," D(
        "note", "[\"null\",\"string\"]",
        "null") ","
                "{\"name\":\"total_minor\",\"type\":\"long\",\"aliases\":[\"total\"]}," D(
                    "lines", ARRAY(RECORD("L", F("q", "\"int\""))), "[]"));
    becomes(old, "0461 62 c801 02 0278 0279 00", new,
            "{\"id\":\"ab\",\"note\":null,\"total_minor\":100,\"lines\":[]}");
    is_bad(new, "0461 62 00 c801 00", R(F("id", "\"string\"") "," F("total", "\"int\"")),
           "total: the writer lacks it");
    becomes(new, "0461 62 02 0278 c801 02 02 00", R(F("id", "\"string\"")), "{\"id\":\"ab\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_fields_by_name_in_any_order),
        TEST(skips_fields_that_the_reader_lacks),
        TEST(refuses_bad_values_in_what_it_skips),
        TEST(fills_defaults_for_what_the_writer_lacks),
        TEST(refuses_a_missing_field_without_default),
        TEST(does_not_fill_memory_with_defaults),
        TEST(follows_aliases_of_fields_and_types),
        TEST(lays_nested_records_flat),
        TEST(promotes_what_the_layout_can_hold),
        TEST(refuses_other_kinds_by_name),
        TEST(refuses_recursive_and_exploding_writers),
        TEST(finds_symbols_by_name),
        TEST(reads_an_unknown_symbol_as_the_readers_default),
        TEST(reads_nullables_either_way),
        TEST(finds_branches_by_name),
        TEST(prefers_the_full_name_then_an_alias_then_the_last_part),
        TEST(pauses_on_an_unknown_branch_only_where_it_occurs),
        TEST(harms_only_the_branch_that_does_not_fit),
        TEST(evolves_an_order_forth_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
