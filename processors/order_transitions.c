/* order_transitions.c - the rule of an order's life: section 10 of the domain, row by row.
 *
 * A trigger finds the first row whose state, trigger, line and guard fit; what no row fits is stale
 * and changes nothing. So every reply may come late or twice: by then its line is in another state,
 * or in another attempt.
 * The reply is marked on its line before a guard is asked: guards see the order as it will be. The
 * column "line was" is before that. Rows of payment and shipping (T8 with its wait, T10, T11, T14
 * to T24, T28 to T37, T39, T42 to T44) slot in at their numbers.
 *
 * Every accepted order ends: PENDING has T_saga, CONFIRMING has T_commit and three resends,
 * CANCELLING has T_comp; each of them leaves its state whatever inventory does.
 */
#include <string.h>

#include "order.h"

enum { COMMIT_RESENDS_MAX = 3, STAY = -1 };

/* ---- guards ---- */

static bool otherwise(const struct saga *saga)
{
    (void)saga;
    return true;
}

static bool valid(const struct saga *saga)
{
    return !saga->broken.cause;
}

static bool same_hash(const struct saga *saga)
{
    struct weir_bytes is = saga->place->payload_hash, was = saga->order.payload_hash;
    return is.size == was.size && (is.size == 0 || memcmp(is.data, was.data, is.size) == 0);
}

static bool needs_all(const struct saga *saga)
{
    return saga->order.policy == ORDER_POLICY_ALL_OR_NOTHING;
}

static bool all_held(const struct saga *saga)
{
    return saga->order.held == saga->order.line_count;
}

static bool some_held(const struct saga *saga)
{
    return saga->order.held > 0;
}

static bool accepted(const struct saga *saga)
{
    return some_held(saga) && saga->order.auto_accept;
}

/* One retry per line, whatever it lost its hold to. That there is time left for it is certain: the
 * deadline of the state has not come yet. */
static bool may_retry(const struct saga *saga)
{
    return saga->line->attempt == 1 && saga->line->state != ORDER_LINE_STATE_BACKORDERED;
}

static bool may_resend(const struct saga *saga)
{
    return saga->order.commit_resends < COMMIT_RESENDS_MAX;
}

/* Two answers do not say that nothing is held: a conflict is about somebody else's reservation (or
 * one that has left the house), and a backorder that cannot be committed still waits in the queue.
 */
static bool settled(const struct saga *saga)
{
    return saga->answer->reason != STOCK_REASON_CONFLICT &&
           saga->line->state != ORDER_LINE_STATE_BACKORDERED;
}

/* Whether the order waits for more answers of this kind. */
static bool not_last(const struct saga *saga)
{
    const struct placed_order *order = &saga->order;
    if (order->state == ORDER_STATE_CANCELLING) {
        return settled(saga) && order->unsettled > 0;
    }
    if (order->state == ORDER_STATE_CONFIRMING) {
        return order->outstanding > 0 || order->committed < order->held;
    }
    return order->outstanding > 0;
}

/* ---- the table ---- */

struct transition {
    const char *row;
    unsigned from, on, line_was;
    bool (*guard)(const struct saga *saga);
    int to;                   /* an order_state; STAY: nothing is written */
    enum order_reason reason; /* NONE: as it is */
    effect *effect;
};

#define T(number, from, on, line_was, guard, to, effect)          \
    {                                                             \
        "T" #number, from, on, line_was, guard, to, saga_##effect \
    }

#define IN(state)  (1u << ORDER_STATE_##state)
#define NEW        IN(NEW)
#define PENDING    IN(PENDING)
#define CONFIRMING IN(CONFIRMING)
#define CANCELLING IN(CANCELLING)
#define PLACED     (~IN(NEW))
#define TERMINAL   (IN(REJECTED) | IN(CANCELLED) | IN(COMPLETED) | IN(PARKED))

#define DECIDED      (RESERVED | REFUSED)
#define STOCK_TAKEN  (RESERVED | COMMIT_OK)
#define NOTHING_HELD (RELEASED | EXPIRED | REFUSED | COMMIT_REFUSED)

#define REQUESTED   LINE(REQUESTED)
#define WANTED      (LINE(REQUESTED) | LINE(BACKORDERED))
#define UNCOMMITTED (WANTED | LINE(HELD))
#define COMMITTING  LINE(COMMITTING)
#define RELEASING   LINE(RELEASING)
#define SETTLED     (LINE(REFUSED) | LINE(EXPIRED) | LINE(RELEASED))

#define TO(state)      ORDER_STATE_##state, ORDER_REASON_NONE
#define CANCEL(reason) ORDER_STATE_CANCELLING, ORDER_REASON_##reason
#define PARK(reason)   ORDER_STATE_PARKED, ORDER_REASON_##reason
#define SAME           STAY, ORDER_REASON_NONE

