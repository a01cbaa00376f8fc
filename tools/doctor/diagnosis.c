/* diagnosis.c - follows truth.c and restore.c, and says at each stop why it would stop there. */
#include "doctor/diagnosis.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MARKER_WAIT_MS = 15 * 1000 }; /* restore.c waits so long beyond the transaction's time-out */

/* A finding that needs a person, unless advise() is never called for it. */
static struct finding *add(struct diagnosis *diagnosis, enum finding_kind kind, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

static struct finding *add(struct diagnosis *diagnosis, enum finding_kind kind, const char *format,
                           ...)
{
    CHECK(diagnosis->count < FINDINGS_MAX);
    struct finding *finding = &diagnosis->items[diagnosis->count++];
    *finding = (struct finding){.kind = kind};
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
    return finding;
}

static void advise(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void advise(struct finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->command, sizeof finding->command, format, args);
    va_end(args);
    finding->needs_person = true;
}

static void advise_adopt(const struct task_facts *facts, struct finding *finding)
{
    advise(finding, "weir offsets adopt %s --partition %d --execute", facts->processor,
           (int)facts->partition);
}

/* The changelog cannot be relied on. The file can, when it is at the group's commit; else inputs
 * and history may still make it again, or there is nothing left to go on from. */
static void advise_new_changelog(const struct task_facts *facts, struct finding *finding)
{
    if (facts_file_is_current(facts)) {
        advise(finding, "weir reset %s --partition %d --changelog-from-file --execute",
               facts->processor, (int)facts->partition);
        return;
    }
    size_t used = strlen(finding->text);
    snprintf(
        finding->text + used, sizeof finding->text - used,
        "; try `weir replay %s --partition %d --state DIR` first: it makes the file again from "
        "inputs and history",
        facts->processor, (int)facts->partition);
    advise(finding,
           "weir reset %s --partition %d --forget-everything --execute --yes-replay-from-start",
           facts->processor, (int)facts->partition);
}

/* ---- the changelog by itself ---- */

static bool is_empty(const struct port_log *log)
{
    return log->high == log->low;
}

/* false: there is nothing more to say. */
static bool look_at_changelog(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    const struct last_checkpoint *changelog = &facts->changelog;
    const char *id = facts->application_id;
    if (changelog->log.low > 0 && !is_empty(&changelog->log)) {
        advise_new_changelog(facts,
                             add(diagnosis, CHANGELOG_CUT,
                                 "%s.changelog begins at offset %" PRId64
                                 ": records were deleted from it, not compacted, so it cannot "
                                 "rebuild the state",
                                 id, changelog->log.low));
        return false;
    }
    if (changelog->unreadable[0]) {
        advise_new_changelog(
            facts,
            add(diagnosis, CHANGELOG_UNREADABLE,
                "the last checkpoint of %s.changelog, at offset %" PRId64
                ", cannot be read: %s (if a newer version of weir wrote it, run that version)",
                id, changelog->offset, changelog->unreadable));
        return false;
    }
    if (changelog->found || facts->group == GROUP_HELD) {
        return true;
    }
    if (changelog->rows > 0) {
        advise_new_changelog(facts, add(diagnosis, CHANGELOG_HEADLESS,
                                        "%s.changelog has %" PRId64 " rows but no checkpoint", id,
                                        changelog->rows));
        return false;
    }
    if (facts->group != GROUP_NONE) {
        advise_new_changelog(facts,
                             add(diagnosis, CHANGELOG_EMPTY,
                                 "the group has committed offsets, but %s.changelog is empty%s", id,
                                 facts_file_is_current(facts) ? "; the state file has it all"
                                                              : ""));
        return false;
    }
    if (facts->file == FILE_READ && facts->meta.commit_number > 0) {
        advise_new_changelog(
            facts, add(diagnosis, FILE_ALONE,
                       "the state file holds commit %" PRId64
                       ", but the group has no offsets and %s.changelog is empty (is this "
                       "the right cluster, and the right state directory?)",
                       facts->meta.commit_number, id));
    }
    return false;
}

/* ---- the group against the changelog ---- */

static void explain_offsets(const struct task_facts *facts, struct diagnosis *diagnosis,
                            enum finding_kind kind)
{
    int64_t offset = -1, other = -1, number;
    const char *topic = "", *metadata = "";
    char incarnation[INCARNATION_BYTES];
    size_t present = 0;
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct input_facts *input = &facts->inputs[i];
        present += input->committed.offset >= 0;
        if (input->committed.offset >= 0 &&
            !metadata_read(input->committed.metadata, input->committed.offset, &number,
                           incarnation)) {
            offset = input->committed.offset;
            topic = input->topic;
            metadata = input->committed.metadata;
            break;
        }
        if (input->committed.offset >= 0 && number != facts->number) {
            other = number;
        }
    }
    struct finding *finding;
    if (kind == OFFSETS_FOREIGN) {
        finding =
            add(diagnosis, kind,
                "the committed offset %" PRId64 " of %s was not set by weir (its metadata is '%s')",
                offset, topic, metadata);
    } else if (kind == OFFSETS_MIXED) {
        finding = add(diagnosis, kind,
                      "the committed offsets of the inputs are of different commits, %" PRId64
                      " and %" PRId64,
                      facts->number, other);
    } else {
        finding = add(diagnosis, kind, "only %zu of %zu inputs have a committed offset", present,
                      facts->input_count);
    }
    advise_adopt(facts, finding);
}

