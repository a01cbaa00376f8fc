/* fuzz_state.c - libFuzzer: a good state file, damaged anywhere. It opens, is set aside, or is
 * refused with an error; what opens is read to the end, as rows, or with an error after which the
 * next open sets it aside. An undamaged file is opened as it is.
 *
 * The file is as a clean close leaves it, or as kill -9 does, with its rows in the WAL. It may come
 * with the witness that saves an open the look at the whole file: the disk's own damage. Input: one
 * byte of `enum how`, two bytes of how much is cut off, then edits of four bytes: where (the
 * highest bit: in the WAL) and the bits to flip there.
 */
#define FUZZ_KEEPS_STATE
#include "fuzz.h"

#include "../unit/store_fixture.h"
#include "codec/codec.h"
#include "store/internal.h"

enum how { KILLED = 1, WITNESSED = 2, CUT_WAL = 4 };
enum { DATABASE, WAL, FILES, ROWS = 40 };

struct image {
    struct buffer files[FILES];
};

static char path[100], wal_path[104], lock_path[108];

static void read_file(const char *name, struct buffer *out)
{
    FILE *file = fopen(name, "re");
    size_t size = 1;
    buffer_reset(out);
    while (file && size > 0) {
        size = fread(buffer_reserve(out, 4096), 1, 4096, file);
        out->size += size;
    }
    if (file) {
        fclose(file);
    }
}

static void take_image(struct image *image)
{
    read_file(path, &image->files[DATABASE]);
    read_file(wal_path, &image->files[WAL]);
}

static void write_rows(struct fixture *fixture)
{
    for (int i = 0; i < ROWS; i++) {
        struct part parts[2] = {{"bolt", i}, {"nut", -i}};
        struct item item = {
            .sku = i % 2 ? "sku-\xC3\xA9" : "a longer name of a thing that one can buy",
            .seq = i * INT64_C(1000000007),
            .qty = i,
            .open = i % 3 == 0,
            .order = (enum colour)(i % COLOURS),
            .has_limit = i % 4 == 0,
            .limit = -i,
            .note = i % 5 ? NULL : "a note",
            .blob = {(const uint8_t *)"\0\1\2\xFF", (size_t)i % 5},
            .parts = {parts, (size_t)i % 3},
        };
        struct timer_row timer = {.kind = i % 2 ? "hold" : "saga", .key = "k", .due_ms = i};
        begin(fixture);
        assert_ok(fixture, store_put(fixture->store, &items, &item, &fixture->error));
        assert_ok(fixture, store_put(fixture->store, &timers, &timer, &fixture->error));
        keep(fixture);
    }
    commit(fixture);
}

static const struct image *images(void)
{
    static struct image made[2];
    if (!path[0]) {
        struct fixture fixture = {0};
        snprintf(path, sizeof path, "%s/p3.sqlite", fuzz_directory());
        snprintf(wal_path, sizeof wal_path, "%s-wal", path);
        snprintf(lock_path, sizeof lock_path, "%s.lock", path);
        memcpy(fixture.path, path, sizeof path);
        open_store(&fixture);
        write_rows(&fixture);
        take_image(&made[KILLED]);
        close_store(&fixture);
        take_image(&made[0]);
    }
    return made;
}

/* ---- the damage ---- */

static void cut(struct buffer *file, size_t bytes)
{
    file->size -= bytes < file->size ? bytes : file->size;
}

/* false: nothing was changed. */
static bool damage(struct image *image, enum how how, struct fuzz_input *input)
{
    uint32_t bytes = fuzz_number(input, 2);
    bool changed = bytes > 0;
    cut(&image->files[how & CUT_WAL ? WAL : DATABASE], bytes);
    while (input->at < input->end) {
        uint32_t where = fuzz_number(input, 3);
        uint8_t bits = fuzz_byte(input);
        struct buffer *file = &image->files[where >> 23 ? WAL : DATABASE];
        if (file->size > 0) {
            file->data[(where & 0x7fffff) % file->size] ^= bits;
            changed |= bits != 0;
        }
    }
    return changed;
}

static void put_image(const struct image *image, enum how how)
{
    fuzz_clear(fuzz_directory());
    fuzz_write_file(path, image->files[DATABASE].data, image->files[DATABASE].size);
    if (image->files[WAL].size > 0) {
        fuzz_write_file(wal_path, image->files[WAL].data, image->files[WAL].size);
    }
    if (how & WITNESSED) {
        int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        CHECK(lock >= 0);
        witness_write(lock, path);
        close(lock);
    }
}

/* ---- what must hold ---- */

