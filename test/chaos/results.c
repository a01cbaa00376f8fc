/* results.c - counts, times and violations, and the table that tells of them. */
#include "chaos/results.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"

static const char *const count_names[COUNTS] = {
    [COUNT_KILLS] = "processes killed",
    [COUNT_STARTS] = "process starts",
    [COUNT_COMMITS] = "commits",
    [COUNT_FENCES] = "fences",
    [COUNT_FENCED] = "fenced off (75)",
    [COUNT_RESTORES] = "restores",
    [COUNT_SET_ASIDE] = "files set aside",
    [COUNT_ADOPTED] = "offsets adopted",
    [COUNT_MENDED] = "tasks mended",
    [COUNT_ROT_READ] = "rot found late",
    [COUNT_ORDERS] = "orders",
    [COUNT_AUDITS] = "audits",
    [COUNT_FORGOTTEN] = "forgotten commits",
    [COUNT_OLD_OFFSETS] = "stale offsets",
    [COUNT_REPLAYS] = "tasks replayed",
    [COUNT_WATCHED] = "records watched",
};

void results_open(struct results *results, const struct options *options)
{
    char path[400];
    *results = (struct results){.options = options, .began_ms = now_ms()};
    snprintf(path, sizeof path, "%s/logs/nemesis.log", options->directory);
    results->log = fopen(path, "we");
    CHECK(results->log);
}

static void add_sample(struct samples *samples, int64_t value)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity > 0 ? samples->capacity * 2 : 64;
        samples->items = xrealloc(samples->items, samples->capacity * sizeof *samples->items);
    }
    samples->items[samples->count++] = value;
}

void results_close(struct results *results)
{
    for (int kind = 0; kind < KINDS; kind++) {
        free(results->recovery[kind].items);
    }
    free(results->settling.items);
    fclose(results->log);
}

/* ---- the log ---- */

static void log_line(struct results *results, const char *what, const char *format, va_list args)
{
    fprintf(results->log, "%9.3f %-15s ", (double)(now_ms() - results->began_ms) / 1000, what);
    vfprintf(results->log, format, args);
    fputc('\n', results->log);
    fflush(results->log);
}

void results_fault(struct results *results, enum kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(results, kinds[kind].name, format, args);
    va_end(args);
    results->faults[kind]++;
}

void results_api(struct results *results, enum kind kind, enum api api)
{
    CHECK(api < APIS);
    results->by_api[kind][api]++;
}

void results_note(struct results *results, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(results, "-", format, args);
    va_end(args);
}

void results_violation(struct results *results, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char text[600];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    results_note(results, "VIOLATION %s", text);
    printf("VIOLATION %s\n", text);
    fflush(stdout);
    if (results->violation_count < VIOLATIONS_MAX) {
        memcpy(results->violations[results->violation_count], text, sizeof text);
    }
    results->violation_count++;
}

/* ---- recovery ---- */

void results_struck(struct results *results, enum kind kind, int processor, int32_t partition)
{
    size_t *count = &results->waiting_count[processor][partition];
    if (*count < WAITING_MAX) {
        results->waiting[processor][partition][(*count)++] = (struct waiting){kind, now_ms()};
    }
}

void results_committed(struct results *results, int processor, int32_t partition)
{
    size_t *count = &results->waiting_count[processor][partition];
    for (size_t i = 0; i < *count; i++) {
        const struct waiting *waiting = &results->waiting[processor][partition][i];
        add_sample(&results->recovery[waiting->kind], now_ms() - waiting->since_ms);
    }
    *count = 0;
}

void results_forget_waiting(struct results *results)
{
    memset(results->waiting_count, 0, sizeof results->waiting_count);
}

void results_settled(struct results *results, int64_t ms)
{
    add_sample(&results->settling, ms);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* In seconds; 0 when there are none. */
static double at_share(struct samples *samples, double share)
{
    if (samples->count == 0) {
        return 0;
    }
    qsort(samples->items, samples->count, sizeof *samples->items, compare);
    size_t index = (size_t)(share * (double)samples->count);
    index = index < samples->count ? index : samples->count - 1;
    return (double)samples->items[index] / 1000;
}

bool results_recovery(struct results *results, enum kind kind, double *p50, double *p99,
                      double *max)
{
    struct samples *samples = &results->recovery[kind];
    *p50 = at_share(samples, 0.5);
    *p99 = at_share(samples, 0.99);
    *max = at_share(samples, 1);
    return samples->count > 0;
}

/* ---- the end ---- */

/* A kind that was asked for and never came proves nothing. */
static const char *never_came(const struct results *results)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (results->options->wanted[kind] && !results->skipped[kind] &&
            results->faults[kind] == 0) {
            return kinds[kind].name;
        }
    }
    return NULL;
}

