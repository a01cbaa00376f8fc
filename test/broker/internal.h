/* internal.h - the parts of the broker in memory, as its own files see them.
 *
 *   broker.c       the cluster: clock, topics, what tests ask and set
 *   log.c          a partition's log: append, markers, read, compaction
 *   coordinator.c  transactional ids: requests, markers, time-outs, strays
 *   group.c        a group: offsets, pending offsets, members
 *   fault.c        which call goes wrong, and how
 *   port.c         struct port_calls, an instance's life, changelog readers
 *   consumer.c     struct port_calls: the instance's consumer
 *   producer.c     struct port_calls: the transactional producer; send.c: its records
 */
#ifndef WEIR_TEST_BROKER_INTERNAL_H
#define WEIR_TEST_BROKER_INTERNAL_H

#include "broker/broker.h"

struct broker_group;
struct broker_port;
struct broker_topic;
struct broker_txn;

/* Room for one more element: doubles at powers of two. */
void *broker_grow(void *array, size_t count, size_t size);

/* ---- log.c ---- */

/* A record's bytes; shared by the log, requests under way and records that a caller owns. */
struct broker_payload {
    unsigned references;
    struct weir_bytes key, value;
    size_t header_count;
    struct port_header headers[]; /* names and bytes stand behind them */
};

struct broker_payload *broker_payload_new(struct weir_bytes key, struct weir_bytes value,
                                          const struct port_header *headers, size_t header_count);
void broker_payload_release(struct broker_payload *payload); /* NULL is fine */

struct broker_entry {
    int64_t offset, timestamp_ms, producer_id;
    enum broker_fate fate;
    struct broker_payload *payload; /* NULL: a control record */
};

struct broker_span { /* an open transaction in a log */
    int64_t producer_id, first;
};

struct broker_sequence { /* what a producer may send next */
    int64_t producer_id;
    int16_t epoch;
    int32_t next, refused; /* refused: because it was in no transaction; -1: none since */
};

struct broker_partition {
    struct broker_topic *topic;
    int32_t number;
    struct broker_entry *entries; /* by offset, with holes */
    size_t entry_count;
    int64_t low, high;
    struct broker_span *open;
    size_t open_count;
    struct broker_sequence *sequences;
    size_t sequence_count;
};

struct broker_topic {
    char *name;
    int32_t partition_count;
    bool compacted;
    int64_t marker_delay_ms;
    struct broker_partition *partitions;
};

/* producer_id -1: a plain record. Returns its offset. */
int64_t broker_log_append(struct broker_partition *partition, int64_t now_ms, int64_t producer_id,
                          struct broker_payload *payload);
void broker_log_mark(struct broker_partition *partition, int64_t now_ms, int64_t producer_id,
                     bool commit);
int64_t broker_log_stable(const struct broker_partition *partition);

/* The first record at or behind *position that a reader may see, or NULL; *position is then behind
 * all that was passed. Only a record found leaves *position at the record itself. */
const struct broker_entry *broker_log_next(const struct broker_partition *partition, bool committed,
                                           int64_t *position);
void broker_log_truncate(struct broker_partition *partition, int64_t low);
void broker_log_compact(struct broker_partition *partition, bool drop_tombstones);
void broker_log_reset(struct broker_partition *partition); /* as new; also to release */

/* ---- requests, coordinator.c ---- */

enum broker_code { /* Kafka's numbers */
                   CODE_NONE = 0,
                   CODE_UNKNOWN_TOPIC = 3,
                   CODE_TIMED_OUT = 7,
                   CODE_ILLEGAL_GENERATION = 22,
                   CODE_UNKNOWN_MEMBER = 25,
                   CODE_OUT_OF_ORDER = 45,
                   CODE_DUPLICATE_SEQUENCE = 46,
                   CODE_INVALID_EPOCH = 47,
                   CODE_INVALID_STATE = 48,
                   CODE_CONCURRENT = 51,
                   CODE_FENCED_INSTANCE = 82,
                   CODE_INVALID_RECORD = 87,
};

enum broker_request_kind {
    REQUEST_ADD_PARTITION,
    REQUEST_PRODUCE,
    REQUEST_ADD_OFFSETS,
    REQUEST_OFFSETS,
    REQUEST_END
};

struct broker_identity { /* group metadata, as a producer sends it */
    int32_t generation;
    int64_t member;          /* 0: no member id */
    const char *instance_id; /* NULL: not static */
};

struct broker_committed {
    struct broker_txn *txn; /* pending ones: who holds it; NULL: stable */
    const struct broker_topic *topic;
    int32_t partition;
    int64_t offset, order; /* order: of arrival; an older commit does not undo a newer one */
    char metadata[PORT_METADATA_MAX];
};