static bool checkpoint_is_held(const struct task_facts *facts)
{
    return facts->changelog.log.stable < facts->changelog.log.high;
}

static void look_at_commit(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    const struct checkpoint *checkpoint = &facts->changelog.checkpoint;
    const char *id = facts->application_id;
    int64_t last = checkpoint->commit_number;
    if (facts->number < last) {
        advise_adopt(facts, add(diagnosis, OFFSETS_SET_BACK,
                                "the group stands at commit %" PRId64
                                ", and %s.changelog goes on to commit %" PRId64
                                ": the offsets were set back",
                                facts->number, id, last));
        return;
    }
    if (facts->number > last) {
        if (checkpoint_is_held(facts)) {
            return; /* its marker is on the way, or CHANGELOG_HELD says why not */
        }
        struct finding *finding =
            add(diagnosis, CHANGELOG_BEHIND,
                "the group stands at commit %" PRId64 ", but %s.changelog ends with commit %" PRId64
                "%s",
                facts->number, id, last,
                facts_file_is_current(facts)
                    ? "; the state file has it all"
                    : "; going back to that commit handles the records since then again");
        if (facts_file_is_current(facts)) {
            advise_new_changelog(facts, finding);
        } else {
            advise(finding, "weir offsets adopt %s --partition %d --execute --yes-replay",
                   facts->processor, (int)facts->partition);
        }
        return;
    }
    if (strcmp(checkpoint->incarnation, facts->incarnation) != 0) {
        advise_adopt(facts, add(diagnosis, OFFSETS_OF_ANOTHER,
                                "commit %" PRId64 " of %s.changelog is of incarnation %s, the "
                                "group's offsets are of %s",
                                last, id, checkpoint->incarnation, facts->incarnation));
        return;
    }
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct input_facts *input = &facts->inputs[i];
        int64_t offset = facts_checkpoint_offset(facts, input->topic);
        if (offset >= 0 && offset != input->committed.offset) {
            advise_adopt(facts, add(diagnosis, OFFSETS_DIFFER,
                                    "commit %" PRId64 " goes on at offset %" PRId64
                                    " of %s by the group, at %" PRId64 " by the changelog",
                                    last, input->committed.offset, input->topic, offset));
            return;
        }
    }
}

/* No transaction gets older than its time-out and the broker's clean-up after it. */
static bool is_overdue(const struct task_facts *facts, int64_t since_ms)
{
    return since_ms > 0 &&
           facts->now_ms - since_ms > facts->transaction_timeout_ms + MARKER_WAIT_MS;
}

/* Its owner's start ends an open transaction, unless the broker believes that it is ended. */
static void advise_ending(const struct task_facts *facts, struct finding *finding)
{
    advise(
        finding,
        "weir run %s --partition %d (its first step ends the transaction); if it runs and waits, "
        "the broker has forgotten to end a commit: see \"When the broker forgets a commit\" in "
        "the README",
        facts->processor, (int)facts->partition);
}

