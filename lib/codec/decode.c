/* decode.c - the interpreter: runs a plan over bytes that may be anything.
 *
 * Nothing is believed. Every length and count is held against the bytes that are left before
 * anything is allocated or looped over, and what those cannot bound (items of no bytes, structs
 * larger than their bytes) has a cap of its own: items and memory for each datum. Integers,
 * symbols, booleans and text are checked, skipped ones too. A datum must be used up exactly.
 *
 * Strings cost one allocation a datum: each gives up its length byte or more and asks for a NUL, so
 * all of them, with their NULs, fit into as many bytes as the datum has.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "codec/binary.h"
#include "codec/default.h"
#include "codec/plan.h"
#include "codec/value.h"

enum {
    MAX_DATUM_ITEMS = 1000 * 1000,
    MAX_DATUM_BYTES = 64 * 1024 * 1024, /* in memory */
};

struct decoder {
    const uint8_t *at, *end, *start;
    char *text; /* where the next string goes */
    struct arena *arena;
    size_t items, bytes; /* so far */
    enum decode_result result;
    struct error *error;
};

static bool bad(struct decoder *decoder, const struct step *step, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

static bool bad(struct decoder *decoder, const struct step *step, const char *format, ...)
{
    char reason[600];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    (void)fail_exit(decoder->error, EXIT_DATA, "%s%sbyte %td: %s", step->path,
                    step->path[0] ? ": " : "", decoder->at - decoder->start, reason);
    decoder->result = step->code == REFUSE_UNKNOWN ? DECODE_UNKNOWN_BRANCH : DECODE_BAD;
    return false;
}

static size_t bytes_left(const struct decoder *decoder)
{
    return (size_t)(decoder->end - decoder->at);
}

static inline bool next_long(struct decoder *decoder, const struct step *step, int64_t *value)
{
    if (decoder->at < decoder->end && *decoder->at < 0x80) {
        *value = unzigzag(*decoder->at++);
        return true;
    }
    return varint_read(&decoder->at, decoder->end, value) ||
           bad(decoder, step, "the number is cut short or longer than 64 bits");
}

static bool next_int(struct decoder *decoder, const struct step *step, int64_t *value)
{
    return next_long(decoder, step, value) &&
           ((*value >= INT32_MIN && *value <= INT32_MAX) ||
            bad(decoder, step, "%" PRId64 " is not an int", *value));
}

/* A number from 0 to count - 1. */
static bool next_index(struct decoder *decoder, const struct step *step, const char *what,
                       int64_t *value)
{
    return next_long(decoder, step, value) &&
           ((*value >= 0 && *value < step->count) ||
            bad(decoder, step, "%s %" PRId64 " of %" PRIu32, what, *value, step->count));
}

static bool next_boolean(struct decoder *decoder, const struct step *step, bool *value)
{
    if (decoder->at == decoder->end || *decoder->at > 1) {
        return bad(decoder, step, "not a boolean");
    }
    *value = *decoder->at++;
    return true;
}

/* Moves over the length and the bytes it counts. */
static bool next_bytes(struct decoder *decoder, const struct step *step, struct weir_bytes *bytes)
{
    int64_t size = 0;
    if (!next_long(decoder, step, &size)) {
        return false;
    }
    if (size < 0 || (uint64_t)size > bytes_left(decoder)) {
        return bad(decoder, step, "a length of %" PRId64 " with %zu bytes left", size,
                   bytes_left(decoder));
    }
    *bytes = (struct weir_bytes){decoder->at, (size_t)size};
    decoder->at += size;
    return true;
}

static bool read_string(struct decoder *decoder, const struct step *step, uint8_t *at)
{
    struct weir_bytes text = {(const uint8_t *)"", 0};
    if (!next_bytes(decoder, step, &text)) {
        return false;
    }
    if (!utf8_valid_string(text.data, text.size)) {
        return bad(decoder, step, "the string before is not UTF-8, or has a NUL inside");
    }
    memcpy(decoder->text, text.data, text.size);
    decoder->text[text.size] = 0;
    store_string(at, decoder->text);
    decoder->text += text.size + 1;
    return true;
}

static bool read_bytes(struct decoder *decoder, const struct step *step, uint8_t *at)
{
    struct weir_bytes bytes = {(const uint8_t *)"", 0};
    if (!next_bytes(decoder, step, &bytes)) {
        return false;
    }
    memcpy(decoder->text, bytes.data, bytes.size);
    store_bytes(at, (struct weir_bytes){(uint8_t *)decoder->text, bytes.size});
    decoder->text += bytes.size;
    return true;
}

static bool read_enum(struct decoder *decoder, const struct step *step, uint8_t *at)
{
    int64_t symbol = 0;
    if (!next_index(decoder, step, "symbol", &symbol)) {
        return false;
    }
    if (step->symbols[symbol] < 0) {
        return bad(decoder, step, "the reader does not know the writer's symbol %" PRId64, symbol);
    }
    store_int(at, step->symbols[symbol]);
    return true;
}

static bool skip_fixed(struct decoder *decoder, const struct step *step)
{
    if (step->size > bytes_left(decoder)) {
        return bad(decoder, step, "%" PRIu32 " bytes wanted, %zu left", step->size,
                   bytes_left(decoder));
    }
    decoder->at += step->size;
    return true;
}

static bool skip_string(struct decoder *decoder, const struct step *step)
{
    struct weir_bytes text = {(const uint8_t *)"", 0};
    return next_bytes(decoder, step, &text) &&
           (utf8_valid(text.data, text.size) ||
            bad(decoder, step, "the string before is not UTF-8"));
}

static bool set_default(struct decoder *decoder, const struct step *step, uint8_t *record)
{
    decoder->bytes +=
        16 * step->field->default_value.size; /* generous: structs and NULs included */
    if (decoder->bytes > MAX_DATUM_BYTES) {
        return bad(decoder, step, "more than %d bytes in memory", MAX_DATUM_BYTES);
    }
    default_fill(step->field, decoder->arena, record);
    return true;
}

/* ---- arrays and maps: blocks of items ---- */

struct block {
    size_t count;
    const uint8_t *end; /* where the writer says it ends; NULL when it does not say */
};

/* The head of the next block; count 0 after the last. */
static bool next_block(struct decoder *decoder, const struct step *step, struct block *block)
{
    int64_t count = 0, size = 0;
    if (!next_long(decoder, step, &count)) {
        return false;
    }
    block->end = NULL;
    if (count < 0) {
        if (count == INT64_MIN || !next_long(decoder, step, &size) || size < 0 ||
            (uint64_t)size > bytes_left(decoder)) {
            return bad(decoder, step, "a block whose size is beyond the bytes left");
        }
        count = -count;
        block->end = decoder->at + size;
    }
    if (step->least > 0 && (uint64_t)count > bytes_left(decoder) / step->least) {
        return bad(decoder, step, "%" PRId64 " items with %zu bytes left", count,
                   bytes_left(decoder));
    }
    if ((uint64_t)count > MAX_DATUM_ITEMS - decoder->items) {
        return bad(decoder, step, "more than %d items in one record", MAX_DATUM_ITEMS);
    }
    block->count = (size_t)count;
    decoder->items += block->count;
    return true;
}

/* Room for `more` items; doubles, so that many small blocks cost no more than one. */
static bool grow(struct decoder *decoder, const struct step *step, struct weir_array *array,
                 size_t *capacity, size_t more)
{
    size_t wanted = array->count + more;
    if (wanted <= *capacity) {
        return true;
    }
    if (*capacity > 0 && wanted < 2 * *capacity) {
        wanted = 2 * *capacity;
    }
    decoder->bytes += wanted * step->size; /* at most 2 million items of less than 4 GB */
    if (decoder->bytes > MAX_DATUM_BYTES) {
        return bad(decoder, step, "more than %d bytes in memory", MAX_DATUM_BYTES);
    }
    void *items = arena_alloc(decoder->arena, wanted * step->size);
    if (array->items) {
        memcpy(items, array->items, array->count * step->size);
    }
    array->items = items;
    *capacity = wanted;
    return true;
}

static bool run(struct decoder *decoder, const struct step *step, const struct step *end,
                uint8_t *out);

static bool read_blocks(struct decoder *decoder, const struct step *step, uint8_t *at)
{
    struct weir_array array = {0};
    struct block block = {0};
    size_t capacity = 0;
    const struct step *body = step + 1, *body_end = body + step->body;
    while (next_block(decoder, step, &block)) {
        if (block.count == 0) {
            store_array(at, array);
            return true;
        }
        if (!grow(decoder, step, &array, &capacity, block.count)) {
            return false;
        }
        for (size_t i = 0; i < block.count; i++) {
            uint8_t *item = (uint8_t *)array.items + array.count * step->size;
            if (!run(decoder, body, body_end, item)) {
                return false;
            }
            array.count++;
        }
        if (block.end && block.end != decoder->at) {
            return bad(decoder, step, "the block does not have the size that it says");
        }
    }
    return false;
}

static bool skip_blocks(struct decoder *decoder, const struct step *step)
{
    struct block block = {0};
    const struct step *body = step + 1, *body_end = body + step->body;
    while (next_block(decoder, step, &block)) {
        if (block.count == 0) {
            return true;
        }
        for (size_t i = 0; i < block.count; i++) {
            if (!run(decoder, body, body_end, NULL)) {
                return false;
            }
        }
        if (block.end && block.end != decoder->at) {
            return bad(decoder, step, "the block does not have the size that it says");
        }
    }
    return false;
}

/* ---- the interpreter ---- */

/* Steps that read or forget one value; false when it is bad. */
static bool run_value(struct decoder *decoder, const struct step *step, uint8_t *out)
{
    uint8_t *at =
        out ? out + step->offset : NULL; /* inside skipped blocks there is nowhere to write */
    struct weir_bytes bytes = {(const uint8_t *)"", 0};
    int64_t value = 0;
    bool boolean = false;
    switch ((enum step_code)step->code) {
    case READ_STRING:
        return read_string(decoder, step, at);
    case READ_LONG:
        return next_long(decoder, step, &value) && (store_long(at, value), true);
    case READ_INT:
        return next_int(decoder, step, &value) && (store_int(at, (int32_t)value), true);
    case READ_INT_AS_LONG:
        return next_int(decoder, step, &value) && (store_long(at, value), true);
    case READ_BOOLEAN:
        return next_boolean(decoder, step, &boolean) && (store_boolean(at, boolean), true);
    case READ_ENUM:
        return read_enum(decoder, step, at);
    case READ_BYTES:
        return read_bytes(decoder, step, at);
    case READ_ARRAY:
        return read_blocks(decoder, step, at);
    case SET_PRESENT:
        store_boolean(at, true);
        return true;
    case SET_BRANCH:
        store_int(at, (int32_t)step->count);
        return true;
    case SET_DEFAULT:
        return set_default(decoder, step, at);
    case SKIP_BOOLEAN:
        return next_boolean(decoder, step, &boolean);
    case SKIP_INT:
        return next_int(decoder, step, &value);
    case SKIP_LONG:
        return next_long(decoder, step, &value);
    case SKIP_BYTES:
        return next_bytes(decoder, step, &bytes);
    case SKIP_STRING:
        return skip_string(decoder, step);
    case SKIP_ENUM:
        return next_index(decoder, step, "symbol", &value);
    case SKIP_FIXED:
        return skip_fixed(decoder, step);
    case SKIP_BLOCKS:
        return skip_blocks(decoder, step);
    case REFUSE:
    case REFUSE_UNKNOWN:
        return bad(decoder, step, "%s", step->reason);
    case SWITCH:
    case JUMP:
        break;
    }
    CHECK_EQUAL(step->code, JUMP); /* run() follows these itself */
    return false;
}

static bool run(struct decoder *decoder, const struct step *step, const struct step *end,
                uint8_t *out)
{
    while (step < end) {
        if (step->code == SWITCH) {
            int64_t branch = 0;
            if (!next_index(decoder, step, "branch", &branch)) {
                return false;
            }
            step += step->targets[branch];
        } else if (step->code == JUMP) {
            step += step->body;
        } else if (!run_value(decoder, step, out)) {
            return false;
        } else {
            bool has_body = step->code == READ_ARRAY || step->code == SKIP_BLOCKS;
            step += has_body ? 1 + step->body : 1;
        }
    }
    return true;
}

enum decode_result plan_run(const struct plan *plan, const struct weir_record *reader,
                            struct weir_bytes datum, struct arena *arena, void *out,
                            struct error *error)
{
    if (plan->refusal) {
        (void)fail_exit(error, EXIT_DATA, "%s", plan->refusal);
        return DECODE_BAD;
    }
    if (datum.size > MAX_DATUM_BYTES) {
        (void)fail_exit(error, EXIT_DATA, "a record of %zu bytes", datum.size);
        return DECODE_BAD;
    }
    static const uint8_t empty[1];
    struct decoder decoder = {.arena = arena, .error = error, .result = DECODE_BAD};
    decoder.start = decoder.at = datum.size > 0 ? datum.data : empty;
    decoder.end = decoder.start + datum.size;
    decoder.text = arena_alloc(arena, datum.size);
    memset(out, 0, reader->size);
    if (!run(&decoder, plan->steps, plan->steps + plan->count, out)) {
        return decoder.result;
    }
    if (decoder.at != decoder.end) {
        (void)fail_exit(error, EXIT_DATA, "byte %td: %zu bytes behind the record's end",
                        decoder.at - decoder.start, bytes_left(&decoder));
        return DECODE_BAD;
    }
    return DECODED;
}
