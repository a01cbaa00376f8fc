/* supervisor.c - one poll(2) over the pipes of all children and the signals. */
#include "up/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "tool.h"

enum {
    PAUSE_LEAST_MS = 100,
    PAUSE_MOST_MS = 10000,
    HEALTHY_MS = 10000,
    STOP_MS = 10000,
    LINE_MAX_BYTES = 16 * 1024,
    READ_BYTES = 64 * 1024,
    COLOURS = 6,
};

/* For pauses and patience: the wall clock may jump. */
static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void supervisor_init(struct supervisor *supervisor, FILE *out, const char *status_path)
{
    *supervisor = (struct supervisor){
        .status = {.supervisor_pid = getpid(), .since_ms = tool_now_ms()},
        .coloured = isatty(fileno(out)) == 1,
        .status_path = status_path,
        .out = out,
        .name_width = strlen("up"),
    };
}

void supervisor_release(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->status.count; i++) {
        struct child *child = &supervisor->children[i];
        for (char **argument = child->arguments; *argument; argument++) {
            free(*argument);
        }
        free(child->arguments);
        buffer_release(&child->line);
        if (child->pipe >= 0) {
            close(child->pipe);
        }
    }
    if (supervisor->status_path) {
        unlink(supervisor->status_path);
    }
}

static void set_state(struct supervisor *supervisor, struct child *child, const char *state)
{
    snprintf(child->status->state, sizeof child->status->state, "%s", state);
    child->status->since_ms = tool_now_ms();
    supervisor->changed = true;
}

void supervisor_add(struct supervisor *supervisor, const char *name, const char *const *arguments)
{
    CHECK(supervisor->status.count < STATUS_PROCESSES_MAX);
    size_t count = 0;
    while (arguments[count]) {
        count++;
    }
    struct child *child = &supervisor->children[supervisor->status.count];
    *child = (struct child){.status = &supervisor->status.processes[supervisor->status.count++],
                            .pipe = -1};
    child->arguments = xcalloc(count + 1, sizeof *child->arguments);
    for (size_t i = 0; i < count; i++) {
        child->arguments[i] = xstrdup(arguments[i]);
    }
    buffer_init(&child->line);
    snprintf(child->status->name, sizeof child->status->name, "%s", name);
    set_state(supervisor, child, "waiting");
    size_t width = strlen(child->status->name);
    supervisor->name_width = width > supervisor->name_width ? width : supervisor->name_width;
}

/* ---- lines ---- */

static void print_line(struct supervisor *supervisor, const char *name, size_t colour,
                       const char *text, size_t size)
{
    if (supervisor->coloured) {
        fprintf(supervisor->out, "\033[3%zum%-*s |\033[0m ", 1 + colour % COLOURS,
                (int)supervisor->name_width, name);
    } else {
        fprintf(supervisor->out, "%-*s | ", (int)supervisor->name_width, name);
    }
    fwrite(text, size, 1, supervisor->out);
    putc('\n', supervisor->out);
}

__attribute__((format(printf, 2, 3))) static void say(struct supervisor *supervisor,
                                                      const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_line(supervisor, "up", COLOURS - 1, text, strlen(text));
}

/* Prints what is whole; a line without end is printed when it grows too long or when the child has
 * ended. */
static void print_lines(struct supervisor *supervisor, struct child *child, bool ended)
{
    size_t colour = (size_t)(child - supervisor->children);
    const char *at = (const char *)child->line.data, *end = at + child->line.size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline && !ended && end - at < LINE_MAX_BYTES) {
            break;
        }
        const char *stop = newline ? newline : end;
        print_line(supervisor, child->status->name, colour, at, (size_t)(stop - at));
        at = newline ? newline + 1 : end;
    }
    size_t left = (size_t)(end - at);
    if (left > 0) {
        memmove(child->line.data, at, left);
    }
    child->line.size = left;
}

