/* orders.c - one entry per order, and sums that are kept in step with the entries. */
#include "watch/orders.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "kafka/admin.h"
#include "runtime/deadletter.h"

enum { FIRST_CAPACITY = 4096, ID_LENGTH_MAX = 300 };

void orders_init(struct orders *orders, struct decoder *decoder, const char *run_id)
{
    *orders = (struct orders){.run_id = run_id, .decoder = decoder};
    names_init(&orders->ids);
    orders->latency = xcalloc(1, sizeof *orders->latency);
}

void orders_release(struct orders *orders)
{
    names_release(&orders->ids);
    free(orders->tracked);
    free(orders->dead);
    free(orders->latency);
    *orders = (struct orders){0};
}

const char *standing_name(enum order_standing standing)
{
    static const char *const names[STANDINGS] = {
        [STANDING_IN_FLIGHT] = "in flight", [STANDING_CONFIRMED] = "confirmed",
        [STANDING_CANCELLED] = "cancelled", [STANDING_REJECTED] = "rejected",
        [STANDING_PARKED] = "parked",       [STANDING_DEAD] = "dead-lettered",
    };
    return names[standing];
}

/* ---- entries ---- */

static struct tracked *find(struct orders *orders, const char *id)
{
    size_t known = orders->ids.count, index = names_add(&orders->ids, id);
    if (index == known) {
        if (index == orders->tracked_capacity) {
            orders->tracked_capacity = index > 0 ? index * 2 : FIRST_CAPACITY;
            orders->tracked =
                xrealloc(orders->tracked, orders->tracked_capacity * sizeof *orders->tracked);
        }
        orders->tracked[index] = (struct tracked){0};
    }
    return &orders->tracked[index];
}

static bool is_ours(const struct orders *orders, const char *id)
{
    size_t length = orders->run_id ? strlen(orders->run_id) : 0;
    return length == 0 || (strncmp(id, orders->run_id, length) == 0 && id[length] == '-');
}

/* Takes an order out of the sums, before it changes, or puts it back in. */
static void count_order(struct orders *orders, const struct tracked *order, int sign)
{
    if (!order->is_placed) {
        return;
    }
    CHECK((int)order->reason < ORDER_REASONS_MAX);
    orders->placed += sign;
    orders->by_standing[order->standing] += sign;
    orders->by_reason[order->standing][order->reason] += sign;
    if (order->standing == STANDING_CONFIRMED) {
        orders->lines += sign * order->lines;
        orders->units += sign * order->units;
        orders->money[order->currency] += sign * order->money;
    }
}

static void measure(struct orders *orders, const struct tracked *order)
{
    if (order->intended_ms > 0 && order->answered_ms > 0) {
        histogram_add(orders->latency, order->answered_ms - order->intended_ms);
    }
}

/* ---- order.raw ---- */

/* The key; a record without one is named by where it stands, as its dead letter names it. */
static const char *id_of(const struct port_record *record, const char *source, char *text)
{
    if (record->key.size > 0 && record->key.size < ID_LENGTH_MAX) {
        snprintf(text, ID_LENGTH_MAX, "%.*s", (int)record->key.size,
                 (const char *)record->key.data);
    } else {
        snprintf(text, ID_LENGTH_MAX, "%s", source);
    }
    return text;
}

/* The header's text, or "". */
static void header_text(const struct port_record *record, const char *name, char *text, size_t size)
{
    struct port_header header;
    text[0] = 0;
    for (size_t i = 0; scan_header(record, i, &header); i++) {
        if (strcmp(header.name, name) == 0) {
            snprintf(text, size, "%.*s", (int)header.value.size, (const char *)header.value.data);
        }
    }
}

static bool is_cancel(struct orders *orders, const struct port_record *record)
{
    struct raw_order raw;
    struct error error;
    arena_reset(&orders->decoder->arena);
    return record_from_json(&raw_order_record, record->value, &orders->decoder->arena, &raw,
                            &error) == DECODED &&
           raw.type == RAW_ORDER_TYPE_CANCEL;
}

static bool feed_raw(struct orders *orders, const struct port_record *record)
{
    char id[ID_LENGTH_MAX], source[64], text[32];
    snprintf(source, sizeof source, "order.raw/%d/%" PRId64, (int)record->partition,
             record->offset);
    if (!is_ours(orders, id_of(record, source, id))) {
        return false;
    }
    orders->raw_records++;
    if (is_cancel(orders, record)) {
        orders->cancel_records++;
        return true;
    }
    struct tracked *order = find(orders, id);
    if (order->is_placed) {
        return true; /* the same order once more */
    }
    header_text(record, "weir-intended-ms", text, sizeof text);
    if (!conf_number(text, &order->intended_ms) || order->intended_ms <= 0) {
        order->intended_ms = record->timestamp_ms;
    }
    if (orders->first_intended_ms == 0 || order->intended_ms < orders->first_intended_ms) {
        orders->first_intended_ms = order->intended_ms;
    }
    order->is_placed = true;
    count_order(orders, order, 1);
    measure(orders, order);
    return true;
}

/* ---- order.events ---- */

