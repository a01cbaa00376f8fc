/* broker.c - the cluster: its clock, its topics, and what tests ask of it and set in it. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "broker/internal.h"
#include "kafka/admin.h"

struct broker *broker_open(int64_t now_ms)
{
    struct broker *broker = xcalloc(1, sizeof *broker);
    broker->now_ms = broker->start_ms = now_ms;
    broker->next_producer_id = 1000;
    return broker;
}

static void release_topic(struct broker_topic *topic)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        broker_log_reset(&topic->partitions[i]);
    }
    free(topic->partitions);
    free(topic->name);
    free(topic);
}

void broker_close(struct broker *broker)
{
    CHECK_EQUAL(broker->port_count, 0);
    broker_strays_release(broker);
    for (size_t i = 0; i < broker->topic_count; i++) {
        release_topic(broker->topics[i]);
    }
    for (size_t i = 0; i < broker->group_count; i++) {
        broker_group_release(broker->groups[i]);
    }
    for (size_t i = 0; i < broker->txn_count; i++) {
        broker_txn_release(broker->txns[i]);
    }
    free(broker->topics);
    free(broker->groups);
    free(broker->txns);
    free(broker->faults);
    free(broker);
}

/* ---- time ---- */

int64_t broker_now_ms(const struct broker *broker)
{
    return broker->now_ms;
}

/* When the next thing happens by itself; INT64_MAX: never. */
static int64_t next_event_ms(const struct broker *broker)
{
    int64_t next = broker_txn_due_ms(broker);
    for (size_t i = 0; i < broker->group_count; i++) {
        int64_t due = broker_group_due_ms(broker->groups[i]);
        next = due < next ? due : next;
    }
    return next;
}

void broker_advance(struct broker *broker, int64_t ms)
{
    CHECK(ms >= 0);
    int64_t end = broker->now_ms + ms;
    int64_t next = next_event_ms(broker);
    while (next <= end) {
        if (next > broker->now_ms) {
            broker->now_ms = next;
        }
        broker_txn_serve(broker);
        for (size_t i = 0; i < broker->group_count; i++) {
            broker_group_expire(broker, broker->groups[i]);
        }
        next = next_event_ms(broker);
        CHECK(next > broker->now_ms);
    }
    broker->now_ms = end;
}

void broker_auto_advance(struct broker *broker, bool on)
{
    broker->auto_advance = on;
}

bool broker_wait(struct broker *broker, int64_t *left_ms)
{
    if (!broker->auto_advance || *left_ms <= 0) {
        return false;
    }
    int64_t step = next_event_ms(broker) - broker->now_ms;
    if (step > *left_ms) {
        step = *left_ms;
    }
    if (step < 1) {
        step = 1;
    }
    broker_advance(broker, step);
    *left_ms -= step;
    return true;
}

/* ---- topics ---- */

struct broker_topic *broker_topic_find(struct broker *broker, const char *name)
{
    for (size_t i = 0; i < broker->topic_count; i++) {
        if (strcmp(broker->topics[i]->name, name) == 0) {
            return broker->topics[i];
        }
    }
    return NULL;
}

struct broker_partition *broker_partition_find(struct broker *broker, const char *topic,
                                               int32_t partition)
{
    struct broker_topic *found = broker_topic_find(broker, topic);
    return found && partition >= 0 && partition < found->partition_count
               ? &found->partitions[partition]
               : NULL;
}

/* What a test names must exist. */
static struct broker_partition *the_partition(struct broker *broker, const char *topic,
                                              int32_t partition)
{
    struct broker_partition *found = broker_partition_find(broker, topic, partition);
    CHECK(found);
    return found;
}

