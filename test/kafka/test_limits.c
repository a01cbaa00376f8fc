/* test_limits.c - what a process takes of its machine does not grow while it works.
 *
 * Resident memory, threads and open descriptors of one inventory process under a steady load, once
 * it has warmed up. The warm-up makes a reservation of every command, so that there is more state
 * than SQLite's cache holds (16 MiB) and what is bounded has reached its bound; and it waits for
 * the process now and then, because a long backlog makes long takes, which need more memory than
 * the load does. What they leave free hides a small growth: a kilobyte a take is seen, less is for
 * test_allocations and for the leak sanitizer to find.
 */
#include "kafka/system.h"

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "codec/codec.h"
#include "processors.h"
#include "shop.h"

#include <cmocka.h>

enum {
    SKUS = 200,
    WARM_UP_ROUNDS = 120,
    WARM_UP_AT_ONCE = 450,
    LOAD_S = 16,
    LOAD_PER_S = 400,
    TURNS_PER_S = 50, /* of the sender */
    SAMPLE_MS = 250,
    SAMPLES_MAX = 200,
    PATIENCE_MS = 20000,

    RSS_MAX_KIB = 40 * 1024,
    RSS_SLOPE_MAX_KIB = 512, /* a minute */
};

/* AddressSanitizer keeps what was freed for a while: its memory says nothing about ours. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_IS_OURS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_IS_OURS false
#endif
#endif
#ifndef MEMORY_IS_OURS
#define MEMORY_IS_OURS true
#endif

struct sample {
    double seconds;
    long rss_kib, threads, descriptors;
};

struct samples {
    struct sample list[SAMPLES_MAX];
    size_t count;
};

/* ---- the load: a Reserve, its Commit, its Release; in the warm-up Reserves alone ---- */

struct load {
    struct system *system;
    struct buffer value;
    int64_t first; /* where the commands begin */
    bool warm;
    int64_t sent, reservation;
    int step;    /* of it: 0, 1, 2 */
    double owed; /* commands that are due */
};

static void send(struct load *load, const char *sku, const struct stock_command *command)
{
    buffer_reset(&load->value);
    codec_encode(&stock_command_record, command, &load->value);
    system_send(load->system, stock_commands_topic.name, 0, sku,
                (struct weir_bytes){load->value.data, load->value.size});
}

static void send_restock(struct load *load, int number)
{
    char sku[32];
    snprintf(sku, sizeof sku, "sku-%d", number);
    send(load, sku,
         &(struct stock_command){.payload_branch = STOCK_COMMAND_RESTOCK,
                                 .payload.restock = {.sku = sku,
                                                     .receipt_id = "first",
                                                     .qty = 1000000,
                                                     .location_id = "MAIN"}});
}

static void send_next(struct load *load)
{
    char sku[32], order[40], reservation[48];
    snprintf(sku, sizeof sku, "sku-%d", (int)(load->reservation % SKUS));
    snprintf(order, sizeof order, "01HZX7%020" PRId64, load->reservation);
    snprintf(reservation, sizeof reservation, "%s/1/1", order);
    struct stock_command command = {.payload_branch = STOCK_COMMAND_RESERVE,
                                    .payload.reserve = {.reservation_id = reservation,
                                                        .order_id = order,
                                                        .line_no = 1,
                                                        .sku = sku,
                                                        .qty = 1,
                                                        .ttl_ms = 3600000,
                                                        .customer_id = "C-17850"}};
    if (load->step == 1) {
        command = (struct stock_command){.payload_branch = STOCK_COMMAND_COMMIT,
                                         .payload.commit = {reservation, order, 1, sku}};
    } else if (load->step == 2) {
        command = (struct stock_command){.payload_branch = STOCK_COMMAND_RELEASE,
                                         .payload.release = {reservation, order, 1, sku,
                                                             ORDER_REASON_CUSTOMER, false, 0}};
    }
    send(load, sku, &command);
    load->sent++;
    load->step = load->warm ? (load->step + 1) % 3 : 0;
    load->reservation += load->step == 0;
}

/* ---- what the process has ---- */