bool results_are_good(const struct results *results)
{
    return results->violation_count == 0 && !never_came(results);
}

static double minutes(const struct results *results)
{
    return (double)(now_ms() - results->began_ms) / 60000;
}

static int64_t strays(const struct results *results)
{
    return results->faults[LATE] + results->faults[DUPLICATE];
}

void results_print(struct results *results)
{
    printf("\n%-16s %6s   %9s %8s %8s %8s\n", "fault", "times", "recovered", "p50 s", "p99 s",
           "max s");
    for (int kind = 0; kind < KINDS; kind++) {
        struct samples *samples = &results->recovery[kind];
        if (!results->options->wanted[kind]) {
            continue;
        }
        if (results->skipped[kind]) {
            printf("%-16s %6s   %s\n", kinds[kind].name, "-", results->skipped[kind]);
            continue;
        }
        printf("%-16s %6" PRId64 "   %9zu", kinds[kind].name, results->faults[kind],
               samples->count);
        if (samples->count > 0) {
            printf(" %8.2f %8.2f %8.2f", at_share(samples, 0.5), at_share(samples, 0.99),
                   at_share(samples, 1));
        }
        for (int api = 0; api < APIS; api++) {
            if (results->by_api[kind][api] > 0) {
                printf("  %s %" PRId64, apis[api].name, results->by_api[kind][api]);
            }
        }
        putchar('\n');
    }
    putchar('\n');
    for (int i = 0; i < COUNTS; i++) {
        printf("%-16s %9" PRId64 "%s", count_names[i], results->counts[i],
               i % 3 == 2 || i == COUNTS - 1 ? "\n" : "    ");
    }
    printf("\nsettled          p50 %.1f s, max %.1f s after the last fault of a spell\n",
           at_share(&results->settling, 0.5), at_share(&results->settling, 1));
    for (int64_t i = 0; i < results->violation_count && i < VIOLATIONS_MAX; i++) {
        printf("VIOLATION %s\n", results->violations[i]);
    }
    if (results->violation_count == 0 && never_came(results)) {
        printf("never happened: %s: a longer run is needed\n", never_came(results));
    }
    printf("verdict: %s: seed %" PRIu64 ", %.1f minutes, %" PRId64 " processes killed, %" PRId64
           " broker kills, %" PRId64 " zombies, %" PRId64 " late or repeated requests, %" PRId64
           " violations\n",
           results_are_good(results) ? "exactly once" : "BROKEN", results->options->seed,
           minutes(results), results->counts[COUNT_KILLS], results->faults[BROKER_KILL],
           results->faults[ZOMBIE], strays(results), results->violation_count);
    fflush(stdout);
}

void results_write_json(struct results *results, const char *path)
{
    FILE *file = fopen(path, "we");
    CHECK(file);
    fprintf(file, "{\"seed\":%" PRIu64 ",\"minutes\":%.1f,\"good\":%s,\"violations\":%" PRId64,
            results->options->seed, minutes(results), results_are_good(results) ? "true" : "false",
            results->violation_count);
    for (int i = 0; i < COUNTS; i++) {
        fprintf(file, ",\"%s\":%" PRId64, count_names[i], results->counts[i]);
    }
    fprintf(file, ",\"faults\":{");
    for (int kind = 0; kind < KINDS; kind++) {
        struct samples *samples = &results->recovery[kind];
        fprintf(file,
                "%s\n\"%s\":{\"times\":%" PRId64 ",\"skipped\":%s,\"recovered\":%zu,\"p50_s\":%.3f,"
                "\"p99_s\":%.3f,\"max_s\":%.3f}",
                kind > 0 ? "," : "", kinds[kind].name, results->faults[kind],
                results->skipped[kind] ? "true" : "false", samples->count, at_share(samples, 0.5),
                at_share(samples, 0.99), at_share(samples, 1));
    }
    fprintf(file, "}}\n");
    fclose(file);
}
