/* emit_topics.c - topics, the handlers of their records and the calls that emit them. */
#include <inttypes.h>

#include "emit.h"
#include "text.h"

/* The records that a topic's handlers get: the branches of an envelope, or the record itself. */
static size_t event_count(const struct topic *topic)
{
    const struct named *record = topic->record;
    return record->union_field < 0 ? 1
                                   : record->schema->fields[record->union_field].type->branch_count;
}

static const struct named *event_at(const struct model *model, const struct topic *topic,
                                    size_t index)
{
    const struct named *record = topic->record;
    if (record->union_field < 0) {
        return record;
    }
    return model_find(model,
                      record->schema->fields[record->union_field].type->branches[index]->name);
}

static void emit_head(const struct topic *topic, const struct named *event, struct buffer *out)
{
    size_t start = out->size;
    buffer_format(out, "void %s_emit(struct weir_context *ctx, %sconst struct %s *event)",
                  event->c_name, topic->sequenced ? "int64_t agg_seq, " : "", event->c_name);
    text_wrap_head(out, start);
}

static void emit_declaration(const struct model *model, const struct topic *topic,
                             struct buffer *out)
{
    buffer_format(out, "/* ---- %s ---- */\n\n", topic->name);
    text_comment(out, "", topic->doc);
    buffer_format(out, "extern const struct weir_topic %s_topic;\n\n", topic->c_name);
    buffer_format(out, "struct %s_handlers {\n", topic->record->c_name);
    for (size_t i = 0; i < event_count(topic); i++) {
        const char *event = event_at(model, topic, i)->c_name;
        buffer_format(out, "    void (*%s)(struct weir_context *ctx, const struct %s *event);\n",
                      event, event);
    }
    buffer_format(out, "};\n\n/* Emits on %s under the event's %s. */\n", topic->name, topic->key);
    for (size_t i = 0; i < event_count(topic); i++) {
        emit_head(topic, event_at(model, topic, i), out);
        buffer_add_string(out, ";\n");
    }
    buffer_add_byte(out, '\n');
}

void emit_topic_declarations(const struct model *model, struct buffer *out)
{
    for (size_t i = 0; i < model->topic_count; i++) {
        emit_declaration(model, &model->topics[i], out);
    }
}

static void emit_call(const char *indent, const char *slot, const char *event, struct buffer *out)
{
    buffer_format(out, "%sif (slots->%s == NULL) {\n%s    return false;\n%s}\n", indent, slot,
                  indent, indent);
    buffer_format(out, "%sslots->%s(ctx, %s);\n%sreturn true;\n", indent, slot, event, indent);
}

static void emit_dispatch(const struct model *model, const struct topic *topic, struct buffer *out)
{
    const struct named *record = topic->record;
    size_t start = out->size;
    buffer_format(out, "static bool %s_dispatch(struct weir_context *ctx, const void *record, ",
                  record->c_name);
    buffer_add_string(out, "const void *handlers)");
    text_wrap_head(out, start);
    buffer_add_string(out, "\n{\n");
    buffer_format(out, "    const struct %s_handlers *slots = handlers;\n", record->c_name);
    if (record->union_field < 0) {
        emit_call("    ", record->c_name, "record", out);
        buffer_add_string(out, "}\n\n");
        return;
    }
    buffer_format(
        out, "    const struct %s *envelope = record;\n    switch (envelope->payload_branch) {\n",
        record->c_name);
    for (size_t i = 0; i < event_count(topic); i++) {
        const struct named *event = event_at(model, topic, i);
        struct buffer argument;
        buffer_init(&argument);
        buffer_format(&argument, "&envelope->payload.%s", event->c_name);
        buffer_format(out, "    case %s_%s:\n", record->c_upper, event->c_upper);
        emit_call("        ", event->c_name, buffer_string(&argument), out);
        buffer_release(&argument);
    }
    buffer_add_string(out, "    }\n    return false;\n}\n\n");
}

static void emit_emit(const struct topic *topic, const struct named *event, struct buffer *out)
{
    const struct named *record = topic->record;
    emit_head(topic, event, out);
    buffer_add_string(out, "\n{\n");
    if (record->union_field < 0) {
        buffer_format(out, "    weir_emit(ctx, &%s_topic, event->%s, event);\n}\n\n", topic->c_name,
                      topic->key);
        return;
    }
    buffer_format(out, "    const struct %s envelope = {\n", record->c_name);
    buffer_format(out, "        .agg_seq = %s,\n", topic->sequenced ? "agg_seq" : "0");
    buffer_add_string(out, "        .occurred_ms = weir_now_ms(ctx),\n");
    buffer_format(out, "        .payload_branch = %s_%s,\n", record->c_upper, event->c_upper);
    buffer_format(out, "        .payload.%s = *event,\n    };\n", event->c_name);
    buffer_format(out, "    weir_emit(ctx, &%s_topic, event->%s, &envelope);\n}\n\n", topic->c_name,
                  topic->key);
}

static void emit_topic(const struct topic *topic, struct buffer *out)
{
    buffer_format(out, "const struct weir_topic %s_topic = {\n    .name = \"%s\",\n", topic->c_name,
                  topic->name);
    buffer_format(out, "    .key = \"%s\",\n    .record = &%s_record,\n", topic->key,
                  topic->record->c_name);
    buffer_format(out, "    .encoding = %s,\n",
                  topic->encoding == WEIR_JSON ? "WEIR_JSON" : "WEIR_AVRO");
    buffer_format(out, "    .cleanup = %s,\n",
                  topic->cleanup == WEIR_COMPACT ? "WEIR_COMPACT" : "WEIR_DELETE");
    buffer_format(out, "    .partitions = %" PRId64 ",\n    .max_message_bytes = %" PRId64 ",\n",
                  topic->partitions, topic->max_message_bytes);
    buffer_format(out, "    .retention_ms = INT64_C(%" PRId64 "),\n", topic->retention_ms);
    buffer_format(out, "    .delete_retention_ms = INT64_C(%" PRId64 "),\n",
                  topic->delete_retention_ms);
    buffer_format(out, "    .dispatch = %s_dispatch,\n};\n\n", topic->record->c_name);
}

void emit_topic_definitions(const struct model *model, struct buffer *out)
{
    for (size_t i = 0; i < model->topic_count; i++) {
        const struct topic *topic = &model->topics[i];
        emit_dispatch(model, topic, out);
        emit_topic(topic, out);
        for (size_t event = 0; event < event_count(topic); event++) {
            emit_emit(topic, event_at(model, topic, event), out);
        }
    }
}
