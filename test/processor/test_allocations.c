/* test_allocations.c - once warm, a process asks for no more memory: not for a record, not for a
 * take, as long as takes have been as long before.
 *
 * Counted are malloc, calloc and realloc as this program's own objects call them (the linker wraps
 * them; SQLite is a shared library and not ours, nor is jansson, though it allocates through our
 * xmalloc), while a task's step runs and no call of the port does: the broker in memory allocates
 * as it likes. Takes stay below some thousand
 * records, whose write sets fill the megabyte that an arena keeps; what is beyond goes back after
 * the take, and is asked for again, in blocks of 16 KiB.
 */
#include "processor/harness_internal.h"
#include "runtime/task_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/fixture.h"
#include "processor/stock.h"

enum { ROUNDS = 3, LARGEST_TAKE = 1000, UNITS = 1000000000 };

static const int takes[] = {1, 10, 100, LARGEST_TAKE};

/* ---- counting ---- */

static bool counting;
static long allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations += counting;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations += counting;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations += counting;
    return __real_realloc(old, size);
}

json_t *__real_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error);
json_t *__wrap_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error);

json_t *__wrap_json_loadb(const char *text, size_t size, size_t flags, json_error_t *error)
{
    bool before = counting;
    counting = false;
    json_t *tree = __real_json_loadb(text, size, flags, error);
    counting = before;
    return tree;
}

/* The calls of a running task that allocate in the broker. One that is forgotten here fails the
 * test, it does not pass unseen. */
static const struct port_calls *broker;

#define UNCOUNTED(type, call) \
    do {                      \
        counting = false;     \
        type result = (call); \
        counting = true;      \
        return result;        \
    } while (0)

static enum outcome fetch(struct port *port, const char *topic, int32_t partition,
                          struct port_record *records, size_t max, size_t *count,
                          struct error *error)
{
    UNCOUNTED(enum outcome, broker->fetch(port, topic, partition, records, max, count, error));
}

static enum txn_result begin(struct producer *producer, struct error *error)
{
    UNCOUNTED(enum txn_result, broker->begin(producer, error));
}

static enum txn_result send(struct producer *producer, const char *topic, int32_t partition,
                            struct weir_bytes key, struct weir_bytes value,
                            const struct port_header *headers, size_t header_count,
                            struct port_delivery *delivery, struct error *error)
{
    UNCOUNTED(enum txn_result, broker->send(producer, topic, partition, key, value, headers,
                                            header_count, delivery, error));
}

static enum txn_result send_offsets(struct producer *producer, const struct port_offset *offsets,
                                    size_t count, int32_t partition, int timeout_ms,
                                    struct error *error)
{
    UNCOUNTED(enum txn_result,
              broker->send_offsets(producer, offsets, count, partition, timeout_ms, error));
}

static enum txn_result end(struct producer *producer, int timeout_ms, struct error *error)
{
    UNCOUNTED(enum txn_result, broker->commit(producer, timeout_ms, error));
}

static void count_in(struct harness *harness)
{
    static struct port_calls calls;
    harness_run(harness);
    broker = harness->task->calls;
    calls = *broker;
    calls.fetch = fetch;
    calls.begin = begin;
    calls.send = send;
    calls.send_offsets = send_offsets;
    calls.commit = end;
    harness->task->calls = &calls;
}

/* harness_run, with the task's steps counted. */
static void run(struct harness *harness)
{
    for (int i = 0; i < 1000; i++) {
        struct error error;
        int64_t wake_us = 0;
        (void)harness->port->calls->poll(harness->port, 0, &error);
        counting = true;
        enum outcome outcome = task_step(harness->task, &wake_us, &error);
        counting = false;
        assert_int_equal(outcome, OK);
        int64_t wait_us = wake_us - harness->port->calls->monotonic_us(harness->port);
        if (wake_us == INT64_MAX || wait_us > 500 * 1000) {
            return;
        }
        broker_advance(harness->broker, wait_us > 0 ? (wait_us + 999) / 1000 : 0);
    }
    fail_msg("it does not come to rest");
}

/* ---- takes ---- */

typedef void feeder(struct harness *harness, int number);

static int fed;

