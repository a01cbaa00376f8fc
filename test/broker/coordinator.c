/* coordinator.c - transactional ids: who owns one, what its transaction holds, and how it ends.
 *
 * EMPTY or COMPLETE_* --AddPartitions, AddOffsets--> ONGOING --EndTxn, time-out, init--> PREPARE_*
 * --all markers written--> COMPLETE_*. An init succeeds only from EMPTY and COMPLETE: after the
 * last marker, the offsets' one included.
 *
 * A request is judged by producer id and epoch alone. That is why a stray of an earlier transaction
 * works in the next one, and dies when the id was initialised in between.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "broker/internal.h"

struct broker_txn *broker_txn_find(struct broker *broker, const char *id)
{
    for (size_t i = 0; i < broker->txn_count; i++) {
        if (strcmp(broker->txns[i]->id, id) == 0) {
            return broker->txns[i];
        }
    }
    struct broker_txn *txn = xcalloc(1, sizeof *txn);
    *txn = (struct broker_txn){.id = xstrdup(id),
                               .producer_id = broker->next_producer_id++,
                               .epoch = -1};
    broker->txns = broker_grow(broker->txns, broker->txn_count, sizeof(struct broker_txn *));
    broker->txns[broker->txn_count++] = txn;
    return txn;
}

void broker_txn_release(struct broker_txn *txn)
{
    free(txn->markers);
    free(txn->id);
    free(txn);
}

enum broker_txn_state broker_txn_state(struct broker *broker, const char *transactional_id)
{
    return broker_txn_find(broker, transactional_id)->state;
}

/* ---- ending ---- */

static bool preparing(const struct broker_txn *txn)
{
    return txn->state == TXN_PREPARE_COMMIT || txn->state == TXN_PREPARE_ABORT;
}

static void write_marker(struct broker *broker, const struct broker_txn *txn,
                         const struct broker_marker *marker)
{
    bool commit = txn->state == TXN_PREPARE_COMMIT;
    if (marker->partition) {
        broker_log_mark(marker->partition, broker->now_ms, txn->producer_id, commit);
    } else {
        broker_group_mark(marker->group, txn, commit);
    }
}

static void write_due_markers(struct broker *broker, struct broker_txn *txn)
{
    if (!preparing(txn)) {
        return;
    }
    size_t left = 0;
    for (size_t i = 0; i < txn->marker_count; i++) {
        if (txn->markers[i].due_ms <= broker->now_ms) {
            write_marker(broker, txn, &txn->markers[i]);
        } else {
            txn->markers[left++] = txn->markers[i];
        }
    }
    txn->marker_count = left;
    if (left == 0) {
        txn->state = txn->state == TXN_PREPARE_COMMIT ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
    }
}

static void end(struct broker *broker, struct broker_txn *txn, bool commit)
{
    CHECK_EQUAL(txn->state, TXN_ONGOING);
    txn->state = commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
    for (size_t i = 0; i < txn->marker_count; i++) {
        struct broker_marker *marker = &txn->markers[i];
        int64_t delay_ms = marker->partition ? marker->partition->topic->marker_delay_ms
                                             : broker->offsets_delay_ms;
        marker->due_ms = delay_ms == BROKER_HELD ? INT64_MAX : broker->now_ms + delay_ms;
    }
    write_due_markers(broker, txn);
}

/* Ends an open transaction against its owner's will, who is fenced by it. */
static void end_by_force(struct broker *broker, struct broker_txn *txn)
{
    if (txn->epoch < INT16_MAX) {
        txn->epoch++;
    }
    end(broker, txn, false);
}

void broker_time_out(struct broker *broker, const char *transactional_id)
{
    struct broker_txn *txn = broker_txn_find(broker, transactional_id);
    if (txn->state == TXN_ONGOING) {
        end_by_force(broker, txn);
    }
}

void broker_txn_serve(struct broker *broker)
{
    for (size_t i = 0; i < broker->txn_count; i++) {
        struct broker_txn *txn = broker->txns[i];
        write_due_markers(broker, txn);
        if (txn->state == TXN_ONGOING && broker->now_ms >= txn->started_ms + txn->timeout_ms) {
            end_by_force(broker, txn);
        }
    }
}

int64_t broker_txn_due_ms(const struct broker *broker)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < broker->txn_count; i++) {
        const struct broker_txn *txn = broker->txns[i];
        if (txn->state == TXN_ONGOING && txn->started_ms + txn->timeout_ms < due) {
            due = txn->started_ms + txn->timeout_ms;
        }
        for (size_t m = 0; preparing(txn) && m < txn->marker_count; m++) {
            due = txn->markers[m].due_ms < due ? txn->markers[m].due_ms : due;
        }
    }
    return due;
}

