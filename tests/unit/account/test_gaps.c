/* SPDX-License-Identifier: MIT */
/* Law 5: lost records. */
#include "world.h"

static void test_elsewhere_stays_known(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1100, 1, 2, 0, W, R);
    idle(&w, 1100, 2, W, R);
    change(&w, 1110, 0, 3, 0, B, W);
    gap_opens(&w, 1200, 1);
    gap_closes(&w, 1300, 1, 7, 2, 0);
    change(&w, 1400, 1, 2, 0, R, B);
    look(&w, 1500);
    STATES(vcpu(&w, 2, 0), 100, 0, 100, 0, 300); /* published: as it was known when it passed */
    total(&w, 1500);
    STATES(vcpu(&w, 1, 0), 400, 100, 0, 0, 0);
    STATES(vcpu(&w, 2, 0), 200, 100, 100, 0, 100);
    STATES(vcpu(&w, 3, 0), 0, 90, 110, 0, 300); /* no record since: it may have run and slept */
    assert_int_equal(vcpu(&w, 3, 0)->state, 4 | 16 | XM_RUNNABLE << 8);
    PCPU(pcpu(&w, 0), 400, 0, 100, 0);
    PCPU(pcpu(&w, 1), 200, 0, 200, 100);
    PCPU(pcpu(&w, 2), 0, 400, 100, 0);
    assert_int_equal(pcpu(&w, 1)->lost_records, 7);
    assert_int_equal(pcpu(&w, 1)->gap, 100);
    assert_int_equal(pcpu(&w, 0)->gap, 0);
    assert_int_equal(w.s.host.gap, 100);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Who stops running while a gap is open may be anything until it is seen again. */
static void test_stops_in_a_gap(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    gap_opens(&w, 1200, 1);
    change(&w, 1250, 0, 1, 0, R, B);
    look(&w, 1280);
    assert_int_equal(vcpu(&w, 1, 0)->state, 4 | 16 | XM_BLOCKED << 8);
    assert_int_equal(w.s.host.gap, 80);
    assert_int_equal(pcpu(&w, 1)->gap, 80);
    gap_closes(&w, 1300, 1, 7, XM_NO_DOM, XM_NO_VCPU);
    change(&w, 1400, 0, 1, 0, B, W);
    total(&w, 1500);
    STATES(vcpu(&w, 1, 0), 150, 200, 100, 0, 50);
    assert_int_equal(vcpu(&w, 1, 0)->wait_wake, 100);
    /* How long that sleep was is not known. */
    uint64_t sum = 0;
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
        sum += xm_account_histogram(w.a, 0, XM_HIST_BLOCKED)[i];
    assert_int_equal(sum, 0);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* It runs in the gap, then not, then again: each stretch of running is known. */
static void test_runs_in_a_gap(void **state)
{
    struct world w = world();
    gap_opens(&w, 1100, 1);
    change(&w, 1200, 0, 1, 0, W, R);
    change(&w, 1250, 0, 1, 0, R, W);
    change(&w, 1300, 0, 1, 0, W, R);
    gap_closes(&w, 1400, 1, 7, XM_NO_DOM, XM_NO_VCPU);
    change(&w, 1500, 0, 1, 0, R, W);
    total(&w, 1600);
    STATES(vcpu(&w, 1, 0), 250, 100, 0, 0, 250);
    assert_int_equal(vcpu(&w, 1, 0)->executions, 2);
    assert_int_equal(vcpu(&w, 1, 0)->wait_max, 0); /* of no wait both ends were seen with nothing lost between */
    world_end(&w);
}

static void test_nested(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1100, 1, 2, 0, W, R);
    gap_opens(&w, 1200, 0);
    gap_opens(&w, 1300, 1);
    gap_closes(&w, 1400, 0, 3, 1, 0);
    gap_closes(&w, 1500, 1, 4, 2, 0);
    change(&w, 1600, 0, 1, 0, R, W);
    change(&w, 1700, 1, 2, 0, R, W);
    total(&w, 1800);
    STATES(vcpu(&w, 1, 0), 200, 300, 0, 0, 300);
    STATES(vcpu(&w, 2, 0), 400, 200, 0, 0, 200);
    PCPU(pcpu(&w, 0), 300, 0, 300, 200); /* a pCPU is not touched by another one's gap */
    PCPU(pcpu(&w, 1), 400, 0, 200, 200);
    assert_int_equal(w.s.host.gap, 300);
    assert_int_equal(pcpu(&w, 0)->gap, 200);
    assert_int_equal(pcpu(&w, 1)->gap, 200);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Between two gaps without a record of it: unknown there too, nobody can know. */
static void test_two_gaps(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, R, B);
    gap_opens(&w, 1200, 1);
    gap_closes(&w, 1300, 1, 1, XM_NO_DOM, XM_NO_VCPU);
    gap_opens(&w, 1500, 1);
    gap_closes(&w, 1600, 1, 1, XM_NO_DOM, XM_NO_VCPU);
    change(&w, 1700, 0, 1, 0, B, W);
    total(&w, 1800);
    STATES(vcpu(&w, 1, 0), 100, 100, 200, 0, 400);
    assert_int_equal(w.s.host.gap, 200);
    world_end(&w);
}

