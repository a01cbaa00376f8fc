/* fleet.h - the processes under test, and the commands that help: started, listened to, ended.
 *
 * A place is where a process belongs: "inventory.p0", or the member "inventory.m2". Its process is
 * started again whenever it ends. Two processes of one place live at the same time when the older
 * one was asleep. What a process logs goes to logs/<place>.log, and is read here as it comes: who
 * runs which task, and each commit.
 */
#ifndef WEIR_TEST_CHAOS_FLEET_H
#define WEIR_TEST_CHAOS_FLEET_H

#include <pthread.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "chaos/chaos.h"
#include "chaos/results.h"

enum {
    PLACES_MAX = 24,
    CHILDREN_MAX = 96,
    WORD = 64,
};

/* Directories for state files. Each has a twin, where a second process of the same place runs while
 * the first is asleep; every member has a pair of its own. */
enum { DISK_A, DISK_B, DISK_SMALL, DISK_MEMBERS, DISKS = DISK_MEMBERS + 8 };
extern const char *const disks[DISKS];
int disk_twin(int disk);

struct place {
    int processor;     /* index of processors[] */
    int32_t partition; /* -1: a member */
    char name[WORD];
    int disk;
    bool wanted;         /* a process is to run here */
    bool busy;           /* a fault is under way: no other one begins */
    bool may_refuse;     /* its offsets were tampered with: exit 78 is right */
    bool refused;        /* ... and it came */
    char kill_at[WORD];  /* the next process kills itself there; "": nowhere */
    char faketime[300];  /* the file that says what time it is there; "": the machine's */
    struct child *child; /* its youngest process; NULL: none */
    int64_t start_at_ms, pause_ms;
    int starts;
};

struct child {
    pid_t pid;           /* 0: free, or ended and waited for */
    struct place *place; /* NULL: a command */
    char id[WORD];       /* client id: "<place>#<start>" */
    int pipe;            /* -1: closed */
    struct buffer line;
    FILE *log;
    int64_t started_ms;
    bool retired;        /* no longer its place's: may only end */
    bool asked;          /* to end, by SIGTERM */
    bool asleep;         /* by SIGSTOP */
    bool armed;          /* will kill itself somewhere */
    int64_t must_end_ms; /* 0: no limit */
    int status;          /* of a command that has ended */
    bool running;
    char last[300]; /* the last line with an error; a command's last line */
};

/* Which place ran a task last, its last commit, and which process has it. */
struct task_seen {
    struct place *owner;
    int64_t commit;
    char committer[WORD];
    char holder[WORD]; /* the last to say that it runs, or that it has made the newest commit */
};

struct fleet {
    const struct options *options;
    struct results *results;
    struct place places[PLACES_MAX];
    size_t place_count;
    struct child children[CHILDREN_MAX];
    struct task_seen tasks[PROCESSORS][PARTITIONS];
    int signals;           /* signalfd */
    int64_t broker_bad_ms; /* when the broker was last away */
    long broker_log_at;    /* where its log stood when it was last started */
    bool offsets_are_old;  /* it answers with offsets of earlier, see forgotten_offsets() */
    bool quiet;            /* no faults: nobody should end */
    pthread_mutex_t mutex; /* pids, ids: the proxy kills, too */
};

void fleet_open(struct fleet *fleet, const struct options *options, struct results *results);
/* Kills what is left, commands with all that they have started. */
void fleet_close(struct fleet *fleet);

/* Fills the places anew; the processes of earlier ones must have ended. */
void fleet_arrange(struct fleet *fleet, enum mode mode);

/* One turn: waits at most `timeout_ms` for something to happen, reads what was logged, takes notice
 * of ends, starts what is due. */
void fleet_turn(struct fleet *fleet, int timeout_ms);
/* Turns for so long, or until interrupted. */
void fleet_turns(struct fleet *fleet, int64_t ms);

/* Starts a process of this place, whether or not there is one. */
struct child *fleet_start(struct fleet *fleet, struct place *place);
/* SIGKILL, and waits until it is gone. It is started again `pause_ms` later. */
void fleet_kill(struct fleet *fleet, struct place *place, int pause_ms);
/* From any thread; false: it is gone already. */
bool fleet_kill_client(struct fleet *fleet, const char *id);

/* To every process under test: SIGSTOP, SIGCONT. Those that are asleep already stay so. */
void fleet_hold_all(struct fleet *fleet, bool hold);
/* SIGTERM, and it may end now with 0. */
void fleet_ask_to_end(struct child *child);
/* SIGTERM to all, and waits. */
void fleet_stop_all(struct fleet *fleet);
/* Whether every place that should has a process whose task runs (of members: anyone runs each
 * task). */
bool fleet_is_up(const struct fleet *fleet);

/* The program with these arguments, its output to logs/<name>.log; NULL-terminated. */
struct child *fleet_command(struct fleet *fleet, const char *name, const char *const *arguments);
/* Turns until it has ended: its exit code, or -1 when it was not over in time (it is killed then).
 */
int fleet_wait(struct fleet *fleet, struct child *child, int64_t timeout_ms);
/* Both. */
int fleet_run(struct fleet *fleet, const char *name, const char *const *arguments,
              int64_t timeout_ms);

/* <directory>/state/<the place's disk>/<application id>/p<N>.sqlite */
void fleet_state_path(const struct fleet *fleet, const struct place *place, int32_t partition,
                      char *path, size_t room);

#endif
