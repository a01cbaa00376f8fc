/* trouble.c - the events of a run: which strike, and what they do.
 *
 * At a call of the port, of the disk or of the allocator, an event is that call's fault, or
 * something that happens in its middle. Between two steps it is what the world around does:
 * processes killed or stopped, state files lost, a broker that is slow, clocks that are set, days
 * that go by.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shop.h"
#include "simulation/disk.h"
#include "simulation/memory.h"
#include "simulation/world_internal.h"

enum {
    DISK_RARER = 4, /* than calls of the port that fail: there are so many */
    MEMORY_RARER = 60,
    ENDS_OFTENER = 4,
    HOUR_MS = 3600 * 1000,
    OTHERS_STEPS_MAX = 8,
    SETTLED_MS = 30 * 1000, /* longer than a transaction and its markers take */
};

static bool may(const struct world *world, unsigned trouble)
{
    return !world->peace && (world->run->troubles & trouble) != 0;
}

/* Into the list and the trace; `machine` NULL: it concerns all. */
static void say(const struct world *world, struct event *event, unsigned trouble,
                const struct machine *machine, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void say(const struct world *world, struct event *event, unsigned trouble,
                const struct machine *machine, const char *format, ...)
{
    char text[sizeof event->text] = "";
    if (machine) {
        snprintf(text, sizeof text, "%s.%s ", machine->processor->name, machine->name);
    }
    size_t size = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + size, sizeof text - size, format, args);
    va_end(args);
    event_say(event, trouble, world_age_ms(world), text);
}

/* ---- in the middle of a call ---- */

static bool can_step(const struct world *world, const struct machine *machine)
{
    return machine->instance && !machine->busy &&
           broker_now_ms(world->broker) >= machine->sleeps_until_ms;
}

/* Others act while this one waits for its answer. */
static void let_others_act(struct world *world, struct dice *dice)
{
    int64_t steps = dice_between(dice, 1, OTHERS_STEPS_MAX);
    for (int64_t i = 0; i < steps; i++) {
        struct machine *machine =
            &world->machines[dice_below(dice, (uint64_t)world->machine_count)];
        if (can_step(world, machine)) {
            machine_step(machine);
        } else if (!machine->instance && machine->starts_ms != INT64_MAX) {
            machine_start(machine);
        }
    }
}

static void name_task(const struct world *world, struct dice *dice, char id[40])
{
    const struct weir_processor *processor =
        world->processors[dice_below(dice, (uint64_t)world->processor_count)];
    snprintf(id, 40, "%s.p%d", processor->name, (int)dice_below(dice, WORLD_PARTITIONS));
}

/* One more command, while somebody waits for an answer. */
static void an_input_comes(struct world *world, struct dice *dice)
{
    struct workload workload = {.dice = dice,
                                .reservations = world->workload.reservations,
                                .receipts = world->workload.receipts};
    char key[32];
    workload_next(&workload, key, &world->value);
    broker_produce(world->broker, stock_commands_topic.name, -1,
                   (struct weir_bytes){(const uint8_t *)key, strlen(key)},
                   (struct weir_bytes){world->value.data, world->value.size}, NULL, 0);
    workload_release(&workload);
}

/* Something happens before the call goes on. */
static bool meanwhile(struct world *world, struct event *event, struct dice *dice, const char *call)
{
    struct machine *machine = machine_at_work();
    char id[40];
    int64_t ms;
    bool input;
    switch (dice_below(dice, 4)) {
    case 0:
        say(world, event, TROUBLE_MEANWHILE, machine, "in %s: the others act", call);
        let_others_act(world, dice);
        return true;
    case 1:
        ms = dice_once_in(dice, 2) ? dice_between(dice, 1, 200) : dice_between(dice, 1, 20000);
        input = !world->shop && dice_once_in(dice, 3);
        say(world, event, TROUBLE_MEANWHILE, machine, "in %s: stands still for %" PRId64 " ms%s",
            call, ms, input ? ", and a command comes" : "");
        machine_pause(machine);
        broker_advance(world->broker, ms / 2);
        if (input) {
            an_input_comes(world, dice);
        }
        broker_advance(world->broker, ms - ms / 2);
        return true;
    case 2:
        if (!world->members) {
            return false;
        }
        say(world, event, TROUBLE_MEANWHILE, machine, "in %s: is thrown out of its group", call);
        broker_expire_member(world->broker, machine->processor->name, machine->name);
        return true;
    default:
        name_task(world, dice, id);
        say(world, event, TROUBLE_MEANWHILE, machine, "in %s: the transaction of %s times out",
            call, id);
        broker_time_out(world->broker, id);
        return true;
    }
}

