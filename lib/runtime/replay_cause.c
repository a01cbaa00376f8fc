/* replay_cause.c - whose effects differ: what the commit at hand has left in outputs and dead
 * letters, beside what the replay has just made.
 *
 * Every output names its cause, so the topics are asked, all of them from their start: slow, but
 * done for the first few differences only. What compaction or retention may have taken away does
 * not count as missing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/deadletter.h"
#include "runtime/replay_internal.h"

enum { ASK_MS = 5000, SHOWN_BYTES = 200 };

/* An output or dead letter, and what made it. */
struct effect {
    const char *topic;
    const struct weir_record *layout; /* NULL: a dead letter */
    struct weir_bytes key, value;
    struct cause cause; /* of a dead letter: its record, and no more */
    const char *reason; /* of a dead letter: class and cause */
    bool found;         /* made now: it was made then, too */
};

struct search {
    struct replay *replay;
    struct arena arena;
    struct effect *made; /* now, in order */
    size_t made_count;
    bool whole;          /* of the partition that is read: nothing can be missing from it */
    size_t first;        /* of `made` that is not as it was; SIZE_MAX: none */
    struct effect was;   /* what stands in its place */
    struct effect extra; /* was made then, and is not now; topic NULL: none */
};

/* ---- causes ---- */

static struct weir_bytes header_named(const struct port_header *headers, size_t count,
                                      const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(headers[i].name, name) == 0) {
            return headers[i].value;
        }
    }
    return (struct weir_bytes){NULL, 0};
}

static const char *text_of(struct arena *arena, struct weir_bytes bytes)
{
    return arena_strndup(arena, bytes.data ? (const char *)bytes.data : "", bytes.size);
}

/* "topic/partition/offset" of a dead letter. */
static bool read_source(struct arena *arena, struct weir_bytes source, struct cause *cause)
{
    char *text = arena_strndup(arena, source.data ? (const char *)source.data : "", source.size);
    char *offset = strrchr(text, '/');
    if (!offset) {
        return false;
    }
    *offset++ = 0;
    char *partition = strrchr(text, '/');
    if (!partition) {
        return false;
    }
    *partition++ = 0;
    *cause = (struct cause){.topic = text,
                            .partition = (int32_t)strtol(partition, NULL, 10),
                            .offset = strtoll(offset, NULL, 10)};
    return true;
}

/* false: it does not say who made it, so it is none of weir's. */
static bool read_effect(struct search *search, const char *topic, const struct weir_record *layout,
                        struct weir_bytes key, struct weir_bytes value,
                        const struct port_header *headers, size_t count, struct effect *effect)
{
    struct arena *arena = &search->arena;
    *effect = (struct effect){.topic = topic, .layout = layout, .key = key, .value = value};
    if (layout) {
        struct weir_bytes cause = header_named(headers, count, CAUSE_HEADER);
        struct error ignored;
        return cause.data && codec_decode_datum(search->replay->options.codec, &cause_record, cause,
                                                arena, &effect->cause, &ignored) == DECODED;
    }
    effect->reason =
        arena_format(arena, "%s %s", text_of(arena, header_named(headers, count, DEAD_CLASS)),
                     text_of(arena, header_named(headers, count, DEAD_CAUSE)));
    const char *processor = text_of(arena, header_named(headers, count, DEAD_PROCESSOR));
    return strcmp(processor, search->replay->options.application_id) == 0 &&
           read_source(arena, header_named(headers, count, DEAD_SOURCE), &effect->cause);
}

static bool same_cause(const struct effect *a, const struct effect *b)
{
    const char *timer = a->cause.timer ? a->cause.timer : "";
    return strcmp(a->topic, b->topic) == 0 && strcmp(a->cause.topic, b->cause.topic) == 0 &&
           a->cause.partition == b->cause.partition && a->cause.offset == b->cause.offset &&
           a->cause.ordinal == b->cause.ordinal &&
           strcmp(timer, b->cause.timer ? b->cause.timer : "") == 0;
}

