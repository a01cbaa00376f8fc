/* producer.h - a task's producer, shared by producer.c (its life and its records) and transaction.c
 * (its transactions). */
#ifndef WEIR_KAFKA_PRODUCER_H
#define WEIR_KAFKA_PRODUCER_H

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
};

/* What librdkafka's error obliges the caller to. Takes `failure` over; NULL is TXN_DONE. */
enum txn_result txn_outcome(struct producer *producer, const char *what, rd_kafka_error_t *failure,
                            struct error *error);

/* A new handle in place of the old one: whatever that had queued is gone. */
MUST_CHECK enum outcome producer_reopen(struct producer *producer, struct error *error);

#endif
