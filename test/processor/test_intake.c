/* test_intake.c - raw orders become requests, or dead letters that say what is wrong: every rule of
 * section 18 of the domain.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/fixture.h"

#define HEAD  "\"customer_id\":\"C1\",\"currency\":\"EUR\""
#define LINE  "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"12.50\"}"
#define TOTAL "\"shipping_fee\":\"5\",\"grand_total\":\"30.00\""
#define DAY   INT64_C(86400000)

FIXTURE(intake_processor);

/* Sends an order O1 of these parts of JSON. */
static void send_parts(struct harness *harness, const char *head, const char *lines,
                       const char *totals)
{
    size_t size = strlen(head) + strlen(lines) + strlen(totals) + 100;
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "{\"type\":\"place\",\"order_id\":\"O1\",%s,\"lines\":[%s],%s}", head,
             lines, totals);
    harness_send_text(harness, &order_raw_topic, "O1", text);
    free(text);
}

static const struct place_order *expect_order(struct harness *harness)
{
    const struct order_request *request = harness_expect(harness, &order_requests_topic, "O1");
    assert_int_equal(request->payload_branch, ORDER_REQUEST_PLACE_ORDER);
    return &request->payload.place_order;
}

static const char *expect_dead(struct harness *harness, const char *cause)
{
    const char *reason = harness_expect_dead(harness, &order_raw_topic, cause);
    harness_expect_nothing_more(harness);
    return reason;
}

static void expect_dead_line(struct harness *harness, const char *line, const char *cause)
{
    send_parts(harness, HEAD, line, TOTAL);
    expect_dead(harness, cause);
}

static void expect_dead_head(struct harness *harness, const char *head, const char *cause)
{
    send_parts(harness, head, LINE, TOTAL);
    expect_dead(harness, cause);
}

/* ---- what passes ---- */

static void turns_major_units_into_minor_ones(void **state)
{
    struct harness *harness = *state;
    send_parts(harness, HEAD ",\"channel\":\"APP\",\"policy\":\"PARTIAL\",\"auto_accept\":true",
               LINE ",{\"line_no\":7,\"sku\":\"B\",\"qty\":3,\"unit_price\":\"0.99\","
                    "\"discount\":\"0.30\",\"tax\":\"0.19\",\"line_total\":\"2.86\"}",
               "\"shipping_fee\":\"4.9\",\"grand_total\":\"32.76\"");
    const struct place_order *order = expect_order(harness);
    assert_string_equal(order->order_id, "O1");
    assert_string_equal(order->customer_id, "C1");
    assert_int_equal(order->channel, CHANNEL_APP);
    assert_int_equal(order->policy, ORDER_POLICY_PARTIAL);
    assert_true(order->auto_accept);
    assert_int_equal(order->lines.count, 2);
    assert_int_equal(order->lines.items[0].unit_price, 1250);
    assert_int_equal(order->lines.items[0].line_total, 2500);
    assert_int_equal(order->lines.items[1].line_no, 7);
    assert_int_equal(order->lines.items[1].line_total, 286);
    assert_int_equal(order->shipping_fee, 490);
    assert_int_equal(order->discount_total, 30);
    assert_int_equal(order->tax_total, 19);
    assert_int_equal(order->grand_total, 3276);
    assert_int_equal(order->placed_ms, harness_sent_ms(harness)); /* it did not say when */
    assert_int_equal(order->payload_hash.size, 16);
    harness_expect_nothing_more(harness);
}

static void accepts_a_price_of_zero(void **state)
{
    struct harness *harness = *state;
    send_parts(harness, HEAD, "{\"line_no\":1,\"sku\":\"A\",\"qty\":1,\"unit_price\":\"0\"}",
               "\"grand_total\":\"0.00\"");
    assert_int_equal(expect_order(harness)->grand_total, 0);
}

static void knows_currencies_with_other_decimals(void **state)
{
    struct harness *harness = *state;
    send_parts(harness, "\"customer_id\":\"C1\",\"currency\":\"JPY\"",
               "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"1500\"}",
               "\"grand_total\":\"3000\"");
    assert_int_equal(expect_order(harness)->grand_total, 3000);
    send_parts(harness, "\"customer_id\":\"C1\",\"currency\":\"KWD\"",
               "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"1.234\"}",
               "\"grand_total\":\"2.468\"");
    assert_int_equal(expect_order(harness)->grand_total, 2468);
}

