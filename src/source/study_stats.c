/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "source/study.h"

/* Quantiles for 1 to 10 degrees: Student (1908); any table of t has them. */
static const double quantiles[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706,
                                   2.4469,  2.3646, 2.3060, 2.2622, 2.2281};
#define TABLE (sizeof quantiles / sizeof quantiles[0])

double xm_student_95(unsigned degrees)
{
    if (degrees >= 1 && degrees <= TABLE)
        return quantiles[degrees - 1];
    /* Cornish and Fisher's expansion about the normal distribution: Abramowitz and Stegun 26.7.5. */
    const double z = 1.959963985, n = degrees, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

struct xm_estimate xm_estimate_of(const double *values, unsigned count)
{
    struct xm_estimate e = {NAN, NAN, count};
    double sum = 0, squares = 0;
    if (count == 0)
        return e;
    for (unsigned i = 0; i < count; i++)
        sum += values[i];
    e.mean = sum / count;
    if (count == 1)
        return e;
    for (unsigned i = 0; i < count; i++)
        squares += (values[i] - e.mean) * (values[i] - e.mean);
    e.half = xm_student_95(count - 1) * sqrt(squares / (count - 1) / count);
    return e;
}