struct broker_request {
    enum broker_request_kind kind;
    struct broker_txn *txn;
    int64_t producer_id;
    int16_t epoch;
    struct broker_partition *partition; /* ADD_PARTITION, PRODUCE */
    struct broker_payload *payload;     /* PRODUCE */
    int32_t sequence;                   /* PRODUCE */
    struct broker_group *group;         /* ADD_OFFSETS, OFFSETS */
    struct broker_identity identity;    /* OFFSETS */
    struct broker_committed *offsets;   /* OFFSETS */
    size_t offset_count;
    bool commit; /* END */
};

struct broker_stray_request {
    struct broker_request request;
    enum broker_stray when;
    unsigned begun; /* it arrives in a later transaction than this one */
};

struct broker_marker {                  /* one that is still to be written */
    struct broker_partition *partition; /* or */
    struct broker_group *group;
    int64_t due_ms; /* INT64_MAX: held */
};

struct broker_txn {
    char *id;
    int64_t producer_id, timeout_ms, started_ms;
    int16_t epoch;
    enum broker_txn_state state;
    struct broker_marker *markers; /* one for each partition and group of the transaction */
    size_t marker_count;
    unsigned begun; /* transactions that clients of this id have begun */
};

struct broker_txn *broker_txn_find(struct broker *broker, const char *id); /* made when new */

/* InitProducerId. CODE_CONCURRENT: an older transaction is still being ended, ask again. */
enum broker_code broker_txn_init(struct broker *broker, struct broker_txn *txn, int64_t timeout_ms);

/* `offset` (may be NULL) is where a PRODUCE came to stand. */
enum broker_code broker_handle(struct broker *broker, const struct broker_request *request,
                               int64_t *offset);
void broker_stray_keep(struct broker *broker, const struct broker_request *request,
                       enum broker_stray when);
void broker_strays_arrive(struct broker *broker, const struct broker_txn *txn,
                          enum broker_stray when);
void broker_strays_release(struct broker *broker);
void broker_txn_serve(struct broker *broker); /* writes due markers, times out */
int64_t broker_txn_due_ms(const struct broker *broker);
void broker_txn_release(struct broker_txn *txn);

/* ---- group.c ---- */

struct broker_member { /* one per instance id that ever joined */
    int64_t id;        /* 0: gone */
    char *instance_id;
    bool silent, rejoined;
    int64_t silent_since_ms, session_timeout_ms;
};

enum { BROKER_PAST = 256 };

struct broker_group {
    char *name;
    struct broker_committed *offsets; /* stable and pending */
    struct broker_committed *past;    /* stable once: the last BROKER_PAST, the oldest first */
    size_t offset_count, past_count;
    struct broker_member *members; /* by instance id */
    size_t member_count;
    int32_t generation;
    int64_t next_member, next_order;
    bool rebalancing;
};

struct broker_group *broker_group_find(struct broker *broker, const char *name); /* made when new */
enum broker_code broker_group_hold(struct broker_group *group,
                                   const struct broker_request *request);
void broker_group_mark(struct broker_group *group, const struct broker_txn *txn, bool commit);
bool broker_group_offset(const struct broker_group *group, const struct broker_topic *topic,
                         int32_t partition, struct port_offset *offset);
/* As it was so many commits ago; -1: as long ago as that there was none, or nobody remembers. */
void broker_group_old_offset(const struct broker_group *group, const struct broker_topic *topic,
                             int32_t partition, unsigned ago, struct port_offset *offset);
void broker_group_set(struct broker_group *group, const struct broker_topic *topic,
                      int32_t partition, int64_t offset, const char *metadata);
/* Of a deleted topic everything; topic NULL: what has expired, which nothing pending can. */
void broker_group_forget(struct broker_group *group, const struct broker_topic *topic);
/* Joins, gives up and takes partitions: the group's part of poll(). */
enum outcome broker_group_serve(struct broker_port *port, struct error *error);
void broker_group_silence(struct broker_port *port, bool silent);
struct broker_identity broker_group_identity(const struct broker_port *port);
/* Ends the sessions that are over. */
void broker_group_expire(struct broker *broker, struct broker_group *group);
int64_t broker_group_due_ms(const struct broker_group *group);
void broker_group_release(struct broker_group *group);

/* ---- the cluster, broker.c ---- */

struct broker {
    int64_t now_ms, start_ms;
    bool auto_advance;
    enum broker_pace pace;
    struct broker_topic **topics;
    size_t topic_count;
    struct broker_group **groups;
    size_t group_count;
    struct broker_txn **txns;
    size_t txn_count;
    int64_t next_producer_id, offsets_delay_ms;
    struct broker_stray_request *strays;
    size_t stray_count;
    struct broker_fault *faults;
    size_t fault_count;
    broker_chooser *chooser;
    void *chooser_context;
    struct broker_counts counts;
    unsigned port_count;
};

struct broker_topic *broker_topic_find(struct broker *broker, const char *name); /* NULL: none */
struct broker_partition *broker_partition_find(struct broker *broker, const char *topic,
                                               int32_t partition);

