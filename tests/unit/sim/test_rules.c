/* SPDX-License-Identifier: MIT */
/* Round robin and the rules of BVT, one by one, to the nanosecond (doc/simulation.md, "BVT"). */
#include "host.h"

#define CTX_ALLOW (5 * MS)

static struct guest follows(const uint64_t (*script)[2])
{
    return (struct guest){.script = script};
}

static struct xm_sched_share advances(uint32_t by)
{
    return (struct xm_sched_share){.mcu_advance = by};
}

static struct xm_truth_vcpu truth(const struct guest *g)
{
    return xm_truth_of(g->m, &g->d->vcpu[0]);
}

static void test_names(void **state)
{
    const char *const names[] = {"bvt", "sedf", "credit", "credit2", "rr"};
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(xm_sched_named(names[i])->name, names[i]);
        assert_non_null(strstr(xm_sched_names(), names[i]));
    }
    assert_null(xm_sched_named("edf"));
}

/* Turns are as long, and everybody has one before anybody has another. */
static void test_rr_turns(void **state)
{
    struct host *h = host_begin("rr", 1, (struct xm_sched_params){.slice_ns = 3 * MS});
    for (unsigned i = 0; i < 3; i++)
        guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
    for (unsigned turn = 0; turn < 30; turn++) {
        host_run(h, turn * 3 * MS + MS);
        assert_ptr_equal(xm_machine_current(h->m, 0), &h->guest[turn % 3].d->vcpu[0]);
    }
    host_end(h);
}

/* Two that wake up at one instant get an idle pCPU each; one that is pinned waits for its own alone. */
static void test_rr_idle(void **state)
{
    struct host *h = host_begin("rr", 3, DEFAULTS);
    guest_add(h, 3, 0, (struct xm_sched_share){0}, spins());
    host_run(h, S);
    assert_in_range(ran(&h->guest[0]), 3 * S - 100, 3 * S);
    guest_add(h, 1, 4, (struct xm_sched_share){0}, spins());
    host_run(h, 3 * S);
    assert_in_range(ran(&h->guest[1]), S / 2, 3 * S / 2);
    assert_int_equal(xm_truth_of(h->m, &h->guest[1].d->vcpu[0]).migrations, 0);
    host_end(h);
}

/*
 * B runs for `first`, sleeps for `pause` and wakes while A runs; A began with it and was alone meanwhile.
 * Returns how long B waits then.
 */
static uint64_t second_wait(uint64_t first, uint64_t pause, struct xm_sched_params params)
{
    const uint64_t script[][2] = {{first, pause}, {MS, 10 * S}, {0, 0}};
    struct host *h = host_begin("bvt", 1, params);
    guest_add(h, 1, 0, advances(10), spins());
    guest_add(h, 1, 0, advances(10), follows(script)); /* a tie: it is the first that runs */
    host_run(h, first + pause - 1);
    uint64_t waits = h->seen[1].waits;
    for (uint64_t t = first + pause; h->seen[1].waits == waits && t < S; t += 10 * US)
        host_run(h, t);
    uint64_t wait = h->seen[1].last_wait;
    assert_int_equal(h->seen[1].waits, waits + 1);
    host_end(h);
    return wait;
}

/* B has been charged one unit and A too when B wakes: a tie, and who wakes up wins it, at once. */
static void test_bvt_tie(void **state)
{
    assert_true(second_wait(100 * US, 50 * US, DEFAULTS) <= 1);
    assert_true(second_wait(20 * US, 50 * US, DEFAULTS) <= 1);
}

/*
 * One nanosecond more is another unit: it is ahead by one, A may run on for the allowance, from when it
 * began.
 */
static void test_bvt_rounding(void **state)
{
    uint64_t wait = second_wait(100 * US + 1, 50 * US, DEFAULTS);
    assert_in_range(wait, CTX_ALLOW + 1 - 50 * US - 2,
                    CTX_ALLOW + 1 - 50 * US); /* brought forward from 50 ms */
    /* The slip of units: ahead by one unit means one nanosecond more, and 100 us where that is mended. */
    uint64_t mended = second_wait(100 * US + 1, 50 * US, (struct xm_sched_params){.fix_slip = true});
    assert_in_range(mended, wait + 100 * US - 2, wait + 100 * US);
    /* Charged exactly it is ahead even by less; the wait is the allowance. */
    wait = second_wait(20 * US, 10 * US, (struct xm_sched_params){.mcu_ns = 1000});
    assert_in_range(wait, CTX_ALLOW - 10 * US, CTX_ALLOW);
    assert_true(second_wait(20 * US, 20 * US, (struct xm_sched_params){.mcu_ns = 1000}) <= 1);
}

static void test_bvt_allowance(void **state)
{
    uint64_t wait = second_wait(200 * US, 50 * US, (struct xm_sched_params){.ctx_allow_ns = MS});
    assert_in_range(wait, MS - 50 * US - 2, MS - 50 * US + 10);
}

