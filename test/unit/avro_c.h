/* avro_c.h - a datum into and out of a value of avro-c, the oracle of our codec. */
#ifndef WEIR_TEST_AVRO_C_H
#define WEIR_TEST_AVRO_C_H

#include <avro.h>

#include "base/buffer.h"
#include "base/error.h"
#include "weir.h"

static inline void avro_c_write(avro_value_t *value, struct buffer *out)
{
    size_t size;
    CHECK(avro_value_sizeof(value, &size) == 0);
    avro_writer_t writer =
        avro_writer_memory((char *)buffer_reserve(out, size + 1), (int64_t)size + 1);
    CHECK(avro_value_write(writer, value) == 0);
    out->size += size;
    avro_writer_free(writer);
}

/* It leaks what it parses when it fails. */
static inline bool avro_c_read(struct weir_bytes datum, avro_value_t *value)
{
    avro_reader_t reader = avro_reader_memory((const char *)datum.data, (int64_t)datum.size);
    bool read = avro_value_read(reader, value) == 0;
    avro_reader_free(reader);
    return read;
}

#endif
