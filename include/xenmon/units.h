/* SPDX-License-Identifier: MIT */
/*
 * Time, in two types that do not mix.
 *
 * A trace is written in TSC cycles and accounting stays in cycles; nanoseconds exist only where a
 * person or another program looks.  struct xm_scale is the one place where the first become the
 * second (doc/accounting.md).
 */
#ifndef XENMON_UNITS_H
#define XENMON_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t v;
} xm_cycles;

typedef struct {
    uint64_t v;
} xm_ns;

static inline xm_cycles xm_cycles_of(uint64_t v)
{
    xm_cycles c = {v};
    return c;
}

static inline xm_ns xm_ns_of(uint64_t v)
{
    xm_ns n = {v};
    return n;
}

#define XM_NS_PER_S UINT64_C(1000000000)

/* A fixed rate: ns = cycles * mult / 2^shift, in 128 bits.  hz == 0 means "no rate known". */
struct xm_scale {
    uint64_t hz;
    uint64_t mult;
    unsigned shift;
};

/*
 * Sets the rate.  hz: 1 to 2^40 cycles a second; anything else leaves the scale without a rate and
 * returns false.  At 1 000 000 000 Hz the conversion is the identity for every value.
 */
bool xm_scale_init(struct xm_scale *scale, uint64_t hz);

/* Cycles to ns, rounded down; saturates at 2^64-1.  Error at most 1 ns per 2^24 s.  0 without rate. */
xm_ns xm_scale_to_ns(const struct xm_scale *scale, xm_cycles cycles);

/* ns to cycles, rounded down; saturates.  0 without a rate. */
xm_cycles xm_scale_to_cycles(const struct xm_scale *scale, xm_ns ns);

/*
 * Converts `n` parts of one whole so that the parts still add up to the converted whole: scales the
 * prefix sums and takes their differences.  cycles, ns: n elements each.
 */
void xm_scale_parts(const struct xm_scale *scale, const uint64_t *cycles, uint64_t *ns, unsigned n);

#ifdef __cplusplus
}
#endif
#endif
