/* topics_conf.c - see topics_conf.h. One table says which keys there are, what they may be and
 * where they stand. */
#include "topics_conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 1024
#define TOPICS_MAX     200
#define TOPIC_NAME_MAX 200 /* Kafka's 249, less what ".dlq" and friends need */

enum key_id {
    KEY_RECORD,
    KEY_KEY,
    KEY_DOC,
    KEY_ENCODING,
    KEY_PARTITIONS,
    KEY_CLEANUP,
    KEY_RETENTION_MS,
    KEY_DELETE_RETENTION_MS,
    KEY_MAX_MESSAGE_BYTES,
    KEY_SEQUENCED,
    KEY_COUNT,
};

struct key {
    const char *name;
    const char *words[3]; /* what it may be, or all NULL for a number or text */
    int64_t min, max;     /* a number, when max > 0 */
    bool in_default;      /* may stand in [default]; where it is required, because there is no other
                             default */
};

static const struct key keys[KEY_COUNT] = {
    [KEY_RECORD] = {.name = "record"},
    [KEY_KEY] = {.name = "key"},
    [KEY_DOC] = {.name = "doc"},
    [KEY_ENCODING] = {.name = "encoding", .words = {"avro", "json"}, .in_default = true},
    [KEY_PARTITIONS] = {.name = "partitions", .min = 1, .max = 10000, .in_default = true},
    [KEY_CLEANUP] = {.name = "cleanup", .words = {"delete", "compact"}, .in_default = true},
    [KEY_RETENTION_MS] = {.name = "retention.ms", .min = -1, .max = INT64_MAX, .in_default = true},
    [KEY_DELETE_RETENTION_MS] = {.name = "delete.retention.ms",
                                 .min = 0,
                                 .max = INT64_MAX,
                                 .in_default = true},
    [KEY_MAX_MESSAGE_BYTES] = {.name = "max.message.bytes",
                               .min = 1024,
                               .max = 1 << 30,
                               .in_default = true},
    [KEY_SEQUENCED] = {.name = "sequenced", .words = {"no", "yes"}, .in_default = true},
};

/* A section as it was written; value NULL: not there. */
struct section {
    const char *name, *where;
    const char *values[KEY_COUNT], *value_where[KEY_COUNT];
};

struct reader {
    struct model *model;
    const char *path;
    int line;
    struct section sections[TOPICS_MAX];
    size_t count;
};

static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text;
}

static const char *where(const struct reader *reader)
{
    return arena_format(&reader->model->arena, "%s:%d", reader->path, reader->line);
}

static const char *keep(const struct reader *reader, const char *text)
{
    return arena_strndup(&reader->model->arena, text, strlen(text));
}

static bool is_topic_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-");
    return length > 0 && length <= TOPIC_NAME_MAX && name[length] == '\0' && name[0] >= 'a';
}

static enum outcome read_section(struct reader *reader, char *line, struct error *error)
{
    size_t length = strlen(line);
    if (line[length - 1] != ']') {
        return fail_exit(error, EXIT_DATA, "%s: a section is [topic.name]", where(reader));
    }
    line[length - 1] = '\0';
    const char *name = trim(line + 1);
    bool is_default = strcmp(name, "default") == 0;
    if (!is_topic_name(name)) {
        return fail_exit(error, EXIT_DATA,
                         "%s: [%s]: a topic's name is lower-case letters, digits, '.' and '-', "
                         "starts with a letter, and has at most %d characters",
                         where(reader), name, TOPIC_NAME_MAX);
    }
    if (is_default != (reader->count == 0)) {
        return fail_exit(error, EXIT_DATA, "%s: [default] is the first section, and only the first",
                         where(reader));
    }
    for (size_t i = 0; i < reader->count; i++) {
        if (strcmp(reader->sections[i].name, name) == 0) {
            return fail_exit(error, EXIT_DATA, "%s: [%s] is already at %s", where(reader), name,
                             reader->sections[i].where);
        }
    }
    if (reader->count == TOPICS_MAX) {
        return fail_exit(error, EXIT_DATA, "%s: more than %d sections", where(reader), TOPICS_MAX);
    }
    reader->sections[reader->count++] =
        (struct section){.name = keep(reader, name), .where = where(reader)};
    return OK;
}

static bool is_word_of(const struct key *key, const char *value)
{
    for (size_t i = 0; i < 3 && key->words[i] != NULL; i++) {
        if (strcmp(key->words[i], value) == 0) {
            return true;
        }
    }
    return false;
}

static enum outcome check_value(const struct reader *reader, const struct key *key,
                                const char *value, struct error *error)
{
    if (value[0] == '\0') {
        return fail_exit(error, EXIT_DATA, "%s: %s has no value", where(reader), key->name);
    }
    if (key->words[0] != NULL && !is_word_of(key, value)) {
        return fail_exit(error, EXIT_DATA, "%s: %s = %s: write %s or %s", where(reader), key->name,
                         value, key->words[0], key->words[1]);
    }
    if (key->max == 0) {
        return OK;
    }
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno != 0 || *end != '\0' || number < key->min || number > key->max) {
        return fail_exit(error, EXIT_DATA,
                         "%s: %s = %s: write a number from %" PRId64 " to %" PRId64, where(reader),
                         key->name, value, key->min, key->max);
    }
    return OK;
}

