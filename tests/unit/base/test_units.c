/* SPDX-License-Identifier: MIT */
/* Cycles and nanoseconds: against the same arithmetic done in 128 bits without tricks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"
#include "xenmon/status.h"
#include "xenmon/units.h"

typedef unsigned __int128 u128;

static const uint64_t rates[] = {1, 2, 3, 999, 1000000, 24000000, 999999937, 1000000000, 1000000001, 2399999999,
                                 2793439000, 3141592653, UINT64_C(1) << 33, (UINT64_C(1) << 40) - 1, UINT64_C(1) << 40};
#define RATES (sizeof rates / sizeof rates[0])

static uint64_t clip(u128 v)
{
    return v >> 64 ? UINT64_MAX : (uint64_t)v;
}

static uint64_t to_ns(const struct xm_scale *s, uint64_t cycles)
{
    return xm_scale_to_ns(s, xm_cycles_of(cycles)).v;
}

static void test_refused_rates(void **state)
{
    static const uint64_t bad[] = {0, (UINT64_C(1) << 40) + 1, UINT64_MAX};
    for (unsigned i = 0; i < 3; i++) {
        struct xm_scale s;
        memset(&s, 0xff, sizeof s);
        assert_false(xm_scale_init(&s, bad[i]));
        assert_int_equal(s.hz, 0);
        assert_int_equal(to_ns(&s, 12345), 0);
        assert_int_equal(xm_scale_to_cycles(&s, xm_ns_of(12345)).v, 0);
    }
}

static void test_identity(void **state)
{
    struct xm_scale s;
    struct xt_rng r = xt_rng(xt_seed(), 1);
    assert_true(xm_scale_init(&s, XM_NS_PER_S));
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t v = xt_random(&r) >> xt_below(&r, 64);
        assert_int_equal(to_ns(&s, v), v);
        assert_int_equal(xm_scale_to_cycles(&s, xm_ns_of(v)).v, v);
    }
    assert_int_equal(to_ns(&s, UINT64_MAX), UINT64_MAX);
}

/* The multiplier is rounded down, so the result is never too large, and too small by what its last bit is worth. */
static void test_against_reference(void **state)
{
    struct xt_rng r = xt_rng(xt_seed(), 2);
    for (unsigned i = 0; i < RATES; i++) {
        struct xm_scale s;
        assert_true(xm_scale_init(&s, rates[i]));
        assert_int_equal(s.hz, rates[i]);
        assert_true(s.shift <= 63);
        for (unsigned k = 0; k < 20000; k++) {
            uint64_t cycles = xt_random(&r) >> xt_below(&r, 64);
            uint64_t exact = clip((u128)cycles * XM_NS_PER_S / rates[i]);
            uint64_t got = to_ns(&s, cycles);
            /* One for rounding down, one more for every 2^24 s, as the contract says. */
            uint64_t slack = 1 + (uint64_t)((u128)cycles / rates[i] >> 24) + 1;
            if (got > exact || exact - got > slack)
                fail_msg("%llu cycles at %llu Hz: %llu ns for %llu", (unsigned long long)cycles,
                         (unsigned long long)rates[i], (unsigned long long)got, (unsigned long long)exact);
            uint64_t ns = xt_random(&r) >> xt_below(&r, 64);
            assert_int_equal(xm_scale_to_cycles(&s, xm_ns_of(ns)).v, clip((u128)ns * rates[i] / XM_NS_PER_S));
        }
    }
}

static void test_saturation(void **state)
{
    struct xm_scale s;
    assert_true(xm_scale_init(&s, 1));
    assert_int_equal(to_ns(&s, 18446744073u), UINT64_C(18446744073000000000));
    assert_int_equal(to_ns(&s, 18446744074u), UINT64_MAX);
    assert_int_equal(to_ns(&s, UINT64_MAX), UINT64_MAX);
    assert_true(xm_scale_init(&s, UINT64_C(1) << 40));
    assert_int_equal(xm_scale_to_cycles(&s, xm_ns_of(UINT64_MAX)).v, UINT64_MAX);
    assert_int_equal(xm_scale_to_cycles(&s, xm_ns_of(XM_NS_PER_S)).v, UINT64_C(1) << 40);
}

static void test_monotone(void **state)
{
    struct xt_rng r = xt_rng(xt_seed(), 3);
    for (unsigned i = 0; i < RATES; i++) {
        struct xm_scale s;
        assert_true(xm_scale_init(&s, rates[i]));
        for (unsigned k = 0; k < 2000; k++) {
            uint64_t v = xt_random(&r) >> xt_below(&r, 63);
            assert_true(to_ns(&s, v) <= to_ns(&s, v + 1));
        }
    }
}

/* Parts scaled one by one lose up to a ns each; scaled as prefix sums they add up to the whole. */
static void test_parts(void **state)
{
    struct xt_rng r = xt_rng(xt_seed(), 4);
    for (unsigned i = 0; i < RATES; i++) {
        struct xm_scale s;
        assert_true(xm_scale_init(&s, rates[i]));
        for (unsigned k = 0; k < 5000; k++) {
            uint64_t cycles[8], ns[8], whole = 0, sum = 0;
            unsigned n = 1 + (unsigned)xt_below(&r, 8);
            for (unsigned j = 0; j < n; j++) {
                cycles[j] = xt_random(&r) >> (14 + xt_below(&r, 50));
                whole += cycles[j];
            }
            xm_scale_parts(&s, cycles, ns, n);
            uint64_t limit = to_ns(&s, whole);
            for (unsigned j = 0; j < n; j++) {
                sum += ns[j];
                uint64_t alone = to_ns(&s, cycles[j]);
                if (limit != UINT64_MAX)
                    assert_true(ns[j] - alone <= 1);
            }
            assert_int_equal(sum, limit);
        }
    }
}

static void test_error_keeps_the_first(void **state)
{
    struct xm_error e;
    memset(&e, 0xff, sizeof e);
    xm_error_clear(&e);
    assert_int_equal(e.status, XM_OK);
    assert_true(e.offset == XM_NO_OFFSET);
    assert_int_equal(xm_fail(&e, XM_DAMAGED, 7, "first %d", 1), XM_DAMAGED);
    assert_int_equal(xm_fail(&e, XM_IO, 9, "second"), XM_IO);
    assert_int_equal(e.status, XM_DAMAGED);
    assert_int_equal(e.offset, 7);
    assert_string_equal(e.text, "first 1");
    assert_int_equal(xm_fail(NULL, XM_NOMEM, 0, "nowhere"), XM_NOMEM);
    xm_error_clear(&e);
    (void)xm_fail(&e, XM_IO, 1, "%0500d", 5);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_rates), cmocka_unit_test(test_identity),
        cmocka_unit_test(test_against_reference), cmocka_unit_test(test_saturation),
        cmocka_unit_test(test_monotone), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_error_keeps_the_first),
    };
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
