/* topic_rules.c - the rules between topics.conf and the records.
 *
 * A topic's record is an envelope {agg_seq long, occurred_ms long, payload union of records}, or a
 * plain record without a union. Every record that can be a topic's value holds the topic's key in a
 * field of the same name, so that the generated emit calls need no key; and belongs to one topic
 * only, so that they need no topic.
 */
#include <string.h>

#include "rules.h"

static const struct schema_field *field_of(const struct named *type, const char *name)
{
    for (size_t i = 0; i < type->schema->field_count; i++) {
        if (strcmp(type->schema->fields[i].name, name) == 0) {
            return &type->schema->fields[i];
        }
    }
    return NULL;
}

static enum outcome check_key(struct model *model, const struct topic *topic,
                              const struct named *type, struct error *error)
{
    const struct schema_field *key = field_of(type, topic->key);
    if (key == NULL) {
        return fail_exit(error, EXIT_DATA,
                         "%s: [%s]: %s (%s) has no field %s, which is the topic's key",
                         topic->where, topic->name, type->short_name, type->source->path,
                         topic->key);
    }
    struct shape shape = checked_shape(model, key->type);
    if (shape.kind != WEIR_STRING || shape.nullable) {
        return fail_exit(
            error, EXIT_DATA,
            "%s: [%s]: %s.%s (%s) is the topic's key: it must be a string, not nullable",
            topic->where, topic->name, type->short_name, topic->key, type->source->path);
    }
    return OK;
}

/* The record is a value of this topic and of no other. */
static enum outcome take_record(struct topic *topic, struct named *type, struct error *error)
{
    if (type->topic != NULL) {
        return fail_exit(error, EXIT_DATA,
                         "%s: [%s]: %s already belongs to [%s] (%s): a record is of one topic only",
                         topic->where, topic->name, type->short_name, type->topic->name,
                         type->topic->where);
    }
    type->topic = topic;
    return OK;
}

static enum outcome claim_call(struct model *model, const struct named *type, const char *suffix,
                               struct error *error)
{
    const char *name = arena_format(&model->arena, "%s%s", type->c_name, suffix);
    return names_claim(&model->names, &model->arena, ORDINARY, name, rules_owner(model, type),
                       error);
}

/* A record that a handler is called with and that an emit call takes. */
static enum outcome check_event(struct model *model, struct topic *topic, struct named *type,
                                struct error *error)
{
    if (take_record(topic, type, error) != OK || check_key(model, topic, type, error) != OK) {
        return FATAL;
    }
    return claim_call(model, type, "_emit", error);
}

static bool is_envelope(const struct model *model, const struct named *type)
{
    static const char *const names[] = {"agg_seq", "occurred_ms", "payload"};
    static const enum weir_kind kinds[] = {WEIR_LONG, WEIR_LONG, WEIR_UNION};
    if (type->schema->field_count != 3) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        const struct schema_field *field = &type->schema->fields[i];
        struct shape shape = checked_shape(model, field->type);
        if (strcmp(field->name, names[i]) != 0 || shape.kind != kinds[i] || shape.nullable) {
            return false;
        }
    }
    return true;
}

static enum outcome check_value(struct model *model, struct topic *topic, struct error *error)
{
    struct named *record = topic->record;
    if (record->union_field < 0) {
        if (topic->sequenced) {
            return fail_exit(error, EXIT_DATA,
                             "%s: [%s]: sequenced = yes needs an envelope with agg_seq",
                             topic->where, topic->name);
        }
        return check_event(model, topic, record, error);
    }
    if (!is_envelope(model, record)) {
        return fail_exit(error, EXIT_DATA,
                         "%s: [%s]: %s (%s): an envelope is {agg_seq long, occurred_ms long, "
                         "payload union of records}, in this order",
                         topic->where, topic->name, record->short_name, record->source->path);
    }
    if (take_record(topic, record, error) != OK) {
        return FATAL;
    }
    const struct schema *branches = record->schema->fields[record->union_field].type;
    for (size_t i = 0; i < branches->branch_count; i++) {
        if (check_event(model, topic, model_find(model, branches->branches[i]->name), error) !=
            OK) {
            return FATAL;
        }
    }
    return OK;
}

static enum outcome claim_topic(struct model *model, const struct topic *topic, struct error *error)
{
    const char *owner = arena_format(&model->arena, "%s: [%s]", topic->where, topic->name);
    const char *name = arena_format(&model->arena, "%s_topic", topic->c_name);
    const char *handlers = arena_format(&model->arena, "%s_handlers", topic->record->c_name);
    const char *dispatch = arena_format(&model->arena, "%s_dispatch", topic->record->c_name);
    if (names_claim(&model->names, &model->arena, ORDINARY, name, owner, error) != OK ||
        names_claim(&model->names, &model->arena, ORDINARY, dispatch, owner, error) != OK) {
        return FATAL;
    }
    return names_claim(&model->names, &model->arena, TAG, handlers, owner, error);
}

enum outcome rules_check_topics(struct model *model, struct error *error)
{
    for (size_t i = 0; i < model->topic_count; i++) {
        struct topic *topic = &model->topics[i];
        topic->record = model_find(model, topic->record_name);
        if (topic->record == NULL || is_enum(topic->record)) {
            return fail_exit(error, EXIT_DATA,
                             "%s: [%s]: record = %s: no .avsc file given defines this record",
                             topic->where, topic->name, topic->record_name);
        }
        if (check_value(model, topic, error) != OK || claim_topic(model, topic, error) != OK) {
            return FATAL;
        }
    }
    return OK;
}
