/* store.c - a store's life: open, takes, commit, checkpoint, close.
 *
 *     IDLE --take_begin--> (BEGIN IMMEDIATE, SAVEPOINT take) --> TAKE --savepoint--> RECORD
 *       ^                                                         |  ^                  |
 *       |                                                  keep / undo  +-- keep / undo +
 *       |                                                         v
 *       +------------------------- commit ---------------------- BEGUN --take_begin--> TAKE
 *
 * BEGIN IMMEDIATE stands in front of the first savepoint because releasing an outermost savepoint
 * would commit. COMMIT happens in store_commit and nowhere else, so nothing is durable that the
 * runtime has not said is in Kafka.
 *
 * SQLite may give up the whole transaction by itself (full disk, I/O error). Then the kept takes in
 * it are lost to the file too; they are in the changelog, and store_meta says where to read on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/internal.h"

static const char timer_table[] = "timer_row";

/* Independent of the tables' order. create_sql is in it because a schema's fingerprint says nothing
 * of keys and checks. */
static uint64_t hash_tables(const struct weir_store *const *tables)
{
    uint64_t sum = 0;
    for (; *tables; tables++) {
        const struct weir_store *table = *tables;
        uint64_t hash = hash_bytes(table->record->fingerprint, table->name, strlen(table->name));
        sum += hash_bytes(hash, table->create_sql, strlen(table->create_sql));
    }
    return sum;
}

static void table_init(struct table *table, const struct weir_store *layout)
{
    table->layout = layout;
    table->list = xcalloc(layout->key_field_count + 1u, sizeof *table->list);
    table->scan = xcalloc(layout->record->field_count, sizeof *table->scan);
}

static struct store *store_new(const char *path, const struct store_identity *identity)
{
    struct store *store = xcalloc(1, sizeof *store);
    store->cache_bytes = STORE_CACHE_BYTES;
    store->path = xstrdup(path);
    store->lock = -1;
    CHECK(strlen(identity->application_id) < sizeof((struct meta_row *)NULL)->application_id);
    store->application_id = xstrdup(identity->application_id);
    store->partition = identity->partition;
    store->row_schemas = hash_tables(identity->tables);
    while (identity->tables[store->table_count]) {
        store->table_count++;
    }
    store->tables = xcalloc(store->table_count, sizeof *store->tables);
    for (size_t i = 0; i < store->table_count; i++) {
        table_init(&store->tables[i], identity->tables[i]);
        if (strcmp(identity->tables[i]->name, timer_table) == 0) {
            store->timers = &store->tables[i];
        }
    }
    buffer_init(&store->scratch);
    return store;
}

static void store_free(struct store *store)
{
    for (size_t i = 0; i < store->table_count; i++) {
        free(store->tables[i].list);
        free(store->tables[i].scan);
    }
    free(store->tables);
    free(store->application_id);
    free(store->path);
    buffer_release(&store->scratch);
    free(store);
}

static enum outcome open_empty(struct store *store, struct error *error)
{
    bool usable = false;
    struct error note;
    store->meta = store->committed = (struct store_meta){0};
    enum outcome outcome = connection_create(store, error);
    if (outcome == OK) {
        outcome = connection_open(store, &usable, &note, error);
    }
    if (outcome == OK && !usable) {
        outcome = fail_exit(error, EXIT_BUG, "bug: new state file %s cannot be used: %s",
                            store->path, note.text);
    }
    return outcome;
}

static enum outcome open_or_replace(struct store *store, enum store_found *found,
                                    struct error *note, struct error *error)
{
    note->text[0] = 0;
    *found = STORE_NEW;
    if (file_exists(store->path)) {
        bool usable = false;
        if (!damage_is_marked(store->path, note)) {
            enum outcome outcome = connection_open(store, &usable, note, error);
            if (outcome != OK) {
                return outcome;
            }
        }
        *found = usable ? STORE_KEPT : STORE_SET_ASIDE;
        if (usable) {
            return OK;
        }
        enum outcome outcome = file_set_aside(store->path, note->text, error);
        if (outcome != OK) {
            return outcome;
        }
    }
    return open_empty(store, error);
}

enum outcome store_open(struct store **opened, const char *path,
                        const struct store_identity *identity, enum store_found *found,
                        struct error *note, struct error *error)
{
    struct store *store = store_new(path, identity);
    enum outcome outcome = file_lock(path, &store->lock, error);
    if (outcome == OK) {
        outcome = open_or_replace(store, found, note, error);
    }
    if (outcome != OK) {
        store_close(store);
        return outcome;
    }
    *opened = store;
    return OK;
}

