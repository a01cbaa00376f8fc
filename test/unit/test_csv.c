/* test_csv.c - tools/csv.h and tools/retail_csv.h: files as shops have them, and files that are
 * broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "load/csv.h"
#include "load/retail_csv.h"

#include <cmocka.h>

#define HEADER "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

/* ---- CSV ---- */

static void expect_row(struct csv *csv, int line, size_t count, const char *const *fields)
{
    struct arena arena;
    struct csv_row row;
    struct error error = {0};
    bool found;
    arena_init(&arena);
    if (csv_next(csv, &arena, &row, &found, &error) != OK) {
        fail_msg("%s", error.text);
    }
    assert_true(found);
    assert_int_equal(row.line, line);
    assert_int_equal(row.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(row.fields[i], fields[i]);
    }
    arena_release(&arena);
}

static void expect_end(struct csv *csv)
{
    struct arena arena;
    struct csv_row row;
    struct error error = {0};
    bool found = true;
    arena_init(&arena);
    assert_int_equal(csv_next(csv, &arena, &row, &found, &error), OK);
    assert_false(found);
    arena_release(&arena);
}

static void open_text(struct csv *csv, const char *text)
{
    csv_init(csv, "day.csv", text, strlen(text));
}

static void reads_quotes_commas_and_line_breaks_inside_quotes(void **state)
{
    (void)state;
    struct csv csv;
    open_text(&csv, "a,\"b, c\",\"7\"\" frame\"\r\n\"two\nlines\",,x\nlast,\"\",");
    expect_row(&csv, 1, 3, (const char *[]){"a", "b, c", "7\" frame"});
    expect_row(&csv, 2, 3, (const char *[]){"two\nlines", "", "x"});
    expect_row(&csv, 4, 3, (const char *[]){"last", "", ""});
    expect_end(&csv);
}

static void takes_a_quote_inside_an_unquoted_field_as_it_stands(void **state)
{
    (void)state;
    struct csv csv;
    open_text(&csv, "5\" ruler,a\rb\n");
    expect_row(&csv, 1, 2, (const char *[]){"5\" ruler", "a\rb"});
    expect_end(&csv);
}

static void skips_empty_lines_and_a_byte_order_mark(void **state)
{
    (void)state;
    struct csv csv;
    open_text(&csv, "\xEF\xBB\xBF\r\n\na,b\n\n");
    expect_row(&csv, 3, 2, (const char *[]){"a", "b"});
    expect_end(&csv);
    open_text(&csv, "");
    expect_end(&csv);
}

static void says_where_a_quote_was_opened_that_is_never_closed(void **state)
{
    (void)state;
    struct csv csv;
    struct csv_row row;
    struct arena arena;
    struct error error = {0};
    bool found;
    arena_init(&arena);
    open_text(&csv, "a,b\nc,\"d\ne\n");
    expect_row(&csv, 1, 2, (const char *[]){"a", "b"});
    assert_int_equal(csv_next(&csv, &arena, &row, &found, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_DATA);
    assert_non_null(strstr(error.text, "day.csv:2: a quote"));
    open_text(&csv, "\"a\"b,c\n");
    assert_int_equal(csv_next(&csv, &arena, &row, &found, &error), FATAL);
    assert_non_null(strstr(error.text, "day.csv:1: text behind a closing quote"));
    arena_release(&arena);
}

/* As a spreadsheet saves "Unicode text". */
static void refuses_a_nul_byte_instead_of_ending_a_field_there(void **state)
{
    (void)state;
    static const char text[] = "a,b\nc,5\0"
                               "7\n";
    struct csv csv;
    struct csv_row row;
    struct arena arena;
    struct error error = {0};
    bool found;
    arena_init(&arena);
    csv_init(&csv, "day.csv", text, sizeof text - 1);
    expect_row(&csv, 1, 2, (const char *[]){"a", "b"});
    assert_int_equal(csv_next(&csv, &arena, &row, &found, &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_DATA);
    assert_non_null(strstr(error.text, "day.csv:2: a NUL byte"));
    arena_release(&arena);
}

/* Whatever is cut off where: an answer, never a crash or a loop. */
static void survives_every_truncation(void **state)
{
    (void)state;
    static const char text[] = "a,\"b\"\"c\",\r\n\"d\r\ne\",f\n";
    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size + 1); /* exact size: a sanitiser sees a byte too far */
        memcpy(copy, text, size);
        struct csv csv;
        struct csv_row row;
        struct arena arena;
        struct error error;
        bool found = true;
        arena_init(&arena);
        csv_init(&csv, "cut.csv", copy, size);
        for (int rows = 0; found && csv_next(&csv, &arena, &row, &found, &error) == OK; rows++) {
            assert_true(rows < 5);
        }
        arena_release(&arena);
        free(copy);
    }
}

/* ---- invoices ---- */

static void read_retail(struct retail *retail, const char *text)
{
    struct error error = {0};
    if (retail_read(retail, "day.csv", text, strlen(text), &error) != OK) {
        fail_msg("%s", error.text);
    }
}

static void refused(const char *text, const char *reason)
{
    struct retail retail;
    struct error error = {0};
    assert_int_equal(retail_read(&retail, "day.csv", text, strlen(text), &error), FATAL);
    assert_int_equal(error.exit_code, EXIT_DATA);
    if (!strstr(error.text, reason)) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
    }
    retail_release(&retail);
}

