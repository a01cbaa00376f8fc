/* world_internal.h - a run from the inside.
 *
 * world.c     a run: its parts, its steps, how it comes to rest
 * weather.c   which kinds of trouble it has, and how often
 * trouble.c   the events: which strike, and what they do
 * meanwhile.c what happens in the middle of a call
 * compare.c   inventory alone: what is there in the end, and what should be
 * shop.c      the whole shop: what comes in, and the audit of what came of it
 * stopping.c  what a clean stop leaves
 * finding.c   topics made anew, offsets that someone else has set, backups put back
 */
#ifndef WEIR_TEST_SIMULATION_WORLD_INTERNAL_H
#define WEIR_TEST_SIMULATION_WORLD_INTERNAL_H

#include "simulation/machine.h"
#include "simulation/weather.h"
#include "simulation/workload.h"
#include "simulation/world.h"

enum { MACHINES_MAX = 10, PROCESSORS_MAX = 3, MARKED_MAX = 32, QUIET_MS = 5000 };

struct world {
    struct world_run *run;
    struct dice dice; /* of steps, machines and times: the same whatever happens */
    struct fate fate;
    struct broker *broker;
    struct codec *codec;
    bool has_own_codec;
    bool shop;
    const struct weir_processor *processors[PROCESSORS_MAX];
    int processor_count;
    struct machine machines[MACHINES_MAX];
    int machine_count;
    bool members;                /* else fixed */
    char marked[MARKED_MAX][40]; /* where transactions leave markers, which may be late */
    int marked_count;
    struct weather weather;
    int disturbances_left;
    bool peace;
    int64_t hours_gone; /* while everything stood still */
    bool began_anew;    /* every topic was made anew */
    bool clock_ahead;   /* of the broker's: some process's was */
    struct workload workload;
    struct generator *generator; /* of orders: the shop's */
    int inputs_left;
    struct buffer value;
    char states[PROCESSORS_MAX][WORLD_PARTITIONS][200]; /* compare_tasks: the file at the last
                                                           commit; "": there was none */
};

/* ---- world.c ---- */

/* A broker with the topics of the world's processors; the start of every world's time. */
void world_open_broker(struct world *world);
void world_close(struct world *world);

/* false, with the reason in run->why. */
bool world_wrong(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Since the world began. */
int64_t world_age_ms(const struct world *world);

/* Until every input is read and nobody has anything to do within so many milliseconds. */
bool world_settle(struct world *world, int64_t quiet_ms);

/* SIGTERM for everybody. */
void world_stop_all(struct world *world);

/* The first record of each partition of its first input comes once more. */
void world_repeat_inputs(struct world *world, const struct weir_processor *processor);

/* ---- trouble.c ---- */

/* Calls, disks and memory fail from now on as the fate of this world says; NULL: they do not. */
void trouble_watch(struct world *world);

/* An event between two steps. */
void trouble_disturb(struct world *world);

/* Does this world have such trouble, now? */
bool trouble_may(const struct world *world, unsigned trouble);

/* What an event does, into the list and the trace; `machine` NULL: it concerns all. */
void trouble_say(const struct world *world, struct event *event, unsigned trouble,
                 const struct machine *machine, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Some task's transactional id. */
void trouble_name_task(const struct world *world, struct dice *dice, char id[40]);

/* ---- meanwhile.c ---- */

/* In the middle of `call` of the machine at work something happens, before it goes on. false: not
 * in this world. */
bool meanwhile(struct world *world, struct event *event, struct dice *dice, const char *call);

/* And its rival takes over. */
bool meanwhile_rival(struct world *world, struct event *event, struct dice *dice, const char *call);

/* ---- compare.c ---- */

/* A task's last committed checkpoint: its number, and where each input of the processor goes on; 0
 * when there is none. */
struct last_commit {
    int64_t number, task_time_ms, next[WEIR_LIST_MAX];
    char incarnation[33];
};
struct last_commit last_commit_of(const struct world *world, const struct weir_processor *processor,
                                  int32_t partition);

/* A state file of the task that stands at this commit, on whichever machine, and the task's time in
 * it. false: none does. */
bool compare_find_state(const struct world *world, const struct weir_processor *processor,
                        int32_t partition, const struct last_commit *last, char path[200],
                        int64_t *task_time_ms);

/* Everything has ended: does the group stand at the last checkpoint, and a state file with it? And
 * has no tick overtaken a record? */
bool compare_tasks(struct world *world);

/* Is what is there what would be there had nothing gone wrong? */
bool compare_with_reference(struct world *world);
/* Does a task's history, handled again, come to the same? */
bool compare_with_replay(struct world *world);

/* ---- shop.c ---- */

void shop_open(struct world *world);

/* The next order, cancellation or delivery. */
void shop_next_input(struct world *world);
bool shop_audit(struct world *world);

/* ---- stopping.c ---- */

/* Inputs come, and in the middle of the work all are stopped: a state file must stand at each
 * task's last commit. */
bool stopping_check(struct world *world);

/* ---- finding.c ---- */

/* Whatever runs is stopped; something is done to topics or offsets that only a person may mend; all
 * is started again: whoever has a task that it concerns must stop with EXIT_CONFIG, and nothing may
 * be written. */
bool finding_check(struct world *world);

#endif
