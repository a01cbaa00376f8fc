/* test_differential.c - our codec against avro-c, on random schemas and values.
 *
 * Both write the same value: the bytes must be the same. Each reads the other's. Then bits are
 * flipped: whatever our decoder accepts, avro-c must read as the same value (avro-c accepts more,
 * never less). Only what avro-c gets right is asked of it: no defaults, no aliases, no other
 * writer's schema, no array of empty records (which it cannot append to).
 *
 * WEIR_TEST_SEED chooses another run; the seed of each run is printed.
 */
#include "avro_c.h"
#include "codec_cases.h"

enum { SCHEMAS = 300, VALUES = 6, FLIPS = 40 };

static uint64_t random_state;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t bits = random_state += UINT64_C(0x9E3779B97F4A7C15);
    bits = (bits ^ bits >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94D049BB133111EB);
    return bits ^ bits >> 31;
}

static size_t below(size_t bound)
{
    return (size_t)(next_random() % bound);
}

/* Any magnitude as likely as any other. */
static int64_t random_long(void)
{
    return (int64_t)next_random() >> below(64);
}

/* ---- a random schema ---- */

struct names {
    int last;
};

static void random_record(struct names *names, int depth, struct buffer *out);

static void random_enum(struct names *names, struct buffer *out)
{
    buffer_format(out, "{\"type\":\"enum\",\"name\":\"E%d\",\"symbols\":[\"S0\"", names->last++);
    for (size_t i = 1, count = 1 + below(100); i < count; i++) {
        buffer_format(out, ",\"S%zu\"", i);
    }
    buffer_add_string(out, "]}");
}

static void random_scalar(struct names *names, struct buffer *out)
{
    static const char *const scalars[] = {"\"boolean\"", "\"int\"", "\"long\"", "\"string\"",
                                          "\"bytes\""};
    size_t choice = below(6);
    if (choice == 5) {
        random_enum(names, out);
    } else {
        buffer_add_string(out, scalars[choice]);
    }
}

static void random_item(struct names *names, int depth, struct buffer *out)
{
    size_t choice = depth > 0 ? below(5) : 0;
    if (choice < 3) {
        random_scalar(names, out);
    } else if (choice == 3) {
        random_record(names, depth - 1, out);
    } else {
        buffer_add_string(out, "{\"type\":\"array\",\"items\":");
        random_item(names, depth - 1, out);
        buffer_add_byte(out, '}');
    }
}

static void random_type(struct names *names, int depth, struct buffer *out)
{
    switch (below(5)) {
    case 0:
        buffer_add_string(out, "[\"null\",");
        random_scalar(names, out);
        buffer_add_byte(out, ']');
        break;
    case 1:
        buffer_add_byte(out, '[');
        random_scalar(names, out);
        buffer_add_string(out, ",\"null\"]");
        break;
    case 2:
        buffer_add_byte(out, '[');
        for (size_t i = 0, count = 1 + below(3); i < count; i++) {
            buffer_add_string(out, i > 0 ? "," : "");
            random_record(names, depth - 1, out);
        }
        buffer_add_byte(out, ']');
        break;
    default:
        random_item(names, depth, out);
    }
}

