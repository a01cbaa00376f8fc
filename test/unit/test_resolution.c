/* test_resolution.c - codec/plan.c: what a record of one schema is when it is read as another.
 *
 * Each case is said in text: the writer's schema, a value in it, the reader's schema, and what the
 * reader sees, or why it cannot. Schemas are in short (schema_of.h), values in hex.
 */
#include <inttypes.h>

#include "codec_cases.h"

/* The writer's schema, parsed, as one that the codec knows. */
static const struct weir_record *writer_of(const char *text)
{
    struct schema *schema;
    struct weir_record *record = arena_alloc(&arena, sizeof *record);
    record->name = "the writer's";
    record->schema = schema_of(text, &arena);
    const char *json = record->schema;
    assert_int_equal(schema_parse(&schema, json, strlen(json), &arena, NULL, NULL, &error), OK);
    record->fingerprint = schema_fingerprint(schema);
    return record;
}

static enum decode_result decode(const char *writer_text, const char *hex,
                                 const struct weir_record *reader, void *out)
{
    const struct weir_record *writer = writer_of(writer_text), *records[] = {writer, NULL};
    struct weir_bytes datum = from_hex(hex);
    struct buffer framed = {0};
    struct codec *own;
    buffer_add(&framed, "\xC3\x01", 2);
    for (int i = 0; i < 8; i++) {
        buffer_add_byte(&framed, (uint8_t)(writer->fingerprint >> 8 * i));
    }
    buffer_add(&framed, datum.data, datum.size);
    assert_int_equal(codec_open(&own, records, NULL, &error), OK);
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
    const struct weir_record *record = record_of(reader);
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
    const struct weir_record *record = record_of(reader);
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
    becomes("a.R{a int; b string}", "02 0278", "a.R{b string; a int}", "{\"b\":\"x\",\"a\":1}");
}

static void skips_fields_that_the_reader_lacks(void **state)
{
    (void)state;
    const char *reader = "a.R{last int}";
    static const struct {
        const char *type, *hex;
    } skipped[] = {
        {"null", ""},
        {"boolean", "01"},
        {"int", "feffffff0f"},
        {"long", "feffffffffffffffff01"},
        {"float", "00000000"},
        {"double", "0000000000000000"},
        {"bytes", "04 00ff"},
        {"string", "04 c3a9"},
        {"string", "02 00"}, /* nobody keeps it, so a NUL does no harm */
        {"F#3", "010203"},
        {"F#0", ""},
        {"E<A B>", "02"},
        {"[]string", "04 0261 00 00"},
        {"[]string", "03 06 0261 00 02 0262 00"}, /* -2 items in 3 bytes, then one */
        {"[]null", "80897a 00"},                  /* a million of nothing */
        {"{}long", "02 0261 02 03 0e 0262 8001 0263 00 00"},
        {"{}{}double", "02 00 02 0261 0000000000000000 00 00"},
        {"(null|string|long)", "00"},
        {"(null|string|long)", "02 0261"},
        {"(null|string|long)", "04 02"},
        {"Inner{x int; y []int}", "02 02 04 00"},
    };
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++) {
        char writer[100], hex[100], more[100];
        snprintf(writer, sizeof writer, "a.R{s %s; last int}", skipped[i].type);
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
        {"boolean", "02", "s: byte 0: not a boolean"},
        {"int", "8080808010", "is not an int"},
        {"long", "ffffffffffffffffff02", "longer than 64 bits"},
        {"float", "000000", "4 bytes wanted, 3 left"},
        {"bytes", "06 00", "a length of 3"},
        {"bytes", "01 00", "a length of -1"},
        {"string", "02 ff", "not UTF-8"},
        {"F#3", "0102", "3 bytes wanted"},
        {"E<A>", "02", "symbol 1 of 1"},
        {"[]null", "80a8d6b907 00", "more than 1000000 items"},
        {"[]int", "03 02 02 02 00 02", "size that it says"},
        {"{}null", "06 00", "3 items with 1 bytes left"},
        {"()", "00", "branch 0 of 0"},
        {"(null)", "02", "branch 1 of 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char writer[100];
        snprintf(writer, sizeof writer, "a.R{s %s}", cases[i].type);
        is_bad(writer, cases[i].hex, "a.R{}", cases[i].reason);
    }
}

