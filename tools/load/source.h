/* source.h - where the orders of `weir load` come from: the generator, or a CSV file. */
#ifndef WEIR_TOOLS_SOURCE_H
#define WEIR_TOOLS_SOURCE_H

#include "base/buffer.h"
#include "load/generator.h"
#include "load/retail_csv.h"

struct source {
    /* Set by the caller. */
    const char *run_id;
    uint64_t seed;
    double rate;    /* invoices a second; < 0: the file's time in 60 s; 0: all are due at once */
    double partial; /* share of orders under policy PARTIAL */
    bool auto_accept;
    /* The source's own. */
    int64_t orders; /* how many there are, cancellations not counted */
    struct generator *generator;
    struct retail retail;
    size_t next_invoice;
    struct arena arena; /* of the placing that was given out */
    struct buffer text;
};

void source_init(struct source *source);
void source_release(struct source *source);

/* One of the two, once. */
void source_generate(struct source *source, const struct generator_options *options);
MUST_CHECK enum outcome source_read_csv(struct source *source, const char *path,
                                        struct error *error);

/* The next record in order of time, placed at `start_ms` + after_us; false when there are no more.
 */
bool source_next(struct source *source, int64_t start_ms, struct placing *placing);

/* As generator_demand. */
void source_demand(struct source *source, struct demand **demand, size_t *count);

#endif