/* Short executions are charged as if they were long ones: who has them loses against exact charging. */
static void test_bvt_price(void **state)
{
    uint64_t waited[2];
    for (unsigned exact = 0; exact < 2; exact++) {
        struct host *h = host_begin("bvt", 1, (struct xm_sched_params){.mcu_ns = exact ? US : 0});
        guest_add(h, 1, 0, advances(30), (struct guest){.work_ns = 10 * US, .pause_ns = 190 * US});
        guest_add(h, 1, 0, advances(10), spins());
        host_run(h, S);
        waited[exact] = truth(&h->guest[0]).in_state[XM_RUNNABLE];
        host_end(h);
    }
    assert_true(waited[1] < S / 100);
    assert_true(waited[0] > S / 10);
}

/* Who sleeps gets no claim on what others ran meanwhile. */
static void test_bvt_clamp(void **state)
{
    const uint64_t script[][2] = {{MS, 3 * S}, {10 * S, 0}, {0, 0}};
    struct host *h = host_begin("bvt", 1, DEFAULTS);
    struct guest *sleeper = guest_add(h, 1, 0, advances(10), follows(script));
    guest_add(h, 1, 0, advances(10), spins());
    host_run(h, 3 * S + 10 * MS);
    uint64_t before = ran(sleeper);
    host_run(h, 4 * S + 10 * MS);
    assert_in_range(ran(sleeper) - before, 480 * MS, 540 * MS);
    host_end(h);
}

/* Weights: twice the advance is half of the time. */
static void test_bvt_shares(void **state)
{
    struct host *h = host_begin("bvt", 1, DEFAULTS);
    guest_add(h, 1, 0, advances(20), spins());
    guest_add(h, 1, 0, (struct xm_sched_share){0}, spins()); /* 10 */
    guest_add(h, 1, 0, advances(5), spins());
    host_run(h, 14 * S);
    assert_in_range(ran(&h->guest[0]), 1940 * MS, 2060 * MS);
    assert_in_range(ran(&h->guest[1]), 3880 * MS, 4120 * MS);
    assert_in_range(ran(&h->guest[2]), 7760 * MS, 8240 * MS);
    host_end(h);
}

/* Virtual time is 32 bits: it is brought back in time, of those too who are blocked then. */
static void test_bvt_overflow(void **state)
{
    struct host *h = host_begin("bvt", 1, DEFAULTS);
    guest_add(h, 1, 0, advances(500000), spins());
    guest_add(h, 1, 0, advances(500000), spins());
    guest_add(h, 1, 0, advances(500000), naps(100 * US, 20 * MS));
    host_run(h, 20 * S); /* some ten times */
    assert_in_range(ran(&h->guest[0]), 9600 * MS, 10 * S);
    assert_in_range(ran(&h->guest[1]), 9600 * MS, 10 * S);
    assert_true(h->seen[2].waits > 700);
    assert_true(h->seen[2].longest_wait < 100 * MS);
    host_end(h);
}

/*
 * Each pCPU has its own vCPUs, as many as the next; one that is moved does not bring its virtual time
 * along.
 */
static void test_bvt_homes(void **state)
{
    struct host *h = host_begin("bvt", 2, DEFAULTS);
    guest_add(h, 2, 0, advances(10), spins());
    guest_add(h, 2, 0, advances(10), spins());
    host_run(h, 2 * S);
    for (unsigned i = 0; i < 2; i++)
        assert_in_range(ran(&h->guest[i]), 1950 * MS, 2050 * MS);
    xm_machine_pause(h->m, h->guest[1].d, true);
    guest_add(h, 1, 1, advances(1), spins());
    guest_add(h, 1, 2, advances(200), spins());
    host_run(h, 4 * S); /* pCPU 1 is far ahead of pCPU 0 now */
    xm_machine_pin(h->m, &h->guest[0].d->vcpu[1], 1);
    xm_machine_pin(h->m, &h->guest[0].d->vcpu[0], 1);
    xm_machine_pause(h->m, h->guest[2].d, true);
    uint64_t before = ran(&h->guest[0]);
    host_run(h, 6 * S);
    assert_in_range(ran(&h->guest[0]) - before, 1990 * MS, 2000 * MS);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(h->guest[0].d->vcpu[i].cpu, 0);
    assert_int_equal(truth(&h->guest[0]).migrations + xm_truth_of(h->m, &h->guest[0].d->vcpu[1]).migrations,
                     1);
    host_end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_rr_turns),
        cmocka_unit_test(test_rr_idle),      cmocka_unit_test(test_bvt_tie),
        cmocka_unit_test(test_bvt_rounding), cmocka_unit_test(test_bvt_allowance),
        cmocka_unit_test(test_bvt_price),    cmocka_unit_test(test_bvt_clamp),
        cmocka_unit_test(test_bvt_shares),   cmocka_unit_test(test_bvt_overflow),
        cmocka_unit_test(test_bvt_homes),
    };
    return cmocka_run_group_tests_name("sim rules", tests, NULL, NULL);
}
