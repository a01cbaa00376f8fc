/* test_partitioner.c - keys go where the Java client puts them: Kafka's own test vectors. */
#include "kafka/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h> /* after ours: it has a macro named fail */

static struct weir_bytes bytes(const char *text)
{
    return (struct weir_bytes){(const uint8_t *)text, strlen(text)};
}

/* org.apache.kafka.common.utils.UtilsTest.testMurmur2 */
static void hashes_as_kafka_s_own_test_says(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(key_hash(bytes(cases[i].key)), cases[i].hash);
    }
}

/* Java: Utils.toPositive(hash) % partitions, which masks the sign bit and does not negate. */
static void a_partition_is_never_negative(void **state)
{
    (void)state;
    assert_int_equal(key_partition(bytes("21"), 1), 0);
    assert_int_equal(key_partition(bytes("21"), 100), (-973932308 & INT32_MAX) % 100);
    assert_int_equal(key_partition(bytes("abc"), 4), 479470107 % 4);
    for (char c = 'a'; c <= 'z'; c++) {
        int32_t partition = key_partition((struct weir_bytes){(const uint8_t *)&c, 1}, 7);
        assert_in_range(partition, 0, 6);
    }
}

static void an_empty_key_has_a_place_too(void **state)
{
    (void)state;
    assert_int_equal(key_hash((struct weir_bytes){NULL, 0}), 275646681);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_as_kafka_s_own_test_says),
        cmocka_unit_test(a_partition_is_never_negative),
        cmocka_unit_test(an_empty_key_has_a_place_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
