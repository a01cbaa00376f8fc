/* facts.c - asks the broker and the file. */
#include "doctor/facts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ASK_MS = 3000 };

void facts_read_group(struct task_facts *facts)
{
    size_t present = 0;
    facts->number = 0;
    facts->incarnation[0] = 0;
    facts->group = GROUP_NONE;
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct port_offset *offset = &facts->inputs[i].committed;
        int64_t number;
        char incarnation[INCARNATION_BYTES];
        if (offset->offset < 0) {
            continue;
        }
        if (!metadata_read(offset->metadata, offset->offset, &number, incarnation)) {
            facts->group = GROUP_FOREIGN;
            return;
        }
        if (present > 0 && number != facts->number) {
            facts->group = GROUP_MIXED;
            return;
        }
        facts->number = number;
        memcpy(facts->incarnation, incarnation, sizeof incarnation);
        present++;
    }
    if (present > 0) {
        facts->group = present < facts->input_count ? GROUP_PARTIAL : GROUP_AT;
    }
}

int64_t facts_checkpoint_offset(const struct task_facts *facts, const char *topic)
{
    const struct checkpoint *checkpoint = &facts->changelog.checkpoint;
    for (size_t i = 0; facts->changelog.found && i < checkpoint->inputs.count; i++) {
        if (strcmp(checkpoint->inputs.items[i].topic, topic) == 0) {
            return checkpoint->inputs.items[i].next_offset;
        }
    }
    return -1;
}

int64_t facts_position(const struct task_facts *facts, const struct input_facts *input)
{
    if (facts->group == GROUP_AT) {
        return input->committed.offset;
    }
    int64_t offset = facts_checkpoint_offset(facts, input->topic);
    return facts->group != GROUP_NONE ? -1 : offset >= 0 ? offset : input->log.low;
}

bool facts_file_is_current(const struct task_facts *facts)
{
    return facts->file == FILE_READ && facts->group == GROUP_AT &&
           facts->meta.commit_number == facts->number &&
           strcmp(facts->meta.incarnation, facts->incarnation) == 0;
}

bool facts_never_committed(const struct task_facts *facts)
{
    const struct last_checkpoint *changelog = &facts->changelog;
    bool has_file = facts->file == FILE_READ && facts->meta.commit_number > 0;
    return facts->group == GROUP_NONE && !changelog->found && changelog->rows == 0 &&
           !changelog->unreadable[0] && !has_file;
}

/* ---- gathering ---- */

static enum outcome ask_group(const struct facts_source *source, struct task_facts *facts,
                              struct error *error)
{
    const char *topics[WEIR_LIST_MAX];
    struct port_offset offsets[WEIR_LIST_MAX];
    for (size_t i = 0; i < facts->input_count; i++) {
        topics[i] = facts->inputs[i].topic;
    }
    enum outcome outcome =
        source->port->calls->committed(source->port, topics, facts->input_count, source->partition,
                                       ASK_MS, offsets, error);
    if (outcome == RETRY) { /* the broker did answer other questions: a transaction holds them */
        facts->group = GROUP_HELD;
        return OK;
    }
    for (size_t i = 0; i < facts->input_count && outcome == OK; i++) {
        facts->inputs[i].committed = offsets[i];
    }
    if (outcome == OK) {
        facts_read_group(facts);
    }
    return outcome;
}

static void look_at_file(const struct facts_source *source, struct task_facts *facts)
{
    struct error why;
    if (access(source->state_path, F_OK) != 0) {
        facts->file = FILE_NONE;
    } else if (store_peek(source->state_path, &facts->meta, &why) == OK) {
        facts->file = FILE_READ;
    } else {
        facts->file = FILE_UNREADABLE;
        snprintf(facts->file_trouble, sizeof facts->file_trouble, "%.190s", why.text);
    }
}

/* Is it a record that the task would wait at? */
static void look_at_next(const struct facts_source *source, const struct weir_topic *topic,
                         struct input_facts *input, struct arena *arena)
{
    struct error why;
    CHECK(topic);
    if (topic->encoding != WEIR_AVRO || !input->waiting.first_value.data) {
        return;
    }
    void *record = arena_alloc(arena, topic->record->size);
    enum decode_result result =
        codec_decode(source->codec, topic->record, input->waiting.first_value, arena, record, &why);
    if (result == DECODE_UNKNOWN_SCHEMA || result == DECODE_UNKNOWN_BRANCH) {
        snprintf(input->unreadable, sizeof input->unreadable, "%.290s", why.text);
    }
}

static enum outcome look_at_inputs(const struct facts_source *source, struct arena *arena,
                                   struct task_facts *facts, struct error *error)
{
    struct port *port = source->port;
    enum outcome outcome = OK;
    for (size_t i = 0; i < facts->input_count && outcome == OK; i++) {
        struct input_facts *input = &facts->inputs[i];
        outcome = log_bounds(port, input->topic, source->partition, &input->log, error);
        int64_t from = outcome == OK ? facts_position(facts, input) : -1;
        if (from >= 0 && from < input->log.stable) {
            outcome = waiting_records(port, input->topic, source->partition, from, arena,
                                      &input->waiting, error);
        }
        if (outcome == OK) {
            look_at_next(source, source->processor->inputs[i].topic, input, arena);
        }
    }
    return outcome;
}

enum outcome facts_gather(const struct facts_source *source, struct arena *arena,
                          struct task_facts *facts, struct error *error)
{
    *facts = (struct task_facts){
        .processor = source->processor->name,
        .application_id = source->application_id,
        .partition = source->partition,
        .now_ms = source->port->calls->wall_ms(source->port),
        .transaction_timeout_ms = source->transaction_timeout_ms,
        .delete_retention_ms = source->delete_retention_ms,
    };
    for (size_t i = 0; i < WEIR_LIST_MAX && source->processor->inputs[i].topic; i++) {
        facts->inputs[facts->input_count++] =
            (struct input_facts){.topic = source->processor->inputs[i].topic->name,
                                 .waiting = {.first_offset = -1}};
    }
    /* The changelog first: its question needs no stable group, so RETRY there means no broker. The
     * group before and behind it: only what stood still in between can contradict. */
    const char *changelog = arena_format(arena, "%s.changelog", source->application_id);
    struct port_log log;
    enum outcome outcome = log_bounds(source->port, changelog, source->partition, &log, error);
    if (outcome == OK) {
        outcome = ask_group(source, facts, error);
    }
    enum group_state before = facts->group;
    int64_t number = facts->number;
    look_at_file(source, facts);
    if (outcome == OK) {
        outcome = checkpoint_last(source->port, source->codec, changelog, source->partition, arena,
                                  &facts->changelog, error);
    }
    if (outcome == OK && before != GROUP_HELD) {
        outcome = ask_group(source, facts, error);
    }
    facts->moving = facts->group == GROUP_AT && facts->number > number &&
                    (before == GROUP_AT || before == GROUP_NONE);
    return outcome == OK ? look_at_inputs(source, arena, facts, error) : outcome;
}
