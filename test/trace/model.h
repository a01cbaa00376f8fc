/* model.h - what a broker can have answered: judges a trace of port calls (port.h), line by line in
 * the order of time.
 *
 * Of each task (a transactional id, and the offsets that its group commits with it) it keeps the
 * values that may stand there now: a commit that was asked for may have happened from then on; one
 * that said done has; an answer that began when a transaction's offsets were already sent decides
 * over it, for a pending offset is not stable; an init ends what older owners began. What remains
 * possible in the broker in memory remains possible here, and no more:
 *
 *   - no commit and no offsets of an owner are taken when another's init is over;
 *   - after FENCED a producer is told nothing but that;
 *   - a stable offset is one that a transaction of the right owner may have committed, and not one
 *     that was overtaken or aborted;
 *   - a commit says done only when no answer has decided against it;
 *   - a log's ends are in order, and never go back.
 *
 * What it does not know: strays that arrive because nobody fenced. The runtime fences, so one that
 * works is a finding.
 */
#ifndef WEIR_TEST_TRACE_MODEL_H
#define WEIR_TEST_TRACE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model;

struct model *model_open(void);
void model_close(struct model *model);

/* The next line, without its end. false: it is impossible, `why` (of 300 bytes) says in which way.
 * A line that is cut off (the process died in it) is passed over. */
bool model_line(struct model *model, const char *line, char *why);

struct model_counts {
    unsigned long lines, inits, commits, answers, logs;
};

const struct model_counts *model_counts(const struct model *model);

#endif
