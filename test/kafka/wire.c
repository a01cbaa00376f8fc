/* wire.c - the proxy: one thread, one poll loop, whole requests and whole answers. */
#include "kafka/wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "kafka/wire_message.h"

enum { LINKS_MAX = 64, CHUNK = 256 * 1024, STEP_MS = 5, ANSWER_LIMIT_S = 5 };

/* What becomes of the answer to the request with the link's marked correlation id. */
enum fate { PASS, DROP, CUT, KILL };

struct link {
    int client, broker; /* -1: free */
    struct buffer up, down;
    enum fate fate;
    int32_t marked;
    struct wire_naming naming; /* requests whose answers name the broker's port */
    int64_t paused_until;      /* a request waits for the stray; 0: none */
};

struct wire {
    int listener, port, broker_port;
    pthread_t thread;
    atomic_bool stop, done;
    atomic_int victim;
    pthread_mutex_t mutex; /* of all that follows */
    struct wire_plan plan;
    int seen, skipped;
    bool armed;          /* the stray is in hand */
    struct buffer stray; /* or what was kept */
    struct link links[LINKS_MAX];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- sockets ---- */

static struct sockaddr_in address(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to_broker(const struct wire *wire)
{
    struct sockaddr_in to = address(wire->broker_port);
    int one = 1, broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(broker, (struct sockaddr *)&to, sizeof to) != 0) {
        close(broker);
        return -1;
    }
    setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return broker;
}

static bool write_all(int to, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = send(to, data, size, MSG_NOSIGNAL);
        if (written <= 0) {
            return false;
        }
        data += written;
        size -= (size_t)written;
    }
    return true;
}

static bool read_some(int from, struct buffer *into)
{
    ssize_t got = recv(from, buffer_reserve(into, CHUNK), CHUNK, 0);
    into->size += got > 0 ? (size_t)got : 0;
    return got > 0;
}

static void take_away(struct buffer *buffer, size_t size)
{
    memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
}

static void link_close(struct link *link)
{
    close(link->client);
    close(link->broker);
    buffer_release(&link->up);
    buffer_release(&link->down);
    *link = (struct link){.client = -1, .broker = -1};
}

static void accept_link(struct wire *wire)
{
    int one = 1, client = accept(wire->listener, NULL, NULL);
    int broker = client >= 0 ? connect_to_broker(wire) : -1;
    for (int i = 0; i < LINKS_MAX && broker >= 0; i++) {
        if (wire->links[i].client < 0) {
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            wire->links[i] = (struct link){.client = client, .broker = broker};
            return;
        }
    }
    if (client >= 0) {
        close(client);
    }
    if (broker >= 0) {
        close(broker);
    }
}

/* ---- tricks ---- */

static void kill_victim(struct wire *wire)
{
    if (atomic_load(&wire->victim) > 0) {
        kill(atomic_load(&wire->victim), SIGKILL);
    }
    atomic_store(&wire->done, true);
}

