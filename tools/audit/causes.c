/* causes.c - outputs by their causes: none twice (I22), none missing (I24).
 *
 * A cause is an input record, or a timer that it set; each output names it, its ordinal and how
 * many there are. A cause with outputs still to come stands in a hash table; once it has them all,
 * a record's cause is one bit at its offset, so that only open causes and timers cost memory. A
 * lost last output shows, because the others know the count; an input all of whose outputs are lost
 * shows in the checkpoints' counts (flow.c). Views are coalesced and have no ordinals; they are
 * counted.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "internal.h"

enum { SLOTS_FIRST = 1024, WORD_BITS = 64 };

struct open_cause {
    packed_place source; /* 0: a free slot */
    uint64_t timer;      /* hash of its name; 0: the record itself */
    union {
        uint64_t word;   /* the ordinals seen, as bits: */
        uint64_t *words; /* of more than 64 outputs */
    } bits;
    int32_t count, seen;
};

static bool is_large(const struct open_cause *cause)
{
    return cause->count > WORD_BITS;
}

static void cause_free(struct open_cause *cause)
{
    if (is_large(cause)) {
        free(cause->bits.words);
    }
}

static size_t slot_of(const struct audit *audit, packed_place source, uint64_t timer)
{
    size_t mask = audit->cause_slots - 1;
    size_t at = (size_t)hash_bytes(timer, &source, sizeof source) & mask;
    while (audit->causes[at].source != 0 &&
           (audit->causes[at].source != source || audit->causes[at].timer != timer)) {
        at = (at + 1) & mask;
    }
    return at;
}

static void grow(struct audit *audit)
{
    struct open_cause *old = audit->causes;
    size_t old_slots = audit->cause_slots;
    audit->cause_slots = old_slots > 0 ? old_slots * 2 : SLOTS_FIRST;
    audit->causes = xcalloc(audit->cause_slots, sizeof *audit->causes);
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].source != 0) {
            audit->causes[slot_of(audit, old[i].source, old[i].timer)] = old[i];
        }
    }
    free(old);
}

/* Finds it, or adds it with `count` outputs to come. */
static struct open_cause *cause_get(struct audit *audit, packed_place source, uint64_t timer,
                                    int32_t count)
{
    if ((audit->cause_count + 1) * 4 > audit->cause_slots * 3) {
        grow(audit);
    }
    struct open_cause *cause = &audit->causes[slot_of(audit, source, timer)];
    if (cause->source == 0) {
        *cause = (struct open_cause){.source = source, .timer = timer, .count = count};
        if (count > WORD_BITS) {
            cause->bits.words =
                xcalloc((size_t)(count - 1) / WORD_BITS + 1, sizeof *cause->bits.words);
        }
        audit->cause_count++;
        checked(audit, I24, 1);
    }
    return cause;
}

/* Takes it out, and moves up what had to step aside for it. */
static void cause_remove(struct audit *audit, struct open_cause *cause)
{
    size_t mask = audit->cause_slots - 1, hole = (size_t)(cause - audit->causes);
    cause_free(cause);
    for (size_t at = (hole + 1) & mask; audit->causes[at].source != 0; at = (at + 1) & mask) {
        const struct open_cause *other = &audit->causes[at];
        size_t home = (size_t)hash_bytes(other->timer, &other->source, sizeof other->source) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            audit->causes[hole] = *other;
            hole = at;
        }
    }
    audit->causes[hole] = (struct open_cause){0};
    audit->cause_count--;
}

static uint64_t *word_of(struct open_cause *cause, int32_t ordinal)
{
    return is_large(cause) ? &cause->bits.words[ordinal / WORD_BITS] : &cause->bits.word;
}

static bool has(const struct open_cause *cause, int32_t ordinal)
{
    uint64_t word = is_large(cause) ? cause->bits.words[ordinal / WORD_BITS] : cause->bits.word;
    return (word >> ordinal % WORD_BITS & 1) != 0;
}

static void twice(struct audit *audit, const struct place *at, const struct cause *cause)
{
    broken(audit, I22, at,
           "output %" PRId32 " of %s/%" PRId32 "/%" PRId64 "%s%s is here a second time",
           cause->ordinal, cause->topic, cause->partition, cause->offset,
           cause->timer ? ", timer " : "", cause->timer ? cause->timer : "");
}

