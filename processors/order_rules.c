/* order_rules.c - the checks of a PlaceOrder, from the whole to the lines to the sums.
 *
 * One function per group of rules; each returns the first broken one. Sums are exact: an order
 * whose totals are off by one minor unit is broken. A price of zero is fine, a negative one is not.
 */
#include "order_rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "money.h"

#define NOT_BROKEN ((struct broken_rule){0})
#define BROKEN(cause, reason, ...) \
    ((struct broken_rule){cause, ORDER_REASON_##reason, weir_format(ctx, __VA_ARGS__)})

bool is_id(const char *text)
{
    size_t length = strnlen(text, ID_MAX + 1);
    return length > 0 && length <= ID_MAX;
}

bool order_line_total(const struct order_line *line, int64_t *total)
{
    int64_t sum;
    if (!money_multiply(line->qty, line->unit_price, &sum) ||
        !money_subtract(&sum, line->discount) || !money_add(&sum, line->tax)) {
        return false;
    }
    *total = sum;
    return true;
}

static int by_line_no(const void *a, const void *b)
{
    const struct order_line *const *left = a, *const *right = b;
    return ((*left)->line_no > (*right)->line_no) - ((*left)->line_no < (*right)->line_no);
}

const struct order_line **order_lines_sorted(struct weir_context *ctx,
                                             const struct place_order *order)
{
    size_t count = order->lines.count;
    const struct order_line **sorted = weir_alloc(ctx, count * sizeof *sorted);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &order->lines.items[i];
    }
    qsort(sorted, count, sizeof *sorted, by_line_no);
    return sorted;
}

struct broken_rule order_broken_head(struct weir_context *ctx, const struct place_order *order)
{
    if (!is_id(order->customer_id)) {
        return BROKEN("customer", CUSTOMER, "customer_id must have 1 to %d bytes", ID_MAX);
    }
    if (currency_decimals(order->currency) < 0) {
        return BROKEN("currency", CURRENCY, "currency \"%s\" is not one of ISO 4217",
                      order->currency);
    }
    if (order->lines.count < 1 || order->lines.count > ORDER_LINES_MAX) {
        return BROKEN("lines", LINES, "%zu lines; 1 to %d are allowed", order->lines.count,
                      ORDER_LINES_MAX);
    }
    return NOT_BROKEN;
}

static struct broken_rule check_line_numbers(struct weir_context *ctx,
                                             const struct place_order *order)
{
    const struct order_line **sorted = order_lines_sorted(ctx, order);
    for (size_t i = 0; i < order->lines.count; i++) {
        int32_t line_no = sorted[i]->line_no;
        if (line_no < 1) {
            return BROKEN("line_no", LINES, "line_no %" PRId32 " is not positive", line_no);
        }
        if (i > 0 && line_no == sorted[i - 1]->line_no) {
            return BROKEN("line_no", LINES, "line_no %" PRId32 " is there twice", line_no);
        }
    }
    return NOT_BROKEN;
}

static struct broken_rule check_line(struct weir_context *ctx, const struct order_line *line)
{
    int32_t no = line->line_no;
    if (!is_id(line->sku)) {
        return BROKEN("sku", LINES, "line %" PRId32 ": sku must have 1 to %d bytes", no, ID_MAX);
    }
    if (line->qty <= 0) {
        return BROKEN("qty", QTY, "line %" PRId32 ": qty %" PRId32 " is not positive", no,
                      line->qty);
    }
    if (line->unit_price < 0 || line->discount < 0 || line->tax < 0) {
        return BROKEN("price", TOTALS, "line %" PRId32 ": %s is negative", no,
                      line->unit_price < 0 ? "unit_price"
                      : line->discount < 0 ? "discount"
                                           : "tax");
    }
    int64_t total;
    if (!order_line_total(line, &total)) {
        return BROKEN("totals", TOTALS, "line %" PRId32 ": its total is too large", no);
    }
    if (total < 0) {
        return BROKEN("totals", TOTALS, "line %" PRId32 ": discounted below zero", no);
    }
    if (line->line_total != total) {
        return BROKEN("totals", TOTALS,
                      "line %" PRId32 ": line_total is %" PRId64 ", should be %" PRId64
                      " minor units (qty x unit_price - discount + tax)",
                      no, line->line_total, total);
    }
    return NOT_BROKEN;
}

static struct broken_rule check_sum(struct weir_context *ctx, const char *name, int64_t is,
                                    int64_t should_be)
{
    if (is != should_be) {
        return BROKEN("totals", TOTALS,
                      "%s is %" PRId64 ", should be %" PRId64 " minor units by the lines", name, is,
                      should_be);
    }
    return NOT_BROKEN;
}

static struct broken_rule check_sums(struct weir_context *ctx, const struct place_order *order)
{
    if (order->shipping_fee < 0) {
        return BROKEN("price", TOTALS, "shipping_fee is negative");
    }
    int64_t discount = 0, tax = 0, grand = order->shipping_fee;
    for (size_t i = 0; i < order->lines.count; i++) {
        const struct order_line *line = &order->lines.items[i];
        if (!money_add(&discount, line->discount) || !money_add(&tax, line->tax) ||
            !money_add(&grand, line->line_total)) {
            return BROKEN("totals", TOTALS, "the sum of the lines is too large");
        }
    }
    struct broken_rule broken = check_sum(ctx, "grand_total", order->grand_total, grand);
    if (!broken.cause) {
        broken = check_sum(ctx, "discount_total", order->discount_total, discount);
    }
    return broken.cause ? broken : check_sum(ctx, "tax_total", order->tax_total, tax);
}

struct broken_rule order_broken_rule(struct weir_context *ctx, const struct place_order *order)
{
    struct broken_rule broken = order_broken_head(ctx, order);
    if (!broken.cause) {
        broken = check_line_numbers(ctx, order);
    }
    for (size_t i = 0; i < order->lines.count && !broken.cause; i++) {
        broken = check_line(ctx, &order->lines.items[i]);
    }
    return broken.cause ? broken : check_sums(ctx, order);
}
