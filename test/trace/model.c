/* model.c - see model.h. */
#include "trace/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"

enum { WHY = 300, WORD = 120, NEVER = -1 };
#define UNKNOWN "?" /* nothing is known yet: any value fits */

enum call { NOTHING, INIT, OFFSETS, COMMIT, ABORTING };

struct owner { /* a producer */
    char who[WORD];
    size_t task;
    enum call call;
    int64_t asked, inited, init_asked, fenced; /* since when; NEVER */
    bool told_fenced;
    bool overtaken; /* its commit is asked for, and a newer owner has committed behind it */
    char *value;    /* of the transaction that is open; NULL: no offsets yet */
    int64_t sent;   /* its offsets were taken; NEVER */
};

struct candidate { /* a value that may be the stable one now */
    char *value;
    size_t owner; /* SIZE_MAX: nobody's, it stood there */
    int64_t sent;
    bool pending; /* its commit is asked for and not answered */
};

struct task {
    char *id;
    struct candidate *candidates;
    size_t count;
};

struct question { /* committed or log, asked and not answered */
    char who[WORD];
    size_t task; /* SIZE_MAX: of a log */
    size_t log;
    int64_t asked;
    char **values; /* that it may be answered with */
    size_t count;
    int64_t low, stable, high; /* as the log stood when it was asked */
};

struct ends {
    char *name;
    int64_t low, stable, high;
};

struct model {
    struct owner *owners;
    struct task *tasks;
    struct question *questions;
    struct ends *logs;
    size_t owner_count, task_count, question_count, log_count;
    struct model_counts counts;
    char *why;
};

/* ---- small things ---- */

static void *grow(void *array, size_t count, size_t size)
{
    return count == 0 || (count & (count - 1)) == 0
               ? xrealloc(array, (count == 0 ? 1 : 2 * count) * size)
               : array;
}

__attribute__((format(printf, 2, 3))) static bool no(struct model *model, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(model->why, WHY, format, args);
    va_end(args);
    return false;
}

static struct owner *find_owner(struct model *model, const char *who)
{
    for (size_t i = model->owner_count; i-- > 0;) {
        if (strcmp(model->owners[i].who, who) == 0) {
            return &model->owners[i];
        }
    }
    return NULL;
}

static void add_candidate(struct task *task, const struct candidate *new)
{
    task->candidates = grow(task->candidates, task->count, sizeof *task->candidates);
    task->candidates[task->count] = *new;
    task->candidates[task->count++].value = xstrdup(new->value);
}

static void drop_candidate(struct task *task, size_t at)
{
    free(task->candidates[at].value);
    memmove(task->candidates + at, task->candidates + at + 1,
            (--task->count - at) * sizeof *task->candidates);
}

static size_t find_task(struct model *model, const char *id)
{
    for (size_t i = 0; i < model->task_count; i++) {
        if (strcmp(model->tasks[i].id, id) == 0) {
            return i;
        }
    }
    model->tasks = grow(model->tasks, model->task_count, sizeof *model->tasks);
    model->tasks[model->task_count] = (struct task){.id = xstrdup(id)};
    add_candidate(&model->tasks[model->task_count],
                  &(struct candidate){.value = (char[]){UNKNOWN}, .owner = SIZE_MAX});
    return model->task_count++;
}

static struct candidate *candidate_of(struct task *task, size_t owner)
{
    for (size_t i = task->count; i-- > 0;) {
        if (task->candidates[i].owner == owner && task->candidates[i].pending) {
            return &task->candidates[i];
        }
    }
    return NULL;
}

/* ---- questions under way ---- */

static void add_value(struct question *question, const char *value)
{
    question->values = grow(question->values, question->count, sizeof *question->values);
    question->values[question->count++] = xstrdup(value);
}

static void clear_values(struct question *question)
{
    for (size_t i = 0; i < question->count; i++) {
        free(question->values[i]);
    }
    question->count = 0;
}

static void drop_question(struct model *model, struct question *question)
{
    clear_values(question);
    free(question->values);
    *question = model->questions[--model->question_count];
}