/* A file whose WAL is empty opens at once; a failed checkpoint only makes the next open read the
 * WAL. */
static void close_cleanly(struct store *store)
{
    struct error ignored;
    connection_rollback(store);
    bool complete = connection_checkpoint(store, &ignored) == OK;
    if (complete) {
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    connection_close(store);
    if (complete) {
        witness_write(store->lock, store->path);
    }
}

void store_close(struct store *store)
{
    if (!store) {
        return;
    }
    if (store->db) {
        close_cleanly(store);
    }
    if (store->lock >= 0) {
        file_unlock(store->lock);
    }
    store_free(store);
}

enum outcome store_set_aside(struct store *store, struct error *error)
{
    connection_close(store);
    enum outcome outcome = file_set_aside(store->path, "it is stale", error);
    return outcome == OK ? open_empty(store, error) : outcome;
}

const struct store_meta *store_meta(const struct store *store)
{
    return &store->meta;
}

uint64_t store_row_schemas(const struct store *store)
{
    return store->row_schemas;
}

void store_set_cache(struct store *store, int64_t bytes)
{
    store->cache_bytes = bytes;
    connection_set_cache(store);
}

bool store_is_dirty(const struct store *store)
{
    return store->dirty;
}

bool store_is_large(const struct store *store)
{
    int used = 0, most;
    return store->dirty &&
           sqlite3_db_status(store->db, SQLITE_DBSTATUS_CACHE_USED, &used, &most, 0) == SQLITE_OK &&
           used > STORE_CACHE_BYTES + STORE_CACHE_BYTES / 4;
}

/* ---- takes ---- */

enum outcome store_take_begin(struct store *store, struct error *error)
{
    CHECK(store->phase < PHASE_TAKE);
    CHECK_EQUAL(store->restore, RESTORE_NONE);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK && store->phase == PHASE_IDLE) {
        outcome = connection_run(store, CONTROL_BEGIN, error);
        if (outcome == OK) {
            store->phase = PHASE_BEGUN;
        }
    }
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_TAKE, error);
    }
    if (outcome == OK) {
        store->phase = PHASE_TAKE;
    }
    return outcome;
}

enum outcome store_take_keep(struct store *store, const struct store_meta *meta,
                             struct error *error)
{
    CHECK_EQUAL(store->phase, PHASE_TAKE);
    CHECK(meta->commit_number > store->meta.commit_number);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_TAKE_RELEASE, error);
    }
    if (outcome == OK) {
        store->phase = PHASE_BEGUN;
        store->meta = *meta;
        store->dirty = true;
    } else {
        connection_rollback(store); /* Kafka has the take: the file is behind */
    }
    return outcome;
}

enum outcome store_take_undo(struct store *store, struct error *error)
{
    CHECK(store->phase >= PHASE_TAKE);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_TAKE_ROLLBACK, error);
    }
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_TAKE_RELEASE, error);
    }
    if (outcome == OK) {
        store->phase = PHASE_BEGUN;
    } else if (outcome != FATAL) {
        connection_rollback(store); /* the kept takes are in the changelog */
        outcome = OK;
    }
    return outcome;
}

enum outcome store_savepoint(struct store *store, struct error *error)
{
    CHECK_EQUAL(store->phase, PHASE_TAKE);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_RECORD, error);
    }
    if (outcome == OK) {
        store->phase = PHASE_RECORD;
    }
    return outcome;
}

enum outcome store_savepoint_keep(struct store *store, struct error *error)
{
    CHECK_EQUAL(store->phase, PHASE_RECORD);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_RECORD_RELEASE, error);
    }
    if (outcome == OK) {
        store->phase = PHASE_TAKE;
    }
    return outcome;
}

enum outcome store_savepoint_undo(struct store *store, struct error *error)
{
    CHECK_EQUAL(store->phase, PHASE_RECORD);
    enum outcome outcome = transaction_check(store, error);
    if (outcome == OK) {
        outcome = connection_run(store, CONTROL_RECORD_ROLLBACK, error);
    }
    return outcome == OK ? store_savepoint_keep(store, error) : outcome;
}

/* ---- commit ---- */

enum outcome store_commit(struct store *store, struct error *error)
{
    CHECK(store->phase < PHASE_TAKE);
    CHECK_EQUAL(store->restore, RESTORE_NONE);
    if (store->phase == PHASE_IDLE) {
        return OK;
    }
    if (!store->dirty) {
        connection_rollback(store);
        return OK;
    }
    enum outcome outcome = connection_commit(store, error);
    return outcome == OK ? connection_checkpoint_if_large(store, error) : outcome;
}
