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
    HOUR_MS = 3600 * 1000,
    SHOP_HOURS_MAX = 6 * 24,
    SETTLED_MS = 30 * 1000, /* longer than a transaction and its markers take */
};

bool trouble_may(const struct world *world, unsigned trouble)
{
    return !world->peace && (world->weather.kinds & trouble) != 0;
}

void trouble_say(const struct world *world, struct event *event, unsigned trouble,
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

void trouble_name_task(const struct world *world, struct dice *dice, char id[40])
{
    const struct weir_processor *processor =
        world->processors[dice_below(dice, (uint64_t)world->processor_count)];
    snprintf(id, 40, "%s.p%d", processor->name, (int)dice_below(dice, WORLD_PARTITIONS));
}

/* A kind of trouble of a list that ends with weight 0, by weight among those that this world has; 0
 * when it has none of them. */
struct chance {
    unsigned kind;
    uint64_t weight;
};

static unsigned draw_kind(const struct world *world, struct dice *dice, const struct chance *list)
{
    uint64_t sum = 0;
    for (size_t i = 0; list[i].weight > 0; i++) {
        sum += trouble_may(world, list[i].kind) ? list[i].weight : 0;
    }
    uint64_t at = sum > 0 ? dice_below(dice, sum) : 0;
    for (size_t i = 0; sum > 0; i++) {
        uint64_t weight = trouble_may(world, list[i].kind) ? list[i].weight : 0;
        if (at < weight) {
            return list[i].kind;
        }
        at -= weight;
    }
    return 0;
}

/* ---- faults of a call ---- */

static void request_fault(struct dice *dice, enum broker_call call, struct broker_fault *fault)
{
    static const enum broker_fault_kind kinds[] = {FAULT_LOSE_REQUEST, FAULT_LOSE_REPLY,
                                                   FAULT_HIDDEN_RETRY};
    static const enum broker_stray strays[] = {STRAY_NONE, STRAY_AFTER_SEND, STRAY_BEFORE_OFFSETS,
                                               STRAY_AFTER_OFFSETS};
    bool transactional = call == CALL_SEND || call == CALL_SEND_OFFSETS || call == CALL_COMMIT ||
                         call == CALL_ABORT || call == CALL_ADD_PARTITIONS ||
                         call == CALL_ADD_OFFSETS;
    fault->kind = kinds[dice_below(dice, transactional ? 3 : 2)];
    fault->stray = transactional && fault->kind != FAULT_LOSE_REQUEST ? strays[dice_below(dice, 4)]
                                                                      : STRAY_NONE;
}

static void say_request_fault(const struct world *world, struct event *event, const char *call,
                              const struct broker_fault *fault)
{
    static const char *const copies[] = {
        [STRAY_NONE] = "",
        [STRAY_AFTER_SEND] = ", a copy comes after the next transaction's send",
        [STRAY_BEFORE_OFFSETS] = ", a copy comes before the next transaction's offsets",
        [STRAY_AFTER_OFFSETS] = ", a copy comes after the next one's offsets",
    };
    trouble_say(world, event, TROUBLE_REQUESTS, machine_at_work(), "in %s: %s%s", call,
                fault->kind == FAULT_LOSE_REQUEST ? "the request is lost"
                : fault->kind == FAULT_LOSE_REPLY ? "the reply is lost"
                                                  : "the reply is lost and the client repeats it",
                copies[fault->stray]);
}

/* Before these somebody else may have the id, unseen. */
static bool is_fence(enum broker_call call)
{
    return call == CALL_PRODUCER_OPEN || call == CALL_INIT;
}

/* A coordinator that has not read all of its log: a few commits are missing, or all. */
static void answer_of_earlier(const struct world *world, struct event *event,
                              struct machine *machine, struct dice *dice,
                              struct broker_fault *fault)
{
    int64_t ago = dice_once_in(dice, 2) ? 1 : dice_between(dice, 2, 20);
    trouble_say(world, event, TROUBLE_COORDINATOR, machine,
                "is told the offsets of %" PRId64 " commits ago", ago);
    fault->kind = FAULT_OLD_ANSWER;
    fault->ago = (unsigned)ago;
    machine->misled = true;
}

/* The calls that end a transaction are few, and what goes wrong with them matters most. */
static uint64_t once_in(const struct world *world, enum broker_call call)
{
    const struct weather *weather = &world->weather;
    bool matters = call == CALL_ABORT || call == CALL_COMMIT || call == CALL_SEND_OFFSETS ||
                   (is_fence(call) && weather->fences) ||
                   (call == CALL_COMMITTED && trouble_may(world, TROUBLE_COORDINATOR));
    return matters ? weather->ends_every : weather->fault_every;
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
    static const struct chance kinds[] = {{TROUBLE_CRASH, 2},    {TROUBLE_REQUESTS, 2},
                                          {TROUBLE_FAILURES, 2}, {TROUBLE_MEANWHILE, 2},
                                          {TROUBLE_RIVALS, 1},   {0, 0}};
    static const struct chance at_fences[] = {{TROUBLE_CRASH, 2},    {TROUBLE_REQUESTS, 2},
                                              {TROUBLE_FAILURES, 2}, {TROUBLE_MEANWHILE, 2},
                                              {TROUBLE_RIVALS, 8},   {0, 0}};
    static const struct chance at_offsets[] = {{TROUBLE_CRASH, 2},
                                               {TROUBLE_REQUESTS, 2},
                                               {TROUBLE_FAILURES, 2},
                                               {TROUBLE_MEANWHILE, 2},
                                               {TROUBLE_RIVALS, 1},
                                               {TROUBLE_COORDINATOR, 8},
                                               {0, 0}};
    unsigned kind = draw_kind(world, &dice,
                              is_fence(call)           ? at_fences
                              : call == CALL_COMMITTED ? at_offsets
                                                       : kinds);
    if (kind == TROUBLE_CRASH) {
        bool after = dice_once_in(&dice, 2);
        trouble_say(world, event, kind, machine, "dies %s %s", after ? "after" : "before", name);
        fault->kind = after ? FAULT_CRASH_AFTER : FAULT_CRASH_BEFORE;
    } else if (kind == TROUBLE_REQUESTS) {
        request_fault(&dice, call, fault);
        say_request_fault(world, event, name, fault);
    } else if (kind == TROUBLE_COORDINATOR) {
        answer_of_earlier(world, event, machine, &dice, fault);
    } else if (kind == TROUBLE_FAILURES) {
        trouble_say(world, event, kind, machine, "%s fails", name);
        fault->kind = FAULT_FAIL;
        fault->outcome = RETRY;
        fault->result = call == CALL_INIT ? TXN_DOUBT : TXN_ABORT;
    } else if (kind == 0 || !(kind == TROUBLE_RIVALS ? meanwhile_rival(world, event, &dice, name)
                                                     : meanwhile(world, event, &dice, name))) {
        fate_nothing(&world->fate, event);
    }
}

static bool choose_disk_fault(void *context, enum disk_call call, const char *path)
{
    static const char *const names[DISK_CALLS] = {"open", "read", "write", "truncate", "sync"};
    (void)path;
    struct world *world = context;
    const struct machine *machine = machine_at_work();
    if (!machine || !trouble_may(world, TROUBLE_DISK)) {
        return false;
    }
    struct event *event =
        fate_strikes(&world->fate, SITE_DISK, (int)call, world->weather.fault_every * DISK_RARER);
    if (event) {
        trouble_say(world, event, TROUBLE_DISK, machine, "disk: %s fails", names[call]);
    }
    return event != NULL;
}

static bool choose_memory_fault(void *context, enum memory_call call)
{
    struct world *world = context;
    const struct machine *machine = machine_at_work();
    if (!machine || !machine->busy || !machine->port ||
        !trouble_may(world, call == MEMORY_OURS ? TROUBLE_MEMORY : TROUBLE_SQLITE)) {
        return false;
    }
    struct event *event = fate_strikes(&world->fate, SITE_MEMORY, (int)call,
                                       world->weather.fault_every * MEMORY_RARER);
    if (event) {
        trouble_say(world, event, TROUBLE_MEMORY, machine, "memory: %s allocation fails",
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

static void stand_still(struct world *world, struct event *event, struct machine *machine,
                        struct dice *dice)
{
    int64_t ms = dice_between(dice, 1, 20000);
    trouble_say(world, event, TROUBLE_SLEEP, machine, "stands still for %" PRId64 " ms", ms);
    machine->sleeps_until_ms = broker_now_ms(world->broker) + ms;
    machine_pause(machine);
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
    trouble_say(world, event, TROUBLE_STATE, machine, "is killed and %s", words[what]);
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
        trouble_say(world, event, TROUBLE_BROKER, NULL, "markers of %s come %" PRId64 " ms late",
                    topic, ms);
        broker_delay_markers(world->broker, topic, ms);
        return true;
    case 1:
        trouble_name_task(world, dice, id);
        trouble_say(world, event, TROUBLE_BROKER, NULL, "the transaction of %s times out", id);
        broker_time_out(world->broker, id);
        return true;
    case 2:
        trouble_say(world, event, TROUBLE_BROKER, NULL, "changelogs are compacted");
        compact_all(world, false);
        return true;
    default:
        if (!world->members) {
            return false;
        }
        trouble_say(world, event, TROUBLE_BROKER, machine, "is thrown out of its group");
        broker_expire_member(world->broker, machine->processor->name, machine->name);
        return true;
    }
}

/* All processes of one processor end, and its offsets expire. */
static void lose_offsets(struct world *world, struct event *event, struct machine *machine)
{
    trouble_say(world, event, TROUBLE_OFFSETS, machine,
                "and all its like are killed, and the group's offsets expire");
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].processor == machine->processor && world->machines[i].instance) {
            die(world, &world->machines[i], NULL);
        }
    }
    broker_forget_offsets(world->broker, machine->processor->name);
    machine_trace_anew(machine);
}

