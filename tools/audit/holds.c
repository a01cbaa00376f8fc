/* holds.c - reservations: what was asked, what was answered, what is held. I4, I5, I7.
 *
 * The replies of a reservation come in order, through one partition; each must be one that its
 * state admits (the table below: domain section 7 seen from the answers), and a repeat must equal
 * what was said before. The state that the replies add up to is compared with what the ledger has
 * for the reservation, and summed up per SKU with the last level. Refused(CONFLICT) speaks to
 * somebody else, or of a release that comes too late, and changes nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "internal.h"

/* All replies have the same fields. */
struct reply {
    enum stock_reply_branch kind;
    const char *reservation_id, *order_id, *sku;
    int32_t line_no, qty, open; /* open: sum of the allocations */
    uint32_t allocations;
    enum stock_command_kind command;
    enum stock_reason reason;
    int64_t expires_ms; /* 0: none */
};

#define REPLIES 8

#define COPY(type)                                                                 \
    copy_reply(reply, record->payload_branch, record->payload.type.reservation_id, \
               record->payload.type.order_id, record->payload.type.sku,            \
               record->payload.type.line_no, record->payload.type.qty,             \
               &record->payload.type.allocations, record->payload.type.command,    \
               record->payload.type.reason,                                        \
               record->payload.type.has_expires_ms ? record->payload.type.expires_ms : 0)

static void copy_reply(struct reply *reply, enum stock_reply_branch kind,
                       const char *reservation_id, const char *order_id, const char *sku,
                       int32_t line_no, int32_t qty,
                       const struct stock_allocation_array *allocations,
                       enum stock_command_kind command, enum stock_reason reason,
                       int64_t expires_ms)
{
    *reply = (struct reply){.kind = kind,
                            .reservation_id = reservation_id,
                            .order_id = order_id,
                            .sku = sku,
                            .line_no = line_no,
                            .qty = qty,
                            .command = command,
                            .reason = reason,
                            .expires_ms = expires_ms};
    uint64_t hash = 0;
    for (size_t i = 0; i < allocations->count; i++) {
        const struct stock_allocation *part = &allocations->items[i];
        reply->open += part->qty;
        hash = hash_bytes(hash_bytes(hash, &part->qty, sizeof part->qty), part->location_id,
                          strlen(part->location_id));
    }
    reply->allocations = (uint32_t)hash;
}

static void read_reply(const struct stock_reply *record, struct reply *reply)
{
    switch (record->payload_branch) {
    case STOCK_REPLY_RESERVED:
        COPY(reserved);
        break;
    case STOCK_REPLY_REFUSED:
        COPY(refused);
        break;
    case STOCK_REPLY_BACKORDERED:
        COPY(backordered);
        break;
    case STOCK_REPLY_EXTENDED:
        COPY(extended);
        break;
    case STOCK_REPLY_COMMIT_OK:
        COPY(commit_ok);
        break;
    case STOCK_REPLY_COMMIT_REFUSED:
        COPY(commit_refused);
        break;
    case STOCK_REPLY_RELEASED:
        COPY(released);
        break;
    case STOCK_REPLY_EXPIRED:
        COPY(expired);
        break;
    }
}

/* ---- the states ---- */

enum { NEVER = -1, STAYS = -2 };

#define TO(state) HOLD_##state

/* clang-format off */
/* In this state, after this reply: */
static const int next_state[HOLD_STATES][REPLIES] = {
/*                     Reserved       Refused        Backordered      Extended  CommitOk        CommitRefused  Released        Expired */
    [HOLD_NONE]        = {TO(HELD),      TO(REFUSED),   TO(BACKORDERED), NEVER,    NEVER,          STAYS,         TO(FENCED),     NEVER},
    [HOLD_HELD]        = {STAYS,         NEVER,         NEVER,           STAYS,    TO(COMMITTED),  NEVER,         TO(RELEASED),   TO(EXPIRED)},
    [HOLD_BACKORDERED] = {TO(HELD),      NEVER,         STAYS,           STAYS,    NEVER,          STAYS,         TO(RELEASED),   TO(EXPIRED)},
    [HOLD_COMMITTED]   = {STAYS,         NEVER,         NEVER,           STAYS,    STAYS,          NEVER,         TO(RELEASED),   NEVER},
    [HOLD_RELEASED]    = {NEVER,         STAYS,         NEVER,           NEVER,    NEVER,          STAYS,         STAYS,          NEVER},
    [HOLD_EXPIRED]     = {NEVER,         STAYS,         NEVER,           NEVER,    NEVER,          STAYS,         STAYS,          NEVER},
    [HOLD_REFUSED]     = {NEVER,         STAYS,         NEVER,           NEVER,    NEVER,          STAYS,         STAYS,          NEVER},
    [HOLD_FENCED]      = {NEVER,         STAYS,         NEVER,           NEVER,    NEVER,          STAYS,         STAYS,          NEVER},
};
/* clang-format on */

