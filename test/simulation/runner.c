/* runner.c - see runner.h. */
#include "simulation/runner.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

enum { SEED_SECONDS_MAX = 20, TELL_SECONDS = 20 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static void make_directory(char path[64])
{
    snprintf(path, 64, "%s/weir-simulation-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(path) != NULL);
}

static void remove_directory(const char *path)
{
    if (path[0]) {
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

/* ---- the process apart ---- */

/* Of the processor's time, since the machine may be busy; 0: no limit. */
static void give_time(int seconds)
{
    CHECK_EQUAL(setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {.tv_sec = seconds}}, NULL),
                0);
}

static bool run_seed(const struct runner_job *job, struct runner_result *result, uint64_t seed)
{
    struct world_run run = {.seed = seed,
                            .troubles = job->troubles,
                            .kind = job->kind,
                            .directory = result->directory,
                            .events = &result->events,
                            .again = job->again};
    result->seed = seed;
    make_directory(result->directory);
    give_time(SEED_SECONDS_MAX);
    bool good = world_run(&run);
    give_time(0);
    memcpy(result->why, run.why, sizeof result->why);
    result->seeds++;
    result->inputs += (uint64_t)run.report.inputs;
    result->starts += (uint64_t)run.report.starts;
    result->deaths += (uint64_t)run.report.deaths;
    for (size_t i = 0; i < result->events.count; i++) {
        result->struck += result->events.events[i].struck;
    }
    if (!job->keep || (good && seed + 1 < job->from + job->seeds)) {
        remove_directory(result->directory);
        result->directory[0] = 0;
    }
    return good;
}

static int run_seeds(const struct runner_job *job, struct runner_result *result)
{
    double began = now_s(), told = began;
    for (uint64_t i = 0; i < job->seeds; i++) {
        if (!run_seed(job, result, job->from + i)) {
            return 1;
        }
        double now = now_s();
        if (now - told > TELL_SECONDS) {
            told = now;
            printf("simulate: %" PRIu64 " seeds, %.0f a minute\n", result->seeds,
                   (double)result->seeds * 60 / (now - began));
            fflush(stdout);
        }
        if (job->minutes > 0 && now - began > job->minutes * 60) {
            break;
        }
    }
    return 0;
}

static void be_apart(const struct runner_job *job, struct runner_result *result)
{
    int out = job->trace ? open(job->trace, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                         : open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(out >= 0 && dup2(out, STDERR_FILENO) >= 0);
    log_set_level(job->trace ? LOG_DEBUG : LOG_ERROR);
    exit(run_seeds(job, result));
}

/* ---- the process that waits for it ---- */

struct runner_result *runner_result_new(void)
{
    void *memory = mmap(NULL, sizeof(struct runner_result), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/* What a process that failed a CHECK says last. */
static void read_last_words(const char *trace, char *why, size_t room)
{
    char line[400];
    FILE *file = trace ? fopen(trace, "re") : NULL;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "weir: ", 6) == 0) {
            line[strcspn(line, "\n")] = 0;
            snprintf(why, room, "%.350s", line);
        }
    }
    if (file) {
        fclose(file);
    }
}

void runner_run(const struct runner_job *job, struct runner_result *result)
{
    const struct event_list events = result->events;
    *result = (struct runner_result){.events = events};
    double began = now_s();
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        be_apart(job, result);
    }
    int status = 0;
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    result->seconds = now_s() - began;
    result->good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool said = WIFEXITED(status) && WEXITSTATUS(status) == 1;
    if (!result->good && !said) {
        bool hangs = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
        snprintf(result->why, sizeof result->why, "the process %s",
                 hangs ? "does not come to an end" : "crashed");
        read_last_words(job->trace, result->why, sizeof result->why);
        if (!job->keep) {
            remove_directory(result->directory);
        }
    }
}
