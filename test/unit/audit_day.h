/* audit_day.h - one small day at the shop, as a log: all that the rows in use can do, done right.
 *
 * stock  10 of A, 5 of B (one is lost in a count), later 5 of D, which two backordered units want
 *
 * o1     A x 2 and B x 1, all or nothing: confirmed. One Commit comes twice
 *
 * o2     A x 1 and C x 1, all or nothing: there is no C. Cancelled, A is released
 *
 * o3     A x 1 and C x 1, partial: confirmed with A alone
 *
 * o4     of a policy that is not offered: rejected
 *
 * m1     a reservation by hand that nobody commits: expires
 *
 * m2     the backorder: filled by the delivery, then committed
 *
 * And a raw order that is no JSON, a Reserve of nothing, a delivery note that comes twice.
 */
#ifndef WEIR_TEST_AUDIT_DAY_H
#define WEIR_TEST_AUDIT_DAY_H

#include "audit_shop.h"

static inline void day_stock(struct log *log)
{
    restock(log, A, "R1", 10);
    show_level(log, A);
    done(log, HANDLED);
    restock(log, B, "R2", 5);
    done(log, HANDLED);
    struct stock_command again = {
        .payload_branch = STOCK_COMMAND_RESTOCK,
        .payload.restock = {.sku = "A", .receipt_id = "R1", .qty = 10, .location_id = "MAIN"}};
    step(log, &log->inventory, "stock.commands", command(log, "A", &again), NULL);
    done(log, STALE);
    struct stock_command lost = {
        .payload_branch = STOCK_COMMAND_ADJUST,
        .payload.adjust = {.sku = "B", .adjust_id = "J1", .delta = -1, .location_id = "NORTH"}};
    step(log, &log->inventory, "stock.commands", command(log, "B", &lost), NULL);
    move(log, B, MOVEMENT_KIND_ADJUST, -1, "J1", "");
    show_level(log, B);
    done(log, HANDLED);
    commit(log, &log->inventory);
}

static inline void day_dead_letters(struct log *log)
{
    step(log, &log->intake, "order.raw", put(log, "order.raw", "x", NULL, NULL), NULL);
    bury(log);
    commit(log, &log->intake);
    const struct held nothing = {"x/1/1", "x", "A", "MAIN", 1, 0, 0};
    struct stock_command reserve = reserve_of(&nothing);
    step(log, &log->inventory, "stock.commands", command(log, "A", &reserve), NULL);
    bury(log);
    commit(log, &log->inventory);
}

static inline void day_o1(struct log *log)
{
    const struct held first = {"o1/1/1", "o1", "A", "MAIN", 1, 2, log->now_ms + 1000};
    const struct held second = {"o1/2/1", "o1", "B", "NORTH", 2, 1, log->now_ms + 1000};
    struct test_order order = {.id = "o1",
                               .lines = {{&first, 0, 250}, {&second, 0, 99}},
                               .count = 2,
                               .fee = 40};
    int64_t commands[2];
    accept(log, &order, place(log, &order), commands);
    answer(log, commands[0], A, MOVEMENT_KIND_RESERVE, STOCK_REPLY_RESERVED,
           STOCK_COMMAND_KIND_RESERVE, &first);
    int64_t reply_a = last_reply(log);
    answer(log, commands[1], B, MOVEMENT_KIND_RESERVE, STOCK_REPLY_RESERVED,
           STOCK_COMMAND_KIND_RESERVE, &second);
    int64_t reply_b = last_reply(log);
    commit(log, &log->inventory);
    hear(log, reply_a);
    done(log, HANDLED); /* T4: no output */
    hear(log, reply_b);
    commands[0] = send(log, &first, commit_of(&first));
    commands[1] = send(log, &second, commit_of(&second));
    order.lines[0].state = order.lines[1].state = ORDER_LINE_STATE_COMMITTING;
    show_order(log, &order, ORDER_STATE_CONFIRMING);
    done(log, HANDLED);
    commit(log, &log->order);
    struct stock_command repeated = commit_of(&first);
    int64_t repeat_offset = command(log, "A", &repeated);
    answer(log, commands[0], A, MOVEMENT_KIND_COMMIT, STOCK_REPLY_COMMIT_OK,
           STOCK_COMMAND_KIND_COMMIT, &first);
    reply_a = last_reply(log);
    answer(log, commands[1], B, MOVEMENT_KIND_COMMIT, STOCK_REPLY_COMMIT_OK,
           STOCK_COMMAND_KIND_COMMIT, &second);
    reply_b = last_reply(log);
    step(log, &log->inventory, "stock.commands", repeat_offset, NULL);
    reply(log, STOCK_REPLY_COMMIT_OK, &first, STOCK_COMMAND_KIND_COMMIT, STOCK_REASON_NONE);
    done(log, HANDLED);
    commit(log, &log->inventory);
    hear(log, reply_a);
    done(log, HANDLED);
    hear(log, reply_b);
    order.lines[0].state = order.lines[1].state = ORDER_LINE_STATE_COMMITTED;
    announce(log, &order, ORDER_EVENT_ORDER_CONFIRMED, ORDER_STATE_FULFILLING, ORDER_REASON_NONE);
    show_order(log, &order, ORDER_STATE_FULFILLING);
    done(log, HANDLED);
    hear(log, reply_b + 1);
    done(log, STALE);
    commit(log, &log->order);
}

