/* findings.h - the invariants by name, what was checked of each, and what was found broken.
 *
 * The numbers are those of the domain's list. A finding says where (topic/partition/offset, or a
 * state file), what was expected and what was found. All are counted, the first few of each
 * invariant are kept.
 */
#ifndef WEIR_AUDIT_FINDINGS_H
#define WEIR_AUDIT_FINDINGS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buffer.h"

enum invariant {
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    I8,
    I9,
    I10,
    I11,
    I13,
    I22,
    I23,
    I24,
    I25,
    I27,
    I28,
    INVARIANTS
};

/* Where a record stands; offset -1: a whole partition; partition -1: `topic` is a file or a name.
 */
struct place {
    const char *topic;
    int32_t partition;
    int64_t offset;
};

struct finding {
    enum invariant invariant;
    const char *place, *text;
};

struct findings {
    struct {
        int64_t checked, broken;
        size_t kept;
        const char *skipped; /* why it was not checked; NULL: it was */
    } tallies[INVARIANTS];
    struct finding *list; /* in the order of detection */
    size_t count;
    size_t keep;   /* of each invariant */
    uint32_t only; /* bits 1 << invariant; what is not in it is neither counted nor printed */
    struct arena arena;
};

/* "I3". */
const char *invariant_name(enum invariant invariant);

/* Reads "I3,I24" into bits; false: *unknown is the word that is no invariant. */
bool invariants_read(const char *text, uint32_t *only, const char **unknown);

/* Holds at any moment, not only when everything has come to rest. */
bool invariant_is_online(enum invariant invariant);

/* Which topics it needs from their first record on. Inputs and replies are dropped after their
 * retention; the ledger and the events of orders are kept for ever. */
enum beginning { NEEDS_NOTHING, NEEDS_LEDGERS, NEEDS_ALL };
enum beginning invariant_needs(enum invariant invariant);

void findings_init(struct findings *findings, size_t keep, uint32_t only);
void findings_release(struct findings *findings);

void findings_add(struct findings *findings, enum invariant invariant, const struct place *place,
                  const char *format, va_list args) __attribute__((format(printf, 4, 0)));

bool findings_clean(const struct findings *findings);

/* A line per invariant, each broken one with its findings. */
void findings_print(const struct findings *findings, FILE *out);

/* The same as one JSON object. */
void findings_to_json(const struct findings *findings, struct buffer *out);

#endif
