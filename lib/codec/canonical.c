/* canonical.c - Parsing Canonical Form and CRC-64-AVRO, by the Avro specification.
 *
 * Two schemas that read the same data have one canonical form: full names, no docs, defaults,
 * aliases or other attributes, members in a fixed order, no spaces. Its fingerprint stands in front
 * of every record.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "codec/schema.h"

#define CRC_EMPTY UINT64_C(0xc15d213aa4d7a795)

/* Named types already written: a second mention is the name alone. */
struct writer {
    struct buffer *out;
    const struct schema **seen;
    size_t seen_count, seen_capacity;
};

static bool first_mention(struct writer *writer, const struct schema *type)
{
    for (size_t i = 0; i < writer->seen_count; i++) {
        if (writer->seen[i] == type) {
            return false;
        }
    }
    if (writer->seen_count == writer->seen_capacity) {
        writer->seen_capacity = writer->seen_capacity > 0 ? 2 * writer->seen_capacity : 16;
        writer->seen = xrealloc(writer->seen, writer->seen_capacity * sizeof(struct schema *));
    }
    writer->seen[writer->seen_count++] = type;
    return true;
}

static void write_type(struct writer *writer, const struct schema *type);

static void write_fields(struct writer *writer, const struct schema *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        buffer_format(writer->out, "%s{\"name\":\"%s\",\"type\":", i > 0 ? "," : "",
                      type->fields[i].name);
        write_type(writer, type->fields[i].type);
        buffer_add_byte(writer->out, '}');
    }
}

static void write_named(struct writer *writer, const struct schema *type)
{
    if (!first_mention(writer, type)) {
        buffer_format(writer->out, "\"%s\"", type->name);
        return;
    }
    buffer_format(writer->out, "{\"name\":\"%s\",\"type\":\"%s\",", type->name,
                  schema_kind_name(type->kind));
    if (type->kind == SCHEMA_FIXED) {
        buffer_format(writer->out, "\"size\":%" PRId64 "}", type->fixed_size);
    } else if (type->kind == SCHEMA_ENUM) {
        buffer_add_string(writer->out, "\"symbols\":[");
        for (size_t i = 0; i < type->symbol_count; i++) {
            buffer_format(writer->out, "%s\"%s\"", i > 0 ? "," : "", type->symbols[i]);
        }
        buffer_add_string(writer->out, "]}");
    } else {
        buffer_add_string(writer->out, "\"fields\":[");
        write_fields(writer, type);
        buffer_add_string(writer->out, "]}");
    }
}

static void write_union(struct writer *writer, const struct schema *type)
{
    buffer_add_byte(writer->out, '[');
    for (size_t i = 0; i < type->branch_count; i++) {
        if (i > 0) {
            buffer_add_byte(writer->out, ',');
        }
        write_type(writer, type->branches[i]);
    }
    buffer_add_byte(writer->out, ']');
}

static void write_type(struct writer *writer, const struct schema *type)
{
    switch (type->kind) {
    case SCHEMA_NULL:
    case SCHEMA_BOOLEAN:
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
        buffer_format(writer->out, "\"%s\"", schema_kind_name(type->kind));
        break;
    case SCHEMA_FIXED:
    case SCHEMA_ENUM:
    case SCHEMA_RECORD:
        write_named(writer, type);
        break;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        buffer_format(writer->out, "{\"type\":\"%s\",\"%s\":", schema_kind_name(type->kind),
                      type->kind == SCHEMA_ARRAY ? "items" : "values");
        write_type(writer, type->items);
        buffer_add_byte(writer->out, '}');
        break;
    case SCHEMA_UNION:
        write_union(writer, type);
        break;
    }
}

void schema_canonical_form(const struct schema *schema, struct buffer *out)
{
    struct writer writer = {.out = out};
    write_type(&writer, schema);
    free(writer.seen);
}

/* Bit by bit: a schema is fingerprinted once in a process's life, and a table is more to get wrong.
 */
static uint64_t crc64_avro(const uint8_t *data, size_t size)
{
    uint64_t crc = CRC_EMPTY;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? CRC_EMPTY : 0);
        }
    }
    return crc;
}

uint64_t schema_fingerprint(const struct schema *schema)
{
    struct buffer form = {0};
    schema_canonical_form(schema, &form);
    uint64_t fingerprint = crc64_avro(form.data, form.size);
    buffer_release(&form);
    return fingerprint;
}
