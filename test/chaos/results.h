/* results.h - what was done, and what came of it.
 *
 * Recovery is the time from a fault to the first commit afterwards of a task that it struck, the
 * fault's own length included. Several faults may wait for one commit: each gets its own time.
 */
#ifndef WEIR_TEST_CHAOS_RESULTS_H
#define WEIR_TEST_CHAOS_RESULTS_H

#include <stdio.h>

#include "chaos/chaos.h"

enum { WAITING_MAX = 64, VIOLATIONS_MAX = 40, SKIPS_MAX = KINDS };

struct waiting {
    enum kind kind;
    int64_t since_ms;
};

struct samples {
    int64_t *items;
    size_t count, capacity;
};

/* What is counted besides faults. */
enum count {
    COUNT_KILLS, /* processes that SIGKILL ended */
    COUNT_STARTS,
    COUNT_COMMITS,
    COUNT_FENCES,
    COUNT_FENCED, /* processes that ended with 75 */
    COUNT_RESTORES,
    COUNT_SET_ASIDE,
    COUNT_ADOPTED,
    COUNT_MENDED,
    COUNT_ROT_READ, /* flipped bits that only a reader of the whole file found */
    COUNT_ORDERS,
    COUNT_AUDITS,
    COUNT_FORGOTTEN,   /* commits that the broker forgot, ended as the README says */
    COUNT_OLD_OFFSETS, /* starts of the broker after which it answered with offsets of earlier */
    COUNT_REPLAYS,     /* of a task, from its first commit on */
    COUNT_WATCHED,
    COUNTS,
};

struct results {
    const struct options *options;
    int64_t began_ms;
    FILE *log; /* nemesis.log: every fault, with its time */
    int64_t faults[KINDS], by_api[KINDS][APIS];
    const char *skipped[KINDS]; /* why; NULL: it is not */
    struct samples recovery[KINDS];
    struct waiting waiting[PROCESSORS][PARTITIONS][WAITING_MAX];
    size_t waiting_count[PROCESSORS][PARTITIONS];
    int64_t counts[COUNTS];
    struct samples settling;
    char violations[VIOLATIONS_MAX][600];
    int64_t violation_count;
};

void results_open(struct results *results, const struct options *options);
void results_close(struct results *results);

/* A fault that was carried out; `text` says on whom and how. */
void results_fault(struct results *results, enum kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void results_api(struct results *results, enum kind kind, enum api api);
/* A line of the log that counts nothing. */
void results_note(struct results *results, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The fault struck this task now; its next commit ends the recovery. */
void results_struck(struct results *results, enum kind kind, int processor, int32_t partition);
void results_committed(struct results *results, int processor, int32_t partition);
/* So long after the last fault of a spell every order had its answer. */
void results_settled(struct results *results, int64_t ms);
/* Nothing more is to come: what still waits had no input. */
void results_forget_waiting(struct results *results);

/* Something that must not be. */
void results_violation(struct results *results, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* In seconds; false: there was none. */
bool results_recovery(struct results *results, enum kind kind, double *p50, double *p99,
                      double *max);

/* The final table and the verdict, for people; the same as JSON. */
void results_print(struct results *results);
void results_write_json(struct results *results, const char *path);
bool results_are_good(const struct results *results);

#endif
