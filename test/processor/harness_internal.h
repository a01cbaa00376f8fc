/* harness_internal.h - what the files of the harness share.
 *
 * harness.c          the world: broker, codec, task, time
 * harness_records.c  records in, records out, state
 */
#ifndef WEIR_TEST_PROCESSOR_HARNESS_INTERNAL_H
#define WEIR_TEST_PROCESSOR_HARNESS_INTERNAL_H

#include <setjmp.h>
#include <stdarg.h>

#include "base/arena.h"
#include "broker/broker.h"
#include "codec/codec.h"
#include "processor/harness.h"
#include "runtime/task.h"

#include <cmocka.h>

enum {
    TOPICS_MAX = 64,
};

struct position {
    char topic[100];
    int64_t offset;
};

struct harness {
    const struct weir_processor *processor;
    int64_t settings[WEIR_LIST_MAX];
    const char *topics[WEIR_LIST_MAX + 1]; /* inputs */
    bool is_guest;                         /* broker and codec are another's */
    struct broker *broker;
    struct codec *codec;
    struct port *port;
    struct task *task; /* NULL: not started yet */
    char directory[64], state_path[100];
    int64_t sent_ms, stale_before;
    struct position positions[TOPICS_MAX];
    size_t position_count;
    struct arena arena; /* what expectations have returned */
};

/* Steps until there is nothing to do but to wait for records or for a timer that is far off. */
void harness_run(struct harness *harness);

/* The end of the process. `lost`: kill -9; else the state file gets all that is committed. */
void harness_stop(struct harness *harness, bool lost);

/* "order.raw.dlq" */
const char *harness_dead_letters_of(struct harness *harness, const struct weir_topic *topic);

#endif
