/* inventory_cells.c - what happens when a command meets a reservation: the cells of the table in
 * inventory.c.
 *
 * Each cell changes the reservation, moves balances, and answers; exactly one reply for every
 * command. What frees stock need not think of backorders: level_settle() does, when the cell is
 * done. A tombstone (RELEASED, EXPIRED, REFUSED, FENCED) keeps its answer until it is deleted, so
 * that a late or repeated command gets the same one.
 */
#include <string.h>

#include "inventory.h"

/* Emits a reply of record `type`. All replies have the same fields. */
#define ANSWER(visit, type, why)                                                         \
    type##_emit((visit)->ctx, &(const struct type){                                      \
                                  .reservation_id = (visit)->reservation.reservation_id, \
                                  .order_id = (visit)->reservation.order_id,             \
                                  .line_no = (visit)->reservation.line_no,               \
                                  .sku = (visit)->reservation.sku,                       \
                                  .qty = (visit)->reservation.qty,                       \
                                  .allocations = (visit)->reservation.allocations,       \
                                  .command = (visit)->command,                           \
                                  .reason = (why),                                       \
                                  .has_expires_ms = (visit)->reservation.has_expires_ms, \
                                  .expires_ms = (visit)->reservation.expires_ms,         \
                                  .available_after = level_available((visit)->level),    \
                              })

static void save(struct visit *visit)
{
    visit->reservation.updated_ms = weir_now_ms(visit->ctx);
    reservation_put(visit->ctx, &visit->reservation);
}

static void set_expiry(struct visit *visit, int64_t expires_ms)
{
    visit->reservation.has_expires_ms = true;
    visit->reservation.expires_ms = expires_ms;
    weir_timer_set(visit->ctx, &hold_expiry, visit->reservation.reservation_id, expires_ms);
}

static void clear_expiry(struct visit *visit)
{
    if (visit->reservation.has_expires_ms) {
        visit->reservation.has_expires_ms = false;
        visit->reservation.expires_ms = 0;
        weir_timer_cancel(visit->ctx, &hold_expiry, visit->reservation.reservation_id);
    }
}

/* Makes the reservation a tombstone: it holds nothing, and is deleted when no command can come for
 * it any more. */
static void bury(struct visit *visit, enum reservation_state state, enum stock_reason reason)
{
    struct reservation *reservation = &visit->reservation;
    clear_expiry(visit);
    reservation->state = state;
    reservation->reason = reason;
    reservation->open_qty = 0;
    reservation->allocations.count = 0;
    save(visit);
    weir_timer_set(visit->ctx, &reservation_retention, reservation->reservation_id,
                   weir_now_ms(visit->ctx) + weir_setting(visit->ctx, &reservation_retention_ms));
}

/* ---- Reserve ---- */

static void fill_in(struct reservation *reservation, const struct reserve *command)
{
    reservation->qty = command->qty;
    reservation->open_qty = command->qty;
    reservation->customer_id = command->customer_id;
    reservation->location_pref = command->location_pref;
    reservation->allow_split = command->allow_split;
    reservation->backorder_ok = command->backorder_ok;
    reservation->has_expected_version = command->has_expected_version;
    reservation->expected_version = command->expected_version;
    reservation->ttl_ms = command->ttl_ms;
    reservation->promise_ms = command->promise_ms;
}

static void hold(struct visit *visit, enum move move,
                 const struct stock_allocation_array *allocations)
{
    struct reservation *reservation = &visit->reservation;
    level_move_all(visit->ctx, visit->level, move, allocations, reservation);
    reservation->state = RESERVATION_STATE_HELD;
    reservation->allocations = *allocations;
    reservation->seq = visit->level->movement_seq;
    set_expiry(visit, weir_now_ms(visit->ctx) + reservation->ttl_ms);
    save(visit);
    ANSWER(visit, reserved, STOCK_REASON_NONE);
}

static void queue(struct visit *visit)
{
    struct reservation *reservation = &visit->reservation;
    level_move(visit->ctx, visit->level, MOVE_BACKORDER, "", reservation->qty,
               reservation->reservation_id, reservation->order_id);
    reservation->state = RESERVATION_STATE_BACKORDERED;
    reservation->seq = visit->level->movement_seq;
    set_expiry(visit, weir_now_ms(visit->ctx) + reservation->ttl_ms);
    save(visit);
    backorder_put(visit->ctx, &(struct backorder){
                                  .sku = reservation->sku,
                                  .promise_ms = reservation->promise_ms,
                                  .seq = reservation->seq,
                                  .reservation_id = reservation->reservation_id,
                                  .qty = reservation->qty,
                              });
    ANSWER(visit, backordered, STOCK_REASON_NONE);
}

