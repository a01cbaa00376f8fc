/* nemesis.h - draws faults from the seed, and carries them out.
 *
 * A spell's faults are a deck of cards: each kind as often as its weight says, at least once, in an
 * order and at intervals that come from the seed alone. Whom a fault strikes is drawn, too, but a
 * process that is down or busy with another fault is passed over, so two runs of one seed differ in
 * detail: nobody decides what the machine does meanwhile. The log has what was done.
 *
 * Some faults end later than they begin (a process sleeps, a disk is full): errands, each with its
 * time. Calm brings them all to their end at once.
 */
#ifndef WEIR_TEST_CHAOS_NEMESIS_H
#define WEIR_TEST_CHAOS_NEMESIS_H

#include "chaos/fleet.h"
#include "chaos/proxy.h"
#include "kafka/admin.h"
#include "simulation/dice.h"

enum { DECK_MAX = 2000, ERRANDS_MAX = 64, FLIPPED_MAX = 64 };

struct nemesis;

/* What has to be done later. */
struct errand {
    int64_t due_ms;
    /* Does what is due; the time of the next step, or 0: it is over. */
    int64_t (*step)(struct nemesis *nemesis, struct errand *errand);
    struct place *place;
    struct child *child;
    pid_t pid;
    int stage, number, disk;
    enum kind kind;
};

/* A state file with flipped bits, which may still be there: nobody reads all pages every day. */
struct flipped {
    struct place *place;
    int32_t partition;
    int disk;
};

struct nemesis {
    const struct options *options;
    struct fleet *fleet;
    struct proxy *proxy;
    struct results *results;
    struct admin *admin;
    struct dice dice;
    enum mode mode;
    enum kind deck[DECK_MAX];
    size_t deck_count, dealt;
    int64_t next_ms;
    struct errand errands[ERRANDS_MAX];
    bool broker_busy, disk_busy, calm, small_mounted;
    struct flipped flipped[FLIPPED_MAX]; /* in this spell */
    size_t flipped_count;
};

void nemesis_open(struct nemesis *nemesis, const struct options *options, struct fleet *fleet,
                  struct proxy *proxy, struct results *results, struct admin *admin);
void nemesis_close(struct nemesis *nemesis);

/* A new spell of so many milliseconds: shuffles a deck. */
void nemesis_begin(struct nemesis *nemesis, enum mode mode, int64_t ms);
/* What is due now. */
void nemesis_step(struct nemesis *nemesis);
/* No more faults; what is under way is brought to its end. Returns when it has ended. */
void nemesis_calm(struct nemesis *nemesis);

/* Reads the files whose bits were flipped to their ends, as a person who doubts a disk would, and
 * has those rebuilt in which rot is left. */
void nemesis_find_rot(struct nemesis *nemesis);

/* ---- for the kinds of fault: nemesis_state.c, nemesis_broker.c, nemesis_wire.c ---- */

struct errand *nemesis_errand(struct nemesis *nemesis, int64_t in_ms,
                              int64_t (*step)(struct nemesis *nemesis, struct errand *errand),
                              struct place *place);
/* A place of a struck processor whose process runs and that is not busy; NULL: none. */
struct place *nemesis_place(struct nemesis *nemesis);
/* Its partition, or one that it runs as a member; -1: none. */
int32_t nemesis_partition(struct nemesis *nemesis, const struct place *place);
/* All tasks that this place runs wait for their next commit now. */
void nemesis_struck(struct nemesis *nemesis, enum kind kind, const struct place *place);
void nemesis_struck_all(struct nemesis *nemesis, enum kind kind);

/* Keeps a copy of this place's state for a state-old to come; its process is down. */
void nemesis_keep_copy(struct nemesis *nemesis, struct place *place);

/* Each carries out one fault; false: not now. */
bool nemesis_wire(struct nemesis *nemesis, enum kind kind);
bool nemesis_broker_kill(struct nemesis *nemesis, bool torn);
bool nemesis_broker_stop(struct nemesis *nemesis);
/* No fault but a mending: kills the broker, and waits until it answers again. */
bool nemesis_broker_again(struct nemesis *nemesis);
bool nemesis_state_lost(struct nemesis *nemesis);
bool nemesis_state_old(struct nemesis *nemesis);
bool nemesis_state_flip(struct nemesis *nemesis);
bool nemesis_disk_full(struct nemesis *nemesis);
bool nemesis_clock(struct nemesis *nemesis);
bool nemesis_offsets_deleted(struct nemesis *nemesis);

/* Counts what the proxy has carried out meanwhile. */
void nemesis_take_reports(struct nemesis *nemesis);

/* Why this kind cannot be had here; NULL: it can. */
const char *nemesis_why_not(struct nemesis *nemesis, enum kind kind);

#endif
