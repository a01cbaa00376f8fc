/* fate.h - what goes wrong in a run: a list of events, each with a number.
 *
 * A run first draws its events from the seed, at sites: a step of the run, or in a step the n-th
 * call of one kind of the port, of the disk, of the allocator. Run again with the list in hand, the
 * same events strike at the same sites, or only some of them do, so that a failing run can be cut
 * down to those that matter. What an event does it draws from dice of its own: one that is left out
 * changes no other.
 */
#ifndef WEIR_TEST_SIMULATION_FATE_H
#define WEIR_TEST_SIMULATION_FATE_H

#include <stddef.h>

#include "simulation/dice.h"

enum { EVENTS_MAX = 64, EVENT_CALLS_MAX = 24 };

enum site { SITE_STEP, SITE_CALL, SITE_DISK, SITE_MEMORY, SITES };

struct event {
    enum site site;
    int what; /* which call */
    int step;
    unsigned nth; /* such call in the step */
    uint64_t seed;
    bool left_out, struck;
    unsigned trouble; /* which kind (world.h) */
    int64_t at_ms;    /* since the run began */
    char text[120];   /* what it did; of the last run in which it struck */
};

/* Lives outside of the run. */
struct event_list {
    size_t count;
    struct event events[EVENTS_MAX];
};

struct fate {
    struct event_list *list;
    bool again;       /* the list is given */
    struct dice dice; /* for drawing it */
    int left;         /* so many more may be drawn at calls */
    int step;
    unsigned counts[SITES][EVENT_CALLS_MAX];
};

/* `again`: strikes as the list says. Else the list is emptied, and filled. */
void fate_init(struct fate *fate, struct event_list *list, bool again, uint64_t seed);

/* The next step of the run. */
void fate_step(struct fate *fate);

/* At a site: the event that strikes here, or NULL. Drawn, it comes once in so many times. Its dice
 * are event_dice(). Whoever finds that nothing comes of it says so before the next question. */
struct event *fate_strikes(struct fate *fate, enum site site, int what, uint64_t once_in);
void fate_nothing(struct fate *fate, struct event *event);

/* What it does, for the list and for the trace. */
void event_say(struct event *event, unsigned trouble, int64_t at_ms, const char *text);

static inline struct dice event_dice(const struct event *event)
{
    return (struct dice){event->seed};
}

#endif
