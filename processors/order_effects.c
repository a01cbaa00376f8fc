/* order_effects.c - what the transitions do: marks on lines, commands to inventory, deadlines.
 *
 * The order has one deadline at a time, a timer under its id: T_saga while PENDING, T_commit while
 * CONFIRMING, T_comp while CANCELLING, and the end of its retention once it is settled. The line
 * that a reply is about is saved by saga_step(), other lines by the effect that changes them.
 */
#include <inttypes.h>

#include "order.h"

/* ---- lines ---- */

static bool is_unsettled(enum order_line_state state)
{
    return (1u << state & (LINE(NEW) | LINE(REFUSED) | LINE(EXPIRED) | LINE(RELEASED))) == 0;
}

/* Adds `one` (1 or -1) line in `state` to the order's counters. */
static void count_line(struct placed_order *order, enum order_line_state state, int one)
{
    unsigned is = 1u << state;
    order->outstanding += is & (LINE(REQUESTED) | LINE(BACKORDERED)) ? one : 0;
    order->held += is & (LINE(HELD) | LINE(COMMITTING) | LINE(COMMITTED)) ? one : 0;
    order->committed += is & LINE(COMMITTED) ? one : 0;
    order->refused += is & LINE(REFUSED) ? one : 0;
    order->unsettled += is_unsettled(state) ? one : 0;
}

static void set_line(struct saga *saga, struct placed_line *line, enum order_line_state state)
{
    count_line(&saga->order, line->state, -1);
    line->state = state;
    count_line(&saga->order, line->state, 1);
}

static void save_line(struct saga *saga, struct placed_line *line)
{
    if (line != saga->line) {
        placed_line_put(saga->ctx, line);
    }
}

/* What an answer makes of its line. */
static enum order_line_state line_state_by(const struct answer *answer, enum order_line_state state)
{
    switch (answer->trigger) {
    case RESERVED:
        return ORDER_LINE_STATE_HELD;
    case REFUSED:
        return ORDER_LINE_STATE_REFUSED;
    case BACKORDERED:
        return ORDER_LINE_STATE_BACKORDERED;
    case COMMIT_OK:
        return ORDER_LINE_STATE_COMMITTED;
    case COMMIT_REFUSED: /* for a backorder: it still waits */
        return answer->reason == STOCK_REASON_OUT_OF_STOCK ? ORDER_LINE_STATE_BACKORDERED
                                                           : ORDER_LINE_STATE_EXPIRED;
    case EXPIRED:
        return ORDER_LINE_STATE_EXPIRED;
    case RELEASED:
        return ORDER_LINE_STATE_RELEASED;
    case PLACE_ORDER:
    case CANCEL_ORDER:
    case EXTENDED:
    case T_SAGA:
    case T_COMMIT:
    case T_COMP:
        break;
    }
    return state;
}

void saga_mark(struct saga *saga)
{
    if (!saga->line) {
        return;
    }
    set_line(saga, saga->line, line_state_by(saga->answer, saga->line->state));
    if (saga->trigger == REFUSED || saga->trigger == COMMIT_REFUSED || saga->trigger == EXPIRED) {
        saga->line->reason = saga->answer->reason;
    }
    if (saga->answer->location_id) {
        saga->line->location_id = saga->answer->location_id;
    }
}

/* ---- deadlines ---- */

static void set_deadline(struct saga *saga, int64_t due_ms)
{
    saga->order.has_due_ms = true;
    saga->order.due_ms = due_ms;
    weir_timer_set(saga->ctx, &order_deadline, saga->order.order_id, due_ms);
}

static int64_t from_now(const struct saga *saga, const struct weir_setting *setting)
{
    return weir_now_ms(saga->ctx) + weir_setting(saga->ctx, setting);
}

/* The order is settled: it is kept for a while, so that what comes late finds it, then forgotten.
 */
static void settle(struct saga *saga)
{
    saga->order.has_due_ms = false;
    saga->order.due_ms = 0;
    weir_timer_set(saga->ctx, &order_deadline, saga->order.order_id,
                   from_now(saga, &settled_retention_ms));
}

void saga_forget(struct saga *saga)
{
    const char *order_id = saga->order.order_id;
    saga_load_lines(saga);
    for (size_t i = 0; i < saga->line_count; i++) {
        placed_line_delete(saga->ctx, order_id, saga->lines[i].line_no);
    }
    placed_order_delete(saga->ctx, order_id);
}

