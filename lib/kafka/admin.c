/* admin.c - the tools' handle on a cluster, its requests and answers, and what its topics are like.
 *
 * Requests go out in batches and are answered on one queue, one request at a time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/admin_internal.h"

/* ---- the handle ---- */

static const char *keep(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

struct handle_plan admin_plan(const struct admin *admin, enum handle_kind kind)
{
    return (struct handle_plan){.kind = kind,
                                .bootstrap_servers = admin->bootstrap_servers,
                                .properties = admin->properties,
                                .property_count = admin->property_count};
}

/* A refused password or certificate says more than the lost connection that comes after it. */
static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    (void)handle;
    struct admin *admin = opaque;
    bool refused = code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || (admin->refused && !refused)) {
        return;
    }
    admin->refused = refused;
    snprintf(admin->trouble, sizeof admin->trouble, "%s", reason);
}

enum outcome admin_open(struct admin **admin, const char *bootstrap_servers,
                        const struct client_property *properties, size_t property_count,
                        struct error *error)
{
    struct admin *opened = xcalloc(1, sizeof *opened);
    arena_init(&opened->arena);
    opened->bootstrap_servers = keep(&opened->arena, bootstrap_servers);
    opened->properties = arena_alloc(&opened->arena, property_count * sizeof *properties);
    opened->property_count = property_count;
    for (size_t i = 0; i < property_count; i++) {
        opened->properties[i].name = keep(&opened->arena, properties[i].name);
        opened->properties[i].value = keep(&opened->arena, properties[i].value);
        opened->properties[i].source = keep(&opened->arena, properties[i].source);
    }
    struct handle_plan plan = admin_plan(opened, HANDLE_HIGH);
    rd_kafka_conf_t *conf;
    enum outcome outcome = handle_configure(&conf, &plan, error);
    if (outcome == OK) {
        rd_kafka_conf_set_opaque(conf, opened);
        rd_kafka_conf_set_error_cb(conf, on_error);
        outcome = handle_open(&opened->handle, &plan, conf, error);
    }
    if (outcome != OK) {
        admin_close(opened);
        return outcome;
    }
    opened->answers = rd_kafka_queue_new(opened->handle);
    *admin = opened;
    return OK;
}

void admin_close(struct admin *admin)
{
    if (!admin) {
        return;
    }
    if (admin->answers) {
        rd_kafka_queue_destroy(admin->answers);
    }
    if (admin->stable) {
        rd_kafka_destroy(admin->stable);
    }
    if (admin->handle) {
        rd_kafka_destroy(admin->handle);
    }
    arena_release(&admin->arena);
    free(admin);
}

enum outcome admin_wait_for_broker(struct admin *admin, int timeout_ms, struct error *error)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->handle, 0, NULL, &metadata, timeout_ms);
    while (rd_kafka_poll(admin->handle, 0) > 0) { /* on_error() */
    }
    if (code) {
        return fail(
            error, RETRY, "no broker at %s answers within %d ms: %s; %s", admin->bootstrap_servers,
            timeout_ms, admin->trouble[0] ? admin->trouble : rd_kafka_err2str(code),
            admin->refused
                ? "look at the librdkafka.* settings"
                : "is it running, are bootstrap.servers and librdkafka.security.protocol right?");
    }
    admin->trouble[0] = 0;
    admin->refused = false;
    rd_kafka_metadata_destroy(metadata);
    return OK;
}

/* ---- requests and answers ---- */

rd_kafka_AdminOptions_t *admin_options(struct admin *admin, rd_kafka_admin_op_t what)
{
    char reason[200];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->handle, what);
    rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_MS, reason, sizeof reason);
    if (what == RD_KAFKA_ADMIN_OP_CREATETOPICS || what == RD_KAFKA_ADMIN_OP_DELETETOPICS ||
        what == RD_KAFKA_ADMIN_OP_CREATEPARTITIONS) {
        rd_kafka_AdminOptions_set_operation_timeout(options, ADMIN_MS, reason, sizeof reason);
    }
    return options;
}

static bool may_pass(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        return true;
    default:
        return false;
    }
}

enum outcome admin_refused(rd_kafka_resp_err_t code, const char *what, const char *topic,
                           const char *reason, struct error *error)
{
    const char *why = reason ? reason : rd_kafka_err2str(code);
    if (may_pass(code)) {
        return fail(error, RETRY, "%s %s: %s", what, topic, why);
    }
    return fail_exit(error, EXIT_CONFIG, "%s %s: %s", what, topic, why);
}

enum outcome admin_answer(struct admin *admin, const char *what, rd_kafka_event_t **answer,
                          struct error *error)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(admin->answers, ADMIN_MS + 5000);
    if (!event) {
        return fail(error, RETRY, "%s: no answer", what);
    }
    if (rd_kafka_event_error(event)) {
        enum outcome outcome = admin_refused(rd_kafka_event_error(event), what, "",
                                             rd_kafka_event_error_string(event), error);
        rd_kafka_event_destroy(event);
        return outcome;
    }
    *answer = event;
    return OK;
}

enum outcome admin_check_results(const char *what, const rd_kafka_topic_result_t **results,
                                 size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_topic_result_error(results[i])) {
            return admin_refused(rd_kafka_topic_result_error(results[i]), what,
                                 rd_kafka_topic_result_name(results[i]),
                                 rd_kafka_topic_result_error_string(results[i]), error);
        }
    }
    return OK;
}

/* ---- settings as the broker writes them ---- */

enum { CLEANUP, TIMESTAMP, UNCLEAN, RETENTION, DELETE_RETENTION, MAX_BYTES };