/* A process that died has left its question: WHO never asks again. */
static struct question *find_question(struct model *model, const char *who)
{
    for (size_t i = 0; i < model->question_count; i++) {
        if (strcmp(model->questions[i].who, who) == 0) {
            return &model->questions[i];
        }
    }
    return NULL;
}

static struct question *ask(struct model *model, const char *who, int64_t now)
{
    struct question *old = find_question(model, who);
    if (old) {
        drop_question(model, old);
    }
    model->questions = grow(model->questions, model->question_count, sizeof *model->questions);
    struct question *new = &model->questions[model->question_count++];
    *new = (struct question){.task = SIZE_MAX, .log = SIZE_MAX, .asked = now};
    snprintf(new->who, sizeof new->who, "%s", who);
    return new;
}

/* ---- owners ---- */

static void on_init(struct model *model, struct owner *owner, int64_t now)
{
    model->counts.inits++;
    owner->inited = now;
    owner->init_asked = owner->asked;
    owner->fenced = NEVER; /* it may be its own successor */
    for (size_t i = 0; i < model->owner_count; i++) {
        struct owner *other = &model->owners[i];
        bool older = other != owner && other->task == owner->task && other->inited != NEVER &&
                     other->inited < owner->init_asked;
        if (older && other->fenced == NEVER) {
            other->fenced = now;
        }
    }
}

static bool was_fenced(const struct owner *owner)
{
    return owner->fenced != NEVER && owner->asked > owner->fenced;
}

static void on_commit_asked(struct model *model, struct owner *owner)
{
    struct task *task = &model->tasks[owner->task];
    owner->overtaken = false;
    if (!owner->value || owner->sent == NEVER || was_fenced(owner)) {
        return;
    }
    add_candidate(task, &(struct candidate){.value = owner->value,
                                            .owner = (size_t)(owner - model->owners),
                                            .sent = owner->sent,
                                            .pending = true});
    for (size_t i = 0; i < model->question_count; i++) {
        if (model->questions[i].task == owner->task) {
            add_value(&model->questions[i], owner->value);
        }
    }
}

/* What a newer owner has asked for is still to come; what an older one has, came before or never.
 */
static bool is_newer(const struct model *model, const struct candidate *one, size_t than)
{
    return one->owner != SIZE_MAX && than != SIZE_MAX &&
           model->owners[one->owner].inited > model->owners[than].inited;
}

static void overtake(struct model *model, struct task *task, size_t at, size_t by)
{
    const struct candidate *old = &task->candidates[at];
    if (old->pending && by != SIZE_MAX && old->owner != by) {
        model->owners[old->owner].overtaken = true; /* it may still hear that it is done */
    }
    drop_candidate(task, at);
}

/* Who asks now, or asked when the offsets were pending already, is answered with nothing older. */
static bool on_commit_done(struct model *model, struct owner *owner)
{
    struct task *task = &model->tasks[owner->task];
    size_t self = (size_t)(owner - model->owners);
    struct candidate *own = candidate_of(task, self);
    if (!owner->value) {
        return true; /* an empty transaction asks nobody */
    }
    if (was_fenced(owner)) {
        return no(model, "a commit was done for an owner whom another's init has fenced");
    }
    if (!own) {
        return owner->overtaken ||
               no(model, "a commit says done, but an answer has decided against it before");
    }
    int64_t sent = own->sent;
    own->pending = false;
    for (size_t i = task->count; i-- > 0;) {
        const struct candidate *at = &task->candidates[i];
        if (strcmp(at->value, owner->value) != 0 && !is_newer(model, at, self)) {
            overtake(model, task, i, self);
        }
    }
    for (size_t i = 0; i < model->question_count; i++) {
        struct question *question = &model->questions[i];
        if (question->task == owner->task && question->asked >= sent) {
            clear_values(question);
            for (size_t c = 0; c < task->count; c++) {
                add_value(question, task->candidates[c].value);
            }
        }
    }
    model->counts.commits++;
    return true;
}

static void on_commit_failed(struct model *model, struct owner *owner, const char *result)
{
    struct task *task = &model->tasks[owner->task];
    struct candidate *own = candidate_of(task, (size_t)(owner - model->owners));
    if (own && strcmp(result, "ABORT") == 0) {
        drop_candidate(task, (size_t)(own - task->candidates));
    } else if (own) {
        own->pending = false; /* nobody knows */
    }
}

