/* plan.c - the four repairs, as decisions. */
#include "doctor/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum outcome refuse(const struct task_facts *facts, struct error *error, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

static enum outcome refuse(const struct task_facts *facts, struct error *error, const char *format,
                           ...)
{
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail_exit(error, EXIT_CONFIG, "%s.p%d: %s", facts->application_id, (int)facts->partition,
                     text);
}

static enum outcome refuse_open_transaction(const struct task_facts *facts, struct error *error)
{
    if (facts->group != GROUP_HELD) {
        return OK;
    }
    return fail_exit(
        error, EXIT_TRY_AGAIN,
        "%s.p%d: an open transaction holds the group's offsets; it ends within %" PRId64
        " s of its process's death, or at once with --execute",
        facts->application_id, (int)facts->partition, facts->transaction_timeout_ms / 1000);
}

/* Larger than any that was seen, so that no number is used twice. */
static int64_t next_number(const struct task_facts *facts)
{
    int64_t number = facts->group == GROUP_AT ? facts->number : 0;
    if (facts->changelog.found && facts->changelog.checkpoint.commit_number > number) {
        number = facts->changelog.checkpoint.commit_number;
    }
    if (facts->file == FILE_READ && facts->meta.commit_number > number) {
        number = facts->meta.commit_number;
    }
    return number + 1;
}

static enum outcome refuse_changelog(const struct task_facts *facts, struct error *error)
{
    if (facts->changelog.unreadable[0]) {
        return refuse(facts, error, "the last checkpoint of %s.changelog cannot be read: %s",
                      facts->application_id, facts->changelog.unreadable);
    }
    if (facts->changelog.log.low > 0) {
        return refuse(facts, error,
                      "%s.changelog begins at offset %" PRId64
                      ": it cannot rebuild the state; `weir doctor %s` names what mends that",
                      facts->application_id, facts->changelog.log.low, facts->processor);
    }
    return refuse(facts, error,
                  "%s.changelog has no checkpoint; `weir doctor %s` names what mends that",
                  facts->application_id, facts->processor);
}

static bool changelog_is_whole(const struct task_facts *facts)
{
    return facts->changelog.found && facts->changelog.log.low == 0;
}

enum outcome plan_adopt(const struct task_facts *facts, struct plan *plan, struct error *error)
{
    enum outcome outcome = refuse_open_transaction(facts, error);
    if (outcome != OK) {
        return outcome;
    }
    if (!changelog_is_whole(facts)) {
        return refuse_changelog(facts, error);
    }
    const struct checkpoint *checkpoint = &facts->changelog.checkpoint;
    *plan = (struct plan){.number = next_number(facts), .same_incarnation = true};
    bool agree = facts->group == GROUP_AT && facts->number == checkpoint->commit_number &&
                 strcmp(facts->incarnation, checkpoint->incarnation) == 0;
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct input_facts *input = &facts->inputs[i];
        int64_t offset = facts_checkpoint_offset(facts, input->topic);
        plan->from[i] = input->committed.offset;
        plan->to[i] = offset >= 0 ? offset
                      : agree     ? input->committed.offset
                                  : input->log.low; /* an input that the processor has got since */
        agree = agree && plan->from[i] == plan->to[i];
    }
    plan->nothing_to_do = agree || facts->moving;
    if (facts->group == GROUP_AT && facts->number > checkpoint->commit_number) {
        plan->repeats_outputs = true;
        plan->same_incarnation = false; /* numbers beyond the checkpoint meant something else */
        if (facts_file_is_current(facts)) {
            return refuse(facts, error,
                          "the changelog ends with commit %" PRId64
                          ", but the state file is at the "
                          "group's commit %" PRId64 " and loses nothing: weir reset %s --partition "
                          "%d --changelog-from-file",
                          checkpoint->commit_number, facts->number, facts->processor,
                          (int)facts->partition);
        }
    }
    return OK;
}

enum outcome plan_accept_input_loss(const struct task_facts *facts, struct plan *plan,
                                    struct error *error)
{
    struct plan adopt = {0};
    enum outcome outcome = plan_adopt(facts, &adopt, error);
    if (outcome != OK) {
        return outcome;
    }
    if (!adopt.nothing_to_do && facts->group != GROUP_NONE) {
        return refuse(facts, error,
                      "group and changelog do not agree about the offsets; mend that first: weir "
                      "offsets adopt %s --partition %d",
                      facts->processor, (int)facts->partition);
    }
    *plan = adopt;
    plan->nothing_to_do = true;
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct port_log *log = &facts->inputs[i].log;
        plan->from[i] = adopt.to[i];
        if (adopt.to[i] < log->low || adopt.to[i] > log->high) {
            plan->to[i] = log->low;
            plan->nothing_to_do = false;
        }
    }
    return OK;
}

enum outcome plan_check_file(const struct task_facts *facts, struct error *error)
{
    if (facts->file != FILE_READ) {
        return refuse(facts, error, "there is no state file to be read here%s%s",
                      facts->file_trouble[0] ? ": " : "", facts->file_trouble);
    }
    if (!facts_file_is_current(facts)) {
        return refuse(facts, error,
                      "the state file holds commit %" PRId64
                      ", and that is not where the group stands: it cannot stand for the changelog",
                      facts->meta.commit_number);
    }
    return OK;
}

enum outcome plan_changelog_from_file(const struct task_facts *facts, struct plan *plan,
                                      struct error *error)
{
    enum outcome outcome = refuse_open_transaction(facts, error);
    if (outcome != OK) {
        return outcome;
    }
    *plan = (struct plan){.number = next_number(facts), .rows = ROWS_FROM_FILE};
    plan->recreate = facts->changelog.log.low > 0 || facts->changelog.unreadable[0] != 0;
    plan->nothing_to_do = facts->moving || facts_never_committed(facts) ||
                          (changelog_is_whole(facts) && facts->group == GROUP_AT &&
                           facts->changelog.checkpoint.commit_number >= facts->number);
    for (size_t i = 0; i < facts->input_count; i++) {
        plan->from[i] = plan->to[i] = facts->inputs[i].committed.offset;
    }
    return plan->nothing_to_do ? OK : plan_check_file(facts, error);
}

enum outcome plan_forget_everything(const struct task_facts *facts, struct plan *plan,
                                    struct error *error)
{
    (void)error; /* whatever there is, it can be forgotten */
    *plan = (struct plan){.number = next_number(facts),
                          .rows = ROWS_FORGOTTEN,
                          .repeats_outputs = true};
    plan->recreate = facts->changelog.log.low > 0 || facts->changelog.unreadable[0] != 0;
    for (size_t i = 0; i < facts->input_count; i++) {
        plan->from[i] = facts->inputs[i].committed.offset;
        plan->to[i] = facts->inputs[i].log.low;
    }
    return OK;
}
