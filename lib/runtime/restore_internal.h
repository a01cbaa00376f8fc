/* restore_internal.h - a restore on its way. restore.c reads the changelog in slices; its records
 * are taken by restore_rows.c.
 */
#ifndef WEIR_RUNTIME_RESTORE_INTERNAL_H
#define WEIR_RUNTIME_RESTORE_INTERNAL_H

#include "runtime/task_internal.h"

enum { RESTORE_BATCH_RECORDS = 1000 };

struct restore {
    struct reader *reader;
    struct write_set rows;
    struct arena arena;
    struct arena row; /* one row on its way to SQLite */
    struct buffer scratch;
    struct store_meta meta; /* what the file stands at after the last flush */
    int64_t end;            /* the high watermark to read to */
    int64_t since_ms;       /* wall clock: what was deleted since must still be told */
    int64_t from_number;    /* the commit that the file was at */
    int64_t last_number;    /* of the checkpoints read so far; 0: none */
    int64_t position, started_us, said_us, waiting_since_us, asked_us, row_count, unknown_tables;
    bool ask_again; /* what we know of the group or the file has turned out to be stale */
    bool found;     /* adopt: a checkpoint was seen; restore: the file has reached n */
    struct arena checkpoint_arena;
    struct checkpoint checkpoint;
    struct port_record records[RESTORE_BATCH_RECORDS];
};

/* A row: into the write set, as a datum of today's schema (an older writer's is resolved on the
 * way). */
enum outcome restore_row(struct task *task, const struct port_record *record, struct error *error);

/* A checkpoint: number n ends a restore; beyond n means that our answer from the group was stale.
 * ABORT with ask_again: begin again by asking the group. */
enum outcome restore_checkpoint(struct task *task, const struct port_record *record,
                                struct error *error);

/* The write set's rows into the file, in key order. Two keys must not write one row. */
enum outcome restore_flush(struct task *task, struct error *error);

#endif
