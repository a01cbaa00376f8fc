/* wire_message.h - the few bytes of Kafka's protocol that the proxy has to know.
 *
 * A message is its size, then for a request: key, version, correlation id; for an answer: the
 * correlation id. What stands behind is known for the versions that librdkafka 2.0.2 speaks.
 */
#ifndef WEIR_TEST_WIRE_MESSAGE_H
#define WEIR_TEST_WIRE_MESSAGE_H

#include <stdint.h>

#include "base/buffer.h"

uint32_t wire_number(const uint8_t *at);

/* The size of the first whole message in the buffer; 0: it is not all there. */
size_t wire_message_size(const struct buffer *buffer);
int wire_message_api(const uint8_t *request);

/* The error code in the answer to a transactional request for one partition; -1: not known. */
int wire_answer_code(const struct buffer *request, const struct buffer *answer);

/* Requests whose answers tell a client where the broker is: Metadata, FindCoordinator. */
struct wire_naming {
    int32_t ids[8];
    unsigned count;
};

void wire_note_naming(struct wire_naming *naming, const uint8_t *request);

/* In such an answer 127.0.0.1:`from` becomes 127.0.0.1:`to`. */
void wire_correct_names(const struct wire_naming *naming, uint8_t *answer, size_t size, int from,
                        int to);

#endif