static void fills_defaults_for_what_the_writer_lacks(void **state)
{
    (void)state;
    becomes("a.R{a int}", "02",
            "a.R{b boolean = true; i int = -5; l long = 5000000000; s string = 'text'; y bytes = "
            "''; a int; e E<A B> = 'B'; n ?int = null; m (int|null) = 3; t ?string = null; r In{x "
            "int; z []string} = {'x':1,'z':['p','q']}; z []long = []}",
            "{\"b\":true,\"i\":-5,\"l\":5000000000,\"s\":\"text\",\"y\":\"\",\"a\":1,\"e\":\"B\","
            "\"n\":null,\"m\":3,\"t\":null,\"r\":{\"x\":1,\"z\":[\"p\",\"q\"]},\"z\":[]}");
    becomes("a.R{a int}", "02",
            "a.R{a int; t (string|null) = 'x'; y (bytes|null) = ''; b (boolean|null) = true}",
            "{\"a\":1,\"t\":\"x\",\"y\":\"\",\"b\":true}");
    /* inside arrays too, and into nested records */
    becomes("a.R{l []L{x int}}", "04 02 04 00", "a.R{l []L{t string = 'd'; x int}}",
            "{\"l\":[{\"t\":\"d\",\"x\":1},{\"t\":\"d\",\"x\":2}]}");
}

static void refuses_a_missing_field_without_default(void **state)
{
    (void)state;
    const char *writer = "a.R{l []L{x int}}";
    is_bad(writer, "00", "a.R{l []L{y int}}",
           "cannot be read as a.R: l[].y: the writer lacks it and it has no default");
    char hex[17];
    snprintf(hex, sizeof hex, "%016" PRIx64, writer_of(writer)->fingerprint);
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
    is_bad("a.R{l []L{x int}}", buffer_string(&hex),
           "a.R{l []L{x int; t string = "
           "'01234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
           "67890123456789'}}",
           "bytes in memory");
    buffer_release(&hex);
}

static void follows_aliases_of_fields_and_types(void **state)
{
    (void)state;
    const char *alias = "a.R{new@older@old int}";
    becomes("a.R{old int}", "02", alias, "{\"new\":1}");
    becomes("a.R{old int; new int}", "02 04", alias, "{\"new\":2}"); /* its name goes first */
    is_bad("a.R{other int}", "02", alias, "new: the writer lacks it");
    /* an alias does not take what another field of the reader bears as its name */
    is_bad("a.R{old int}", "02", "a.R{new@old int; old int}", "new: the writer lacks it");
    /* what one field of the reader has taken, no other one takes */
    becomes("a.R{old int}", "02", "a.R{one@old int; two@old int = 7}", "{\"one\":1,\"two\":7}");
    becomes("b.Was{f int}", "02", "a.Is@b.Was{f int}", "{\"f\":1}");
    becomes("c.Was{f int}", "02", "a.Is@b.Other@b.Was{f int}", "{\"f\":1}");
    becomes("b.Is{f int}", "02", "a.Is{f int}", "{\"f\":1}");
    is_bad("a.Other{}", "", "a.R{}", "the record: the writer's a.Other cannot be read as a.R");
}

static void lays_nested_records_flat(void **state)
{
    (void)state;
    becomes("a.R{o O{i I{x int; y ?int}; s string}}", "02 02 06 0278",
            "a.R{o O{s string; i I{y (int|null); x long}}}",
            "{\"o\":{\"s\":\"x\",\"i\":{\"y\":3,\"x\":1}}}");
}

/* ---- promotion ---- */

static void promotes_what_the_layout_can_hold(void **state)
{
    (void)state;
    becomes("a.R{f int}", "feffffff0f", "a.R{f long}", "{\"f\":2147483647}");
    is_bad("a.R{f int}", "8080808010", "a.R{f long}", "not an int"); /* still the writer's int */
    becomes("a.R{f string}", "04 c3a9", "a.R{f bytes}", "{\"f\":\"c3a9\"}");
    becomes("a.R{f bytes}", "04 c3a9", "a.R{f string}", "{\"f\":\"\xC3\xA9\"}");
    is_bad("a.R{f bytes}", "02 ff", "a.R{f string}", "not UTF-8");
    becomes("a.R{f []int}", "02 02 00", "a.R{f []long}", "{\"f\":[1]}");
}

