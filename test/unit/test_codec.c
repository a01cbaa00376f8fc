/* test_codec.c - codec/codec.h: the bytes of the specification, frames, and whose schemas it knows.
 */
#include <unistd.h>

#include "codec/binary.h"
#include "codec_cases.h"

/* ---- the specification's bytes ---- */

static void writes_numbers_as_the_specification_does(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *hex;
    } table[] = {
        {0, "00"},
        {-1, "01"},
        {1, "02"},
        {-2, "03"},
        {2, "04"},
        {-64, "7f"},
        {64, "8001"},
        {8192, "808001"},
        {-8193, "818001"},
        {INT32_MAX, "feffffff0f"},
        {INT32_MIN, "ffffffff0f"},
        {INT64_MAX, "feffffffffffffffff01"},
        {INT64_MIN, "ffffffffffffffffff01"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"f\":%lld}", (long long)table[i].value);
        reads_and_writes("R{f long}", table[i].hex, json);
        if (table[i].value >= INT32_MIN && table[i].value <= INT32_MAX) {
            reads_and_writes("R{f int}", table[i].hex, json);
        }
    }
}

static void every_number_of_every_length_comes_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int64_t near = -2; near <= 2; near++) {
            int64_t value = (int64_t)((UINT64_C(1) << bit) + (uint64_t)near), back = 0;
            uint8_t bytes[VARINT_MAX_BYTES];
            uint8_t *end = varint_write(bytes, value);
            const uint8_t *at = bytes;
            assert_true(varint_read(&at, end, &back));
            assert_true(back == value && at == end);
            for (const uint8_t *cut = bytes; cut < end; cut++) {
                at = bytes;
                assert_false(varint_read(&at, cut, &back));
                assert_ptr_equal(at, bytes);
            }
        }
    }
}

static void writes_values_as_the_specification_does(void **state)
{
    (void)state;
    reads_and_writes("R{f string}", "06666f6f", "{\"f\":\"foo\"}");
    reads_and_writes("R{f string}", "00", "{\"f\":\"\"}");
    reads_and_writes("R{f bytes}", "06 00ff7f", "{\"f\":\"00ff7f\"}");
    reads_and_writes("R{f bytes}", "00", "{\"f\":\"\"}");
    reads_and_writes("R{f boolean}", "01", "{\"f\":true}");
    reads_and_writes("R{f Foo<A B C D>}", "06", "{\"f\":\"D\"}");
    reads_and_writes("R{f []long}", "04063600", "{\"f\":[3,27]}");
    reads_and_writes("R{f []long}", "00", "{\"f\":[]}");
    reads_and_writes("R{f ?string}", "00", "{\"f\":null}");
    reads_and_writes("R{f ?string}", "020261", "{\"f\":\"a\"}");
    reads_and_writes("R{f (string|null)}", "02", "{\"f\":null}");
    reads_and_writes("R{f (string|null)}", "000261", "{\"f\":\"a\"}");
    reads_and_writes("R{f ?bytes}", "0200", "{\"f\":\"\"}");
    reads_and_writes("R{f ?int}", "0200", "{\"f\":0}");
    reads_and_writes("R{f ?boolean}", "0200", "{\"f\":false}");
    reads_and_writes("R{f ?int}", "00", "{\"f\":null}");
    reads_and_writes("test{a long; b string}", "3606666f6f", "{\"a\":27,\"b\":\"foo\"}");
    reads_and_writes("R{f (A{}|x.B{n int})}", "020e", "{\"f\":{\"B\":{\"n\":7}}}");
    reads_and_writes("Empty{}", "", "{}");
}

static void reads_arrays_in_any_blocks(void **state)
{
    (void)state;
    const char *longs = "R{f []long}";
    reads(longs, "02 06 02 36 00", "{\"f\":[3,27]}");
    reads(longs, "01 02 06 02 36 00", "{\"f\":[3,27]}"); /* -1 items of 1 byte, then 1 */
    reads(longs, "03 04 06 36 02 80 01 00", "{\"f\":[3,27,64]}");
    const char *texts = "R{f [][]string}";
    reads(texts, "02 02 0261 02 0262 00 04 00 02 0263 00 00", "{\"f\":[[\"a\",\"b\"],[],[\"c\"]]}");
}

static void reads_numbers_with_needless_zeros(void **state)
{
    (void)state;
    reads("R{f int}", "8280808000", "{\"f\":1}");
    reads("R{f int}", "82808080808080808000", "{\"f\":1}");
}

