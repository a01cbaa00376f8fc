/* nemesis_state.c - what can happen to a process's disk and clock.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "chaos/nemesis.h"
#include "processors.h"

enum { PATH = 500, FILES = 3, ROT_MS = 30000 };

static const char *const endings[FILES] = {"", "-wal", "-shm"};

/* A place whose process was just killed, and the file of one of its tasks. */
static struct place *struck_down(struct nemesis *nemesis, enum kind kind, int32_t *partition,
                                 char path[PATH])
{
    struct place *place = nemesis_place(nemesis);
    *partition = place ? nemesis_partition(nemesis, place) : -1;
    if (*partition < 0) {
        return NULL;
    }
    nemesis_struck(nemesis, kind, place);
    fleet_kill(nemesis->fleet, place, 0);
    fleet_state_path(nemesis->fleet, place, *partition, path, PATH);
    return place;
}

static void remove_state(const char *path)
{
    char name[PATH + 8];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

bool nemesis_state_lost(struct nemesis *nemesis)
{
    static const char *const moments[] = {"restore_slice:1", "restore_end:1"};
    char path[PATH];
    int32_t partition;
    struct place *place = struck_down(nemesis, STATE_LOST, &partition, path);
    if (!place) {
        return false;
    }
    remove_state(path);
    bool again = dice_once_in(&nemesis->dice, 2);
    if (again) {
        snprintf(place->kill_at, sizeof place->kill_at, "%s",
                 moments[dice_below(&nemesis->dice, 2)]);
    }
    results_fault(nemesis->results, STATE_LOST, "%s%s%s", place->name, again ? ", killed at " : "",
                  place->kill_at);
    return true;
}

/* ---- an old copy ---- */

static bool copy(const char *from, const char *to)
{
    char bytes[64 * 1024];
    ssize_t got = 0;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        unlink(to);
        return false;
    }
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(out >= 0);
    while ((got = read(in, bytes, sizeof bytes)) > 0) {
        CHECK_EQUAL(write(out, bytes, (size_t)got), got);
    }
    close(in);
    close(out);
    return true;
}

static void copy_state(const char *from, const char *to)
{
    char source[PATH + 8], target[PATH + 8];
    for (int i = 0; i < FILES - 1; i++) {
        snprintf(source, sizeof source, "%s%s", from, endings[i]);
        snprintf(target, sizeof target, "%s%s", to, endings[i]);
        copy(source, target);
    }
}

static void kept_path(const char *path, char kept[PATH])
{
    snprintf(kept, PATH, "%.480s.kept", path);
}

void nemesis_keep_copy(struct nemesis *nemesis, struct place *place)
{
    char path[PATH], kept[PATH];
    int32_t partition = nemesis_partition(nemesis, place);
    if (partition >= 0) {
        fleet_state_path(nemesis->fleet, place, partition, path, PATH);
        kept_path(path, kept);
        copy_state(path, kept);
    }
}

/* Among places with a copy; the first ones in a run have none yet. */
bool nemesis_state_old(struct nemesis *nemesis)
{
    char path[PATH], kept[PATH];
    for (int tries = 0; tries < PLACES_MAX; tries++) {
        struct place *place = nemesis_place(nemesis);
        int32_t partition = place ? nemesis_partition(nemesis, place) : -1;
        if (partition < 0) {
            continue;
        }
        fleet_state_path(nemesis->fleet, place, partition, path, PATH);
        kept_path(path, kept);
        if (access(kept, F_OK) == 0) {
            nemesis_struck(nemesis, STATE_OLD, place);
            fleet_kill(nemesis->fleet, place, 0);
            remove_state(path);
            copy_state(kept, path);
            results_fault(nemesis->results, STATE_OLD, "%s", place->name);
            return true;
        }
    }
    return false;
}

/* ---- rot ---- */

bool nemesis_state_flip(struct nemesis *nemesis)
{
    char path[PATH], name[PATH + 8];
    struct stat status;
    struct dice *dice = &nemesis->dice;
    int32_t partition;
    struct place *place = struck_down(nemesis, STATE_FLIP, &partition, path);
    if (!place) {
        return false;
    }
    snprintf(name, sizeof name, "%s%s", path, dice_once_in(dice, 3) ? "-wal" : "");
    int file = open(name, O_RDWR | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) {
        if (file >= 0) {
            close(file);
        }
        return false;
    }
    int flips = (int)dice_between(dice, 1, 8);
    for (int i = 0; i < flips; i++) {
        uint8_t byte = 0;
        off_t at = (off_t)dice_below(dice, (uint64_t)status.st_size);
        CHECK_EQUAL(pread(file, &byte, 1, at), 1);
        byte ^= (uint8_t)(1U << dice_below(dice, 8));
        CHECK_EQUAL(pwrite(file, &byte, 1, at), 1);
    }
    close(file);
    if (nemesis->flipped_count < FLIPPED_MAX) {
        nemesis->flipped[nemesis->flipped_count++] =
            (struct flipped){place, partition, place->disk};
    }
    results_fault(nemesis->results, STATE_FLIP, "%s: %d bits of %s", place->name, flips, name);
    return true;
}

