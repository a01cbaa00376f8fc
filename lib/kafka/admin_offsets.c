/* admin_offsets.c - where logs begin and end, where times lie in them, and what groups have
 * committed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/admin_internal.h"

/* ---- logs ---- */

static enum outcome open_stable(struct admin *admin, struct error *error)
{
    if (admin->stable) {
        return OK;
    }
    struct handle_plan plan = admin_plan(admin, HANDLE_STABLE);
    rd_kafka_conf_t *conf;
    enum outcome outcome = handle_configure(&conf, &plan, error);
    return outcome == OK ? handle_open(&admin->stable, &plan, conf, error) : outcome;
}

static enum outcome count_partitions(struct admin *admin, const char *topic, int32_t *partitions,
                                     struct error *error)
{
    rd_kafka_topic_t *opened = rd_kafka_topic_new(admin->handle, topic, NULL);
    if (!opened) {
        return fail_exit(error, EXIT_CONFIG, "%s is not a topic's name: %s", topic,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    enum outcome outcome = partition_count(admin->handle, opened, ADMIN_MS, partitions, error);
    rd_kafka_topic_destroy(opened);
    return outcome;
}

enum outcome admin_logs(struct admin *admin, const char *topic, struct port_log **logs,
                        int32_t *partitions, struct error *error)
{
    int32_t count = 0;
    enum outcome outcome = open_stable(admin, error);
    if (outcome == OK) {
        outcome = count_partitions(admin, topic, &count, error);
    }
    struct port_log *read = xcalloc((size_t)count, sizeof *read);
    for (int32_t i = 0; i < count && outcome == OK; i++) {
        outcome =
            watermarks(admin->stable, topic, i, ADMIN_MS, &read[i].low, &read[i].stable, error);
        if (outcome == OK) {
            outcome =
                watermarks(admin->handle, topic, i, ADMIN_MS, &read[i].low, &read[i].high, error);
        }
    }
    if (outcome != OK) {
        free(read);
        return outcome;
    }
    *logs = read;
    *partitions = count;
    return OK;
}

enum outcome admin_offsets_for_time(struct admin *admin, const char *topic, int64_t timestamp_ms,
                                    int64_t *offsets, int32_t partitions, struct error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t i = 0; i < partitions; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = timestamp_ms;
    }
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(admin->handle, list, ADMIN_MS);
    for (int i = 0; i < list->cnt && !code; i++) {
        code = list->elems[i].err;
    }
    enum outcome outcome =
        code ? admin_refused(code, "asking for a time in", topic, NULL, error) : OK;
    for (int32_t i = 0; i < partitions && outcome == OK; i++) {
        int64_t low, found = rd_kafka_topic_partition_list_find(list, topic, i)->offset;
        if (found < 0) { /* no record is that late */
            outcome = watermarks(admin->handle, topic, i, ADMIN_MS, &low, &found, error);
        }
        offsets[i] = found;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return outcome;
}

/* ---- groups ---- */

static enum outcome read_offsets(rd_kafka_event_t *answer, const char *group,
                                 const char *const *topics, size_t count, int32_t partition,
                                 struct port_offset *offsets, struct error *error)
{
    size_t groups;
    const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(answer), &groups);
    if (groups != 1) {
        return fail(error, RETRY, "asking for offsets of group %s: an empty answer", group);
    }
    const rd_kafka_error_t *refused = rd_kafka_group_result_error(results[0]);
    if (refused) {
        return admin_refused(rd_kafka_error_code(refused), "asking for offsets of group", group,
                             rd_kafka_error_string(refused), error);
    }
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(results[0]);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *found = NULL;
        for (int e = 0; list && e < list->cnt; e++) {
            if (list->elems[e].partition == partition &&
                strcmp(list->elems[e].topic, topics[i]) == 0) {
                found = &list->elems[e];
            }
        }
        if (!found) {
            return fail(error, RETRY, "asking for offsets of group %s: no answer for %s", group,
                        topics[i]);
        }
        if (found->err) {
            return admin_refused(found->err, "asking for offsets of group", group, NULL, error);
        }
        offset_from_answer(found, topics[i], &offsets[i]);
    }
    return OK;
}

