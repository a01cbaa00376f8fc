/* instance.c - the loop: poll the consumer, step every task, sleep until something is due. */
#include "runtime/instance.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "runtime/task.h"
#include "runtime/topology.h"
#include "runtime_records.h"

enum {
    TASKS_MAX = 256,
    POLL_MAX_MS = 1000,
    REPORT_EVERY_US = 30 * 1000000,
    REJOIN_MS = 500,
    LOCK_RETRY_US = 200 * 1000,
};

struct instance {
    const struct instance_options *options;
    struct port *port;
    struct codec *codec;
    struct task *tasks[TASKS_MAX]; /* by partition */
    bool assigned[TASKS_MAX];      /* wanted; a task whose state is still locked is opened later */
    int64_t open_again_us;
    int64_t reported_us;
    bool stop; /* FATAL from a callback */
    struct error error;
};

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    (void)number;
    if (signalled) {
        _exit(EXIT_DONE);
    }
    signalled = 1;
}

static bool is_group(const struct instance *instance)
{
    return instance->options->partition < 0;
}

/* ---- tasks ---- */

static char *state_path(const struct instance *instance, int32_t partition)
{
    const struct settings *settings = instance->options->settings;
    size_t size = strlen(settings->state_dir) + strlen(settings->application_id) + 32;
    char *path = xmalloc(size);
    snprintf(path, size, "%s/%s/p%d.sqlite", settings->state_dir, settings->application_id,
             (int)partition);
    return path;
}

