/* codec.c - framed records: whose schema, which plan.
 *
 * A codec knows writers by fingerprint and makes a plan the first time that a writer's record is
 * read as some layout. Both tables only grow, by what is deployed, never by what is read: an
 * unknown fingerprint leaves no trace.
 */
#include "codec/codec.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/plan.h"

enum { FRAME_BYTES = 10, MAX_FILE_BYTES = 1024 * 1024, FIRST_SLOTS = 64 };

struct writer {
    uint64_t fingerprint;
    const struct schema *schema;
    struct writer *next;
};

struct known_plan {
    uint64_t fingerprint;
    const struct weir_record *reader; /* NULL: a free slot */
    struct plan plan;
};

struct codec {
    struct arena arena; /* schemas and plans: until codec_close */
    struct writer *writers;
    struct known_plan **slots; /* open addressing, at most half full, a power of two */
    size_t slot_count, plan_count;
    char *directory;
    char **files; /* names in the directory that have been read */
    size_t file_count;
};

/* ---- writers ---- */

static struct writer *find_writer(const struct codec *codec, uint64_t fingerprint)
{
    for (struct writer *writer = codec->writers; writer; writer = writer->next) {
        if (writer->fingerprint == fingerprint) {
            return writer;
        }
    }
    return NULL;
}

static struct writer *add_writer(struct codec *codec, const struct schema *schema)
{
    uint64_t fingerprint = schema_fingerprint(schema);
    struct writer *writer = find_writer(codec, fingerprint);
    if (!writer) {
        writer = arena_alloc(&codec->arena, sizeof *writer);
        *writer =
            (struct writer){.fingerprint = fingerprint, .schema = schema, .next = codec->writers};
        codec->writers = writer;
    }
    return writer;
}

static enum outcome add_record(struct codec *codec, const struct weir_record *record,
                               struct error *error)
{
    struct schema *schema;
    if (find_writer(codec, record->fingerprint)) {
        return OK;
    }
    if (schema_parse(&schema, record->schema, strlen(record->schema), &codec->arena, NULL, NULL,
                     error)) {
        error_prefix(error, "the compiled-in schema of %s", record->name);
        return FATAL;
    }
    if (add_writer(codec, schema)->fingerprint != record->fingerprint) {
        return fail_exit(error, EXIT_BUG,
                         "%s: the compiled-in fingerprint is not that of its schema", record->name);
    }
    return OK;
}

/* ---- the directory of other versions ---- */

static enum outcome read_file(const char *path, struct buffer *text, struct error *error)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return fail_exit(error, EXIT_CONFIG, "%s: %s", path, strerror(errno));
    }
    text->size = fread(buffer_reserve(text, MAX_FILE_BYTES + 1), 1, MAX_FILE_BYTES + 1, file);
    int cause = ferror(file) ? errno : text->size > MAX_FILE_BYTES ? EFBIG : 0;
    (void)fclose(file);
    return cause ? fail_exit(error, EXIT_CONFIG, "%s: %s", path, strerror(cause)) : OK;
}

static enum outcome add_file(struct codec *codec, const char *path, struct error *error)
{
    struct buffer text = {0};
    struct schema *schema;
    enum outcome outcome = read_file(path, &text, error);
    if (outcome == OK) {
        const char *begin = (const char *)text.data;
        outcome = schema_parse(&schema, begin, text.size, &codec->arena, NULL, NULL, error);
        if (outcome) {
            error_prefix(error, "%s", path);
        } else {
            add_writer(codec, schema);
        }
    }
    buffer_release(&text);
    return outcome;
}

