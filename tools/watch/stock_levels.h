/* stock_levels.h - the newest balances of every SKU, summed up: what stock.levels says now. */
#ifndef WEIR_TOOLS_STOCK_LEVELS_H
#define WEIR_TOOLS_STOCK_LEVELS_H

#include "decode.h"
#include "names.h"

struct stock_sums {
    int64_t on_hand, held, committed, available;
};

struct stock_levels {
    struct decoder *decoder;
    struct names skus;
    struct stock_sums *levels; /* by the SKU's number */
    size_t capacity;
    struct stock_sums sums;
};

void stock_levels_init(struct stock_levels *stock, struct decoder *decoder);
void stock_levels_release(struct stock_levels *stock);

/* Feeds one record of stock.levels; true when it changed something. */
bool stock_levels_feed(struct stock_levels *stock, const struct port_record *record);

#endif
