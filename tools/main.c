/* main.c - the `weir` command: finds the subcommand and hands over. */
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "options.h"
#include "processors.h"

static const struct command *const commands[] = {
    &run_command, &up_command,    &topics_command, &load_command,  &put_command,
    &cat_command, &sql_command,   &doctor_command, &reset_command, &offsets_command,
    &dlq_command, &audit_command, &replay_command, &watch_command, NULL,
};

static void help(void)
{
    printf("weir: order and payment events on Kafka into a shop's transactions, exactly once, with "
           "state in SQLite.\n\n"
           "  weir COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++) {
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\nProcessors:\n");
    for (size_t i = 0; processors[i]; i++) {
        printf("  %-10s %s\n", processors[i]->name, processors[i]->summary);
    }
    printf("\n`weir COMMAND --help` tells more. Exit codes: 0 done, 64 usage, 65 bad data, 69 no "
           "broker, 70 a bug,\n"
           "74 state files, 75 try again (fenced, rebalanced away), 78 configuration.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help();
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("weir %s (%s)\n", WEIR_VERSION, client_library());
        return EXIT_DONE;
    }
    const char *names[sizeof commands / sizeof *commands] = {NULL};
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, argv[1]) == 0) {
            return options_run(commands[i], argc - 2, argv + 2);
        }
        names[i] = commands[i]->name;
    }
    const char *nearest = conf_nearest(argv[1], names);
    fprintf(stderr, "weir: unknown command '%s'%s%s%s; `weir --help` lists them\n", argv[1],
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return EXIT_USAGE;
}
