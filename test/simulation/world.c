/* world.c - see world.h. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/generator.h"
#include "processors.h"
#include "runtime_records.h"
#include "shop.h"
#include "simulation/disk.h"
#include "simulation/memory.h"
#include "simulation/world_internal.h"

enum { STEPS_MAX = 30000 /* of peace: more is "does not come to rest" */ };

static const int64_t start_ms = INT64_C(1790000000000);

bool world_wrong(const struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(world->run->why, sizeof world->run->why, format, args);
    va_end(args);
    return false;
}

int64_t world_age_ms(const struct world *world)
{
    return broker_now_ms(world->broker) - start_ms;
}

/* ---- time goes on ---- */

static void next_input(struct world *world)
{
    if (world->shop) {
        shop_next_input(world);
    } else {
        char key[32];
        workload_next(&world->workload, key, &world->value);
        broker_produce(world->broker, stock_commands_topic.name, -1,
                       (struct weir_bytes){(const uint8_t *)key, strlen(key)},
                       (struct weir_bytes){world->value.data, world->value.size}, NULL, 0);
    }
    world->inputs_left--;
    world->run->report.inputs++;
}

static void plan_restart(const struct world *world, struct machine *machine)
{
    struct dice dice =
        dice_for(world->run->seed, (uint64_t)(machine->number * 1000 + machine->starts));
    int64_t longest_ms = machine->rival ? 20000 : dice_once_in(&dice, 4) ? 8000 : 50;
    machine->starts_ms = broker_now_ms(world->broker) + dice_between(&dice, 0, longest_ms);
}

/* It stops for good and says so; someone starts it again. */
static bool was_misled(const struct machine *machine)
{
    return machine->misled && machine->exit_code == EXIT_CONFIG &&
           strstr(machine->error.text, "offsets were set back");
}

/* false: it ended as no fault explains. */
static bool look_after(struct world *world, struct machine *machine)
{
    int64_t now = broker_now_ms(world->broker);
    if (machine->instance && now >= machine->sleeps_until_ms) {
        machine_step(machine);
        if (!machine->instance) {
            if (machine->exit_code != EXIT_TRY_AGAIN && machine->exit_code != EXIT_IO &&
                !was_misled(machine)) {
                return world_wrong(world, "%s ended with %d: %s", machine->name, machine->exit_code,
                                   machine->error.text);
            }
            plan_restart(world, machine);
        }
    } else if (!machine->instance && machine->starts_ms == INT64_MAX) {
        plan_restart(world, machine); /* killed between two rounds */
    } else if (!machine->instance && now >= machine->starts_ms) {
        machine_start(machine);
    }
    return true;
}

/* Which steps there are is decided by the seed alone. */
static bool trouble(struct world *world)
{
    while (world->inputs_left > 0 || world->disturbances_left > 0) {
        fate_step(&world->fate);
        uint64_t what = dice_below(&world->dice, 100), which = dice_next(&world->dice);
        if (what < 70) {
            if (!look_after(world, &world->machines[which % (uint64_t)world->machine_count])) {
                return false;
            }
        } else if (what < 80) {
            if (world->inputs_left > 0) {
                next_input(world);
            }
        } else if (what < 97) {
            bool long_time = dice_once_in(&world->dice, world->weather.long_times_every);
            broker_advance(world->broker, dice_between(&world->dice, 1, long_time ? 9000 : 12));
        } else if (world->disturbances_left > 0) {
            world->disturbances_left--;
            trouble_disturb(world);
        }
    }
    return true;
}

/* ---- peace ---- */

/* By the checkpoints: the group's offsets may have expired, and who has adopted the last checkpoint
 * commits none before the next input. */
