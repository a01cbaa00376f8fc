/* forgotten.h - what a broker that was killed may have forgotten, and a person at the keyboard, who
 * does what the README says under "When the broker forgets a commit". */
#ifndef WEIR_TEST_CHAOS_FORGOTTEN_H
#define WEIR_TEST_CHAOS_FORGOTTEN_H

#include "chaos/fleet.h"

/* To be called when no fault is under way. Waits until what hangs has hung for a minute, which
 * Kafka's tool asks for; then, if anything does: stops every process, aborts it, resets the files
 * of the tasks whose commit it was. *ended: whether there was any, so that the fleet must be
 * arranged anew. A step that fails is a violation, and the result false. */
bool forgotten_end(struct fleet *fleet, const char *config, bool *ended);

/* The broker has written into its log, since it was last started, that its group coordinator is
 * out of sync with the log of offsets: it may answer with offsets of earlier until it is started
 * again. */
bool forgotten_offsets(const struct fleet *fleet);

#endif