static void forget_transaction(struct owner *owner)
{
    free(owner->value);
    owner->value = NULL;
    owner->sent = NEVER;
}

static bool on_result(struct model *model, struct owner *owner, const char *call,
                      const char *result, int64_t now)
{
    bool done = strcmp(result, "DONE") == 0;
    if (done && owner->told_fenced) {
        return no(model, "%s was done by a producer that has been told that it is fenced", call);
    }
    owner->told_fenced |= strcmp(result, "FENCED") == 0;
    if (strcmp(call, "init") == 0 && done) {
        on_init(model, owner, now);
    } else if (strcmp(call, "offsets") == 0 && done) {
        if (was_fenced(owner)) {
            return no(model, "offsets were taken of an owner whom another's init has fenced");
        }
        owner->sent = now;
    } else if (strcmp(call, "commit") == 0) {
        bool possible = true;
        if (done) {
            possible = on_commit_done(model, owner);
        } else {
            on_commit_failed(model, owner, result);
        }
        forget_transaction(owner);
        return possible;
    } else if (strcmp(call, "abort") == 0) {
        forget_transaction(owner);
    }
    return true;
}

/* ---- answers ---- */

static bool on_committed(struct model *model, struct question *question, const char *value)
{
    struct task *task = &model->tasks[question->task];
    bool possible = false;
    for (size_t i = 0; i < question->count; i++) {
        possible |=
            strcmp(question->values[i], UNKNOWN) == 0 || strcmp(question->values[i], value) == 0;
    }
    if (!possible) {
        return no(model,
                  "the stable offset of %s cannot be this one: %zu others can, such as %.100s",
                  task->id, question->count, question->count > 0 ? question->values[0] : "none");
    }
    size_t by = SIZE_MAX; /* whose it is, if that is known */
    bool stands = false, unknown = false;
    for (size_t i = 0; i < task->count; i++) {
        if (strcmp(task->candidates[i].value, value) == 0) {
            stands = true;
            by = task->candidates[i].owner;
        }
    }
    for (size_t i = task->count; i-- > 0;) { /* what was pending before is decided */
        const struct candidate *at = &task->candidates[i];
        bool same = strcmp(at->value, value) == 0, any = strcmp(at->value, UNKNOWN) == 0;
        bool older = by != SIZE_MAX && at->owner != SIZE_MAX &&
                     model->owners[at->owner].inited < model->owners[by].inited;
        unknown |= any;
        if (any || (!same && (at->owner == SIZE_MAX || at->sent <= question->asked))) {
            overtake(model, task, i, older ? by : SIZE_MAX);
        }
    }
    if (!stands && (unknown || task->count == 0)) {
        add_candidate(task, &(struct candidate){.value = (char *)(uintptr_t)value,
                                                .owner = SIZE_MAX,
                                                .sent = NEVER});
    }
    model->counts.answers++;
    return true;
}

static bool on_log(struct model *model, const struct question *question, const char *text)
{
    struct ends *log = &model->logs[question->log];
    int64_t low, stable, high;
    if (sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNd64, &low, &stable, &high) != 3) {
        return true;
    }
    if (low > stable || stable > high) {
        return no(model, "the ends of %s are out of order", log->name);
    }
    if (low < question->low || stable < question->stable || high < question->high) {
        return no(model,
                  "an end of %s went back: %" PRId64 " %" PRId64 " %" PRId64 " was answered before",
                  log->name, question->low, question->stable, question->high);
    }
    log->low = low > log->low ? low : log->low;
    log->stable = stable > log->stable ? stable : log->stable;
    log->high = high > log->high ? high : log->high;
    model->counts.logs++;
    return true;
}

static size_t find_log(struct model *model, const char *name)
{
    for (size_t i = 0; i < model->log_count; i++) {
        if (strcmp(model->logs[i].name, name) == 0) {
            return i;
        }
    }
    model->logs = grow(model->logs, model->log_count, sizeof *model->logs);
    model->logs[model->log_count] = (struct ends){.name = xstrdup(name)};
    return model->log_count++;
}

