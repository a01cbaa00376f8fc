/* codec_cases.h - what the codec's tests share: an order beside its struct, as the schema compiler
 * writes it, and values said as bytes in hex and as JSON.
 */
#ifndef WEIR_TEST_CODEC_CASES_H
#define WEIR_TEST_CODEC_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "layout_of.h"
#include "schema_of.h"

#include <cmocka.h>

/* ---- an order, with its struct ---- */

enum currency { CURRENCY_EUR, CURRENCY_GBP, CURRENCY_USD };

struct order_item {
    const char *sku;
    int32_t qty;
    int64_t unit_price;
};

struct order {
    const char *order_id, *customer_id;
    int64_t created_at;
    enum currency currency;
    int64_t total;
    struct {
        struct order_item *items;
        size_t count;
    } items;
};

#define ORDER_SCHEMA                                                                              \
    "{\"type\":\"record\",\"name\":\"shop.Order\",\"fields\":["                                   \
    "{\"name\":\"order_id\",\"type\":\"string\"},{\"name\":\"customer_id\",\"type\":\"string\"}," \
    "{\"name\":\"created_at\",\"type\":\"long\"},"                                                \
    "{\"name\":\"currency\",\"type\":{\"type\":\"enum\",\"name\":\"Currency\","                   \
    "\"symbols\":[\"EUR\",\"GBP\",\"USD\"]}},{\"name\":\"total\",\"type\":\"long\"},"             \
    "{\"name\":\"items\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\","            \
    "\"name\":\"Item\",\"fields\":[{\"name\":\"sku\",\"type\":\"string\"},"                       \
    "{\"name\":\"qty\",\"type\":\"int\"},{\"name\":\"unit_price\",\"type\":\"long\"}]}}}]}"

static const char *const currencies[] = {"EUR", "GBP", "USD", NULL};
static const struct weir_enum currency_enum = {.name = "shop.Currency",
                                               .symbols = currencies,
                                               .symbol_count = 3,
                                               .default_symbol = -1};

static const struct weir_field item_fields[] = {
    {.name = "sku", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct order_item, sku)},
    {.name = "qty", .type = {.kind = WEIR_INT}, .offset = offsetof(struct order_item, qty)},
    {.name = "unit_price",
     .type = {.kind = WEIR_LONG},
     .offset = offsetof(struct order_item, unit_price)},
};
static const struct weir_record item_record = {.name = "shop.Item",
                                               .short_name = "Item",
                                               .fields = item_fields,
                                               .field_count = 3,
                                               .size = sizeof(struct order_item)};
static const struct weir_type item_type = {.kind = WEIR_RECORD, .record = &item_record};

static const struct weir_field order_fields[] = {
    {.name = "order_id", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct order, order_id)},
    {.name = "customer_id",
     .type = {.kind = WEIR_STRING},
     .offset = offsetof(struct order, customer_id)},
    {.name = "created_at",
     .type = {.kind = WEIR_LONG},
     .offset = offsetof(struct order, created_at)},
    {.name = "currency",
     .type = {.kind = WEIR_ENUM, .symbols = &currency_enum},
     .offset = offsetof(struct order, currency)},
    {.name = "total", .type = {.kind = WEIR_LONG}, .offset = offsetof(struct order, total)},
    {.name = "items",
     .type = {.kind = WEIR_ARRAY, .items = &item_type, .item_size = sizeof(struct order_item)},
     .offset = offsetof(struct order, items)},
};
static struct weir_record order_record = {.name = "shop.Order",
                                          .short_name = "Order",
                                          .fields = order_fields,
                                          .field_count = 6,
                                          .size = sizeof(struct order),
                                          .schema = ORDER_SCHEMA};

static struct order_item sample_items[] = {{"SKU-00000001", 2, 1999},
                                           {"SKU-00000002", 1, 89900},
                                           {"SKU-0000\xC3\xA9-3", 12, 100000}};
static const struct order sample = {
    .order_id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    .customer_id = "customer-0012345",
    .created_at = INT64_C(1700000000000000),
    .currency = CURRENCY_GBP,
    .total = 1293898,
    .items = {sample_items, 3},
};

/* ---- what every test has ---- */

static struct arena arena;
static struct codec *codec;
static struct error error;

static inline int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    order_record.fingerprint = layout_of(ORDER_SCHEMA, &arena)->fingerprint;
    const struct weir_record *records[] = {&order_record, NULL};
    assert_int_equal(codec_open(&codec, records, NULL, &error), OK);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    codec_close(codec);
    arena_release(&arena);
    return 0;
}

/* "06 66 6f 6f" as bytes in a block of exactly their size, so that a read beyond is seen. */
static inline struct weir_bytes from_hex(const char *hex)
{
    struct weir_bytes bytes = {malloc(strlen(hex) / 2 + 1), 0};
    for (; *hex; hex++) {
        if (*hex != ' ') {
            char digits[] = {hex[0], hex[1], 0};
            ((uint8_t *)(uintptr_t)bytes.data)[bytes.size++] = (uint8_t)strtoul(digits, NULL, 16);
            hex++;
        }
    }
    bytes.data = realloc((void *)(uintptr_t)bytes.data, bytes.size > 0 ? bytes.size : 1);
    return bytes;
}

static inline void free_bytes(struct weir_bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

/* The layout of a schema in short. */
static inline const struct weir_record *record_of(const char *schema)
{
    return layout_of(schema_of(schema, &arena), &arena);
}

/* The bytes, read as the schema, are the value; and the value is written as these bytes. */
static inline void reads(const char *schema, const char *hex, const char *json)
{
    const struct weir_record *record = record_of(schema);
    struct weir_bytes bytes = from_hex(hex);
    struct buffer text = {0};
    void *out = arena_alloc(&arena, record->size);
    error.text[0] = 0;
    if (codec_decode_datum(codec, record, bytes, &arena, out, &error) != DECODED) {
        fail_msg("%s: %s", hex, error.text);
    }
    record_to_json(record, out, &text);
    assert_string_equal(buffer_string(&text), json);
    buffer_release(&text);
    free_bytes(bytes);
}

static inline void reads_and_writes(const char *schema, const char *hex, const char *json)
{
    reads(schema, hex, json);
    const struct weir_record *record = record_of(schema);
    struct weir_bytes bytes = from_hex(hex), text = {(const uint8_t *)json, strlen(json)};
    struct buffer written = {0};
    void *value = arena_alloc(&arena, record->size);
    if (record_from_json(record, text, &arena, value, &error) != DECODED) {
        fail_msg("%s: %s", json, error.text);
    }
    codec_encode_datum(record, value, &written);
    assert_int_equal(written.size, bytes.size);
    assert_memory_equal(written.data, bytes.data, bytes.size);
    buffer_release(&written);
    free_bytes(bytes);
}

static inline void refuses(const char *schema, const char *hex, const char *reason)
{
    const struct weir_record *record = record_of(schema);
    struct weir_bytes bytes = from_hex(hex);
    void *out = arena_alloc(&arena, record->size);
    error.text[0] = 0;
    if (codec_decode_datum(codec, record, bytes, &arena, out, &error) != DECODE_BAD) {
        fail_msg("accepted: %s as %s", hex, schema);
    }
    if (!strstr(error.text, reason)) {
        fail_msg("%s: \"%s\" does not say \"%s\"", hex, error.text, reason);
    }
    assert_int_equal(error.exit_code, EXIT_DATA);
    free_bytes(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
