/* fuzz_restore.c - libFuzzer: any records in the changelog of a task that has lost its state file.
 * The task refuses to start, and says the same at its next start; or its state is exactly the last
 * row under each key, up to the checkpoint that the group stands at, and it goes on from there.
 *
 * The real task on the broker in memory. Input: the group's commit number, 0: the offsets have
 * expired; then records of the forms in `enum form`, each with its lengths in front.
 */
#define FUZZ_KEEPS_STATE
#include "fuzz.h"

#include "codec/codec.h"
#include "codec/key.h"
#include "protocol/world.h"
#include "runtime/metadata.h"
#include "runtime_records.h"
#include "store/store.h"

enum form {
    RAW,             /* any key, any value */
    NULL_VALUE,      /* any key, no value */
    TOTAL,           /* key and datum of table `total` */
    TOTAL_GONE,      /* a tombstone of that table */
    TIMER,           /* the same for the timers */
    TIMER_GONE,      /* */
    CHECKPOINT,      /* any datum of one */
    GOOD_TOTAL,      /* a row such as a task writes: one byte of name, one of sum */
    GOOD_CHECKPOINT, /* one byte of number */
    GOOD_TIMER,      /* one byte of key, one of kind and time */
    FORMS
};

enum { RECORDS_MAX = 200, TASKS_PER_WORLD = 300 /* its logs grow */ };

#define INCARNATION "0123456789abcdef0123456789abcdef"

/* What the changelog says, in order. */
struct said {
    const struct weir_store *table; /* NULL: a checkpoint, or what is nothing to us */
    struct buffer key, value;
    bool is_null, is_last;
};

static struct world world;
static struct said said[RECORDS_MAX];
static size_t said_count;

/* ---- the changelog ---- */

static struct said *next_record(void)
{
    struct said *record = &said[said_count++];
    buffer_reset(&record->key);
    buffer_reset(&record->value);
    record->is_null = false;
    record->table = NULL;
    return record;
}

static void add_bytes(struct buffer *to, struct fuzz_input *input, int length_bytes)
{
    struct weir_bytes bytes = fuzz_bytes(input, fuzz_number(input, length_bytes));
    buffer_add(to, bytes.data, bytes.size);
}

static void add_row(struct said *record, const struct weir_store *table, struct fuzz_input *input,
                    bool gone)
{
    record->table = table;
    buffer_add(&record->key, table->name, strlen(table->name) + 1);
    add_bytes(&record->key, input, 1);
    record->is_null = gone;
    if (!gone) {
        codec_frame(table->record, &record->value);
        add_bytes(&record->value, input, 1);
    }
}

static void add_good_total(struct said *record, struct fuzz_input *input)
{
    char name[2] = {(char)('a' + fuzz_byte(input) % 8), 0};
    struct total total = {.name = name, .sum = fuzz_byte(input), .count = 1};
    record->table = &total_store;
    buffer_add(&record->key, "total", 6);
    key_encode(&total_store, &total, 1, &record->key);
    codec_encode(&total_record, &total, &record->value);
}

static void add_good_timer(struct said *record, struct fuzz_input *input)
{
    static const int64_t times[] = {INT64_MIN, 0, INT64_C(1790000000000), INT64_MAX};
    char key[2] = {(char)('a' + fuzz_byte(input) % 8), 0};
    uint8_t how = fuzz_byte(input);
    struct timer_row timer = {.kind = how & 1 ? "unknown" : "reminder",
                              .key = key,
                              .due_ms = times[how >> 1 & 3],
                              .cause_topic = "tally.events"};
    record->table = &timer_row_store;
    buffer_add(&record->key, "timer_row", 10);
    key_encode(&timer_row_store, &timer, 2, &record->key);
    codec_encode(&timer_row_record, &timer, &record->value);
}

static void add_good_checkpoint(struct said *record, struct fuzz_input *input)
{
    struct input_range range = {.topic = "tally.events"};
    struct checkpoint checkpoint = {.commit_number = fuzz_byte(input),
                                    .incarnation = INCARNATION,
                                    .inputs = {&range, 1}};
    buffer_add_string(&record->key, CHECKPOINT_KEY);
    codec_encode(&checkpoint_record, &checkpoint, &record->value);
}

static void say_record(struct fuzz_input *input)
{
    struct said *record = next_record();
    enum form form = fuzz_byte(input) % FORMS;
    switch (form) {
    case RAW:
    case NULL_VALUE:
        add_bytes(&record->key, input, 1);
        record->is_null = form == NULL_VALUE;
        if (!record->is_null) {
            add_bytes(&record->value, input, 2);
        }
        break;
    case TOTAL:
    case TOTAL_GONE:
        add_row(record, &total_store, input, form == TOTAL_GONE);
        break;
    case TIMER:
    case TIMER_GONE:
        add_row(record, &timer_row_store, input, form == TIMER_GONE);
        break;
    case CHECKPOINT:
        buffer_add_string(&record->key, CHECKPOINT_KEY);
        codec_frame(&checkpoint_record, &record->value);
        add_bytes(&record->value, input, 2);
        break;
    case GOOD_TOTAL:
        add_good_total(record, input);
        break;
    case GOOD_CHECKPOINT:
        add_good_checkpoint(record, input);
        break;
    case GOOD_TIMER:
        add_good_timer(record, input);
        break;
    case FORMS:
        break;
    }
}

