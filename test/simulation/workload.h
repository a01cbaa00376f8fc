/* workload.h - what the world sends to inventory: stock, reservations and what becomes of them, now
 * and then something twice, late, contradictory or unreadable.
 */
#ifndef WEIR_TEST_SIMULATION_WORKLOAD_H
#define WEIR_TEST_SIMULATION_WORKLOAD_H

#include "base/buffer.h"
#include "simulation/dice.h"

enum { WORKLOAD_SKUS = 5, WORKLOAD_RESERVATIONS = 64 };

struct workload {
    struct dice *dice;
    bool hasty;                 /* every hold ends soon */
    int reservations, receipts; /* so many were made up to now */
    struct buffer last_value;   /* for repeats */
    char last_key[32];
};

/* The next record for stock.commands, into `key` and `value`. */
void workload_next(struct workload *workload, char key[32], struct buffer *value);
void workload_release(struct workload *workload);

#endif
