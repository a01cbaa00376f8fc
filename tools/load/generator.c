/* generator.c - draws orders. What a shop's orders look like is in the tables and constants at the
 * top. */
#include "load/generator.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "load/random.h"

enum {
    QTY_MAX = 10,
    CUSTOMERS = 10000,
    PRICE_MIN = 49, /* cents */
    PRICE_MAX = 4999,
    TAX_PERCENT = 20,
    DISCOUNT_PERCENT = 10,
    DISCOUNTED_ONE_IN = 10,
    FEE = 395, /* cents, for orders below FREE_FROM */
    FREE_FROM = 5000,
    CANCEL_MEAN_US = 60 * 1000, /* soon enough to meet an order that is still being reserved */
    BURST_PERIOD_S = 10,
    LINES_MOST = 1500,
    MICROS_PER_CENT = 10000,
};

/* Streams of chance beside those of the orders, which are numbered from 0. */
enum { ARRIVALS_STREAM = -1, PRICE_STREAM = -2 };

/* UCI Online Retail: distinct SKUs an invoice, at these shares of invoices; log-linear between. */
static const struct {
    double share, lines;
} wholesale[] = {{0, 1}, {0.5, 13}, {0.9, 49}, {0.99, 207}, {1, 1110}};

struct cancel {
    int64_t after_us, order;
};

struct generator {
    struct generator_options options;
    struct zipf zipf;
    struct random arrivals;
    int64_t made;
    double due_s;
    struct cancel *cancels; /* to come, the soonest last */
    size_t cancel_count, cancel_capacity;
    struct arena arena; /* of the placing that was given out */
    struct arena names; /* of demand */
    struct buffer text;
};

void generator_open(struct generator **generator, const struct generator_options *options)
{
    struct generator *opened = xcalloc(1, sizeof *opened);
    opened->options = *options;
    zipf_init(&opened->zipf, (size_t)options->skus, options->zipf);
    random_seed(&opened->arrivals, options->seed, (uint64_t)ARRIVALS_STREAM);
    arena_init(&opened->arena);
    arena_init(&opened->names);
    buffer_init(&opened->text);
    *generator = opened;
}

void generator_close(struct generator *generator)
{
    if (!generator) {
        return;
    }
    zipf_release(&generator->zipf);
    free(generator->cancels);
    arena_release(&generator->arena);
    arena_release(&generator->names);
    buffer_release(&generator->text);
    free(generator);
}

/* ---- one order ---- */

static int32_t draw_line_count(const struct generator_options *options, struct random *random)
{
    double u = random_unit(random);
    switch (options->profile) {
    case LINES_FIXED:
        return options->lines;
    case LINES_RETAIL:
        return u < 0.904 ? 1 : u < 0.977 ? 2 : u < 0.99 ? 3 : (int32_t)random_between(random, 4, 6);
    case LINES_WHOLESALE: {
        size_t i = 1;
        while (wholesale[i].share < u) {
            i++;
        }
        double low = log(wholesale[i - 1].lines), high = log(wholesale[i].lines);
        double part = (u - wholesale[i - 1].share) / (wholesale[i].share - wholesale[i - 1].share);
        return (int32_t)lround(exp(low + part * (high - low)));
    }
    }
    return 1;
}

static int64_t price_of(size_t sku)
{
    struct random random;
    random_seed(&random, sku, (uint64_t)PRICE_STREAM);
    double cheap = random_unit(&random) * random_unit(&random); /* most things cost little */
    return PRICE_MIN + (int64_t)(cheap * (PRICE_MAX - PRICE_MIN));
}

static const char *sku_name(struct arena *arena, size_t sku)
{
    return arena_format(arena, "SKU-%05zu", sku + 1);
}

struct draft_line {
    size_t sku;
    int32_t qty;
};

/* The part of an order that demand needs. Draws the same whoever asks. */
struct draft {
    struct random random;
    bool is_dirty, is_cancelled;
    int32_t count;
    struct draft_line lines[LINES_MOST];
};

static void draw(const struct generator *generator, int64_t order, struct draft *draft)
{
    const struct generator_options *options = &generator->options;
    random_seed(&draft->random, options->seed, (uint64_t)order);
    draft->is_dirty = random_unit(&draft->random) < options->dirty;
    draft->is_cancelled = random_unit(&draft->random) < options->cancels;
    draft->count = draw_line_count(options, &draft->random);
    CHECK(draft->count >= 1 && draft->count <= LINES_MOST);
    for (int32_t i = 0; i < draft->count; i++) {
        draft->lines[i].sku = zipf_draw(&generator->zipf, &draft->random);
        draft->lines[i].qty = (int32_t)random_between(&draft->random, 1, QTY_MAX);
    }
}

