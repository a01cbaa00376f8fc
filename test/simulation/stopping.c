/* stopping.c - what a clean stop (SIGTERM) leaves.
 *
 * Nothing goes wrong any more. A commit that is under way when the word to stop comes is waited
 * for, and the file goes with it: the next start has nothing to restore.
 */
#include <inttypes.h>

#include "simulation/world_internal.h"

enum { ROUNDS_MAX = 40, ROUND_MS = 3 };

static void run_a_round(struct world *world)
{
    for (int i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        if (machine->rival) {
            continue;
        }
        if (!machine->instance) {
            machine_start(machine);
        } else {
            machine_step(machine);
        }
    }
    broker_advance(world->broker, dice_between(&world->dice, 0, ROUND_MS));
}

bool stopping_check(struct world *world)
{
    if (!dice_once_in(&world->dice, 4)) {
        return true;
    }
    if (!world_settle(world, QUIET_MS)) { /* a file that was too old is restored */
        return false;
    }
    for (int i = 0; i < world->processor_count; i++) {
        world_repeat_inputs(world, world->processors[i]);
    }
    for (int64_t rounds = dice_between(&world->dice, 1, ROUNDS_MAX); rounds > 0; rounds--) {
        run_a_round(world);
    }
    world_stop_all(world);
    for (int i = 0; i < world->processor_count; i++) {
        const struct weir_processor *processor = world->processors[i];
        for (int32_t partition = 0; partition < WORLD_PARTITIONS; partition++) {
            struct last_commit last = last_commit_of(world, processor, partition);
            char path[200];
            int64_t time_ms;
            if (last.number > 0 &&
                !compare_find_state(world, processor, partition, &last, path, &time_ms)) {
                return world_wrong(world,
                                   "%s.p%d: stopped, no state file stands at commit %" PRId64,
                                   processor->name, (int)partition, last.number);
            }
        }
    }
    return true;
}
