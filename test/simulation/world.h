/* world.h - one simulated run: inventory on two partitions, several processes with disks of their
 * own, a broker, a clock, and everything that can go wrong, all from one seed and in one thread.
 *
 * A run has three parts: trouble (inputs come, faults happen), peace (no more faults; everything is
 * brought up again and must come to rest), and the comparison: what a reader can see in the end
 * must be the same, to the letter, as in a world with the same inputs in which nothing ever went
 * wrong.
 */
#ifndef WEIR_TEST_SIMULATION_WORLD_H
#define WEIR_TEST_SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { WORLD_PARTITIONS = 2 };

/* What may happen in a run: bits, so that a failing seed can be tried with less. */
enum {
    TROUBLE_CRASH = 1,     /* a process dies at a call of the port, or between two */
    TROUBLE_POWER = 2,     /* and its machine with it: unsynced writes are kept, lost or torn */
    TROUBLE_REQUESTS = 4,  /* lost, half-lost, repeated and late requests */
    TROUBLE_FAILURES = 8,  /* calls that fail */
    TROUBLE_SLEEP = 16,    /* a process stands still while time goes on: zombies */
    TROUBLE_RIVALS = 32,   /* a second process for the same partition, on another disk */
    TROUBLE_DISK = 64,     /* I/O errors, disk full */
    TROUBLE_STATE = 128,   /* state files deleted, or old copies put in their place */
    TROUBLE_BROKER = 256,  /* late markers, transactions timed out, compaction, members expelled */
    TROUBLE_OFFSETS = 512, /* the group's offsets expire while nothing runs */
    TROUBLE_ALL = 1023,
};

struct world_report {
    int inputs, commits, starts, deaths, faults;
};

/* Runs one seed below `directory` (empty, made by the caller). true: all is well. Else `why` says
 * what was wrong, and the two pictures are written to <directory>/expected and found. */
bool world_run_seed(uint64_t seed, unsigned troubles, const char *directory,
                    struct world_report *report, char *why, size_t room);

#endif