static void encodes_an_order_in_119_bytes_and_reads_it_back(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct order order;
    codec_encode(&order_record, &sample, &bytes);
    assert_int_equal(bytes.size, 10 + 119);
    assert_memory_equal(bytes.data, "\xC3\x01", 2);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(bytes.data[2 + i], order_record.fingerprint >> 8 * i & 0xFF);
    }
    struct weir_bytes framed = {bytes.data, bytes.size};
    assert_int_equal(codec_decode(codec, &order_record, framed, &arena, &order, &error), DECODED);
    buffer_reset(&bytes); /* nothing of the order points into the bytes */
    memset(buffer_reserve(&bytes, 129), 'x', 129);
    assert_true(record_equal(&order_record, &order, &sample));
    assert_string_equal(order.order_id, sample.order_id);
    assert_int_equal(order.currency, CURRENCY_GBP);
    assert_int_equal(order.items.count, 3);
    assert_string_equal(order.items.items[2].sku, "SKU-0000\xC3\xA9-3");
    assert_int_equal(order.items.items[2].qty, 12);
    buffer_release(&bytes);
}

/* ---- frames ---- */

static void tells_a_bad_frame_from_an_unknown_schema(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct order order;
    codec_encode(&order_record, &sample, &bytes);
    for (size_t size = 0; size < 10; size++) {
        struct weir_bytes cut = {bytes.data, size};
        assert_int_equal(codec_decode(codec, &order_record, cut, &arena, &order, &error),
                         DECODE_BAD);
        assert_non_null(strstr(error.text, "C3 01"));
    }
    struct weir_bytes whole = {bytes.data, bytes.size};
    bytes.data[1] = 2;
    assert_int_equal(codec_decode(codec, &order_record, whole, &arena, &order, &error), DECODE_BAD);
    bytes.data[1] = 1;
    struct weir_bytes datum, cut = {bytes.data, 9};
    assert_true(codec_unframe(&order_record, whole, &datum));
    assert_int_equal(datum.size, bytes.size - 10);
    assert_false(codec_unframe(&order_record, cut, &datum));
    bytes.data[9] ^= 0x80;
    assert_false(codec_unframe(&order_record, whole, &datum));
    assert_int_equal(codec_decode(codec, &order_record, whole, &arena, &order, &error),
                     DECODE_UNKNOWN_SCHEMA);
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx",
             (unsigned long long)(order_record.fingerprint ^ UINT64_C(1) << 63));
    assert_non_null(strstr(error.text, hex));
    struct weir_bytes nothing = {NULL, 0};
    assert_int_equal(codec_decode(codec, &order_record, nothing, &arena, &order, &error),
                     DECODE_BAD);
    buffer_release(&bytes);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *directory, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    unlink(path);
}

static void learns_schemas_that_arrive_in_the_directory(void **state)
{
    (void)state;
    char directory[] = "/tmp/weir-test-schemas-XXXXXX";
    assert_non_null(mkdtemp(directory));
    const struct weir_record *reader = record_of("R{f long}"), *writer = record_of("R{f int}");
    const struct weir_record *records[] = {reader, NULL};
    struct codec *own;
    struct buffer bytes = {0};
    int64_t one = 1, back[4];
    codec_encode(writer, &one, &bytes); /* an int: the low half */
    struct weir_bytes framed = {bytes.data, bytes.size};
    write_file(directory, "notes.txt", "not a schema");
    assert_int_equal(codec_open(&own, records, directory, &error), OK);
    assert_int_equal(codec_decode(own, reader, framed, &arena, back, &error),
                     DECODE_UNKNOWN_SCHEMA);
    assert_non_null(strstr(error.text, directory));

    write_file(directory, "bad.avsc", "{\"type\":");
    write_file(directory, "new.avsc", writer->schema);
    assert_int_equal(codec_refresh(own, &error), FATAL); /* says what is bad, reads what is good */
    assert_non_null(strstr(error.text, "bad.avsc: line 1, column "));
    assert_int_equal(codec_decode(own, reader, framed, &arena, back, &error), DECODED);
    assert_int_equal(back[0], 1);
    write_file(directory, "bad.avsc", "\"int\"");
    assert_int_equal(codec_refresh(own, &error), OK);
    codec_close(own);

    remove_file(directory, "notes.txt");
    remove_file(directory, "bad.avsc");
    remove_file(directory, "new.avsc");
    rmdir(directory);
    assert_int_equal(codec_open(&own, records, directory, &error), FATAL);
    assert_non_null(strstr(error.text, directory));
    buffer_release(&bytes);
}

