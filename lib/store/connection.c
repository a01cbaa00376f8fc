/* connection.c - the connection to a task's file, and what an SQLite error obliges one to do.
 *
 * A file is used only when it proves to be this task's healthy one: SQLite's application id and
 * user version are weir's, weir_meta names this application, partition and row schemas, no restore
 * was cut short in it, and either the witness (internal.h) holds or an integrity check passes.
 * Nothing is written to it before that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/checksum.h"
#include "store/internal.h"

static const char meta_sql[] =
    "CREATE TABLE weir_meta("
    "one INTEGER PRIMARY KEY CHECK(one = 1), application_id TEXT NOT NULL, "
    "partition INTEGER NOT NULL, row_schemas INTEGER NOT NULL, restoring INTEGER NOT NULL, "
    "commit_number INTEGER NOT NULL, changelog_offset INTEGER NOT NULL, "
    "appended_ms INTEGER NOT NULL, task_time_ms INTEGER NOT NULL, incarnation TEXT NOT NULL"
    ") STRICT;";

/* STORE_CACHE_BYTES hold what a second of 1,000 commands makes dirty even if every row lies on a
 * page of its own (3,000 pages), so that nothing is written twice, and fit into the 40 MiB of an
 * instance, whose tasks share them. The rest is in the system's page cache. Measured with takes of
 * 1,000 random rows: at a million rows (270 MB) four times the cache saves a seventh of a put;
 * where the table just fits it saves two fifths.
 *
 * Nothing is written before COMMIT. SQLite 3.40.1,
 * when pages that did not fit the cache went to the WAL early, were written again, and a savepoint
 * was rolled back, commits frames with wrong sums: a recovery stops there, and with a checkpoint in
 * between the file is a mix of old and new pages that passes an integrity check. So a transaction
 * may hold more than the cache, and store_is_large() says when to commit. A restore, which rolls
 * back whole slices only, may spill. The default of secure_delete in Debian's build is ON. The size
 * limit cuts a WAL that a slow reader made grow. */
static const char settings_sql[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0;"
    "PRAGMA journal_size_limit=201326592; PRAGMA mmap_size=0;"
    "PRAGMA cache_spill=OFF;"
    "PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;";

/* How long to wait for another program that has the file locked against our writes. */
enum { BUSY_MS = 1000 };

/* SQLite's allocation statistics are one lock for all threads and nobody reads them. The VFS comes
 * second: with it SQLite is initialised, and takes no configuration any more. */
void sqlite_configure(void)
{
    static bool done;
    if (!done) {
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        CHECK_EQUAL(checksum_register(), SQLITE_OK);
        done = true;
    }
}

const char *sqlite_path(const char *path, struct buffer *buffer)
{
    buffer_reset(buffer);
    buffer_format(buffer, "%s%s", path[0] == '/' ? "" : "./", path);
    return buffer_string(buffer);
}

bool sqlite_is_damage(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ||
           code == SQLITE_IOERR_CORRUPTFS || code == SQLITE_IOERR_DATA;
}

const char *sqlite_reason(sqlite3 *db, int code)
{
    const char *failure = db && code == SQLITE_IOERR_DATA ? checksum_failure(db) : NULL;
    bool current = db && (sqlite3_errcode(db) & 0xff) == (code & 0xff);
    return failure ? failure : current ? sqlite3_errmsg(db) : sqlite3_errstr(code);
}

static enum outcome damaged(struct store *store, const char *reason, struct error *error)
{
    damage_mark(store->path, reason);
    return fail_exit(error, EXIT_IO,
                     "state file %s is damaged: %s: the next start sets it aside and rebuilds it "
                     "from the changelog",
                     store->path, reason);
}

enum outcome sqlite_fail(struct store *store, int code, const char *doing, struct error *error)
{
    const char *reason = sqlite_reason(store->db, code);
    if (sqlite_is_damage(code)) {
        return damaged(store, reason, error);
    }
    int cause = store->db ? sqlite3_system_errno(store->db) : 0;
    switch (code & 0xff) {
    case SQLITE_FULL:
        fail(error, ABORT, "no space left for state file %s (%s): make room on its file system",
             store->path, doing);
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        fail(error, ABORT, "state file %s (%s) is locked by another program: end that one",
             store->path, doing);
        break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
    case SQLITE_NOMEM:
        fail(error, ABORT, "state file %s (%s): %s%s%s: see to its file system", store->path, doing,
             reason, cause ? ": " : "", cause ? strerror(cause) : "");
        break;
    default: /* a broken rule of a row, or of SQL: ours */
        return fail_exit(error, EXIT_BUG, "bug: state file %s (%s): %s", store->path, doing,
                         reason);
    }
    error->exit_code = EXIT_IO;
    return ABORT;
}

int sqlite_prepare(struct store *store, const char *sql, sqlite3_stmt **statement)
{
    return sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
}

enum outcome connection_exec(struct store *store, const char *sql, const char *doing,
                             struct error *error)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : sqlite_fail(store, code, doing, error);
}

