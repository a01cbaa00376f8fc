/* proxy_request.c - the few bytes of Kafka's protocol that say who asks for what.
 *
 * Header: size, key, version, correlation id, client id; in flexible versions tagged fields follow,
 * and texts in the body begin with their length + 1 as a varint.
 */
#include <stdio.h>
#include <string.h>

#include "chaos/proxy_internal.h"

struct reading {
    const uint8_t *at, *end;
};

static int take_16(struct reading *reading)
{
    if (reading->end - reading->at < 2) {
        return -1;
    }
    int value = (int16_t)(reading->at[0] << 8 | reading->at[1]);
    reading->at += 2;
    return value;
}

static int take_varint(struct reading *reading)
{
    int value = 0;
    for (int shift = 0; reading->at < reading->end && shift < 28; shift += 7) {
        uint8_t byte = *reading->at++;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    return 0;
}

static void take_text(struct reading *reading, bool flexible, char text[PROXY_WORD])
{
    int length = flexible ? take_varint(reading) - 1 : take_16(reading);
    text[0] = 0;
    if (length <= 0 || length > reading->end - reading->at) {
        return;
    }
    snprintf(text, PROXY_WORD, "%.*s", length, (const char *)reading->at);
    reading->at += length;
}

/* The first flexible version of each request that names a transactional id; -1: it names none. */
static int flexible_from(int key)
{
    switch (key) {
    case 0:
        return 9;
    case 22:
        return 2;
    case 24:
    case 25:
    case 26:
    case 28:
        return 3;
    default:
        return -1;
    }
}

void request_read(struct request *request, const uint8_t *data, size_t size)
{
    struct reading reading = {data + 4, data + size};
    *request = (struct request){.data = data, .size = size};
    request->key = take_16(&reading);
    request->version = take_16(&reading);
    request->correlation = (int32_t)number_at(data + 8);
    reading.at += 4;
    take_text(&reading, false, request->client);
    int flexible = flexible_from(request->key);
    if (flexible >= 0) {
        bool is_flexible = request->version >= flexible;
        if (is_flexible) {
            (void)take_varint(&reading); /* no tagged fields, in what librdkafka sends */
        }
        take_text(&reading, is_flexible, request->task);
    }
}

enum api request_api(const struct request *request)
{
    for (int api = 0; api < APIS; api++) {
        if (apis[api].key == request->key && request->task[0]) {
            return (enum api)api;
        }
    }
    return ANY_API;
}

int answer_code(const uint8_t *answer, size_t size)
{
    return size >= 14 ? (int16_t)(answer[12] << 8 | answer[13]) : -1;
}