enum outcome admin_committed(struct admin *admin, const char *group, const char *const *topics,
                             size_t count, int32_t partition, struct port_offset *offsets,
                             struct error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topics[i], partition);
    }
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options =
        admin_options(admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    CHECK(!refused);
    rd_kafka_ListConsumerGroupOffsets(admin->handle, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);

    rd_kafka_event_t *answer;
    enum outcome outcome = admin_answer(admin, "asking for a group's offsets", &answer, error);
    if (outcome == OK) {
        outcome = read_offsets(answer, group, topics, count, partition, offsets, error);
        rd_kafka_event_destroy(answer);
    }
    return outcome;
}

/* Members would be asked about by the broker too, but its answer ("unknown member") explains
 * nothing. */
static enum outcome refuse_members(struct admin *admin, const char *group, struct error *error)
{
    rd_kafka_AdminOptions_t *options =
        admin_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_DescribeConsumerGroups(admin->handle, &group, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_event_t *answer;
    enum outcome outcome = admin_answer(admin, "asking for a group's members", &answer, error);
    if (outcome != OK) {
        return outcome;
    }
    size_t groups;
    const rd_kafka_ConsumerGroupDescription_t **described =
        rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(
                                                          answer),
                                                      &groups);
    size_t members = groups == 1 ? rd_kafka_ConsumerGroupDescription_member_count(described[0]) : 0;
    rd_kafka_event_destroy(answer);
    if (members > 0) {
        return fail_exit(
            error, EXIT_CONFIG,
            "group %s has %zu members: stop them first (a static member is counted until its "
            "session ends)",
            group, members);
    }
    return OK;
}

static enum outcome check_committed(rd_kafka_event_t *answer, const char *group,
                                    struct error *error)
{
    size_t groups;
    const rd_kafka_group_result_t **results = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(answer), &groups);
    if (groups != 1) {
        return fail(error, RETRY, "setting offsets of group %s: an empty answer", group);
    }
    const rd_kafka_error_t *refused = rd_kafka_group_result_error(results[0]);
    if (refused) {
        return admin_refused(rd_kafka_error_code(refused), "setting offsets of group", group,
                             rd_kafka_error_string(refused), error);
    }
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(results[0]);
    for (int i = 0; list && i < list->cnt; i++) {
        if (list->elems[i].err) {
            return admin_refused(list->elems[i].err, "setting offsets of group", group, NULL,
                                 error);
        }
    }
    return OK;
}

/* An offset that a transaction holds must not be overwritten: the transaction's own would come on
 * top when it commits. */
static enum outcome refuse_pending(struct admin *admin, const char *group,
                                   const struct port_offset *offsets, size_t count,
                                   int32_t partition, struct error *error)
{
    const char **topics = xcalloc(count, sizeof *topics);
    struct port_offset *now = xcalloc(count, sizeof *now);
    for (size_t i = 0; i < count; i++) {
        topics[i] = offsets[i].topic;
    }
    enum outcome outcome = admin_committed(admin, group, topics, count, partition, now, error);
    free(topics);
    free(now);
    if (outcome == RETRY) {
        error_prefix(
            error,
            "the offsets of group %s may be held by an open transaction: stop its processes, "
            "wait for transaction.timeout.ms and try again",
            group);
        error->exit_code = EXIT_TRY_AGAIN;
        outcome = FATAL;
    }
    return outcome;
}

enum outcome admin_commit(struct admin *admin, const char *group, const struct port_offset *offsets,
                          size_t count, int32_t partition, struct error *error)
{
    enum outcome outcome = refuse_members(admin, group, error);
    if (outcome == OK) {
        outcome = refuse_pending(admin, group, offsets, count, partition, error);
    }
    if (outcome != OK) {
        return outcome;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        offset_to_list(list, &offsets[i], partition);
    }
    rd_kafka_AlterConsumerGroupOffsets_t *request =
        rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options =
        admin_options(admin, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    rd_kafka_AlterConsumerGroupOffsets(admin->handle, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_AlterConsumerGroupOffsets_destroy(request);

    rd_kafka_event_t *answer;
    outcome = admin_answer(admin, "setting a group's offsets", &answer, error);
    if (outcome == OK) {
        outcome = check_committed(answer, group, error);
        rd_kafka_event_destroy(answer);
    }
    return outcome;
}
