/* plan_commit.h - a plan as the transaction that carries it out. */
#ifndef WEIR_TOOLS_PLAN_COMMIT_H
#define WEIR_TOOLS_PLAN_COMMIT_H

#include "doctor/plan.h"
#include "doctor/tasks.h"

enum { PLAN_COMMIT_MS = 300 * 1000 }; /* its time-out: a changelog of many rows takes its time */

/* Fills `rows` with what the plan writes to the changelog. `recreated`: the topic is new, there is
 * nothing to delete. FATAL when the state file cannot be used. */
MUST_CHECK enum outcome plan_rows(const struct tasks *tasks, const struct task_facts *facts,
                                  const struct plan *plan, bool recreated, struct write_set *rows,
                                  struct error *error);

/* Commits: runtime/repair.h. */
MUST_CHECK enum outcome plan_commit(struct port *port, struct producer *producer,
                                    const struct task_facts *facts, const struct plan *plan,
                                    const struct write_set *rows, struct error *error);

#endif
