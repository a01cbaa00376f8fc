/* restock.c - fills the shelves, and leaves some of them empty so that there is something to
 * refuse. */
#include "load/restock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/codec.h"
#include "tool.h"

struct ranked {
    uint64_t rank;
    size_t index;
};

static int by_rank(const void *a, const void *b)
{
    uint64_t x = ((const struct ranked *)a)->rank, y = ((const struct ranked *)b)->rank;
    return x < y ? -1 : x > y;
}

static bool *choose_empty(struct restock_plan *plan, const struct demand *demand, size_t count)
{
    struct ranked *ranked = xcalloc(count + 1, sizeof *ranked);
    bool *is_empty = xcalloc(count + 1, sizeof *is_empty);
    for (size_t i = 0; i < count; i++) {
        ranked[i].rank = hash_bytes(plan->seed, demand[i].sku, strlen(demand[i].sku));
        ranked[i].index = i;
    }
    qsort(ranked, count, sizeof *ranked, by_rank);
    plan->empty = (int64_t)(plan->short_share * (double)count + 0.5);
    for (int64_t i = 0; i < plan->empty; i++) {
        is_empty[ranked[i].index] = true;
    }
    free(ranked);
    return is_empty;
}

static enum outcome send_one(const char *sku, int32_t qty, const char *receipt,
                             struct buffer *value, struct writer *writer, struct error *error)
{
    struct stock_command command = {
        .occurred_ms = tool_now_ms(),
        .payload_branch = STOCK_COMMAND_RESTOCK,
        .payload.restock = {.sku = sku, .receipt_id = receipt, .qty = qty, .location_id = "MAIN"},
    };
    buffer_reset(value);
    codec_encode(&stock_command_record, &command, value);
    return writer_send(writer, stock_commands_topic.name, -1,
                       (struct weir_bytes){(const uint8_t *)sku, strlen(sku)},
                       (struct weir_bytes){value->data, value->size}, NULL, 0, error);
}

enum outcome restock(struct restock_plan *plan, const struct demand *demand, size_t count,
                     struct writer *writer, struct error *error)
{
    bool *is_empty = choose_empty(plan, demand, count);
    struct buffer value;
    buffer_init(&value);
    char receipt[160];
    snprintf(receipt, sizeof receipt, "%s-stock", plan->run_id);
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome == OK && !tool_interrupted; i++) {
        int64_t wanted = plan->units >= 0 ? plan->units : demand[i].qty;
        int32_t qty = wanted < INT32_MAX ? (int32_t)wanted : INT32_MAX;
        if (is_empty[i] || qty == 0 || demand[i].sku[0] == 0) {
            continue;
        }
        plan->skus++;
        plan->units_sent += qty;
        outcome = writer ? send_one(demand[i].sku, qty, receipt, &value, writer, error) : OK;
    }
    buffer_release(&value);
    free(is_empty);
    return outcome;
}
