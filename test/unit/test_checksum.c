/* test_checksum.c - bit rot, torn and misplaced pages, cut files: what page checksums find.
 *
 * Files are changed behind SQLite's back while no connection of this process is open, or through a
 * descriptor that stays open as long as one is: closing it would drop SQLite's locks.
 */
#include "store_fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/hash.h"
#include "store/checksum.h"
#include "store/internal.h"

enum {
    PAGE = 4096,
    SECTOR = 512,
    FRAME_HEADER = 24,
    FRAME = FRAME_HEADER + PAGE,
    WAL_HEADER = 32,
    IMAGE_MAX = 64 * PAGE,
    RESERVED_AT = 20,
    FREE_PAGES_AT = 39, /* in the header: the last byte of how many there are */
};

/* ---- files as bytes ---- */

struct image {
    uint8_t bytes[IMAGE_MAX];
    size_t size;
};

static void image_read(struct image *image, const char *path, const char *suffix)
{
    char name[256];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    int file = open(name, O_RDONLY);
    assert_true(file >= 0);
    ssize_t size = read(file, image->bytes, sizeof image->bytes);
    assert_in_range(size, 1, sizeof image->bytes - 1);
    image->size = (size_t)size;
    close(file);
}

static void image_write(const struct image *image, const char *path, const char *suffix)
{
    char name[256];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, image->bytes, image->size), image->size);
    close(file);
}

static void put_byte(int file, size_t at, uint8_t byte)
{
    assert_int_equal(pwrite(file, &byte, 1, (off_t)at), 1);
}

/* Nothing reads them. */
static int free_pages(const struct image *image)
{
    return image->bytes[FREE_PAGES_AT];
}

/* ---- the sample: every kind of page, and as few as can be ---- */

static void put_noted(struct fixture *fixture, int64_t seq, size_t length)
{
    static char note[2 * PAGE];
    memset(note, 'a' + (int)(seq % 26), length);
    note[length] = 0;
    struct item item = {.sku = "row", .seq = seq, .qty = (int32_t)seq, .note = note};
    assert_ok(fixture, store_put(fixture->store, &items, &item, &fixture->error));
}

/* Leaves below an interior page, an overflow page, and free ones. */
static void fill(struct fixture *fixture)
{
    begin(fixture);
    for (int64_t seq = 0; seq < 12; seq++) {
        put_noted(fixture, seq, 800);
    }
    put_noted(fixture, 20, 6000);
    put_noted(fixture, 21, 6000);
    struct timer_row timer = {.kind = "expiry", .key = "a", .due_ms = 5};
    assert_ok(fixture, store_put(fixture->store, &timers, &timer, &fixture->error));
    keep(fixture);
    commit(fixture);
    begin(fixture);
    delete_item(fixture, "row", 21);
    keep(fixture);
    commit(fixture);
}

static void make_sample(struct fixture *fixture)
{
    open_store(fixture);
    fill(fixture);
    close_store(fixture);
    assert_int_equal(size_of(fixture->path, "-wal"), -1);
}

/* The orders make SQLite read the timers' table and their index. */
static const char content_sql[] =
    "SELECT sku || seq || qty || open || \"order\" || ifnull(note, '') || parts FROM item UNION "
    "ALL "
    "SELECT * FROM (SELECT kind || key || due_ms FROM timer_row ORDER BY kind, key) UNION ALL "
    "SELECT * FROM (SELECT due_ms || kind || key FROM timer_row ORDER BY due_ms, kind, key) "
    "UNION ALL SELECT application_id || partition || row_schemas || restoring || commit_number ||"
    " changelog_offset || appended_ms || task_time_ms || incarnation FROM weir_meta "
    "UNION ALL SELECT type || name || tbl_name || sql FROM sqlite_schema";

