/* instance.h - one running instance of a processor: one consumer and the tasks assigned to it, in
 * turn, in one thread.
 *
 * Fixed: one partition, without membership. Group: a static member of the consumer group;
 * partitions come and go, and when a task was fenced everything is dropped and the member rejoins.
 * One protocol: both initialise the same transactional ids.
 */
#ifndef WEIR_RUNTIME_INSTANCE_H
#define WEIR_RUNTIME_INSTANCE_H

#include "codec/codec.h"
#include "kafka/client.h"
#include "runtime/settings.h"
#include "weir.h"

struct instance;

/* All that is pointed to must outlive the instance. */
struct instance_options {
    const struct weir_processor *processor;
    const struct settings *settings;
    struct codec *codec;     /* knows the processor's records and the runtime's */
    int32_t partition;       /* fixed mode; -1: group mode */
    const char *instance_id; /* group mode: group.instance.id */
    enum outcome (*port_open)(struct port **port, const struct client_options *options,
                              struct error *error);
    void (*port_close)(struct port *port);
};

/* Opens its port: joins the group, or is assigned its partition. Waits for nothing. */
MUST_CHECK enum outcome instance_open(struct instance **instance,
                                      const struct instance_options *options, struct error *error);

/* One round: sleeps in the port's poll() until a record is at hand or something is due, a second at
 * most, and steps every task once. FATAL: it has ended, close it; error has why and the exit code.
 */
MUST_CHECK enum outcome instance_step(struct instance *instance, struct error *error);

/* When the next round is due by the port's monotonic clock, if poll() brings nothing before. */
int64_t instance_wakes_us(const struct instance *instance);

/* Finishes the commits under way, commits the files and closes; after FATAL it leaves them as they
 * are. NULL is fine. */
void instance_close(struct instance *instance);

#endif
