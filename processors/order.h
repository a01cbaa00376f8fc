/* order.h - what the files of order share: one trigger's step of one order's saga.
 *
 * order.c               the processor's table; records and deadlines become triggers
 * order_transitions.c   the table of transitions and its guards: the rule itself
 * order_effects.c       what transitions do: commands to inventory, marks on lines
 * order_events.c        what the world is told: order.events, order.view
 */
#ifndef PROCESSORS_ORDER_H
#define PROCESSORS_ORDER_H

#include "order_rules.h"
#include "shop.h"
#include "weir.h"

/* What moves a saga. Bits, so that one row of the table can name several. */
enum trigger {
    PLACE_ORDER = 1 << 0,
    CANCEL_ORDER = 1 << 1,
    RESERVED = 1 << 2,
    REFUSED = 1 << 3,
    BACKORDERED = 1 << 4,
    EXTENDED = 1 << 5,
    COMMIT_OK = 1 << 6,
    COMMIT_REFUSED = 1 << 7,
    RELEASED = 1 << 8,
    EXPIRED = 1 << 9,
    T_SAGA = 1 << 10,
    T_COMMIT = 1 << 11,
    T_COMP = 1 << 12,
};

/* A reply of inventory, whichever. */
struct answer {
    enum trigger trigger;
    const char *reservation_id, *order_id, *sku;
    int32_t line_no;
    enum stock_reason reason;
    const char *location_id; /* the first that the stock is taken from, or NULL */
};

/* One trigger at one order. Counters of `order` (outstanding, held, ...) always agree with the
 * states of its lines: set_line() in order_effects.c is the only one to change either. */
struct saga {
    struct weir_context *ctx;
    enum trigger trigger;
    const struct place_order *place; /* of PLACE_ORDER */
    struct broken_rule broken;       /* of PLACE_ORDER for a new order */
    const struct answer *answer;     /* of a reply */
    struct placed_order order;       /* state NEW: there is none yet */
    struct placed_line *line; /* the one that the reply is about, marked with it already; or NULL */
    unsigned line_was;        /* LINE(its state before), OLD_ATTEMPT, or NO_LINE */
    struct placed_line *lines; /* all of them: after saga_load_lines() */
    size_t line_count;
};

#define LINE(state) (1u << ORDER_LINE_STATE_##state)
#define NO_LINE     (1u << 30) /* the trigger is not about a line */
#define OLD_ATTEMPT (1u << 31) /* the reply is for an attempt given up, or never made */

/* ---- order_transitions.c ---- */

/* Finds the transition for the saga's trigger, carries it out and saves the order; or finds the
 * trigger stale. */
void saga_step(struct saga *saga);

/* ---- order_effects.c ---- */

typedef void effect(struct saga *saga);

effect saga_nothing, saga_repeat, saga_conflict, saga_accept, saga_reject;
effect saga_commit_all, saga_commit_line, saga_amend, saga_retry, saga_resend, saga_confirm;
effect saga_release_all, saga_release_it, saga_cancel, saga_park;

/* Notes the reply on its line, in memory. */
void saga_mark(struct saga *saga);

/* Deletes the order and its lines. */
void saga_forget(struct saga *saga);

/* Key: order_id. What it means, the order's state says. */
extern const struct weir_timer order_deadline;

extern const struct weir_setting hold_ttl_ms, saga_timeout_ms, commit_timeout_ms,
    compensation_timeout_ms, settled_retention_ms;

/* ---- order_events.c ---- */

/* Reads the order's lines, once, the marked one as it is in memory. */
void saga_load_lines(struct saga *saga);

/* Emits the order's next event, with all its lines. */
void saga_announce(struct saga *saga, enum order_event_branch event);

void build_order_view(struct weir_context *ctx, const char *order_id);

#endif