/* On a connection of its own; returns when the broker has answered, with the code that it gave. */
static int deliver(const struct wire *wire, const struct buffer *request)
{
    struct timeval limit = {.tv_sec = ANSWER_LIMIT_S};
    struct buffer answer = {0};
    int broker = connect_to_broker(wire), code = -1;
    if (broker >= 0 && write_all(broker, request->data, request->size)) {
        setsockopt(broker, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        while (wire_message_size(&answer) == 0 && read_some(broker, &answer)) {}
        code = wire_message_size(&answer) > 0 ? wire_answer_code(request, &answer) : -1;
    }
    if (broker >= 0) {
        close(broker);
    }
    buffer_release(&answer);
    return code;
}

static void deliver_stray(struct wire *wire)
{
    (void)deliver(wire, &wire->stray);
    wire->armed = false;
}

/* Whether the stray is to arrive before this request. */
static bool is_its_moment(struct wire *wire, int api)
{
    return wire->armed && api == (int)wire->plan.at && wire->skipped++ == wire->plan.skip;
}

/* What becomes of the request that the plan is about. */
enum passage { FORWARD, SWALLOW, GONE };

static enum passage play_trick(struct wire *wire, struct link *link, const uint8_t *request,
                               size_t size)
{
    link->marked = (int32_t)wire_number(request + 8);
    if (wire->plan.keep || wire->plan.trick == WIRE_STRAY) {
        buffer_reset(&wire->stray);
        buffer_add(&wire->stray, request, size);
    }
    atomic_store(&wire->done, wire->plan.trick != WIRE_STRAY);
    switch (wire->plan.trick) {
    case WIRE_REQUEST_LOST:
        link_close(link);
        return GONE;
    case WIRE_REQUEST_HELD:
        return SWALLOW;
    case WIRE_REPLY_LOST:
        link->fate = CUT;
        break;
    case WIRE_REPLY_HELD:
        link->fate = DROP;
        break;
    case WIRE_STRAY:
        wire->armed = true;
        link->fate = CUT;
        break;
    case WIRE_NOTHING:
        break;
    }
    return FORWARD;
}

static bool is_planned(struct wire *wire, int api)
{
    return api == (int)wire->plan.api && (++wire->seen == wire->plan.nth || wire->plan.nth == 0);
}

/* Forwards the requests that are all there. false: the link is gone. */
static bool forward_requests(struct wire *wire, struct link *link)
{
    size_t size;
    while (link->paused_until == 0 && (size = wire_message_size(&link->up)) > 0) {
        const uint8_t *request = link->up.data;
        int api = wire_message_api(request);
        if (is_its_moment(wire, api)) {
            link->paused_until = now_ms() + wire->plan.wait_ms;
            return true;
        }
        enum passage passage =
            is_planned(wire, api) ? play_trick(wire, link, request, size) : FORWARD;
        if (passage == GONE) {
            return false;
        }
        wire_note_naming(&link->naming, request);
        if (passage == FORWARD && !write_all(link->broker, request, size)) {
            link_close(link);
            return false;
        }
        take_away(&link->up, size);
    }
    return true;
}

/* The wait before the stray is over. */
static bool resume(struct wire *wire, struct link *link)
{
    link->paused_until = 0;
    deliver_stray(wire);
    if (!wire->plan.answer_first) {
        kill_victim(wire);
    } else {
        link->marked = (int32_t)wire_number(link->up.data + 8);
        link->fate = KILL;
    }
    return forward_requests(wire, link);
}

static void forward_answers(struct wire *wire, struct link *link)
{
    size_t size;
    while ((size = wire_message_size(&link->down)) > 0) {
        enum fate fate =
            (int32_t)wire_number(link->down.data + 4) == link->marked ? link->fate : PASS;
        wire_correct_names(&link->naming, link->down.data, size, wire->broker_port, wire->port);
        link->fate = fate == PASS ? link->fate : PASS;
        if (fate == KILL) {
            kill_victim(wire);
        }
        if (fate == CUT || (fate == PASS && !write_all(link->client, link->down.data, size))) {
            link_close(link);
            return;
        }
        take_away(&link->down, size);
    }
}

/* ---- the loop ---- */

static void serve(struct wire *wire, struct link *link, short client_events, short broker_events)
{
    if (client_events && !read_some(link->client, &link->up)) {
        link_close(link);
        return;
    }
    if (link->paused_until > 0 && now_ms() >= link->paused_until) {
        if (!resume(wire, link)) {
            return;
        }
    } else if (client_events && !forward_requests(wire, link)) {
        return;
    }
    if (broker_events && !read_some(link->broker, &link->down)) {
        link_close(link);
        return;
    }
    if (broker_events) {
        forward_answers(wire, link);
    }
}

static void *loop(void *context)
{
    struct wire *wire = context;
    while (!atomic_load(&wire->stop)) {
        struct pollfd polled[1 + 2 * LINKS_MAX] = {{.fd = wire->listener, .events = POLLIN}};
        for (int i = 0; i < LINKS_MAX; i++) {
            polled[1 + 2 * i] = (struct pollfd){.fd = wire->links[i].client, .events = POLLIN};
            polled[2 + 2 * i] = (struct pollfd){.fd = wire->links[i].broker, .events = POLLIN};
        }
        poll(polled, 1 + 2 * LINKS_MAX, STEP_MS);
        pthread_mutex_lock(&wire->mutex);
        for (int i = 0; i < LINKS_MAX; i++) {
            if (wire->links[i].client >= 0) {
                serve(wire, &wire->links[i], polled[1 + 2 * i].revents, polled[2 + 2 * i].revents);
            }
        }
        if (polled[0].revents) {
            accept_link(wire);
        }
        pthread_mutex_unlock(&wire->mutex);
    }
    return NULL;
}

struct wire *wire_open(int port, int broker_port, const struct wire_plan *plan)
{
    struct wire *wire = xcalloc(1, sizeof *wire);
    struct sockaddr_in here = address(port);
    socklen_t size = sizeof here;
    int one = 1;
    wire->plan = plan ? *plan : (struct wire_plan){.trick = WIRE_NOTHING};
    wire->broker_port = broker_port;
    for (int i = 0; i < LINKS_MAX; i++) {
        wire->links[i] = (struct link){.client = -1, .broker = -1};
    }
    wire->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(wire->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    CHECK_EQUAL(bind(wire->listener, (struct sockaddr *)&here, sizeof here), 0);
    CHECK_EQUAL(listen(wire->listener, LINKS_MAX), 0);
    CHECK_EQUAL(getsockname(wire->listener, (struct sockaddr *)&here, &size), 0);
    wire->port = ntohs(here.sin_port);
    pthread_mutex_init(&wire->mutex, NULL);
    CHECK_EQUAL(pthread_create(&wire->thread, NULL, loop, wire), 0);
    return wire;
}

void wire_close(struct wire *wire)
{
    if (!wire) {
        return;
    }
    atomic_store(&wire->stop, true);
    pthread_join(wire->thread, NULL);
    for (int i = 0; i < LINKS_MAX; i++) {
        if (wire->links[i].client >= 0) {
            link_close(&wire->links[i]);
        }
    }
    close(wire->listener);
    pthread_mutex_destroy(&wire->mutex);
    buffer_release(&wire->stray);
    free(wire);
}

int wire_port(const struct wire *wire)
{
    return wire->port;
}

void wire_order(struct wire *wire, const struct wire_plan *plan)
{
    pthread_mutex_lock(&wire->mutex);
    wire->plan = *plan;
    wire->seen = wire->skipped = 0;
    wire->armed = false;
    buffer_reset(&wire->stray);
    atomic_store(&wire->done, false);
    pthread_mutex_unlock(&wire->mutex);
}

void wire_victim(struct wire *wire, pid_t pid)
{
    atomic_store(&wire->victim, pid);
}

bool wire_is_done(struct wire *wire)
{
    return atomic_load(&wire->done);
}

int wire_arrive(struct wire *wire)
{
    struct buffer copy = {0};
    pthread_mutex_lock(&wire->mutex);
    buffer_add(&copy, wire->stray.data, wire->stray.size);
    buffer_reset(&wire->stray);
    pthread_mutex_unlock(&wire->mutex);
    int code = copy.size > 0 ? deliver(wire, &copy) : -1;
    buffer_release(&copy);
    return code;
}
