/* inventory.c - the stock of a shop, one SKU at a time.
 *
 * Stateful, keyed by SKU. A Reserve holds stock for a while, Commit makes the hold last, Release
 * gives it back, and a hold that nobody committed expires. All commands of one order for one SKU
 * come in order, through one partition; still each of them may come twice, or late, or for a
 * reservation that never was: what then happens is the table below, and nothing else. It is section
 * 7 of the domain; Ship and ReturnIn are columns to add.
 *
 * A plain Reserve costs one row of stock_level and one of reservation, read and written, one timer,
 * two outputs.
 */
#include "inventory.h"

#include <inttypes.h>
#include <string.h>

#include "order_rules.h"
#include "processors.h"

#define DAY_MS     (24 * 60 * 60 * INT64_C(1000))
#define TTL_MAX_MS (400 * DAY_MS)

/* What each command does to a reservation in each state. */
struct row {
    cell *reserve, *extend, *commit, *release, *ttl_fires;
};

#define CELLS(reserve, extend, commit, release, ttl_fires)                             \
    {                                                                                  \
        cell_##reserve, cell_##extend, cell_##commit, cell_##release, cell_##ttl_fires \
    }
#define ROW(state, ...) [RESERVATION_STATE_##state] = CELLS(__VA_ARGS__)

/* clang-format off */
/*      state        Reserve          Extend        Commit           Release       TTL fires */
static const struct row absent =
    CELLS(           hold_or_refuse,  say_unknown,  commit_unknown,  store_fence,  do_nothing);
static const struct row rows[] = {
    ROW(HELD,        say_reserved,    extend_hold,  commit_hold,     release_hold, expire_hold),
    ROW(BACKORDERED, say_backordered, extend_hold,  commit_too_soon, release_hold, expire_hold),
    ROW(COMMITTED,   say_reserved,    say_extended, say_committed,   release_hold, do_nothing),
    ROW(SHIPPED,     say_reserved,    say_extended, say_committed,   say_conflict, do_nothing),
    ROW(RELEASED,    say_refused,     say_refused,  refuse_commit,   say_released, do_nothing),
    ROW(EXPIRED,     say_refused,     say_refused,  refuse_commit,   say_released, do_nothing),
    ROW(REFUSED,     say_refused,     say_refused,  refuse_commit,   say_released, do_nothing),
    ROW(FENCED,      say_refused,     say_refused,  refuse_commit,   say_released, do_nothing),
};
/* clang-format on */

/* ---- settings and timers ---- */

const struct weir_setting reservation_retention_ms = {
    "reservation.retention_ms", 8 * DAY_MS, 1, 3650 * DAY_MS,
    "How long a reservation that holds nothing any more is remembered, ms. Longer than commands "
    "are kept and redriven."};

static void on_hold_expiry(struct weir_context *ctx, const char *reservation_id);
static void on_reservation_retention(struct weir_context *ctx, const char *reservation_id);

const struct weir_timer hold_expiry = {"hold_expiry", on_hold_expiry};
const struct weir_timer reservation_retention = {"reservation_retention", on_reservation_retention};
const struct weir_timer backfill_rest = {"backfill_rest", arrival_backfill_rest};

static const char *check_settings(int64_t (*value)(const void *from, const struct weir_setting *),
                                  const void *from)
{
    if (value(from, &reservation_retention_ms) <= stock_commands_topic.retention_ms) {
        return "reservation.retention_ms must be longer than stock.commands keeps its records "
               "(retention.ms in "
               "topics.conf), or a command that is read again finds its reservation forgotten; "
               "write 691200000";
    }
    return NULL;
}

/* ---- commands ---- */

static bool is_valid(struct weir_context *ctx, const char *reservation_id, const char *order_id,
                     const char *sku)
{
    if (!*reservation_id || strlen(reservation_id) > RESERVATION_ID_MAX || !is_id(order_id) ||
        !is_id(sku)) {
        weir_reject(ctx, "id", "reservation_id must have 1 to %d bytes, order_id and sku 1 to %d",
                    RESERVATION_ID_MAX, ID_MAX);
        return false;
    }
    return true;
}

static bool ttl_is_valid(struct weir_context *ctx, const char *reservation_id, int64_t ttl_ms)
{
    if (ttl_ms < 1 || ttl_ms > TTL_MAX_MS) {
        weir_reject(ctx, "ttl", "%s: ttl_ms %" PRId64 " is not between 1 and %" PRId64,
                    reservation_id, ttl_ms, TTL_MAX_MS);
        return false;
    }
    return true;
}

static bool reserve_is_valid(struct weir_context *ctx, const struct reserve *command)
{
    if (command->qty <= 0) {
        weir_reject(ctx, "qty", "%s: reserve of %" PRId32 " units", command->reservation_id,
                    command->qty);
        return false;
    }
    if (strlen(command->customer_id) > ID_MAX) {
        weir_reject(ctx, "id", "%s: customer_id is longer than %d bytes", command->reservation_id,
                    ID_MAX);
        return false;
    }
    if (command->location_pref.count > LOCATIONS_MAX) {
        weir_reject(ctx, "location", "%s: %zu preferred locations; %d are allowed",
                    command->reservation_id, command->location_pref.count, LOCATIONS_MAX);
        return false;
    }
    for (size_t i = 0; i < command->location_pref.count; i++) {
        if (strlen(command->location_pref.items[i]) > LOCATION_ID_MAX) {
            weir_reject(ctx, "location", "%s: a preferred location is longer than %d bytes",
                        command->reservation_id, LOCATION_ID_MAX);
            return false;
        }
    }
    return ttl_is_valid(ctx, command->reservation_id, command->ttl_ms);
}

