/* dlq_put.c - finds out whether a task waits at a record, and leaves the word that it may go on.
 *
 * The word is "<topic> <offset>" in <state file>.skip: take.c reads it when it tries the record
 * again, and removes it. It appears in one step, so that no half of it is ever read.
 */
#include "dlq_put.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/tasks.h"
#include "processors.h"

static bool reads(const struct weir_processor *processor, const struct weir_topic *topic)
{
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->inputs[i].topic; i++) {
        if (processor->inputs[i].topic == topic) {
            return true;
        }
    }
    return false;
}

/* NULL after telling why. */
static const struct weir_processor *reader_of(const struct tool_place *place,
                                              const struct weir_topic *topic, const char *name)
{
    const struct weir_processor *found = name ? tasks_processor("dlq", place, name) : NULL;
    if (name && found && !reads(found, topic)) {
        fprintf(stderr, "weir dlq: %s does not read %s\n", found->name, topic->name);
        return NULL;
    }
    for (size_t i = 0; processors[i] && !name; i++) {
        if (!reads(processors[i], topic)) {
            continue;
        }
        if (found) {
            fprintf(stderr, "weir dlq: %s and %s both read %s: say which, with --processor\n",
                    found->name, processors[i]->name, topic->name);
            return NULL;
        }
        found = processors[i];
    }
    if (!found && !name) {
        fprintf(stderr, "weir dlq: no processor reads %s\n", topic->name);
    }
    return found;
}

static enum outcome write_word(const char *state_path, const struct weir_topic *topic,
                               int64_t offset, struct error *error)
{
    char path[4096], temporary[4104];
    int length = snprintf(path, sizeof path, "%s.skip", state_path);
    if (length < 0 || (size_t)length >= sizeof path) {
        return fail_exit(error, EXIT_IO, "the state path is too long");
    }
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "we");
    bool written = file && fprintf(file, "%s %" PRId64 "\n", topic->name, offset) > 0;
    written = file && fclose(file) == 0 && written;
    if (!written || rename(temporary, path) != 0) {
        int why = errno;
        unlink(temporary);
        return fail_exit(error, EXIT_IO, "cannot write %s: %s (put must run where the task runs)",
                         path, strerror(why));
    }
    return OK;
}

/* The task waits at the first record behind what it has committed. */
static enum outcome check_place(const struct task_facts *facts, const struct weir_topic *topic,
                                int64_t offset, struct error *error)
{
    const struct input_facts *input = NULL;
    for (size_t i = 0; i < facts->input_count; i++) {
        if (strcmp(facts->inputs[i].topic, topic->name) == 0) {
            input = &facts->inputs[i];
        }
    }
    CHECK(input);
    int p = (int)facts->partition;
    if (facts->group != GROUP_AT && facts->group != GROUP_NONE) {
        return fail_exit(
            error, EXIT_CONFIG,
            "the group's offsets do not say where the task stands; `weir doctor %s %d` "
            "tells more",
            facts->processor, p);
    }
    if (input->waiting.first_offset == offset && input->unreadable[0]) {
        return OK;
    }
    if (input->waiting.first_offset == offset) {
        return fail_exit(error, EXIT_DATA,
                         "%s partition %d offset %" PRId64
                         " is the next record, but it can be read with the schemas known here: is "
                         "the task's log saying input_paused? Then add --force",
                         topic->name, p, offset);
    }
    if (input->waiting.first_offset < 0) {
        return fail_exit(error, EXIT_DATA, "%s partition %d: no record waits there", topic->name,
                         p);
    }
    return fail_exit(error, EXIT_DATA,
                     "the task does not wait at offset %" PRId64 " of %s partition %d: its next "
                     "record is at offset %" PRId64,
                     offset, topic->name, p, input->waiting.first_offset);
}

static enum outcome put(const struct tasks *tasks, const struct weir_topic *topic,
                        int32_t partition, int64_t offset, bool force, struct error *error)
{
    struct arena arena;
    struct task_facts facts;
    arena_init(&arena);
    enum outcome outcome = tasks_facts(tasks, partition, &arena, &facts, error);
    if (outcome == OK && !force) {
        outcome = check_place(&facts, topic, offset, error);
    }
    char *path = tool_state_path(&tasks->settings, partition);
    if (outcome == OK) {
        outcome = write_word(path, topic, offset, error);
    }
    if (outcome == OK) {
        printf("%s partition %d offset %" PRId64 " goes to %s.dlq when %s.p%d tries it again, "
               "within ten seconds if it runs\n",
               topic->name, (int)partition, offset, topic->name, tasks->settings.application_id,
               (int)partition);
    }
    free(path);
    arena_release(&arena);
    return outcome;
}

int dlq_put(const struct tool_place *place, const struct weir_topic *topic, int64_t partition,
            int64_t offset, const char *name, bool force)
{
    const struct weir_processor *processor = reader_of(place, topic, name);
    if (!processor) {
        return EXIT_USAGE;
    }
    if (partition >= topic->partitions) {
        return tool_usage("dlq", "%s has partitions 0 to %d", topic->name,
                          (int)topic->partitions - 1);
    }
    struct tasks tasks = {0};
    struct admin *admin = NULL;
    struct error error;
    enum outcome outcome = tool_admin(place, &admin, &error);
    if (outcome == OK) {
        outcome = tasks_open(&tasks, place, processor, 0, &error);
    }
    if (outcome == OK) {
        outcome = put(&tasks, topic, (int32_t)partition, offset, force, &error);
    }
    tasks_release(&tasks);
    admin_close(admin);
    return outcome == OK ? EXIT_DONE : tool_fail("dlq", outcome, &error);
}
