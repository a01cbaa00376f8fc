/* orders.h - what became of every order, as the topics tell it: the ledger behind `weir watch`.
 *
 * Records of different topics may be fed in any order; those of one partition in theirs. An order
 * is placed by a record of order.raw, answered by its first OrderConfirmed, OrderRejected or
 * OrderCancelled, or dead when intake (or order) put it into a dead-letter topic and nobody
 * answered it. A cancellation counts with its order.
 */
#ifndef WEIR_TOOLS_ORDERS_H
#define WEIR_TOOLS_ORDERS_H

#include "decode.h"
#include "names.h"
#include "shop.h"
#include "watch/histogram.h"

/* Where an order stands now. */
enum order_standing {
    STANDING_IN_FLIGHT,
    STANDING_CONFIRMED,
    STANDING_CANCELLED,
    STANDING_REJECTED,
    STANDING_PARKED,
    STANDING_DEAD,
    STANDINGS,
};

struct tracked {
    int64_t intended_ms; /* 0: not seen placed */
    int64_t answered_ms; /* 0: not answered */
    enum order_standing standing;
    enum order_reason reason;
    int32_t lines, units; /* reserved for it */
    int64_t money;        /* accepted, minor units */
    uint8_t currency;     /* index into orders->currencies */
    bool is_placed;
};

enum { CURRENCIES_MAX = 8, ORDER_REASONS_MAX = 32 };

struct dead_cause {
    char topic[96], cause[64];
    int64_t count;
};

struct orders {
    const char *run_id; /* only ids that begin with "<run_id>-"; NULL: all */
    struct decoder *decoder;
    struct names ids;
    struct tracked *tracked; /* by the id's number */
    size_t tracked_capacity;
    int64_t raw_records; /* of order.raw: orders, repeated ones too, and cancellations */
    int64_t placed, accepted, amended, cancel_records;
    int64_t by_standing[STANDINGS]; /* of placed orders */
    int64_t by_reason[STANDINGS][ORDER_REASONS_MAX];
    int64_t lines, units; /* of confirmed orders */
    int64_t money[CURRENCIES_MAX];
    char currencies[CURRENCIES_MAX][4];
    struct dead_cause *dead; /* in order of topic and cause */
    size_t dead_count;
    int64_t dead_total, unreadable;
    int64_t first_intended_ms, last_answered_ms;
    struct histogram *latency; /* ms from intended to answer */
};

void orders_init(struct orders *orders, struct decoder *decoder, const char *run_id);
void orders_release(struct orders *orders);

/* Feeds one record of order.raw, order.events or a dead-letter topic; true when it changed
 * something. */
bool orders_feed(struct orders *orders, const char *topic, const struct port_record *record);

/* Placed and neither answered nor dead. */
int64_t orders_open(const struct orders *orders);

const char *standing_name(enum order_standing standing);

#endif
