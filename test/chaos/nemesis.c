/* nemesis.c - the deck, the errands, and the faults that need no more than a signal or an order to
 * the proxy.
 */
#include "chaos/nemesis.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "processors.h"

enum {
    NOT_NOW_MS = 30, /* then another card */
    GONE_MS = 60000, /* how long a process that was fenced may take to learn it */
};

void nemesis_open(struct nemesis *nemesis, const struct options *options, struct fleet *fleet,
                  struct proxy *proxy, struct results *results, struct admin *admin)
{
    char path[400];
    *nemesis = (struct nemesis){.options = options,
                                .fleet = fleet,
                                .proxy = proxy,
                                .results = results,
                                .admin = admin,
                                .dice = {options->seed}};
    snprintf(path, sizeof path, "%s/state/small", options->directory);
    umount2(path, MNT_DETACH); /* of a run that was killed */
    mkdir(path, 0755);
    nemesis->small_mounted = options->wanted[DISK_FULL] && geteuid() == 0 &&
                             mount("tmpfs", path, "tmpfs", 0, "size=256m") == 0;
    for (int kind = 0; kind < KINDS; kind++) {
        if (options->wanted[kind]) {
            results->skipped[kind] = nemesis_why_not(nemesis, (enum kind)kind);
        }
    }
}

void nemesis_close(struct nemesis *nemesis)
{
    char path[400];
    if (nemesis->small_mounted) {
        snprintf(path, sizeof path, "%s/state/small", nemesis->options->directory);
        umount2(path, MNT_DETACH);
    }
}

const char *nemesis_why_not(struct nemesis *nemesis, enum kind kind)
{
    if (kinds[kind].members_only && nemesis->options->mode == FIXED) {
        return "skipped: of group members only, see --members";
    }
    if (kinds[kind].fixed_only && nemesis->options->mode == MEMBERS) {
        return "skipped: a group with members keeps its offsets";
    }
    if (kind == DISK_FULL && !nemesis->small_mounted) {
        return "skipped: needs root, to mount a small disk";
    }
    if (kind == CLOCK && !nemesis->options->faketime) {
        return "skipped: needs libfaketime, see scripts/packages";
    }
    return NULL;
}

/* ---- errands ---- */

struct errand *nemesis_errand(struct nemesis *nemesis, int64_t in_ms,
                              int64_t (*step)(struct nemesis *nemesis, struct errand *errand),
                              struct place *place)
{
    for (size_t i = 0; i < ERRANDS_MAX; i++) {
        struct errand *errand = &nemesis->errands[i];
        if (!errand->step) {
            *errand = (struct errand){.due_ms = now_ms() + in_ms, .step = step, .place = place};
            return errand;
        }
    }
    BUG("more errands than there is room for");
}

static bool run_errands(struct nemesis *nemesis)
{
    bool any = false;
    for (size_t i = 0; i < ERRANDS_MAX; i++) {
        struct errand *errand = &nemesis->errands[i];
        if (errand->step && (nemesis->calm || now_ms() >= errand->due_ms)) {
            errand->due_ms = errand->step(nemesis, errand);
            if (errand->due_ms == 0) {
                errand->step = NULL;
            }
        }
        any = any || errand->step;
    }
    return any;
}

/* ---- whom ---- */

static bool can_be_struck(const struct nemesis *nemesis, const struct place *place)
{
    return place->child && !place->busy && nemesis->options->struck[place->processor];
}

struct place *nemesis_place(struct nemesis *nemesis)
{
    struct fleet *fleet = nemesis->fleet;
    size_t first = (size_t)dice_below(&nemesis->dice, fleet->place_count);
    for (size_t i = 0; i < fleet->place_count; i++) {
        struct place *place = &fleet->places[(first + i) % fleet->place_count];
        if (can_be_struck(nemesis, place)) {
            return place;
        }
    }
    return NULL;
}

