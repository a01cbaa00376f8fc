/* source.c - one face for both sources, and the timing of a file's invoices. */
#include "load/source.h"

#include <string.h>

#include "base/hash.h"
#include "codec/codec.h"
#include "file.h"

enum { CSV_MAX_BYTES = 1 << 30, SPREAD_S = 60 };

void source_init(struct source *source)
{
    *source = (struct source){.run_id = NULL};
    arena_init(&source->arena);
    buffer_init(&source->text);
}

void source_release(struct source *source)
{
    generator_close(source->generator);
    retail_release(&source->retail);
    arena_release(&source->arena);
    buffer_release(&source->text);
}

void source_generate(struct source *source, const struct generator_options *options)
{
    source->orders = options->orders;
    generator_open(&source->generator, options);
}

enum outcome source_read_csv(struct source *source, const char *path, struct error *error)
{
    struct buffer text;
    buffer_init(&text);
    enum outcome outcome = file_read(path, CSV_MAX_BYTES, &text, error);
    if (outcome == OK) {
        outcome = retail_read(&source->retail, path, buffer_string(&text), text.size, error);
    }
    buffer_release(&text);
    for (size_t i = 0; i < source->retail.count; i++) {
        source->orders += !retail_is_cancel(&source->retail.invoices[i]);
    }
    return outcome;
}

static int64_t invoice_due_us(const struct source *source, size_t index)
{
    const struct retail *retail = &source->retail;
    if (source->rate >= 0) {
        return source->rate > 0 ? (int64_t)((double)index / source->rate * 1e6) : 0;
    }
    int64_t first = retail->invoices[0].time_ms;
    int64_t span = retail->invoices[retail->count - 1].time_ms - first;
    double part = span > 0 ? (double)(retail->invoices[index].time_ms - first) / (double)span : 0;
    return (int64_t)(part * SPREAD_S * 1e6);
}

static bool is_partial(const struct source *source, const struct retail_invoice *invoice)
{
    uint64_t hash = hash_bytes(source->seed, invoice->number, strlen(invoice->number));
    return hash % 1000 < (uint64_t)(source->partial * 1000);
}

static bool next_invoice(struct source *source, int64_t start_ms, struct placing *placing)
{
    if (source->next_invoice == source->retail.count) {
        return false;
    }
    arena_reset(&source->arena);
    buffer_reset(&source->text);
    size_t index = source->next_invoice++;
    const struct retail_invoice *invoice = &source->retail.invoices[index];
    int64_t after_us = invoice_due_us(source, index);
    struct raw_order order;
    retail_order(invoice, source->run_id, &source->arena, &order);
    if (order.type == RAW_ORDER_TYPE_PLACE) {
        order.placed_ms = start_ms + after_us / 1000;
        order.policy =
            is_partial(source, invoice) ? ORDER_POLICY_PARTIAL : ORDER_POLICY_ALL_OR_NOTHING;
        order.auto_accept = source->auto_accept;
    }
    record_to_json(&raw_order_record, &order, &source->text);
    *placing = (struct placing){
        .after_us = after_us,
        .order_id = order.order_id,
        .is_cancel = order.type == RAW_ORDER_TYPE_CANCEL,
        .line_count = order.lines.count,
        .value = {source->text.data, source->text.size},
    };
    return true;
}

bool source_next(struct source *source, int64_t start_ms, struct placing *placing)
{
    return source->generator ? generator_next(source->generator, start_ms, placing)
                             : next_invoice(source, start_ms, placing);
}

void source_demand(struct source *source, struct demand **demand, size_t *count)
{
    if (source->generator) {
        generator_demand(source->generator, demand, count);
    } else {
        retail_demand(&source->retail, demand, count);
    }
}
