/* fold.c - I28: the latest value of every changelog key is the row in the file, and there is no
 * other row.
 *
 * Rows are known by 64-bit hashes of their key and of their text. With ten million rows the odds
 * that two keys collide are one in 400,000; such a collision would look like a difference, never
 * hide one.
 */
#include "fold.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "codec/key.h"
#include "internal.h"
#include "store/store.h"

enum { SLOTS_FIRST = 1024 };

#define CHECKPOINT_KEY "checkpoint"

struct row {
    uint64_t key, text; /* hashes; key 0: a free slot */
    int64_t offset;     /* of the last changelog record */
    bool exists, in_file;
};

struct fold {
    struct audit *audit;
    const char *changelog;
    int32_t partition;
    const struct weir_store *const *tables;
    int64_t commit_number; /* the file's */
    int64_t reached;       /* the last checkpoint read */
    bool complete;
    struct row *rows;
    size_t slots, used;
    struct buffer key, text;
    /* while the file is read */
    const struct weir_store *table;
    const char *path;
};

struct fold *fold_open(struct audit *audit, const char *changelog, int32_t partition,
                       const struct weir_store *const *tables, int64_t commit_number)
{
    struct fold *fold = xcalloc(1, sizeof *fold);
    *fold = (struct fold){
        .audit = audit,
        .changelog = changelog,
        .partition = partition,
        .tables = tables,
        .commit_number = commit_number,
        .complete = commit_number == 0,
        .rows = xcalloc(SLOTS_FIRST, sizeof *fold->rows),
        .slots = SLOTS_FIRST,
    };
    buffer_init(&fold->key);
    buffer_init(&fold->text);
    return fold;
}

void fold_close(struct fold *fold)
{
    if (!fold) {
        return;
    }
    buffer_release(&fold->key);
    buffer_release(&fold->text);
    free(fold->rows);
    free(fold);
}

bool fold_is_complete(const struct fold *fold)
{
    return fold->complete;
}

/* ---- rows ---- */

static size_t slot_of(const struct fold *fold, uint64_t key)
{
    size_t mask = fold->slots - 1, at = (size_t)(key ^ key >> 32) & mask;
    while (fold->rows[at].key != 0 && fold->rows[at].key != key) {
        at = (at + 1) & mask;
    }
    return at;
}

/* Makes room; deleted rows are forgotten on the way. */
static void make_room(struct fold *fold)
{
    struct row *old = fold->rows;
    size_t old_slots = fold->slots, alive = 0;
    for (size_t i = 0; i < old_slots; i++) {
        alive += old[i].exists;
    }
    fold->slots = alive * 2 > old_slots ? old_slots * 2 : old_slots;
    fold->rows = xcalloc(fold->slots, sizeof *fold->rows);
    fold->used = alive;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].exists) {
            fold->rows[slot_of(fold, old[i].key)] = old[i];
        }
    }
    free(old);
}

static struct row *row_get(struct fold *fold, uint64_t key)
{
    if ((fold->used + 1) * 4 > fold->slots * 3) {
        make_room(fold);
    }
    struct row *row = &fold->rows[slot_of(fold, key)];
    fold->used += row->key == 0;
    row->key = key;
    return row;
}

/* Of the key's text in fold->key; never 0. */
static uint64_t key_hash(const struct fold *fold, const struct weir_store *table)
{
    uint64_t hash = hash_bytes(0, table->name, strlen(table->name));
    return hash_bytes(hash, fold->key.data, fold->key.size) | 1;
}

static const struct weir_store *table_named(const struct fold *fold, const char *name)
{
    for (size_t i = 0; fold->tables[i]; i++) {
        if (strcmp(fold->tables[i]->name, name) == 0) {
            return fold->tables[i];
        }
    }
    return NULL;
}

/* ---- the changelog ---- */

static void add_key(const struct weir_store *table, const void *row, struct buffer *out)
{
    for (size_t i = 0; i < table->key_field_count; i++) {
        buffer_add_byte(out, i > 0 ? ' ' : '(');
        field_to_json(&table->record->fields[table->key_fields[i]], row, out);
    }
    buffer_add_byte(out, ')');
}

