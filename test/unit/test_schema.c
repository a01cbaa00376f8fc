/* test_schema.c - codec/schema.h: the specification's rules, and its vectors of canonical form and
 * fingerprint (apache/avro, share/test/data/schema-tests.txt).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "codec/schema.h"

#include <cmocka.h>

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct schema *accepted(const char *text)
{
    struct schema *schema = NULL;
    struct error error = {0};
    if (schema_parse(&schema, text, strlen(text), &arena, NULL, NULL, &error)) {
        fail_msg("%s\n%s", error.text, text);
    }
    return schema;
}

static void refused(const char *text, const char *reason)
{
    struct schema *schema = NULL;
    struct error error = {0};
    if (schema_parse(&schema, text, strlen(text), &arena, NULL, NULL, &error) != FATAL) {
        fail_msg("accepted: %s", text);
    }
    assert_null(schema);
    assert_int_equal(error.exit_code, EXIT_CONFIG);
    if (!strstr(error.text, reason)) {
        fail_msg("%s\nsays \"%s\", not \"%s\"", text, error.text, reason);
    }
}

#define FIELD(type, more) \
    "{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"f\",\"type\":" type more "}]}"
#define DEFAULT(type, value) FIELD(type, ",\"default\":" value)
#define E_AB                 "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}"

static void agrees_with_the_specifications_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
        int64_t fingerprint;
    } vectors[] = {
        {"\"null\"", "\"null\"", INT64_C(7195948357588979594)},
        {"{\"type\":\"null\"}", "\"null\"", INT64_C(7195948357588979594)},
        {"\"boolean\"", "\"boolean\"", INT64_C(-6970731678124411036)},
        {"\"int\"", "\"int\"", INT64_C(8247732601305521295)},
        {"\"long\"", "\"long\"", INT64_C(-3434872931120570953)},
        {"\"float\"", "\"float\"", INT64_C(5583340709985441680)},
        {"\"double\"", "\"double\"", INT64_C(-8181574048448539266)},
        {"\"bytes\"", "\"bytes\"", INT64_C(5746618253357095269)},
        {"\"string\"", "\"string\"", INT64_C(-8142146995180207161)},
        {"[  ]", "[]", INT64_C(-1241056759729112623)},
        {"[ \"int\"  ]", "[\"int\"]", INT64_C(-5232228896498058493)},
        {"[ \"int\" , {\"type\":\"boolean\"} ]", "[\"int\",\"boolean\"]",
         INT64_C(5392556393470105090)},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\"}",
         "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[]}", INT64_C(-4824392279771201922)},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", \"namespace\":\"x.y\"}",
         "{\"name\":\"x.y.foo\",\"type\":\"record\",\"fields\":[]}", INT64_C(5916914534497305771)},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"a.b.foo\", \"namespace\":\"x.y\"}",
         "{\"name\":\"a.b.foo\",\"type\":\"record\",\"fields\":[]}", INT64_C(-4616218487480524110)},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", \"doc\":\"foo\", "
         "\"aliases\":[\"foo\",\"bar\"]}",
         "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[]}", INT64_C(-4824392279771201922)},
        {"{\"fields\":[{\"type\":{\"type\":\"boolean\"}, \"name\":\"f1\"}], \"type\":\"record\", "
         "\"name\":\"foo\"}",
         "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[{\"name\":\"f1\",\"type\":\"boolean\"}]"
         "}",
         INT64_C(7843277075252814651)},
        {"{\"fields\":[{\"type\":\"boolean\", \"aliases\":[], \"name\":\"f1\", \"default\":true},"
         "{\"order\":\"descending\",\"name\":\"f2\",\"doc\":\"Hello\",\"type\":\"int\"}],"
         "\"type\":\"record\", \"name\":\"foo\"}",
         "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[{\"name\":\"f1\",\"type\":\"boolean\"},"
         "{\"name\":\"f2\",\"type\":\"int\"}]}",
         INT64_C(-4860222112080293046)},
        {"{\"type\":\"enum\", \"name\":\"foo\", \"symbols\":[\"A1\"]}",
         "{\"name\":\"foo\",\"type\":\"enum\",\"symbols\":[\"A1\"]}",
         INT64_C(-6342190197741309591)},
        {"{\"namespace\":\"x.y.z\", \"type\":\"enum\", \"name\":\"foo\", \"doc\":\"foo bar\", "
         "\"symbols\":[\"A1\", "
         "\"A2\"]}",
         "{\"name\":\"x.y.z.foo\",\"type\":\"enum\",\"symbols\":[\"A1\",\"A2\"]}",
         INT64_C(-4448647247586288245)},
        {"{\"name\":\"foo\",\"type\":\"fixed\",\"size\":15}",
         "{\"name\":\"foo\",\"type\":\"fixed\",\"size\":15}", INT64_C(1756455273707447556)},
        {"{\"namespace\":\"x.y.z\", \"type\":\"fixed\", \"name\":\"foo\", \"doc\":\"foo bar\", "
         "\"size\":32}",
         "{\"name\":\"x.y.z.foo\",\"type\":\"fixed\",\"size\":32}", INT64_C(-3064184465700546786)},
        {"{ \"items\":{\"type\":\"null\"}, \"type\":\"array\"}",
         "{\"type\":\"array\",\"items\":\"null\"}", INT64_C(-589620603366471059)},
        {"{ \"values\":\"string\", \"type\":\"map\"}", "{\"type\":\"map\",\"values\":\"string\"}",
         INT64_C(-8732877298790414990)},
        {"{\"name\":\"PigValue\",\"type\":\"record\",\"fields\":[{\"name\":\"value\", "
         "\"type\":[\"null\", \"int\", "
         "\"long\", \"PigValue\"]}]}",
         "{\"name\":\"PigValue\",\"type\":\"record\",\"fields\":[{\"name\":\"value\",\"type\":["
         "\"null\",\"int\","
         "\"long\",\"PigValue\"]}]}",
         INT64_C(-1759257747318642341)},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct schema *schema = accepted(vectors[i].text);
        struct buffer form = {0};
        schema_canonical_form(schema, &form);
        assert_string_equal(buffer_string(&form), vectors[i].canonical);
        buffer_release(&form);
        assert_true(schema_fingerprint(schema) == (uint64_t)vectors[i].fingerprint);
    }
}

static void resolves_names_in_their_namespace(void **state)
{
    (void)state;
    struct schema *schema =
        accepted("{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"aliases\":[\"Old\","
                 "\"c.Older\"],\"fields\":["
                 "{\"name\":\"x\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},"
                 "{\"name\":\"y\",\"type\":\"E\"},{\"name\":\"z\",\"type\":\"a.b.E\"},"
                 "{\"name\":\"n\",\"type\":{\"type\":\"record\",\"name\":\"q.N\",\"fields\":["
                 "{\"name\":\"m\",\"type\":{\"type\":\"fixed\",\"name\":\"M\",\"size\":2}}]}},"
                 "{\"name\":\"o\",\"type\":\"q.M\"},"
                 "{\"name\":\"p\",\"type\":{\"type\":\"enum\",\"name\":\"P\",\"namespace\":\"\","
                 "\"symbols\":[]}}]}");
    assert_string_equal(schema->name, "a.b.R");
    assert_string_equal(schema->aliases[0], "a.b.Old");
    assert_string_equal(schema->aliases[1], "c.Older");
    assert_null(schema->aliases[2]);
    assert_ptr_equal(schema->fields[0].type, schema->fields[1].type);
    assert_ptr_equal(schema->fields[0].type, schema->fields[2].type);
    assert_string_equal(schema->fields[4].type->name, "q.M");
    assert_string_equal(schema->fields[5].type->name, "P");
    assert_false(schema->recursive);
}

static void keeps_defaults_docs_aliases_and_attributes(void **state)
{
    (void)state;
    struct schema *schema = accepted(
        "{\"type\":\"record\",\"name\":\"R\",\"doc\":\"why\",\"weir.key\":[\"f\"],\"fields\":["
        "{\"name\":\"f\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},"
        "\"default\":7,"
        "\"doc\":\"when\",\"aliases\":[\"g\"]},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],"
        "\"default\":\"B\"}}]}");
    assert_string_equal(schema->doc, "why");
    assert_string_equal(json_text(json_at(json_get(schema->attributes, "weir.key"), 0)), "f");
    assert_int_equal(json_number(schema->fields[0].default_value), 7);
    assert_string_equal(schema->fields[0].doc, "when");
    assert_string_equal(schema->fields[0].aliases[0], "g");
    assert_string_equal(json_text(json_get(schema->fields[0].type->attributes, "logicalType")),
                        "timestamp-millis");
    assert_string_equal(schema->fields[1].type->default_symbol, "B");
    assert_int_equal(schema->fields[1].type->symbol_count, 2);
}

static void marks_the_records_that_contain_themselves(void **state)
{
    (void)state;
    struct schema *schema =
        accepted("{\"type\":\"record\",\"name\":\"Top\",\"fields\":["
                 "{\"name\":\"a\",\"type\":{\"type\":\"record\",\"name\":\"A\",\"fields\":["
                 "  {\"name\":\"b\",\"type\":{\"type\":\"record\",\"name\":\"B\",\"fields\":["
                 "    {\"name\":\"a\",\"type\":[\"null\",\"A\"]}]}},"
                 "  {\"name\":\"c\",\"type\":{\"type\":\"record\",\"name\":\"C\",\"fields\":["
                 "    {\"name\":\"b\",\"type\":{\"type\":\"array\",\"items\":\"B\"}}]}}]}},"
                 "{\"name\":\"d\",\"type\":{\"type\":\"record\",\"name\":\"D\",\"fields\":["
                 "  {\"name\":\"d\",\"type\":{\"type\":\"map\",\"values\":\"D\"}}]}},"
                 "{\"name\":\"plain\",\"type\":{\"type\":\"record\",\"name\":\"P\",\"fields\":[]}},"
                 "{\"name\":\"again\",\"type\":\"P\"}]}");
    const struct schema *a = schema->fields[0].type;
    assert_false(schema->recursive);
    assert_true(a->recursive);
    assert_true(a->fields[0].type->recursive); /* B: through A */
    assert_true(a->fields[1].type->recursive); /* C: through B and A, both known before C ends */
    assert_true(schema->fields[1].type->recursive);
    assert_false(schema->fields[2].type->recursive);
}