static bool add_row(void *context, int columns, const char *const *names, const char *const *values,
                    const int *types)
{
    (void)columns, (void)names, (void)types;
    uint64_t *hash = context;
    *hash = hash_bytes(*hash, values[0], strlen(values[0]));
    return true;
}

/* A hash of all rows, read by a connection of its own that has nothing cached. */
static enum outcome read_content(struct fixture *fixture, uint64_t *hash)
{
    *hash = 1;
    return store_query(fixture->path, content_sql, add_row, hash, &fixture->error);
}

static uint64_t content_of(struct fixture *fixture)
{
    uint64_t hash;
    assert_ok(fixture, read_content(fixture, &hash));
    return hash;
}

struct tally {
    int detected, harmless;
};

/* What was done to the file is noticed, or cannot be seen in the rows. */
static void judge(struct fixture *fixture, uint64_t content, struct tally *tally, const char *what,
                  size_t at)
{
    uint64_t hash;
    if (read_content(fixture, &hash) != OK) {
        assert_int_equal(fixture->error.exit_code, EXIT_IO);
        tally->detected++;
    } else if (hash == content) {
        tally->harmless++;
    } else {
        fail_msg("%s at %zu is not noticed", what, at);
    }
}

static void print_tally(const char *what, const struct tally *tally)
{
    print_message("%s: %d detected, %d harmless\n", what, tally->detected, tally->harmless);
}

/* ---- new files ---- */

static sqlite3 *connect(const char *path, const char *vfs, int flags)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, flags, vfs), SQLITE_OK);
    sqlite3_extended_result_codes(db, 1);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) {
        fail_msg("%s: %s", sql, text);
    }
}

static void a_new_file_has_a_checksum_on_every_page(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    make_sample(fixture);
    image_read(&image, fixture->path, "");
    assert_int_equal(image.bytes[RESERVED_AT], 8);
    print_message("the sample has %zu pages, %d of them free\n", image.size / PAGE,
                  free_pages(&image));
    static const uint8_t none[8];
    for (size_t at = 0; at < image.size; at += PAGE) {
        assert_memory_not_equal(image.bytes + at + PAGE - 8, none, sizeof none);
    }
}

/* The first page, which says that there are checksums, is then not written first. */
static void a_first_transaction_larger_than_the_cache_has_them_too(void **state)
{
    struct fixture *fixture = *state;
    sqlite_configure();
    snprintf(fixture->path, sizeof fixture->path, "%s/large.db", fixture->directory);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    sqlite3 *db = connect(fixture->path, CHECKSUM_VFS, flags);
    assert_int_equal(checksum_reserve(db), SQLITE_OK);
    run(db, "PRAGMA cache_size=10; BEGIN; CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 "
            "UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT zeroblob(3000) "
            "FROM n; COMMIT");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    db = connect(fixture->path, CHECKSUM_VFS, SQLITE_OPEN_READONLY);
    run(db, "SELECT sum(length(a)) FROM t");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- bits ---- */

static sqlite3_file *file_of(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    run(db, "SELECT * FROM weir_meta");
    assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file), SQLITE_OK);
    return file;
}

static void every_flipped_bit_is_seen_when_its_page_is_read(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    static uint8_t page[PAGE];
    int count = 0;
    make_sample(fixture);
    image_read(&image, fixture->path, "");
    int raw = open(fixture->path, O_RDWR);
    sqlite3 *db = connect(fixture->path, CHECKSUM_VFS, SQLITE_OPEN_READONLY);
    sqlite3_file *file = file_of(db);
    for (size_t at = 0; at < image.size; at++) {
        int64_t start = (int64_t)(at / PAGE * PAGE);
        for (int bit = 0; bit < 8; bit++, count++) {
            put_byte(raw, at, (uint8_t)(image.bytes[at] ^ 1 << bit));
            assert_int_equal(file->pMethods->xRead(file, page, PAGE, start), SQLITE_IOERR_DATA);
        }
        put_byte(raw, at, image.bytes[at]);
        assert_int_equal(file->pMethods->xRead(file, page, PAGE, start), SQLITE_OK);
    }
    print_message("flipped bits: all %d detected in their pages\n", count);
    sqlite3_close(db);
    close(raw);
}