static void read_checkpoint(struct fold *fold, const struct place *at, struct weir_bytes value)
{
    struct checkpoint checkpoint;
    struct error error;
    if (codec_decode(fold->audit->codec, &checkpoint_record, value, &fold->audit->arena,
                     &checkpoint, &error) != DECODED) {
        broken(fold->audit, I28, at, "expected a checkpoint, found: %s", error.text);
        return;
    }
    fold->reached = checkpoint.commit_number;
    fold->complete = checkpoint.commit_number >= fold->commit_number;
}

static void read_row(struct fold *fold, const struct place *at, const struct weir_store *table,
                     struct weir_bytes key, struct weir_bytes value)
{
    struct arena *arena = &fold->audit->arena;
    struct error error;
    void *row = arena_alloc(arena, table->record->size);
    if (!key_decode(table, key, arena, row)) {
        broken(fold->audit, I28, at, "expected a key of %s, found %zu other bytes", table->name,
               key.size);
        return;
    }
    buffer_reset(&fold->key);
    add_key(table, row, &fold->key);
    struct row *known = row_get(fold, key_hash(fold, table));
    known->offset = at->offset;
    known->exists = value.data != NULL;
    if (!known->exists) {
        return;
    }
    if (codec_decode(fold->audit->codec, table->record, value, arena, row, &error) != DECODED) {
        broken(fold->audit, I28, at, "expected a row of %s, found: %s", table->name, error.text);
        return;
    }
    buffer_reset(&fold->text);
    add_key(table, row, &fold->text);
    if (fold->text.size != fold->key.size ||
        memcmp(fold->text.data, fold->key.data, fold->key.size) != 0) {
        broken(fold->audit, I28, at, "expected a row of %s with the key %s, found %s", table->name,
               buffer_string(&fold->key), buffer_string(&fold->text));
    }
    buffer_reset(&fold->text);
    record_to_json(table->record, row, &fold->text);
    known->text = hash_bytes(0, fold->text.data, fold->text.size);
}

void fold_record(struct fold *fold, int64_t offset, struct weir_bytes key, struct weir_bytes value)
{
    if (fold->complete) {
        return;
    }
    struct place at = {fold->changelog, fold->partition, offset};
    arena_reset(&fold->audit->arena);
    size_t length = strlen(CHECKPOINT_KEY);
    if (key.size == length && memcmp(key.data, CHECKPOINT_KEY, length) == 0) {
        read_checkpoint(fold, &at, value);
        return;
    }
    const char *name = arena_strndup(&fold->audit->arena, (const char *)key.data, key.size);
    size_t used = strlen(name) + 1;
    const struct weir_store *table = used <= key.size ? table_named(fold, name) : NULL;
    if (!table) {
        broken(fold->audit, I28, &at, "expected the key of a table, found '%s'", name);
        return;
    }
    read_row(fold, &at, table, (struct weir_bytes){key.data + used, key.size - used}, value);
}

/* ---- the file ---- */

void fold_missing(struct audit *audit, const char *path, const char *why)
{
    struct place at = {path, -1, -1};
    broken(audit, I28, &at, "%s", why);
}

/* One column as record_to_json writes its field. */
static void add_column(struct buffer *out, const struct weir_field *field, const char *value)
{
    if (!value) {
        buffer_add_string(out, "null");
        return;
    }
    switch (field->type.kind) {
    case WEIR_BOOLEAN:
        buffer_add_string(out, strcmp(value, "0") == 0 ? "false" : "true");
        break;
    case WEIR_STRING:
        json_quote(out, value, strlen(value));
        break;
    case WEIR_ENUM:
    case WEIR_BYTES: /* store_query gives hex */
        buffer_format(out, "\"%s\"", value);
        break;
    case WEIR_INT:
    case WEIR_LONG:
    case WEIR_RECORD: /* JSON as it is */
    case WEIR_ARRAY:
    case WEIR_UNION:
        buffer_add_string(out, value);
        break;
    }
}

