/* placing.h - one record for order.raw, as the generator or a CSV file gives it to `weir load`. */
#ifndef WEIR_TOOLS_PLACING_H
#define WEIR_TOOLS_PLACING_H

#include "base/arena.h"
#include "shop.h"

/* Everything in it lives until the source is asked for the next one. */
struct placing {
    int64_t after_us;     /* when it is due, counted from the start */
    const char *order_id; /* the key */
    bool is_cancel;
    size_t line_count;
    struct weir_bytes value;
};

/* What all orders want of one SKU. */
struct demand {
    const char *sku;
    int64_t qty;
};

/* Writes `micros`, millionths of a major unit, as decimal text without needless zeros but with at
 * least `decimals` decimals: "12.50". Lives in `arena`. */
const char *placing_money(struct arena *arena, int64_t micros, int decimals);

#endif
