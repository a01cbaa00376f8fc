/* decode.c - finds out what a record is, and prints it. */
#include "decode.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "codec/key.h"
#include "kafka/admin.h"
#include "runtime/deadletter.h"
#include "runtime_records.h"
#include "shop.h"

enum { RECORDS_MAX = 512 };

static const char checkpoint_key[] = "checkpoint";

enum outcome decoder_init(struct decoder *decoder, const char *schema_dir, struct error *error)
{
    const struct weir_record *records[RECORDS_MAX];
    size_t count = 0;
    *decoder = (struct decoder){0};
    arena_init(&decoder->arena);
    for (size_t i = 0; shop_records[i]; i++) {
        CHECK(count < RECORDS_MAX - 1);
        records[count++] = shop_records[i];
    }
    for (size_t i = 0; runtime_records_records[i]; i++) {
        CHECK(count < RECORDS_MAX - 1);
        records[count++] = runtime_records_records[i];
    }
    records[count] = NULL;
    return codec_open(&decoder->codec, records, schema_dir, error);
}

void decoder_release(struct decoder *decoder)
{
    codec_close(decoder->codec);
    arena_release(&decoder->arena);
    *decoder = (struct decoder){0};
}

/* ---- which record is it? ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_log_of_state(const char *topic)
{
    return ends_with(topic, ".changelog") || ends_with(topic, ".history");
}

const struct weir_topic *decode_topic(const char *topic)
{
    size_t length = strlen(topic) - (ends_with(topic, ".dlq") ? strlen(".dlq") : 0);
    for (size_t i = 0; shop_topics[i]; i++) {
        if (strlen(shop_topics[i]->name) == length &&
            strncmp(shop_topics[i]->name, topic, length) == 0) {
            return shop_topics[i];
        }
    }
    return NULL;
}

static bool is_checkpoint(struct weir_bytes key)
{
    return key.size == strlen(checkpoint_key) && memcmp(key.data, checkpoint_key, key.size) == 0;
}

static const struct weir_store *table_named(const struct weir_store *const *stores,
                                            struct weir_bytes key, size_t size)
{
    for (size_t i = 0; stores[i]; i++) {
        if (strlen(stores[i]->name) == size && memcmp(stores[i]->name, key.data, size) == 0) {
            return stores[i];
        }
    }
    return NULL;
}

/* The table that a changelog key names before its NUL, and the row's key behind it. */
static const struct weir_store *table_of(struct weir_bytes key, struct weir_bytes *row_key)
{
    const uint8_t *end = key.data ? memchr(key.data, 0, key.size) : NULL;
    if (!end) {
        return NULL;
    }
    size_t size = (size_t)(end - key.data);
    *row_key = (struct weir_bytes){end + 1, key.size - size - 1};
    const struct weir_store *table = table_named(shop_stores, key, size);
    return table ? table : table_named(runtime_records_stores, key, size);
}

/* ---- printing ---- */

static void add_hex(struct weir_bytes bytes, struct buffer *out)
{
    buffer_add_byte(out, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        static const char digits[] = "0123456789abcdef";
        buffer_add_byte(out, (uint8_t)digits[bytes.data[i] >> 4]);
        buffer_add_byte(out, (uint8_t)digits[bytes.data[i] & 15]);
    }
    buffer_add_byte(out, '"');
}

void decode_raw(struct weir_bytes bytes, struct buffer *out)
{
    if (!bytes.data) {
        buffer_add_string(out, "null");
    } else if (utf8_valid(bytes.data, bytes.size) && !memchr(bytes.data, 0, bytes.size)) {
        json_quote(out, (const char *)bytes.data, bytes.size);
    } else {
        add_hex(bytes, out);
    }
}

static void add_unreadable(struct weir_bytes value, const struct error *why, struct buffer *out)
{
    bool is_text = utf8_valid(value.data, value.size) && !memchr(value.data, 0, value.size);
    buffer_add_string(out, "{\"unreadable\":");
    json_quote(out, why->text, strlen(why->text));
    buffer_add_string(out, is_text ? ",\"text\":" : ",\"hex\":");
    decode_raw(value, out);
    buffer_add_byte(out, '}');
}

