/* test_input.c - bad input through the real thing: a dead letter that says what is wrong, and the
 * next record is handled; an unknown schema is an outage, and loses nothing.
 */
#include "kafka/stock.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "codec/codec.h"
#include "codec/schema.h"
#include "processors.h"
#include "runtime/deadletter.h"
#include "shop.h"

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

static struct weir_bytes text_bytes(const char *text)
{
    return (struct weir_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- what came out ---- */

/* The partition's records from `from` on: "key class cause" a line, or just the key. */
static char *records_since(struct system *system, const char *topic, int32_t partition,
                           int64_t from)
{
    struct scan_partition part = {topic, partition, from, -1};
    struct scan *scan;
    struct error error;
    struct buffer text;
    buffer_init(&text);
    if (scan_open(&scan, system->admin, &part, 1, &error) != OK) {
        system_fail(system, "%s", error.text);
    }
    struct port_record record;
    size_t which;
    bool found = true, done = false;
    while (!done && found) {
        if (scan_next(scan, 5000, &record, &which, &found, &done, &error) != OK) {
            system_fail(system, "%s", error.text);
        }
        if (!found) {
            continue;
        }
        buffer_format(&text, "%.*s", (int)record.key.size, (const char *)record.key.data);
        struct port_header header;
        for (size_t i = 0; scan_header(&record, i, &header); i++) {
            if (strcmp(header.name, DEAD_CLASS) == 0 || strcmp(header.name, DEAD_CAUSE) == 0) {
                buffer_format(&text, " %.*s", (int)header.value.size,
                              (const char *)header.value.data);
            }
            if (strcmp(header.name, DEAD_REASON) == 0) {
                assert_true(header.value.size > 10);
            }
        }
        buffer_format(&text, "\n");
    }
    scan_close(scan);
    char *copy = xstrdup(buffer_string(&text));
    buffer_release(&text);
    return copy;
}

static void expect_records(struct system *system, const char *topic, int32_t partition,
                           int64_t from, const char *expected)
{
    char *found = records_since(system, topic, partition, from);
    assert_string_equal(found, expected);
    free(found);
}

/* ---- intake ---- */

static void add_line(struct buffer *order, int number)
{
    buffer_format(order, "%s{\"line_no\":%d,\"sku\":\"sku-%d\",\"qty\":1,\"unit_price\":\"1.00\"}",
                  number > 1 ? "," : "", number, number);
}

static void send_order(struct system *system, const char *id, const char *customer, int lines)
{
    struct buffer order;
    buffer_init(&order);
    buffer_format(&order,
                  "{\"type\":\"place\",\"order_id\":\"%s\",\"currency\":\"EUR\",\"lines\":[", id);
    for (int i = 1; i <= lines; i++) {
        add_line(&order, i);
    }
    buffer_format(&order, "],\"grand_total\":\"%d.00\",\"customer_id\":\"", lines);
    buffer_add_string(&order, customer);
    buffer_add_string(&order, "\"}");
    system_send(system, order_raw_topic.name, 0, id, (struct weir_bytes){order.data, order.size});
    buffer_release(&order);
}

static void intake_puts_bad_orders_aside_and_goes_on(void **state)
{
    struct system *system = *state;
    system_create_topics(system, &intake_processor);
    system_forget_input(system, order_raw_topic.name);
    int64_t dead = system_end_of(system, "order.raw.dlq", 0);
    int32_t out = key_partition(text_bytes("good-2"), SYSTEM_PARTITIONS);
    int64_t requests = system_end_of(system, order_requests_topic.name, out);

    char *five_megabytes = xmalloc(5 * 1024 * 1024 + 1);
    memset(five_megabytes, 'c', 5 * 1024 * 1024);
    five_megabytes[5 * 1024 * 1024] = 0;
    system_send(system, order_raw_topic.name, 0, "bad-json", text_bytes("{\"type\":\"place\""));
    send_order(system, "big", five_megabytes, 1);
    send_order(system, "long", "c", 2000);
    system_send(system, order_raw_topic.name, 0, "", text_bytes("{}"));
    system_send(system, order_raw_topic.name, 0, "null", (struct weir_bytes){NULL, 0});
    system_send(system, order_raw_topic.name, 0, "unknown-enum",
                text_bytes("{\"type\":\"STEAL\",\"order_id\":\"unknown-enum\"}"));
    send_order(system, "good-2", "c", 3);
    system_flush(system);
    free(five_megabytes);

    struct process *process = system_run(system, &(struct run){.processor = "intake"});
    system_expect_committed(system, order_raw_topic.name, 0,
                            system_end_of(system, order_raw_topic.name, 0), PATIENCE_MS);
    process_stop(system, process);
    expect_records(system, "order.raw.dlq", 0, dead,
                   "bad-json MALFORMED json\n"
                   "big REJECTED customer\n"
                   "long REJECTED lines\n"
                   " MALFORMED key\n"
                   "null MALFORMED json\n"
                   "unknown-enum MALFORMED json\n");
    expect_records(system, order_requests_topic.name, out, requests, "good-2\n");
}

/* ---- a schema that nobody here knows ---- */

/* A StockCommand as an older producer wrote it: restocks only, and without a location. */
static const char older[] =
    "{\"type\":\"record\",\"name\":\"StockCommand\",\"namespace\":\"weir.shop\",\"fields\":["
    "{\"name\":\"agg_seq\",\"type\":\"long\"},{\"name\":\"occurred_ms\",\"type\":\"long\"},"
    "{\"name\":\"payload\",\"type\":[{\"type\":\"record\",\"name\":\"Restock\",\"fields\":["
    "{\"name\":\"sku\",\"type\":\"string\"},{\"name\":\"receipt_id\",\"type\":\"string\"},"
    "{\"name\":\"qty\",\"type\":\"int\"}]}]}]}";

static void send_older_restock(struct system *system)
{
    struct schema *schema;
    struct arena arena;
    struct error error;
    arena_init(&arena);
    assert_int_equal(schema_parse(&schema, older, strlen(older), &arena, NULL, NULL, &error), OK);
    uint64_t fingerprint = schema_fingerprint(schema);
    uint8_t bytes[] = {0xC3, 1,   0,   0,   0, 0,   0, 0, 0, 0, /* marker, fingerprint */
                       0,    0,   0,                            /* agg_seq, occurred_ms, Restock */
                       6,    'o', 'l', 'd', 2, 'r', 14 /* sku, receipt_id, qty 7 */};
    for (int i = 0; i < 8; i++) {
        bytes[2 + i] = (uint8_t)(fingerprint >> (8 * i));
    }
    system_send(system, stock_commands_topic.name, 0, "old",
                (struct weir_bytes){bytes, sizeof bytes});
    arena_release(&arena);
}

static void send_restock(struct system *system, const char *sku)
{
    struct buffer bytes;
    buffer_init(&bytes);
    codec_encode(&stock_command_record,
                 &(struct stock_command){.payload_branch = STOCK_COMMAND_RESTOCK,
                                         .payload.restock = {.sku = sku,
                                                             .receipt_id = "r",
                                                             .qty = 1,
                                                             .location_id = "MAIN"}},
                 &bytes);
    system_send(system, stock_commands_topic.name, 0, sku,
                (struct weir_bytes){bytes.data, bytes.size});
    buffer_release(&bytes);
}

/* Runs inventory against a record of an unknown schema with a good one behind it, until it pauses.
 * *offset: the record's. */
static struct process *run_into_a_pause(struct system *system, int64_t *offset)
{
    system_create_topics(system, &inventory_processor);
    system_forget_input(system, stock_commands_topic.name);
    const char *directory = arena_format(&system->arena, "%s/schemas", system->directory);
    assert_int_equal(mkdir(directory, 0755), 0);
    send_restock(system, "before");
    send_older_restock(system);
    send_restock(system, "behind");
    system_flush(system);
    *offset = system_end_of(system, stock_commands_topic.name, 0) - 2;
    struct process *process =
        system_run(system, &(struct run){.settings = {arena_format(&system->arena, "schema.dir=%s",
                                                                   directory)}});
    process_expect_said(system, process, "input_paused", PATIENCE_MS);
    system_expect_committed(system, stock_commands_topic.name, 0, *offset, PATIENCE_MS);
    system_sleep(700); /* it tries again, and pauses again */
    assert_int_equal(system_committed(system, stock_commands_topic.name, 0), *offset);
    assert_false(process_said(process, "dead_letter"));
    return process;
}

static void pauses_at_an_unknown_schema_until_it_arrives(void **state)
{
    struct system *system = *state;
    int64_t offset;
    int64_t ledger = system_end_of(system, stock_ledger_topic.name,
                                   key_partition(text_bytes("old"), SYSTEM_PARTITIONS));
    struct process *process = run_into_a_pause(system, &offset);
    char path[400];
    snprintf(path, sizeof path, "%s/schemas/older.avsc", system->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(older, file);
    fclose(file);
    system_expect_committed(system, stock_commands_topic.name, 0, offset + 2, PATIENCE_MS);
    process_stop(system, process);
    assert_false(process_said(process, "dead_letter"));
    char *movements = records_since(system, stock_ledger_topic.name,
                                    key_partition(text_bytes("old"), SYSTEM_PARTITIONS), ledger);
    assert_non_null(strstr(movements, "old\n"));
    free(movements);
}

static void goes_on_behind_an_unknown_schema_when_an_operator_says_so(void **state)
{
    struct system *system = *state;
    int64_t offset, dead = system_end_of(system, "stock.commands.dlq", 0);
    struct process *process = run_into_a_pause(system, &offset);
    /* What `weir dlq put` writes. */
    const char *path = arena_format(&system->arena, "%s.skip", system_state_path(system, "a", 0));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "stock.commands %" PRId64 "\n", offset);
    fclose(file);
    system_expect_committed(system, stock_commands_topic.name, 0, offset + 2, PATIENCE_MS);
    process_stop(system, process);
    expect_records(system, "stock.commands.dlq", 0, dead, "old SKIPPED schema\n");
    assert_int_not_equal(access(path, 0), 0); /* said once, done once */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(intake_puts_bad_orders_aside_and_goes_on),
        system_case(pauses_at_an_unknown_schema_until_it_arrives),
        system_case(goes_on_behind_an_unknown_schema_when_an_operator_says_so),
    };
    return system_main("test_input", tests, argc, argv);
}
