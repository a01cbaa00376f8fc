/* meanwhile.c - what happens in the middle of a call: the others act, time goes on, a rival takes
 * over.
 *
 * What the machine asked for is done afterwards: its request was on its way all the time.
 */
#include <inttypes.h>
#include <string.h>

#include "shop.h"
#include "simulation/world_internal.h"

enum {
    OTHERS_STEPS_MAX = 8,
    RIVAL_STEPS_MAX = 60, /* enough to take an id, to restore, and to commit */
    RIVAL_STEP_MS = 3,
};

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

bool meanwhile(struct world *world, struct event *event, struct dice *dice, const char *call)
{
    struct machine *machine = machine_at_work();
    char id[40];
    int64_t ms;
    bool input;
    switch (dice_below(dice, 4)) {
    case 0:
        trouble_say(world, event, TROUBLE_MEANWHILE, machine, "in %s: the others act", call);
        let_others_act(world, dice);
        return true;
    case 1:
        ms = dice_once_in(dice, 2) ? dice_between(dice, 1, 200) : dice_between(dice, 1, 20000);
        input = !world->shop && dice_once_in(dice, 3);
        trouble_say(world, event, TROUBLE_MEANWHILE, machine,
                    "in %s: stands still for %" PRId64 " ms%s", call, ms,
                    input ? ", and a command comes" : "");
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
        trouble_say(world, event, TROUBLE_MEANWHILE, machine, "in %s: is thrown out of its group",
                    call);
        broker_expire_member(world->broker, machine->processor->name, machine->name);
        return true;
    default:
        trouble_name_task(world, dice, id);
        trouble_say(world, event, TROUBLE_MEANWHILE, machine,
                    "in %s: the transaction of %s times out", call, id);
        broker_time_out(world->broker, id);
        return true;
    }
}

/* ---- a rival ---- */

/* The other process that is to do the same work: for the same partition, of the same name, or
 * another member. */
static struct machine *rival_of(struct world *world, const struct machine *machine)
{
    for (int i = 0; i < world->machine_count; i++) {
        struct machine *other = &world->machines[i];
        if (other != machine && other->processor == machine->processor && !other->busy &&
            other->partition == machine->partition && other->rival != machine->rival) {
            return other;
        }
    }
    return NULL;
}

bool meanwhile_rival(struct world *world, struct event *event, struct dice *dice, const char *call)
{
    struct machine *machine = machine_at_work(), *rival = rival_of(world, machine);
    if (!rival) {
        return false;
    }
    trouble_say(world, event, TROUBLE_RIVALS, machine,
                "in %s: stands still, and a rival takes over", call);
    machine_pause(machine);
    if (!world->shop) {
        an_input_comes(world, dice);
        an_input_comes(world, dice);
    }
    for (int64_t left = dice_between(dice, RIVAL_STEPS_MAX / 4, RIVAL_STEPS_MAX); left > 0;
         left--) {
        if (!rival->instance) {
            machine_start(rival);
        } else {
            machine_step(rival);
        }
        broker_advance(world->broker, RIVAL_STEP_MS);
    }
    return true;
}