/* ---- faults of a call ---- */

static void request_fault(struct dice *dice, enum broker_call call, struct broker_fault *fault)
{
    static const enum broker_fault_kind kinds[] = {FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY,
                                                   FAULT_HIDDEN_RETRY};
    static const enum broker_stray strays[] = {STRAY_NONE, STRAY_AFTER_SEND, STRAY_AFTER_OFFSETS};
    bool transactional = call == CALL_SEND || call == CALL_SEND_OFFSETS || call == CALL_COMMIT ||
                         call == CALL_ABORT || call == CALL_ADD_PARTITIONS ||
                         call == CALL_ADD_OFFSETS;
    fault->kind = kinds[dice_below(dice, transactional ? 3 : 2)];
    fault->stray = transactional && fault->kind != FAULT_LOSE_REQUEST ? strays[dice_below(dice, 3)]
                                                                      : STRAY_NONE;
}

static void say_request_fault(const struct world *world, struct event *event, const char *call,
                              const struct broker_fault *fault)
{
    say(world, event, TROUBLE_REQUESTS, machine_at_work(), "in %s: %s%s", call,
        fault->kind == FAULT_LOSE_REQUEST ? "the request is lost"
        : fault->kind == FAULT_LOSE_REPLY ? "the reply is lost"
                                          : "the reply is lost and the client repeats it",
        fault->stray == STRAY_NONE         ? ""
        : fault->stray == STRAY_AFTER_SEND ? ", a copy comes after the next transaction's send"
                                           : ", a copy comes after the next one's offsets");
}

/* The calls that end a transaction are few, and what goes wrong with them matters most. */
static uint64_t once_in(const struct world *world, enum broker_call call)
{
    bool rare = call == CALL_ABORT || call == CALL_COMMIT || call == CALL_SEND_OFFSETS;
    return rare ? (world->fault_every + ENDS_OFTENER - 1) / ENDS_OFTENER : world->fault_every;
}

static void choose_fault(void *context, enum broker_call call, const char *who,
                         struct broker_fault *fault)
{
    (void)who;
    struct world *world = context;
    struct machine *machine = machine_at_work();
    if (!machine || !machine->busy) {
        return;
    }
    struct event *event = fate_strikes(&world->fate, SITE_CALL, (int)call, once_in(world, call));
    if (!event) {
        return;
    }
    struct dice dice = event_dice(event);
    const char *name = broker_call_name(call);
    uint64_t what = dice_below(&dice, 8);
    if (what < 2 && may(world, TROUBLE_CRASH)) {
        bool after = dice_once_in(&dice, 2);
        say(world, event, TROUBLE_CRASH, machine, "dies %s %s", after ? "after" : "before", name);
        fault->kind = after ? FAULT_CRASH_AFTER : FAULT_CRASH_BEFORE;
    } else if (what >= 2 && what < 4 && may(world, TROUBLE_REQUESTS)) {
        request_fault(&dice, call, fault);
        say_request_fault(world, event, name, fault);
    } else if (what >= 4 && what < 6 && may(world, TROUBLE_FAILURES)) {
        say(world, event, TROUBLE_FAILURES, machine, "%s fails", name);
        fault->kind = FAULT_FAIL;
        fault->outcome = RETRY;
        fault->result = call == CALL_INIT ? TXN_DOUBT : TXN_ABORT;
    } else if (what < 6 || !may(world, TROUBLE_MEANWHILE) ||
               !meanwhile(world, event, &dice, name)) {
        fate_nothing(&world->fate, event);
    }
}

static bool choose_disk_fault(void *context, enum disk_call call, const char *path)
{
    static const char *const names[DISK_CALLS] = {"open", "read", "write", "truncate", "sync"};
    (void)path;
    struct world *world = context;
    const struct machine *machine = machine_at_work();
    if (!machine || !may(world, TROUBLE_DISK)) {
        return false;
    }
    struct event *event =
        fate_strikes(&world->fate, SITE_DISK, (int)call, world->fault_every * DISK_RARER);
    if (event) {
        say(world, event, TROUBLE_DISK, machine, "disk: %s fails", names[call]);
    }
    return event != NULL;
}

