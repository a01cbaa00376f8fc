/* test_generated.c - what schemac made of topics/: that the layouts say what the compiler of C did,
 * that the schema texts stand alone, that SQLite takes the tables and keeps their rules, and that
 * the typed calls pass on what they are given.
 *
 * The untyped calls of weir.h are played by this file, which remembers the last one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/arena.h"
#include "codec/layout.h"
#include "codec/schema.h"
#include "runtime_records.h"
#include "shop.h"

/* Last: its macro fail() would change the function of base/error.h. */
#include <cmocka.h>

/* ---- the runtime, played ---- */

struct weir_context {
    int64_t now_ms;
    const void *table; /* the topic or store of the last call */
    char key[64];
    union {
        struct order_event order_event;
        struct stock_command stock_command;
        struct raw_order raw_order;
        struct placed_line placed_line;
        struct reservation reservation;
    } given;
    size_t number, limit;
    const char *handled;
};

int64_t weir_now_ms(const struct weir_context *ctx)
{
    return ctx->now_ms;
}

void weir_emit(struct weir_context *ctx, const struct weir_topic *topic, const char *key,
               const void *record)
{
    ctx->table = topic;
    snprintf(ctx->key, sizeof ctx->key, "%s", key);
    assert_true(topic->record->size <= sizeof ctx->given);
    memcpy(&ctx->given, record, topic->record->size);
}

static void take_row(struct weir_context *ctx, const struct weir_store *store, const void *row)
{
    ctx->table = store;
    assert_true(store->record->size <= sizeof ctx->given);
    memcpy(&ctx->given, row, store->record->size);
}

bool weir_row_get(struct weir_context *ctx, const struct weir_store *store, const void *key,
                  void *row)
{
    take_row(ctx, store, key);
    memcpy(row, key, store->record->size);
    return true;
}

void weir_row_put(struct weir_context *ctx, const struct weir_store *store, const void *row)
{
    take_row(ctx, store, row);
}

void weir_row_delete(struct weir_context *ctx, const struct weir_store *store, const void *key)
{
    take_row(ctx, store, key);
}

size_t weir_row_list(struct weir_context *ctx, const struct weir_store *store, const void *key,
                     size_t prefix, size_t limit, void **rows)
{
    take_row(ctx, store, key);
    ctx->number = prefix;
    ctx->limit = limit;
    *rows = &ctx->given;
    return 1;
}

size_t weir_row_scan(struct weir_context *ctx, const struct weir_store *store, const void *like,
                     size_t field, void **rows)
{
    take_row(ctx, store, like);
    ctx->number = field;
    *rows = &ctx->given;
    return 1;
}

/* ---- layouts ---- */

static const struct weir_field *field_of(const struct weir_record *record, const char *name)
{
    for (size_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, name) == 0) {
            return &record->fields[i];
        }
    }
    fail_msg("%s has no field %s", record->name, name);
    return NULL;
}

static void layouts_are_those_of_the_structs(void **state)
{
    (void)state;
    const struct weir_field *field = field_of(&reserve_record, "location_pref");
    assert_int_equal(reserve_record.size, sizeof(struct reserve));
    assert_int_equal(field->type.kind, WEIR_ARRAY);
    assert_int_equal(field->type.items->kind, WEIR_STRING);
    assert_int_equal(field->type.item_size, sizeof(const char *));
    assert_int_equal(field->offset, offsetof(struct reserve, location_pref));

    field = field_of(&reserve_record, "expected_version");
    assert_true(field->type.nullable && field->type.null_is_first);
    assert_int_equal(field->has_offset, offsetof(struct reserve, has_expected_version));

    field = field_of(&order_request_record, "payload");
    assert_int_equal(field->type.kind, WEIR_UNION);
    assert_int_equal(field->has_offset, offsetof(struct order_request, payload_branch));
    assert_ptr_equal(field->type.branches[ORDER_REQUEST_PLACE_ORDER], &place_order_record);
    assert_ptr_equal(field->type.branches[ORDER_REQUEST_CANCEL_ORDER], &cancel_order_record);
    assert_null(field->type.branches[2]);

    field = field_of(&order_view_record, "totals");
    assert_int_equal(field->type.kind, WEIR_RECORD);
    assert_ptr_equal(field->type.record, &order_totals_record);
}

static void assert_default(const struct weir_record *record, const char *name, const char *bytes,
                           size_t size)
{
    const struct weir_field *field = field_of(record, name);
    assert_int_equal(field->default_value.size, size);
    assert_memory_equal(field->default_value.data, bytes, size);
}

static void defaults_are_avro_bytes_of_the_field(void **state)
{
    (void)state;
    assert_default(&restock_record, "location_id", "\x08MAIN", 5);
    assert_default(&reserve_record, "allow_split", "\x01", 1);
    assert_default(&reserve_record, "expected_version", "\x00", 1); /* the null branch */
    assert_default(&reserve_record, "location_pref", "\x00", 1);    /* no block */
    assert_default(&raw_order_record, "customer_id", "\x00", 1);
    assert_default(&raw_order_record, "channel", "\x00", 1); /* WEB */
    assert_null(field_of(&reserve_record, "qty")->default_value.data);
}

