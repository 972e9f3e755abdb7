/* SPDX-License-Identifier: MIT */
/* The generator is xoshiro256**, and what is made of its numbers is distributed as it says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"

#define DRAWS 200000u

/* The published algorithm once more, bit by bit where ours has shifts. */
static uint64_t turned(uint64_t x, unsigned by)
{
    for (unsigned i = 0; i < by; i++)
        x = (x << 1) + (x >> 63);
    return x;
}

static uint64_t reference(uint64_t s[4])
{
    uint64_t result = turned(5 * s[1], 7) * 9;
    const uint64_t old[4] = {s[0], s[1], s[2], s[3]};
    s[0] = old[0] ^ old[3] ^ old[1];
    s[1] = old[1] ^ old[2] ^ old[0];
    s[2] = old[2] ^ old[0] ^ old[1] * (UINT64_C(1) << 17);
    s[3] = turned(old[3] ^ old[1], 45);
    return result;
}

static void test_sequence(void **state)
{
    /* What other implementations give for the state 1, 2, 3, 4. */
    const uint64_t known[] = {UINT64_C(11520),
                              0,
                              UINT64_C(1509978240),
                              UINT64_C(1215971899390074240),
                              UINT64_C(1216172134540287360),
                              UINT64_C(607988272756665600)};
    struct xm_rng rng = {.s = {1, 2, 3, 4}};
    uint64_t s[4] = {1, 2, 3, 4};
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t x = xm_rng_next(&rng);
        assert_int_equal(x, reference(s));
        if (i < sizeof known / sizeof known[0])
            assert_int_equal(x, known[i]);
    }
}

static void test_seeds(void **state)
{
    struct xm_rng a, b, c, d;
    xm_rng_seed(&a, 0, 0);
    xm_rng_seed(&b, 0, 0);
    xm_rng_seed(&c, 0, 1);
    xm_rng_seed(&d, 1, 0);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t x = xm_rng_next(&a);
        assert_int_equal(x, xm_rng_next(&b));
        assert_int_not_equal(x, xm_rng_next(&c));
        assert_int_not_equal(x, xm_rng_next(&d));
    }
}

static void test_bounds(void **state)
{
    struct xm_rng rng;
    unsigned count[10] = {0};
    xm_rng_seed(&rng, 7, 'b');
    for (unsigned i = 0; i < DRAWS; i++) {
        count[xm_rng_below(&rng, 10)]++;
        assert_int_equal(xm_rng_below(&rng, 1), 0);
        uint64_t x = xm_rng_range(&rng, 5, 7);
        assert_true(x >= 5 && x <= 7);
        assert_int_equal(xm_rng_range(&rng, 9, 9), 9);
        double u = xm_rng_unit(&rng);
        assert_true(u >= 0 && u < 1);
    }
    for (unsigned i = 0; i < 10; i++) /* 6 standard deviations of 134 */
        assert_in_range(count[i], DRAWS / 10 - 800, DRAWS / 10 + 800);
    (void)xm_rng_range(&rng, 0, UINT64_MAX);
}

/*
 * A bound just over half of 2^64: a plain remainder would give the lower half of the values twice as
 * often.
 */
static void test_bias(void **state)
{
    const uint64_t below = (UINT64_C(1) << 63) + (UINT64_C(1) << 62);
    struct xm_rng rng;
    unsigned low = 0;
    xm_rng_seed(&rng, 8, 'b');
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t x = xm_rng_below(&rng, below);
        assert_true(x < below);
        low += x < below / 3;
    }
    assert_in_range(low, DRAWS / 3 - 1300, DRAWS / 3 + 1300);
}

static void test_exponential(void **state)
{
    struct xm_rng rng;
    double sum = 0;
    unsigned beyond = 0;
    xm_rng_seed(&rng, 9, 'e');
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t x = xm_rng_exponential(&rng, 1000000);
        assert_true(x < 40000000); /* -log(2^-53) is 36.7 */
        sum += (double)x;
        beyond += x > 1000000;
        assert_int_equal(xm_rng_exponential(&rng, 0), 0);
    }
    assert_true(fabs(sum / DRAWS - 1e6) < 1.5e4);
    assert_true(fabs((double)beyond / DRAWS - exp(-1)) < 0.006);
}

static void test_lognormal(void **state)
{
    const double sigmas[] = {0.1, 0.5, 1.0};
    struct xm_rng rng;
    xm_rng_seed(&rng, 10, 'l');
    for (unsigned k = 0; k < 3; k++) {
        double sum = 0, logs = 0, squares = 0, sigma = sigmas[k];
        for (unsigned i = 0; i < DRAWS; i++) {
            double x = (double)xm_rng_lognormal(&rng, 1000000, sigma), l = log(x);
            sum += x;
            logs += l;
            squares += l * l;
        }
        double mean = logs / DRAWS;
        assert_true(fabs(sum / DRAWS - 1e6) < 2e4);
        assert_true(fabs(sqrt(squares / DRAWS - mean * mean) - sigma) < 0.02 * sigma);
    }
    assert_int_equal(xm_rng_lognormal(&rng, 12345, 0), 12345);
    assert_true(xm_rng_lognormal(&rng, UINT64_C(1) << 60, 20) <= UINT64_C(1) << 62);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequence),    cmocka_unit_test(test_seeds),
                                       cmocka_unit_test(test_bounds),      cmocka_unit_test(test_bias),
                                       cmocka_unit_test(test_exponential), cmocka_unit_test(test_lognormal)};
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
