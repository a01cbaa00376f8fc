/* test_memory_parts.c - what a task is made of, part by part, when an allocation fails: JSON,
 * schemas, records, configuration, rows of every kind.
 *
 * A part does what it does with memory enough, or aborts when an allocation of ours fails, or
 * returns an error of the world's when one of SQLite's does: never one that blames the input, the
 * file or us.
 */
#include "protocol/scarce_memory.h"
#include "unit/store_fixture.h"

#include <jansson.h>

#undef json_boolean

#include "base/buffer.h"
#include "base/conf.h"
#include "base/json.h"
#include "codec/codec.h"
#include "tally.h"

/* One part at work: what it finds goes to `out` as text. */
typedef enum outcome work(struct buffer *out, struct error *error);

/* ---- the parts ---- */

static enum outcome reading_json(struct buffer *out, struct error *error)
{
    static const char text[] = "{\"a\": [1, 2.5, null, true], \"b\": {\"c\": \"d\\u00e9\"}}";
    struct json *root;
    enum outcome outcome = json_parse(&root, text, sizeof text - 1, error);
    if (outcome == OK) {
        json_print(root, out);
        json_free(root);
    }
    return outcome;
}

static enum outcome reading_configuration(struct buffer *out, struct error *error)
{
    struct conf conf;
    conf_init(&conf);
    enum outcome outcome = conf_read(&conf, SOURCE_DIR "/config/inventory.conf", false, error);
    for (size_t i = 0; i < conf.count; i++) {
        buffer_format(out, "%s=%s\n", conf.entries[i].key, conf.entries[i].value);
    }
    conf_release(&conf);
    return outcome;
}

/* The tally's schemas, parsed, resolved and planned. */
static enum outcome decoding_and_encoding(struct buffer *out, struct error *error)
{
    static const struct weir_record *const records[] = {&tally_event_record, &total_record, NULL};
    struct tally_event event = {.payload_branch = TALLY_EVENT_ADD,
                                .payload.add = {.name = "n", .n = 7}};
    struct tally_event again;
    struct codec *codec;
    struct arena arena;
    struct buffer bytes;
    enum outcome outcome = codec_open(&codec, records, NULL, error);
    if (outcome != OK) {
        return outcome;
    }
    arena_init(&arena);
    buffer_init(&bytes);
    codec_encode(&tally_event_record, &event, &bytes);
    if (codec_decode(codec, &tally_event_record, (struct weir_bytes){bytes.data, bytes.size},
                     &arena, &again, error) == DECODED) {
        record_to_json(&tally_event_record, &again, out);
    } else {
        outcome = FATAL;
    }
    buffer_release(&bytes);
    arena_release(&arena);
    codec_close(codec);
    return outcome;
}

static enum outcome reading_a_record_in_json(struct buffer *out, struct error *error)
{
    static const char text[] =
        "{\"sku\": \"A\", \"seq\": 1, \"qty\": 2, \"open\": true, \"order\": "
        "\"GREEN\", \"limit\": 9, \"note\": \"n\", \"blob\": \"00ff\", "
        "\"parts\": [{\"name\": \"p\", \"qty\": 3}]}";
    struct arena arena;
    struct item item;
    arena_init(&arena);
    enum decode_result result =
        record_from_json(&item_record, (struct weir_bytes){(const uint8_t *)text, sizeof text - 1},
                         &arena, &item, error);
    if (result == DECODED) {
        record_to_json(&item_record, &item, out);
    }
    arena_release(&arena);
    return result == DECODED ? OK : FATAL;
}

static char directory[64];

/* Whatever a take has come to, nothing keeps it from being undone. */
static enum outcome forget_rows(struct store *store, struct item *item, struct error *error)
{
    enum outcome outcome = store_take_begin(store, error);
    if (outcome != OK) {
        return outcome;
    }
    for (item->seq = 0; item->seq < 50 && outcome == OK; item->seq++) {
        outcome = store_put(store, &items, item, error);
    }
    item->seq = 0;
    struct error undoing;
    assert_int_equal(store_take_undo(store, &undoing), OK);
    return outcome;
}

