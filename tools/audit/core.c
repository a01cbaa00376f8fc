/* core.c - takes records in, finds out what they are, and hands them to the modules. */
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "runtime/deadletter.h"

enum { PLACE_OFFSET_BITS = 48 };

static const struct topic_kind kinds[] = {
    {&order_raw_topic, 0, WRITER_FOREIGN, true, I23, NULL},
    {&order_requests_topic, 1, WRITER_MIXED, true, I23, orders_read_request},
    {&stock_commands_topic, 2, WRITER_MIXED, true, I23, holds_read_command},
    {&stock_replies_topic, 3, WRITER_OURS, false, I5, holds_read_reply},
    {&stock_ledger_topic, 3, WRITER_OURS, false, I3, stock_read_movement},
    {&order_events_topic, 3, WRITER_OURS, false, I9, orders_read_event},
    {&order_view_topic, 4, WRITER_VIEW, false, I27, views_read_order},
    {&stock_levels_topic, 4, WRITER_VIEW, false, I27, views_read_level},
};

static const struct topic_kind *kind_of(const char *topic)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].topic->name, topic) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

int audit_phase(const struct audit *audit, const char *topic)
{
    (void)audit;
    const struct topic_kind *kind = kind_of(topic);
    return kind ? kind->phase : 0;
}

/* ---- life ---- */

static enum outcome open_codec(struct audit *audit, struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; shop_records[i]; i++) {
        count++;
    }
    for (size_t i = 0; runtime_records_records[i]; i++) {
        count++;
    }
    const struct weir_record **records = xcalloc(count + 1, sizeof *records);
    count = 0;
    for (size_t i = 0; shop_records[i]; i++) {
        records[count++] = shop_records[i];
    }
    for (size_t i = 0; runtime_records_records[i]; i++) {
        records[count++] = runtime_records_records[i];
    }
    enum outcome outcome = codec_open(&audit->codec, records, audit->options.schema_dir, error);
    free(records);
    return outcome;
}

enum outcome audit_open(struct audit **opened, const struct audit_options *options,
                        struct error *error)
{
    struct audit *audit = xcalloc(1, sizeof *audit);
    audit->options = *options;
    findings_init(&audit->findings, options->findings_kept, options->only);
    arena_init(&audit->arena);
    arena_init(&audit->kept);
    catalog_init(&audit->skus, sizeof(struct sku));
    catalog_init(&audit->deliveries, sizeof(struct delivery));
    catalog_init(&audit->holds, sizeof(struct hold));
    catalog_init(&audit->orders, sizeof(struct order));
    for (int i = 0; i < INVARIANTS; i++) {
        if (options->online && !invariant_is_online((enum invariant)i)) {
            audit_skip(audit, (enum invariant)i, "holds only at rest (--online)");
        }
    }
    enum outcome outcome = open_codec(audit, error);
    if (outcome != OK) {
        audit_close(audit);
        return outcome;
    }
    *opened = audit;
    return OK;
}

void audit_close(struct audit *audit)
{
    if (!audit) {
        return;
    }
    causes_release(audit);
    for (size_t i = 0; i < audit->skus.count; i++) {
        sku_release(catalog_at(&audit->skus, i));
    }
    for (size_t i = 0; i < audit->deliveries.count; i++) {
        free(((struct delivery *)catalog_at(&audit->deliveries, i))->location_id);
    }
    for (size_t i = 0; i < audit->orders.count; i++) {
        free(((struct order *)catalog_at(&audit->orders, i))->lines);
    }
    catalog_release(&audit->skus);
    catalog_release(&audit->deliveries);
    catalog_release(&audit->holds);
    catalog_release(&audit->orders);
    for (size_t i = 0; i < audit->partition_count; i++) {
        free(audit->partitions[i]->seen);
        free(audit->partitions[i]->ranges);
        free(audit->partitions[i]);
    }
    for (size_t i = 0; i < audit->flow_count; i++) {
        free(audit->flows[i]);
    }
    free(audit->partitions);
    free(audit->flows);
    codec_close(audit->codec);
    findings_release(&audit->findings);
    arena_release(&audit->arena);
    arena_release(&audit->kept);
    free(audit);
}

void audit_processor(struct audit *audit, const char *application_id)
{
    CHECK(audit->history_count < WEIR_LIST_MAX);
    audit->histories[audit->history_count++] =
        arena_format(&audit->kept, "%s.history", application_id);
}

