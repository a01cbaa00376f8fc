/* restore.c - filling a file from the changelog.
 *
 * A fresh restore writes the whole state. It gives up durability for speed: the mark is made
 * durable first, then sync is off; at the end everything is made durable, then the mark goes,
 * durably too. Death anywhere between leaves the mark, and the next open sets the file aside. The
 * tail of a changelog is added to a file under its normal settings: each slice is a commit like any
 * other.
 *
 * A failed write undoes its slice, and the caller reads on from store_meta()->changelog_offset.
 */
#include "store/internal.h"

static enum outcome set_mark(struct store *store, bool restoring, struct error *error)
{
    const char *sql =
        restoring ? "UPDATE weir_meta SET restoring = 1" : "UPDATE weir_meta SET restoring = 0";
    enum outcome outcome = connection_exec(store, sql, "restore mark", error);
    return outcome == OK ? connection_sync(store, error) : outcome;
}

enum outcome store_restore_begin(struct store *store, bool fresh, struct error *error)
{
    if (store->restore != RESTORE_NONE) { /* given up before: what it has committed stands */
        connection_rollback(store);
        return OK;
    }
    CHECK_EQUAL(store->phase, PHASE_IDLE);
    enum outcome outcome = connection_exec(store, "PRAGMA cache_spill=ON", "restore", error);
    if (outcome == OK && fresh) {
        outcome = set_mark(store, true, error);
    }
    if (outcome == OK && fresh) {
        outcome = connection_exec(store, "PRAGMA synchronous=OFF", "restore", error);
    }
    if (outcome != OK) {
        return outcome;
    }
    store->restore = fresh ? RESTORE_FRESH : RESTORE_TAIL;
    return OK;
}

bool store_is_restoring(const struct store *store)
{
    return store->restore != RESTORE_NONE;
}

enum outcome restore_write(struct store *store, struct error *error)
{
    if (store->phase == PHASE_BEGUN) {
        return OK;
    }
    enum outcome outcome = connection_run(store, CONTROL_BEGIN, error);
    if (outcome == OK) {
        store->phase = PHASE_BEGUN;
        store->dirty = true;
    }
    return outcome;
}

void restore_failed(struct store *store, enum outcome outcome)
{
    if (store->restore != RESTORE_NONE && outcome != OK) {
        connection_rollback(store);
    }
}

enum outcome store_restore_slice(struct store *store, const struct store_meta *meta,
                                 struct error *error)
{
    CHECK(store->restore != RESTORE_NONE);
    enum outcome outcome = restore_write(store, error);
    if (outcome == OK) {
        store->meta = *meta;
        outcome = connection_commit(store, error);
    }
    return outcome == OK ? connection_checkpoint_if_large(store, error) : outcome;
}

enum outcome store_restore_end(struct store *store, const struct store_meta *meta,
                               struct error *error)
{
    bool fresh = store->restore == RESTORE_FRESH;
    enum outcome outcome = store_restore_slice(store, meta, error);
    if (outcome == OK && fresh) { /* a start after kill -9 has to read the whole WAL */
        outcome = connection_checkpoint(store, error);
    }
    if (outcome == OK && fresh) {
        outcome = connection_sync(store, error);
    }
    if (outcome == OK && fresh) {
        outcome = connection_exec(store, "PRAGMA synchronous=NORMAL", "restore", error);
    }
    if (outcome == OK && fresh) {
        outcome = set_mark(store, false, error);
    }
    if (outcome == OK) {
        outcome = connection_exec(store, "PRAGMA cache_spill=OFF", "restore", error);
    }
    if (outcome == OK) {
        store->restore = RESTORE_NONE;
    }
    return outcome;
}