int32_t nemesis_partition(struct nemesis *nemesis, const struct place *place)
{
    int32_t first = (int32_t)dice_below(&nemesis->dice, PARTITIONS);
    for (int32_t i = 0; i < PARTITIONS && place->partition < 0; i++) {
        int32_t p = (first + i) % PARTITIONS;
        if (nemesis->fleet->tasks[place->processor][p].owner == place) {
            return p;
        }
    }
    return place->partition;
}

void nemesis_struck(struct nemesis *nemesis, enum kind kind, const struct place *place)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        if (nemesis->fleet->tasks[place->processor][p].owner == place) {
            results_struck(nemesis->results, kind, place->processor, p);
        }
    }
}

void nemesis_struck_all(struct nemesis *nemesis, enum kind kind)
{
    for (int i = 0; i < PROCESSORS; i++) {
        for (int32_t p = 0; p < PARTITIONS; p++) {
            results_struck(nemesis->results, kind, i, p);
        }
    }
}

/* ---- kill ---- */

static int64_t kill_again(struct nemesis *nemesis, struct errand *errand)
{
    fleet_kill(nemesis->fleet, errand->place, 0);
    errand->place->busy = false;
    return 0;
}

/* Named places in the commit protocol (base/testpoint.h), and how often each is passed at most. */
static const char *const points[] = {"begin",           "produced",     "produced_last",
                                     "offsets_sent",    "commit",       "endtxn_sent",
                                     "commit_answered", "store_commit", "store_committed"};

static void kill_in_a_fence(struct nemesis *nemesis, struct place *place)
{
    struct proxy_order order = {.kind = DROP_REPLY, .api = API_END_TXN, .for_ms = 8000};
    snprintf(order.client, sizeof order.client, "%.50s#", place->name);
    snprintf(place->kill_at, sizeof place->kill_at, "%s:1",
             dice_once_in(&nemesis->dice, 2) ? "fence" : "fence_init");
    fleet_kill(nemesis->fleet, place, 0);
    if (!proxy_order(nemesis->proxy, &order)) {
        results_note(nemesis->results, "no room for an order");
    }
}

static bool do_kill(struct nemesis *nemesis)
{
    struct place *place = nemesis_place(nemesis);
    struct dice *dice = &nemesis->dice;
    if (!place) {
        return false;
    }
    nemesis_struck(nemesis, KILL, place);
    int64_t how = dice_between(dice, 0, 9);
    if (how < 6) {
        fleet_kill(nemesis->fleet, place, (int)dice_between(dice, 0, 150));
        results_fault(nemesis->results, KILL, "%s", place->name);
        if (how < 2) {
            nemesis_keep_copy(nemesis, place);
        }
    } else if (how == 6) {
        fleet_kill(nemesis->fleet, place, 0);
        place->busy = true;
        nemesis_errand(nemesis, dice_between(dice, 5, 500), kill_again, place);
        results_fault(nemesis->results, KILL, "%s, and soon again", place->name);
    } else if (how == 9) {
        kill_in_a_fence(nemesis, place);
        results_fault(nemesis->results, KILL, "%s, and again at %s", place->name, place->kill_at);
    } else {
        snprintf(place->kill_at, sizeof place->kill_at, "%s:%d",
                 points[dice_below(dice, sizeof points / sizeof *points)],
                 (int)dice_between(dice, 1, 6));
        results_fault(nemesis->results, KILL, "%s, and again at %s", place->name, place->kill_at);
        fleet_kill(nemesis->fleet, place, 0);
    }
    return true;
}

/* ---- zombies ---- */

static int64_t wake_up(struct nemesis *nemesis, struct errand *errand)
{
    struct child *child = errand->child;
    errand->place->busy = false;
    if (child->pid != errand->pid) {
        return 0;
    }
    child->asleep = false;
    kill(child->pid, SIGCONT);
    if (child->retired && !nemesis->calm) {
        child->must_end_ms = now_ms() + GONE_MS;
    }
    results_note(nemesis->results, "%s wakes up", child->id);
    return 0;
}

