/* payload_hash.c - FNV-1a with 128 bits over the canonical content of an order.
 *
 * Canonical: fields in a fixed order, numbers as eight little-endian bytes, strings behind their
 * length (so that "ab","c" is not "a","bc"), enums by number (symbols are only ever appended),
 * lines by line_no.
 */
#include "payload_hash.h"

#include <string.h>

#include "order_rules.h"

struct hash {
    uint64_t high, low;
};

/* hash = (hash xor byte) x (2^88 + 0x13b), modulo 2^128. */
static void add_byte(struct hash *hash, uint8_t byte)
{
    uint64_t low = hash->low ^ byte;
    uint64_t bottom = (low & UINT32_MAX) * 0x13b;
    uint64_t top = (low >> 32) * 0x13b + (bottom >> 32);
    hash->high = hash->high * 0x13b + (top >> 32) + (low << 24);
    hash->low = (top << 32) | (bottom & UINT32_MAX);
}

static void add_number(struct hash *hash, int64_t number)
{
    for (int shift = 0; shift < 64; shift += 8) {
        add_byte(hash, (uint8_t)((uint64_t)number >> shift));
    }
}

static void add_string(struct hash *hash, const char *text)
{
    add_number(hash, (int64_t)strlen(text));
    for (; *text; text++) {
        add_byte(hash, (uint8_t)*text);
    }
}

static void add_line(struct hash *hash, const struct order_line *line)
{
    add_number(hash, line->line_no);
    add_string(hash, line->sku);
    add_number(hash, line->qty);
    add_number(hash, line->unit_price);
    add_number(hash, line->discount);
    add_number(hash, line->tax);
    add_number(hash, line->backorder_ok);
}

static void put_number(uint8_t *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

struct weir_bytes payload_hash(struct weir_context *ctx, const struct place_order *order)
{
    struct hash hash = {0x6c62272e07bb0142, 0x62b821756295c58d};
    add_string(&hash, order->customer_id);
    add_number(&hash, (int64_t)order->channel);
    add_number(&hash, (int64_t)order->policy);
    add_number(&hash, order->auto_accept);
    add_string(&hash, order->currency);
    add_number(&hash, order->shipping_fee);
    add_number(&hash, order->has_deadline_ms ? order->deadline_ms : 0);
    const struct order_line **lines = order_lines_sorted(ctx, order);
    for (size_t i = 0; i < order->lines.count; i++) {
        add_line(&hash, lines[i]);
    }

    uint8_t *bytes = weir_alloc(ctx, PAYLOAD_HASH_SIZE);
    put_number(bytes, hash.high);
    put_number(bytes + 8, hash.low);
    return (struct weir_bytes){bytes, PAYLOAD_HASH_SIZE};
}
