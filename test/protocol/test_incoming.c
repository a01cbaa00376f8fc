/* test_incoming.c - what comes in: records that nobody can read leave as dead letters that say why,
 * with what they brought; and what the port gives early, twice or not at all changes nothing.
 */
#include "protocol/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/deadletter.h"
#include "runtime/metadata.h"

#include <cmocka.h>

enum { A_MINUTE_MS = 60 * 1000 };

static struct weir_bytes bytes_of(const char *text)
{
    return (struct weir_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- dead letters ---- */

static void put(struct world *world, struct weir_bytes key, struct weir_bytes value,
                const struct port_header *headers, size_t header_count)
{
    broker_produce(world->broker, "tally.events", 0, key, value, headers, header_count);
}

/* How often the dead letter has the header; its last value goes to `text`. */
static int header_of(const struct broker_record *record, const char *name, char text[100])
{
    int found = 0;
    for (size_t i = 0; i < record->header_count; i++) {
        const struct port_header *header = &record->headers[i];
        if (strcmp(header->name, name) == 0) {
            snprintf(text, 100, "%.*s", (int)header->value.size, (const char *)header->value.data);
            found++;
        }
    }
    return found;
}

static void expect_header(const struct broker_record *record, const char *name, const char *value)
{
    char text[100] = "";
    assert_int_equal(header_of(record, name, text), 1);
    assert_string_equal(text, value);
}

/* Settles, and reads the one dead letter. */
static struct broker_record dead_letter(struct world *world)
{
    struct broker_record record;
    int64_t at = 0;
    world_settle(world);
    assert_int_equal(broker_count(world->broker, "tally.events.dlq", 0, true), 1);
    assert_true(broker_read(world->broker, "tally.events.dlq", 0, true, &at, &record));
    return record;
}

static void says_why_a_record_cannot_be_read(void **state) /* I-8 */
{
    (void)state;
    static const struct weir_bytes null;
    const struct {
        struct weir_bytes key, value;
        const char *cause, *reason;
    } bad[] = {
        {null, bytes_of("x"), "key", "the record has no key; tally.events is keyed by name"},
        {{(const uint8_t *)"a\0b", 3}, bytes_of("x"), "key", "the key is not UTF-8 text"},
        {bytes_of("a\xff"), bytes_of("x"), "key", "the key is not UTF-8 text"},
        {bytes_of("a"), null, "avro", "the value is null"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct world world;
        world_open(&world);
        put(&world, bad[i].key, bad[i].value, NULL, 0);
        struct broker_record dead = dead_letter(&world);
        expect_header(&dead, DEAD_CLASS, "MALFORMED");
        expect_header(&dead, DEAD_CAUSE, bad[i].cause);
        expect_header(&dead, DEAD_REASON, bad[i].reason);
        expect_header(&dead, DEAD_SOURCE, "tally.events/0/0");
        expect_header(&dead, DEAD_ATTEMPT, "1");
        world_close(&world);
    }
}

/* A record put back to its topic has the headers of its last time as a dead letter. */
static void counts_the_attempts_of_a_record_that_was_put_back(void **state)
{
    (void)state;
    static const struct {
        const char *said, *counted;
    } attempts[] = {{"2", "3"}, {"many", "1"}};
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        struct world world;
        world_open(&world);
        const struct port_header headers[] = {{"trace", bytes_of("t-1")},
                                              {DEAD_REASON, bytes_of("last time's")},
                                              {DEAD_ATTEMPT, bytes_of(attempts[i].said)}};
        put(&world, bytes_of("a"), bytes_of("x"), headers, 3);
        struct broker_record dead = dead_letter(&world);
        expect_header(&dead, "trace", "t-1");
        expect_header(&dead, DEAD_ATTEMPT, attempts[i].counted);
        char reason[100] = "";
        assert_int_equal(header_of(&dead, DEAD_REASON, reason), 1);
        assert_string_not_equal(reason, "last time's");
        world_close(&world);
    }
}

static void says_why_even_of_a_record_with_many_headers(void **state)
{
    (void)state;
    struct port_header headers[PORT_HEADERS_MAX];
    for (size_t i = 0; i < PORT_HEADERS_MAX; i++) {
        headers[i] = (struct port_header){"trace", bytes_of("t")};
    }
    struct world world;
    world_open(&world);
    put(&world, bytes_of("a"), bytes_of("x"), headers, PORT_HEADERS_MAX);
    struct broker_record dead = dead_letter(&world);
    char text[100] = "";
    assert_int_equal(dead.header_count, PORT_HEADERS_MAX);
    assert_int_equal(header_of(&dead, "trace", text), PORT_HEADERS_MAX - 8);
    expect_header(&dead, DEAD_CLASS, "MALFORMED");
    world_close(&world);
}

/* ---- what the port gives ---- */

static struct port_calls calls;
static const struct port_calls *broker;
static bool knows_progress;

static enum outcome start_earlier(struct port *port, const char *topic, int32_t partition,
                                  int64_t offset, struct error *error)
{
    return broker->start(port, topic, partition, offset > 2 ? offset - 2 : 0, error);
}

static bool progress_when_known(struct port *port, const char *topic, int32_t partition,
                                int64_t *position, int64_t *high)
{
    return knows_progress && broker->progress(port, topic, partition, position, high);
}

static void use(struct port *port)
{
    broker = port->calls;
    calls = *broker;
    port->calls = &calls;
}

static void gives_early(struct port *port)
{
    use(port);
    calls.start = start_earlier;
}

static void gives_no_progress(struct port *port)
{
    use(port);
    calls.progress = progress_when_known;
}

/* Kafka answers with whole batches: what stands before the position in its batch comes, too. */
static void handles_nothing_twice_that_a_fetch_begins_with(void **state) /* I-5, I-8 */
{
    (void)state;
    static const struct world_watch watch = {.port_opened = gives_early, .steps = 20000};
    struct world world;
    world_open(&world);
    for (int i = 1; i <= 5; i++) {
        world_add(&world, "a", i);
    }
    world_settle(&world);
    world_kill(&world);
    world.watch = &watch;
    world_add(&world, "a", 6);
    world_settle(&world);
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), 6);
    world_stop(&world);
    char *picture = world_picture(&world);
    assert_non_null(strstr(picture, "name=a sum=21 count=6"));
    free(picture);
    world_close(&world);
}