static void passes_a_cancellation_on(void **state)
{
    struct harness *harness = *state;
    harness_send_text(harness, &order_raw_topic, "O1",
                      "{\"type\":\"cancel\",\"order_id\":\"O1\",\"reason\":\"too late\"}");
    const struct order_request *request = harness_expect(harness, &order_requests_topic, "O1");
    assert_int_equal(request->payload_branch, ORDER_REQUEST_CANCEL_ORDER);
    assert_string_equal(request->payload.cancel_order.reason, "too late");
    harness_expect_nothing_more(harness);
}

/* Sends an order that differs from the usual one by these parts; returns its hash's first half. */
static uint64_t hash_of(struct harness *harness, const char *head, const char *lines,
                        const char *totals)
{
    send_parts(harness, head, lines, totals);
    uint64_t hash;
    memcpy(&hash, expect_order(harness)->payload_hash.data, sizeof hash);
    return hash;
}

static void gives_the_same_content_the_same_hash(void **state)
{
    struct harness *harness = *state;
    const char *b = "{\"line_no\":2,\"sku\":\"B\",\"qty\":1,\"unit_price\":\"5\"}";
    char one[300], other[300];
    snprintf(one, sizeof one, "%s,%s", LINE, b);
    snprintf(other, sizeof other, "%s,%s", b, LINE);
    uint64_t hash = hash_of(harness, HEAD, one, "\"grand_total\":\"30\"");
    assert_true(hash == hash_of(harness, HEAD, other, "\"grand_total\":\"30.00\""));
    assert_true(hash !=
                hash_of(harness, HEAD ",\"auto_accept\":true", one, "\"grand_total\":\"30\""));
    assert_true(hash != hash_of(harness, HEAD, LINE, TOTAL));
    assert_true(hash != hash_of(harness, "\"customer_id\":\"C2\",\"currency\":\"EUR\"", one,
                                "\"grand_total\":\"30\""));
    assert_true(hash != hash_of(harness, "\"customer_id\":\"C1\",\"currency\":\"USD\"", one,
                                "\"grand_total\":\"30\""));
    char when[200];
    snprintf(when, sizeof when, "%s,\"placed_ms\":%" PRId64, HEAD, harness_sent_ms(harness));
    assert_true(hash == hash_of(harness, when, one, "\"grand_total\":\"30\""));
}

/* Hashes are stored for days and compared by later versions: this one must stay as it is. */
static void keeps_its_hash_from_version_to_version(void **state)
{
    struct harness *harness = *state;
    send_parts(harness, HEAD, LINE, TOTAL);
    const struct weir_bytes hash = expect_order(harness)->payload_hash;
    char hex[33] = "";
    for (size_t i = 0; i < hash.size && i < 16; i++) {
        snprintf(hex + 2 * i, 3, "%02x", hash.data[i]);
    }
    assert_string_equal(hex, "06c2cb151bd9a96234d0256181814cee");
}

/* ---- what does not ---- */

static void refuses_what_is_not_such_json(void **state)
{
    struct harness *harness = *state;
    const char *const texts[] = {
        "",
        "{",
        "[]",
        "17",
        "{\"type\":\"place\"}",
        "{\"type\":\"return\",\"order_id\":\"O1\"}",
        "{\"type\":\"cancel\",\"order_id\":\"O1\",\"reasn\":\"typo\"}",
        "{\"type\":\"cancel\",\"order_id\":\"O1\"} and more",
        "{\"type\":\"cancel\",\"order_id\":17}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        harness_send_text(harness, &order_raw_topic, "O1", texts[i]);
        expect_dead(harness, "json");
    }
    expect_dead_line(harness, "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":12.50}",
                     "json"); /* a number is not a decimal string */
    expect_dead_line(harness, "{\"line_no\":1,\"sku\":\"A\",\"qty\":1.5,\"unit_price\":\"1\"}",
                     "json");
}

static void refuses_a_key_that_is_not_the_order_id(void **state)
{
    struct harness *harness = *state;
    const char *text = "{\"type\":\"cancel\",\"order_id\":\"O1\"}";
    harness_send_text(harness, &order_raw_topic, "O2", text);
    expect_dead(harness, "key");
    harness_send_text(harness, &order_raw_topic, "", text);
    expect_dead(harness, "key");
}

