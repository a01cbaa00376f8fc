/* reading.h - committed records from a broker into an audit: which logs, up to where, in which
 * order.
 *
 * All ends are taken before the first record is read: the histories' first, then from effects back
 * to causes, so that whatever a checkpoint or an output names lies before the ends, also while the
 * system runs.
 */
#ifndef WEIR_AUDIT_READING_H
#define WEIR_AUDIT_READING_H

#include "audit.h"

#include "kafka/admin.h"
#include "runtime/settings.h"

struct reading_log;

struct reading {
    struct audit *audit;
    struct admin *admin;
    struct settings settings[WEIR_LIST_MAX]; /* by the number of the processor */
    size_t settings_count;
    struct reading_log *logs;
    size_t log_count;
    struct arena arena;
    int64_t total, started_ms, said_ms;
};

void reading_init(struct reading *reading);
void reading_release(struct reading *reading); /* all of the above */

/* Histories, dead letters and topics of all processors, with their ends as they are now. */
MUST_CHECK enum outcome reading_choose(struct reading *reading, struct error *error);

/* All of them, phase by phase, into the audit; less when the tool is interrupted. */
MUST_CHECK enum outcome reading_feed(struct reading *reading, struct error *error);

/* One partition from its beginning to its end as it is now, into `take`. *stop, set by `take`, ends
 * it early. */
typedef void reading_take(void *context, const char *topic, struct port_record *record);
MUST_CHECK enum outcome reading_partition(struct reading *reading, const char *topic,
                                          int32_t partition, reading_take *take, void *context,
                                          const bool *stop, struct error *error);

void reading_end_progress(const struct reading *reading);

#endif
