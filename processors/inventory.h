/* inventory.h - what the files of inventory share: balances of a SKU, and one command's visit at
 * one reservation.
 *
 * inventory.c             the processor's table, the handlers, and the table state x command
 * inventory_cells.c       what the cells of that table do
 * inventory_level.c       balances, the ledger of their movements, where stock is taken from
 * inventory_arrivals.c    restocks, adjustments, and backorders that are filled when stock appears
 */
#ifndef PROCESSORS_INVENTORY_H
#define PROCESSORS_INVENTORY_H

#include "shop.h"
#include "weir.h"

enum {
    LOCATIONS_MAX = 100,  /* of one SKU, and of a preference list */
    LOCATION_ID_MAX = 64, /* bytes */
    RESERVATION_ID_MAX = 160,
};

/* ---- balances: inventory_level.c ---- */

/* The SKU's row, or an empty one. */
struct stock_level level_load(struct weir_context *ctx, const char *sku);

/* Writes the row and has the view rebuilt. */
void level_save(struct weir_context *ctx, const struct stock_level *level);

/* on_hand - held - committed - unavailable: what a new Reserve may take. */
int64_t level_available(const struct stock_level *level);

/* NULL when the SKU has never been there. */
struct stock_location *level_location(const struct stock_level *level, const char *location_id);

/* The kinds of movement that change balances, by what they change (level_moves[] in
 * inventory_level.c). */
enum move {
    MOVE_RESTOCK,
    MOVE_ADJUST,
    MOVE_RESERVE,
    MOVE_COMMIT,
    MOVE_RELEASE_HELD,
    MOVE_RELEASE_COMMITTED,
    MOVE_RELEASE_BACKORDERED,
    MOVE_EXPIRE_HELD,
    MOVE_EXPIRE_BACKORDERED,
    MOVE_BACKORDER,
    MOVE_BACKFILL,
};

/* Moves qty units at one location ("" for a backorder, which stands nowhere) and writes it into the
 * ledger. */
void level_move(struct weir_context *ctx, struct stock_level *level, enum move move,
                const char *location_id, int32_t qty, const char *ref_id, const char *order_id);

/* The same for `allocations`: one movement per location. */
void level_move_all(struct weir_context *ctx, struct stock_level *level, enum move move,
                    const struct stock_allocation_array *allocations,
                    const struct reservation *reservation);

/* Chooses the locations that the reservation's open_qty is taken from: preferred ones first, then
 * those with most available. Without allow_split one location must have it all. false: there is not
 * enough. Changes no balance. */
bool level_allocate(struct weir_context *ctx, const struct stock_level *level,
                    const struct reservation *reservation,
                    struct stock_allocation_array *allocations);

/* Whether the customer may have `qty` more under the SKU's limit; the count of what they have. */
bool customer_may_have(struct weir_context *ctx, const struct stock_level *level,
                       const char *customer_id, int32_t qty);
void customer_count(struct weir_context *ctx, const struct stock_level *level,
                    const char *customer_id, int32_t qty);

/* ---- one command's visit at one reservation ---- */

struct visit {
    struct weir_context *ctx;
    enum stock_command_kind command; /* which the reply will name */
    const struct reserve *reserve;   /* the command itself, when it is one of these */
    const struct extend *extend;
    const struct release *release;
    struct reservation reservation; /* the row; of an absent one its ids alone */
    struct stock_level *level;      /* of its SKU */
};

/* A cell of the table state x command. */
typedef void cell(struct visit *visit);

extern const struct weir_timer hold_expiry; /* key: reservation_id, of HELD and BACKORDERED */
extern const struct weir_timer reservation_retention; /* key: reservation_id, of the tombstones */
extern const struct weir_timer backfill_rest;         /* key: sku */
extern const struct weir_setting reservation_retention_ms;

/* ---- cells: inventory_cells.c ---- */

cell cell_hold_or_refuse, cell_extend_hold, cell_commit_hold, cell_release_hold, cell_expire_hold;
cell cell_say_reserved, cell_say_backordered, cell_say_extended; /* once more */
cell cell_say_committed, cell_say_released;
cell cell_say_refused, cell_say_unknown, cell_say_conflict, cell_commit_unknown,
    cell_commit_too_soon, cell_refuse_commit;
cell cell_store_fence, cell_do_nothing;

/* BACKORDERED -> HELD, at `allocations`. */
void cell_fill_backorder(struct visit *visit, const struct stock_allocation_array *allocations);

/* ---- stock comes and goes: inventory_arrivals.c ---- */

void arrival_restock(struct weir_context *ctx, const struct restock *command);
void arrival_adjust(struct weir_context *ctx, const struct adjust *command);

/* Gives what is available to BACKORDERED reservations, first promised, first come, first served. */
void level_backfill(struct weir_context *ctx, struct stock_level *level);
void arrival_backfill_rest(struct weir_context *ctx, const char *sku);

/* Writes the level if it has moved since `before`, and first backfills if that made room for a
 * backorder. */
void level_settle(struct weir_context *ctx, struct stock_level *level,
                  const struct stock_level *before);

#endif
