/* operator.h - an operator at a shell, when something is broken: sees a start refused, asks `weir
 * doctor`, tries the command that it names, and then means it.
 *
 * The commands run on the case's broker, under its application id, on the disk of host "a".
 */
#ifndef WEIR_TEST_OPERATOR_H
#define WEIR_TEST_OPERATOR_H

#include "kafka/system.h"

/* The configuration directory: `processor` has the case's application id, the others their own. */
void operator_configures(struct system *system, const char *processor);

/* Runs `weir LINE`: words between blanks, or between single quotes. Expects this exit code. What it
 * printed, errors first come as they came. */
const char *operator_runs(struct system *system, int code, const char *line, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails the case unless `printed` has this text. */
void operator_reads(struct system *system, const char *printed, const char *wanted);

/* `weir run` of the task ends with EXIT_CONFIG, saying this and naming the doctor. */
void operator_sees_refused(struct system *system, const struct run *run, const char *reason);

/* Asks about partition 0 of `processor`, in both languages: there must be this one finding that
 * needs a person, with this text. The command that mends it, or the advice. */
const char *operator_asks_doctor(struct system *system, const char *processor, const char *kind,
                                 const char *text);

/* The doctor says that all is well. */
void operator_expects_well(struct system *system, const char *processor);

/* Runs `command` without its --execute (and whatever follows that), which must change nothing; then
 * as it stands. What the latter printed. */
const char *operator_mends(struct system *system, const char *command);

/* Committed offsets, ends of topics, the state file's meta and the names beside it: what a command
 * might have changed. */
const char *operator_looks_around(struct system *system);

#endif
