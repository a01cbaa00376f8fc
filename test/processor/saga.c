/* saga.c - see saga.h. */
#include "processor/saga.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINES_MAX = 2001 };

/* "O1/2/1", taken apart. Good for the next few calls. */
struct name {
    char id[80], order_id[80], sku[20];
    int32_t line_no;
};

static const struct name *name_of(const char *reservation_id)
{
    static struct name names[16];
    static unsigned next;
    struct name *name = &names[next++ % 16];
    size_t length = strcspn(reservation_id, "/");
    snprintf(name->id, sizeof name->id, "%s", reservation_id);
    snprintf(name->order_id, sizeof name->order_id, "%.*s", (int)length, reservation_id);
    name->line_no = (int32_t)strtol(reservation_id + length + 1, NULL, 10);
    snprintf(name->sku, sizeof name->sku, "S%" PRId32, name->line_no);
    return name;
}

/* ---- what order is told ---- */

struct place_order an_order(const char *order_id, size_t lines)
{
    static struct order_line items[LINES_MAX];
    static char skus[LINES_MAX][24];
    assert_true(lines <= LINES_MAX);
    for (size_t i = 0; i < lines; i++) {
        snprintf(skus[i], sizeof skus[i], "S%zu", i + 1);
        items[i] = (struct order_line){
            .line_no = (int32_t)i + 1,
            .sku = skus[i],
            .qty = 1,
            .unit_price = 1000,
            .line_total = 1000,
        };
    }
    return (struct place_order){
        .order_id = order_id,
        .customer_id = "C1",
        .policy = ORDER_POLICY_ALL_OR_NOTHING,
        .currency = "EUR",
        .placed_ms = 1,
        .lines = {items, lines},
        .shipping_fee = 500,
        .grand_total = 500 + 1000 * (int64_t)lines,
        .payment_token = "",
        .ship_to_region = "",
        .payload_hash = {(const uint8_t *)"0123456789abcdef", 16},
    };
}

void place(struct harness *harness, const struct place_order *order)
{
    harness_send(harness, &order_requests_topic, order->order_id,
                 &(struct order_request){.payload_branch = ORDER_REQUEST_PLACE_ORDER,
                                         .payload.place_order = *order});
}

void cancel(struct harness *harness, const char *order_id)
{
    harness_send(harness, &order_requests_topic, order_id,
                 &(struct order_request){.payload_branch = ORDER_REQUEST_CANCEL_ORDER,
                                         .payload.cancel_order = {order_id, "no more", "C1"}});
}

static enum stock_command_kind answered_by(enum stock_reply_branch what)
{
    switch (what) {
    case STOCK_REPLY_RESERVED:
    case STOCK_REPLY_REFUSED:
    case STOCK_REPLY_BACKORDERED:
        return STOCK_COMMAND_KIND_RESERVE;
    case STOCK_REPLY_EXTENDED:
        return STOCK_COMMAND_KIND_EXTEND;
    case STOCK_REPLY_COMMIT_OK:
    case STOCK_REPLY_COMMIT_REFUSED:
        return STOCK_COMMAND_KIND_COMMIT;
    case STOCK_REPLY_RELEASED:
        return STOCK_COMMAND_KIND_RELEASE;
    case STOCK_REPLY_EXPIRED:
        break;
    }
    return STOCK_COMMAND_KIND_TIMER;
}

void reply_because(struct harness *harness, enum stock_reply_branch what,
                   const char *reservation_id, enum stock_reason reason)
{
    const struct name *name = name_of(reservation_id);
    struct stock_allocation allocation = {"MAIN", 1};
    bool holds = what == STOCK_REPLY_RESERVED || what == STOCK_REPLY_COMMIT_OK;
    /* all replies have the same fields */
    const struct reserved fields = {
        .reservation_id = name->id,
        .order_id = name->order_id,
        .line_no = name->line_no,
        .sku = name->sku,
        .qty = 1,
        .allocations = {&allocation, holds ? 1 : 0},
        .command = answered_by(what),
        .reason = reason,
    };
    harness_send(harness, &stock_replies_topic, name->order_id,
                 &(struct stock_reply){.payload_branch = what, .payload.reserved = fields});
}