static bool same_bytes(struct weir_bytes a, struct weir_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool same_effect(const struct effect *a, const struct effect *b)
{
    return same_bytes(a->key, b->key) && same_bytes(a->value, b->value) &&
           (a->layout || strcmp(a->reason, b->reason) == 0);
}

/* Was it the commit at hand that handled this record? A timer's outputs do not tell: they name the
 * record that set it. */
static bool is_of_this_commit(const struct search *search, const struct cause *cause)
{
    const struct input_range *range = replay_range(search->replay, cause->topic);
    return range && !cause->timer && cause->partition == search->replay->options.partition &&
           cause->offset >= range->first_offset && cause->offset < range->next_offset;
}

/* ---- what was made now ---- */

static const struct weir_topic *output_named(const struct weir_processor *processor,
                                             const char *name)
{
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->outputs[i]; i++) {
        if (strcmp(processor->outputs[i]->name, name) == 0) {
            return processor->outputs[i];
        }
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->views[i].topic; i++) {
        if (strcmp(processor->views[i].topic->name, name) == 0) {
            return processor->views[i].topic;
        }
    }
    return NULL;
}

static void gather_made(struct search *search)
{
    const struct muted *muted = &search->replay->muted;
    search->made = arena_alloc(&search->arena, (muted->count + 1) * sizeof *search->made);
    for (size_t i = 0; i < muted->count; i++) {
        const struct muted_record *record = &muted->records[i];
        const struct weir_topic *topic =
            output_named(search->replay->options.processor, record->topic);
        struct effect *effect = &search->made[search->made_count];
        search->made_count +=
            read_effect(search, record->topic, topic ? topic->record : NULL, record->key,
                        record->value, record->headers, record->header_count, effect);
    }
}

/* ---- what was made then ---- */

static struct effect lasting(struct search *search, const struct effect *effect)
{
    struct effect copy = *effect;
    struct arena *arena = &search->arena;
    copy.key.data =
        (const uint8_t *)arena_strndup(arena, (const char *)effect->key.data, effect->key.size);
    copy.value.data = effect->value.data
                          ? (const uint8_t *)arena_strndup(arena, (const char *)effect->value.data,
                                                           effect->value.size)
                          : NULL;
    return copy;
}

static void see(struct search *search, const struct effect *effect)
{
    for (size_t i = 0; i < search->made_count; i++) {
        struct effect *made = &search->made[i];
        if (!same_cause(made, effect)) {
            continue;
        }
        made->found = true;
        if (i < search->first && !same_effect(made, effect)) {
            search->first = i;
            search->was = lasting(search, effect);
        }
        return;
    }
    if (!search->extra.topic && is_of_this_commit(search, &effect->cause)) {
        search->extra = lasting(search, effect);
    }
}

static void see_record(struct search *search, const char *topic, const struct weir_record *layout,
                       const struct port_record *record)
{
    struct port *port = search->replay->options.port;
    struct port_header headers[PORT_HEADERS_MAX];
    size_t count = 0;
    while (count < PORT_HEADERS_MAX && port->calls->header(port, record, count, &headers[count])) {
        count++;
    }
    struct effect effect;
    if (read_effect(search, topic, layout, record->key, record->value, headers, count, &effect)) {
        see(search, &effect);
    }
}

/* `compacted`: what is not there may have been replaced. */
static enum outcome read_partition(struct search *search, const char *topic,
                                   const struct weir_record *layout, int32_t partition,
                                   bool compacted, struct error *error)
{
    struct replay *replay = search->replay;
    struct port *port = replay->options.port;
    struct port_log bounds;
    enum outcome outcome = port->calls->log(port, topic, partition, ASK_MS, &bounds, error);
    if (outcome != OK) {
        return outcome;
    }
    search->whole = search->whole && bounds.low == 0 && !compacted;
    struct replay_log *log = xcalloc(1, sizeof *log);
    outcome = replay_log_open(replay, log, topic, partition, bounds.low, error);
    while (outcome == OK) {
        struct port_record *record;
        outcome = replay_log_next(replay, log, topic, bounds.stable, &record, error);
        if (outcome != OK || !record) {
            break;
        }
        see_record(search, topic, layout, record);
        port->calls->reader_release(log->reader, record, 1);
    }
    replay_log_close(replay, log);
    free(log);
    return outcome;
}

/* The first of `made` that should be in this topic and is not. */
static void look_for_missing(struct search *search, const char *topic)
{
    for (size_t i = 0; i < search->first && i < search->made_count && search->whole; i++) {
        if (!search->made[i].found && strcmp(search->made[i].topic, topic) == 0) {
            search->first = i;
            search->was = (struct effect){0};
        }
    }
}