static const char *cents(struct arena *arena, int64_t amount)
{
    return placing_money(arena, amount * MICROS_PER_CENT, 2);
}

static int64_t build_line(struct arena *arena, struct random *random,
                          const struct draft_line *draft, struct raw_order_line *line)
{
    int64_t price = price_of(draft->sku), gross = price * draft->qty;
    bool is_discounted = random_between(random, 1, DISCOUNTED_ONE_IN) == 1;
    int64_t discount = is_discounted ? gross * DISCOUNT_PERCENT / 100 : 0;
    int64_t tax = ((gross - discount) * TAX_PERCENT + 50) / 100;
    line->sku = sku_name(arena, draft->sku);
    line->qty = draft->qty;
    line->unit_price = cents(arena, price);
    line->discount = cents(arena, discount);
    line->tax = cents(arena, tax);
    return gross - discount + tax;
}

static void build(struct generator *generator, int64_t number, struct draft *draft,
                  struct raw_order *order)
{
    struct arena *arena = &generator->arena;
    struct random *random = &draft->random;
    const struct generator_options *options = &generator->options;
    bool is_partial = random_unit(random) < options->partial;
    *order = (struct raw_order){
        .type = RAW_ORDER_TYPE_PLACE,
        .order_id = arena_format(arena, "%s-%07" PRId64, options->run_id, number + 1),
        .customer_id =
            arena_format(arena, "customer-%05" PRId64, random_between(random, 1, CUSTOMERS)),
        .channel = (enum channel)random_between(random, CHANNEL_WEB, CHANNEL_APP),
        .currency = "EUR",
        .policy = is_partial ? ORDER_POLICY_PARTIAL : ORDER_POLICY_ALL_OR_NOTHING,
        .auto_accept = options->auto_accept,
        .reason = "",
        .requested_by = "",
    };
    int64_t total = 0;
    order->lines.count = (size_t)draft->count;
    order->lines.items = arena_alloc(arena, (size_t)draft->count * sizeof *order->lines.items);
    for (int32_t i = 0; i < draft->count; i++) {
        order->lines.items[i].line_no = i + 1;
        total += build_line(arena, random, &draft->lines[i], &order->lines.items[i]);
    }
    int64_t fee = total < FREE_FROM ? FEE : 0;
    order->shipping_fee = cents(arena, fee);
    order->grand_total = cents(arena, total + fee);
}

/* ---- one bad order ---- */

enum dirt {
    DIRT_QTY,
    DIRT_TOTAL,
    DIRT_CUSTOMER,
    DIRT_DECIMALS,
    DIRT_LINE_NO,
    DIRT_PLACED,
    DIRT_CURRENCY,
    DIRT_NO_LINES,
    DIRT_CUT_OFF, /* the last two spoil the text */
    DIRT_CHANNEL,
    DIRT_KINDS,
};

static void spoil_order(struct arena *arena, enum dirt dirt, struct raw_order *order)
{
    struct raw_order_line *first = &order->lines.items[0];
    size_t length = strlen(order->grand_total);
    char *total = arena_strndup(arena, order->grand_total, length);
    switch (dirt) {
    case DIRT_QTY:
        first->qty = -first->qty;
        break;
    case DIRT_TOTAL:
        total[length - 1] ^= 1; /* a cent off: 8 and 9 change places */
        order->grand_total = total;
        break;
    case DIRT_CUSTOMER:
        order->customer_id = "";
        break;
    case DIRT_DECIMALS:
        first->unit_price = arena_format(arena, "%s5", first->unit_price);
        break;
    case DIRT_LINE_NO:
        order->lines.items[order->lines.count - 1].line_no = order->lines.count > 1 ? 1 : 0;
        break;
    case DIRT_PLACED:
        order->placed_ms = INT64_C(983440800000); /* a till whose clock stands at March 2001 */
        break;
    case DIRT_CURRENCY:
        order->currency = "EURO";
        break;
    case DIRT_NO_LINES:
        order->lines.count = 0;
        break;
    case DIRT_CUT_OFF:
    case DIRT_CHANNEL:
    case DIRT_KINDS:
        break;
    }
}

static void spoil_text(enum dirt dirt, struct buffer *text)
{
    if (dirt == DIRT_CUT_OFF) {
        text->size /= 2;
    } else if (dirt == DIRT_CHANNEL) {
        char *channel = strstr((char *)(uintptr_t)buffer_string(text), "\"channel\":\"");
        CHECK(channel);
        memcpy(channel + strlen("\"channel\":\""), "FAX", 3);
    }
}

/* ---- all of them, in order of time ---- */

