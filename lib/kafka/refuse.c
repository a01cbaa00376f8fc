/* refuse.c - which of librdkafka's settings a user may not give, and what to do instead; which
 * versions are known to be bad. */
#include <stdio.h>
#include <string.h>

#include "kafka/admin.h"
#include "kafka/internal.h"

/* `allowed`: values that change nothing, separated by '|'. A name that ends with a dot stands for
 * all that begin so. */
static const struct {
    const char *name, *allowed, *why;
} refused[] = {
    {"bootstrap.servers", NULL, "set bootstrap.servers"},
    {"metadata.broker.list", NULL, "set bootstrap.servers"},
    {"group.id", NULL, "the group is the application's id: set application.id"},
    {"group.instance.id", NULL, "give it with --instance"},
    {"group.protocol", "classic",
     "weir needs the classic protocol with the range assignor; leave it out"},
    {"group.protocol.type", "consumer", "leave it out"},
    {"group.remote.assignor", NULL,
     "weir needs the classic protocol with the range assignor; leave it out"},
    {"partition.assignment.strategy", "range",
     "partitions of one number must stay together, which only range does; leave it out"},
    {"session.timeout.ms", NULL, "set session.timeout_ms"},
    {"transactional.id", NULL,
     "each task has its own, made of application.id and the partition; leave it out"},
    {"transaction.timeout.ms", NULL, "set transaction.timeout_ms"},

    {"enable.auto.commit", "false", "offsets are committed inside transactions only; leave it out"},
    {"auto.commit.enable", "false", "offsets are committed inside transactions only; leave it out"},
    {"auto.commit.interval.ms", NULL,
     "offsets are committed inside transactions only; leave it out"},
    {"enable.auto.offset.store", "false",
     "offsets are committed inside transactions only; leave it out"},
    {"offset.store.method", "broker",
     "offsets are committed inside transactions only; leave it out"},
    {"offset.store.path", NULL, "offsets are committed inside transactions only; leave it out"},
    {"offset.store.sync.interval.ms", NULL,
     "offsets are committed inside transactions only; leave it out"},
    {"isolation.level", "read_committed", "aborted records would be handled; leave it out"},
    {"auto.offset.reset", "error|none",
     "weir never guesses an offset: see `weir doctor`, `weir reset` and `weir offsets adopt`; "
     "leave it out"},
    {"enable.partition.eof", "true", "weir needs the events; leave it out"},
    {"allow.auto.create.topics", "false", "`weir topics apply` creates topics; leave it out"},
    {"consume.callback.max.messages", NULL, "weir takes records itself; leave it out"},
    {"client.rack", NULL,
     "reading from followers can loop in librdkafka before 2.6.1; leave it out"},

    {"acks", "all|-1", "an acknowledged record could be lost; leave it out"},
    {"request.required.acks", "all|-1", "an acknowledged record could be lost; leave it out"},
    {"enable.idempotence", "true", "records could come twice; leave it out"},
    {"enable.gapless.guarantee", NULL,
     "it makes the producer die where a transaction would abort; leave it out"},
    {"message.send.max.retries", NULL,
     "a transaction ends by its time-out, not by counting; leave it out"},
    {"retries", NULL, "a transaction ends by its time-out, not by counting; leave it out"},
    {"max.in.flight", NULL, "the order of records depends on it; leave it out"},
    {"max.in.flight.requests.per.connection", NULL,
     "the order of records depends on it; leave it out"},
    {"message.timeout.ms", NULL, "it follows transaction.timeout_ms; leave it out"},
    {"delivery.timeout.ms", NULL, "it follows transaction.timeout_ms; leave it out"},
    {"partitioner", "murmur2|murmur2_random",
     "keys must go where the Java client puts them; leave it out"},
    {"queuing.strategy", "fifo", "the order of records depends on it; leave it out"},
    {"delivery.report.only.error", "false", "weir needs the reports; leave it out"},
    {"produce.offset.report", "true", "weir needs the reports; leave it out"},
    {"log.queue", "false", "weir logs through its own log; leave it out"},

    {"plugin.library.paths", NULL, "it loads code into the process; leave it out"},
    {"ssl.engine.location", NULL, "it loads code into the process; leave it out"},
    {"ssl.engine.id", NULL, "it loads code into the process; leave it out"},
    {"ssl.providers", NULL, "it loads code into the process; leave it out"},
    {"sasl.kerberos.kinit.cmd", NULL,
     "it runs a command; renew the ticket outside and leave it out"},
    {"test.", NULL, "a mock broker keeps no promise; weir's tests have their own"},
};

static bool matches(const char *entry, const char *name)
{
    size_t length = strlen(entry);
    return entry[length - 1] == '.' ? strncmp(name, entry, length) == 0 : strcmp(name, entry) == 0;
}

/* Whether `value` is one of the words of `list`, which '|' separates. */
static bool listed(const char *list, const char *value)
{
    size_t length = strlen(value);
    while (list) {
        const char *end = strchr(list, '|');
        size_t word = end ? (size_t)(end - list) : strlen(list);
        if (word == length && memcmp(list, value, word) == 0) {
            return true;
        }
        list = end ? end + 1 : NULL;
    }
    return false;
}

static enum outcome check_refused(const struct client_property *property, struct error *error)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (matches(refused[i].name, property->name) &&
            !listed(refused[i].allowed, property->value)) {
            return fail_exit(error, EXIT_CONFIG, "%s: librdkafka.%s is refused: %s",
                             property->source, property->name, refused[i].why);
        }
    }
    return OK;
}

enum outcome client_check_properties(const struct client_property *properties, size_t count,
                                     struct error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome == OK; i++) {
        const struct client_property *property = &properties[i];
        outcome = check_refused(property, error);
        if (outcome != OK) {
            break;
        }
        char reason[512];
        rd_kafka_conf_res_t result =
            rd_kafka_conf_set(conf, property->name, property->value, reason, sizeof reason);
        if (result == RD_KAFKA_CONF_UNKNOWN) {
            outcome = fail_exit(error, EXIT_CONFIG,
                                "%s: %s has no setting %s: correct the name or leave it out",
                                property->source, client_library(), property->name);
        } else if (result != RD_KAFKA_CONF_OK) {
            outcome = fail_exit(error, EXIT_CONFIG, "%s: librdkafka.%s: %s", property->source,
                                property->name, reason);
        }
    }
    rd_kafka_conf_destroy(conf);
    return outcome;
}

const char *client_library(void)
{
    static char text[64];
    snprintf(text, sizeof text, "librdkafka %s", rd_kafka_version_str());
    return text;
}

/* Versions are 0xMMmmrrff. */
static const struct {
    int from, below;
    const char *warning;
} known_bad[] = {
    {0, 0x02000200, "older than 2.0.2, which weir was tried with: install a newer one"},
    {0x02020000, 0x02050000,
     "may fail with \"Unable to reconstruct MessageSet\" (issue 4736): use 2.5.3 or newer"},
    {0x02050000, 0x02050300,
     "may stop on an assertion of its telemetry (issue 4826): use 2.5.3 or newer"},
    {0x020a0000, 0x020a0100,
     "uses freed metadata and may loop in a rebootstrap (issues 5066, 5088): use 2.10.1"},
};

const char *client_library_warning(void)
{
    int version = rd_kafka_version();
    for (size_t i = 0; i < sizeof known_bad / sizeof known_bad[0]; i++) {
        if (version >= known_bad[i].from && version < known_bad[i].below) {
            return known_bad[i].warning;
        }
    }
    return NULL;
}