/* Lets time pass for a call that waits, to the next event at most; false when it must not, or has
 * waited long enough. */
bool broker_wait(struct broker *broker, int64_t *left_ms);

/* ---- instances: port.c, consumer.c, producer.c ---- */

struct broker_cursor {
    struct broker_partition *partition;
    int64_t position, high; /* high -1: no answer yet */
};

struct broker_port {
    struct port port; /* first */
    struct broker *broker;
    struct broker_group *group;
    struct client_options options;
    bool crashed, paused, welcomed; /* welcomed: fixed mode, assigned() was called */
    int64_t skew_ms;
    int64_t member;     /* group mode: 0 until joined */
    int32_t generation; /* of the assignment it has; -1: none */
    int32_t *assigned;
    size_t assigned_count;
    struct broker_cursor *cursors;
    size_t cursor_count;
    struct producer *producers; /* those open */
    struct reader *readers;
};

/* Up to `max` visible records from the cursor on; it moves behind them, and behind what it passed.
 */
size_t broker_cursor_take(struct broker_cursor *cursor, struct port_record *records, size_t max);
bool broker_cursor_at_hand(const struct broker_cursor *cursor); /* a record, or a finding */
/* FATAL with EXIT_CONFIG when it stands outside of the log. */
enum outcome broker_cursor_check(const struct broker_cursor *cursor, struct error *error);
void broker_records_release(struct port_record *records, size_t count);

/* In the middle of poll(): new partitions, or none any more. */
void broker_port_assign(struct broker_port *port, const int32_t *partitions, size_t count);
void broker_port_revoke(struct broker_port *port, bool lost);

/* The consumer's calls of struct port_calls. */
enum outcome broker_consumer_poll(struct port *port, int timeout_ms, struct error *error);
enum outcome broker_consumer_start(struct port *port, const char *topic, int32_t partition,
                                   int64_t offset, struct error *error);
enum outcome broker_consumer_stop(struct port *port, const char *topic, int32_t partition,
                                  struct error *error);
enum outcome broker_consumer_fetch(struct port *port, const char *topic, int32_t partition,
                                   struct port_record *records, size_t max, size_t *count,
                                   struct error *error);
void broker_consumer_release(struct port *port, struct port_record *records, size_t count);
bool broker_consumer_header(struct port *port, const struct port_record *record, size_t index,
                            struct port_header *header);
bool broker_consumer_progress(struct port *port, const char *topic, int32_t partition,
                              int64_t *position, int64_t *high);
enum outcome broker_consumer_committed(struct port *port, const char *const *topics, size_t count,
                                       int32_t partition, int timeout_ms,
                                       struct port_offset *offsets, struct error *error);
enum outcome broker_consumer_log(struct port *port, const char *topic, int32_t partition,
                                 int timeout_ms, struct port_log *log, struct error *error);

/* The producer's calls of struct port_calls. */
enum outcome broker_producer_open(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error);
void broker_producer_close(struct producer *producer);
enum txn_result broker_producer_init(struct producer *producer, int timeout_ms,
                                     struct error *error);
enum txn_result broker_producer_begin(struct producer *producer, struct error *error);
enum txn_result broker_producer_send(struct producer *producer, const char *topic,
                                     int32_t partition, struct weir_bytes key,
                                     struct weir_bytes value, const struct port_header *headers,
                                     size_t header_count, struct port_delivery *delivery,
                                     struct error *error);
enum txn_result broker_producer_send_offsets(struct producer *producer,
                                             const struct port_offset *offsets, size_t count,
                                             int32_t partition, int timeout_ms,
                                             struct error *error);
enum txn_result broker_producer_commit(struct producer *producer, int timeout_ms,
                                       struct error *error);
enum txn_result broker_producer_ended(struct producer *producer, int timeout_ms,
                                      struct error *error);
enum txn_result broker_producer_abort(struct producer *producer, int timeout_ms,
                                      struct error *error);
unsigned broker_producer_doubts(struct producer *producer);

/* ---- fault.c ---- */

/* At the head of every call: what is to go wrong with it. false: the instance is dead, nothing may
 * happen. */
bool broker_gate(struct broker_port *port, enum broker_call call, const char *who,
                 struct broker_fault *fault);
/* When the broker has done it. false as above. */
bool broker_gate_after(struct broker_port *port, const struct broker_fault *fault);

/* Head of a consumer's call: OK to go on (do it, then ask broker_gate_reply). */
enum outcome broker_gate_consumer(struct broker_port *port, enum broker_call call,
                                  struct broker_fault *fault, struct error *error);
/* `done` is what the call came to; what the caller sees of it. */
enum outcome broker_gate_reply(struct broker_port *port, const struct broker_fault *fault,
                               enum outcome done, struct error *error);

#endif
