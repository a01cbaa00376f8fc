/* settings.c - the table of settings. */
#include "runtime/settings.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum setting_kind { TEXT, NUMBER };

static const struct known {
    const char *key;
    enum setting_kind kind;
    size_t offset;
    const char *text_default;
    int64_t number_default, min, max;
    const char *doc;
} table[] = {
    {"application.id", TEXT, offsetof(struct settings, application_id), NULL, 0, 0, 0,
     "consumer group, changelog and history topics, prefix of the transactional ids. Default: the "
     "processor's name"},
    {"bootstrap.servers", TEXT, offsetof(struct settings, bootstrap_servers), "127.0.0.1:19092", 0,
     0, 0, "Kafka brokers to ask first, host:port, comma-separated"},
    {"state.dir", TEXT, offsetof(struct settings, state_dir), "/var/lib/weir", 0, 0, 0,
     "directory of the state files, local disk: <state.dir>/<application.id>/p<N>.sqlite"},
    {"schema.dir", TEXT, offsetof(struct settings, schema_dir), NULL, 0, 0, 0,
     "directory of *.avsc files of other writers, beside the schemas compiled in. Default: none"},
    {"log.level", TEXT, 0, "info", 0, 0, 0, "error, warn, info or debug"},
    {"commit.pause_ms", NUMBER, offsetof(struct settings, commit_pause_ms), NULL, 5, 2, 60000,
     "ms between a task's commit and its next transaction. Under 2 the broker's back-off costs 20 "
     "ms a commit; more spares "
     "the broker about 3 ms of CPU for every transaction saved"},
    {"take.max_records", NUMBER, offsetof(struct settings, take_max_records), NULL, 10000, 1,
     1000000, "most records in one transaction"},
    {"take.max_bytes", NUMBER, offsetof(struct settings, take_max_bytes), NULL, 16777216, 1024,
     1073741824,
     "bytes of input after which a transaction takes no more; after as many of rows they go to "
     "file and changelog before its end"},
    {"transaction.timeout_ms", NUMBER, offsetof(struct settings, transaction_timeout_ms), NULL,
     10000, 1000, 900000,
     "after this the broker aborts a transaction whose process has died or hangs"},
    {"session.timeout_ms", NUMBER, offsetof(struct settings, session_timeout_ms), NULL, 10000, 1000,
     1800000, "group members only: after this silence a member's partitions go to another"},
    {"store.commit_ms", NUMBER, offsetof(struct settings, store_commit_ms), NULL, 1000, 1, 600000,
     "how far the state file may lag behind Kafka; a restart replays that much of the changelog"},
    {"clock.bound_ms", NUMBER, offsetof(struct settings, clock_bound_ms), NULL, 60000, 0, 86400000,
     "a record stamped further ahead of this machine's clock moves task time only so far"},
    {"changelog.delete_retention_ms", NUMBER, offsetof(struct settings, delete_retention_ms), NULL,
     86400000, 60000, INT64_C(31536000000),
     "delete.retention.ms of the changelog; a state file half as old is rebuilt"},
};

enum { TABLE_COUNT = sizeof table / sizeof *table };

static void set_defaults(struct settings *settings, const struct weir_processor *processor)
{
    char *base = (char *)settings;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i].kind == NUMBER) {
            memcpy(base + table[i].offset, &table[i].number_default, sizeof(int64_t));
        } else if (strcmp(table[i].key, "log.level") != 0) {
            memcpy(base + table[i].offset, &table[i].text_default, sizeof(const char *));
        }
    }
    settings->log_level = LOG_INFO;
    settings->application_id = processor->name;
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        settings->values[i] = processor->settings[i]->default_value;
    }
}

static const char *place(struct settings *settings, const struct conf_entry *entry)
{
    return entry->line > 0 ? arena_format(&settings->conf.arena, "%s:%d", entry->file, entry->line)
                           : entry->file;
}

static enum outcome take_number(struct settings *settings, const struct conf_entry *entry,
                                int64_t min, int64_t max, const char *doc, int64_t *value,
                                struct error *error)
{
    int64_t number;
    if (!conf_number(entry->value, &number) || number < min || number > max) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s: %s = %s: write a whole number from %" PRId64 " to %" PRId64 " (%s)",
                         place(settings, entry), entry->key, entry->value, min, max, doc);
    }
    *value = number;
    return OK;
}

