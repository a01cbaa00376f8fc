/* order.c - the saga of every order: reserve all its lines, commit what is held, or give everything
 * back.
 *
 * Stateful, keyed by order. The rule is the table in order_transitions.c; here records, replies and
 * deadlines become triggers of that table. Inventory answers each line by itself, from many
 * partitions, in any order between lines; the order waits for what it needs and never longer than
 * its deadlines allow.
 *
 * A reply that only moves a counter costs the order's row and the line's, read and written; all
 * lines are read where the order fans out or speaks.
 */
#include "order.h"

#include <string.h>

#include "processors.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS    (24 * 60 * MINUTE_MS)

/* ---- settings ---- */

const struct weir_setting hold_ttl_ms = {
    "hold.ttl_ms", 10 * MINUTE_MS, 1, 400 * DAY_MS,
    "T_hold: how long inventory holds stock for an order that is not confirmed, ms."};
const struct weir_setting saga_timeout_ms = {
    "saga.timeout_ms", 5 * MINUTE_MS, 1, 400 * DAY_MS,
    "T_saga: how long an order waits for the answers to its reservations, ms. An order's own "
    "deadline may be sooner."};
const struct weir_setting commit_timeout_ms = {"commit.timeout_ms", 30 * SECOND_MS, 1, 400 * DAY_MS,
                                               "T_commit: how long an order waits for its commits "
                                               "before it sends them again (three times), ms."};
const struct weir_setting compensation_timeout_ms = {
    "compensation.timeout_ms", DAY_MS, 1, 400 * DAY_MS,
    "T_comp: how long an order waits for its releases before an operator must look (PARKED), ms."};
const struct weir_setting settled_retention_ms = {
    "settled.retention_ms", 8 * DAY_MS, 1, 3650 * DAY_MS,
    "How long a settled order is remembered, ms. Longer than requests and replies are kept and "
    "redriven."};

static const char *check_settings(int64_t (*value)(const void *from, const struct weir_setting *),
                                  const void *from)
{
    if (value(from, &commit_timeout_ms) >= value(from, &saga_timeout_ms)) {
        return "commit.timeout_ms must be shorter than saga.timeout_ms; write 30000 and 300000";
    }
    if (value(from, &saga_timeout_ms) >= value(from, &hold_ttl_ms)) {
        return "saga.timeout_ms must be shorter than hold.ttl_ms, or holds expire under orders "
               "that still wait; write "
               "300000 and 600000";
    }
    if (value(from, &hold_ttl_ms) >= value(from, &compensation_timeout_ms)) {
        return "hold.ttl_ms must be shorter than compensation.timeout_ms, or orders are parked for "
               "holds that would "
               "have expired; write 600000 and 86400000";
    }
    if (value(from, &settled_retention_ms) <= order_requests_topic.retention_ms ||
        value(from, &settled_retention_ms) <= stock_replies_topic.retention_ms) {
        return "settled.retention_ms must be longer than order.requests and stock.replies keep "
               "their records "
               "(retention.ms in topics.conf), or a record that is read again finds its order "
               "forgotten; write "
               "691200000";
    }
    return NULL;
}

/* ---- requests ---- */

static struct saga saga_load(struct weir_context *ctx, const char *order_id, enum trigger trigger)
{
    struct saga saga = {.ctx = ctx, .trigger = trigger, .line_was = NO_LINE};
    if (!placed_order_get(ctx, order_id, &saga.order)) {
        saga.order = (struct placed_order){.order_id = order_id, .state = ORDER_STATE_NEW};
    }
    return saga;
}

/* T2: what order itself will not take on. */
static struct broken_rule broken_rule(struct weir_context *ctx, const struct place_order *place)
{
    if (place->policy == ORDER_POLICY_BACKORDER) {
        return (struct broken_rule){"policy", ORDER_REASON_POLICY,
                                    "policy BACKORDER is not offered"};
    }
    return order_broken_rule(ctx, place);
}

static void on_place_order(struct weir_context *ctx, const struct place_order *place)
{
    if (!is_id(place->order_id)) {
        weir_reject(ctx, "order_id", "order_id must have 1 to %d bytes", ID_MAX);
        return;
    }
    struct saga saga = saga_load(ctx, place->order_id, PLACE_ORDER);
    saga.place = place;
    if (saga.order.state == ORDER_STATE_NEW) {
        saga.broken = broken_rule(ctx, place);
    }
    saga_step(&saga);
}