static bool is_known_file(const struct codec *codec, const char *name)
{
    for (size_t i = 0; i < codec->file_count; i++) {
        if (strcmp(codec->files[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int is_schema_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".avsc") == 0;
}

static enum outcome add_new_file(struct codec *codec, const char *name, struct error *error)
{
    struct buffer path = {0};
    buffer_format(&path, "%s/%s", codec->directory, name);
    enum outcome outcome = add_file(codec, buffer_string(&path), error);
    buffer_release(&path);
    if (outcome == OK) {
        codec->files = xrealloc(codec->files, (codec->file_count + 1) * sizeof(char *));
        codec->files[codec->file_count++] = xstrdup(name);
    }
    return outcome;
}

/* One bad file (perhaps half copied) does not hide the others: all are tried, the first failure is
 * told. */
enum outcome codec_refresh(struct codec *codec, struct error *error)
{
    struct dirent **entries;
    enum outcome outcome = OK;
    if (!codec->directory) {
        return OK;
    }
    int count = scandir(codec->directory, &entries, is_schema_file, alphasort);
    if (count < 0) {
        return fail_exit(error, EXIT_CONFIG, "the directory of schemas %s: %s", codec->directory,
                         strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        struct error ignored;
        if (!is_known_file(codec, entries[i]->d_name) &&
            add_new_file(codec, entries[i]->d_name, outcome ? &ignored : error)) {
            outcome = FATAL;
        }
        free(entries[i]);
    }
    free(entries);
    return outcome;
}

enum outcome codec_open(struct codec **codec, const struct weir_record *const *records,
                        const char *directory, struct error *error)
{
    struct codec *opened = xcalloc(1, sizeof *opened);
    arena_init(&opened->arena);
    opened->slot_count = FIRST_SLOTS;
    opened->slots = xcalloc(opened->slot_count, sizeof(struct known_plan *));
    opened->directory = directory ? xstrdup(directory) : NULL;
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && records[i]; i++) {
        outcome = add_record(opened, records[i], error);
    }
    if (outcome == OK) {
        outcome = codec_refresh(opened, error);
    }
    if (outcome) {
        codec_close(opened);
        return outcome;
    }
    *codec = opened;
    return OK;
}

void codec_close(struct codec *codec)
{
    if (!codec) {
        return;
    }
    for (size_t i = 0; i < codec->file_count; i++) {
        free(codec->files[i]);
    }
    free(codec->files);
    free(codec->directory);
    free(codec->slots);
    arena_release(&codec->arena);
    free(codec);
}

/* ---- plans ---- */

/* The slot of this pair, or the free one where it belongs. Fingerprints are random enough as they
 * are. */
static struct known_plan **find_slot(struct known_plan **slots, size_t slot_count,
                                     uint64_t fingerprint, const struct weir_record *reader)
{
    size_t at = (size_t)(fingerprint ^ (uintptr_t)reader >> 4);
    for (;; at++) {
        struct known_plan **slot = &slots[at & (slot_count - 1)];
        if (!*slot || ((*slot)->fingerprint == fingerprint && (*slot)->reader == reader)) {
            return slot;
        }
    }
}

static void grow_slots(struct codec *codec)
{
    size_t count = 2 * codec->slot_count;
    struct known_plan **slots = xcalloc(count, sizeof(struct known_plan *));
    for (size_t i = 0; i < codec->slot_count; i++) {
        struct known_plan *known = codec->slots[i];
        if (known) {
            *find_slot(slots, count, known->fingerprint, known->reader) = known;
        }
    }
    free(codec->slots);
    codec->slots = slots;
    codec->slot_count = count;
}

/* NULL: the fingerprint is not known. */
static const struct plan *find_plan(struct codec *codec, uint64_t fingerprint,
                                    const struct weir_record *reader)
{
    struct known_plan **slot = find_slot(codec->slots, codec->slot_count, fingerprint, reader);
    if (*slot) {
        return &(*slot)->plan;
    }
    const struct writer *writer = find_writer(codec, fingerprint);
    if (!writer) {
        return NULL;
    }
    if (2 * (codec->plan_count + 1) > codec->slot_count) {
        grow_slots(codec);
        slot = find_slot(codec->slots, codec->slot_count, fingerprint, reader);
    }
    struct known_plan *known = arena_alloc(&codec->arena, sizeof *known);
    known->fingerprint = fingerprint;
    known->reader = reader;
    plan_resolve(&known->plan, writer->schema, reader, &codec->arena);
    codec->plan_count++;
    *slot = known;
    return &known->plan;
}

enum decode_result codec_decode(struct codec *codec, const struct weir_record *reader,
                                struct weir_bytes bytes, struct arena *arena, void *out,
                                struct error *error)
{
    if (bytes.size < FRAME_BYTES || bytes.data[0] != 0xC3 || bytes.data[1] != 0x01) {
        (void)fail_exit(error, EXIT_DATA,
                        "not an Avro single-object record: it must begin with C3 01 and a "
                        "fingerprint, and these %zu bytes do not",
                        bytes.size);
        return DECODE_BAD;
    }
    uint64_t fingerprint = 0;
    for (int i = 0; i < 8; i++) {
        fingerprint |= (uint64_t)bytes.data[2 + i] << 8 * i;
    }
    const struct plan *plan = find_plan(codec, fingerprint, reader);
    if (!plan) {
        (void)fail_exit(error, EXIT_DATA,
                        "no schema with the fingerprint %016" PRIx64
                        " is known: put the producer's .avsc file into %s",
                        fingerprint,
                        codec->directory ? codec->directory
                                         : "the directory of schemas (none is configured)");
        return DECODE_UNKNOWN_SCHEMA;
    }
    struct weir_bytes datum = {bytes.data + FRAME_BYTES, bytes.size - FRAME_BYTES};
    return plan_run(plan, reader, datum, arena, out, error);
}

enum decode_result codec_decode_datum(struct codec *codec, const struct weir_record *reader,
                                      struct weir_bytes datum, struct arena *arena, void *out,
                                      struct error *error)
{
    const struct plan *plan = find_plan(codec, reader->fingerprint, reader);
    if (!plan && add_record(codec, reader, error) == OK) {
        plan = find_plan(codec, reader->fingerprint, reader);
    }
    CHECK(plan); /* a compiled-in schema that cannot be read is a bug of the schema compiler */
    return plan_run(plan, reader, datum, arena, out, error);
}
