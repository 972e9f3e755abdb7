/* SPDX-License-Identifier: MIT */
#include "xenmon/units.h"

typedef unsigned __int128 u128;

#define MAX_HZ (UINT64_C(1) << 40)

bool xm_scale_init(struct xm_scale *scale, uint64_t hz)
{
    *scale = (struct xm_scale){0};
    if (hz == 0 || hz > MAX_HZ)
        return false;
    /* The largest shift whose multiplier still fits in 64 bits keeps the most precision. */
    unsigned shift = 63;
    while (shift > 0 && (((u128)XM_NS_PER_S << shift) / hz) >> 64)
        shift--;
    scale->hz = hz;
    scale->shift = shift;
    scale->mult = (uint64_t)(((u128)XM_NS_PER_S << shift) / hz);
    return true;
}

xm_ns xm_scale_to_ns(const struct xm_scale *scale, xm_cycles cycles)
{
    u128 ns = ((u128)cycles.v * scale->mult) >> scale->shift;
    return xm_ns_of(ns >> 64 ? UINT64_MAX : (uint64_t)ns);
}

xm_cycles xm_scale_to_cycles(const struct xm_scale *scale, xm_ns ns)
{
    u128 cycles = (u128)ns.v * scale->hz / XM_NS_PER_S;
    return xm_cycles_of(cycles >> 64 ? UINT64_MAX : (uint64_t)cycles);
}

void xm_scale_parts(const struct xm_scale *scale, const uint64_t *cycles, uint64_t *ns, unsigned n)
{
    uint64_t sum = 0;
    uint64_t before = 0;
    for (unsigned i = 0; i < n; i++) {
        sum += cycles[i];
        uint64_t upto = xm_scale_to_ns(scale, xm_cycles_of(sum)).v;
        ns[i] = upto - before;
        before = upto;
    }
}
