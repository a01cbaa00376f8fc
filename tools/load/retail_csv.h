/* retail_csv.h - invoices of a file in the format of UCI Online Retail, as orders of the shop.
 *
 * An InvoiceNo is an order, its rows are the order's lines, in GBP. Rows are taken as they are,
 * dirt included: negative quantities, absent customers and prices of no exact pence are for intake
 * to refuse. What cannot be read at all (a missing column, a quantity that is no number, a row cut
 * short) is an error with file and line. An invoice whose number begins with `C` is a cancellation.
 */
#ifndef WEIR_TOOLS_RETAIL_CSV_H
#define WEIR_TOOLS_RETAIL_CSV_H

#include "base/arena.h"
#include "base/error.h"
#include "load/placing.h"

struct retail_invoice {
    const char *number, *customer_id;
    int64_t time_ms;
    struct raw_order_line *lines;
    size_t line_count, line_capacity;
};

struct retail {
    struct retail_invoice *invoices; /* by time, then in the file's order */
    size_t count, capacity;
    size_t rows;
    struct arena arena;
};

/* Reads a whole file. `name` stands for it in messages. Release it either way. */
MUST_CHECK enum outcome retail_read(struct retail *retail, const char *name, const char *text,
                                    size_t size, struct error *error);
void retail_release(struct retail *retail);

bool retail_is_cancel(const struct retail_invoice *invoice);

/* The order that the invoice stands for: id "<run_id>-<number>". Policy, auto_accept and placed_ms
 * are the caller's to set. Texts live in `arena`, or in `retail`. */
void retail_order(const struct retail_invoice *invoice, const char *run_id, struct arena *arena,
                  struct raw_order *order);

/* What the orders want of each SKU, by SKU; cancellations and quantities below 1 do not count.
 * *demand is malloc'ed, its texts belong to `retail`. */
void retail_demand(const struct retail *retail, struct demand **demand, size_t *count);

#endif