static bool all_read(const struct world *world)
{
    for (int i = 0; i < world->processor_count; i++) {
        const struct weir_processor *processor = world->processors[i];
        for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
            struct last_commit last = last_commit_of(world, processor, partition);
            for (size_t k = 0; processor->inputs[k].topic; k++) {
                struct broker_record record;
                if (broker_read(world->broker, processor->inputs[k].topic->name, partition, true,
                                &last.next[k], &record)) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* When the next machine has something to do, by the broker's clock; INT64_MAX: none has. */
static int64_t next_wake_ms(const struct world *world)
{
    int64_t wake_ms = INT64_MAX;
    for (int i = 0; i < world->machine_count; i++) {
        const struct machine *machine = &world->machines[i];
        int64_t at_ms = machine->starts_ms;
        if (machine->instance) {
            int64_t wake_us = instance_wakes_us(machine->instance);
            at_ms = wake_us == INT64_MAX ? INT64_MAX : start_ms + (wake_us + 999) / 1000;
        }
        wake_ms = at_ms < wake_ms ? at_ms : wake_ms;
    }
    return wake_ms;
}

static bool all_run(const struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        if (!world->machines[i].instance && !world->machines[i].rival) {
            return false;
        }
    }
    return true;
}

static bool round_of_all(struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        if (!machine->instance && machine->starts_ms == INT64_MAX && !machine->rival) {
            machine->starts_ms = broker_now_ms(world->broker);
        }
        if (!look_after(world, machine)) {
            return false;
        }
        if (!machine->instance && machine->rival) {
            machine->starts_ms = INT64_MAX; /* in peace every partition has one process */
        }
    }
    return true;
}

bool world_settle(struct world *world, int64_t quiet_ms)
{
    int quiet = 0;
    for (int step = 0; step < STEPS_MAX; step++) {
        if (!round_of_all(world)) {
            return false;
        }
        int64_t now = broker_now_ms(world->broker), wake_ms = next_wake_ms(world);
        bool busy = wake_ms <= now || !all_run(world) || !all_read(world);
        quiet = busy ? 0 : quiet + 1;
        if (quiet > 3 && wake_ms > now + quiet_ms) {
            return true;
        }
        int64_t ahead_ms = wake_ms > now ? wake_ms - now : 0;
        broker_advance(world->broker, ahead_ms < 1 ? step % 4 == 0 : ahead_ms < 50 ? ahead_ms : 50);
    }
    return world_wrong(world, "it does not come to rest: %s, next at %" PRId64 " ms",
                       all_read(world) ? "all is read" : "not all is read",
                       next_wake_ms(world) - broker_now_ms(world->broker));
}

void world_stop_all(struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].instance) {
            machine_stop(&world->machines[i]);
        }
    }
}

void world_repeat_inputs(struct world *world, const struct weir_processor *processor)
{
    const char *topic = processor->inputs[0].topic->name;
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        struct broker_record record;
        int64_t at = broker_log(world->broker, topic, partition).low;
        if (broker_read(world->broker, topic, partition, true, &at, &record)) {
            broker_produce(world->broker, topic, partition, record.key, record.value, NULL, 0);
        }
    }
}

static void make_peace(struct world *world)
{
    world->peace = true;
    for (int i = 0; i < world->marked_count; i++) {
        broker_delay_markers(world->broker, world->marked[i], 0);
        broker_release_markers(world->broker, world->marked[i]);
    }
    for (int i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        machine->sleeps_until_ms = 0;
        machine_skew(machine, 0);
        if (machine->rival) {
            if (machine->instance) {
                machine_kill(machine, NULL);
            }
            machine->starts_ms = INT64_MAX;
        }
    }
}

/* ---- a world ---- */

static struct codec *new_codec(void)
{
    const struct weir_record *records[256];
    size_t count = 0;
    struct codec *codec;
    struct error error;
    for (; shop_records[count]; count++) {
        CHECK(count < 250);
        records[count] = shop_records[count];
    }
    records[count++] = &timer_row_record;
    records[count++] = &checkpoint_record;
    records[count++] = &cause_record;
    records[count] = NULL;
    CHECK_EQUAL(codec_open(&codec, records, NULL, &error), OK);
    return codec;
}

/* A codec remembers what it has met, and what it need not allocate again is no allocation that may
 * fail: so where memory gives out a world has its own, or it would depend on those before it. */
static void give_codec(struct world *world)
{
    static struct codec *shared;
    world->has_own_codec = trouble_may(world, TROUBLE_MEMORY);
    if (!world->has_own_codec && !shared) {
        shared = new_codec();
    }
    world->codec = world->has_own_codec ? new_codec() : shared;
}

static void create_topic(struct world *world, const char *name, const char *suffix, bool compacted)
{
    char full[40];
    snprintf(full, sizeof full, "%s%s", name, suffix);
    for (int i = 0; i < world->marked_count; i++) {
        if (strcmp(world->marked[i], full) == 0) {
            return;
        }
    }
    CHECK(world->marked_count < MARKED_MAX);
    memcpy(world->marked[world->marked_count++], full, sizeof full);
    broker_create_topic(world->broker, full, WORLD_PARTITIONS, compacted);
}

void world_open_broker(struct world *world)
{
    world->broker = broker_open(start_ms);
    for (int i = 0; i < world->processor_count; i++) {
        const struct weir_processor *processor = world->processors[i];
        create_topic(world, processor->name, ".changelog", true);
        create_topic(world, processor->name, ".history", false);
        for (size_t k = 0; processor->inputs[k].topic; k++) {
            create_topic(world, processor->inputs[k].topic->name, "", false);
            create_topic(world, processor->inputs[k].topic->name, ".dlq", false);
        }
        for (size_t k = 0; processor->outputs[k]; k++) {
            create_topic(world, processor->outputs[k]->name, "", false);
        }
        for (size_t k = 0; processor->views[k].topic; k++) {
            create_topic(world, processor->views[k].topic->name, "", true);
        }
    }
    CHECK(world->marked_count < MARKED_MAX);
    snprintf(world->marked[world->marked_count++], sizeof world->marked[0], "%s", BROKER_OFFSETS);
}