static void refuses_an_order_id_that_is_too_long(void **state)
{
    struct harness *harness = *state;
    char id[130], text[300];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = 0;
    snprintf(text, sizeof text, "{\"type\":\"cancel\",\"order_id\":\"%s\"}", id);
    harness_send_text(harness, &order_raw_topic, id, text);
    expect_dead(harness, "order_id");
}

static void refuses_totals_that_are_off_by_one(void **state)
{
    struct harness *harness = *state;
    send_parts(harness, HEAD, LINE, "\"shipping_fee\":\"5\",\"grand_total\":\"30.01\"");
    const char *reason = expect_dead(harness, "totals");
    assert_string_equal(reason, "grand_total is 3001, should be 3000 minor units by the lines");
    send_parts(harness, HEAD, LINE, "\"shipping_fee\":\"5\",\"grand_total\":\"29.99\"");
    expect_dead(harness, "totals");
    expect_dead_line(harness,
                     "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"12.50\","
                     "\"line_total\":\"25.01\"}",
                     "totals");
}

static void refuses_totals_that_do_not_fit(void **state)
{
    struct harness *harness = *state;
    expect_dead_line(harness,
                     "{\"line_no\":1,\"sku\":\"A\",\"qty\":2000000000,"
                     "\"unit_price\":\"90000000000\"}",
                     "totals");
    expect_dead_line(harness,
                     "{\"line_no\":1,\"sku\":\"A\",\"qty\":1,\"unit_price\":\"1\","
                     "\"discount\":\"1.01\"}",
                     "totals");
}

static void refuses_quantities_below_one(void **state)
{
    struct harness *harness = *state;
    send_parts(harness, HEAD, "{\"line_no\":3,\"sku\":\"A\",\"qty\":0,\"unit_price\":\"1\"}",
               TOTAL);
    assert_string_equal(expect_dead(harness, "qty"), "line 3: qty 0 is not positive");
    expect_dead_line(harness, "{\"line_no\":1,\"sku\":\"A\",\"qty\":-2,\"unit_price\":\"1\"}",
                     "qty");
}

static void refuses_negative_amounts(void **state)
{
    struct harness *harness = *state;
    expect_dead_line(harness, "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"-1\"}",
                     "price");
    expect_dead_line(harness,
                     "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"1\",\"tax\":\"-1\"}",
                     "price");
    expect_dead_line(
        harness, "{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"1\",\"discount\":\"-1\"}",
        "price");
    send_parts(harness, HEAD, LINE, "\"shipping_fee\":\"-5\",\"grand_total\":\"20\"");
    expect_dead(harness, "price");
}

static void refuses_money_that_is_not_exact(void **state)
{
    struct harness *harness = *state;
    send_parts(harness, HEAD, "{\"line_no\":2,\"sku\":\"A\",\"qty\":1,\"unit_price\":\"0.001\"}",
               TOTAL);
    assert_string_equal(expect_dead(harness, "decimals"),
                        "line 2: unit_price \"0.001\" has more decimals than its currency");
    expect_dead_line(harness, "{\"line_no\":1,\"sku\":\"A\",\"qty\":1,\"unit_price\":\"1,50\"}",
                     "money");
    expect_dead_line(harness, "{\"line_no\":1,\"sku\":\"A\",\"qty\":1,\"unit_price\":\"\"}",
                     "money");
    send_parts(harness, "\"customer_id\":\"C1\",\"currency\":\"JPY\"", LINE, TOTAL);
    expect_dead(harness, "decimals");
}

static void refuses_an_order_without_customer_or_currency(void **state)
{
    struct harness *harness = *state;
    expect_dead_head(harness, "\"currency\":\"EUR\"", "customer");
    expect_dead_head(harness, "\"customer_id\":\"\",\"currency\":\"EUR\"", "customer");
    expect_dead_head(harness, "\"customer_id\":\"C1\"", "currency");
    expect_dead_head(harness, "\"customer_id\":\"C1\",\"currency\":\"eur\"", "currency");
    expect_dead_head(harness, "\"customer_id\":\"C1\",\"currency\":\"XYZ\"", "currency");
}

