/* weather.h - which troubles a world has, and how often: drawn from its seed. */
#ifndef WEIR_TEST_SIMULATION_WEATHER_H
#define WEIR_TEST_SIMULATION_WEATHER_H

#include "simulation/dice.h"

struct weather {
    unsigned kinds;            /* of trouble (world.h) */
    uint64_t fault_every;      /* an event once in so many calls; 0: none */
    uint64_t ends_every;       /* the same, of calls that end a transaction */
    bool fences;               /* ends_every holds of calls that take an id, too */
    bool rivals;               /* a second process for the same partition or of the same name */
    bool hasty;                /* stock is held for moments only: timers fall due all the time */
    int faults, disturbances;  /* so many events at calls, and between steps */
    uint64_t long_times_every; /* time goes on by seconds once in so many times, else by a few ms */
};

/* Of the kinds in `troubles`. */
struct weather weather_draw(struct dice *dice, unsigned troubles);

#endif