/* 0.1 to 30 s, short ones as likely as long ones. */
static int64_t sleep_of_a_zombie(struct dice *dice)
{
    int64_t ms = INT64_C(100) << dice_between(dice, 0, 8);
    return dice_between(dice, ms, ms + ms / 6);
}

static bool do_zombie(struct nemesis *nemesis)
{
    struct place *place = nemesis_place(nemesis);
    if (!place) {
        return false;
    }
    struct child *child = place->child;
    int64_t ms = sleep_of_a_zombie(&nemesis->dice);
    bool replaced = place->partition >= 0 || dice_once_in(&nemesis->dice, 2);
    if (place->disk == DISK_SMALL) {
        return false;
    }
    nemesis_struck(nemesis, ZOMBIE, place);
    kill(child->pid, SIGSTOP);
    child->asleep = true;
    if (replaced) {
        child->retired = true;
        place->child = NULL;
        place->disk = disk_twin(place->disk);
        fleet_start(nemesis->fleet, place);
    }
    place->busy = true;
    struct errand *errand = nemesis_errand(nemesis, ms, wake_up, place);
    errand->child = child;
    errand->pid = child->pid;
    results_fault(nemesis->results, ZOMBIE, "%s sleeps %lld ms%s", child->id, (long long)ms,
                  replaced ? ", another runs" : "");
    return true;
}

/* ---- members ---- */

static int64_t come_back(struct nemesis *nemesis, struct errand *errand)
{
    struct place *place = errand->place;
    place->busy = false;
    place->wanted = errand->stage == 0;
    place->start_at_ms = 0;
    if (!place->wanted && place->child) {
        fleet_ask_to_end(place->child);
    }
    results_note(nemesis->results, "%s %s", place->name, place->wanted ? "joins" : "leaves");
    return 0;
}

static bool do_rebalance(struct nemesis *nemesis)
{
    struct fleet *fleet = nemesis->fleet;
    struct place *place = &fleet->places[dice_below(&nemesis->dice, fleet->place_count)];
    int64_t ms = dice_between(&nemesis->dice, 500, 8000);
    if (place->busy || !nemesis->options->struck[place->processor] ||
        (place->wanted && !place->child)) {
        return false;
    }
    nemesis_struck(nemesis, REBALANCE, place);
    place->busy = true;
    nemesis_errand(nemesis, ms, come_back, place)->stage = place->wanted ? 0 : 1;
    place->wanted = !place->wanted;
    place->start_at_ms = 0;
    if (!place->wanted && dice_once_in(&nemesis->dice, 2)) {
        fleet_kill(fleet, place, 0);
    } else if (!place->wanted) {
        fleet_ask_to_end(place->child);
    }
    results_fault(nemesis->results, REBALANCE, "%s %s for %lld ms", place->name,
                  place->wanted ? "joins" : "leaves", (long long)ms);
    return true;
}

/* ---- the deck ---- */

static bool is_in_play(const struct nemesis *nemesis, int kind)
{
    return nemesis->options->wanted[kind] && !nemesis->results->skipped[kind] &&
           !(kinds[kind].members_only && nemesis->mode != MEMBERS) &&
           !(kinds[kind].fixed_only && nemesis->mode != FIXED);
}

static unsigned weight_of(const struct options *options, int kind)
{
    return options->weight[kind] > 0 ? options->weight[kind]
           : kinds[kind].weight > 0  ? kinds[kind].weight
                                     : 1;
}

