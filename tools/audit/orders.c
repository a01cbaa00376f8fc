/* orders.c - the life of orders, from their requests and events: I8 to I11, I13.
 *
 * The rows below are those of the domain's section 10 that are in use. Two states are not announced
 * by an event of their own (CANCELLING never, CONFIRMING only when an order is amended), so two
 * events in a row must be joined by a path of rows through such states. FULFILLING counts as
 * settled until there are shipments. What an order has in stock is compared line by line with the
 * replies to its reservations, as sums of hashes: the order of lines does not matter, every line,
 * SKU and quantity does.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "internal.h"

/* All events have the same fields. */
struct event {
    enum order_event_branch kind;
    const char *order_id;
    enum order_state state;
    enum order_reason reason;
    struct order_totals totals;
    const struct order_event_line_array *lines;
};

#define EVENT(type)                                                          \
    ((struct event){record->payload_branch, record->payload.type.order_id,   \
                    record->payload.type.state, record->payload.type.reason, \
                    record->payload.type.totals, &record->payload.type.lines})

static struct event read_event(const struct order_event *record)
{
    switch (record->payload_branch) {
    case ORDER_EVENT_ORDER_ACCEPTED:
        return EVENT(order_accepted);
    case ORDER_EVENT_ORDER_REJECTED:
        return EVENT(order_rejected);
    case ORDER_EVENT_ORDER_CONFIRMED:
        return EVENT(order_confirmed);
    case ORDER_EVENT_ORDER_AMENDED:
        return EVENT(order_amended);
    case ORDER_EVENT_ORDER_CANCELLED:
        return EVENT(order_cancelled);
    case ORDER_EVENT_ORDER_PARKED:
        return EVENT(order_parked);
    }
    return EVENT(order_accepted);
}

/* ---- the rule ---- */

#define IS(state) ORDER_STATE_##state

static const struct {
    const char *row;
    enum order_state from, to;
} rows[] = {
    {"T1", IS(NEW), IS(PENDING)},
    {"T2", IS(NEW), IS(REJECTED)},
    {"T5, T7 and T18", IS(PENDING), IS(CONFIRMING)},
    {"T6, T9, T12, T13", IS(PENDING), IS(CANCELLING)},
    {"T23, T26, T27", IS(CONFIRMING), IS(CANCELLING)},
    {"T25", IS(CONFIRMING), IS(FULFILLING)},
    {"T38", IS(CANCELLING), IS(CANCELLED)},
    {"T41", IS(CANCELLING), IS(PARKED)},
};

bool order_may_go(enum order_state from, enum order_state to)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].from != from) {
            continue;
        }
        bool is_silent = rows[i].to == IS(CONFIRMING) || rows[i].to == IS(CANCELLING);
        if (rows[i].to == to || (is_silent && order_may_go(rows[i].to, to))) {
            return true;
        }
    }
    return false;
}

bool order_state_is_settled(enum order_state state)
{
    return state == IS(FULFILLING) || state == IS(REJECTED) || state == IS(CANCELLED) ||
           state == IS(COMPLETED) || state == IS(PARKED);
}

/* The state that each kind of event announces. */
static const enum order_state announced[] = {
    [ORDER_EVENT_ORDER_ACCEPTED] = IS(PENDING),     [ORDER_EVENT_ORDER_REJECTED] = IS(REJECTED),
    [ORDER_EVENT_ORDER_CONFIRMED] = IS(FULFILLING), [ORDER_EVENT_ORDER_AMENDED] = IS(CONFIRMING),
    [ORDER_EVENT_ORDER_CANCELLED] = IS(CANCELLED),  [ORDER_EVENT_ORDER_PARKED] = IS(PARKED),
};

/* ---- requests ---- */

/* I13: qty x unit_price - discount + tax; false: it is not, or does not fit. */
static bool line_is_right(const struct order_line *line)
{
    int64_t total;
    return !__builtin_mul_overflow((int64_t)line->qty, line->unit_price, &total) &&
           !__builtin_sub_overflow(total, line->discount, &total) &&
           !__builtin_add_overflow(total, line->tax, &total) && total == line->line_total;
}

static bool sums_are_right(const struct place_order *place)
{
    int64_t grand = place->shipping_fee, discount = 0, tax = 0;
    for (size_t i = 0; i < place->lines.count; i++) {
        const struct order_line *line = &place->lines.items[i];
        if (!line_is_right(line) || __builtin_add_overflow(grand, line->line_total, &grand) ||
            __builtin_add_overflow(discount, line->discount, &discount) ||
            __builtin_add_overflow(tax, line->tax, &tax)) {
            return false;
        }
    }
    return grand == place->grand_total && discount == place->discount_total &&
           tax == place->tax_total;
}

static void keep_lines(struct order *order, const struct order_line_array *lines)
{
    order->lines = xcalloc(lines->count, sizeof *order->lines);
    for (size_t i = 0; i < lines->count; i++) {
        order->lines[i] = (struct line_money){lines->items[i].line_no, lines->items[i].line_total};
    }
}