static enum outcome write_rows(struct store *store, struct error *error)
{
    struct part parts[] = {{"left", 1}, {"right", 2}};
    struct item item = {.sku = "A",
                        .order = GREEN,
                        .note = "a note",
                        .blob = {(const uint8_t *)"blob", 4},
                        .parts = {parts, 2}};
    struct store_meta meta = meta_of(store_meta(store)->commit_number + 1);
    enum outcome outcome = forget_rows(store, &item, error);
    if (outcome == OK) {
        outcome = store_take_begin(store, error);
    }
    for (; item.seq < 3 && outcome == OK; item.seq++) {
        outcome = store_put(store, &items, &item, error);
    }
    if (outcome == OK) {
        outcome = store_delete(store, &items, &(struct item){.sku = "A", .seq = 1}, error);
    }
    if (outcome == OK) {
        outcome = store_take_keep(store, &meta, error);
    }
    return outcome == OK ? store_commit(store, error) : outcome;
}

static enum outcome read_rows(struct store *store, struct arena *arena, struct buffer *out,
                              struct error *error)
{
    struct item key = {.sku = "A", .note = "a note"};
    struct item one = {0};
    struct item *list = NULL, *noted = NULL;
    size_t count = 0, noted_count = 0;
    bool found = false;
    enum outcome outcome = store_get(store, &items, &key, arena, &one, &found, error);
    if (outcome == OK) {
        outcome = store_list(store, &items, &key, 1, 0, arena, (void **)&list, &count, error);
    }
    if (outcome == OK) {
        outcome =
            store_scan(store, &items, &key, ITEM_NOTE, arena, (void **)&noted, &noted_count, error);
    }
    if (outcome == OK) {
        buffer_format(out, "%d %zu %zu ", found, count, noted_count);
        record_to_json(&item_record, &one, out);
        record_to_json(&item_record, &list[count - 1], out);
    }
    return outcome;
}

static bool draw(void *context, int columns, const char *const *names, const char *const *values,
                 const int *types)
{
    (void)columns, (void)names, (void)types;
    buffer_format(context, " %s", values[0] ? values[0] : "NULL");
    return true;
}

static enum outcome count_rows(void *context, const char *path, struct error *error)
{
    return store_query(path, "SELECT seq FROM item ORDER BY seq", draw, context, error);
}

/* Two lives of a file: made and filled; opened, read, looked at from outside. A file that was set
 * aside would be missed. */
static enum outcome keeping_rows(struct buffer *out, struct error *error)
{
    char path[96];
    struct error note;
    struct arena arena;
    snprintf(path, sizeof path, "%s/p.sqlite", directory);
    arena_init(&arena);
    enum outcome outcome = OK;
    for (int life = 0; life < 2 && outcome == OK; life++) {
        struct store *store = NULL;
        enum store_found found;
        outcome = store_open(&store, path, &identity, &found, &note, error);
        if (outcome == OK && life == 0) {
            outcome = write_rows(store, error);
        } else if (outcome == OK) {
            buffer_format(out, "%s ", found == STORE_KEPT ? "kept" : note.text);
            outcome = read_rows(store, &arena, out, error);
        }
        store_close(store);
    }
    if (outcome == OK) {
        outcome = count_rows(out, path, error);
    }
    arena_release(&arena);
    return outcome;
}

/* ---- one allocation fails ---- */

enum end { AS_EVER = 10, ABORTED, WORLD_FAILED, WRONG };

