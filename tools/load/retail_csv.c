/* retail_csv.c - reads UCI Online Retail. */
#include "load/retail_csv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/conf.h"
#include "base/utf8.h"
#include "load/csv.h"
#include "money.h"
#include "names.h"

enum column { INVOICE, STOCK_CODE, QUANTITY, DATE, PRICE, CUSTOMER, COLUMNS };

/* The names in Online Retail, and in Online Retail II. */
static const char *const column_names[COLUMNS][2] = {
    [INVOICE] = {"InvoiceNo", "Invoice"},  [STOCK_CODE] = {"StockCode", "StockCode"},
    [QUANTITY] = {"Quantity", "Quantity"}, [DATE] = {"InvoiceDate", "InvoiceDate"},
    [PRICE] = {"UnitPrice", "Price"},      [CUSTOMER] = {"CustomerID", "Customer ID"},
};

struct reader {
    struct retail *retail;
    struct csv csv;
    size_t column[COLUMNS]; /* where each stands in a row */
    size_t width;
    struct names numbers; /* an invoice's index by its InvoiceNo */
};

static enum outcome read_header(struct reader *reader, struct error *error)
{
    struct csv_row row;
    bool found;
    enum outcome outcome = csv_next(&reader->csv, &reader->retail->arena, &row, &found, error);
    if (outcome != OK) {
        return outcome;
    }
    if (!found) {
        return fail_exit(error, EXIT_DATA, "%s: the file is empty", reader->csv.name);
    }
    reader->width = row.count;
    for (int c = 0; c < COLUMNS; c++) {
        size_t at = 0;
        while (at < row.count && strcmp(row.fields[at], column_names[c][0]) != 0 &&
               strcmp(row.fields[at], column_names[c][1]) != 0) {
            at++;
        }
        if (at == row.count) {
            return fail_exit(
                error, EXIT_DATA,
                "%s:%d: no column %s; the first line of UCI Online Retail is InvoiceNo,"
                "StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
                reader->csv.name, row.line, column_names[c][0]);
        }
        reader->column[c] = at;
    }
    return OK;
}

/* "2010-12-01 08:26:00", or "12/1/2010 8:26" as the spreadsheet writes it. */
static bool read_time(const char *text, int64_t *time_ms)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (end && *end == 0) {
            *time_ms = (int64_t)timegm(&tm) * 1000;
            return true;
        }
    }
    return false;
}

/* "17850.0" is customer 17850: the file was once a table of floating-point numbers. */
static const char *customer_of(const char *text, struct arena *arena)
{
    size_t length = strlen(text);
    bool is_float = length > 2 && strcmp(text + length - 2, ".0") == 0;
    return is_float ? arena_strndup(arena, text, length - 2) : text;
}

static struct retail_invoice *find_invoice(struct reader *reader, const char *number)
{
    struct retail *retail = reader->retail;
    size_t index = names_add(&reader->numbers, number);
    if (index == retail->count) {
        if (retail->count == retail->capacity) {
            retail->capacity = retail->capacity > 0 ? retail->capacity * 2 : 256;
            retail->invoices =
                xrealloc(retail->invoices, retail->capacity * sizeof *retail->invoices);
        }
        retail->invoices[retail->count++] = (struct retail_invoice){.number = number};
    }
    return &retail->invoices[index];
}

static struct raw_order_line *add_line(struct retail_invoice *invoice)
{
    if (invoice->line_count == invoice->line_capacity) {
        invoice->line_capacity = invoice->line_capacity > 0 ? invoice->line_capacity * 2 : 8;
        invoice->lines = xrealloc(invoice->lines, invoice->line_capacity * sizeof *invoice->lines);
    }
    return &invoice->lines[invoice->line_count++];
}

static enum outcome take_row(struct reader *reader, const struct csv_row *row, struct error *error)
{
    const char *field[COLUMNS];
    if (row->count != reader->width) {
        return fail_exit(error, EXIT_DATA, "%s:%d: %zu fields instead of %zu; is the file cut off?",
                         reader->csv.name, row->line, row->count, reader->width);
    }
    for (int c = 0; c < COLUMNS; c++) {
        field[c] = row->fields[reader->column[c]];
        if (!utf8_valid(field[c], strlen(field[c]))) {
            return fail_exit(error, EXIT_DATA,
                             "%s:%d: %s is not UTF-8; convert it: iconv -f "
                             "LATIN1 -t UTF-8",
                             reader->csv.name, row->line, column_names[c][0]);
        }
    }
    int64_t qty, time_ms;
    if (!conf_number(field[QUANTITY], &qty) || qty < INT32_MIN || qty > INT32_MAX) {
        return fail_exit(error, EXIT_DATA, "%s:%d: Quantity \"%s\" is not a whole number",
                         reader->csv.name, row->line, field[QUANTITY]);
    }
    if (!read_time(field[DATE], &time_ms)) {
        return fail_exit(error, EXIT_DATA,
                         "%s:%d: InvoiceDate \"%s\" is not a time such as 2010-12-01 08:26:00",
                         reader->csv.name, row->line, field[DATE]);
    }
    struct retail_invoice *invoice = find_invoice(reader, field[INVOICE]);
    if (invoice->line_count == 0) {
        invoice->customer_id = customer_of(field[CUSTOMER], &reader->retail->arena);
        invoice->time_ms = time_ms;
    }
    struct raw_order_line *line = add_line(invoice);
    *line = (struct raw_order_line){
        .line_no = (int32_t)invoice->line_count,
        .sku = field[STOCK_CODE],
        .qty = (int32_t)qty,
        .unit_price = field[PRICE],
        .discount = "0",
        .tax = "0",
    };
    reader->retail->rows++;
    return OK;
}

