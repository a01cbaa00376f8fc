/* system.c - the broker and the cases of the system tests. */
#include "kafka/system.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "kafka/wire.h"
#include "processors.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { PORT = 19892, TAIL_BYTES = 2500 };

static struct {
    const char *program;
    bool started;
    int port;
    char bootstrap[32], proxied[32], secured[32];
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

void system_must(struct system *system, enum outcome outcome, const struct error *error)
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

static int proxy_port(void)
{
    return world.port + 3;
}

static int proxied_port(void)
{
    return world.port + 2;
}

struct wire *system_wire(struct system *system, const struct wire_plan *plan)
{
    system->wire = wire_open(proxy_port(), proxied_port(), plan);
    return system->wire;
}

const char *system_secured(void)
{
    return world.secured;
}

const char *system_certificate(void)
{
    return BINARY_DIR "/kafka-system.pem";
}

static int secured_port(void)
{
    return world.port + 4;
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

/* The secured listener's key, and its certificate for the clients: made once. */
static void make_certificate(void)
{
    static const char keys[] = BINARY_DIR "/kafka-system.p12";
    char line[2000];
    snprintf(line, sizeof line,
             "test -s '%s' || { rm -f '%s' && keytool -genkeypair -keyalg EC -alias broker "
             "-dname CN=127.0.0.1 -ext san=ip:127.0.0.1 -validity 36500 -storetype PKCS12 "
             "-storepass changeit -keystore '%s' && keytool -exportcert -rfc -alias broker "
             "-storepass changeit -keystore '%s' -file '%s'; } >/dev/null 2>&1",
             system_certificate(), keys, keys, keys, system_certificate());
    CHECK_EQUAL(shell(line), 0);
}

/* A second listener, which tells its clients to come through the proxy; a third, with TLS and a
 * password (weir, "of water"); and no long waits for what a dead process has left open. Not under 3
 * s: a broker that aborts a transaction before it has learnt who leads the partitions forgets the
 * markers, and the transaction hangs for ever. */
static void write_broker_settings(void)
{
    FILE *file = fopen(BINARY_DIR "/kafka-system.extra", "w");
    CHECK(file);
    fprintf(file,
            "listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d,PROXIED://127.0.0.1:%d,"
            "SECURED://127.0.0.1:%d\n"
            "advertised.listeners=PROXIED://127.0.0.1:%d,SECURED://127.0.0.1:%d,"
            "PLAINTEXT://127.0.0.1:%d\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "PROXIED:PLAINTEXT,SECURED:SASL_SSL\n"
            "inter.broker.listener.name=PLAINTEXT\n"
            "sasl.enabled.mechanisms=PLAIN\n"
            "listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain."
            "PlainLoginModule required user_weir=\"of water\";\n"
            "ssl.keystore.type=PKCS12\n"
            "ssl.keystore.location=" BINARY_DIR "/kafka-system.p12\n"
            "ssl.keystore.password=changeit\n"
            "transaction.abort.timed.out.transaction.cleanup.interval.ms=3000\n",
            world.port, world.port + 1, proxied_port(), secured_port(), proxy_port(),
            secured_port(), world.port);
    CHECK_EQUAL(fclose(file), 0);
}

static void seed_random(void)
{
    const char *given = getenv("WEIR_SEED");
    world.random = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("%s: WEIR_SEED=%" PRIu64 "\n", world.program, world.random);
    fflush(stdout);
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
        outcome = system_create_missing(admin, processors[i], processors[i]->name, &error);
        for (int tries = 0; tries < 20 && outcome == RETRY; tries++) {
            system_sleep(500);
            outcome = system_create_missing(admin, processors[i], processors[i]->name, &error);
        }
    }
    if (outcome != OK) {
        fprintf(stderr, "%s\n", error.text);
    }
    admin_close(admin);
    return outcome == OK;
}

static bool is_there(const char *program)
{
    const char *port = getenv("WEIR_SYSTEM_PORT");
    world.program = program;
    world.port = port ? atoi(port) : PORT;
    snprintf(world.bootstrap, sizeof world.bootstrap, "127.0.0.1:%d", world.port);
    snprintf(world.proxied, sizeof world.proxied, "127.0.0.1:%d", proxy_port());
    snprintf(world.secured, sizeof world.secured, "127.0.0.1:%d", secured_port());
    log_set_level(LOG_ERROR);
    seed_random();
    make_certificate();
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

static void leave(void)
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

/* ---- the program ---- */

int system_cases(const char *program, const struct CMUnitTest *cases, size_t count, int argc,
                 char **argv)
{
    if (!is_there(program)) {
        return SYSTEM_SKIPPED;
    }
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    int failed = _cmocka_run_group_tests(program, cases, count, NULL, NULL);
    leave();
    return failed;
}