void world_close(struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].instance) {
            machine_kill(&world->machines[i], NULL);
        }
        disk_forget(world->machines[i].directory);
    }
    broker_set_chooser(world->broker, NULL, NULL);
    broker_close(world->broker);
    if (world->has_own_codec) {
        codec_close(world->codec);
    }
    generator_close(world->generator);
    workload_release(&world->workload);
    buffer_release(&world->value);
}

static struct machine *add_machine(struct world *world, const struct weir_processor *processor,
                                   int32_t partition)
{
    CHECK(world->machine_count < MACHINES_MAX);
    struct machine *machine = &world->machines[world->machine_count];
    machine_init(machine, world->broker, world->codec, processor, world->run->directory,
                 world->machine_count, partition);
    world->machine_count++;
    return machine;
}

/* Fixed: one process for each partition. Members: one to three of them. Rivals: a second process
 * for a partition, or of a member's name. */
static void add_machines(struct world *world, const struct weir_processor *processor, bool rivals)
{
    int count =
        world->members ? (int)dice_between(&world->dice, 1, world->shop ? 2 : 3) : WORLD_PARTITIONS;
    struct machine *first = &world->machines[world->machine_count];
    for (int i = 0; i < count; i++) {
        (void)add_machine(world, processor, world->members ? -1 : i);
    }
    for (int i = 0; rivals && i < (world->members ? 1 : count); i++) {
        struct machine *rival = add_machine(world, processor, first[i].partition);
        memcpy(rival->name, first[i].name, sizeof rival->name);
        rival->rival = true;
    }
}

static void open_world(struct world *world)
{
    struct dice *dice = &world->dice;
    world->shop = world->run->kind == WORLD_SHOP ||
                  (world->run->kind == WORLD_BY_SEED && world->run->seed % 4 == 0);
    world->processors[world->processor_count++] = &inventory_processor;
    if (world->shop) {
        world->processors[world->processor_count++] = &order_processor;
        world->processors[world->processor_count++] = &intake_processor;
    }
    world_open_broker(world);
    broker_set_pace(world->broker, (enum broker_pace)dice_below(dice, 3));
    world->members = dice_once_in(dice, 2);
    world->weather = weather_draw(dice, world->run->troubles);
    give_codec(world);
    world->workload.hasty = world->weather.hasty;
    world->inputs_left = (int)dice_between(dice, 5, world->shop ? 30 : 60);
    if (world->shop) {
        shop_open(world);
    }
    world->fate.left = world->weather.faults;
    world->disturbances_left = world->weather.disturbances;
    for (int i = 0; i < world->processor_count; i++) {
        add_machines(world, world->processors[i],
                     world->weather.rivals && (!world->shop || i == 0));
    }
    for (int i = 0; i < world->machine_count; i++) {
        plan_restart(world, &world->machines[i]);
    }
}

/* Timers of a later time fire. */
static bool time_goes_by(struct world *world)
{
    static const int64_t later_ms[] = {1000, 120 * 1000, INT64_C(9) * 24 * 3600 * 1000};
    broker_advance(world->broker, later_ms[world->shop ? 2 : dice_below(&world->dice, 3)]);
    return world_settle(world, QUIET_MS);
}

/* WEIR_PORT_TRACE names a directory for the traces of port calls, one file a seed; -1: it does not.
 */
static int open_trace(uint64_t seed)
{
    const char *directory = getenv("WEIR_PORT_TRACE");
    char path[400];
    snprintf(path, sizeof path, "%s/%" PRIu64 ".trace", directory ? directory : "", seed);
    return directory ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
}

bool world_run(struct world_run *run)
{
    run->report = (struct world_report){0};
    run->why[0] = 0;
    struct world world = {.run = run, .dice = dice_for(run->seed, 'w')};
    struct dice inputs = dice_for(run->seed, 'i');
    world.workload.dice = &inputs;
    disk_register();
    memory_set_chance(run->seed);
    fate_init(&world.fate, run->events, run->again, run->seed);
    int trace = open_trace(run->seed);
    open_world(&world);
    machine_trace(trace);
    trouble_watch(&world);
    bool good = trouble(&world);
    make_peace(&world);
    trouble_watch(NULL);
    good = good && world_settle(&world, QUIET_MS) && time_goes_by(&world);
    for (int i = 0; i < world.machine_count; i++) {
        run->report.starts += world.machines[i].starts;
    }
    machine_trace(-1); /* the worlds that it is compared with have clocks of their own */
    good = good && (world.shop ? shop_audit(&world) : compare_with_reference(&world)) &&
           compare_with_replay(&world);
    good = good && stopping_check(&world) && finding_check(&world);
    world_close(&world);
    if (trace >= 0) {
        close(trace);
    }
    return good;
}