static void refuses_other_kinds_by_name(void **state)
{
    (void)state;
    is_bad("a.R{f long}", "02", "a.R{f int}", "f: the writer's long cannot be read as int");
    is_bad("a.R{f boolean}", "00", "a.R{f int}", "the writer's boolean cannot be read as int");
    is_bad("a.R{f int}", "00", "a.R{f boolean}", "the writer's int cannot be read as boolean");
    is_bad("a.R{f []int}", "00", "a.R{f int}", "the writer's array cannot be read as int");
    is_bad("a.R{f X{}}", "", "a.R{f int}", "the writer's a.X cannot be read as int");
    is_bad("a.R{f string}", "00", "a.R{f int}", "the writer's string cannot be read as int");
    is_bad("a.R{f int}", "00", "a.R{f string}", "the writer's int cannot be read as string");
    is_bad("a.R{f float}", "00000000", "a.R{f long}", "the writer's float cannot be read as long");
    is_bad("a.R{f double}", "", "a.R{f int}", "the writer's double");
    is_bad("a.R{f {}int}", "00", "a.R{f []int}", "the writer's map");
    is_bad("a.R{f null}", "", "a.R{f int}", "the writer's null");
    is_bad("a.R{f F#1}", "00", "a.R{f bytes}", "the writer's a.F");
    is_bad("a.R{f E<A>}", "00", "a.R{f string}", "the writer's a.E cannot be read as string");
    is_bad("a.R{f E<A>}", "00", "a.R{f Other<A>}", "the writer's a.E cannot be read as a.Other");
    is_bad("a.R{f []string}", "00", "a.R{f []int}", "f[]: the writer's string");
    is_bad("int", "02", "a.R{f int}", "the writer's int cannot be read as a.R");
}

static void refuses_recursive_and_exploding_writers(void **state)
{
    (void)state;
    is_bad("a.R{n ?R}", "00", "a.R{}", "recursive");
    is_bad("a.R{n N{m {}N}}", "00", "a.R{}", "recursive");
    struct buffer writer = {0};
    buffer_add_string(&writer, "a.R{r0 R0{}");
    for (int i = 1; i < 40; i++) { /* each has two of the one before: 2^39 when laid flat */
        buffer_format(&writer, "; r%d R%d{x R%d; y R%d; z int}", i, i, i - 1, i - 1);
    }
    buffer_add_string(&writer, "}");
    is_bad(buffer_string(&writer), "00", "a.R{}", "more than 20000 steps");
    buffer_reset(&writer);
    buffer_add_string(&writer, "a.R{r0 R0{z int}");
    for (int i = 1; i < 80; i++) {
        buffer_format(&writer, "; r%d R%d{x R%d}", i, i, i - 1);
    }
    buffer_add_string(&writer, "}");
    is_bad(buffer_string(&writer), "00", "a.R{}", "nested deeper than 64");
    buffer_release(&writer);
}

/* A writer that leaves `spare` steps of a plan for the field at its end. */
static const char *long_writer(const char *field, int spare)
{
    enum { STEPS = 20000, PART = 900 };
    struct buffer text = {0};
    buffer_add_string(&text, "a.R{f0 F{i0 int");
    for (int i = 1; i < PART; i++) {
        buffer_format(&text, "; i%d int", i);
    }
    buffer_add_string(&text, "}");
    int steps = PART;
    for (int i = 1; steps + PART <= STEPS - spare; i++, steps += PART) {
        buffer_format(&text, "; f%d F", i);
    }
    for (int i = 0; steps < STEPS - spare; i++, steps++) {
        buffer_format(&text, "; j%d int", i);
    }
    buffer_format(&text, "; %s}", field);
    const char *writer = arena_strndup(&arena, buffer_string(&text), text.size);
    buffer_release(&text);
    return writer;
}

