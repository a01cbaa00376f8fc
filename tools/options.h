/* options.h - a command line by a command's table. Used by main.c. */
#ifndef WEIR_TOOLS_OPTIONS_H
#define WEIR_TOOLS_OPTIONS_H

#include "tool.h"

void options_help(const struct command *command);

/* Reads options into their places, answers --help, checks the number of arguments, runs. Returns
 * the exit code. */
int options_run(const struct command *command, int argc, char **argv);

#endif
