/* simulate.c - runs seeds and says which fails.
 *
 *   simulate [--seeds N] [--from S] [--minutes M] [--world inventory|shop] [--troubles BITS]
 *            [--only EVENTS | --without EVENTS] [--trace] [--keep]
 *
 * --world      only worlds of this kind (every fourth seed is a shop)
 * --troubles   only events of these kinds (world.h)
 * --only       of the events of seed S only these strike: numbers with commas between, 0 for none
 * --without    all but these do
 * --trace      what every process logs, to standard error
 * --keep       leaves the last seed's files
 *
 * A seed that fails ends the run: it is cut down to the events that matter, which are printed with
 * the command that repeats exactly that.
 * Exit: 0 all is well, 1 a seed failed, 64 usage.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "simulation/shrink.h"

struct options {
    struct runner_job job;
    const char *only, *without;
};

static bool parse_kind(const char *text, enum world_kind *kind)
{
    *kind = strcmp(text, "shop") == 0 ? WORLD_SHOP : WORLD_INVENTORY;
    return strcmp(text, "shop") == 0 || strcmp(text, "inventory") == 0;
}

static bool parse_value(const char *name, const char *value, struct options *options)
{
    struct runner_job *job = &options->job;
    if (strcmp(name, "--seeds") == 0) {
        job->seeds = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--from") == 0) {
        job->from = strtoull(value, NULL, 10);
    } else if (strcmp(name, "--troubles") == 0) {
        job->troubles = (unsigned)strtoul(value, NULL, 10);
    } else if (strcmp(name, "--minutes") == 0) {
        job->minutes = strtod(value, NULL);
    } else if (strcmp(name, "--only") == 0) {
        options->only = value;
    } else if (strcmp(name, "--without") == 0) {
        options->without = value;
    } else if (strcmp(name, "--world") == 0) {
        return parse_kind(value, &job->kind);
    } else {
        return false;
    }
    return true;
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options->job.trace = "/dev/stderr";
        } else if (strcmp(argv[i], "--keep") == 0) {
            options->job.keep = true;
        } else if (i + 1 == argc || !parse_value(argv[i], argv[i + 1], options)) {
            return false;
        } else {
            i++;
        }
    }
    return options->job.seeds > 0 && !(options->only && options->without);
}

/* The seed's events are drawn first; then it is run again with those that are asked for. */
static bool run_some_events(const struct options *options, struct runner_result *result)
{
    struct runner_job draw = options->job, again = options->job;
    draw.seeds = again.seeds = 1;
    draw.trace = NULL;
    draw.keep = false;
    again.again = true;
    runner_run(&draw, result);
    if (!shrink_choose(&result->events, options->only ? options->only : options->without,
                       !options->only)) {
        fprintf(stderr, "simulate: seed %" PRIu64 " has events 1 to %zu\n", options->job.from,
                result->events.count);
        exit(EXIT_USAGE);
    }
    runner_run(&again, result);
    if (!result->good) {
        printf("seed %" PRIu64 " failed: %s\n", result->seed, result->why);
    }
    return result->good;
}

int main(int argc, char **argv)
{
    struct options options = {.job = {.from = 1, .seeds = 600, .troubles = TROUBLE_ALL}};
    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: simulate [--seeds N] [--from S] [--minutes M] "
                        "[--world inventory|shop] [--troubles BITS] [--only EVENTS | --without "
                        "EVENTS] [--trace] [--keep]\n");
        return EXIT_USAGE;
    }
    struct runner_result *result = runner_result_new();
    bool some = options.only || options.without, good;
    if (some) {
        good = run_some_events(&options, result);
    } else {
        runner_run(&options.job, result);
        good = result->good;
    }
    if (options.job.keep) {
        printf("files: %s\n", result->directory);
    }
    printf("%" PRIu64 " seeds from %" PRIu64 " in %.1f s (%.0f a minute): %" PRIu64
           " inputs, %" PRIu64 " starts, %" PRIu64 " deaths, %" PRIu64 " events: %s\n",
           result->seeds, options.job.from, result->seconds,
           (double)result->seeds * 60 / result->seconds, result->inputs, result->starts,
           result->deaths, result->struck, good ? "all well" : "FAILED");
    if (!good && !some) {
        shrink_and_tell(&options.job, result, argv[0]);
    }
    return good ? EXIT_DONE : 1;
}
