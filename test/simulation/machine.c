/* machine.c - see machine.h. */
#include "simulation/machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simulation/disk.h"
#include "simulation/world.h"
#include "trace/port.h"

/* One thread, and an instance opens its port in its own round: this is whose. A round may have
 * another machine's inside. */
static struct machine *current;

static int trace = -1; /* where port calls are written down; -1: nowhere */

static struct machine *enter(struct machine *machine)
{
    struct machine *before = current;
    current = machine;
    return before;
}

struct machine *machine_at_work(void)
{
    return current;
}

static enum outcome open_port(struct port **port, const struct client_options *options,
                              struct error *error)
{
    (void)error;
    struct client_options kept = *options;
    size_t count = 0;
    for (; options->topics[count]; count++) {
        current->topics[count] = options->topics[count];
    }
    current->topics[count] = NULL;
    kept.topics = current->topics;
    *port = current->port = broker_port_open(current->broker, &kept);
    broker_port_skew(*port, current->skew_ms);
    if (trace >= 0) {
        *port = trace_port(*port, kept.application_id, trace);
    }
    return OK;
}

static void close_port(struct port *port)
{
    struct port *inner = port == current->port ? port : trace_unwrap(port);
    current->port = NULL;
    broker_port_close(inner);
}

void machine_trace(int out)
{
    trace = out;
}

void machine_trace_anew(const struct machine *machine)
{
    if (trace >= 0) {
        struct port *port =
            broker_port_open(machine->broker,
                             &(struct client_options){.application_id = machine->processor->name});
        dprintf(trace, "%" PRId64 " - anew\n", port->calls->monotonic_us(port));
        broker_port_close(port);
    }
}

void machine_init(struct machine *machine, struct broker *broker, struct codec *codec,
                  const struct weir_processor *processor, const char *parent, int number,
                  int32_t partition)
{
    *machine = (struct machine){.broker = broker,
                                .codec = codec,
                                .processor = processor,
                                .number = number,
                                .partition = partition};
    snprintf(machine->name, sizeof machine->name, "m%d", number);
    snprintf(machine->directory, sizeof machine->directory, "%s/m%d", parent, number);
    CHECK_EQUAL(mkdir(machine->directory, 0700), 0);
    machine->settings = (struct settings){
        .application_id = processor->name,
        .state_dir = machine->directory,
        .commit_pause_ms = 2,
        .take_max_records = 8, /* small, so that a run has many takes */
        .take_max_bytes = 4096,
        .transaction_timeout_ms = 10000,
        .session_timeout_ms = 6000,
        .store_commit_ms = 200,
        .clock_bound_ms = 60000,
        .delete_retention_ms = WORLD_DELETE_RETENTION_MS,
    };
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        machine->settings.values[i] = processor->settings[i]->default_value;
    }
}

void machine_start(struct machine *machine)
{
    struct machine *before = enter(machine);
    const struct instance_options options = {
        .processor = machine->processor,
        .settings = &machine->settings,
        .codec = machine->codec,
        .partition = machine->partition,
        .instance_id = machine->partition < 0 ? machine->name : NULL,
        .port_open = open_port,
        .port_close = close_port,
    };
    CHECK_EQUAL(instance_open(&machine->instance, &options, &machine->error), OK);
    machine->starts++;
    machine->starts_ms = INT64_MAX;
    machine->sleeps_until_ms = 0;
    machine->exit_code = 0;
    machine->misled = false;
    current = before;
}

static void close_instance(struct machine *machine)
{
    struct machine *before = enter(machine);
    instance_close(machine->instance);
    machine->instance = NULL;
    machine->port = NULL;
    current = before;
}

void machine_step(struct machine *machine)
{
    CHECK(!machine->busy);
    struct machine *before = enter(machine);
    machine->busy = true;
    enum outcome outcome = instance_step(machine->instance, &machine->error);
    machine->busy = false;
    if (machine->port && broker_port_crashed(machine->port)) {
        machine_kill(machine, NULL);
    } else if (outcome != OK) {
        machine->exit_code = machine->error.exit_code;
        close_instance(machine);
    }
    current = before;
}

void machine_crash(struct machine *machine)
{
    broker_port_crash(machine->port);
    disk_kill(machine->directory);
}

static uint64_t draw(void *context, uint64_t below)
{
    return dice_below(context, below);
}

void machine_state_path(const struct machine *machine, int32_t partition, char path[200])
{
    snprintf(path, 200, "%s/%s/p%d.sqlite", machine->directory, machine->processor->name,
             (int)partition);
}

static void remove_beside(const struct machine *machine, const char *suffix)
{
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        char path[200], beside[220];
        machine_state_path(machine, partition, path);
        snprintf(beside, sizeof beside, "%s%s", path, suffix);
        unlink(beside);
    }
}

void machine_kill(struct machine *machine, struct dice *power)
{
    if (machine->port) {
        broker_port_crash(machine->port);
    }
    disk_kill(machine->directory);
    close_instance(machine);
    machine->exit_code = EXIT_TRY_AGAIN;
    if (power) {
        disk_power_cut(machine->directory, draw, power);
        remove_beside(machine, "-shm");  /* memory */
        remove_beside(machine, ".lock"); /* the time stamps that it holds belong to another boot */
    }
}

void machine_stop(struct machine *machine)
{
    close_instance(machine);
}

void machine_pause(struct machine *machine)
{
    if (machine->port) {
        broker_port_pause(machine->port);
    }
}

void machine_skew(struct machine *machine, int64_t ms)
{
    machine->skew_ms = ms;
    if (machine->port) {
        broker_port_skew(machine->port, ms);
    }
}

/* ---- state files ---- */

static const char *const suffixes[] = {"", "-wal"};

void machine_lose_state(struct machine *machine)
{
    remove_beside(machine, "");
    remove_beside(machine, "-wal");
    remove_beside(machine, "-shm");
    disk_forget(machine->directory);
}

static bool copy_file(const char *from, const char *to)
{
    char bytes[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        unlink(to);
        return false;
    }
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(out >= 0);
    ssize_t got;
    while ((got = read(in, bytes, sizeof bytes)) > 0) {
        CHECK_EQUAL(write(out, bytes, (size_t)got), got);
    }
    close(in);
    close(out);
    return true;
}

static bool copy_all(const struct machine *machine, bool back)
{
    bool any = false;
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
            char path[200], from[230], to[230];
            machine_state_path(machine, partition, path);
            snprintf(from, sizeof from, "%s%s%s", path, suffixes[i], back ? ".copy" : "");
            snprintf(to, sizeof to, "%s%s%s", path, suffixes[i], back ? "" : ".copy");
            any = copy_file(from, to) || any;
        }
    }
    return any;
}

bool machine_copy_state(struct machine *machine)
{
    return copy_all(machine, false);
}

bool machine_put_copy_back(struct machine *machine)
{
    char path[200], copy[210];
    bool there = false;
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        machine_state_path(machine, partition, path);
        snprintf(copy, sizeof copy, "%s.copy", path);
        there |= access(copy, F_OK) == 0;
    }
    if (there) {
        machine_lose_state(machine);
        (void)copy_all(machine, true);
    }
    return there;
}