void broker_delay_markers(struct broker *broker, const char *topic, int64_t delay_ms)
{
    if (strcmp(topic, BROKER_OFFSETS) == 0) {
        broker->offsets_delay_ms = delay_ms;
        return;
    }
    struct broker_topic *found = broker_topic_find(broker, topic);
    CHECK(found);
    found->marker_delay_ms = delay_ms;
}

void broker_release_markers(struct broker *broker, const char *topic)
{
    for (size_t i = 0; i < broker->txn_count; i++) {
        struct broker_txn *txn = broker->txns[i];
        for (size_t m = 0; preparing(txn) && m < txn->marker_count; m++) {
            struct broker_marker *marker = &txn->markers[m];
            if (strcmp(topic,
                       marker->partition ? marker->partition->topic->name : BROKER_OFFSETS) == 0) {
                marker->due_ms = broker->now_ms;
            }
        }
        write_due_markers(broker, txn);
    }
}

/* ---- requests ---- */

enum broker_code broker_txn_init(struct broker *broker, struct broker_txn *txn, int64_t timeout_ms)
{
    if (txn->state == TXN_ONGOING) {
        end_by_force(broker, txn);
        return CODE_CONCURRENT;
    }
    if (preparing(txn)) {
        return CODE_CONCURRENT;
    }
    if (txn->epoch >=
        INT16_MAX - 1) { /* the epochs of a producer id are used up: Kafka gives another */
        txn->producer_id = broker->next_producer_id++;
        txn->epoch = -1;
    }
    txn->epoch++;
    txn->state = TXN_EMPTY;
    txn->timeout_ms = timeout_ms;
    return CODE_NONE;
}

static struct broker_marker *find_marker(const struct broker_txn *txn,
                                         const struct broker_partition *partition,
                                         const struct broker_group *group)
{
    for (size_t i = 0; txn->state == TXN_ONGOING && i < txn->marker_count; i++) {
        if (txn->markers[i].partition == partition && txn->markers[i].group == group) {
            return &txn->markers[i];
        }
    }
    return NULL;
}

/* AddPartitionsToTxn, AddOffsetsToTxn: they open the transaction, too. */
static enum broker_code add(struct broker *broker, struct broker_txn *txn,
                            struct broker_partition *partition, struct broker_group *group)
{
    if (preparing(txn)) {
        return CODE_CONCURRENT;
    }
    if (txn->state != TXN_ONGOING) {
        txn->state = TXN_ONGOING;
        txn->started_ms = broker->now_ms;
        txn->marker_count = 0;
    }
    if (!find_marker(txn, partition, group)) {
        txn->markers = broker_grow(txn->markers, txn->marker_count, sizeof *txn->markers);
        txn->markers[txn->marker_count++] =
            (struct broker_marker){.partition = partition, .group = group, .due_ms = INT64_MAX};
    }
    return CODE_NONE;
}

/* What the partition expects next of this producer; a new epoch begins at 0. */
static struct broker_sequence *find_sequence(struct broker_partition *partition,
                                             int64_t producer_id, int16_t epoch)
{
    for (size_t i = 0; i < partition->sequence_count; i++) {
        struct broker_sequence *sequence = &partition->sequences[i];
        if (sequence->producer_id == producer_id) {
            if (sequence->epoch != epoch) {
                *sequence = (struct broker_sequence){producer_id, epoch, 0, -1};
            }
            return sequence;
        }
    }
    partition->sequences =
        broker_grow(partition->sequences, partition->sequence_count, sizeof *partition->sequences);
    struct broker_sequence *new = &partition->sequences[partition->sequence_count++];
    *new = (struct broker_sequence){producer_id, epoch, 0, -1};
    return new;
}

enum { BATCHES_KEPT = 5 };

/* Is it the next one? What was refused must come first, Kafka says, although it is an old one. */
static enum broker_code judge_sequence(const struct broker_sequence *sequence, int32_t number)
{
    if (number < sequence->next) { /* the last ones are remembered, and answered again */
        return sequence->next - number <= BATCHES_KEPT ? CODE_NONE : CODE_DUPLICATE_SEQUENCE;
    }
    bool behind = number > sequence->next || (sequence->refused >= 0 && number > sequence->refused);
    return behind ? CODE_OUT_OF_ORDER : CODE_NONE;
}

/* Kafka asks the coordinator whether the partition is in the open transaction, and so keeps late
 * records out. */