/* Notes one numbered output. */
static void note(struct audit *audit, const struct place *at, const struct cause *cause,
                 packed_place source, uint8_t *seen)
{
    uint64_t timer = 0;
    if (cause->timer) {
        timer = hash_bytes(1, cause->timer, strlen(cause->timer)) | 1;
    } else if ((*seen & SEEN_COMPLETE) != 0) {
        twice(audit, at, cause);
        return;
    } else if (cause->count == 1 &&
               (*seen & SEEN_OUTPUT) == 0) { /* the usual one: complete at once */
        *seen |= SEEN_OUTPUT | SEEN_COMPLETE;
        checked(audit, I24, 1);
        return;
    } else {
        *seen |= SEEN_OUTPUT;
    }
    struct open_cause *open = cause_get(audit, source, timer, cause->count);
    if (open->count != cause->count) {
        broken(audit, I24, at,
               "expected %" PRId32 " outputs of %s/%" PRId32 "/%" PRId64
               ", as another of them says; this one says %" PRId32,
               open->count, cause->topic, cause->partition, cause->offset, cause->count);
        return;
    }
    if (has(open, cause->ordinal)) {
        twice(audit, at, cause);
        return;
    }
    *word_of(open, cause->ordinal) |= UINT64_C(1) << cause->ordinal % WORD_BITS;
    open->seen++;
    if (open->seen == open->count && !timer) {
        *seen |= SEEN_COMPLETE;
        cause_remove(audit, open);
    }
}

void causes_output(struct audit *audit, const struct partition *of, const struct place *at,
                   const struct cause *cause)
{
    checked(audit, I22, 1);
    struct partition *source = partition_find(audit, cause->topic, cause->partition);
    if (!source) {
        broken(audit, I23, at, "names %s/%" PRId32 " as its cause, which is no input", cause->topic,
               cause->partition);
        return;
    }
    if (cause->offset < source->low) {
        return; /* gone by now */
    }
    if (audit->options.online && cause->offset >= source->high) {
        return; /* orders and stock feed each other: no order of taking the ends suits all */
    }
    uint8_t *seen = seen_at(source, cause->offset);
    if (!seen) {
        broken(audit, I23, at,
               "names %s/%" PRId32 "/%" PRId64 " as its cause; that log ends at offset %" PRId64,
               cause->topic, cause->partition, cause->offset, source->high);
        return;
    }
    if (cause->offset > source->highest_cause) {
        source->highest_cause = cause->offset;
        source->highest_cause_at = *at;
    }
    bool is_view = of->kind->writer == WRITER_VIEW;
    if (is_view != (cause->ordinal == -1)) {
        broken(audit, I22, at, "expected %s, found ordinal %" PRId32,
               is_view ? "ordinal -1 in a view" : "an ordinal", cause->ordinal);
    } else if (is_view) {
        source->views++;
    } else if (cause->ordinal < 0 || cause->ordinal >= cause->count) {
        broken(audit, I24, at, "ordinal %" PRId32 " of %" PRId32 " outputs", cause->ordinal,
               cause->count);
    } else {
        source->outputs++;
        struct place place = {source->topic, source->number, cause->offset};
        note(audit, at, cause, pack(audit, &place), seen);
    }
}

/* While the system runs only what was committed before the audit began is complete, and a timer may
 * have fired since. */
static bool must_be_complete(const struct audit *audit, const struct open_cause *cause,
                             const struct place *place)
{
    const struct partition *source = partition_find(audit, place->topic, place->partition);
    return !audit->options.online || (cause->timer == 0 && place->offset < source->next);
}

static int by_source(const void *a, const void *b)
{
    const struct open_cause *const *left = a, *const *right = b;
    return ((*left)->source > (*right)->source) - ((*left)->source < (*right)->source);
}

void causes_finish(struct audit *audit)
{
    struct open_cause **open = xcalloc(audit->cause_count + 1, sizeof *open);
    size_t count = 0;
    for (size_t i = 0; i < audit->cause_slots; i++) {
        if (audit->causes[i].source != 0 && audit->causes[i].seen < audit->causes[i].count) {
            open[count++] = &audit->causes[i];
        }
    }
    qsort(open, count, sizeof *open, by_source);
    for (size_t i = 0; i < count; i++) {
        struct place place = unpack(audit, open[i]->source);
        if (!must_be_complete(audit, open[i], &place)) {
            continue;
        }
        int32_t missing = 0;
        while (has(open[i], missing)) {
            missing++;
        }
        broken(audit, I24, &place,
               "expected %" PRId32 " outputs of this %s, found %" PRId32
               "; the first that is missing "
               "is number %" PRId32,
               open[i]->count, open[i]->timer ? "record's timer" : "record", open[i]->seen,
               missing);
    }
    free(open);
}

void causes_release(struct audit *audit)
{
    for (size_t i = 0; i < audit->cause_slots; i++) {
        cause_free(&audit->causes[i]);
    }
    free(audit->causes);
    audit->causes = NULL;
    audit->cause_slots = audit->cause_count = 0;
}
