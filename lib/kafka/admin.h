/* admin.h - what tools and the start-up check need of a cluster: topics, offsets of groups, plain
 * reading and writing.
 *
 * Blocking calls with a time-out; RETRY means the broker did not answer, FATAL that it refused.
 */
#ifndef WEIR_KAFKA_ADMIN_H
#define WEIR_KAFKA_ADMIN_H

#include "kafka/client.h"

struct admin;

MUST_CHECK enum outcome admin_open(struct admin **admin, const char *bootstrap_servers,
                                   const struct client_property *properties, size_t property_count,
                                   struct error *error);
void admin_close(struct admin *admin); /* NULL is fine */

/* Waits up to `timeout_ms` for a metadata answer. */
MUST_CHECK enum outcome admin_wait_for_broker(struct admin *admin, int timeout_ms,
                                              struct error *error);

/* A topic as it is, or as it should be. Strings are owned by the caller. */
struct topic_settings {
    const char *name;
    int32_t partitions; /* 0: there is no such topic */
    int32_t replication_factor;
    enum weir_cleanup cleanup;
    bool log_append_time;
    bool unclean_leader_election;
    int64_t retention_ms; /* -1: for ever */
    int64_t delete_retention_ms;
    int32_t max_message_bytes;
};

/* Fills all fields but name from the broker's answer. */
MUST_CHECK enum outcome admin_describe(struct admin *admin, struct topic_settings *topics,
                                       size_t count, struct error *error);
/* `replication_factor` <= 0: the broker's default. */
MUST_CHECK enum outcome admin_create(struct admin *admin, const struct topic_settings *topics,
                                     size_t count, struct error *error);
MUST_CHECK enum outcome admin_add_partitions(struct admin *admin, const char *topic,
                                             int32_t partitions, struct error *error);
/* Reads all overrides of the topic, merges these settings and writes them back (AlterConfigs
 * replaces everything). */
MUST_CHECK enum outcome admin_alter(struct admin *admin, const struct topic_settings *topic,
                                    struct error *error);
MUST_CHECK enum outcome admin_delete_topics(struct admin *admin, const char *const *names,
                                            size_t count, struct error *error);

/* Low, stable and high offset of each partition of a topic; *logs is malloc'ed. */
MUST_CHECK enum outcome admin_logs(struct admin *admin, const char *topic, struct port_log **logs,
                                   int32_t *partitions, struct error *error);

/* Committed offsets of a group: stable ones only (RETRY while a transaction holds them). */
MUST_CHECK enum outcome admin_committed(struct admin *admin, const char *group,
                                        const char *const *topics, size_t count, int32_t partition,
                                        struct port_offset *offsets, struct error *error);
/* Sets them; FATAL when the group has members or an open transaction. */
MUST_CHECK enum outcome admin_commit(struct admin *admin, const char *group,
                                     const struct port_offset *offsets, size_t count,
                                     int32_t partition, struct error *error);

/* First offset of each partition whose record is at or after `timestamp_ms` (high watermark when
 * none). */
MUST_CHECK enum outcome admin_offsets_for_time(struct admin *admin, const char *topic,
                                               int64_t timestamp_ms, int64_t *offsets,
                                               int32_t partitions, struct error *error);

/* ---- reading many partitions (cat, audit, doctor, watch) ---- */

struct scan;

struct scan_partition {
    const char *topic;
    int32_t partition;
    int64_t from; /* first offset */
    int64_t to;   /* stop before it; -1: the end as it is now (high watermark; aborted records are
                     skipped), -2: follow */
};

/* read_committed. */
MUST_CHECK enum outcome scan_open(struct scan **scan, struct admin *admin,
                                  const struct scan_partition *partitions, size_t count,
                                  struct error *error);
void scan_close(struct scan *scan);

/* The next record of any partition (order holds within one). *which is the index into `partitions`.
 * *found false: nothing within `timeout_ms`; *done true: every partition has reached its `to`. The
 * record lives until the next call. */
MUST_CHECK enum outcome scan_next(struct scan *scan, int timeout_ms, struct port_record *record,
                                  size_t *which, bool *found, bool *done, struct error *error);
bool scan_header(const struct port_record *record, size_t index, struct port_header *header);

/* ---- plain producing (load, put, dlq put): idempotent, acks=all, murmur2 ---- */

struct writer;

MUST_CHECK enum outcome writer_open(struct writer **writer, const char *bootstrap_servers,
                                    const struct client_property *properties, size_t property_count,
                                    struct error *error);
/* Queues; waits while the queue is full. */
MUST_CHECK enum outcome writer_send(struct writer *writer, const char *topic, int32_t partition,
                                    struct weir_bytes key, struct weir_bytes value,
                                    const struct port_header *headers, size_t header_count,
                                    struct error *error);
void writer_poll(struct writer *writer); /* serves delivery reports; call now and then */
/* Waits until all are acknowledged; FATAL names the first that failed. */
MUST_CHECK enum outcome writer_flush(struct writer *writer, int timeout_ms, struct error *error);
void writer_close(struct writer *writer);

/* Kafka's murmur2 of a key, and the partition that the Java client would choose by it. */
int32_t key_hash(struct weir_bytes key);
int32_t key_partition(struct weir_bytes key, int32_t partitions);

/* "librdkafka 2.0.2" and a warning for a version with known faults, or NULL. */
const char *client_library(void);
const char *client_library_warning(void);

#endif
