/* query.c - looks at a state file from outside: `weir sql`, `weir doctor`, the audit.
 *
 * The file may belong to a running task, which alone may write and checkpoint it: with a second
 * checkpointer Debian's SQLite 3.40.1 can damage a WAL. So the connection is opened read-only, may
 * run nothing but SELECT and a few PRAGMAs that read, and leaves the WAL alone when it closes. A
 * reader pins the WAL while its statement runs, hence the time limit.
 *
 * A reader sees the last COMMIT, about a second behind the topics.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/checksum.h"
#include "store/internal.h"

enum { QUERY_SECONDS = 60, OPS_BETWEEN_CHECKS = 10000, QUERY_BUSY_MS = 5000, COLUMNS_MAX = 2000 };

static int64_t seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec - (int64_t)start->tv_sec;
}

static int is_overdue(void *context)
{
    const struct query *query = context;
    return seconds_since(&query->started) >= QUERY_SECONDS;
}

/* Second guard beside the read-only open: names what a person may ask for. */
static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    static const char *const pragmas[] = {"table_info",  "table_xinfo",    "table_list",
                                          "index_list",  "index_info",     "index_xinfo",
                                          "page_count",  "page_size",      "user_version",
                                          "quick_check", "integrity_check"};
    (void)second, (void)database, (void)trigger;
    if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_FUNCTION ||
        action == SQLITE_RECURSIVE) {
        return SQLITE_OK;
    }
    for (size_t i = 0; action == SQLITE_PRAGMA && i < sizeof pragmas / sizeof pragmas[0]; i++) {
        if (sqlite3_stricmp(first, pragmas[i]) == 0) {
            return SQLITE_OK;
        }
    }
    ((struct query *)context)->refused = true;
    return SQLITE_DENY;
}

enum outcome query_failed(const struct query *query, int code, struct error *error)
{
    if (query->refused) {
        return fail_exit(error, EXIT_USAGE, "refused: state files are read only");
    }
    switch (code & 0xff) {
    case SQLITE_INTERRUPT:
        return fail_exit(error, EXIT_TRY_AGAIN,
                         "stopped after %d s: a reader keeps the task's WAL from being reused; ask "
                         "for less",
                         QUERY_SECONDS);
    case SQLITE_ERROR:
        return fail_exit(error, EXIT_USAGE, "%s", sqlite3_errmsg(query->db));
    default:
        return fail_exit(error, EXIT_IO, "state file %s: %s", query->path,
                         sqlite_reason(query->db, code));
    }
}

void query_close(struct query *query)
{
    CHECK_EQUAL(sqlite3_close(query->db), SQLITE_OK);
    query->db = NULL;
}

