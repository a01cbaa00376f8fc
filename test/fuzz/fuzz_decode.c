/* fuzz_decode.c - libFuzzer: any bytes as a record, of the reader's own schema or of another
 * writer's.
 *
 * The first byte chooses the writer. What is decoded must be a whole record: it is printed as JSON,
 * read back, encoded, decoded again, and equal each time.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../unit/layout_of.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const schemas[] = {
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"at\",\"type\":\"long\"},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}},"
    "{\"name\":\"n\",\"type\":[\"null\",\"int\"],\"default\":null},{\"name\":\"s\",\"type\":["
    "\"string\",\"null\"]},"
    "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
    "\"L\",\"fields\":["
    "{\"name\":\"qty\",\"type\":\"int\"},{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":"
    "\"bytes\"}},"
    "{\"name\":\"ok\",\"type\":\"boolean\"}]}}},"
    "{\"name\":\"u\",\"type\":[{\"type\":\"record\",\"name\":\"A1\",\"fields\":[]},"
    "{\"type\":\"record\",\"name\":\"B1\",\"fields\":[{\"name\":\"x\",\"type\":\"long\"}]}]}]}",
    /* another writer: everything moved, more of it, some of it promoted or missing */
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"u\",\"type\":[{\"type\":\"record\",\"name\":\"C1\",\"fields\":[]},"
    "{\"type\":\"record\",\"name\":\"B1\",\"fields\":[{\"name\":\"x\",\"type\":[\"int\",\"null\","
    "\"long\"]}]},\"null\"]},"
    "{\"name\":\"more\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"double\",{\"type\":"
    "\"fixed\",\"name\":\"F\","
    "\"size\":3}]}},{\"name\":\"nothing\",\"type\":{\"type\":\"array\",\"items\":\"null\"}},"
    "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
    "\"L\",\"fields\":["
    "{\"name\":\"ok\",\"type\":\"boolean\"},{\"name\":\"tags\",\"type\":{\"type\":\"array\","
    "\"items\":\"string\"}},"
    "{\"name\":\"gone\",\"type\":\"float\"},{\"name\":\"qty\",\"type\":\"int\"}]}}},"
    "{\"name\":\"s\",\"type\":\"bytes\"},{\"name\":\"at\",\"type\":\"int\"},{\"name\":\"id\","
    "\"type\":\"string\"},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"X\",\"A\"]}}]"
    "}",
};

struct fixture {
    struct arena arena;
    const struct weir_record *reader;
    struct weir_record writers[2];
    struct codec *codec;
};

static struct fixture *open_fixture(void)
{
    static struct fixture fixture;
    struct error error;
    if (!fixture.codec) {
        const struct weir_record *records[3] = {NULL};
        for (int i = 0; i < 2; i++) {
            struct schema *schema;
            CHECK(schema_parse(&schema, schemas[i], strlen(schemas[i]), &fixture.arena, NULL, NULL,
                               &error) == OK);
            fixture.writers[i] = (struct weir_record){.name = "R",
                                                      .schema = schemas[i],
                                                      .fingerprint = schema_fingerprint(schema)};
            records[i] = &fixture.writers[i];
        }
        fixture.reader = layout_of(schemas[0], &fixture.arena);
        CHECK(codec_open(&fixture.codec, records, NULL, &error) == OK);
    }
    return &fixture;
}

/* A decoded record must survive JSON and its own schema. */
static void check_record(struct fixture *fixture, const void *record, struct arena *arena)
{
    struct error error;
    struct buffer text = {0}, bytes = {0};
    void *from_text = arena_alloc(arena, fixture->reader->size),
         *again = arena_alloc(arena, fixture->reader->size);
    record_to_json(fixture->reader, record, &text);
    struct weir_bytes json = {text.data, text.size};
    /* JSON has room for 250,000 values; a record may have more. */
    if (text.size < 250 * 1000) {
        CHECK(record_from_json(fixture->reader, json, arena, from_text, &error) == DECODED);
        CHECK(record_equal(fixture->reader, record, from_text));
    }
    codec_encode(fixture->reader, record, &bytes);
    struct weir_bytes framed = {bytes.data, bytes.size};
    CHECK(codec_decode(fixture->codec, fixture->reader, framed, arena, again, &error) == DECODED);
    CHECK(record_equal(fixture->reader, record, again));
    buffer_release(&text);
    buffer_release(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fixture *fixture = open_fixture();
    static struct arena arena;
    struct buffer framed = {0};
    struct error error;
    if (size == 0) {
        return 0;
    }
    uint64_t fingerprint = fixture->writers[data[0] & 1].fingerprint;
    buffer_add(&framed, "\xC3\x01", 2);
    for (int i = 0; i < 8; i++) {
        buffer_add_byte(&framed, (uint8_t)(fingerprint >> 8 * i));
    }
    buffer_add(&framed, data + 1, size - 1);
    struct weir_bytes bytes = {framed.data, framed.size};
    void *record = arena_alloc(&arena, fixture->reader->size);
    if (codec_decode(fixture->codec, fixture->reader, bytes, &arena, record, &error) == DECODED) {
        check_record(fixture, record, &arena);
    }
    buffer_release(&framed);
    arena_reset(&arena);
    return 0;
}