static uint8_t currency_index(struct orders *orders, const char *currency)
{
    uint8_t i = 0;
    while (i < CURRENCIES_MAX - 1 && orders->currencies[i][0] &&
           strcmp(orders->currencies[i], currency) != 0) {
        i++;
    }
    snprintf(orders->currencies[i], sizeof orders->currencies[i], "%s", currency);
    return i;
}

static void take_state(struct orders *orders, struct tracked *order, enum order_standing standing,
                       enum order_reason reason, int64_t time_ms)
{
    order->standing = standing;
    order->reason = reason;
    if (order->answered_ms == 0 && standing != STANDING_IN_FLIGHT && standing != STANDING_PARKED) {
        order->answered_ms = time_ms;
        orders->last_answered_ms =
            time_ms > orders->last_answered_ms ? time_ms : orders->last_answered_ms;
        measure(orders, order);
    }
}

static void take_reserved(struct orders *orders, struct tracked *order,
                          const struct order_confirmed *event)
{
    order->lines = order->units = 0;
    for (size_t i = 0; i < event->lines.count; i++) {
        if (event->lines.items[i].state == ORDER_LINE_STATE_COMMITTED) {
            order->lines++;
            order->units += event->lines.items[i].qty;
        }
    }
    order->money = event->totals.accepted;
    order->currency = currency_index(orders, event->currency);
}

static bool feed_event(struct orders *orders, const struct port_record *record)
{
    char id[ID_LENGTH_MAX];
    struct order_event event;
    struct error error;
    if (!is_ours(orders, id_of(record, "", id))) {
        return false;
    }
    arena_reset(&orders->decoder->arena);
    if (codec_decode(orders->decoder->codec, &order_event_record, record->value,
                     &orders->decoder->arena, &event, &error) != DECODED) {
        orders->unreadable++;
        return true;
    }
    struct tracked *order = find(orders, id);
    count_order(orders, order, -1);
    switch (event.payload_branch) {
    case ORDER_EVENT_ORDER_ACCEPTED:
        orders->accepted++;
        break;
    case ORDER_EVENT_ORDER_AMENDED:
        orders->amended++;
        break;
    case ORDER_EVENT_ORDER_CONFIRMED:
        take_reserved(orders, order, &event.payload.order_confirmed);
        take_state(orders, order, STANDING_CONFIRMED, ORDER_REASON_NONE, record->timestamp_ms);
        break;
    case ORDER_EVENT_ORDER_REJECTED:
        take_state(orders, order, STANDING_REJECTED, event.payload.order_rejected.reason,
                   record->timestamp_ms);
        break;
    case ORDER_EVENT_ORDER_CANCELLED:
        take_state(orders, order, STANDING_CANCELLED, event.payload.order_cancelled.reason,
                   record->timestamp_ms);
        break;
    case ORDER_EVENT_ORDER_PARKED:
        take_state(orders, order, STANDING_PARKED, event.payload.order_parked.reason,
                   record->timestamp_ms);
        break;
    }
    count_order(orders, order, 1);
    return true;
}

/* ---- dead letters ---- */

static void count_dead(struct orders *orders, const char *topic, const char *cause)
{
    size_t at = 0;
    int order = 1;
    for (; at < orders->dead_count; at++) {
        order = strcmp(orders->dead[at].topic, topic);
        order = order != 0 ? order : strcmp(orders->dead[at].cause, cause);
        if (order >= 0) {
            break;
        }
    }
    if (at == orders->dead_count || order != 0) {
        orders->dead = xrealloc(orders->dead, (orders->dead_count + 1) * sizeof *orders->dead);
        memmove(&orders->dead[at + 1], &orders->dead[at],
                (orders->dead_count - at) * sizeof *orders->dead);
        orders->dead[at] = (struct dead_cause){.count = 0};
        snprintf(orders->dead[at].topic, sizeof orders->dead[at].topic, "%s", topic);
        snprintf(orders->dead[at].cause, sizeof orders->dead[at].cause, "%s", cause);
        orders->dead_count++;
    }
    orders->dead[at].count++;
    orders->dead_total++;
}

static bool feed_dead(struct orders *orders, const char *topic, const struct port_record *record)
{
    char id[ID_LENGTH_MAX], source[160], cause[64];
    header_text(record, DEAD_SOURCE, source, sizeof source);
    header_text(record, DEAD_CAUSE, cause, sizeof cause);
    id_of(record, source, id);
    const struct weir_topic *from = decode_topic(topic);
    bool is_by_order = from == &order_raw_topic || from == &order_requests_topic;
    if (is_by_order && !is_ours(orders, id)) {
        return false;
    }
    count_dead(orders, topic, cause[0] ? cause : "unknown");
    if (is_by_order) {
        struct tracked *order = find(orders, id);
        count_order(orders, order, -1);
        order->standing = order->standing == STANDING_IN_FLIGHT ? STANDING_DEAD : order->standing;
        count_order(orders, order, 1);
    }
    return true;
}

/* ---- all ---- */

bool orders_feed(struct orders *orders, const char *topic, const struct port_record *record)
{
    if (strcmp(topic, order_raw_topic.name) == 0) {
        return feed_raw(orders, record);
    }
    if (strcmp(topic, order_events_topic.name) == 0) {
        return feed_event(orders, record);
    }
    return feed_dead(orders, topic, record);
}

int64_t orders_open(const struct orders *orders)
{
    return orders->by_standing[STANDING_IN_FLIGHT];
}
