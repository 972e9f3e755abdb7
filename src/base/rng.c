/* SPDX-License-Identifier: MIT */
#include "base/rng.h"

#include <math.h>

#include "base/check.h"

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void xm_rng_seed(struct xm_rng *rng, uint64_t seed, uint64_t stream)
{
    uint64_t x = seed;
    x = splitmix(&x) ^ stream;
    for (unsigned i = 0; i < 4; i++)
        rng->s[i] = splitmix(&x);
}

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

uint64_t xm_rng_next(struct xm_rng *rng)
{
    uint64_t *s = rng->s;
    const uint64_t result = rotate(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t xm_rng_below(struct xm_rng *rng, uint64_t below)
{
    XM_ASSERT(below > 0);
    const uint64_t reject = -below % below; /* 2^64 mod below: what would make some values likelier */
    uint64_t x;
    do
        x = xm_rng_next(rng);
    while (x < reject);
    return x % below;
}

uint64_t xm_rng_range(struct xm_rng *rng, uint64_t low, uint64_t high)
{
    XM_ASSERT(low <= high);
    if (high - low == UINT64_MAX)
        return xm_rng_next(rng);
    return low + xm_rng_below(rng, high - low + 1);
}

double xm_rng_unit(struct xm_rng *rng)
{
    return (double)(xm_rng_next(rng) >> 11) * 0x1p-53;
}

uint64_t xm_rng_exponential(struct xm_rng *rng, uint64_t mean)
{
    return (uint64_t)(-log(1 - xm_rng_unit(rng)) * (double)mean + 0.5);
}

/* Box and Muller; the second number of the pair is not kept, so that every call draws twice. */
static double normal(struct xm_rng *rng)
{
    double radius = sqrt(-2 * log(1 - xm_rng_unit(rng)));
    return radius * cos(2 * M_PI * xm_rng_unit(rng));
}

uint64_t xm_rng_lognormal(struct xm_rng *rng, uint64_t mean, double sigma)
{
    if (sigma == 0)
        return mean;
    double x = (double)mean * exp(sigma * normal(rng) - sigma * sigma / 2);
    return x < 0x1p62 ? (uint64_t)(x + 0.5) : UINT64_C(1) << 62;
}