static void enums_know_their_symbols(void **state)
{
    (void)state;
    assert_string_equal(order_state_name(ORDER_STATE_NEW), "NEW");
    assert_string_equal(order_state_name(ORDER_STATE_PARKED), "PARKED");
    assert_string_equal(raw_order_type_name(RAW_ORDER_TYPE_CANCEL), "cancel");
    assert_string_equal(order_state_name((enum order_state)1000), "?");
    assert_int_equal(field_of(&placed_order_record, "state")->type.symbols->default_symbol, -1);
}

static void schema_texts_stand_alone(const struct weir_record *const *records)
{
    for (; *records != NULL; records++) {
        struct arena arena;
        struct schema *schema;
        struct error error;
        arena_init(&arena);
        const char *text = (*records)->schema;
        if (schema_parse(&schema, text, strlen(text), &arena, NULL, NULL, &error) != OK) {
            fail_msg("%s: %s", (*records)->name, error.text);
        }
        assert_string_equal(schema->name, (*records)->name);
        assert_int_equal(schema->field_count, (*records)->field_count);
        assert_true(schema_fingerprint(schema) == (*records)->fingerprint);
        arena_release(&arena);
    }
}

static void every_schema_text_stands_alone(void **state)
{
    (void)state;
    schema_texts_stand_alone(shop_records);
    schema_texts_stand_alone(runtime_records_records);
}

static void a_schema_text_keeps_the_bytes_of_its_file(void **state)
{
    (void)state;
    const char *text = place_order_record.schema;
    /* The field of another file's type, with that file's doc put in; and what avro-c would lose. */
    assert_non_null(strstr(text, "\"doc\": \"Where the customer ordered.\""));
    assert_non_null(strstr(text, "{\"name\": \"payment_method\", \"type\": {"));
    assert_non_null(strstr(text, "\"default\": \"CARD\"}"));
    /* The second mention of a type is its name. */
    text = order_event_record.schema;
    const char *definition = strstr(text, "\"name\": \"OrderState\"");
    assert_non_null(definition);
    assert_null(strstr(definition + 1, "\"name\": \"OrderState\""));
    assert_non_null(strstr(definition, "\"type\": \"OrderState\""));
}

/* ---- tables ---- */

static sqlite3 *open_with_tables(const struct weir_store *const *stores)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (; *stores != NULL; stores++) {
        if (sqlite3_exec(db, (*stores)->create_sql, NULL, NULL, NULL) != SQLITE_OK) {
            fail_msg("%s: %s\n%s", (*stores)->name, sqlite3_errmsg(db), (*stores)->create_sql);
        }
    }
    return db;
}

static void sqlite_takes_every_table(void **state)
{
    (void)state;
    sqlite3_close(open_with_tables(shop_stores));
    sqlite3_close(open_with_tables(runtime_records_stores));
}

static void columns_stand_in_the_order_of_the_fields(void **state)
{
    (void)state;
    sqlite3 *db = open_with_tables(shop_stores);
    for (const struct weir_store *const *store = shop_stores; *store != NULL; store++) {
        char sql[200];
        sqlite3_stmt *statement;
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", (*store)->name);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_column_count(statement), (*store)->record->field_count);
        for (size_t i = 0; i < (*store)->record->field_count; i++) {
            assert_string_equal(sqlite3_column_name(statement, (int)i),
                                (*store)->record->fields[i].name);
        }
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
}

static void assert_refused(sqlite3 *db, const char *sql)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if ((code & 0xff) != SQLITE_CONSTRAINT) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
}

