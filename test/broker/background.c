/* background.c - calls that go on by themselves: send_offsets and commit, at the pace that the test
 * has set.
 *
 * What happens at the broker may happen at any time between the call and its end. The two ends of
 * that range are tried: early, so that others see what the caller does not know yet, and late, so
 * that the caller may be gone before it happens.
 */
#include <string.h>

#include "broker/producer.h"

void broker_set_pace(struct broker *broker, enum broker_pace pace)
{
    broker->pace = pace;
}

static void run(struct producer *producer)
{
    struct background *call = &producer->background;
    call->result =
        call->call == UNDER_WAY_OFFSETS
            ? broker_producer_offsets_now(producer, call->offsets, call->offset_count,
                                          call->partition, call->timeout_ms, &call->error)
            : broker_producer_commit_now(producer, call->timeout_ms, &call->error);
}

static enum txn_result go_on(struct producer *producer)
{
    producer->background.asked = false;
    if (producer->port->broker->pace == PACE_EARLY) {
        run(producer);
    }
    return TXN_UNDER_WAY;
}

enum txn_result broker_producer_send_offsets(struct producer *producer,
                                             const struct port_offset *offsets, size_t count,
                                             int32_t partition, int timeout_ms, struct error *error)
{
    struct background *call = &producer->background;
    CHECK(call->call == UNDER_WAY_NONE && count <= WEIR_LIST_MAX);
    if (producer->port->broker->pace == PACE_AT_ONCE) {
        return broker_producer_offsets_now(producer, offsets, count, partition, timeout_ms, error);
    }
    memcpy(call->offsets, offsets, count * sizeof *offsets);
    call->offset_count = count;
    call->partition = partition;
    call->timeout_ms = timeout_ms;
    call->call = UNDER_WAY_OFFSETS;
    return go_on(producer);
}

enum txn_result broker_producer_commit(struct producer *producer, int timeout_ms,
                                       struct error *error)
{
    struct background *call = &producer->background;
    CHECK(call->call == UNDER_WAY_NONE);
    if (producer->port->broker->pace == PACE_AT_ONCE) {
        return broker_producer_commit_now(producer, timeout_ms, error);
    }
    call->timeout_ms = timeout_ms;
    call->call = UNDER_WAY_COMMIT;
    return go_on(producer);
}

enum txn_result broker_producer_ended(struct producer *producer, int timeout_ms,
                                      struct error *error)
{
    struct background *call = &producer->background;
    CHECK(call->call != UNDER_WAY_NONE);
    if (!call->asked && timeout_ms == 0) {
        call->asked = true;
        return TXN_UNDER_WAY;
    }
    if (producer->port->broker->pace != PACE_EARLY) {
        run(producer);
    }
    call->call = UNDER_WAY_NONE;
    *error = call->error;
    return call->result;
}
