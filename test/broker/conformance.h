/* conformance.h - what Kafka does, as cases that run against any broker behind struct port_calls.
 *
 * The cases hold the broker in memory to the facts that were measured on a real one. A case uses
 * the port and this world only; a world that cannot do a thing leaves its function NULL, and the
 * case that needs it is skipped, with the reason told.
 */
#ifndef WEIR_TEST_BROKER_CONFORMANCE_H
#define WEIR_TEST_BROKER_CONFORMANCE_H

#include "broker/broker.h"

/* What the group told an instance. */
struct seen {
    int assigned, revoked, lost; /* calls */
    int32_t partitions[8];       /* held now */
    size_t count;
};

/* New for every case: topics of two partitions (the changelog is compacted), all empty, and unused
 * names. */
struct world {
    const char *input, *output, *changelog; /* topics */
    const char *group, *id;                 /* application id, transactional id */
    int patience_ms;                        /* how long an expected thing may take */

    /* An instance of the group, reading the input. instance_id NULL: fixed to `partition`. `seen`
     * is filled by its group's callbacks. */
    struct port *(*open)(struct world *world, const char *instance_id, int32_t partition,
                         struct seen *seen);
    void (*drop)(struct world *world, struct port *port); /* its process is gone, nothing said */

    void (*produce)(struct world *world, const char *topic, int32_t partition, const char *key,
                    const char *value);
    void (*sleep)(struct world *world, int ms);
    /* transaction.timeout.ms is over; the marker is then the last of `high` records in partition 0
     * of the output. */
    void (*time_out)(struct world *world, const char *id, int64_t high);
    void (*expire)(struct world *world, const char *instance_id);
    void (*truncate)(struct world *world, const char *topic, int32_t partition, int64_t low);
    void (*compact)(struct world *world, const char *topic, int32_t partition);
    void (*forget)(struct world *world); /* the group's offset of partition 0 of the input */

    /* Of a fault its call, its kind and whether a copy is kept count; a copy comes with arrive().
     */
    void (*fault)(struct world *world, const struct broker_fault *fault);
    /* The copy that was kept comes to the broker: the code of its answer (a Kafka number). */
    int (*arrive)(struct world *world);
    /* How the next calls under way and those of others mix, in one of a few ways. */
    void (*mix)(struct world *world, int way);
    void (*depose)(struct world *world); /* another coordinator, the old one still answers */
    void (*hold_markers)(struct world *world, const char *topic);
    void (*release_markers)(struct world *world, const char *topic);
    void *self;
};

struct conformance_case {
    const char *name;
    void (*run)(void **world); /* a cmocka test function whose state is a struct world * */
};

/* Each ends with a name of NULL. */
extern const struct conformance_case conformance_log[], conformance_strays[], conformance_losses[],
    conformance_offsets[], conformance_owners[];

#endif
