/* views.c - compacted views against what they are made of: I27, and the balances of levels for I2.
 *
 * Only the last value of a key is kept, and only it must agree: intermediate ones may have been
 * coalesced or compacted. Of a level it must be all balances of all shelves; of an order its state,
 * totals and lines (the lines of an order in flight move between its events).
 */
#include <inttypes.h>
#include <string.h>

#include "internal.h"

/* ---- levels ---- */

static struct balances balances_of(const struct stock_location *location)
{
    return (struct balances){location->on_hand, location->held, location->committed,
                             location->unavailable};
}

static bool balances_equal(const struct balances *a, const struct balances *b)
{
    return a->on_hand == b->on_hand && a->held == b->held && a->committed == b->committed &&
           a->unavailable == b->unavailable;
}

/* The view's own arithmetic. */
static void check_sums(struct audit *audit, const struct place *at,
                       const struct stock_level_view *view, const struct balances *sum)
{
    const struct balances stated = {view->on_hand, view->held, view->committed, view->unavailable};
    int64_t available = view->on_hand - view->held - view->committed - view->unavailable;
    if (!balances_equal(&stated, sum)) {
        broken(audit, I27, at,
               "SKU %s: expected sums over its locations (on hand %" PRId64 ", held %" PRId64
               ", committed %" PRId64 "), found %" PRId64 ", %" PRId64 ", %" PRId64,
               view->sku, sum->on_hand, sum->held, sum->committed, view->on_hand, view->held,
               view->committed);
    } else if (view->available != available) {
        broken(audit, I27, at, "SKU %s: expected available %" PRId64 ", found %" PRId64, view->sku,
               available, view->available);
    }
    if (view->backordered < 0 || view->backordered > view->backorder_limit) {
        broken(audit, I2, at,
               "SKU %s: expected backordered from 0 to its limit %" PRId64 ", found %" PRId64,
               view->sku, view->backorder_limit, view->backordered);
    }
}

void views_read_level(struct audit *audit, const struct place *at, const void *record)
{
    const struct stock_level_record *envelope = record;
    const struct stock_level_view *view = &envelope->payload.stock_level_view;
    struct sku *sku = sku_get(audit, view->sku);
    struct balances sum = {0};
    checked(audit, I27, 1);
    if (sku->level && view->movement_seq < sku->level_seq) {
        broken(audit, I27, at,
               "SKU %s: expected a level of movement %" PRId64 " or later, found movement %" PRId64,
               view->sku, sku->level_seq, view->movement_seq);
    }
    for (size_t i = 0; i < sku->shelf_count; i++) {
        sku->shelves[i].in_level = false;
    }
    for (size_t i = 0; i < view->locations.count; i++) {
        const struct stock_location *location = &view->locations.items[i];
        struct shelf *shelf = sku_shelf(sku, location->location_id);
        shelf->in_level = true;
        shelf->level = balances_of(location);
        stock_balances(audit, at, view->sku, location->location_id, &shelf->level);
        sum.on_hand += location->on_hand;
        sum.held += location->held;
        sum.committed += location->committed;
        sum.unavailable += location->unavailable;
    }
    check_sums(audit, at, view, &sum);
    sku->level = pack(audit, at);
    sku->level_seq = view->movement_seq;
    sku->level_backordered = view->backordered;
    sku->level_sum =
        (struct balances){view->on_hand, view->held, view->committed, view->unavailable};
}

static void check_shelves(struct audit *audit, const struct place *at, const struct sku *sku)
{
    for (size_t i = 0; i < sku->shelf_count; i++) {
        const struct shelf *shelf = &sku->shelves[i];
        const struct balances none = {0};
        const struct balances *level = shelf->in_level ? &shelf->level : &none;
        if (!balances_equal(level, &shelf->is)) {
            broken(audit, I27, at,
                   "SKU %s at %s: expected on hand %" PRId64 ", held %" PRId64
                   ", committed %" PRId64 ", unavailable %" PRId64 " by the ledger, found %" PRId64
                   ", %" PRId64 ", %" PRId64 ", %" PRId64,
                   sku->id, shelf->location_id, shelf->is.on_hand, shelf->is.held,
                   shelf->is.committed, shelf->is.unavailable, level->on_hand, level->held,
                   level->committed, level->unavailable);
            return;
        }
    }
}

