/* internal.h - the audit from the inside: what its modules remember, and what they call each other
 * for.
 *
 * core.c      records to modules
 * causes.c    I22, I24: outputs by their causes
 * flow.c      I23, I25: checkpoints, dead letters, inputs
 * stock.c     I1, I2, I3, I6: the ledger
 * holds.c     I4, I5, I7: commands and replies
 * orders.c    I8 to I11, I13: requests and events
 * views.c     I27
 * fold.c      I28
 */
#ifndef WEIR_AUDIT_INTERNAL_H
#define WEIR_AUDIT_INTERNAL_H

#include "audit.h"
#include "catalog.h"

#include "codec/codec.h"
#include "runtime_records.h"
#include "shop.h"

/* ---- what is read ---- */

enum writer {
    WRITER_FOREIGN, /* not one of ours: no causes */
    WRITER_MIXED,   /* ours, and people: causes where there is a header */
    WRITER_OURS,    /* every record has a cause */
    WRITER_VIEW,    /* the same, without ordinals */
};

/* What the audit knows of a topic. */
struct topic_kind {
    const struct weir_topic *topic;
    int phase;
    enum writer writer;
    bool answers;          /* a record that is neither stale nor dead has an output */
    enum invariant guards; /* what a record that cannot be read breaks */
    void (*read)(struct audit *audit, const struct place *at, const void *record);
};

/* What is known of one offset of an input. */
enum {
    SEEN_RECORD = 1,   /* there is a committed record */
    SEEN_DEAD = 2,     /* a dead letter names it */
    SEEN_OUTPUT = 4,   /* an output names it (a timer's does not count) */
    SEEN_COMPLETE = 8, /* all its outputs were seen */
};

/* What a commit says it did with one input. */
struct range {
    int64_t first, next;
    int64_t handled, stale, dead;
    int64_t history_offset, commit_number;
};

struct partition {
    const char *topic;
    int32_t number;
    const struct topic_kind *kind; /* NULL: history, dead letters */
    int64_t low, high;
    int64_t expected; /* the least offset that may come next */
    int64_t records, bytes, first_ms, last_ms;
    uint8_t *seen; /* by offset - low */

    /* as an input */
    struct flow *flow; /* the task that reads it; NULL: none has committed */
    struct range *ranges;
    size_t range_count, range_capacity;
    int64_t next;           /* committed; low: nothing */
    int64_t outputs, views; /* that name it as their cause */
    int64_t dead_letters;
    int64_t highest_cause;         /* highest offset named by an output ... */
    struct place highest_cause_at; /* ... and by which */
};

/* A task as its history shows it. */
struct flow {
    const char *history;
    int32_t partition;
    int64_t commit_number;
    int64_t outputs;                    /* by its checkpoints ... */
    int64_t found_outputs, found_views; /* ... and by the topics */
    char incarnation[33];
    struct place last; /* its last checkpoint */
};

/* ---- what is remembered ---- */

/* Where a record stands, in eight bytes: the number of its partition + 1 and its offset; 0:
 * nowhere. */
typedef uint64_t packed_place;

struct balances {
    int64_t on_hand, held, committed, unavailable;
};

/* A SKU at one location. */
struct shelf {
    char *location_id;
    struct balances is;    /* after the last movement */
    int64_t moved;         /* onto it and off it, by all movements */
    bool in_level;         /* the last level names it, ... */
    struct balances level; /* ... with these */
};

struct sku {
    const char *id;
    struct shelf *shelves;
    size_t shelf_count;
    int64_t seq, backordered; /* after the last movement */
    packed_place last;
    int64_t held_by_replies, committed_by_replies;
    packed_place level; /* the last one; what it says: */
    int64_t level_seq, level_backordered;
    struct balances level_sum;
};

/* A delivery note or a count, by "kind/sku/id". */
struct delivery {
    const char *id;
    char *location_id;
    packed_place commanded, moved; /* 0: never */
    int32_t qty;
};

/* The state of a reservation as its replies tell it. */
enum hold_state {
    HOLD_NONE,
    HOLD_HELD,
    HOLD_BACKORDERED,
    HOLD_COMMITTED,
    HOLD_RELEASED,
    HOLD_EXPIRED,
    HOLD_REFUSED,
    HOLD_FENCED,
};
enum { HOLD_STATES = HOLD_FENCED + 1 };