static void read_pipe(struct supervisor *supervisor, struct child *child)
{
    ssize_t count;
    while ((count = read(child->pipe, buffer_reserve(&child->line, READ_BYTES), READ_BYTES)) > 0) {
        child->line.size += (size_t)count;
        print_lines(supervisor, child, false);
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(child->pipe);
        child->pipe = -1;
        print_lines(supervisor, child, true);
    }
}

/* ---- starting ---- */

/* In the child, between fork and exec. */
_Noreturn static void become(struct child *child, int output, pid_t supervisor_pid)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor_pid) { /* it died before the line above */
        _exit(EXIT_TRY_AGAIN);
    }
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv("/proc/self/exe", child->arguments);
    dprintf(STDERR_FILENO, "cannot start: %s\n", strerror(errno));
    _exit(EXIT_CONFIG);
}

static enum outcome start(struct supervisor *supervisor, struct child *child, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail_exit(error, EXIT_IO, "no pipe for %s: %s", child->status->name,
                         strerror(errno));
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (child->pipe >= 0) { /* a grandchild kept it open */
        close(child->pipe);
        print_lines(supervisor, child, true);
    }
    fflush(supervisor->out);
    pid_t supervisor_pid = getpid(), pid = fork();
    if (pid == 0) {
        become(child, ends[1], supervisor_pid);
    }
    close(ends[1]);
    child->pipe = ends[0];
    if (pid < 0) {
        return fail_exit(error, EXIT_IO, "%s cannot be started: %s", child->status->name,
                         strerror(errno));
    }
    child->started_ms = monotonic_ms();
    child->status->pid = pid;
    set_state(supervisor, child, "running");
    return OK;
}

static enum outcome start_due(struct supervisor *supervisor, struct error *error)
{
    int64_t now_ms = monotonic_ms();
    for (size_t i = 0; i < supervisor->status.count && !supervisor->stopping; i++) {
        struct child *child = &supervisor->children[i];
        if (child->status->pid == 0 && child->start_at_ms <= now_ms) {
            enum outcome outcome = start(supervisor, child, error);
            if (outcome != OK) {
                return outcome;
            }
        }
    }
    return OK;
}

/* ---- ending ---- */

int64_t supervisor_pause_ms(int64_t last_pause_ms, int64_t ran_ms, int exit_code)
{
    if (exit_code == EXIT_CONFIG || exit_code == EXIT_USAGE) {
        return PAUSE_MOST_MS;
    }
    if (last_pause_ms == 0 || ran_ms >= HEALTHY_MS) {
        return PAUSE_LEAST_MS;
    }
    return last_pause_ms * 2 < PAUSE_MOST_MS ? last_pause_ms * 2 : PAUSE_MOST_MS;
}

static void on_end(struct supervisor *supervisor, struct child *child, int wait_status)
{
    struct status_process *status = child->status;
    int exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    if (exit_code >= 0) {
        snprintf(status->last_exit, sizeof status->last_exit, "exit %d", exit_code);
    } else {
        snprintf(status->last_exit, sizeof status->last_exit, "signal %d", WTERMSIG(wait_status));
    }
    if (child->pipe >= 0) {
        read_pipe(supervisor, child);
    }
    status->pid = 0;
    if (supervisor->stopping) {
        set_state(supervisor, child, "stopped");
        return;
    }
    int64_t now_ms = monotonic_ms();
    child->pause_ms = supervisor_pause_ms(child->pause_ms, now_ms - child->started_ms, exit_code);
    child->start_at_ms = now_ms + child->pause_ms;
    status->restarts++;
    set_state(supervisor, child, "waiting");
    say(supervisor, "%s ended (%s); starts again in %" PRId64 " ms%s", status->name,
        status->last_exit, child->pause_ms,
        exit_code == EXIT_CONFIG ? "; it refuses its configuration: mend what it says above" : "");
}

static void reap(struct supervisor *supervisor)
{
    pid_t pid;
    int wait_status;
    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        for (size_t i = 0; i < supervisor->status.count; i++) {
            if (supervisor->status.processes[i].pid == pid) {
                on_end(supervisor, &supervisor->children[i], wait_status);
            }
        }
    }
}

