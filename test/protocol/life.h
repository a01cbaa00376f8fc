/* life.h - a task's whole life as one story, told while something below the runtime fails.
 *
 * A first start, takes, an aborted one, a commit in doubt, timers, clean stops and deaths, a file
 * opened again, a tail restored onto an old copy, a file rebuilt from the changelog. A process that
 * ends with a clear error is started again, on a machine that has been mended.
 */
#ifndef WEIR_TEST_PROTOCOL_LIFE_H
#define WEIR_TEST_PROTOCOL_LIFE_H

#include "protocol/world.h"

struct life {
    void (*mend)(void); /* what failed works again */
    const struct world_watch *watch;
    enum outcome (*start)(struct world *world); /* world_start and world_run, or */
    enum outcome (*run)(struct world *world);   /* what guards them */
    void (*stop)(struct world *world);
    int ended, stuck; /* filled in: processes that ended by an error, or did not come to rest */
};

/* Returns the picture of the end, malloc'ed. Fails the test when a process ends without saying why,
 * or when a mended machine does not let it go on. */
char *life_story(struct life *life);

#endif
