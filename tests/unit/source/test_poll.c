/* SPDX-License-Identifier: MIT */
/* How long the live source waits, under loads made up: no clock anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "source/xen/poll.h"

#define MS UINT64_C(1000000)
#define LONGEST (100 * MS)

/* A buffer that fills at `permille_per_s`, looked at when the poll says so or when half of it is full. */
struct load {
    struct xm_poll poll;
    uint64_t now_ns;
    uint64_t passes, urgent, lost;
    uint32_t highest; /* fill that any pass found */
};

static struct load begin(void)
{
    struct load l = {.now_ns = 0};
    xm_poll_init(&l.poll, LONGEST, false);
    return l;
}

/* One pass; latency_ns: how late a VIRQ is looked at. */
static void pass(struct load *l, uint64_t permille_per_s, uint64_t latency_ns)
{
    uint64_t wait = l->poll.ns;
    uint64_t half = permille_per_s ? 500 * UINT64_C(1000000000) / permille_per_s + latency_ns : UINT64_MAX;
    bool urgent = half < wait;
    if (urgent)
        wait = half;
    uint64_t fill = (unsigned __int128)permille_per_s * wait / 1000000000;
    l->lost += fill > 1000;
    fill = fill > 1000 ? 1000 : fill;
    l->highest = fill > l->highest ? (uint32_t)fill : l->highest;
    l->now_ns += wait;
    l->passes++;
    l->urgent += urgent;
    xm_poll_pass(&l->poll, (uint32_t)fill, wait, urgent);
}

static void run(struct load *l, uint64_t permille_per_s, uint64_t for_ns)
{
    uint64_t until = l->now_ns + for_ns;
    l->passes = l->urgent = l->lost = l->highest = 0;
    while (l->now_ns < until)
        pass(l, permille_per_s, 100000);
}

static void test_idle(void **state)
{
    struct load l = begin();
    run(&l, 0, 10000 * MS);
    assert_int_equal(l.passes, 100);
    assert_int_equal(l.poll.ns, LONGEST);
    /* A load that does not need more looks gets none. */
    run(&l, 3900, 10000 * MS);
    assert_int_equal(l.passes, 100);
}

/* A constant load that needs 50 looks a second gets 50, and no VIRQ. */
static void test_constant(void **state)
{
    struct load l = begin();
    run(&l, 20000, 1000 * MS); /* settling */
    run(&l, 20000, 10000 * MS);
    assert_in_range(l.highest, 350, 410);
    assert_in_range(l.passes, 490, 580);
    assert_int_equal(l.urgent, 0);
}

static void test_step_up_and_down(void **state)
{
    struct load l = begin();
    run(&l, 100, 1000 * MS);
    run(&l, 100000, 5 * MS + 1); /* half full after 5 ms: the VIRQ comes, and that pass sets it right */
    assert_int_equal(l.urgent, 1);
    assert_int_equal(l.lost, 0);
    assert_true(l.poll.ns <= 4 * MS + MS / 10);
    run(&l, 100000, 1000 * MS);
    assert_int_equal(l.urgent, 0);
    assert_in_range(l.highest, 350, 410);
    /* Down: twofold a pass at most, and then the longest time again. */
    uint64_t before = l.poll.ns;
    while (l.poll.ns < LONGEST) {
        pass(&l, 0, 0);
        assert_true(l.poll.ns <= 2 * before && l.poll.ns > before);
        before = l.poll.ns;
    }
}

/* Growing by a tenth a pass, a load never gets a buffer half full. */
static void test_ramp(void **state)
{
    struct load l = begin();
    for (uint64_t load = 100; load < 300000; load += load / 10)
        pass(&l, load, 100000);
    assert_int_equal(l.urgent, 0);
    assert_true(l.highest < 500);
    assert_true(l.poll.ns < 2 * MS);
    for (uint64_t load = 300000; load > 100; load -= load / 10)
        pass(&l, load, 100000);
    assert_true(l.poll.ns == LONGEST);
}

/* Bursts between quiet times: every one is caught by the VIRQ, and costs a few passes more, not a storm. */
static void test_bursts(void **state)
{
    struct load l = begin();
    for (unsigned i = 0; i < 100; i++) {
        run(&l, 50000, 20 * MS);
        assert_int_equal(l.lost, 0);
        assert_true(l.passes <= 4);
        run(&l, 10, 980 * MS);
        assert_true(l.passes <= 16);
    }
}

/* A load that varies by a tenth does not move it. */
static void test_hysteresis(void **state)
{
    struct load l = begin();
    run(&l, 20000, 1000 * MS);
    uint64_t moves = l.highest = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t before = l.poll.ns;
        pass(&l, i % 2 ? 22000 : 20000, 0);
        moves += l.poll.ns != before;
    }
    assert_true(moves <= 1);
    assert_true(l.highest <= 450);
}

static void test_urgent_halves(void **state)
{
    struct xm_poll poll;
    xm_poll_init(&poll, LONGEST, false);
    /* The VIRQ came, though the fill alone would have it stay. */
    assert_int_equal(xm_poll_pass(&poll, 10, 50 * MS, true), 50 * MS);
    /* The rate wants less than half. */
    assert_int_equal(xm_poll_pass(&poll, 800, 20 * MS, true), 10 * MS);
}

/* A full buffer says that more came than could be counted. */
static void test_full(void **state)
{
    struct xm_poll poll;
    xm_poll_init(&poll, LONGEST, false);
    assert_int_equal(xm_poll_pass(&poll, 1000, 100 * MS, false), 10 * MS);
}

/* However small the last step is. */
static void test_back_to_the_longest(void **state)
{
    struct xm_poll poll;
    xm_poll_init(&poll, LONGEST, false);
    assert_int_equal(xm_poll_pass(&poll, 500, 120 * MS, false), 96 * MS);
    assert_int_equal(xm_poll_pass(&poll, 10, 96 * MS, false), LONGEST);
}

static void test_bounds(void **state)
{
    struct xm_poll poll;
    xm_poll_init(&poll, LONGEST, false);
    for (unsigned i = 0; i < 40; i++)
        xm_poll_pass(&poll, 1000, poll.ns, true);
    assert_int_equal(poll.ns, XM_POLL_LEAST_NS);
    xm_poll_pass(&poll, 999, 0, true);
    assert_int_equal(poll.ns, XM_POLL_LEAST_NS);
    xm_poll_init(&poll, XM_POLL_MOST_NS, false);
    assert_int_equal(xm_poll_pass(&poll, 1, UINT64_MAX, false), XM_POLL_MOST_NS);
    xm_poll_init(&poll, XM_POLL_LEAST_NS, false);
    assert_int_equal(xm_poll_pass(&poll, 0, 1, true), XM_POLL_LEAST_NS);
    assert_int_equal(xm_poll_pass(&poll, 1000, 1, false), XM_POLL_LEAST_NS);
}

static void test_fixed(void **state)
{
    struct xm_poll poll;
    xm_poll_init(&poll, 7 * MS, true);
    assert_int_equal(xm_poll_pass(&poll, 1000, 7 * MS, true), 7 * MS);
    assert_int_equal(xm_poll_pass(&poll, 0, 7 * MS, false), 7 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),         cmocka_unit_test(test_constant), cmocka_unit_test(test_step_up_and_down),
        cmocka_unit_test(test_ramp),         cmocka_unit_test(test_bursts),   cmocka_unit_test(test_hysteresis),
        cmocka_unit_test(test_urgent_halves), cmocka_unit_test(test_full),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_fixed),        cmocka_unit_test(test_back_to_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
