/* admin_change.c - making, changing and deleting topics.
 *
 * librdkafka 2.0.2 has AlterConfigs only, which replaces every override of a topic: so
 * admin_alter() reads them all and writes them back with its own among them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kafka/admin_internal.h"

enum { SETTLE_MS = 10 * 1000, SETTLE_STEP_MS = 20 };

static enum outcome new_topic(const struct topic_settings *topic, rd_kafka_NewTopic_t **made,
                              struct error *error)
{
    char reason[300], values[ADMIN_SETTINGS][ADMIN_VALUE_BYTES];
    int replicas = topic->replication_factor > 0 ? topic->replication_factor : -1;
    *made = rd_kafka_NewTopic_new(topic->name, topic->partitions, replicas, reason, sizeof reason);
    if (!*made) {
        return fail_exit(error, EXIT_CONFIG, "topic %s: %s", topic->name, reason);
    }
    admin_write_values(topic, values);
    for (int i = 0; i < ADMIN_SETTINGS; i++) {
        rd_kafka_NewTopic_set_config(*made, admin_setting_names[i], values[i]);
    }
    return OK;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = SETTLE_STEP_MS * 1000000}, NULL);
}

/* A new topic is known to the controller first and to the brokers a moment later. */
static enum outcome settle(struct admin *admin, const struct topic_settings *topics, size_t count,
                           struct error *error)
{
    struct topic_settings *seen = xcalloc(count, sizeof *seen);
    int64_t deadline_us = monotonic_us() + (int64_t)SETTLE_MS * 1000;
    bool all = false;
    enum outcome outcome = OK;
    while (!all && outcome == OK && monotonic_us() < deadline_us) {
        for (size_t i = 0; i < count; i++) {
            seen[i].name = topics[i].name;
        }
        outcome = admin_read_partitions(admin, seen, count, error);
        all = true;
        for (size_t i = 0; i < count; i++) {
            all = all && seen[i].partitions >= topics[i].partitions;
        }
        if (!all) {
            nap();
        }
    }
    free(seen);
    if (outcome == OK && !all) {
        outcome = fail(error, RETRY,
                       "the brokers do not show the topics %d ms after they were made", SETTLE_MS);
    }
    return outcome;
}

enum outcome admin_create(struct admin *admin, const struct topic_settings *topics, size_t count,
                          struct error *error)
{
    rd_kafka_NewTopic_t **made = xcalloc(count, sizeof(rd_kafka_NewTopic_t *));
    size_t ready = 0;
    enum outcome outcome = OK;
    while (ready < count && outcome == OK) {
        outcome = new_topic(&topics[ready], &made[ready], error);
        ready += outcome == OK;
    }
    rd_kafka_event_t *answer = NULL;
    if (outcome == OK && count > 0) {
        rd_kafka_AdminOptions_t *options = admin_options(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        rd_kafka_CreateTopics(admin->handle, made, count, options, admin->answers);
        rd_kafka_AdminOptions_destroy(options);
        outcome = admin_answer(admin, "creating topics", &answer, error);
    }
    rd_kafka_NewTopic_destroy_array(made, ready);
    free(made);
    if (outcome == OK && answer) {
        size_t result_count;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer),
                                                &result_count);
        outcome = admin_check_results("creating topic", results, result_count, error);
        rd_kafka_event_destroy(answer);
    }
    return outcome == OK && count > 0 ? settle(admin, topics, count, error) : outcome;
}

