/* up.c - `weir up`: all processors of a configuration directory on this machine, as one process
 * each, or one process per partition.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "processors.h"
#include "runtime/topology.h"
#include "tool.h"
#include "up/supervisor.h"

enum { ARGUMENTS_MAX = 2 * OPTION_LIST_MAX + 16 };

static struct tool_place place;
static bool per_partition;
static int64_t instances = 1;
static const char *run_dir;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"per-partition", 0, OPTION_FLAG, &per_partition, NULL,
     "one process for each partition of each processor"},
    {"instances", 0, OPTION_NUMBER, &instances, "N",
     "else so many group members per processor (default: 1)"},
    {"run-dir", 0, OPTION_TEXT, &run_dir, "DIR",
     "where status.json is kept (default: <state.dir>/run)"},
    {0},
};

struct up {
    struct supervisor supervisor;
    bool wanted[WEIR_LIST_MAX * 4]; /* by index of processors[] */
    struct arena arena;
    const char *run_dir;
    int lock;
};

static const char *config_dir(void)
{
    return place.config_dir ? place.config_dir : "config";
}

/* Every NAME.conf but common.conf must be a processor: a misspelt name must not pass for "not
 * wanted". */
static enum outcome find_processors(struct up *up, struct error *error)
{
    DIR *directory = opendir(config_dir());
    if (!directory) {
        return fail_exit(error, EXIT_CONFIG, "%s: %s; give the configuration directory with -c",
                         config_dir(), strerror(errno));
    }
    size_t found = 0;
    enum outcome outcome = OK;
    for (struct dirent *entry; outcome == OK && (entry = readdir(directory)) != NULL;) {
        const char *end = strrchr(entry->d_name, '.');
        if (!end || strcmp(end, ".conf") != 0 || strcmp(entry->d_name, "common.conf") == 0) {
            continue;
        }
        size_t i = 0, length = (size_t)(end - entry->d_name);
        while (processors[i] && (strlen(processors[i]->name) != length ||
                                 strncmp(processors[i]->name, entry->d_name, length) != 0)) {
            i++;
        }
        if (!processors[i]) {
            outcome =
                fail_exit(error, EXIT_CONFIG,
                          "%s/%s: there is no processor of this name; `weir --help` lists them",
                          config_dir(), entry->d_name);
        } else {
            up->wanted[i] = true;
            found++;
        }
    }
    closedir(directory);
    if (outcome == OK && found == 0) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s: no PROCESSOR.conf here; an empty file is enough to run one",
                         config_dir());
    }
    return outcome;
}

/* `weir run` as a person would type it. */
static void add_child(struct up *up, const struct weir_processor *processor, const char *name,
                      const char *flag, const char *which)
{
    const char *arguments[ARGUMENTS_MAX] = {"weir", "run", processor->name, flag, which};
    size_t count = 5;
    arguments[count++] = "-c";
    arguments[count++] = arena_format(&up->arena, "%s/%s.conf", config_dir(), processor->name);
    if (place.bootstrap_servers) {
        arguments[count++] = "-X";
        arguments[count++] =
            arena_format(&up->arena, "bootstrap.servers=%s", place.bootstrap_servers);
    }
    if (place.state_dir) {
        arguments[count++] = "-X";
        arguments[count++] = arena_format(&up->arena, "state.dir=%s", place.state_dir);
    }
    for (size_t i = 0; i < place.properties.count; i++) {
        arguments[count++] = "-X";
        arguments[count++] = arena_format(&up->arena, "librdkafka.%s", place.properties.items[i]);
    }
    supervisor_add(&up->supervisor, name, arguments);
}

