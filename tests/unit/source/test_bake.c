/* SPDX-License-Identifier: MIT */
/* A trace that has to be read twice: what the first reading could not know the second does. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_than_may_be_held),
    };
    return cmocka_run_group_tests_name("bake", tests, NULL, NULL);
}