static const char *const state_names[HOLD_STATES] = {"unknown",   "held",     "backordered",
                                                     "committed", "released", "expired",
                                                     "refused",   "fenced"};
static const char *const reply_names[REPLIES] = {"Reserved", "Refused",  "Backordered",
                                                 "Extended", "CommitOk", "CommitRefused",
                                                 "Released", "Expired"};

static bool is_open(enum hold_state state)
{
    return state == HOLD_HELD || state == HOLD_BACKORDERED || state == HOLD_COMMITTED;
}

/* The reason that a refusal must give in this state; -1: any. */
static int reason_in(const struct hold *hold)
{
    switch ((enum hold_state)hold->state) {
    case HOLD_NONE:
        return STOCK_REASON_UNKNOWN;
    case HOLD_BACKORDERED:
        return STOCK_REASON_OUT_OF_STOCK;
    case HOLD_RELEASED:
    case HOLD_EXPIRED:
    case HOLD_REFUSED:
    case HOLD_FENCED:
        return hold->reason;
    case HOLD_HELD:
    case HOLD_COMMITTED:
        break;
    }
    return -1;
}

/* Refused a first Reserve: that is where the reason comes from. */
static bool is_first_refusal(const struct hold *hold, const struct reply *reply)
{
    return hold->state == HOLD_NONE && reply->kind == STOCK_REPLY_REFUSED &&
           reply->command == STOCK_COMMAND_KIND_RESERVE;
}

/* What a repeat, or any later reply, must have in common with what was said. */
static bool check_same(struct audit *audit, const struct place *at, const struct hold *hold,
                       const struct reply *reply)
{
    bool refuses = reply->kind == STOCK_REPLY_REFUSED || reply->kind == STOCK_REPLY_COMMIT_REFUSED;
    if (refuses && !is_first_refusal(hold, reply) && reason_in(hold) >= 0 &&
        (int)reply->reason != reason_in(hold)) {
        broken(audit, I5, at, "%s is %s: expected %s for the reason %s, found %s", hold->id,
               state_names[hold->state], reply_names[reply->kind],
               stock_reason_name((enum stock_reason)reason_in(hold)),
               stock_reason_name(reply->reason));
        return false;
    }
    if (hold->state == HOLD_NONE) {
        return true;
    }
    if (reply->qty != hold->qty || reply->line_no != hold->line_no ||
        strcmp(reply->sku, hold->sku->id) != 0 || strcmp(reply->order_id, hold->order->id) != 0) {
        broken(audit, I5, at,
               "%s: expected every answer for %" PRId32 " of %s, order %s, line %" PRId32
               "; found %" PRId32 " of %s, order %s, line %" PRId32,
               hold->id, hold->qty, hold->sku->id, hold->order->id, hold->line_no, reply->qty,
               reply->sku, reply->order_id, reply->line_no);
        return false;
    }
    bool repeats =
        next_state[hold->state][reply->kind] == STAYS && is_open((enum hold_state)hold->state);
    bool fills = hold->state == HOLD_BACKORDERED && reply->kind == STOCK_REPLY_RESERVED;
    bool commits = hold->state == HOLD_HELD && reply->kind == STOCK_REPLY_COMMIT_OK;
    if ((repeats || commits) && !fills && reply->allocations != hold->allocations) {
        broken(audit, I5, at, "%s is %s: expected %s with the allocations as before, found others",
               hold->id, state_names[hold->state], reply_names[reply->kind]);
        return false;
    }
    if (repeats && reply->kind != STOCK_REPLY_EXTENDED && reply->expires_ms != hold->expires_ms) {
        broken(audit, I5, at, "%s is %s: expected expires_ms %" PRId64 " as before, found %" PRId64,
               hold->id, state_names[hold->state], hold->expires_ms, reply->expires_ms);
        return false;
    }
    return true;
}

