/* repair.h - a commit made by hand: the one way in which tools change what a task stands on.
 *
 * A task's truth is that its group's offsets and the last checkpoint of its changelog were written
 * by one transaction of its transactional id. So a repair is such a transaction, too: it fences
 * whoever runs the task, and then rows, checkpoint and offsets change together or not at all. It
 * has the next commit number, stands in the history, and the task restores through it like through
 * any other commit.
 */
#ifndef WEIR_RUNTIME_REPAIR_H
#define WEIR_RUNTIME_REPAIR_H

#include "kafka/port.h"
#include "runtime_records.h"
#include "store/write_set.h"

struct repair {
    const char *application_id;
    int32_t partition;
    int timeout_ms; /* of the transaction */

    /* What the task stands on afterwards. Every input of the processor must be named: next_offset
     * is what is committed for it. commit_number is larger than any number seen before. */
    struct checkpoint checkpoint;

    /* Records for the changelog, in front of the checkpoint: whole keys, framed values; data NULL
     * deletes. The set's tables do not count. NULL: none. */
    const struct write_set *rows;
};

/* Opens the task's transactional id: every process that ran the task is fenced from here on, and a
 * transaction that it left open is being aborted. RETRY when the coordinator does not answer in
 * time. Close the producer with the port's producer_close. */
MUST_CHECK enum outcome repair_fence(struct port *port, const char *application_id,
                                     int32_t partition, int timeout_ms, struct producer **producer,
                                     struct error *error);

/* Commits. FATAL with EXIT_TRY_AGAIN when another process has taken the task over, or when the
 * answer got lost: then the repair may or may not be done, and doing it again, from repair_fence()
 * and new questions on, is safe. */
MUST_CHECK enum outcome repair_commit(struct port *port, struct producer *producer,
                                      const struct repair *repair, struct error *error);

/* A new random incarnation: for a changelog that does not go on where older state files stand. */
void repair_incarnation(char incarnation[33]);

#endif