/* Newer SQLites read parts of pages. */
static void a_part_of_a_page_is_checked_with_its_page(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    static uint8_t part[PAGE];
    make_sample(fixture);
    image_read(&image, fixture->path, "");
    int raw = open(fixture->path, O_RDWR);
    sqlite3 *db = connect(fixture->path, CHECKSUM_VFS, SQLITE_OPEN_READONLY);
    sqlite3_file *file = file_of(db);
    assert_int_equal(file->pMethods->xRead(file, part, 1000, PAGE + 4), SQLITE_OK);
    assert_memory_equal(part, image.bytes + PAGE + 4, 1000);
    put_byte(raw, 2 * PAGE - 100, (uint8_t)~image.bytes[2 * PAGE - 100]);
    assert_int_equal(file->pMethods->xRead(file, part, 1000, PAGE + 4), SQLITE_IOERR_DATA);
    assert_string_equal(checksum_failure(db), "page 2 does not match its checksum");
    sqlite3_close(db);
    close(raw);
}

/* One bit of each byte, and all of the header, which says whether there are checksums at all. */
static void a_flipped_bit_is_found_by_a_reader_or_changes_nothing(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    struct tally tally = {0};
    make_sample(fixture);
    uint64_t content = content_of(fixture);
    image_read(&image, fixture->path, "");
    seed_random();
    int raw = open(fixture->path, O_RDWR);
    for (size_t at = 0; at < image.size; at++) {
        int only = rand() % 8;
        for (int bit = 0; bit < 8; bit++) {
            if (at < 100 || bit == only) {
                put_byte(raw, at, (uint8_t)(image.bytes[at] ^ 1 << bit));
                judge(fixture, content, &tally, "a flipped bit", at);
            }
        }
        put_byte(raw, at, image.bytes[at]);
    }
    print_tally("flipped bits", &tally);
    assert_int_equal(tally.harmless, free_pages(&image) * PAGE);
    close(raw);
}

/* ---- pages ---- */

static void a_torn_page_is_found(void **state)
{
    static struct image old, new, torn;
    struct fixture *fixture = *state;
    struct tally tally = {0};
    make_sample(fixture);
    image_read(&old, fixture->path, "");
    open_store(fixture);
    begin(fixture);
    for (int64_t seq = 0; seq < 12; seq++) {
        put_noted(fixture, seq, 790);
    }
    keep(fixture);
    commit(fixture);
    close_store(fixture);
    uint64_t content = content_of(fixture);
    image_read(&new, fixture->path, "");
    assert_int_equal(old.size, new.size);
    for (size_t page = 0; page < new.size; page += PAGE) {
        for (size_t cut = SECTOR; cut < PAGE; cut += SECTOR) {
            torn = new;
            memcpy(torn.bytes + page + cut, old.bytes + page + cut, PAGE - cut);
            bool whole = memcmp(torn.bytes + page, new.bytes + page, PAGE) == 0 ||
                         memcmp(torn.bytes + page, old.bytes + page, PAGE) == 0;
            if (!whole) {
                image_write(&torn, fixture->path, "");
                judge(fixture, content, &tally, "a torn page", page);
            }
        }
    }
    print_tally("torn pages", &tally);
    assert_int_equal(tally.harmless, 0);
    assert_true(tally.detected > 0);
}