static void a_table_refuses_what_its_schema_does(void **state)
{
    (void)state;
    sqlite3 *db = open_with_tables(shop_stores);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO stock_level (sku, on_hand, held, committed,"
                                  " unavailable, backordered, locations, movement_seq, version,"
                                  " backorder_limit, per_customer_limit)"
                                  " VALUES ('A', 5, 2, 1, 0, 0, '[]', 1, 0, 0, 0)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_refused(db, "UPDATE stock_level SET held = -1");
    assert_refused(db, "UPDATE stock_level SET held = 5"); /* held + committed > on_hand */
    assert_refused(db, "UPDATE stock_level SET on_hand = NULL");
    assert_refused(db, "UPDATE stock_level SET on_hand = 'many'"); /* STRICT */
    assert_refused(db, "INSERT INTO stock_level SELECT * FROM stock_level");
    sqlite3_close(db);
}

static void stores_name_their_key_fields(void **state)
{
    (void)state;
    assert_string_equal(placed_line_store.name, "placed_line");
    assert_int_equal(placed_line_store.key_field_count, 2);
    const struct weir_field *fields = placed_line_store.record->fields;
    assert_string_equal(fields[placed_line_store.key_fields[0]].name, "order_id");
    assert_string_equal(fields[placed_line_store.key_fields[1]].name, "line_no");
    assert_ptr_equal(runtime_records_stores[0], &timer_row_store);
}

/* ---- calls ---- */

static void row_calls_pass_their_keys_on(void **state)
{
    (void)state;
    struct weir_context ctx = {0};
    struct placed_line line, *lines;
    assert_true(placed_line_get(&ctx, "o1", 7, &line));
    assert_ptr_equal(ctx.table, &placed_line_store);
    assert_string_equal(line.order_id, "o1");
    assert_int_equal(line.line_no, 7);

    placed_line_delete(&ctx, "o2", 8);
    assert_string_equal(ctx.given.placed_line.order_id, "o2");
    assert_int_equal(ctx.given.placed_line.line_no, 8);

    assert_int_equal(placed_line_list_by_order_id(&ctx, "o3", 10, &lines), 1);
    assert_string_equal(lines[0].order_id, "o3");
    assert_int_equal(ctx.number, 1);
    assert_int_equal(ctx.limit, 10);

    struct reservation *reservations;
    assert_int_equal(reservation_scan_by_sku(&ctx, "A", &reservations), 1);
    assert_string_equal(reservations[0].sku, "A");
    assert_string_equal(reservation_record.fields[ctx.number].name, "sku");
}

static void emit_calls_fill_the_envelope(void **state)
{
    (void)state;
    struct weir_context ctx = {.now_ms = 1234};
    order_confirmed_emit(&ctx, 5, &(struct order_confirmed){.order_id = "o1", .currency = "GBP"});
    assert_ptr_equal(ctx.table, &order_events_topic);
    assert_string_equal(ctx.key, "o1");
    assert_int_equal(ctx.given.order_event.agg_seq, 5);
    assert_int_equal(ctx.given.order_event.occurred_ms, 1234);
    assert_int_equal(ctx.given.order_event.payload_branch, ORDER_EVENT_ORDER_CONFIRMED);
    assert_string_equal(ctx.given.order_event.payload.order_confirmed.currency, "GBP");

    commit_emit(&ctx, &(struct commit){.sku = "A", .order_id = "o1"});
    assert_ptr_equal(ctx.table, &stock_commands_topic);
    assert_string_equal(ctx.key, "A");
    assert_int_equal(ctx.given.stock_command.agg_seq, 0);

    raw_order_emit(&ctx, &(struct raw_order){.order_id = "o2"}); /* no envelope */
    assert_ptr_equal(ctx.table, &order_raw_topic);
    assert_string_equal(ctx.given.raw_order.order_id, "o2");
}

static void on_commit(struct weir_context *ctx, const struct commit *event)
{
    ctx->handled = event->reservation_id;
}

static void on_raw_order(struct weir_context *ctx, const struct raw_order *event)
{
    ctx->handled = event->order_id;
}

static void dispatch_finds_the_handler_of_the_branch(void **state)
{
    (void)state;
    struct weir_context ctx = {0};
    struct stock_command_handlers handlers = {.commit = on_commit};
    struct stock_command command = {
        .payload_branch = STOCK_COMMAND_COMMIT,
        .payload.commit = {.reservation_id = "o1/1/1"},
    };
    assert_true(stock_commands_topic.dispatch(&ctx, &command, &handlers));
    assert_string_equal(ctx.handled, "o1/1/1");
    command.payload_branch = STOCK_COMMAND_RELEASE;
    assert_false(stock_commands_topic.dispatch(&ctx, &command, &handlers));

    struct raw_order_handlers plain = {.raw_order = on_raw_order};
    assert_true(order_raw_topic.dispatch(&ctx, &(struct raw_order){.order_id = "o2"}, &plain));
    assert_string_equal(ctx.handled, "o2");
}

static void topics_are_as_topics_conf_says(void **state)
{
    (void)state;
    assert_ptr_equal(shop_topics[0], &order_raw_topic);
    assert_int_equal(order_raw_topic.encoding, WEIR_JSON);
    assert_int_equal(order_raw_topic.max_message_bytes, 8 << 20);
    assert_int_equal(order_events_topic.retention_ms, -1);
    assert_int_equal(order_events_topic.partitions, 4);
    assert_int_equal(stock_levels_topic.cleanup, WEIR_COMPACT);
    assert_string_equal(stock_replies_topic.key, "order_id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_those_of_the_structs),
        cmocka_unit_test(defaults_are_avro_bytes_of_the_field),
        cmocka_unit_test(enums_know_their_symbols),
        cmocka_unit_test(every_schema_text_stands_alone),
        cmocka_unit_test(a_schema_text_keeps_the_bytes_of_its_file),
        cmocka_unit_test(sqlite_takes_every_table),
        cmocka_unit_test(columns_stand_in_the_order_of_the_fields),
        cmocka_unit_test(a_table_refuses_what_its_schema_does),
        cmocka_unit_test(stores_name_their_key_fields),
        cmocka_unit_test(row_calls_pass_their_keys_on),
        cmocka_unit_test(emit_calls_fill_the_envelope),
        cmocka_unit_test(dispatch_finds_the_handler_of_the_branch),
        cmocka_unit_test(topics_are_as_topics_conf_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
