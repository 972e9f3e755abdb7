/* SPDX-License-Identifier: MIT */
/*
 * Random numbers that a seed repeats on every machine: xoshiro256** (Blackman, Vigna), seeded by splitmix64.
 * Not for secrets.  Nothing allocates; one generator, one thread.
 */
#ifndef XM_BASE_RNG_H
#define XM_BASE_RNG_H

#include <stdint.h>

struct xm_rng {
    uint64_t s[4];
};

/* Any seed is fine; streams tell apart what draws by itself, so that one drawing more leaves the others as they were. */
void xm_rng_seed(struct xm_rng *rng, uint64_t seed, uint64_t stream);

uint64_t xm_rng_next(struct xm_rng *rng);                  /* all 64 bits */
uint64_t xm_rng_below(struct xm_rng *rng, uint64_t below); /* 0 .. below - 1, without bias; below > 0 */
uint64_t xm_rng_range(struct xm_rng *rng, uint64_t low, uint64_t high); /* low .. high, both included */
double xm_rng_unit(struct xm_rng *rng);                    /* [0, 1), 53 bits */

/* Exponentially distributed about this mean, rounded to whole numbers. */
uint64_t xm_rng_exponential(struct xm_rng *rng, uint64_t mean);

/* Log-normal with this mean (not median) and this sigma of the logarithm; sigma 0: always the mean. */
uint64_t xm_rng_lognormal(struct xm_rng *rng, uint64_t mean, double sigma);

#endif
