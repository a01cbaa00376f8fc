/* audit.h - the checker: committed records in, broken invariants out.
 *
 * It shares nothing with the processors but the records' layouts: what it knows of the shop it
 * knows from the domain's text. It needs no broker; whoever has the records feeds them:
 *
 *     audit_open, audit_processor..., audit_partition...
 *     audit_record...       phase by phase; a partition in order, partitions in any order
 *     fold_record..., fold_compare    for each state file (fold.h)
 *     audit_finish, audit_findings
 *
 * Phases put causes before effects: checkpoints and dead letters, then orders, commands, what came
 * of them, views. So a movement can be judged when it comes, and little is remembered: per order,
 * reservation and SKU a small entry, per input record one byte, per open cause 32 bytes.
 */
#ifndef WEIR_AUDIT_AUDIT_H
#define WEIR_AUDIT_AUDIT_H

#include "findings.h"

#include "kafka/port.h"

struct audit;

struct audit_options {
    bool online;            /* the system runs: check only what must hold at any moment */
    uint32_t only;          /* invariants, as bits; 0: all */
    size_t findings_kept;   /* of each invariant */
    int64_t grace_ms;       /* how far a hold may outlive its expiry (I7) */
    const char *schema_dir; /* writers' schemas that are not compiled in; NULL: none */
};

/* FATAL when a schema cannot be read. */
MUST_CHECK enum outcome audit_open(struct audit **audit, const struct audit_options *options,
                                   struct error *error);
void audit_close(struct audit *audit); /* NULL is fine */

/* A processor by its application id: <id>.history holds its checkpoints. */
void audit_processor(struct audit *audit, const char *application_id);

/* A partition that will be fed from offset `low` up to `high`, as the log stood when the audit
 * began. */
void audit_partition(struct audit *audit, const char *topic, int32_t number, int64_t low,
                     int64_t high);

/* In which phase a topic is to be fed, 0 to AUDIT_PHASES - 1. */
enum { AUDIT_PHASES = 5 };
int audit_phase(const struct audit *audit, const char *topic);

/* One record, with its headers, of a partition that was announced. `record->message` is not looked
 * at. */
void audit_record(struct audit *audit, const char *topic, const struct port_record *record,
                  const struct port_header *headers, size_t header_count);

/* What can only be judged when everything has been read. Once. */
void audit_finish(struct audit *audit);

const struct findings *audit_findings(const struct audit *audit);

/* How many records were fed. */
int64_t audit_record_count(const struct audit *audit);

/* Leaves an invariant out, for a reason that the report gives. The text must live as long as the
 * audit. */
void audit_skip(struct audit *audit, enum invariant invariant, const char *because);

#endif
