/* producer.h - a task's producer, shared by producer.c (its life and its records) and transaction.c
 * (its transactions) and background.c (the transactional calls that go on by themselves). */
#ifndef WEIR_KAFKA_PRODUCER_H
#define WEIR_KAFKA_PRODUCER_H

#include <pthread.h>
#include <stdatomic.h>

#include "kafka/internal.h"

struct producer {
    struct client *client;
    struct producer *next; /* of client->producers */
    rd_kafka_t *handle;    /* NULL after a failed producer_reopen() */
    char *transactional_id;
    struct outputs outputs;

    /* Counted on librdkafka's threads; all else belongs to the one thread that calls. */
    atomic_uint failed_requests;
    unsigned failed_before;     /* as it stood at begin */
    atomic_bool init_under_way; /* an InitProducerId was sent and not answered */

    rd_kafka_consumer_group_metadata_t *group; /* taken at begin */
    unsigned queued;                           /* records since reports were last served */

    /* Where this transaction's reports go. A report carries the transaction's number, so that one
     * of an earlier transaction, whose memory is gone, is told apart. */
    uint64_t transaction;
    struct port_delivery **deliveries;
    size_t delivery_count, delivery_room;
    bool delivery_failed; /* in this transaction: told once */
    char delivery_reason[200];

    /* The call under way (background.c). While it is, the worker has all of the above. */
    struct background {
        pthread_t worker;
        pthread_mutex_t mutex; /* guards what follows */
        pthread_cond_t changed;
        enum background_call { CALL_NONE, CALL_SEND_OFFSETS, CALL_COMMIT, CALL_LEAVE } call;
        bool ended;
        struct port_offset offsets[WEIR_LIST_MAX];
        size_t offset_count;
        int32_t partition;
        int timeout_ms;
        enum txn_result result;
        struct error error;
    } background;
    bool under_way; /* as the caller knows it */
};

/* The calls themselves, which wait: on the worker's thread. */
enum txn_result transaction_send_offsets(struct producer *producer,
                                         const struct port_offset *offsets, size_t count,
                                         int32_t partition, int timeout_ms, struct error *error);
enum txn_result transaction_commit(struct producer *producer, int timeout_ms, struct error *error);

/* The producer's worker. Stopping waits for the call under way, if there is one. */
void background_start(struct producer *producer);
void background_stop(struct producer *producer);

/* What librdkafka's error obliges the caller to. Takes `failure` over; NULL is TXN_DONE. */
enum txn_result txn_outcome(struct producer *producer, const char *what, rd_kafka_error_t *failure,
                            struct error *error);

/* A new handle in place of the old one: whatever that had queued is gone. */
MUST_CHECK enum outcome producer_reopen(struct producer *producer, struct error *error);

#endif