static enum broker_code produce(struct broker *broker, const struct broker_request *request,
                                int64_t *offset)
{
    struct broker_partition *partition = request->partition;
    struct broker_sequence *sequence =
        find_sequence(partition, request->producer_id, request->epoch);
    if (!find_marker(request->txn, partition, NULL)) {
        sequence->refused = request->sequence;
        return CODE_INVALID_STATE;
    }
    if (partition->topic->compacted && !request->payload->key.data) {
        return CODE_INVALID_RECORD;
    }
    enum broker_code code = judge_sequence(sequence, request->sequence);
    if (code != CODE_NONE || request->sequence < sequence->next) {
        return code;
    }
    sequence->next++;
    sequence->refused = -1;
    int64_t at =
        broker_log_append(partition, broker->now_ms, request->producer_id, request->payload);
    if (offset) {
        *offset = at;
    }
    return CODE_NONE;
}

static enum broker_code end_txn(struct broker *broker, const struct broker_request *request)
{
    struct broker_txn *txn = request->txn;
    switch (txn->state) {
    case TXN_ONGOING:
        end(broker, txn, request->commit);
        return CODE_NONE;
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT:
        return request->commit == (txn->state == TXN_PREPARE_COMMIT) ? CODE_CONCURRENT
                                                                     : CODE_INVALID_STATE;
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT:
        return request->commit == (txn->state == TXN_COMPLETE_COMMIT) ? CODE_NONE
                                                                      : CODE_INVALID_STATE;
    case TXN_EMPTY:
        break;
    }
    return CODE_INVALID_STATE;
}

enum broker_code broker_handle(struct broker *broker, const struct broker_request *request,
                               int64_t *offset)
{
    struct broker_txn *txn = request->txn;
    if (request->producer_id != txn->producer_id || request->epoch != txn->epoch) {
        return CODE_INVALID_EPOCH;
    }
    switch (request->kind) {
    case REQUEST_ADD_PARTITION:
        return add(broker, txn, request->partition, NULL);
    case REQUEST_PRODUCE:
        return produce(broker, request, offset);
    case REQUEST_ADD_OFFSETS:
        return add(broker, txn, NULL, request->group);
    case REQUEST_OFFSETS:
        if (!find_marker(txn, NULL, request->group)) {
            return CODE_INVALID_STATE;
        }
        return broker_group_hold(request->group, request);
    case REQUEST_END:
        return end_txn(broker, request);
    }
    CHECK(false);
    return CODE_NONE;
}

/* ---- strays ---- */

void broker_stray_keep(struct broker *broker, const struct broker_request *request,
                       enum broker_stray when)
{
    broker->strays = broker_grow(broker->strays, broker->stray_count, sizeof *broker->strays);
    struct broker_stray_request *stray = &broker->strays[broker->stray_count++];
    *stray = (struct broker_stray_request){.request = *request,
                                           .when = when,
                                           .begun = request->txn->begun};
    if (request->payload) {
        request->payload->references++;
    }
    if (request->offset_count > 0) {
        size_t size = request->offset_count * sizeof *request->offsets;
        stray->request.offsets = memcpy(xmalloc(size), request->offsets, size);
    }
}

static void release_stray(struct broker_stray_request *stray)
{
    broker_payload_release(stray->request.payload);
    free(stray->request.offsets);
}

/* txn NULL: every one. The code of the last; -1: there was none. */
static int deliver(struct broker *broker, const struct broker_txn *txn, enum broker_stray when)
{
    int code = -1;
    for (size_t i = 0; i < broker->stray_count;) {
        struct broker_stray_request stray = broker->strays[i];
        if (txn && (stray.request.txn != txn || stray.when != when || txn->begun <= stray.begun)) {
            i++;
            continue;
        }
        broker->stray_count--;
        memmove(broker->strays + i, broker->strays + i + 1,
                (broker->stray_count - i) * sizeof *broker->strays);
        code = (int)broker_handle(broker, &stray.request, NULL);
        if (code == CODE_NONE) {
            broker->counts.strays_taken++;
        } else {
            broker->counts.strays_refused++;
        }
        release_stray(&stray);
    }
    return code;
}

void broker_strays_arrive(struct broker *broker, const struct broker_txn *txn,
                          enum broker_stray when)
{
    (void)deliver(broker, txn, when);
}

int broker_deliver_strays(struct broker *broker)
{
    return deliver(broker, NULL, STRAY_NONE);
}

void broker_strays_release(struct broker *broker)
{
    for (size_t i = 0; i < broker->stray_count; i++) {
        release_stray(&broker->strays[i]);
    }
    free(broker->strays);
}
