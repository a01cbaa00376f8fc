/* client.h - the broker port on librdkafka. kafka/ is the one folder that knows rdkafka.h.
 *
 * 2.0.2 (Debian 12) is the floor; what newer ones can do better is used when present.
 */
#ifndef WEIR_KAFKA_CLIENT_H
#define WEIR_KAFKA_CLIENT_H

#include "kafka/port.h"

struct client_property {
    const char *name, *value;
    const char *source; /* "inventory.conf:12", "-X": for messages */
};

struct client_options {
    const char *bootstrap_servers;
    const char *application_id; /* the consumer group */
    const char *instance_id;    /* group.instance.id; NULL: fixed mode */
    int32_t fixed_partition;    /* fixed mode: assigned without membership */
    const char *const *topics;  /* inputs, NULL-terminated */
    struct port_group group;
    int session_timeout_ms, transaction_timeout_ms;
    const struct client_property *properties; /* librdkafka.key=value of the user's, applied last */
    size_t property_count;
};

/* Settings that would break the promise (enable.auto.commit, isolation.level, ...) and options that
 * load or run code are refused: FATAL with EXIT_CONFIG naming key and source and what to write
 * instead. Unknown keys too. */
MUST_CHECK enum outcome client_check_properties(const struct client_property *properties,
                                                size_t count, struct error *error);

/* Opens the consumer and joins (group mode) or assigns (fixed mode; group.assigned is called from
 * the first poll). Does not wait for a broker. Producers and readers are opened from the same
 * options. */
MUST_CHECK enum outcome client_open(struct port **port, const struct client_options *options,
                                    struct error *error);

/* Leaves the group, closes. All producers and readers must be closed before. NULL is fine. */
void client_close(struct port *port);

#endif
