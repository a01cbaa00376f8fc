/* background.c - send_offsets and commit beside the caller, so that the tasks of an instance commit
 * side by side.
 *
 * librdkafka waits inside these calls for one answer after the other, and send_offsets cannot be
 * taken up again once it has returned too early. So each producer has a thread that makes the call.
 * While one is under way the caller keeps away from the producer and its reports; the mutex hands
 * everything over, both ways.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "kafka/producer.h"

static void run(struct producer *producer)
{
    struct background *background = &producer->background;
    background->result =
        background->call == CALL_SEND_OFFSETS
            ? transaction_send_offsets(producer, background->offsets, background->offset_count,
                                       background->partition, background->timeout_ms,
                                       &background->error)
            : transaction_commit(producer, background->timeout_ms, &background->error);
}

static void *work(void *opaque)
{
    struct producer *producer = opaque;
    struct background *background = &producer->background;
    pthread_mutex_lock(&background->mutex);
    for (;;) {
        while (background->call == CALL_NONE || background->ended) {
            pthread_cond_wait(&background->changed, &background->mutex);
        }
        if (background->call == CALL_LEAVE) {
            break;
        }
        pthread_mutex_unlock(&background->mutex);
        run(producer);
        pthread_mutex_lock(&background->mutex);
        background->ended = true;
        pthread_cond_broadcast(&background->changed);
        atomic_store(&producer->client->call_ended, true);
        (void)eventfd_write(producer->client->wake_fd, 1);
    }
    pthread_mutex_unlock(&background->mutex);
    return NULL;
}

/* Signals are the main thread's: they must end its sleep, not the worker's. */
void background_start(struct producer *producer)
{
    struct background *background = &producer->background;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&background->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&background->mutex, NULL);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK_EQUAL(pthread_create(&background->worker, NULL, work, producer), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void background_stop(struct producer *producer)
{
    struct background *background = &producer->background;
    pthread_mutex_lock(&background->mutex);
    while (background->call != CALL_NONE && !background->ended) {
        pthread_cond_wait(&background->changed, &background->mutex);
    }
    background->call = CALL_LEAVE;
    background->ended = false;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
    pthread_join(background->worker, NULL);
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->mutex);
}

static enum txn_result hand_over(struct producer *producer, enum background_call call,
                                 int timeout_ms)
{
    struct background *background = &producer->background;
    CHECK(!producer->under_way);
    producer->under_way = true;
    pthread_mutex_lock(&background->mutex);
    background->call = call;
    background->timeout_ms = timeout_ms;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
    return TXN_UNDER_WAY;
}

enum txn_result producer_send_offsets(struct producer *producer, const struct port_offset *offsets,
                                      size_t count, int32_t partition, int timeout_ms,
                                      struct error *error)
{
    (void)error;
    struct background *background = &producer->background;
    CHECK(count <= WEIR_LIST_MAX);
    memcpy(background->offsets, offsets, count * sizeof *offsets);
    background->offset_count = count;
    background->partition = partition;
    return hand_over(producer, CALL_SEND_OFFSETS, timeout_ms);
}

enum txn_result producer_commit(struct producer *producer, int timeout_ms, struct error *error)
{
    (void)error;
    return hand_over(producer, CALL_COMMIT, timeout_ms);
}

enum txn_result producer_ended(struct producer *producer, int timeout_ms, struct error *error)
{
    struct background *background = &producer->background;
    CHECK(producer->under_way);
    int64_t until_us = monotonic_us() + (int64_t)timeout_ms * 1000;
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    pthread_mutex_lock(&background->mutex);
    int code = 0;
    while (!background->ended && timeout_ms > 0 && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&background->changed, &background->mutex, &until);
    }
    enum txn_result result = TXN_UNDER_WAY;
    if (background->ended) {
        result = background->result;
        *error = background->error;
        background->call = CALL_NONE;
        background->ended = false;
        producer->under_way = false;
    }
    pthread_mutex_unlock(&background->mutex);
    return result;
}
