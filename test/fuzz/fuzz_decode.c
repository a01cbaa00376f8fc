/* fuzz_decode.c - libFuzzer: any bytes as a record, of the reader's own schema or of another
 * writer's.
 *
 * The first byte chooses the writer. What is decoded must be a whole record: it is printed as JSON,
 * read back, encoded, decoded again, and equal each time. Where avro-c resolves the writer's schema
 * rightly (it knows no defaults, aliases, enums by symbol or empty records in a union), it must
 * read the same record.
 */
#define FUZZ_KEEPS_STATE
#include "../unit/avro_c.h"
#include "../unit/layout_of.h"
#include "fuzz.h"

enum { OWN, STRANGER, MOVED, WRITERS };

static const char *const schemas[WRITERS] = {
    [OWN] =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
        "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"at\",\"type\":\"long\"},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]"
        "}},"
        "{\"name\":\"n\",\"type\":[\"null\",\"int\"],\"default\":null},{\"name\":\"s\",\"type\":["
        "\"string\",\"null\"]},"
        "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
        "\"L\",\"fields\":["
        "{\"name\":\"qty\",\"type\":\"int\"},{\"name\":\"tags\",\"type\":{\"type\":\"array\","
        "\"items\":"
        "\"bytes\"}},"
        "{\"name\":\"ok\",\"type\":\"boolean\"}]}}},"
        "{\"name\":\"u\",\"type\":[{\"type\":\"record\",\"name\":\"A1\",\"fields\":[]},"
        "{\"type\":\"record\",\"name\":\"B1\",\"fields\":[{\"name\":\"x\",\"type\":\"long\"}]},"
        "{\"type\":\"record\",\"name\":\"Y1\",\"fields\":[{\"name\":\"y\",\"type\":\"boolean\"}]}]}"
        "]}",
    /* everything moved, more of it, some of it promoted or missing */
    [STRANGER] =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
        "{\"name\":\"u\",\"type\":[{\"type\":\"record\",\"name\":\"C1\",\"fields\":[]},"
        "{\"type\":\"record\",\"name\":\"B1\",\"fields\":[{\"name\":\"x\",\"type\":[\"int\","
        "\"null\","
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
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"X\",\"A\"]"
        "}}]"
        "}",
    /* the same within what avro-c can do */
    [MOVED] =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
        "{\"name\":\"u\",\"type\":[{\"type\":\"record\",\"name\":\"B1\",\"fields\":["
        "{\"name\":\"gone\",\"type\":\"string\"},{\"name\":\"x\",\"type\":\"int\"}]},"
        "{\"type\":\"record\",\"name\":\"Y1\",\"fields\":[{\"name\":\"y\",\"type\":\"boolean\"}]}]}"
        ","
        "{\"name\":\"more\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"double\",{\"type\":"
        "\"fixed\",\"name\":\"F\",\"size\":3}]}},"
        "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
        "\"L\",\"fields\":[{\"name\":\"ok\",\"type\":\"boolean\"},{\"name\":\"gone\",\"type\":"
        "{\"type\":\"array\",\"items\":\"float\"}},{\"name\":\"tags\",\"type\":{\"type\":\"array\","
        "\"items\":\"bytes\"}},{\"name\":\"qty\",\"type\":\"int\"}]}}},"
        "{\"name\":\"s\",\"type\":[\"null\",\"string\"]},{\"name\":\"n\",\"type\":\"int\"},"
        "{\"name\":\"at\",\"type\":\"int\"},{\"name\":\"id\",\"type\":\"string\"},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":["
        "\"A\",\"B\",\"C\"]}}]}",
};

struct fixture {
    struct arena arena;
    const struct weir_record *reader;
    struct weir_record writers[WRITERS];
    struct codec *codec;
    avro_value_iface_t *moved; /* avro-c's way from that writer to the reader */
    avro_value_t record;       /* avro-c's, of the reader's schema */
};

static void open_avro_c(struct fixture *fixture)
{
    avro_schema_t reader, moved;
    CHECK(avro_schema_from_json_length(schemas[OWN], strlen(schemas[OWN]), &reader) == 0);
    CHECK(avro_schema_from_json_length(schemas[MOVED], strlen(schemas[MOVED]), &moved) == 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(reader);
    CHECK(avro_generic_value_new(class, &fixture->record) == 0);
    fixture->moved = avro_resolved_writer_new(moved, reader);
    CHECK(fixture->moved != NULL);
}

static struct fixture *open_fixture(void)
{
    static struct fixture fixture;
    struct error error;
    if (!fixture.codec) {
        const struct weir_record *records[WRITERS + 1] = {NULL};
        for (int i = 0; i < WRITERS; i++) {
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
        open_avro_c(&fixture);
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

static void compare_with_avro_c(struct fixture *fixture, int writer, struct weir_bytes datum,
                                const void *record)
{
    struct buffer ours = {0}, theirs = {0};
    avro_value_t resolved;
    CHECK(avro_value_reset(&fixture->record) == 0);
    if (writer == OWN) {
        CHECK(avro_c_read(datum, &fixture->record));
    } else {
        CHECK(avro_resolved_writer_new_value(fixture->moved, &resolved) == 0);
        avro_resolved_writer_set_dest(&resolved, &fixture->record);
        CHECK(avro_c_read(datum, &resolved));
        avro_value_decref(&resolved);
    }
    avro_c_write(&fixture->record, &theirs);
    codec_encode_datum(fixture->reader, record, &ours);
    CHECK(ours.size == theirs.size && memcmp(ours.data, theirs.data, ours.size) == 0);
    buffer_release(&ours);
    buffer_release(&theirs);
}

/* Of each writer a record with something in every field. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct fuzz_seed seeds[WRITERS] = {
        FUZZ_SEED("own", "\0\4id\2\4\2\12\0\4hi\2\16\2\6tag\0\1\0\2\12"),
        FUZZ_SEED("stranger", "\1\2\0\12\0\0\2\1\2\6tag\0\0\0\0\0\16\0\4hi\2\4id\4"),
        FUZZ_SEED("moved", "\2\0\2g\12\2\2k\0\0\2\1\0\2\6tag\0\16\0\2\4hi\6\10\4id\2"),
    };
    return fuzz_seeds(*argc, *argv, seeds, WRITERS);
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
    int writer = data[0] % WRITERS;
    uint64_t fingerprint = fixture->writers[writer].fingerprint;
    buffer_add(&framed, "\xC3\x01", 2);
    for (int i = 0; i < 8; i++) {
        buffer_add_byte(&framed, (uint8_t)(fingerprint >> 8 * i));
    }
    buffer_add(&framed, data + 1, size - 1);
    struct weir_bytes bytes = {framed.data, framed.size};
    void *record = arena_alloc(&arena, fixture->reader->size);
    if (codec_decode(fixture->codec, fixture->reader, bytes, &arena, record, &error) == DECODED) {
        check_record(fixture, record, &arena);
        if (writer != STRANGER) {
            compare_with_avro_c(fixture, writer, (struct weir_bytes){data + 1, size - 1}, record);
        }
    }
    buffer_release(&framed);
    arena_reset(&arena);
    return 0;
}