/* Empty is not null. */
static struct weir_bytes bytes_of(struct buffer *buffer)
{
    return (struct weir_bytes){(const uint8_t *)buffer_string(buffer), buffer->size};
}

static void produce_all(void)
{
    const struct weir_bytes null = {NULL, 0};
    for (size_t i = 0; i < said_count; i++) {
        broker_produce(world.broker, "tally.changelog", 0, bytes_of(&said[i].key),
                       said[i].is_null ? null : bytes_of(&said[i].value), NULL, 0);
    }
}

/* ---- the world ---- */

static void close_world(void)
{
    if (world.broker) {
        world_close(&world);
        world.broker = NULL;
    }
}

static void begin(int64_t number)
{
    static unsigned tasks;
    if (tasks++ % TASKS_PER_WORLD == 0) {
        close_world();
        world_open(&world);
        CHECK(tasks > 1 || atexit(close_world) == 0);
    }
    char directory[96];
    snprintf(directory, sizeof directory, "%s/tally", world.directory);
    fuzz_clear(directory);
    broker_recreate_topic(world.broker, "tally.changelog");
    broker_forget_offsets(world.broker, "tally");
    if (number > 0) {
        struct port_offset offset = {.topic = "tally.events", .offset = 0};
        metadata_write(number, INCARNATION, 0, offset.metadata);
        broker_set_offsets(world.broker, "tally", 0, &offset, 1);
    }
    produce_all();
}

/* Starts a task. true when its state is restored, and no record handled yet; false when it has
 * ended. */
static bool restored(void)
{
    enum outcome outcome = world_start(&world);
    for (int i = 0; outcome == OK && task_state(world.task) != TASK_RUN; i++) {
        int64_t wake_us = 0, now_us = world.port->calls->monotonic_us(world.port);
        CHECK(i < 10000);
        outcome = task_step(world.task, &wake_us, &world.error);
        if (outcome == OK && wake_us > now_us && task_state(world.task) != TASK_RUN) {
            CHECK(wake_us != INT64_MAX);
            broker_advance(world.broker, (wake_us - now_us + 999) / 1000);
        }
    }
    if (outcome != OK) {
        world_kill(&world);
    }
    return outcome == OK;
}

/* ---- what must hold ---- */

static bool same_key(const struct said *a, const struct said *b)
{
    return a->key.size == b->key.size && memcmp(a->key.data, b->key.data, a->key.size) == 0;
}

/* The number of a checkpoint that can be read, else 0. */
static int64_t number_of(const struct said *record)
{
    struct checkpoint checkpoint;
    struct error error;
    struct arena arena;
    arena_init(&arena);
    struct weir_bytes value = {record->value.data, record->value.size};
    bool is_one = record->key.size == strlen(CHECKPOINT_KEY) &&
                  memcmp(record->key.data, CHECKPOINT_KEY, record->key.size) == 0 &&
                  codec_decode(world.codec, &checkpoint_record, value, &arena, &checkpoint,
                               &error) == DECODED;
    int64_t number = is_one ? checkpoint.commit_number : 0;
    arena_release(&arena);
    return number;
}

/* A row under another row's key is written as it says, which is nothing to hold the state to. */
static bool is_under_its_own_key(const struct said *record, struct arena *arena)
{
    const struct weir_store *table = record->table;
    void *row = arena_alloc(arena, table->record->size);
    struct weir_bytes value = {record->value.data, record->value.size};
    struct buffer key = {0};
    struct error error;
    buffer_add(&key, table->name, strlen(table->name) + 1);
    if (codec_decode(world.codec, table->record, value, arena, row, &error) == DECODED) {
        key_encode(table, row, table->key_field_count, &key);
    }
    bool is = key.size == record->key.size && memcmp(key.data, record->key.data, key.size) == 0;
    buffer_release(&key);
    return is;
}

static void check_row(struct store *store, const struct said *record, struct arena *arena)
{
    const struct weir_record *layout = record->table->record;
    void *expected = arena_alloc(arena, layout->size), *row = arena_alloc(arena, layout->size);
    struct weir_bytes value = {record->value.data, record->value.size};
    struct error error;
    bool found;
    CHECK(codec_decode(world.codec, layout, value, arena, expected, &error) == DECODED);
    CHECK(store_get(store, record->table, expected, arena, row, &found, &error) == OK);
    CHECK(found && record_equal(layout, expected, row));
}

static size_t rows_in(struct store *store, const struct weir_store *table, struct arena *arena)
{
    void *rows, *key = arena_alloc(arena, table->record->size);
    struct error error;
    size_t count;
    CHECK(store_list(store, table, key, 0, SIZE_MAX, arena, &rows, &count, &error) == OK);
    return count;
}

