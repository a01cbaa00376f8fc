/* store_fixture.h - a store in a directory of its own, with hand-written tables, for the tests of
 * lib/store.
 *
 * `item` has a column of every kind and a key of two fields; `timer_row` is what the runtime's
 * timer.avsc gives. The names "order" and "limit" are words of SQL on purpose.
 */
#ifndef WEIR_TEST_STORE_FIXTURE_H
#define WEIR_TEST_STORE_FIXTURE_H

/* Before cmocka.h, whose macro `fail` would hit the function of that name. */
#include "store/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- tables ---- */

enum colour { RED, GREEN, BLUE, COLOURS };

struct part {
    const char *name;
    int32_t qty;
};

struct item {
    const char *sku;
    int64_t seq;
    int32_t qty;
    bool open;
    enum colour order;
    bool has_limit;
    int64_t limit;
    const char *note; /* or NULL */
    struct weir_bytes blob;
    struct {
        struct part *items;
        size_t count;
    } parts;
};

struct timer_row {
    const char *kind;
    const char *key;
    int64_t due_ms;
};

static const char *const colour_symbols[] = {"RED", "GREEN", "BLUE", NULL};
static const struct weir_enum colours = {.name = "test.Colour",
                                         .symbols = colour_symbols,
                                         .symbol_count = COLOURS,
                                         .default_symbol = -1};

static const struct weir_field part_fields[] = {
    {.name = "name", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct part, name)},
    {.name = "qty", .type = {.kind = WEIR_INT}, .offset = offsetof(struct part, qty)},
};
static const struct weir_record part_record = {.name = "test.Part",
                                               .short_name = "Part",
                                               .fields = part_fields,
                                               .field_count = 2,
                                               .size = sizeof(struct part)};
static const struct weir_type part_type = {.kind = WEIR_RECORD, .record = &part_record};

enum { ITEM_SKU, ITEM_SEQ, ITEM_QTY, ITEM_OPEN, ITEM_ORDER, ITEM_LIMIT, ITEM_NOTE };

static const struct weir_field item_fields[] = {
    {.name = "sku", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct item, sku)},
    {.name = "seq", .type = {.kind = WEIR_LONG}, .offset = offsetof(struct item, seq)},
    {.name = "qty", .type = {.kind = WEIR_INT}, .offset = offsetof(struct item, qty)},
    {.name = "open", .type = {.kind = WEIR_BOOLEAN}, .offset = offsetof(struct item, open)},
    {.name = "order",
     .type = {.kind = WEIR_ENUM, .symbols = &colours},
     .offset = offsetof(struct item, order)},
    {.name = "limit",
     .type = {.kind = WEIR_LONG, .nullable = true, .null_is_first = true},
     .offset = offsetof(struct item, limit),
     .has_offset = offsetof(struct item, has_limit)},
    {.name = "note",
     .type = {.kind = WEIR_STRING, .nullable = true, .null_is_first = true},
     .offset = offsetof(struct item, note)},
    {.name = "blob",
     .type = {.kind = WEIR_BYTES, .nullable = true, .null_is_first = true},
     .offset = offsetof(struct item, blob)},
    {.name = "parts",
     .type = {.kind = WEIR_ARRAY, .items = &part_type, .item_size = sizeof(struct part)},
     .offset = offsetof(struct item, parts)},
};
static const struct weir_record item_record = {.name = "test.Item",
                                               .short_name = "Item",
                                               .fields = item_fields,
                                               .field_count = 9,
                                               .size = sizeof(struct item),
                                               .fingerprint = 0x1234567890abcdef};
static const uint16_t item_keys[] = {ITEM_SKU, ITEM_SEQ};
static const struct weir_store items = {
    .name = "item",
    .record = &item_record,
    .key_fields = item_keys,
    .key_field_count = 2,
    .create_sql = "CREATE TABLE \"item\" (\"sku\" TEXT NOT NULL, \"seq\" INTEGER NOT NULL, "
                  "\"qty\" INTEGER NOT NULL, \"open\" INTEGER NOT NULL, \"order\" TEXT NOT NULL, "
                  "\"limit\" INTEGER, \"note\" TEXT, \"blob\" BLOB, \"parts\" TEXT NOT NULL, "
                  "PRIMARY KEY (\"sku\", \"seq\"), CHECK (qty >= 0)) STRICT, WITHOUT ROWID",
};

static const struct weir_field timer_fields[] = {
    {.name = "kind", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct timer_row, kind)},
    {.name = "key", .type = {.kind = WEIR_STRING}, .offset = offsetof(struct timer_row, key)},
    {.name = "due_ms", .type = {.kind = WEIR_LONG}, .offset = offsetof(struct timer_row, due_ms)},
};
static const struct weir_record timer_record = {.name = "weir.runtime.TimerRow",
                                                .short_name = "TimerRow",
                                                .fields = timer_fields,
                                                .field_count = 3,
                                                .size = sizeof(struct timer_row),
                                                .fingerprint = 0x77};
