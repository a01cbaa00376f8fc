/* topology.c - which topics a processor needs, and what may not differ. */
#include "runtime/topology.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATE_RECORD_MAX_BYTES = 1024 * 1024,
    DEAD_LETTER_EXTRA_BYTES = 64 * 1024, /* the headers that say what was wrong */
};

static const int64_t dead_letter_retention_ms = INT64_C(30) * 24 * 3600 * 1000;
static const int64_t history_retention_ms = -1;

void topology_init(struct topology *topology)
{
    *topology = (struct topology){0};
    arena_init(&topology->arena);
}

void topology_release(struct topology *topology)
{
    free(topology->topics);
    arena_release(&topology->arena);
}

static void add(struct topology *topology, struct topic_settings topic)
{
    for (size_t i = 0; i < topology->count; i++) {
        if (strcmp(topology->topics[i].name, topic.name) == 0) {
            return;
        }
    }
    topology->topics = xrealloc(topology->topics, (topology->count + 1) * sizeof *topology->topics);
    topic.log_append_time = true;
    topology->topics[topology->count++] = topic;
}

static void add_topic(struct topology *topology, const struct weir_topic *topic)
{
    add(topology, (struct topic_settings){
                      .name = topic->name,
                      .partitions = topic->partitions,
                      .cleanup = topic->cleanup,
                      .retention_ms = topic->retention_ms,
                      .delete_retention_ms = topic->delete_retention_ms,
                      .max_message_bytes = topic->max_message_bytes,
                  });
}

int32_t topology_partitions(const struct weir_processor *processor)
{
    CHECK(processor->inputs[0].topic);
    return processor->inputs[0].topic->partitions;
}

void topology_add(struct topology *topology, const struct weir_processor *processor,
                  const char *application_id, int64_t delete_retention_ms)
{
    struct arena *arena = &topology->arena;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        const struct weir_topic *input = processor->inputs[i].topic;
        add_topic(topology, input);
        add(topology, (struct topic_settings){
                          .name = arena_format(arena, "%s.dlq", input->name),
                          .partitions = input->partitions,
                          .cleanup = WEIR_DELETE,
                          .retention_ms = dead_letter_retention_ms,
                          .delete_retention_ms = input->delete_retention_ms,
                          .max_message_bytes = input->max_message_bytes + DEAD_LETTER_EXTRA_BYTES,
                      });
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->outputs[i]; i++) {
        add_topic(topology, processor->outputs[i]);
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->views[i].topic; i++) {
        add_topic(topology, processor->views[i].topic);
    }
    int32_t partitions = topology_partitions(processor);
    add(topology, (struct topic_settings){
                      .name = arena_format(arena, "%s.changelog", application_id),
                      .partitions = partitions,
                      .cleanup = WEIR_COMPACT,
                      .retention_ms = -1,
                      .delete_retention_ms = delete_retention_ms,
                      .max_message_bytes = STATE_RECORD_MAX_BYTES,
                  });
    add(topology, (struct topic_settings){
                      .name = arena_format(arena, "%s.history", application_id),
                      .partitions = partitions,
                      .cleanup = WEIR_DELETE,
                      .retention_ms = history_retention_ms,
                      .delete_retention_ms = delete_retention_ms,
                      .max_message_bytes = STATE_RECORD_MAX_BYTES,
                  });
}

const char *topology_difference(const struct topic_settings *should,
                                const struct topic_settings *is, struct arena *arena)
{
    const char *name = should->name;
    if (is->partitions == 0) {
        return arena_format(arena, "topic %s does not exist; create it: weir topics apply", name);
    }
    if (is->partitions != should->partitions) {
        return arena_format(
            arena,
            "topic %s has %d partitions, topics.conf says %d; records are placed by key and "
            "partition "
            "count, so a topic with records cannot be changed: recreate it, or correct topics.conf",
            name, (int)is->partitions, (int)should->partitions);
    }
    if (is->cleanup != should->cleanup) {
        const char *policy = should->cleanup == WEIR_COMPACT ? "compact" : "delete";
        return arena_format(
            arena, "topic %s does not have cleanup.policy=%s; set it: weir topics apply --alter",
            name, policy);
    }
    if (!is->log_append_time) {
        return arena_format(arena,
                            "topic %s does not have message.timestamp.type=LogAppendTime; set it: "
                            "weir topics apply "
                            "--alter",
                            name);
    }
    if (is->max_message_bytes < should->max_message_bytes) {
        return arena_format(
            arena,
            "topic %s has max.message.bytes=%d, topics.conf says %d; set it: weir topics apply "
            "--alter",
            name, (int)is->max_message_bytes, (int)should->max_message_bytes);
    }
    if (should->cleanup == WEIR_COMPACT && is->delete_retention_ms < should->delete_retention_ms) {
        return arena_format(arena,
                            "topic %s has delete.retention.ms=%" PRId64 ", %" PRId64
                            " is needed; set it: weir topics apply --alter",
                            name, is->delete_retention_ms, should->delete_retention_ms);
    }
    if (should->cleanup == WEIR_COMPACT && is->unclean_leader_election) {
        return arena_format(
            arena,
            "topic %s has unclean.leader.election.enable=true, which may lose committed state; set "
            "it: weir topics apply --alter",
            name);
    }
    return NULL;
}

enum outcome topology_check(const struct topology *topology, struct admin *admin,
                            struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    struct topic_settings *is = arena_alloc(&arena, topology->count * sizeof *is);
    for (size_t i = 0; i < topology->count; i++) {
        is[i].name = topology->topics[i].name;
    }
    enum outcome outcome = admin_describe(admin, is, topology->count, error);
    for (size_t i = 0; i < topology->count && outcome == OK; i++) {
        const char *difference = topology_difference(&topology->topics[i], &is[i], &arena);
        if (difference) {
            outcome = fail_exit(error, EXIT_CONFIG, "%s", difference);
        }
    }
    arena_release(&arena);
    return outcome;
}
