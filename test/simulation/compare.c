/* compare.c - what is there in the end, and what would be there had nothing gone wrong. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime_records.h"
#include "shop.h"
#include "simulation/again.h"
#include "simulation/disk.h"
#include "simulation/picture.h"
#include "simulation/world_internal.h"
#include "store/store.h"

/* ---- tasks ---- */

static void read_ranges(const struct weir_processor *processor, const struct checkpoint *checkpoint,
                        struct last_commit *last)
{
    last->number = checkpoint->commit_number;
    last->task_time_ms = checkpoint->task_time_ms;
    snprintf(last->incarnation, sizeof last->incarnation, "%s", checkpoint->incarnation);
    for (size_t i = 0; i < checkpoint->inputs.count; i++) {
        for (size_t k = 0; processor->inputs[k].topic; k++) {
            if (strcmp(checkpoint->inputs.items[i].topic, processor->inputs[k].topic->name) == 0) {
                last->next[k] = checkpoint->inputs.items[i].next_offset;
            }
        }
    }
}

struct last_commit last_commit_of(const struct world *world, const struct weir_processor *processor,
                                  int32_t partition)
{
    struct last_commit last = {0};
    struct broker_record record;
    char history[40];
    struct weir_bytes value = {NULL, 0};
    snprintf(history, sizeof history, "%s.history", processor->name);
    for (int64_t at = 0; broker_read(world->broker, history, partition, true, &at, &record);) {
        value = record.value;
    }
    if (value.data) {
        struct checkpoint checkpoint;
        struct arena arena;
        struct error error;
        arena_init(&arena);
        CHECK(codec_decode(world->codec, &checkpoint_record, value, &arena, &checkpoint, &error) ==
              DECODED);
        read_ranges(processor, &checkpoint, &last);
        arena_release(&arena);
    }
    return last;
}

static bool read_time(void *context, int columns, const char *const *names,
                      const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)types;
    *(int64_t *)context = strtoll(values[0], NULL, 10);
    return false;
}

bool compare_find_state(const struct world *world, const struct weir_processor *processor,
                        int32_t partition, const struct last_commit *last, char path[200],
                        int64_t *task_time_ms)
{
    for (int i = 0; i < world->machine_count; i++) {
        char sql[180];
        struct error error;
        if (world->machines[i].processor != processor) {
            continue;
        }
        *task_time_ms = -1;
        machine_state_path(&world->machines[i], partition, path);
        snprintf(sql, sizeof sql,
                 "SELECT task_time_ms FROM weir_meta WHERE commit_number = %" PRId64
                 " AND incarnation = '%s'",
                 last->number, last->incarnation);
        if (store_query(path, sql, read_time, task_time_ms, &error) == OK && *task_time_ms >= 0) {
            return true;
        }
    }
    return false;
}

/* The group's offsets may have expired; else they are the last checkpoint's. */
static bool group_agrees(const struct world *world, const struct weir_processor *processor,
                         int32_t partition, const struct last_commit *last)
{
    for (size_t k = 0; processor->inputs[k].topic; k++) {
        struct port_offset offset;
        long long said = 0;
        if (!broker_offsets(world->broker, processor->name, processor->inputs[k].topic->name,
                            partition, &offset)) {
            return false;
        }
        if (offset.offset >= 0 &&
            (offset.offset != last->next[k] || sscanf(offset.metadata, "weir1 %lld", &said) != 1 ||
             said != last->number)) {
            return false;
        }
    }
    return true;
}

/* The first record that the tick has not seen, if any: it must not be older than the tick. */
static bool overtakes(const struct world *world, int32_t partition,
                      const struct checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->inputs.count && checkpoint->tick; i++) {
        const struct input_range *range = &checkpoint->inputs.items[i];
        struct broker_record record;
        int64_t at = range->next_offset;
        if (broker_read(world->broker, range->topic, partition, true, &at, &record) &&
            record.timestamp_ms < checkpoint->task_time_ms) {
            return true;
        }
    }
    return false;
}

/* Ticks move time no further than what every input was known to hold. */
static bool ticks_overtake_nothing(const struct world *world,
                                   const struct weir_processor *processor, int32_t partition)
{
    struct broker_record record;
    struct arena arena;
    struct error error;
    char history[40];
    bool good = true;
    snprintf(history, sizeof history, "%s.history", processor->name);
    arena_init(&arena);
    for (int64_t at = 0;
         good && broker_read(world->broker, history, partition, true, &at, &record);) {
        struct checkpoint checkpoint;
        arena_reset(&arena);
        CHECK(codec_decode(world->codec, &checkpoint_record, record.value, &arena, &checkpoint,
                           &error) == DECODED);
        good = !overtakes(world, partition, &checkpoint) ||
               world_wrong(world, "%s.p%d: commit %" PRId64 ", a tick, overtakes a record",
                           processor->name, (int)partition, checkpoint.commit_number);
    }
    arena_release(&arena);
    return good;
}

bool compare_tasks(struct world *world)
{
    for (int i = 0; i < world->processor_count; i++) {
        const struct weir_processor *processor = world->processors[i];
        for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
            char *path = world->states[i][partition];
            struct last_commit last = last_commit_of(world, processor, partition);
            if (!group_agrees(world, processor, partition, &last)) {
                return world_wrong(world, "%s.p%d: the group's offset is not the last checkpoint's",
                                   processor->name, (int)partition);
            }
            int64_t time_ms = 0;
            if (last.number > 0 &&
                !compare_find_state(world, processor, partition, &last, path, &time_ms)) {
                return world_wrong(world, "%s.p%d: no state file stands at the group's commit",
                                   processor->name, (int)partition);
            }
            if (last.number > 0 && time_ms != last.task_time_ms) {
                return world_wrong(world, "%s.p%d: the state file has another time than the commit",
                                   processor->name, (int)partition);
            }
            if (!world->clock_ahead && !ticks_overtake_nothing(world, processor, partition)) {
                return false;
            }
        }
    }
    return true;
}