static void a_page_in_anothers_place_and_a_page_of_zeros_are_found(void **state)
{
    static struct image image, changed;
    struct fixture *fixture = *state;
    struct tally tally = {0};
    make_sample(fixture);
    uint64_t content = content_of(fixture);
    image_read(&image, fixture->path, "");
    size_t pages = image.size / PAGE;
    for (size_t to = 0; to < pages; to++) {
        for (size_t from = 0; from <= pages; from++) { /* the last one is the page of zeros */
            if (from != to) {
                changed = image;
                memset(changed.bytes + image.size, 0, PAGE);
                memcpy(changed.bytes + to * PAGE, changed.bytes + from * PAGE, PAGE);
                image_write(&changed, fixture->path, "");
                judge(fixture, content, &tally, "a misplaced page", to);
            }
        }
    }
    print_tally("misplaced pages", &tally);
    assert_int_equal(tally.harmless, free_pages(&image) * (int)pages);
}

static void a_truncated_file_is_found(void **state)
{
    static struct image image, cut;
    struct fixture *fixture = *state;
    struct tally tally = {0};
    make_sample(fixture);
    uint64_t content = content_of(fixture);
    image_read(&image, fixture->path, "");
    for (size_t size = 1; size < image.size; size += 1000) {
        cut = image;
        cut.size = size;
        image_write(&cut, fixture->path, "");
        judge(fixture, content, &tally, "a cut", size);
    }
    print_tally("truncated files", &tally);
    assert_true(tally.harmless <= free_pages(&image) * (PAGE / 1000 + 1));
}

/* ---- the store ---- */

static void a_start_sets_a_rotten_file_aside(void **state)
{
    static struct image image, changed;
    struct fixture *fixture = *state;
    struct tally tally = {0};
    make_sample(fixture);
    uint64_t content = content_of(fixture);
    image_read(&image, fixture->path, "");
    seed_random();
    for (int i = 0; i < 100; i++) {
        size_t at = (size_t)rand() % image.size;
        changed = image;
        changed.bytes[at] ^= (uint8_t)(1 << rand() % 8);
        image_write(&changed, fixture->path, "");
        open_store(fixture);
        if (fixture->found == STORE_KEPT) {
            assert_true(content_of(fixture) == content);
            tally.harmless++;
        } else {
            assert_text(fixture->note.text, "it is damaged");
            tally.detected++;
        }
        close_store(fixture);
    }
    print_tally("starts", &tally);
    assert_true(tally.detected > tally.harmless);
}

/* Rot leaves the file's times as they are, so a start does not look at all pages. */
static void keep_the_witness(struct fixture *fixture)
{
    int lock = -1;
    assert_ok(fixture, file_lock(fixture->path, &lock, &fixture->error));
    witness_write(lock, fixture->path);
    file_unlock(lock);
}

static void rot_that_a_start_does_not_see_is_fatal_when_it_is_read(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    struct arena *arena = &fixture->arena;
    void *rows = NULL;
    size_t count = 0;
    make_sample(fixture);
    image_read(&image, fixture->path, "");
    uint8_t *text = memmem(image.bytes, image.size, "eeeeeeee", 8);
    assert_non_null(text);
    *text ^= 1;
    image_write(&image, fixture->path, "");
    keep_the_witness(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(store_list(fixture->store, &items, NULL, 0, 0, arena, &rows, &count,
                                &fixture->error),
                     FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, "does not match its checksum");
    assert_text(fixture->error.text, "sets it aside and rebuilds it");
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_SET_ASIDE);
    assert_text(fixture->note.text, "does not match its checksum");
    assert_int_equal(store_meta(fixture->store)->commit_number, 0);
}

/* ---- the WAL ---- */

static void copy_to(struct fixture *fixture, struct fixture *copy)
{
    static struct image image;
    *copy = *fixture;
    copy->store = NULL;
    arena_init(&copy->arena);
    snprintf(copy->path, sizeof copy->path, "%s/copy.db", fixture->directory);
    image_read(&image, fixture->path, "");
    image_write(&image, copy->path, "");
    image_read(&image, fixture->path, "-wal");
    image_write(&image, copy->path, "-wal");
}

static void close_copy(struct fixture *copy)
{
    close_store(copy);
    arena_release(&copy->arena);
}