static const uint16_t timer_keys[] = {0, 1};
static const struct weir_store timers = {
    .name = "timer_row",
    .record = &timer_record,
    .key_fields = timer_keys,
    .key_field_count = 2,
    .create_sql = "CREATE TABLE \"timer_row\" (\"kind\" TEXT NOT NULL, \"key\" TEXT NOT NULL, "
                  "\"due_ms\" INTEGER NOT NULL, PRIMARY KEY (\"kind\", \"key\")) STRICT, "
                  "WITHOUT ROWID",
};

static const struct weir_store *const all_tables[] = {&items, &timers, NULL};
static const struct store_identity identity = {.application_id = "test",
                                               .partition = 3,
                                               .tables = all_tables};

/* ---- the fixture ---- */

struct fixture {
    char directory[64];
    char path[160];
    struct store *store;
    struct arena arena;
    struct error error;
    struct error note;
    enum store_found found;
};

static inline int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.directory = "/tmp/weir-store-XXXXXX"};
    assert_non_null(mkdtemp(fixture.directory));
    snprintf(fixture.path, sizeof fixture.path, "%s/state/test.p3.db", fixture.directory);
    arena_init(&fixture.arena);
    *state = &fixture;
    return 0;
}

static inline int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    arena_release(&fixture->arena);
    return nftw(fixture->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define assert_ok(fixture, call)                              \
    do {                                                      \
        if ((call) != OK) {                                   \
            fail_msg("%s: %s", #call, (fixture)->error.text); \
        }                                                     \
    } while (0)

#define assert_text(text, part)                          \
    do {                                                 \
        if (!strstr(text, part)) {                       \
            fail_msg("no \"%s\" in \"%s\"", part, text); \
        }                                                \
    } while (0)

static inline void open_as(struct fixture *fixture, const struct store_identity *as)
{
    assert_ok(fixture, store_open(&fixture->store, fixture->path, as, &fixture->found,
                                  &fixture->note, &fixture->error));
}

static inline void open_store(struct fixture *fixture)
{
    open_as(fixture, &identity);
}

static inline void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

static inline void begin(struct fixture *fixture)
{
    assert_ok(fixture, store_take_begin(fixture->store, &fixture->error));
}

static inline struct store_meta meta_of(int64_t commit_number)
{
    return (struct store_meta){.commit_number = commit_number,
                               .changelog_offset = commit_number * 10,
                               .appended_ms = 1000 + commit_number,
                               .task_time_ms = 2000 + commit_number,
                               .incarnation = "0123456789abcdef0123456789abcdef"};
}

static inline void assert_meta(const struct store_meta *meta, int64_t commit_number)
{
    struct store_meta expected = meta_of(commit_number);
    assert_int_equal(meta->commit_number, commit_number);
    assert_int_equal(meta->changelog_offset, expected.changelog_offset);
    assert_int_equal(meta->appended_ms, expected.appended_ms);
    assert_int_equal(meta->task_time_ms, expected.task_time_ms);
    assert_string_equal(meta->incarnation, expected.incarnation);
}

static inline void keep(struct fixture *fixture)
{
    struct store_meta meta = meta_of(store_meta(fixture->store)->commit_number + 1);
    assert_ok(fixture, store_take_keep(fixture->store, &meta, &fixture->error));
}

static inline void undo(struct fixture *fixture)
{
    assert_ok(fixture, store_take_undo(fixture->store, &fixture->error));
}

static inline void commit(struct fixture *fixture)
{
    assert_ok(fixture, store_commit(fixture->store, &fixture->error));
}

static inline void put_qty(struct fixture *fixture, const char *sku, int64_t seq, int32_t qty)
{
    struct item item = {.sku = sku, .seq = seq, .qty = qty};
    assert_ok(fixture, store_put(fixture->store, &items, &item, &fixture->error));
}

static inline void delete_item(struct fixture *fixture, const char *sku, int64_t seq)
{
    struct item key = {.sku = sku, .seq = seq};
    assert_ok(fixture, store_delete(fixture->store, &items, &key, &fixture->error));
}

/* The row's quantity, or -1. */
static inline int32_t qty_of(struct fixture *fixture, const char *sku, int64_t seq)
{
    struct item key = {.sku = sku, .seq = seq}, row;
    bool found = false;
    assert_ok(fixture, store_get(fixture->store, &items, &key, &fixture->arena, &row, &found,
                                 &fixture->error));
    return found ? row.qty : -1;
}

/* One row in a take of its own, committed. */
static inline void commit_qty(struct fixture *fixture, const char *sku, int64_t seq, int32_t qty)
{
    begin(fixture);
    put_qty(fixture, sku, seq, qty);
    keep(fixture);
    commit(fixture);
}

/* Runs `act` in a process that then ends normally. */
static inline void in_a_process(struct fixture *fixture, void (*act)(struct fixture *))
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        act(fixture);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Runs `act` in a process that dies by SIGKILL in it, or when it returns. */
static inline void in_a_process_that_is_killed(struct fixture *fixture,
                                               void (*act)(struct fixture *))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        act(fixture);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static inline int64_t size_of(const char *path, const char *suffix)
{
    char name[256];
    struct stat status;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &status) == 0 ? (int64_t)status.st_size : -1;
}

static inline unsigned seed_random(void)
{
    const char *given = getenv("WEIR_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("seed: run again with WEIR_SEED=%u\n", seed);
    srand(seed);
    return seed;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