void audit_skip(struct audit *audit, enum invariant invariant, const char *because)
{
    if (!audit->findings.tallies[invariant].skipped) {
        audit->findings.tallies[invariant].skipped = because;
    }
}

/* The log of this partition has lost its beginning: what needs it cannot be proved. */
static void skip_what_needs(struct audit *audit, const struct partition *partition)
{
    const struct topic_kind *kind = partition->kind;
    if (kind && kind->topic->cleanup == WEIR_COMPACT) {
        return;
    }
    bool kept_for_ever = kind && kind->topic->retention_ms < 0;
    const char *because =
        arena_format(&audit->kept, "%s/%" PRId32 " begins at offset %" PRId64 ", the rest is gone",
                     partition->topic, partition->number, partition->low);
    for (int i = 0; i < INVARIANTS; i++) {
        enum beginning needs = invariant_needs((enum invariant)i);
        if (needs == NEEDS_ALL || (needs == NEEDS_LEDGERS && kept_for_ever)) {
            audit_skip(audit, (enum invariant)i, because);
        }
    }
}

void audit_partition(struct audit *audit, const char *topic, int32_t number, int64_t low,
                     int64_t high)
{
    CHECK(low >= 0 && high >= low && !partition_find(audit, topic, number));
    struct partition *partition = xcalloc(1, sizeof *partition);
    *partition = (struct partition){
        .topic = arena_strndup(&audit->kept, topic, strlen(topic)),
        .number = number,
        .kind = kind_of(topic),
        .low = low,
        .high = high,
        .expected = low,
        .next = low,
        .highest_cause = -1,
        .seen = xcalloc((size_t)(high - low), 1),
    };
    audit->partitions =
        xrealloc(audit->partitions, (audit->partition_count + 1) * sizeof *audit->partitions);
    audit->partitions[audit->partition_count++] = partition;
    if (low > 0) {
        skip_what_needs(audit, partition);
    }
}

/* ---- what the modules call ---- */

void broken(struct audit *audit, enum invariant invariant, const struct place *at,
            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    findings_add(&audit->findings, invariant, at, format, args);
    va_end(args);
}

void checked(struct audit *audit, enum invariant invariant, int64_t count)
{
    audit->findings.tallies[invariant].checked += count;
}

struct partition *partition_find(const struct audit *audit, const char *topic, int32_t number)
{
    for (size_t i = 0; i < audit->partition_count; i++) {
        struct partition *partition = audit->partitions[i];
        if (partition->number == number && strcmp(partition->topic, topic) == 0) {
            return partition;
        }
    }
    return NULL;
}

packed_place pack(const struct audit *audit, const struct place *place)
{
    for (size_t i = 0; i < audit->partition_count; i++) {
        const struct partition *partition = audit->partitions[i];
        if (partition->topic == place->topic && partition->number == place->partition) {
            return (uint64_t)(i + 1) << PLACE_OFFSET_BITS | (uint64_t)place->offset;
        }
    }
    BUG("a place outside of what was announced");
}

struct place unpack(const struct audit *audit, packed_place packed)
{
    size_t number = (size_t)(packed >> PLACE_OFFSET_BITS);
    CHECK(number >= 1 && number <= audit->partition_count);
    const struct partition *partition = audit->partitions[number - 1];
    int64_t offset = (int64_t)(packed & ((UINT64_C(1) << PLACE_OFFSET_BITS) - 1));
    return (struct place){partition->topic, partition->number, offset};
}

uint8_t *seen_at(const struct partition *partition, int64_t offset)
{
    return offset >= partition->low && offset < partition->high
               ? &partition->seen[offset - partition->low]
               : NULL;
}

bool is_dead(const struct audit *audit, const struct place *place)
{
    const struct partition *partition = partition_find(audit, place->topic, place->partition);
    const uint8_t *seen = partition ? seen_at(partition, place->offset) : NULL;
    return seen && (*seen & SEEN_DEAD) != 0;
}

uint32_t line_hash(int32_t line_no, const char *sku, int32_t qty, int state)
{
    int32_t numbers[3] = {line_no, qty, state};
    return (uint32_t)hash_bytes(hash_bytes(0, numbers, sizeof numbers), sku, strlen(sku));
}

/* ---- records ---- */

static bool is_history(const struct audit *audit, const char *topic)
{
    for (size_t i = 0; i < audit->history_count; i++) {
        if (strcmp(audit->histories[i], topic) == 0) {
            return true;
        }
    }
    return false;
}

