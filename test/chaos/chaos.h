/* chaos.h - the words that the chaos program's parts share: its options, kinds of fault, the clock.
 *
 * chaos.c     from start to verdict: spells of faults under load, quiet spells with their checks
 * nemesis.h   draws faults from the seed and carries them out
 * fleet.h     the processes: starts them again, listens to what they log, knows how they may end
 * proxy.h     between the processes and the broker: loses, holds back and repeats what they say
 * forgotten.h a person who ends what the broker forgot
 * checks.h    what must hold when all is quiet
 * watcher.h   a read_committed reader that sees what a customer would see meanwhile
 * results.h   what happened, how long recovery took, what was broken
 * record.h    the file that remembers every run
 */
#ifndef WEIR_TEST_CHAOS_H
#define WEIR_TEST_CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind {
    KILL,
    ZOMBIE,
    BROKER_KILL,
    BROKER_TORN,
    BROKER_STOP,
    REBALANCE,
    DELAY,
    CUT,
    DROP_REPLY,
    LATE,
    DUPLICATE,
    STATE_LOST,
    STATE_OLD,
    STATE_FLIP,
    DISK_FULL,
    CLOCK,
    OFFSETS_DELETED,
    KINDS,
};

struct kind_facts {
    const char *name, *what;
    unsigned weight; /* of 100 faults or so; 0: only when it is asked for by name */
    bool members_only, fixed_only;
};

extern const struct kind_facts kinds[KINDS];

/* The requests of a transaction, as --faults late:NAME has them; ANY_API: the seed chooses. */
enum api { API_PRODUCE, API_ADD_PARTITIONS, API_ADD_OFFSETS, API_OFFSETS, API_END_TXN, APIS };
#define ANY_API APIS

struct api_facts {
    const char *name;
    int key; /* Kafka's number */
};

extern const struct api_facts apis[APIS];

enum mode { FIXED, MEMBERS, MIXED };

enum { PARTITIONS = 4, PROCESSORS = 3 };

struct options {
    double minutes;
    uint64_t seed;
    bool wanted[KINDS];
    enum api only_api[KINDS]; /* ANY_API: all */
    unsigned weight[KINDS];   /* 0: as kinds[] has it */
    bool struck[PROCESSORS];  /* by index of processors[] */
    enum mode mode;
    double rate; /* orders a second */
    int gap_ms;  /* between faults, on average */
    int spell_s; /* of faults; then all is quiet and everything is checked */
    int port;    /* the broker's; +2: what it offers to those that come through the proxy, +3: the
                    proxy */
    const char *directory, *weir, *kafka; /* for everything; the program; scripts/kafka */
    const char *faketime;                 /* libfaketime; NULL: not here */
    const char *commit, *kafka_version;   /* for the record */
    const char *record, *json;            /* files; NULL: none */
};

int64_t now_ms(void); /* monotonic */
void sleep_ms(int ms);

/* Whether someone wants to stop (SIGINT, SIGTERM). */
extern volatile bool interrupted;

#endif
