/* test_leader.c - a question about a log after its partition had no leader for a while: what
 * librdkafka's cache makes of that, on librdkafka's own mock of a broker. */
#include "kafka/internal.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { ASK_MS = 1000, TRIES = 5, NOBODY = -1 };

struct cluster {
    rd_kafka_t *host; /* the mock lives in it */
    rd_kafka_mock_cluster_t *mock;
    rd_kafka_t *handle; /* the one that asks */
};

static int begin(void **state)
{
    static struct cluster cluster;
    char text[512];
    struct error error;
    cluster.host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text);
    assert_non_null(cluster.host);
    cluster.mock = rd_kafka_mock_cluster_new(cluster.host, 1);
    assert_non_null(cluster.mock);
    assert_int_equal(rd_kafka_mock_topic_create(cluster.mock, "orders", 2, 1), 0);
    struct handle_plan plan = {.kind = HANDLE_HIGH,
                               .bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster.mock)};
    rd_kafka_conf_t *conf;
    assert_int_equal(handle_configure(&conf, &plan, &error), OK);
    assert_int_equal(handle_open(&cluster.handle, &plan, conf, &error), OK);
    *state = &cluster;
    return 0;
}

static int end(void **state)
{
    struct cluster *cluster = *state;
    rd_kafka_destroy(cluster->handle);
    rd_kafka_mock_cluster_destroy(cluster->mock);
    rd_kafka_destroy(cluster->host);
    return 0;
}

static enum outcome ask(struct cluster *cluster, int tries)
{
    int64_t low, high;
    struct error error;
    enum outcome outcome = RETRY;
    while (outcome == RETRY && tries-- > 0) {
        outcome = watermarks(cluster->handle, "orders", 1, ASK_MS, &low, &high, &error);
    }
    return outcome;
}

/* A broker that has just come up says for a moment that nobody leads. librdkafka 2.0.2 keeps that
 * answer for a quarter of an hour, and never asks again by itself when only such questions are put:
 * "Local: Unknown partition". */
static void is_answered_when_there_is_a_leader_again(void **state)
{
    struct cluster *cluster = *state;
    rd_kafka_mock_partition_set_leader(cluster->mock, "orders", 1, NOBODY);
    assert_int_equal(ask(cluster, 2), RETRY);
    rd_kafka_mock_partition_set_leader(cluster->mock, "orders", 1, 1);
    assert_int_equal(ask(cluster, TRIES), OK);
}

/* The same when the handle knew the leader before. */
static void is_answered_when_the_leader_went_and_came(void **state)
{
    struct cluster *cluster = *state;
    assert_int_equal(ask(cluster, TRIES), OK);
    is_answered_when_there_is_a_leader_again(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_answered_when_there_is_a_leader_again, begin, end),
        cmocka_unit_test_setup_teardown(is_answered_when_the_leader_went_and_came, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
