/* flow.c - checkpoints against what the topics hold: I23 and I25.
 *
 * Every commit says of each input which offsets it took and how many records of them it handled,
 * found stale and dead-lettered. Control records and aborted ones occupy offsets too, so records
 * are counted, not offsets. A history gives the commits in order; the compacted changelog has only
 * the last. A record that was handled may have no output (an order waits for more replies), but
 * never where every record is answered: raw orders, requests, stock commands. There whatever has
 * neither output nor dead letter must be counted as stale; so an input all of whose outputs are
 * lost is found, too.
 *
 * Limit: an input topic is read by one processor. Views on compacted topics are counted exactly as
 * long as the broker cannot have compacted them (younger than a segment's time, smaller than its
 * size); after that, at most.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Kafka's defaults for when a segment is closed; an open one is not compacted. topics.conf does not
 * change them. */
#define SEGMENT_MS    (7 * 24 * 60 * 60 * INT64_C(1000))
#define SEGMENT_BYTES (INT64_C(1) << 30)

static struct flow *flow_get(struct audit *audit, const struct place *at)
{
    for (size_t i = 0; i < audit->flow_count; i++) {
        if (audit->flows[i]->history == at->topic && audit->flows[i]->partition == at->partition) {
            return audit->flows[i];
        }
    }
    struct flow *flow = xcalloc(1, sizeof *flow);
    *flow = (struct flow){.history = at->topic, .partition = at->partition};
    audit->flows = xrealloc(audit->flows, (audit->flow_count + 1) * sizeof *audit->flows);
    return audit->flows[audit->flow_count++] = flow;
}

static void add_range(struct partition *input, const struct range *range)
{
    if (input->range_count == input->range_capacity) {
        input->range_capacity = input->range_capacity > 0 ? input->range_capacity * 2 : 64;
        input->ranges = xrealloc(input->ranges, input->range_capacity * sizeof *input->ranges);
    }
    input->ranges[input->range_count++] = *range;
}

/* One input of one commit. */
static void take_range(struct audit *audit, const struct place *at, struct flow *flow,
                       const struct checkpoint *checkpoint, const struct input_range *range)
{
    struct partition *input = partition_find(audit, range->topic, at->partition);
    if (!input) {
        broken(audit, I25, at, "commit %" PRId64 " took from %s/%" PRId32 ", which is no input",
               checkpoint->commit_number, range->topic, at->partition);
        return;
    }
    input->flow = flow;
    if (range->first_offset != input->next) {
        broken(audit, I25, at,
               "commit %" PRId64 ": expected %s to go on at offset %" PRId64 ", found %" PRId64,
               checkpoint->commit_number, range->topic, input->next, range->first_offset);
    }
    if (range->next_offset < range->first_offset || range->next_offset > input->high) {
        broken(audit, I25, at,
               "commit %" PRId64 " took offsets %" PRId64 " to %" PRId64
               " of %s, which ends at %" PRId64,
               checkpoint->commit_number, range->first_offset, range->next_offset, range->topic,
               input->high);
        return;
    }
    input->next = range->next_offset;
    if (range->next_offset > range->first_offset ||
        range->handled + range->stale + range->dead != 0) {
        add_range(input, &(struct range){
                             .first = range->first_offset,
                             .next = range->next_offset,
                             .handled = range->handled,
                             .stale = range->stale,
                             .dead = range->dead,
                             .history_offset = at->offset,
                             .commit_number = checkpoint->commit_number,
                         });
    }
}

void flow_checkpoint(struct audit *audit, const struct place *at,
                     const struct checkpoint *checkpoint)
{
    struct flow *flow = flow_get(audit, at);
    checked(audit, I25, 1);
    bool first = flow->commit_number == 0;
    if (checkpoint->commit_number != flow->commit_number + 1) {
        broken(audit, I25, at, "expected commit %" PRId64 ", found commit %" PRId64,
               flow->commit_number + 1, checkpoint->commit_number);
    }
    if (first) {
        snprintf(flow->incarnation, sizeof flow->incarnation, "%s", checkpoint->incarnation);
    } else if (strcmp(flow->incarnation, checkpoint->incarnation) != 0) {
        broken(audit, I25, at, "expected incarnation %s, found %s: the changelog was made anew",
               flow->incarnation, checkpoint->incarnation);
    }
    flow->commit_number = checkpoint->commit_number;
    flow->outputs += checkpoint->outputs;
    flow->last = *at;
    for (size_t i = 0; i < checkpoint->inputs.count; i++) {
        take_range(audit, at, flow, checkpoint, &checkpoint->inputs.items[i]);
    }
}