/* The bound holds wherever the plan grows: at each kind of step the last one may be missing. */
static void refuses_a_plan_that_grows_too_long_wherever_it_does(void **state)
{
    enum { MOST = 6 };
    (void)state;
    static const struct {
        const char *field, *reader;
    } ends[] = {
        {"x int", "a.R{x int}"},
        {"x int", "a.R{y int = 5; z int = 6}"},
        {"e E<A>", "a.R{e E<A>}"},
        {"l []int", "a.R{l []int}"},
        {"m {}int", "a.R{}"},
        {"u (A{}|B{})", "a.R{u (A{}|B{})}"},
        {"u (int|string)", "a.R{}"},
        {"u A{x int}", "a.R{u (A{x int}|B{})}"},
        {"u (A{}|C{})", "a.R{u (A{}|B{})}"},
        {"u (string|C{})", "a.R{u (A{}|B{})}"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const struct weir_record *reader = record_of(ends[i].reader);
        void *out = arena_alloc(&arena, reader->size);
        bool was_too_long = true;
        for (int spare = 0; spare <= MOST; spare++) {
            const char *writer = long_writer(ends[i].field, spare);
            assert_int_equal(decode(writer, "", reader, out), DECODE_BAD); /* there is no datum */
            bool is_too_long = strstr(error.text, "more than 20000 steps") != NULL;
            assert_true(was_too_long || !is_too_long);
            assert_true(spare > 0 || is_too_long);
            was_too_long = is_too_long;
        }
        assert_false(was_too_long);
    }
}

/* ---- enums ---- */

static void finds_symbols_by_name(void **state)
{
    (void)state;
    becomes("a.R{e E<A B>}", "00", "a.R{e E<B A>}", "{\"e\":\"A\"}");
    becomes("a.R{e E<A B>}", "02", "a.R{e E<B A>}", "{\"e\":\"B\"}");
    is_bad("a.R{e E<A B>}", "04", "a.R{e E<B A C>}", "symbol 2 of 2");
}

static void reads_an_unknown_symbol_as_the_readers_default(void **state)
{
    (void)state;
    const char *writer = "a.R{e E<NEW A =NEW>}";
    becomes(writer, "00", "a.R{e E<A UNKNOWN =UNKNOWN>}", "{\"e\":\"UNKNOWN\"}");
    becomes(writer, "02", "a.R{e E<A UNKNOWN =UNKNOWN>}", "{\"e\":\"A\"}");
    is_bad(writer, "00", "a.R{e E<A UNKNOWN>}", "does not know the writer's symbol 0");
    becomes(writer, "02", "a.R{e E<A UNKNOWN>}", "{\"e\":\"A\"}");
    becomes("a.R{e Was<A>}", "00", "a.R{e E@Was<A>}", "{\"e\":\"A\"}");
}

/* ---- unions ---- */

static void reads_nullables_either_way(void **state)
{
    (void)state;
    const char *plain = "a.R{f int}", *wide = "a.R{f ?long}";
    const char *null_first = "a.R{f ?int}", *null_last = "a.R{f (int|null)}";
    becomes(plain, "02", null_first, "{\"f\":1}");
    becomes(plain, "02", wide, "{\"f\":1}");
    becomes(null_first, "00", null_last, "{\"f\":null}");
    becomes(null_first, "02 02", null_last, "{\"f\":1}");
    becomes(null_last, "02", wide, "{\"f\":null}");
    becomes(null_last, "00 02", wide, "{\"f\":1}");
    becomes(null_first, "02 02", plain, "{\"f\":1}");
    is_bad(null_first, "00", plain, "byte 1: f: the writer's null cannot be read as int");
    becomes("a.R{f null}", "", wide, "{\"f\":null}");
    becomes("a.R{f (null|int|string|long); g int}", "06 02 04", "a.R{f ?long; g int}",
            "{\"f\":1,\"g\":2}");
    is_bad("a.R{f (null|int|string)}", "04 00", wide, "the writer's string cannot be read as long");
    becomes("a.R{f ?string}", "02 0261", "a.R{f ?bytes}", "{\"f\":\"61\"}");
    becomes("a.R{f (string)}", "00 0261", "a.R{f string}", "{\"f\":\"a\"}");
    is_bad("a.R{f ()}", "00", plain, "branch 0 of 0");
}

#define AB  "(A{x int}|B{y string})"
#define ABC "(A{x int}|B{y string}|C{})"

static void finds_branches_by_name(void **state)
{
    (void)state;
    becomes("a.R{u " AB "; n int}", "00 02 04", "a.R{u (B{y string}|A{x int}); n int}",
            "{\"u\":{\"A\":{\"x\":1}},\"n\":2}");
    becomes("a.R{u " AB "; n int}", "02 0261 04", "a.R{u (B{y string}|A{x int}); n int}",
            "{\"u\":{\"B\":{\"y\":\"a\"}},\"n\":2}");
    becomes("a.R{u B{y string}}", "0261", "a.R{u " AB "}", "{\"u\":{\"B\":{\"y\":\"a\"}}}");
    becomes("a.R{u " AB "}", "02 0261", "a.R{u B{y string}}", "{\"u\":{\"y\":\"a\"}}");
    becomes("a.R{u ?B{y string}}", "02 0261", "a.R{u " AB "}", "{\"u\":{\"B\":{\"y\":\"a\"}}}");
    is_bad("a.R{u " AB "}", "00 02", "a.R{u B{y string}}",
           "the writer's a.A cannot be read as a.B");
    is_bad("a.R{u ?B{y string}}", "00", "a.R{u " AB "}", "the writer's null");
}

static void prefers_the_full_name_then_an_alias_then_the_last_part(void **state)
{
    (void)state;
    const char *reader = "a.R{u (p.X{by string = 'last part'}|q.Y@s.X{by string = 'alias'}|q.X{by "
                         "string = 'full name'})}";
    becomes("a.R{u q.X{}}", "", reader, "{\"u\":{\"X\":{\"by\":\"full name\"}}}");
    becomes("a.R{u s.X{}}", "", reader, "{\"u\":{\"Y\":{\"by\":\"alias\"}}}");
    becomes("a.R{u t.X{}}", "", reader, "{\"u\":{\"X\":{\"by\":\"last part\"}}}");
}

static void pauses_on_an_unknown_branch_only_where_it_occurs(void **state)
{
    (void)state;
    becomes("a.R{u " ABC "}", "00 02", "a.R{u " AB "}", "{\"u\":{\"A\":{\"x\":1}}}");
    fails("a.R{u " ABC "}", "04", "a.R{u " AB "}", DECODE_UNKNOWN_BRANCH,
          "byte 1: u: the writer's a.C cannot be read as union");
    is_bad("a.R{u " ABC "}", "06", "a.R{u " AB "}", "branch 3 of 3");
    is_bad("a.R{u ?string}", "02 00", "a.R{u " AB "}", "the writer's string");
    is_bad("a.R{u C{}}", "", "a.R{u " AB "}",
           "the writer's a.C"); /* no union: the schemas do not fit */
}

static void harms_only_the_branch_that_does_not_fit(void **state)
{
    (void)state;
    const char *writer = "a.R{u (A{x string}|B{y string})}";
    becomes(writer, "02 0261", "a.R{u " AB "}", "{\"u\":{\"B\":{\"y\":\"a\"}}}");
    is_bad(writer, "00 0261", "a.R{u " AB "}", "u.x: the writer's string cannot be read as int");
}

static void evolves_an_order_forth_and_back(void **state)
{
    (void)state;
    const char *old = "a.R{id string; total int; legacy {}string}";
    const char *new =
        "a.R{id string; note ?string = null; total_minor@total long; lines []L{q int} = []}";
    becomes(old, "0461 62 c801 02 0278 0279 00", new,
            "{\"id\":\"ab\",\"note\":null,\"total_minor\":100,\"lines\":[]}");
    is_bad(new, "0461 62 00 c801 00", "a.R{id string; total int}", "total: the writer lacks it");
    becomes(new, "0461 62 02 0278 c801 02 02 00", "a.R{id string}", "{\"id\":\"ab\"}");
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
        TEST(refuses_a_plan_that_grows_too_long_wherever_it_does),
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