static void read_place(struct audit *audit, const struct place *at, const struct place_order *place)
{
    struct order *order = catalog_get(&audit->orders, place->order_id);
    if (order->placed) {
        return; /* a repeat; with another content it is dead */
    }
    order->placed = pack(audit, at);
    order->grand_total = place->grand_total;
    order->fee = place->shipping_fee;
    order->policy = (uint8_t)place->policy;
    order->auto_accept = place->auto_accept;
    order->line_count = (int32_t)place->lines.count;
    order->broken_sums = !sums_are_right(place);
    for (size_t i = 0; i < place->lines.count; i++) {
        const struct order_line *line = &place->lines.items[i];
        order->placed_lines += line_hash(line->line_no, line->sku, line->qty, 0);
    }
    if (place->policy == ORDER_POLICY_PARTIAL) {
        keep_lines(order, &place->lines);
    }
}

void orders_read_request(struct audit *audit, const struct place *at, const void *record)
{
    const struct order_request *request = record;
    switch (request->payload_branch) {
    case ORDER_REQUEST_PLACE_ORDER:
        if (!is_dead(audit, at)) {
            read_place(audit, at, &request->payload.place_order);
        }
        break;
    case ORDER_REQUEST_CANCEL_ORDER:
        break;
    }
}

/* ---- events ---- */

/* I9, and a second end is I8. */
static void check_step(struct audit *audit, const struct place *at, const struct order *order,
                       const struct event *event, int64_t seq)
{
    enum order_state from = order->last ? (enum order_state)order->state : IS(NEW);
    checked(audit, I9, 1);
    if (seq != order->seq + 1) {
        broken(audit, I9, at, "order %s: expected event %" PRId32 ", found event %" PRId64,
               order->id, order->seq + 1, seq);
    } else if (event->state != announced[event->kind]) {
        broken(audit, I9, at, "order %s: expected state %s of this kind of event, found %s",
               order->id, order_state_name(announced[event->kind]), order_state_name(event->state));
    } else if (order_state_is_settled(from) && from != IS(PARKED)) {
        broken(audit, I8, at, "order %s had come to its end, %s; found %s", order->id,
               order_state_name(from), order_state_name(event->state));
    } else if (!order_may_go(from, event->state)) {
        broken(audit, I9, at, "order %s: found %s after %s, which no transition gives", order->id,
               order_state_name(event->state), order_state_name(from));
    } else if ((event->state == IS(CANCELLED) || event->state == IS(REJECTED)) &&
               event->reason == ORDER_REASON_NONE) {
        broken(audit, I9, at, "order %s: expected a reason for %s, found none", order->id,
               order_state_name(event->state));
    }
}

static int64_t line_total(const struct order *order, int32_t line_no)
{
    for (int32_t i = 0; i < order->line_count; i++) {
        if (order->lines[i].line_no == line_no) {
            return order->lines[i].total;
        }
    }
    return 0;
}

static bool stands(enum order_line_state state)
{
    return state == ORDER_LINE_STATE_HELD || state == ORDER_LINE_STATE_COMMITTING ||
           state == ORDER_LINE_STATE_COMMITTED;
}

/* What the order comes to, with the lines that stand; the fee stays. */
static int64_t accepted_by(const struct order *order, const struct event *event)
{
    if (event->state == IS(PENDING)) {
        return order->grand_total;
    }
    if (event->state != IS(CONFIRMING) && event->state != IS(FULFILLING)) {
        return 0;
    }
    if (!order->lines) {
        return order->grand_total;
    }
    int64_t accepted = order->fee;
    for (size_t i = 0; i < event->lines->count; i++) {
        const struct order_event_line *line = &event->lines->items[i];
        accepted += stands(line->state) ? line_total(order, line->line_no) : 0;
    }
    return accepted;
}

/* I13. */
static void check_totals(struct audit *audit, const struct place *at, const struct order *order,
                         const struct event *event)
{
    int64_t accepted = accepted_by(order, event);
    if (event->totals.ordered != order->grand_total) {
        broken(audit, I13, at,
               "order %s: expected ordered %" PRId64 " minor units, as placed, found %" PRId64,
               order->id, order->grand_total, event->totals.ordered);
    } else if (event->totals.accepted != accepted) {
        broken(audit, I13, at,
               "order %s: expected accepted %" PRId64
               " minor units by the lines that stand, found %" PRId64,
               order->id, accepted, event->totals.accepted);
    }
}

