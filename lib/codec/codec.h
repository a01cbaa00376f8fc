/* codec.h - records between Avro bytes, JSON text and C structs.
 *
 * A record on a topic is Avro single-object encoding: C3 01, the writer schema's CRC-64-AVRO
 * fingerprint (8 bytes, little endian), the binary datum. To read it one needs the writer's schema:
 * those compiled in, plus a directory of older (or newer) ones. From (writer schema, reader layout)
 * the resolver makes one flat plan, by the rules of the Avro specification, "Schema Resolution":
 * defaults, promotion, aliases, enum symbols by name, unions. One bounded interpreter runs plans.
 * Hostile bytes get an error, never a crash, a loop or an allocation that the input does not pay
 * for.
 */
#ifndef WEIR_CODEC_CODEC_H
#define WEIR_CODEC_CODEC_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "codec/layout.h"

struct codec;

/* A codec that knows the schemas of `records` (NULL-terminated) as writers, and every *.avsc file
 * of `directory` (NULL: none; files there are self-contained). FATAL with file and reason on a
 * schema that cannot be read. Free with codec_close. Not thread-safe. */
MUST_CHECK enum outcome codec_open(struct codec **codec, const struct weir_record *const *records,
                                   const char *directory, struct error *error);
void codec_close(struct codec *codec);

/* Reads again the files of the directory that are not known yet: a schema may arrive while a task
 * is paused for it. */
MUST_CHECK enum outcome codec_refresh(struct codec *codec, struct error *error);

enum decode_result {
    DECODED,
    DECODE_BAD, /* the bytes are not a record of their schema, or cannot be read as `reader`: dead
                   letter */
    DECODE_UNKNOWN_SCHEMA, /* no writer schema with this fingerprint: an outage, not a bad record */
    DECODE_UNKNOWN_BRANCH, /* the writer's union has a record that the reader lacks: an outage */
};

/* Decodes one framed record into `out` (reader->size bytes), strings and arrays in `arena`. Errors
 * name the field and the byte. On anything but DECODED the content of `out` is unspecified. */
enum decode_result codec_decode(struct codec *codec, const struct weir_record *reader,
                                struct weir_bytes bytes, struct arena *arena, void *out,
                                struct error *error);

/* The same for a datum without frame, written with `reader`'s own schema. */
enum decode_result codec_decode_datum(struct codec *codec, const struct weir_record *reader,
                                      struct weir_bytes datum, struct arena *arena, void *out,
                                      struct error *error);

/* Appends the framed record, or the bare datum. `in` must be a valid value (enum in range, no NULL
 * where not nullable): anything else is a bug of ours and CHECKed. Strings must be UTF-8 (not
 * checked). */
void codec_encode(const struct weir_record *record, const void *in, struct buffer *out);
void codec_encode_datum(const struct weir_record *record, const void *in, struct buffer *out);

/* Appends the ten bytes that frame a datum of `record`'s own schema, and reads them off again: true
 * when `bytes` begins with this record's own frame (*datum is what follows). */
void codec_frame(const struct weir_record *record, struct buffer *out);
bool codec_unframe(const struct weir_record *record, struct weir_bytes bytes,
                   struct weir_bytes *datum);

/* Appends one JSON object on one line: fields by name in schema order, enums as their symbols,
 * bytes as lower-case hex, null for an absent nullable. A union of records is an object with one
 * member, the record's short name:
 * {"payload":{"Reserve":{...}}}. */
void record_to_json(const struct weir_record *record, const void *in, struct buffer *out);
/* One field's value alone (an array column of a store). */
void field_to_json(const struct weir_field *field, const void *record, struct buffer *out);

/* Reads one JSON object strictly: an unknown or duplicate member, a missing member without default,
 * a wrong type, an integer out of range, an unknown symbol, bad UTF-8, trailing text, depth over 32
 * are DECODE_BAD, with the member's path
 * ("lines[3].qty: ...") or line and column. Never another non-DECODED result. */
enum decode_result record_from_json(const struct weir_record *record, struct weir_bytes text,
                                    struct arena *arena, void *out, struct error *error);
enum decode_result field_from_json(const struct weir_field *field, struct weir_bytes text,
                                   struct arena *arena, void *record, struct error *error);

/* A deep copy: strings, bytes and arrays go into `arena`. */
void record_copy(const struct weir_record *record, const void *in, struct arena *arena, void *out);

/* Value equality, NULL-safe, as the encoded bytes would compare. */
bool record_equal(const struct weir_record *record, const void *a, const void *b);

#endif
