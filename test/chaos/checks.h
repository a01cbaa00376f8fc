/* checks.h - what must hold when all is quiet: every order answered, every task well, every book
 * balanced, every file what its changelog and a replay of its history make it.
 *
 * Whatever does not is a violation, but for check_settled, which leaves that to its caller; the
 * command's own words are in logs/<command>.log.
 */
#ifndef WEIR_TEST_CHAOS_CHECKS_H
#define WEIR_TEST_CHAOS_CHECKS_H

#include "chaos/fleet.h"

struct checks {
    const struct options *options;
    struct results *results;
    struct fleet *fleet;
    char config[400]; /* the directory */
};

/* *settled: every one of so many orders has its answer, in time. false: interrupted. */
bool check_settled(const struct checks *checks, int64_t orders, bool *settled);

/* They have not, and nothing excuses it; what weir doctor says of it is in its log. */
void check_unsettled(const struct checks *checks);

/* Every task is well, in the eyes of weir doctor. */
bool check_well(const struct checks *checks);

/* The whole books once, and the files of every disk against the changelogs. */
void check_books(const struct checks *checks);

/* Handles every task's input again along its history, from the first commit on. What a fault did to
 * files, offsets and clocks on the way is no excuse: no kind of fault is in the history. */
void check_replay(const struct checks *checks);

#endif
