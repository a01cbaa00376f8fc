/* plan_commit.c - the checkpoint and the rows of a repair. */
#include "doctor/plan_commit.h"

#include <stdio.h>
#include <string.h>

#include "codec/key.h"
#include "runtime/repair.h"

static void fill_checkpoint(const struct task_facts *facts, const struct plan *plan,
                            char *incarnation, struct input_range *ranges,
                            struct checkpoint *checkpoint)
{
    const struct last_checkpoint *last = &facts->changelog;
    for (size_t i = 0; i < facts->input_count; i++) {
        /* The history is about the task: what a foreign tool said in between does not count. A
         * range without any records says that this much input was given up. */
        const char *topic = facts->inputs[i].topic;
        int64_t before = facts_checkpoint_offset(facts, topic), to = plan->to[i];
        bool gives_up = plan->rows == ROWS_AS_THEY_ARE && before >= 0 && before < to;
        ranges[i] = (struct input_range){.topic = topic,
                                         .first_offset = gives_up ? before : to,
                                         .next_offset = to};
    }
    if (plan->same_incarnation && last->found) {
        snprintf(incarnation, INCARNATION_BYTES, "%.32s", last->checkpoint.incarnation);
    } else {
        repair_incarnation(incarnation);
    }
    *checkpoint = (struct checkpoint){
        .commit_number = plan->number,
        .incarnation = incarnation,
        .row_schemas = last->found ? last->checkpoint.row_schemas : 0,
        .wall_ms = facts->now_ms,
        .inputs = {.items = ranges, .count = facts->input_count},
    };
    switch (plan->rows) {
    case ROWS_AS_THEY_ARE:
        checkpoint->task_time_ms = last->checkpoint.task_time_ms;
        break;
    case ROWS_FROM_FILE:
        checkpoint->task_time_ms = facts->meta.task_time_ms;
        break;
    case ROWS_FORGOTTEN:
        break;
    }
}

enum outcome plan_commit(struct port *port, struct producer *producer,
                         const struct task_facts *facts, const struct plan *plan,
                         const struct write_set *rows, struct error *error)
{
    char incarnation[INCARNATION_BYTES];
    struct input_range ranges[WEIR_LIST_MAX];
    struct repair repair = {
        .application_id = facts->application_id,
        .partition = facts->partition,
        .timeout_ms = PLAN_COMMIT_MS,
        .rows = rows,
    };
    fill_checkpoint(facts, plan, incarnation, ranges, &repair.checkpoint);
    return repair_commit(port, producer, &repair, error);
}

/* Every row of the file, as the changelog has it. */
static enum outcome add_file_rows(struct store *store, const struct weir_store *const *tables,
                                  struct write_set *set, struct error *error)
{
    struct arena arena;
    struct buffer key, value;
    arena_init(&arena);
    buffer_init(&key);
    buffer_init(&value);
    enum outcome outcome = store_take_begin(store, error);
    for (size_t t = 0; tables[t] && outcome == OK; t++) {
        const struct weir_store *table = tables[t];
        void *rows;
        size_t count = 0;
        arena_reset(&arena);
        outcome = store_list(store, table, NULL, 0, 0, &arena, &rows, &count, error);
        for (size_t i = 0; i < count && outcome == OK; i++) {
            const void *row = (const char *)rows + i * table->record->size;
            buffer_reset(&key);
            buffer_reset(&value);
            buffer_add(&key, table->name, strlen(table->name) + 1);
            key_encode(table, row, table->key_field_count, &key);
            codec_encode(table->record, row, &value);
            write_set_put(set, &raw_rows, (struct weir_bytes){key.data, key.size},
                          (struct weir_bytes){value.data, value.size});
        }
    }
    struct error ignored;
    (void)!store_take_undo(store, outcome == OK ? error : &ignored);
    buffer_release(&value);
    buffer_release(&key);
    arena_release(&arena);
    return outcome;
}

static enum outcome read_file(const struct tasks *tasks, const struct task_facts *facts,
                              struct write_set *set, struct error *error)
{
    struct arena arena;
    struct store *store = NULL;
    enum store_found found;
    arena_init(&arena);
    enum outcome outcome = tasks_store(tasks, facts->partition, &arena, &store, &found, error);
    if (outcome == OK &&
        (found != STORE_KEPT || store_meta(store)->commit_number != facts->meta.commit_number)) {
        outcome = fail_exit(error, EXIT_IO,
                            "the state file of partition %d turned out to be damaged, and was set "
                            "aside: it cannot stand for the changelog",
                            (int)facts->partition);
    }
    if (outcome == OK) {
        outcome = add_file_rows(store, tasks_tables(tasks->processor, &arena), set, error);
    }
    store_close(store);
    arena_release(&arena);
    return outcome;
}

enum outcome plan_rows(const struct tasks *tasks, const struct task_facts *facts,
                       const struct plan *plan, bool recreated, struct write_set *rows,
                       struct error *error)
{
    char changelog[300];
    snprintf(changelog, sizeof changelog, "%s.changelog", facts->application_id);
    enum outcome outcome = plan->rows == ROWS_FROM_FILE ? plan_check_file(facts, error) : OK;
    if (outcome == OK && plan->rows != ROWS_AS_THEY_ARE && !recreated) {
        outcome = changelog_keys(tasks->port, changelog, facts->partition, rows, error);
    }
    if (outcome == OK && plan->rows == ROWS_FROM_FILE) {
        outcome = read_file(tasks, facts, rows, error);
    }
    return outcome;
}
