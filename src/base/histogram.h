/* SPDX-License-Identifier: MIT */
/*
 * Log-linear buckets: values below 2^(SUB+1) have a bucket each, every octave above is cut into 2^SUB equal
 * ones, so a bucket is never wider than 1/32 of the values in it.  Values of 2^TOP and more share the last.
 *
 * index(v) = v                                            for v < 2^(SUB+1)
 *          = (e - SUB) * 2^SUB + (v >> (e - SUB))         with e = floor(log2 v), e <= TOP - 1
 */
#ifndef XM_HISTOGRAM_H
#define XM_HISTOGRAM_H

#include <stdint.h>

#include "xenmon/sample.h"

static inline unsigned xm_hist_index(uint64_t value)
{
    if (value >> XM_HIST_TOP_BITS)
        return XM_HIST_BUCKETS - 1;
    unsigned e = 63u - (unsigned)__builtin_clzll(value | (1u << XM_HIST_SUB_BITS));
    return ((e - XM_HIST_SUB_BITS) << XM_HIST_SUB_BITS) + (unsigned)(value >> (e - XM_HIST_SUB_BITS));
}

/* Smallest value in a bucket. */
static inline uint64_t xm_hist_low(unsigned index)
{
    unsigned octave = index >> XM_HIST_SUB_BITS;
    if (octave < 2)
        return index;
    return (uint64_t)((index & ((1u << XM_HIST_SUB_BITS) - 1)) + (1u << XM_HIST_SUB_BITS)) << (octave - 1);
}

/* Number of values that share a bucket; the last one's is nominal. */
static inline uint64_t xm_hist_width(unsigned index)
{
    unsigned octave = index >> XM_HIST_SUB_BITS;
    return octave < 2 ? 1 : UINT64_C(1) << (octave - 1);
}

#endif
