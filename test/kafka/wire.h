/* wire.h - a proxy between librdkafka and a real broker, which loses, holds back and repeats chosen
 * requests.
 *
 * A broker that tells its clients to come to its own port is corrected on the way: they come here.
 *
 * A stray is what a network really does to a client that repeats itself: the request was forwarded,
 * its answer lost and the connection cut, so that the client sent it again; then its first copy
 * arrives once more, inside a later transaction.
 */
#ifndef WEIR_TEST_WIRE_H
#define WEIR_TEST_WIRE_H

#include <stdbool.h>
#include <sys/types.h>

enum wire_api {
    WIRE_PRODUCE = 0,
    WIRE_HEARTBEAT = 12,
    WIRE_INIT = 22,
    WIRE_ADD_PARTITIONS = 24,
    WIRE_ADD_OFFSETS = 25,
    WIRE_END_TXN = 26,
    WIRE_OFFSETS = 28,
};

enum wire_trick {
    WIRE_REQUEST_LOST, /* and the connection cut */
    WIRE_REPLY_LOST,   /* and the connection cut */
    WIRE_REQUEST_HELD, /* for ever: the connection stays */
    WIRE_REPLY_HELD,   /* the same of the answer */
    WIRE_STRAY,
    WIRE_NOTHING,
};

struct wire_plan {
    enum wire_trick trick;
    enum wire_api api;
    int nth;   /* of the requests of this kind, from 1; 0: every one */
    bool keep; /* a copy of it, for wire_arrive() */

    /* Of a stray: it arrives just before the request of this kind that follows after `skip` others,
     * `wait_ms` after that one was sent; then the client is killed, at once or when that request
     * was answered. */
    enum wire_api at;
    int skip, wait_ms;
    bool answer_first;
};

struct wire;

/* Listens on `port` (0: any) of the loopback for what goes to `broker_port`. plan NULL: none yet.
 */
struct wire *wire_open(int port, int broker_port, const struct wire_plan *plan);
void wire_close(struct wire *wire); /* NULL is fine */
int wire_port(const struct wire *wire);

/* The plan from now on, instead of the last one; what was kept is forgotten. */
void wire_order(struct wire *wire, const struct wire_plan *plan);

/* Who is killed after a stray. */
void wire_victim(struct wire *wire, pid_t pid);

/* Whether the plan was carried out. */
bool wire_is_done(struct wire *wire);

/* What was kept comes to the broker, on a connection of its own. Kafka's error code in its answer;
 * -1: nothing was kept, or there is no answer. */
int wire_arrive(struct wire *wire);

#endif