/* ---- commands to inventory ---- */

static void send_reserve(struct saga *saga, const struct placed_line *line)
{
    reserve_emit(saga->ctx, &(struct reserve){
                                .reservation_id = line->reservation_id,
                                .order_id = line->order_id,
                                .line_no = line->line_no,
                                .sku = line->sku,
                                .qty = line->qty,
                                .allow_split = true,
                                .backorder_ok = false,
                                .ttl_ms = weir_setting(saga->ctx, &hold_ttl_ms),
                                .customer_id = saga->order.customer_id,
                            });
}

static void send_commit(struct saga *saga, const struct placed_line *line)
{
    commit_emit(saga->ctx, &(struct commit){
                               .reservation_id = line->reservation_id,
                               .order_id = line->order_id,
                               .line_no = line->line_no,
                               .sku = line->sku,
                           });
}

static void send_release(struct saga *saga, const char *reservation_id, int32_t line_no,
                         const char *sku)
{
    release_emit(saga->ctx, &(struct release){
                                .reservation_id = reservation_id,
                                .order_id = saga->order.order_id,
                                .line_no = line_no,
                                .sku = sku,
                                .reason = saga->order.reason,
                            });
}

static void next_attempt(struct saga *saga, struct placed_line *line)
{
    line->attempt++;
    line->reservation_id = weir_format(saga->ctx, "%s/%" PRId32 "/%" PRId32, line->order_id,
                                       line->line_no, line->attempt);
    set_line(saga, line, ORDER_LINE_STATE_REQUESTED);
    send_reserve(saga, line);
}

/* ---- T1 to T3: an order comes ---- */

static void fill_in_order(struct saga *saga)
{
    const struct place_order *place = saga->place;
    struct placed_order *order = &saga->order;
    order->order_id = place->order_id;
    order->customer_id = place->customer_id;
    order->channel = place->channel;
    order->policy = place->policy;
    order->auto_accept = place->auto_accept;
    order->currency = place->currency;
    order->shipping_fee = place->shipping_fee;
    order->ordered_total = place->grand_total;
    order->payload_hash = place->payload_hash;
    order->placed_ms = place->placed_ms;
    order->has_deadline_ms = place->has_deadline_ms;
    order->deadline_ms = place->deadline_ms;
    order->detail = "";
}

void saga_accept(struct saga *saga)
{
    const struct place_order *place = saga->place;
    const struct order_line **wanted = order_lines_sorted(saga->ctx, place);
    fill_in_order(saga);
    saga->order.accepted_total = place->grand_total;
    saga->order.line_count = (int32_t)place->lines.count;
    saga->line_count = place->lines.count;
    saga->lines = weir_alloc(saga->ctx, saga->line_count * sizeof *saga->lines);
    for (size_t i = 0; i < saga->line_count; i++) {
        struct placed_line *line = &saga->lines[i];
        *line = (struct placed_line){
            .order_id = place->order_id,
            .line_no = wanted[i]->line_no,
            .sku = wanted[i]->sku,
            .qty = wanted[i]->qty,
            .unit_price = wanted[i]->unit_price,
            .discount = wanted[i]->discount,
            .tax = wanted[i]->tax,
            .line_total = wanted[i]->line_total,
        };
        next_attempt(saga, line);
        placed_line_put(saga->ctx, line);
    }
    saga_announce(saga, ORDER_EVENT_ORDER_ACCEPTED);
    int64_t due_ms = from_now(saga, &saga_timeout_ms);
    if (place->has_deadline_ms && place->deadline_ms < due_ms) {
        due_ms = place->deadline_ms;
    }
    set_deadline(saga, due_ms);
}

void saga_reject(struct saga *saga)
{
    fill_in_order(saga);
    saga->order.reason = saga->broken.reason;
    saga->order.detail = saga->broken.text;
    saga_announce(saga, ORDER_EVENT_ORDER_REJECTED);
    settle(saga);
}

void saga_repeat(struct saga *saga)
{
    weir_stale(saga->ctx);
}

void saga_conflict(struct saga *saga)
{
    weir_reject(saga->ctx, "conflict", "order %s was placed before with another content",
                saga->order.order_id);
}

/* ---- T5, T7, T25 to T27: an order succeeds ---- */