/* I10: every line is spoken of, and what goes on without a line says so first. */
static void check_whole(struct audit *audit, const struct place *at, const struct order *order,
                        const struct event *event)
{
    uint32_t lines = 0;
    size_t standing = 0;
    for (size_t i = 0; i < event->lines->count; i++) {
        const struct order_event_line *line = &event->lines->items[i];
        lines += line_hash(line->line_no, line->sku, line->qty, 0);
        standing += event->state == IS(FULFILLING) ? line->state == ORDER_LINE_STATE_COMMITTED
                                                   : stands(line->state);
    }
    checked(audit, I10, 1);
    if (event->state != IS(REJECTED) && lines != order->placed_lines) {
        broken(audit, I10, at,
               "order %s: expected the %" PRId32 " lines as placed, found %zu, or others",
               order->id, order->line_count, event->lines->count);
    } else if (event->kind == ORDER_EVENT_ORDER_AMENDED && (!order->lines || !order->auto_accept)) {
        broken(audit, I10, at, "order %s: expected no amendment under %s%s, found one", order->id,
               order_policy_name((enum order_policy)order->policy),
               order->auto_accept ? "" : " without auto_accept");
    } else if (event->state == IS(FULFILLING) && standing < event->lines->count &&
               !order->amended) {
        broken(audit, I10, at, "order %s: expected all %zu lines committed under %s, found %zu",
               order->id, event->lines->count, order_policy_name((enum order_policy)order->policy),
               standing);
    } else if (event->state == IS(FULFILLING) && standing == 0) {
        broken(audit, I10, at, "order %s: expected a committed line, found none", order->id);
    }
}

static void take_event(struct order *order, const struct event *event, int64_t seq, packed_place at)
{
    order->last = at;
    order->seq = (int32_t)seq;
    order->state = (uint8_t)event->state;
    order->accepted = event->totals.accepted;
    order->amended |= event->kind == ORDER_EVENT_ORDER_AMENDED;
    order->event_lines = order->committed_lines = 0;
    order->committed_units = 0;
    for (size_t i = 0; i < event->lines->count; i++) {
        const struct order_event_line *line = &event->lines->items[i];
        order->event_lines += line_hash(line->line_no, line->sku, line->qty, (int)line->state);
        if (line->state == ORDER_LINE_STATE_COMMITTED) {
            order->committed_lines += line_hash(line->line_no, line->sku, line->qty, 0);
            order->committed_units += line->qty;
        }
    }
}

void orders_read_event(struct audit *audit, const struct place *at, const void *record)
{
    const struct order_event *envelope = record;
    struct event event = read_event(envelope);
    struct order *order = catalog_get(&audit->orders, event.order_id);
    check_step(audit, at, order, &event, envelope->agg_seq);
    if (order->placed) {
        check_totals(audit, at, order, &event);
        check_whole(audit, at, order, &event);
    } else if (!order->last) {
        broken(audit, I8, at, "order %s: expected a request that placed it, found none", order->id);
    }
    take_event(order, &event, envelope->agg_seq, pack(audit, at));
}

/* ---- at the end ---- */

/* I11: what the order says it has is what inventory has for it. */
static void check_stock(struct audit *audit, const struct place *at, const struct order *order)
{
    enum order_state state = (enum order_state)order->state;
    checked(audit, I11, 1);
    if (state == IS(CANCELLED) || state == IS(REJECTED)) {
        if (order->stock_held != 0 || order->stock_units != 0) {
            broken(audit, I11, at,
                   "order %s is %s: expected no stock, found %" PRId32 " units held and %" PRId32
                   " committed",
                   order->id, order_state_name(state), order->stock_held, order->stock_units);
        }
    } else if (state == IS(FULFILLING) &&
               (order->stock_lines != order->committed_lines || order->stock_held != 0)) {
        broken(audit, I11, at,
               "order %s is FULFILLING: expected %" PRId32
               " units committed, line by line, found %" PRId32 " and %" PRId32 " held",
               order->id, order->committed_units, order->stock_units, order->stock_held);
    }
}

static void check_order(struct audit *audit, const struct order *order, struct place *in_flight,
                        int64_t *in_flights)
{
    if (!order->placed && !order->last) {
        return; /* only reservations or a view name it */
    }
    struct place at = unpack(audit, order->last ? order->last : order->placed);
    checked(audit, I8, 1);
    checked(audit, I13, order->placed ? 1 : 0);
    if (order->broken_sums && order->last && order->state != IS(REJECTED)) {
        struct place placed = unpack(audit, order->placed);
        broken(audit, I13, &placed,
               "order %s: its totals are not the sums of its lines and fee, and it is not rejected",
               order->id);
    }
    if (!order->last) {
        broken(audit, I8, &at, "order %s was placed: expected an event, found none", order->id);
    } else if (!order_state_is_settled((enum order_state)order->state)) {
        *in_flight = *in_flights == 0 ? at : *in_flight;
        (*in_flights)++;
    } else {
        check_stock(audit, &at, order);
    }
}

void orders_finish(struct audit *audit)
{
    struct place in_flight = {0};
    int64_t in_flights = 0;
    for (size_t i = 0; i < audit->orders.count; i++) {
        check_order(audit, catalog_at(&audit->orders, i), &in_flight, &in_flights);
    }
    if (in_flights > 0) {
        broken(audit, I8, &in_flight, "not settled: %" PRId64 " orders in flight, this one first",
               in_flights);
    }
}