void nemesis_find_rot(struct nemesis *nemesis)
{
    char path[PATH], partition[12], config[PATH], disk[PATH];
    snprintf(config, sizeof config, "%s/config", nemesis->options->directory);
    for (size_t i = 0; i < nemesis->flipped_count && !interrupted; i++) {
        const struct flipped *flipped = &nemesis->flipped[i];
        struct place there = *flipped->place;
        there.disk = flipped->disk;
        fleet_state_path(nemesis->fleet, &there, flipped->partition, path, PATH);
        snprintf(partition, sizeof partition, "%d", (int)flipped->partition);
        snprintf(disk, sizeof disk, "%s/state/%s", nemesis->options->directory,
                 disks[flipped->disk]);
        const char *arguments[] = {nemesis->options->weir,
                                   "sql",
                                   processors[there.processor]->name,
                                   partition,
                                   "PRAGMA integrity_check",
                                   "-c",
                                   config,
                                   "--state-dir",
                                   disk,
                                   NULL};
        if (access(path, F_OK) != 0 ||
            fleet_run(nemesis->fleet, "sql", arguments, ROT_MS) == EXIT_DONE) {
            continue;
        }
        nemesis->results->counts[COUNT_ROT_READ]++;
        results_note(nemesis->results, "%s: rot that no start has read", path);
        if (flipped->place->disk == flipped->disk) {
            fleet_kill(nemesis->fleet, flipped->place, 0);
        }
        remove_state(path);
    }
    nemesis->flipped_count = 0;
}

/* ---- a full disk ---- */

enum { MOVED, FULL, FREE };

static void fill(const char *path)
{
    static const char zeros[64 * 1024];
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(file >= 0);
    while (write(file, zeros, sizeof zeros) == (ssize_t)sizeof zeros) {}
    close(file);
}

static int64_t use_the_small_disk(struct nemesis *nemesis, struct errand *errand)
{
    char filler[PATH], path[PATH];
    struct place *place = errand->place;
    snprintf(filler, sizeof filler, "%s/state/small/filler", nemesis->options->directory);
    switch (errand->stage) {
    case MOVED:
        fill(filler);
        nemesis_struck(nemesis, DISK_FULL, place);
        results_fault(nemesis->results, DISK_FULL, "%s", place->name);
        errand->stage = FULL;
        return now_ms() + dice_between(&nemesis->dice, 500, 5000);
    case FULL:
        unlink(filler);
        results_note(nemesis->results, "%s has space again", place->name);
        errand->stage = FREE;
        return now_ms() + dice_between(&nemesis->dice, 1000, 3000);
    case FREE:
        fleet_kill(nemesis->fleet, place, 0);
        for (int32_t p = 0; p < PARTITIONS; p++) {
            fleet_state_path(nemesis->fleet, place, p, path, PATH);
            remove_state(path);
        }
        place->disk = errand->disk;
        place->busy = false;
        nemesis->disk_busy = false;
        return 0;
    default:
        BUG("no such stage");
    }
}

bool nemesis_disk_full(struct nemesis *nemesis)
{
    struct place *place = nemesis->disk_busy ? NULL : nemesis_place(nemesis);
    if (!place) {
        return false;
    }
    nemesis->disk_busy = true;
    place->busy = true;
    fleet_kill(nemesis->fleet, place, 0);
    struct errand *errand =
        nemesis_errand(nemesis, dice_between(&nemesis->dice, 500, 3000), use_the_small_disk, place);
    errand->disk = place->disk;
    place->disk = DISK_SMALL;
    return true;
}

/* ---- the clock ---- */

static void set_clock(const char *path, int64_t ahead_s)
{
    FILE *file = fopen(path, "we");
    CHECK(file);
    fprintf(file, "%+" PRId64 "s\n", ahead_s);
    fclose(file);
}

static int64_t move_the_clock(struct nemesis *nemesis, struct errand *errand)
{
    struct place *place = errand->place;
    if (errand->stage == 0) {
        int64_t ahead_s = dice_between(&nemesis->dice, 2, 300);
        ahead_s = dice_once_in(&nemesis->dice, 2) ? ahead_s : -ahead_s;
        set_clock(place->faketime, ahead_s);
        nemesis_struck(nemesis, CLOCK, place);
        results_fault(nemesis->results, CLOCK, "%s, by %+" PRId64 " s", place->name, ahead_s);
        errand->stage = 1;
        return now_ms() + dice_between(&nemesis->dice, 3000, 8000);
    }
    place->faketime[0] = 0;
    place->busy = false;
    fleet_kill(nemesis->fleet, place, 0);
    return 0;
}

/* The process starts with the machine's time, which then jumps, and at last jumps back. */
bool nemesis_clock(struct nemesis *nemesis)
{
    struct place *place = nemesis_place(nemesis);
    if (!place) {
        return false;
    }
    place->busy = true;
    snprintf(place->faketime, sizeof place->faketime, "%.250s/clock.%.40s",
             nemesis->options->directory, place->name);
    set_clock(place->faketime, 0);
    fleet_kill(nemesis->fleet, place, 0);
    nemesis_errand(nemesis, dice_between(&nemesis->dice, 1500, 3000), move_the_clock, place);
    return true;
}