static void groups_rows_into_invoices_by_time(void **state)
{
    (void)state;
    struct retail retail;
    struct arena arena;
    struct raw_order order;
    arena_init(&arena);
    read_retail(
        &retail, HEADER
        "536366,22633,HAND WARMER,6,2010-12-01 08:28:00,1.85,17850.0,United Kingdom\n"
        "536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
        "536366,22632,HAND WARMER RED,12,2010-12-01 08:28:00,1.851,17850.0,United Kingdom\n");
    assert_int_equal(retail.count, 2);
    assert_string_equal(retail.invoices[0].number, "536365");
    retail_order(&retail.invoices[1], "run", &arena, &order);
    assert_string_equal(order.order_id, "run-536366");
    assert_string_equal(order.customer_id, "17850");
    assert_string_equal(order.currency, "GBP");
    assert_int_equal(order.lines.count, 2);
    assert_int_equal(order.lines.items[1].line_no, 2);
    assert_string_equal(order.lines.items[1].unit_price, "1.851");
    assert_string_equal(order.grand_total,
                        "33.312"); /* 11.10 + 22.212: intake refuses it, we do not round */
    assert_int_equal(retail.invoices[1].time_ms - retail.invoices[0].time_ms, 120000);
    arena_release(&arena);
    retail_release(&retail);
}

static void keeps_the_dirt(void **state)
{
    (void)state;
    struct retail retail;
    struct arena arena;
    struct raw_order order;
    arena_init(&arena);
    read_retail(&retail,
                HEADER "536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom\n"
                       "536589,21777,?,-10,2010-12-01 16:50:00,-1.25,,United Kingdom\n"
                       "C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom\n");
    retail_order(&retail.invoices[1], "r", &arena, &order);
    assert_string_equal(order.customer_id, "");
    assert_string_equal(order.grand_total, "0.00");
    retail_order(&retail.invoices[2], "r", &arena, &order);
    assert_int_equal(order.lines.items[0].qty, -10);
    assert_string_equal(order.lines.items[0].unit_price, "-1.25");
    assert_string_equal(order.grand_total, "12.50");
    assert_true(retail_is_cancel(&retail.invoices[0]));
    retail_order(&retail.invoices[0], "r", &arena, &order);
    assert_int_equal(order.type, RAW_ORDER_TYPE_CANCEL);
    assert_string_equal(order.order_id, "r-C536379");
    assert_int_equal(order.lines.count, 0);
    arena_release(&arena);
    retail_release(&retail);
}

static void demand_is_what_orders_want_and_not_what_comes_back(void **state)
{
    (void)state;
    struct retail retail;
    struct demand *demand;
    size_t count;
    read_retail(&retail,
                HEADER "1,B,x,6,2010-12-01 08:26:00,1,1,UK\n1,A,x,2,2010-12-01 08:26:00,1,1,UK\n"
                       "2,B,x,4,12/1/2010 8:30,1,2,UK\nC3,B,x,-4,2010-12-01 08:40:00,1,2,UK\n"
                       "4,A,x,-9,2010-12-01 08:50,1,2,UK\n");
    retail_demand(&retail, &demand, &count);
    assert_int_equal(count, 2);
    assert_string_equal(demand[0].sku, "A");
    assert_int_equal(demand[0].qty, 2);
    assert_string_equal(demand[1].sku, "B");
    assert_int_equal(demand[1].qty, 10);
    free(demand);
    retail_release(&retail);
}

static void names_file_and_line_of_what_cannot_be_read(void **state)
{
    (void)state;
    refused("", "day.csv: the file is empty");
    refused(HEADER, "a header and no rows");
    refused("InvoiceNo,StockCode\n1,2\n", "day.csv:1: no column Quantity");
    refused(HEADER "1,A,x,6,2010-12-01 08:26:00,1,1,UK\n1,A,x,6,2010-1",
            "day.csv:3: 5 fields instead of 8");
    refused(HEADER "1,A,x,six,2010-12-01 08:26:00,1,1,UK\n", "day.csv:2: Quantity \"six\"");
    refused(HEADER "1,A,x,6,yesterday,1,1,UK\n", "day.csv:2: InvoiceDate \"yesterday\"");
    refused(HEADER "1,A\xA3,x,6,2010-12-01 08:26:00,1,1,UK\n", "day.csv:2: StockCode is not UTF-8");
    refused(HEADER "1,A,\"x,6,2010-12-01 08:26:00,1,1,UK\n", "day.csv:2: a quote");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_quotes_commas_and_line_breaks_inside_quotes),
        cmocka_unit_test(takes_a_quote_inside_an_unquoted_field_as_it_stands),
        cmocka_unit_test(skips_empty_lines_and_a_byte_order_mark),
        cmocka_unit_test(says_where_a_quote_was_opened_that_is_never_closed),
        cmocka_unit_test(refuses_a_nul_byte_instead_of_ending_a_field_there),
        cmocka_unit_test(survives_every_truncation),
        cmocka_unit_test(groups_rows_into_invoices_by_time),
        cmocka_unit_test(keeps_the_dirt),
        cmocka_unit_test(demand_is_what_orders_want_and_not_what_comes_back),
        cmocka_unit_test(names_file_and_line_of_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
