/* plan.h - what a repair would commit, decided from the facts about a task alone.
 *
 * Pure functions: a dry run and the deed come from the same lines, and every refusal is a test. A
 * plan is a commit (runtime/repair.h): the next number, an offset for every input, and perhaps
 * rows.
 */
#ifndef WEIR_TOOLS_PLAN_H
#define WEIR_TOOLS_PLAN_H

#include "doctor/facts.h"

enum plan_rows {
    ROWS_AS_THEY_ARE,
    ROWS_FORGOTTEN, /* every row of the changelog is deleted */
    ROWS_FROM_FILE, /* the changelog becomes what the state file holds */
};

struct plan {
    bool nothing_to_do;
    int64_t number;
    bool same_incarnation; /* else a new one: older state files must not be taken for this one */
    int64_t from[WEIR_LIST_MAX], to[WEIR_LIST_MAX]; /* offsets of the inputs; from -1: unknown */
    enum plan_rows rows;
    bool recreate;        /* the changelog's log itself is of no use: delete and make the topic */
    bool repeats_outputs; /* records that were handled before are handled again */
};

/* A planner decides, or refuses: FATAL with EXIT_CONFIG (it would not help; what to do instead) or
 * EXIT_TRY_AGAIN (the task has a transaction open). */
typedef enum outcome planner(const struct task_facts *facts, struct plan *plan,
                             struct error *error);

/* `weir offsets adopt`: the group goes on where the last checkpoint does. An input that it does not
 * name begins at its log's start. */
planner plan_adopt;

/* `weir reset --accept-input-loss`: inputs that were cut off, or are shorter than the committed
 * offset, go on at their log's start. */
planner plan_accept_input_loss;

/* `weir reset --changelog-from-file`: the file is at the group's commit, the changelog is not. */
planner plan_changelog_from_file;

/* Refuses unless the file is what the group stands at. */
MUST_CHECK enum outcome plan_check_file(const struct task_facts *facts, struct error *error);

/* `weir reset --forget-everything`: no rows, inputs from their log's start. */
planner plan_forget_everything;

#endif
