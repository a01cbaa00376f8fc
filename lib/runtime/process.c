/* process.c - from the command line to the first round, signals, and the exit code. */
#include "runtime/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "kafka/admin.h"
#include "kafka/client.h"
#include "runtime/instance.h"
#include "runtime/topology.h"
#include "runtime_records.h"

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    (void)number;
    if (signalled) {
        _exit(EXIT_DONE);
    }
    signalled = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- before the first round ---- */

/* Waits for a broker and compares its topics with what the processor needs, before anything is
 * touched. */
static enum outcome check_cluster(const struct process_options *options, struct error *error)
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
        error->exit_code = EXIT_UNAVAILABLE;
        outcome = FATAL;
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

static enum outcome open_codec(struct codec **codec, const struct process_options *options,
                               struct error *error)
{
    const struct weir_processor *processor = options->processor;
    const struct weir_record *records[3 * WEIR_LIST_MAX + 4] = {&checkpoint_record,
                                                                &timer_row_record, &cause_record};
    size_t count = 3;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        records[count++] = processor->inputs[i].topic->record;
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->stores[i]; i++) {
        records[count++] = processor->stores[i]->record;
    }
    return codec_open(codec, records, options->settings->schema_dir, error);
}

static void set_log_name(const struct process_options *options)
{
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
}

static void say_start(const struct process_options *options)
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

/* ---- the run ---- */

static enum outcome run(const struct process_options *options, struct error *error)
{
    struct codec *codec;
    struct instance *instance;
    enum outcome outcome = check_cluster(options, error);
    if (outcome != OK || signalled) {
        bool waited = outcome != OK && error->exit_code == EXIT_UNAVAILABLE;
        return signalled && waited ? OK : outcome;
    }
    outcome = open_codec(&codec, options, error);
    if (outcome != OK) {
        return outcome;
    }
    outcome = instance_open(&instance,
                            &(struct instance_options){
                                .processor = options->processor,
                                .settings = options->settings,
                                .codec = codec,
                                .partition = options->partition,
                                .instance_id = options->instance_id,
                                .port_open = client_open,
                                .port_close = client_close,
                            },
                            error);
    if (outcome == OK) {
        while (outcome == OK && !signalled) {
            outcome = instance_step(instance, error);
        }
        instance_close(instance);
    }
    codec_close(codec);
    return outcome;
}

int process_run(const struct process_options *options)
{
    set_log_name(options);
    catch_signals();
    say_start(options);
    struct error error;
    bool done = run(options, &error) == OK;
    int exit_code = done ? EXIT_DONE : error.exit_code;
    log_event(done ? LOG_INFO : LOG_ERROR, "stopped", "exit_code=%d because=\"%s\"", exit_code,
              done ? "asked to" : error.text);
    return exit_code;
}