static void add_avro(struct decoder *decoder, const struct weir_record *reader,
                     struct weir_bytes value, struct buffer *out)
{
    struct error error = {0};
    void *record = arena_alloc(&decoder->arena, reader->size);
    if (codec_decode(decoder->codec, reader, value, &decoder->arena, record, &error) == DECODED) {
        record_to_json(reader, record, out);
    } else {
        add_unreadable(value, &error, out);
    }
}

static void add_json(struct weir_bytes value, struct buffer *out)
{
    struct json *root = NULL;
    struct error error;
    if (json_parse(&root, value.data, value.size, &error) == OK) {
        json_print(root, out);
    } else {
        add_unreadable(value, &error, out);
    }
    json_free(root);
}

void decode_value(struct decoder *decoder, const char *topic, const struct port_record *record,
                  struct buffer *out)
{
    const struct weir_topic *known = decode_topic(topic);
    struct weir_bytes row_key;
    arena_reset(&decoder->arena);
    if (!record->value.data) {
        buffer_add_string(out, "null");
    } else if (known && known->encoding == WEIR_JSON) {
        add_json(record->value, out);
    } else if (known) {
        add_avro(decoder, known->record, record->value, out);
    } else if (is_log_of_state(topic) && is_checkpoint(record->key)) {
        add_avro(decoder, &checkpoint_record, record->value, out);
    } else {
        const struct weir_store *table =
            is_log_of_state(topic) ? table_of(record->key, &row_key) : NULL;
        if (table) {
            add_avro(decoder, table->record, record->value, out);
        } else {
            decode_raw(record->value, out);
        }
    }
}

static void add_row_key(struct decoder *decoder, const struct weir_store *table,
                        struct weir_bytes key, struct buffer *out)
{
    void *row = arena_alloc(&decoder->arena, table->record->size);
    buffer_add_string(out, "{\"table\":");
    json_quote(out, table->name, strlen(table->name));
    if (!key_decode(table, key, &decoder->arena, row)) {
        buffer_add_string(out, ",\"unreadable\":");
        add_hex(key, out);
    } else {
        for (uint16_t i = 0; i < table->key_field_count; i++) {
            const struct weir_field *field = &table->record->fields[table->key_fields[i]];
            buffer_add_byte(out, ',');
            json_quote(out, field->name, strlen(field->name));
            buffer_add_byte(out, ':');
            field_to_json(field, row, out);
        }
    }
    buffer_add_byte(out, '}');
}

void decode_key(struct decoder *decoder, const char *topic, const struct port_record *record,
                struct buffer *out)
{
    struct weir_bytes row_key;
    const struct weir_store *table =
        is_log_of_state(topic) ? table_of(record->key, &row_key) : NULL;
    arena_reset(&decoder->arena);
    if (table) {
        add_row_key(decoder, table, row_key, out);
    } else {
        decode_raw(record->key, out);
    }
}

void decode_headers(struct decoder *decoder, const struct port_record *record, struct buffer *out)
{
    struct port_header header;
    arena_reset(&decoder->arena);
    buffer_add_byte(out, '{');
    for (size_t i = 0; scan_header(record, i, &header); i++) {
        struct cause cause;
        struct error error;
        if (i > 0) {
            buffer_add_byte(out, ',');
        }
        json_quote(out, header.name, strlen(header.name));
        buffer_add_byte(out, ':');
        if (strcmp(header.name, CAUSE_HEADER) == 0 &&
            codec_decode_datum(decoder->codec, &cause_record, header.value, &decoder->arena, &cause,
                               &error) == DECODED) {
            record_to_json(&cause_record, &cause, out);
        } else {
            decode_raw(header.value, out);
        }
    }
    buffer_add_byte(out, '}');
}