static enum outcome read_output(struct search *search, const struct weir_topic *topic,
                                struct error *error)
{
    enum outcome outcome = OK;
    search->whole = true;
    for (int32_t p = 0; p < topic->partitions && outcome == OK; p++) {
        outcome = read_partition(search, topic->name, topic->record, p,
                                 topic->cleanup == WEIR_COMPACT, error);
    }
    look_for_missing(search, topic->name);
    return outcome;
}

static enum outcome read_dead_letters(struct search *search, const struct weir_topic *input,
                                      struct error *error)
{
    const char *topic = arena_format(&search->arena, "%s.dlq", input->name);
    search->whole = true;
    enum outcome outcome =
        read_partition(search, topic, NULL, search->replay->options.partition, false, error);
    look_for_missing(search, topic);
    return outcome;
}

/* ---- in words ---- */

/* The value as JSON (a dead letter: why it was one); "" when there is no such effect. */
static const char *shown(struct search *search, const struct effect *effect)
{
    struct arena *arena = &search->arena;
    struct error why;
    if (!effect->topic) {
        return "";
    }
    if (!effect->layout) {
        return effect->reason;
    }
    void *record = arena_alloc(arena, effect->layout->size);
    if (codec_decode(search->replay->options.codec, effect->layout, effect->value, arena, record,
                     &why) != DECODED) {
        return arena_format(arena, "%zu bytes", effect->value.size);
    }
    struct buffer text;
    buffer_init(&text);
    record_to_json(effect->layout, record, &text);
    const char *copy = arena_strndup(arena, (const char *)text.data, text.size);
    buffer_release(&text);
    return copy;
}

/* Where the two begin to differ, from the member's name on. */
static size_t common_start(const char *a, const char *b)
{
    size_t same = 0, start = 0;
    for (; a[same] && a[same] == b[same]; same++) {
        start = a[same] == '{' || a[same] == ',' ? same + 1 : start;
    }
    return same > SHOWN_BYTES / 2 ? start : 0;
}

static void describe(struct search *search, const struct effect *now, const struct effect *then,
                     struct replay_difference *difference)
{
    const struct effect *any = now->topic ? now : then;
    const struct cause *cause = &any->cause;
    snprintf(difference->record, sizeof difference->record, "%s%s%s%s/%d/%" PRId64,
             cause->timer ? "timer " : "", cause->timer ? cause->timer : "",
             cause->timer ? ", set by " : "", cause->topic, (int)cause->partition, cause->offset);
    const char *is = shown(search, now), *was = shown(search, then);
    size_t from = now->topic && then->topic ? common_start(is, was) : 0;
    int cut = SHOWN_BYTES;
    if (now->topic && then->topic) {
        snprintf(difference->effect, sizeof difference->effect, "%s %.*s: %.*s, was %.*s",
                 any->topic, (int)any->key.size, (const char *)any->key.data, cut, is + from, cut,
                 was + from);
    } else {
        snprintf(difference->effect, sizeof difference->effect, "%s %.*s: %.*s, which %s",
                 any->topic, (int)any->key.size, (const char *)any->key.data, cut,
                 now->topic ? is : was, now->topic ? "was not there" : "was there");
    }
}

/* A record that comes first in its input comes first. */
static bool extra_is_first(const struct search *search)
{
    if (!search->extra.topic || search->first == SIZE_MAX) {
        return search->extra.topic != NULL;
    }
    const struct cause *a = &search->extra.cause, *b = &search->made[search->first].cause;
    return strcmp(a->topic, b->topic) == 0 && !b->timer && a->offset < b->offset;
}

enum outcome replay_name_cause(struct replay *replay, struct replay_difference *difference,
                               struct error *error)
{
    const struct weir_processor *processor = replay->options.processor;
    struct search search = {.replay = replay, .first = SIZE_MAX};
    arena_init(&search.arena);
    gather_made(&search);
    enum outcome outcome = OK;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->outputs[i] && outcome == OK; i++) {
        outcome = read_output(&search, processor->outputs[i], error);
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->views[i].topic && outcome == OK; i++) {
        outcome = read_output(&search, processor->views[i].topic, error);
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic && outcome == OK; i++) {
        outcome = read_dead_letters(&search, processor->inputs[i].topic, error);
    }
    static const struct effect none;
    if (outcome == OK && extra_is_first(&search)) {
        describe(&search, &none, &search.extra, difference);
    } else if (outcome == OK && search.first != SIZE_MAX) {
        describe(&search, &search.made[search.first], &search.was, difference);
    }
    arena_release(&search.arena);
    return outcome;
}