int pragma_integer(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        *value = sqlite3_column_int64(statement, 0);
    }
    int finished = sqlite3_finalize(statement);
    return code != SQLITE_OK ? code : finished;
}

/* false: no memory for it. */
static bool copy_text(char *to, size_t size, sqlite3_stmt *statement, int column)
{
    bool is_null = sqlite3_column_type(statement, column) == SQLITE_NULL;
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t length = text ? strnlen(text, size - 1) : 0;
    if (length > 0) {
        memcpy(to, text, length);
    }
    to[length] = 0;
    return text || is_null;
}

int meta_read(sqlite3 *db, struct meta_row *row)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(
        db,
        "SELECT application_id, partition, row_schemas, restoring, commit_number, changelog_offset,"
        " appended_ms, task_time_ms, incarnation FROM weir_meta",
        -1, &statement, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        bool copied = copy_text(row->application_id, sizeof row->application_id, statement, 0);
        row->partition = sqlite3_column_int(statement, 1);
        row->row_schemas = (uint64_t)sqlite3_column_int64(statement, 2);
        row->restoring = sqlite3_column_int(statement, 3) != 0;
        row->meta.commit_number = sqlite3_column_int64(statement, 4);
        row->meta.changelog_offset = sqlite3_column_int64(statement, 5);
        row->meta.appended_ms = sqlite3_column_int64(statement, 6);
        row->meta.task_time_ms = sqlite3_column_int64(statement, 7);
        copied =
            copy_text(row->meta.incarnation, sizeof row->meta.incarnation, statement, 8) && copied;
        code = copied ? SQLITE_OK : SQLITE_NOMEM;
    } else if (code == SQLITE_DONE) {
        code = SQLITE_CORRUPT;
    }
    sqlite3_finalize(statement);
    return code;
}

/* ---- opening ---- */

static int on_commit(void *context, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct store *)context)->wal_pages = pages;
    return SQLITE_OK;
}

/* The functions below return SQLITE_OK with a text in `note` when the file is not ours to use. */

static int check_identity(struct store *store, struct error *note)
{
    int64_t application = 0, format = 0;
    struct meta_row row = {0};
    int code = pragma_integer(store->db, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) {
        code = pragma_integer(store->db, "PRAGMA user_version", &format);
    }
    if (code != SQLITE_OK) {
        return code;
    }
    if (application != STORE_APPLICATION) {
        fail(note, OK, "not a weir state file");
        return SQLITE_OK;
    }
    if (format != STORE_FORMAT) {
        fail(note, OK, "it has format %" PRId64 ", this weir writes %d", format, STORE_FORMAT);
        return SQLITE_OK;
    }
    code = meta_read(store->db, &row);
    if (code != SQLITE_OK) {
        return code;
    }
    store->meta = store->committed = row.meta;
    if (strcmp(row.application_id, store->application_id) != 0) {
        fail(note, OK, "it belongs to application %s, not %s", row.application_id,
             store->application_id);
    } else if (row.partition != store->partition) {
        fail(note, OK, "it belongs to partition %" PRId32 ", not %" PRId32, row.partition,
             store->partition);
    } else if (row.row_schemas != store->row_schemas) {
        fail(note, OK, "the row schemas have changed");
    } else if (row.restoring) {
        fail(note, OK, "its restore was cut short");
    }
    return SQLITE_OK;
}

/* integrity_check and not quick_check: a timer missing from its index would never fire, and the two
 * cost the same (0.2 s for a million rows). */
static int check_content(struct store *store, struct error *note)
{
    if (witness_holds(store->lock, store->path)) {
        return SQLITE_OK;
    }
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    if (sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        const char *failure = checksum_failure(store->db); /* the text has SQLite's number for it */
        if (!text) {
            code = SQLITE_NOMEM;
        } else if (strcmp(text, "ok") != 0) {
            fail(note, OK, "it is damaged: %s", failure ? failure : text);
        }
    }
    int finished = sqlite3_finalize(statement);
    return code == SQLITE_OK ? finished : code;
}

