/* instance.c - one round: poll the consumer, step every task, note when something is due. */
#include "runtime/instance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "runtime/task.h"

enum {
    TASKS_MAX = 256,
    POLL_MAX_US = 1000 * 1000,
    REPORT_EVERY_US = 30 * 1000000,
    REJOIN_US = 500 * 1000,
    LISTEN_MS = 50,
    LOCK_RETRY_US = 200 * 1000,
};

struct instance {
    struct instance_options options;
    struct port *port;
    struct task *tasks[TASKS_MAX]; /* by partition */
    bool assigned[TASKS_MAX];      /* wanted; a task whose state is still locked is opened later */
    int64_t open_again_us, rejoin_us, reported_us;
    int64_t wake_us; /* when the next round is due, records or not */
    bool stop;       /* it cannot go on: error says why */
    struct error error;
};

static bool is_group(const struct instance *instance)
{
    return instance->options.partition < 0;
}

static int64_t now_us(const struct instance *instance)
{
    return instance->port->calls->monotonic_us(instance->port);
}

/* ---- tasks ---- */

static char *state_path(const struct instance *instance, int32_t partition)
{
    const struct settings *settings = instance->options.settings;
    size_t size = strlen(settings->state_dir) + strlen(settings->application_id) + 32;
    char *path = xmalloc(size);
    snprintf(path, size, "%s/%s/p%d.sqlite", settings->state_dir, settings->application_id,
             (int)partition);
    return path;
}

static enum outcome open_task(struct instance *instance, int32_t partition, struct error *error)
{
    const struct settings *settings = instance->options.settings;
    char *path = state_path(instance, partition);
    struct task_options options = {
        .processor = instance->options.processor,
        .settings = settings->values,
        .application_id = settings->application_id,
        .state_path = path,
        .partition = partition,
        .port = instance->port,
        .codec = instance->options.codec,
        .commit_pause_ms = (int)settings->commit_pause_ms,
        .transaction_timeout_ms = (int)settings->transaction_timeout_ms,
        .store_commit_ms = settings->store_commit_ms,
        .take_max_records = (size_t)settings->take_max_records,
        .take_max_bytes = (size_t)settings->take_max_bytes,
        .clock_bound_ms = settings->clock_bound_ms,
        .delete_retention_ms = settings->delete_retention_ms,
    };
    enum outcome outcome = task_open(&instance->tasks[partition], &options, error);
    free(path);
    return outcome;
}

static void share_memory(struct instance *instance)
{
    size_t count = 0;
    for (int32_t p = 0; p < TASKS_MAX; p++) {
        count += instance->tasks[p] != NULL;
    }
    for (int32_t p = 0; p < TASKS_MAX; p++) {
        if (instance->tasks[p]) {
            task_share_memory(instance->tasks[p], count);
        }
    }
}

/* Opens tasks that are assigned and not open. In a group the file may still be locked by a process
 * that is just ending. */
static void open_tasks(struct instance *instance)
{
    int64_t now = now_us(instance);
    if (now < instance->open_again_us) {
        return;
    }
    for (int32_t p = 0; p < TASKS_MAX && !instance->stop; p++) {
        if (!instance->assigned[p] || instance->tasks[p]) {
            continue;
        }
        struct error error;
        if (open_task(instance, p, &error) == OK) {
            share_memory(instance);
            continue;
        }
        if (is_group(instance) && error.exit_code == EXIT_TRY_AGAIN) {
            log_event(LOG_WARN, "task_waits", "partition=%d because=\"%s\"", (int)p, error.text);
            instance->open_again_us = now + LOCK_RETRY_US;
            return;
        }
        instance->error = error;
        instance->stop = true;
    }
}

static void on_assigned(void *context, const int32_t *partitions, size_t count)
{
    struct instance *instance = context;
    for (size_t i = 0; i < count; i++) {
        if (partitions[i] < 0 || partitions[i] >= TASKS_MAX) {
            instance->stop = true;
            fail_exit(&instance->error, EXIT_CONFIG,
                      "partition %d: an instance runs at most %d tasks", (int)partitions[i],
                      TASKS_MAX);
            return;
        }
        instance->assigned[partitions[i]] = true;
        log_event(LOG_INFO, "assigned", "partition=%d", (int)partitions[i]);
    }
}

static void on_revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    struct instance *instance = context;
    for (size_t i = 0; i < count; i++) {
        int32_t p = partitions[i];
        if (p < 0 || p >= TASKS_MAX) {
            continue;
        }
        log_event(LOG_INFO, "revoked", "partition=%d lost=%s", (int)p, lost ? "yes" : "no");
        task_close(instance->tasks[p], lost);
        instance->tasks[p] = NULL;
        instance->assigned[p] = false;
    }
    share_memory(instance);
}

static void close_tasks(struct instance *instance, bool lost)
{
    for (int32_t p = 0; p < TASKS_MAX; p++) {
        task_close(instance->tasks[p], lost);
        instance->tasks[p] = NULL;
        instance->assigned[p] = false;
    }
}

/* ---- a task that cannot go on ---- */

static enum outcome open_port(struct instance *instance, struct error *error)
{
    const struct settings *settings = instance->options.settings;
    const struct weir_processor *processor = instance->options.processor;
    const char *topics[WEIR_LIST_MAX + 1] = {NULL};
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        topics[i] = processor->inputs[i].topic->name;
    }
    struct client_options options = {
        .bootstrap_servers = settings->bootstrap_servers,
        .application_id = settings->application_id,
        .instance_id = is_group(instance) ? instance->options.instance_id : NULL,
        .fixed_partition = instance->options.partition,
        .topics = topics,
        .group = {instance, on_assigned, on_revoked},
        .session_timeout_ms = (int)settings->session_timeout_ms,
        .transaction_timeout_ms = (int)settings->transaction_timeout_ms,
        .properties = settings->properties,
        .property_count = settings->property_count,
    };
    return instance->options.port_open(&instance->port, &options, error);
}