static void refuses_broken_names(void **state)
{
    (void)state;
    refused("{\"type\":\"record\",\"fields\":[]}", "\"name\" is missing");
    refused("{\"type\":\"enum\",\"name\":\"1a\",\"symbols\":[]}", "\"1a\" is not a name");
    refused("{\"type\":\"enum\",\"name\":\"a..b\",\"symbols\":[]}", "is not a name");
    refused("{\"type\":\"enum\",\"name\":\"a\",\"namespace\":\"x.\",\"symbols\":[]}",
            "is not a name");
    refused("{\"type\":\"enum\",\"name\":\"\",\"symbols\":[]}", "is not a name");
    refused("{\"type\":\"fixed\",\"name\":\"x.int\",\"size\":1}", "primitive");
    refused("{\"type\":\"enum\",\"name\":\"a\\u0000b\",\"symbols\":[]}",
            "\"name\" must be a string");
    refused("{\"type\":\"enum\",\"name\":\"E\",\"aliases\":[\"a b\"],\"symbols\":[]}",
            "is not a name");
    refused("{\"type\":\"enum\",\"name\":\"E\",\"aliases\":\"F\",\"symbols\":[]}",
            "must be a list");
    refused(FIELD("\"int\"", "},{\"name\":\"f\",\"type\":\"int\""), "\"f\" stands there twice");
    refused("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a.b\",\"type\":\"int\"}]}",
            "not a field name");
    refused("[" E_AB "," E_AB "]", "defined twice");
    refused("\"Nobody\"", "\"Nobody\" is not defined");
    refused(FIELD("\"Nobody\"", ""),
            "record \"a.R\": field \"f\": the type \"a.Nobody\" is not defined");
}

