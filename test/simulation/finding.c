/* finding.c - what only a person may mend, and how it is found.
 *
 * While nothing runs, topics are made anew, records deleted, offsets set, or a backup is put back.
 * Whoever starts then and has a task that it concerns must say so and stop, and must not write.
 *
 * One thing cannot be found: an input made anew that has grown beyond the old one's last commit.
 * Its topic id would tell, which librdkafka 2.0.2 does not ask for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/metadata.h"
#include "simulation/world_internal.h"

enum { ROUNDS = 500, ROUND_MS = 40 }; /* longer than a session, so that members take over */

/* What is done, and which tasks it concerns. */
struct damage {
    const char *what;
    const struct weir_processor *processor;
    bool concerns[WORLD_PARTITIONS];
    int64_t written[WORLD_PARTITIONS]; /* the end of each task's history */
};

static const char *topic_of(const struct weir_processor *processor, const char *suffix,
                            char name[40])
{
    snprintf(name, 40, "%s%s", processor->name, suffix);
    return name;
}

static bool group_stands(const struct world *world, const struct damage *damage, int32_t partition,
                         struct port_offset *offset)
{
    return broker_offsets(world->broker, damage->processor->name,
                          damage->processor->inputs[0].topic->name, partition, offset) &&
           offset->offset >= 0;
}

/* ---- damages ---- */

/* Without an offset and a file it is a first start: nobody could know better. */
static void changelog_anew(struct world *world, struct damage *damage)
{
    char name[40];
    damage->what = "the changelog is made anew";
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        struct port_offset offset;
        damage->concerns[p] = group_stands(world, damage, p, &offset);
    }
    broker_recreate_topic(world->broker, topic_of(damage->processor, ".changelog", name));
}

static void input_anew(struct world *world, struct damage *damage)
{
    damage->what = "an input is made anew";
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        damage->concerns[p] = last_commit_of(world, damage->processor, p).next[0] > 0;
    }
    broker_recreate_topic(world->broker, damage->processor->inputs[0].topic->name);
}

/* Two records come, and are deleted before anybody reads them. */
static void input_cut_off(struct world *world, struct damage *damage)
{
    const char *topic = damage->processor->inputs[0].topic->name;
    damage->what = "unread input is deleted";
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        damage->concerns[p] = last_commit_of(world, damage->processor, p).number > 0;
        const struct weir_bytes bytes = {(const uint8_t *)"x", 1};
        for (int i = 0; i < 2; i++) {
            broker_produce(world->broker, topic, p, bytes, bytes, NULL, 0);
        }
        broker_truncate(world->broker, topic, p, broker_log(world->broker, topic, p).high);
    }
}

/* To another record than the one that the last commit goes on at. */
enum setting { SET_BACK, SET_BY_ANOTHER, SET_UNDER_OUR_METADATA, SET_UNDER_METADATA_THAT_FITS };

static void set_offset(const struct world *world, const struct damage *damage, int32_t partition,
                       size_t input, int64_t next, const char *metadata)
{
    struct port_offset set = {.topic = damage->processor->inputs[input].topic->name,
                              .offset = next};
    snprintf(set.metadata, sizeof set.metadata, "%s", metadata);
    broker_set_offsets(world->broker, damage->processor->name, partition, &set, 1);
}

static void offsets_set(struct world *world, struct damage *damage, enum setting setting)
{
    static const char *const what[] = {"the group's offsets are set back",
                                       "someone else sets the group's offset",
                                       "the group's offset changes under its metadata",
                                       "the group's offset is not its checkpoint's"};
    damage->what = what[setting];
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        struct port_offset offset;
        struct last_commit last = last_commit_of(world, damage->processor, p);
        if (last.number < 2 || !group_stands(world, damage, p, &offset) || offset.offset == 0) {
            continue;
        }
        int64_t number;
        char incarnation[33] = "", metadata[PORT_METADATA_MAX] = "";
        CHECK(metadata_read(offset.metadata, offset.offset, &number, incarnation));
        damage->concerns[p] = true;
        if (setting == SET_UNDER_OUR_METADATA) {
            snprintf(metadata, sizeof metadata, "%s", offset.metadata);
        } else if (setting == SET_UNDER_METADATA_THAT_FITS) {
            metadata_write(number, incarnation, offset.offset - 1, metadata);
        }
        for (size_t k = 0; damage->processor->inputs[k].topic; k++) {
            int64_t next = k == 0 ? offset.offset - 1 : last.next[k];
            if (setting == SET_BACK) {
                metadata_write(number - 1, incarnation, next, metadata);
            }
            if (setting == SET_BACK || k == 0) {
                set_offset(world, damage, p, k, next, metadata);
            }
        }
    }
}

/* Only who reads the checkpoint again can find it, and a file that stands there spares that. */
static void offset_forged(struct world *world, struct damage *damage)
{
    offsets_set(world, damage, SET_UNDER_METADATA_THAT_FITS);
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].processor == damage->processor) {
            machine_lose_state(&world->machines[i]);
        }
    }
}