/* Finds the reservation (ids alone, if there is none) and the row of the table that holds for it.
 * NULL: rejected. A Reserve under an id that is taken has its answer in the table; any other
 * command must be of the reservation's own order. */
static const struct row *arrive(struct visit *visit, const char *reservation_id,
                                const char *order_id, int32_t line_no, const char *sku)
{
    if (!is_valid(visit->ctx, reservation_id, order_id, sku)) {
        return NULL;
    }
    struct reservation *reservation = &visit->reservation;
    if (!reservation_get(visit->ctx, reservation_id, reservation)) {
        *reservation = (struct reservation){.reservation_id = reservation_id,
                                            .order_id = order_id,
                                            .line_no = line_no,
                                            .sku = sku,
                                            .customer_id = ""};
        return &absent;
    }
    if (!visit->reserve &&
        (strcmp(reservation->sku, sku) != 0 || strcmp(reservation->order_id, order_id) != 0)) {
        weir_reject(visit->ctx, "conflict", "reservation %s is of order %s and SKU %s",
                    reservation_id, reservation->order_id, reservation->sku);
        return NULL;
    }
    return &rows[reservation->state];
}

/* Lets the command meet the reservation: the cell, and what it means for the SKU's other
 * reservations. */
static void meet(struct visit *visit, cell *what_happens)
{
    struct stock_level level = level_load(visit->ctx, visit->reservation.sku);
    const struct stock_level before = level;
    visit->level = &level;
    what_happens(visit);
    level_settle(visit->ctx, &level, &before);
}

static void on_reserve(struct weir_context *ctx, const struct reserve *command)
{
    struct visit visit = {.ctx = ctx, .command = STOCK_COMMAND_KIND_RESERVE, .reserve = command};
    const struct row *row =
        arrive(&visit, command->reservation_id, command->order_id, command->line_no, command->sku);
    if (row && reserve_is_valid(ctx, command)) {
        meet(&visit, row->reserve);
    }
}

static void on_extend(struct weir_context *ctx, const struct extend *command)
{
    struct visit visit = {.ctx = ctx, .command = STOCK_COMMAND_KIND_EXTEND, .extend = command};
    const struct row *row =
        arrive(&visit, command->reservation_id, command->order_id, command->line_no, command->sku);
    if (row && ttl_is_valid(ctx, command->reservation_id, command->ttl_ms)) {
        meet(&visit, row->extend);
    }
}

static void on_commit(struct weir_context *ctx, const struct commit *command)
{
    struct visit visit = {.ctx = ctx, .command = STOCK_COMMAND_KIND_COMMIT};
    const struct row *row =
        arrive(&visit, command->reservation_id, command->order_id, command->line_no, command->sku);
    if (row) {
        meet(&visit, row->commit);
    }
}

static void on_release(struct weir_context *ctx, const struct release *command)
{
    struct visit visit = {.ctx = ctx, .command = STOCK_COMMAND_KIND_RELEASE, .release = command};
    const struct row *row =
        arrive(&visit, command->reservation_id, command->order_id, command->line_no, command->sku);
    if (row && command->has_qty && command->qty <= 0) {
        weir_reject(ctx, "qty", "%s: release of %" PRId32 " units", command->reservation_id,
                    command->qty);
    } else if (row) {
        meet(&visit, row->release);
    }
}

static void on_hold_expiry(struct weir_context *ctx, const char *reservation_id)
{
    struct visit visit = {.ctx = ctx, .command = STOCK_COMMAND_KIND_TIMER};
    if (reservation_get(ctx, reservation_id, &visit.reservation)) {
        meet(&visit, rows[visit.reservation.state].ttl_fires);
    }
}

static void on_reservation_retention(struct weir_context *ctx, const char *reservation_id)
{
    reservation_delete(ctx, reservation_id);
}

/* ---- the processor ---- */

static void build_stock_level_view(struct weir_context *ctx, const char *sku)
{
    struct stock_level level;
    if (!stock_level_get(ctx, sku, &level)) {
        return;
    }
    stock_level_view_emit(ctx, level.movement_seq,
                          &(struct stock_level_view){
                              .sku = sku,
                              .locations = level.locations,
                              .on_hand = level.on_hand,
                              .held = level.held,
                              .committed = level.committed,
                              .unavailable = level.unavailable,
                              .backordered = level.backordered,
                              .available = level_available(&level),
                              .backorder_limit = level.backorder_limit,
                              .movement_seq = level.movement_seq,
                              .updated_ms = weir_now_ms(ctx),
                          });
}

static const struct stock_command_handlers stock_command_handlers = {
    .reserve = on_reserve,
    .extend = on_extend,
    .commit = on_commit,
    .release = on_release,
    .restock = arrival_restock,
    .adjust = arrival_adjust,
};

const struct weir_processor inventory_processor = {
    .name = "inventory",
    .summary = "holds, commits and releases the stock of every SKU",
    .inputs = {{&stock_commands_topic, &stock_command_handlers}},
    .outputs = {&stock_replies_topic, &stock_ledger_topic},
    .stores = {&stock_level_store, &reservation_store, &backorder_store, &receipt_store,
               &customer_units_store},
    .views = {{&stock_levels_topic, build_stock_level_view}},
    .timers = {&hold_expiry, &reservation_retention, &backfill_rest},
    .settings = {&reservation_retention_ms},
    .check_settings = check_settings,
};