/* A is held, C is refused. Gives the offsets of both replies. */
static inline void day_half(struct log *log, struct test_order *order, int64_t *replies)
{
    int64_t commands[2];
    accept(log, order, place(log, order), commands);
    answer(log, commands[0], A, MOVEMENT_KIND_RESERVE, STOCK_REPLY_RESERVED,
           STOCK_COMMAND_KIND_RESERVE, order->lines[0].held);
    replies[0] = last_reply(log);
    step(log, &log->inventory, "stock.commands", commands[1], NULL);
    reply(log, STOCK_REPLY_REFUSED, order->lines[1].held, STOCK_COMMAND_KIND_RESERVE,
          STOCK_REASON_OUT_OF_STOCK);
    done(log, HANDLED);
    replies[1] = last_reply(log);
    commit(log, &log->inventory);
    hear(log, replies[0]);
    done(log, HANDLED);
    hear(log, replies[1]);
    order->lines[1].state = ORDER_LINE_STATE_REFUSED;
}

static inline void day_o2(struct log *log)
{
    const struct held first = {"o2/1/1", "o2", "A", "MAIN", 1, 1, log->now_ms + 1000};
    const struct held second = {"o2/2/1", "o2", "C", "MAIN", 2, 1, 0};
    struct test_order order = {.id = "o2",
                               .lines = {{&first, 0, 250}, {&second, 0, 10}},
                               .count = 2};
    int64_t replies[2];
    day_half(log, &order, replies);
    int64_t release = send(log, &first, release_of(&first));
    order.lines[0].state = ORDER_LINE_STATE_RELEASING;
    order.accepted = 0;
    show_order(log, &order, ORDER_STATE_CANCELLING);
    done(log, HANDLED);
    commit(log, &log->order);
    answer(log, release, A, MOVEMENT_KIND_RELEASE, STOCK_REPLY_RELEASED, STOCK_COMMAND_KIND_RELEASE,
           &first);
    commit(log, &log->inventory);
    hear(log, entry_at(log, "stock.replies", -1)->offset);
    order.lines[0].state = ORDER_LINE_STATE_RELEASED;
    announce(log, &order, ORDER_EVENT_ORDER_CANCELLED, ORDER_STATE_CANCELLED,
             ORDER_REASON_OUT_OF_STOCK);
    show_order(log, &order, ORDER_STATE_CANCELLED);
    done(log, HANDLED);
    commit(log, &log->order);
}

