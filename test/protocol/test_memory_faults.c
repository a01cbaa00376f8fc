/* test_memory_faults.c - every allocation fails once: what is ours ends the process with one line,
 * what is SQLite's comes out as an error, and the next start gets to the same end.
 *
 * A process that has run out of memory aborts (base/arena.h): a crash is a path that it survives
 * anyway. Here abort() is a jump out of the runtime. What the process had is left behind as it is,
 * and the next one finds a copy of its directory, because SQLite knows its files by their inodes.
 * Each story is told in a process of its own, which must end well, however many crashes it is
 * about.
 *
 * Counted are malloc, calloc, realloc and strdup as our own objects call them (the linker wraps
 * them), but for the broker in memory and the test, and what SQLite asks for.
 */
#include "protocol/life.h"
#include "protocol/scarce_memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SITES_TRIED = 200, STEPS = 2000 };

/* ---- the port, which allocates as it likes ---- */

static const struct port_calls *broker;

#define OUTSIDE(type, call)                           \
    do {                                              \
        bool was_running = scarce_memory_runs(false); \
        type result = (call);                         \
        (void)scarce_memory_runs(was_running);        \
        return result;                                \
    } while (0)

static enum outcome start(struct port *port, const char *topic, int32_t partition, int64_t offset,
                          struct error *error)
{
    OUTSIDE(enum outcome, broker->start(port, topic, partition, offset, error));
}

static enum outcome fetch(struct port *port, const char *topic, int32_t partition,
                          struct port_record *records, size_t max, size_t *count,
                          struct error *error)
{
    OUTSIDE(enum outcome, broker->fetch(port, topic, partition, records, max, count, error));
}

static enum outcome committed(struct port *port, const char *const *topics, size_t count,
                              int32_t partition, int timeout_ms, struct port_offset *offsets,
                              struct error *error)
{
    OUTSIDE(enum outcome,
            broker->committed(port, topics, count, partition, timeout_ms, offsets, error));
}

static enum outcome look_at_log(struct port *port, const char *topic, int32_t partition,
                                int timeout_ms, struct port_log *log, struct error *error)
{
    OUTSIDE(enum outcome, broker->log(port, topic, partition, timeout_ms, log, error));
}

static enum outcome producer_open(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error)
{
    OUTSIDE(enum outcome, broker->producer_open(port, transactional_id, producer, error));
}

static enum txn_result init(struct producer *producer, int timeout_ms, struct error *error)
{
    OUTSIDE(enum txn_result, broker->init(producer, timeout_ms, error));
}

static enum txn_result begin(struct producer *producer, struct error *error)
{
    OUTSIDE(enum txn_result, broker->begin(producer, error));
}

static enum txn_result send(struct producer *producer, const char *topic, int32_t partition,
                            struct weir_bytes key, struct weir_bytes value,
                            const struct port_header *headers, size_t header_count,
                            struct port_delivery *delivery, struct error *error)
{
    OUTSIDE(enum txn_result, broker->send(producer, topic, partition, key, value, headers,
                                          header_count, delivery, error));
}

static enum txn_result send_offsets(struct producer *producer, const struct port_offset *offsets,
                                    size_t count, int32_t partition, int timeout_ms,
                                    struct error *error)
{
    OUTSIDE(enum txn_result,
            broker->send_offsets(producer, offsets, count, partition, timeout_ms, error));
}

static enum txn_result commit(struct producer *producer, int timeout_ms, struct error *error)
{
    OUTSIDE(enum txn_result, broker->commit(producer, timeout_ms, error));
}

static enum txn_result end_by_abort(struct producer *producer, int timeout_ms, struct error *error)
{
    OUTSIDE(enum txn_result, broker->abort(producer, timeout_ms, error));
}

static enum outcome reader_open(struct port *port, const char *topic, int32_t partition,
                                int64_t offset, struct reader **reader, struct error *error)
{
    OUTSIDE(enum outcome, broker->reader_open(port, topic, partition, offset, reader, error));
}

static enum outcome read_log(struct reader *reader, int timeout_ms, struct port_record *records,
                             size_t max, size_t *count, int64_t *position, struct error *error)
{
    OUTSIDE(enum outcome, broker->read(reader, timeout_ms, records, max, count, position, error));
}

