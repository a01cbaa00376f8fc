/* intake.c - orders as shop fronts send them become orders that the shop can work with, or dead
 * letters.
 *
 * Stateless. Reads JSON from order.raw, where money is decimal text in major units, and writes
 * order.requests, where it is minor units. Every order that breaks a rule is dead-lettered with the
 * rule's name and a sentence that says what is wrong and where; nothing is repaired or rounded.
 * What is not JSON of this shape at all never gets here: the runtime dead-letters it.
 */
#include <inttypes.h>

#include "money.h"
#include "order_rules.h"
#include "payload_hash.h"
#include "processors.h"
#include "shop.h"
#include "weir.h"

#define DAY_MS (24 * 60 * 60 * INT64_C(1000))

static const struct weir_setting placed_max_age = {
    "placed.max_age_ms", 7 * DAY_MS, 0, 3650 * DAY_MS,
    "An order that says it was placed longer ago than this is a dead letter, ms."};
static const struct weir_setting placed_max_ahead = {
    "placed.max_ahead_ms", DAY_MS, 0, 3650 * DAY_MS,
    "An order that says it was placed further in the future than this is a dead letter, ms."};
static const struct weir_setting deadline_max_ahead = {
    "deadline.max_ahead_ms", 30 * DAY_MS, 1000, 3650 * DAY_MS,
    "An order whose deadline lies further ahead than this is a dead letter, ms."};

/* "line 3: " in front of a line's field, nothing in front of the order's own (line_no 0). */
static const char *where(struct weir_context *ctx, int32_t line_no)
{
    return line_no == 0 ? "" : weir_format(ctx, "line %" PRId32 ": ", line_no);
}

/* Reads one amount. false: it was rejected. */
static bool read_money(struct weir_context *ctx, int32_t line_no, const char *field,
                       const char *text, int decimals, int64_t *minor)
{
    enum money_error error = money_parse(text, decimals, minor);
    if (error == MONEY_OK) {
        return true;
    }
    weir_reject(ctx, error == MONEY_DECIMALS ? "decimals" : "money", "%s%s \"%s\" %s",
                where(ctx, line_no), field, text, money_error_text(error));
    return false;
}

static bool read_line(struct weir_context *ctx, const struct raw_order_line *raw, int decimals,
                      struct order_line *line)
{
    *line = (struct order_line){
        .line_no = raw->line_no,
        .sku = raw->sku,
        .qty = raw->qty,
        .backorder_ok = raw->backorder_ok,
    };
    if (!read_money(ctx, raw->line_no, "unit_price", raw->unit_price, decimals,
                    &line->unit_price) ||
        !read_money(ctx, raw->line_no, "discount", raw->discount, decimals, &line->discount) ||
        !read_money(ctx, raw->line_no, "tax", raw->tax, decimals, &line->tax)) {
        return false;
    }
    if (raw->line_total) {
        return read_money(ctx, raw->line_no, "line_total", raw->line_total, decimals,
                          &line->line_total);
    }
    if (!order_line_total(line, &line->line_total)) {
        weir_reject(ctx, "totals", "%sits total is too large", where(ctx, raw->line_no));
        return false;
    }
    return true;
}

static bool read_lines(struct weir_context *ctx, const struct raw_order *raw, int decimals,
                       struct place_order *order)
{
    order->lines.items = weir_alloc(ctx, raw->lines.count * sizeof *order->lines.items);
    for (size_t i = 0; i < raw->lines.count; i++) {
        struct order_line *line = &order->lines.items[i];
        if (!read_line(ctx, &raw->lines.items[i], decimals, line)) {
            return false;
        }
        if (!money_add(&order->discount_total, line->discount) ||
            !money_add(&order->tax_total, line->tax)) {
            weir_reject(ctx, "totals", "the sum of the lines is too large");
            return false;
        }
    }
    return true;
}

/* A clock that is wrong by days at the shop front would make nonsense of every deadline behind it.
 */
static bool times_are_sane(struct weir_context *ctx, const struct raw_order *raw)
{
    int64_t now = weir_now_ms(ctx);
    int64_t earliest = now - weir_setting(ctx, &placed_max_age);
    int64_t latest = now + weir_setting(ctx, &placed_max_ahead);
    if (raw->placed_ms != 0 && (raw->placed_ms < earliest || raw->placed_ms > latest)) {
        weir_reject(ctx, "placed_ms",
                    "placed_ms %" PRId64 " is not between %" PRId64 " and %" PRId64, raw->placed_ms,
                    earliest, latest);
        return false;
    }
    latest = now + weir_setting(ctx, &deadline_max_ahead);
    if (raw->has_deadline_ms && (raw->deadline_ms <= now || raw->deadline_ms > latest)) {
        weir_reject(ctx, "deadline_ms",
                    "deadline_ms %" PRId64 " is not between %" PRId64 " and %" PRId64,
                    raw->deadline_ms, now, latest);
        return false;
    }
    return true;
}

static bool rule_is_kept(struct weir_context *ctx, struct broken_rule broken)
{
    if (broken.cause) {
        weir_reject(ctx, broken.cause, "%s", broken.text);
    }
    return !broken.cause;
}

static void place(struct weir_context *ctx, const struct raw_order *raw)
{
    struct place_order order = {
        .order_id = raw->order_id,
        .customer_id = raw->customer_id,
        .channel = raw->channel,
        .policy = raw->policy,
        .auto_accept = raw->auto_accept,
        .currency = raw->currency,
        .placed_ms = raw->placed_ms != 0 ? raw->placed_ms : weir_now_ms(ctx),
        .lines = {.count = raw->lines.count},
        .payment_token = "",
        .payment_method = PAYMENT_METHOD_CARD,
        .ship_to_region = "",
        .has_deadline_ms = raw->has_deadline_ms,
        .deadline_ms = raw->deadline_ms,
    };
    if (!rule_is_kept(ctx, order_broken_head(ctx, &order)) || !times_are_sane(ctx, raw)) {
        return;
    }
    int decimals = currency_decimals(raw->currency);
    if (!read_lines(ctx, raw, decimals, &order) ||
        !read_money(ctx, 0, "shipping_fee", raw->shipping_fee, decimals, &order.shipping_fee) ||
        !read_money(ctx, 0, "grand_total", raw->grand_total, decimals, &order.grand_total) ||
        !rule_is_kept(ctx, order_broken_rule(ctx, &order))) {
        return;
    }
    order.payload_hash = payload_hash(ctx, &order);
    place_order_emit(ctx, &order);
}

static void cancel(struct weir_context *ctx, const struct raw_order *raw)
{
    cancel_order_emit(ctx, &(struct cancel_order){
                               .order_id = raw->order_id,
                               .reason = raw->reason,
                               .requested_by = raw->requested_by,
                           });
}

static void on_raw_order(struct weir_context *ctx, const struct raw_order *raw)
{
    if (!is_id(raw->order_id)) {
        weir_reject(ctx, "order_id", "order_id must have 1 to %d bytes", ID_MAX);
        return;
    }
    switch (raw->type) {
    case RAW_ORDER_TYPE_PLACE:
        place(ctx, raw);
        break;
    case RAW_ORDER_TYPE_CANCEL:
        cancel(ctx, raw);
        break;
    }
}

const struct weir_processor intake_processor = {
    .name = "intake",
    .summary = "validates raw orders: JSON from shop fronts to order.requests",
    .inputs = {{&order_raw_topic, &(const struct raw_order_handlers){.raw_order = on_raw_order}}},
    .outputs = {&order_requests_topic},
    .settings = {&placed_max_age, &placed_max_ahead, &deadline_max_ahead},
};
