/* internal.h - what the files of kafka/ share: handles and their settings, records, names for
 * librdkafka's errors.
 *
 * A handle (rd_kafka_t) is opened from one of seven kinds; conf.c has one table with every setting
 * that weir gives them.
 */
#ifndef WEIR_KAFKA_INTERNAL_H
#define WEIR_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "kafka/client.h"

enum handle_kind {
    HANDLE_CONSUMER = 1, /* an instance's one consumer, read_committed */
    HANDLE_READER = 2,   /* one partition from an offset, read_committed: changelogs */
    HANDLE_SCAN = 4,     /* many partitions, read_committed: tools */
    HANDLE_HIGH = 8, /* read_uncommitted, never fetches: asks for high watermarks, topics, groups */
    HANDLE_STABLE = 16, /* read_committed, never fetches: asks for last stable offsets */
    HANDLE_PRODUCER = 32,
    HANDLE_WRITER = 64, /* idempotent, without transactions */
};

struct handle_setting {
    const char *name, *value; /* value NULL: left out */
};

/* What one handle is opened from. */
struct handle_plan {
    enum handle_kind kind;
    const char *bootstrap_servers;
    const struct handle_setting *own; /* of this handle alone: its group, its transactional id */
    size_t own_count;
    const struct client_property *properties; /* the user's, applied last */
    size_t property_count;
};

/* The kind's settings, then the plan's own, then the user's. */
MUST_CHECK enum outcome handle_configure(rd_kafka_conf_t **conf, const struct handle_plan *plan,
                                         struct error *error);

/* Takes `conf` over, in failure too. */
MUST_CHECK enum outcome handle_open(rd_kafka_t **handle, const struct handle_plan *plan,
                                    rd_kafka_conf_t *conf, struct error *error);

/* How much a partition's queue may hold before librdkafka stops to fetch: the defaults of conf.c.
 */
enum { QUEUE_RECORDS = 20 * 1000, QUEUE_BYTES = 16 * 1024 * 1024 };

/* Makes the handle's broker threads look again at what there is to fetch: else they may sleep for
 * up to a second after a partition was started or its full queue was emptied. */
void handle_wake(rd_kafka_t *handle);

/* Counts what was taken from one partition's queue, so that its fetcher is woken in time: see
 * handle_taken(). */
struct fetch_pace {
    size_t records, bytes;
};

/* Tells that `records` were taken. librdkafka before 2.2 sleeps up to a second when a queue is full
 * and does not notice that it was emptied: this wakes it. */
void handle_taken(rd_kafka_t *handle, struct fetch_pace *pace, size_t records, size_t bytes);

/* The record that `message` holds; the message stays its owner. */
void record_from_message(rd_kafka_message_t *message, struct port_record *record);
void records_release(struct port_record *records, size_t count);
bool record_header(const struct port_record *record, size_t index, struct port_header *header);

/* The text and the outcome for an error that a fetch brought. Returns OK when there is nothing to
 * say (end of partition). */
MUST_CHECK enum outcome fetch_failed(rd_kafka_t *handle, rd_kafka_resp_err_t code,
                                     const char *topic, int32_t partition, int64_t offset,
                                     struct error *error);

/* Low and high end of a log as the handle's isolation level sees it. */
MUST_CHECK enum outcome watermarks(rd_kafka_t *handle, const char *topic, int32_t partition,
                                   int timeout_ms, int64_t *low, int64_t *high,
                                   struct error *error);

/* How many partitions a topic has, asked from the broker. RETRY when it does not answer, FATAL when
 * there is none. */
MUST_CHECK enum outcome partition_count(rd_kafka_t *handle, rd_kafka_topic_t *topic, int timeout_ms,
                                        int32_t *partitions, struct error *error);

/* A committed offset out of an answer, and into a list that is sent. */
void offset_from_answer(const rd_kafka_topic_partition_t *answer, const char *topic,
                        struct port_offset *offset);
void offset_to_list(rd_kafka_topic_partition_list_t *list, const struct port_offset *offset,
                    int32_t partition);

int64_t monotonic_us(void);

/* ---- producing, shared by transactional producers and plain writers ---- */

struct output {
    rd_kafka_topic_t *topic;
    char *name;
    int32_t partitions;
};

struct outputs {
    struct output *list;
    size_t count;
};

/* The topic's handle and partition count, asked for at first use. */
MUST_CHECK enum outcome outputs_find(struct outputs *outputs, rd_kafka_t *handle, const char *topic,
                                     struct output **output, struct error *error);
void outputs_release(struct outputs *outputs);

/* Queues a copy. Returns librdkafka's error, owned by the caller, or NULL. `partition` must exist.
 */
rd_kafka_error_t *outputs_produce(const struct output *output, rd_kafka_t *handle,
                                  int32_t partition, struct weir_bytes key, struct weir_bytes value,
                                  const struct port_header *headers, size_t header_count,
                                  void *opaque);

/* `partition`, or that of the key for -1. FATAL when the topic has no such partition. */
MUST_CHECK enum outcome output_partition(const struct output *output, int32_t *partition,
                                         struct weir_bytes key, struct error *error);

/* ---- the port on librdkafka ---- */