static const struct port_header *header_named(const struct port_header *headers, size_t count,
                                              const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(headers[i].name, name) == 0) {
            return &headers[i];
        }
    }
    return NULL;
}

static void read_cause(struct audit *audit, const struct partition *partition,
                       const struct place *at, const struct port_header *headers, size_t count)
{
    const struct port_header *header = header_named(headers, count, CAUSE_HEADER);
    enum writer writer = partition->kind->writer;
    /* A dead letter that was sent again keeps its old cause beside the new attempt. */
    if (writer == WRITER_FOREIGN || header_named(headers, count, DEAD_ATTEMPT) ||
        (writer == WRITER_MIXED && !header)) {
        return;
    }
    struct error error;
    struct cause cause;
    if (!header) {
        broken(audit, I22, at, "expected a %s header on every record, found none", CAUSE_HEADER);
    } else if (codec_decode_datum(audit->codec, &cause_record, header->value, &audit->arena, &cause,
                                  &error) != DECODED) {
        broken(audit, I22, at, "expected a cause in the %s header, found: %s", CAUSE_HEADER,
               error.text);
    } else {
        causes_output(audit, partition, at, &cause);
    }
}

static void read_value(struct audit *audit, const struct partition *partition,
                       const struct place *at, const struct port_record *record)
{
    const struct topic_kind *kind = partition->kind;
    if (!kind->read || (kind->writer == WRITER_VIEW && !record->value.data)) {
        return; /* a null in a view says that its key is gone */
    }
    struct error error;
    void *decoded = arena_alloc(&audit->arena, kind->topic->record->size);
    if (codec_decode(audit->codec, kind->topic->record, record->value, &audit->arena, decoded,
                     &error) == DECODED) {
        kind->read(audit, at, decoded);
    } else if (kind->writer >= WRITER_OURS) {
        broken(audit, kind->guards, at, "expected a %s, found: %s", kind->topic->record->short_name,
               error.text);
    } else if (at->offset < partition->next && !is_dead(audit, at)) {
        broken(audit, kind->guards, at,
               "expected a dead letter for a record that is no %s (%s), found none",
               kind->topic->record->short_name, error.text);
    }
}

static void read_checkpoint(struct audit *audit, const struct place *at,
                            const struct port_record *record)
{
    struct error error;
    struct checkpoint checkpoint;
    if (codec_decode(audit->codec, &checkpoint_record, record->value, &audit->arena, &checkpoint,
                     &error) == DECODED) {
        flow_checkpoint(audit, at, &checkpoint);
    } else {
        broken(audit, I25, at, "expected a checkpoint, found: %s", error.text);
    }
}

static void read_dead_letter(struct audit *audit, const struct place *at,
                             const struct port_header *headers, size_t count)
{
    const struct port_header *source = header_named(headers, count, DEAD_SOURCE);
    flow_dead_letter(audit, at, source ? source->value : (struct weir_bytes){NULL, 0});
}

void audit_record(struct audit *audit, const char *topic, const struct port_record *record,
                  const struct port_header *headers, size_t header_count)
{
    struct partition *partition = partition_find(audit, topic, record->partition);
    CHECK(partition && record->offset >= partition->expected && record->offset < partition->high);
    const struct place at = {partition->topic, partition->number, record->offset};
    arena_reset(&audit->arena);
    partition->expected = record->offset + 1;
    partition->first_ms = partition->records == 0 ? record->timestamp_ms : partition->first_ms;
    partition->last_ms = record->timestamp_ms;
    partition->bytes += (int64_t)(record->key.size + record->value.size);
    partition->records++;
    audit->records++;
    *seen_at(partition, record->offset) |= SEEN_RECORD;
    if (record->timestamp_ms > audit->latest_ms) {
        audit->latest_ms = record->timestamp_ms;
    }
    if (partition->kind) {
        read_cause(audit, partition, &at, headers, header_count);
        read_value(audit, partition, &at, record);
    } else if (is_history(audit, topic)) {
        read_checkpoint(audit, &at, record);
    } else {
        read_dead_letter(audit, &at, headers, header_count);
    }
}

void audit_finish(struct audit *audit)
{
    flow_finish(audit);
    causes_finish(audit);
    holds_finish(audit);
    stock_finish(audit);
    orders_finish(audit);
    views_finish(audit);
}

const struct findings *audit_findings(const struct audit *audit)
{
    return &audit->findings;
}

int64_t audit_record_count(const struct audit *audit)
{
    return audit->records;
}
