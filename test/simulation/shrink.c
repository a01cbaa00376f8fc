/* shrink.c - see shrink.h.
 *
 * Halves of the list are left out first, then quarters, down to single events, as long as the seed
 * still fails: for whatever reason, since one cause shows itself in many ways.
 */
#include "simulation/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum { TRACE_LINES = 25 };

static bool fails(const struct runner_job *job, struct runner_result *result)
{
    runner_run(job, result);
    return !result->good;
}

/* The same seed with the events as they are marked. */
static struct runner_job again(const struct runner_job *job, uint64_t seed)
{
    return (struct runner_job){
        .from = seed, .seeds = 1, .troubles = job->troubles, .kind = job->kind, .again = true};
}

static size_t events_kept(const struct event_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        kept += !list->events[i].left_out;
    }
    return kept;
}

/* Leaves out `size` of those that are kept, from the `from`th on. */
static void leave_out(struct event_list *list, size_t from, size_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct event *event = &list->events[i];
        if (!event->left_out) {
            event->left_out = kept >= from && kept < from + size;
            kept++;
        }
    }
}

static void cut_down(const struct runner_job *job, struct runner_result *result)
{
    size_t size = (events_kept(&result->events) + 1) / 2;
    while (size > 0) {
        bool cut = false;
        for (size_t from = 0; from < events_kept(&result->events);) {
            struct event_list before = result->events;
            leave_out(&result->events, from, size);
            if (fails(job, result)) {
                cut = true;
            } else {
                result->events = before;
                from += size;
            }
        }
        size = size > 1 ? (size + 1) / 2 : cut ? 1 : 0;
    }
}

static void print_events(const struct event_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct event *event = &list->events[i];
        if (!event->left_out && event->struck) {
            printf("  %3zu  at %8.3f s  step %5d  %s\n", i + 1, (double)event->at_ms / 1000,
                   event->step, event->text);
        }
    }
}

static void print_kinds(const struct event_list *list)
{
    static const char *const names[] = {"crash",  "power",   "requests", "failures",
                                        "sleep",  "rivals",  "disk",     "state",
                                        "broker", "offsets", "memory",   "meanwhile",
                                        "clock",  "days",    "topics",   "coordinator",
                                        "sqlite"};
    unsigned kinds = 0;
    const char *comma = "";
    for (size_t i = 0; i < list->count; i++) {
        const struct event *event = &list->events[i];
        kinds |= event->left_out || !event->struck ? 0 : event->trouble;
    }
    printf("kinds: ");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((kinds & 1U << i) != 0) {
            printf("%s%s", comma, names[i]);
            comma = ", ";
        }
    }
    printf("%s\n", kinds == 0 ? "none" : "");
}

static void print_numbers(const struct event_list *list)
{
    const char *comma = "";
    for (size_t i = 0; i < list->count; i++) {
        if (!list->events[i].left_out && list->events[i].struck) {
            printf("%s%zu", comma, i + 1);
            comma = ",";
        }
    }
    printf("%s\n", comma[0] ? "" : "0");
}

static void print_end(const char *path)
{
    char lines[TRACE_LINES][240] = {{0}};
    size_t count = 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(lines[count % TRACE_LINES], sizeof lines[0], file)) {
        count++;
    }
    for (size_t i = count > TRACE_LINES ? count - TRACE_LINES : 0; i < count; i++) {
        char *line = lines[i % TRACE_LINES];
        line[strcspn(line, "\n")] = 0;
        printf("    %s\n", line);
    }
    if (file) {
        fclose(file);
    }
}

static const char *kind_option(enum world_kind kind)
{
    return kind == WORLD_INVENTORY ? " --world inventory"
           : kind == WORLD_SHOP    ? " --world shop"
                                   : "";
}

void shrink_and_tell(const struct runner_job *job, struct runner_result *result,
                     const char *program)
{
    char trace[64] = "/tmp/weir-simulation-trace-XXXXXX";
    struct runner_job one = again(job, result->seed);
    printf("seed %" PRIu64 " failed: %s\n", result->seed, result->why);
    bool repeats = fails(&one, result);
    if (repeats) {
        cut_down(&one, result);
        int file = mkstemp(trace);
        CHECK(file >= 0);
        close(file);
        one.trace = trace;
        repeats = fails(&one, result);
    }
    if (!repeats) {
        printf("the same events again do not make it fail: the simulation depends on something "
               "other than its seed\n");
        return;
    }
    printf("with %zu of %zu events: %s\n", events_kept(&result->events), result->events.count,
           result->why);
    print_events(&result->events);
    print_kinds(&result->events);
    printf("the end of its trace:\n");
    print_end(trace);
    unlink(trace);
    printf("repeat: %s --from %" PRIu64 " --seeds 1%s", program, result->seed,
           kind_option(job->kind));
    if (job->troubles != TROUBLE_ALL) {
        printf(" --troubles %u", job->troubles);
    }
    printf(" --trace --keep --only ");
    print_numbers(&result->events);
    fflush(stdout);
}

bool shrink_choose(struct event_list *events, const char *numbers, bool without)
{
    for (size_t i = 0; i < events->count; i++) {
        events->events[i].left_out = !without;
    }
    for (const char *at = numbers; *at;) {
        char *end;
        unsigned long number = strtoul(at, &end, 10);
        if (end == at || number > events->count || (*end && *end != ',')) {
            return false;
        }
        if (number > 0) {
            events->events[number - 1].left_out = without;
        }
        at = *end ? end + 1 : end;
    }
    return true;
}
