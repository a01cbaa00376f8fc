/* hand.c - validates a record by the topic's own layout, so that what is put is what a processor
 * can read. */
#include "hand.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "codec/codec.h"

/* The field that holds one record of a union; NULL when the record has none (then it is no
 * envelope). */
static const struct weir_field *union_of(const struct weir_record *record)
{
    for (size_t i = 0; i < record->field_count; i++) {
        if (record->fields[i].type.kind == WEIR_UNION) {
            return &record->fields[i];
        }
    }
    return NULL;
}

static bool is_branch(const struct weir_field *field, const char *name)
{
    for (size_t i = 0; field->type.branches[i]; i++) {
        if (strcmp(field->type.branches[i]->short_name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Appends the envelope: as given, or made around the short form. */
static enum outcome wrap(const struct weir_record *record, struct weir_bytes text, int64_t now_ms,
                         struct buffer *out, struct error *error)
{
    const struct weir_field *field = union_of(record);
    struct json *root = NULL;
    enum outcome outcome = json_parse(&root, text.data, text.size, error);
    if (outcome != OK) {
        error->exit_code = EXIT_DATA;
        return outcome;
    }
    bool is_object = json_kind(root) == JSON_MEMBERS;
    bool is_short = field && is_object && json_count(root) == 1 &&
                    is_branch(field, json_name(json_first(root)));
    if (is_short) {
        buffer_format(out, "{\"agg_seq\":0,\"occurred_ms\":%" PRId64 ",\"%s\":", now_ms,
                      field->name);
    }
    json_print(root, out);
    if (is_short) {
        buffer_add_byte(out, '}');
    } else if (field && is_object && !json_get(root, field->name)) {
        outcome =
            fail_exit(error, EXIT_DATA,
                      "neither a whole %s (with agg_seq, occurred_ms, %s) nor one of its kinds, "
                      "such as {\"%s\":{...}}",
                      record->short_name, field->name, field->type.branches[0]->short_name);
    }
    json_free(root);
    return outcome;
}

/* The key field: of the union's branch, or of the record itself. */
static enum outcome find_key(const struct weir_topic *topic, const void *in, const char **key,
                             struct error *error)
{
    const struct weir_record *record = topic->record;
    const struct weir_field *field = union_of(record);
    const uint8_t *base = in;
    if (field) {
        int32_t branch;
        memcpy(&branch, base + field->has_offset, sizeof branch);
        record = field->type.branches[branch];
        base += field->offset;
    }
    for (size_t i = 0; i < record->field_count; i++) {
        if (strcmp(record->fields[i].name, topic->key) == 0) {
            memcpy(key, base + record->fields[i].offset, sizeof *key);
            return (*key)[0] ? OK
                             : fail_exit(error, EXIT_DATA, "%s is empty, and it is the key of %s",
                                         topic->key, topic->name);
        }
    }
    return fail_exit(error, EXIT_BUG, "%s has no field %s", record->name, topic->key);
}

enum outcome hand_read(const struct weir_topic *topic, struct weir_bytes text, int64_t now_ms,
                       struct arena *arena, const char **key, struct buffer *value,
                       struct error *error)
{
    struct buffer whole;
    buffer_init(&whole);
    void *record = arena_alloc(arena, topic->record->size);
    enum outcome outcome = wrap(topic->record, text, now_ms, &whole, error);
    if (outcome == OK &&
        record_from_json(topic->record, (struct weir_bytes){whole.data, whole.size}, arena, record,
                         error) != DECODED) {
        error->exit_code = EXIT_DATA;
        outcome = FATAL;
    }
    if (outcome == OK) {
        outcome = find_key(topic, record, key, error);
    }
    if (outcome == OK && topic->encoding == WEIR_AVRO) {
        codec_encode(topic->record, record, value);
    } else if (outcome == OK) {
        buffer_add(value, whole.data, whole.size);
    }
    buffer_release(&whole);
    return outcome;
}