static enum outcome open_task(struct instance *instance, int32_t partition, struct error *error)
{
    const struct settings *settings = instance->options->settings;
    char *path = state_path(instance, partition);
    struct task_options options = {
        .processor = instance->options->processor,
        .settings = settings->values,
        .application_id = settings->application_id,
        .state_path = path,
        .partition = partition,
        .port = instance->port,
        .codec = instance->codec,
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

/* Opens tasks that are assigned and not open. In a group the file may still be locked by a process
 * that is just ending. */
static void open_tasks(struct instance *instance)
{
    int64_t now = instance->port->calls->monotonic_us(instance->port);
    if (now < instance->open_again_us) {
        return;
    }
    for (int32_t p = 0; p < TASKS_MAX && !instance->stop; p++) {
        if (!instance->assigned[p] || instance->tasks[p]) {
            continue;
        }
        struct error error;
        if (open_task(instance, p, &error) == OK) {
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
}

static void close_tasks(struct instance *instance, bool lost)
{
    for (int32_t p = 0; p < TASKS_MAX; p++) {
        task_close(instance->tasks[p], lost);
        instance->tasks[p] = NULL;
        instance->assigned[p] = false;
    }
}

/* ---- opening ---- */

static enum outcome open_codec(struct instance *instance, struct error *error)
{
    const struct weir_processor *processor = instance->options->processor;
    const struct weir_record *records[3 * WEIR_LIST_MAX + 4] = {&checkpoint_record,
                                                                &timer_row_record, &cause_record};
    size_t count = 3;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        records[count++] = processor->inputs[i].topic->record;
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->stores[i]; i++) {
        records[count++] = processor->stores[i]->record;
    }
    return codec_open(&instance->codec, records, instance->options->settings->schema_dir, error);
}

static enum outcome open_client(struct instance *instance, struct error *error)
{
    const struct settings *settings = instance->options->settings;
    const struct weir_processor *processor = instance->options->processor;
    const char *topics[WEIR_LIST_MAX + 1] = {NULL};
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        topics[i] = processor->inputs[i].topic->name;
    }
    struct client_options options = {
        .bootstrap_servers = settings->bootstrap_servers,
        .application_id = settings->application_id,
        .instance_id = is_group(instance) ? instance->options->instance_id : NULL,
        .fixed_partition = instance->options->partition,
        .topics = topics,
        .group = {instance, on_assigned, on_revoked},
        .session_timeout_ms = (int)settings->session_timeout_ms,
        .transaction_timeout_ms = (int)settings->transaction_timeout_ms,
        .properties = settings->properties,
        .property_count = settings->property_count,
    };
    return client_open(&instance->port, &options, error);
}

/* Waits for a broker and compares its topics with what the processor needs, before anything is
 * touched. */
static enum outcome check_cluster(const struct instance_options *options, struct error *error)
{
    const struct settings *settings = options->settings;
    int32_t partitions = topology_partitions(options->processor);
    if (options->partition >= partitions) {
        return fail_exit(error, EXIT_USAGE, "--partition %d: %s has partitions 0 to %d",
                         (int)options->partition, options->processor->inputs[0].topic->name,
                         (int)partitions - 1);
    }
    struct admin *admin;
    enum outcome outcome = admin_open(&admin, settings->bootstrap_servers, settings->properties,
                                      settings->property_count, error);
    if (outcome != OK) {
        return outcome;
    }
    struct topology topology;
    topology_init(&topology);
    topology_add(&topology, options->processor, settings->application_id,
                 settings->delete_retention_ms);
    outcome = admin_wait_for_broker(admin, 2000, error);
    for (int waited_ms = 2000; outcome == RETRY && waited_ms < options->wait_ms && !signalled;
         waited_ms += 1000) {
        if (waited_ms == 2000) {
            log_event(LOG_WARN, "waiting_for_broker",
                      "bootstrap.servers=%s wait_ms=%d because=\"%s\"", settings->bootstrap_servers,
                      options->wait_ms, error->text);
        }
        outcome = admin_wait_for_broker(admin, 1000, error);
    }
    if (outcome == RETRY) {
        struct error why = *error;
        outcome = fail_exit(error, EXIT_UNAVAILABLE,
                            "%s; is it running, is bootstrap.servers right?", why.text);
    }
    for (int tries = 0; outcome == OK && tries < 30; tries++) {
        outcome = topology_check(&topology, admin, error);
        if (outcome != RETRY || signalled) {
            break;
        }
        outcome = tries < 29 ? OK : outcome;
        sleep(1);
    }
    if (outcome == RETRY) {
        error->exit_code = EXIT_UNAVAILABLE;
    }
    topology_release(&topology);
    admin_close(admin);
    return outcome;
}

/* ---- the loop ---- */

/* Listens for a while before it rejoins: a static member that a successor has replaced is told so,
 * and rejoining would throw that one out in turn. true: that is so. */
static bool replaced(struct instance *instance)
{
    const struct port_calls *calls = instance->port->calls;
    int64_t until_us = calls->monotonic_us(instance->port) + REJOIN_MS * 1000;
    bool fatal = false;
    while (!fatal && !signalled && calls->monotonic_us(instance->port) < until_us) {
        fatal = calls->poll(instance->port, REJOIN_MS / 10, &instance->error) == FATAL;
        close_tasks(instance, true); /* what was assigned meanwhile ends with this membership */
    }
    return fatal;
}

/* A task that cannot go on. Fixed: the process ends with its code. Group, when another owner has
 * it: everything is dropped and the member rejoins, which settles who owns what. */
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
    if (replaced(instance)) {
        instance->stop = true;
        return;
    }
    client_close(instance->port);
    instance->port = NULL;
    struct error why;
    if (open_client(instance, &why) != OK) {
        instance->error = why;
        instance->stop = true;
    }
}

static void report(struct instance *instance)
{
    int64_t now = instance->port->calls->monotonic_us(instance->port);
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

/* Steps every task once. Returns how long the loop may sleep, in us. */
static int64_t step_tasks(struct instance *instance)
{
    int64_t earliest_us = INT64_MAX;
    for (int32_t p = 0; p < TASKS_MAX && !instance->stop && instance->port; p++) {
        if (!instance->tasks[p]) {
            continue;
        }
        int64_t wake_us;
        struct error error;
        if (task_step(instance->tasks[p], &wake_us, &error) != OK) {
            task_failed(instance, p, &error);
            return 0;
        }
        earliest_us = wake_us < earliest_us ? wake_us : earliest_us;
    }
    if (earliest_us == INT64_MAX) {
        return (int64_t)POLL_MAX_MS * 1000;
    }
    int64_t now = instance->port->calls->monotonic_us(instance->port);
    return earliest_us > now ? earliest_us - now : 0;
}

static void loop(struct instance *instance)
{
    int64_t sleep_us = 0;
    while (!signalled && !instance->stop && instance->port) {
        struct error error;
        int timeout_ms =
            sleep_us > POLL_MAX_MS * 1000 ? POLL_MAX_MS : (int)((sleep_us + 999) / 1000);
        enum outcome outcome = instance->port->calls->poll(instance->port, timeout_ms, &error);
        if (outcome == FATAL) {
            instance->error = error;
            instance->stop = true;
            return;
        }
        if (outcome != OK) {
            log_event(LOG_WARN, "broker_trouble", "because=\"%s\"", error.text);
        }
        open_tasks(instance);
        sleep_us = step_tasks(instance);
        if (instance->port) {
            report(instance);
        }
    }
}

static void say_start(const struct instance_options *options)
{
    struct buffer settings;
    buffer_init(&settings);
    settings_print(options->settings, options->processor, &settings);
    log_event(LOG_INFO, "starting", "processor=%s client=\"%s\" mode=%s %s",
              options->processor->name, client_library(),
              options->partition >= 0 ? "fixed" : "group", buffer_string(&settings));
    buffer_release(&settings);
    const char *warning = client_library_warning();
    if (warning) {
        log_event(LOG_WARN, "client_library", "warning=\"%s\"", warning);
    }
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int instance_run(const struct instance_options *options)
{
    struct instance *instance = xcalloc(1, sizeof *instance);
    instance->options = options;
    char name[64];
    if (options->partition >= 0) {
        snprintf(name, sizeof name, "%.40s.p%d", options->settings->application_id,
                 (int)options->partition);
    } else {
        snprintf(name, sizeof name, "%.30s@%.30s", options->settings->application_id,
                 options->instance_id);
    }
    log_set_name(name);
    log_set_level(options->settings->log_level);
    catch_signals();
    say_start(options);

    enum outcome outcome = check_cluster(options, &instance->error);
    if (outcome == OK) {
        outcome = open_codec(instance, &instance->error);
    }
    if (outcome == OK && !signalled) {
        outcome = open_client(instance, &instance->error);
    }
    if (outcome == OK && instance->port) {
        instance->reported_us = instance->port->calls->monotonic_us(instance->port);
        loop(instance);
        close_tasks(instance, instance->stop);
        client_close(instance->port);
    }
    int exit_code = outcome != OK || instance->stop ? instance->error.exit_code : EXIT_DONE;
    if (signalled && outcome == RETRY) {
        exit_code = EXIT_DONE;
    }
    log_event(exit_code == EXIT_DONE ? LOG_INFO : LOG_ERROR, "stopped",
              "exit_code=%d because=\"%s\"", exit_code,
              exit_code == EXIT_DONE ? "asked to" : instance->error.text);
    codec_close(instance->codec);
    free(instance);
    return exit_code;
}