/* One partition of one input topic. */
struct input {
    const char *topic; /* one of client->topics */
    int32_t partition;
    rd_kafka_queue_t *queue; /* its own, forwarded nowhere */
    bool started;            /* start() was called, and no stop() since */
    bool paused;             /* as librdkafka sees it */
    bool broken;             /* it failed, and librdkafka lets it be assigned only, not sought */
    bool answered;    /* a fetch was answered since start(): the cached high watermark counts */
    bool left;        /* the last fetch left records: its caller comes back for them */
    int64_t expected; /* what is below is dropped */
    struct fetch_pace pace;
    rd_kafka_resp_err_t failed; /* an error that came behind records, for the next fetch */
    int64_t failed_at;
};

/* A kind of trouble that poll() has reported, and when. */
struct told {
    rd_kafka_resp_err_t code;
    int64_t at_us;
};

struct client {
    struct port port;   /* must be first */
    struct arena arena; /* the options' copy */
    const char *bootstrap_servers, *application_id, *instance_id;
    const char *const *topics;
    size_t topic_count;
    int32_t fixed_partition;
    int session_timeout_ms, transaction_timeout_ms;
    const struct client_property *properties;
    size_t property_count;
    struct port_group group;

    rd_kafka_t *consumer;
    rd_kafka_t *high; /* NULL until log() is first called */
    rd_kafka_queue_t *events;
    int wake_fd;            /* an eventfd: written when a queue gets its first entry */
    bool served;            /* a group event came while serving: poll() returns */
    atomic_bool call_ended; /* a producer's call under way has ended: poll() returns */
    bool announced;
    bool closing;

    struct input *inputs;
    size_t input_count;
    rd_kafka_message_t **batch; /* room for one fetch */
    size_t batch_room;
    struct producer *producers; /* all that are open, for poll() to serve */

    enum outcome trouble; /* for poll() to report, OK: none */
    struct error trouble_error;
    struct told told[16]; /* what poll() has reported lately */
    size_t next_told;
};

struct client *client_of(struct port *port);
struct handle_plan client_plan(const struct client *client, enum handle_kind kind);

/* consumer.c */
enum outcome client_poll(struct port *port, int timeout_ms, struct error *error);
void client_wake(rd_kafka_t *handle, void *opaque); /* ends poll()'s sleep; safe from any thread */
/* Assigns these partition numbers of every input, each diverted to a queue of its own and paused.
 */
rd_kafka_resp_err_t inputs_assign(struct client *client, const int32_t *partitions, size_t count);
/* Assigns the same inputs again where they stand: the only way on for a broken one. */
rd_kafka_resp_err_t inputs_assign_again(struct client *client);
void inputs_drop(struct client *client);
void consumer_error(rd_kafka_t *handle, int code, const char *reason, void *opaque);
void consumer_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
                        rd_kafka_topic_partition_list_t *list, void *opaque);

/* input.c */
void input_open(struct client *client, struct input *input, const char *topic, int32_t partition);
void input_close(struct input *input);
bool inputs_at_hand(const struct client *client); /* as poll() understands it */
enum outcome client_start(struct port *port, const char *topic, int32_t partition, int64_t offset,
                          struct error *error);
enum outcome client_stop(struct port *port, const char *topic, int32_t partition,
                         struct error *error);
enum outcome client_fetch(struct port *port, const char *topic, int32_t partition,
                          struct port_record *records, size_t max, size_t *count,
                          struct error *error);
void client_release(struct port *port, struct port_record *records, size_t count);
bool client_header(struct port *port, const struct port_record *record, size_t index,
                   struct port_header *header);
bool client_progress(struct port *port, const char *topic, int32_t partition, int64_t *position,
                     int64_t *high);

/* offsets.c */
enum outcome client_committed(struct port *port, const char *const *topics, size_t count,
                              int32_t partition, int timeout_ms, struct port_offset *offsets,
                              struct error *error);
enum outcome client_log(struct port *port, const char *topic, int32_t partition, int timeout_ms,
                        struct port_log *log, struct error *error);

/* membership.c: the group metadata for one transaction; RETRY when there is no current membership.
 */
enum outcome membership_take(const struct client *client,
                             rd_kafka_consumer_group_metadata_t **metadata, struct error *error);

/* producer.c, transaction.c */
enum outcome client_producer_open(struct port *port, const char *transactional_id,
                                  struct producer **producer, struct error *error);
void client_producer_close(struct producer *producer);
enum txn_result producer_init(struct producer *producer, int timeout_ms, struct error *error);
enum txn_result producer_begin(struct producer *producer, struct error *error);
enum txn_result producer_send(struct producer *producer, const char *topic, int32_t partition,
                              struct weir_bytes key, struct weir_bytes value,
                              const struct port_header *headers, size_t header_count,
                              struct port_delivery *delivery, struct error *error);
enum txn_result producer_send_offsets(struct producer *producer, const struct port_offset *offsets,
                                      size_t count, int32_t partition, int timeout_ms,
                                      struct error *error);
enum txn_result producer_commit(struct producer *producer, int timeout_ms, struct error *error);
enum txn_result producer_ended(struct producer *producer, int timeout_ms, struct error *error);
enum txn_result producer_abort(struct producer *producer, int timeout_ms, struct error *error);
unsigned producer_doubts(struct producer *producer);
void producers_serve(struct client *client); /* delivery reports and errors of all producers */

/* reader.c */
enum outcome client_reader_open(struct port *port, const char *topic, int32_t partition,
                                int64_t offset, struct reader **reader, struct error *error);
void reader_close(struct reader *reader);
enum outcome reader_read(struct reader *reader, int timeout_ms, struct port_record *records,
                         size_t max, size_t *count, int64_t *position, struct error *error);
void reader_release(struct reader *reader, struct port_record *records, size_t count);

#endif
