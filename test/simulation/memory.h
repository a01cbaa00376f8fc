/* memory.h - memory that gives out, and chance that does not.
 *
 * Every allocation of this program's own objects (the linker wraps malloc and friends) and every
 * one of SQLite's may be made to fail while a machine is in a step. Ours end the process, as
 * lib/base/arena.c does, which here is machine_crash(): the machine goes on to its step's end, but
 * nothing that it does happens. SQLite's return NULL.
 *
 * getrandom() and SQLite's own randomness are wrapped too: a seed is the same run every time.
 */
#ifndef WEIR_TEST_SIMULATION_MEMORY_H
#define WEIR_TEST_SIMULATION_MEMORY_H

#include <stdbool.h>

#include "simulation/dice.h"

enum memory_call { MEMORY_OURS, MEMORY_SQLITE, MEMORY_CALLS };

/* Once, before SQLite is initialised. */
void memory_register(void);

/* Asked at every allocation: true, and there is no memory. NULL: there always is. */
typedef bool memory_chooser(void *context, enum memory_call call);
void memory_set_chooser(memory_chooser *chooser, void *context);

/* What the machines and SQLite take for chance from now on. */
void memory_set_chance(uint64_t seed);

#endif
