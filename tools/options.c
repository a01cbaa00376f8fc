/* options.c - reads a command line by a command's table, and writes its --help from the same table.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "options.h"

int tool_usage(const char *command, const char *format, ...)
{
    fprintf(stderr, "weir %s: ", command);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n`weir %s --help` tells more.\n", command);
    return EXIT_USAGE;
}

void options_help(const struct command *command)
{
    printf("%s\n\n  %s\n", command->summary, command->usage);
    if (command->text) {
        printf("\n%s\n", command->text);
    }
    printf("\nOptions:\n");
    for (const struct option *option = command->options; option && option->name; option++) {
        char left[64], letter[8] = "    ";
        if (option->letter) {
            snprintf(letter, sizeof letter, "-%c, ", option->letter);
        }
        snprintf(left, sizeof left, "%s--%s %s", letter, option->name,
                 option->argument ? option->argument : "");
        printf("  %-30s %s\n", left, option->doc);
    }
    printf("  %-30s %s\n", "-h, --help", "this text");
    printf("\nExample:\n%s\n", command->example);
}

static const struct option *find(const struct command *command, const char *name, size_t length,
                                 char letter)
{
    for (const struct option *option = command->options; option && option->name; option++) {
        if (letter ? option->letter == letter
                   : strlen(option->name) == length && strncmp(option->name, name, length) == 0) {
            return option;
        }
    }
    return NULL;
}

static int set(const struct command *command, const struct option *option, const char *text)
{
    char *end;
    int64_t number;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->value = true;
        return EXIT_DONE;
    case OPTION_TEXT:
        *(const char **)option->value = text;
        return EXIT_DONE;
    case OPTION_NUMBER:
        if (!conf_number(text, &number) || number < 0) {
            return tool_usage(command->name, "--%s %s: write a whole number from 0 on",
                              option->name, text);
        }
        *(int64_t *)option->value = number;
        return EXIT_DONE;
    case OPTION_REAL:
        errno = 0;
        *(double *)option->value = strtod(text, &end);
        return *end == 0 && end != text && errno == 0
                   ? EXIT_DONE
                   : tool_usage(command->name, "--%s %s: write a number", option->name, text);
    case OPTION_LIST: {
        struct option_list *list = option->value;
        if (list->count == OPTION_LIST_MAX) {
            return tool_usage(command->name, "--%s: given more than %d times", option->name,
                              OPTION_LIST_MAX);
        }
        list->items[list->count++] = text;
        return EXIT_DONE;
    }
    }
    return EXIT_USAGE;
}

static int unknown(const struct command *command, const char *given)
{
    const char *names[64] = {NULL};
    size_t count = 0;
    for (const struct option *option = command->options; option && option->name && count < 63;
         option++) {
        names[count++] = option->name;
    }
    const char *nearest = conf_nearest(given + strspn(given, "-"), names);
    return nearest
               ? tool_usage(command->name, "unknown option %s; did you mean --%s?", given, nearest)
               : tool_usage(command->name, "unknown option %s", given);
}

/* One argument that begins with '-'. *used: how many arguments it took. */
static int take_option(const struct command *command, char **argv, int left, int *used)
{
    const char *text = argv[0];
    bool is_long = text[1] == '-';
    const char *equals = is_long ? strchr(text, '=') : NULL;
    size_t length = equals ? (size_t)(equals - text) - 2 : strlen(text) - (is_long ? 2 : 0);
    const struct option *option =
        is_long ? find(command, text + 2, length, 0) : find(command, NULL, 0, text[1]);
    *used = 1;
    if (!option) {
        return unknown(command, text);
    }
    const char *value = equals ? equals + 1 : !is_long && text[2] ? text + 2 : NULL;
    if (option->kind == OPTION_FLAG) {
        return value ? tool_usage(command->name, "--%s takes no value", option->name)
                     : set(command, option, NULL);
    }
    if (!value) {
        if (left < 2) {
            return tool_usage(command->name, "--%s wants %s", option->name, option->argument);
        }
        value = argv[1];
        *used = 2;
    }
    return set(command, option, value);
}

int options_run(const struct command *command, int argc, char **argv)
{
    char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    size_t count = 0;
    bool only_arguments = false;
    int code = EXIT_DONE;
    for (int i = 0; i < argc && code == EXIT_DONE;) {
        int used = 1;
        if (only_arguments || argv[i][0] != '-' || argv[i][1] == 0) {
            arguments[count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options_help(command);
            free(arguments);
            return EXIT_DONE;
        } else {
            code = take_option(command, argv + i, argc - i, &used);
        }
        i += used;
    }
    if (code == EXIT_DONE && (count < command->arguments_min || count > command->arguments_max)) {
        code = tool_usage(command->name, "usage: %s", command->usage);
    }
    if (code == EXIT_DONE) {
        code = command->run(count, arguments);
    }
    free(arguments);
    return code;
}