static void refuses_what_is_not_a_type(void **state)
{
    (void)state;
    refused("3", "a type must be");
    refused("null", "a type must be");
    refused("{}", "\"type\" is missing");
    refused("{\"type\":{\"type\":\"int\"}}", "\"type\" must be a string");
    refused("{\"type\":\"array\"}", "\"items\" is missing");
    refused("{\"type\":\"map\"}", "\"values\" is missing");
    refused("{\"type\":\"record\",\"name\":\"R\"}", "\"fields\" must be a list");
    refused("{\"type\":\"record\",\"name\":\"R\",\"fields\":[3]}", "a field must be an object");
    refused("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\"}]}",
            "field \"f\": \"type\" is missing");
    refused(FIELD("\"int\"", ",\"order\":\"up\""), "\"order\" is \"up\"");
    refused("{\"type\":", "line 1, column ");
}

static void refuses_broken_unions_enums_and_fixed(void **state)
{
    (void)state;
    refused("[\"int\",[\"null\"]]", "directly in a union");
    refused("[\"int\",{\"type\":\"int\"}]", "two branches of type int");
    refused("[{\"type\":\"array\",\"items\":\"int\"},{\"type\":\"array\",\"items\":\"long\"}]",
            "two branches of type array");
    refused("[" E_AB ",\"E\"]", "two branches of type E");
    accepted("[" E_AB ",{\"type\":\"enum\",\"name\":\"F\",\"symbols\":[]},\"null\"]");
    refused("{\"type\":\"enum\",\"name\":\"E\"}", "\"symbols\" is missing");
    refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}",
            "\"A\" stands there twice");
    refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A-B\"]}", "is not a name");
    refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[1]}", "is not a name");
    refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}",
            "not one of the symbols");
    refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "\"size\" must be");
    refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":4000000000}", "\"size\" must be");
    refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":1.0}", "\"size\" must be");
    refused("{\"type\":\"fixed\",\"name\":\"F\"}", "\"size\" must be");
}

