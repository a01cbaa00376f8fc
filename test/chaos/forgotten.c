/* forgotten.c - step by step as the README has it, with Kafka's TransactionsCommand; and a look
 * into the broker's log. */
#include "chaos/forgotten.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "processors.h"

enum {
    HANGS_FOR_MS = 65000, /* the tool counts in minutes */
    TOOL_WITHIN_MS = 60000,
    HELD_MAX = 200,
};

/* A partition whose end an unfinished transaction holds back. */
struct held {
    char topic[250];
    int partition;
    int64_t producer, offset;
};

static int run_tool(struct fleet *fleet, const char *log, const char *const *words)
{
    char bootstrap[40];
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", fleet->options->port);
    const char *arguments[24] = {fleet->options->kafka, "run",
                                 "org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server",
                                 bootstrap};
    for (size_t i = 0; words[i]; i++) {
        CHECK(i + 6 < sizeof arguments / sizeof *arguments);
        arguments[i + 5] = words[i];
    }
    return fleet_run(fleet, log, arguments, TOOL_WITHIN_MS);
}

/* Topic Partition ProducerId ProducerEpoch CoordinatorEpoch StartOffset LastTimestamp Duration */
static size_t read_held(const char *path, struct held *held)
{
    char line[1000];
    size_t count = 0;
    FILE *file = fopen(path, "re");
    while (file && count < HELD_MAX && fgets(line, sizeof line, file)) {
        struct held *one = &held[count];
        count += sscanf(line, "%249s %d %" SCNd64 " %*d %*d %" SCNd64, one->topic, &one->partition,
                        &one->producer, &one->offset) == 4;
    }
    if (file) {
        fclose(file);
    }
    return count;
}

static bool find(struct fleet *fleet, struct held *held, size_t *count)
{
    static const char *const words[] = {
        "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "1", NULL};
    char path[400];
    snprintf(path, sizeof path, "%s/logs/hanging.log", fleet->options->directory);
    unlink(path);
    *count = 0;
    if (run_tool(fleet, "hanging", words) != EXIT_DONE) {
        results_violation(fleet->results, "kafka-transactions find-hanging failed: %s", path);
        return false;
    }
    *count = read_held(path, held);
    return true;
}

static bool abort_one(struct fleet *fleet, const struct held *held)
{
    char partition[12], offset[24];
    snprintf(partition, sizeof partition, "%d", held->partition);
    snprintf(offset, sizeof offset, "%" PRId64, held->offset);
    const char *words[] = {"abort",   "--topic",        held->topic, "--partition",
                           partition, "--start-offset", offset,      NULL};
    results_note(fleet->results,
                 "the broker has forgotten producer %" PRId64 " in %s-%d at %" PRId64,
                 held->producer, held->topic, held->partition, held->offset);
    if (run_tool(fleet, "abort", words) != EXIT_DONE) {
        results_violation(fleet->results, "kafka-transactions abort failed: logs/abort.log");
        return false;
    }
    return true;
}

/* The task whose changelog was held back. */
static bool reset_file(struct fleet *fleet, const char *config, const struct held *held)
{
    for (int i = 0; i < PROCESSORS; i++) {
        char changelog[250], partition[12];
        snprintf(changelog, sizeof changelog, "%s.changelog", processors[i]->name);
        if (strcmp(changelog, held->topic) != 0) {
            continue;
        }
        snprintf(partition, sizeof partition, "%d", held->partition);
        for (int disk = 0; disk < DISKS; disk++) {
            char state[500];
            snprintf(state, sizeof state, "%s/state/%s", fleet->options->directory, disks[disk]);
            const char *arguments[] = {
                fleet->options->weir, "reset", processors[i]->name, "-c",          config,
                "--state-dir",        state,   "--state",           "--partition", partition,
                "--execute",          NULL};
            if (fleet_run(fleet, "reset", arguments, TOOL_WITHIN_MS) != EXIT_DONE) {
                results_violation(fleet->results, "weir reset --state failed: logs/reset.log");
                return false;
            }
        }
    }
    return true;
}

bool forgotten_end(struct fleet *fleet, const char *config, bool *ended)
{
    static struct held held[HELD_MAX];
    size_t count;
    *ended = false;
    fleet_turns(fleet, HANGS_FOR_MS);
    if (interrupted || !find(fleet, held, &count) || count == 0) {
        return fleet->results->violation_count == 0;
    }
    *ended = true;
    fleet_stop_all(fleet);
    for (size_t i = 0; i < count; i++) {
        fleet->results->counts[COUNT_FORGOTTEN] += strcmp(held[i].topic, "__consumer_offsets") == 0;
        if (!abort_one(fleet, &held[i]) || !reset_file(fleet, config, &held[i])) {
            return false;
        }
    }
    return true;
}

bool forgotten_offsets(const struct fleet *fleet)
{
    char path[400], line[1000];
    bool out_of_sync = false;
    snprintf(path, sizeof path, "%s/kafka/kafka.log", fleet->options->directory);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    if (fseek(file, fleet->broker_log_at, SEEK_SET) == 0) {
        while (!out_of_sync && fgets(line, sizeof line, file)) {
            out_of_sync = strstr(line, "of the coordinator __consumer_offsets-") &&
                          strstr(line, "is out of sync with the underlying log");
        }
    }
    fclose(file);
    return out_of_sync;
}