static void refuse(struct visit *visit, enum stock_reason reason)
{
    bury(visit, RESERVATION_STATE_REFUSED, reason);
    ANSWER(visit, refused, reason);
}

void cell_hold_or_refuse(struct visit *visit)
{
    const struct reserve *command = visit->reserve;
    const struct stock_level *level = visit->level;
    struct stock_allocation_array allocations;
    fill_in(&visit->reservation, command);

    if (command->has_expected_version && level->version != 0 &&
        command->expected_version != level->version) {
        refuse(visit, STOCK_REASON_VERSION_CHANGED);
    } else if (!customer_may_have(visit->ctx, level, command->customer_id, command->qty)) {
        refuse(visit, STOCK_REASON_LIMIT);
    } else if (level_allocate(visit->ctx, level, &visit->reservation, &allocations)) {
        customer_count(visit->ctx, level, command->customer_id, command->qty);
        hold(visit, MOVE_RESERVE, &allocations);
    } else if (command->backorder_ok &&
               level->backordered + command->qty <= level->backorder_limit) {
        customer_count(visit->ctx, level, command->customer_id, command->qty);
        queue(visit);
    } else {
        refuse(visit, STOCK_REASON_OUT_OF_STOCK);
    }
}

static bool same_texts(const struct shop_string_array *a, const struct shop_string_array *b)
{
    for (size_t i = 0; i < a->count && a->count == b->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return a->count == b->count;
}

/* Whether this Reserve is the one that made the reservation, once more. */
static bool is_repeat(const struct visit *visit)
{
    const struct reserve *command = visit->reserve;
    const struct reservation *stored = &visit->reservation;
    return strcmp(command->order_id, stored->order_id) == 0 &&
           command->line_no == stored->line_no && strcmp(command->sku, stored->sku) == 0 &&
           command->qty == stored->qty && strcmp(command->customer_id, stored->customer_id) == 0 &&
           same_texts(&command->location_pref, &stored->location_pref) &&
           command->allow_split == stored->allow_split &&
           command->backorder_ok == stored->backorder_ok &&
           command->has_expected_version == stored->has_expected_version &&
           command->expected_version == stored->expected_version &&
           command->ttl_ms == stored->ttl_ms && command->promise_ms == stored->promise_ms;
}

/* Tells whoever sent this Reserve, who need not be the reservation's owner, that its id is taken.
 */
static void refuse_conflict(struct visit *visit)
{
    struct stock_level level = level_load(visit->ctx, visit->reserve->sku);
    struct visit asker = *visit;
    asker.level = &level;
    asker.reservation = (struct reservation){
        .reservation_id = visit->reserve->reservation_id,
        .order_id = visit->reserve->order_id,
        .line_no = visit->reserve->line_no,
        .sku = visit->reserve->sku,
        .qty = visit->reserve->qty,
    };
    ANSWER(&asker, refused, STOCK_REASON_CONFLICT);
}

void cell_say_reserved(struct visit *visit)
{
    if (is_repeat(visit)) {
        ANSWER(visit, reserved, STOCK_REASON_NONE);
    } else {
        refuse_conflict(visit);
    }
}

void cell_say_backordered(struct visit *visit)
{
    if (is_repeat(visit)) {
        ANSWER(visit, backordered, STOCK_REASON_NONE);
    } else {
        refuse_conflict(visit);
    }
}

void cell_say_refused(struct visit *visit)
{
    ANSWER(visit, refused, visit->reservation.reason);
}

void cell_fill_backorder(struct visit *visit, const struct stock_allocation_array *allocations)
{
    hold(visit, MOVE_BACKFILL, allocations);
}

/* ---- Extend ---- */

void cell_say_unknown(struct visit *visit)
{
    ANSWER(visit, refused, STOCK_REASON_UNKNOWN);
}

void cell_extend_hold(struct visit *visit)
{
    int64_t until = weir_now_ms(visit->ctx) + visit->extend->ttl_ms;
    if (until > visit->reservation.expires_ms) {
        set_expiry(visit, until);
        save(visit);
    }
    ANSWER(visit, extended, STOCK_REASON_NONE);
}

/* What is committed or shipped does not expire. */
void cell_say_extended(struct visit *visit)
{
    ANSWER(visit, extended, STOCK_REASON_NONE);
}

/* ---- Commit ---- */

void cell_commit_unknown(struct visit *visit)
{
    ANSWER(visit, commit_refused, STOCK_REASON_UNKNOWN);
}

void cell_commit_too_soon(struct visit *visit)
{
    ANSWER(visit, commit_refused, STOCK_REASON_OUT_OF_STOCK);
}

void cell_refuse_commit(struct visit *visit)
{
    ANSWER(visit, commit_refused, visit->reservation.reason);
}

void cell_commit_hold(struct visit *visit)
{
    level_move_all(visit->ctx, visit->level, MOVE_COMMIT, &visit->reservation.allocations,
                   &visit->reservation);
    clear_expiry(visit);
    visit->reservation.state = RESERVATION_STATE_COMMITTED;
    save(visit);
    ANSWER(visit, commit_ok, STOCK_REASON_NONE);
}

void cell_say_committed(struct visit *visit)
{
    ANSWER(visit, commit_ok, STOCK_REASON_NONE);
}

/* ---- Release, and the hold's time-out ---- */

/* A Release that comes before its Reserve (a redrive can do that) makes sure that the Reserve will
 * find no stock to hold. */
void cell_store_fence(struct visit *visit)
{
    visit->reservation.customer_id = "";
    bury(visit, RESERVATION_STATE_FENCED, STOCK_REASON_FENCED);
    ANSWER(visit, released, STOCK_REASON_NONE);
}

/* Takes `qty` off the queue entry of a BACKORDERED reservation. */
static void shorten_queue(struct visit *visit, int32_t qty, enum move move)
{
    const struct reservation *reservation = &visit->reservation;
    struct backorder entry;
    if (backorder_get(visit->ctx, reservation->sku, reservation->promise_ms, reservation->seq,
                      &entry)) {
        if (entry.qty > qty) {
            entry.qty -= qty;
            backorder_put(visit->ctx, &entry);
        } else {
            backorder_delete(visit->ctx, reservation->sku, reservation->promise_ms,
                             reservation->seq);
        }
    }
    level_move(visit->ctx, visit->level, move, "", qty, reservation->reservation_id,
               reservation->order_id);
}

/* Gives back `qty` of the allocations, the last location first. */
static void give_back(struct visit *visit, int32_t qty, enum move move)
{
    struct reservation *reservation = &visit->reservation;
    while (qty > 0 && reservation->allocations.count > 0) {
        struct stock_allocation *last =
            &reservation->allocations.items[reservation->allocations.count - 1];
        int32_t part = last->qty < qty ? last->qty : qty;
        level_move(visit->ctx, visit->level, move, last->location_id, part,
                   reservation->reservation_id, reservation->order_id);
        last->qty -= part;
        qty -= part;
        if (last->qty == 0) {
            reservation->allocations.count--;
        }
    }
}

/* Ends the hold, the commitment or the wait for `qty` units, all that is open or a part of it. */
static void let_go(struct visit *visit, int32_t qty, bool expired)
{
    struct reservation *reservation = &visit->reservation;
    if (reservation->state == RESERVATION_STATE_BACKORDERED) {
        shorten_queue(visit, qty, expired ? MOVE_EXPIRE_BACKORDERED : MOVE_RELEASE_BACKORDERED);
    } else if (reservation->state == RESERVATION_STATE_COMMITTED) {
        give_back(visit, qty, MOVE_RELEASE_COMMITTED);
    } else {
        give_back(visit, qty, expired ? MOVE_EXPIRE_HELD : MOVE_RELEASE_HELD);
    }
    customer_count(visit->ctx, visit->level, reservation->customer_id, -qty);
}

void cell_release_hold(struct visit *visit)
{
    struct reservation *reservation = &visit->reservation;
    const struct release *command = visit->release;
    int32_t open = reservation->open_qty;
    if (command->has_qty && command->qty < open) {
        let_go(visit, command->qty, false);
        reservation->open_qty -= command->qty;
        save(visit);
    } else {
        let_go(visit, open, false);
        bury(visit, RESERVATION_STATE_RELEASED, STOCK_REASON_RELEASED);
    }
    ANSWER(visit, released, STOCK_REASON_NONE);
}

void cell_say_conflict(struct visit *visit)
{
    ANSWER(visit, refused, STOCK_REASON_CONFLICT);
}

void cell_say_released(struct visit *visit)
{
    ANSWER(visit, released, STOCK_REASON_NONE);
}

void cell_expire_hold(struct visit *visit)
{
    let_go(visit, visit->reservation.open_qty, true);
    bury(visit, RESERVATION_STATE_EXPIRED, STOCK_REASON_EXPIRED);
    ANSWER(visit, expired, STOCK_REASON_EXPIRED);
}

void cell_do_nothing(struct visit *visit)
{
    (void)visit;
}