static void test_gap_twice_opened(void **state)
{
    struct world w = world();
    gap_opens(&w, 1100, 0);
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 2, XM_NO_DOM, XM_NO_VCPU);
    gap_closes(&w, 1400, 0, 3, XM_NO_DOM, XM_NO_VCPU); /* of no open one: its losses count */
    total(&w, 1500);
    assert_int_equal(pcpu(&w, 0)->gap, 200);
    assert_int_equal(pcpu(&w, 0)->lost_records, 5);
    assert_int_equal(w.s.host.gap, 200);
    world_end(&w);
}

/* LOST_RECORDS names who is there; of that one nothing came any more: it has been running since. */
static void test_named(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 9, 1, 0);
    look(&w, 1900);
    STATES(vcpu(&w, 1, 0), 100, 0, 0, 0, 800);
    finish(&w, 2000);
    STATES(vcpu(&w, 1, 0), 800, 100, 0, 0, 100);
    PCPU(pcpu(&w, 0), 800, 0, 100, 100);
    assert_int_equal(vcpu(&w, 1, 0)->executions, 1);
    world_end(&w);
}

/* Named and never seen before or after. */
static void test_named_stranger(void **state)
{
    struct world w = world();
    idle(&w, 1100, 0, W, R);
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 9, 5, 2);
    finish(&w, 2000);
    STATES(vcpu(&w, 5, 2), 700, 0, 0, 0, 300);
    PCPU(pcpu(&w, 0), 700, 100, 100, 100);
    world_end(&w);
}

static void test_named_idle(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 9, XM_DOMID_IDLE, 0);
    finish(&w, 2000);
    STATES(vcpu(&w, 1, 0), 100, 100, 0, 0, 800);
    assert_int_equal(vcpu(&w, 1, 0)->state, 4 | 16 | XM_RUNNING << 8);
    PCPU(pcpu(&w, 0), 100, 700, 100, 100);
    world_end(&w);
}

/* The next gap ends what the naming tells, and takes nothing of it back. */
static void test_named_between_gaps(void **state)
{
    for (unsigned guest = 0; guest <= 1; guest++) {
        struct world w = world();
        change(&w, 1050, 0, 1, 0, R, B);
        idle(&w, 1050, 0, W, R);
        gap_opens(&w, 1100, 0);
        gap_closes(&w, 1200, 0, 9, guest ? 1 : XM_DOMID_IDLE, 0);
        gap_opens(&w, 1700, 0);
        gap_closes(&w, 1800, 0, 9, XM_DOMID_IDLE, 0);
        idle(&w, 1900, 0, R, W);
        finish(&w, 2000);
        PCPU(pcpu(&w, 0), guest ? 550 : 50, guest ? 150 : 650, 100, 200);
        STATES(vcpu(&w, 1, 0), guest ? 550 : 50, 0, 50, 0, guest ? 400 : 900);
        assert_int_equal(all_anomalies(&w), 0);
        world_end(&w);
    }
}