static struct sample look(struct system *system, const struct process *process, double seconds)
{
    struct sample sample = {.seconds = seconds};
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "VmRSS: %ld", &sample.rss_kib);
        (void)sscanf(line, "Threads: %ld", &sample.threads);
    }
    if (file) {
        fclose(file);
    }
    snprintf(path, sizeof path, "/proc/%d/fd", (int)process->pid);
    DIR *directory = opendir(path);
    while (directory && readdir(directory)) {
        sample.descriptors++;
    }
    if (directory) {
        closedir(directory);
    }
    if (sample.rss_kib == 0 || sample.threads == 0 || sample.descriptors == 0) {
        system_fail(system, "process %d is gone", (int)process->pid);
    }
    return sample;
}

/* Turns go by the clock, so that a slow one is made up for. */
static void work(struct load *load, const struct process *process, struct samples *samples)
{
    int64_t began_ms = system_now_ms(), at_ms = began_ms, sample_ms = began_ms, now_ms;
    while ((now_ms = system_now_ms()) < began_ms + LOAD_S * 1000) {
        load->owed += (double)(now_ms - at_ms) * LOAD_PER_S / 1000;
        for (; load->owed >= 1; load->owed--) {
            send_next(load);
        }
        at_ms = now_ms;
        if (now_ms >= sample_ms && samples->count < SAMPLES_MAX) {
            samples->list[samples->count++] =
                look(load->system, process, (double)(now_ms - began_ms) / 1000);
            sample_ms += SAMPLE_MS;
        }
        system_sleep(1000 / TURNS_PER_S);
    }
}

static void expect_all_done(const struct load *load)
{
    system_flush(load->system);
    system_expect_committed(load->system, stock_commands_topic.name, 0,
                            load->first + SKUS + load->sent, PATIENCE_MS);
}

static void warm_up(struct load *load)
{
    for (int round = 0; round < WARM_UP_ROUNDS; round++) {
        for (int i = 0; i < WARM_UP_AT_ONCE; i++) {
            send_next(load);
        }
        expect_all_done(load);
    }
    load->warm = true;
}

/* KiB of memory a minute, by least squares. */
static double slope(const struct samples *samples)
{
    double n = (double)samples->count, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *at = &samples->list[i];
        x += at->seconds;
        y += (double)at->rss_kib;
        xx += at->seconds * at->seconds;
        xy += at->seconds * (double)at->rss_kib;
    }
    return (n * xy - x * y) / (n * xx - x * x) * 60;
}

static long most_kib(const struct samples *samples)
{
    long most = 0;
    for (size_t i = 0; i < samples->count; i++) {
        most = samples->list[i].rss_kib > most ? samples->list[i].rss_kib : most;
    }
    return most;
}

static void takes_no_more_of_the_machine_the_longer_it_works(void **state)
{
    struct system *system = *state;
    static struct samples samples;
    struct load load = {.system = system};
    system_create_topics(system, &inventory_processor);
    system_forget_input(system, stock_commands_topic.name);
    load.first = system_end_of(system, stock_commands_topic.name, 0);
    buffer_init(&load.value);
    for (int i = 0; i < SKUS; i++) {
        send_restock(&load, i);
    }
    struct process *process =
        system_run(system, &(struct run){.settings = {"commit.pause_ms=5", "store.commit_ms=1000",
                                                      "transaction.timeout_ms=10000"}});
    process_expect_said(system, process, "task_running", PATIENCE_MS);
    warm_up(&load);
    work(&load, process, &samples);
    expect_all_done(&load);
    process_stop(system, process);
    buffer_release(&load.value);

    const struct sample *begin = &samples.list[0], *end = &samples.list[samples.count - 1];
    print_message("             %.1f to %.1f MiB, at most %.1f, %+.2f MiB a minute; %ld to %ld "
                  "threads, %ld to %ld descriptors\n",
                  (double)begin->rss_kib / 1024, (double)end->rss_kib / 1024,
                  (double)most_kib(&samples) / 1024, slope(&samples) / 1024, begin->threads,
                  end->threads, begin->descriptors, end->descriptors);
    assert_true(samples.count >= LOAD_S);
    assert_int_equal(end->threads, begin->threads);
    assert_int_equal(end->descriptors, begin->descriptors);
    if (MEMORY_IS_OURS) {
        assert_true(most_kib(&samples) <= RSS_MAX_KIB);
        assert_true(slope(&samples) < RSS_SLOPE_MAX_KIB);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        system_case(takes_no_more_of_the_machine_the_longer_it_works)};
    return system_main("test_limits", tests, argc, argv);
}
