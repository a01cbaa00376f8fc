/* test_key.c - codec/key.h: keys sort as their rows do, and come back. */
#include "codec/key.h"

#include "codec_cases.h"

struct row {
    const char *payload; /* no part of the key */
    const char *sku;
    int64_t seq;
    int32_t line;
    enum currency currency;
};

static const struct weir_field row_fields[] = {
    {.name = "payload", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct row, payload)},
    {.name = "sku", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct row, sku)},
    {.name = "seq", .type = {.kind = WEIR_LONG}, .offset = offsetof(struct row, seq)},
    {.name = "line", .type = {.kind = WEIR_INT}, .offset = offsetof(struct row, line)},
    {.name = "currency",
     .type = {.kind = WEIR_ENUM, .symbols = &currency_enum},
     .offset = offsetof(struct row, currency)},
};
static const struct weir_record row_record = {.name = "Row",
                                              .short_name = "Row",
                                              .fields = row_fields,
                                              .field_count = 5,
                                              .size = sizeof(struct row)};
static const uint16_t row_key[] = {1, 2, 3, 4};
static const struct weir_store store = {.name = "row",
                                        .record = &row_record,
                                        .key_fields = row_key,
                                        .key_field_count = 4};

static struct buffer key_of(const struct row *row, size_t fields)
{
    struct buffer key = {0};
    key_encode(&store, row, fields, &key);
    return key;
}

static int compare(const struct row *a, const struct row *b)
{
    struct buffer left = key_of(a, 4), right = key_of(b, 4);
    size_t common = left.size < right.size ? left.size : right.size;
    int order = memcmp(left.data, right.data, common);
    buffer_release(&left);
    buffer_release(&right);
    return order;
}

static void writes_strings_with_a_nul_and_numbers_big_endian(void **state)
{
    (void)state;
    struct row row = {.sku = "A1", .seq = 1, .line = -1, .currency = CURRENCY_USD};
    struct buffer key = key_of(&row, 4);
    assert_int_equal(key.size, 3 + 3 * 8);
    assert_memory_equal(key.data,
                        "A1\0\x80\0\0\0\0\0\0\1\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x80\0\0\0\0\0\0\2",
                        27);
    buffer_release(&key);
    key = key_of(&row, 1); /* a prefix */
    assert_int_equal(key.size, 3);
    buffer_release(&key);
}

static void sorts_like_the_rows(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* in order */
        {.sku = "", .seq = 9},
        {.sku = "A", .seq = INT64_MIN},
        {.sku = "A", .seq = -2},
        {.sku = "A", .seq = -1},
        {.sku = "A", .seq = 0, .line = INT32_MIN},
        {.sku = "A", .seq = 0, .line = -1},
        {.sku = "A", .seq = 0, .line = 0},
        {.sku = "A", .seq = 0, .line = 0, .currency = CURRENCY_GBP},
        {.sku = "A", .seq = 0, .line = INT32_MAX},
        {.sku = "A", .seq = 255},
        {.sku = "A", .seq = 256},
        {.sku = "A", .seq = INT64_MAX},
        {.sku = "A\x01", .seq = 0},
        {.sku = "AB", .seq = INT64_MIN},
        {.sku = "B", .seq = INT64_MIN},
        {.sku = "\xC3\xA9", .seq = 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
            int order = compare(&rows[i], &rows[j]);
            assert_int_equal(i < j, order < 0);
            assert_int_equal(i == j, order == 0);
        }
    }
}

static void comes_back_and_leaves_other_fields_alone(void **state)
{
    (void)state;
    struct row row = {.sku = "SKU-\xC3\xA9",
                      .seq = INT64_MIN,
                      .line = INT32_MAX,
                      .currency = CURRENCY_USD},
               back = {.payload = "kept"};
    struct buffer key = key_of(&row, 4);
    assert_true(key_decode(&store, (struct weir_bytes){key.data, key.size}, &arena, &back));
    assert_string_equal(back.sku, row.sku);
    assert_true(back.seq == row.seq && back.line == row.line && back.currency == row.currency);
    assert_string_equal(back.payload, "kept");
    buffer_release(&key);
}

static void refuses_bytes_that_are_not_a_key(void **state)
{
    (void)state;
    struct row row = {.sku = "A1", .seq = 1, .line = 2, .currency = CURRENCY_EUR}, back;
    struct buffer key = key_of(&row, 4);
    for (size_t size = 0; size < key.size; size++) {
        uint8_t *cut = malloc(size > 0 ? size : 1);
        memcpy(cut, key.data, size);
        assert_false(key_decode(&store, (struct weir_bytes){cut, size}, &arena, &back));
        free(cut);
    }
    struct weir_bytes bytes = {key.data, key.size};
    key.data[key.size - 1] = 3; /* a currency beyond the last */
    assert_false(key_decode(&store, bytes, &arena, &back));
    key.data[key.size - 1] = 0;
    key.data[key.size - 8] = 0; /* a negative one */
    assert_false(key_decode(&store, bytes, &arena, &back));
    key.data[key.size - 8] = 0x80;
    key.data[key.size - 13] = 1; /* a line beyond 32 bits */
    assert_false(key_decode(&store, bytes, &arena, &back));
    key.data[key.size - 13] = 0;
    key.data[0] = 0xFF; /* no UTF-8 */
    assert_false(key_decode(&store, bytes, &arena, &back));
    key.data[0] = 'A';
    assert_true(key_decode(&store, bytes, &arena, &back));
    buffer_add_byte(&key, 0); /* something behind it */
    assert_false(key_decode(&store, (struct weir_bytes){key.data, key.size}, &arena, &back));
    assert_false(key_decode(&store, (struct weir_bytes){NULL, 0}, &arena, &back));
    buffer_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_strings_with_a_nul_and_numbers_big_endian),
        TEST(sorts_like_the_rows),
        TEST(comes_back_and_leaves_other_fields_alone),
        TEST(refuses_bytes_that_are_not_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