/* Without memory for it the cache stays as large as it was. */
void connection_set_cache(struct store *store)
{
    char sql[60];
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%lld;", (long long)store->cache_bytes / 1024);
    (void)sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

static int apply_settings(struct store *store)
{
    sqlite3 *db = store->db;
    sqlite3_busy_timeout(db, BUSY_MS);
    int code = sqlite3_exec(db, settings_sql, NULL, NULL, NULL);
    connection_set_cache(store);
    sqlite3_wal_hook(db, on_commit, store);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    return code;
}

static int prepare_statements(struct store *store)
{
    int code = transaction_prepare(store);
    return code == SQLITE_OK ? statements_prepare(store) : code;
}

static int inspect(struct store *store, struct error *note)
{
    int code = check_identity(store, note);
    if (code == SQLITE_OK && !note->text[0]) {
        code = check_content(store, note);
    }
    if (code == SQLITE_OK && !note->text[0]) {
        code = apply_settings(store);
    }
    if (code == SQLITE_OK && !note->text[0]) {
        code = prepare_statements(store);
    }
    return code;
}

enum outcome connection_open(struct store *store, bool *usable, struct error *note,
                             struct error *error)
{
    sqlite_configure();
    note->text[0] = 0;
    int code = sqlite3_open_v2(sqlite_path(store->path, &store->scratch), &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, CHECKSUM_VFS);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(store->db, 1);
        /* Only a file that turned out to be ours is checkpointed, and then by store_close. */
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        code = inspect(store, note);
    }
    /* An error in our fixed SQL means that a table or column is missing. */
    if (sqlite_is_damage(code) || code == SQLITE_ERROR) {
        fail(note, OK, "it is damaged: %s", sqlite_reason(store->db, code));
        code = SQLITE_OK;
    }
    enum outcome outcome = OK;
    if (code != SQLITE_OK) {
        (void)sqlite_fail(store, code, "opening", error);
        outcome = FATAL; /* there is no transaction to abort */
    }
    *usable = outcome == OK && !note->text[0];
    if (!*usable) {
        connection_close(store);
    }
    return outcome;
}

static enum outcome build(struct store *store, struct error *error)
{
    struct buffer sql;
    buffer_init(&sql);
    buffer_format(&sql,
                  "PRAGMA page_size=4096; PRAGMA application_id=%d; PRAGMA user_version=%d;"
                  "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=NORMAL; BEGIN; %s",
                  STORE_APPLICATION, STORE_FORMAT, meta_sql);
    statements_create_sql(store, &sql);
    char *meta =
        sqlite3_mprintf("INSERT INTO weir_meta VALUES(1, %Q, %d, %lld, 0, 0, 0, 0, 0, '');",
                        store->application_id, (int)store->partition,
                        (long long)store->row_schemas);
    buffer_format(&sql, "%s COMMIT; PRAGMA journal_mode=WAL;", meta ? meta : "");
    enum outcome outcome = meta ? connection_exec(store, buffer_string(&sql), "creating", error)
                                : sqlite_fail(store, SQLITE_NOMEM, "creating", error);
    sqlite3_free(meta);
    buffer_release(&sql);
    return outcome;
}

enum outcome connection_create(struct store *store, struct error *error)
{
    struct buffer name;
    sqlite_configure();
    file_clear_leftovers(store->path);
    buffer_init(&name);
    sqlite_path(store->path, &name);
    buffer_add_string(&name, ".new");
    int code = sqlite3_open_v2(buffer_string(&name), &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                               CHECKSUM_VFS);
    if (code == SQLITE_OK) {
        code = checksum_reserve(store->db);
    }
    enum outcome outcome =
        code == SQLITE_OK ? build(store, error) : sqlite_fail(store, code, "creating", error);
    sqlite3_close(store->db);
    store->db = NULL;
    if (outcome == OK) {
        outcome = file_move(buffer_string(&name), store->path, error);
    }
    if (outcome == OK) {
        witness_write(store->lock, store->path);
    }
    buffer_release(&name);
    return outcome == OK ? OK : FATAL;
}

void connection_close(struct store *store)
{
    if (!store->db) {
        return;
    }
    statements_finalize(store);
    transaction_finalize(store);
    CHECK_EQUAL(sqlite3_close(store->db), SQLITE_OK); /* rolls back what is open */
    store->db = NULL;
    store->phase = PHASE_IDLE;
    store->restore = RESTORE_NONE;
    store->dirty = false;
    store->meta = store->committed;
}
