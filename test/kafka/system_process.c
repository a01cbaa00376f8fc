/* system_process.c - `weir` in processes of its own: started, waited for, listened to, killed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kafka/system.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { POLL_MS = 10, ARGUMENTS_MAX = 64 };

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
                                      run->bootstrap ? run->bootstrap : system_bootstrap());
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