/* `line_capacity` has done its work: it remembers the file's order, since qsort is not stable. */
static int by_time(const void *a, const void *b)
{
    const struct retail_invoice *x = a, *y = b;
    if (x->time_ms != y->time_ms) {
        return x->time_ms < y->time_ms ? -1 : 1;
    }
    return x->line_capacity < y->line_capacity ? -1 : 1;
}

enum outcome retail_read(struct retail *retail, const char *name, const char *text, size_t size,
                         struct error *error)
{
    *retail = (struct retail){0};
    arena_init(&retail->arena);
    struct reader reader = {.retail = retail};
    names_init(&reader.numbers);
    csv_init(&reader.csv, name, text, size);
    enum outcome outcome = read_header(&reader, error);
    bool found = outcome == OK;
    while (outcome == OK && found) {
        struct csv_row row;
        outcome = csv_next(&reader.csv, &retail->arena, &row, &found, error);
        if (outcome == OK && found) {
            outcome = take_row(&reader, &row, error);
        }
    }
    names_release(&reader.numbers);
    if (outcome == OK && retail->count == 0) {
        return fail_exit(error, EXIT_DATA, "%s: a header and no rows", name);
    }
    for (size_t i = 0; i < retail->count; i++) {
        retail->invoices[i].line_capacity = i;
    }
    if (outcome == OK) {
        qsort(retail->invoices, retail->count, sizeof *retail->invoices, by_time);
    }
    return outcome;
}

void retail_release(struct retail *retail)
{
    for (size_t i = 0; i < retail->count; i++) {
        free(retail->invoices[i].lines);
    }
    free(retail->invoices);
    arena_release(&retail->arena);
    *retail = (struct retail){0};
}

bool retail_is_cancel(const struct retail_invoice *invoice)
{
    return invoice->number[0] == 'C' || invoice->number[0] == 'c';
}

/* Of the prices that are numbers; the others make intake refuse the order anyway. */
static int64_t total_micros(const struct retail_invoice *invoice)
{
    int64_t total = 0;
    for (size_t i = 0; i < invoice->line_count; i++) {
        int64_t price, line;
        if (money_parse(invoice->lines[i].unit_price, 6, &price) != MONEY_OK ||
            !money_multiply(price, invoice->lines[i].qty, &line) || !money_add(&total, line)) {
            continue;
        }
    }
    return total;
}

void retail_order(const struct retail_invoice *invoice, const char *run_id, struct arena *arena,
                  struct raw_order *order)
{
    *order = (struct raw_order){
        .type = RAW_ORDER_TYPE_PLACE,
        .order_id = arena_format(arena, "%s-%s", run_id, invoice->number),
        .customer_id = invoice->customer_id,
        .currency = "GBP",
        .shipping_fee = "0",
        .grand_total = "0",
        .reason = "",
        .requested_by = "",
    };
    if (retail_is_cancel(invoice)) {
        order->type = RAW_ORDER_TYPE_CANCEL;
        order->currency = "";
        order->reason = "cancellation invoice";
        order->requested_by = "customer";
        return;
    }
    order->grand_total = placing_money(arena, total_micros(invoice), 2);
    order->lines.items = invoice->lines;
    order->lines.count = invoice->line_count;
}

static int by_sku(const void *a, const void *b)
{
    return strcmp(((const struct demand *)a)->sku, ((const struct demand *)b)->sku);
}

void retail_demand(const struct retail *retail, struct demand **demand, size_t *count)
{
    struct demand *all = xcalloc(retail->rows + 1, sizeof *all);
    size_t used = 0, kept = 0;
    for (size_t i = 0; i < retail->count; i++) {
        const struct retail_invoice *invoice = &retail->invoices[i];
        for (size_t l = 0; l < invoice->line_count && !retail_is_cancel(invoice); l++) {
            if (invoice->lines[l].qty > 0) {
                all[used++] = (struct demand){invoice->lines[l].sku, invoice->lines[l].qty};
            }
        }
    }
    qsort(all, used, sizeof *all, by_sku);
    for (size_t i = 0; i < used; i++) {
        if (kept > 0 && strcmp(all[kept - 1].sku, all[i].sku) == 0) {
            all[kept - 1].qty += all[i].qty;
        } else {
            all[kept++] = all[i];
        }
    }
    *demand = all;
    *count = kept;
}