/* What a new hold must say. */
static bool check_hold(struct audit *audit, const struct place *at, const struct hold *hold,
                       const struct reply *reply)
{
    if (reply->open != reply->qty) {
        broken(audit, I5, at, "%s: expected allocations of %" PRId32 " in all, found %" PRId32,
               hold->id, reply->qty, reply->open);
    } else if (reply->expires_ms == 0) {
        broken(audit, I7, at, "%s is held: expected an expiry, found none", hold->id);
    } else {
        return true;
    }
    return false;
}

/* The part of a released reservation that stays open. */
static bool stays_open(const struct reply *reply)
{
    return reply->kind == STOCK_REPLY_RELEASED && (reply->open > 0 || reply->expires_ms != 0);
}

static void take_reply(struct audit *audit, const struct place *at, struct hold *hold,
                       const struct reply *reply)
{
    int to = next_state[hold->state][reply->kind];
    if (to == STAYS || (is_open((enum hold_state)hold->state) && stays_open(reply))) {
        to = hold->state;
    }
    if (hold->state == HOLD_NONE && to != HOLD_NONE) {
        hold->sku = sku_get(audit, reply->sku);
        hold->order = catalog_get(&audit->orders, reply->order_id);
        hold->qty = reply->qty;
        hold->line_no = reply->line_no;
    }
    if (to == HOLD_HELD && hold->state != HOLD_HELD) {
        check_hold(audit, at, hold, reply);
    }
    if (to != hold->state) {
        hold->reason = (uint8_t)(to == HOLD_RELEASED ? STOCK_REASON_RELEASED
                                 : to == HOLD_FENCED ? STOCK_REASON_FENCED
                                                     : reply->reason);
        hold->state = (uint8_t)to;
    }
    if (is_open((enum hold_state)to)) {
        hold->open = reply->open;
        hold->allocations = reply->allocations;
        hold->expires_ms = to == HOLD_COMMITTED ? 0 : reply->expires_ms;
    } else {
        hold->open = 0;
        hold->allocations = 0;
        hold->expires_ms = 0;
    }
    hold->last = pack(audit, at);
}

void holds_read_reply(struct audit *audit, const struct place *at, const void *record)
{
    struct reply reply = {0};
    read_reply(record, &reply);
    checked(audit, I5, 1);
    if (reply.kind == STOCK_REPLY_REFUSED && reply.reason == STOCK_REASON_CONFLICT) {
        return;
    }
    struct hold *hold = catalog_get(&audit->holds, reply.reservation_id);
    bool refused_extend =
        reply.kind == STOCK_REPLY_REFUSED && reply.command == STOCK_COMMAND_KIND_EXTEND;
    int to = next_state[hold->state][reply.kind];
    if (hold->state == HOLD_EXPIRED && reply.kind == STOCK_REPLY_COMMIT_OK) {
        broken(audit, I7, at, "%s has expired: expected CommitRefused, found CommitOk", hold->id);
    } else if (to == NEVER) {
        broken(audit, I5, at, "%s is %s: found %s", hold->id, state_names[hold->state],
               reply_names[reply.kind]);
    } else if (reply.kind == STOCK_REPLY_EXTENDED && hold->state != HOLD_COMMITTED &&
               reply.expires_ms < hold->expires_ms) {
        broken(audit, I5, at, "%s: expected an expiry not before %" PRId64 ", found %" PRId64,
               hold->id, hold->expires_ms, reply.expires_ms);
    } else if (check_same(audit, at, hold, &reply) &&
               !(refused_extend && hold->state == HOLD_NONE)) {
        take_reply(audit, at, hold, &reply);
    }
}

/* ---- commands ---- */

static void read_reserve(struct audit *audit, const struct place *at, const struct reserve *reserve)
{
    if (is_dead(audit, at)) {
        return;
    }
    struct hold *hold = catalog_get(&audit->holds, reserve->reservation_id);
    if (hold->wanted == 0) {
        hold->wanted = reserve->qty;
        hold->line_no = reserve->line_no;
    } else if (hold->wanted != reserve->qty || hold->line_no != reserve->line_no) {
        hold->contested = true; /* which came first shows only in the answers */
    }
}

