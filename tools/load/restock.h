/* restock.h - the stock that a run of orders will want, as Restock commands. */
#ifndef WEIR_TOOLS_RESTOCK_H
#define WEIR_TOOLS_RESTOCK_H

#include "kafka/admin.h"
#include "load/placing.h"

struct restock_plan {
    const char *run_id; /* the receipt is "<run_id>-stock": it counts once per SKU */
    uint64_t seed;
    double short_share; /* of the SKUs gets nothing: chosen by seed and name, exactly that share */
    int64_t units;      /* of each other SKU; -1: what is wanted */
    int64_t skus, empty, units_sent; /* what came of it */
};

/* Queues one command per SKU; a NULL `writer` only counts. */
MUST_CHECK enum outcome restock(struct restock_plan *plan, const struct demand *demand,
                                size_t count, struct writer *writer, struct error *error);

#endif
