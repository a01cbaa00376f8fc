/* transaction.c - BEGIN to COMMIT, and what makes it durable.
 *
 * weir_meta is written once per COMMIT, not once per take: between two COMMITs nobody else can see
 * it. store->meta moves with the takes, store->committed with COMMIT; whatever undoes the
 * transaction puts meta back.
 */
#include <inttypes.h>

#include "store/internal.h"

static const char *const control_sql[CONTROL_COUNT] = {
    [CONTROL_BEGIN] = "BEGIN IMMEDIATE",
    [CONTROL_COMMIT] = "COMMIT",
    [CONTROL_ROLLBACK] = "ROLLBACK",
    [CONTROL_TAKE] = "SAVEPOINT take",
    [CONTROL_TAKE_RELEASE] = "RELEASE take",
    [CONTROL_TAKE_ROLLBACK] = "ROLLBACK TO take",
    [CONTROL_RECORD] = "SAVEPOINT record",
    [CONTROL_RECORD_RELEASE] = "RELEASE record",
    [CONTROL_RECORD_ROLLBACK] = "ROLLBACK TO record",
};

/* 160 MB. Larger saves little (reference: 2.2 times the writes of the default, 1.2 times of half)
 * and costs disk. */
enum { CHECKPOINT_PAGES = 40000 };

int transaction_prepare(struct store *store)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < CONTROL_COUNT && code == SQLITE_OK; i++) {
        code = sqlite_prepare(store, control_sql[i], &store->control[i]);
    }
    if (code == SQLITE_OK) {
        code = sqlite_prepare(store,
                              "UPDATE weir_meta SET commit_number = ?1, changelog_offset = ?2,"
                              " appended_ms = ?3, task_time_ms = ?4, incarnation = ?5",
                              &store->write_meta);
    }
    return code;
}

void transaction_finalize(struct store *store)
{
    sqlite3_finalize(store->write_meta);
    store->write_meta = NULL;
    for (size_t i = 0; i < CONTROL_COUNT; i++) {
        sqlite3_finalize(store->control[i]);
        store->control[i] = NULL;
    }
}

static int step_and_reset(sqlite3_stmt *statement)
{
    (void)sqlite3_step(statement);
    return sqlite3_reset(statement);
}

enum outcome connection_run(struct store *store, enum control control, struct error *error)
{
    int code = step_and_reset(store->control[control]);
    return code == SQLITE_OK ? OK : sqlite_fail(store, code, control_sql[control], error);
}

bool transaction_is_lost(const struct store *store)
{
    return store->phase != PHASE_IDLE && sqlite3_get_autocommit(store->db) != 0;
}

enum outcome transaction_check(struct store *store, struct error *error)
{
    if (!transaction_is_lost(store)) {
        return OK;
    }
    fail(error, ABORT,
         "state file %s: SQLite gave up the transaction after an earlier error: its rows are lost, "
         "the changelog has them from commit %" PRId64 " on",
         store->path, store->committed.commit_number);
    error->exit_code = EXIT_IO;
    return ABORT;
}

void connection_rollback(struct store *store)
{
    if (!sqlite3_get_autocommit(store->db)) {
        (void)step_and_reset(store->control[CONTROL_ROLLBACK]);
        CHECK(sqlite3_get_autocommit(store->db)); /* needs no I/O */
    }
    store->phase = PHASE_IDLE;
    store->meta = store->committed;
    store->dirty = false;
}

static int meta_write(struct store *store)
{
    const struct store_meta *meta = &store->meta;
    sqlite3_stmt *statement = store->write_meta;
    sqlite3_bind_int64(statement, 1, meta->commit_number);
    sqlite3_bind_int64(statement, 2, meta->changelog_offset);
    sqlite3_bind_int64(statement, 3, meta->appended_ms);
    sqlite3_bind_int64(statement, 4, meta->task_time_ms);
    sqlite3_bind_text(statement, 5, meta->incarnation, -1, SQLITE_STATIC);
    return step_and_reset(statement);
}

enum outcome connection_commit(struct store *store, struct error *error)
{
    CHECK_EQUAL(store->phase, PHASE_BEGUN);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK) {
        int code = meta_write(store);
        outcome = code == SQLITE_OK ? OK : sqlite_fail(store, code, "meta", error);
    }
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_COMMIT, error);
    }
    if (outcome != OK) {
        connection_rollback(store);
        return outcome;
    }
    store->committed = store->meta;
    store->phase = PHASE_IDLE;
    store->dirty = false;
    return OK;
}

/* PASSIVE: waits for nobody and, when no reader is behind, lets the next write start the WAL from
 * its beginning again, which keeps its blocks allocated. */
enum outcome connection_checkpoint(struct store *store, struct error *error)
{
    CHECK_EQUAL(store->phase, PHASE_IDLE);
    witness_clear(store->lock);
    int code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code == SQLITE_BUSY) {
        return OK; /* the next one will do */
    }
    if (code != SQLITE_OK) {
        return sqlite_fail(store, code, "checkpoint", error);
    }
    witness_write(store->lock, store->path);
    return OK;
}

enum outcome connection_checkpoint_if_large(struct store *store, struct error *error)
{
    if (store->wal_pages < CHECKPOINT_PAGES) {
        return OK;
    }
    return connection_checkpoint(store, error);
}

static int sync_file(struct store *store, int which)
{
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(store->db, "main", which, &file);
    if (code != SQLITE_OK || !file || !file->pMethods) {
        return code;
    }
    return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

enum outcome connection_sync(struct store *store, struct error *error)
{
    int code = sync_file(store, SQLITE_FCNTL_JOURNAL_POINTER); /* the WAL */
    if (code == SQLITE_OK) {
        code = sync_file(store, SQLITE_FCNTL_FILE_POINTER);
    }
    return code == SQLITE_OK ? OK : sqlite_fail(store, code, "sync", error);
}
