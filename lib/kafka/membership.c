/* membership.c - who this consumer is in its group, for the fence of a transaction.
 *
 * librdkafka joins in the background, so a generation may be there before its assignment was
 * served: it counts from then on. The broker refuses offsets by member and generation, but accepts
 * a negative generation with an empty member (and any negative generation once the group is empty):
 * so a member without both sends none.
 */
#include <inttypes.h>
#include <string.h>

#include "kafka/internal.h"

/* Reads "CGMDv2:", int32 generation (of this machine's byte order), group, NUL, member, NUL: what
 * librdkafka writes, and the only way to see them before 2.8.0. */
static bool parse(const char *text, size_t size, int32_t *generation, const char **member)
{
    static const char magic[] = "CGMDv2:";
    size_t at = sizeof magic - 1;
    if (size < at + sizeof *generation || memcmp(text, magic, at) != 0) {
        return false;
    }
    memcpy(generation, text + at, sizeof *generation);
    at += sizeof *generation;
    const char *end = memchr(text + at, 0, size - at);
    if (!end) {
        return false;
    }
    at = (size_t)(end - text) + 1;
    *member = text + at;
    return at < size && memchr(text + at, 0, size - at);
}

static bool is_current(const rd_kafka_consumer_group_metadata_t *metadata)
{
    void *text;
    size_t size;
    rd_kafka_error_t *refused = rd_kafka_consumer_group_metadata_write(metadata, &text, &size);
    if (refused) {
        rd_kafka_error_destroy(refused);
        return false;
    }
    int32_t generation;
    const char *member;
    bool current = parse(text, size, &generation, &member) && generation >= 0 && member[0] != '\0';
    rd_kafka_mem_free(NULL, text);
    return current;
}

enum outcome membership_take(const struct client *client,
                             rd_kafka_consumer_group_metadata_t **metadata, struct error *error)
{
    if (!client->instance_id) {
        *metadata = rd_kafka_consumer_group_metadata_new(client->application_id);
        return OK;
    }
    char reason[200];
    if (rd_kafka_fatal_error(client->consumer, reason, sizeof reason)) {
        return fail(error, RETRY, "instance %s of group %s cannot go on: %s", client->instance_id,
                    client->application_id, reason);
    }
    rd_kafka_consumer_group_metadata_t *taken = rd_kafka_consumer_group_metadata(client->consumer);
    if (!taken || client->input_count == 0 || !is_current(taken) ||
        rd_kafka_assignment_lost(client->consumer)) {
        if (taken) {
            rd_kafka_consumer_group_metadata_destroy(taken);
        }
        return fail(error, RETRY,
                    "instance %s is not a current member of group %s: it must join again",
                    client->instance_id, client->application_id);
    }
    *metadata = taken;
    return OK;
}
