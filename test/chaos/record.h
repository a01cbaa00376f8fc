/* record.h - test/chaos/RESULTS.md: one row a run, and the sums over all of them, by the program
 * and never by hand.
 */
#ifndef WEIR_TEST_CHAOS_RECORD_H
#define WEIR_TEST_CHAOS_RECORD_H

#include "chaos/results.h"

/* Adds this run to the file, which is made when it is not there. */
void record_run(struct results *results, const char *path);

#endif
