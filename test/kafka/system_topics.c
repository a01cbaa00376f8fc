/* system_topics.c - topics, records and committed offsets of the system tests. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/admin_internal.h"
#include "kafka/system.h"
#include "runtime/topology.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { POLL_MS = 10 };

/* ---- topics ---- */

enum outcome system_create_missing(struct admin *admin, const struct weir_processor *processor,
                                   const char *application_id, struct error *error)
{
    struct topology topology;
    topology_init(&topology);
    topology_add(&topology, processor, application_id, 86400000);
    struct topic_settings is[64], missing[64];
    size_t count = 0;
    CHECK(topology.count <= 64);
    for (size_t i = 0; i < topology.count; i++) {
        is[i] = (struct topic_settings){.name = topology.topics[i].name};
    }
    enum outcome outcome = admin_describe(admin, is, topology.count, error);
    for (size_t i = 0; i < topology.count; i++) {
        if (is[i].partitions == 0) {
            missing[count++] = topology.topics[i];
        }
    }
    if (outcome == OK && count > 0) {
        outcome = admin_create(admin, missing, count, error);
    }
    topology_release(&topology);
    return outcome;
}

void system_create_topics(struct system *system, const struct weir_processor *processor)
{
    struct error error;
    system_must(system,
                system_create_missing(system->admin, processor, system->application_id, &error),
                &error);
}

void system_create_topic(struct system *system, const struct topic_settings *topic)
{
    struct error error;
    system_must(system, admin_create(system->admin, topic, 1, &error), &error);
}

void system_delete_topic(struct system *system, const char *name)
{
    struct error error;
    system_must(system, admin_delete_topics(system->admin, &name, 1, &error), &error);
    for (int64_t end = system_now_ms() + 10000;; system_sleep(50)) {
        struct topic_settings topic = {.name = name};
        system_must(system, admin_read_partitions(system->admin, &topic, 1, &error), &error);
        if (topic.partitions == 0) {
            return;
        }
        if (system_now_ms() > end) {
            system_fail(system, "%s is still there 10 s after it was deleted", name);
        }
    }
}

/* ---- records and offsets ---- */

struct port_log *system_logs(struct system *system, const char *topic, int32_t *partitions)
{
    struct error error;
    struct port_log *logs;
    enum outcome outcome;
    for (int64_t end = system_now_ms() + 10000;; system_sleep(100)) {
        outcome = admin_logs(system->admin, topic, &logs, partitions, &error);
        if (outcome != RETRY || system_now_ms() > end) {
            break; /* a broker that has just started needs a moment */
        }
    }
    system_must(system, outcome, &error);
    return logs;
}

int64_t system_end_of(struct system *system, const char *topic, int32_t partition)
{
    int32_t partitions;
    struct port_log *logs = system_logs(system, topic, &partitions);
    assert_true(partition < partitions);
    int64_t high = logs[partition].high;
    free(logs);
    return high;
}

void system_send(struct system *system, const char *topic, int32_t partition, const char *key,
                 struct weir_bytes value)
{
    struct error error;
    struct weir_bytes key_bytes = {(const uint8_t *)key, key ? strlen(key) : 0};
    system_must(system,
                writer_send(system->writer, topic, partition, key_bytes, value, NULL, 0, &error),
                &error);
}

void system_flush(struct system *system)
{
    struct error error;
    system_must(system, writer_flush(system->writer, 30000, &error), &error);
}

void system_delete_records(struct system *system, const char *topic, int32_t partition,
                           int64_t offset)
{
    struct error error;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(system->admin->handle, &request, 1, NULL, system->admin->answers);
    rd_kafka_event_t *answer;
    system_must(system, admin_answer(system->admin, "deleting records", &answer, &error), &error);
    rd_kafka_event_destroy(answer);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

void system_forget_input(struct system *system, const char *topic)
{
    for (int32_t p = 0; p < SYSTEM_PARTITIONS; p++) {
        system_delete_records(system, topic, p, -1);
    }
}

int64_t system_committed(struct system *system, const char *topic, int32_t partition)
{
    struct error error;
    struct port_offset offset;
    enum outcome outcome = admin_committed(system->admin, system->application_id, &topic, 1,
                                           partition, &offset, &error);
    if (outcome == RETRY) {
        return -2;
    }
    system_must(system, outcome, &error);
    return offset.offset;
}

static bool nobody_runs(struct system *system)
{
    for (size_t i = 0; i < system->process_count; i++) {
        if (system->processes[i].pid > 0 && process_is_running(system, &system->processes[i])) {
            return false;
        }
    }
    return true;
}

void system_expect_committed(struct system *system, const char *topic, int32_t partition,
                             int64_t offset, int timeout_ms)
{
    int64_t end = system_now_ms() + timeout_ms, found;
    while ((found = system_committed(system, topic, partition)) < offset) {
        if (nobody_runs(system)) {
            system_fail(system,
                        "%s partition %d: committed %" PRId64 ", not %" PRId64
                        ", and no process is left",
                        topic, (int)partition, found, offset);
        }
        if (system_now_ms() > end) {
            system_fail(system,
                        "%s partition %d: committed %" PRId64 ", not %" PRId64 " within %d ms",
                        topic, (int)partition, found, offset, timeout_ms);
        }
        system_sleep(POLL_MS);
    }
    assert_int_equal(found, offset);
}

void system_commit(struct system *system, const char *topic, int32_t partition, int64_t offset,
                   const char *metadata)
{
    struct error error;
    struct port_offset at = {.topic = topic, .offset = offset};
    snprintf(at.metadata, sizeof at.metadata, "%s", metadata);
    system_must(system,
                admin_commit(system->admin, system->application_id, &at, 1, partition, &error),
                &error);
}

void system_delete_group(struct system *system)
{
    struct error error;
    rd_kafka_DeleteGroup_t *request = rd_kafka_DeleteGroup_new(system->application_id);
    rd_kafka_DeleteGroups(system->admin->handle, &request, 1, NULL, system->admin->answers);
    rd_kafka_event_t *answer;
    system_must(system, admin_answer(system->admin, "deleting the group", &answer, &error), &error);
    rd_kafka_event_destroy(answer);
    rd_kafka_DeleteGroup_destroy(request);
}

void system_delete_offset(struct system *system, const char *topic, int32_t partition)
{
    struct error error;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_DeleteConsumerGroupOffsets_t *request =
        rd_kafka_DeleteConsumerGroupOffsets_new(system->application_id, list);
    rd_kafka_DeleteConsumerGroupOffsets(system->admin->handle, &request, 1, NULL,
                                        system->admin->answers);
    rd_kafka_event_t *answer;
    system_must(system, admin_answer(system->admin, "deleting an offset", &answer, &error), &error);
    rd_kafka_event_destroy(answer);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}
