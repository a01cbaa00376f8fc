/* tasks.c - opens what is needed to look at a processor's tasks. */
#include "doctor/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "processors.h"
#include "runtime/topology.h"

const struct weir_processor *tasks_processor(const char *command, const struct tool_place *place,
                                             const char *name)
{
    for (size_t i = 0; processors[i]; i++) {
        struct settings settings;
        struct error ignored;
        bool same = strcmp(processors[i]->name, name) == 0 ||
                    (tool_settings(place, processors[i], &settings, &ignored) == OK &&
                     strcmp(settings.application_id, name) == 0);
        if (strcmp(processors[i]->name, name) != 0) {
            settings_release(&settings);
        }
        if (same) {
            return processors[i];
        }
    }
    return tool_processor(command, name);
}

/* A port in fixed mode is assigned its partition by poll(), which is never called. */
static void assigned(void *context, const int32_t *partitions, size_t count)
{
    (void)context, (void)partitions, (void)count;
}

static void revoked(void *context, const int32_t *partitions, size_t count, bool lost)
{
    (void)context, (void)partitions, (void)count, (void)lost;
}

enum outcome tasks_open(struct tasks *tasks, const struct tool_place *place,
                        const struct weir_processor *processor, int transaction_timeout_ms,
                        struct error *error)
{
    *tasks = (struct tasks){.processor = processor, .partitions = topology_partitions(processor)};
    const char *topics[WEIR_LIST_MAX + 1] = {NULL};
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        topics[i] = processor->inputs[i].topic->name;
    }
    struct settings *settings = &tasks->settings;
    enum outcome outcome = tool_settings(place, processor, settings, error);
    if (outcome == OK) {
        outcome = decoder_init(&tasks->decoder, settings->schema_dir, error);
    }
    struct client_options options = {
        .bootstrap_servers = settings->bootstrap_servers,
        .application_id = settings->application_id,
        .topics = topics,
        .group = {NULL, assigned, revoked},
        .session_timeout_ms = (int)settings->session_timeout_ms,
        .transaction_timeout_ms = transaction_timeout_ms > 0
                                      ? transaction_timeout_ms
                                      : (int)settings->transaction_timeout_ms,
        .properties = settings->properties,
        .property_count = settings->property_count,
    };
    return outcome == OK ? client_open(&tasks->port, &options, error) : outcome;
}

void tasks_release(struct tasks *tasks)
{
    client_close(tasks->port);
    decoder_release(&tasks->decoder);
    settings_release(&tasks->settings);
}

enum outcome tasks_facts(const struct tasks *tasks, int32_t partition, struct arena *arena,
                         struct task_facts *facts, struct error *error)
{
    char *path = tool_state_path(&tasks->settings, partition);
    struct facts_source source = {
        .port = tasks->port,
        .codec = tasks->decoder.codec,
        .processor = tasks->processor,
        .application_id = tasks->settings.application_id,
        .state_path = path,
        .partition = partition,
        .transaction_timeout_ms = tasks->settings.transaction_timeout_ms,
        .delete_retention_ms = tasks->settings.delete_retention_ms,
    };
    enum outcome outcome = facts_gather(&source, arena, facts, error);
    free(path);
    return outcome;
}

const struct weir_store *const *tasks_tables(const struct weir_processor *processor,
                                             struct arena *arena)
{
    const struct weir_store **tables = arena_alloc(arena, (WEIR_LIST_MAX + 2) * sizeof *tables);
    size_t count = 0;
    while (count < WEIR_LIST_MAX && processor->stores[count]) {
        tables[count] = processor->stores[count];
        count++;
    }
    tables[count] = &timer_row_store;
    return tables;
}

enum outcome tasks_store(const struct tasks *tasks, int32_t partition, struct arena *arena,
                         struct store **store, enum store_found *found, struct error *error)
{
    struct store_identity identity = {tasks->settings.application_id, partition,
                                      tasks_tables(tasks->processor, arena)};
    char *path = tool_state_path(&tasks->settings, partition);
    struct error note;
    enum outcome outcome = store_open(store, path, &identity, found, &note, error);
    free(path);
    return outcome;
}
