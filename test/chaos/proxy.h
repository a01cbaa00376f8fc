/* proxy.h - a proxy between the processes and the broker, which on order loses, holds back, cuts
 * and repeats what goes through it.
 *
 * The broker has a listener that tells its clients to come here, so nothing that goes through has
 * to be rewritten. A client is known by its client id, a task by its transactional id; both are
 * read from the requests themselves. An order waits for the first request that fits it, for a
 * limited time; what was carried out is reported.
 *
 * Late is what a network really does to a client that repeats itself (see kafka/wire.h): the
 * request was forwarded, its answer lost and the connection cut, so that the client sent it again;
 * then its first copy arrives once more, inside a later transaction of the same task.
 */
#ifndef WEIR_TEST_CHAOS_PROXY_H
#define WEIR_TEST_CHAOS_PROXY_H

#include "chaos/chaos.h"

enum { PROXY_WORD = 96 };

/* After a late request came in. */
enum then {
    THEN_NOTHING,
    THEN_KILL,        /* the client, at once */
    THEN_KILL_ANSWER, /* the client, when the request that it came before was answered */
};

struct proxy_order {
    enum kind kind;          /* DELAY, CUT, DROP_REPLY, LATE, DUPLICATE */
    enum api api;            /* ANY_API: any request of any kind */
    char client[PROXY_WORD]; /* its id begins with this; "": anyone's */
    int64_t for_ms;          /* DELAY: how long; else how long the order stands */
    int delay_ms;            /* DELAY: each request; DROP_REPLY: before the cut; LATE: see at */
    uint64_t cut;            /* CUT: after so many bytes, modulo the size */
    bool of_answer;          /* CUT: of the answer, not of the request */
    bool lose_answer;        /* DUPLICATE: and cut the connection */
    enum api at;             /* LATE: before this request, `delay_ms` after it was sent ... */
    int skip;                /* ... in this many transactions later than the next */
    enum then then;
};

/* Something that was carried out. */
struct proxy_report {
    enum kind kind;
    enum api api;
    char client[PROXY_WORD], task[PROXY_WORD]; /* task: transactional id, "" when not known */
    int answer;                                /* LATE: the broker's error code; -1: not known */
    bool killed;
};

struct proxy;

/* Listens on `port`, passes on to `broker_port`, both on the loopback. `kill_client` is called from
 * the proxy's thread. */
struct proxy *proxy_open(int port, int broker_port,
                         bool (*kill_client)(void *context, const char *id), void *context);
void proxy_close(struct proxy *proxy); /* NULL is fine */

/* false: too many stand already. */
bool proxy_order(struct proxy *proxy, const struct proxy_order *order);
/* Forgets all orders and delays. */
void proxy_calm(struct proxy *proxy);
/* The next report, if there is one. */
bool proxy_report(struct proxy *proxy, struct proxy_report *report);

#endif