static size_t read_table(struct fixture *fixture, const struct weir_store *table,
                         enum outcome *outcome)
{
    struct buffer out = {0};
    size_t count = 0;
    void *rows, *key = arena_alloc(&fixture->arena, table->record->size);
    *outcome = store_list(fixture->store, table, key, 0, SIZE_MAX, &fixture->arena, &rows, &count,
                          &fixture->error);
    for (size_t i = 0; *outcome == OK && i < count; i++) {
        codec_encode_datum(table->record, (char *)rows + i * table->record->size, &out);
    }
    buffer_release(&out);
    return *outcome == OK ? count : 0;
}

static enum outcome read_all(struct fixture *fixture, size_t *rows)
{
    struct timer_row first;
    bool found;
    enum outcome outcome;
    *rows = read_table(fixture, &items, &outcome);
    if (outcome == OK) {
        *rows += read_table(fixture, &timers, &outcome);
    }
    return outcome == OK
               ? store_first_timer(fixture->store, &fixture->arena, &first, &found, &fixture->error)
               : outcome;
}

static enum outcome write_some(struct fixture *fixture)
{
    struct store_meta meta = *store_meta(fixture->store);
    struct item item = {.sku = "new", .qty = 1};
    struct timer_row timer = {.kind = "hold", .key = "k"};
    enum outcome outcome = store_take_begin(fixture->store, &fixture->error);
    if (outcome == OK) {
        outcome = store_put(fixture->store, &items, &item, &fixture->error);
    }
    if (outcome == OK) {
        outcome = store_delete(fixture->store, &timers, &timer, &fixture->error);
    }
    if (outcome == OK && meta.commit_number < INT64_MAX) {
        meta.commit_number++;
        outcome = store_take_keep(fixture->store, &meta, &fixture->error);
    }
    return outcome == OK && meta.commit_number < INT64_MAX
               ? store_commit(fixture->store, &fixture->error)
               : outcome;
}

static enum outcome open_it(struct fixture *fixture)
{
    fixture->store = NULL;
    return store_open(&fixture->store, path, &identity, &fixture->found, &fixture->note,
                      &fixture->error);
}

/* An error names the file. One that says damage is the last of it. */
static void check_error(struct fixture *fixture, enum outcome outcome)
{
    bool is_damage = strstr(fixture->error.text, "is damaged") != NULL;
    CHECK(outcome == FATAL || outcome == ABORT);
    CHECK(strstr(fixture->error.text, path) && fixture->error.exit_code == EXIT_IO);
    store_close(fixture->store);
    if (is_damage) {
        CHECK(open_it(fixture) == OK && fixture->found == STORE_SET_ASIDE);
        store_close(fixture->store);
    }
    fixture->store = NULL;
}

static void check_open_store(struct fixture *fixture, bool changed)
{
    size_t rows;
    CHECK(fixture->found != STORE_SET_ASIDE || fixture->note.text[0]);
    CHECK(changed || fixture->found == STORE_KEPT);
    enum outcome outcome = read_all(fixture, &rows);
    CHECK(changed || (outcome == OK && rows == ROWS + 2));
    CHECK(fixture->found == STORE_KEPT || (outcome == OK && rows == 0));
    if (outcome == OK) {
        outcome = write_some(fixture);
    }
    if (outcome != OK) {
        CHECK(changed);
        check_error(fixture, outcome);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct fuzz_seed seeds[] = {
        FUZZ_SEED("closed", "\0\0\0"),        FUZZ_SEED("killed", "\1\0\0"),
        FUZZ_SEED("witnessed", "\2\0\0"),     FUZZ_SEED("header", "\0\0\0\x64\0\0\1"),
        FUZZ_SEED("row", "\2\0\0\0\x1f\0\1"), FUZZ_SEED("wal", "\3\0\0\0\0\x80\1"),
        FUZZ_SEED("cut", "\5\x10\0"),         FUZZ_SEED("two", "\3\0\0\0\x10\0\1\0\x18\0\2"),
    };
    return fuzz_seeds(*argc, *argv, seeds, sizeof seeds / sizeof *seeds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    enum how how = fuzz_byte(&input);
    const struct image *good = &images()[how & KILLED];
    struct image image = {0};
    struct fixture fixture = {0};
    arena_init(&fixture.arena);
    for (int i = 0; i < FILES; i++) {
        buffer_add(&image.files[i], good->files[i].data, good->files[i].size);
    }
    bool changed = damage(&image, how, &input);
    put_image(&image, how);
    enum outcome outcome = open_it(&fixture);
    if (outcome == OK) {
        check_open_store(&fixture, changed);
    } else {
        CHECK(changed && outcome == FATAL && fixture.error.text[0]);
    }
    store_close(fixture.store);
    arena_release(&fixture.arena);
    for (int i = 0; i < FILES; i++) {
        buffer_release(&image.files[i]);
    }
    return 0;
}