static void accepts_defaults_of_their_type_only(void **state)
{
    (void)state;
    accepted(DEFAULT("\"null\"", "null"));
    accepted(DEFAULT("\"int\"", "-2147483648"));
    refused(DEFAULT("\"int\"", "2147483648"), "field \"f\": the default is not of type int");
    refused(DEFAULT("\"int\"", "1.0"), "not of type int");
    accepted(DEFAULT("\"long\"", "9223372036854775807"));
    refused(DEFAULT("\"long\"", "\"1\""), "not of type long");
    accepted(DEFAULT("\"double\"", "1"));
    accepted(DEFAULT("\"float\"", "1.5"));
    refused(DEFAULT("\"boolean\"", "\"true\""), "not of type boolean");
    refused(DEFAULT("\"string\"", "null"), "not of type string");
    accepted(DEFAULT("\"bytes\"", "\"\\u00ff\\u0000\""));
    refused(DEFAULT("\"bytes\"", "\"\\u0100\""), "not of type bytes");
    accepted(DEFAULT("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"\\u00ff!\""));
    refused(DEFAULT("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"abc\""), "not of a.F");
    accepted(DEFAULT(E_AB, "\"B\""));
    refused(DEFAULT(E_AB, "\"C\""), "not of a.E");
    accepted(DEFAULT("{\"type\":\"array\",\"items\":\"int\"}", "[1,2]"));
    refused(DEFAULT("{\"type\":\"array\",\"items\":\"int\"}", "[1,\"2\"]"), "not of type int");
    accepted(DEFAULT("{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":1}"));
    refused(DEFAULT("{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":null}"), "not of type int");
    accepted(DEFAULT("[\"null\",\"int\"]", "null"));
    refused(DEFAULT("[\"null\",\"int\"]", "3"), "first branch");
#define POINT                                                                                      \
    "{\"type\":\"record\",\"name\":\"P\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},{\"name\":" \
    "\"y\",\"type\":\"int\",\"default\":0}]}"
    accepted(DEFAULT(POINT, "{\"x\":1}"));
    refused(DEFAULT(POINT, "{\"y\":1}"), "lacks the member \"x\" of a.P");
    refused(DEFAULT(POINT, "[1]"), "not of a.P");
    accepted(DEFAULT("[\"null\",\"R\"]", "null")); /* of the record around it */
}

static void bounds_depth_names_and_parts(void **state)
{
    (void)state;
    struct buffer text = {0};
    for (int depth = 31; depth <= 32; depth++) {
        buffer_reset(&text);
        for (int i = 0; i < depth; i++) {
            buffer_add_string(&text, "{\"type\":\"array\",\"items\":");
        }
        buffer_add_string(&text, "\"int\"");
        for (int i = 0; i < depth; i++) {
            buffer_add_byte(&text, '}');
        }
        if (depth == 31) {
            accepted(buffer_string(&text));
        } else {
            refused(buffer_string(&text), "deeper than 32");
        }
    }
    buffer_reset(&text);
    for (int i = 0; i < 1001; i++) {
        buffer_format(&text, "%s{\"type\":\"fixed\",\"name\":\"F%d\",\"size\":1}",
                      i == 0 ? "[" : ",", i);
    }
    buffer_add_byte(&text, ']');
    refused(buffer_string(&text), "1001 branches");
    buffer_reset(&text);
    buffer_add_string(&text, "[\"null\"");
    for (int i = 0; i < 30; i++) {
        buffer_format(&text, ",{\"type\":\"enum\",\"name\":\"E%d\",\"symbols\":[", i);
        for (int j = 0; j < 1000; j++) {
            buffer_format(&text, "%s\"S%d\"", j == 0 ? "" : ",", j);
        }
        buffer_add_string(&text, "]}");
    }
    buffer_add_byte(&text, ']');
    refused(buffer_string(&text), "more than 20000 parts");
    buffer_release(&text);
}

/* ---- what a careless hand or another program writes ---- */

#define NAMED(type, more) "{\"type\":\"" type "\",\"name\":\"N\"" more "}"

static void refuses_members_of_another_kind(void **state)
{
    (void)state;
    static const char string[] = "must be a string";
    refused("{\"type\":\"record\",\"name\":1,\"fields\":[]}", string);
    refused(NAMED("record", ",\"namespace\":1,\"fields\":[]"), string);
    refused(NAMED("enum", ",\"symbols\":[\"A\"],\"default\":1"), string);
    refused(NAMED("enum", ",\"symbols\":\"A\""), "symbols");
    refused(FIELD("\"int\"", ",\"order\":1"), string);
    refused(FIELD("\"int\"", ",\"order\":\"upwards\""), "must be ascending, descending or ignore");
    refused(FIELD("\"int\"", ",\"aliases\":1"), "aliases");
    refused(NAMED("record", ",\"fields\":{}"), "\"fields\" must be a list");
    refused(NAMED("record", ""), "\"fields\" must be a list");
    refused("{\"type\":1}", string);
    refused("{}", "\"type\" is missing");
    refused("\"a\\u0000b\"", "a type must be a name");
    refused("{\"type\":\"int\\u0000\"}", string);
    accepted(FIELD("\"int\"", ",\"order\":\"ascending\""));
    accepted(FIELD("\"int\"", ",\"order\":\"descending\""));
    accepted(FIELD("\"int\"", ",\"order\":\"ignore\""));
}

/* A text of its kind is kept; another one is no error, because nothing depends on it. */
static void passes_over_a_doc_that_is_no_text(void **state)
{
    (void)state;
    assert_string_equal(accepted(NAMED("enum", ",\"symbols\":[\"A\"],\"doc\":\"d\""))->doc, "d");
    assert_null(accepted(NAMED("enum", ",\"symbols\":[\"A\"],\"doc\":7"))->doc);
    assert_null(accepted(NAMED("enum", ",\"symbols\":[\"A\"],\"doc\":\"a\\u0000b\""))->doc);
}

static void refuses_defaults_of_another_kind(void **state)
{
    (void)state;
    static const char inner[] = "{\"type\":\"record\",\"name\":\"I\",\"fields\":["
                                "{\"name\":\"i\",\"type\":\"int\"}]}";
    static const struct {
        const char *type, *value;
    } wrong[] = {
        {"\"null\"", "0"},
        {"\"boolean\"", "0"},
        {"\"int\"", "\"1\""},
        {"\"int\"", "-2147483649"},
        {"\"long\"", "1.5"},
        {"\"double\"", "\"1\""},
        {"\"string\"", "1"},
        {"\"bytes\"", "1"},
        {"\"bytes\"", "\"\\u0100\""},
        {"\"bytes\"", "\"\\u4e00\""},
        {"{\"type\":\"fixed\",\"name\":\"X\",\"size\":2}", "\"abc\""},
        {E_AB, "1"},
        {E_AB, "\"C\""},
        {E_AB, "\"A\\u0000\""},
        {"{\"type\":\"array\",\"items\":\"int\"}", "1"},
        {"{\"type\":\"array\",\"items\":\"int\"}", "[\"1\"]"},
        {"{\"type\":\"map\",\"values\":\"int\"}", "[]"},
        {"{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":\"1\"}"},
        {inner, "[]"},
        {inner, "{\"i\":\"1\"}"},
        {inner, "{}"},
        {"[\"int\",\"string\"]", "\"1\""},
        {"[]", "1"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[400];
        snprintf(text, sizeof text, DEFAULT("%s", "%s"), wrong[i].type, wrong[i].value);
        refused(text, "default");
    }
    accepted(DEFAULT("\"double\"", "1"));
    accepted(DEFAULT("\"double\"", "1.5"));
    accepted(DEFAULT("{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":1,\"b\":2}"));
}

static void bounds_the_text(void **state)
{
    (void)state;
    enum { TEXT_BYTES = 2 * 1024 * 1024 };
    struct buffer text;
    buffer_init(&text);
    for (int i = 0; i < TEXT_BYTES; i++) {
        buffer_add_byte(&text, ' ');
    }
    refused(buffer_string(&text), "are read");
    buffer_release(&text);
}

static struct schema *look_up(void *context, const char *full_name)
{
    return strcmp(full_name, "a.Other") == 0 ? context : NULL;
}

static void asks_for_types_of_other_files(void **state)
{
    (void)state;
    struct schema *other = accepted("{\"type\":\"record\",\"name\":\"a.Other\",\"fields\":[]}"),
                  *schema;
    struct error error = {0};
    const char *text = FIELD("\"Other\"", "");
    assert_int_equal(schema_parse(&schema, text, strlen(text), &arena, look_up, other, &error), OK);
    assert_ptr_equal(schema->fields[0].type, other);
    text = FIELD("\"Another\"", "");
    assert_int_equal(schema_parse(&schema, text, strlen(text), &arena, look_up, other, &error),
                     FATAL);
}

static void survives_every_truncation_and_every_flipped_bit(void **state)
{
    (void)state;
    const char *text =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"e\",\"type\":" E_AB
        ",\"default\":\"A\"},{\"name\":\"u\",\"type\":[\"null\",\"R\"],\"default\":null}]}";
    size_t size = strlen(text);
    struct schema *schema;
    struct error error;
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, text, cut);
        assert_int_equal(schema_parse(&schema, copy, cut, &arena, NULL, NULL, &error), FATAL);
        free(copy);
    }
    char *copy = malloc(size);
    memcpy(copy, text, size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        if (schema_parse(&schema, copy, size, &arena, NULL, NULL, &error) == OK) {
            schema_fingerprint(schema);
        }
        copy[bit / 8] = text[bit / 8];
    }
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agrees_with_the_specifications_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(resolves_names_in_their_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_defaults_docs_aliases_and_attributes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(marks_the_records_that_contain_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_broken_names, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_not_a_type, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_broken_unions_enums_and_fixed, setup, teardown),
        cmocka_unit_test_setup_teardown(accepts_defaults_of_their_type_only, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_depth_names_and_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_members_of_another_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_over_a_doc_that_is_no_text, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_defaults_of_another_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_the_text, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_for_types_of_other_files, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_every_truncation_and_every_flipped_bit, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
