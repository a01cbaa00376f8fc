/* runner.h - runs seeds in a process apart, so that a seed that crashes or hangs is one that
 * failed, and what it had drawn is still known. */
#ifndef WEIR_TEST_SIMULATION_RUNNER_H
#define WEIR_TEST_SIMULATION_RUNNER_H

#include "simulation/world.h"

struct runner_job {
    uint64_t from, seeds;
    unsigned troubles;
    enum world_kind kind;
    double minutes;    /* 0: as long as it takes */
    bool again;        /* the events of the result are given */
    bool keep;         /* the files of the last seed */
    const char *trace; /* the file that takes what the processes log; NULL: nobody wants it */
};

struct runner_result {
    bool good;
    uint64_t seed; /* the last one: when not good, the one that failed */
    char why[400];
    char directory[64];
    struct event_list events; /* the last seed's */
    uint64_t seeds, inputs, starts, deaths, struck;
    double seconds;
};

/* Runs until a seed fails. `result` is one of runner_result_new(). */
void runner_run(const struct runner_job *job, struct runner_result *result);

/* In memory that the process apart shares; never freed. */
struct runner_result *runner_result_new(void);

#endif
