/* inventory_level.c - the balances of a SKU.
 *
 * A SKU has balances at every location and their sums over all. Nothing changes them but
 * level_move(), which also writes the movement into the ledger under the SKU's next movement_seq:
 * so the ledger is the balances' history, without gaps. Invariants, at every movement: no balance
 * is negative, and held + committed + unavailable <= on_hand at every location. Callers keep them
 * by order: what frees stock comes before what needs it.
 */
#include <string.h>

#include "inventory.h"

/* What one unit of a movement does to each balance. */
static const struct {
    enum movement_kind kind;
    int on_hand, held, committed, backordered;
} level_moves[] = {
    /* clang-format off */
    /*                             kind                 on_hand held committed backordered */
    [MOVE_RESTOCK]             = {MOVEMENT_KIND_RESTOCK,   +1,   0,   0,   0},
    [MOVE_ADJUST]              = {MOVEMENT_KIND_ADJUST,    +1,   0,   0,   0},
    [MOVE_RESERVE]             = {MOVEMENT_KIND_RESERVE,    0,  +1,   0,   0},
    [MOVE_COMMIT]              = {MOVEMENT_KIND_COMMIT,     0,  -1,  +1,   0},
    [MOVE_RELEASE_HELD]        = {MOVEMENT_KIND_RELEASE,    0,  -1,   0,   0},
    [MOVE_RELEASE_COMMITTED]   = {MOVEMENT_KIND_RELEASE,    0,   0,  -1,   0},
    [MOVE_RELEASE_BACKORDERED] = {MOVEMENT_KIND_RELEASE,    0,   0,   0,  -1},
    [MOVE_EXPIRE_HELD]         = {MOVEMENT_KIND_EXPIRE,     0,  -1,   0,   0},
    [MOVE_EXPIRE_BACKORDERED]  = {MOVEMENT_KIND_EXPIRE,     0,   0,   0,  -1},
    [MOVE_BACKORDER]           = {MOVEMENT_KIND_BACKORDER,  0,   0,   0,  +1},
    [MOVE_BACKFILL]            = {MOVEMENT_KIND_BACKFILL,   0,  +1,   0,  -1},
    /* clang-format on */
};

struct stock_level level_load(struct weir_context *ctx, const char *sku)
{
    struct stock_level level;
    if (!stock_level_get(ctx, sku, &level)) {
        level = (struct stock_level){.sku = sku};
    }
    return level;
}

void level_save(struct weir_context *ctx, const struct stock_level *level)
{
    stock_level_put(ctx, level);
    weir_view_touch(ctx, &stock_levels_topic, level->sku);
}

int64_t level_available(const struct stock_level *level)
{
    return level->on_hand - level->held - level->committed - level->unavailable;
}

static int64_t location_available(const struct stock_location *location)
{
    return location->on_hand - location->held - location->committed - location->unavailable;
}

struct stock_location *level_location(const struct stock_level *level, const char *location_id)
{
    for (size_t i = 0; i < level->locations.count; i++) {
        if (strcmp(level->locations.items[i].location_id, location_id) == 0) {
            return &level->locations.items[i];
        }
    }
    return NULL;
}

static struct stock_location *add_location(struct weir_context *ctx, struct stock_level *level,
                                           const char *location_id)
{
    size_t count = level->locations.count;
    struct stock_location *items = weir_alloc(ctx, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i] = level->locations.items[i];
    }
    items[count].location_id = location_id;
    level->locations.items = items;
    level->locations.count = count + 1;
    return &items[count];
}

