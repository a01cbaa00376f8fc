/* producer.h - the producer of the broker in memory, as producer.c and send.c share it. */
#ifndef WEIR_TEST_BROKER_PRODUCER_H
#define WEIR_TEST_BROKER_PRODUCER_H

#include "broker/internal.h"

struct target { /* a partition that this producer writes to */
    struct broker_partition *partition;
    int32_t next_sequence;
    bool added; /* to the open transaction */
};

struct item { /* one send of the open transaction */
    struct broker_payload *payload;
    struct broker_partition *partition;
    int32_t sequence;
    struct port_delivery *delivery; /* filled at commit */
    struct port_delivery stands;
};

struct producer {
    struct broker_port *port;
    struct broker_txn *txn;
    struct producer *next;
    int64_t producer_id;
    int16_t epoch;
    bool ready, begun, used; /* used: the broker was asked for something in this transaction */
    enum txn_result broken;
    unsigned doubts;
    struct broker_identity identity;
    struct target *targets;
    size_t target_count;
    struct item *items;
    size_t item_count, sent_count; /* the first sent_count are with the broker */

    struct background { /* the call under way: background.c */
        enum { UNDER_WAY_NONE, UNDER_WAY_OFFSETS, UNDER_WAY_COMMIT } call;
        bool asked; /* ended() was told once that it is not over */
        struct port_offset offsets[WEIR_LIST_MAX];
        size_t offset_count;
        int32_t partition;
        int timeout_ms;
        enum txn_result result;
        struct error error;
    } background;
};

/* The calls themselves, at once. */
enum txn_result broker_producer_offsets_now(struct producer *producer,
                                            const struct port_offset *offsets, size_t count,
                                            int32_t partition, int timeout_ms, struct error *error);
enum txn_result broker_producer_commit_now(struct producer *producer, int timeout_ms,
                                           struct error *error);

/* The head of every call. TXN_DONE: go on. */
enum txn_result broker_producer_gate(struct producer *producer, enum broker_call call,
                                     struct broker_fault *fault, struct error *error);
enum txn_result broker_producer_gate_after(struct producer *producer,
                                           const struct broker_fault *fault, enum txn_result result,
                                           struct error *error);

struct broker_request broker_producer_request(const struct producer *producer,
                                              enum broker_request_kind kind);

/* One request through its fault: lost on the way there, lost on the way back, or copied. */
enum broker_code broker_producer_exchange(struct producer *producer,
                                          const struct broker_request *request,
                                          const struct broker_fault *fault, int64_t *offset);

/* What an answer means for the call, and for the transaction from now on. */
enum txn_result broker_producer_answered(struct producer *producer, enum broker_call call,
                                         enum broker_code code, struct error *error);
enum txn_result broker_producer_told(struct error *error, enum txn_result result,
                                     enum broker_call call, const char *what);

/* Sends what is queued; TXN_DOUBT: not all could go in time. */
enum txn_result broker_producer_flush(struct producer *producer, int64_t *left_ms,
                                      struct error *error);
void broker_producer_fill_deliveries(const struct producer *producer);
void broker_producer_forget_items(struct producer *producer);

#endif