static enum outcome read_key(struct reader *reader, char *line, struct error *error)
{
    char *equals = strchr(line, '=');
    if (equals == NULL || reader->count == 0) {
        return fail_exit(error, EXIT_DATA,
                         "%s: a line is [topic.name], key = value below it, or # comment",
                         where(reader));
    }
    *equals = '\0';
    const char *name = trim(line), *value = trim(equals + 1);
    struct section *section = &reader->sections[reader->count - 1];
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) != 0) {
            continue;
        }
        if (section->values[i] != NULL) {
            return fail_exit(error, EXIT_DATA, "%s: %s is already at %s", where(reader), name,
                             section->value_where[i]);
        }
        if (reader->count == 1 && !keys[i].in_default) {
            return fail_exit(error, EXIT_DATA, "%s: %s belongs to each topic, not to [default]",
                             where(reader), name);
        }
        section->values[i] = keep(reader, value);
        section->value_where[i] = where(reader);
        return check_value(reader, &keys[i], value, error);
    }
    return fail_exit(error, EXIT_DATA,
                     "%s: unknown key \"%s\": the head of topics.conf lists the keys",
                     where(reader), name);
}

static enum outcome read_lines(struct reader *reader, FILE *file, struct error *error)
{
    char text[LINE_BYTES_MAX];
    while (fgets(text, sizeof(text), file) != NULL) {
        reader->line++;
        if (strlen(text) == sizeof(text) - 1) {
            return fail_exit(error, EXIT_DATA, "%s: a line is shorter than %d bytes", where(reader),
                             LINE_BYTES_MAX - 1);
        }
        char *line = trim(text);
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        enum outcome outcome =
            line[0] == '[' ? read_section(reader, line, error) : read_key(reader, line, error);
        if (outcome != OK) {
            return outcome;
        }
    }
    return OK;
}

/* A key that cannot mean anything in this topic is a mistake, unless it only stands in [default].
 */
static enum outcome check_cleanup(const struct section *section, bool compact, struct error *error)
{
    enum key_id idle = compact ? KEY_RETENTION_MS : KEY_DELETE_RETENTION_MS;
    if (section->values[idle] == NULL) {
        return OK;
    }
    return fail_exit(error, EXIT_DATA, "%s: %s means nothing with cleanup = %s: remove it",
                     section->value_where[idle], keys[idle].name, compact ? "compact" : "delete");
}

static enum outcome make_topic(struct reader *reader, const struct section *section,
                               struct topic *topic, struct error *error)
{
    const char *values[KEY_COUNT];
    for (size_t i = 0; i < KEY_COUNT; i++) {
        values[i] = section->values[i] != NULL ? section->values[i] : reader->sections[0].values[i];
        if (values[i] == NULL) {
            return fail_exit(error, EXIT_DATA, "%s: [%s] lacks %s", section->where, section->name,
                             keys[i].name);
        }
    }
    bool compact = strcmp(values[KEY_CLEANUP], "compact") == 0;
    *topic = (struct topic){
        .name = section->name,
        .c_name = snake_case(&reader->model->arena, section->name),
        .where = section->where,
        .doc = values[KEY_DOC],
        .key = values[KEY_KEY],
        .record_name = values[KEY_RECORD],
        .encoding = strcmp(values[KEY_ENCODING], "json") == 0 ? WEIR_JSON : WEIR_AVRO,
        .cleanup = compact ? WEIR_COMPACT : WEIR_DELETE,
        .partitions = strtoll(values[KEY_PARTITIONS], NULL, 10),
        .max_message_bytes = strtoll(values[KEY_MAX_MESSAGE_BYTES], NULL, 10),
        .retention_ms = compact ? -1 : strtoll(values[KEY_RETENTION_MS], NULL, 10),
        .delete_retention_ms = strtoll(values[KEY_DELETE_RETENTION_MS], NULL, 10),
        .sequenced = strcmp(values[KEY_SEQUENCED], "yes") == 0,
    };
    return check_cleanup(section, compact, error);
}

enum outcome topics_conf_read(struct model *model, const char *path, struct error *error)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return fail_exit(error, EXIT_IO, "%s: cannot be opened", path);
    }
    struct reader *reader = arena_alloc(&model->arena, sizeof(*reader));
    reader->model = model;
    reader->path = path;
    enum outcome outcome = read_lines(reader, file, error);
    fclose(file);
    if (outcome != OK) {
        return outcome;
    }
    if (reader->count < 2) {
        return fail_exit(error, EXIT_DATA, "%s: there is no topic in it", path);
    }
    model->topic_count = reader->count - 1;
    model->topics = arena_alloc(&model->arena, model->topic_count * sizeof(*model->topics));
    for (size_t i = 0; i < model->topic_count; i++) {
        if (make_topic(reader, &reader->sections[i + 1], &model->topics[i], error) != OK) {
            return FATAL;
        }
    }
    return OK;
}