static void on_cancel_order(struct weir_context *ctx, const struct cancel_order *cancel)
{
    struct saga saga = saga_load(ctx, cancel->order_id, CANCEL_ORDER);
    saga_step(&saga);
}

/* ---- replies ---- */

static void on_answer(struct weir_context *ctx, const struct answer *answer)
{
    struct saga saga = saga_load(ctx, answer->order_id, answer->trigger);
    struct placed_line line;
    saga.answer = answer;
    saga.line_was = OLD_ATTEMPT;
    if (saga.order.state != ORDER_STATE_NEW &&
        placed_line_get(ctx, answer->order_id, answer->line_no, &line) &&
        strcmp(line.reservation_id, answer->reservation_id) == 0) {
        saga.line = &line;
        saga.line_was = 1u << line.state;
    }
    saga_step(&saga);
}

/* Makes the handler of one kind of reply. All replies have the same fields. A refused Extend says
 * nothing that the order would act on, like Extended itself. */
#define HANDLE(type, its_trigger)                                                                  \
    static void on_##type(struct weir_context *ctx, const struct type *reply)                      \
    {                                                                                              \
        on_answer(ctx, &(struct answer){                                                           \
                           .trigger = reply->command == STOCK_COMMAND_KIND_EXTEND ? EXTENDED       \
                                                                                  : (its_trigger), \
                           .reservation_id = reply->reservation_id,                                \
                           .order_id = reply->order_id,                                            \
                           .sku = reply->sku,                                                      \
                           .line_no = reply->line_no,                                              \
                           .reason = reply->reason,                                                \
                           .location_id = reply->allocations.count > 0                             \
                                              ? reply->allocations.items[0].location_id            \
                                              : NULL,                                              \
                       });                                                                         \
    }

HANDLE(reserved, RESERVED)
HANDLE(refused, REFUSED)
HANDLE(backordered, BACKORDERED)
HANDLE(extended, EXTENDED)
HANDLE(commit_ok, COMMIT_OK)
HANDLE(commit_refused, COMMIT_REFUSED)
HANDLE(released, RELEASED)
HANDLE(expired, EXPIRED)

/* ---- deadlines ---- */

static void on_deadline(struct weir_context *ctx, const char *order_id)
{
    struct saga saga = saga_load(ctx, order_id, T_SAGA);
    switch (saga.order.state) {
    case ORDER_STATE_PENDING:
        saga_step(&saga);
        break;
    case ORDER_STATE_CONFIRMING:
        saga.trigger = T_COMMIT;
        saga_step(&saga);
        break;
    case ORDER_STATE_CANCELLING:
        saga.trigger = T_COMP;
        saga_step(&saga);
        break;
    case ORDER_STATE_REJECTED:
    case ORDER_STATE_CANCELLED:
    case ORDER_STATE_COMPLETED:
    case ORDER_STATE_FULFILLING: /* counts as settled until there are shipments */
        saga_forget(&saga);
        break;
    case ORDER_STATE_NEW:
    case ORDER_STATE_WAIT:
    case ORDER_STATE_AUTHORIZING:
    case ORDER_STATE_PARKED: /* stays until an operator has looked */
        break;
    }
}

const struct weir_timer order_deadline = {"order_deadline", on_deadline};

/* ---- the processor ---- */

static const struct order_request_handlers order_request_handlers = {
    .place_order = on_place_order,
    .cancel_order = on_cancel_order,
};

static const struct stock_reply_handlers stock_reply_handlers = {
    .reserved = on_reserved,
    .refused = on_refused,
    .backordered = on_backordered,
    .extended = on_extended,
    .commit_ok = on_commit_ok,
    .commit_refused = on_commit_refused,
    .released = on_released,
    .expired = on_expired,
};

const struct weir_processor order_processor = {
    .name = "order",
    .summary = "leads every order from placing to confirmation or cancellation",
    .inputs = {{&order_requests_topic, &order_request_handlers},
               {&stock_replies_topic, &stock_reply_handlers}},
    .outputs = {&stock_commands_topic, &order_events_topic},
    .stores = {&placed_order_store, &placed_line_store},
    .views = {{&order_view_topic, build_order_view}},
    .timers = {&order_deadline},
    .settings = {&hold_ttl_ms, &saga_timeout_ms, &commit_timeout_ms, &compensation_timeout_ms,
                 &settled_retention_ms},
    .check_settings = check_settings,
};