static void port_opened(struct port *port)
{
    static struct port_calls calls;
    broker = port->calls;
    calls = *broker;
    calls.start = start;
    calls.fetch = fetch;
    calls.committed = committed;
    calls.log = look_at_log;
    calls.producer_open = producer_open;
    calls.init = init;
    calls.begin = begin;
    calls.send = send;
    calls.send_offsets = send_offsets;
    calls.commit = commit;
    calls.abort = end_by_abort;
    calls.reader_open = reader_open;
    calls.read = read_log;
    port->calls = &calls;
}

static void runs(bool now)
{
    (void)scarce_memory_runs(now);
}

/* ---- processes ---- */

static const struct world_watch watch = {port_opened, runs, STEPS};
static int deaths;

/* What a dead process leaves: its files. The broker hears nothing more of it. */
static enum outcome bury(struct world *world)
{
    char text[256], before[sizeof world->directory];
    deaths++;
    world->task = NULL;
    broker_port_close(world->port);
    world->port = NULL;
    memcpy(before, world->directory, sizeof before);
    snprintf(text, sizeof text, "cp -r %s %s+ && rm -rf %s", before, before, before);
    assert_int_equal(system(text), 0);
    strcat(world->directory, "+");
    snprintf(world->state_path, sizeof world->state_path, "%s/tally/p0.sqlite", world->directory);
    return fail_exit(&world->error, EXIT_TRY_AGAIN, "out of memory");
}

static enum outcome guarded_start(struct world *world)
{
    return setjmp(scarce_memory_death) ? bury(world) : world_start(world);
}

static enum outcome guarded_run(struct world *world)
{
    return setjmp(scarce_memory_death) ? bury(world) : world_run(world);
}

static void guarded_stop(struct world *world)
{
    if (setjmp(scarce_memory_death)) {
        (void)bury(world);
    } else {
        world_stop(world);
    }
}

static char *story(struct life *life)
{
    *life = (struct life){.mend = scarce_memory_end,
                          .watch = &watch,
                          .start = guarded_start,
                          .run = guarded_run,
                          .stop = guarded_stop};
    return life_story(life);
}

/* ---- the tests ---- */

struct tally {
    int deaths, ended, stuck;
};

static _Noreturn void tell(const char *expected, enum memory_owner owner, long site,
                           struct tally *tally)
{
    struct life life;
    scarce_memory_begin(owner, site);
    if (!getenv("WEIR_TEST_LOG")) {
        (void)!freopen("/dev/null", "w", stderr); /* "out of memory", again and again */
    }
    char *picture = story(&life);
    tally->deaths += deaths;
    tally->ended += life.ended - deaths;
    tally->stuck += life.stuck;
    if (strcmp(picture, expected) != 0) {
        printf("--- expected\n%s--- found\n%s", expected, picture);
        exit(1);
    }
    exit(0);
}

static void expect_the_same_story(const char *expected, enum memory_owner owner, long site,
                                  struct tally *tally)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        tell(expected, owner, site, tally);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) {
        fail_msg("allocation %ld %s: %s %d", site, owner == OURS ? "of ours" : "of SQLite's",
                 WIFSIGNALED(status) ? "it died by signal" : "it ended with",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

static void tells_the_same_story_when_memory_is_out(enum memory_owner owner)
{
    struct life life;
    struct tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* the children add to it */
    assert_true(tally != MAP_FAILED);
    scarce_memory_begin(owner, 0);
    char *expected = story(&life);
    long sites = scarce_memory_sites(), tried = 0;
    assert_int_equal(life.ended + life.stuck, 0);
    long stride = getenv("WEIR_EVERY_SITE") ? 1 : sites / SITES_TRIED + 1;
    for (long site = 1; site <= sites; site += stride, tried++) {
        expect_the_same_story(expected, owner, site, tally);
    }
    print_message("             %ld of %ld sites; %d aborts, %d processes ended, %d waited\n",
                  tried, sites, tally->deaths, tally->ended, tally->stuck);
    assert_int_equal(tally->deaths, owner == OURS ? tried : 0);
    free(expected);
    munmap(tally, sizeof *tally);
}

static void ends_the_process_when_it_gets_no_memory(void **state)
{
    (void)state;
    tells_the_same_story_when_memory_is_out(OURS);
}

static void takes_sqlites_lack_of_memory_for_a_passing_error(void **state)
{
    (void)state;
    tells_the_same_story_when_memory_is_out(SQLITES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_the_process_when_it_gets_no_memory),
        cmocka_unit_test(takes_sqlites_lack_of_memory_for_a_passing_error),
    };
    scarce_memory_register();
    return cmocka_run_group_tests_name("memory faults", tests, NULL, NULL);
}