void reply(struct harness *harness, enum stock_reply_branch what, const char *reservation_id)
{
    enum stock_reason reason = STOCK_REASON_NONE;
    if (what == STOCK_REPLY_REFUSED) {
        reason = STOCK_REASON_OUT_OF_STOCK;
    } else if (what == STOCK_REPLY_EXPIRED || what == STOCK_REPLY_COMMIT_REFUSED) {
        reason = STOCK_REASON_EXPIRED;
    }
    reply_because(harness, what, reservation_id, reason);
}

/* ---- where a test begins ---- */

static void reply_to_all(struct harness *harness, enum stock_reply_branch what,
                         const char *order_id, size_t lines)
{
    for (size_t line = 1; line <= lines; line++) {
        char id[100];
        snprintf(id, sizeof id, "%s/%zu/1", order_id, line);
        reply(harness, what, id);
    }
}

void given_pending(struct harness *harness, const char *order_id, size_t lines)
{
    const struct place_order order = an_order(order_id, lines);
    place(harness, &order);
    harness_skip(harness);
}

void given_partial(struct harness *harness, const char *order_id, size_t lines, bool auto_accept)
{
    struct place_order order = an_order(order_id, lines);
    order.policy = ORDER_POLICY_PARTIAL;
    order.auto_accept = auto_accept;
    place(harness, &order);
    harness_skip(harness);
}

void given_confirming(struct harness *harness, const char *order_id, size_t lines)
{
    given_pending(harness, order_id, lines);
    reply_to_all(harness, STOCK_REPLY_RESERVED, order_id, lines);
    harness_skip(harness);
}

void given_fulfilling(struct harness *harness, const char *order_id, size_t lines)
{
    given_confirming(harness, order_id, lines);
    reply_to_all(harness, STOCK_REPLY_COMMIT_OK, order_id, lines);
    harness_skip(harness);
}

void given_cancelling(struct harness *harness, const char *order_id, size_t lines)
{
    given_pending(harness, order_id, lines);
    cancel(harness, order_id);
    harness_skip(harness);
}

/* ---- what it says ---- */

const struct reserve *expect_command(struct harness *harness, enum stock_command_branch what,
                                     const char *reservation_id)
{
    const struct name *name = name_of(reservation_id);
    const struct stock_command *command = harness_expect(harness, &stock_commands_topic, name->sku);
    assert_int_equal(command->payload_branch, what);
    const struct reserve *fields = &command->payload.reserve;
    assert_string_equal(fields->reservation_id, reservation_id);
    assert_string_equal(fields->order_id, name->order_id);
    assert_int_equal(fields->line_no, name->line_no);
    assert_string_equal(fields->sku, name->sku);
    return fields;
}

const struct order_accepted *expect_event(struct harness *harness, const char *order_id,
                                          enum order_event_branch what, enum order_reason reason)
{
    const struct order_event *event = harness_expect(harness, &order_events_topic, order_id);
    const struct order_accepted *fields = &event->payload.order_accepted;
    assert_int_equal(event->payload_branch, what);
    assert_string_equal(fields->order_id, order_id);
    assert_string_equal(order_reason_name(fields->reason), order_reason_name(reason));
    return fields;
}

/* The counters of placed_order are the histogram of its lines' states. */
static void expect_true_counters(struct harness *harness)
{
    static const char sql[] = "SELECT count(*) FROM placed_order o WHERE line_count > 0 AND"
                              " (outstanding, held, committed, refused, unsettled) IS NOT"
                              " (SELECT total(state IN ('REQUESTED', 'BACKORDERED')),"
                              "         total(state IN ('HELD', 'COMMITTING', 'COMMITTED')),"
                              "         total(state = 'COMMITTED'), total(state = 'REFUSED'),"
                              "         total(state NOT IN ('REFUSED', 'EXPIRED', 'RELEASED'))"
                              "  FROM placed_line l WHERE l.order_id = o.order_id)";
    assert_int_equal(harness_number(harness, sql), 0);
}

const struct order_view *expect_state(struct harness *harness, const char *order_id,
                                      enum order_state state)
{
    const struct order_view_record *record = harness_view(harness, &order_view_topic, order_id);
    assert_non_null(record);
    const struct order_view *view = &record->payload.order_view;
    assert_string_equal(view->order_id, order_id);
    assert_string_equal(order_state_name(view->state), order_state_name(state));
    expect_true_counters(harness);
    return view;
}

void expect_stale(struct harness *harness, int64_t records)
{
    harness_expect_nothing_more(harness);
    assert_int_equal(harness_stale(harness), records);
}