enum outcome admin_add_partitions(struct admin *admin, const char *topic, int32_t partitions,
                                  struct error *error)
{
    char reason[300];
    rd_kafka_NewPartitions_t *more =
        rd_kafka_NewPartitions_new(topic, (size_t)partitions, reason, sizeof reason);
    if (!more) {
        return fail_exit(error, EXIT_CONFIG, "topic %s: %s", topic, reason);
    }
    rd_kafka_AdminOptions_t *options = admin_options(admin, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(admin->handle, &more, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewPartitions_destroy(more);

    rd_kafka_event_t *answer;
    enum outcome outcome = admin_answer(admin, "adding partitions", &answer, error);
    if (outcome == OK) {
        size_t count;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(answer),
                                                    &count);
        outcome = admin_check_results("adding partitions to", results, count, error);
        rd_kafka_event_destroy(answer);
    }
    const struct topic_settings wanted = {.name = topic, .partitions = partitions};
    return outcome == OK ? settle(admin, &wanted, 1, error) : outcome;
}

static void set_ours(const struct topic_settings *topic, rd_kafka_ConfigResource_t *resource)
{
    char values[ADMIN_SETTINGS][ADMIN_VALUE_BYTES];
    admin_write_values(topic, values);
    for (int i = 0; i < ADMIN_SETTINGS; i++) {
        rd_kafka_ConfigResource_set_config(resource, admin_setting_names[i], values[i]);
    }
}

static bool is_ours(const char *name)
{
    for (int i = 0; i < ADMIN_SETTINGS; i++) {
        if (strcmp(admin_setting_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Copies the overrides that the topic has now and that weir does not set. */
static enum outcome copy_overrides(struct admin *admin, const char *topic,
                                   rd_kafka_ConfigResource_t *into, struct error *error)
{
    rd_kafka_event_t *answer;
    enum outcome outcome = admin_describe_configs(admin, &topic, 1, &answer, error);
    if (outcome != OK) {
        return outcome;
    }
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer),
                                                  &count);
    const rd_kafka_ConfigResource_t *resource = count > 0 ? resources[0] : NULL;
    if (!resource || rd_kafka_ConfigResource_error(resource)) {
        outcome =
            fail(error, RETRY, "the settings of topic %s cannot be read: %s", topic,
                 resource ? rd_kafka_ConfigResource_error_string(resource) : "an empty answer");
    } else {
        const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
        for (size_t i = 0; i < count; i++) {
            const char *name = rd_kafka_ConfigEntry_name(entries[i]);
            if (rd_kafka_ConfigEntry_source(entries[i]) ==
                    RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG &&
                !is_ours(name)) {
                rd_kafka_ConfigResource_set_config(into, name,
                                                   rd_kafka_ConfigEntry_value(entries[i]));
            }
        }
    }
    rd_kafka_event_destroy(answer);
    return outcome;
}

static bool same_settings(const struct topic_settings *a, const struct topic_settings *b)
{
    char values_a[ADMIN_SETTINGS][ADMIN_VALUE_BYTES], values_b[ADMIN_SETTINGS][ADMIN_VALUE_BYTES];
    admin_write_values(a, values_a);
    admin_write_values(b, values_b);
    for (int i = 0; i < ADMIN_SETTINGS; i++) {
        if (strcmp(values_a[i], values_b[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The brokers show a change a moment after the controller has taken it. Whoever reads the overrides
 * to write them back before that would undo it: so a change is over when it shows. */
static enum outcome settle_settings(struct admin *admin, const struct topic_settings *topic,
                                    struct error *error)
{
    int64_t deadline_us = monotonic_us() + (int64_t)SETTLE_MS * 1000;
    while (monotonic_us() < deadline_us) {
        struct topic_settings seen = {.name = topic->name};
        enum outcome outcome = admin_describe(admin, &seen, 1, error);
        if (outcome != OK || same_settings(&seen, topic)) {
            return outcome;
        }
        nap();
    }
    return fail(error, RETRY,
                "the brokers do not show the settings of %s %d ms after they were changed",
                topic->name, SETTLE_MS);
}

enum outcome admin_alter(struct admin *admin, const struct topic_settings *topic,
                         struct error *error)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic->name);
    enum outcome outcome = copy_overrides(admin, topic->name, resource, error);
    rd_kafka_event_t *answer = NULL;
    if (outcome == OK) {
        set_ours(topic, resource);
        rd_kafka_AdminOptions_t *options = admin_options(admin, RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
        rd_kafka_AlterConfigs(admin->handle, &resource, 1, options, admin->answers);
        rd_kafka_AdminOptions_destroy(options);
        outcome = admin_answer(admin, "changing a topic's settings", &answer, error);
    }
    rd_kafka_ConfigResource_destroy(resource);
    if (outcome != OK) {
        return outcome;
    }
    size_t count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(answer), &count);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        if (rd_kafka_ConfigResource_error(resources[i])) {
            outcome = admin_refused(rd_kafka_ConfigResource_error(resources[i]),
                                    "changing settings of", topic->name,
                                    rd_kafka_ConfigResource_error_string(resources[i]), error);
        }
    }
    rd_kafka_event_destroy(answer);
    return outcome == OK ? settle_settings(admin, topic, error) : outcome;
}

enum outcome admin_delete_topics(struct admin *admin, const char *const *names, size_t count,
                                 struct error *error)
{
    if (count == 0) {
        return OK;
    }
    rd_kafka_DeleteTopic_t **doomed = xcalloc(count, sizeof(rd_kafka_DeleteTopic_t *));
    for (size_t i = 0; i < count; i++) {
        doomed[i] = rd_kafka_DeleteTopic_new(names[i]);
    }
    rd_kafka_AdminOptions_t *options = admin_options(admin, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(admin->handle, doomed, count, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteTopic_destroy_array(doomed, count);
    free(doomed);

    rd_kafka_event_t *answer;
    enum outcome outcome = admin_answer(admin, "deleting topics", &answer, error);
    if (outcome == OK) {
        const rd_kafka_topic_result_t **results =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer), &count);
        outcome = admin_check_results("deleting topic", results, count, error);
        rd_kafka_event_destroy(answer);
    }
    return outcome;
}
