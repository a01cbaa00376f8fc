/* proxy.c - one thread, one epoll loop, whole requests and whole answers, nothing that blocks: a
 * process or broker that is stopped stops nobody else.
 */
#include "chaos/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "chaos/proxy_internal.h"

/* ---- sockets ---- */

static struct sockaddr_in address(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to_broker(const struct proxy *proxy)
{
    struct sockaddr_in to = address(proxy->broker_port);
    int one = 1, broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(broker >= 0);
    if (connect(broker, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        close(broker);
        return -1;
    }
    setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return broker;
}

static void listen_to(struct proxy *proxy, struct end *end, int operation)
{
    bool more = end->out.size > end->sent;
    struct epoll_event event = {.events = EPOLLIN | (more ? EPOLLOUT : 0U), .data.ptr = end};
    CHECK_EQUAL(epoll_ctl(proxy->epoll, operation, end->fd, &event), 0);
    end->wants_out = more;
}

static void end_open(struct proxy *proxy, struct link *link, struct end *end, int fd)
{
    end->fd = fd;
    end->link = link;
    listen_to(proxy, end, EPOLL_CTL_ADD);
}

static void end_close(struct end *end)
{
    if (end->fd >= 0) {
        close(end->fd);
    }
    buffer_release(&end->in);
    buffer_release(&end->out);
    *end = (struct end){.fd = -1};
}

struct link *link_open(struct proxy *proxy, int client)
{
    int broker = connect_to_broker(proxy);
    if (broker < 0) {
        return NULL;
    }
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &proxy->links[i];
        if (link->state == LINK_FREE) {
            *link = (struct link){.state = client >= 0 ? LINK_CLIENT : LINK_SIDE,
                                  .client = {.fd = -1},
                                  .broker = {.fd = -1}};
            if (client >= 0) {
                end_open(proxy, link, &link->client, client);
            }
            end_open(proxy, link, &link->broker, broker);
            proxy->used = i + 1 > proxy->used ? i + 1 : proxy->used;
            return link;
        }
    }
    close(broker);
    return NULL;
}

/* Its place is free again after this round: events for it may still be at hand. */
void link_close(struct proxy *proxy, struct link *link)
{
    if (link->state == LINK_SIDE) {
        trick_side_ended(proxy, link, -1);
    }
    end_close(&link->client);
    end_close(&link->broker);
    link->state = LINK_CLOSED;
}

/* Sends what can be sent. false: the connection is gone. */
static bool flush_out(struct proxy *proxy, struct end *end)
{
    while (end->sent < end->out.size) {
        ssize_t sent = send(end->fd, end->out.data + end->sent, end->out.size - end->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            break;
        }
        if (sent <= 0) {
            return false;
        }
        end->sent += (size_t)sent;
    }
    if (end->sent == end->out.size) {
        buffer_reset(&end->out);
        end->sent = 0;
    }
    if ((end->out.size > end->sent) != end->wants_out) {
        listen_to(proxy, end, EPOLL_CTL_MOD);
    }
    return true;
}

bool end_write(struct proxy *proxy, struct end *end, const uint8_t *data, size_t size)
{
    buffer_add(&end->out, data, size);
    return flush_out(proxy, end);
}

/* false: the other side has closed. */
static bool read_all(struct end *end)
{
    for (;;) {
        ssize_t got = recv(end->fd, buffer_reserve(&end->in, CHUNK), CHUNK, MSG_DONTWAIT);
        if (got < 0) {
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        }
        if (got == 0) {
            return false;
        }
        end->in.size += (size_t)got;
        if (got < CHUNK) {
            return true;
        }
    }
}

static size_t message_size(const struct buffer *buffer)
{
    if (buffer->size < HEADER) {
        return 0;
    }
    size_t size = 4 + (size_t)number_at(buffer->data);
    return buffer->size >= size ? size : 0;
}

static void take_away(struct buffer *buffer, size_t size)
{
    memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
}

/* ---- passing on ---- */

/* The requests that are all there, until one is held back. */
static void pass_requests(struct proxy *proxy, struct link *link)
{
    size_t size;
    while (link->state == LINK_CLIENT && !link->held &&
           (size = message_size(&link->client.in)) > 0) {
        struct request request;
        request_read(&request, link->client.in.data, size);
        switch (trick_request(proxy, link, &request)) {
        case REQUEST_PASSES:
            if (!end_write(proxy, &link->broker, request.data, size)) {
                link_close(proxy, link);
                return;
            }
            take_away(&link->client.in, size);
            break;
        case REQUEST_WAITS:
            link->held = true;
            return;
        case LINK_GONE:
            return;
        }
    }
}

static void pass_answers(struct proxy *proxy, struct link *link)
{
    size_t size;
    while ((link->state == LINK_CLIENT || link->state == LINK_SIDE) && !link->answer_held &&
           (size = message_size(&link->broker.in)) > 0) {
        const uint8_t *answer = link->broker.in.data;
        if (link->state == LINK_SIDE) {
            trick_side_ended(proxy, link, answer_code(answer, size));
            link->side_of = NULL;
            link_close(proxy, link);
            return;
        }
        switch (trick_answer(proxy, link, answer, size)) {
        case ANSWER_PASSES:
            if (!end_write(proxy, &link->client, answer, size)) {
                link_close(proxy, link);
                return;
            }
            take_away(&link->broker.in, size);
            break;
        case ANSWER_LOST:
            take_away(&link->broker.in, size);
            break;
        case ANSWER_WAITS:
            link->answer_held = true;
            return;
        case ANSWER_LINK_GONE:
            return;
        }
    }
}

void link_resume(struct proxy *proxy, struct link *link)
{
    link->held = false;
    pass_requests(proxy, link);
}

void link_resume_answers(struct proxy *proxy, struct link *link)
{
    link->answer_held = false;
    pass_answers(proxy, link);
}

/* ---- the loop ---- */

static void accept_all(struct proxy *proxy)
{
    int one = 1, client;
    while ((client = accept4(proxy->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!link_open(proxy, client)) {
            close(client);
        }
    }
}

static void serve(struct proxy *proxy, struct end *end, uint32_t events)
{
    struct link *link = end->link;
    if (end->fd < 0 || link->state == LINK_CLOSED) {
        return;
    }
    if ((events & EPOLLOUT) && !flush_out(proxy, end)) {
        link_close(proxy, link);
        return;
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        return;
    }
    bool open = read_all(end);
    if (end == &link->client) {
        pass_requests(proxy, link);
    } else {
        pass_answers(proxy, link);
    }
    if (!open && link->state != LINK_CLOSED) {
        link_close(proxy, link);
    }
}

static void free_closed(struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->used; i++) {
        if (proxy->links[i].state == LINK_CLOSED) {
            proxy->links[i].state = LINK_FREE;
        }
    }
}

static void *loop(void *context)
{
    struct proxy *proxy = context;
    struct epoll_event events[EVENTS];
    while (!atomic_load(&proxy->stop)) {
        int count = epoll_wait(proxy->epoll, events, EVENTS, STEP_MS);
        pthread_mutex_lock(&proxy->mutex);
        for (int i = 0; i < count; i++) {
            struct end *end = events[i].data.ptr;
            if (end == &proxy->listener) {
                accept_all(proxy);
            } else {
                serve(proxy, end, events[i].events);
            }
        }
        tricks_step(proxy);
        free_closed(proxy);
        pthread_mutex_unlock(&proxy->mutex);
    }
    return NULL;
}

/* ---- life ---- */

struct proxy *proxy_open(int port, int broker_port,
                         bool (*kill_client)(void *context, const char *id), void *context)
{
    struct proxy *proxy = xcalloc(1, sizeof *proxy);
    struct sockaddr_in here = address(port);
    int one = 1;
    proxy->broker_port = broker_port;
    proxy->kill_client = kill_client;
    proxy->context = context;
    proxy->epoll = epoll_create1(EPOLL_CLOEXEC);
    proxy->listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(proxy->listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    CHECK_EQUAL(bind(proxy->listener.fd, (struct sockaddr *)&here, sizeof here), 0);
    CHECK_EQUAL(listen(proxy->listener.fd, LINKS_MAX), 0);
    listen_to(proxy, &proxy->listener, EPOLL_CTL_ADD);
    pthread_mutex_init(&proxy->mutex, NULL);
    CHECK_EQUAL(pthread_create(&proxy->thread, NULL, loop, proxy), 0);
    return proxy;
}

void proxy_close(struct proxy *proxy)
{
    if (!proxy) {
        return;
    }
    atomic_store(&proxy->stop, true);
    pthread_join(proxy->thread, NULL);
    for (size_t i = 0; i < proxy->used; i++) {
        if (proxy->links[i].state != LINK_FREE) {
            link_close(proxy, &proxy->links[i]);
        }
    }
    for (size_t i = 0; i < TRICKS_MAX; i++) {
        buffer_release(&proxy->tricks[i].copy);
    }
    close(proxy->listener.fd);
    close(proxy->epoll);
    pthread_mutex_destroy(&proxy->mutex);
    free(proxy);
}

bool proxy_order(struct proxy *proxy, const struct proxy_order *order)
{
    pthread_mutex_lock(&proxy->mutex);
    bool taken = trick_begin(proxy, order);
    pthread_mutex_unlock(&proxy->mutex);
    return taken;
}

void proxy_calm(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->mutex);
    tricks_forget(proxy);
    pthread_mutex_unlock(&proxy->mutex);
}

bool proxy_report(struct proxy *proxy, struct proxy_report *report)
{
    pthread_mutex_lock(&proxy->mutex);
    bool any = proxy->report_count > 0;
    if (any) {
        *report = proxy->reports[0];
        memmove(proxy->reports, proxy->reports + 1, --proxy->report_count * sizeof *proxy->reports);
    }
    pthread_mutex_unlock(&proxy->mutex);
    return any;
}
