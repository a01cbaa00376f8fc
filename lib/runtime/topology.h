/* topology.h - the topics that processors need, and whether a cluster has them as they must be.
 *
 * A processor needs its inputs, their dead-letter topics, its outputs and views, its changelog and
 * its history. Inputs, dead letters, changelog and history have the same number of partitions: that
 * number is the number of tasks.
 */
#ifndef WEIR_RUNTIME_TOPOLOGY_H
#define WEIR_RUNTIME_TOPOLOGY_H

#include "base/arena.h"
#include "kafka/admin.h"
#include "weir.h"

struct topology {
    struct topic_settings *topics; /* as they should be; names in `arena` */
    size_t count;
    struct arena arena;
};

void topology_init(struct topology *topology);
void topology_release(struct topology *topology);

/* Adds what this processor needs under this application id; a topic named twice is kept once. */
void topology_add(struct topology *topology, const struct weir_processor *processor,
                  const char *application_id, int64_t delete_retention_ms);

/* The partitions of the processor's inputs. */
int32_t topology_partitions(const struct weir_processor *processor);

/* One difference that matters, in words with the remedy; NULL when `is` will do for `should`. The
 * text is in `arena`. */
const char *topology_difference(const struct topic_settings *should,
                                const struct topic_settings *is, struct arena *arena);

/* Asks the cluster about every topic. OK, RETRY (no answer), or FATAL with EXIT_CONFIG naming the
 * first difference. */
MUST_CHECK enum outcome topology_check(const struct topology *topology, struct admin *admin,
                                       struct error *error);

#endif
