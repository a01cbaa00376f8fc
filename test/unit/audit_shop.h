/* audit_shop.h - what inventory and the order saga write, imitated for the tests of the audit.
 *
 * Each call makes the records of one step (audit_log.h): a command, its movement and answer, an
 * event, a view. Balances are kept in the log's bins, so that a correct ledger comes by itself.
 */
#ifndef WEIR_TEST_AUDIT_SHOP_H
#define WEIR_TEST_AUDIT_SHOP_H

#include "audit_log.h"

enum { A, B, D };

/* A reservation as the test keeps it. */
struct held {
    const char *id, *order_id, *sku, *location;
    int32_t line_no, qty;
    int64_t expires_ms;
};

/* ---- inventory ---- */

static inline int64_t command(struct log *log, const char *sku,
                              const struct stock_command *envelope)
{
    return put(log, "stock.commands", sku, &stock_command_record, envelope);
}

static inline void move(struct log *log, int bin_number, enum movement_kind kind, int32_t qty,
                        const char *ref_id, const char *order_id)
{
    struct bin *bin = &log->bins[bin_number];
    bool nowhere = kind == MOVEMENT_KIND_BACKORDER;
    bin->on_hand += kind == MOVEMENT_KIND_RESTOCK || kind == MOVEMENT_KIND_ADJUST ? qty : 0;
    bin->held += kind == MOVEMENT_KIND_RESERVE || kind == MOVEMENT_KIND_BACKFILL ? qty : 0;
    bin->held -= kind == MOVEMENT_KIND_COMMIT || kind == MOVEMENT_KIND_RELEASE ||
                         kind == MOVEMENT_KIND_EXPIRE
                     ? qty
                     : 0;
    bin->committed += kind == MOVEMENT_KIND_COMMIT ? qty : 0;
    bin->backordered += kind == MOVEMENT_KIND_BACKORDER  ? qty
                        : kind == MOVEMENT_KIND_BACKFILL ? -qty
                                                         : 0;
    bin->seq++;
    struct stock_ledger_entry entry = {
        .agg_seq = bin->seq,
        .payload.stock_movement = {.movement_seq = bin->seq,
                                   .sku = bin->sku,
                                   .location_id = nowhere ? "" : bin->location,
                                   .kind = kind,
                                   .qty = qty,
                                   .ref_id = ref_id,
                                   .order_id = order_id,
                                   .on_hand_after = nowhere ? 0 : bin->on_hand,
                                   .held_after = nowhere ? 0 : bin->held,
                                   .committed_after = nowhere ? 0 : bin->committed,
                                   .backordered_after = bin->backordered},
    };
    out(log, "stock.ledger", bin->sku, &stock_ledger_entry_record, &entry);
}

static inline void show_level(struct log *log, int bin_number)
{
    const struct bin *bin = &log->bins[bin_number];
    struct stock_location location = {.location_id = bin->location,
                                      .on_hand = bin->on_hand,
                                      .held = bin->held,
                                      .committed = bin->committed};
    struct stock_level_record envelope = {
        .agg_seq = bin->seq,
        .payload.stock_level_view = {.sku = bin->sku,
                                     .locations = {&location, 1},
                                     .on_hand = bin->on_hand,
                                     .held = bin->held,
                                     .committed = bin->committed,
                                     .backordered = bin->backordered,
                                     .available = bin->on_hand - bin->held - bin->committed,
                                     .backorder_limit = bin->limit,
                                     .movement_seq = bin->seq},
    };
    view(log, "stock.levels", bin->sku, &stock_level_record_record, &envelope);
}

