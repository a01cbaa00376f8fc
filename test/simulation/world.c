/* world.c - see world.h. */
#include "simulation/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "runtime_records.h"
#include "shop.h"
#include "simulation/disk.h"
#include "simulation/machine.h"
#include "simulation/picture.h"
#include "simulation/workload.h"
#include "store/store.h"

enum {
    MACHINES_MAX = 4,
    STEPS_MAX = 30000, /* of peace: more is "does not come to rest" */
    QUIET_MS = 5000,
};

/* Where transactions leave markers, which may be late. */
enum { MARKED_TOPICS = 5 };
static const char *const marked_topics[MARKED_TOPICS] = {"stock.replies", "stock.ledger",
                                                         "inventory.changelog", "inventory.history",
                                                         BROKER_OFFSETS};

static const int64_t start_ms = INT64_C(1790000000000);

struct world {
    unsigned troubles;
    struct dice dice;
    struct broker *broker;
    struct codec *codec;
    struct machine machines[MACHINES_MAX];
    int machine_count;
    bool members;         /* else fixed: machine i has partition i % WORLD_PARTITIONS */
    uint64_t fault_every; /* a fault once in so many calls */
    int faults_left, disturbances_left;
    bool peace;
    struct workload workload;
    int inputs_left;
    struct buffer value;
    struct world_report *report;
    char *why;
    size_t room;
};

static bool may(const struct world *world, unsigned trouble)
{
    return !world->peace && (world->troubles & trouble) != 0;
}

/* ---- faults at calls ---- */

static void choose_request_fault(struct world *world, enum broker_call call,
                                 struct broker_fault *fault)
{
    static const enum broker_fault_kind kinds[] = {FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY,
                                                   FAULT_HIDDEN_RETRY};
    static const enum broker_stray strays[] = {STRAY_NONE, STRAY_AFTER_SEND, STRAY_AFTER_OFFSETS};
    bool transactional = call == CALL_SEND || call == CALL_SEND_OFFSETS || call == CALL_COMMIT ||
                         call == CALL_ABORT || call == CALL_ADD_PARTITIONS ||
                         call == CALL_ADD_OFFSETS;
    fault->kind = kinds[dice_below(&world->dice, transactional ? 3 : 2)];
    fault->stray = transactional && fault->kind != FAULT_LOSE_REQUEST
                       ? strays[dice_below(&world->dice, 3)]
                       : STRAY_NONE;
}

static void choose_fault(void *context, enum broker_call call, const char *who,
                         struct broker_fault *fault)
{
    (void)who;
    struct world *world = context;
    if (world->peace || world->faults_left == 0 ||
        !dice_once_in(&world->dice, world->fault_every)) {
        return;
    }
    uint64_t what = dice_below(&world->dice, 3);
    if (what == 0 && may(world, TROUBLE_CRASH)) {
        fault->kind = dice_once_in(&world->dice, 2) ? FAULT_CRASH_BEFORE : FAULT_CRASH_AFTER;
    } else if (what == 1 && may(world, TROUBLE_REQUESTS)) {
        choose_request_fault(world, call, fault);
    } else if (what == 2 && may(world, TROUBLE_FAILURES)) {
        fault->kind = FAULT_FAIL;
        fault->outcome = RETRY;
        fault->result = call == CALL_INIT ? TXN_DOUBT : TXN_ABORT;
    } else {
        return;
    }
    world->faults_left--;
    world->report->faults++;
    log_event(LOG_DEBUG, "fault", "call=%s kind=%d stray=%d", broker_call_name(call),
              (int)fault->kind, (int)fault->stray);
}

static bool choose_disk_fault(void *context, enum disk_call call, const char *path)
{
    struct world *world = context;
    if (!may(world, TROUBLE_DISK) || world->faults_left == 0 ||
        !dice_once_in(&world->dice, world->fault_every * 4)) {
        return false;
    }
    world->faults_left--;
    world->report->faults++;
    log_event(LOG_DEBUG, "disk_fault", "call=%d path=%s", (int)call, path);
    return true;
}

/* ---- faults between calls ---- */

static bool any_runs(const struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].instance) {
            return true;
        }
    }
    return false;
}

static void die(struct world *world, struct machine *machine, bool power)
{
    world->report->deaths++;
    machine_kill(machine, power ? &world->dice : NULL);
}

static void harm_state(struct world *world, struct machine *machine)
{
    switch (dice_below(&world->dice, 3)) {
    case 0:
        machine_lose_state(machine);
        break;
    case 1:
        machine_copy_state(machine);
        break;
    default:
        (void)machine_put_copy_back(machine);
    }
}