const char *const admin_setting_names[ADMIN_SETTINGS] = {
    [CLEANUP] = "cleanup.policy",
    [TIMESTAMP] = "message.timestamp.type",
    [UNCLEAN] = "unclean.leader.election.enable",
    [RETENTION] = "retention.ms",
    [DELETE_RETENTION] = "delete.retention.ms",
    [MAX_BYTES] = "max.message.bytes",
};

void admin_write_values(const struct topic_settings *topic,
                        char values[ADMIN_SETTINGS][ADMIN_VALUE_BYTES])
{
    snprintf(values[CLEANUP], ADMIN_VALUE_BYTES, "%s",
             topic->cleanup == WEIR_COMPACT ? "compact" : "delete");
    snprintf(values[TIMESTAMP], ADMIN_VALUE_BYTES, "%s",
             topic->log_append_time ? "LogAppendTime" : "CreateTime");
    snprintf(values[UNCLEAN], ADMIN_VALUE_BYTES, "%s",
             topic->unclean_leader_election ? "true" : "false");
    snprintf(values[RETENTION], ADMIN_VALUE_BYTES, "%" PRId64, topic->retention_ms);
    snprintf(values[DELETE_RETENTION], ADMIN_VALUE_BYTES, "%" PRId64, topic->delete_retention_ms);
    snprintf(values[MAX_BYTES], ADMIN_VALUE_BYTES, "%" PRId32, topic->max_message_bytes);
}

/* "compact,delete" deletes too: it is not what weir means by compact. */
static void read_value(struct topic_settings *topic, const char *name, const char *value)
{
    int at = 0;
    while (at < ADMIN_SETTINGS && strcmp(admin_setting_names[at], name) != 0) {
        at++;
    }
    switch (at) {
    case CLEANUP:
        topic->cleanup = strcmp(value, "compact") == 0 ? WEIR_COMPACT : WEIR_DELETE;
        break;
    case TIMESTAMP:
        topic->log_append_time = strcmp(value, "LogAppendTime") == 0;
        break;
    case UNCLEAN:
        topic->unclean_leader_election = strcmp(value, "true") == 0;
        break;
    case RETENTION:
        topic->retention_ms = strtoll(value, NULL, 10);
        break;
    case DELETE_RETENTION:
        topic->delete_retention_ms = strtoll(value, NULL, 10);
        break;
    case MAX_BYTES:
        topic->max_message_bytes = (int32_t)strtol(value, NULL, 10);
        break;
    default:
        break;
    }
}

/* ---- asking ---- */

enum outcome admin_read_partitions(struct admin *admin, struct topic_settings *topics, size_t count,
                                   struct error *error)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->handle, 1, NULL, &metadata, ADMIN_MS);
    if (code) {
        return admin_refused(code, "asking for topics", "", NULL, error);
    }
    for (size_t i = 0; i < count; i++) {
        topics[i] = (struct topic_settings){.name = topics[i].name};
        for (int m = 0; m < metadata->topic_cnt; m++) {
            const struct rd_kafka_metadata_topic *found = &metadata->topics[m];
            if (strcmp(found->topic, topics[i].name) == 0 && !found->err &&
                found->partition_cnt > 0) {
                topics[i].partitions = found->partition_cnt;
                topics[i].replication_factor = found->partitions[0].replica_cnt;
            }
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return OK;
}

enum outcome admin_describe_configs(struct admin *admin, const char *const *names, size_t count,
                                    rd_kafka_event_t **answer, struct error *error)
{
    rd_kafka_ConfigResource_t **resources = xcalloc(count, sizeof(rd_kafka_ConfigResource_t *));
    for (size_t i = 0; i < count; i++) {
        resources[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, names[i]);
    }
    rd_kafka_AdminOptions_t *options = admin_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(admin->handle, resources, count, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy_array(resources, count);
    free(resources);
    return admin_answer(admin, "asking for settings of topics", answer, error);
}

static enum outcome read_settings(const rd_kafka_ConfigResource_t *resource,
                                  struct topic_settings *topics, size_t count, struct error *error)
{
    const char *name = rd_kafka_ConfigResource_name(resource);
    if (rd_kafka_ConfigResource_error(resource)) {
        return admin_refused(rd_kafka_ConfigResource_error(resource), "asking for settings of",
                             name, rd_kafka_ConfigResource_error_string(resource), error);
    }
    size_t entry_count;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resource, &entry_count);
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < entry_count && strcmp(topics[i].name, name) == 0; e++) {
            const char *value = rd_kafka_ConfigEntry_value(entries[e]);
            read_value(&topics[i], rd_kafka_ConfigEntry_name(entries[e]), value ? value : "");
        }
    }
    return OK;
}

enum outcome admin_describe(struct admin *admin, struct topic_settings *topics, size_t count,
                            struct error *error)
{
    enum outcome outcome = admin_read_partitions(admin, topics, count, error);
    const char **names = xcalloc(count, sizeof *names);
    size_t existing = 0;
    for (size_t i = 0; i < count && outcome == OK; i++) {
        if (topics[i].partitions > 0) {
            names[existing++] = topics[i].name;
        }
    }
    rd_kafka_event_t *answer = NULL;
    if (outcome == OK && existing > 0) {
        outcome = admin_describe_configs(admin, names, existing, &answer, error);
    }
    free(names);
    if (outcome != OK || !answer) {
        return outcome;
    }
    size_t resource_count;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer),
                                                  &resource_count);
    for (size_t i = 0; i < resource_count && outcome == OK; i++) {
        outcome = read_settings(resources[i], topics, count, error);
    }
    rd_kafka_event_destroy(answer);
    return outcome;
}