/* application.id stands in topic names, file names and transactional ids. */
static bool is_name(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 100 && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

static enum outcome take_known(struct settings *settings, const struct known *known,
                               const struct conf_entry *entry, struct error *error)
{
    char *base = (char *)settings;
    if (known->kind == NUMBER) {
        int64_t number = 0;
        enum outcome outcome =
            take_number(settings, entry, known->min, known->max, known->doc, &number, error);
        memcpy(base + known->offset, &number, sizeof number);
        return outcome;
    }
    if (strcmp(known->key, "log.level") == 0) {
        return log_level_parse(entry->value, &settings->log_level)
                   ? OK
                   : fail_exit(error, EXIT_CONFIG,
                               "%s: log.level = %s: write error, warn, info or debug",
                               place(settings, entry), entry->value);
    }
    if (entry->value[0] == 0) {
        return fail_exit(error, EXIT_CONFIG, "%s: %s is empty (%s)", place(settings, entry),
                         entry->key, known->doc);
    }
    if (strcmp(known->key, "application.id") == 0 && !is_name(entry->value)) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s: application.id = %s: write letters, digits, '.', '_' and '-' only",
                         place(settings, entry), entry->value);
    }
    memcpy(base + known->offset, &entry->value, sizeof entry->value);
    return OK;
}

static enum outcome unknown_key(struct settings *settings, const struct weir_processor *processor,
                                const struct conf_entry *entry, struct error *error)
{
    const char *candidates[TABLE_COUNT + WEIR_LIST_MAX + 1] = {NULL};
    size_t count = 0;
    for (; count < TABLE_COUNT; count++) {
        candidates[count] = table[count].key;
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        candidates[count++] = processor->settings[i]->name;
    }
    const char *nearest = conf_nearest(entry->key, candidates);
    if (nearest) {
        return fail_exit(error, EXIT_CONFIG, "%s: unknown setting '%s'; did you mean '%s'?",
                         place(settings, entry), entry->key, nearest);
    }
    return fail_exit(error, EXIT_CONFIG,
                     "%s: unknown setting '%s'; `weir run %s --settings` lists them all (a setting "
                     "of the client library "
                     "is written librdkafka.%s)",
                     place(settings, entry), entry->key, processor->name, entry->key);
}

static enum outcome take_entry(struct settings *settings, const struct weir_processor *processor,
                               const struct conf_entry *entry, struct error *error)
{
    static const char prefix[] = "librdkafka.";
    if (entry->section[0]) {
        return fail_exit(error, EXIT_CONFIG, "%s: there are no sections here; remove [%s]",
                         place(settings, entry), entry->section);
    }
    if (strncmp(entry->key, prefix, sizeof prefix - 1) == 0) {
        if (settings->property_count == SETTINGS_PROPERTIES_MAX) {
            return fail_exit(error, EXIT_CONFIG, "%s: more than %d librdkafka settings",
                             place(settings, entry), SETTINGS_PROPERTIES_MAX);
        }
        settings->properties[settings->property_count++] =
            (struct client_property){entry->key + sizeof prefix - 1, entry->value,
                                     place(settings, entry)};
        return OK;
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (strcmp(table[i].key, entry->key) == 0) {
            return take_known(settings, &table[i], entry, error);
        }
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        const struct weir_setting *own = processor->settings[i];
        if (strcmp(own->name, entry->key) == 0) {
            return take_number(settings, entry, own->min, own->max, own->doc, &settings->values[i],
                               error);
        }
    }
    return unknown_key(settings, processor, entry, error);
}

/* The same key twice in one file is a mistake; a processor's file may say otherwise than
 * common.conf. */
static enum outcome check_repeats(struct settings *settings, struct error *error)
{
    const struct conf *conf = &settings->conf;
    for (size_t i = 0; i < conf->count; i++) {
        for (size_t k = i + 1; k < conf->count; k++) {
            const struct conf_entry *a = &conf->entries[i], *b = &conf->entries[k];
            if (a->line > 0 && b->line > 0 && strcmp(a->file, b->file) == 0 &&
                strcmp(a->key, b->key) == 0) {
                return fail_exit(error, EXIT_CONFIG,
                                 "%s:%d: '%s' was set in line %d already; keep one", b->file,
                                 b->line, b->key, a->line);
            }
        }
    }
    return OK;
}

struct value_source {
    const struct settings *settings;
    const struct weir_processor *processor;
};

static int64_t value_of(const void *from, const struct weir_setting *setting)
{
    const struct value_source *source = from;
    return settings_value(source->settings, source->processor, setting);
}

