/* second_life.h - a world's task again: replayed along its history on the same broker, and
 * compared.
 */
#ifndef WEIR_TEST_PROTOCOL_SECOND_LIFE_H
#define WEIR_TEST_PROTOCOL_SECOND_LIFE_H

#include "protocol/world.h"
#include "runtime/replay.h"

struct second_life {
    struct world *world;
    char path[128];
    struct port *port;
    struct replay_options options;
    struct replay *replay;
    struct replay_difference first; /* with its cause; commit_number 0: there is none */
    int differences;
    struct error error;
};

/* Rows that differ. */
struct life_rows {
    int differing;
    int64_t all;
    char first[400]; /* "total name=a sum: 5, 6" */
};

/* Another binary may do it: another processor, another codec (NULL: the world's). */
void life_open(struct second_life *life, struct world *world,
               const struct weir_processor *processor, struct codec *codec);
void life_close(struct second_life *life);

/* To the end of the history, differences or not; FATAL: life->error says why it cannot go on. */
enum outcome life_run(struct second_life *life);

/* The replay's rows beside those of a file, which must stand at the same commit. */
struct life_rows life_compare(struct second_life *life, const char *path);

/* All of it: every commit comes to the same, and so does the file of the world, whose task is
 * stopped. */
void life_expect_same(struct world *world);

/* And the changelog holds the rows that the replay came to. */
void life_expect_fold_same(struct second_life *life);

#endif