static void a_copy_from_the_middle_of_a_transaction_recovers(void **state)
{
    struct fixture *fixture = *state, copy;
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    put_qty(fixture, "a", 1, 2);
    keep(fixture);
    begin(fixture);
    put_qty(fixture, "a", 2, 3);
    copy_to(fixture, &copy);
    open_store(&copy);
    assert_int_equal(copy.found, STORE_KEPT);
    assert_int_equal(qty_of(&copy, "a", 1), 1);
    assert_int_equal(qty_of(&copy, "a", 2), -1);
    assert_meta(store_meta(copy.store), 1);
    commit_qty(&copy, "a", 1, 4);
    close_store(&copy);
    open_store(&copy);
    assert_int_equal(copy.found, STORE_KEPT);
    assert_int_equal(qty_of(&copy, "a", 1), 4);
    close_copy(&copy);
}

static void a_file_cut_short_beneath_its_wal_is_found(void **state)
{
    static struct image image;
    struct fixture *fixture = *state, copy;
    make_sample(fixture);
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    copy_to(fixture, &copy);
    image_read(&image, copy.path, "");
    image.size -= PAGE * 5;
    image_write(&image, copy.path, "");
    uint64_t hash;
    assert_int_equal(read_content(&copy, &hash), FATAL);
    assert_text(copy.error.text, "beyond the end of the file");
    open_store(&copy);
    assert_int_equal(copy.found, STORE_SET_ASIDE);
    close_copy(&copy);
}

static void a_flipped_bit_in_the_wal_is_found_or_changes_nothing(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    struct tally tally = {0};
    char name[256];
    open_store(fixture);
    fill(fixture);
    uint64_t content = content_of(fixture);
    image_read(&image, fixture->path, "-wal");
    snprintf(name, sizeof name, "%s-wal", fixture->path);
    seed_random();
    int raw = open(name, O_RDWR);
    for (size_t at = 0; at < image.size; at += 1 + (size_t)rand() % 5) {
        put_byte(raw, at, (uint8_t)(image.bytes[at] ^ 1 << rand() % 8));
        judge(fixture, content, &tally, "a flipped bit of the WAL", at);
        put_byte(raw, at, image.bytes[at]);
    }
    close(raw);
    print_tally("flipped bits of the WAL", &tally);
    assert_true(tally.detected > tally.harmless); /* the second transaction replaces some frames */
}

/* A checkpoint would give what it copies a checksum that fits. */
static void a_rotten_frame_is_not_copied_into_the_file(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    char name[256];
    open_store(fixture);
    commit_qty(fixture, "a", 1, 1);
    image_read(&image, fixture->path, "-wal");
    snprintf(name, sizeof name, "%s-wal", fixture->path);
    int raw = open(name, O_RDWR);
    put_byte(raw, WAL_HEADER + FRAME - 20, (uint8_t)~image.bytes[WAL_HEADER + FRAME - 20]);
    close(raw);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_SET_ASIDE);
    assert_text(fixture->note.text, "does not match its checksum in the WAL");
}

static void put_large(struct fixture *fixture, int64_t seq, int32_t qty, size_t size)
{
    static uint8_t bytes[1000000];
    memset(bytes, (uint8_t)qty, size);
    struct item item = {.sku = "large", .seq = seq, .qty = qty, .blob = {bytes, size}};
    assert_ok(fixture, store_put(fixture->store, &items, &item, &fixture->error));
}

/* Twice the cache, three times: SQLite, where it may spill (as in a restore), writes over frames
 * whose headers then do not fit. */