static inline void reply(struct log *log, enum stock_reply_branch kind, const struct held *held,
                         enum stock_command_kind answers, enum stock_reason reason)
{
    bool holds = kind == STOCK_REPLY_RESERVED || kind == STOCK_REPLY_COMMIT_OK;
    bool expires = kind == STOCK_REPLY_RESERVED || kind == STOCK_REPLY_BACKORDERED;
    struct stock_allocation allocation = {held->location, held->qty};
    /* All branches have the same fields, in the same order. */
    struct stock_reply envelope = {
        .payload_branch = kind,
        .payload.reserved = {.reservation_id = held->id,
                             .order_id = held->order_id,
                             .line_no = held->line_no,
                             .sku = held->sku,
                             .qty = held->qty,
                             .allocations = {&allocation, holds ? 1 : 0},
                             .command = answers,
                             .reason = reason,
                             .has_expires_ms = expires,
                             .expires_ms = expires ? held->expires_ms : 0},
    };
    out(log, "stock.replies", held->order_id, &stock_reply_record, &envelope);
}

static inline void restock(struct log *log, int bin_number, const char *receipt_id, int32_t qty)
{
    struct bin *bin = &log->bins[bin_number];
    struct stock_command envelope = {.payload_branch = STOCK_COMMAND_RESTOCK,
                                     .payload.restock = {.sku = bin->sku,
                                                         .receipt_id = receipt_id,
                                                         .qty = qty,
                                                         .location_id = bin->location}};
    step(log, &log->inventory, "stock.commands", command(log, bin->sku, &envelope), NULL);
    move(log, bin_number, MOVEMENT_KIND_RESTOCK, qty, receipt_id, "");
}

static inline struct stock_command reserve_of(const struct held *held)
{
    return (struct stock_command){
        .payload_branch = STOCK_COMMAND_RESERVE,
        .payload.reserve = {.reservation_id = held->id,
                            .order_id = held->order_id,
                            .line_no = held->line_no,
                            .sku = held->sku,
                            .qty = held->qty,
                            .ttl_ms = 1000,
                            .customer_id = "c"},
    };
}

static inline struct stock_command commit_of(const struct held *held)
{
    return (struct stock_command){
        .payload_branch = STOCK_COMMAND_COMMIT,
        .payload.commit = {held->id, held->order_id, held->line_no, held->sku},
    };
}

static inline struct stock_command release_of(const struct held *held)
{
    return (struct stock_command){
        .payload_branch = STOCK_COMMAND_RELEASE,
        .payload.release = {held->id, held->order_id, held->line_no, held->sku,
                            ORDER_REASON_OUT_OF_STOCK, false, 0},
    };
}

/* Inventory meets the command at `offset`: a movement, an answer, the view. */
static inline void answer(struct log *log, int64_t offset, int bin_number, enum movement_kind moves,
                          enum stock_reply_branch kind, enum stock_command_kind answers,
                          const struct held *held)
{
    step(log, &log->inventory, "stock.commands", offset, NULL);
    move(log, bin_number, moves, held->qty, held->id, held->order_id);
    reply(log, kind, held, answers, STOCK_REASON_NONE);
    show_level(log, bin_number);
    done(log, HANDLED);
}

/* ---- orders ---- */

struct test_line {
    const struct held *held;
    enum order_line_state state;
    int64_t price;
};

struct test_order {
    const char *id;
    enum order_policy policy;
    bool auto_accept;
    struct test_line lines[2];
    size_t count;
    int64_t fee, grand, accepted, seq;
};

