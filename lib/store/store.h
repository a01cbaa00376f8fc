/* store.h - one task's state: a SQLite file that is a cache of the task's changelog partition.
 *
 * The file may lag Kafka; it never leads it (invariant I-2). Work is done in one long SQLite
 * transaction; each take is a savepoint in it, kept when Kafka's commit is known to have succeeded,
 * undone otherwise; store_commit() closes the long transaction about once a second.
 *
 *     store_take_begin -> put/delete/get/list ... -> store_take_keep(meta) | store_take_undo
 *     ... some takes later ...                    -> store_commit
 *
 * One connection, WAL, synchronous=NORMAL, checkpoints only between a COMMIT and the next BEGIN. A
 * lock file beside it
 * (`<path>.lock`, flock) keeps a second process away. Anything that is proven not to be this task's
 * healthy file is renamed aside (`<path>.aside-<utc time>`, with its -wal) and an empty file takes
 * its place. Stores are kept by one thread.
 *
 * What goes wrong: I/O errors and a full disk are ABORT (undo the take and try again later); a
 * damaged file is FATAL, and the next open sets it aside; a row that breaks a CHECK constraint is
 * FATAL with EXIT_BUG; misuse is a failed CHECK. After any ABORT compare store_meta() with what you
 * know to be committed: SQLite may have given up the long transaction by itself, and the kept takes
 * with it. Then meta stands at the last COMMIT again, and the tail of the changelog must be
 * restored before the next take. After the ABORT of a mere checkpoint nothing is missing.
 */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/layout.h"

struct store;

/* What a file must agree with to be used. */
struct store_identity {
    const char *application_id;
    int32_t partition;
    /* NULL-terminated, and to be kept as long as the store. The runtime adds timer_row_store: the
     * table named timer_row gets an index for store_first_timer. */
    const struct weir_store *const *tables;
};

/* Moves with the rows, in the same SQLite transaction. */
struct store_meta {
    int64_t commit_number;    /* of the last commit that the rows contain; 0: none */
    int64_t changelog_offset; /* where reading the changelog goes on */
    int64_t appended_ms;      /* the broker's time of the last checkpoint in it; 0: unknown */
    int64_t task_time_ms;
    char incarnation[33]; /* "" until the first commit */
};

enum store_found {
    STORE_NEW,       /* there was no file */
    STORE_KEPT,      /* opened as it was */
    STORE_SET_ASIDE, /* there was one that cannot be used; it was renamed */
};

/* Opens or creates `path` and its directories, takes the lock, recovers, checks identity and row
 * schemas (the fingerprint over all tables), and runs `PRAGMA integrity_check` unless the file is
 * exactly as our last complete checkpoint left it (then kill -9 costs no time that grows with the
 * state). A file left in the middle of a restore counts as unusable. `note` says why a file was set
 * aside (else its text is empty); the three newest of those are kept. RETRY with EXIT_TRY_AGAIN
 * when another process holds the lock. FATAL with EXIT_IO when the directory cannot be used. */
MUST_CHECK enum outcome store_open(struct store **store, const char *path,
                                   const struct store_identity *identity, enum store_found *found,
                                   struct error *note, struct error *error);

/* Undoes what is not committed, closes, releases the lock. NULL is fine. */
void store_close(struct store *store);

/* Closes, renames the file aside and opens an empty one, for a caller who found the file stale. */
MUST_CHECK enum outcome store_set_aside(struct store *store, struct error *error);

const struct store_meta *store_meta(const struct store *store);

/* The fingerprint over the row schemas: part of the identity, repeated in checkpoints. */
uint64_t store_row_schemas(const struct store *store);

MUST_CHECK enum outcome store_take_begin(struct store *store, struct error *error);

/* When it fails, the takes kept since the last COMMIT are forgotten, too. */
MUST_CHECK enum outcome store_take_keep(struct store *store, const struct store_meta *meta,
                                        struct error *error);
/* Closes a savepoint in it, too. Where SQLite cannot undo it (no memory, no disk), the takes kept
 * since the last COMMIT are forgotten, too, and the file is behind. Only a damaged file and a bug
 * of ours are errors: FATAL. */
MUST_CHECK enum outcome store_take_undo(struct store *store, struct error *error);

/* COMMIT, if a transaction is open; then a WAL checkpoint when the WAL has grown past its bound
 * (which takes some tenths of a second: call it between Kafka transactions). No take may be open.
 */
MUST_CHECK enum outcome store_commit(struct store *store, struct error *error);

/* How much of the file is kept in memory: 16 MiB when nothing is said. A transaction takes what it
 * needs beyond that, and gives it back. */
enum { STORE_CACHE_BYTES = 16 * 1024 * 1024, STORE_CACHE_LEAST_BYTES = 2 * 1024 * 1024 };
void store_set_cache(struct store *store, int64_t bytes);

/* Has kept takes that are not committed yet; and has them in more memory than its cache should
 * take, so that it is time to commit. */