void broker_create_topic(struct broker *broker, const char *name, int32_t partitions,
                         bool compacted)
{
    CHECK(partitions > 0 && !broker_topic_find(broker, name));
    struct broker_topic *topic = xcalloc(1, sizeof *topic);
    *topic = (struct broker_topic){.name = xstrdup(name),
                                   .partition_count = partitions,
                                   .compacted = compacted};
    topic->partitions = xcalloc((size_t)partitions, sizeof *topic->partitions);
    for (int32_t i = 0; i < partitions; i++) {
        topic->partitions[i].topic = topic;
        topic->partitions[i].number = i;
    }
    broker->topics =
        broker_grow(broker->topics, broker->topic_count, sizeof(struct broker_topic *));
    broker->topics[broker->topic_count++] = topic;
}

void broker_recreate_topic(struct broker *broker, const char *name)
{
    struct broker_topic *topic = broker_topic_find(broker, name);
    CHECK(topic);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        broker_log_reset(&topic->partitions[i]);
    }
    for (size_t i = 0; i < broker->group_count; i++) {
        broker_group_forget(broker->groups[i], topic);
    }
}

void broker_truncate(struct broker *broker, const char *topic, int32_t partition, int64_t low)
{
    broker_log_truncate(the_partition(broker, topic, partition), low);
}

void broker_compact(struct broker *broker, const char *topic, int32_t partition,
                    bool drop_tombstones)
{
    struct broker_partition *log = the_partition(broker, topic, partition);
    CHECK(log->topic->compacted);
    broker_log_compact(log, drop_tombstones);
}

int64_t broker_produce(struct broker *broker, const char *topic, int32_t partition,
                       struct weir_bytes key, struct weir_bytes value,
                       const struct port_header *headers, size_t header_count)
{
    struct broker_topic *found = broker_topic_find(broker, topic);
    CHECK(found);
    CHECK(key.data || (partition >= 0 && !found->compacted));
    if (partition < 0) {
        partition = key_partition(key, found->partition_count);
    }
    struct broker_payload *payload = broker_payload_new(key, value, headers, header_count);
    int64_t offset =
        broker_log_append(the_partition(broker, topic, partition), broker->now_ms, -1, payload);
    broker_payload_release(payload);
    return offset;
}

bool broker_read(struct broker *broker, const char *topic, int32_t partition, bool committed,
                 int64_t *offset, struct broker_record *record)
{
    const struct broker_entry *entry =
        broker_log_next(the_partition(broker, topic, partition), committed, offset);
    if (!entry) {
        return false;
    }
    *record = (struct broker_record){
        .offset = entry->offset,
        .timestamp_ms = entry->timestamp_ms,
        .key = entry->payload->key,
        .value = entry->payload->value,
        .headers = entry->payload->headers,
        .header_count = entry->payload->header_count,
        .fate = entry->fate,
    };
    *offset = entry->offset + 1;
    return true;
}

size_t broker_count(struct broker *broker, const char *topic, int32_t partition, bool committed)
{
    size_t count = 0;
    struct broker_record record;
    for (int64_t at = 0; broker_read(broker, topic, partition, committed, &at, &record);) {
        count++;
    }
    return count;
}

struct port_log broker_log(struct broker *broker, const char *topic, int32_t partition)
{
    const struct broker_partition *log = the_partition(broker, topic, partition);
    return (struct port_log){log->low, broker_log_stable(log), log->high};
}

/* ---- offsets ---- */

bool broker_offsets(struct broker *broker, const char *group, const char *topic, int32_t partition,
                    struct port_offset *offset)
{
    const struct broker_partition *log = the_partition(broker, topic, partition);
    offset->topic = topic;
    return broker_group_offset(broker_group_find(broker, group), log->topic, partition, offset);
}

void broker_set_offsets(struct broker *broker, const char *group, int32_t partition,
                        const struct port_offset *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct broker_partition *log = the_partition(broker, offsets[i].topic, partition);
        broker_group_set(broker_group_find(broker, group), log->topic, partition, offsets[i].offset,
                         offsets[i].metadata);
    }
}

void broker_forget_offsets(struct broker *broker, const char *group)
{
    broker_group_forget(broker_group_find(broker, group), NULL);
}

const struct broker_counts *broker_counts(const struct broker *broker)
{
    return &broker->counts;
}
