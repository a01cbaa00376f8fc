/* wire_message.c - reads what the proxy has to know of a message, and corrects where the broker is.
 */
#include "kafka/wire_message.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "kafka/wire.h"

enum { HEADER = 12, METADATA = 3, FIND_COORDINATOR = 10 };

uint32_t wire_number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

size_t wire_message_size(const struct buffer *buffer)
{
    if (buffer->size < HEADER) {
        return 0;
    }
    size_t size = 4 + (size_t)wire_number(buffer->data);
    return buffer->size >= size ? size : 0;
}

int wire_message_api(const uint8_t *request)
{
    return request[4] << 8 | request[5];
}

/* How far from the end the code stands, where arrays with names come before it; 0: not known. */
static size_t code_from_end(int api, int version)
{
    switch (api) {
    case WIRE_PRODUCE: /* code, offset, two times, throttle time */
        return version >= 5 && version <= 7 ? 2 + 8 + 8 + 8 + 4 : 0;
    case WIRE_ADD_PARTITIONS:
        return version <= 2 ? 2 : 0;
    case WIRE_OFFSETS: /* in flexible versions tags end the partition, the topic and the answer */
        return version >= 3 ? 2 + 3 : 2;
    default:
        return 0;
    }
}

int wire_answer_code(const struct buffer *request, const struct buffer *answer)
{
    int api = wire_message_api(request->data), version = request->data[6] << 8 | request->data[7];
    size_t back = code_from_end(api, version);
    size_t at = api == WIRE_END_TXN || api == WIRE_ADD_OFFSETS ? HEADER : answer->size - back;
    return (back > 0 || at == HEADER) && at + 2 <= answer->size
               ? (int16_t)(answer->data[at] << 8 | answer->data[at + 1])
               : -1;
}

void wire_note_naming(struct wire_naming *naming, const uint8_t *request)
{
    int api = wire_message_api(request);
    if (api == METADATA || api == FIND_COORDINATOR) {
        naming->ids[naming->count++ % (sizeof naming->ids / sizeof *naming->ids)] =
            (int32_t)wire_number(request + 8);
    }
}

static bool is_naming(const struct wire_naming *naming, int32_t id)
{
    for (unsigned i = 0; i < naming->count && i < sizeof naming->ids / sizeof *naming->ids; i++) {
        if (naming->ids[i] == id) {
            return true;
        }
    }
    return false;
}

void wire_correct_names(const struct wire_naming *naming, uint8_t *answer, size_t size, int from,
                        int to)
{
    static const char host[] = "127.0.0.1";
    enum { HOST = sizeof host - 1, PORT = 4 };
    if (!is_naming(naming, (int32_t)wire_number(answer + 4))) {
        return;
    }
    for (size_t at = 8; at + HOST + PORT <= size; at++) {
        uint8_t *port = answer + at + HOST;
        if (memcmp(answer + at, host, HOST) == 0 && wire_number(port) == (uint32_t)from) {
            port[2] = (uint8_t)(to >> 8);
            port[3] = (uint8_t)to;
        }
    }
}
