/* test_hand.c - tools/hand.h: records by hand, whole and in short form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "decode.h"
#include "hand.h"
#include "shop.h"

#include <cmocka.h>

enum { NOW_MS = 123456 };

static struct weir_bytes bytes_of(const char *text)
{
    return (struct weir_bytes){(const uint8_t *)text, strlen(text)};
}

static void refused(const struct weir_topic *topic, const char *text, const char *reason)
{
    struct arena arena;
    struct buffer value;
    struct error error = {0};
    const char *key;
    arena_init(&arena);
    buffer_init(&value);
    assert_int_equal(hand_read(topic, bytes_of(text), NOW_MS, &arena, &key, &value, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_DATA);
    if (!strstr(error.text, reason)) {
        fail_msg("%s: \"%s\" does not say \"%s\"", text, error.text, reason);
    }
    assert_int_equal(value.size, 0);
    buffer_release(&value);
    arena_release(&arena);
}

static void expect_restock(const char *text, int64_t occurred_ms)
{
    struct arena arena;
    struct buffer value;
    struct decoder decoder;
    struct stock_command command;
    struct error error = {0};
    const char *key;
    arena_init(&arena);
    buffer_init(&value);
    assert_int_equal(decoder_init(&decoder, NULL, &error), OK);
    if (hand_read(&stock_commands_topic, bytes_of(text), NOW_MS, &arena, &key, &value, &error) !=
        OK) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(key, "85123A");
    assert_int_equal(codec_decode(decoder.codec, &stock_command_record,
                                  (struct weir_bytes){value.data, value.size}, &arena, &command,
                                  &error),
                     DECODED);
    assert_int_equal(command.agg_seq, 0);
    assert_int_equal(command.occurred_ms, occurred_ms);
    assert_int_equal(command.payload_branch, STOCK_COMMAND_RESTOCK);
    assert_int_equal(command.payload.restock.qty, 48);
    assert_string_equal(command.payload.restock.location_id, "MAIN");
    decoder_release(&decoder);
    buffer_release(&value);
    arena_release(&arena);
}

static void the_short_form_gets_an_envelope_of_now(void **state)
{
    (void)state;
    expect_restock("{\"Restock\":{\"sku\":\"85123A\",\"receipt_id\":\"PO-1\",\"qty\":48}}", NOW_MS);
}

static void a_whole_envelope_is_taken_as_it_is(void **state)
{
    (void)state;
    expect_restock("{\"agg_seq\":0,\"occurred_ms\":5,\"payload\":"
                   "{\"Restock\":{\"sku\":\"85123A\",\"receipt_id\":\"PO-1\",\"qty\":48}}}",
                   5);
}

static void a_topic_of_json_keeps_its_text(void **state)
{
    (void)state;
    struct arena arena;
    struct buffer value;
    struct error error = {0};
    const char *key;
    arena_init(&arena);
    buffer_init(&value);
    assert_int_equal(hand_read(&order_raw_topic,
                               bytes_of("{ \"type\": \"cancel\", \"order_id\": \"o-1\" }"), NOW_MS,
                               &arena, &key, &value, &error),
                     OK);
    assert_string_equal(key, "o-1");
    assert_string_equal(buffer_string(&value), "{\"type\":\"cancel\",\"order_id\":\"o-1\"}");
    buffer_release(&value);
    arena_release(&arena);
}

static void errors_name_the_member(void **state)
{
    (void)state;
    refused(&stock_commands_topic,
            "{\"Restock\":{\"sku\":\"a\",\"receipt_id\":\"b\",\"qty\":\"48\"}}",
            "payload.Restock.qty");
    refused(&stock_commands_topic, "{\"Restock\":{\"sku\":\"a\",\"receipt_id\":\"b\"}}", "qty");
    refused(&stock_commands_topic, "{\"Restok\":{}}", "{\"Reserve\":{...}}");
    refused(&stock_commands_topic, "{\"Restock\":{\"sku\":\"\",\"receipt_id\":\"b\",\"qty\":1}}",
            "sku is empty");
    refused(&stock_commands_topic, "[]", "");
    refused(&stock_commands_topic, "{", "line 1");
    refused(&order_raw_topic, "{\"type\":\"cancel\",\"order_id\":\"o\",\"wish\":1}", "wish");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_form_gets_an_envelope_of_now),
        cmocka_unit_test(a_whole_envelope_is_taken_as_it_is),
        cmocka_unit_test(a_topic_of_json_keeps_its_text),
        cmocka_unit_test(errors_name_the_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
