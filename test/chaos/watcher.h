/* watcher.h - what a customer sees meanwhile: a read_committed reader of every output topic, in a
 * thread of its own, through all that happens.
 *
 * Every record's place and hash is kept. At the end everything is read once more: what was seen
 * must still be there, unchanged, and nothing may stand between that was not seen. An order whose
 * end was seen (confirmed, rejected, cancelled) has no more events.
 */
#ifndef WEIR_TEST_CHAOS_WATCHER_H
#define WEIR_TEST_CHAOS_WATCHER_H

#include "chaos/results.h"

struct watcher;

struct watcher *watcher_open(const struct options *options);
/* Stops watching, and reads again. Reports to `results`. */
void watcher_finish(struct watcher *watcher, struct results *results);
void watcher_close(struct watcher *watcher); /* NULL is fine */

#endif