/* Topics were made anew, or offsets deleted, of whomever: any value may stand there now. */
static void on_anew(struct model *model)
{
    for (size_t i = 0; i < model->task_count; i++) {
        add_candidate(&model->tasks[i],
                      &(struct candidate){.value = (char[]){UNKNOWN}, .owner = SIZE_MAX});
    }
    for (size_t i = 0; i < model->log_count; i++) {
        model->logs[i].low = model->logs[i].stable = model->logs[i].high = 0;
    }
    while (model->question_count > 0) {
        drop_question(model, &model->questions[0]);
    }
}

/* ---- lines ---- */

static bool on_question(struct model *model, const char *who, const char *event, const char *rest,
                        int64_t now)
{
    struct question *question = find_question(model, who);
    if (strcmp(event, "committed") == 0) {
        question = ask(model, who, now);
        question->task = find_task(model, rest);
        const struct task *task = &model->tasks[question->task];
        for (size_t i = 0; i < task->count; i++) {
            add_value(question, task->candidates[i].value);
        }
        return true;
    }
    if (strcmp(event, "log") == 0) {
        question = ask(model, who, now);
        question->log = find_log(model, rest);
        const struct ends *log = &model->logs[question->log];
        question->low = log->low;
        question->stable = log->stable;
        question->high = log->high;
        return true;
    }
    bool possible = true;
    if (question && strcmp(event, "committed=OK") == 0 && question->task != SIZE_MAX) {
        possible = on_committed(model, question, rest);
    } else if (question && strcmp(event, "log=OK") == 0 && question->log != SIZE_MAX) {
        possible = on_log(model, question, rest);
    }
    if (question) {
        drop_question(model, question);
    }
    return possible;
}

static void on_open(struct model *model, const char *who, const char *id)
{
    size_t task = find_task(model, id);
    model->owners = grow(model->owners, model->owner_count, sizeof *model->owners);
    struct owner *new = &model->owners[model->owner_count++];
    *new = (struct owner){.task = task, .inited = NEVER, .fenced = NEVER, .sent = NEVER};
    snprintf(new->who, sizeof new->who, "%s", who);
}

bool model_line(struct model *model, const char *line, char *why)
{
    char who[WORD], event[WORD];
    int64_t now;
    int at = 0;
    model->why = why;
    if (sscanf(line, "%" SCNd64 " %119s %119s%n", &now, who, event, &at) != 3) {
        return true;
    }
    const char *rest = line[at] == ' ' ? line + at + 1 : "";
    now = (int64_t)++model->counts.lines; /* their order is all that counts */
    if (strcmp(event, "open") == 0) {
        on_open(model, who, rest);
        return true;
    }
    if (strcmp(event, "anew") == 0) {
        on_anew(model);
        return true;
    }
    struct owner *owner = find_owner(model, who);
    if (!owner) {
        return on_question(model, who, event, rest, now);
    }
    char *result = strchr(event, '=');
    if (result) {
        *result++ = 0;
        return on_result(model, owner, event, result, now);
    }
    owner->asked = now;
    if (strcmp(event, "offsets") == 0) {
        forget_transaction(owner);
        owner->value = xstrdup(rest);
    } else if (strcmp(event, "commit") == 0) {
        on_commit_asked(model, owner);
    }
    return true;
}

const struct model_counts *model_counts(const struct model *model)
{
    return &model->counts;
}

struct model *model_open(void)
{
    return xcalloc(1, sizeof(struct model));
}

void model_close(struct model *model)
{
    while (model->question_count > 0) {
        drop_question(model, &model->questions[0]);
    }
    for (size_t i = 0; i < model->task_count; i++) {
        while (model->tasks[i].count > 0) {
            drop_candidate(&model->tasks[i], model->tasks[i].count - 1);
        }
        free(model->tasks[i].candidates);
        free(model->tasks[i].id);
    }
    for (size_t i = 0; i < model->owner_count; i++) {
        free(model->owners[i].value);
    }
    for (size_t i = 0; i < model->log_count; i++) {
        free(model->logs[i].name);
    }
    free(model->owners);
    free(model->tasks);
    free(model->questions);
    free(model->logs);
    free(model);
}
