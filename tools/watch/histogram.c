/* histogram.c - logarithmic buckets. */
#include "watch/histogram.h"

#include <math.h>

enum { EXACT = 2048, STEPS = 1024 };

static unsigned bucket_of(int64_t value)
{
    if (value < EXACT) {
        return (unsigned)value;
    }
    unsigned power =
        63 - (unsigned)__builtin_clzll((unsigned long long)value) - 10; /* 1 for 2048 to 4095 */
    unsigned bucket = EXACT + (power - 1) * STEPS + (unsigned)(value >> power) - STEPS;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of the bucket's values. */
static int64_t value_of(unsigned bucket)
{
    if (bucket < EXACT) {
        return bucket;
    }
    unsigned power = (bucket - EXACT) / STEPS + 1;
    int64_t low = ((int64_t)((bucket - EXACT) % STEPS) + STEPS) << power;
    return low + (INT64_C(1) << power) / 2;
}

void histogram_add(struct histogram *histogram, int64_t value)
{
    value = value < 0 ? 0 : value;
    histogram->counts[bucket_of(value)]++;
    histogram->count++;
    histogram->max = value > histogram->max ? value : histogram->max;
}

int64_t histogram_percentile(const struct histogram *histogram, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->count);
    uint64_t seen = 0;
    rank = rank > 0 ? rank : 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            int64_t value = value_of(i);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}