/* How far an input is may not be known yet; the wall clock must not overtake what it may hold. */
static void fires_no_timer_by_the_clock_before_it_knows_where_its_inputs_end(void **state)
{
    (void)state;
    static const struct world_watch watch = {.port_opened = gives_no_progress, .steps = 200};
    struct world world;
    world_open(&world);
    world.watch = &watch;
    knows_progress = false;
    world_add(&world, "a", 1);
    world_remind(&world, "a", A_MINUTE_MS);
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), OK);
    broker_advance(world.broker, A_MINUTE_MS + 1);
    assert_int_equal(world_run(&world), RETRY);
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), 1);
    knows_progress = true;
    assert_int_equal(world_run(&world), OK);
    assert_int_equal(broker_count(world.broker, "tally.sums", 0, true), 2);
    world_close(&world);
}

/* ---- several inputs ---- */

/* The group stands at commit `numbers` of each, 0: nowhere. No task has written such offsets. */
static void refuses_offsets(const int64_t numbers[2], const char *text)
{
    static const char *const topics[] = {"tally.events", "tally.more"};
    struct weir_topic more = tally_events_topic;
    struct weir_processor two = tally_processor;
    struct world world;
    more.name = topics[1];
    two.inputs[1] = (struct weir_input){&more, two.inputs[0].handlers};
    world_open(&world);
    world.processor = &two;
    broker_create_topic(world.broker, more.name, 1, false);
    for (int i = 0; i < 2; i++) {
        struct port_offset set = {.topic = topics[i], .offset = 0};
        metadata_write(numbers[i], "0123456789abcdef0123456789abcdef", 0, set.metadata);
        broker_set_offsets(world.broker, "tally", 0, &set, numbers[i] > 0);
    }
    assert_int_equal(world_start(&world), OK);
    assert_int_equal(world_run(&world), FATAL);
    assert_int_equal(world.error.exit_code, EXIT_CONFIG);
    if (!strstr(world.error.text, text)) {
        fail_msg("'%s' does not say '%s'", world.error.text, text);
    }
    world_close(&world);
}

static void refuses_offsets_of_different_commits(void **state) /* I-8 */
{
    (void)state;
    refuses_offsets((const int64_t[]){7, 8}, "of different commits, 7 and 8");
}

static void refuses_offsets_of_one_input_alone(void **state) /* I-8 */
{
    (void)state;
    refuses_offsets((const int64_t[]){7, 0}, "only 1 of 2 inputs have a committed offset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_why_a_record_cannot_be_read),
        cmocka_unit_test(counts_the_attempts_of_a_record_that_was_put_back),
        cmocka_unit_test(says_why_even_of_a_record_with_many_headers),
        cmocka_unit_test(handles_nothing_twice_that_a_fetch_begins_with),
        cmocka_unit_test(fires_no_timer_by_the_clock_before_it_knows_where_its_inputs_end),
        cmocka_unit_test(refuses_offsets_of_different_commits),
        cmocka_unit_test(refuses_offsets_of_one_input_alone),
    };
    return cmocka_run_group_tests_name("incoming", tests, NULL, NULL);
}