/* A backup is put back: files and offsets of the same commit, from which the changelog has gone on.
 */
static bool backup_put_back(struct world *world, struct damage *damage)
{
    struct port_offset offsets[WORLD_PARTITIONS][WEIR_LIST_MAX] = {0};
    int64_t numbers[WORLD_PARTITIONS];
    damage->what = "files and offsets are put back to an earlier commit";
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        numbers[p] = last_commit_of(world, damage->processor, p).number;
        for (size_t k = 0; damage->processor->inputs[k].topic; k++) {
            (void)broker_offsets(world->broker, damage->processor->name,
                                 damage->processor->inputs[k].topic->name, p, &offsets[p][k]);
        }
    }
    for (int i = 0; i < world->machine_count; i++) {
        (void)machine_copy_state(&world->machines[i]);
    }
    world_repeat_inputs(world, damage->processor);
    if (!world_settle(world, QUIET_MS)) {
        return false;
    }
    world_stop_all(world);
    for (int i = 0; i < world->machine_count; i++) {
        if (world->machines[i].processor == damage->processor) {
            (void)machine_put_copy_back(&world->machines[i]);
        }
    }
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        damage->concerns[p] = offsets[p][0].offset > 0 &&
                              last_commit_of(world, damage->processor, p).number > numbers[p];
        for (size_t k = 0; damage->concerns[p] && damage->processor->inputs[k].topic; k++) {
            set_offset(world, damage, p, k, offsets[p][k].offset, offsets[p][k].metadata);
        }
    }
    return true;
}

static bool do_damage(struct world *world, struct damage *damage)
{
    switch (dice_below(&world->dice, 8)) {
    case 0:
        changelog_anew(world, damage);
        break;
    case 1:
        input_anew(world, damage);
        break;
    case 2:
        input_cut_off(world, damage);
        break;
    case 3:
        offsets_set(world, damage, SET_BACK);
        break;
    case 4:
        offsets_set(world, damage, SET_BY_ANOTHER);
        break;
    case 5:
        offsets_set(world, damage, SET_UNDER_OUR_METADATA);
        break;
    case 6:
        offset_forged(world, damage);
        break;
    default:
        return backup_put_back(world, damage);
    }
    return true;
}

/* ---- what comes of it ---- */

static int64_t written(const struct world *world, const struct damage *damage, int32_t partition)
{
    char name[40];
    return broker_log(world->broker, topic_of(damage->processor, ".history", name), partition).high;
}

static bool concerned(const struct world *world, const struct damage *damage,
                      const struct machine *machine)
{
    bool any = damage->concerns[0] || damage->concerns[1];
    return machine->processor == damage->processor && !machine->rival &&
           (world->members ? any : damage->concerns[machine->partition]);
}

static void run_a_round(struct world *world, const struct damage *damage)
{
    for (int i = 0; i < world->machine_count; i++) {
        struct machine *machine = &world->machines[i];
        bool ended = machine->exit_code == EXIT_CONFIG;
        if (machine->processor != damage->processor || machine->rival || ended) {
            continue;
        }
        if (!machine->instance) {
            machine_start(machine);
        } else {
            machine_step(machine);
        }
    }
    broker_advance(world->broker, ROUND_MS);
}

static bool all_have_stopped(const struct world *world, const struct damage *damage)
{
    for (int i = 0; i < world->machine_count; i++) {
        const struct machine *machine = &world->machines[i];
        if (concerned(world, damage, machine) &&
            (machine->instance || machine->exit_code != EXIT_CONFIG)) {
            return false;
        }
    }
    return true;
}

bool finding_check(struct world *world)
{
    if ((world->run->troubles & TROUBLE_TOPICS) == 0 || !dice_once_in(&world->dice, 3)) {
        return true;
    }
    struct damage damage = {
        .processor = world->processors[dice_below(&world->dice, (uint64_t)world->processor_count)]};
    world_stop_all(world);
    if (!do_damage(world, &damage)) {
        return false;
    }
    for (int i = 0; i < world->machine_count; i++) {
        world->machines[i].exit_code = 0;
    }
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        damage.written[p] = written(world, &damage, p);
    }
    for (int round = 0; round < ROUNDS && !all_have_stopped(world, &damage); round++) {
        run_a_round(world, &damage);
    }
    if (!all_have_stopped(world, &damage)) {
        return world_wrong(world, "%s: %s, and nobody stops", damage.processor->name, damage.what);
    }
    for (int32_t p = 0; p < WORLD_PARTITIONS; p++) {
        if (damage.concerns[p] && damage.written[p] != written(world, &damage, p)) {
            return world_wrong(world, "%s.p%d: %s, and it goes on", damage.processor->name, (int)p,
                               damage.what);
        }
    }
    return true;
}
