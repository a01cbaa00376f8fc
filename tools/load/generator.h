/* generator.h - orders from a seed, with the measured habits of real shops.
 *
 * Order number i is a pure function of (seed, i): the same seed gives the same orders, bad ones and
 * cancellations included, and the same arrival times.
 */
#ifndef WEIR_TOOLS_GENERATOR_H
#define WEIR_TOOLS_GENERATOR_H

#include "load/placing.h"

enum lines_profile {
    LINES_FIXED,     /* `lines` in every order */
    LINES_RETAIL,    /* Olist: 1 in 90 % of orders, mean 1.14 */
    LINES_WHOLESALE, /* UCI Online Retail: median 13, p90 49, p99 207, at most 1110 */
};

struct generator_options {
    const char *run_id; /* order ids are "<run_id>-0000017" */
    uint64_t seed;
    int64_t orders;
    double rate;  /* orders a second, Poisson arrivals; 0: all are due at once */
    double burst; /* in one second of ten, arrivals come so many times as fast; 1: never */
    enum lines_profile profile;
    int32_t lines;
    int64_t skus;
    double zipf;           /* exponent of the SKUs' popularity */
    double cancels, dirty; /* shares of orders: cancelled soon after, malformed */
    double partial;        /* share of orders under policy PARTIAL */
    bool auto_accept;
};

struct generator;

void generator_open(struct generator **generator, const struct generator_options *options);
void generator_close(struct generator *generator); /* NULL is fine */

/* The next record in order of time; false when there are no more. Orders say that they were placed
 * at `start_ms` + after_us. */
bool generator_next(struct generator *generator, int64_t start_ms, struct placing *placing);

/* What all well-formed orders want of each SKU, by SKU; SKUs that nobody wants are left out.
 * *demand is malloc'ed, its texts belong to the generator. */
void generator_demand(struct generator *generator, struct demand **demand, size_t *count);

#endif