/* "topic/partition/offset" */
static bool read_source(struct audit *audit, struct weir_bytes source, struct place *place)
{
    char *text = arena_strndup(&audit->arena, (const char *)source.data, source.size);
    char *last = strrchr(text, '/'), *end;
    if (!last) {
        return false;
    }
    *last = 0;
    char *middle = strrchr(text, '/');
    if (!middle) {
        return false;
    }
    *middle = 0;
    long long offset = strtoll(last + 1, &end, 10);
    bool good = *end == 0 && end != last + 1 && offset >= 0;
    long partition = strtol(middle + 1, &end, 10);
    *place = (struct place){text, (int32_t)partition, offset};
    return good && *end == 0 && end != middle + 1;
}

void flow_dead_letter(struct audit *audit, const struct place *at, struct weir_bytes source)
{
    struct place place;
    checked(audit, I22, 1);
    if (source.size == 0 || !read_source(audit, source, &place)) {
        broken(audit, I23, at, "expected a header that names the record it was, found none");
        return;
    }
    struct partition *input = partition_find(audit, place.topic, place.partition);
    size_t length = strlen(place.topic);
    if (!input || strncmp(at->topic, place.topic, length) != 0 ||
        at->partition != place.partition) {
        broken(audit, I23, at, "comes from %s/%" PRId32 ", which is not the input of this topic",
               place.topic, place.partition);
        return;
    }
    uint8_t *seen = seen_at(input, place.offset);
    if (place.offset < input->low) {
        return;
    }
    input->dead_letters++;
    if (!seen) {
        broken(audit, I23, at,
               "comes from offset %" PRId64 " of %s/%" PRId32 ", which ends at %" PRId64,
               place.offset, place.topic, place.partition, input->high);
    } else if ((*seen & SEEN_DEAD) != 0) {
        broken(audit, I22, at, "%s/%" PRId32 "/%" PRId64 " was dead-lettered before", place.topic,
               place.partition, place.offset);
    } else {
        *seen |= SEEN_DEAD;
    }
}

/* ---- at the end ---- */

struct found {
    int64_t records, dead, silent, first_silent;
};

static struct found look(const struct partition *input, int64_t from, int64_t to)
{
    struct found found = {.first_silent = -1};
    for (int64_t offset = from < input->low ? input->low : from;
         offset < to && offset < input->high; offset++) {
        uint8_t seen = input->seen[offset - input->low];
        found.records += (seen & SEEN_RECORD) != 0;
        found.dead += (seen & SEEN_DEAD) != 0;
        if ((seen & (SEEN_RECORD | SEEN_DEAD | SEEN_OUTPUT)) == SEEN_RECORD) {
            found.silent++;
            found.first_silent = found.first_silent < 0 ? offset : found.first_silent;
        }
    }
    return found;
}

/* One commit's counts of one input against the records that are there. */
static void check_range(struct audit *audit, const struct partition *input, const struct flow *flow,
                        const struct range *range)
{
    struct place at = {flow->history, input->number, range->history_offset};
    struct found found = look(input, range->first, range->next);
    int64_t accounted = range->handled + range->stale + range->dead;
    checked(audit, I23, found.records);
    if (found.records != accounted) {
        broken(audit, I23, &at,
               "commit %" PRId64 " accounts for %" PRId64 " records of %s from offset %" PRId64
               " to %" PRId64 ", found %" PRId64,
               range->commit_number, accounted, input->topic, range->first, range->next,
               found.records);
    }
    if (found.dead != range->dead) {
        broken(audit, I23, &at,
               "commit %" PRId64 " counts %" PRId64 " dead letters of %s from offset %" PRId64
               " to %" PRId64 ", found %" PRId64,
               range->commit_number, range->dead, input->topic, range->first, range->next,
               found.dead);
    }
    if (input->kind && input->kind->answers && found.silent > range->stale) {
        struct place silent = {input->topic, input->number, found.first_silent};
        broken(audit, I23, &silent,
               "commit %" PRId64 " counts %" PRId64 " stale records, found %" PRId64
               " without output or dead letter, this one first",
               range->commit_number, range->stale, found.silent);
    }
}

