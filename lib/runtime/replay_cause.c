/* replay_cause.c - whose effects differ: the outputs and dead letters of the commit at hand as they
 * stand in the topics, beside those that the replay has just made. */
#include "runtime/replay_internal.h"

enum outcome replay_name_cause(struct replay *replay, struct replay_difference *difference,
                               struct error *error)
{
    (void)replay, (void)difference, (void)error;
    return OK;
}