static void random_record(struct names *names, int depth, struct buffer *out)
{
    buffer_format(out, "{\"type\":\"record\",\"name\":\"R%d\",\"namespace\":\"t\",\"fields\":[",
                  names->last++);
    for (size_t i = 0, count = 1 + below(depth > 0 ? 6 : 3); i < count; i++) {
        buffer_format(out, "%s{\"name\":\"f%zu\",\"type\":", i > 0 ? "," : "", i);
        if (depth > 0) {
            random_type(names, depth, out);
        } else {
            random_scalar(names, out);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_string(out, "]}");
}

/* ---- a random value of it, as text of our JSON ---- */

static void random_fields(const struct weir_record *record, struct buffer *out);

static void random_text(struct buffer *out)
{
    static const char *const letters[] = {
        "a", "Z", "0", " ", "\\\"", "\\n", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    buffer_add_byte(out, '"');
    for (size_t i = 0, count = below(4) == 0 ? below(200) : below(8); i < count; i++) {
        buffer_add_string(out, letters[below(9)]);
    }
    buffer_add_byte(out, '"');
}

static void random_value(const struct weir_type *type, struct buffer *out)
{
    if (type->nullable && below(2) == 0) {
        buffer_add_string(out, "null");
        return;
    }
    switch (type->kind) {
    case WEIR_BOOLEAN:
        buffer_add_string(out, below(2) ? "true" : "false");
        break;
    case WEIR_INT:
        buffer_format(out, "%d", (int)(int32_t)(random_long() >> 32));
        break;
    case WEIR_LONG:
        buffer_format(out, "%lld", (long long)random_long());
        break;
    case WEIR_STRING:
        random_text(out);
        break;
    case WEIR_BYTES:
        buffer_add_byte(out, '"');
        for (size_t i = 0, count = below(20); i < count; i++) {
            buffer_format(out, "%02x", (unsigned)below(256));
        }
        buffer_add_byte(out, '"');
        break;
    case WEIR_ENUM:
        buffer_format(out, "\"%s\"",
                      type->symbols->symbols[below((size_t)type->symbols->symbol_count)]);
        break;
    case WEIR_RECORD:
        random_fields(type->record, out);
        break;
    case WEIR_ARRAY:
        buffer_add_byte(out, '[');
        for (size_t i = 0, count = below(5); i < count; i++) {
            buffer_add_string(out, i > 0 ? "," : "");
            random_value(type->items, out);
        }
        buffer_add_byte(out, ']');
        break;
    case WEIR_UNION: {
        size_t count = 0;
        while (type->branches[count]) {
            count++;
        }
        const struct weir_record *branch = type->branches[below(count)];
        buffer_format(out, "{\"%s\":", branch->short_name);
        random_fields(branch, out);
        buffer_add_byte(out, '}');
        break;
    }
    }
}

static void random_fields(const struct weir_record *record, struct buffer *out)
{
    buffer_add_byte(out, '{');
    for (size_t i = 0; i < record->field_count; i++) {
        buffer_format(out, "%s\"%s\":", i > 0 ? "," : "", record->fields[i].name);
        random_value(&record->fields[i].type, out);
    }
    buffer_add_byte(out, '}');
}

/* ---- the same value in avro-c, built member by member from our struct ---- */

static void build_record(const struct weir_record *record, const uint8_t *in, avro_value_t *value);

static void build_value(const struct weir_type *type, const uint8_t *at, const uint8_t *beside,
                        avro_value_t *value)
{
    switch (type->kind) {
    case WEIR_BOOLEAN:
        avro_value_set_boolean(value, *(const bool *)at);
        break;
    case WEIR_INT:
        avro_value_set_int(value, *(const int32_t *)at);
        break;
    case WEIR_LONG:
        avro_value_set_long(value, *(const int64_t *)at);
        break;
    case WEIR_STRING:
        avro_value_set_string(value, *(const char *const *)at);
        break;
    case WEIR_BYTES: {
        const struct weir_bytes *bytes = (const struct weir_bytes *)at;
        avro_value_set_bytes(value, (void *)(uintptr_t)bytes->data, bytes->size);
        break;
    }
    case WEIR_ENUM:
        avro_value_set_enum(value, *(const int *)at);
        break;
    case WEIR_RECORD:
        build_record(type->record, at, value);
        break;
    case WEIR_ARRAY: {
        const struct weir_array *array = (const struct weir_array *)at;
        for (size_t i = 0; i < array->count; i++) {
            avro_value_t item = {0};
            assert_int_equal(avro_value_append(value, &item, NULL), 0);
            build_value(type->items, (const uint8_t *)array->items + i * type->item_size, NULL,
                        &item);
        }
        break;
    }
    case WEIR_UNION: {
        avro_value_t branch = {0};
        assert_int_equal(avro_value_set_branch(value, *(const int *)beside, &branch), 0);
        build_record(type->branches[*(const int *)beside], at, &branch);
        break;
    }
    }
}

static bool is_null(const struct weir_type *type, const uint8_t *at, const uint8_t *beside)
{
    return type->kind == WEIR_STRING || type->kind == WEIR_BYTES ? !*(const void *const *)at
                                                                 : !*(const bool *)beside;
}

static void build_record(const struct weir_record *record, const uint8_t *in, avro_value_t *value)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct weir_field *field = &record->fields[i];
        const uint8_t *at = in + field->offset, *beside = in + field->has_offset;
        avro_value_t member = {0}, branch = {0};
        assert_int_equal(avro_value_get_by_index(value, i, &member, NULL), 0);
        if (field->type.nullable) {
            bool null = is_null(&field->type, at, beside);
            assert_int_equal(avro_value_set_branch(&member,
                                                   null == field->type.null_is_first ? 0 : 1,
                                                   &branch),
                             0);
            member = branch;
            if (null) {
                avro_value_set_null(&member);
                continue;
            }
        }
        build_value(&field->type, at, beside, &member);
    }
}

/* ---- the comparison ---- */

struct pair {
    const struct weir_record *record;
    struct codec *codec;
    avro_value_iface_t *class;
    struct arena arena; /* of one value */
};

/* What our decoder accepts, avro-c reads, as the same value. */
static bool agree_on(struct pair *pair, struct weir_bytes bytes)
{
    struct buffer ours = {0}, theirs = {0};
    avro_value_t value;
    void *out = arena_alloc(&pair->arena, pair->record->size);
    bool decoded =
        codec_decode_datum(pair->codec, pair->record, bytes, &pair->arena, out, &error) == DECODED;
    if (decoded) {
        avro_generic_value_new(pair->class, &value);
        assert_true(avro_c_read(bytes, &value));
        avro_c_write(&value, &theirs);
        codec_encode_datum(pair->record, out, &ours);
        assert_int_equal(ours.size, theirs.size);
        if (ours.size > 0) {
            assert_memory_equal(ours.data, theirs.data, ours.size);
        }
        avro_value_decref(&value);
    }
    buffer_release(&ours);
    buffer_release(&theirs);
    return decoded;
}

static size_t flip_bits(struct pair *pair, struct weir_bytes bytes)
{
    size_t decoded = 0;
    for (size_t i = 0; bytes.size > 0 && i < FLIPS; i++) {
        uint8_t *flipped = malloc(bytes.size);
        memcpy(flipped, bytes.data, bytes.size);
        flipped[below(bytes.size)] ^= (uint8_t)(1 << below(8));
        decoded += agree_on(pair, (struct weir_bytes){flipped, bytes.size});
        free(flipped);
    }
    return decoded;
}

static size_t compare_one_value(struct pair *pair)
{
    struct buffer text = {0}, ours = {0}, theirs = {0};
    avro_value_t value;
    void *in = arena_alloc(&pair->arena, pair->record->size),
         *out = arena_alloc(&pair->arena, pair->record->size);
    random_fields(pair->record, &text);
    struct weir_bytes json = {text.data, text.size};
    if (record_from_json(pair->record, json, &pair->arena, in, &error) != DECODED) {
        fail_msg("%s: %s", buffer_string(&text), error.text);
    }
    codec_encode_datum(pair->record, in, &ours);
    avro_generic_value_new(pair->class, &value);
    build_record(pair->record, in, &value);
    avro_c_write(&value, &theirs);
    avro_value_decref(&value);
    assert_int_equal(ours.size, theirs.size);
    if (ours.size > 0) {
        assert_memory_equal(ours.data, theirs.data, ours.size);
    }
    struct weir_bytes bytes = {theirs.data, theirs.size};
    assert_int_equal(codec_decode_datum(pair->codec, pair->record, bytes, &pair->arena, out,
                                        &error),
                     DECODED);
    assert_true(record_equal(pair->record, in, out));
    assert_true(agree_on(pair, bytes));
    size_t decoded = flip_bits(pair, bytes);
    buffer_release(&text);
    buffer_release(&ours);
    buffer_release(&theirs);
    arena_reset(&pair->arena);
    return decoded;
}

static void agrees_with_avro_c_on_random_records(void **state)
{
    (void)state;
    const char *seed = getenv("WEIR_TEST_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : 1;
    printf("WEIR_TEST_SEED=%llu\n", (unsigned long long)random_state);
    size_t decoded = 0;
    for (int i = 0; i < SCHEMAS; i++) {
        struct names names = {0};
        struct buffer text = {0};
        avro_schema_t schema;
        struct pair pair = {0};
        random_record(&names, 3, &text);
        pair.record = layout_of(buffer_string(&text), &arena);
        const struct weir_record *records[] = {pair.record, NULL};
        assert_int_equal(codec_open(&pair.codec, records, NULL, &error), OK);
        assert_int_equal(avro_schema_from_json_length(buffer_string(&text), text.size, &schema), 0);
        pair.class = avro_generic_class_from_schema(schema);
        for (int j = 0; j < VALUES; j++) {
            decoded += compare_one_value(&pair);
        }
        avro_value_iface_decref(pair.class);
        avro_schema_decref(schema);
        codec_close(pair.codec);
        arena_release(&pair.arena);
        buffer_release(&text);
    }
    assert_true(decoded > 1000); /* of the flipped ones: the comparison is not empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(agrees_with_avro_c_on_random_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
