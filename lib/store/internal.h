/* internal.h - what the files of lib/store share; the one place that includes sqlite3.h.
 *
 * files.c       what lies on the disk beside SQLite's file: lock, witness, marks, files set aside
 * checksum.c    page checksums, between SQLite and its VFS (checksum.h)
 * connection.c  the connection: settings, identity, what an SQLite error obliges the caller to do
 * transaction.c BEGIN to COMMIT, checkpoints
 * store.c       open and close, takes, commit and checkpoint
 * statements.c  the SQL of every table, prepared
 * columns.c     a field of a C struct as a column
 * rows.c        get, put, delete, list, scan
 * restore.c     filling a file from the changelog
 * query.c       read-only looks at a file that may be in use
 * snapshot.c    the same for all of a file at one moment, to compare it with another
 */
#ifndef WEIR_STORE_INTERNAL_H
#define WEIR_STORE_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <time.h>

#include "base/buffer.h"
#include "store/store.h"

/* ---- files.c ---- */

/* Makes the directories of `path` and locks `<path>.lock`; *lock is its descriptor. */
MUST_CHECK enum outcome file_lock(const char *path, int *lock, struct error *error);
void file_unlock(int lock);

bool file_exists(const char *path);

/* The witness, kept in the lock file: size, inode and change time of the SQLite file as our last
 * complete checkpoint left it. Only checkpoints write that file, so while the witness holds nobody
 * else has, and no checkpoint was cut short: what remains is the WAL, whose frames carry checksums.
 * Then a start after kill -9 need not read the whole state. */
void witness_clear(int lock);
void witness_write(int lock, const char *path);
bool witness_holds(int lock, const char *path);

/* The mark `<path>.damaged` holds a reason and makes the next open set the file aside. */
void damage_mark(const char *path, const char *reason);
bool damage_is_marked(const char *path, struct error *reason);

/* Renames the file and its -wal to `<path>.aside-<utc time>` and keeps the three newest. Survives
 * being cut short. */
MUST_CHECK enum outcome file_set_aside(const char *path, const char *reason, struct error *error);

/* Removes what an earlier file of this name may have left: a WAL beside a new file would be read as
 * its own. */
void file_clear_leftovers(const char *path);

/* Puts the complete file `from` in the place of `path`. */
MUST_CHECK enum outcome file_move(const char *from, const char *path, struct error *error);

/* ---- connection.c ---- */

enum { STORE_APPLICATION = 0x77656972 /* "weir" */, STORE_FORMAT = 1 };

/* Before the first connection of the process, which names CHECKSUM_VFS; later calls do nothing. */
void sqlite_configure(void);

/* A path as SQLite takes it literally (a leading "file:" would be read as a URI). Lives in the
 * buffer. */
const char *sqlite_path(const char *path, struct buffer *buffer);

enum control {
    CONTROL_BEGIN,
    CONTROL_COMMIT,
    CONTROL_ROLLBACK,
    CONTROL_TAKE,
    CONTROL_TAKE_RELEASE,
    CONTROL_TAKE_ROLLBACK,
    CONTROL_RECORD,
    CONTROL_RECORD_RELEASE,
    CONTROL_RECORD_ROLLBACK,
    CONTROL_COUNT,
};

/* How far into a transaction the store is. */
enum phase {
    PHASE_IDLE,   /* no transaction */
    PHASE_BEGUN,  /* the long transaction; may hold kept takes */
    PHASE_TAKE,   /* a take's savepoint in it */
    PHASE_RECORD, /* a nested savepoint in that */
};

enum restore { RESTORE_NONE, RESTORE_TAIL, RESTORE_FRESH };

/* Prepared statements of one table. list[n] reads by the first n key fields, scan[n] by field n;
 * those are made when first used. */
struct table {
    const struct weir_store *layout;
    sqlite3_stmt *get, *put, *erase;
    sqlite3_stmt **list, **scan;
};

struct store {
    char *path;
    int lock;
    char *application_id;
    int32_t partition;
    struct table *tables;
    size_t table_count;
    uint64_t row_schemas;

    sqlite3 *db; /* NULL: closed */
    sqlite3_stmt *control[CONTROL_COUNT];
    sqlite3_stmt *write_meta;
    const struct table *timers; /* NULL: the store has none */
    sqlite3_stmt *first_timer;
    enum phase phase;
    enum restore restore;
    struct store_meta meta; /* of the rows as they stand, kept takes included */
    struct store_meta
        committed; /* of the last COMMIT: what a crash, or SQLite itself, falls back to */
    int64_t cache_bytes;
    bool dirty;            /* kept takes, or restored rows, wait for COMMIT */
    int wal_pages;         /* in the WAL after the last COMMIT */
    struct buffer scratch; /* JSON of a column, SQL texts */
};

