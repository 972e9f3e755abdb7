/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "support.h"

#define TOP (UINT64_C(1) << XM_HIST_TOP_BITS)

/* Each bucket begins where the one before ends, and both its ends are indexed to it. */
static void test_every_bucket(void **state)
{
    uint64_t next = 0;
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++) {
        uint64_t low = xm_hist_low(i);
        uint64_t width = xm_hist_width(i);
        assert_int_equal(low, next);
        assert_int_equal(xm_hist_index(low), i);
        assert_int_equal(xm_hist_index(low + width - 1), i);
        assert_true(width >= 1);
        /* Never wider than 1/32 of what is in it. */
        assert_true(width == 1 || width * 32 <= low);
        next = low + width;
    }
    assert_int_equal(next, TOP);
}

static void test_top(void **state)
{
    assert_int_equal(xm_hist_index(TOP - 1), XM_HIST_BUCKETS - 1);
    assert_int_equal(xm_hist_index(TOP), XM_HIST_BUCKETS - 1);
    assert_int_equal(xm_hist_index(UINT64_MAX), XM_HIST_BUCKETS - 1);
    assert_int_equal(xm_hist_index(0), 0);
    assert_int_equal(xm_hist_index(63), 63);
    assert_int_equal(xm_hist_index(64), 64);
    assert_int_equal(xm_hist_index(65), 64);
}

static void test_random_values(void **state)
{
    struct xt_rng r = xt_rng(xt_seed(), 5);
    for (unsigned i = 0; i < 500000; i++) {
        uint64_t a = xt_random(&r) >> xt_below(&r, 64);
        uint64_t b = xt_random(&r) >> xt_below(&r, 64);
        unsigned ia = xm_hist_index(a);
        unsigned ib = xm_hist_index(b);
        assert_true(ia < XM_HIST_BUCKETS);
        if (a <= b)
            assert_true(ia <= ib);
        if (a < TOP)
            assert_true(xm_hist_low(ia) <= a && a - xm_hist_low(ia) < xm_hist_width(ia));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bucket),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_random_values),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
