/* world.h - one task of the tally on the broker in memory: feed it, kill it, look at what stands
 * afterwards. */
#ifndef WEIR_TEST_PROTOCOL_WORLD_H
#define WEIR_TEST_PROTOCOL_WORLD_H

#include "broker/broker.h"
#include "runtime/task.h"
#include "tally/processor.h"

struct world {
    struct broker *broker;
    struct codec *codec;
    char directory[64], state_path[96];
    struct port *port; /* the instance that lives; NULL: none */
    struct task *task;
    const struct weir_processor *processor; /* NULL: the tally */
    struct error error;                     /* of the step that ended it */
    int starts;
    const struct world_watch *watch; /* NULL: none */
};

/* For tests that make what is below the runtime fail. */
struct world_watch {
    void (*port_opened)(struct port *port); /* may replace its calls; NULL: nothing to do */
    void (*runs)(
        bool running); /* the runtime's own code begins to run; it has come back. Or NULL */
    int steps;         /* world_run gives up after so many: RETRY */
};

void world_open(struct world *world);
void world_close(struct world *world);

/* What an Avro single-object record of this schema begins with. */
enum { WORLD_FRAME_BYTES = 10 };
void world_frame(const char *schema, uint8_t frame[WORLD_FRAME_BYTES]);

/* Inputs. */
void world_add(struct world *world, const char *name, int64_t n);
void world_remind(struct world *world, const char *name, int64_t after_ms);
void world_garbage(struct world *world, const char *name);

/* Starts a process: port and task. */
enum outcome world_start(struct world *world);

/* kill -9: everything in memory is gone, SQLite has what it had committed. */
void world_kill(struct world *world);

/* SIGTERM. */
void world_stop(struct world *world);

/* Steps until there is nothing to do (OK) or the task ends (FATAL: world.error has why; the process
 * is gone). RETRY, with a watch only: it does not come to rest. */
enum outcome world_run(struct world *world);

/* Runs to the end of the input, starting a new process whenever the last one ended with "try again"
 * or was crashed by a fault. Fails the test when that does not come to an end. */
void world_settle(struct world *world);

/* Everything that a reader can see, as text: committed outputs in order, the last view per name,
 * dead letters, the state rows by SQL, the group's offset, the checkpoints' sums. malloc'ed. */
char *world_picture(struct world *world);

#endif
