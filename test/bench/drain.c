/* drain.c - the inventory benchmark's two ends: preloads reserve commands, then watches a process
 * drain them.
 *
 *   drain preload N SKUS zipf|one BOOTSTRAP    restocks every SKU, then N Reserve commands, into
 * stock.commands drain watch PID BROKER_PID BOOTSTRAP       until inventory's committed offsets
 * reach the end; one line of JSON
 *
 * CPU is user + system time of the process from its start to the end of the drain, librdkafka's
 * threads included; memory is the high-water mark of its resident set. The rate counts from the
 * first commit seen to the last.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "codec/codec.h"
#include "kafka/admin.h"
#include "shop.h"

enum { PARTITIONS = 4, UNITS = 1000000000, TTL_MS = 3600 * 1000 };

static _Noreturn void die(const struct error *error)
{
    fprintf(stderr, "drain: %s\n", error->text);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- preload ---- */

static void send(struct writer *writer, const char *sku, const struct stock_command *command)
{
    static struct buffer value;
    struct error error;
    buffer_reset(&value);
    codec_encode(&stock_command_record, command, &value);
    if (writer_send(writer, "stock.commands", -1,
                    (struct weir_bytes){(const uint8_t *)sku, strlen(sku)},
                    (struct weir_bytes){value.data, value.size}, NULL, 0, &error) != OK) {
        die(&error);
    }
}

/* A SKU by Zipf 0.8, as the rivals' workload has it, from the cumulative shares. */
static size_t draw(const double *shares, size_t count, uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    double at = (double)(*state >> 11) / 9007199254740992.0 * shares[count - 1];
    size_t low = 0, high = count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (shares[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void preload(long count, size_t skus, bool one, const char *bootstrap)
{
    struct writer *writer;
    struct error error;
    if (writer_open(&writer, bootstrap, NULL, 0, &error) != OK) {
        die(&error);
    }
    double *shares = xcalloc(skus, sizeof *shares);
    char sku[32], reservation[64], order[48], receipt[48];
    for (size_t i = 0; i < skus; i++) {
        shares[i] = (i > 0 ? shares[i - 1] : 0) + pow((double)i + 1, -0.8);
        snprintf(sku, sizeof sku, "SKU-%06zu", i);
        snprintf(receipt, sizeof receipt, "bench-%zu", i);
        struct stock_command restock = {.payload_branch = STOCK_COMMAND_RESTOCK,
                                        .payload.restock = {.sku = sku,
                                                            .receipt_id = receipt,
                                                            .qty = UNITS,
                                                            .location_id = "MAIN"}};
        send(writer, sku, &restock);
    }
    uint64_t state = 42;
    for (long i = 0; i < count; i++) {
        snprintf(sku, sizeof sku, "SKU-%06zu", one ? 0 : draw(shares, skus, &state));
        snprintf(order, sizeof order, "01HZX7%020ld", i);
        snprintf(reservation, sizeof reservation, "%s/1/1", order);
        struct stock_command reserve = {.payload_branch = STOCK_COMMAND_RESERVE,
                                        .payload.reserve = {.reservation_id = reservation,
                                                            .order_id = order,
                                                            .line_no = 1,
                                                            .sku = sku,
                                                            .qty = 1,
                                                            .ttl_ms = TTL_MS,
                                                            .customer_id = "C-17850"}};
        send(writer, sku, &reserve);
    }
    if (writer_flush(writer, 120000, &error) != OK) {
        die(&error);
    }
    writer_close(writer);
    free(shares);
}

/* ---- watch ---- */

static double cpu_s(const char *pid)
{
    char path[64], text[1024] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    const char *at = strrchr(text, ')');
    long user = 0, system = 0;
    if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
                      &system) != 2) {
        return 0;
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static long peak_kib(const char *pid)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmHWM: %ld", &kib) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return kib;
}

static int64_t committed(struct admin *admin)
{
    int64_t sum = 0;
    static const char *const topics[] = {"stock.commands"};
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct port_offset offset;
        struct error error;
        if (admin_committed(admin, "inventory", topics, 1, p, &offset, &error) == OK &&
            offset.offset > 0) {
            sum += offset.offset;
        }
    }
    return sum;
}

static void watch(const char *pid, const char *broker_pid, const char *bootstrap)
{
    struct admin *admin;
    struct error error;
    if (admin_open(&admin, bootstrap, NULL, 0, &error) != OK ||
        admin_wait_for_broker(admin, 5000, &error) != OK) {
        die(&error);
    }
    struct port_log *logs;
    int32_t partitions;
    for (int tries = 0; admin_logs(admin, "stock.commands", &logs, &partitions, &error) != OK;
         tries++) {
        if (tries == 50) {
            die(&error);
        }
        usleep(100000); /* topics just made have no leader yet */
    }
    int64_t end = 0;
    for (int32_t p = 0; p < partitions; p++) {
        end += logs[p].high;
    }
    free(logs);
    double broker_cpu = cpu_s(broker_pid), first_s = 0, started = now_s();
    int64_t first = 0, at = 0;
    while (at < end && now_s() - started < 600) {
        usleep(50000);
        at = committed(admin);
        if (at > 0 && first_s == 0) {
            first_s = now_s();
            first = at;
        }
    }
    double took = now_s() - first_s, cpu = cpu_s(pid);
    printf("{\"records\":%" PRId64
           ",\"seconds\":%.2f,\"per_second\":%.0f,\"cpu_us_per_command\":%.2f,"
           "\"broker_cpu_us_per_command\":%.2f,\"peak_rss_mib\":%.1f}\n",
           at, took, (double)(at - first) / took, cpu / (double)at * 1e6,
           (cpu_s(broker_pid) - broker_cpu) / (double)at * 1e6, (double)peak_kib(pid) / 1024);
    admin_close(admin);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "preload") == 0) {
        preload(atol(argv[2]), (size_t)atol(argv[3]), strcmp(argv[4], "one") == 0, argv[5]);
    } else if (argc == 5 && strcmp(argv[1], "watch") == 0) {
        watch(argv[2], argv[3], argv[4]);
    } else {
        fputs("drain preload N SKUS zipf|one BOOTSTRAP | drain watch PID BROKER_PID BOOTSTRAP\n",
              stderr);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}
