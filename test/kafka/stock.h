/* stock.h - a story for inventory, the same every time, and all that comes of it.
 *
 * The story of a partition: restocks, reserves that are held, refused, queued and forgotten,
 * extends, commits, releases, repeats, conflicts, and records that nobody can read; a last hold
 * runs out when everything else is over. Its picture is every reply, movement and dead letter that
 * a read_committed reader sees, with keys, values and causes, in order, the last level of every
 * SKU, and every row of the state files. Two runs over the same input must give the same picture.
 */
#ifndef WEIR_TEST_STOCK_H
#define WEIR_TEST_STOCK_H

#include "kafka/system.h"

/* Where the output topics end; the first is stock.replies. */
struct stock_marks {
    int64_t ends[4][SYSTEM_PARTITIONS];
};

void stock_mark(struct system *system, struct stock_marks *marks);

size_t stock_story_size(void);
/* Sends the story's records number from to before - 1. */
void stock_feed(struct system *system, int partition, size_t from, size_t before);
void stock_feed_all(struct system *system, int partition);

/* Until all input is committed and the last hold has run out. */
void stock_expect_settled(struct system *system, const struct stock_marks *marks, int partition,
                          int timeout_ms);

enum stock_view {
    STOCK_EXACT, /* order within partitions and times count */
    STOCK_LOOSE, /* by cause, times left out: for runs that read what was just being written */
};

/* malloc'ed. `hosts`: whose disk has the state file of each partition; NULL: not looked at. */
char *stock_picture(struct system *system, const struct stock_marks *marks, enum stock_view view,
                    const char *const hosts[SYSTEM_PARTITIONS]);
void stock_expect_same(struct system *system, const char *expected, const char *found);

/* The loose picture of a run over the same input that nothing disturbs: one process for each of the
 * first `partitions` partitions, under another application id. */
char *stock_undisturbed(struct system *system, int partitions);

/* `found` is that of an undisturbed run; frees it. */
void stock_expect_as_undisturbed(struct system *system, char *found, int partitions);

/* Topics, no input that is not the case's own, and the marks. */
void stock_begin(struct system *system, struct stock_marks *marks);

/* Partition 0 settles, its process stops cleanly, its file on `host` agrees with the group: the
 * picture of it all, malloc'ed. */
char *stock_finish(struct system *system, const struct stock_marks *marks, struct process *process,
                   const char *host, enum stock_view view, int timeout_ms);

/* The rows of one state file. */
char *stock_rows(struct system *system, const char *host, int partition);

/* The state file stands at the group's commit (I-2, I-3): after a clean stop. */
void stock_expect_agreement(struct system *system, const char *host, int partition);
/* The commit number in the group's offsets; 0: none. */
int64_t stock_commit_number(struct system *system, int partition);

#endif
