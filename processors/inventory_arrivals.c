/* inventory_arrivals.c - stock that comes, stock that is found or lost, and the backorders that
 * wait for it.
 *
 * Restock and Adjust carry an id that counts once per SKU; the row in `receipt` remembers it for
 * ever, since a delivery note may be scanned again after any time, and there are few of them. A
 * loss that digs into holds revokes them, the newest first, before it takes the stock away; if even
 * all of them do not suffice, what is missing is committed to somebody: then nothing changes and a
 * person must look (dead letter). Backorders are filled strictly in turn: one that does not fit yet
 * is not overtaken by a later one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "inventory.h"
#include "order_rules.h"

#define MAIN_LOCATION "MAIN"

/* Backorders filled by one record; a timer goes on with the rest, so that no transaction grows
 * without bound. */
enum { BACKFILL_MAX = 500 };

/* ---- receipts ---- */

/* What Restock and Adjust have in common. */
struct arrival {
    enum receipt_kind kind;
    const char *sku, *id, *location_id;
    int32_t qty;
};

/* Whether the arrival is to be counted. If not, it has been rejected or found stale. */
static bool is_new(struct weir_context *ctx, const struct arrival *arrival)
{
    const char *what = receipt_kind_name(arrival->kind);
    if (!is_id(arrival->sku) || !is_id(arrival->id)) {
        weir_reject(ctx, "id", "%s: sku and id must have 1 to %d bytes", what, ID_MAX);
        return false;
    }
    if (strlen(arrival->location_id) > LOCATION_ID_MAX) {
        weir_reject(ctx, "location", "%s %s: location_id is longer than %d bytes", what,
                    arrival->id, LOCATION_ID_MAX);
        return false;
    }
    struct receipt receipt;
    if (!receipt_get(ctx, arrival->sku, arrival->kind, arrival->id, &receipt)) {
        return true;
    }
    if (receipt.qty == arrival->qty && strcmp(receipt.location_id, arrival->location_id) == 0) {
        weir_stale(ctx);
    } else {
        weir_reject(ctx, "conflict",
                    "%s %s was counted as %" PRId32 " at %s; this one says %" PRId32 " at %s", what,
                    arrival->id, receipt.qty, receipt.location_id, arrival->qty,
                    arrival->location_id);
    }
    return false;
}

/* Counts it: the receipt, the movement. */
static void count(struct weir_context *ctx, struct stock_level *level, enum move move,
                  const struct arrival *arrival)
{
    receipt_put(ctx, &(struct receipt){
                         .sku = arrival->sku,
                         .kind = arrival->kind,
                         .receipt_id = arrival->id,
                         .qty = arrival->qty,
                         .location_id = arrival->location_id,
                         .received_ms = weir_now_ms(ctx),
                     });
    level_move(ctx, level, move, arrival->location_id, arrival->qty, arrival->id, "");
}

static bool has_room(struct weir_context *ctx, const struct stock_level *level,
                     const char *location_id)
{
    if (level->locations.count >= LOCATIONS_MAX && !level_location(level, location_id)) {
        weir_reject(ctx, "location", "%s already is at %d locations", level->sku, LOCATIONS_MAX);
        return false;
    }
    return true;
}

void arrival_restock(struct weir_context *ctx, const struct restock *command)
{
    const struct arrival arrival = {
        .kind = RECEIPT_KIND_RESTOCK,
        .sku = command->sku,
        .id = command->receipt_id,
        .location_id = *command->location_id ? command->location_id : MAIN_LOCATION,
        .qty = command->qty,
    };
    if (command->qty <= 0) {
        weir_reject(ctx, "qty", "restock of %" PRId32 " units", command->qty);
        return;
    }
    if (!is_new(ctx, &arrival)) {
        return;
    }
    struct stock_level level = level_load(ctx, command->sku);
    const struct stock_level before = level;
    if (has_room(ctx, &level, arrival.location_id)) {
        count(ctx, &level, MOVE_RESTOCK, &arrival);
        level_settle(ctx, &level, &before);
    }
}

/* ---- adjustments ---- */

static int newest_first(const void *a, const void *b)
{
    const struct reservation *left = a, *right = b;
    return (left->seq < right->seq) - (left->seq > right->seq);
}

static int32_t allocated_at(const struct reservation *reservation, const char *location_id)
{
    for (size_t i = 0; i < reservation->allocations.count; i++) {
        if (strcmp(reservation->allocations.items[i].location_id, location_id) == 0) {
            return reservation->allocations.items[i].qty;
        }
    }
    return 0;
}

