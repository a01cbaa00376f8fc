/* deadletter.h - the headers of a dead letter, written by the runtime and read by `weir dlq`.
 *
 * A dead letter is the record as it came (key, value, headers) in <topic>.dlq, same partition
 * number, with these beside:
 */
#ifndef WEIR_RUNTIME_DEADLETTER_H
#define WEIR_RUNTIME_DEADLETTER_H

#define DEAD_CLASS                                                                           \
    "weir-error-class" /* MALFORMED (cannot be read), REJECTED (a rule says no), SKIPPED (an \
                          operator) */
#define DEAD_CAUSE                                                                \
    "weir-error-cause" /* one word to group by: "json", "avro", "key", "qty", ... \
                        */
#define DEAD_REASON    "weir-error-reason" /* what is wrong, for a person */
#define DEAD_SOURCE    "weir-error-source" /* topic/partition/offset */
#define DEAD_PROCESSOR "weir-processor"    /* application id */
#define DEAD_ATTEMPT   "weir-attempt"      /* 1, and one more with each redrive */
#define DEAD_FIRST_MS \
    "weir-first-ms" /* when the record was first seen (its timestamp), ms since the epoch */
#define DEAD_LAST_MS "weir-last-ms" /* task time when it was put here */

#define CAUSE_HEADER "weir-cause" /* a bare datum of runtime/cause.avsc, on every output */

#endif
