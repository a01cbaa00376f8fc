/* transaction.c - transactional calls, and what their failures mean.
 *
 * The order of the questions matters. A group error is asked first, because librdkafka calls it
 * abortable like any other. A fencing error is final whatever librdkafka calls it. Of the rest an
 * abortable one is known not to have been committed; everything else (time-outs, lost answers, a
 * producer that cannot go on) is in doubt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kafka/producer.h"

enum { FENCE_SLICE_MS = 5, FENCE_REOPEN_BELOW_MS = 200 };

/* A replaced static member is told so here first; poll() then ends the process. */
static bool says_moved(rd_kafka_resp_err_t code, bool member)
{
    return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
           (member && code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
}

static bool says_fenced(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH ||
           code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

/* A person must mend these: asking again will not help. */
static bool says_refused(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
}

enum txn_result txn_outcome(struct producer *producer, const char *what, rd_kafka_error_t *failure,
                            struct error *error)
{
    if (!failure) {
        return TXN_DONE;
    }
    char fatal_text[300];
    rd_kafka_resp_err_t code = rd_kafka_error_code(failure);
    rd_kafka_resp_err_t fatal =
        rd_kafka_fatal_error(producer->handle, fatal_text, sizeof fatal_text);
    bool abortable = rd_kafka_error_txn_requires_abort(failure) != 0;
    (void)fail(error, RETRY, "%s as %s: %s%s%s", what, producer->transactional_id,
               fatal ? fatal_text : rd_kafka_error_string(failure),
               producer->delivery_failed ? "; " : "",
               producer->delivery_failed ? producer->delivery_reason : "");
    rd_kafka_error_destroy(failure);
    code = fatal ? fatal : code;

    if (says_refused(code)) {
        error->exit_code = EXIT_CONFIG;
    }
    if (says_moved(code, producer->client->instance_id != NULL)) {
        return TXN_MOVED;
    }
    if (says_fenced(code)) {
        error->exit_code = EXIT_TRY_AGAIN;
        return TXN_FENCED;
    }
    return abortable && !fatal ? TXN_ABORT : TXN_DOUBT;
}

/* Fencing an open transaction is answered with "try again", and the broker is done with it a few
 * milliseconds later; but librdkafka (2.0.2 to 2.15) tries again after a fixed half second. A new
 * handle tries at once. That is safe only while no request of the old handle is under way, for such
 * a one would fence the new handle: the interceptors know. */
static bool was_put_off(struct producer *producer, const rd_kafka_error_t *failure)
{
    return rd_kafka_error_code(failure) == RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS &&
           !atomic_load(&producer->init_under_way);
}

enum txn_result producer_init(struct producer *producer, int timeout_ms, struct error *error)
{
    int64_t deadline_us = monotonic_us() + (int64_t)timeout_ms * 1000;
    for (int slice_ms = FENCE_SLICE_MS;; slice_ms *= 2) {
        if (!producer->handle && producer_reopen(producer, error) != OK) {
            return TXN_DOUBT;
        }
        int64_t left_ms = (deadline_us - monotonic_us()) / 1000;
        bool last = left_ms <= slice_ms;
        rd_kafka_error_t *failure =
            rd_kafka_init_transactions(producer->handle,
                                       last ? (int)(left_ms > 0 ? left_ms : 0) : slice_ms);
        if (last || !failure || !rd_kafka_error_is_retriable(failure)) {
            return txn_outcome(producer, "taking over the transactional id", failure, error);
        }
        bool anew = slice_ms < FENCE_REOPEN_BELOW_MS && was_put_off(producer, failure);
        rd_kafka_error_destroy(failure);
        if (anew && producer_reopen(producer, error) != OK) {
            return TXN_DOUBT;
        }
    }
}

enum txn_result producer_begin(struct producer *producer, struct error *error)
{
    rd_kafka_consumer_group_metadata_t *group;
    if (membership_take(producer->client, &group, error) != OK) {
        return TXN_MOVED;
    }
    if (producer->group) {
        rd_kafka_consumer_group_metadata_destroy(producer->group);
    }
    producer->group = group;
    producer->transaction++;
    producer->delivery_count = 0;
    producer->delivery_failed = false;
    producer->failed_before += producer_doubts(producer);
    return txn_outcome(producer, "beginning a transaction",
                       rd_kafka_begin_transaction(producer->handle), error);
}

enum txn_result transaction_send_offsets(struct producer *producer,
                                         const struct port_offset *offsets, size_t count,
                                         int32_t partition, int timeout_ms, struct error *error)
{
    CHECK(producer->group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        offset_to_list(list, &offsets[i], partition);
    }
    rd_kafka_error_t *failure =
        rd_kafka_send_offsets_to_transaction(producer->handle, list, producer->group, timeout_ms);
    rd_kafka_topic_partition_list_destroy(list);
    return txn_outcome(producer, "sending offsets", failure, error);
}

enum txn_result transaction_commit(struct producer *producer, int timeout_ms, struct error *error)
{
    return txn_outcome(producer, "committing",
                       rd_kafka_commit_transaction(producer->handle, timeout_ms), error);
}

/* An abort that has to be aborted is one of which nothing is known. */
enum txn_result producer_abort(struct producer *producer, int timeout_ms, struct error *error)
{
    enum txn_result result =
        txn_outcome(producer, "aborting", rd_kafka_abort_transaction(producer->handle, timeout_ms),
                    error);
    return result == TXN_ABORT ? TXN_DOUBT : result;
}
