/* scarce_memory.h - one allocation fails: for a program linked with --wrap for malloc, calloc,
 * realloc, strdup and abort.
 *
 * Two owners are counted apart: our own objects, and SQLite (through its own interface, because it
 * is a shared library). Only what happens between scarce_memory_runs(true) and (false) counts. What
 * is ours aborts when it gets no memory (base/arena.h); while it runs, abort() is a longjmp to
 * scarce_memory_death, and nothing is freed.
 */
#ifndef WEIR_TEST_PROTOCOL_SCARCE_MEMORY_H
#define WEIR_TEST_PROTOCOL_SCARCE_MEMORY_H

#include <setjmp.h>
#include <stdbool.h>

enum memory_owner { OURS, SQLITES };

/* Before SQLite's first use; takes its lookaside away, which would hide most of what it asks for.
 */
void scarce_memory_register(void);

/* From now on allocations of `owner` are counted from 1, and number `site` fails. 0: none. */
void scarce_memory_begin(enum memory_owner owner, long site);
void scarce_memory_end(void); /* nothing fails or is counted any more */

long scarce_memory_sites(void); /* counted from begin to end */

/* Whether the code that is looked at runs; returns what was said before. */
bool scarce_memory_runs(bool now);

extern jmp_buf scarce_memory_death;

#endif
