/*
 * Chance that a seed repeats: SplitMix64 (Steele, Lea, Flood 2014), small and good enough to choose by.
 */
#ifndef TANDEM_CHECK_TORTURE_CHANCE_H
#define TANDEM_CHECK_TORTURE_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t mixed = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/** From 0 to below. */
static inline unsigned chance_below(struct chance *chance, unsigned below)
{
    return (unsigned)((chance_next(chance) >> 32) * below >> 32);
}

/** Another one, which depends on this one's seed and the number only. */
static inline struct chance chance_of(uint64_t seed, uint64_t number)
{
    struct chance chance = {seed ^ (number * UINT64_C(0xd1342543de82ef95))};
    chance_next(&chance);
    return chance;
}

#endif
