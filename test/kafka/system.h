/* system.h - the system tests' world: a Kafka of their own, and `weir` in processes of its own.
 *
 * The broker lives in the build directory (kafka-system) on the ports from WEIR_SYSTEM_PORT (19892)
 * on; the first test program that needs it starts it, and the one that started it stops it. Every
 * case has an application id of its own, hence a group, changelogs and state files of its own. The
 * shop's topics are shared: a case reads outputs from where they ended when it began, and cuts off
 * inputs that are not its own.
 *
 * An expectation that is not met fails the case and shows the end of its processes' logs, which
 * stay in <build>/system/<program>/<case>.
 */
#ifndef WEIR_TEST_SYSTEM_H
#define WEIR_TEST_SYSTEM_H

#include <sys/types.h>

#include "base/arena.h"
#include "kafka/admin.h"
#include "weir.h"

enum {
    SYSTEM_SKIPPED = 77,
    SYSTEM_PROCESSES_MAX = 64,
    SYSTEM_PARTITIONS = 4, /* of every topic of the shop */
    SYSTEM_SETTINGS_MAX = 12,
};

struct CMUnitTest;
struct wire_plan;

struct process {
    pid_t pid; /* 0: gone and waited for */
    char log[400];
};

struct system {
    const void *spec; /* the case's initial state, for cases that are rows of a table */
    char directory[300], application_id[80];
    struct admin *admin;
    struct writer *writer;
    struct process processes[SYSTEM_PROCESSES_MAX];
    size_t process_count;
    struct wire *wire; /* wire.h; closed with the case */
    struct arena arena;
};

/* ---- the broker ---- */

const char *system_bootstrap(void);
const char *system_proxied(void);        /* where a proxy is to listen: wire.h */
const char *system_secured(void);        /* TLS, and a password: user weir, "of water" */
const char *system_certificate(void);    /* the file of the one it shows */
void system_broker(const char *command); /* scripts/kafka COMMAND: start, kill */

/* The proxy at system_proxied(), closed with the case. */
struct wire *system_wire(struct system *system, const struct wire_plan *plan);

/* ---- the program ---- */

/* What main() returns: starts the broker if need be, runs the cases (argv[1]: a filter for their
 * names), stops the broker again. SYSTEM_SKIPPED, with the reason told, when there can be none
 * here. */
int system_cases(const char *program, const struct CMUnitTest *cases, size_t count, int argc,
                 char **argv);
#define system_main(program, cases, argc, argv) \
    system_cases(program, cases, sizeof(cases) / sizeof *(cases), argc, argv)

/* ---- a case: cmocka's set-up and tear-down ---- */

int system_set_up(void **state); /* *state: the case's spec before, its struct system afterwards */
int system_tear_down(void **state);

/* The topics that `processor` needs under the case's application id. */
void system_create_topics(struct system *system, const struct weir_processor *processor);
MUST_CHECK enum outcome system_create_missing(struct admin *admin,
                                              const struct weir_processor *processor,
                                              const char *application_id, struct error *error);
void system_create_topic(struct system *system, const struct topic_settings *topic);
void system_delete_topic(struct system *system, const char *name);

/* ---- processes ---- */

struct run {
    const char *processor; /* NULL: inventory */
    int partition;
    const char *instance;                      /* not NULL: a member, `partition` counts not */
    const char *application_id;                /* NULL: the case's */
    const char *host;                          /* whose disk; NULL: "a" */
    const char *kill_at, *stop_at;             /* base/testpoint.h */
    const char *bootstrap;                     /* NULL: the broker itself */
    const char *settings[SYSTEM_SETTINGS_MAX]; /* "key=value" */
    int wait_ms;                               /* 0: the default */
};

struct process *system_run(struct system *system, const struct run *run);

/* Any command of weir, arguments ending with NULL. */
struct process *system_weir(struct system *system, const char *const *arguments);

/* Waits for the end: the exit code, or minus the signal. */
int process_wait(struct system *system, struct process *process, int timeout_ms);
void process_expect_end(struct system *system, struct process *process, int code, int timeout_ms);
void process_signal(struct process *process, int number);
bool process_is_running(struct system *system, struct process *process);
void process_expect_stopped(struct system *system, struct process *process, int timeout_ms);

/* SIGTERM, and exit code 0. */
void process_stop(struct system *system, struct process *process);

bool process_said(const struct process *process, const char *text);
void process_expect_said(struct system *system, struct process *process, const char *text,
                         int timeout_ms);

/* <disk of host>/<application id>/p<N>.sqlite */
const char *system_state_path(struct system *system, const char *host, int partition);

/* ---- topics ---- */

/* The bounds of every partition; malloc'ed. Waits for a topic that was just made to have leaders.
 */
struct port_log *system_logs(struct system *system, const char *topic, int32_t *partitions);
int64_t system_end_of(struct system *system, const char *topic, int32_t partition);
void system_send(struct system *system, const char *topic, int32_t partition, const char *key,
                 struct weir_bytes value);
void system_flush(struct system *system);

/* Everything before `offset` (-1: everything) is gone from the log. */
void system_delete_records(struct system *system, const char *topic, int32_t partition,
                           int64_t offset);
void system_forget_input(struct system *system, const char *topic);

/* What the group has committed; -1 without an offset, -2 while a transaction holds it. */
int64_t system_committed(struct system *system, const char *topic, int32_t partition);
void system_expect_committed(struct system *system, const char *topic, int32_t partition,
                             int64_t offset, int timeout_ms);
void system_commit(struct system *system, const char *topic, int32_t partition, int64_t offset,
                   const char *metadata);
void system_delete_group(struct system *system);
/* Of one input and partition. */
void system_delete_offset(struct system *system, const char *topic, int32_t partition);

/* ---- odds and ends ---- */

void system_fail(struct system *system, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Fails the case with the error's text unless OK. */
void system_must(struct system *system, enum outcome outcome, const struct error *error);
void system_sleep(int ms);
int64_t system_now_ms(void); /* monotonic */

/* A number from 0 to below - 1. The seed is WEIR_SEED or the clock's, and was printed. */
int system_random(int below);

#define system_case(function) \
    cmocka_unit_test_setup_teardown(function, system_set_up, system_tear_down)

#endif
