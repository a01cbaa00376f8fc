/* random.c - repeatable chance for the load generator. */
#include "load/random.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void random_seed(struct random *random, uint64_t seed, uint64_t stream)
{
    uint64_t state = stream;
    state = seed ^ splitmix(&state);
    for (int i = 0; i < 4; i++) {
        random->state[i] = splitmix(&state);
    }
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

int64_t random_between(struct random *random, int64_t low, int64_t high)
{
    CHECK(low <= high);
    return low + (int64_t)(random_next(random) % ((uint64_t)(high - low) + 1));
}

double random_exponential(struct random *random, double mean)
{
    return -log1p(-random_unit(random)) * mean;
}

void zipf_init(struct zipf *zipf, size_t count, double exponent)
{
    CHECK(count > 0);
    zipf->count = count;
    zipf->cumulative = xcalloc(count, sizeof *zipf->cumulative);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += pow((double)i + 1, -exponent);
        zipf->cumulative[i] = sum;
    }
}

void zipf_release(struct zipf *zipf)
{
    free(zipf->cumulative);
    *zipf = (struct zipf){0};
}

size_t zipf_draw(const struct zipf *zipf, struct random *random)
{
    double wanted = random_unit(random) * zipf->cumulative[zipf->count - 1];
    size_t low = 0, high = zipf->count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zipf->cumulative[middle] > wanted) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}