/* What to do about SQLite's error `code`; `doing` says what was tried. */
enum outcome sqlite_fail(struct store *store, int code, const char *doing, struct error *error);

bool sqlite_is_damage(int code);

/* A text for an (extended) error code that the connection has given; `db` may be NULL. */
const char *sqlite_reason(sqlite3 *db, int code);
int sqlite_prepare(struct store *store, const char *sql, sqlite3_stmt **statement);

/* Opens the file and prepares the statements. *usable is false, with the reason in `note` and no
 * connection left, when it is proven not to be this store's healthy file. */
MUST_CHECK enum outcome connection_open(struct store *store, bool *usable, struct error *note,
                                        struct error *error);

/* Finalizes everything, undoes what is not committed, closes. */
void connection_close(struct store *store);

/* Builds an empty store and puts it in the place of store->path, where there must be no file. */
MUST_CHECK enum outcome connection_create(struct store *store, struct error *error);

/* Tells SQLite of store->cache_bytes, if there is a connection. */
void connection_set_cache(struct store *store);

MUST_CHECK enum outcome connection_exec(struct store *store, const char *sql, const char *doing,
                                        struct error *error);

/* The one row of weir_meta. SQLITE_OK, or why it cannot be read. */
struct meta_row {
    char application_id[256];
    int32_t partition;
    uint64_t row_schemas;
    bool restoring;
    struct store_meta meta;
};
int meta_read(sqlite3 *db, struct meta_row *row);
int pragma_integer(sqlite3 *db, const char *sql, int64_t *value);

/* ---- transaction.c ---- */

int transaction_prepare(struct store *store);
void transaction_finalize(struct store *store);

MUST_CHECK enum outcome connection_run(struct store *store, enum control control,
                                       struct error *error);

/* Writes store->meta and COMMITs. On failure nothing of the transaction is left and meta is the
 * committed one again. */
MUST_CHECK enum outcome connection_commit(struct store *store, struct error *error);

/* Forgets the open transaction, whatever SQLite has made of it. */
void connection_rollback(struct store *store);

/* SQLite ends a transaction by itself on a full disk and on I/O errors. What followed would commit
 * row by row: every call asks this first. */
bool transaction_is_lost(const struct store *store);
MUST_CHECK enum outcome transaction_check(struct store *store, struct error *error);

/* Copies the WAL into the file as far as readers allow, and writes the witness. */
MUST_CHECK enum outcome connection_checkpoint(struct store *store, struct error *error);

/* The same, if the WAL has grown past its bound. */
MUST_CHECK enum outcome connection_checkpoint_if_large(struct store *store, struct error *error);

/* Makes everything written so far durable, readers or not. */
MUST_CHECK enum outcome connection_sync(struct store *store, struct error *error);

/* ---- statements.c ---- */

void statements_create_sql(const struct store *store, struct buffer *sql);

/* The three below return SQLITE_OK, or why a table is not as it should be. */
int statements_prepare(struct store *store);
int statement_list(struct store *store, struct table *table, size_t prefix);
int statement_scan(struct store *store, struct table *table, size_t field);
void statements_finalize(struct store *store);

/* ---- columns.c ---- */

/* Binds the field of `row`; the row must stay until the statement has run. SQLITE_OK or
 * SQLITE_NOMEM. */
MUST_CHECK int column_bind(struct store *store, sqlite3_stmt *statement, int parameter,
                           const struct weir_field *field, const void *row);

/* Fills the field of a zeroed `row`. SQLITE_OK; SQLITE_CORRUPT when the column does not fit it;
 * SQLITE_NOMEM. */
MUST_CHECK int column_read(sqlite3_stmt *statement, int column, const struct weir_field *field,
                           struct arena *arena, void *row);

/* ---- query.c ---- */

/* A read-only connection; its statements are stopped after a minute. */
struct query {
    const char *path;
    sqlite3 *db;
    struct timespec started;
    bool refused; /* by the authorizer; SQLite's code for it varies */
};

/* `path` must stay. Nothing is left to close when it fails. */
MUST_CHECK enum outcome query_open(struct query *query, const char *path, struct error *error);
void query_close(struct query *query);
MUST_CHECK enum outcome query_failed(const struct query *query, int code, struct error *error);

/* ---- restore.c ---- */

/* Makes sure that a write has a transaction to go to. */
MUST_CHECK enum outcome restore_write(struct store *store, struct error *error);

/* A write of a restore has failed: undoes its slice. */
void restore_failed(struct store *store, enum outcome outcome);

#endif