static bool choose_memory_fault(void *context, enum memory_call call)
{
    struct world *world = context;
    const struct machine *machine = machine_at_work();
    if (!machine || !machine->busy || !machine->port ||
        !may(world, call == MEMORY_OURS ? TROUBLE_MEMORY : TROUBLE_SQLITE)) {
        return false;
    }
    struct event *event =
        fate_strikes(&world->fate, SITE_MEMORY, (int)call, world->fault_every * MEMORY_RARER);
    if (event) {
        say(world, event, TROUBLE_MEMORY, machine, "memory: %s allocation fails",
            call == MEMORY_OURS ? "an" : "SQLite's");
    }
    return event != NULL;
}

void trouble_watch(struct world *world)
{
    static struct world *watched;
    if (watched) {
        broker_set_chooser(watched->broker, NULL, NULL);
    }
    watched = world;
    if (world) {
        broker_set_chooser(world->broker, choose_fault, world);
    }
    disk_set_chooser(world ? choose_disk_fault : NULL, world);
    memory_set_chooser(world ? choose_memory_fault : NULL, world);
}

/* ---- between two steps ---- */

static void die(struct world *world, struct machine *machine, struct dice *power)
{
    world->run->report.deaths++;
    machine_kill(machine, power);
}

/* Before the first commit of a new beginning, a file from before it is a finding. */
static bool may_find_copy(const struct world *world, const struct machine *machine)
{
    bool may = true;
    for (int32_t partition = 0; partition < WORLD_PARTITIONS && world->began_anew; partition++) {
        may &= last_commit_of(world, machine->processor, partition).number > 0;
    }
    return may;
}

/* A file that goes, or an older one that comes, under a process that is not running: it is ended
 * for that. */
static bool harm_state(struct world *world, struct event *event, struct machine *machine,
                       struct dice *dice)
{
    uint64_t what = dice_below(dice, 3);
    if (what == 2 && !may_find_copy(world, machine)) {
        return false;
    }
    static const char *const words[] = {"loses its state files", "has its state files copied",
                                        "finds the copy of its state files in their place"};
    say(world, event, TROUBLE_STATE, machine, "is killed and %s", words[what]);
    if (machine->instance) {
        die(world, machine, NULL);
    }
    if (what == 0) {
        machine_lose_state(machine);
    } else if (what == 1) {
        (void)machine_copy_state(machine);
    } else {
        (void)machine_put_copy_back(machine);
    }
    return true;
}

static void compact_all(struct world *world, bool drop_tombstones)
{
    for (int i = 0; i < world->processor_count; i++) {
        char topic[40];
        snprintf(topic, sizeof topic, "%s.changelog", world->processors[i]->name);
        for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
            broker_compact(world->broker, topic, partition, drop_tombstones);
        }
    }
}

static bool harm_broker(struct world *world, struct event *event, const struct machine *machine,
                        struct dice *dice)
{
    char id[40];
    const char *topic = world->marked[dice_below(dice, (uint64_t)world->marked_count)];
    int64_t ms;
    switch (dice_below(dice, 4)) {
    case 0:
        ms = dice_once_in(dice, 4) ? dice_between(dice, 40, 4000) : dice_between(dice, 0, 40);
        say(world, event, TROUBLE_BROKER, NULL, "markers of %s come %" PRId64 " ms late", topic,
            ms);
        broker_delay_markers(world->broker, topic, ms);
        return true;
    case 1:
        name_task(world, dice, id);
        say(world, event, TROUBLE_BROKER, NULL, "the transaction of %s times out", id);
        broker_time_out(world->broker, id);
        return true;
    case 2:
        say(world, event, TROUBLE_BROKER, NULL, "changelogs are compacted");
        compact_all(world, false);
        return true;
    default:
        if (!world->members) {
            return false;
        }
        say(world, event, TROUBLE_BROKER, machine, "is thrown out of its group");
        broker_expire_member(world->broker, machine->processor->name, machine->name);
        return true;
    }
}

/* All processes of one processor end, and its offsets expire. */
static void lose_offsets(struct world *world, struct event *event, struct machine *machine)
{
    say(world, event, TROUBLE_OFFSETS, machine,
        "and all its like are killed, and the group's offsets expire");
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].processor == machine->processor && world->machines[i].instance) {
            die(world, &world->machines[i], NULL);
        }
    }
    broker_forget_offsets(world->broker, machine->processor->name);
}

/* Someone begins from scratch: every topic is made anew, offsets and state files go. Copies of
 * state files stay about, of another incarnation. */