static void a_transaction_larger_than_the_cache_raises_no_alarm(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t header[FRAME_HEADER];
    char name[256];
    int loose = 0;
    open_store(fixture);
    assert_ok(fixture,
              connection_exec(fixture->store, "PRAGMA cache_spill=ON", "spill", &fixture->error));
    commit_qty(fixture, "a", 1, 1);
    begin(fixture);
    for (int32_t round = 1; round <= 3; round++) {
        for (int64_t seq = 0; seq < 32; seq++) {
            put_large(fixture, seq, round, 1000000);
        }
        for (int64_t seq = 0; seq < 32; seq++) {
            assert_int_equal(qty_of(fixture, "large", seq), round);
        }
    }
    snprintf(name, sizeof name, "%s-wal", fixture->path);
    int raw = open(name, O_RDONLY);
    for (off_t at = WAL_HEADER; pread(raw, header, sizeof header, at) == sizeof header;
         at += FRAME) {
        loose += memcmp(header + 8, (uint8_t[16]){0}, 16) == 0;
    }
    close(raw);
    assert_true(loose > 0); /* else this test would show nothing */
    keep(fixture);
    commit(fixture);
    assert_int_equal(qty_of(fixture, "large", 31), 3);
    (void)content_of(fixture);
    begin(fixture);
    put_large(fixture, 1, 9, 1000000);
    undo(fixture);
    commit_qty(fixture, "a", 1, 2);
    (void)content_of(fixture);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "large", 31), 3);
}

/* ---- files of other writers ---- */

static int add_sql(void *context, int columns, char **values, char **names)
{
    (void)columns, (void)names;
    buffer_format(context, "%s;", values[0]);
    return 0;
}

