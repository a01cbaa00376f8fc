/* test_handler.c - what weir.h promises to a handler, and what becomes of a take when a handler,
 * its file or its version is not as it should be: the take is undone, and handled again or given
 * up.
 *
 * The processor's one rule is what the test at hand says; it is asked once for every record.
 */
#include "protocol/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/context.h"
#include "runtime/deadletter.h"
#include "store/internal.h"

#include <cmocka.h>

enum { A_MINUTE_MS = 60 * 1000 };

/* ---- a processor whose rule is the test's ---- */

typedef void rule(struct weir_context *ctx, const char *name, int64_t n);

static rule *asked;            /* for every record */
static rule *reminded;         /* for every timer; n is 0 */
static rule *viewed;           /* for every view that is built; n is 0 */
static int times;              /* that the test's rule has begun */
static struct weir_topic more; /* a second view */
static struct weir_processor probe;

static void on_add(struct weir_context *ctx, const struct add *add)
{
    asked(ctx, add->name, add->n);
}

static void on_timer(struct weir_context *ctx, const char *key)
{
    reminded(ctx, key, 0);
}

static const struct weir_timer timer = {"timer", on_timer};
static const struct tally_event_handlers on_event = {.add = on_add};

static void build(struct weir_context *ctx, const char *name)
{
    viewed(ctx, name, 0);
}

static void open_with(struct world *world, rule *is_asked)
{
    world_open(world);
    more = tally_totals_topic;
    more.name = "tally.more";
    broker_create_topic(world->broker, more.name, 1, true);
    probe = (struct weir_processor){
        .name = "tally",
        .inputs = {{&tally_events_topic, &on_event}},
        .outputs = {&tally_sums_topic},
        .stores = {&total_store},
        .views = {{&tally_totals_topic, build}, {&more, build}},
        .timers = {&timer},
    };
    world->processor = &probe;
    asked = is_asked;
    times = 0;
}

static bool read_number(void *context, int columns, const char *const *names,
                        const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)types;
    *(long long *)context = strtoll(values[0], NULL, 10);
    return true;
}

/* What the file says, after a clean stop. */
static long long in_file(struct world *world, const char *sql)
{
    long long number = -1;
    struct error error;
    assert_int_equal(store_query(world->state_path, sql, read_number, &number, &error), OK);
    return number;
}

static size_t count(struct world *world, const char *topic)
{
    return broker_count(world->broker, topic, 0, true);
}

static void add_n(struct weir_context *ctx, const char *name, int64_t n)
{
    struct total total = {.name = name};
    (void)total_get(ctx, name, &total);
    total.sum += n;
    total.count++;
    total_put(ctx, &total);
    sum_emit(ctx, &(struct sum){.name = name, .n = n, .sum = total.sum});
}

/* ---- what a handler is told ---- */

static void expect_to_know_the_record(struct weir_context *ctx, const char *name, int64_t n)
{
    assert_string_equal(weir_key(ctx), name);
    assert_int_equal(weir_partition(ctx), 0);
    assert_int_equal(weir_offset(ctx), n);
    weir_timer_set(ctx, &timer, name, weir_now_ms(ctx) + A_MINUTE_MS);
    times++;
}

static void expect_to_know_the_timer(struct weir_context *ctx, const char *name, int64_t n)
{
    (void)n;
    assert_string_equal(weir_key(ctx), name);
    assert_int_equal(weir_offset(ctx), -1);
    times++;
}

static void is_told_where_its_record_stands(void **state)
{
    (void)state;
    struct world world;
    open_with(&world, expect_to_know_the_record);
    reminded = expect_to_know_the_timer;
    world_add(&world, "a", 0);
    world_add(&world, "b", 1);
    world_settle(&world);
    assert_int_equal(times, 2);
    broker_advance(world.broker, A_MINUTE_MS + 1);
    world_settle(&world);
    assert_int_equal(times, 4);
    world_close(&world);
}

/* ---- what goes out ---- */

static void emit_json(struct weir_context *ctx, const char *name, int64_t n)
{
    const struct tally_answer answer = {.payload.sum = {.name = name, .n = n}};
    weir_emit(ctx, probe.outputs[0], name, &answer);
}

static void writes_json_where_the_topic_says_so(void **state)
{
    (void)state;
    struct world world;
    open_with(&world, emit_json);
    struct weir_topic json = tally_sums_topic;
    json.encoding = WEIR_JSON;
    probe.outputs[0] = &json;
    world_add(&world, "a", 5);
    world_settle(&world);
    struct broker_record record;
    int64_t at = 0;
    assert_true(broker_read(world.broker, json.name, 0, true, &at, &record));
    char text[200];
    snprintf(text, sizeof text, "%.*s", (int)record.value.size, (const char *)record.value.data);
    assert_non_null(strstr(text, "{\"name\":\"a\",\"n\":5,"));
    world_close(&world);
}

static void touch_both_views(struct weir_context *ctx, const char *name, int64_t n)
{
    add_n(ctx, name, n);
    weir_view_touch(ctx, &more, name);
    weir_view_touch(ctx, &tally_totals_topic, name);
}

