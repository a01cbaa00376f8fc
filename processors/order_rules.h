/* order_rules.h - what a PlaceOrder must be, said once for everybody who reads one.
 *
 * intake turns a broken order into a dead letter, named by its cause. order, which must not trust
 * the writers of order.requests, answers it with OrderRejected (T2), named by its reason.
 */
#ifndef PROCESSORS_ORDER_RULES_H
#define PROCESSORS_ORDER_RULES_H

#include "shop.h"
#include "weir.h"

enum {
    ORDER_LINES_MAX = 1500,
    /* Bytes of an id: order, customer, SKU, location. Keeps the events and the view of an order of
     * ORDER_LINES_MAX lines far below the size that a topic takes. */
    ID_MAX = 128,
};

struct broken_rule {
    const char *cause;        /* one word; NULL: no rule is broken */
    enum order_reason reason; /* the same for OrderRejected */
    const char *text;         /* which line, which rule, in ctx's memory */
};

/* 1 to ID_MAX bytes. */
bool is_id(const char *text);

/* The first rule that the order's head breaks: customer, currency, number of lines. Does not look
 * at the lines. */
struct broken_rule order_broken_head(struct weir_context *ctx, const struct place_order *order);

/* The first rule that `order` breaks. */
struct broken_rule order_broken_rule(struct weir_context *ctx, const struct place_order *order);

/* line_total as it must be: qty x unit_price - discount + tax. false when that does not fit in 64
 * bits. */
bool order_line_total(const struct order_line *line, int64_t *total);

/* The order's lines by line_no: an array of pointers in ctx's memory. */
const struct order_line **order_lines_sorted(struct weir_context *ctx,
                                             const struct place_order *order);

#endif