/* The same content in a file as weir made it before there were checksums. */
static void make_old(struct fixture *fixture)
{
    char from[256], attach[320];
    struct buffer sql;
    make_sample(fixture);
    snprintf(from, sizeof from, "%s/new.db", fixture->directory);
    assert_int_equal(rename(fixture->path, from), 0);
    sqlite3 *db = connect(fixture->path, NULL, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    snprintf(attach, sizeof attach, "ATTACH '%s' AS n", from);
    run(db, attach);
    buffer_init(&sql);
    buffer_format(&sql, "PRAGMA main.application_id=%d; PRAGMA main.user_version=%d;",
                  STORE_APPLICATION, STORE_FORMAT);
    assert_int_equal(sqlite3_exec(db, "SELECT sql FROM n.sqlite_schema WHERE sql IS NOT NULL",
                                  add_sql, &sql, NULL),
                     SQLITE_OK);
    buffer_format(&sql, "INSERT INTO main.item SELECT * FROM n.item;"
                        "INSERT INTO main.timer_row SELECT * FROM n.timer_row;"
                        "INSERT INTO main.weir_meta SELECT * FROM n.weir_meta;"
                        "PRAGMA main.journal_mode=WAL");
    run(db, buffer_string(&sql));
    buffer_release(&sql);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void an_older_file_is_used_as_it_is(void **state)
{
    static struct image image;
    struct fixture *fixture = *state;
    make_old(fixture);
    uint64_t content = content_of(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_meta(store_meta(fixture->store), 2);
    assert_true(content_of(fixture) == content);
    commit_qty(fixture, "a", 1, 7);
    close_store(fixture);
    image_read(&image, fixture->path, "");
    assert_int_equal(image.bytes[RESERVED_AT], 0);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "a", 1), 7);
}

static void read_as_a_shell(struct fixture *fixture)
{
    sqlite3 *db = connect(fixture->path, NULL, SQLITE_OPEN_READWRITE);
    run(db, "SELECT * FROM item; SELECT * FROM weir_meta; PRAGMA integrity_check");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_shell_can_read_a_closed_file(void **state)
{
    struct fixture *fixture = *state;
    make_sample(fixture);
    read_as_a_shell(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    in_a_process(fixture, read_as_a_shell); /* beside the task */
    commit_qty(fixture, "a", 1, 7);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_int_equal(qty_of(fixture, "a", 1), 7);
}

static void fill_and_die(struct fixture *fixture)
{
    open_store(fixture);
    fill(fixture);
}

/* It knows nothing of checksums: the file is rebuilt rather than trusted. */
static void a_file_that_a_shell_has_checkpointed_is_set_aside(void **state)
{
    struct fixture *fixture = *state;
    in_a_process_that_is_killed(fixture, fill_and_die);
    assert_true(size_of(fixture->path, "-wal") > 0);
    in_a_process(fixture, read_as_a_shell);
    assert_int_equal(size_of(fixture->path, "-wal"), -1);
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_SET_ASIDE);
    assert_text(fixture->note.text, "does not match its checksum");
}

/* ---- failing reads ---- */

enum { READ_WELL, READ_FAILS, READ_SHORT };
static int reading;

/* Only whole pages fail, so that the header's 100 bytes say what the file is. */
static ssize_t failing_pread(int file, void *buffer, size_t size, off_t at)
{
    if (reading == READ_FAILS && size == PAGE) {
        errno = EACCES; /* SQLite takes EIO for a damaged file system, and the store for damage */
        return -1;
    }
    return reading == READ_SHORT && size == PAGE && at > 0 ? 0 : pread(file, buffer, size, at);
}

static void set_pread(sqlite3_syscall_ptr function)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    if (vfs->xSetSystemCall(vfs, "pread", function) != SQLITE_OK) {
        fail_msg("cannot replace pread");
    }
    (void)vfs->xSetSystemCall(vfs, "pread64", function);
}

static void a_read_that_fails_is_no_damage_and_a_short_one_is(void **state)
{
    struct fixture *fixture = *state;
    uint64_t hash;
    make_sample(fixture);
    uint64_t content = content_of(fixture);
    set_pread((sqlite3_syscall_ptr)failing_pread);
    reading = READ_FAILS;
    assert_int_equal(read_content(fixture, &hash), FATAL);
    assert_text(fixture->error.text, "disk I/O error");
    struct store *store = NULL;
    assert_int_equal(store_open(&store, fixture->path, &identity, &fixture->found, &fixture->note,
                                &fixture->error),
                     FATAL);
    assert_int_equal(fixture->error.exit_code, EXIT_IO);
    assert_text(fixture->error.text, "see to its file system");
    reading = READ_WELL;
    open_store(fixture);
    assert_int_equal(fixture->found, STORE_KEPT);
    assert_true(content_of(fixture) == content);
    close_store(fixture);
    reading = READ_SHORT;
    assert_int_equal(read_content(fixture, &hash), FATAL);
    assert_text(fixture->error.text, "beyond the end of the file");
    reading = READ_WELL;
    set_pread(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_has_a_checksum_on_every_page),
        TEST(a_first_transaction_larger_than_the_cache_has_them_too),
        TEST(every_flipped_bit_is_seen_when_its_page_is_read),
        TEST(a_part_of_a_page_is_checked_with_its_page),
        TEST(a_flipped_bit_is_found_by_a_reader_or_changes_nothing),
        TEST(a_torn_page_is_found),
        TEST(a_page_in_anothers_place_and_a_page_of_zeros_are_found),
        TEST(a_truncated_file_is_found),
        TEST(a_start_sets_a_rotten_file_aside),
        TEST(rot_that_a_start_does_not_see_is_fatal_when_it_is_read),
        TEST(a_copy_from_the_middle_of_a_transaction_recovers),
        TEST(a_file_cut_short_beneath_its_wal_is_found),
        TEST(a_flipped_bit_in_the_wal_is_found_or_changes_nothing),
        TEST(a_rotten_frame_is_not_copied_into_the_file),
        TEST(a_transaction_larger_than_the_cache_raises_no_alarm),
        TEST(an_older_file_is_used_as_it_is),
        TEST(a_shell_can_read_a_closed_file),
        TEST(a_file_that_a_shell_has_checkpointed_is_set_aside),
        TEST(a_read_that_fails_is_no_damage_and_a_short_one_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