static void harm_broker(struct world *world, const struct machine *machine)
{
    char id[32];
    const char *topic = marked_topics[dice_below(&world->dice, MARKED_TOPICS)];
    switch (dice_below(&world->dice, 4)) {
    case 0:
        broker_delay_markers(world->broker, topic, dice_between(&world->dice, 0, 40));
        break;
    case 1:
        snprintf(id, sizeof id, "inventory.p%d", (int)dice_below(&world->dice, WORLD_PARTITIONS));
        broker_time_out(world->broker, id);
        break;
    case 2:
        broker_compact(world->broker, "inventory.changelog",
                       (int32_t)dice_below(&world->dice, WORLD_PARTITIONS), false);
        break;
    default:
        if (world->members) {
            broker_expire_member(world->broker, "inventory", machine->name);
        }
    }
}

static void disturb(struct world *world)
{
    struct machine *machine =
        &world->machines[dice_below(&world->dice, (uint64_t)world->machine_count)];
    switch (dice_below(&world->dice, 6)) {
    case 0:
        if (machine->instance && may(world, TROUBLE_CRASH)) {
            die(world, machine, false);
        }
        break;
    case 1:
        if (machine->instance && may(world, TROUBLE_POWER)) {
            die(world, machine, true);
        }
        break;
    case 2:
        if (machine->instance && machine->port && may(world, TROUBLE_SLEEP)) {
            machine->sleeps_until_ms =
                broker_now_ms(world->broker) + dice_between(&world->dice, 1, 20000);
            broker_port_pause(machine->port);
        }
        break;
    case 3:
        if (!machine->instance && may(world, TROUBLE_STATE)) {
            harm_state(world, machine);
        }
        break;
    case 4:
        if (may(world, TROUBLE_BROKER)) {
            harm_broker(world, machine);
        }
        break;
    default:
        if (may(world, TROUBLE_OFFSETS) && !any_runs(world)) {
            broker_forget_offsets(world->broker, "inventory");
        }
    }
}

/* ---- time goes on ---- */

static void next_input(struct world *world)
{
    char key[32];
    workload_next(&world->workload, key, &world->value);
    broker_produce(world->broker, stock_commands_topic.name, -1,
                   (struct weir_bytes){(const uint8_t *)key, strlen(key)},
                   (struct weir_bytes){world->value.data, world->value.size}, NULL, 0);
    world->inputs_left--;
    world->report->inputs++;
}

static bool is_rival(const struct world *world, int number)
{
    return !world->members && number >= WORLD_PARTITIONS;
}

static void plan_restart(struct world *world, int number)
{
    struct machine *machine = &world->machines[number];
    int64_t longest_ms = is_rival(world, number)         ? 20000
                         : dice_once_in(&world->dice, 4) ? 8000
                                                         : 50;
    machine->starts_ms = broker_now_ms(world->broker) + dice_between(&world->dice, 0, longest_ms);
}

/* false: it ended as no fault explains. */
static bool look_after(struct world *world, int number)
{
    struct machine *machine = &world->machines[number];
    int64_t now = broker_now_ms(world->broker);
    if (machine->instance && now >= machine->sleeps_until_ms) {
        machine_step(machine);
        if (!machine->instance) {
            if (machine->exit_code != EXIT_TRY_AGAIN && machine->exit_code != EXIT_IO) {
                snprintf(world->why, world->room, "%s ended with %d: %s", machine->name,
                         machine->exit_code, machine->error.text);
                return false;
            }
            plan_restart(world, number);
        }
    } else if (!machine->instance && machine->starts_ms == INT64_MAX) {
        plan_restart(world, number); /* killed between two rounds */
    } else if (!machine->instance && now >= machine->starts_ms) {
        machine_start(machine);
    }
    return true;
}

static bool trouble(struct world *world)
{
    while (world->inputs_left > 0 || world->disturbances_left > 0) {
        uint64_t what = dice_below(&world->dice, 100);
        if (what < 70) {
            if (!look_after(world, (int)dice_below(&world->dice, (uint64_t)world->machine_count))) {
                return false;
            }
        } else if (what < 80) {
            if (world->inputs_left > 0) {
                next_input(world);
            }
        } else if (what < 97) {
            bool long_time = dice_once_in(&world->dice, 40);
            broker_advance(world->broker, dice_between(&world->dice, 1, long_time ? 9000 : 12));
        } else if (world->disturbances_left > 0) {
            world->disturbances_left--;
            disturb(world);
        }
    }
    return true;
}

/* ---- peace ---- */

/* By the checkpoints: the group's offsets may have expired, and who has adopted the last checkpoint
 * commits none before the next input. */