/* Expires holds at the location, newest first, until they have given up `missing` units there. */
static void revoke_holds(struct weir_context *ctx, struct stock_level *level,
                         const char *location_id, int64_t missing)
{
    if (missing <= 0) {
        return;
    }
    struct reservation *reservations;
    size_t total = reservation_scan_by_sku(ctx, level->sku, &reservations);
    qsort(reservations, total, sizeof *reservations, newest_first);
    for (size_t i = 0; i < total && missing > 0; i++) {
        int32_t given_up = allocated_at(&reservations[i], location_id);
        if (reservations[i].state != RESERVATION_STATE_HELD || given_up == 0) {
            continue;
        }
        cell_expire_hold(&(struct visit){
            .ctx = ctx,
            .command = STOCK_COMMAND_KIND_ADJUST,
            .reservation = reservations[i],
            .level = level,
        });
        missing -= given_up;
    }
}

/* Whether the stock that the adjustment expects is there, and what it takes away is not committed.
 */
static bool can_adjust(struct weir_context *ctx, const struct adjust *command,
                       const struct stock_location *location)
{
    if (command->has_expected_on_hand && command->expected_on_hand != location->on_hand) {
        weir_reject(ctx, "expected",
                    "adjust %s of %s at %s expects %" PRId64 " on hand, there are %" PRId64,
                    command->adjust_id, command->sku, location->location_id,
                    command->expected_on_hand, location->on_hand);
        return false;
    }
    if (location->on_hand + command->delta < location->committed + location->unavailable) {
        weir_reject(ctx, "committed",
                    "adjust %s of %s at %s by %" PRId32 ": of %" PRId64 " on hand %" PRId64
                    " are committed or unavailable",
                    command->adjust_id, command->sku, location->location_id, command->delta,
                    location->on_hand, location->committed + location->unavailable);
        return false;
    }
    return true;
}

void arrival_adjust(struct weir_context *ctx, const struct adjust *command)
{
    const struct arrival arrival = {
        .kind = RECEIPT_KIND_ADJUST,
        .sku = command->sku,
        .id = command->adjust_id,
        .location_id = *command->location_id ? command->location_id : MAIN_LOCATION,
        .qty = command->delta,
    };
    if (command->delta == 0) {
        weir_reject(ctx, "qty", "adjust by 0 units");
        return;
    }
    if (!is_new(ctx, &arrival)) {
        return;
    }
    struct stock_level level = level_load(ctx, command->sku);
    const struct stock_level before = level;
    const struct stock_location nothing = {.location_id = arrival.location_id};
    const struct stock_location *found = level_location(&level, arrival.location_id);
    const struct stock_location location = found ? *found : nothing;
    if (!can_adjust(ctx, command, &location) || !has_room(ctx, &level, arrival.location_id)) {
        return;
    }
    int64_t taken = location.held + location.committed + location.unavailable;
    revoke_holds(ctx, &level, arrival.location_id, taken - (location.on_hand + command->delta));
    count(ctx, &level, MOVE_ADJUST, &arrival);
    level_settle(ctx, &level, &before);
}

/* ---- backorders ---- */

/* Fills one queue entry. false: there is not enough for it yet. */
static bool fill(struct weir_context *ctx, struct stock_level *level, const struct backorder *entry)
{
    struct visit visit = {.ctx = ctx, .command = STOCK_COMMAND_KIND_BACKFILL, .level = level};
    struct stock_allocation_array allocations;
    if (!reservation_get(ctx, entry->reservation_id, &visit.reservation)) {
        return false;
    }
    if (!level_allocate(ctx, level, &visit.reservation, &allocations)) {
        return false;
    }
    backorder_delete(ctx, entry->sku, entry->promise_ms, entry->seq);
    cell_fill_backorder(&visit, &allocations);
    return true;
}

void level_backfill(struct weir_context *ctx, struct stock_level *level)
{
    if (level->backordered == 0 || level_available(level) == 0) {
        return;
    }
    struct backorder *entries;
    size_t filled = 0, found = backorder_list_by_sku(ctx, level->sku, BACKFILL_MAX, &entries);
    while (filled < found && fill(ctx, level, &entries[filled])) {
        filled++;
    }
    if (filled == BACKFILL_MAX) {
        weir_timer_set(ctx, &backfill_rest, level->sku, weir_now_ms(ctx));
    }
}

void arrival_backfill_rest(struct weir_context *ctx, const char *sku)
{
    struct stock_level level = level_load(ctx, sku);
    level_backfill(ctx, &level);
    level_save(ctx, &level);
}

void level_settle(struct weir_context *ctx, struct stock_level *level,
                  const struct stock_level *before)
{
    if (level->movement_seq == before->movement_seq) {
        return;
    }
    if (level_available(level) > level_available(before) ||
        level->backordered < before->backordered) {
        level_backfill(ctx, level);
    }
    level_save(ctx, level);
}