static enum outcome check_rules(struct settings *settings, const struct weir_processor *processor,
                                const char *path, struct error *error)
{
    if (settings->commit_pause_ms * 2 > settings->transaction_timeout_ms) {
        return fail_exit(error, EXIT_CONFIG,
                         "%s: commit.pause_ms = %" PRId64
                         " is more than half of transaction.timeout_ms = %" PRId64
                         "; lower the one or raise the other",
                         path, settings->commit_pause_ms, settings->transaction_timeout_ms);
    }
    struct value_source source = {settings, processor};
    const char *wrong =
        processor->check_settings ? processor->check_settings(value_of, &source) : NULL;
    if (wrong) {
        return fail_exit(error, EXIT_CONFIG, "%s: %s", path, wrong);
    }
    return client_check_properties(settings->properties, settings->property_count, error);
}

enum outcome settings_load(struct settings *settings, const struct weir_processor *processor,
                           const char *path, const char *const *extra, struct error *error)
{
    memset(settings, 0, sizeof *settings);
    struct conf *conf = &settings->conf;
    conf_init(conf);
    set_defaults(settings, processor);
    const char *slash = strrchr(path, '/');
    const char *common =
        slash ? arena_format(&conf->arena, "%.*s/common.conf", (int)(slash - path), path)
              : "common.conf";
    enum outcome outcome = conf_read(conf, common, true, error);
    if (outcome == OK) {
        outcome = conf_read(conf, path, false, error);
    }
    for (; outcome == OK && extra && *extra; extra++) {
        size_t before = conf->count;
        outcome = conf_parse(conf, "command line", *extra, strlen(*extra), error);
        for (size_t i = before; i < conf->count; i++) {
            conf->entries[i].line = 0;
        }
    }
    if (outcome == OK) {
        outcome = check_repeats(settings, error);
    }
    for (size_t i = 0; outcome == OK && i < conf->count; i++) {
        outcome = take_entry(settings, processor, &conf->entries[i], error);
    }
    return outcome == OK ? check_rules(settings, processor, path, error) : outcome;
}

void settings_release(struct settings *settings)
{
    conf_release(&settings->conf);
}

int64_t settings_value(const struct settings *settings, const struct weir_processor *processor,
                       const struct weir_setting *setting)
{
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        if (processor->settings[i] == setting) {
            return settings->values[i];
        }
    }
    BUG("a setting that the processor's table does not list");
}

static bool is_secret(const char *key)
{
    return strstr(key, "password") || strstr(key, "secret") || strstr(key, "key.pem") ||
           strstr(key, "oauthbearer");
}

void settings_print(const struct settings *settings, const struct weir_processor *processor,
                    struct buffer *out)
{
    const char *base = (const char *)settings;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i].kind == NUMBER) {
            int64_t number;
            memcpy(&number, base + table[i].offset, sizeof number);
            buffer_format(out, "%s=%" PRId64 " ", table[i].key, number);
        } else if (strcmp(table[i].key, "log.level") != 0) {
            const char *text;
            memcpy(&text, base + table[i].offset, sizeof text);
            buffer_format(out, "%s=%s ", table[i].key, text ? text : "none");
        }
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        buffer_format(out, "%s=%" PRId64 " ", processor->settings[i]->name, settings->values[i]);
    }
    for (size_t i = 0; i < settings->property_count; i++) {
        const struct client_property *property = &settings->properties[i];
        buffer_format(out, "librdkafka.%s=%s ", property->name,
                      is_secret(property->name) ? "***" : property->value);
    }
}

static void print_reference(struct buffer *out, const char *key, const char *value, const char *doc)
{
    buffer_format(out, "# %s\n#%s = %s\n\n", doc, key, value);
}

void settings_reference(const struct weir_processor *processor, struct buffer *out)
{
    char number[24];
    buffer_format(out, "# %s: %s\n# Every setting, its meaning and its default.\n\n",
                  processor->name, processor->summary);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        snprintf(number, sizeof number, "%" PRId64, table[i].number_default);
        const char *text = table[i].text_default ? table[i].text_default : "";
        print_reference(out, table[i].key, table[i].kind == NUMBER ? number : text, table[i].doc);
    }
    for (size_t i = 0; i < WEIR_LIST_MAX && processor->settings[i]; i++) {
        snprintf(number, sizeof number, "%" PRId64, processor->settings[i]->default_value);
        print_reference(out, processor->settings[i]->name, number, processor->settings[i]->doc);
    }
}
