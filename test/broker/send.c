/* send.c - the records of a producer's open transaction: queued, sent in order, told where they
 * stand at commit.
 *
 * A record that cannot go yet (the last transaction's markers are missing, its request was lost)
 * waits in the queue, and those behind it wait with it, as the sequence numbers demand.
 */
#include "base/arena.h"
#include "broker/producer.h"
#include "kafka/admin.h"

static struct target *find_target(struct producer *producer, struct broker_partition *partition)
{
    for (size_t i = 0; i < producer->target_count; i++) {
        if (producer->targets[i].partition == partition) {
            return &producer->targets[i];
        }
    }
    producer->targets =
        broker_grow(producer->targets, producer->target_count, sizeof *producer->targets);
    struct target *new = &producer->targets[producer->target_count++];
    *new = (struct target){.partition = partition};
    return new;
}

/* AddPartitionsToTxn: what is lost is repeated, so the fault only shows in doubts() (counted by
 * gate). */
static enum txn_result add_target(struct producer *producer, struct target *target,
                                  struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_ADD_PARTITIONS, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    struct broker_request request = broker_producer_request(producer, REQUEST_ADD_PARTITION);
    request.partition = target->partition;
    enum broker_code code =
        broker_producer_exchange(producer, &request, &(struct broker_fault){.stray = fault.stray},
                                 NULL);
    target->added = code == CODE_NONE;
    return broker_producer_gate_after(producer, &fault,
                                      broker_producer_answered(producer, CALL_ADD_PARTITIONS, code,
                                                               error),
                                      error);
}

/* Sends what is queued, in order. TXN_DOUBT: the broker is not ready (markers of the last
 * transaction): later. */
static enum txn_result flush(struct producer *producer, enum broker_stray stray,
                             struct error *error)
{
    while (producer->sent_count < producer->item_count) {
        struct item *item = &producer->items[producer->sent_count];
        struct target *target = find_target(producer, item->partition);
        enum txn_result result = target->added ? TXN_DONE : add_target(producer, target, error);
        if (result != TXN_DONE) {
            return result;
        }
        struct broker_request request = broker_producer_request(producer, REQUEST_PRODUCE);
        request.partition = item->partition;
        request.payload = item->payload;
        request.sequence = item->sequence;
        bool last = producer->sent_count + 1 == producer->item_count;
        struct broker_fault copied = {.stray = last ? stray : STRAY_NONE};
        enum broker_code code =
            broker_producer_exchange(producer, &request, &copied, &item->stands.offset);
        if (code != CODE_NONE) {
            return broker_producer_answered(producer, CALL_SEND, code, error);
        }
        item->stands.timestamp_ms = producer->port->broker->now_ms;
        broker_payload_release(item->payload);
        item->payload = NULL;
        producer->sent_count++;
    }
    return TXN_DONE;
}

enum txn_result broker_producer_flush(struct producer *producer, int64_t *left_ms,
                                      struct error *error)
{
    enum txn_result result;
    do {
        result =
            producer->broken != TXN_DONE ? producer->broken : flush(producer, STRAY_NONE, error);
    } while (result == TXN_DOUBT && producer->broken == TXN_DONE && !producer->port->crashed &&
             broker_wait(producer->port->broker, left_ms));
    return result;
}

static void queue(struct producer *producer, const struct item *new)
{
    producer->items = broker_grow(producer->items, producer->item_count, sizeof *producer->items);
    producer->items[producer->item_count] = *new;
    struct item *item = &producer->items[producer->item_count++];
    item->sequence = find_target(producer, item->partition)->next_sequence++;
    item->stands = (struct port_delivery){-1, -1};
    if (item->delivery) {
        *item->delivery = item->stands;
    }
}

enum txn_result broker_producer_send(struct producer *producer, const char *topic,
                                     int32_t partition, struct weir_bytes key,
                                     struct weir_bytes value, const struct port_header *headers,
                                     size_t header_count, struct port_delivery *delivery,
                                     struct error *error)
{
    struct broker_fault fault;
    enum txn_result result = broker_producer_gate(producer, CALL_SEND, &fault, error);
    if (result != TXN_DONE) {
        return result;
    }
    CHECK(producer->begun);
    if (producer->broken != TXN_DONE) {
        return broker_producer_told(error, producer->broken, CALL_SEND,
                                    "this transaction has failed already");
    }
    struct broker *broker = producer->port->broker;
    struct broker_topic *found = broker_topic_find(broker, topic);
    if (found && partition < 0) {
        partition = key_partition(key, found->partition_count);
    }
    struct broker_partition *log = broker_partition_find(broker, topic, partition);
    if (!log) {
        return broker_producer_answered(producer, CALL_SEND, CODE_UNKNOWN_TOPIC, error);
    }
    queue(producer, &(struct item){.payload = broker_payload_new(key, value, headers, header_count),
                                   .partition = log,
                                   .delivery = delivery});
    if (fault.kind == FAULT_LOSE_REPLY || fault.kind == FAULT_HIDDEN_RETRY) {
        producer->items[producer->item_count - 1].delivery =
            NULL; /* the repeat is answered with "duplicate" */
    }
    if (fault.kind != FAULT_LOSE_REQUEST) { /* else the client repeats it with its next request */
        (void)flush(producer, fault.stray, error);
        broker_strays_arrive(broker, producer->txn, STRAY_AFTER_SEND);
    }
    return broker_producer_gate_after(producer, &fault, TXN_DONE, error);
}

void broker_producer_forget_items(struct producer *producer)
{
    for (size_t i = 0; i < producer->item_count; i++) {
        broker_payload_release(producer->items[i].payload);
    }
    producer->item_count = producer->sent_count = 0;
}

void broker_producer_fill_deliveries(const struct producer *producer)
{
    for (size_t i = 0; i < producer->item_count; i++) {
        if (producer->items[i].delivery) {
            *producer->items[i].delivery = producer->items[i].stands;
        }
    }
}