/* Comes in as JSON and leaves intake as a request. Returns the request's offset. */
static inline int64_t place(struct log *log, struct test_order *order)
{
    struct order_line lines[2];
    order->grand = order->fee;
    for (size_t i = 0; i < order->count; i++) {
        const struct test_line *line = &order->lines[i];
        lines[i] = (struct order_line){.line_no = line->held->line_no,
                                       .sku = line->held->sku,
                                       .qty = line->held->qty,
                                       .unit_price = line->price,
                                       .tax = 1,
                                       .line_total = line->held->qty * line->price + 1};
        order->grand += lines[i].line_total;
    }
    order->accepted = order->grand;
    struct order_request request = {
        .payload.place_order = {.order_id = order->id,
                                .customer_id = "c",
                                .policy = order->policy,
                                .auto_accept = order->auto_accept,
                                .currency = "GBP",
                                .lines = {lines, order->count},
                                .shipping_fee = order->fee,
                                .tax_total = (int64_t)order->count,
                                .grand_total = order->grand,
                                .payment_token = "",
                                .ship_to_region = "",
                                .payload_hash = {(const uint8_t *)"hash", 4}},
    };
    step(log, &log->intake, "order.raw", put(log, "order.raw", order->id, NULL, NULL), NULL);
    out(log, "order.requests", order->id, &order_request_record, &request);
    done(log, HANDLED);
    int64_t offset = log->entries[log->count - 1].offset;
    commit(log, &log->intake);
    return offset;
}

static inline void announce(struct log *log, struct test_order *order, enum order_event_branch kind,
                            enum order_state state, enum order_reason reason)
{
    struct order_event_line lines[2];
    for (size_t i = 0; i < order->count; i++) {
        const struct held *held = order->lines[i].held;
        lines[i] =
            (struct order_event_line){held->line_no, held->sku, held->qty, order->lines[i].state};
    }
    struct order_event event = {
        .agg_seq = ++order->seq,
        .payload_branch = kind,
        .payload.order_accepted = {.order_id = order->id,
                                   .customer_id = "c",
                                   .state = state,
                                   .reason = reason,
                                   .detail = "",
                                   .currency = "GBP",
                                   .totals = {order->grand, order->accepted},
                                   .lines = {lines, order->count}},
    };
    out(log, "order.events", order->id, &order_event_record, &event);
}

static inline void show_order(struct log *log, const struct test_order *order,
                              enum order_state state)
{
    struct order_view_line lines[2];
    for (size_t i = 0; i < order->count; i++) {
        const struct held *held = order->lines[i].held;
        lines[i] = (struct order_view_line){.line_no = held->line_no,
                                            .sku = held->sku,
                                            .qty = held->qty,
                                            .state = order->lines[i].state,
                                            .reservation_id = held->id};
    }
    struct order_view_record envelope = {
        .agg_seq = order->seq,
        .payload.order_view = {.order_id = order->id,
                               .customer_id = "c",
                               .state = state,
                               .policy = order->policy,
                               .currency = "GBP",
                               .totals = {order->grand, order->accepted},
                               .lines = {lines, order->count}},
    };
    view(log, "order.view", order->id, &order_view_record_record, &envelope);
}

/* T1: accepted, and a Reserve for every line. commands[] are their offsets. */
static inline void accept(struct log *log, struct test_order *order, int64_t request,
                          int64_t *commands)
{
    step(log, &log->order, "order.requests", request, NULL);
    for (size_t i = 0; i < order->count; i++) {
        struct stock_command reserve = reserve_of(order->lines[i].held);
        out(log, "stock.commands", order->lines[i].held->sku, &stock_command_record, &reserve);
        commands[i] = log->entries[log->count - 1].offset;
        order->lines[i].state = ORDER_LINE_STATE_REQUESTED;
    }
    announce(log, order, ORDER_EVENT_ORDER_ACCEPTED, ORDER_STATE_PENDING, ORDER_REASON_NONE);
    show_order(log, order, ORDER_STATE_PENDING);
    done(log, HANDLED);
    commit(log, &log->order);
}

/* The order reads the next reply. */
static inline void hear(struct log *log, int64_t offset)
{
    step(log, &log->order, "stock.replies", offset, NULL);
}

/* Sends a command about a line and gives its offset. */
static inline int64_t send(struct log *log, const struct held *held, struct stock_command envelope)
{
    out(log, "stock.commands", held->sku, &stock_command_record, &envelope);
    return log->entries[log->count - 1].offset;
}

static inline int64_t last_reply(const struct log *log)
{
    return log->next[5] - 1;
}

#endif
