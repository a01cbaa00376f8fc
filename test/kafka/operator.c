/* operator.c - commands typed, and their answers read. */
#include "kafka/operator.h"

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "processors.h"
#include "shop.h"
#include "store/store.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { PATIENCE_MS = 30000, WORDS_MAX = 40, PRINTED_MAX = 100000 };

void operator_configures(struct system *system, const char *processor)
{
    for (size_t i = 0; processors[i]; i++) {
        bool own = strcmp(processors[i]->name, processor) == 0;
        FILE *file = fopen(arena_format(&system->arena, "%s/%s.conf", system->directory,
                                        processors[i]->name),
                           "w");
        assert_non_null(file);
        fprintf(file, "transaction.timeout_ms = 3000\n");
        if (own) {
            fprintf(file, "application.id = %s\n", system->application_id);
        }
        assert_int_equal(fclose(file), 0);
    }
}

/* ---- a command line ---- */

/* Writes NULs into `line`. */
static size_t split(char *line, const char **words)
{
    size_t count = 0;
    for (char *at = line; *at;) {
        at += strspn(at, " ");
        char end = *at == '\'' ? '\'' : ' ';
        at += end == '\'';
        CHECK(count < WORDS_MAX);
        words[count] = at;
        count += *at != 0;
        at += end == '\'' ? strcspn(at, "'") : strcspn(at, " ");
        if (*at) {
            *at++ = 0;
        }
    }
    return count;
}

static const char *printed_by(struct system *system, const struct process *process)
{
    FILE *file = fopen(process->log, "r");
    assert_non_null(file);
    char *text = arena_alloc(&system->arena, PRINTED_MAX + 1);
    text[fread(text, 1, PRINTED_MAX, file)] = 0;
    fclose(file);
    return text;
}

const char *operator_runs(struct system *system, int code, const char *line, ...)
{
    const char *words[WORDS_MAX + 8] = {NULL};
    struct arena *arena = &system->arena;
    va_list args;
    va_start(args, line);
    char *copy = arena_vformat(arena, line, args);
    va_end(args);
    size_t count = split(copy, words);
    words[count++] = "--config";
    words[count++] = system->directory;
    words[count++] = "--state-dir";
    words[count++] = arena_format(arena, "%s/a", system->directory);
    words[count++] = "-b";
    words[count++] = system_bootstrap();
    struct process *process = system_weir(system, words);
    process_expect_end(system, process, code, PATIENCE_MS);
    return printed_by(system, process);
}

void operator_reads(struct system *system, const char *printed, const char *wanted)
{
    if (!strstr(printed, wanted)) {
        system_fail(system, "'%s' is not in:\n%s", wanted, printed);
    }
}

void operator_sees_refused(struct system *system, const struct run *run, const char *reason)
{
    struct process *process = system_run(system, run);
    process_expect_end(system, process, EXIT_CONFIG, PATIENCE_MS);
    process_expect_said(system, process, reason, 0);
    process_expect_said(system, process, "`weir doctor ", 0);
}

/* ---- the doctor ---- */

static const char *text_at(struct system *system, const struct json *object, const char *member)
{
    const struct json *value = json_get(object, member);
    assert_non_null(value);
    assert_int_equal(json_kind(value), JSON_TEXT);
    return arena_strndup(&system->arena, json_text(value), json_text_size(value));
}

/* The one finding that needs a person, of the one task asked about. */
static const struct json *the_finding(struct system *system, const struct json *report,
                                      const char *printed)
{
    const struct json *found = NULL, *tasks = json_get(report, "tasks");
    assert_int_equal(json_count(tasks), 1);
    const struct json *findings = json_get(json_at(tasks, 0), "findings");
    for (size_t i = 0; i < json_count(findings); i++) {
        const struct json *finding = json_at(findings, i);
        if (!json_boolean(json_get(finding, "needs_person"))) {
            continue;
        }
        if (found) {
            system_fail(system, "more than one finding needs a person:\n%s", printed);
        }
        found = finding;
    }
    if (!found || json_boolean(json_get(report, "well"))) {
        system_fail(system, "no finding needs a person:\n%s", printed);
    }
    return found;
}

