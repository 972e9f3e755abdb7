/* SPDX-License-Identifier: MIT */
/* The study's statistics and its plan. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "source/study.h"

static void assert_near(double value, double wanted, double most)
{
    if (!(fabs(value - wanted) <= most))
        fail_msg("%.9g is not %.9g", value, wanted);
}

/* Quantiles as any table has them. */
static void test_student(void **state)
{
    (void)state;
    assert_near(xm_student_95(1), 12.706, 0.001);
    assert_near(xm_student_95(4), 2.776, 0.001);
    assert_near(xm_student_95(10), 2.228, 0.001);
    assert_near(xm_student_95(11), 2.201, 0.001);
    assert_near(xm_student_95(20), 2.086, 0.001);
    assert_near(xm_student_95(29), 2.045, 0.001);
    assert_near(xm_student_95(1000), 1.962, 0.001);
}

/* Five values whose interval is worked out by hand: s = sqrt(2.5), 2.7764 x 1.5811 / sqrt(5). */
static void test_interval(void **state)
{
    (void)state;
    const double values[] = {5, 1, 4, 2, 3};
    struct xm_estimate e = xm_estimate_of(values, 5);
    assert_near(e.mean, 3, 1e-12);
    assert_near(e.half, 1.96324, 0.0001);
    assert_int_equal(e.count, 5);
}

static void test_interval_of_few(void **state)
{
    (void)state;
    const double values[] = {7, 9};
    struct xm_estimate one = xm_estimate_of(values, 1), none = xm_estimate_of(values, 0), two = xm_estimate_of(values, 2);
    assert_near(one.mean, 7, 0);
    assert_true(isnan(one.half));
    assert_true(isnan(none.mean) && isnan(none.half));
    assert_near(two.mean, 8, 0);
    assert_near(two.half, 12.7062, 0.001);
    const double same[] = {4, 4, 4};
    assert_near(xm_estimate_of(same, 3).half, 0, 0);
}

/* A mean that an interval by Student's t must contain 95 times in 100. */
static void test_coverage(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    unsigned hits = 0;
    for (unsigned i = 0; i < 10000; i++) {
        double values[5];
        for (unsigned k = 0; k < 5; k++) {
            /* Twelve uniform numbers make a normal one; xorshift is good enough for that. */
            values[k] = -6;
            for (unsigned n = 0; n < 12; n++) {
                x ^= x << 13, x ^= x >> 7, x ^= x << 17;
                values[k] += (double)(x >> 11) / 9007199254740992.0;
            }
        }
        struct xm_estimate e = xm_estimate_of(values, 5);
        hits += fabs(e.mean) <= e.half;
    }
    if (hits < 9400 || hits > 9600)
        fail_msg("%u of 10000 intervals have the mean", hits);
}

static void test_plan(void **state)
{
    (void)state;
    struct xm_study study;
    struct xm_error err;
    struct xm_study_config config = {.seed = 1, .repetitions = 2, .warm_up_ns = 1000000, .length_ns = 1000000, .jobs = 1,
                                     .costs = xm_costs_default()};
    xm_error_clear(&err);
    assert_int_equal(xm_study_plan(&config, &study, &err), XM_OK);
    assert_true(study.count > XM_STUDY_CONFIGURATIONS);
    for (unsigned i = 0; i < study.count; i++) {
        const struct xm_study_series *s = &study.series[i];
        assert_int_equal(s->group == XM_STUDY_PAPER, i < XM_STUDY_CONFIGURATIONS);
        assert_non_null(s->scenario->sched);
        assert_near(s->point[s->points - 1].rate, 1800, 0);
        for (unsigned k = 1; k < s->points; k++)
            assert_true(s->point[k].rate > s->point[k - 1].rate);
        assert_int_equal(xm_scenario_check(s->scenario, &err), XM_OK);
    }
    xm_study_free(&study);
    config.paper_only = true;
    assert_int_equal(xm_study_plan(&config, &study, &err), XM_OK);
    assert_int_equal(study.count, XM_STUDY_CONFIGURATIONS);
    xm_study_free(&study);
    config.repetitions = XM_STUDY_REPETITIONS + 1;
    assert_int_equal(xm_study_plan(&config, &study, &err), XM_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_student), cmocka_unit_test(test_interval), cmocka_unit_test(test_interval_of_few),
        cmocka_unit_test(test_coverage), cmocka_unit_test(test_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
