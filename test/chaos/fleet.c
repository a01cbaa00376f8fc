/* fleet.c - one poll(2) over the pipes of all children and the signals.
 *
 * An end is right when it was asked for (SIGTERM: 0), when SIGKILL came, when the process gives way
 * to another owner (75), when the broker was away for too long (69), or when a state file cannot
 * be made because its disk was filled (74). Any other is a violation: a crash, a failed CHECK, and
 * a refusal (78) where nobody has tampered with anything and the broker has not said that its
 * offsets are out of sync.
 */
#include "chaos/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "chaos/forgotten.h"
#include "chaos/listen.h"
#include "processors.h"

enum {
    PAUSE_LEAST_MS = 100,
    PAUSE_MOST_MS = 2000,
    HEALTHY_MS = 5000,
    STOP_MS = 20000,
    COMMANDS_MS = 500,
    READ_BYTES = 64 * 1024,
    LINE_MAX_BYTES = 64 * 1024,
    BROKER_GRACE_MS = 90 * 1000,
    TOLD_MS = 20 * 1000, /* only the broker can tell a process that it was fenced */
    MEMBER_PLACES = 4,
};

const char *const disks[DISKS] = {"a",  "b",  "small", "m1", "n1", "m2",
                                  "n2", "m3", "n3",    "m4", "n4"};

int disk_twin(int disk)
{
    return disk < DISK_SMALL    ? disk ^ 1
           : disk == DISK_SMALL ? DISK_A
                                : DISK_MEMBERS + ((disk - DISK_MEMBERS) ^ 1);
}

void fleet_open(struct fleet *fleet, const struct options *options, struct results *results)
{
    *fleet = (struct fleet){.options = options, .results = results, .broker_bad_ms = INT64_MIN / 2};
    pthread_mutex_init(&fleet->mutex, NULL);
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL); /* before there are threads */
    fleet->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(fleet->signals >= 0);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        fleet->children[i].pipe = -1;
        buffer_init(&fleet->children[i].line);
    }
}

static struct place *add_place(struct fleet *fleet, int processor, int32_t partition, int number)
{
    CHECK(fleet->place_count < PLACES_MAX);
    struct place *place = &fleet->places[fleet->place_count++];
    *place = (struct place){.processor = processor, .partition = partition, .wanted = true};
    snprintf(place->name, sizeof place->name, "%.40s.%c%d", processors[processor]->name,
             partition < 0 ? 'm' : 'p', number);
    return place;
}

void fleet_arrange(struct fleet *fleet, enum mode mode)
{
    CHECK(mode != MIXED);
    fleet->place_count = 0;
    memset(fleet->tasks, 0, sizeof fleet->tasks);
    for (int i = 0; i < PROCESSORS; i++) {
        for (int k = 0; mode == FIXED && k < PARTITIONS; k++) {
            add_place(fleet, i, k, k);
        }
        for (int k = 0; mode == MEMBERS && k < MEMBER_PLACES; k++) {
            struct place *place = add_place(fleet, i, -1, k + 1);
            place->disk = DISK_MEMBERS + 2 * k;
            place->wanted = k < MEMBER_PLACES - 1; /* the last one comes and goes */
        }
    }
}

void fleet_state_path(const struct fleet *fleet, const struct place *place, int32_t partition,
                      char *path, size_t room)
{
    snprintf(path, room, "%s/state/%s/%s/p%d.sqlite", fleet->options->directory, disks[place->disk],
             processors[place->processor]->name, (int)partition);
}

/* ---- what they log ---- */

static void take_lines(struct fleet *fleet, struct child *child, bool ended)
{
    char *at = (char *)child->line.data, *end = at + child->line.size;
    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline && !ended && end - at < LINE_MAX_BYTES) {
            break;
        }
        char *stop = newline ? newline : end;
        fprintf(child->log, "%.*s\n", (int)(stop - at), at);
        if (child->place) {
            listen_line(fleet, child, at, (size_t)(stop - at));
        } else {
            snprintf(child->last, sizeof child->last, "%.*s", (int)(stop - at), at);
        }
        at = newline ? newline + 1 : end;
    }
    size_t left = (size_t)(end - at);
    if (left > 0) {
        memmove(child->line.data, at, left);
    }
    child->line.size = left;
}

static void read_pipe(struct fleet *fleet, struct child *child)
{
    ssize_t count;
    if (child->pipe < 0) {
        return;
    }
    while ((count = read(child->pipe, buffer_reserve(&child->line, READ_BYTES), READ_BYTES)) > 0) {
        child->line.size += (size_t)count;
        take_lines(fleet, child, false);
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(child->pipe);
        child->pipe = -1;
        take_lines(fleet, child, true);
        fflush(child->log);
    }
}