const char *operator_asks_doctor(struct system *system, const char *processor, const char *kind,
                                 const char *text)
{
    struct json *report;
    struct error error;
    const char *printed = operator_runs(system, EXIT_CONFIG, "doctor %s 0 --json", processor);
    system_must(system, json_parse(&report, printed, strlen(printed), &error), &error);
    const struct json *finding = the_finding(system, report, printed);
    assert_string_equal(text_at(system, finding, "kind"), kind);
    operator_reads(system, text_at(system, finding, "text"), text);
    const char *mend = text_at(system, finding, "mend");
    json_free(report);

    printed = operator_runs(system, EXIT_CONFIG, "doctor %s 0", processor);
    operator_reads(system, printed, "NEEDS YOU");
    operator_reads(system, printed, text);
    operator_reads(system, printed, arena_format(&system->arena, "\n  mend it: %s\n", mend));
    return mend;
}

void operator_expects_well(struct system *system, const char *processor)
{
    const char *printed = operator_runs(system, EXIT_DONE, "doctor %s 0", processor);
    operator_reads(system, printed, "\nall is well\n");
}

const char *operator_mends(struct system *system, const char *command)
{
    static const char act[] = " --execute";
    if (strncmp(command, "weir ", 5) != 0 || !strstr(command, act)) {
        system_fail(system, "not a command that can be tried first: %s", command);
    }
    command += 5;
    int tried = (int)(strstr(command, act) - command);
    const char *before = operator_looks_around(system);
    const char *printed = operator_runs(system, EXIT_DONE, "%.*s", tried, command);
    operator_reads(system, printed, "nothing was changed; add --execute to do it\n");
    assert_string_equal(operator_looks_around(system), before);
    return operator_runs(system, EXIT_DONE, "%s", command);
}

/* ---- what there is ---- */

static void add_ends(struct system *system, const char *topic, struct buffer *text)
{
    int32_t partitions;
    struct port_log *logs = system_logs(system, topic, &partitions);
    for (int32_t p = 0; p < partitions; p++) {
        buffer_format(text, "%s/%d %" PRId64 " to %" PRId64 "\n", topic, (int)p, logs[p].low,
                      logs[p].high);
    }
    free(logs);
}

static void add_offsets(struct system *system, const struct weir_topic *topic, struct buffer *text)
{
    for (int32_t p = 0; p < topic->partitions; p++) {
        struct error error;
        struct port_offset offset;
        system_must(system,
                    admin_committed(system->admin, system->application_id, &topic->name, 1, p,
                                    &offset, &error),
                    &error);
        buffer_format(text, "%s/%d committed %" PRId64 " '%s'\n", topic->name, (int)p,
                      offset.offset, offset.metadata);
    }
}

static int kept(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && !strstr(entry->d_name, "-shm") &&
           !strstr(entry->d_name, "-wal") && !strstr(entry->d_name, ".lock");
}

static void add_files(struct system *system, struct buffer *text)
{
    struct dirent **entries;
    struct store_meta meta;
    struct error error;
    const char *directory =
        arena_format(&system->arena, "%s/a/%s", system->directory, system->application_id);
    int count = scandir(directory, &entries, kept, alphasort);
    for (int i = 0; i < count; i++) {
        buffer_format(text, "file %s\n", entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    if (store_peek(system_state_path(system, "a", 0), &meta, &error) == OK) {
        buffer_format(text, "file at %" PRId64 " %s %" PRId64 "\n", meta.commit_number,
                      meta.incarnation, meta.changelog_offset);
    }
}

const char *operator_looks_around(struct system *system)
{
    static const char *const shared[] = {"stock.replies", "stock.ledger", "stock.levels",
                                         "stock.commands.dlq"};
    static const struct weir_topic *const inputs[] = {&stock_commands_topic, &order_requests_topic,
                                                      &stock_replies_topic};
    struct buffer text;
    buffer_init(&text);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        add_offsets(system, inputs[i], &text);
        add_ends(system, inputs[i]->name, &text);
    }
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        add_ends(system, shared[i], &text);
    }
    add_ends(system, arena_format(&system->arena, "%s.changelog", system->application_id), &text);
    add_ends(system, arena_format(&system->arena, "%s.history", system->application_id), &text);
    add_files(system, &text);
    const char *copy = arena_strndup(&system->arena, (const char *)text.data, text.size);
    buffer_release(&text);
    return copy;
}
