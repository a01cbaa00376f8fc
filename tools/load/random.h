/* random.h - chance that repeats: the same seed gives the same numbers on every machine.
 *
 * xoshiro256** (Blackman, Vigna), seeded by splitmix64 from (seed, stream): streams are
 * independent, so that order 17 is the same whatever was drawn before it.
 */
#ifndef WEIR_TOOLS_RANDOM_H
#define WEIR_TOOLS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *random);
double random_unit(struct random *random);                                /* 0 <= x < 1 */
int64_t random_between(struct random *random, int64_t low, int64_t high); /* both included */
double random_exponential(struct random *random, double mean);

/* Ranks 0 to count - 1, rank k drawn in proportion to 1 / (k + 1)^exponent. */
struct zipf {
    double *cumulative;
    size_t count;
};

void zipf_init(struct zipf *zipf, size_t count, double exponent);
void zipf_release(struct zipf *zipf);
size_t zipf_draw(const struct zipf *zipf, struct random *random);

#endif