static int64_t next_arrival_us(struct generator *generator)
{
    const struct generator_options *options = &generator->options;
    if (options->rate <= 0) {
        return 0;
    }
    int64_t second = (int64_t)generator->due_s;
    double factor = second % BURST_PERIOD_S == BURST_PERIOD_S - 1 ? options->burst : 1;
    generator->due_s += random_exponential(&generator->arrivals, 1 / (options->rate * factor));
    return (int64_t)(generator->due_s * 1e6);
}

static void plan_cancel(struct generator *generator, struct random *random, int64_t order,
                        int64_t placed_us)
{
    if (generator->cancel_count == generator->cancel_capacity) {
        generator->cancel_capacity =
            generator->cancel_capacity > 0 ? generator->cancel_capacity * 2 : 16;
        generator->cancels =
            xrealloc(generator->cancels, generator->cancel_capacity * sizeof *generator->cancels);
    }
    struct cancel cancel = {placed_us + (int64_t)random_exponential(random, CANCEL_MEAN_US), order};
    size_t at = generator->cancel_count++;
    for (; at > 0 && generator->cancels[at - 1].after_us < cancel.after_us; at--) {
        generator->cancels[at] = generator->cancels[at - 1];
    }
    generator->cancels[at] = cancel;
}

static void give_cancel(struct generator *generator, struct placing *placing)
{
    struct cancel cancel = generator->cancels[--generator->cancel_count];
    struct raw_order order = {
        .type = RAW_ORDER_TYPE_CANCEL,
        .order_id = arena_format(&generator->arena, "%s-%07" PRId64, generator->options.run_id,
                                 cancel.order + 1),
        .customer_id = "",
        .currency = "",
        .shipping_fee = "0",
        .grand_total = "0",
        .reason = "changed my mind",
        .requested_by = "customer",
    };
    record_to_json(&raw_order_record, &order, &generator->text);
    *placing = (struct placing){
        .after_us = cancel.after_us,
        .order_id = order.order_id,
        .is_cancel = true,
        .value = {generator->text.data, generator->text.size},
    };
}

static void give_order(struct generator *generator, int64_t start_ms, int64_t after_us,
                       struct draft *draft, struct placing *placing)
{
    int64_t number = generator->made++;
    struct raw_order order;
    build(generator, number, draft, &order);
    order.placed_ms = start_ms + after_us / 1000;
    enum dirt dirt = (enum dirt)random_between(&draft->random, 0, DIRT_KINDS - 1);
    if (draft->is_dirty) {
        spoil_order(&generator->arena, dirt, &order);
    }
    record_to_json(&raw_order_record, &order, &generator->text);
    if (draft->is_dirty) {
        spoil_text(dirt, &generator->text);
    }
    if (draft->is_cancelled) {
        plan_cancel(generator, &draft->random, number, after_us);
    }
    *placing = (struct placing){
        .after_us = after_us,
        .order_id = order.order_id,
        .line_count = (size_t)draft->count,
        .value = {generator->text.data, generator->text.size},
    };
}

bool generator_next(struct generator *generator, int64_t start_ms, struct placing *placing)
{
    bool has_order = generator->made < generator->options.orders;
    if (!has_order && generator->cancel_count == 0) {
        return false;
    }
    arena_reset(&generator->arena);
    buffer_reset(&generator->text);
    /* Looking at the next arrival must not use it up: it is drawn from a copy. */
    struct random arrivals = generator->arrivals;
    double due_s = generator->due_s;
    int64_t after_us = next_arrival_us(generator);
    if (generator->cancel_count > 0 &&
        (!has_order || generator->cancels[generator->cancel_count - 1].after_us < after_us)) {
        generator->arrivals = arrivals;
        generator->due_s = due_s;
        give_cancel(generator, placing);
        return true;
    }
    struct draft *draft = arena_alloc(&generator->arena, sizeof *draft);
    draw(generator, generator->made, draft);
    give_order(generator, start_ms, after_us, draft, placing);
    return true;
}

void generator_demand(struct generator *generator, struct demand **demand, size_t *count)
{
    size_t skus = (size_t)generator->options.skus;
    int64_t *wanted = xcalloc(skus, sizeof *wanted);
    struct draft *draft = xcalloc(1, sizeof *draft);
    for (int64_t order = 0; order < generator->options.orders; order++) {
        draw(generator, order, draft);
        for (int32_t i = 0; i < draft->count && !draft->is_dirty; i++) {
            wanted[draft->lines[i].sku] += draft->lines[i].qty;
        }
    }
    *demand = xcalloc(skus, sizeof **demand);
    *count = 0;
    for (size_t i = 0; i < skus; i++) {
        if (wanted[i] > 0) {
            (*demand)[(*count)++] = (struct demand){sku_name(&generator->names, i), wanted[i]};
        }
    }
    free(draft);
    free(wanted);
}
