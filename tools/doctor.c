/* doctor.c - `weir doctor`: is every task well, and if not, which command mends it?
 *
 * Reads only. The facts are gathered by facts.c, judged by diagnosis.c, printed by
 * doctor_report.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "doctor/doctor_report.h"
#include "doctor/held.h"
#include "doctor/tasks.h"
#include "processors.h"
#include "runtime/topology.h"

enum { DEAD_LETTERS_WAIT_MS = 5000 };

static struct tool_place place;
static bool as_json;

static const struct option options[] = {
    TOOL_PLACE_OPTIONS(place),
    {"json", 0, OPTION_FLAG, &as_json, NULL, "one JSON object for programs"},
    {0},
};

/* ---- looking ---- */

static enum outcome look_at_held(struct visit *visit, struct task_facts *facts, struct error *error)
{
    char changelog[300];
    snprintf(changelog, sizeof changelog, "%s.changelog", facts->application_id);
    enum outcome outcome =
        held_since(visit->admin, changelog, facts->partition, &facts->changelog.log,
                   &facts->changelog_held_since_ms, error);
    for (size_t i = 0; i < facts->input_count && outcome == OK; i++) {
        struct input_facts *input = &facts->inputs[i];
        outcome = held_since(visit->admin, input->topic, facts->partition, &input->log,
                             &input->held_since_ms, error);
        if (input->held_since_ms > 0) {
            input->writers = held_writers(&place, input->topic, &visit->arena);
        }
    }
    return outcome;
}

/* Texts of the facts outlive `tasks`. */
static enum outcome look_at_task(struct visit *visit, const struct tasks *tasks, int32_t partition,
                                 struct error *error)
{
    visit->patients =
        xrealloc(visit->patients, (visit->patient_count + 1) * sizeof *visit->patients);
    struct patient *patient = &visit->patients[visit->patient_count];
    enum outcome outcome = tasks_facts(tasks, partition, &visit->arena, &patient->facts, error);
    const char *id = tasks->settings.application_id;
    patient->facts.application_id = arena_strndup(&visit->arena, id, strlen(id));
    if (outcome == OK) {
        outcome = look_at_held(visit, &patient->facts, error);
    }
    if (outcome == OK) {
        diagnose(&patient->facts, &patient->diagnosis);
        visit->patient_count++;
    }
    return outcome;
}

/* *readable: the task's own topics are there, so that it can be looked at. */
static enum outcome look_at_topics(struct visit *visit, const struct tasks *tasks, bool *readable,
                                   struct error *error)
{
    struct topology topology;
    topology_init(&topology);
    topology_add(&topology, tasks->processor, tasks->settings.application_id,
                 tasks->settings.delete_retention_ms);
    struct topic_settings *is = arena_alloc(&visit->arena, topology.count * sizeof *is);
    for (size_t i = 0; i < topology.count; i++) {
        is[i] = (struct topic_settings){.name = topology.topics[i].name};
    }
    enum outcome outcome = admin_describe(visit->admin, is, topology.count, error);
    *readable = true;
    for (size_t i = 0; i < topology.count && outcome == OK; i++) {
        const char *found = topology_difference(&topology.topics[i], &is[i], &visit->arena);
        bool known = false;
        for (size_t k = 0; found && k < visit->topic_finding_count; k++) {
            known = known || strcmp(visit->topic_findings[k], found) == 0;
        }
        if (found && !known) {
            size_t size = (visit->topic_finding_count + 1) * sizeof *visit->topic_findings;
            visit->topic_findings = xrealloc(visit->topic_findings, size);
            visit->topic_findings[visit->topic_finding_count++] = found;
        }
        *readable = *readable && is[i].partitions >= topology.topics[i].partitions;
    }
    topology_release(&topology);
    return outcome;
}