static void check_level(struct audit *audit, const struct sku *sku)
{
    if (!sku->last && !sku->level) {
        return; /* only asked for */
    }
    struct place at = unpack(audit, sku->level ? sku->level : sku->last);
    if (!sku->level) {
        broken(audit, I27, &at, "SKU %s: expected a level of movement %" PRId64 ", found none",
               sku->id, sku->seq);
    } else if (sku->level_seq != sku->seq) {
        broken(audit, I27, &at,
               "SKU %s: expected the level of movement %" PRId64
               ", the last one, found movement %" PRId64,
               sku->id, sku->seq, sku->level_seq);
    } else if (sku->level_backordered != sku->backordered) {
        broken(audit, I27, &at,
               "SKU %s: expected backordered %" PRId64 " by the ledger, found %" PRId64, sku->id,
               sku->backordered, sku->level_backordered);
    } else {
        check_shelves(audit, &at, sku);
    }
}

/* ---- orders ---- */

void views_read_order(struct audit *audit, const struct place *at, const void *record)
{
    const struct order_view_record *envelope = record;
    const struct order_view *view = &envelope->payload.order_view;
    struct order *order = catalog_get(&audit->orders, view->order_id);
    checked(audit, I27, 1);
    if (order->view && envelope->agg_seq < order->view_seq) {
        broken(audit, I27, at,
               "order %s: expected the view of event %" PRId32 " or later, found event %" PRId64,
               order->id, order->view_seq, envelope->agg_seq);
    }
    order->view = pack(audit, at);
    order->view_seq = (int32_t)envelope->agg_seq;
    order->view_state = (uint8_t)view->state;
    order->view_accepted = view->totals.accepted;
    order->view_lines = 0;
    for (size_t i = 0; i < view->lines.count; i++) {
        const struct order_view_line *line = &view->lines.items[i];
        order->view_lines += line_hash(line->line_no, line->sku, line->qty, (int)line->state);
    }
}

static void check_order(struct audit *audit, const struct order *order)
{
    if (!order->last && !order->view) {
        return;
    }
    struct place at = unpack(audit, order->view ? order->view : order->last);
    enum order_state state = (enum order_state)order->state,
                     view_state = (enum order_state)order->view_state;
    if (!order->view) {
        broken(audit, I27, &at, "order %s: expected a view of event %" PRId32 ", found none",
               order->id, order->seq);
    } else if (!order->last) {
        broken(audit, I27, &at, "order %s: expected events behind its view, found none", order->id);
    } else if (order->view_seq != order->seq) {
        broken(audit, I27, &at,
               "order %s: expected the view of event %" PRId32
               ", the last one, found event %" PRId32,
               order->id, order->seq, order->view_seq);
    } else if (view_state != state &&
               (order_state_is_settled(state) || !order_may_go(state, view_state))) {
        broken(audit, I27, &at, "order %s: expected state %s by its last event, found %s",
               order->id, order_state_name(state), order_state_name(view_state));
    } else if (!order_state_is_settled(state)) {
        return;
    } else if (order->view_accepted != order->accepted) {
        broken(audit, I27, &at,
               "order %s: expected accepted %" PRId64 " by its last event, found %" PRId64,
               order->id, order->accepted, order->view_accepted);
    } else if (order->view_lines != order->event_lines) {
        broken(audit, I27, &at, "order %s: expected lines as in its last event, found others",
               order->id);
    }
}

void views_finish(struct audit *audit)
{
    for (size_t i = 0; i < audit->skus.count; i++) {
        check_level(audit, catalog_at(&audit->skus, i));
    }
    for (size_t i = 0; i < audit->orders.count; i++) {
        check_order(audit, catalog_at(&audit->orders, i));
    }
}
