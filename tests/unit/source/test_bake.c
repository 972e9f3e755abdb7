/* SPDX-License-Identifier: MIT */
/* The loop's body: traces that have to be read twice, and limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "source/bake.h"
#include "support.h"

#define CPUS 4
#define EVENTS 6000
#define HELD 4096
#define PIECE 100u /* events come out as soon as they may */

/* Every CPU runs its own vCPU at the same time, all of it in one pass: far more than may be held back. */
static struct xt_bytes one_long_pass(void)
{
    struct xt_bytes b = {0};
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        size_t window = xt_window_begin(&b, cpu);
        for (uint64_t i = 0; i < EVENTS; i++) {
            bool on = i % 2 == 0;
            xt_runstate(&b, 1000 + 10 * i + cpu, 1, cpu, on ? XM_RUNNABLE : XM_RUNNING, on ? XM_RUNNING : XM_RUNNABLE);
        }
        xt_window_end(&b, window);
    }
    return b;
}

/* CPU 1 has its first window late, and in it a gap from before much of CPU 0's. */
static struct xt_bytes late_gap(void)
{
    struct xt_bytes b = {0};
    for (uint64_t pass = 0; pass < 10; pass++) {
        size_t window = xt_window_begin(&b, 0);
        for (uint64_t i = 0; i < 10; i++) {
            bool on = i % 2 == 0;
            xt_runstate(&b, 1000 + 1000 * pass + 10 * i, 1, 0, on ? XM_RUNNABLE : XM_RUNNING,
                        on ? XM_RUNNING : XM_RUNNABLE);
        }
        xt_window_end(&b, window);
    }
    size_t window = xt_window_begin(&b, 1);
    xt_lost(&b, 10500, 7, 1, 1, 1500);
    xt_runstate(&b, 10501, 1, 1, XM_RUNNING, XM_BLOCKED);
    xt_window_end(&b, window);
    return b;
}

static struct xm_bake *bake_of(const struct xm_bake *before)
{
    const struct xm_bake_config config = {.stream = {.max_held = HELD}, .hz = 1000000000};
    struct xm_bake *bake = xm_bake_create(&config);
    assert_non_null(bake);
    if (before)
        assert_int_equal(xm_bake_expect(bake, before), XM_OK);
    return bake;
}

static void feed(struct xm_bake *bake, const struct xt_bytes *b)
{
    for (size_t at = 0, used; at < b->size; at += used) {
        size_t piece = b->size - at < PIECE ? b->size - at : PIECE;
        assert_int_equal(xm_bake_run(bake, b->data + at, piece, &used), XM_OK);
    }
}

static void test_more_than_may_be_held(void **state)
{
    struct xt_bytes b = one_long_pass();
    struct xm_bake *first = bake_of(NULL);
    feed(first, &b);
    assert_int_equal(xm_bake_finish(first), XM_OK);
    assert_true(xm_bake_hindsight(first));
    struct xm_bake *second = bake_of(first);
    feed(second, &b);
    assert_int_equal(xm_bake_finish(second), XM_OK);
    assert_int_equal(xm_bake_stats(second).stragglers, 0);
    assert_false(xm_bake_hindsight(second));
    xm_bake_destroy(first);
    xm_bake_destroy(second);
    xt_free(&b);
}

/* What is known of the CPUs holds for every further pass of a replay, too. */
static void test_repeated(void **state)
{
    struct xt_bytes b = late_gap();
    struct xm_bake *first = bake_of(NULL);
    feed(first, &b);
    assert_int_equal(xm_bake_finish(first), XM_OK);
    assert_int_equal(xm_bake_stats(first).late_gaps, 1);
    struct xm_bake *second = bake_of(first);
    for (unsigned pass = 0; pass < 3; pass++) {
        feed(second, &b);
        assert_int_equal(xm_bake_again(second), XM_OK);
    }
    feed(second, &b);
    assert_int_equal(xm_bake_finish(second), XM_OK);
    assert_int_equal(xm_bake_stats(second).late_gaps, 0);
    xm_bake_destroy(first);
    xm_bake_destroy(second);
    xt_free(&b);
}

/* A pCPU too many does not keep out vCPUs that there is room for. */
static void test_one_limit(void **state)
{
    const struct xm_bake_config config = {.hz = 1000000000, .capacity = {1, 1, 1}, .limit = {1, 200, 1}};
    struct xt_bytes b = {0};
    size_t window = xt_window_begin(&b, 0);
    for (uint32_t i = 0; i < 150; i++)
        xt_runstate(&b, 1000 + i, 1, i, XM_BLOCKED, XM_RUNNABLE);
    xt_window_end(&b, window);
    window = xt_window_begin(&b, 1);
    xt_runstate(&b, 1001, 1, 0, XM_RUNNABLE, XM_BLOCKED);
    xt_window_end(&b, window);
    struct xm_bake *bake = xm_bake_create(&config);
    assert_non_null(bake);
    feed(bake, &b);
    assert_int_equal(xm_bake_finish(bake), XM_OK);
    struct xm_sample sample;
    assert_int_equal(xm_sample_init(&sample, xm_account_capacity(xm_bake_account(bake))), XM_OK);
    xm_bake_sample(bake, xm_bake_now(bake), true, &sample);
    assert_int_equal(sample.used.vcpus, 150);
    assert_int_equal(sample.host.refused, 1);
    xm_sample_fini(&sample);
    xm_bake_destroy(bake);
    xt_free(&b);
}

/* Growing is refused once, in the middle of a run of events: when it goes on, none of them is taken twice. */
static enum xm_status refuse_once(void *user, struct xm_bake *bake, struct xm_capacity capacity)
{
    unsigned *calls = user;
    return (*calls)++ == 1 ? XM_AGAIN : XM_OK;
}

static void test_growing_interrupted(void **state)
{
    unsigned calls = 0;
    const struct xm_bake_config config = {.hz = 1000000000, .capacity = {1, 1, 1}, .grown = refuse_once, .user = &calls};
    struct xm_bake *bake = xm_bake_create(&config);
    struct xt_bytes b = {0};
    size_t window = xt_window_begin(&b, 0), at = 0, again = 0;
    for (uint32_t i = 0; i < 20; i++) {
        xt_runstate(&b, 1000 + 20 * i, 1, i, XM_RUNNABLE, XM_RUNNING);
        xt_runstate(&b, 1010 + 20 * i, 1, i, XM_RUNNING, XM_BLOCKED);
    }
    xt_window_end(&b, window);
    while (at < b.size) {
        size_t used;
        enum xm_status status = xm_bake_run(bake, b.data + at, b.size - at, &used);
        assert_true(status == XM_OK || status == XM_AGAIN);
        again += status == XM_AGAIN;
        at += used;
    }
    enum xm_status status;
    while ((status = xm_bake_finish(bake)) == XM_AGAIN)
        again++;
    assert_int_equal(status, XM_OK);
    assert_int_equal(again, 1);
    assert_true(calls > 2);
    struct xm_sample sample;
    assert_int_equal(xm_sample_init(&sample, xm_account_capacity(xm_bake_account(bake))), XM_OK);
    xm_bake_sample(bake, xm_bake_now(bake), true, &sample);
    assert_int_equal(sample.used.vcpus, 20);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(sample.vcpu[i].executions, 1);
    assert_int_equal(sample.host.anomalies, 0);
    xm_sample_fini(&sample);
    xm_bake_destroy(bake);
    xt_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_interrupted),
        cmocka_unit_test(test_more_than_may_be_held),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_one_limit),
    };
    return cmocka_run_group_tests_name("bake", tests, NULL, NULL);
}
