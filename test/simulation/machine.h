/* machine.h - one process of the simulated world, and the machine it runs on: an instance of a
 * processor with a disk of its own, that dies, sleeps and starts again. */
#ifndef WEIR_TEST_SIMULATION_MACHINE_H
#define WEIR_TEST_SIMULATION_MACHINE_H

#include "broker/broker.h"
#include "codec/codec.h"
#include "runtime/instance.h"
#include "simulation/dice.h"

struct machine {
    struct broker *broker;
    struct codec *codec;
    const struct weir_processor *processor; /* its name is the application id */
    struct settings settings;
    char directory[120], name[8];
    int number;
    int32_t partition;                     /* -1: a group member, under its name */
    struct instance *instance;             /* NULL: not running */
    struct port *port;                     /* the instance's */
    const char *topics[WEIR_LIST_MAX + 1]; /* its inputs: the port keeps the address only */
    int64_t starts_ms;       /* not running: when it is to be started; INT64_MAX: not at all */
    int64_t sleeps_until_ms; /* SIGSTOP */
    int64_t skew_ms;         /* its wall clock is off by so much */
    bool rival;              /* in peace it is not wanted */
    bool busy;               /* in a step */
    bool misled;             /* since its start it was told offsets of earlier */
    int starts, exit_code;   /* of its last end */
    struct error error;
};

/* `directory` is made below `parent`. */
void machine_init(struct machine *machine, struct broker *broker, struct codec *codec,
                  const struct weir_processor *processor, const char *parent, int number,
                  int32_t partition);

/* The port calls of what starts from now on are written to this file descriptor; -1: to none. And:
 * someone has made topics anew, or deleted offsets. */
void machine_trace(int out);
void machine_trace_anew(const struct machine *machine);

/* Not running: opens the instance. */
void machine_start(struct machine *machine);

/* One round. It may end in it: exit_code and error say how; a crash by a fault counts as kill -9.
 */
void machine_step(struct machine *machine);

/* The one that is in a step now, the innermost; NULL: none. */
struct machine *machine_at_work(void);

/* In the middle of its step: from here on nothing that it does happens, and the step's end is
 * kill -9. */
void machine_crash(struct machine *machine);

/* kill -9. With `power`: its machine loses power as well. */
void machine_kill(struct machine *machine, struct dice *power);

/* SIGTERM. */
void machine_stop(struct machine *machine);

/* SIGSTOP and, at its next call, SIGCONT: the group misses its heartbeats meanwhile. */
void machine_pause(struct machine *machine);

/* Its wall clock is set. */
void machine_skew(struct machine *machine, int64_t ms);

/* The state file of a partition on this machine. */
void machine_state_path(const struct machine *machine, int32_t partition, char path[200]);

/* While it is not running: its state files go, or a copy is made or put in their place. false:
 * there was none. */
void machine_lose_state(struct machine *machine);
bool machine_copy_state(struct machine *machine);
bool machine_put_copy_back(struct machine *machine);

#endif
