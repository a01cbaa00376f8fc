/* dice.h - every choice of a simulated run comes from one seed. */
#ifndef WEIR_TEST_SIMULATION_DICE_H
#define WEIR_TEST_SIMULATION_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* splitmix64: any seed is as good as any other. */
static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Dice for one purpose: how often others are thrown does not change them. */
static inline struct dice dice_for(uint64_t seed, uint64_t purpose)
{
    struct dice dice = {seed};
    dice.state = dice_next(&dice) ^ purpose;
    dice.state = dice_next(&dice);
    return dice;
}

static inline uint64_t dice_below(struct dice *dice, uint64_t below)
{
    return dice_next(dice) % below;
}

static inline int64_t dice_between(struct dice *dice, int64_t low, int64_t high)
{
    return low + (int64_t)dice_below(dice, (uint64_t)(high - low) + 1);
}

/* Once in `times`; never for 0. */
static inline bool dice_once_in(struct dice *dice, uint64_t times)
{
    return times > 0 && dice_below(dice, times) == 0;
}

#endif