/* ---- ends ---- */

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void judge_end(struct fleet *fleet, struct child *child, int code)
{
    struct place *place = child->place;
    bool broker_was_away = now_ms() - fleet->broker_bad_ms < BROKER_GRACE_MS;
    fleet->results->counts[COUNT_KILLS] += code == -SIGKILL;
    fleet->results->counts[COUNT_FENCED] += code == EXIT_TRY_AGAIN;
    results_note(fleet->results, "%s ended with %d", child->id, code);
    if (code == -SIGKILL || code == EXIT_TRY_AGAIN || (code == EXIT_DONE && child->asked) ||
        (code == EXIT_UNAVAILABLE && broker_was_away) ||
        (code == EXIT_IO && place->disk == DISK_SMALL)) {
        return;
    }
    if (code == EXIT_CONFIG && place->may_refuse) {
        place->refused = true;
        return;
    }
    if (code == EXIT_CONFIG && strstr(child->last, "offsets were set back") &&
        forgotten_offsets(fleet)) {
        fleet->results->counts[COUNT_OLD_OFFSETS] += !fleet->offsets_are_old;
        fleet->offsets_are_old = true;
        return;
    }
    results_violation(fleet->results, "%s ended with %s %d: %s", child->id,
                      code < 0 ? "signal" : "exit code", code < 0 ? -code : code, child->last);
}

static void on_end(struct fleet *fleet, struct child *child, int status)
{
    struct place *place = child->place;
    int code = code_of(status);
    read_pipe(fleet, child);
    if (child->pipe >= 0) { /* a grandchild has it, or it is full of what was just read */
        close(child->pipe);
        child->pipe = -1;
        take_lines(fleet, child, true);
    }
    child->running = false;
    child->status = code;
    fclose(child->log);
    child->log = NULL;
    if (!place) {
        return;
    }
    judge_end(fleet, child, code);
    if (place->child != child) {
        return;
    }
    place->child = NULL;
    bool healthy = now_ms() - child->started_ms >= HEALTHY_MS;
    if (code == -SIGKILL || healthy || place->pause_ms == 0) {
        place->pause_ms = PAUSE_LEAST_MS;
    } else {
        place->pause_ms = place->pause_ms * 2 < PAUSE_MOST_MS ? place->pause_ms * 2 : PAUSE_MOST_MS;
    }
    place->start_at_ms = now_ms() + place->pause_ms;
}

static bool holds_a_task(const struct fleet *fleet, const struct child *child)
{
    bool holds = false;
    for (int p = 0; p < PARTITIONS; p++) {
        holds = holds || strcmp(fleet->tasks[child->place->processor][p].holder, child->id) == 0;
    }
    return holds;
}

/* One that another took over from must learn it; but what was in doubt when it fell asleep it
 * fences when it wakes up, and then it is the owner again, and the others give way. */
static void judge_survivor(struct fleet *fleet, struct child *child)
{
    if (now_ms() <= child->must_end_ms || now_ms() - fleet->broker_bad_ms <= TOLD_MS) {
        return;
    }
    child->must_end_ms = 0;
    if (!holds_a_task(fleet, child)) {
        results_violation(fleet->results, "%s still runs though another owner has its task",
                          child->id);
        kill(child->pid, SIGKILL);
    }
}

static void reap(struct fleet *fleet)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *child = &fleet->children[i];
        int status;
        if (!child->running) {
            continue;
        }
        pthread_mutex_lock(&fleet->mutex); /* the number is nobody's once it was waited for */
        bool ended = waitpid(child->pid, &status, WNOHANG) == child->pid;
        if (ended) {
            child->pid = 0;
        }
        pthread_mutex_unlock(&fleet->mutex);
        if (ended) {
            on_end(fleet, child, status);
        } else if (child->must_end_ms > 0) {
            judge_survivor(fleet, child);
        }
    }
}

/* ---- turns ---- */

static void start_due(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->place_count; i++) {
        struct place *place = &fleet->places[i];
        if (place->wanted && !place->child && now_ms() >= place->start_at_ms) {
            fleet_start(fleet, place);
        }
    }
}

