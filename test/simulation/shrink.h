/* shrink.h - cuts the events of a seed that failed down to the few that matter. */
#ifndef WEIR_TEST_SIMULATION_SHRINK_H
#define WEIR_TEST_SIMULATION_SHRINK_H

#include "simulation/runner.h"

/* `result` is of a job's seed that failed. Prints the seed, the reason, the events that it takes,
 * the end of the trace with these alone, and the command that repeats exactly that. */
void shrink_and_tell(const struct runner_job *job, struct runner_result *result,
                     const char *program);

/* "3,17,41": only these strike, or (`without`) all but these. false: not such a list. */
bool shrink_choose(struct event_list *events, const char *numbers, bool without);

#endif
