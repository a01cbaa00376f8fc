/* fuzz_order.c - libFuzzer: any text on order.raw, through the runtime and intake, on the broker in
 * memory. It becomes one order whose totals add up, or one dead letter with a cause and a reason;
 * and what was read is printed as JSON that reads as the same.
 */
#define FUZZ_KEEPS_STATE
#include "processor/harness_internal.h"

#include "fuzz.h"
#include "processors.h"
#include "runtime/deadletter.h"

enum { ORDERS_PER_WORLD = 1000 /* its logs grow */ };

static struct harness *world;

static void close_world(void)
{
    if (world) {
        harness_close(world);
        world = NULL;
    }
}

static struct harness *open_world(void)
{
    static unsigned orders;
    if (orders++ % ORDERS_PER_WORLD == 0) {
        close_world();
        world = harness_open(&intake_processor);
        CHECK(orders > 1 || atexit(close_world) == 0);
    }
    return world;
}

/* ---- what must hold ---- */

__extension__ typedef __int128 wide;

static void check_totals(const struct place_order *order)
{
    wide grand = order->shipping_fee, discount = 0, tax = 0;
    CHECK(order->lines.count > 0 && order->shipping_fee >= 0);
    for (size_t i = 0; i < order->lines.count; i++) {
        const struct order_line *line = &order->lines.items[i];
        CHECK(line->qty > 0 && line->unit_price >= 0 && line->discount >= 0 && line->tax >= 0);
        CHECK(line->line_total >= 0);
        CHECK(line->line_total == (wide)line->qty * line->unit_price - line->discount + line->tax);
        grand += line->line_total;
        discount += line->discount;
        tax += line->tax;
    }
    CHECK(order->grand_total == grand);
    CHECK(order->discount_total == discount && order->tax_total == tax);
}

static void check_request(const struct order_request *request, const struct raw_order *raw)
{
    switch (request->payload_branch) {
    case ORDER_REQUEST_PLACE_ORDER:
        CHECK(raw->type == RAW_ORDER_TYPE_PLACE);
        CHECK(strcmp(request->payload.place_order.order_id, raw->order_id) == 0);
        CHECK(request->payload.place_order.lines.count == raw->lines.count);
        check_totals(&request->payload.place_order);
        break;
    case ORDER_REQUEST_CANCEL_ORDER:
        CHECK(raw->type == RAW_ORDER_TYPE_CANCEL);
        CHECK(strcmp(request->payload.cancel_order.order_id, raw->order_id) == 0);
        break;
    }
}

static void check_printing(const struct raw_order *raw, struct arena *arena)
{
    struct raw_order again;
    struct buffer text = {0};
    struct error error;
    record_to_json(&raw_order_record, raw, &text);
    struct weir_bytes json = {text.data, text.size};
    CHECK(record_from_json(&raw_order_record, json, arena, &again, &error) == DECODED);
    CHECK(record_equal(&raw_order_record, raw, &again));
    buffer_release(&text);
}

/* ---- through the world ---- */

static struct weir_bytes header(const struct broker_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) == 0) {
            return record->headers[i].value;
        }
    }
    return (struct weir_bytes){NULL, 0};
}

/* An order without an id makes a record without a key, which no handler sees. */
static void check_dead_letter(const struct broker_record *dead, bool handled)
{
    const char *expected = handled ? "REJECTED" : "MALFORMED";
    struct weir_bytes class = header(dead, DEAD_CLASS);
    CHECK(class.size == strlen(expected) && memcmp(class.data, expected, class.size) == 0);
    CHECK(header(dead, DEAD_CAUSE).size > 0 && header(dead, DEAD_REASON).size > 0);
}

static void put_on_topic(struct harness *harness, const char *key, struct weir_bytes text)
{
    struct weir_bytes bytes = {(const uint8_t *)key, strlen(key)};
    broker_produce(harness->broker, order_raw_topic.name, 0, bytes, text, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct harness *harness = open_world();
    const char *dead_letters = harness_dead_letters_of(harness, &order_raw_topic);
    struct weir_bytes text = {data, size};
    struct raw_order raw;
    struct error error;
    struct arena arena;
    arena_init(&arena);
    bool readable = record_from_json(&raw_order_record, text, &arena, &raw, &error) == DECODED;
    if (readable) {
        check_printing(&raw, &arena);
    }
    int64_t at = broker_log(harness->broker, dead_letters, 0).high;
    put_on_topic(harness, readable ? raw.order_id : "?", text);
    const struct order_request *request = harness_next(harness, &order_requests_topic);
    struct broker_record dead;
    bool refused = broker_read(harness->broker, dead_letters, 0, true, &at, &dead);
    CHECK(refused == !request && (readable || refused));
    if (refused) {
        check_dead_letter(&dead, readable && raw.order_id[0] != 0);
    } else {
        check_request(request, &raw);
    }
    CHECK(!harness_next(harness, &order_requests_topic));
    CHECK(!broker_read(harness->broker, dead_letters, 0, true, &at, &dead));
    arena_release(&arena);
    return 0;
}