/* A reservation. */
struct hold {
    const char *id;
    struct sku *sku; /* by its replies; so the rest of this block: */
    struct order *order;
    packed_place last;
    int64_t expires_ms;   /* 0: none */
    uint32_t allocations; /* hash */
    int32_t line_no, qty, open;
    uint8_t state, reason;                      /* enum hold_state, enum stock_reason */
    bool contested;                             /* asked for twice, in different words */
    int32_t wanted;                             /* by its Reserve; 0: there was none */
    int32_t reserved, held, committed, waiting; /* by the ledger; reserved: in all */
};

struct line_money {
    int32_t line_no;
    int64_t total;
};

struct order {
    const char *id;
    packed_place placed, last, view; /* PlaceOrder, last event, last view; 0: none */
    int64_t grand_total, fee;
    int64_t accepted, view_accepted; /* by the last event, by the last view */
    struct line_money *lines;        /* of policy PARTIAL, which alone may be amended */
    int32_t line_count;
    int32_t seq, view_seq;
    uint32_t placed_lines;            /* sums over lines, in any order: hash of (line, SKU, qty), */
    uint32_t event_lines, view_lines; /* ... and state, */
    uint32_t committed_lines, stock_lines; /* of the committed ones, as events and replies say */
    int32_t committed_units, stock_units, stock_held;
    uint8_t state, view_state, policy; /* enum order_state, order_policy */
    bool auto_accept, amended, broken_sums;
};

struct open_cause;

struct audit {
    struct audit_options options;
    struct codec *codec;
    struct findings findings;
    struct arena arena; /* of the record at hand */
    struct arena kept;  /* names */
    struct partition **partitions;
    size_t partition_count;
    const char *histories[WEIR_LIST_MAX];
    size_t history_count;
    struct flow **flows;
    size_t flow_count;
    int64_t records;
    int64_t latest_ms; /* the latest time seen */

    struct open_cause *causes; /* hash table: causes.c */
    size_t cause_slots, cause_count;

    struct catalog skus, deliveries, holds, orders;
};

/* ---- core.c ---- */

/* A broken invariant: where, and in words what was expected and what was found. */
void broken(struct audit *audit, enum invariant invariant, const struct place *at,
            const char *format, ...) __attribute__((format(printf, 4, 5)));

void checked(struct audit *audit, enum invariant invariant, int64_t count);

/* NULL: no such partition was announced. */
struct partition *partition_find(const struct audit *audit, const char *topic, int32_t number);

packed_place pack(const struct audit *audit, const struct place *place);
struct place unpack(const struct audit *audit, packed_place packed);

/* Is there a dead letter for the record at `place`? */
bool is_dead(const struct audit *audit, const struct place *place);

/* The bits of an offset; NULL when it lies outside of what was announced. */
uint8_t *seen_at(const struct partition *partition, int64_t offset);

/* A hash of a line, to be summed over lines. */
uint32_t line_hash(int32_t line_no, const char *sku, int32_t qty, int state);

/* ---- causes.c ---- */

void causes_output(struct audit *audit, const struct partition *of, const struct place *at,
                   const struct cause *cause);
void causes_finish(struct audit *audit);
void causes_release(struct audit *audit);

/* ---- flow.c ---- */

void flow_checkpoint(struct audit *audit, const struct place *at,
                     const struct checkpoint *checkpoint);
void flow_dead_letter(struct audit *audit, const struct place *at, struct weir_bytes source);
void flow_finish(struct audit *audit);

/* ---- stock.c ---- */

struct sku *sku_get(struct audit *audit, const char *id);
struct shelf *sku_shelf(struct sku *sku, const char *location_id);
void sku_release(struct sku *sku);
void stock_balances(struct audit *audit, const struct place *at, const char *sku,
                    const char *location_id, const struct balances *is);
void stock_read_arrival(struct audit *audit, const struct place *at, const char *kind,
                        const char *sku, const char *id, const char *location_id, int32_t qty);
void stock_read_movement(struct audit *audit, const struct place *at, const void *record);
void stock_finish(struct audit *audit);

/* ---- holds.c ---- */

void holds_read_command(struct audit *audit, const struct place *at, const void *record);
void holds_read_reply(struct audit *audit, const struct place *at, const void *record);
void holds_finish(struct audit *audit);

/* ---- orders.c ---- */

void orders_read_request(struct audit *audit, const struct place *at, const void *record);
void orders_read_event(struct audit *audit, const struct place *at, const void *record);
void orders_finish(struct audit *audit);

/* May an order that was announced in state `from` be announced in `to` next? */
bool order_may_go(enum order_state from, enum order_state to);
bool order_state_is_settled(enum order_state state);

/* ---- views.c ---- */

void views_read_order(struct audit *audit, const struct place *at, const void *record);
void views_read_level(struct audit *audit, const struct place *at, const void *record);
void views_finish(struct audit *audit);

#endif