static void look_at_held_offsets(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    struct finding *finding =
        add(diagnosis, OFFSETS_HELD,
            "an open transaction of %s.p%d holds the group's offsets; the broker ends it after "
            "%" PRId64 " s",
            facts->application_id, (int)facts->partition, facts->transaction_timeout_ms / 1000);
    if (is_overdue(facts, facts->changelog_held_since_ms)) {
        advise_ending(facts, finding);
        return;
    }
    advise(finding,
           "weir run %s --partition %d (its first step ends the transaction), or look again in "
           "%" PRId64 " s",
           facts->processor, (int)facts->partition,
           (facts->transaction_timeout_ms + MARKER_WAIT_MS) / 1000);
}

static void look_at_group(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    switch (facts->group) {
    case GROUP_HELD:
        look_at_held_offsets(facts, diagnosis);
        return;
    case GROUP_FOREIGN:
        explain_offsets(facts, diagnosis, OFFSETS_FOREIGN);
        return;
    case GROUP_MIXED:
        explain_offsets(facts, diagnosis, OFFSETS_MIXED);
        return;
    case GROUP_PARTIAL:
        explain_offsets(facts, diagnosis, OFFSETS_PARTIAL);
        return;
    case GROUP_AT:
        look_at_commit(facts, diagnosis);
        return;
    case GROUP_NONE:
        add(diagnosis, OFFSETS_GONE,
            "the group has no committed offsets (they expire, or were deleted); the next start "
            "adopts those of commit %" PRId64 " of %s.changelog",
            facts->changelog.checkpoint.commit_number, facts->application_id);
        return;
    }
}

/* ---- inputs ---- */

static void look_at_input(const struct task_facts *facts, const struct input_facts *input,
                          struct diagnosis *diagnosis)
{
    int64_t offset = facts->group == GROUP_AT ? input->committed.offset
                                              : facts_checkpoint_offset(facts, input->topic);
    const char *command = "weir reset %s --partition %d --accept-input-loss --execute";
    if (offset < 0) {
        advise_adopt(facts, add(diagnosis, INPUT_NEW,
                                "the group has no offsets, and the last checkpoint does not name "
                                "input %s",
                                input->topic));
    } else if (offset < input->log.low) {
        advise(add(diagnosis, INPUT_CUT,
                   "%s was cut off below offset %" PRId64 ", and the task goes on at %" PRId64
                   ": %" PRId64 " offsets of input are gone",
                   input->topic, input->log.low, offset, input->log.low - offset),
               command, facts->processor, (int)facts->partition);
    } else if (offset > input->log.high) {
        advise(add(diagnosis, INPUT_SHORT,
                   "the task goes on at offset %" PRId64 " of %s, which ends at %" PRId64
                   ": it is another topic under the same name, or it lost its end; what is there "
                   "now would be read from its start",
                   offset, input->topic, input->log.high),
               command, facts->processor, (int)facts->partition);
    }
}

static void look_at_pauses(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct input_facts *input = &facts->inputs[i];
        if (input->unreadable[0]) {
            advise(add(diagnosis, INPUT_PAUSED,
                       "%s waits at offset %" PRId64 ", which nobody here can read: %.280s",
                       input->topic, input->waiting.first_offset, input->unreadable),
                   "add the writer's schema to schema.dir or deploy the newer processor; or, to "
                   "give this one record up: weir dlq put %s %d %" PRId64,
                   input->topic, (int)facts->partition, input->waiting.first_offset);
        }
    }
}

/* ---- open transactions ---- */