static void emit_one_of_two(struct weir_context *ctx, const char *name, int64_t n)
{
    const struct tally_total total = {.payload.total_view = {.name = name, .sum = n}};
    times++;
    weir_emit(ctx, times % 2 == 1 ? &more : &tally_totals_topic, name, &total);
}

static void builds_every_view_that_was_touched(void **state)
{
    (void)state;
    struct world world;
    open_with(&world, touch_both_views);
    viewed = emit_one_of_two;
    world_add(&world, "a", 1);
    world_add(&world, "a", 2);
    world_settle(&world);
    assert_int_equal(times, 2); /* once for both records */
    assert_int_equal(count(&world, "tally.totals"), 1);
    assert_int_equal(count(&world, "tally.more"), 1);
    world_close(&world);
}

/* ---- after a refusal ---- */

static void refuse_and_go_on(struct weir_context *ctx, const char *name, int64_t n)
{
    void *rows;
    struct total total;
    if (n > 0) {
        add_n(ctx, name, n);
        return;
    }
    weir_reject(ctx, "n", "it is %lld", (long long)n);
    total_delete(ctx, name);
    add_n(ctx, name, 7);
    weir_view_touch(ctx, &more, name);
    assert_false(total_get(ctx, name, &total));
    assert_int_equal(weir_row_list(ctx, &total_store, &total, 0, 0, &rows), 0);
    assert_int_equal(weir_row_scan(ctx, &total_store, &total, 1, &rows), 0);
    weir_reject(ctx, "later", "the first reason counts");
}

static void does_nothing_more_after_a_refusal(void **state) /* I-4 */
{
    (void)state;
    struct world world;
    open_with(&world, refuse_and_go_on);
    world_add(&world, "a", 5);
    world_add(&world, "a", -1);
    world_settle(&world);
    world_stop(&world);
    assert_int_equal(in_file(&world, "SELECT sum FROM total"), 5);
    assert_int_equal(count(&world, "tally.sums"), 1);
    assert_int_equal(count(&world, "tally.more"), 0);
    assert_int_equal(count(&world, "tally.events.dlq"), 1);
    world_close(&world);
}

/* More than a changelog record may hold; what was put before goes with it. */
static void put_a_row_too_large(struct weir_context *ctx, const char *name, int64_t n)
{
    enum { ROW_BYTES = 1000 * 1000 };
    add_n(ctx, name, n);
    char *large = weir_alloc(ctx, ROW_BYTES + 1);
    memset(large, 'x', ROW_BYTES);
    total_put(ctx, &(struct total){.name = large});
}

static void refuses_a_record_whose_row_is_too_large(void **state) /* I-4 */
{
    (void)state;
    struct world world;
    open_with(&world, put_a_row_too_large);
    world_add(&world, "a", 5);
    world_settle(&world);
    world_stop(&world);
    assert_int_equal(in_file(&world, "SELECT count(*) FROM total"), 0);
    assert_int_equal(count(&world, "tally.sums"), 0);
    assert_int_equal(count(&world, "tally.events.dlq"), 1);
    world_close(&world);
}

/* ---- SQLite gives the transaction up under a handler ---- */

enum { FIRST = 2, SECOND = 3 };

