/* conf.c - opens handles: every setting of librdkafka's that weir chooses, and why.
 *
 * One table for all kinds of handle; a handle's own settings (its group, its transactional id) come
 * after it, the user's last. What the user may not set is in refuse.c. librdkafka's log lines
 * become events of ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "kafka/internal.h"

enum {
    FETCHING = HANDLE_CONSUMER | HANDLE_READER | HANDLE_SCAN,
    ASKING = HANDLE_HIGH | HANDLE_STABLE,
    PRODUCING = HANDLE_PRODUCER | HANDLE_WRITER,
    ALL = FETCHING | ASKING | PRODUCING,
    COMMITTED = FETCHING | HANDLE_STABLE,
    FETCH_QUEUE_BACKOFF_VERSION = 0x02020000, /* fetch.queue.backoff.ms since 2.2.0 */
};

static const struct {
    int kinds;
    bool optional; /* newer than 2.0.2: left out when the library does not know it */
    const char *name, *value;
} settings[] = {
    {ALL, false, "client.id", "weir"},
    {ALL, false, "socket.nagle.disable",
     "true"}, /* else a small request waits for the last one's acknowledgement */
    {ALL, false, "socket.keepalive.enable", "true"},
    {ALL, false, "reconnect.backoff.ms", "50"},
    {ALL, false, "reconnect.backoff.max.ms",
     "1000"}, /* a restarted broker is found within a second, not ten */
    {ALL, false, "log.connection.close", "false"}, /* brokers close idle connections all the time */
    {ALL, true, "enable.metrics.push", "false"},   /* crashed in 2.5.0 */

    {FETCHING | ASKING, false, "enable.auto.commit", "false"},
    {FETCHING | ASKING, false, "enable.auto.offset.store", "false"},
    {FETCHING | ASKING, false, "allow.auto.create.topics", "false"},
    {COMMITTED, false, "isolation.level", "read_committed"},
    {HANDLE_HIGH, false, "isolation.level", "read_uncommitted"},
    /* Never joined. Without a group of the handle's own, asking for another group's offsets crashes
     * when its coordinator is just moving (librdkafka issue 5040). */
    {HANDLE_HIGH, false, "group.id", "weir-asks"},
    {FETCHING, false, "auto.offset.reset",
     "error"}, /* weir gives every offset; a missing one is never guessed */
    /* An end-of-partition event is the only sign of a fetch that was answered with nothing: see
       client_progress(). */
    {FETCHING, false, "enable.partition.eof", "true"},
    /* Per partition, each has its own queue. About 10 MB at 120 bytes a record; handle_taken()
       keeps it filled. */
    {FETCHING, false, "queued.min.messages", "20000"},
    {FETCHING, false, "queued.max.messages.kbytes", "16384"},
    {FETCHING, true, "fetch.queue.backoff.ms", "5"},
    /* How long an empty fetch may wait. A newly started partition waits for the running fetch to
     * end, so it bounds the time to the first record after start(), and the age of the high
     * watermark in progress(). */
    {FETCHING, false, "fetch.wait.max.ms", "100"},
    {FETCHING, false, "fetch.error.backoff.ms", "100"},
    {FETCHING | ASKING, false, "retry.backoff.ms",
     "20"}, /* of a committed offset that a transaction holds back */

    {PRODUCING, false, "acks", "all"},
    {PRODUCING, false, "enable.idempotence", "true"},
    {PRODUCING, false, "compression.type", "lz4"},
    {PRODUCING, false, "message.max.bytes",
     "16777216"},                                /* the topics' own limits decide, not ours */
    {PRODUCING, false, "batch.size", "1000000"}, /* just under a topic's usual 1 MiB */
    {PRODUCING, false, "queue.buffering.max.messages",
     "400000"}, /* ten takes of four records each from 10,000 */
    {PRODUCING, false, "queue.buffering.max.kbytes", "262144"},
    {PRODUCING, false, "linger.ms", "5"}, /* commit and flush do not wait for it */
    {HANDLE_PRODUCER, false, "retry.backoff.ms", "10"},
    {HANDLE_PRODUCER, true, "retry.backoff.max.ms", "200"},
    {HANDLE_WRITER, false, "retry.backoff.ms", "50"},
};

/* Warnings of librdkafka's that are no news: connections (poll() tells of them, once), settings of
 * the other kind of handle, a fence that has to wait (init tells), closing with records queued
 * (that is how an open transaction is left). */
static const char *const quiet[] = {"FAIL", "ERROR", "CONFWARN", "GETPID", "TERMINATE"};

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    enum log_level as = level <= 4 ? LOG_WARN : LOG_DEBUG;
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
        as = strcmp(facility, quiet[i]) == 0 ? LOG_DEBUG : as;
    }
    log_event(as, "librdkafka", "handle=%s facility=%s text=\"%s\"",
              handle ? rd_kafka_name(handle) : "-", facility, text);
}

