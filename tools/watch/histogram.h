/* histogram.h - counts of values to three digits, in bounded memory.
 *
 * Values below 2048 are counted exactly; above, each power of two is cut into 1024 equal steps, so
 * that a percentile is wrong by less than one part in a thousand. Negative values count as 0.
 */
#ifndef WEIR_TOOLS_HISTOGRAM_H
#define WEIR_TOOLS_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 2048 + 32 * 1024 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t max;
};

void histogram_add(struct histogram *histogram, int64_t value);

/* The least value that `share` (0 to 1) of all values do not exceed; 0 when there are none. */
int64_t histogram_percentile(const struct histogram *histogram, double share);

#endif