/* Someone begins from scratch: every topic is made anew, offsets and state files go. Copies of
 * state files stay about, of another incarnation. */
static void begin_anew(struct world *world, struct event *event)
{
    trouble_say(world, event, TROUBLE_TOPICS, NULL, "all are killed, and every topic is made anew");
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
    machine_trace_anew(&world->machines[0]);
    world->began_anew = true;
}

/* Processes stand still. After a day every tombstone of today may go. The shop's commands do not
 * wait longer than they are kept, which is less than inventory remembers the answers. */
static bool pass_days(struct world *world, struct event *event, struct dice *dice)
{
    int64_t hours = dice_once_in(dice, 2) ? dice_between(dice, 1, 23) : dice_between(dice, 25, 80);
    if (world->shop && world->hours_gone + hours > SHOP_HOURS_MAX) {
        return false;
    }
    world->hours_gone += hours;
    bool tombstones = hours * HOUR_MS > WORLD_DELETE_RETENTION_MS;
    trouble_say(world, event, TROUBLE_DAYS, NULL, "%" PRId64 " hours go by%s", hours,
                tombstones ? ", and compaction removes tombstones" : "");
    for (int i = 0; i < world->machine_count; i++) {
        machine_pause(&world->machines[i]);
    }
    compact_all(world, false);
    broker_advance(world->broker, hours * HOUR_MS);
    compact_all(world, tombstones);
    return true;
}

