/* fuzz_csv.c - libFuzzer: any bytes as a CSV file of UCI Online Retail. Every row is an order's
 * line, or the file is refused with the number of the line that is wrong; and what `weir load`
 * makes of an invoice is a record that intake can read.
 */
#include "fuzz.h"

#include "codec/codec.h"
#include "load/csv.h"
#include "load/retail_csv.h"

static const char name[] = "day.csv";

/* The header is not a row of them. */
static size_t rows_of(const char *text, size_t size)
{
    struct csv csv;
    struct csv_row row;
    struct error error;
    struct arena arena;
    size_t rows = 0;
    arena_init(&arena);
    csv_init(&csv, name, text, size);
    for (bool found = true; found; rows += found) {
        CHECK(csv_next(&csv, &arena, &row, &found, &error) == OK);
    }
    arena_release(&arena);
    return rows - 1;
}

static void check_order(const struct retail_invoice *invoice)
{
    struct raw_order order, read;
    struct buffer text = {0};
    struct error error;
    struct arena arena;
    arena_init(&arena);
    retail_order(invoice, "run", &arena, &order);
    record_to_json(&raw_order_record, &order, &text);
    struct weir_bytes json = {text.data, text.size};
    CHECK(record_from_json(&raw_order_record, json, &arena, &read, &error) == DECODED);
    CHECK(record_equal(&raw_order_record, &order, &read));
    buffer_release(&text);
    arena_release(&arena);
}

static void check_invoices(const struct retail *retail, size_t rows)
{
    size_t lines = 0;
    struct demand *demand;
    for (size_t i = 0; i < retail->count; i++) {
        const struct retail_invoice *invoice = &retail->invoices[i];
        CHECK(invoice->line_count > 0);
        CHECK(i == 0 || retail->invoices[i - 1].time_ms <= invoice->time_ms);
        lines += invoice->line_count;
        check_order(invoice);
    }
    CHECK(lines == rows && retail->rows == rows);
    retail_demand(retail, &demand, &lines);
    CHECK(lines <= rows);
    free(demand);
}

static void check_message(const char *message, const uint8_t *data, size_t size)
{
    int line = 0, lines = 1;
    CHECK(strncmp(message, name, strlen(name)) == 0);
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n';
    }
    bool has_line = sscanf(message + strlen(name), ":%d:", &line) == 1;
    CHECK(has_line ? line >= 1 && line <= lines
                   : strstr(message, "the file is empty") || strstr(message, "no rows"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct retail retail;
    struct error error;
    enum outcome outcome = retail_read(&retail, name, text, size, &error);
    if (outcome == OK) {
        CHECK(!memchr(data, 0, size)); /* it would end a field in its middle */
        check_invoices(&retail, rows_of(text, size));
    } else {
        CHECK(outcome == FATAL && error.exit_code == EXIT_DATA);
        check_message(error.text, data, size);
    }
    retail_release(&retail);
    return 0;
}
