/* stock.c - the ledger of stock: I1, I2, I3, I6.
 *
 * Every movement is applied to the balances before it, and must give the balances that it states.
 * What a RELEASE or EXPIRE takes from (held, committed or the queue of backorders) the reservation
 * decides, which the ledger has built up to then. After a finding the stated balances are believed,
 * so that one wrong movement is one finding. On hand is summed up beside that from the quantities
 * alone, for I1.
 *
 * Limits: RETURN is read as one that restocks (quarantine and write-off have no kind of their own
 * yet); that no more is shipped than ever came follows from I2, on hand never being negative.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- shelves ---- */

struct sku *sku_get(struct audit *audit, const char *id)
{
    return catalog_get(&audit->skus, id);
}

struct shelf *sku_shelf(struct sku *sku, const char *location_id)
{
    for (size_t i = 0; i < sku->shelf_count; i++) {
        if (strcmp(sku->shelves[i].location_id, location_id) == 0) {
            return &sku->shelves[i];
        }
    }
    sku->shelves = xrealloc(sku->shelves, (sku->shelf_count + 1) * sizeof *sku->shelves);
    struct shelf *shelf = &sku->shelves[sku->shelf_count++];
    *shelf = (struct shelf){.location_id = xstrdup(location_id)};
    return shelf;
}

void sku_release(struct sku *sku)
{
    for (size_t i = 0; i < sku->shelf_count; i++) {
        free(sku->shelves[i].location_id);
    }
    free(sku->shelves);
    sku->shelves = NULL;
    sku->shelf_count = 0;
}

/* I2. */
void stock_balances(struct audit *audit, const struct place *at, const char *sku,
                    const char *location_id, const struct balances *is)
{
    checked(audit, I2, 1);
    if (is->held < 0 || is->committed < 0 || is->unavailable < 0) {
        broken(audit, I2, at,
               "SKU %s at %s: expected no balance below 0, found held %" PRId64
               ", committed %" PRId64 ", unavailable %" PRId64,
               sku, location_id, is->held, is->committed, is->unavailable);
    } else if (is->held + is->committed + is->unavailable > is->on_hand) {
        broken(audit, I2, at,
               "SKU %s at %s: expected at most %" PRId64 " (on hand), found %" PRId64
               " held + %" PRId64 " committed + %" PRId64 " unavailable",
               sku, location_id, is->on_hand, is->held, is->committed, is->unavailable);
    }
}

/* ---- deliveries and counts, from the commands ---- */

static struct delivery *delivery_get(struct audit *audit, const char *kind, const char *sku,
                                     const char *id)
{
    return catalog_get(&audit->deliveries, arena_format(&audit->arena, "%s/%s/%s", kind, sku, id));
}

void stock_read_arrival(struct audit *audit, const struct place *at, const char *kind,
                        const char *sku, const char *id, const char *location_id, int32_t qty)
{
    if (is_dead(audit, at)) {
        return;
    }
    struct delivery *delivery = delivery_get(audit, kind, sku, id);
    if (!delivery->commanded) { /* a repeat is stale, whatever it says */
        delivery->commanded = pack(audit, at);
        delivery->location_id = xstrdup(*location_id ? location_id : "MAIN");
        delivery->qty = qty;
    }
}

/* A movement that a delivery or a count has made. */
static void check_arrival(struct audit *audit, const struct place *at, const char *kind,
                          const struct stock_movement *movement)
{
    struct delivery *delivery = delivery_get(audit, kind, movement->sku, movement->ref_id);
    if (delivery->moved) {
        broken(audit, I6, at, "SKU %s: %s %s is counted a second time", movement->sku, kind,
               movement->ref_id);
    }
    delivery->moved = pack(audit, at);
    if (!delivery->commanded) {
        broken(audit, I1, at, "SKU %s: no command for %s %s", movement->sku, kind,
               movement->ref_id);
    } else if (delivery->qty != movement->qty ||
               strcmp(delivery->location_id, movement->location_id) != 0) {
        broken(audit, I1, at,
               "SKU %s: expected %s %s of %" PRId32 " at %s, as commanded, found %" PRId32 " at %s",
               movement->sku, kind, movement->ref_id, delivery->qty, delivery->location_id,
               movement->qty, movement->location_id);
    }
}

/* ---- what a movement does ---- */

struct effect {
    struct balances change;
    int64_t backordered;
};

