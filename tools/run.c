/* run.c - `weir run`: one instance of a processor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/process.h"
#include "tool.h"

static const char *config_file, *instance_id;
static int64_t partition = -1, wait_ms = 30000;
static bool list_settings;
static struct option_list properties;

static const struct option options[] = {
    {"config", 'c', OPTION_TEXT, &config_file, "FILE", "settings (default: config/PROCESSOR.conf)"},
    {"partition", 0, OPTION_NUMBER, &partition, "N",
     "run this partition, without group membership"},
    {"instance", 0, OPTION_TEXT, &instance_id, "ID", "join the group as the static member ID"},
    {"wait", 0, OPTION_NUMBER, &wait_ms, "MS",
     "how long to wait for a broker at start (default: 30000)"},
    {"property", 'X', OPTION_LIST, &properties, "KEY=VALUE",
     "a setting: librdkafka.KEY=VALUE, or any of --settings"},
    {"settings", 0, OPTION_FLAG, &list_settings, NULL,
     "print every setting with its meaning and default, and stop"},
    {0},
};

static int run(size_t count, char **arguments)
{
    (void)count;
    const struct weir_processor *processor = tool_processor("run", arguments[0]);
    if (!processor) {
        return EXIT_USAGE;
    }
    if (list_settings) {
        struct buffer text;
        buffer_init(&text);
        settings_reference(processor, &text);
        fputs(buffer_string(&text), stdout);
        buffer_release(&text);
        return EXIT_DONE;
    }
    if ((partition < 0) == (instance_id == NULL)) {
        return tool_usage(
            "run",
            "give either --partition N (this partition, fixed) or --instance ID (a group member)");
    }
    char path[4096];
    snprintf(path, sizeof path, "config/%s.conf", processor->name);
    struct settings settings;
    struct error error;
    enum outcome outcome = settings_load(&settings, processor, config_file ? config_file : path,
                                         properties.items, &error);
    int code;
    if (outcome != OK) {
        code = tool_fail("run", outcome, &error);
    } else {
        struct process_options process = {
            .processor = processor,
            .settings = &settings,
            .partition = (int32_t)partition,
            .instance_id = instance_id,
            .wait_ms = (int)wait_ms,
        };
        code = process_run(&process);
    }
    settings_release(&settings);
    return code;
}

const struct command run_command = {
    .name = "run",
    .summary = "run one instance of a processor",
    .usage = "weir run PROCESSOR (--partition N | --instance ID) [options]",
    .text = "Runs until SIGTERM or SIGINT, which finish the transaction at hand, commit and exit "
            "0. An instance is either\n"
            "fixed to one partition or a member of the consumer group; both speak one protocol and "
            "fence each other.\n"
            "kill -9 is safe at any moment: the next start goes on from the last commit.",
    .example = "  weir run inventory --partition 0 -c config/inventory.conf -X "
               "librdkafka.statistics.interval.ms=0\n"
               "  runs partition 0 of inventory; its state is <state.dir>/inventory/p0.sqlite",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
