/* status.c - writes and reads status.json. */
#include "up/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "file.h"

enum { STATUS_MAX_BYTES = 1024 * 1024 };

static void add_text(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, "\"%s\":", name);
    json_quote(out, text, strlen(text));
}

enum outcome status_write(const char *path, const struct status *status, struct error *error)
{
    struct buffer text;
    buffer_init(&text);
    buffer_format(&text, "{\"supervisor\":%" PRId64 ",\"since_ms\":%" PRId64 ",\"processes\":[",
                  status->supervisor_pid, status->since_ms);
    for (size_t i = 0; i < status->count; i++) {
        const struct status_process *process = &status->processes[i];
        buffer_add_string(&text, i > 0 ? ",\n  {" : "\n  {");
        add_text(&text, "name", process->name);
        buffer_format(&text, ",\"pid\":%" PRId64 ",\"restarts\":%" PRId64 ",", process->pid,
                      process->restarts);
        add_text(&text, "state", process->state);
        buffer_format(&text, ",\"since_ms\":%" PRId64 ",", process->since_ms);
        add_text(&text, "exit", process->last_exit);
        buffer_add_byte(&text, '}');
    }
    buffer_add_string(&text, "]}\n");
    enum outcome outcome = file_replace(path, &text, error);
    buffer_release(&text);
    return outcome;
}

static int64_t number_of(const struct json *object, const char *member)
{
    const struct json *value = json_get(object, member);
    return value && json_kind(value) == JSON_NUMBER ? json_number(value) : 0;
}

static void text_of(const struct json *object, const char *member, char *text)
{
    const struct json *value = json_get(object, member);
    snprintf(text, STATUS_TEXT_MAX, "%s",
             value && json_kind(value) == JSON_TEXT ? json_text(value) : "");
}

static enum outcome take_root(const struct json *root, const char *path, struct status *status,
                              struct error *error)
{
    const struct json *list = json_kind(root) == JSON_MEMBERS ? json_get(root, "processes") : NULL;
    if (!list || json_kind(list) != JSON_LIST) {
        return fail_exit(error, EXIT_DATA, "%s: not the status file of `weir up`", path);
    }
    status->supervisor_pid = number_of(root, "supervisor");
    status->since_ms = number_of(root, "since_ms");
    for (size_t i = 0; i < json_count(list) && i < STATUS_PROCESSES_MAX; i++) {
        const struct json *from = json_at(list, i);
        struct status_process *process = &status->processes[status->count];
        if (json_kind(from) != JSON_MEMBERS) {
            continue;
        }
        status->count++;
        process->pid = number_of(from, "pid");
        process->restarts = number_of(from, "restarts");
        process->since_ms = number_of(from, "since_ms");
        text_of(from, "name", process->name);
        text_of(from, "state", process->state);
        text_of(from, "exit", process->last_exit);
    }
    return OK;
}

enum outcome status_read(const char *path, struct status *status, struct error *error)
{
    struct buffer text;
    struct json *root = NULL;
    buffer_init(&text);
    *status = (struct status){0};
    enum outcome outcome = file_read(path, STATUS_MAX_BYTES, &text, error);
    if (outcome == OK) {
        outcome = json_parse(&root, text.data, text.size, error);
    }
    if (outcome == OK) {
        outcome = take_root(root, path, status, error);
    }
    json_free(root);
    buffer_release(&text);
    return outcome;
}

int64_t status_restarts(const struct status *status)
{
    int64_t sum = 0;
    for (size_t i = 0; i < status->count; i++) {
        sum += status->processes[i].restarts;
    }
    return sum;
}