/* Of one task, drawn by the seed: it costs a seventh of the run. */
bool compare_with_replay(struct world *world)
{
    int task = (int)(world->run->seed % (uint64_t)(world->processor_count * WORLD_PARTITIONS));
    const struct weir_processor *processor = world->processors[task / WORLD_PARTITIONS];
    int32_t partition = task % WORLD_PARTITIONS;
    struct last_commit last = last_commit_of(world, processor, partition);
    char state[200], again[240], files[200], why[sizeof world->run->why];
    int64_t time_ms;
    if (last.number == 0 ||
        !compare_find_state(world, processor, partition, &last, state, &time_ms)) {
        return true; /* compare_tasks() asks for the file */
    }
    int machine = 0;
    while (world->machines[machine].processor != processor) {
        machine++;
    }
    snprintf(files, sizeof files, "%s/again", world->run->directory);
    snprintf(again, sizeof again, "%s/p%d.sqlite", files, (int)partition);
    bool same = comes_to_the_same_again(world->broker, world->codec, processor,
                                        &world->machines[machine].settings, partition, again, state,
                                        why, sizeof why) ||
                world_wrong(world, "%s.p%d: %s", processor->name, (int)partition, why);
    disk_forget(files);
    return same;
}

/* ---- a world in which nothing goes wrong ---- */

/* The same inputs at the same times, one process for each partition that begins when all of them
 * are there and the clock stands where the other world's does. */
static bool run_reference(struct world *reference, const struct world *world)
{
    *reference = (struct world){.peace = true,
                                .run = world->run,
                                .codec = world->codec,
                                .processors = {world->processors[0]},
                                .processor_count = 1};
    world_open_broker(reference);
    int64_t at[WORLD_PARTITIONS] = {0};
    for (;;) {
        struct broker_record next = {.timestamp_ms = INT64_MAX};
        int32_t from = -1;
        for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
            int64_t offset = at[partition];
            struct broker_record record;
            if (broker_read(world->broker, stock_commands_topic.name, partition, true, &offset,
                            &record) &&
                record.timestamp_ms < next.timestamp_ms) {
                next = record;
                from = partition;
            }
        }
        if (from < 0) {
            break;
        }
        at[from] = next.offset + 1;
        broker_advance(reference->broker, next.timestamp_ms - broker_now_ms(reference->broker));
        broker_produce(reference->broker, stock_commands_topic.name, from, next.key, next.value,
                       NULL, 0);
    }
    for (int i = 0; i < WORLD_PARTITIONS; i++) {
        machine_init(&reference->machines[reference->machine_count++], reference->broker,
                     reference->codec, reference->processors[0], world->run->directory,
                     MACHINES_MAX + i, i);
    }
    broker_advance(reference->broker,
                   broker_now_ms(world->broker) - broker_now_ms(reference->broker));
    return world_settle(reference,
                        QUIET_MS / 10); /* so that no timer of a later time fires in it alone */
}

static bool draw(struct world *world, struct buffer *out)
{
    world_stop_all(world);
    if (!compare_tasks(world)) {
        return false;
    }
    picture_of_topics(world->broker, world->codec, out);
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        const char *path = world->states[0][partition];
        if (!picture_of_history(world->broker, world->codec, partition, out, world->run->why,
                                sizeof world->run->why)) {
            return false;
        }
        if (path[0] && !picture_of_state(path, out)) {
            return world_wrong(world, "%s cannot be read", path);
        }
    }
    return true;
}

static void write_picture(const char *directory, const char *name, struct buffer *picture)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    if (file) {
        fputs(buffer_string(picture), file);
        fclose(file);
    }
}

/* The first line that the two do not share, for the report. */
static void first_difference(const char *expected, const char *found, struct buffer *out)
{
    size_t line = 0;
    for (size_t i = 0; expected[i] && expected[i] == found[i]; i++) {
        line = expected[i] == '\n' ? i + 1 : line;
    }
    buffer_format(out, "expected \"%.*s\", found \"%.*s\"",
                  (int)strcspn(expected + line, "\n") > 120 ? 120
                                                            : (int)strcspn(expected + line, "\n"),
                  expected + line,
                  (int)strcspn(found + line, "\n") > 120 ? 120 : (int)strcspn(found + line, "\n"),
                  found + line);
}

static bool compare(struct world *world, struct world *reference)
{
    struct buffer found, expected, difference;
    const char *directory = world->run->directory;
    buffer_init(&found);
    buffer_init(&expected);
    buffer_init(&difference);
    bool same = draw(reference, &expected) && draw(world, &found);
    if (same && strcmp(buffer_string(&found), buffer_string(&expected)) != 0) {
        write_picture(directory, "expected", &expected);
        write_picture(directory, "found", &found);
        first_difference(buffer_string(&expected), buffer_string(&found), &difference);
        same = world_wrong(world, "a reader sees something else than without faults: %s",
                           buffer_string(&difference));
    }
    buffer_release(&found);
    buffer_release(&expected);
    buffer_release(&difference);
    return same;
}

bool compare_with_reference(struct world *world)
{
    struct world reference;
    bool same = run_reference(&reference, world) && compare(world, &reference);
    world_close(&reference);
    return same;
}
