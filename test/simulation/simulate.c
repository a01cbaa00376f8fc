/* simulate.c - runs seeds and says which fail.
 *
 *   simulate [--seeds N] [--from S] [--troubles BITS] [--minutes M] [--trace] [--keep]
 *
 * --trace prints what every process logs. --keep leaves the last seed's files. A failing seed ends
 * the run: it prints itself and the command that repeats it, and tries it again with each kind of
 * trouble left out, to say which ones matter.
 * Exit: 0 all is well, 1 a seed failed, 64 usage.
 */
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "simulation/world.h"

struct options {
    uint64_t seeds, from;
    unsigned troubles;
    double minutes;
    bool trace, keep;
};

struct totals {
    uint64_t seeds, inputs, starts, deaths, faults;
};

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

static bool run(uint64_t seed, unsigned troubles, bool keep, struct totals *totals, char *why,
                size_t room)
{
    char directory[64];
    struct world_report report;
    make_directory(directory);
    bool good = world_run_seed(seed, troubles, directory, &report, why, room);
    totals->seeds++;
    totals->inputs += (uint64_t)report.inputs;
    totals->starts += (uint64_t)report.starts;
    totals->deaths += (uint64_t)report.deaths;
    totals->faults += (uint64_t)report.faults;
    if (keep) {
        printf("files: %s\n", directory);
    } else {
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return good;
}

/* Which kinds of trouble the failure needs: each is left out if it still fails without. */
static unsigned shrink(uint64_t seed, unsigned troubles)
{
    struct totals ignored = {0};
    char why[400];
    for (unsigned bit = 1; bit <= TROUBLE_ALL; bit <<= 1) {
        if ((troubles & bit) != 0 &&
            !run(seed, troubles & ~bit, false, &ignored, why, sizeof why)) {
            troubles &= ~bit;
        }
    }
    return troubles;
}

static void tell_failure(uint64_t seed, unsigned troubles, const char *why)
{
    printf("seed %" PRIu64 " failed: %s\n", seed, why);
    unsigned least = shrink(seed, troubles);
    printf("repeat: simulate --from %" PRIu64 " --seeds 1 --troubles %u --trace --keep\n", seed,
           least);
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            options->trace = true;
            continue;
        }
        if (strcmp(argv[i], "--keep") == 0) {
            options->keep = true;
            continue;
        }
        if (strcmp(argv[i], "--seeds") == 0) {
            options->seeds = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--from") == 0) {
            options->from = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--troubles") == 0) {
            options->troubles = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--minutes") == 0) {
            options->minutes = strtod(value, NULL);
        } else {
            return false;
        }
        i++;
    }
    return options->seeds > 0;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 600, .from = 1, .troubles = TROUBLE_ALL};
    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: simulate [--seeds N] [--from S] [--troubles BITS] [--minutes M] "
                        "[--trace] [--keep]\n");
        return EXIT_USAGE;
    }
    if (options.trace) {
        log_set_level(LOG_DEBUG);
    } else if (!freopen("/dev/null", "w", stderr)) { /* a simulated trouble is no news */
        return EXIT_IO;
    }
    struct totals totals = {0};
    double began = now_s(), told = began;
    char why[400] = "";
    bool good = true;
    for (uint64_t i = 0; i < options.seeds && good; i++) {
        good = run(options.from + i, options.troubles, options.keep, &totals, why, sizeof why);
        if (!good) {
            tell_failure(options.from + i, options.troubles, why);
        }
        double now = now_s();
        if (now - told > 20) {
            told = now;
            printf("simulate: %" PRIu64 " seeds, %.0f a minute\n", totals.seeds,
                   (double)totals.seeds * 60 / (now - began));
            fflush(stdout);
        }
        if (options.minutes > 0 && now - began > options.minutes * 60) {
            break;
        }
    }
    double seconds = now_s() - began;
    printf("%" PRIu64 " seeds from %" PRIu64 " in %.1f s (%.0f a minute): %" PRIu64
           " inputs, %" PRIu64 " starts, %" PRIu64 " deaths, %" PRIu64 " faults: %s\n",
           totals.seeds, options.from, seconds, (double)totals.seeds * 60 / seconds, totals.inputs,
           totals.starts, totals.deaths, totals.faults, good ? "all well" : "FAILED");
    return good ? EXIT_DONE : 1;
}