/* What RELEASE and EXPIRE give back: wherever the reservation has something. */
static struct effect give_back(const struct stock_movement *movement, const struct hold *hold)
{
    struct effect effect = {0};
    if (!*movement->location_id) {
        effect.backordered = -movement->qty;
    } else if (hold->committed > 0) {
        effect.change.committed = -movement->qty;
    } else {
        effect.change.held = -movement->qty;
    }
    return effect;
}

static struct effect effect_of(const struct stock_movement *movement, const struct hold *hold)
{
    int64_t qty = movement->qty;
    switch (movement->kind) {
    case MOVEMENT_KIND_INIT:
    case MOVEMENT_KIND_RESTOCK:
    case MOVEMENT_KIND_RETURN:
    case MOVEMENT_KIND_ADJUST:
    case MOVEMENT_KIND_TRANSFER_IN:
        return (struct effect){{.on_hand = qty}, 0};
    case MOVEMENT_KIND_TRANSFER_OUT:
        return (struct effect){{.on_hand = -qty}, 0};
    case MOVEMENT_KIND_RESERVE:
        return (struct effect){{.held = qty}, 0};
    case MOVEMENT_KIND_BACKFILL:
        return (struct effect){{.held = qty}, -qty};
    case MOVEMENT_KIND_BACKORDER:
        return (struct effect){{0}, qty};
    case MOVEMENT_KIND_COMMIT:
        return (struct effect){{.held = -qty, .committed = qty}, 0};
    case MOVEMENT_KIND_SHIP:
        return (struct effect){{.on_hand = -qty, .committed = -qty}, 0};
    case MOVEMENT_KIND_RELEASE:
    case MOVEMENT_KIND_EXPIRE:
        return give_back(movement, hold);
    case MOVEMENT_KIND_EXTEND:
        break;
    }
    return (struct effect){0};
}

static bool is_of_reservation(enum movement_kind kind)
{
    const unsigned arrivals = 1u << MOVEMENT_KIND_INIT | 1u << MOVEMENT_KIND_RESTOCK |
                              1u << MOVEMENT_KIND_ADJUST | 1u << MOVEMENT_KIND_TRANSFER_IN |
                              1u << MOVEMENT_KIND_TRANSFER_OUT;
    return (1u << kind & arrivals) == 0;
}

/* I6: what the reservation has, and that no unit of it moves twice. */
static void move_hold(struct audit *audit, const struct place *at,
                      const struct stock_movement *movement, struct hold *hold,
                      const struct effect *effect)
{
    bool takes =
        movement->kind == MOVEMENT_KIND_RESERVE || movement->kind == MOVEMENT_KIND_BACKFILL;
    hold->held += (int32_t)effect->change.held;
    hold->committed += (int32_t)effect->change.committed;
    hold->waiting += (int32_t)effect->backordered;
    hold->reserved += takes ? movement->qty : 0;
    checked(audit, I6, 1);
    if (movement->qty <= 0) {
        broken(audit, I6, at, "%s: %s of %" PRId32 " units", movement->ref_id,
               movement_kind_name(movement->kind), movement->qty);
    } else if (hold->held < 0 || hold->committed < 0 || hold->waiting < 0) {
        broken(audit, I6, at,
               "%s: %s of %" PRId32 " units leaves it held %" PRId32 ", committed %" PRId32
               ", backordered %" PRId32 ": a unit is moved twice",
               movement->ref_id, movement_kind_name(movement->kind), movement->qty, hold->held,
               hold->committed, hold->waiting);
        hold->held = hold->held < 0 ? 0 : hold->held;
        hold->committed = hold->committed < 0 ? 0 : hold->committed;
        hold->waiting = hold->waiting < 0 ? 0 : hold->waiting;
    } else if (takes && !hold->contested && hold->reserved > hold->wanted) {
        broken(audit, I6, at,
               "%s: expected at most %" PRId32 " units, as its Reserve asks, found %" PRId32
               " in all",
               movement->ref_id, hold->wanted, hold->reserved);
    }
}

/* ---- I3 ---- */