static bool all_read(const struct world *world)
{
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        int64_t number, next;
        picture_last_commit(world->broker, world->codec, partition, &number, &next);
        if (next != broker_log(world->broker, stock_commands_topic.name, partition).high) {
            return false;
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
        if (!world->machines[i].instance && !is_rival(world, i)) {
            return false;
        }
    }
    return true;
}

static bool round_of_all(struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        if (!machine->instance && machine->starts_ms == INT64_MAX && !is_rival(world, i)) {
            machine->starts_ms = broker_now_ms(world->broker);
        }
        if (!look_after(world, i)) {
            return false;
        }
        if (!machine->instance && is_rival(world, i)) {
            machine->starts_ms = INT64_MAX; /* in peace every partition has one process */
        }
    }
    return true;
}

/* Until every input is read and nobody has anything to do within so many milliseconds. */
static bool settle(struct world *world, int64_t quiet_ms)
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
    snprintf(world->why, world->room, "it does not come to rest: %s, next at %" PRId64 " ms",
             all_read(world) ? "all is read" : "not all is read",
             next_wake_ms(world) - broker_now_ms(world->broker));
    return false;
}

static void make_peace(struct world *world)
{
    world->peace = true;
    for (size_t i = 0; i < MARKED_TOPICS; i++) {
        broker_delay_markers(world->broker, marked_topics[i], 0);
        broker_release_markers(world->broker, marked_topics[i]);
    }
    for (int i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        machine->sleeps_until_ms = 0;
        if (is_rival(world, i)) {
            if (machine->instance) {
                machine_kill(machine, NULL);
            }
            machine->starts_ms = INT64_MAX;
        }
    }
}

/* ---- a world ---- */

static struct codec *the_codec(void)
{
    static struct codec *codec;
    if (!codec) {
        const struct weir_record *records[256];
        size_t count = 0;
        for (; shop_records[count]; count++) {
            CHECK(count < 250);
            records[count] = shop_records[count];
        }
        records[count++] = &timer_row_record;
        records[count++] = &checkpoint_record;
        records[count++] = &cause_record;
        records[count] = NULL;
        struct error error;
        CHECK_EQUAL(codec_open(&codec, records, NULL, &error), OK);
    }
    return codec;
}

static void open_broker(struct world *world)
{
    world->codec = the_codec();
    world->broker = broker_open(start_ms);
    broker_create_topic(world->broker, stock_commands_topic.name, WORLD_PARTITIONS, false);
    broker_create_topic(world->broker, "stock.commands.dlq", WORLD_PARTITIONS, false);
    broker_create_topic(world->broker, stock_replies_topic.name, WORLD_PARTITIONS, false);
    broker_create_topic(world->broker, stock_ledger_topic.name, WORLD_PARTITIONS, false);
    broker_create_topic(world->broker, stock_levels_topic.name, WORLD_PARTITIONS, true);
    broker_create_topic(world->broker, "inventory.changelog", WORLD_PARTITIONS, true);
    broker_create_topic(world->broker, "inventory.history", WORLD_PARTITIONS, false);
}

static void close_world(struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].instance) {
            machine_kill(&world->machines[i], NULL);
        }
        disk_forget(world->machines[i].directory);
    }
    broker_set_chooser(world->broker, NULL, NULL);
    broker_close(world->broker);
    workload_release(&world->workload);
    buffer_release(&world->value);
}

/* The same inputs at the same times, one process for each partition that begins when all of them
 * are there and the clock stands where the other world's does: nothing goes wrong. */
static bool run_reference(struct world *reference, const struct world *world, const char *directory,
                          struct world_report *report)
{
    *reference = (struct world){.peace = true,
                                .report = report,
                                .why = world->why,
                                .room = world->room,
                                .machine_count = WORLD_PARTITIONS};
    open_broker(reference);
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
        machine_init(&reference->machines[i], reference->broker, reference->codec, directory,
                     10 + i, i);
    }
    broker_advance(reference->broker,
                   broker_now_ms(world->broker) - broker_now_ms(reference->broker));
    return settle(reference,
                  QUIET_MS / 10); /* so that no timer of a later time fires in it alone */
}

/* ---- the comparison ---- */

static bool is_there(void *context, int columns, const char *const *names,
                     const char *const *values, const int *types)
{
    (void)columns, (void)names, (void)values, (void)types;
    *(bool *)context = true;
    return false;
}