static void commit_held_lines(struct saga *saga)
{
    for (size_t i = 0; i < saga->line_count; i++) {
        struct placed_line *line = &saga->lines[i];
        if (line->state == ORDER_LINE_STATE_HELD) {
            set_line(saga, line, ORDER_LINE_STATE_COMMITTING);
            send_commit(saga, line);
            save_line(saga, line);
        }
    }
    set_deadline(saga, from_now(saga, &commit_timeout_ms));
}

void saga_commit_all(struct saga *saga)
{
    saga_load_lines(saga);
    commit_held_lines(saga);
}

/* The order goes on with the lines that are held. The shipping fee stays. */
void saga_amend(struct saga *saga)
{
    saga_load_lines(saga);
    saga->order.accepted_total = saga->order.shipping_fee;
    for (size_t i = 0; i < saga->line_count; i++) {
        if (saga->lines[i].state == ORDER_LINE_STATE_HELD) {
            saga->order.accepted_total += saga->lines[i].line_total;
        }
    }
    saga_announce(saga, ORDER_EVENT_ORDER_AMENDED);
    commit_held_lines(saga);
}

void saga_commit_line(struct saga *saga)
{
    set_line(saga, saga->line, ORDER_LINE_STATE_COMMITTING);
    send_commit(saga, saga->line);
}

void saga_retry(struct saga *saga)
{
    next_attempt(saga, saga->line);
}

void saga_resend(struct saga *saga)
{
    saga->order.commit_resends++;
    saga_load_lines(saga);
    for (size_t i = 0; i < saga->line_count; i++) {
        if (saga->lines[i].state == ORDER_LINE_STATE_COMMITTING) {
            send_commit(saga, &saga->lines[i]);
        }
    }
    set_deadline(saga, from_now(saga, &commit_timeout_ms));
}

void saga_confirm(struct saga *saga)
{
    saga_announce(saga, ORDER_EVENT_ORDER_CONFIRMED);
    settle(saga);
}

/* ---- T6, T8, T9, T12, T13, T23, T26, T27, T38, T41, T45: an order fails ---- */

/* For a person: what the last answer says, or what the earlier ones came to. */
static const char *why(const struct saga *saga)
{
    if (saga->answer->reason == STOCK_REASON_NONE) {
        return weir_format(saga->ctx, "%" PRId32 " of %" PRId32 " lines are refused",
                           saga->order.refused, saga->order.line_count);
    }
    return weir_format(saga->ctx, "line %" PRId32 ", %s: %s", saga->line->line_no, saga->line->sku,
                       stock_reason_name(saga->answer->reason));
}

/* Takes back every line that inventory may hold something for, answered or not: a Release runs
 * behind its Reserve. */
void saga_release_all(struct saga *saga)
{
    if (saga->line) {
        saga->order.detail = why(saga);
    }
    saga->order.accepted_total = 0;
    saga_load_lines(saga);
    for (size_t i = 0; i < saga->line_count; i++) {
        struct placed_line *line = &saga->lines[i];
        if (is_unsettled(line->state)) {
            set_line(saga, line, ORDER_LINE_STATE_RELEASING);
            send_release(saga, line->reservation_id, line->line_no, line->sku);
            save_line(saga, line);
        }
    }
    if (saga->order.unsettled > 0) {
        set_deadline(saga, from_now(saga, &compensation_timeout_ms));
    } else {
        saga->order.state = ORDER_STATE_CANCELLED; /* T38 at once: there is nothing to wait for */
        saga_cancel(saga);
    }
}

void saga_cancel(struct saga *saga)
{
    saga_announce(saga, ORDER_EVENT_ORDER_CANCELLED);
    settle(saga);
}

void saga_park(struct saga *saga)
{
    const char *cancelled_for = saga->order.detail;
    saga->order.detail =
        weir_format(saga->ctx, "%" PRId32 " lines are not released%s%s", saga->order.unsettled,
                    *cancelled_for ? "; " : "", cancelled_for);
    saga->order.has_due_ms = false;
    saga->order.due_ms = 0;
    saga_announce(saga, ORDER_EVENT_ORDER_PARKED);
}

/* Stock is held that no line of this order wants: never ignore an obligation. */
void saga_release_it(struct saga *saga)
{
    send_release(saga, saga->answer->reservation_id, saga->answer->line_no, saga->answer->sku);
}

void saga_nothing(struct saga *saga)
{
    (void)saga;
}
