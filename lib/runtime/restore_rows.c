/* restore_rows.c - a changelog's records: rows on their way to SQLite, checkpoints as they come by.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/key.h"
#include "runtime/restore_internal.h"

#define WHAT_MENDS_IT                                                       \
    "; nothing was changed. If a newer version wrote it, run that one; if " \
    "somebody else did, `weir reset %s --changelog-from-file --recreate` "  \
    "makes the changelog anew from the state files"

static enum outcome damaged(const struct task *task, const struct port_record *record,
                            struct error *error, const char *what, const char *why)
{
    return fail_exit(error, EXIT_CONFIG, "%s partition %d offset %" PRId64 ": %s: %s" WHAT_MENDS_IT,
                     task->changelog, (int)task->options.partition, record->offset, what, why,
                     task->options.application_id);
}

static enum outcome bad_checkpoint(const struct task *task, const struct port_record *record,
                                   struct error *error, const char *why)
{
    return fail_exit(error, EXIT_CONFIG,
                     "%s partition %d offset %" PRId64
                     ": checkpoint: %s; nothing was changed. `weir doctor %s` "
                     "explains, and names the command that mends it",
                     task->changelog, (int)task->options.partition, record->offset, why,
                     task->options.application_id);
}

static const struct weir_store *table_named(const struct task *task, const char *name, size_t size)
{
    for (size_t i = 0; task->tables[i]; i++) {
        if (strlen(task->tables[i]->name) == size &&
            memcmp(task->tables[i]->name, name, size) == 0) {
            return task->tables[i];
        }
    }
    return NULL;
}

enum outcome restore_row(struct task *task, const struct port_record *record, struct error *error)
{
    struct restore *restore = task->restore;
    const uint8_t *end = memchr(record->key.data, 0, record->key.size);
    if (!end) {
        return damaged(task, record, error, "not a changelog record", "its key names no table");
    }
    size_t name_size = (size_t)(end - record->key.data);
    const struct weir_store *table = table_named(task, (const char *)record->key.data, name_size);
    if (!table) {
        restore->unknown_tables++; /* a table that an older version had */
        return OK;
    }
    struct weir_bytes key = {end + 1, record->key.size - name_size - 1};
    struct weir_bytes datum = {NULL, 0};
    if (record->value.data && !codec_unframe(table->record, record->value, &datum)) {
        struct error why;
        arena_reset(&restore->arena);
        void *row = arena_alloc(&restore->arena, table->record->size);
        if (codec_decode(task->options.codec, table->record, record->value, &restore->arena, row,
                         &why) != DECODED) {
            return damaged(task, record, error, table->name, why.text);
        }
        buffer_reset(&restore->scratch);
        codec_encode_datum(table->record, row, &restore->scratch);
        datum = (struct weir_bytes){restore->scratch.data, restore->scratch.size};
    }
    write_set_put(&restore->rows, table, key, datum);
    restore->row_count++;
    return OK;
}

enum outcome restore_checkpoint(struct task *task, const struct port_record *record,
                                struct error *error)
{
    struct restore *restore = task->restore;
    struct error why;
    arena_reset(&restore->checkpoint_arena);
    if (!record->value.data ||
        codec_decode(task->options.codec, &checkpoint_record, record->value,
                     &restore->checkpoint_arena, &restore->checkpoint, &why) != DECODED) {
        return bad_checkpoint(task, record, error, record->value.data ? why.text : "it is null");
    }
    const struct checkpoint *checkpoint = &restore->checkpoint;
    int64_t number = checkpoint->commit_number;
    if (number < 1 || number == INT64_MAX ||
        strlen(checkpoint->incarnation) != INCARNATION_BYTES - 1) {
        return bad_checkpoint(task, record, error, "no task has written it");
    }
    if (number <= restore->last_number) {
        return bad_checkpoint(task, record, error, "a later commit stands before it");
    }
    restore->last_number = number;
    if (!task->adopt && number > task->group_number) {
        if (task->asked_at != task->group_number) {
            task->asked_at = task->group_number;
            restore->ask_again = true;
            return fail(error, ABORT,
                        "the changelog is past commit %" PRId64 ": asking the group again",
                        task->group_number);
        }
        return fail_exit(error, EXIT_CONFIG,
                         "%s: the changelog goes on to commit %" PRId64
                         ", the group stands at commit %" PRId64
                         ": its offsets were set back, or another owner runs; nothing was changed. "
                         "`weir doctor %s` "
                         "explains, and names the command that mends it",
                         task->transactional_id, number, task->group_number,
                         task->options.application_id);
    }
    const char *own = store_meta(task->store)->incarnation;
    if (task->adopt && own[0] && strcmp(own, checkpoint->incarnation) != 0) {
        restore->ask_again = true;
        enum outcome outcome =
            truth_set_aside(task, "it belongs to another incarnation than the changelog", error);
        return outcome == OK ? fail(error, ABORT, "beginning again with an empty file") : outcome;
    }
    if (!task->adopt && number == task->group_number &&
        strcmp(checkpoint->incarnation, task->group_incarnation) != 0) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s: checkpoint %" PRId64
                         " is of incarnation %s, the group's offsets of %s; nothing was changed. "
                         "`weir doctor %s` explains, and names the command that mends it",
                         task->transactional_id, number, checkpoint->incarnation,
                         task->group_incarnation, task->options.application_id);
    }
    restore->meta.commit_number = number;
    restore->meta.changelog_offset = record->offset + 1;
    restore->meta.appended_ms = record->timestamp_ms;
    restore->meta.task_time_ms = checkpoint->task_time_ms;
    snprintf(restore->meta.incarnation, sizeof restore->meta.incarnation, "%s",
             checkpoint->incarnation);
    return OK;
}

/* ---- into the file ---- */

/* Two keys must not write one row. */
static enum outcome check_key(struct restore *restore, const struct write_entry *entry,
                              const void *row, struct error *error)
{
    buffer_reset(&restore->scratch);
    key_encode(entry->table, row, entry->table->key_field_count, &restore->scratch);
    if (restore->scratch.size == entry->key.size &&
        memcmp(restore->scratch.data, entry->key.data, entry->key.size) == 0) {
        return OK;
    }
    return fail_exit(error, EXIT_CONFIG, "a row of table %s stands under another row's key",
                     entry->table->name);
}

enum outcome restore_flush(struct task *task, struct error *error)
{
    struct restore *restore = task->restore;
    size_t count;
    struct write_entry **entries = write_set_sorted(&restore->rows, task->tables, &count);
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome == OK; i++) {
        arena_reset(&restore->row);
        void *row;
        outcome = context_read_entry(task->options.codec, entries[i], &restore->row, &row, error);
        if (outcome == OK) {
            outcome = check_key(restore, entries[i], row, error);
        }
        if (outcome == OK) {
            outcome = context_write_entry(task->store, entries[i], row, error);
        }
    }
    bool is_bad_row = outcome == FATAL && error->exit_code != EXIT_IO; /* or breaks a CHECK */
    write_set_reset(&restore->rows);
    if (is_bad_row) {
        const struct error why = *error;
        return fail_exit(error, EXIT_CONFIG, "%s: %s" WHAT_MENDS_IT, task->changelog, why.text,
                         task->options.application_id);
    }
    return outcome;
}