/* Named, but another one arrives: it left in the gap after all (prev is named until after its own record). */
static void test_named_but_gone(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 9, 1, 0);
    change(&w, 1300, 0, 2, 0, W, R);
    finish(&w, 2000);
    STATES(vcpu(&w, 1, 0), 100, 100, 0, 0, 800);
    STATES(vcpu(&w, 2, 0), 700, 0, 0, 0, 300);
    PCPU(pcpu(&w, 0), 800, 0, 100, 100);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Named, but it wakes up elsewhere: it was not running then, and nothing of its pCPU is known. */
static void test_named_but_seen_elsewhere(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 9, 1, 0);
    change(&w, 1400, 1, 1, 0, B, W);
    finish(&w, 2000);
    STATES(vcpu(&w, 1, 0), 100, 700, 100, 0, 100);
    assert_int_equal(pcpu(&w, 0)->unknown, 800);
    world_end(&w);
}

/* No Xen names one on two pCPUs: its time is counted once. */
static void test_named_twice(void **state)
{
    struct world w = world();
    gap_opens(&w, 1100, 0);
    gap_opens(&w, 1100, 1);
    gap_closes(&w, 1200, 0, 5, 1, 0);
    gap_closes(&w, 1200, 1, 5, 1, 0);
    finish(&w, 1500);
    STATES(vcpu(&w, 1, 0), 300, 0, 0, 0, 200);
    PCPU(pcpu(&w, 0), 300, 0, 0, 200);
    PCPU(pcpu(&w, 1), 0, 0, 0, 500);
    world_end(&w);
}

/* Named, and left by a switch of which it never became clear whether it counts: how long it ran is not known. */
static void test_named_and_dropped(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        bool idles = i & 1;
        bool gap = i & 2;
        struct world w = world();
        gap_opens(&w, 1100, 0);
        gap_closes(&w, 1200, 0, 5, idles ? XM_DOMID_IDLE : 1, 0);
        EV(&w, XM_EV_SWITCH, 1250, 0, idles ? XM_DOMID_IDLE : 1, 0, 2, 0);
        if (gap)
            gap_opens(&w, 1300, 0);
        else
            EV(&w, XM_EV_DOM_ADD, 1300, 1, 3);
        finish(&w, 1500);
        const struct xm_vcpu_row *named = xt_vcpu(&w.s, xt_vcpu_id(0, 1, 0));
        assert_true(!named || named->running == 0);
        PCPU(pcpu(&w, 0), 0, 0, 0, 500);
        world_end(&w);
    }
}

/* Named, then another pCPU's gap: it is still where it was. */
static void test_named_and_another_gap(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 9, 1, 0);
    gap_opens(&w, 1400, 1);
    gap_closes(&w, 1500, 1, 9, 2, 0);
    finish(&w, 2000);
    const struct xm_vcpu_row *v = vcpu(&w, 1, 0);
    assert_int_equal(v->running + v->unknown, 900);
    assert_true(v->running >= 600 && v->unknown >= 100); /* at the least since the last gap closed */
    assert_int_equal(pcpu(&w, 0)->busy, 800);
    world_end(&w);
}

/* First seen while a gap is open, and after one: what was before the gap is unknown (law 5). */
static void test_newcomers(void **state)
{
    struct world w = world();
    gap_opens(&w, 1200, 0);
    change(&w, 1250, 1, 5, 0, B, W);
    gap_closes(&w, 1300, 0, 1, XM_NO_DOM, XM_NO_VCPU);
    change(&w, 1400, 1, 5, 0, W, R);
    change(&w, 1450, 1, 6, 0, B, W);
    total(&w, 1500);
    STATES(vcpu(&w, 5, 0), 100, 100, 0, 0, 300);
    STATES(vcpu(&w, 6, 0), 0, 50, 150, 0, 300);
    assert_int_equal(vcpu(&w, 5, 0)->wait_other, 100);
    world_end(&w);
}

/* Created after the gap: it was offline all the time before, lost records or not. */
static void test_created_after(void **state)
{
    struct world w = world();
    gap_opens(&w, 1200, 0);
    gap_closes(&w, 1300, 0, 1, XM_NO_DOM, XM_NO_VCPU);
    EV(&w, XM_EV_DOM_ADD, 1400, 0, 5);
    change(&w, 1450, 1, 5, 0, O, W);
    total(&w, 1500);
    STATES(vcpu(&w, 5, 0), 0, 50, 0, 450, 0);
    world_end(&w);
}