/* `end`: how many of the records count. */
static void check_rows(struct store *store, size_t end, struct arena *arena)
{
    size_t rows = 0;
    for (size_t i = 0; i < end; i++) {
        bool is_last = said[i].table != NULL;
        for (size_t k = i + 1; k < end && is_last; k++) {
            is_last = !same_key(&said[i], &said[k]);
        }
        if (is_last && !said[i].is_null) {
            if (!is_under_its_own_key(&said[i], arena)) {
                return;
            }
            rows++;
        }
        said[i].is_last = is_last;
    }
    for (size_t i = 0; i < end; i++) {
        if (said[i].is_last && !said[i].is_null) {
            check_row(store, &said[i], arena);
        }
    }
    CHECK(rows == rows_in(store, &total_store, arena) + rows_in(store, &timer_row_store, arena));
}

static void check_state(size_t end)
{
    static const struct weir_store *const tables[] = {&total_store, &timer_row_store, NULL};
    static const struct store_identity identity = {"tally", 0, tables};
    struct store *store;
    enum store_found found;
    struct error note, error;
    struct arena arena;
    arena_init(&arena);
    CHECK(store_open(&store, world.state_path, &identity, &found, &note, &error) == OK);
    CHECK(found == STORE_KEPT);
    check_rows(store, end, &arena);
    store_close(store);
    arena_release(&arena);
}

static void check_refusal(void)
{
    int exit_code = world.error.exit_code;
    CHECK(exit_code == EXIT_CONFIG && world.error.text[0]);
    CHECK(!restored() && world.error.exit_code == exit_code);
}

/* Of raw records only those in nobody's name can be told apart. */
static void find_tables(void)
{
    static const struct weir_store *const tables[] = {&total_store, &timer_row_store};
    for (size_t i = 0; i < said_count; i++) {
        for (size_t t = 0; t < 2; t++) {
            size_t size = strlen(tables[t]->name) + 1;
            if (said[i].key.size >= size && memcmp(said[i].key.data, tables[t]->name, size) == 0) {
                said[i].table = tables[t];
            }
        }
    }
}

/* Avro's longs at both ends, and a checkpoint's inputs. */
#define MOST   "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1"
#define LEAST  "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1"
#define EVENTS "\2\30tally.events\0\0\0\0\0\0"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct fuzz_seed seeds[] = {
        FUZZ_SEED("good", "\3\7\0\5\7\1\6\10\2\7\0\7\3\2b\0\10\3"),
        FUZZ_SEED("adopt", "\0\7\0\5\10\1\7\0\6\10\2"),
        FUZZ_SEED("row", "\1\2\2a\0\4\2a\6\2\4\4s\0k\0\11\2s\2k\2\2t\0\0\10\1"),
        FUZZ_SEED("negative", "\1\2\2a\0\4\2a\1\2\10\1"),
        FUZZ_SEED("another's key", "\1\2\2a\0\4\2b\6\2\10\1"),
        FUZZ_SEED("late", "\0\6\106\0\2\100" INCARNATION "\0" MOST "\0\0" EVENTS "\0\0\0"),
        FUZZ_SEED("early", "\0\6\106\0\2\100" INCARNATION "\0" LEAST "\0\0" EVENTS "\0\0\0"),
        FUZZ_SEED("last", "\0\6\106\0" MOST "\100" INCARNATION "\0\0\0\0" EVENTS "\0\0\0"),
        FUZZ_SEED("timers", "\1\11\0\0\11\1\2\11\2\4\11\3\6\10\1"),
        FUZZ_SEED("unknown", "\1\11\0\1\10\1"),
        FUZZ_SEED("raw", "\1\0\7total\0\4\0abcd\1\2zz\10\1"),
        FUZZ_SEED("checkpoint", "\1\6\52\0\2\100" INCARNATION "\0\0\0\0\0\0\0\0"),
        FUZZ_SEED("back", "\3\10\3\7\0\5\10\1\11\6\0\10\3"),
        FUZZ_SEED("beyond", "\1\10\1\10\2"),
    };
    return fuzz_seeds(*argc, *argv, seeds, sizeof seeds / sizeof *seeds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, data + size};
    int64_t number = fuzz_byte(&input);
    said_count = 0;
    while (input.at < input.end && said_count < RECORDS_MAX) {
        say_record(&input);
    }
    find_tables();
    begin(number);
    if (!restored()) {
        check_refusal();
        return 0;
    }
    size_t end = said_count;
    for (size_t i = 0; i < said_count && number > 0; i++) {
        end = end == said_count && number_of(&said[i]) == number ? i : end;
    }
    CHECK(number == 0 || task_commit_number(world.task) == number);
    world_stop(&world);
    check_state(end);
    world_add(&world, "a name that nobody has said", 1);
    CHECK(world_start(&world) == OK);
    if (world_run(&world) == OK) {
        world_kill(&world);
    } else { /* a timer of a kind that the tally does not know */
        CHECK(world.error.exit_code == EXIT_CONFIG && strstr(world.error.text, "a timer of kind"));
    }
    return 0;
}