/* Never beyond what makes timers fire before their time in one world only: back, but not further
 * than a record's time may lie ahead; the audit bears any clock. */
static void set_clock(struct world *world, struct event *event, struct machine *machine,
                      struct dice *dice)
{
    int64_t bound_ms = machine->settings.clock_bound_ms;
    int64_t ms = world->shop ? dice_between(dice, -30 * bound_ms, 30 * bound_ms)
                             : dice_between(dice, -bound_ms, 0);
    trouble_say(world, event, TROUBLE_CLOCK, machine, "has its clock set off by %" PRId64 " ms",
                ms);
    machine_skew(machine, ms);
    world->clock_ahead |= ms > 0;
}

static bool strike(struct world *world, struct event *event)
{
    static const struct chance kinds[] = {{TROUBLE_CRASH, 8},  {TROUBLE_POWER, 8},
                                          {TROUBLE_SLEEP, 8},  {TROUBLE_STATE, 8},
                                          {TROUBLE_BROKER, 8}, {TROUBLE_CLOCK, 2},
                                          {TROUBLE_TOPICS, 1}, {TROUBLE_OFFSETS, 1},
                                          {TROUBLE_DAYS, 4},   {0, 0}};
    struct dice dice = event_dice(event);
    struct machine *machine = &world->machines[dice_below(&dice, (uint64_t)world->machine_count)];
    unsigned kind = draw_kind(world, &dice, kinds);
    bool ends_one = kind == TROUBLE_CRASH || kind == TROUBLE_POWER || kind == TROUBLE_SLEEP;
    if (ends_one && !machine->instance) {
        return false;
    }
    switch (kind) {
    case TROUBLE_CRASH:
        trouble_say(world, event, kind, machine, "is killed");
        die(world, machine, NULL);
        return true;
    case TROUBLE_POWER:
        trouble_say(world, event, kind, machine, "loses power");
        die(world, machine, &dice);
        return true;
    case TROUBLE_SLEEP:
        stand_still(world, event, machine, &dice);
        return true;
    case TROUBLE_STATE:
        return harm_state(world, event, machine, &dice);
    case TROUBLE_BROKER:
        return harm_broker(world, event, machine, &dice);
    case TROUBLE_CLOCK:
        set_clock(world, event, machine, &dice);
        return true;
    case TROUBLE_TOPICS:
        begin_anew(world, event);
        return true;
    case TROUBLE_OFFSETS:
        lose_offsets(world, event, machine);
        return true;
    case TROUBLE_DAYS:
        return pass_days(world, event, &dice);
    default:
        return false;
    }
}

void trouble_disturb(struct world *world)
{
    struct event *event = fate_strikes(&world->fate, SITE_STEP, 0, 1);
    if (event && !strike(world, event)) {
        fate_nothing(&world->fate, event);
    }
}