static bool draw_state(const struct world *world, int32_t partition, struct buffer *out)
{
    int64_t number, next;
    picture_last_commit(world->broker, world->codec, partition, &number, &next);
    for (int i = 0; i < world->machine_count && number > 0; i++) {
        char path[200], sql[100];
        struct error error;
        bool here = false;
        machine_state_path(&world->machines[i], partition, path);
        snprintf(sql, sizeof sql, "SELECT 1 FROM weir_meta WHERE commit_number = %" PRId64, number);
        if (store_query(path, sql, is_there, &here, &error) != OK) {
            continue;
        }
        if (here) {
            return picture_of_state(path, out);
        }
    }
    return number == 0;
}

static bool check_group(const struct world *world, int32_t partition)
{
    int64_t number, next;
    long long said = 0;
    struct port_offset offset;
    picture_last_commit(world->broker, world->codec, partition, &number, &next);
    bool stable =
        broker_offsets(world->broker, "inventory", stock_commands_topic.name, partition, &offset);
    if (!stable) {
        return false;
    }
    return offset.offset < 0 ||
           (offset.offset == next && sscanf(offset.metadata, "weir1 %lld", &said) == 1 &&
            said == number);
}

static bool draw(struct world *world, struct buffer *out)
{
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].instance) {
            machine_stop(&world->machines[i]);
        }
    }
    picture_of_topics(world->broker, world->codec, out);
    for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
        if (!picture_of_history(world->broker, world->codec, partition, out, world->why,
                                world->room)) {
            return false;
        }
        if (!check_group(world, partition)) {
            snprintf(world->why, world->room,
                     "partition %d: the group's offset is not the last checkpoint's",
                     (int)partition);
            return false;
        }
        if (!draw_state(world, partition, out)) {
            snprintf(world->why, world->room,
                     "partition %d: no state file stands at the group's commit", (int)partition);
            return false;
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

static bool compare(struct world *world, struct world *reference, const char *directory)
{
    struct buffer found, expected;
    buffer_init(&found);
    buffer_init(&expected);
    bool same = draw(reference, &expected) && draw(world, &found);
    if (same && strcmp(buffer_string(&found), buffer_string(&expected)) != 0) {
        same = false;
        write_picture(directory, "expected", &expected);
        write_picture(directory, "found", &found);
        snprintf(world->why, world->room,
                 "a reader sees something else than without faults: diff %s/expected %s/found",
                 directory, directory);
    }
    buffer_release(&found);
    buffer_release(&expected);
    return same;
}

/* ---- a run ---- */

static void open_world(struct world *world, const char *directory)
{
    open_broker(world);
    world->workload.dice = &world->dice;
    broker_set_pace(world->broker, (enum broker_pace)dice_below(&world->dice, 3));
    world->members = dice_once_in(&world->dice, 2);
    bool rivals = may(world, TROUBLE_RIVALS) && dice_once_in(&world->dice, 3);
    world->machine_count = world->members ? (int)dice_between(&world->dice, 1, 3)
                           : rivals       ? MACHINES_MAX
                                          : WORLD_PARTITIONS;
    world->inputs_left = (int)dice_between(&world->dice, 5, 60);
    static const uint64_t every[] = {0, 15, 40, 120, 400};
    world->fault_every = every[dice_below(&world->dice, 5)];
    world->faults_left = (int)dice_between(&world->dice, 1, 15);
    world->disturbances_left = (int)dice_between(&world->dice, 0, 12);
    for (int i = 0; i < world->machine_count; i++) {
        machine_init(&world->machines[i], world->broker, world->codec, directory, i,
                     world->members ? -1 : i % WORLD_PARTITIONS);
        plan_restart(world, i);
    }
    broker_set_chooser(world->broker, choose_fault, world);
    disk_set_chooser(choose_disk_fault, world);
}

bool world_run_seed(uint64_t seed, unsigned troubles, const char *directory,
                    struct world_report *report, char *why, size_t room)
{
    static const int64_t later_ms[] = {1000, 120 * 1000, INT64_C(9) * 24 * 3600 * 1000};
    *report = (struct world_report){0};
    struct world world = {
        .troubles = troubles, .dice = {seed}, .report = report, .why = why, .room = room};
    disk_register();
    open_world(&world, directory);
    bool good = trouble(&world);
    make_peace(&world);
    good = good && settle(&world, QUIET_MS);
    if (good) {
        broker_advance(world.broker, later_ms[dice_below(&world.dice, 3)]);
        good = settle(&world, QUIET_MS);
    }
    for (int i = 0; i < world.machine_count; i++) {
        report->starts += world.machines[i].starts;
    }
    struct world reference;
    struct world_report ignored;
    if (good) {
        good = run_reference(&reference, &world, directory, &ignored) &&
               compare(&world, &reference, directory);
        close_world(&reference);
    }
    close_world(&world);
    disk_set_chooser(NULL, NULL);
    return good;
}
