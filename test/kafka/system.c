/* system.c - the broker, the processes and the topics of the system tests. */
#include "kafka/system.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "kafka/admin_internal.h"
#include "kafka/wire.h"
#include "processors.h"
#include "runtime/topology.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { PORT = 19892, POLL_MS = 10, TAIL_BYTES = 2500, ARGUMENTS_MAX = 64 };

static struct {
    const char *program;
    bool started;
    int port;
    char bootstrap[32], proxied[32];
    uint64_t random;
} world;

/* ---- odds and ends ---- */

int64_t system_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void system_sleep(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

int system_random(int below)
{
    world.random = world.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((world.random >> 33) % (uint64_t)below);
}

static void show_log(const struct process *process)
{
    FILE *file = fopen(process->log, "r");
    if (!file) {
        return;
    }
    char text[TAIL_BYTES + 1];
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    fseek(file, size > TAIL_BYTES ? size - TAIL_BYTES : 0, SEEK_SET);
    text[fread(text, 1, TAIL_BYTES, file)] = 0;
    fclose(file);
    fprintf(stderr, "--- %s\n%s", process->log, text);
}

void system_fail(struct system *system, const char *format, ...)
{
    char text[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t first = system->process_count > 4 ? system->process_count - 4 : 0;
    for (size_t i = first; i < system->process_count; i++) {
        show_log(&system->processes[i]);
    }
    fail_msg("%s", text);
}

static void must(struct system *system, enum outcome outcome, const struct error *error)
{
    if (outcome != OK) {
        system_fail(system, "%s", error->text);
    }
}

/* ---- the broker ---- */

const char *system_bootstrap(void)
{
    return world.bootstrap;
}

const char *system_proxied(void)
{
    return world.proxied;
}

int system_proxy_port(void)
{
    return world.port + 3;
}

int system_proxied_port(void)
{
    return world.port + 2;
}

static int shell(const char *line)
{
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int kafka(const char *command)
{
    char line[1200];
    snprintf(line, sizeof line,
             "WEIR_KAFKA_DIR='%s/kafka-system' WEIR_KAFKA_PORT=%d "
             "WEIR_KAFKA_EXTRA='%s/kafka-system.extra' '%s/scripts/kafka' %s",
             BINARY_DIR, world.port, BINARY_DIR, SOURCE_DIR, command);
    return shell(line);
}

void system_broker(const char *command)
{
    assert_int_equal(kafka(command), 0);
}

/* A second listener, which tells its clients to come through the proxy; and no long waits for what
 * a dead process has left open. Not under 3 s: a broker that aborts a transaction before it has
 * learnt who leads the partitions forgets the markers, and the transaction hangs for ever. */
static void write_broker_settings(void)
{
    FILE *file = fopen(BINARY_DIR "/kafka-system.extra", "w");
    CHECK(file);
    fprintf(file,
            "listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d,PROXIED://127.0.0.1:%d\n"
            "advertised.listeners=PROXIED://127.0.0.1:%d,PLAINTEXT://127.0.0.1:%d\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "PROXIED:PLAINTEXT\n"
            "inter.broker.listener.name=PLAINTEXT\n"
            "transaction.abort.timed.out.transaction.cleanup.interval.ms=3000\n",
            world.port, world.port + 1, system_proxied_port(), system_proxy_port(), world.port);
    CHECK_EQUAL(fclose(file), 0);
}

static void seed_random(void)
{
    const char *given = getenv("WEIR_SEED");
    world.random = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("%s: WEIR_SEED=%" PRIu64 "\n", world.program, world.random);
    fflush(stdout);
}

static enum outcome create_missing(struct admin *admin, const struct weir_processor *processor,
                                   const char *application_id, struct error *error)
{
    struct topology topology;
    topology_init(&topology);
    topology_add(&topology, processor, application_id, 86400000);
    struct topic_settings is[64], missing[64];
    size_t count = 0;
    CHECK(topology.count <= 64);
    for (size_t i = 0; i < topology.count; i++) {
        is[i] = (struct topic_settings){.name = topology.topics[i].name};
    }
    enum outcome outcome = admin_describe(admin, is, topology.count, error);
    for (size_t i = 0; i < topology.count; i++) {
        if (is[i].partitions == 0) {
            missing[count++] = topology.topics[i];
        }
    }
    if (outcome == OK && count > 0) {
        outcome = admin_create(admin, missing, count, error);
    }
    topology_release(&topology);
    return outcome;
}

/* What the cases share: the shop's own topics. A broker that has just started may need a moment. */
static bool create_shop_topics(void)
{
    struct admin *admin;
    struct error error;
    enum outcome outcome = admin_open(&admin, world.bootstrap, NULL, 0, &error);
    if (outcome != OK) {
        fprintf(stderr, "%s\n", error.text);
        return false;
    }
    for (size_t i = 0; processors[i] && outcome == OK; i++) {
        outcome = create_missing(admin, processors[i], processors[i]->name, &error);
        for (int tries = 0; tries < 20 && outcome == RETRY; tries++) {
            system_sleep(500);
            outcome = create_missing(admin, processors[i], processors[i]->name, &error);
        }
    }
    if (outcome != OK) {
        fprintf(stderr, "%s\n", error.text);
    }
    admin_close(admin);
    return outcome == OK;
}

bool system_is_there(const char *program)
{
    const char *port = getenv("WEIR_SYSTEM_PORT");
    world.program = program;
    world.port = port ? atoi(port) : PORT;
    snprintf(world.bootstrap, sizeof world.bootstrap, "127.0.0.1:%d", world.port);
    snprintf(world.proxied, sizeof world.proxied, "127.0.0.1:%d", system_proxy_port());
    log_set_level(LOG_ERROR);
    seed_random();
    write_broker_settings();
    if (kafka("status >/dev/null") != 0) {
        (void)kafka("wipe 2>/dev/null");
        int code = kafka("start");
        if (code == EXIT_UNAVAILABLE) {
            printf("%s: skipped: no Kafka can be started here, see above\n", program);
            return false;
        }
        if (code != EXIT_DONE) {
            fprintf(stderr, "%s: WEIR_SYSTEM_PORT gives the first of four free ports\n", program);
            exit(code);
        }
        world.started = true;
    }
    if (!create_shop_topics()) {
        exit(EXIT_UNAVAILABLE);
    }
    mkdir(BINARY_DIR "/system", 0755);
    char path[300];
    snprintf(path, sizeof path, "%s/system/%s", BINARY_DIR, program);
    mkdir(path, 0755);
    return true;
}

void system_leave(void)
{
    if (world.started) {
        kafka("stop 2>/dev/null");
    }
}

/* ---- a case ---- */

static void write_configuration(const struct system *system)
{
    char path[400];
    snprintf(path, sizeof path, "%s/weir.conf", system->directory);
    FILE *file = fopen(path, "w");
    CHECK(file);
    fprintf(file,
            "application.id = %s\ncommit.pause_ms = 2\ntransaction.timeout_ms = 3000\n"
            "session.timeout_ms = 2000\nstore.commit_ms = 20\n",
            system->application_id);
    CHECK_EQUAL(fclose(file), 0);
}

int system_set_up(void **state)
{
    static int cases;
    struct system *system = xcalloc(1, sizeof *system);
    struct error error;
    system->spec = *state;
    arena_init(&system->arena);
    snprintf(system->application_id, sizeof system->application_id, "%s-%d-%d", world.program,
             (int)getpid(), ++cases);
    snprintf(system->directory, sizeof system->directory, "%s/system/%s/%d", BINARY_DIR,
             world.program, cases);
    char clean[400];
    snprintf(clean, sizeof clean, "rm -rf '%s'", system->directory);
    CHECK_EQUAL(shell(clean), 0);
    CHECK_EQUAL(mkdir(system->directory, 0755), 0);
    write_configuration(system);
    if (admin_open(&system->admin, world.bootstrap, NULL, 0, &error) != OK ||
        admin_wait_for_broker(system->admin, 20000, &error) != OK ||
        writer_open(&system->writer, world.bootstrap, NULL, 0, &error) != OK) {
        fprintf(stderr, "%s\n", error.text);
        return -1;
    }
    *state = system;
    return 0;
}

/* A broker with hundreds of topics takes a minute to start after a kill. Some may not exist. */
static void delete_own_topics(struct system *system)
{
    static const char *const endings[] = {".changelog", ".history", "-calm.changelog",
                                          "-calm.history"};
    const char *names[sizeof endings / sizeof *endings];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        names[i] = arena_format(&system->arena, "%s%s", system->application_id, endings[i]);
    }
    struct error error;
    if (admin_delete_topics(system->admin, names, sizeof endings / sizeof *endings, &error) != OK) {
        return;
    }
}

int system_tear_down(void **state)
{
    struct system *system = *state;
    for (size_t i = 0; i < system->process_count; i++) {
        if (system->processes[i].pid > 0) {
            kill(system->processes[i].pid, SIGKILL);
            waitpid(system->processes[i].pid, NULL, 0);
        }
    }
    wire_close(system->wire);
    writer_close(system->writer);
    delete_own_topics(system);
    admin_close(system->admin);
    arena_release(&system->arena);
    free(system);
    return 0;
}

void system_create_topics(struct system *system, const struct weir_processor *processor)
{
    struct error error;
    must(system, create_missing(system->admin, processor, system->application_id, &error), &error);
}

void system_create_topic(struct system *system, const struct topic_settings *topic)
{
    struct error error;
    must(system, admin_create(system->admin, topic, 1, &error), &error);
}

void system_delete_topic(struct system *system, const char *name)
{
    struct error error;
    must(system, admin_delete_topics(system->admin, &name, 1, &error), &error);
    for (int64_t end = system_now_ms() + 10000;; system_sleep(50)) {
        struct topic_settings topic = {.name = name};
        must(system, admin_describe(system->admin, &topic, 1, &error), &error);
        if (topic.partitions == 0) {
            return;
        }
        if (system_now_ms() > end) {
            system_fail(system, "%s is still there 10 s after it was deleted", name);
        }
    }
}

/* ---- processes ---- */

static void become_weir(const char *log, char **arguments, const struct run *run)
{
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (run && run->kill_at) {
        setenv("WEIR_KILL_AT", run->kill_at, 1);
    }
    if (run && run->stop_at) {
        setenv("WEIR_STOP_AT", run->stop_at, 1);
    }
    execv(BINARY_DIR "/weir", arguments);
    dprintf(STDERR_FILENO, "%s: %s\n", BINARY_DIR "/weir", strerror(errno));
    _exit(127);
}

static struct process *start(struct system *system, char **arguments, const struct run *run)
{
    CHECK(system->process_count < SYSTEM_PROCESSES_MAX);
    struct process *process = &system->processes[system->process_count++];
    snprintf(process->log, sizeof process->log, "%s/log-%zu", system->directory,
             system->process_count);
    fflush(NULL);
    process->pid = fork();
    CHECK(process->pid >= 0);
    if (process->pid == 0) {
        become_weir(process->log, arguments, run);
    }
    return process;
}

struct process *system_weir(struct system *system, const char *const *arguments)
{
    char *all[ARGUMENTS_MAX + 2] = {xstrdup("weir")};
    size_t count = 1;
    for (; *arguments; arguments++) {
        CHECK(count < ARGUMENTS_MAX);
        all[count++] = xstrdup(*arguments);
    }
    struct process *process = start(system, all, NULL);
    while (count > 0) {
        free(all[--count]);
    }
    return process;
}

struct process *system_run(struct system *system, const struct run *run)
{
    struct arena *arena = &system->arena;
    char *arguments[ARGUMENTS_MAX] = {NULL};
    size_t count = 0;
    arguments[count++] = arena_format(arena, "weir");
    arguments[count++] = arena_format(arena, "run");
    arguments[count++] = arena_format(arena, "%s", run->processor ? run->processor : "inventory");
    arguments[count++] = arena_format(arena, "--config=%s/weir.conf", system->directory);
    arguments[count++] = run->instance ? arena_format(arena, "--instance=%s", run->instance)
                                       : arena_format(arena, "--partition=%d", run->partition);
    arguments[count++] =
        arena_format(arena, "-Xstate.dir=%s/%s", system->directory, run->host ? run->host : "a");
    arguments[count++] = arena_format(arena, "-Xbootstrap.servers=%s",
                                      run->bootstrap ? run->bootstrap : world.bootstrap);
    if (run->application_id) {
        arguments[count++] = arena_format(arena, "-Xapplication.id=%s", run->application_id);
    }
    if (run->wait_ms > 0) {
        arguments[count++] = arena_format(arena, "--wait=%d", run->wait_ms);
    }
    for (size_t i = 0; i < SYSTEM_SETTINGS_MAX && run->settings[i]; i++) {
        arguments[count++] = arena_format(arena, "-X%s", run->settings[i]);
    }
    return start(system, arguments, run);
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int process_wait(struct system *system, struct process *process, int timeout_ms)
{
    int status;
    int64_t end = system_now_ms() + timeout_ms;
    while (waitpid(process->pid, &status, WNOHANG) == 0) {
        if (system_now_ms() > end) {
            system_fail(system, "process %d (%s) has not ended within %d ms", (int)process->pid,
                        process->log, timeout_ms);
        }
        system_sleep(POLL_MS / 2);
    }
    process->pid = 0;
    return code_of(status);
}

void process_expect_end(struct system *system, struct process *process, int code, int timeout_ms)
{
    int found = process_wait(system, process, timeout_ms);
    if (found != code) {
        system_fail(system, "%s: ended with %d, expected %d", process->log, found, code);
    }
}

void process_signal(struct process *process, int number)
{
    CHECK(process->pid > 0);
    CHECK_EQUAL(kill(process->pid, number), 0);
}

bool process_is_running(struct system *system, struct process *process)
{
    (void)system;
    siginfo_t info = {0};
    CHECK_EQUAL(waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == 0;
}

void process_expect_stopped(struct system *system, struct process *process, int timeout_ms)
{
    int status;
    int64_t end = system_now_ms() + timeout_ms;
    while (waitpid(process->pid, &status, WNOHANG | WUNTRACED) == 0) {
        if (system_now_ms() > end) {
            system_fail(system, "%s: not stopped within %d ms", process->log, timeout_ms);
        }
        system_sleep(POLL_MS);
    }
    if (!WIFSTOPPED(status)) {
        process->pid = 0;
        system_fail(system, "%s: ended with %d, expected a stop", process->log, code_of(status));
    }
}

void process_stop(struct system *system, struct process *process)
{
    process_signal(process, SIGTERM);
    process_expect_end(system, process, 0, 5000);
}

bool process_said(const struct process *process, const char *text)
{
    FILE *file = fopen(process->log, "r");
    if (!file) {
        return false;
    }
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (!found && getline(&line, &room, file) > 0) {
        found = strstr(line, text) != NULL;
    }
    free(line);
    fclose(file);
    return found;
}

void process_expect_said(struct system *system, struct process *process, const char *text,
                         int timeout_ms)
{
    int64_t end = system_now_ms() + timeout_ms;
    while (!process_said(process, text)) {
        if (system_now_ms() > end) {
            system_fail(system, "%s: has not said '%s' within %d ms", process->log, text,
                        timeout_ms);
        }
        system_sleep(POLL_MS);
    }
}

const char *system_state_path(struct system *system, const char *host, int partition)
{
    return arena_format(&system->arena, "%s/%s/%s/p%d.sqlite", system->directory, host ? host : "a",
                        system->application_id, partition);
}

/* ---- topics ---- */

int64_t system_end_of(struct system *system, const char *topic, int32_t partition)
{
    struct error error;
    struct port_log *logs;
    int32_t partitions;
    enum outcome outcome;
    for (int64_t end = system_now_ms() + 10000;; system_sleep(100)) {
        outcome = admin_logs(system->admin, topic, &logs, &partitions, &error);
        if (outcome != RETRY || system_now_ms() > end) {
            break; /* a broker that has just started needs a moment */
        }
    }
    must(system, outcome, &error);
    assert_true(partition < partitions);
    int64_t high = logs[partition].high;
    free(logs);
    return high;
}

void system_send(struct system *system, const char *topic, int32_t partition, const char *key,
                 struct weir_bytes value)
{
    struct error error;
    struct weir_bytes key_bytes = {(const uint8_t *)key, key ? strlen(key) : 0};
    must(system, writer_send(system->writer, topic, partition, key_bytes, value, NULL, 0, &error),
         &error);
}

void system_flush(struct system *system)
{
    struct error error;
    must(system, writer_flush(system->writer, 30000, &error), &error);
}

void system_delete_records(struct system *system, const char *topic, int32_t partition,
                           int64_t offset)
{
    struct error error;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(system->admin->handle, &request, 1, NULL, system->admin->answers);
    rd_kafka_event_t *answer;
    must(system, admin_answer(system->admin, "deleting records", &answer, &error), &error);
    rd_kafka_event_destroy(answer);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

void system_forget_input(struct system *system, const char *topic)
{
    for (int32_t p = 0; p < SYSTEM_PARTITIONS; p++) {
        system_delete_records(system, topic, p, -1);
    }
}

int64_t system_committed(struct system *system, const char *topic, int32_t partition)
{
    struct error error;
    struct port_offset offset;
    enum outcome outcome = admin_committed(system->admin, system->application_id, &topic, 1,
                                           partition, &offset, &error);
    if (outcome == RETRY) {
        return -2;
    }
    must(system, outcome, &error);
    return offset.offset;
}

static bool nobody_runs(struct system *system)
{
    for (size_t i = 0; i < system->process_count; i++) {
        if (system->processes[i].pid > 0 && process_is_running(system, &system->processes[i])) {
            return false;
        }
    }
    return true;
}

void system_expect_committed(struct system *system, const char *topic, int32_t partition,
                             int64_t offset, int timeout_ms)
{
    int64_t end = system_now_ms() + timeout_ms, found;
    while ((found = system_committed(system, topic, partition)) < offset) {
        if (nobody_runs(system)) {
            system_fail(system,
                        "%s partition %d: committed %" PRId64 ", not %" PRId64
                        ", and no process is left",
                        topic, (int)partition, found, offset);
        }
        if (system_now_ms() > end) {
            system_fail(system,
                        "%s partition %d: committed %" PRId64 ", not %" PRId64 " within %d ms",
                        topic, (int)partition, found, offset, timeout_ms);
        }
        system_sleep(POLL_MS);
    }
    assert_int_equal(found, offset);
}

void system_commit(struct system *system, const char *topic, int32_t partition, int64_t offset,
                   const char *metadata)
{
    struct error error;
    struct port_offset at = {.topic = topic, .offset = offset};
    snprintf(at.metadata, sizeof at.metadata, "%s", metadata);
    must(system, admin_commit(system->admin, system->application_id, &at, 1, partition, &error),
         &error);
}

void system_delete_group(struct system *system)
{
    struct error error;
    rd_kafka_DeleteGroup_t *request = rd_kafka_DeleteGroup_new(system->application_id);
    rd_kafka_DeleteGroups(system->admin->handle, &request, 1, NULL, system->admin->answers);
    rd_kafka_event_t *answer;
    must(system, admin_answer(system->admin, "deleting the group", &answer, &error), &error);
    rd_kafka_event_destroy(answer);
    rd_kafka_DeleteGroup_destroy(request);
}