void level_move(struct weir_context *ctx, struct stock_level *level, enum move move,
                const char *location_id, int32_t qty, const char *ref_id, const char *order_id)
{
    struct stock_location nowhere = {.location_id = ""};
    struct stock_location *location = &nowhere;
    if (*location_id) {
        location = level_location(level, location_id);
        if (!location) {
            location = add_location(ctx, level, location_id);
        }
    }
    int64_t on_hand = level_moves[move].on_hand * (int64_t)qty;
    int64_t held = level_moves[move].held * (int64_t)qty;
    int64_t committed = level_moves[move].committed * (int64_t)qty;
    level->on_hand += on_hand;
    level->held += held;
    level->committed += committed;
    level->backordered += level_moves[move].backordered * (int64_t)qty;
    location->on_hand += on_hand;
    location->held += held;
    location->committed += committed;
    level->movement_seq++;
    stock_movement_emit(ctx, level->movement_seq,
                        &(struct stock_movement){
                            .movement_seq = level->movement_seq,
                            .sku = level->sku,
                            .location_id = location_id,
                            .kind = level_moves[move].kind,
                            .qty = qty,
                            .ref_id = ref_id,
                            .order_id = order_id,
                            .on_hand_after = location->on_hand,
                            .held_after = location->held,
                            .committed_after = location->committed,
                            .unavailable_after = location->unavailable,
                            .backordered_after = level->backordered,
                        });
}

void level_move_all(struct weir_context *ctx, struct stock_level *level, enum move move,
                    const struct stock_allocation_array *allocations,
                    const struct reservation *reservation)
{
    for (size_t i = 0; i < allocations->count; i++) {
        level_move(ctx, level, move, allocations->items[i].location_id, allocations->items[i].qty,
                   reservation->reservation_id, reservation->order_id);
    }
}

static bool is_taken(const struct stock_allocation_array *taken, const char *location_id)
{
    for (size_t i = 0; i < taken->count; i++) {
        if (strcmp(taken->items[i].location_id, location_id) == 0) {
            return true;
        }
    }
    return false;
}

/* The next location to take from, one with at least `least` available, or NULL. */
static const struct stock_location *choose_location(const struct stock_level *level,
                                                    const struct reservation *reservation,
                                                    const struct stock_allocation_array *taken,
                                                    int64_t least)
{
    for (size_t i = 0; i < reservation->location_pref.count; i++) {
        const struct stock_location *preferred =
            level_location(level, reservation->location_pref.items[i]);
        if (preferred && location_available(preferred) >= least &&
            !is_taken(taken, preferred->location_id)) {
            return preferred;
        }
    }
    const struct stock_location *best = NULL;
    for (size_t i = 0; i < level->locations.count; i++) {
        const struct stock_location *location = &level->locations.items[i];
        if (location_available(location) >= least && !is_taken(taken, location->location_id) &&
            (!best || location_available(location) > location_available(best))) {
            best = location;
        }
    }
    return best;
}

bool level_allocate(struct weir_context *ctx, const struct stock_level *level,
                    const struct reservation *reservation,
                    struct stock_allocation_array *allocations)
{
    int64_t missing = reservation->open_qty;
    *allocations = (struct stock_allocation_array){0};
    if (level_available(level) < missing) {
        return false; /* the usual refusal, cheap */
    }
    allocations->items = weir_alloc(ctx, level->locations.count * sizeof *allocations->items);
    while (missing > 0) {
        int64_t least = reservation->allow_split ? 1 : missing;
        const struct stock_location *location =
            choose_location(level, reservation, allocations, least);
        if (!location) {
            return false;
        }
        int64_t part = location_available(location);
        part = part < missing ? part : missing;
        allocations->items[allocations->count++] =
            (struct stock_allocation){.location_id = location->location_id, .qty = (int32_t)part};
        missing -= part;
    }
    return true;
}

/* A SKU without limit, the usual one, costs no row here. A command that sets a limit must count
 * what customers have by then, from the reservations. */
bool customer_may_have(struct weir_context *ctx, const struct stock_level *level,
                       const char *customer_id, int32_t qty)
{
    if (level->per_customer_limit == 0) {
        return true;
    }
    struct customer_units units;
    int64_t has = customer_units_get(ctx, level->sku, customer_id, &units) ? units.qty : 0;
    return has + qty <= level->per_customer_limit;
}

void customer_count(struct weir_context *ctx, const struct stock_level *level,
                    const char *customer_id, int32_t qty)
{
    if (level->per_customer_limit == 0) {
        return;
    }
    struct customer_units units;
    if (!customer_units_get(ctx, level->sku, customer_id, &units)) {
        units = (struct customer_units){.sku = level->sku, .customer_id = customer_id};
    }
    units.qty += qty;
    if (units.qty > 0) {
        customer_units_put(ctx, &units);
    } else {
        customer_units_delete(ctx, level->sku, customer_id);
    }
}
