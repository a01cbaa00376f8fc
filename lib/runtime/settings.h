/* settings.h - what an operator may set, from configuration files to one struct.
 *
 * A processor reads <directory>/<processor>.conf, and before it <directory>/common.conf when there
 * is one. Every key is in one table (settings.c) or in the processor's own list; `librdkafka.<key>`
 * goes to the client library. Unknown keys, values out of range and contradictions are refused with
 * file, line and what to write.
 */
#ifndef WEIR_RUNTIME_SETTINGS_H
#define WEIR_RUNTIME_SETTINGS_H

#include "base/buffer.h"
#include "base/conf.h"
#include "base/log.h"
#include "kafka/client.h"
#include "weir.h"

enum { SETTINGS_PROPERTIES_MAX = 64 };

struct settings {
    const char *application_id;
    const char *bootstrap_servers;
    const char *state_dir;  /* <state.dir>/<application.id>/p<N>.sqlite */
    const char *schema_dir; /* writer schemas that are not compiled in; NULL: none */
    enum log_level log_level;
    int64_t commit_pause_ms;
    int64_t take_max_records, take_max_bytes;
    int64_t transaction_timeout_ms, session_timeout_ms;
    int64_t store_commit_ms;
    int64_t clock_bound_ms;
    int64_t delete_retention_ms;   /* of the changelog */
    int64_t values[WEIR_LIST_MAX]; /* of processor->settings */
    struct client_property properties[SETTINGS_PROPERTIES_MAX];
    size_t property_count;
    struct conf conf; /* owns the texts */
};

/* Reads the file of `processor` at `path` (its directory's common.conf first). `extra`: "key=value"
 * texts of the command line, applied last, NULL-terminated; may be NULL. FATAL with EXIT_CONFIG.
 * Release it either way. */
MUST_CHECK enum outcome settings_load(struct settings *settings,
                                      const struct weir_processor *processor, const char *path,
                                      const char *const *extra, struct error *error);
void settings_release(struct settings *settings);

/* The value of a processor's own setting. */
int64_t settings_value(const struct settings *settings, const struct weir_processor *processor,
                       const struct weir_setting *setting);

/* Appends "key=value" of every effective setting, secrets as ***, for the start line. */
void settings_print(const struct settings *settings, const struct weir_processor *processor,
                    struct buffer *out);

/* Appends a commented configuration file with every key, its meaning and its default. */
void settings_reference(const struct weir_processor *processor, struct buffer *out);

#endif