/* clang-format off */
static const struct transition transitions[] = {
/*  row from        on              line was     guard       to                    effect */
    T(1,  NEW,        PLACE_ORDER,    NO_LINE,     valid,      TO(PENDING),          accept),
    T(2,  NEW,        PLACE_ORDER,    NO_LINE,     otherwise,  TO(REJECTED),         reject),
    T(3,  PLACED,     PLACE_ORDER,    NO_LINE,     same_hash,  SAME,                 repeat),
    T(3,  PLACED,     PLACE_ORDER,    NO_LINE,     otherwise,  SAME,                 conflict),

    T(6,  PENDING,    REFUSED,        WANTED,      needs_all,  CANCEL(OUT_OF_STOCK), release_all),
    T(4,  PENDING,    DECIDED,        WANTED,      not_last,   TO(PENDING),          nothing),
    T(4,  PENDING,    BACKORDERED,    REQUESTED,   otherwise,  TO(PENDING),          nothing),
    T(5,  PENDING,    RESERVED,       WANTED,      all_held,   TO(CONFIRMING),       commit_all),
    T(7,  PENDING,    DECIDED,        WANTED,      accepted,   TO(CONFIRMING),       amend),
    T(8,  PENDING,    DECIDED,        WANTED,      some_held,  CANCEL(OUT_OF_STOCK), release_all),
    T(9,  PENDING,    REFUSED,        WANTED,      otherwise,  CANCEL(OUT_OF_STOCK), release_all),
    T(12, PENDING,    CANCEL_ORDER,   NO_LINE,     otherwise,  CANCEL(CUSTOMER),     release_all),
    T(12, PENDING,    T_SAGA,         NO_LINE,     otherwise,  CANCEL(TIMEOUT),      release_all),
    T(13, PENDING,    EXPIRED,        UNCOMMITTED, may_retry,  TO(PENDING),          retry),
    T(13, PENDING,    EXPIRED,        UNCOMMITTED, otherwise,  CANCEL(EXPIRED),      release_all),

    T(23, CONFIRMING, CANCEL_ORDER,   NO_LINE,     otherwise,  CANCEL(CUSTOMER),     release_all),
    T(25, CONFIRMING, COMMIT_OK,      COMMITTING,  not_last,   TO(CONFIRMING),       nothing),
    T(25, CONFIRMING, COMMIT_OK,      COMMITTING,  otherwise,  TO(FULFILLING),       confirm),
    T(26, CONFIRMING, COMMIT_REFUSED, COMMITTING,  may_retry,  TO(CONFIRMING),       retry),
    T(26, CONFIRMING, COMMIT_REFUSED, COMMITTING,  otherwise,  CANCEL(EXPIRED),      release_all),
    T(26, CONFIRMING, RESERVED,       WANTED,      otherwise,  TO(CONFIRMING),       commit_line),
    T(26, CONFIRMING, REFUSED,        WANTED,      otherwise,  CANCEL(EXPIRED),      release_all),
    T(27, CONFIRMING, T_COMMIT,       NO_LINE,     may_resend, TO(CONFIRMING),       resend),
    T(27, CONFIRMING, T_COMMIT,       NO_LINE,     otherwise,  CANCEL(TIMEOUT),      release_all),

    T(38, CANCELLING, NOTHING_HELD,   RELEASING,   not_last,   TO(CANCELLING),       nothing),
    T(38, CANCELLING, NOTHING_HELD,   RELEASING,   settled,    TO(CANCELLED),        cancel),
    T(40, CANCELLING, STOCK_TAKEN,    RELEASING,   otherwise,  SAME,                 nothing),
    T(41, CANCELLING, T_COMP,         NO_LINE,     otherwise,  PARK(COMPENSATION),   park),

    T(45, TERMINAL,   STOCK_TAKEN,    SETTLED,     otherwise,  SAME,                 release_it),
    T(45, PLACED,     STOCK_TAKEN,    OLD_ATTEMPT, otherwise,  SAME,                 release_it),
};
/* clang-format on */

static const struct transition *find_transition(const struct saga *saga)
{
    const unsigned from = 1u << saga->order.state;
    for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++) {
        const struct transition *candidate = &transitions[i];
        if ((candidate->from & from) != 0 && (candidate->on & saga->trigger) != 0 &&
            (candidate->line_was & saga->line_was) != 0 && candidate->guard(saga)) {
            return candidate;
        }
    }
    return NULL;
}

void saga_step(struct saga *saga)
{
    saga_mark(saga);
    const struct transition *transition = find_transition(saga);
    if (!transition) {
        weir_stale(saga->ctx);
        return;
    }
    if (transition->to == STAY) {
        transition->effect(saga);
        return;
    }
    saga->order.state = (enum order_state)transition->to;
    if (transition->reason != ORDER_REASON_NONE) {
        saga->order.reason = transition->reason;
    }
    transition->effect(saga);
    saga->order.updated_ms = weir_now_ms(saga->ctx);
    placed_order_put(saga->ctx, &saga->order);
    if (saga->line) {
        placed_line_put(saga->ctx, saga->line);
    }
    weir_view_touch(saga->ctx, &order_view_topic, saga->order.order_id);
}