static void begin_anew(struct world *world, struct event *event)
{
    say(world, event, TROUBLE_TOPICS, NULL, "all are killed, and every topic is made anew");
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].instance) {
            die(world, &world->machines[i], NULL);
        }
        machine_copy_state(&world->machines[i]);
        machine_lose_state(&world->machines[i]);
    }
    broker_advance(world->broker, SETTLED_MS); /* nothing is under way any more */
    for (int i = 0; i < world->marked_count - 1; i++) {
        broker_recreate_topic(world->broker, world->marked[i]);
    }
    for (int i = 0; i < world->processor_count; i++) {
        broker_forget_offsets(world->broker, world->processors[i]->name);
    }
    world->began_anew = true;
}

/* Processes stand still. After a day every tombstone of today may go. */
static void pass_days(struct world *world, struct event *event, struct dice *dice)
{
    int64_t hours = dice_once_in(dice, 2) ? dice_between(dice, 1, 23) : dice_between(dice, 25, 80);
    bool tombstones = hours * HOUR_MS > WORLD_DELETE_RETENTION_MS;
    say(world, event, TROUBLE_DAYS, NULL, "%" PRId64 " hours go by%s", hours,
        tombstones ? ", and compaction removes tombstones" : "");
    for (int i = 0; i < world->machine_count; i++) {
        machine_pause(&world->machines[i]);
    }
    compact_all(world, false);
    broker_advance(world->broker, hours * HOUR_MS);
    compact_all(world, tombstones);
}

/* Never beyond what makes timers fire before their time in one world only: back, but not further
 * than a record's time may lie ahead; the audit bears any clock. */
static void set_clock(struct world *world, struct event *event, struct machine *machine,
                      struct dice *dice)
{
    int64_t bound_ms = machine->settings.clock_bound_ms;
    int64_t ms = world->shop ? dice_between(dice, -30 * bound_ms, 30 * bound_ms)
                             : dice_between(dice, -bound_ms, 0);
    say(world, event, TROUBLE_CLOCK, machine, "has its clock set off by %" PRId64 " ms", ms);
    machine_skew(machine, ms);
    world->clock_ahead |= ms > 0;
}

static bool strike(struct world *world, struct event *event)
{
    struct dice dice = event_dice(event);
    struct machine *machine = &world->machines[dice_below(&dice, (uint64_t)world->machine_count)];
    int64_t ms;
    switch (dice_below(&dice, 12)) {
    case 0:
    case 1:
        if (!machine->instance || !may(world, TROUBLE_CRASH)) {
            return false;
        }
        say(world, event, TROUBLE_CRASH, machine, "is killed");
        die(world, machine, NULL);
        return true;
    case 2:
    case 3:
        if (!machine->instance || !may(world, TROUBLE_POWER)) {
            return false;
        }
        say(world, event, TROUBLE_POWER, machine, "loses power");
        die(world, machine, &dice);
        return true;
    case 4:
    case 5:
        if (!machine->instance || !may(world, TROUBLE_SLEEP)) {
            return false;
        }
        ms = dice_between(&dice, 1, 20000);
        say(world, event, TROUBLE_SLEEP, machine, "stands still for %" PRId64 " ms", ms);
        machine->sleeps_until_ms = broker_now_ms(world->broker) + ms;
        machine_pause(machine);
        return true;
    case 6:
    case 7:
        return may(world, TROUBLE_STATE) && harm_state(world, event, machine, &dice);
    case 8:
    case 9:
        return may(world, TROUBLE_BROKER) && harm_broker(world, event, machine, &dice);
    case 10:
        if (may(world, TROUBLE_CLOCK) && dice_once_in(&dice, 2)) {
            set_clock(world, event, machine, &dice);
            return true;
        }
        if (may(world, TROUBLE_TOPICS) && dice_once_in(&dice, 2)) {
            begin_anew(world, event);
            return true;
        }
        if (!may(world, TROUBLE_OFFSETS)) {
            return false;
        }
        lose_offsets(world, event, machine);
        return true;
    default:
        if (!may(world, TROUBLE_DAYS)) {
            return false;
        }
        pass_days(world, event, &dice);
        return true;
    }
}

void trouble_disturb(struct world *world)
{
    struct event *event = fate_strikes(&world->fate, SITE_STEP, 0, 1);
    if (event && !strike(world, event)) {
        fate_nothing(&world->fate, event);
    }
}