/* Outputs and dead letters against the records they name. */
static void check_names(struct audit *audit, const struct partition *input)
{
    int64_t end = audit->options.online ? input->next : input->high;
    for (int64_t offset = input->low; offset < end; offset++) {
        uint8_t seen = input->seen[offset - input->low];
        struct place at = {input->topic, input->number, offset};
        if ((seen & (SEEN_OUTPUT | SEEN_DEAD)) != 0 && (seen & SEEN_RECORD) == 0) {
            broken(audit, I23, &at, "%s names this offset, where there is no committed record",
                   (seen & SEEN_DEAD) != 0 ? "a dead letter" : "an output");
        }
        if ((seen & SEEN_OUTPUT) != 0 && (seen & SEEN_DEAD) != 0) {
            broken(audit, I23, &at, "is a dead letter and has outputs");
        }
    }
}

/* Nothing names what is not committed, and nothing waits. */
static void check_end(struct audit *audit, const struct partition *input)
{
    if (audit->options.online) {
        return;
    }
    if (input->highest_cause >= input->next) {
        broken(audit, I23, &input->highest_cause_at,
               "names %s/%" PRId32 "/%" PRId64
               " as its cause, but only what is before offset %" PRId64 " is committed",
               input->topic, input->number, input->highest_cause, input->next);
    }
    struct found waiting = look(input, input->next, input->high);
    struct place at = {input->topic, input->number, input->next};
    if (waiting.records > 0) {
        broken(audit, I8, &at,
               "not settled: %" PRId64 " records from this offset on are not handled yet",
               waiting.records);
    }
}

static void check_sums(struct audit *audit, const struct partition *input)
{
    int64_t accounted = 0, dead = 0;
    for (size_t i = 0; i < input->range_count; i++) {
        accounted += input->ranges[i].handled + input->ranges[i].stale + input->ranges[i].dead;
        dead += input->ranges[i].dead;
    }
    struct place at = {input->topic, input->number, -1};
    struct found found = look(input, input->low, input->next);
    if (found.records != accounted) {
        broken(audit, I25, &at,
               "in: expected %" PRId64 " records by the checkpoints, found %" PRId64, accounted,
               found.records);
    }
    if (input->dead_letters != dead && !audit->options.online) {
        broken(audit, I25, &at,
               "dead: expected %" PRId64 " dead letters by the checkpoints, found %" PRId64, dead,
               input->dead_letters);
    }
}

static bool may_be_compacted(const struct audit *audit)
{
    for (size_t i = 0; i < audit->partition_count; i++) {
        const struct partition *partition = audit->partitions[i];
        if (partition->kind && partition->kind->writer == WRITER_VIEW &&
            (partition->last_ms - partition->first_ms >= SEGMENT_MS ||
             partition->bytes >= SEGMENT_BYTES)) {
            return true;
        }
    }
    return false;
}

static void check_outputs(struct audit *audit, const struct flow *flow)
{
    int64_t found = flow->found_outputs + flow->found_views;
    if (found > flow->outputs || (found < flow->outputs && !may_be_compacted(audit))) {
        broken(audit, I25, &flow->last,
               "out: expected %" PRId64 " outputs by all checkpoints up to commit %" PRId64
               ", found %" PRId64 " and %" PRId64 " in views",
               flow->outputs, flow->commit_number, flow->found_outputs, flow->found_views);
    }
}

static void check_ranges(struct audit *audit, const struct partition *input, struct flow *flow)
{
    flow->found_outputs += input->outputs;
    flow->found_views += input->views;
    for (size_t i = 0; i < input->range_count; i++) {
        check_range(audit, input, flow, &input->ranges[i]);
    }
    check_sums(audit, input);
}

void flow_finish(struct audit *audit)
{
    for (size_t i = 0; i < audit->partition_count; i++) {
        const struct partition *input = audit->partitions[i];
        if (input->flow) {
            check_ranges(audit, input, input->flow);
        }
        if (input->flow || (input->kind && input->kind->answers) || input->highest_cause >= 0) {
            check_names(audit, input);
            check_end(audit, input);
        }
    }
    for (size_t i = 0; i < audit->flow_count && !audit->options.online; i++) {
        check_outputs(audit, audit->flows[i]);
    }
}