static size_t running(const struct supervisor *supervisor)
{
    size_t count = 0;
    for (size_t i = 0; i < supervisor->status.count; i++) {
        count += supervisor->status.processes[i].pid != 0;
    }
    return count;
}

static void signal_all(struct supervisor *supervisor, int number)
{
    for (size_t i = 0; i < supervisor->status.count; i++) {
        struct child *child = &supervisor->children[i];
        if (child->status->pid != 0) {
            kill((pid_t)child->status->pid, number);
            set_state(supervisor, child, "stopping");
        } else {
            set_state(supervisor, child, "stopped");
        }
    }
}

/* ---- the loop ---- */

static void serve_signals(struct supervisor *supervisor, int signals, int64_t *kill_at_ms)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            continue;
        }
        if (supervisor->stopping) {
            *kill_at_ms = monotonic_ms();
            continue;
        }
        supervisor->stopping = true;
        *kill_at_ms = monotonic_ms() + STOP_MS;
        say(supervisor, "stopping %zu processes", running(supervisor));
        signal_all(supervisor, SIGTERM);
    }
    reap(supervisor);
}

/* Until the next start or the last patience; -1: only an event will wake us. */
static int wait_ms(const struct supervisor *supervisor, int64_t kill_at_ms)
{
    int64_t next_ms = supervisor->stopping ? kill_at_ms : INT64_MAX;
    for (size_t i = 0; i < supervisor->status.count && !supervisor->stopping; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->status->pid == 0 && child->start_at_ms < next_ms) {
            next_ms = child->start_at_ms;
        }
    }
    int64_t left_ms = next_ms - monotonic_ms();
    return next_ms == INT64_MAX      ? -1
           : left_ms < 0             ? 0
           : left_ms > PAUSE_MOST_MS ? PAUSE_MOST_MS
                                     : (int)left_ms;
}

static enum outcome turn(struct supervisor *supervisor, int signals, int64_t *kill_at_ms,
                         struct error *error)
{
    struct pollfd polls[STATUS_PROCESSES_MAX + 1] = {{.fd = signals, .events = POLLIN}};
    for (size_t i = 0; i < supervisor->status.count; i++) {
        polls[i + 1] = (struct pollfd){.fd = supervisor->children[i].pipe, .events = POLLIN};
    }
    fflush(supervisor->out);
    if (poll(polls, supervisor->status.count + 1, wait_ms(supervisor, *kill_at_ms)) < 0 &&
        errno != EINTR) {
        return fail_exit(error, EXIT_IO, "poll: %s", strerror(errno));
    }
    for (size_t i = 0; i < supervisor->status.count; i++) {
        if (polls[i + 1].revents && supervisor->children[i].pipe >= 0) {
            read_pipe(supervisor, &supervisor->children[i]);
        }
    }
    serve_signals(supervisor, signals, kill_at_ms);
    if (supervisor->stopping && monotonic_ms() >= *kill_at_ms) {
        say(supervisor, "killing the %zu processes that are left", running(supervisor));
        signal_all(supervisor, SIGKILL);
        *kill_at_ms += STOP_MS;
    }
    enum outcome outcome = start_due(supervisor, error);
    if (outcome == OK && supervisor->changed && supervisor->status_path) {
        supervisor->changed = false;
        outcome = status_write(supervisor->status_path, &supervisor->status, error);
    }
    return outcome;
}

enum outcome supervisor_run(struct supervisor *supervisor, struct error *error)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    int signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(signals >= 0);
    int64_t kill_at_ms = 0;
    enum outcome outcome = start_due(supervisor, error);
    while (outcome == OK && (!supervisor->stopping || running(supervisor) > 0)) {
        outcome = turn(supervisor, signals, &kill_at_ms, error);
    }
    if (outcome != OK) {
        signal_all(supervisor, SIGKILL);
    }
    close(signals);
    fflush(supervisor->out);
    return outcome;
}