static enum end attempt(work *part, const char *expected, enum memory_owner owner, long site)
{
    struct buffer out;
    struct error error = {0};
    buffer_init(&out);
    if (setjmp(scarce_memory_death)) {
        return ABORTED;
    }
    scarce_memory_begin(owner, site);
    scarce_memory_runs(true);
    enum outcome outcome = part(&out, &error);
    scarce_memory_runs(false);
    scarce_memory_end();
    if (outcome == OK && strcmp(buffer_string(&out), expected) == 0) {
        return AS_EVER;
    }
    if (outcome != OK && error.exit_code == EXIT_IO && strstr(error.text, "out of memory")) {
        return WORLD_FAILED;
    }
    printf("outcome %d, %d: %s\n--- expected\n%s\n--- found\n%s\n", (int)outcome, error.exit_code,
           error.text, expected, buffer_string(&out));
    return WRONG;
}

static void remove_all(void)
{
    (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_directory(void)
{
    snprintf(directory, sizeof directory, "%s/weir-memory-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(directory));
}

/* In a process of its own: what is left behind is not freed. */
static enum end in_a_child(work *part, const char *expected, enum memory_owner owner, long site)
{
    make_directory();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr); /* "out of memory", again and again */
        exit((int)attempt(part, expected, owner, site));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    remove_all();
    if (!WIFEXITED(status) || WEXITSTATUS(status) < AS_EVER || WEXITSTATUS(status) >= WRONG) {
        fail_msg("allocation %ld of %s: status 0x%x", site, owner == OURS ? "ours" : "SQLite's",
                 (unsigned)status);
    }
    return (enum end)WEXITSTATUS(status);
}

static void fail_each(work *part, enum memory_owner owner)
{
    struct buffer out;
    struct error error;
    int ends[WRONG] = {0};
    buffer_init(&out);
    make_directory();
    scarce_memory_begin(owner, 0);
    scarce_memory_runs(true);
    enum outcome outcome = part(&out, &error);
    scarce_memory_runs(false);
    scarce_memory_end();
    remove_all();
    assert_int_equal(outcome, OK);
    long sites = scarce_memory_sites();
    const char *expected = buffer_string(&out);
    for (long site = 1; site <= sites; site++) {
        ends[in_a_child(part, expected, owner, site)]++;
    }
    print_message("             %ld sites: %d aborts, %d errors, %d as ever\n", sites,
                  ends[ABORTED], ends[WORLD_FAILED], ends[AS_EVER]);
    assert_true(sites > 0);
    if (owner == OURS) {
        assert_int_equal(ends[WORLD_FAILED] + ends[AS_EVER], 0);
    }
    buffer_release(&out);
}

static void aborts_reading_json(void **state)
{
    (void)state;
    fail_each(reading_json, OURS);
}

static void aborts_reading_a_record_in_json(void **state)
{
    (void)state;
    fail_each(reading_a_record_in_json, OURS);
}

static void aborts_decoding_and_encoding(void **state)
{
    (void)state;
    fail_each(decoding_and_encoding, OURS);
}

static void aborts_reading_configuration(void **state)
{
    (void)state;
    fail_each(reading_configuration, OURS);
}

static void aborts_keeping_rows(void **state)
{
    (void)state;
    fail_each(keeping_rows, OURS);
}

static void says_that_sqlite_has_no_memory(void **state)
{
    (void)state;
    fail_each(keeping_rows, SQLITES);
}

/* jansson would tell a lack of memory as a text that is not JSON: it must ask us. */
static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

static void jansson_asks_us_for_memory(void **state)
{
    (void)state;
    struct buffer out;
    struct error error;
    buffer_init(&out);
    json_set_alloc_funcs(no_memory, free);
    assert_int_equal(reading_json(&out, &error), OK);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jansson_asks_us_for_memory),
        cmocka_unit_test(aborts_reading_json),
        cmocka_unit_test(aborts_reading_a_record_in_json),
        cmocka_unit_test(aborts_decoding_and_encoding),
        cmocka_unit_test(aborts_reading_configuration),
        cmocka_unit_test(aborts_keeping_rows),
        cmocka_unit_test(says_that_sqlite_has_no_memory),
    };
    scarce_memory_register();
    return cmocka_run_group_tests_name("memory, part by part", tests, NULL, NULL);
}