/* The first balance that differs from what it should be. */
static bool check_after(struct audit *audit, const struct place *at,
                        const struct stock_movement *movement, const struct shelf *before,
                        const struct sku *sku, const struct effect *effect)
{
    const struct {
        const char *name;
        int64_t before, change, found;
    } balances[] = {
        {"on_hand_after", before->is.on_hand, effect->change.on_hand, movement->on_hand_after},
        {"held_after", before->is.held, effect->change.held, movement->held_after},
        {"committed_after", before->is.committed, effect->change.committed,
         movement->committed_after},
        {"unavailable_after", before->is.unavailable, effect->change.unavailable,
         movement->unavailable_after},
        {"backordered_after", sku->backordered, effect->backordered, movement->backordered_after},
    };
    for (size_t i = 0; i < sizeof balances / sizeof *balances; i++) {
        int64_t expected = balances[i].before + balances[i].change;
        if (balances[i].found != expected) {
            broken(audit, I3, at,
                   "SKU %s at %s, %s of %" PRId32 ": expected %s %" PRId64 " (%" PRId64 " %+" PRId64
                   "), found %" PRId64,
                   movement->sku, *movement->location_id ? movement->location_id : "no location",
                   movement_kind_name(movement->kind), movement->qty, balances[i].name, expected,
                   balances[i].before, balances[i].change, balances[i].found);
            return false;
        }
    }
    return true;
}

static void check_seq(struct audit *audit, const struct place *at,
                      const struct stock_ledger_entry *entry, const struct sku *sku)
{
    const struct stock_movement *movement = &entry->payload.stock_movement;
    if (movement->movement_seq != sku->seq + 1) {
        broken(audit, I3, at, "SKU %s: expected movement %" PRId64 ", found movement %" PRId64,
               movement->sku, sku->seq + 1, movement->movement_seq);
    } else if (entry->agg_seq != movement->movement_seq) {
        broken(audit, I3, at,
               "SKU %s: expected agg_seq %" PRId64 ", the movement's, found %" PRId64,
               movement->sku, movement->movement_seq, entry->agg_seq);
    }
}

void stock_read_movement(struct audit *audit, const struct place *at, const void *record)
{
    const struct stock_ledger_entry *entry = record;
    const struct stock_movement *movement = &entry->payload.stock_movement;
    struct sku *sku = sku_get(audit, movement->sku);
    struct hold *hold =
        is_of_reservation(movement->kind) ? catalog_get(&audit->holds, movement->ref_id) : NULL;
    struct effect effect = effect_of(movement, hold);
    struct shelf nowhere = {0};
    struct shelf *shelf = *movement->location_id ? sku_shelf(sku, movement->location_id) : &nowhere;
    checked(audit, I3, 1);
    check_seq(audit, at, entry, sku);
    check_after(audit, at, movement, shelf, sku, &effect);
    sku->seq = movement->movement_seq;
    sku->backordered = movement->backordered_after;
    sku->last = pack(audit, at);
    shelf->moved += effect.change.on_hand;
    shelf->is = (struct balances){movement->on_hand_after, movement->held_after,
                                  movement->committed_after, movement->unavailable_after};
    stock_balances(audit, at, movement->sku, movement->location_id, &shelf->is);
    if (sku->backordered < 0) {
        broken(audit, I2, at, "SKU %s: expected backordered not below 0, found %" PRId64,
               movement->sku, sku->backordered);
    }
    if (hold) {
        hold->last = hold->last ? hold->last : sku->last;
        move_hold(audit, at, movement, hold, &effect);
    } else if (movement->kind == MOVEMENT_KIND_RESTOCK) {
        check_arrival(audit, at, "restock", movement);
    } else if (movement->kind == MOVEMENT_KIND_ADJUST) {
        check_arrival(audit, at, "adjust", movement);
    }
}

/* ---- I1, at the end ---- */

static void check_shelf(struct audit *audit, const struct sku *sku, const struct shelf *shelf)
{
    struct place at = unpack(audit, sku->level ? sku->level : sku->last);
    checked(audit, I1, 1);
    int64_t found = shelf->in_level ? shelf->level.on_hand : 0;
    if (shelf->moved != found) {
        broken(audit, I1, &at,
               "SKU %s at %s: expected %" PRId64 " on hand by all its movements, found %" PRId64,
               sku->id, shelf->location_id, shelf->moved, found);
    }
}

void stock_finish(struct audit *audit)
{
    for (size_t i = 0; i < audit->skus.count; i++) {
        const struct sku *sku = catalog_at(&audit->skus, i);
        for (size_t n = 0; n < sku->shelf_count && sku->last; n++) {
            check_shelf(audit, sku, &sku->shelves[n]);
        }
    }
    for (size_t i = 0; i < audit->deliveries.count; i++) {
        const struct delivery *delivery = catalog_at(&audit->deliveries, i);
        if (delivery->commanded && !delivery->moved) {
            struct place at = unpack(audit, delivery->commanded);
            broken(audit, I1, &at, "%s: expected a movement of %" PRId32 ", found none",
                   delivery->id, delivery->qty);
        }
    }
}
