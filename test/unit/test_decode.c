/* test_decode.c - codec/decode.c against bytes that mean harm: each is refused, at the byte, with
 * the reason.
 */
#include "codec/binary.h"
#include "codec_cases.h"

static void refuses_a_string_longer_than_the_bytes_left(void **state)
{
    (void)state;
    refuses("R{f string}", "06 6161", "f: byte 1: a length of 3 with 2 bytes left");
    refuses("R{f string}", "80a8d6b907", "with 0 bytes left"); /* a gigabyte */
    refuses("R{f bytes}", "feffffffffffffffff01 00", "a length of 9223372036854775807");
    refuses("R{f bytes}", "04 00", "a length of 2 with 1 bytes left");
}

static void refuses_a_negative_length(void **state)
{
    (void)state;
    refuses("R{f string}", "01 61", "a length of -1");
    refuses("R{f bytes}", "03 6161", "a length of -2");
    refuses("R{f bytes}", "ffffffffffffffffff01", "a length of -9223372036854775808");
}

static void refuses_text_that_is_not_utf8(void **state)
{
    (void)state;
    refuses("R{f string}", "02 ff", "not UTF-8");
    refuses("R{f string}", "02 c3", "not UTF-8");
    refuses("R{f string}", "06 eda080", "not UTF-8");
    refuses("R{f string}", "04 c080", "not UTF-8");
    refuses("R{f string}", "14 61626364656667c3 2861", "not UTF-8");
    reads_and_writes("R{f string}", "08 f09f9880", "{\"f\":\"\xF0\x9F\x98\x80\"}");
}

static void refuses_a_nul_inside_a_string(void **state)
{
    (void)state;
    refuses("R{f string}", "02 00", "NUL inside");
    refuses("R{f string}", "16 6161616161616161 61 00 61", "NUL inside");
    reads("R{f bytes}", "02 00", "{\"f\":\"00\"}");
}

static void refuses_numbers_out_of_range(void **state)
{
    (void)state;
    refuses("R{f int}", "8080808010", "2147483648 is not an int");
    refuses("R{f int}", "8180808010", "-2147483649 is not an int");
    refuses("R{f long}", "ffffffffffffffffff02", "longer than 64 bits");
    refuses("R{f long}", "ffffffffffffffffff7f", "longer than 64 bits");
    refuses("R{f long}", "8080808080808080808000", "longer than 64 bits");
    refuses("R{f long}", "", "cut short");
    refuses("R{f long}", "80", "cut short");
}

static void refuses_symbols_and_branches_out_of_range(void **state)
{
    (void)state;
    const char *symbols = "R{f E<A B>}";
    refuses(symbols, "04", "f: byte 1: symbol 2 of 2");
    refuses(symbols, "01", "symbol -1 of 2");
    refuses(symbols, "9a01", "symbol 77 of 2");
    refuses(symbols, "8080808020", "symbol 4294967296 of 2");
    refuses("R{f ?int}", "04 00", "branch 2 of 2");
    refuses("R{f ?int}", "01 00", "branch -1 of 2");
}

static void refuses_booleans_but_0_and_1(void **state)
{
    (void)state;
    refuses("R{f boolean}", "02", "not a boolean");
    refuses("R{f boolean}", "ff", "not a boolean");
    refuses("R{f boolean}", "", "not a boolean");
}

static void refuses_bytes_behind_the_record(void **state)
{
    (void)state;
    refuses("R{f int}", "0000", "byte 1: 1 bytes behind the record's end");
    refuses("Empty{}", "00", "1 bytes behind");
}

static void refuses_counts_that_the_bytes_cannot_hold(void **state)
{
    (void)state;
    const char *longs = "R{f []long}";
    refuses(longs, "08 0000", "4 items with 2 bytes left");
    refuses(longs, "feffffffffffffffff01 00", "items with 1 bytes left");
    refuses(longs, "80808080808080 20", "items with 0 bytes left");
    refuses("R{f []I{a string; b long}}", "04 000000", "2 items with 3 bytes left");
    refuses(longs, "ffffffffffffffffff01 00", "beyond the bytes left"); /* INT64_MIN items */
    refuses(longs, "02 00", "cut short");                               /* no end of the array */
}

static void refuses_block_sizes_that_are_not_true(void **state)
{
    (void)state;
    const char *longs = "R{f []long}";
    refuses(longs, "03 02 06 36 00", "size that it says");
    refuses(longs, "03 06 06 36 00 00", "size that it says");
    refuses(longs, "03 08 06 36 00", "beyond the bytes left");
    refuses(longs, "03 01 06 36 00", "beyond the bytes left");
    refuses(longs, "03", "beyond the bytes left");
}