static inline void day_o3(struct log *log)
{
    const struct held first = {"o3/1/1", "o3", "A", "MAIN", 1, 1, log->now_ms + 1000};
    const struct held second = {"o3/2/1", "o3", "C", "MAIN", 2, 1, 0};
    struct test_order order = {.id = "o3",
                               .policy = ORDER_POLICY_PARTIAL,
                               .auto_accept = true,
                               .lines = {{&first, 0, 250}, {&second, 0, 10}},
                               .count = 2,
                               .fee = 7};
    int64_t replies[2];
    day_half(log, &order, replies);
    order.lines[0].state = ORDER_LINE_STATE_HELD;
    order.accepted = 251 + 7;
    announce(log, &order, ORDER_EVENT_ORDER_AMENDED, ORDER_STATE_CONFIRMING, ORDER_REASON_NONE);
    int64_t offset = send(log, &first, commit_of(&first));
    order.lines[0].state = ORDER_LINE_STATE_COMMITTING;
    show_order(log, &order, ORDER_STATE_CONFIRMING);
    done(log, HANDLED);
    commit(log, &log->order);
    answer(log, offset, A, MOVEMENT_KIND_COMMIT, STOCK_REPLY_COMMIT_OK, STOCK_COMMAND_KIND_COMMIT,
           &first);
    commit(log, &log->inventory);
    hear(log, entry_at(log, "stock.replies", -1)->offset);
    order.lines[0].state = ORDER_LINE_STATE_COMMITTED;
    announce(log, &order, ORDER_EVENT_ORDER_CONFIRMED, ORDER_STATE_FULFILLING, ORDER_REASON_NONE);
    show_order(log, &order, ORDER_STATE_FULFILLING);
    done(log, HANDLED);
    commit(log, &log->order);
}

static inline void day_o4(struct log *log)
{
    const struct held line = {"o4/1/1", "o4", "A", "MAIN", 1, 1, 0};
    struct test_order order = {.id = "o4",
                               .policy = ORDER_POLICY_BACKORDER,
                               .lines = {{&line, 0, 5}},
                               .count = 1};
    int64_t request = place(log, &order);
    step(log, &log->order, "order.requests", request, NULL);
    order.count = 0;
    order.accepted = 0;
    announce(log, &order, ORDER_EVENT_ORDER_REJECTED, ORDER_STATE_REJECTED, ORDER_REASON_POLICY);
    show_order(log, &order, ORDER_STATE_REJECTED);
    done(log, HANDLED);
    commit(log, &log->order);
}

/* The order processor finds a reply to somebody else stale. */
static inline void ignore_reply(struct log *log)
{
    hear(log, entry_at(log, "stock.replies", -1)->offset);
    done(log, STALE);
    commit(log, &log->order);
}

static inline void day_m1(struct log *log)
{
    const struct held held = {"m1/1/1", "m1", "A", "MAIN", 1, 3, log->now_ms + 500};
    struct stock_command reserve = reserve_of(&held);
    int64_t offset = command(log, "A", &reserve);
    answer(log, offset, A, MOVEMENT_KIND_RESERVE, STOCK_REPLY_RESERVED, STOCK_COMMAND_KIND_RESERVE,
           &held);
    commit(log, &log->inventory);
    ignore_reply(log);
    log->now_ms = held.expires_ms;
    step(log, &log->inventory, "stock.commands", offset, "hold_expiry/m1/1/1@500");
    move(log, A, MOVEMENT_KIND_EXPIRE, held.qty, held.id, held.order_id);
    reply(log, STOCK_REPLY_EXPIRED, &held, STOCK_COMMAND_KIND_TIMER, STOCK_REASON_EXPIRED);
    show_level(log, A);
    done(log, HANDLED);
    commit(log, &log->inventory);
    ignore_reply(log);
}

static inline void day_m2(struct log *log)
{
    struct held held = {"m2/1/1", "m2", "D", "MAIN", 1, 2, log->now_ms + 1000};
    struct stock_command reserve = reserve_of(&held);
    answer(log, command(log, "D", &reserve), D, MOVEMENT_KIND_BACKORDER, STOCK_REPLY_BACKORDERED,
           STOCK_COMMAND_KIND_RESERVE, &held);
    commit(log, &log->inventory);
    ignore_reply(log);
    held.expires_ms = log->now_ms + 1000;
    restock(log, D, "R3", 5);
    move(log, D, MOVEMENT_KIND_BACKFILL, held.qty, held.id, held.order_id);
    reply(log, STOCK_REPLY_RESERVED, &held, STOCK_COMMAND_KIND_BACKFILL, STOCK_REASON_NONE);
    show_level(log, D);
    done(log, HANDLED);
    commit(log, &log->inventory);
    ignore_reply(log);
    struct stock_command envelope = commit_of(&held);
    answer(log, command(log, "D", &envelope), D, MOVEMENT_KIND_COMMIT, STOCK_REPLY_COMMIT_OK,
           STOCK_COMMAND_KIND_COMMIT, &held);
    commit(log, &log->inventory);
    ignore_reply(log);
}