/* A link to nowhere; more than a schema can be. What is known already is no harm. */
static void refuses_files_that_cannot_be_schemas(void **state)
{
    (void)state;
    enum { TOO_MANY = 1024 * 1024 + 1 };
    char directory[] = "/tmp/weir-test-schemas-XXXXXX", path[200];
    assert_non_null(mkdtemp(directory));
    const struct weir_record *record = record_of("R{f long}");
    const struct weir_record *records[] = {record, record, NULL};
    struct codec *own;
    write_file(directory, "known.avsc", record->schema);
    assert_int_equal(codec_open(&own, records, directory, &error), OK);
    codec_close(own);

    snprintf(path, sizeof path, "%s/nowhere.avsc", directory);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(codec_open(&own, records, directory, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(error.text, "nowhere.avsc: "));
    assert_int_equal(unlink(path), 0);

    write_file(directory, "large.avsc", "");
    snprintf(path, sizeof path, "%s/large.avsc", directory);
    assert_int_equal(truncate(path, TOO_MANY), 0);
    assert_int_equal(codec_open(&own, records, directory, &error), FATAL);
    assert_non_null(strstr(error.text, "large.avsc: File too large"));

    remove_file(directory, "large.avsc");
    remove_file(directory, "known.avsc");
    rmdir(directory);
    codec_close(NULL);
}

/* One plan for each version that a topic has seen. */
static void remembers_how_to_read_many_writers(void **state)
{
    (void)state;
    enum { WRITERS = 100 };
    const struct weir_record *records[WRITERS + 1] = {0};
    struct codec *own;
    for (int i = 0; i < WRITERS; i++) {
        char text[40];
        snprintf(text, sizeof text, "R{f int; g%d int = %d}", i, i);
        records[i] = record_of(text);
    }
    assert_int_equal(codec_open(&own, records, NULL, &error), OK);
    const struct weir_record *reader = record_of("R{f long}");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < WRITERS; i++) {
            struct buffer bytes = {0};
            int32_t *value = arena_alloc(&arena, records[i]->size); /* f stands first */
            int64_t *back = arena_alloc(&arena, reader->size);
            *value = i;
            codec_encode(records[i], value, &bytes);
            assert_int_equal(codec_decode(own, reader, (struct weir_bytes){bytes.data, bytes.size},
                                          &arena, back, &error),
                             DECODED);
            assert_int_equal(*back, i);
            buffer_release(&bytes);
        }
    }
    codec_close(own);
}

static void refuses_a_compiled_in_fingerprint_that_is_wrong(void **state)
{
    (void)state;
    struct weir_record wrong = *record_of("R{f int}");
    const struct weir_record *records[] = {&wrong, NULL};
    struct codec *own;
    wrong.fingerprint++;
    assert_int_equal(codec_open(&own, records, NULL, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_BUG);
}

static void costs_no_malloc_after_the_first_record(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct order order;
    codec_encode(&order_record, &sample, &bytes);
    struct weir_bytes record = {bytes.data, bytes.size};
    struct arena own;
    arena_init(&own);
    const void *first = NULL;
    for (int i = 0; i < 100; i++) {
        arena_reset(&own);
        assert_int_equal(codec_decode(codec, &order_record, record, &own, &order, &error), DECODED);
        first = first ? first : order.order_id;
        assert_ptr_equal(order.order_id, first); /* the same memory again */
    }
    arena_release(&own);
    buffer_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_numbers_as_the_specification_does),
        TEST(every_number_of_every_length_comes_back),
        TEST(writes_values_as_the_specification_does),
        TEST(reads_arrays_in_any_blocks),
        TEST(reads_numbers_with_needless_zeros),
        TEST(encodes_an_order_in_119_bytes_and_reads_it_back),
        TEST(tells_a_bad_frame_from_an_unknown_schema),
        TEST(learns_schemas_that_arrive_in_the_directory),
        TEST(refuses_files_that_cannot_be_schemas),
        TEST(remembers_how_to_read_many_writers),
        TEST(refuses_a_compiled_in_fingerprint_that_is_wrong),
        TEST(costs_no_malloc_after_the_first_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