static enum outcome count_dead_letters(struct visit *visit, const char *topic, struct error *error)
{
    struct dead_letters *dead = &visit->dead[visit->dead_count];
    *dead = (struct dead_letters){.topic = arena_format(&visit->arena, "%s.dlq", topic)};
    struct port_log *logs;
    int32_t partitions;
    enum outcome outcome = admin_logs(visit->admin, dead->topic, &logs, &partitions, error);
    if (outcome != OK) {
        return outcome;
    }
    struct scan_partition *parts = xcalloc((size_t)partitions, sizeof *parts);
    for (int32_t p = 0; p < partitions; p++) {
        parts[p] = (struct scan_partition){dead->topic, p, logs[p].low, logs[p].stable};
    }
    free(logs);
    struct scan *scan = NULL;
    outcome = scan_open(&scan, visit->admin, parts, (size_t)partitions, error);
    for (bool found = true, done = false; outcome == OK && found && !done;) {
        struct port_record record;
        size_t which;
        outcome = scan_next(scan, DEAD_LETTERS_WAIT_MS, &record, &which, &found, &done, error);
        if (found) {
            dead->count++;
            dead->last_ms =
                record.timestamp_ms > dead->last_ms ? record.timestamp_ms : dead->last_ms;
        }
    }
    scan_close(scan);
    free(parts);
    visit->dead_count += outcome == OK;
    return outcome;
}

static enum outcome look_at_processor(struct visit *visit, const struct weir_processor *processor,
                                      int64_t partition, struct error *error)
{
    struct tasks tasks;
    bool readable = false;
    enum outcome outcome = tasks_open(&tasks, &place, processor, 0, error);
    if (outcome == OK) {
        outcome = look_at_topics(visit, &tasks, &readable, error);
    }
    for (int32_t p = 0; p < tasks.partitions && outcome == OK && readable; p++) {
        if (partition < 0 || partition == p) {
            outcome = look_at_task(visit, &tasks, p, error);
        }
    }
    tasks_release(&tasks);
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        if (outcome == OK && readable && visit->dead_count < VISIT_TOPICS_MAX) {
            outcome = count_dead_letters(visit, processor->inputs[i].topic->name, error);
        }
    }
    return outcome;
}

/* ---- the command ---- */

static bool is_well(const struct visit *visit)
{
    bool well = visit->topic_finding_count == 0;
    for (size_t i = 0; i < visit->patient_count; i++) {
        well = well && !diagnosis_needs_person(&visit->patients[i].diagnosis);
    }
    return well;
}

static int run(size_t count, char **arguments)
{
    const struct weir_processor *only = NULL;
    int64_t partition = -1;
    if (count > 0 && !(only = tasks_processor("doctor", &place, arguments[0]))) {
        return EXIT_USAGE;
    }
    if (count > 1 && (!conf_number(arguments[1], &partition) || partition < 0 ||
                      partition >= topology_partitions(only))) {
        return tool_usage("doctor", "%s: %s has partitions 0 to %d", arguments[1], only->name,
                          (int)topology_partitions(only) - 1);
    }
    struct visit visit = {0};
    struct error error;
    arena_init(&visit.arena);
    enum outcome outcome = tool_admin(&place, &visit.admin, &error);
    for (size_t i = 0; processors[i] && outcome == OK; i++) {
        if (!only || only == processors[i]) {
            outcome = look_at_processor(&visit, processors[i], partition, &error);
        }
    }
    bool well = is_well(&visit);
    int code = outcome != OK ? tool_fail("doctor", outcome, &error)
               : well        ? EXIT_DONE
                             : EXIT_CONFIG;
    if (outcome == OK && as_json) {
        report_json(&visit, well);
    } else if (outcome == OK) {
        report_text(&visit);
    }
    admin_close(visit.admin);
    free(visit.patients);
    free(visit.topic_findings);
    arena_release(&visit.arena);
    return code;
}

const struct command doctor_command = {
    .name = "doctor",
    .summary = "is every task well, and if not, which command mends it",
    .usage = "weir doctor [PROCESSOR [PARTITION]] [--json]",
    .text = "For each task: the commit number in the group, in the changelog and in the state file "
            "(which may\n"
            "lag), the records that wait in its inputs and the lag in offsets (commit markers "
            "count); then what\n"
            "is wrong, and the command that mends it. It looks at the state files of this machine "
            "and never\n"
            "writes. Exit code 0: all is well; 78: something needs a person; 69: no broker.",
    .example =
        "  weir doctor inventory\n"
        "  task                      group  changelog       file   waiting         lag\n"
        "  inventory.p0                812        812        810         0           1   well",
    .options = options,
    .arguments_min = 0,
    .arguments_max = 2,
    .run = run,
};
