/* wire.h - a proxy between weir and the system tests' broker, which loses, holds back and repeats
 * chosen requests.
 *
 * A stray is what a network really does to a client that repeats itself: the request was forwarded,
 * its answer lost and the connection cut, so that the client sent it again; then its first copy
 * arrives once more, inside a later transaction.
 */
#ifndef WEIR_TEST_WIRE_H
#define WEIR_TEST_WIRE_H

#include "kafka/system.h"

enum wire_api {
    WIRE_PRODUCE = 0,
    WIRE_INIT = 22,
    WIRE_ADD_PARTITIONS = 24,
    WIRE_ADD_OFFSETS = 25,
    WIRE_END_TXN = 26,
    WIRE_OFFSETS = 28,
};

enum wire_trick {
    WIRE_REQUEST_LOST, /* and the connection cut */
    WIRE_REPLY_LOST,   /* and the connection cut */
    WIRE_REPLY_HELD,   /* for ever: the connection stays */
    WIRE_STRAY,
};

struct wire_plan {
    enum wire_trick trick;
    enum wire_api api;
    int nth; /* of the requests of this kind, from 1 */

    /* Of a stray: it arrives just before the request of this kind that follows after `skip` others,
     * `wait_ms` after that one was sent; then the client is killed, at once or when that request
     * was answered. */
    enum wire_api at;
    int skip, wait_ms;
    bool answer_first;
};

struct wire;

/* Closed with the case. */
struct wire *wire_open(struct system *system, const struct wire_plan *plan);
void wire_close(struct wire *wire); /* NULL is fine */

/* Who is killed after a stray. */
void wire_victim(struct wire *wire, pid_t pid);

/* Whether the plan was carried out. */
bool wire_is_done(struct wire *wire);

#endif
