/* world.h - one simulated run: processors on two partitions, several processes with disks of their
 * own, a broker, a clock, and everything that can go wrong, all from one seed and in one thread.
 *
 * A run has three parts: trouble (inputs come, events strike), peace (no more of them; everything
 * is brought up again and must come to rest), and the comparison. Most seeds run inventory alone:
 * what a reader can see in the end must be the same, to the letter, as in a world with the same
 * inputs in which nothing ever went wrong. Every fourth runs the whole shop, in which the order of
 * what comes to inventory is anybody's: its logs must pass the audit, and every order must end.
 * Half of the worlds have every kind of trouble, the others a few, and these often (weather.h).
 * Some worlds go on after that: everything is stopped in the middle of its work, and must leave its
 * state files at the group's commit; or a topic is made anew while nothing runs, and what starts
 * then must stop and say so.
 */
#ifndef WEIR_TEST_SIMULATION_WORLD_H
#define WEIR_TEST_SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulation/fate.h"

enum { WORLD_PARTITIONS = 2, WORLD_DELETE_RETENTION_MS = 24 * 3600 * 1000 };

/* What may happen in a run: bits, so that a seed can be tried with less. */
enum {
    TROUBLE_CRASH = 1,     /* a process dies at a call of the port, or between two */
    TROUBLE_POWER = 2,     /* and its machine with it: unsynced writes are kept, lost or torn */
    TROUBLE_REQUESTS = 4,  /* lost, half-lost, repeated and late requests */
    TROUBLE_FAILURES = 8,  /* calls that fail */
    TROUBLE_SLEEP = 16,    /* a process stands still while time goes on: zombies */
    TROUBLE_RIVALS = 32,   /* a second process for the same partition or of the same name, which
                              now and then takes over in the middle of a call */
    TROUBLE_DISK = 64,     /* I/O errors, disk full */
    TROUBLE_STATE = 128,   /* state files deleted, or old copies put in their place */
    TROUBLE_BROKER = 256,  /* late markers, transactions timed out, compaction, members expelled */
    TROUBLE_OFFSETS = 512, /* the group's offsets expire while nothing runs */
    TROUBLE_MEMORY = 1024, /* allocations of our own fail */
    TROUBLE_MEANWHILE = 2048,    /* in the middle of a call: others act, time goes on, members go */
    TROUBLE_CLOCK = 4096,        /* wall clocks are set */
    TROUBLE_DAYS = 8192,         /* a day goes by, and compaction removes tombstones */
    TROUBLE_TOPICS = 16384,      /* topics made anew; in the end offsets set by someone else, too */
    TROUBLE_COORDINATOR = 32768, /* the group's coordinator answers with offsets of earlier */
    TROUBLE_ALL = 65535,
    TROUBLE_SQLITE = 65536, /* SQLite's allocations fail; when it is asked for */
};

/* Only worlds of one kind. */
enum world_kind { WORLD_BY_SEED, WORLD_INVENTORY, WORLD_SHOP };

struct world_report {
    int inputs, starts, deaths;
};

struct world_run {
    uint64_t seed;
    unsigned troubles;
    enum world_kind kind;
    const char *directory;     /* empty, made by the caller */
    struct event_list *events; /* what struck; `again`: what is to strike */
    bool again;
    struct world_report report;
    char why[400]; /* what was wrong */
};

/* true: all is well. Else run->why says what was wrong, and where two pictures differ they are in
 * <directory>/expected and found. */
bool world_run(struct world_run *run);

#endif