void fleet_turn(struct fleet *fleet, int timeout_ms)
{
    struct pollfd polled[CHILDREN_MAX + 1] = {{.fd = fleet->signals, .events = POLLIN}};
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        polled[i + 1] = (struct pollfd){.fd = fleet->children[i].pipe, .events = POLLIN};
    }
    poll(polled, CHILDREN_MAX + 1, timeout_ms);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (polled[i + 1].revents) {
            read_pipe(fleet, &fleet->children[i]);
        }
    }
    struct signalfd_siginfo info;
    while (read(fleet->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        interrupted = interrupted || info.ssi_signo != SIGCHLD;
    }
    reap(fleet);
    start_due(fleet);
}

void fleet_turns(struct fleet *fleet, int64_t ms)
{
    for (int64_t end = now_ms() + ms; now_ms() < end && !interrupted;) {
        fleet_turn(fleet, 20);
    }
}

int fleet_wait(struct fleet *fleet, struct child *child, int64_t timeout_ms)
{
    int64_t end = now_ms() + timeout_ms;
    while (child->running) {
        if (now_ms() > end || interrupted) {
            kill(child->pid, SIGKILL);
            while (child->running) {
                fleet_turn(fleet, 20);
            }
            return -1;
        }
        fleet_turn(fleet, 20);
    }
    return child->status;
}

int fleet_run(struct fleet *fleet, const char *name, const char *const *arguments,
              int64_t timeout_ms)
{
    return fleet_wait(fleet, fleet_command(fleet, name, arguments), timeout_ms);
}

/* ---- ending them ---- */

void fleet_kill(struct fleet *fleet, struct place *place, int pause_ms)
{
    struct child *child = place->child;
    if (child) {
        kill(child->pid, SIGKILL);
        while (child->running) {
            reap(fleet);
            if (child->running) {
                sleep_ms(1);
            }
        }
    }
    place->start_at_ms = now_ms() + pause_ms;
}

bool fleet_kill_client(struct fleet *fleet, const char *id)
{
    bool found = false;
    pthread_mutex_lock(&fleet->mutex);
    for (size_t i = 0; i < CHILDREN_MAX && !found; i++) {
        struct child *child = &fleet->children[i];
        if (child->pid > 0 && strcmp(child->id, id) == 0) {
            found = kill(child->pid, SIGKILL) == 0;
        }
    }
    pthread_mutex_unlock(&fleet->mutex);
    return found;
}

void fleet_hold_all(struct fleet *fleet, bool hold)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        const struct child *child = &fleet->children[i];
        if (child->running && child->place && !child->asleep) {
            kill(child->pid, hold ? SIGSTOP : SIGCONT);
        }
    }
}

void fleet_ask_to_end(struct child *child)
{
    child->asked = true;
    kill(child->pid, SIGTERM);
}

void fleet_stop_all(struct fleet *fleet)
{
    bool any = true;
    int64_t end = now_ms() + STOP_MS;
    for (size_t i = 0; i < fleet->place_count; i++) {
        fleet->places[i].wanted = false;
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *child = &fleet->children[i];
        if (child->running && child->place) {
            fleet_ask_to_end(child);
        }
    }
    while (any) {
        any = false;
        fleet_turn(fleet, 20);
        for (size_t i = 0; i < CHILDREN_MAX; i++) {
            struct child *child = &fleet->children[i];
            any = any || (child->running && child->place);
            if (child->running && child->place && now_ms() > end) {
                results_violation(fleet->results, "%s does not stop when asked to", child->id);
                kill(child->pid, SIGKILL);
            }
        }
        end = now_ms() > end ? now_ms() + STOP_MS : end;
    }
}

bool fleet_is_up(const struct fleet *fleet)
{
    for (int i = 0; i < PROCESSORS; i++) {
        for (int p = 0; p < PARTITIONS; p++) {
            if (!fleet->tasks[i][p].owner || !fleet->tasks[i][p].owner->child) {
                return false;
            }
        }
    }
    return true;
}

/* Asked first: one that is just starting the broker has to write down which process that is. */
static void end_commands(const struct fleet *fleet)
{
    bool any = false;
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        const struct child *child = &fleet->children[i];
        if (child->running && !child->place) {
            kill(-child->pid, SIGTERM);
            any = true;
        }
    }
    if (any) {
        sleep_ms(COMMANDS_MS);
    }
}

void fleet_close(struct fleet *fleet)
{
    end_commands(fleet);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *child = &fleet->children[i];
        if (child->running) {
            kill(child->pid, SIGKILL);
            kill(-child->pid, SIGKILL); /* each has a group of its own */
            waitpid(child->pid, NULL, 0);
        }
        if (child->pipe >= 0) {
            close(child->pipe);
        }
        if (child->log) {
            fclose(child->log);
        }
        buffer_release(&child->line);
    }
    close(fleet->signals);
    pthread_mutex_destroy(&fleet->mutex);
}