/* As on a full disk. The first time only. */
static void give_up(struct weir_context *ctx)
{
    if (times++ == 0) {
        assert_int_equal(sqlite3_exec(ctx->store->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    }
}

static void get_after_it(struct weir_context *ctx, const char *name, int64_t n)
{
    give_up(ctx);
    add_n(ctx, name, n);
}

static void list_after_it(struct weir_context *ctx, const char *name, int64_t n)
{
    const struct total any = {.name = name};
    void *rows;
    give_up(ctx);
    size_t found = weir_row_list(ctx, &total_store, &any, 0, 0, &rows);
    assert_true(found == 0 || times > 1);
    add_n(ctx, name, n);
}

static void scan_after_it(struct weir_context *ctx, const char *name, int64_t n)
{
    const struct total any = {.name = name};
    void *rows;
    give_up(ctx);
    (void)weir_row_scan(ctx, &total_store, &any, 0, &rows);
    add_n(ctx, name, n);
}

/* The record's own rows go to SQLite before a range is read. */
static void put_and_list_after_it(struct weir_context *ctx, const char *name, int64_t n)
{
    const struct total any = {.name = name};
    void *rows;
    add_n(ctx, name, n);
    give_up(ctx);
    size_t found = weir_row_list(ctx, &total_store, &any, 0, 0, &rows);
    assert_int_equal(found, times > 1 ? 1 : 0);
}

static void put_and_scan_after_it(struct weir_context *ctx, const char *name, int64_t n)
{
    const struct total any = {.name = name};
    void *rows;
    add_n(ctx, name, n);
    give_up(ctx);
    size_t found = weir_row_scan(ctx, &total_store, &any, 0, &rows);
    assert_int_equal(found, times > 1 ? 1 : 0);
}

/* The first record's rows, still in memory, go to SQLite before the second's range is read. */
static void list_after_it_in_the_second(struct weir_context *ctx, const char *name, int64_t n)
{
    if (n == FIRST) {
        add_n(ctx, name, n);
    } else {
        list_after_it(ctx, name, n);
    }
}

static void touch(struct weir_context *ctx, const char *name, int64_t n)
{
    add_n(ctx, name, n);
    weir_view_touch(ctx, &more, name);
}

/* What was put is in memory; another row is asked of SQLite. */
static void ask_of_another_after_it(struct weir_context *ctx, const char *name, int64_t n)
{
    struct total other;
    (void)name, (void)n;
    give_up(ctx);
    (void)total_get(ctx, "another", &other);
}

static void remind_at_once(struct weir_context *ctx, const char *name, int64_t n)
{
    add_n(ctx, name, n);
    weir_timer_set(ctx, &timer, name, weir_now_ms(ctx) + 1);
}

static void handles_the_take_again_when_sqlite_gives_it_up(void **state) /* I-3, I-4, I-5 */
{
    (void)state;
    static rule *const rules[] = {get_after_it,
                                  list_after_it,
                                  scan_after_it,
                                  put_and_list_after_it,
                                  put_and_scan_after_it,
                                  list_after_it_in_the_second,
                                  touch,
                                  remind_at_once};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct world world;
        open_with(&world, rules[i]);
        viewed = ask_of_another_after_it;
        reminded = ask_of_another_after_it;
        world_add(&world, "a", FIRST);
        world_add(&world, "a", SECOND);
        world_settle(&world);
        broker_advance(world.broker, 1000);
        world_settle(&world);
        assert_true(times > 1);
        assert_true(task_counts(world.task)->aborts == 1);
        world_stop(&world);
        assert_int_equal(in_file(&world, "SELECT sum FROM total"), FIRST + SECOND);
        assert_int_equal(in_file(&world, "SELECT count FROM total"), 2);
        assert_int_equal(in_file(&world, "SELECT count(*) FROM timer_row"), 0);
        assert_int_equal(count(&world, "tally.sums"), 2);
        world_close(&world);
    }
}

/* ---- what no attempt would mend ---- */

static void break_the_rule_of_the_table(struct weir_context *ctx, const char *name, int64_t n)
{
    sum_emit(ctx, &(struct sum){.name = name, .n = n});
    total_put(ctx, &(struct total){.name = name, .sum = n});
}

static void break_it_before_a_range(struct weir_context *ctx, const char *name, int64_t n)
{
    void *rows;
    break_the_rule_of_the_table(ctx, name, n);
    (void)weir_row_list(ctx, &total_store, &(struct total){.name = name}, 0, 0, &rows);
}

/* It is the processor's bug: it would be the same next time. */
static void ends_at_a_row_that_breaks_the_rule_of_its_table(void **state) /* I-4 */
{
    (void)state;
    static rule *const rules[] = {break_the_rule_of_the_table, break_it_before_a_range};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct world world;
        open_with(&world, rules[i]);
        world_add(&world, "a", -5);
        assert_int_equal(world_start(&world), OK);
        assert_int_equal(world_run(&world), FATAL);
        assert_int_equal(world.error.exit_code, EXIT_BUG);
        assert_non_null(strstr(world.error.text, "sum >= 0"));
        struct port_offset group;
        assert_true(broker_offsets(world.broker, "tally", "tally.events", 0, &group));
        assert_int_equal(group.offset, -1);
        assert_int_equal(count(&world, "tally.sums"), 0);
        world_close(&world);
    }
}

static void remind_later(struct weir_context *ctx, const char *name, int64_t n)
{
    add_n(ctx, name, n);
    weir_timer_set(ctx, &timer, name, weir_now_ms(ctx) + A_MINUTE_MS);
}

static void ends_at_a_timer_that_its_version_does_not_know(void **state) /* I-7 */
{
    (void)state;
    struct world world;
    open_with(&world, remind_later);
    world_add(&world, "a", 5);
    world_settle(&world);
    world_stop(&world);
    probe.timers[0] = NULL;
    broker_advance(world.broker, A_MINUTE_MS + 1);
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), FATAL);
    assert_int_equal(world.error.exit_code, EXIT_CONFIG);
    assert_non_null(strstr(world.error.text, "a timer of kind 'timer'"));
    assert_int_equal(in_file(&world, "SELECT count(*) FROM timer_row"), 1); /* it waits */
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_told_where_its_record_stands),
        cmocka_unit_test(writes_json_where_the_topic_says_so),
        cmocka_unit_test(builds_every_view_that_was_touched),
        cmocka_unit_test(does_nothing_more_after_a_refusal),
        cmocka_unit_test(refuses_a_record_whose_row_is_too_large),
        cmocka_unit_test(handles_the_take_again_when_sqlite_gives_it_up),
        cmocka_unit_test(ends_at_a_row_that_breaks_the_rule_of_its_table),
        cmocka_unit_test(ends_at_a_timer_that_its_version_does_not_know),
    };
    return cmocka_run_group_tests_name("handler", tests, NULL, NULL);
}
