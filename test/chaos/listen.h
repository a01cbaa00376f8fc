/* listen.h - what the processes' own log lines tell: who runs which task, every commit.
 *
 * A task's commits are numbered without gaps, and a number is committed once, by one process
 * (I-6, I-9): two processes that claim the same one are a violation, whatever the topics say.
 */
#ifndef WEIR_TEST_CHAOS_LISTEN_H
#define WEIR_TEST_CHAOS_LISTEN_H

#include "chaos/fleet.h"

/* One line, without its end. */
void listen_line(struct fleet *fleet, struct child *child, const char *text, size_t size);

#endif