/* One that is older than any transaction may get needs a person; a younger one is only named. */
static void look_at_held(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < facts->input_count; i++) {
        const struct input_facts *input = &facts->inputs[i];
        int64_t held_ms = input->held_since_ms > 0 ? facts->now_ms - input->held_since_ms : 0;
        if (held_ms <= 0) {
            continue;
        }
        struct finding *finding =
            add(diagnosis, INPUT_HELD,
                "an open transaction in %s holds back what follows offset %" PRId64 " (%" PRId64
                " offsets) for %" PRId64 " s; it is of %s",
                input->topic, input->log.stable, input->log.high - input->log.stable,
                held_ms / 1000, input->writers ? input->writers : "a producer outside weir");
        if (is_overdue(facts, input->held_since_ms)) {
            advise(finding,
                   "start that writer (its first step ends the transaction); if it is gone "
                   "for good: kafka-transactions.sh find-hanging, and abort what it names");
        }
    }
    int64_t since_ms = facts->changelog_held_since_ms;
    if (since_ms > 0 && facts->now_ms > since_ms) {
        int64_t held_ms = facts->now_ms - since_ms;
        struct finding *finding = add(diagnosis, CHANGELOG_HELD,
                                      "a transaction of %s.p%d has been open in its changelog for "
                                      "%" PRId64 " s",
                                      facts->application_id, (int)facts->partition, held_ms / 1000);
        if (is_overdue(facts, since_ms)) {
            advise_ending(facts, finding);
        }
    }
}

/* ---- the file ---- */

static void look_at_file(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    const struct store_meta *meta = &facts->meta;
    const struct checkpoint *last = &facts->changelog.checkpoint;
    int64_t age_ms = facts->now_ms - meta->appended_ms;
    if (facts->file == FILE_UNREADABLE) {
        add(diagnosis, FILE_USELESS, "%s; the next start sets it aside and rebuilds it",
            facts->file_trouble);
    }
    if (facts->file != FILE_READ || meta->commit_number == 0 || !facts->changelog.found) {
        return;
    }
    if (strcmp(meta->incarnation, last->incarnation) != 0) {
        add(diagnosis, FILE_USELESS,
            "the state file is of incarnation %s, the changelog of %s; the next start sets it "
            "aside "
            "and rebuilds it",
            meta->incarnation, last->incarnation);
    } else if (meta->changelog_offset > facts->changelog.log.high) {
        add(diagnosis, FILE_USELESS,
            "the state file stands at offset %" PRId64 " of %s.changelog, which ends at %" PRId64
            "; the next start sets it aside and rebuilds it",
            meta->changelog_offset, facts->application_id, facts->changelog.log.high);
    } else if (facts->group == GROUP_AT && meta->commit_number > facts->number &&
               meta->commit_number > last->commit_number) {
        advise(add(diagnosis, FILE_AHEAD,
                   "the state file holds commit %" PRId64 ", but group and changelog end with "
                   "commit %" PRId64 ": the brokers have lost what they had acknowledged, or this "
                   "file is of another cluster",
                   meta->commit_number, facts->number),
               "weir reset %s --partition %d --state --execute", facts->processor,
               (int)facts->partition);
    } else if (meta->commit_number < last->commit_number && meta->appended_ms > 0 &&
               age_ms > facts->delete_retention_ms / 2) {
        add(diagnosis, FILE_USELESS,
            "the state file's last commit is %" PRId64 " s old, so that deletions may be missing "
            "from the changelog; the next start sets it aside and rebuilds it",
            age_ms / 1000);
    }
}

void diagnose(const struct task_facts *facts, struct diagnosis *diagnosis)
{
    diagnosis->count = 0;
    look_at_held(facts, diagnosis);
    size_t before = diagnosis->count;
    if (!facts->moving && look_at_changelog(facts, diagnosis)) {
        look_at_group(facts, diagnosis);
    }
    bool contradicts = false;
    for (size_t i = before; i < diagnosis->count; i++) {
        contradicts = contradicts || diagnosis->items[i].needs_person;
    }
    bool placed =
        facts->group == GROUP_AT || (facts->group == GROUP_NONE && facts->changelog.found);
    for (size_t i = 0; i < facts->input_count && placed && !contradicts; i++) {
        look_at_input(facts, &facts->inputs[i], diagnosis);
    }
    if (!facts->moving && !contradicts) {
        look_at_file(facts, diagnosis);
    }
    if (!contradicts) {
        look_at_pauses(facts, diagnosis);
    }
}

bool diagnosis_needs_person(const struct diagnosis *diagnosis)
{
    for (size_t i = 0; i < diagnosis->count; i++) {
        if (diagnosis->items[i].needs_person) {
            return true;
        }
    }
    return false;
}