static bool compare_row(void *context, int columns, const char *const *names,
                        const char *const *values, const int *types)
{
    struct fold *fold = context;
    const struct weir_store *table = fold->table;
    (void)types;
    CHECK_EQUAL(columns, table->record->field_count);
    buffer_reset(&fold->key);
    for (size_t i = 0; i < table->key_field_count; i++) {
        uint16_t field = table->key_fields[i];
        buffer_add_byte(&fold->key, i > 0 ? ' ' : '(');
        add_column(&fold->key, &table->record->fields[field], values[field]);
    }
    buffer_add_byte(&fold->key, ')');
    buffer_reset(&fold->text);
    for (int i = 0; i < columns; i++) {
        buffer_format(&fold->text, "%s\"%s\":", i > 0 ? "," : "{", names[i]);
        add_column(&fold->text, &table->record->fields[i], values[i]);
    }
    buffer_add_byte(&fold->text, '}');
    struct row *row = &fold->rows[slot_of(fold, key_hash(fold, table))];
    struct place at = {fold->path, -1, -1};
    checked(fold->audit, I28, 1);
    if (row->key == 0 || !row->exists) {
        broken(fold->audit, I28, &at, "%s %s: the changelog has no such row", table->name,
               buffer_string(&fold->key));
    } else if (row->text != hash_bytes(0, fold->text.data, fold->text.size)) {
        row->in_file = true;
        broken(fold->audit, I28, &at,
               "%s %s: expected the row as in %s/%" PRId32 "/%" PRId64 ", found %s", table->name,
               buffer_string(&fold->key), fold->changelog, fold->partition, row->offset,
               buffer_string(&fold->text));
    } else {
        row->in_file = true;
    }
    return true;
}

static void read_table(struct fold *fold, const struct weir_store *table)
{
    struct buffer sql;
    struct error error;
    buffer_init(&sql);
    for (size_t i = 0; i < table->record->field_count; i++) {
        buffer_format(&sql, "%s\"%s\"", i > 0 ? ", " : "SELECT ", table->record->fields[i].name);
    }
    buffer_format(&sql, " FROM \"%s\"", table->name);
    fold->table = table;
    if (store_query(fold->path, buffer_string(&sql), compare_row, fold, &error) != OK) {
        fold_missing(fold->audit, fold->path, error.text);
    }
    buffer_release(&sql);
}

/* Can the file be compared at all? */
static bool meets(struct fold *fold)
{
    struct place at = {fold->path, -1, -1};
    if (!fold->complete) {
        broken(fold->audit, I28, &at,
               "stands at commit %" PRId64 ": expected a checkpoint of it in %s/%" PRId32
               ", found none after commit %" PRId64 "; the file is ahead of Kafka",
               fold->commit_number, fold->changelog, fold->partition, fold->reached);
        return false;
    }
    if (fold->reached > fold->commit_number) {
        broken(fold->audit, I28, &at,
               "stands at commit %" PRId64 ", which has been compacted away in %s/%" PRId32
               " (the next is %" PRId64 "); run the task once, then it can be compared",
               fold->commit_number, fold->changelog, fold->partition, fold->reached);
        return false;
    }
    return true;
}

void fold_compare(struct fold *fold, const char *path)
{
    fold->path = path;
    if (!meets(fold)) {
        return;
    }
    for (size_t i = 0; fold->tables[i]; i++) {
        read_table(fold, fold->tables[i]);
    }
    struct store_meta meta;
    struct error error;
    if (store_peek(path, &meta, &error) == OK && meta.commit_number != fold->commit_number) {
        struct place at = {path, -1, -1};
        broken(fold->audit, I28, &at,
               "not settled: the file went from commit %" PRId64 " to %" PRId64 " meanwhile",
               fold->commit_number, meta.commit_number);
        return;
    }
    for (size_t i = 0; i < fold->slots; i++) {
        const struct row *row = &fold->rows[i];
        if (row->exists && !row->in_file) {
            struct place at = {fold->changelog, fold->partition, row->offset};
            broken(fold->audit, I28, &at, "expected this row in %s, found none", path);
        }
    }
}