static void test_open_at_the_end(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1100, 1, 2, 0, W, R);
    change(&w, 1100, 1, 3, 0, B, W);
    gap_opens(&w, 1200, 0);
    finish(&w, 1500);
    STATES(vcpu(&w, 1, 0), 100, 100, 0, 0, 300);
    STATES(vcpu(&w, 2, 0), 400, 100, 0, 0, 0);
    STATES(vcpu(&w, 3, 0), 0, 100, 100, 0, 300);
    PCPU(pcpu(&w, 0), 100, 0, 100, 300);
    assert_int_equal(w.s.host.gap, 300);
    world_end(&w);
}

/* From the very start, its first drop before anything that was written. */
static void test_open_at_the_start(void **state)
{
    struct world w = world();
    gap_opens(&w, 500, 0);
    assert_int_equal(all_anomalies(&w), 0);
    change(&w, 1100, 1, 1, 0, W, R);
    gap_closes(&w, 1200, 0, 5, 2, 0);
    change(&w, 1300, 0, 2, 0, R, B);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 300, 0, 0, 0, 100);
    STATES(vcpu(&w, 2, 0), 100, 0, 100, 0, 200);
    assert_int_equal(w.s.host.gap, 200);
    world_end(&w);
}

/* Its domain ends while records are missing: from then on it is offline, and known to be. */
static void test_end_in_a_gap(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, R, B);
    gap_opens(&w, 1200, 1);
    EV(&w, XM_EV_DOM_REM, 1250, 0, 1);
    gap_opens(&w, 1260, 0);
    gap_closes(&w, 1300, 1, 1, XM_NO_DOM, XM_NO_VCPU);
    gap_closes(&w, 1310, 0, 1, XM_NO_DOM, XM_NO_VCPU);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 100, 0, 100, 150, 50);
    world_end(&w);
}

/* A record in the middle of its pCPU's own gap shows somebody: a gap elsewhere makes both unknown, not the vCPU alone. */
static void test_shown_in_its_own_gap(void **state)
{
    struct world w = world();
    gap_opens(&w, 1200, 1);
    change(&w, 1250, 1, 1, 0, W, R);
    gap_opens(&w, 1300, 0);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 50, 0, 0, 0, 350);
    PCPU(pcpu(&w, 1), 50, 0, 0, 350);
    assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 1, XM_ROW_USED | 1)->running, 50);
    gap_closes(&w, 1500, 0, 1, XM_NO_DOM, XM_NO_VCPU);
    gap_closes(&w, 1500, 1, 1, XM_NO_DOM, XM_NO_VCPU);
    change(&w, 1600, 1, 1, 0, R, B);
    total(&w, 1600);
    STATES(vcpu(&w, 1, 0), 150, 0, 0, 0, 450);
    PCPU(pcpu(&w, 1), 150, 0, 0, 450);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* A preemption, a wake-up, a wait: whose beginning nobody saw. */
static void test_causes(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, R, W);
    gap_opens(&w, 1200, 1);
    gap_closes(&w, 1300, 1, 1, XM_NO_DOM, XM_NO_VCPU);
    change(&w, 1400, 0, 1, 0, W, R);
    total(&w, 1500);
    assert_int_equal(vcpu(&w, 1, 0)->wait_preempt, 100); /* up to the gap it was known */
    assert_int_equal(vcpu(&w, 1, 0)->wait_other, 100);
    STATES(vcpu(&w, 1, 0), 200, 200, 0, 0, 100);
    world_end(&w);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_elsewhere_stays_known), TEST(test_stops_in_a_gap), TEST(test_runs_in_a_gap), TEST(test_nested),
        TEST(test_two_gaps), TEST(test_gap_twice_opened), TEST(test_named), TEST(test_named_stranger),
        TEST(test_named_idle), TEST(test_named_between_gaps), TEST(test_named_but_gone), TEST(test_named_but_seen_elsewhere),
        TEST(test_named_twice), TEST(test_named_and_dropped), TEST(test_named_and_another_gap), TEST(test_newcomers), TEST(test_created_after), TEST(test_open_at_the_end),
        TEST(test_open_at_the_start), TEST(test_end_in_a_gap), TEST(test_shown_in_its_own_gap), TEST(test_causes),
    };
    return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