bool store_is_dirty(const struct store *store);
bool store_is_large(const struct store *store);

/* Rows. `key` is a row struct whose key fields are set. A nested savepoint may be opened around
 * writes that must be undone alone (a range read inside a record that has written). */
MUST_CHECK enum outcome store_get(struct store *store, const struct weir_store *table,
                                  const void *key, struct arena *arena, void *row, bool *found,
                                  struct error *error);
MUST_CHECK enum outcome store_put(struct store *store, const struct weir_store *table,
                                  const void *row, struct error *error);
MUST_CHECK enum outcome store_delete(struct store *store, const struct weir_store *table,
                                     const void *key, struct error *error);
MUST_CHECK enum outcome store_list(struct store *store, const struct weir_store *table,
                                   const void *key, size_t prefix, size_t limit,
                                   struct arena *arena, void **rows, size_t *count,
                                   struct error *error);
MUST_CHECK enum outcome store_scan(struct store *store, const struct weir_store *table,
                                   const void *like, size_t field, struct arena *arena, void **rows,
                                   size_t *count, struct error *error);
MUST_CHECK enum outcome store_savepoint(struct store *store,
                                        struct error *error); /* SAVEPOINT record */
MUST_CHECK enum outcome store_savepoint_undo(struct store *store,
                                             struct error *error); /* ROLLBACK TO, RELEASE */
MUST_CHECK enum outcome store_savepoint_keep(struct store *store,
                                             struct error *error); /* RELEASE */

/* The timer that is due first: least (due_ms, kind, key) of the table timer_row. `row` is a struct
 * timer_row of runtime/timer.avsc. *found is false for a store without that table. */
MUST_CHECK enum outcome store_first_timer(struct store *store, struct arena *arena, void *row,
                                          bool *found, struct error *error);

/* Restore: writes of any order and number under relaxed sync; a file that is not ended properly is
 * set aside at the next open. begin may be called on a file that has content (the tail of the
 * changelog is added to it: then sync is not relaxed and no mark is set unless `fresh`). Between
 * them: put and delete as above, store_restore_slice to commit a slice. An ABORT from any of them
 * undoes the slice: go on from store_meta()->changelog_offset, or call end again. A restore that
 * was given up may be begun again: what it has committed stands. */
MUST_CHECK enum outcome store_restore_begin(struct store *store, bool fresh, struct error *error);
MUST_CHECK enum outcome store_restore_slice(struct store *store, const struct store_meta *meta,
                                            struct error *error);
MUST_CHECK enum outcome store_restore_end(struct store *store, const struct store_meta *meta,
                                          struct error *error);
bool store_is_restoring(const struct store *store); /* begun and not ended */

/* Read-only access for people: opens a live or closed store without ever writing or checkpointing
 * it, and runs one statement, for at most 60 s (FATAL with EXIT_TRY_AGAIN). A statement that would
 * write, is wrong, or is more than one is FATAL with EXIT_USAGE; a file that is missing or not a
 * store, with EXIT_IO. `row` is called per row with `columns` texts (NULL for NULL, lower-case hex
 * for a BLOB) and SQLite's type codes (1 integer, 2 real, 3 text, 4 BLOB, 5 NULL), and returns
 * false to stop. */
typedef bool store_row_callback(void *context, int columns, const char *const *names,
                                const char *const *values, const int *types);
MUST_CHECK enum outcome store_query(const char *path, const char *sql, store_row_callback *row,
                                    void *context, struct error *error);

/* Reads the meta of a file that another process may be using. */
MUST_CHECK enum outcome store_peek(const char *path, struct store_meta *meta, struct error *error);

/* ---- two files side by side ---- */

/* All of a file as its last COMMIT left it, however long one looks. It is only read; but while the
 * look lasts its owner cannot use its WAL anew: be brief with a file that is in use. */
struct store_snapshot;

MUST_CHECK enum outcome store_snapshot_open(struct store_snapshot **snapshot, const char *path,
                                            struct store_meta *meta, struct error *error);
void store_snapshot_close(struct store_snapshot *snapshot); /* NULL is fine */

/* A row that is not the same in both, or is in one only: the columns that differ (of a row that the
 * other has not: all), as texts (NULL for NULL, hex for a BLOB). */
struct store_difference {
    const struct weir_store *table;
    const char *key; /* "sku=A1 cell=3" */
    bool in_one, in_other;
    size_t column_count;
    const char *const *columns, *const *one, *const *other;
};

/* Walks through `tables` (NULL-terminated) of both, in key order. Every row that differs is given
 * to `each`, which returns false to stop. *rows: how many `one` has. */
typedef bool store_difference_callback(void *context, const struct store_difference *difference);
MUST_CHECK enum outcome store_snapshot_compare(struct store_snapshot *one,
                                               struct store_snapshot *other,
                                               const struct weir_store *const *tables,
                                               store_difference_callback *each, void *context,
                                               int64_t *rows, struct error *error);

#endif