void nemesis_begin(struct nemesis *nemesis, enum mode mode, int64_t ms)
{
    uint64_t weights = 0;
    const struct options *options = nemesis->options;
    size_t size = (size_t)(ms / options->gap_ms);
    nemesis->mode = mode;
    nemesis->calm = false;
    nemesis->deck_count = nemesis->dealt = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        weights += is_in_play(nemesis, kind) ? weight_of(options, kind) : 0;
    }
    for (int kind = 0; kind < KINDS; kind++) {
        size_t share = 0;
        if (is_in_play(nemesis, kind)) {
            share = (size * weight_of(options, kind) + weights / 2) / weights;
            share = share > 0 ? share : 1;
        }
        while (share-- > 0 && nemesis->deck_count < DECK_MAX) {
            nemesis->deck[nemesis->deck_count++] = (enum kind)kind;
        }
    }
    for (size_t i = nemesis->deck_count; i > 1; i--) {
        size_t k = (size_t)dice_below(&nemesis->dice, i);
        enum kind card = nemesis->deck[k];
        nemesis->deck[k] = nemesis->deck[i - 1];
        nemesis->deck[i - 1] = card;
    }
    nemesis->next_ms = now_ms();
}

static bool carry_out(struct nemesis *nemesis, enum kind kind)
{
    switch (kind) {
    case KILL:
        return do_kill(nemesis);
    case ZOMBIE:
        return do_zombie(nemesis);
    case BROKER_KILL:
    case BROKER_TORN:
        return nemesis_broker_kill(nemesis, kind == BROKER_TORN);
    case BROKER_STOP:
        return nemesis_broker_stop(nemesis);
    case REBALANCE:
        return do_rebalance(nemesis);
    case DELAY:
    case CUT:
    case DROP_REPLY:
    case LATE:
    case DUPLICATE:
        return nemesis_wire(nemesis, kind);
    case STATE_LOST:
        return nemesis_state_lost(nemesis);
    case STATE_OLD:
        return nemesis_state_old(nemesis);
    case STATE_FLIP:
        return nemesis_state_flip(nemesis);
    case DISK_FULL:
        return nemesis_disk_full(nemesis);
    case CLOCK:
        return nemesis_clock(nemesis);
    case OFFSETS_DELETED:
        return nemesis_offsets_deleted(nemesis);
    case KINDS:
        break;
    }
    BUG("a fault of no kind");
}

/* A card that cannot be played now goes back, some places down. */
static void put_back(struct nemesis *nemesis)
{
    enum kind *deck = nemesis->deck;
    size_t last =
        nemesis->dealt + 3 < nemesis->deck_count ? nemesis->dealt + 3 : nemesis->deck_count - 1;
    enum kind card = deck[nemesis->dealt];
    for (size_t i = nemesis->dealt; i < last; i++) {
        deck[i] = deck[i + 1];
    }
    deck[last] = card;
}

void nemesis_step(struct nemesis *nemesis)
{
    nemesis_take_reports(nemesis);
    run_errands(nemesis);
    if (now_ms() < nemesis->next_ms || nemesis->dealt == nemesis->deck_count) {
        return;
    }
    if (carry_out(nemesis, nemesis->deck[nemesis->dealt])) {
        int gap_ms = nemesis->options->gap_ms;
        nemesis->dealt++;
        nemesis->next_ms = now_ms() + dice_between(&nemesis->dice, gap_ms / 5, gap_ms * 9 / 5);
    } else {
        put_back(nemesis);
        nemesis->next_ms = now_ms() + NOT_NOW_MS;
    }
}

void nemesis_calm(struct nemesis *nemesis)
{
    nemesis->calm = true;
    proxy_calm(nemesis->proxy);
    do {
        nemesis_take_reports(nemesis);
        fleet_turn(nemesis->fleet, 20);
    } while (run_errands(nemesis) && !interrupted);
    for (size_t i = 0; i < nemesis->fleet->place_count; i++) {
        struct place *place = &nemesis->fleet->places[i];
        if (place->child && place->child->armed) { /* it would kill itself when nobody expects it */
            fleet_kill(nemesis->fleet, place, 0);
        }
        place->faketime[0] = 0;
    }
}
