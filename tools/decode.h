/* decode.h - any record of any topic as JSON, for people.
 *
 * Shop topics are read by their record, dead letters like the topic they come from, changelogs and
 * histories by the table that their keys name. What cannot be read so is shown as text, or as
 * lower-case hex, with the reason.
 */
#ifndef WEIR_TOOLS_DECODE_H
#define WEIR_TOOLS_DECODE_H

#include "base/buffer.h"
#include "codec/codec.h"
#include "kafka/port.h"

struct decoder {
    struct codec *codec;
    struct arena arena; /* of one record */
};

/* `schema_dir`: schemas of other writers; NULL: none. Release it either way. */
MUST_CHECK enum outcome decoder_init(struct decoder *decoder, const char *schema_dir,
                                     struct error *error);
void decoder_release(struct decoder *decoder);

/* The topic whose records stand in `topic`: itself, or the one that a .dlq belongs to; NULL for
 * others. */
const struct weir_topic *decode_topic(const char *topic);

/* Each appends one JSON value. */
void decode_key(struct decoder *decoder, const char *topic, const struct port_record *record,
                struct buffer *out);
void decode_value(struct decoder *decoder, const char *topic, const struct port_record *record,
                  struct buffer *out);
void decode_headers(struct decoder *decoder, const struct port_record *record, struct buffer *out);

/* The bytes as a JSON string: as they are when they are UTF-8 text, else as hex. */
void decode_raw(struct weir_bytes bytes, struct buffer *out);

#endif