static void refuses_endless_items_of_no_bytes(void **state)
{
    (void)state;
    const char *nothings = "R{f []N{}}";
    refuses(nothings, "80808080808040 00", "more than 1000000 items");
    refuses(nothings, "feffffffffffffffff01 00", "more than 1000000 items");
    /* many blocks, each below the cap */
    refuses(nothings, "c0843d c0843d c0843d 00", "more than 1000000 items");
    /* in many arrays of one record */
    refuses("R{f [][]N{}}", "06 c0843d00 c0843d00 c0843d00 00", "more than 1000000 items");
}

static void refuses_to_need_more_memory_than_it_may(void **state)
{
    (void)state;
    /* a fat struct for a small item: 100 empty arrays are 100 bytes, and 2,400 in memory */
    struct buffer schema = {0}, bytes = {0};
    buffer_add_string(&schema, "R{f []I{a []int");
    for (int i = 0; i < 99; i++) {
        buffer_format(&schema, "; a%d []int", i);
    }
    buffer_add_string(&schema, "}}");
    const struct weir_record *record = record_of(buffer_string(&schema));
    buffer_add_varint(&bytes, 40 * 1000);
    memset(buffer_reserve(&bytes, 4000 * 1000 + 1), 0, 4000 * 1000 + 1);
    bytes.size += 4000 * 1000 + 1;
    struct weir_bytes datum = {bytes.data, bytes.size};
    void *out = arena_alloc(&arena, record->size);
    assert_int_equal(codec_decode_datum(codec, record, datum, &arena, out, &error), DECODE_BAD);
    assert_non_null(strstr(error.text, "bytes in memory"));
    buffer_release(&schema);
    buffer_release(&bytes);
}

static void refuses_every_truncation_of_an_order(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    codec_encode(&order_record, &sample, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        struct order order;
        uint8_t *cut = malloc(size > 0 ? size : 1);
        memcpy(cut, bytes.data, size);
        struct weir_bytes record = {cut, size};
        assert_int_equal(codec_decode(codec, &order_record, record, &arena, &order, &error),
                         DECODE_BAD);
        free(cut);
        arena_reset(&arena);
    }
    buffer_release(&bytes);
}

static void decodes_or_refuses_every_flipped_bit_of_an_order(void **state)
{
    (void)state;
    struct buffer bytes = {0}, again = {0};
    size_t decoded = 0, bad = 0, unknown = 0;
    codec_encode(&order_record, &sample, &bytes);
    for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
        struct order order;
        uint8_t *flipped = malloc(bytes.size);
        memcpy(flipped, bytes.data, bytes.size);
        flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct weir_bytes record = {flipped, bytes.size};
        switch (codec_decode(codec, &order_record, record, &arena, &order, &error)) {
        case DECODED: /* a valid record, and another one */
            decoded++;
            assert_false(record_equal(&order_record, &order, &sample));
            buffer_reset(&again);
            codec_encode(&order_record, &order, &again);
            assert_true(again.size <= bytes.size); /* a flipped bit can make a needless zero */
            struct weir_bytes written = {again.data, again.size};
            struct order back;
            assert_int_equal(codec_decode(codec, &order_record, written, &arena, &back, &error),
                             DECODED);
            assert_true(record_equal(&order_record, &order, &back));
            break;
        case DECODE_BAD:
            bad++;
            break;
        case DECODE_UNKNOWN_SCHEMA:
            unknown++;
            break;
        case DECODE_UNKNOWN_BRANCH:
            fail_msg("an order has no branches");
            break;
        }
        free(flipped);
        arena_reset(&arena);
    }
    assert_int_equal(unknown, 64);
    assert_true(decoded > 300 && bad > 150);
    buffer_release(&bytes);
    buffer_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refuses_a_string_longer_than_the_bytes_left),
        TEST(refuses_a_negative_length),
        TEST(refuses_text_that_is_not_utf8),
        TEST(refuses_a_nul_inside_a_string),
        TEST(refuses_numbers_out_of_range),
        TEST(refuses_symbols_and_branches_out_of_range),
        TEST(refuses_booleans_but_0_and_1),
        TEST(refuses_bytes_behind_the_record),
        TEST(refuses_counts_that_the_bytes_cannot_hold),
        TEST(refuses_block_sizes_that_are_not_true),
        TEST(refuses_endless_items_of_no_bytes),
        TEST(refuses_to_need_more_memory_than_it_may),
        TEST(refuses_every_truncation_of_an_order),
        TEST(decodes_or_refuses_every_flipped_bit_of_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