static void add_children(struct up *up, const struct weir_processor *processor,
                         const char *application_id)
{
    char host[256] = "host";
    gethostname(host, sizeof host - 1);
    int64_t count = per_partition ? topology_partitions(processor) : instances;
    for (int64_t i = 0; i < count; i++) {
        if (per_partition) {
            add_child(up, processor, arena_format(&up->arena, "%s.p%" PRId64, application_id, i),
                      "--partition", arena_format(&up->arena, "%" PRId64, i));
        } else {
            add_child(up, processor,
                      arena_format(&up->arena, "%s.m%" PRId64, application_id, i + 1), "--instance",
                      arena_format(&up->arena, "%s-%s-%" PRId64, host, application_id, i + 1));
        }
    }
}

/* Reads every configuration now, so that a mistake is told once and not by twelve processes. */
static enum outcome plan(struct up *up, struct error *error)
{
    for (size_t i = 0; processors[i]; i++) {
        struct settings settings;
        if (!up->wanted[i]) {
            continue;
        }
        enum outcome outcome = tool_settings(&place, processors[i], &settings, error);
        if (outcome == OK) {
            add_children(up, processors[i], settings.application_id);
            up->run_dir =
                run_dir ? run_dir : arena_format(&up->arena, "%s/run", settings.state_dir);
        }
        settings_release(&settings);
        if (outcome != OK) {
            return outcome;
        }
    }
    return OK;
}

static enum outcome make_directories(const char *path, struct error *error)
{
    char partial[4096];
    snprintf(partial, sizeof partial, "%s/", path);
    for (char *slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            return fail_exit(error, EXIT_IO, "%s: %s; choose another state.dir or --run-dir",
                             partial, strerror(errno));
        }
        *slash = '/';
    }
    return OK;
}

/* One `weir up` per run directory: the lock goes with the process. */
static enum outcome take_lock(struct up *up, struct error *error)
{
    enum outcome outcome = make_directories(up->run_dir, error);
    if (outcome != OK) {
        return outcome;
    }
    const char *path = arena_format(&up->arena, "%s/lock", up->run_dir);
    up->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (up->lock < 0) {
        return fail_exit(error, EXIT_IO, "%s: %s", path, strerror(errno));
    }
    if (flock(up->lock, LOCK_EX | LOCK_NB) != 0) {
        return fail_exit(error, EXIT_TRY_AGAIN,
                         "%s is locked: another `weir up` runs here; stop it, or give --run-dir",
                         path);
    }
    return OK;
}

static int run(size_t count, char **arguments)
{
    (void)count, (void)arguments;
    static struct up up;
    struct error error;
    if (instances < 1 || instances > 64) {
        return tool_usage("up", "--instances: write a number from 1 to 64");
    }
    up.lock = -1;
    arena_init(&up.arena);
    supervisor_init(&up.supervisor, stdout, NULL);
    enum outcome outcome = find_processors(&up, &error);
    if (outcome == OK) {
        outcome = plan(&up, &error);
    }
    if (outcome == OK) {
        outcome = take_lock(&up, &error);
    }
    if (outcome == OK) {
        up.supervisor.status_path = arena_format(&up.arena, "%s/status.json", up.run_dir);
        outcome = supervisor_run(&up.supervisor, &error);
    }
    int code = outcome == OK ? EXIT_DONE : tool_fail("up", outcome, &error);
    supervisor_release(&up.supervisor);
    arena_release(&up.arena);
    if (up.lock >= 0) {
        close(up.lock);
    }
    return code;
}

const struct command up_command = {
    .name = "up",
    .summary = "run all processors of a configuration, and start them again when they end",
    .usage = "weir up [-c DIR] [--per-partition | --instances N]",
    .text = "Starts every processor that has a PROCESSOR.conf in the configuration directory, puts "
            "the name of the process\n"
            "in front of each line it logs, and starts again what ends: after 100 ms, then twice "
            "as long each time, 10 s at\n"
            "most. SIGTERM or Ctrl-C stops all of them cleanly. <state.dir>/run/status.json says "
            "which processes there are.",
    .example = "  weir up --per-partition\n"
               "  inventory.p0 | 2026-11-21T16:50:00.123Z info inventory.p0 started ...",
    .options = options,
    .arguments_max = 0,
    .run = run,
};