static long count_take(struct harness *harness, feeder *feed, int records)
{
    allocations = 0;
    for (int i = 0; i < records; i++) {
        feed(harness, fed++);
    }
    run(harness);
    return allocations;
}

static void expect_none(struct harness *harness, feeder *feed)
{
    feed(harness, fed++);
    count_in(harness);
    for (int i = 0; i < ROUNDS; i++) {
        (void)count_take(harness, feed, LARGEST_TAKE);
    }
    for (size_t t = 0; t < sizeof takes / sizeof *takes; t++) {
        for (int i = 0; i < ROUNDS; i++) {
            long found = count_take(harness, feed, takes[t]);
            if (found != 0) {
                fail_msg("%ld allocations in a take of %d records", found, takes[t]);
            }
        }
    }
}

static const char *reservation(int number)
{
    static char id[40];
    snprintf(id, sizeof id, "O%08d/1/1", number);
    return id;
}

static void feed_stock(struct harness *harness, int number)
{
    const char *id = reservation(number / 3);
    if (number % 3 == 0) {
        reserve(harness, id, 1);
    } else if (number % 3 == 1) {
        commit(harness, id);
    } else {
        release(harness, id);
    }
}

static void holding_committing_and_releasing_stock(void **state)
{
    struct harness *harness = *state;
    given_stock(harness, UNITS);
    expect_none(harness, feed_stock);
}

/* Reads the queue of the SKU: a range. */
static void feed_backorder(struct harness *harness, int number)
{
    struct reserve command = a_reserve(reservation(number), 1);
    command.backorder_ok = true;
    send_reserve(harness, &command);
}

static void putting_orders_into_a_queue(void **state)
{
    struct harness *harness = *state;
    given_backorder_limit(harness, UNITS);
    expect_none(harness, feed_backorder);
}

static void feed_nonsense(struct harness *harness, int number)
{
    reserve(harness, reservation(number), 0);
}

static void moving_bad_records_away(void **state)
{
    expect_none(*state, feed_nonsense);
}

FIXTURE(inventory_processor);

static void feed_raw(struct harness *harness, int number)
{
    char id[16], text[400];
    snprintf(id, sizeof id, "O%08d", number);
    snprintf(text, sizeof text,
             "{\"type\":\"place\",\"order_id\":\"%s\",\"customer_id\":\"C1\",\"currency\":\"EUR\","
             "\"lines\":[{\"line_no\":1,\"sku\":\"A\",\"qty\":2,\"unit_price\":\"12.50\"}],"
             "\"shipping_fee\":\"5\",\"grand_total\":\"30.00\"}",
             id);
    harness_send_text(harness, &order_raw_topic, id, text);
}

static void reading_orders_in_json(void **state)
{
    (void)state;
    struct harness *harness = harness_open(&intake_processor);
    expect_none(harness, feed_raw);
    harness_close(harness);
}

/* order reads the lines of an order: a range. */
static void feed_order(struct harness *harness, int number)
{
    char id[16];
    struct order_line lines[] = {
        {.line_no = 1, .sku = "A", .qty = 1, .unit_price = 1000, .line_total = 1000},
        {.line_no = 2, .sku = "B", .qty = 1, .unit_price = 1000, .line_total = 1000},
    };
    snprintf(id, sizeof id, "O%08d", number);
    struct order_request request = {
        .payload_branch = ORDER_REQUEST_PLACE_ORDER,
        .payload.place_order = {.order_id = id,
                                .customer_id = "C1",
                                .policy = ORDER_POLICY_ALL_OR_NOTHING,
                                .currency = "EUR",
                                .placed_ms = 1,
                                .lines = {lines, 2},
                                .shipping_fee = 500,
                                .grand_total = 2500,
                                .payment_token = "",
                                .ship_to_region = "",
                                .payload_hash = {(const uint8_t *)"0123456789abcdef", 16}},
    };
    harness_send(harness, &order_requests_topic, id, &request);
}

static void leading_orders(void **state)
{
    (void)state;
    struct harness *harness = harness_open(&order_processor);
    expect_none(harness, feed_order);
    harness_close(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(holding_committing_and_releasing_stock),
        TEST(putting_orders_into_a_queue),
        TEST(moving_bad_records_away),
        cmocka_unit_test(reading_orders_in_json),
        cmocka_unit_test(leading_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