void holds_read_command(struct audit *audit, const struct place *at, const void *record)
{
    const struct stock_command *command = record;
    switch (command->payload_branch) {
    case STOCK_COMMAND_RESERVE:
        read_reserve(audit, at, &command->payload.reserve);
        break;
    case STOCK_COMMAND_RESTOCK: {
        const struct restock *restock = &command->payload.restock;
        stock_read_arrival(audit, at, "restock", restock->sku, restock->receipt_id,
                           restock->location_id, restock->qty);
        break;
    }
    case STOCK_COMMAND_ADJUST: {
        const struct adjust *adjust = &command->payload.adjust;
        stock_read_arrival(audit, at, "adjust", adjust->sku, adjust->adjust_id, adjust->location_id,
                           adjust->delta);
        break;
    }
    case STOCK_COMMAND_EXTEND:
    case STOCK_COMMAND_COMMIT:
    case STOCK_COMMAND_RELEASE:
        break;
    }
}

/* ---- at the end ---- */

/* I4: the replies against the command and the ledger. */
static void check_books(struct audit *audit, const struct place *at, const struct hold *hold)
{
    int32_t held = hold->state == HOLD_HELD ? hold->open : 0;
    int32_t committed = hold->state == HOLD_COMMITTED ? hold->open : 0;
    checked(audit, I4, 1);
    if (is_open((enum hold_state)hold->state) && !hold->contested && hold->qty != hold->wanted) {
        broken(audit, I4, at,
               "%s: expected an answer for %" PRId32 " units, as its Reserve asks, found %" PRId32,
               hold->id, hold->wanted, hold->qty);
    }
    if (held != hold->held || committed != hold->committed) {
        broken(audit, I4, at,
               "%s: expected held %" PRId32 " and committed %" PRId32
               " by its answers, found held %" PRId32 " and committed %" PRId32 " in the ledger",
               hold->id, held, committed, hold->held, hold->committed);
    } else if ((hold->state == HOLD_BACKORDERED) != (hold->waiting > 0)) {
        broken(audit, I4, at,
               "%s is %s by its answers, found %" PRId32 " units of it backordered in the ledger",
               hold->id, state_names[hold->state], hold->waiting);
    }
}

static void check_expiry(struct audit *audit, const struct place *at, const struct hold *hold)
{
    checked(audit, I7, 1);
    if (!audit->options.online && hold->expires_ms != 0 &&
        hold->expires_ms + audit->options.grace_ms < audit->latest_ms) {
        broken(audit, I7, at,
               "%s is %s: expected it to end at %" PRId64 ", the last record is of %" PRId64,
               hold->id, state_names[hold->state], hold->expires_ms, audit->latest_ms);
    }
}

static void sum_up(struct hold *hold)
{
    if (hold->state == HOLD_HELD) {
        hold->sku->held_by_replies += hold->open;
        hold->order->stock_held += hold->open;
    } else if (hold->state == HOLD_COMMITTED) {
        hold->sku->committed_by_replies += hold->open;
        hold->order->stock_units += hold->open;
        hold->order->stock_lines += line_hash(hold->line_no, hold->sku->id, hold->open, 0);
    } else if (hold->state == HOLD_BACKORDERED) {
        hold->order->stock_held += hold->qty;
    }
}

/* I4: the sums against the last level. */
static void check_level(struct audit *audit, const struct sku *sku)
{
    if (!sku->level) {
        return; /* I27 misses it */
    }
    struct place at = unpack(audit, sku->level);
    if (sku->held_by_replies != sku->level_sum.held ||
        sku->committed_by_replies != sku->level_sum.committed) {
        broken(audit, I4, &at,
               "SKU %s: expected held %" PRId64 " and committed %" PRId64
               " by all answers, found held %" PRId64 " and committed %" PRId64,
               sku->id, sku->held_by_replies, sku->committed_by_replies, sku->level_sum.held,
               sku->level_sum.committed);
    }
}

void holds_finish(struct audit *audit)
{
    for (size_t i = 0; i < audit->holds.count; i++) {
        struct hold *hold = catalog_at(&audit->holds, i);
        struct place at = {hold->id, -1, -1};
        if (hold->last) {
            at = unpack(audit, hold->last);
        }
        check_books(audit, &at, hold);
        check_expiry(audit, &at, hold);
        sum_up(hold);
    }
    for (size_t i = 0; i < audit->skus.count; i++) {
        check_level(audit, catalog_at(&audit->skus, i));
    }
}
