/* order_events.c - what the world is told of an order: its events, numbered without gaps, and its
 * current state.
 *
 * An event carries the whole order after it: state, reason, totals, lines. The view carries the
 * number of the last event that it contains; lines move between events too.
 */
#include "order.h"

void saga_load_lines(struct saga *saga)
{
    if (saga->lines) {
        return;
    }
    if (saga->line && saga->order.line_count == 1) { /* most orders: no need to look further */
        saga->lines = saga->line;
        saga->line_count = 1;
        return;
    }
    saga->line_count =
        placed_line_list_by_order_id(saga->ctx, saga->order.order_id, 0, &saga->lines);
    for (size_t i = 0; i < saga->line_count && saga->line; i++) {
        if (saga->lines[i].line_no == saga->line->line_no) {
            saga->lines[i] = *saga->line;
            saga->line = &saga->lines[i];
            break;
        }
    }
}

static struct order_event_line_array event_lines(struct saga *saga)
{
    if (saga->order.line_count > 0) {
        saga_load_lines(saga);
    }
    struct order_event_line_array lines = {
        .items = weir_alloc(saga->ctx, saga->line_count * sizeof *lines.items),
        .count = saga->line_count,
    };
    for (size_t i = 0; i < lines.count; i++) {
        const struct placed_line *line = &saga->lines[i];
        lines.items[i] =
            (struct order_event_line){line->line_no, line->sku, line->qty, line->state};
    }
    return lines;
}

static struct order_totals totals(const struct placed_order *order)
{
    return (struct order_totals){.ordered = order->ordered_total,
                                 .accepted = order->accepted_total};
}

/* Emits an event of record `type`. All events have the same fields. */
#define ANNOUNCE(type)                                 \
    type##_emit(saga->ctx, order->agg_seq,             \
                &(const struct type){                  \
                    .order_id = order->order_id,       \
                    .customer_id = order->customer_id, \
                    .state = order->state,             \
                    .reason = order->reason,           \
                    .detail = order->detail,           \
                    .currency = order->currency,       \
                    .totals = totals(order),           \
                    .lines = lines,                    \
                })

void saga_announce(struct saga *saga, enum order_event_branch event)
{
    struct placed_order *order = &saga->order;
    const struct order_event_line_array lines = event_lines(saga);
    order->agg_seq++;
    switch (event) {
    case ORDER_EVENT_ORDER_ACCEPTED:
        ANNOUNCE(order_accepted);
        break;
    case ORDER_EVENT_ORDER_REJECTED:
        ANNOUNCE(order_rejected);
        break;
    case ORDER_EVENT_ORDER_CONFIRMED:
        ANNOUNCE(order_confirmed);
        break;
    case ORDER_EVENT_ORDER_AMENDED:
        ANNOUNCE(order_amended);
        break;
    case ORDER_EVENT_ORDER_CANCELLED:
        ANNOUNCE(order_cancelled);
        break;
    case ORDER_EVENT_ORDER_PARKED:
        ANNOUNCE(order_parked);
        break;
    }
}

/* ---- the view ---- */

static bool is_any_of(enum order_line_state state, unsigned states)
{
    return (1u << state & states) != 0;
}

static struct order_view_line view_line(const struct placed_line *line)
{
    return (struct order_view_line){
        .line_no = line->line_no,
        .sku = line->sku,
        .qty = line->qty,
        .qty_reserved = is_any_of(line->state, LINE(HELD) | LINE(COMMITTING)) ? line->qty : 0,
        .qty_committed = is_any_of(line->state, LINE(COMMITTED)) ? line->qty : 0,
        .qty_cancelled =
            is_any_of(line->state, LINE(REFUSED) | LINE(EXPIRED) | LINE(RELEASED)) ? line->qty : 0,
        .state = line->state,
        .location_id = line->location_id,
        .reservation_id = line->reservation_id,
    };
}

static const char *deadline_name(enum order_state state)
{
    return state == ORDER_STATE_PENDING      ? "T_saga"
           : state == ORDER_STATE_CONFIRMING ? "T_commit"
                                             : "T_comp";
}

void build_order_view(struct weir_context *ctx, const char *order_id)
{
    struct placed_order order;
    if (!placed_order_get(ctx, order_id, &order)) {
        return; /* forgotten; the view keeps its last state */
    }
    struct placed_line *lines;
    size_t count = placed_line_list_by_order_id(ctx, order_id, 0, &lines);
    struct order_view_line *view_lines = weir_alloc(ctx, count * sizeof *view_lines);
    for (size_t i = 0; i < count; i++) {
        view_lines[i] = view_line(&lines[i]);
    }
    struct open_timer timer = {.name = deadline_name(order.state), .due_ms = order.due_ms};
    order_view_emit(ctx, order.agg_seq,
                    &(struct order_view){
                        .order_id = order_id,
                        .customer_id = order.customer_id,
                        .state = order.state,
                        .reason = order.reason,
                        .policy = order.policy,
                        .currency = order.currency,
                        .totals = totals(&order),
                        .lines = {view_lines, count},
                        .open_timers = {&timer, order.has_due_ms ? 1 : 0},
                        .updated_ms = order.updated_ms,
                    });
}