static int query_connect(struct query *query)
{
    struct buffer name;
    sqlite_configure();
    buffer_init(&name);
    int code = sqlite3_open_v2(sqlite_path(query->path, &name), &query->db,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, CHECKSUM_VFS);
    buffer_release(&name);
    if (code != SQLITE_OK) {
        return code;
    }
    sqlite3_extended_result_codes(query->db, 1);
    (void)sqlite3_db_config(query->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_db_config(query->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(query->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_timeout(query->db, QUERY_BUSY_MS);
    sqlite3_progress_handler(query->db, OPS_BETWEEN_CHECKS, is_overdue, query);
    return sqlite3_exec(query->db,
                        "PRAGMA query_only=1; PRAGMA wal_autocheckpoint=0; PRAGMA mmap_size=0;"
                        "PRAGMA temp_store=MEMORY;",
                        NULL, NULL, NULL);
}

enum outcome query_open(struct query *query, const char *path, struct error *error)
{
    struct stat status;
    int64_t application = 0;
    *query = (struct query){.path = path};
    clock_gettime(CLOCK_MONOTONIC, &query->started);
    if (stat(path, &status) != 0) {
        return fail_exit(error, EXIT_IO, "no state file %s: %s", path, strerror(errno));
    }
    int code = query_connect(query);
    if (code == SQLITE_OK) {
        code = pragma_integer(query->db, "PRAGMA application_id", &application);
    }
    enum outcome outcome = OK;
    if (code != SQLITE_OK) {
        outcome = query_failed(query, code, error);
    } else if (application != STORE_APPLICATION) {
        outcome = fail_exit(error, EXIT_IO, "%s is not a weir state file", path);
    }
    if (outcome != OK) {
        query_close(query);
    }
    return outcome;
}

static enum outcome query_prepare(struct query *query, const char *sql, sqlite3_stmt **statement,
                                  struct error *error)
{
    const char *rest = NULL;
    sqlite3_set_authorizer(query->db, authorize, query);
    int code = sqlite3_prepare_v2(query->db, sql, -1, statement, &rest);
    if (code != SQLITE_OK) {
        return query_failed(query, code, error);
    }
    if (!*statement) {
        return fail_exit(error, EXIT_USAGE, "no SQL statement");
    }
    if (rest[strspn(rest, " \t\r\n;")]) {
        return fail_exit(error, EXIT_USAGE, "one SQL statement at a time, not also: %s", rest);
    }
    if (!sqlite3_stmt_readonly(*statement)) {
        return fail_exit(error, EXIT_USAGE, "refused: state files are read only");
    }
    return OK;
}

/* A row as texts; a BLOB as lower-case hex, like bytes in JSON. */
struct text_row {
    int columns;
    const char **names, **values;
    int *types;
    struct buffer hex;
};

static void add_hex(struct buffer *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        buffer_format(out, "%02x", bytes[i]);
    }
    buffer_add_byte(out, 0);
}

/* false: no memory. The buffer moves while it grows: BLOBs are all written first. */
static bool read_texts(sqlite3_stmt *statement, struct text_row *row)
{
    size_t at = 0;
    buffer_reset(&row->hex);
    for (int i = 0; i < row->columns; i++) {
        row->types[i] = sqlite3_column_type(statement, i);
        if (row->types[i] == SQLITE_BLOB) {
            const void *blob = sqlite3_column_blob(statement, i);
            add_hex(&row->hex, blob, (size_t)sqlite3_column_bytes(statement, i));
        }
    }
    for (int i = 0; i < row->columns; i++) {
        if (row->types[i] == SQLITE_BLOB) {
            row->values[i] = (const char *)row->hex.data + at;
            at += strlen(row->values[i]) + 1;
        } else {
            row->values[i] = (const char *)sqlite3_column_text(statement, i);
            if (!row->values[i] && row->types[i] != SQLITE_NULL) {
                return false;
            }
        }
    }
    return true;
}

static int step_all(sqlite3_stmt *statement, struct text_row *row, store_row_callback *each,
                    void *context)
{
    for (int i = 0; i < row->columns; i++) {
        row->names[i] = sqlite3_column_name(statement, i);
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
        if (!read_texts(statement, row)) {
            (void)sqlite3_reset(statement);
            return SQLITE_NOMEM;
        }
        if (!each(context, row->columns, row->names, row->values, row->types)) {
            break;
        }
    }
    return sqlite3_reset(statement);
}

enum outcome store_query(const char *path, const char *sql, store_row_callback *each, void *context,
                         struct error *error)
{
    struct query query;
    sqlite3_stmt *statement = NULL;
    enum outcome outcome = query_open(&query, path, error);
    if (outcome != OK) {
        return outcome;
    }
    outcome = query_prepare(&query, sql, &statement, error);
    if (outcome == OK) {
        struct text_row row = {.columns = sqlite3_column_count(statement)};
        CHECK(row.columns <= COLUMNS_MAX);
        row.names = xcalloc((size_t)row.columns, sizeof *row.names);
        row.values = xcalloc((size_t)row.columns, sizeof *row.values);
        row.types = xcalloc((size_t)row.columns, sizeof *row.types);
        int code = step_all(statement, &row, each, context);
        outcome = code == SQLITE_OK ? OK : query_failed(&query, code, error);
        free(row.names);
        free(row.values);
        free(row.types);
        buffer_release(&row.hex);
    }
    sqlite3_finalize(statement);
    query_close(&query);
    return outcome;
}

enum outcome store_peek(const char *path, struct store_meta *meta, struct error *error)
{
    struct query query;
    struct meta_row row;
    enum outcome outcome = query_open(&query, path, error);
    if (outcome != OK) {
        return outcome;
    }
    int code = meta_read(query.db, &row);
    if (code != SQLITE_OK) {
        outcome = query_failed(&query, code, error);
    } else {
        *meta = row.meta;
    }
    query_close(&query);
    return outcome;
}
