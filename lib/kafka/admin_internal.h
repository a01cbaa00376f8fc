/* admin_internal.h - shared by the files behind admin.h. */
#ifndef WEIR_KAFKA_ADMIN_INTERNAL_H
#define WEIR_KAFKA_ADMIN_INTERNAL_H

#include "kafka/admin.h"
#include "kafka/internal.h"

enum { ADMIN_MS = 10 * 1000 };

struct admin {
    rd_kafka_t *handle;        /* sees high watermarks */
    rd_kafka_t *stable;        /* sees last stable offsets; NULL until asked */
    rd_kafka_queue_t *answers; /* of admin requests, one at a time */
    char trouble[400];         /* why no connection came about, as the handle told it last; "" */
    bool refused;              /* by a broker that is there: of TLS or SASL */
    struct arena arena;        /* the copies below */
    const char *bootstrap_servers;
    struct client_property *properties;
    size_t property_count;
};

struct handle_plan admin_plan(const struct admin *admin, enum handle_kind kind);

/* Options for one request: how long librdkafka and the broker may take. */
rd_kafka_AdminOptions_t *admin_options(struct admin *admin, rd_kafka_admin_op_t what);

/* The answer to the request just made, to be destroyed by the caller. `what` is for the text. */
MUST_CHECK enum outcome admin_answer(struct admin *admin, const char *what,
                                     rd_kafka_event_t **answer, struct error *error);

/* The outcome for an error code that stood in an answer. */
MUST_CHECK enum outcome admin_refused(rd_kafka_resp_err_t code, const char *what, const char *topic,
                                      const char *reason, struct error *error);

/* The first error of a list of per-topic results. */
MUST_CHECK enum outcome admin_check_results(const char *what,
                                            const rd_kafka_topic_result_t **results, size_t count,
                                            struct error *error);

/* Asks for the settings of these topics. The answer's resources are in no promised order. */
MUST_CHECK enum outcome admin_describe_configs(struct admin *admin, const char *const *names,
                                               size_t count, rd_kafka_event_t **answer,
                                               struct error *error);

/* What struct topic_settings stands for, in the broker's words. */
enum { ADMIN_SETTINGS = 6, ADMIN_VALUE_BYTES = 32 };
extern const char *const admin_setting_names[ADMIN_SETTINGS];
void admin_write_values(const struct topic_settings *topic,
                        char values[ADMIN_SETTINGS][ADMIN_VALUE_BYTES]);

/* Fills partitions and replication_factor, 0 for a topic that is not there, and clears the rest. */
MUST_CHECK enum outcome admin_read_partitions(struct admin *admin, struct topic_settings *topics,
                                              size_t count, struct error *error);

#endif
