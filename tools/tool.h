/* tool.h - what the subcommands of `weir` share: a table of commands, a table of options, output.
 *
 * A command is one file: a const table of its options, a help text with one real example, and a
 * function. Exit codes are those of base/error.h. What a command prints for people goes to standard
 * output, progress and errors to standard error.
 */
#ifndef WEIR_TOOLS_TOOL_H
#define WEIR_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kafka/admin.h"
#include "runtime/settings.h"
#include "weir.h"

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_NUMBER, /* int64_t, from 0 on: a negative default says that none was given */
    OPTION_REAL,   /* double */
    OPTION_LIST,   /* struct option_list: may be given many times */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *items[OPTION_LIST_MAX + 1]; /* NULL-terminated */
    size_t count;
};

/* One option. `--name VALUE`, `--name=VALUE`, and `-x VALUE` when it has a letter. The last of a
 * table has no name. */
struct option {
    const char *name;
    char letter;
    enum option_kind kind;
    void *value;
    const char *argument; /* "FILE", "N"; NULL for a flag */
    const char *doc;
};

struct command {
    const char *name;
    const char *summary; /* one line */
    const char *usage;   /* "weir cat TOPIC [options]" */
    const char *text;    /* a paragraph: what it does; may be NULL */
    const char *example; /* a real command line and what comes of it */
    const struct option *options;
    size_t arguments_min, arguments_max; /* positional ones */
    /* `arguments` are the positional ones, NULL-terminated. Returns the exit code. */
    int (*run)(size_t count, char **arguments);
};

extern const struct command run_command, up_command, topics_command, load_command, put_command,
    cat_command, sql_command, doctor_command, reset_command, offsets_command, dlq_command,
    audit_command, watch_command, replay_command;

/* Prints "weir COMMAND: text" to standard error and returns error->exit_code; for a RETRY that is
 * EXIT_TRY_AGAIN (a state file in use) or else EXIT_UNAVAILABLE. */
int tool_fail(const char *command, enum outcome outcome, const struct error *error);

/* A usage error: prints text and a hint at --help, returns EXIT_USAGE. */
int tool_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- what most tools need ---- */

/* Finds a processor by name, or a topic of the shop by name; NULL after telling which ones there
 * are. */
const struct weir_processor *tool_processor(const char *command, const char *name);
const struct weir_topic *tool_topic(const char *command, const char *name);

/* The broker and state directory that a tool uses: --bootstrap-servers and --state-dir, else what
 * common.conf (or the processor's file) in the configuration directory says. */
struct tool_place {
    const char *config_dir; /* -c, default "config" */
    const char *bootstrap_servers, *state_dir;
    struct option_list properties; /* -X librdkafka key=value */
};
#define TOOL_PLACE_OPTIONS(place)                                                       \
    {"config",    'c',                                                                  \
     OPTION_TEXT, &(place).config_dir,                                                  \
     "DIR",       "configuration directory (default: config)"},                         \
        {"bootstrap-servers",        'b',    OPTION_TEXT,                               \
         &(place).bootstrap_servers, "LIST", "brokers (default: the configuration's)"}, \
        {"state-dir",        0,     OPTION_TEXT,                                        \
         &(place).state_dir, "DIR", "state files (default: the configuration's)"},      \
    {                                                                                   \
        "property", 'X', OPTION_LIST, &(place).properties, "KEY=VALUE",                 \
            "a setting for librdkafka; may be repeated"                                 \
    }

/* Loads the settings of `processor` from the place: application id, brokers, state directory with
 * the options' overrides applied. Release with settings_release. */
MUST_CHECK enum outcome tool_settings(const struct tool_place *place,
                                      const struct weir_processor *processor,
                                      struct settings *settings, struct error *error);

/* Opens an admin on the place's brokers and waits for an answer (5 s). */
MUST_CHECK enum outcome tool_admin(const struct tool_place *place, struct admin **admin,
                                   struct error *error);

/* <state.dir>/<application.id>/p<N>.sqlite; malloc'ed. */
char *tool_state_path(const struct settings *settings, int32_t partition);

/* "2026-11-21T16:50:00.123Z" into `text` (at least 32 bytes). */
const char *tool_time(int64_t ms, char *text);

int64_t tool_now_ms(void);

/* Set by SIGINT and SIGTERM once tool_catch_signals() was called: long-running tools stop when they
 * see it. */
extern volatile bool tool_interrupted;
void tool_catch_signals(void);

#endif