/* The whole day. Free it with log_release. */
static inline struct log *make_day(void)
{
    struct log *log = xcalloc(1, sizeof *log);
    arena_init(&log->arena);
    log->now_ms = START_MS;
    log->intake = (struct app){.id = "intake", .inputs = {"order.raw"}};
    log->order = (struct app){.id = "order", .inputs = {"order.requests", "stock.replies"}};
    log->inventory = (struct app){.id = "inventory", .inputs = {"stock.commands"}};
    struct app *const apps[] = {&log->intake, &log->order, &log->inventory};
    for (size_t i = 0; i < 3; i++) {
        apps[i]->ranges[0].topic = apps[i]->inputs[0];
        apps[i]->ranges[1].topic = apps[i]->inputs[1];
    }
    log->bins[A] = (struct bin){.sku = "A", .location = "MAIN"};
    log->bins[B] = (struct bin){.sku = "B", .location = "NORTH"};
    log->bins[D] = (struct bin){.sku = "D", .location = "MAIN", .limit = 10};
    day_stock(log);
    day_dead_letters(log);
    day_o1(log);
    day_o2(log);
    day_o3(log);
    day_o4(log);
    day_m1(log);
    day_m2(log);
    return log;
}

static inline void log_release(struct log *log)
{
    arena_release(&log->arena);
    free(log);
}

/* ---- a test's day ---- */

static struct log *the_day;

static inline int open_day(void **state)
{
    (void)state;
    the_day = make_day();
    return 0;
}

static inline int close_day(void **state)
{
    (void)state;
    log_release(the_day);
    return 0;
}

#define ON(test) cmocka_unit_test_setup_teardown(test, open_day, close_day)

static const struct audit_options whole_audit = {.findings_kept = 5};

static inline void print_findings(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        print_message("%s %s: %s\n", invariant_name(findings->list[i].invariant),
                      findings->list[i].place, findings->list[i].text);
    }
}

/* Which invariants the log breaks, as bits. */
static inline uint32_t broken_by(const struct log *log, const struct audit_options *options)
{
    struct audit *audit = audit_of(log, options);
    const struct findings *findings = audit_findings(audit);
    uint32_t bits = 0;
    if (getenv("SHOW_FINDINGS")) { /* for whoever changes the texts */
        print_findings(findings);
    }
    for (int i = 0; i < INVARIANTS; i++) {
        bits |= findings->tallies[i].broken > 0 ? UINT32_C(1) << i : 0;
    }
    audit_close(audit);
    return bits;
}

static inline void assert_breaks(enum invariant invariant)
{
    if ((broken_by(the_day, &whole_audit) & UINT32_C(1) << invariant) == 0) {
        fail_msg("%s was not found broken", invariant_name(invariant));
    }
}

/* ---- the first record of its kind ---- */

static inline struct entry *reply_to(const char *reservation_id, enum stock_reply_branch kind)
{
    for (int i = 0;; i++) {
        struct entry *entry = entry_at(the_day, "stock.replies", i);
        const struct stock_reply *reply = entry->record;
        if (reply->payload_branch == kind &&
            strcmp(reply->payload.reserved.reservation_id, reservation_id) == 0) {
            return entry;
        }
    }
}

static inline struct entry *movement_of(const char *ref_id, enum movement_kind kind)
{
    for (int i = 0;; i++) {
        struct entry *entry = entry_at(the_day, "stock.ledger", i);
        const struct stock_ledger_entry *record = entry->record;
        const struct stock_movement *is = &record->payload.stock_movement;
        if (is->kind == kind && strcmp(is->ref_id, ref_id) == 0) {
            return entry;
        }
    }
}

static inline struct entry *event_of(const char *order_id, enum order_event_branch kind)
{
    for (int i = 0;; i++) {
        struct entry *entry = entry_at(the_day, "order.events", i);
        const struct order_event *event = entry->record;
        if (event->payload_branch == kind &&
            strcmp(event->payload.order_accepted.order_id, order_id) == 0) {
            return entry;
        }
    }
}

#endif