static void refuses_times_that_are_absurd(void **state)
{
    struct harness *harness = *state;
    harness_advance(harness, 1000);
    send_parts(harness, HEAD, LINE, TOTAL);
    expect_order(harness);
    int64_t now = harness_sent_ms(harness) + 60000; /* within a minute */
    const struct {
        const char *field;
        int64_t ms;
        bool passes;
    } cases[] = {
        {"placed_ms", now - 8 * DAY, false},
        {"placed_ms", now - 6 * DAY, true},
        {"placed_ms", now + 2 * DAY, false},
        {"placed_ms", now + DAY / 2, true},
        {"placed_ms", -1, false},
        {"placed_ms", 1, false},
        {"placed_ms", INT64_MAX, false},
        {"placed_ms", 0, true},
        {"deadline_ms", now - DAY, false},
        {"deadline_ms", now + DAY, true},
        {"deadline_ms", 0, false},
        {"deadline_ms", now + 40 * DAY, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char head[200];
        snprintf(head, sizeof head, "%s,\"%s\":%" PRId64, HEAD, cases[i].field, cases[i].ms);
        send_parts(harness, head, LINE, TOTAL);
        if (cases[i].passes) {
            expect_order(harness);
        } else {
            expect_dead(harness, cases[i].field);
        }
    }
}

static void refuses_line_numbers_that_are_not_numbers_of_lines(void **state)
{
    struct harness *harness = *state;
    expect_dead_line(harness, LINE "," LINE, "line_no");
    expect_dead_line(harness, "{\"line_no\":0,\"sku\":\"A\",\"qty\":1,\"unit_price\":\"1\"}",
                     "line_no");
    expect_dead_line(harness, "{\"line_no\":1,\"sku\":\"\",\"qty\":1,\"unit_price\":\"1\"}", "sku");
    expect_dead_line(harness, "", "lines");
}

/* `count` lines of one unit at 1.00. */
static char *many_lines(int count)
{
    char *lines = calloc((size_t)count, 80);
    assert_non_null(lines);
    size_t used = 0;
    for (int i = 1; i <= count; i++) {
        used += (size_t)sprintf(lines + used,
                                "%s{\"line_no\":%d,\"sku\":\"S%d\",\"qty\":1,\"unit_price\":\"1\"}",
                                i > 1 ? "," : "", i, i);
    }
    return lines;
}

static void takes_fifteen_hundred_lines_and_not_one_more(void **state)
{
    struct harness *harness = *state;
    char *lines = many_lines(1500);
    send_parts(harness, HEAD, lines, "\"grand_total\":\"1500\"");
    assert_int_equal(expect_order(harness)->lines.count, 1500);
    free(lines);
    const int counts[] = {1501, 2000, 20000};
    for (size_t i = 0; i < 3; i++) {
        lines = many_lines(counts[i]);
        send_parts(harness, HEAD, lines, "\"grand_total\":\"2000\"");
        expect_dead(harness, "lines");
        free(lines);
    }
}

static void refuses_five_megabytes_that_nobody_could_pass_on(void **state)
{
    struct harness *harness = *state;
    const size_t size = 5 << 20;
    char *text = malloc(size + 100);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, "{\"type\":\"cancel\",\"order_id\":\"O1\",\"reason\":\"");
    memset(text + used, 'x', size);
    memcpy(text + used + size, "\"}", sizeof "\"}");
    harness_send_text(harness, &order_raw_topic, "O1", text);
    free(text);
    expect_dead(harness, "too_large");
    send_parts(harness, HEAD, LINE, TOTAL);
    expect_order(harness); /* and the next record is handled */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(turns_major_units_into_minor_ones),
        TEST(accepts_a_price_of_zero),
        TEST(knows_currencies_with_other_decimals),
        TEST(passes_a_cancellation_on),
        TEST(gives_the_same_content_the_same_hash),
        TEST(keeps_its_hash_from_version_to_version),
        TEST(refuses_what_is_not_such_json),
        TEST(refuses_a_key_that_is_not_the_order_id),
        TEST(refuses_an_order_id_that_is_too_long),
        TEST(refuses_totals_that_are_off_by_one),
        TEST(refuses_totals_that_do_not_fit),
        TEST(refuses_quantities_below_one),
        TEST(refuses_negative_amounts),
        TEST(refuses_money_that_is_not_exact),
        TEST(refuses_an_order_without_customer_or_currency),
        TEST(refuses_times_that_are_absurd),
        TEST(refuses_line_numbers_that_are_not_numbers_of_lines),
        TEST(takes_fifteen_hundred_lines_and_not_one_more),
        TEST(refuses_five_megabytes_that_nobody_could_pass_on),
    };
    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
