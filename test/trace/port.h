/* port.h - a broker port that writes down what it was asked and what came of it.
 *
 * One line an event, "TIME_US WHO EVENT...", so that the traces of all processes can be put in
 * order by time; the clock is the port's own monotonic one. WHO is a producer (or a port, whose
 * producer is 0) that no other trace has. What a call is asked stands in a line before it is made,
 * what came of it in another: a process that dies in between leaves the first.
 *
 *   open ID                       a producer of this transactional id
 *   init, begin, send, abort      asked; then e.g. init=DONE (begin and send: failures only)
 *   offsets VALUE                 send_offsets; then offsets=DONE
 *   commit                        then commit=DOUBT
 *   committed ID                  then committed=OK VALUE
 *   log TOPIC/PARTITION           then log=OK LOW STABLE HIGH
 *
 * VALUE is "topic:offset:metadata" of each input, joined by commas, blanks written as "_"; "none"
 * when no input has an offset. A call under way ends when its end is known.
 */
#ifndef WEIR_TEST_TRACE_PORT_H
#define WEIR_TEST_TRACE_PORT_H

#include "kafka/port.h"

/* `out` is a file descriptor that stays the caller's; lines are written whole. */
struct port *trace_port(struct port *inner, const char *application_id, int out);

/* Frees what is around the inner port, which it returns. NULL is fine. */
struct port *trace_unwrap(struct port *port);

#endif