static enum outcome set(rd_kafka_conf_t *conf, const char *name, const char *value, bool optional,
                        struct error *error)
{
    char reason[512];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, reason, sizeof reason);
    if (result == RD_KAFKA_CONF_OK || (optional && result == RD_KAFKA_CONF_UNKNOWN)) {
        return OK;
    }
    return fail_exit(error, EXIT_CONFIG, "librdkafka setting %s: %s", name, reason);
}

static enum outcome set_all(rd_kafka_conf_t *conf, const struct handle_plan *plan,
                            struct error *error)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && outcome == OK; i++) {
        if (settings[i].kinds & (int)plan->kind) {
            outcome = set(conf, settings[i].name, settings[i].value, settings[i].optional, error);
        }
    }
    if (outcome == OK) {
        outcome = set(conf, "bootstrap.servers", plan->bootstrap_servers, false, error);
    }
    for (size_t i = 0; i < plan->own_count && outcome == OK; i++) {
        if (plan->own[i].value) {
            outcome = set(conf, plan->own[i].name, plan->own[i].value, false, error);
        }
    }
    for (size_t i = 0; i < plan->property_count && outcome == OK; i++) {
        const struct client_property *property = &plan->properties[i];
        outcome = set(conf, property->name, property->value, false, error);
        if (outcome != OK) {
            error_prefix(error, "%s", property->source);
        }
    }
    return outcome;
}

enum outcome handle_configure(rd_kafka_conf_t **conf, const struct handle_plan *plan,
                              struct error *error)
{
    rd_kafka_conf_t *made = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(made, on_log);
    enum outcome outcome = set_all(made, plan, error);
    if (outcome != OK) {
        rd_kafka_conf_destroy(made);
        return outcome;
    }
    *conf = made;
    return OK;
}

/* The producer's interceptor makes a failed configuration undestroyable on 2.0.2 (it crashes), and
 * one whose threads took too long to start (a loaded machine, a clock that jumped) is gone already:
 * both are leaked, and the process ends over it anyway. Only a refusal needs a person. */
enum outcome handle_open(rd_kafka_t **handle, const struct handle_plan *plan, rd_kafka_conf_t *conf,
                         struct error *error)
{
    char reason[512];
    rd_kafka_type_t type = plan->kind & PRODUCING ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
    rd_kafka_t *opened = rd_kafka_new(type, conf, reason, sizeof reason);
    if (!opened) {
        if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) {
            return fail_exit(error, EXIT_TRY_AGAIN,
                             "librdkafka cannot start its threads: %s; look at the machine's load "
                             "and limits",
                             reason);
        }
        if (plan->kind != HANDLE_PRODUCER) {
            rd_kafka_conf_destroy(conf);
        }
        return fail_exit(error, EXIT_CONFIG,
                         "librdkafka refuses its settings: %s; look at bootstrap.servers and every "
                         "librdkafka.* setting",
                         reason);
    }
    *handle = opened;
    return OK;
}

/* ---- waking a fetcher ---- */

/* Copies the setting's value into `value`; false when it has none. */
static bool setting_of(rd_kafka_t *handle, const char *name, char *value, size_t room)
{
    size_t size = room;
    return rd_kafka_conf_get(rd_kafka_conf(handle), name, value, &size) == RD_KAFKA_CONF_OK;
}

/* The broker threads look again at what there is to fetch. The one public call that does this and
 * nothing else is the one that sets the SASL credentials: they are set to what they are (or to
 * nothing, when no SASL is used). With Kerberos or OAuth it is left alone, and a full queue costs
 * its pause. */
void handle_wake(rd_kafka_t *handle)
{
    char protocol[32] = "", user[256] = "", password[256] = "";
    if (!setting_of(handle, "security.protocol", protocol, sizeof protocol)) {
        return;
    }
    bool sasl = strncmp(protocol, "sasl", 4) == 0;
    if (sasl && (!setting_of(handle, "sasl.username", user, sizeof user) ||
                 !setting_of(handle, "sasl.password", password, sizeof password))) {
        return;
    }
    rd_kafka_error_t *refused = rd_kafka_sasl_set_credentials(handle, user, password);
    if (refused) {
        rd_kafka_error_destroy(refused);
    }
}

/* Half of what stops the fetcher, taken since it was last woken: so the last wake-up of an emptying
 * queue comes when it is at most half full. */
void handle_taken(rd_kafka_t *handle, struct fetch_pace *pace, size_t records, size_t bytes)
{
    pace->records += records;
    pace->bytes += bytes;
    if (pace->records < QUEUE_RECORDS / 2 && pace->bytes < QUEUE_BYTES / 2) {
        return;
    }
    *pace = (struct fetch_pace){0};
    if (rd_kafka_version() < FETCH_QUEUE_BACKOFF_VERSION) {
        handle_wake(handle);
    }
}
