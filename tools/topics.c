/* topics.c - `weir topics`: creates or verifies every topic that the processors need. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processors.h"
#include "runtime/topology.h"
#include "tool.h"

static struct tool_place place;
static bool alter;
static int64_t replication;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"alter", 0, OPTION_FLAG, &alter, NULL, "apply: also set what differs on topics that exist"},
    {"replication-factor", 0, OPTION_NUMBER, &replication, "N",
     "apply: for new topics (default: the broker's)"},
    {0},
};

/* All topics of all processors, under the application ids and retentions that their configuration
 * gives. */
static enum outcome gather(struct topology *topology, struct error *error)
{
    for (size_t i = 0; processors[i]; i++) {
        struct settings settings;
        enum outcome outcome = tool_settings(&place, processors[i], &settings, error);
        if (outcome == OK) {
            topology_add(topology, processors[i], settings.application_id,
                         settings.delete_retention_ms);
        }
        settings_release(&settings);
        if (outcome != OK) {
            return outcome;
        }
    }
    return OK;
}

static enum outcome create_missing(struct topology *topology, const struct topic_settings *is,
                                   struct admin *admin, struct error *error)
{
    struct topic_settings *missing =
        arena_alloc(&topology->arena, topology->count * sizeof *missing);
    size_t count = 0;
    for (size_t i = 0; i < topology->count; i++) {
        if (is[i].partitions == 0) {
            missing[count] = topology->topics[i];
            missing[count++].replication_factor = (int32_t)replication;
        }
    }
    enum outcome outcome = count > 0 ? admin_create(admin, missing, count, error) : OK;
    for (size_t i = 0; i < count && outcome == OK; i++) {
        printf("created   %-28s %d partitions, %s\n", missing[i].name, (int)missing[i].partitions,
               missing[i].cleanup == WEIR_COMPACT ? "compact" : "delete");
    }
    return outcome;
}

/* Says what differs, or sets it. *differences counts what is left wrong. */
static enum outcome compare(struct topology *topology, const struct topic_settings *is,
                            struct admin *admin, bool may_alter, size_t *differences,
                            struct error *error)
{
    *differences = 0;
    for (size_t i = 0; i < topology->count; i++) {
        const struct topic_settings *should = &topology->topics[i];
        const char *difference = topology_difference(should, &is[i], &topology->arena);
        if (!difference) {
            continue;
        }
        if (may_alter && is[i].partitions == should->partitions) {
            enum outcome outcome = admin_alter(admin, should, error);
            if (outcome != OK) {
                return outcome;
            }
            printf("altered   %s\n", should->name);
            continue;
        }
        printf("differs   %s\n", difference);
        (*differences)++;
    }
    return OK;
}

static enum outcome work(bool apply, struct topology *topology, struct admin **admin,
                         size_t *differences, struct error *error)
{
    enum outcome outcome = gather(topology, error);
    if (outcome == OK) {
        outcome = tool_admin(&place, admin, error);
    }
    struct topic_settings *is = arena_alloc(&topology->arena, (topology->count + 1) * sizeof *is);
    for (int round = apply ? 0 : 1; outcome == OK && round < 2; round++) {
        for (size_t i = 0; i < topology->count; i++) {
            is[i] = (struct topic_settings){.name = topology->topics[i].name};
        }
        outcome = admin_describe(*admin, is, topology->count, error);
        if (outcome == OK && round == 0) {
            outcome = create_missing(topology, is, *admin, error);
        }
    }
    if (outcome == OK) {
        outcome = compare(topology, is, *admin, apply && alter, differences, error);
    }
    return outcome;
}

static int run(size_t count, char **arguments)
{
    (void)count;
    bool apply = strcmp(arguments[0], "apply") == 0;
    if (!apply && strcmp(arguments[0], "check") != 0) {
        return tool_usage("topics", "'%s': write apply or check", arguments[0]);
    }
    struct topology topology;
    topology_init(&topology);
    struct admin *admin = NULL;
    struct error error;
    size_t differences = 0;
    enum outcome outcome = work(apply, &topology, &admin, &differences, &error);
    int code = outcome != OK     ? tool_fail("topics", outcome, &error)
               : differences > 0 ? EXIT_CONFIG
                                 : EXIT_DONE;
    if (outcome == OK && differences == 0) {
        printf("all %zu topics are as they should be\n", topology.count);
    }
    admin_close(admin);
    topology_release(&topology);
    return code;
}

const struct command topics_command = {
    .name = "topics",
    .summary = "create or verify every topic: inputs, outputs, changelogs, histories, dead letters",
    .usage = "weir topics apply|check [options]",
    .text = "apply creates what is missing and never touches what exists, unless --alter is given. "
            "check only looks: each\n"
            "difference is named with its remedy, and the exit code is 78.",
    .example = "  weir topics apply -b 127.0.0.1:19092\n"
               "  created   stock.commands               4 partitions, delete",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
