/* shop.c - the whole shop: orders, cancellations and deliveries come in; what came of them must
 * pass the audit.
 *
 * Which order gets the last piece depends on who is faster, so there is no one right end to compare
 * with. The audit knows what holds of every end; what it wants in phases comes from the logs of the
 * broker in memory.
 */
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/fold.h"
#include "load/generator.h"
#include "runtime_records.h"
#include "shop.h"
#include "simulation/world_internal.h"
#include "store/store.h"

enum { SHOP_SKUS = 4, FINDINGS_KEPT = 2, GRACE_MS = 60 * 1000 };

/* ---- what comes in ---- */

void shop_open(struct world *world)
{
    struct dice dice = dice_for(world->run->seed, 's');
    const struct generator_options options = {
        .run_id = "order",
        .seed = dice_next(&dice),
        .orders = world->inputs_left,
        .rate = 0.05, /* so that cancellations come between orders */
        .burst = 1,
        .profile = LINES_FIXED,
        .lines = (int32_t)dice_between(&dice, 1, 3),
        .skus = SHOP_SKUS,
        .zipf = 1,
        .cancels = 0.25,
        .dirty = 0.1,
        .partial = 0.4,
        .auto_accept = true,
    };
    generator_open(&world->generator, &options);
}

/* A delivery, now and then one that has been before. */
static void restock(struct world *world)
{
    struct workload *workload = &world->workload;
    bool again = workload->receipts > 0 && dice_once_in(workload->dice, 6);
    int number = again ? (int)dice_below(workload->dice, (uint64_t)workload->receipts)
                       : workload->receipts++;
    char sku[24], receipt[24];
    snprintf(sku, sizeof sku, "SKU-%05d", number % SHOP_SKUS + 1);
    snprintf(receipt, sizeof receipt, "receipt-%d", number);
    struct stock_command command = {.payload_branch = STOCK_COMMAND_RESTOCK};
    command.payload.restock =
        (struct restock){sku, receipt, number % 7 + 2, number % 2 == 0 ? "L0" : "L1"};
    buffer_reset(&world->value);
    codec_encode(&stock_command_record, &command, &world->value);
    broker_produce(world->broker, stock_commands_topic.name, -1,
                   (struct weir_bytes){(const uint8_t *)sku, strlen(sku)},
                   (struct weir_bytes){world->value.data, world->value.size}, NULL, 0);
}

void shop_next_input(struct world *world)
{
    struct placing placing;
    if (dice_once_in(world->workload.dice, 4) ||
        !generator_next(world->generator, broker_now_ms(world->broker), &placing)) {
        restock(world);
        return;
    }
    broker_produce(world->broker, order_raw_topic.name, -1,
                   (struct weir_bytes){(const uint8_t *)placing.order_id, strlen(placing.order_id)},
                   placing.value, NULL, 0);
}

/* ---- the audit ---- */

static void announce(const struct world *world, struct audit *audit)
{
    for (int i = 0; i < world->processor_count; i++) {
        audit_processor(audit, world->processors[i]->name);
    }
    for (int i = 0; i < world->marked_count; i++) {
        const char *topic = world->marked[i];
        if (strcmp(topic, BROKER_OFFSETS) == 0 || strstr(topic, ".changelog")) {
            continue;
        }
        for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
            struct port_log log = broker_log(world->broker, topic, partition);
            audit_partition(audit, topic, partition, log.low, log.high);
        }
    }
}

static void feed(const struct world *world, struct audit *audit, const char *topic,
                 int32_t partition)
{
    struct broker_record record;
    for (int64_t at = 0; broker_read(world->broker, topic, partition, true, &at, &record);) {
        const struct port_record seen = {.partition = partition,
                                         .offset = record.offset,
                                         .timestamp_ms = record.timestamp_ms,
                                         .key = record.key,
                                         .value = record.value};
        audit_record(audit, topic, &seen, record.headers, record.header_count);
    }
}

static void feed_all(const struct world *world, struct audit *audit)
{
    for (int phase = 0; phase < AUDIT_PHASES; phase++) {
        for (int i = 0; i < world->marked_count; i++) {
            const char *topic = world->marked[i];
            if (strcmp(topic, BROKER_OFFSETS) == 0 || strstr(topic, ".changelog") ||
                audit_phase(audit, topic) != phase) {
                continue;
            }
            for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
                feed(world, audit, topic, partition);
            }
        }
    }
}

/* The state file that stands at the task's last commit is the fold of its changelog. */
static void fold_task(const struct world *world, struct audit *audit, int number, int32_t partition)
{
    const struct weir_processor *processor = world->processors[number];
    struct last_commit last = last_commit_of(world, processor, partition);
    const char *path = world->states[number][partition];
    char changelog[40];
    if (!path[0]) {
        return;
    }
    const struct weir_store *tables[WEIR_LIST_MAX + 2] = {NULL};
    size_t count = 0;
    for (; processor->stores[count]; count++) {
        tables[count] = processor->stores[count];
    }
    tables[count] = &timer_row_store;
    snprintf(changelog, sizeof changelog, "%s.changelog", processor->name);
    struct fold *fold = fold_open(audit, changelog, partition, tables, last.number);
    struct broker_record record;
    for (int64_t at = 0; broker_read(world->broker, changelog, partition, true, &at, &record);) {
        fold_record(fold, record.offset, record.key, record.value);
    }
    fold_compare(fold, path);
    fold_close(fold);
}

bool shop_audit(struct world *world)
{
    world_stop_all(world);
    if (!compare_tasks(world)) {
        return false;
    }
    struct audit *audit;
    struct error error;
    const struct audit_options options = {.findings_kept = FINDINGS_KEPT, .grace_ms = GRACE_MS};
    CHECK_EQUAL(audit_open(&audit, &options, &error), OK);
    announce(world, audit);
    feed_all(world, audit);
    for (int i = 0; i < world->processor_count; i++) {
        for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
            fold_task(world, audit, i, partition);
        }
    }
    audit_finish(audit);
    const struct findings *findings = audit_findings(audit);
    bool clean = findings_clean(findings);
    if (!clean) {
        const struct finding *first = &findings->list[0];
        (void)world_wrong(world, "the audit: %s: %s: %s", invariant_name(first->invariant),
                          first->place, first->text);
    }
    audit_close(audit);
    return clean;
}