/* Fixed: the instance ends with the task's reason. Group, when another owner has it: everything is
 * dropped and the member rejoins, which settles who owns what. */
static void task_failed(struct instance *instance, int32_t partition, const struct error *error)
{
    log_event(error->exit_code == EXIT_TRY_AGAIN ? LOG_WARN : LOG_ERROR, "task_stopped",
              "partition=%d exit_code=%d because=\"%s\"", (int)partition, error->exit_code,
              error->text);
    task_close(instance->tasks[partition], true);
    instance->tasks[partition] = NULL;
    if (!is_group(instance) || error->exit_code != EXIT_TRY_AGAIN) {
        instance->error = *error;
        instance->stop = true;
        return;
    }
    close_tasks(instance, false);
    instance->rejoin_us = now_us(instance) + REJOIN_US;
}

/* Listens for a while before it rejoins: a static member that a successor has replaced is told so,
 * and rejoining would throw that one out in turn. */
static void listen(struct instance *instance)
{
    if (instance->port->calls->poll(instance->port, LISTEN_MS, &instance->error) == FATAL) {
        instance->stop = true;
        return;
    }
    close_tasks(instance, true); /* what was assigned meanwhile ends with this membership */
    instance->wake_us = now_us(instance) + LISTEN_MS * 1000;
    if (now_us(instance) < instance->rejoin_us) {
        return;
    }
    instance->rejoin_us = 0;
    instance->wake_us = 0;
    instance->options.port_close(instance->port);
    instance->port = NULL;
    instance->stop = open_port(instance, &instance->error) != OK;
}

/* ---- the round ---- */

static void report(struct instance *instance)
{
    int64_t now = now_us(instance);
    if (now - instance->reported_us < REPORT_EVERY_US) {
        return;
    }
    instance->reported_us = now;
    for (int32_t p = 0; p < TASKS_MAX; p++) {
        if (!instance->tasks[p]) {
            continue;
        }
        const struct task_counts *c = task_counts(instance->tasks[p]);
        log_event(LOG_INFO, "progress",
                  "partition=%d state=%s commit=%" PRId64 " handled=%" PRId64 " stale=%" PRId64
                  " dead=%" PRId64 " outputs=%" PRId64 " timers=%" PRId64 " commits=%" PRId64
                  " aborts=%" PRId64 " fences=%" PRId64
                  " commit_mean_ms=%.2f commit_max_ms=%.2f records_per_commit=%.1f",
                  (int)p, task_state_name(task_state(instance->tasks[p])),
                  task_commit_number(instance->tasks[p]), c->handled, c->stale, c->dead, c->outputs,
                  c->timers, c->commits, c->aborts, c->fences,
                  c->commits > 0 ? (double)c->commit_us_sum / (double)c->commits / 1000 : 0,
                  (double)c->commit_us_max / 1000,
                  c->commits > 0 ? (double)c->take_records / (double)c->commits : 0);
    }
}

/* Steps every task once. */
static void step_tasks(struct instance *instance)
{
    instance->wake_us = INT64_MAX;
    for (int32_t p = 0; p < TASKS_MAX; p++) {
        if (!instance->tasks[p]) {
            continue;
        }
        int64_t wake_us;
        struct error error;
        if (task_step(instance->tasks[p], &wake_us, &error) != OK) {
            instance->wake_us = 0;
            task_failed(instance, p, &error);
            return;
        }
        instance->wake_us = wake_us < instance->wake_us ? wake_us : instance->wake_us;
    }
}

static int sleep_ms(const struct instance *instance)
{
    int64_t now = now_us(instance);
    int64_t sleep_us = instance->wake_us > now ? instance->wake_us - now : 0;
    return (int)(((sleep_us < POLL_MAX_US ? sleep_us : POLL_MAX_US) + 999) / 1000);
}

static void round_of_all(struct instance *instance)
{
    struct error error;
    enum outcome outcome = instance->port->calls->poll(instance->port, sleep_ms(instance), &error);
    if (outcome == FATAL) {
        instance->error = error;
        instance->stop = true;
        return;
    }
    if (outcome != OK) {
        log_event(LOG_WARN, "broker_trouble", "because=\"%s\"", error.text);
    }
    open_tasks(instance);
    if (!instance->stop) {
        step_tasks(instance);
        report(instance);
    }
}

enum outcome instance_step(struct instance *instance, struct error *error)
{
    if (!instance->stop && instance->rejoin_us > 0) {
        listen(instance);
    } else if (!instance->stop) {
        round_of_all(instance);
    }
    if (instance->stop) {
        *error = instance->error;
        return FATAL;
    }
    return OK;
}

int64_t instance_wakes_us(const struct instance *instance)
{
    return instance->wake_us;
}

/* ---- life ---- */

enum outcome instance_open(struct instance **opened, const struct instance_options *options,
                           struct error *error)
{
    struct instance *instance = xcalloc(1, sizeof *instance);
    instance->options = *options;
    enum outcome outcome = open_port(instance, error);
    if (outcome != OK) {
        free(instance);
        return outcome;
    }
    instance->reported_us = now_us(instance);
    *opened = instance;
    return OK;
}

void instance_close(struct instance *instance)
{
    if (!instance) {
        return;
    }
    close_tasks(instance, instance->stop);
    if (instance->port) {
        instance->options.port_close(instance->port);
    }
    free(instance);
}
