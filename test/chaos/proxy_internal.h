/* proxy_internal.h - shared by proxy.c (connections), proxy_request.c (what a request says) and
 * proxy_tricks.c (orders).
 */
#ifndef WEIR_TEST_CHAOS_PROXY_INTERNAL_H
#define WEIR_TEST_CHAOS_PROXY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "chaos/proxy.h"

enum {
    LINKS_MAX = 1024,
    CHUNK = 256 * 1024,
    HEADER = 12,
    STEP_MS = 5,
    EVENTS = 256,
    TRICKS_MAX = 48,
    REPORTS_MAX = 256,
};

static inline uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- a request ---- */

struct request {
    const uint8_t *data;
    size_t size;
    int key, version;
    int32_t correlation;
    char client[PROXY_WORD], task[PROXY_WORD]; /* "" when it names none */
};

void request_read(struct request *request, const uint8_t *data, size_t size);
/* APIS: none of a transaction's. */
enum api request_api(const struct request *request);
/* The error code where the simple answers (24's excepted) have it; -1: not there. */
int answer_code(const uint8_t *answer, size_t size);

/* ---- connections ---- */

struct link;

struct end {
    int fd;
    struct link *link;
    struct buffer in, out;
    size_t sent; /* of out */
    bool wants_out;
};

enum link_state { LINK_FREE, LINK_CLIENT, LINK_SIDE, LINK_CLOSED };

struct link {
    enum link_state state;
    struct end client, broker;
    char id[PROXY_WORD];      /* of the client */
    bool held, answer_held;   /* the first message waits for a trick */
    int64_t delayed_until_ms; /* the first request waits for nothing but the time; 0: it does not */
    bool delay_over;
    int64_t close_at_ms; /* 0: never */
    struct trick *trick; /* whose answer is marked */
    int32_t marked;
    struct trick *side_of; /* LINK_SIDE: whose copy went out here */
    int64_t opened_ms;
};

enum stage {
    TRICK_NONE,
    TRICK_WAITS,  /* for a request that fits */
    TRICK_ANSWER, /* its answer is awaited */
    TRICK_ARMED,  /* LATE: the copy is in hand, the client's own transaction goes on */
    TRICK_ENDED,  /* ... has ended, in one way or another */
    TRICK_NEXT,   /* ... the next one has begun */
    TRICK_HOLDS,  /* ... and the request that it comes before is held */
    TRICK_SIDE,   /* the copy is on its way */
    TRICK_KILLS,  /* LATE: the answer to the held request is awaited, then the client is killed */
    TRICK_DELAYS, /* DELAY: it is on */
};

struct trick {
    enum stage stage;
    struct proxy_order order;
    enum api api;
    char client[PROXY_WORD], task[PROXY_WORD];
    int64_t ends_ms; /* then it lapses */
    int64_t due_ms;  /* of TRICK_HOLDS */
    int skip;
    int answer;
    bool reported;
    struct link *link; /* that waits, or whose answer is awaited */
    struct buffer copy;
};

struct proxy {
    int broker_port, epoll;
    struct end listener;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all that follows */
    atomic_bool stop;
    struct link links[LINKS_MAX];
    size_t used;
    struct trick tricks[TRICKS_MAX];
    struct proxy_report reports[REPORTS_MAX];
    size_t report_count;
    bool (*kill_client)(void *context, const char *id);
    void *context;
};

/* client -1: a connection for a copy. NULL: the broker is not there. */
struct link *link_open(struct proxy *proxy, int client);
void link_close(struct proxy *proxy, struct link *link);
/* Goes on where it was held. */
void link_resume(struct proxy *proxy, struct link *link);
void link_resume_answers(struct proxy *proxy, struct link *link);
bool end_write(struct proxy *proxy, struct end *end, const uint8_t *data, size_t size);

/* ---- tricks ---- */

enum request_fate { REQUEST_PASSES, REQUEST_WAITS, LINK_GONE };
enum answer_fate { ANSWER_PASSES, ANSWER_LOST, ANSWER_WAITS, ANSWER_LINK_GONE };

bool trick_begin(struct proxy *proxy, const struct proxy_order *order);
enum request_fate trick_request(struct proxy *proxy, struct link *link,
                                const struct request *request);
enum answer_fate trick_answer(struct proxy *proxy, struct link *link, const uint8_t *answer,
                              size_t size);
/* A copy was answered; -1: or nobody knows. */
void trick_side_ended(struct proxy *proxy, struct link *side, int code);
/* What is due. */
void tricks_step(struct proxy *proxy);
void tricks_forget(struct proxy *proxy);

#endif
