/* fleet_start.c - a process of a place, or a command, between fork and exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "chaos/fleet.h"
#include "processors.h"

enum { ARGUMENTS_MAX = 40 };

static struct child *free_child(struct fleet *fleet)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (!fleet->children[i].running && fleet->children[i].pipe < 0) {
            return &fleet->children[i];
        }
    }
    BUG("more processes than there is room for");
}

/* In the child, between fork and exec. */
_Noreturn static void become(const struct fleet *fleet, const struct place *place,
                             char *const *arguments, int output, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_TRY_AGAIN);
    }
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (place && place->kill_at[0]) {
        setenv("WEIR_KILL_AT", place->kill_at, 1);
    }
    if (place && place->faketime[0]) {
        setenv("LD_PRELOAD", fleet->options->faketime, 1);
        setenv("FAKETIME_TIMESTAMP_FILE", place->faketime, 1);
        setenv("FAKETIME_CACHE_DURATION", "1", 1);
        setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
        setenv("DONT_FAKE_MONOTONIC", "1", 1);
    }
    execv(arguments[0], arguments);
    dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static struct child *spawn(struct fleet *fleet, struct place *place, const char *name,
                           const char *id, char *const *arguments)
{
    struct child *child = free_child(fleet);
    char path[400];
    int ends[2];
    CHECK_EQUAL(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    snprintf(path, sizeof path, "%s/logs/%s.log", fleet->options->directory, name);
    if (child->log) {
        fclose(child->log);
    }
    struct buffer line = child->line;
    buffer_reset(&line);
    *child = (struct child){.place = place, .pipe = ends[0], .line = line, .running = true};
    child->log = fopen(path, "ae");
    CHECK(child->log);
    child->started_ms = now_ms();
    snprintf(child->id, sizeof child->id, "%s", id);
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        become(fleet, place, arguments, ends[1], parent);
    }
    close(ends[1]);
    pthread_mutex_lock(&fleet->mutex);
    child->pid = pid;
    pthread_mutex_unlock(&fleet->mutex);
    return child;
}

struct child *fleet_start(struct fleet *fleet, struct place *place)
{
    const struct options *options = fleet->options;
    const char *processor = processors[place->processor]->name;
    struct arena arena;
    char *arguments[ARGUMENTS_MAX] = {NULL};
    char id[WORD];
    size_t count = 0;
    arena_init(&arena);
    snprintf(id, sizeof id, "%.50s#%d", place->name, ++place->starts);
    arguments[count++] = arena_format(&arena, "%s", options->weir);
    arguments[count++] = arena_format(&arena, "run");
    arguments[count++] = arena_format(&arena, "%s", processor);
    arguments[count++] = place->partition < 0
                             ? arena_format(&arena, "--instance=%s", place->name)
                             : arena_format(&arena, "--partition=%d", (int)place->partition);
    arguments[count++] =
        arena_format(&arena, "--config=%s/config/%s.conf", options->directory, processor);
    arguments[count++] = arena_format(&arena, "--wait=60000");
    arguments[count++] =
        arena_format(&arena, "-Xbootstrap.servers=127.0.0.1:%d", options->port + 3);
    arguments[count++] =
        arena_format(&arena, "-Xstate.dir=%s/state/%s", options->directory, disks[place->disk]);
    arguments[count++] = arena_format(&arena, "-Xlog.level=debug");
    arguments[count++] = arena_format(&arena, "-Xlibrdkafka.client.id=%s", id);
    struct child *child = spawn(fleet, place, place->name, id, arguments);
    child->armed = place->kill_at[0] != 0;
    if (child->armed || place->faketime[0]) {
        fprintf(child->log, "--- %s pid %d kill_at=%s clock=%s\n", id, (int)child->pid,
                place->kill_at, place->faketime);
    } else {
        fprintf(child->log, "--- %s pid %d\n", id, (int)child->pid);
    }
    place->kill_at[0] = 0;
    place->child = child;
    fleet->results->counts[COUNT_STARTS]++;
    arena_release(&arena);
    return child;
}

struct child *fleet_command(struct fleet *fleet, const char *name, const char *const *arguments)
{
    return spawn(fleet, NULL, name, name, (char *const *)arguments);
}
