/* SPDX-License-Identifier: MIT */
/* What is counted beside time: executions, migrations, slices, I/O (law 7), peaks, the rate of the clock (section 4). */
#include "world.h"

static void test_migrations(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, R, W); /* it was on CPU 0, but that execution's beginning was not seen */
    change(&w, 1110, 1, 1, 0, W, R);
    change(&w, 1120, 1, 1, 0, R, W);
    change(&w, 1130, 1, 1, 0, W, R);
    change(&w, 1140, 1, 1, 0, R, W);
    change(&w, 1150, 0, 1, 0, W, R);
    change(&w, 1160, 0, 1, 0, R, B);
    change(&w, 1170, 2, 1, 0, B, W); /* who wakes it does not matter */
    change(&w, 1180, 0, 1, 0, W, R);
    look(&w, 1200);
    assert_int_equal(vcpu(&w, 1, 0)->executions, 4);
    assert_int_equal(vcpu(&w, 1, 0)->migrations, 1);
    assert_int_equal(vcpu(&w, 1, 0)->preemptions, 2);
    assert_int_equal(vcpu(&w, 1, 0)->pcpu, 1);
    assert_int_equal(pcpu(&w, 0)->executions, 2);
    assert_int_equal(pcpu(&w, 1)->executions, 2);
    assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 1, XM_ROW_USED)->executions, 2);
    assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 1, XM_ROW_USED)->waited, 10 + 10);
    assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 1, XM_ROW_USED | 1)->waited, 20);
    assert_int_equal(domain(&w, 1)->migrations, 1);
    world_end(&w);
}

static void test_yield(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    EV(&w, XM_EV_YIELD, 1150, 0, 1, 0);
    change(&w, 1151, 0, 1, 0, R, W);
    change(&w, 1200, 0, 1, 0, W, R);
    change(&w, 1250, 0, 1, 0, R, W);
    EV(&w, XM_EV_YIELD, 1260, 0, 0x10000, 0); /* nobody */
    look(&w, 1300);
    assert_int_equal(vcpu(&w, 1, 0)->yields, 1);
    assert_int_equal(vcpu(&w, 1, 0)->preemptions, 1);
    assert_int_equal(domain(&w, 1)->yields, 1);
    world_end(&w);
}

static void test_slices(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_INFNEXT, 1090, 0, 1, 2, 777, 5000);
    change(&w, 1100, 0, 1, 2, W, R);
    change(&w, 1200, 0, 1, 2, R, B);
    change(&w, 1210, 0, 1, 2, B, W);
    EV(&w, XM_EV_INFNEXT, 1219, 0, 1, 2, 777, 3000);
    change(&w, 1220, 0, 1, 2, W, R);
    EV(&w, XM_EV_INFNEXT, 1230, 1, 3, 0, 777, UINT32_MAX);       /* no limit: no slice */
    EV(&w, XM_EV_INFNEXT, 1240, 1, XM_DOMID_IDLE, 1, 777, 100);  /* idle has none */
    EV(&w, XM_EV_INFNEXT, 1240, 1, 0x10000, 1, 777, 100);
    look(&w, 1250);
    const struct xm_vcpu_row *v = vcpu(&w, 1, 2);
    assert_int_equal(v->slices, 2);
    assert_int_equal(v->slice_sum, 8000);
    assert_int_equal(v->slice_min, 3000);
    assert_int_equal(v->slice_max, 5000);
    assert_int_equal(v->last_slice, 5000);
    assert_int_equal(domain(&w, 1)->slice_sum, 8000);
    assert_int_equal(domain(&w, 1)->slice_min, 3000);
    assert_int_equal(anomalies(&w, XM_ANOMALY_RESERVED), 1);
    assert_int_equal(w.s.used.vcpus, 1);
    change(&w, 1300, 0, 1, 2, R, B);
    look(&w, 1300);
    assert_int_equal(vcpu(&w, 1, 2)->last_slice, 3000);
    world_end(&w);
}

/* Before Xen 4.8 INFNEXT named the domain alone: the slice is its next dispatch's on that pCPU. */
static void test_slices_without_vcpu(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_INFNEXT, 1090, 0, 1, 777, 5000);
    EV(&w, XM_EV_INFNEXT, 1091, 1, 1, 777, 6000);
    change(&w, 1100, 1, 1, 4, W, R);
    change(&w, 1101, 0, 1, 3, W, R);
    EV(&w, XM_EV_INFNEXT, 1190, 1, 2, 777, 9000); /* of another domain than the one that comes */
    change(&w, 1200, 1, 1, 4, R, W);
    change(&w, 1210, 1, 1, 5, W, R);
    look(&w, 1250);
    assert_int_equal(vcpu(&w, 1, 3)->slice_sum, 5000);
    assert_int_equal(vcpu(&w, 1, 4)->slice_sum, 6000);
    assert_int_equal(vcpu(&w, 1, 5)->slices, 0);
    assert_int_equal(domain(&w, 1)->slices, 2);
    world_end(&w);
}

/* What a gap hides: the slice announced before it is not the next dispatch's, and who ran on is where it ran. */
static void test_slices_and_migrations_over_a_gap(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1110, 0, 1, 0, R, W);
    EV(&w, XM_EV_INFNEXT, 1120, 1, 1, 777, 5000);
    gap_opens(&w, 1130, 1);
    gap_closes(&w, 1200, 1, 9, 1, 0);
    goes_on(&w, 1210, 1, 1, 0); /* dispatched on CPU 1 within the gap */
    change(&w, 1220, 1, 1, 0, R, W);
    change(&w, 1230, 1, 1, 0, W, R);
    look(&w, 1250);
    assert_int_equal(vcpu(&w, 1, 0)->executions, 2);
    assert_int_equal(vcpu(&w, 1, 0)->migrations, 0);
    assert_int_equal(vcpu(&w, 1, 0)->slices, 0);
    change(&w, 1260, 1, 1, 0, R, W);
    change(&w, 1270, 0, 1, 0, W, R);
    look(&w, 1280);
    assert_int_equal(vcpu(&w, 1, 0)->migrations, 1);
    world_end(&w);
}

static void test_io(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 0, 1, W, R); /* the back end is on CPU 0 */
    idle(&w, 1100, 1, W, R);
    for (unsigned i = 0; i < 3; i++)
        EV(&w, XM_EV_GRANT_MAP, 1110 + i, 0, 4);
    for (unsigned i = 0; i < 2; i++)
        EV(&w, XM_EV_GRANT_UNMAP, 1120 + i, 0, 4);
    EV(&w, XM_EV_TRANSFER, 1130, 0, 5);
    EV(&w, XM_EV_GRANT_MAP, 1140, 1, 5);      /* by nobody's vCPU */
    EV(&w, XM_EV_GRANT_COPIES, 1150, 0, 12);
    EV(&w, XM_EV_GRANT_COPIES, 1151, 1, 99);  /* by nobody */
    EV(&w, XM_EV_GRANT_MAP, 1160, 0, 0x7ff0); /* DOMID_SELF and the like: a number of no domain */
    EV(&w, XM_EV_GRANT_MAP, 1161, 0, 0x10000);
    look(&w, 1200);
    assert_int_equal(domain(&w, 4)->grant_maps, 3);
    assert_int_equal(domain(&w, 4)->grant_unmaps, 2);
    assert_int_equal(domain(&w, 4)->done_maps, 0);
    assert_int_equal(domain(&w, 5)->page_transfers, 1);
    assert_int_equal(domain(&w, 5)->grant_maps, 1);
    assert_int_equal(domain(&w, 0)->done_maps, 3);
    assert_int_equal(domain(&w, 0)->done_unmaps, 2);
    assert_int_equal(domain(&w, 0)->done_transfers, 1);
    assert_int_equal(domain(&w, 0)->done_copies, 12);
    assert_int_equal(domain(&w, 0)->grant_maps, 0);
    assert_int_equal(w.s.used.domains, 3);
    change(&w, 1300, 0, 0, 1, R, B);
    look(&w, 1300);
    assert_int_equal(vcpu(&w, 0, 1)->last_io, 6);
    assert_int_equal(domain(&w, 0)->last_io, 6);
    world_end(&w);
}

/* One record for a batch of flips: its second word says how many.  One that no hypercall could have is not believed. */
static void test_batches(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 0, 1, W, R);
    EV(&w, XM_EV_TRANSFER, 1110, 0, 5, 64);
    EV(&w, XM_EV_TRANSFER, 1120, 0, 5);
    EV(&w, XM_EV_TRANSFER, 1130, 0, 5, 0);         /* an empty batch */
    EV(&w, XM_EV_TRANSFER, 1140, 1, 5, 1u << 20);  /* by nobody's vCPU */
    EV(&w, XM_EV_TRANSFER, 1150, 0, 6, (1u << 20) + 1);
    EV(&w, XM_EV_TRANSFER, 1160, 0, 6, UINT32_MAX);
    EV(&w, XM_EV_GRANT_MAP, 1170, 0, 6, 9);        /* those are one a page */
    EV(&w, XM_EV_GRANT_UNMAP, 1180, 0, 6, 9);
    change(&w, 1190, 0, 0, 1, R, B);
    look(&w, 1200);
    assert_int_equal(domain(&w, 5)->page_transfers, 64 + 1 + (1u << 20));
    assert_int_equal(domain(&w, 6)->page_transfers, 2);
    assert_int_equal(domain(&w, 6)->grant_maps, 1);
    assert_int_equal(domain(&w, 6)->grant_unmaps, 1);
    assert_int_equal(domain(&w, 0)->done_transfers, 64 + 1 + 2);
    assert_int_equal(vcpu(&w, 0, 1)->last_io, 64 + 1 + 2 + 2);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

static void test_any_waiting(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, B, W);
    change(&w, 1150, 0, 1, 1, B, W);
    change(&w, 1200, 0, 1, 0, W, R);
    change(&w, 1250, 0, 1, 1, W, O);
    change(&w, 1300, 0, 1, 0, R, W);
    change(&w, 1300, 1, 2, 0, B, W);
    look(&w, 1400);
    assert_int_equal(domain(&w, 1)->wait_any, 150 + 100);
    assert_int_equal(domain(&w, 1)->runnable, 100 + 100 + 100);
    assert_int_equal(domain(&w, 2)->wait_any, 100);
    look(&w, 1500);
    assert_int_equal(domain(&w, 1)->wait_any, 350);
    gap_opens(&w, 1600, 0); /* from here on it is not known to wait */
    look(&w, 1700);
    assert_int_equal(domain(&w, 1)->wait_any, 450);
    world_end(&w);
}

/* Peaks and troughs are of one interval. */
static void test_peaks(void **state)
{
    struct world w = world();
    xm_account_sample(w.a, xm_cycles_of(1010), true, &w.s);
    change(&w, 1100, 0, 1, 0, B, W);
    EV(&w, XM_EV_INFNEXT, 1190, 0, 1, 0, 0, 700);
    change(&w, 1200, 0, 1, 0, W, R);
    look(&w, 1250);
    assert_int_equal(vcpu(&w, 1, 0)->wait_max, 100);
    xm_account_sample(w.a, xm_cycles_of(1300), true, &w.s);
    assert_int_equal(vcpu(&w, 1, 0)->wait_max, 100);
    assert_int_equal(vcpu(&w, 1, 0)->slice_min, 700);
    assert_int_equal(domain(&w, 1)->wait_max, 100);
    look(&w, 1310);
    assert_int_equal(vcpu(&w, 1, 0)->wait_max, 0);
    assert_int_equal(vcpu(&w, 1, 0)->slice_max, 0);
    assert_true(vcpu(&w, 1, 0)->slice_min == UINT64_MAX);
    assert_true(domain(&w, 1)->slice_min == UINT64_MAX);
    change(&w, 1400, 0, 1, 0, R, W);
    change(&w, 1430, 0, 1, 0, W, R);
    look(&w, 1500);
    assert_int_equal(vcpu(&w, 1, 0)->wait_max, 30);
    assert_int_equal(vcpu(&w, 1, 0)->slices, 1);
    world_end(&w);
}

static void test_coarse_waits(void **state)
{
    struct world w = world();
    static const uint64_t waits[] = {1, 2047, 2048, 8191, 8192, UINT64_C(1) << 31, UINT64_C(1) << 40};
    static const unsigned bucket[] = {0, 0, 1, 1, 2, 11, 11};
    unsigned want[XM_COARSE_BUCKETS] = {0};
    uint64_t at = 2000;
    for (unsigned i = 0; i < 7; i++) {
        change(&w, at, 0, 1, 0, B, W);
        at += waits[i];
        change(&w, at, 0, 1, 0, W, R);
        change(&w, ++at, 0, 1, 0, R, B);
        at++;
        want[bucket[i]]++;
    }
    look(&w, at);
    for (unsigned i = 0; i < XM_COARSE_BUCKETS; i++)
        assert_int_equal(domain(&w, 1)->wait_coarse[i], want[i]);
    world_end(&w);
}

/* One execution as the scheduler tells of it: from INFNEXT to the next INFPREV, in cycles and in ns. */
static uint64_t execution(struct world *w, uint64_t at, uint64_t cycles, uint32_t ns)
{
    EV(w, XM_EV_INFNEXT, at, 0, 1, 0, 0, 1000);
    change(w, at + 1, 0, 1, 0, W, R);
    EV(w, XM_EV_INFPREV, at + cycles, 0, 1, 0, ns);
    change(w, at + cycles + 1, 0, 1, 0, R, W);
    return at + cycles + 100;
}

static void test_rate(void **state)
{
    struct world w = world();
    uint64_t at = 2000;
    assert_int_equal(xm_account_calibrate(w.a), 0);
    for (unsigned i = 0; i < 3; i++)
        at = execution(&w, at, 2793439, 1000000);
    assert_int_equal(xm_account_calibrate(w.a), 0); /* too few to believe */
    for (unsigned i = 0; i < 20; i++)
        at = execution(&w, at, 27934390, 10000000);
    at = execution(&w, at, 99000000, 20000000);     /* the clock had jumped */
    for (unsigned i = 0; i < 50; i++)
        at = execution(&w, at, 50000, 99999);       /* too short to be exact */
    uint64_t hz = xm_account_calibrate(w.a);
    assert_true(hz > 2793000000u && hz < 2794000000u);
    world_end(&w);
}

/* ns are 32 bits: what took longer than 4.29 s looks short. */
static void test_rate_wraps(void **state)
{
    struct world w = world();
    uint64_t at = 2000;
    for (unsigned i = 0; i < 8; i++)
        at = execution(&w, at, 2000000000, 1000000000);
    for (unsigned i = 0; i < 3; i++)
        at = execution(&w, at, UINT64_C(10000000000), (uint32_t)5000000000u);
    assert_int_equal(xm_account_calibrate(w.a), 2000000000);
    world_end(&w);
}

/* A host that idles: most of the time that the ns tell of is that of executions whose ns have wrapped. */
static void test_rate_of_an_idle_host(void **state)
{
    struct world w = world();
    uint64_t at = 2000;
    for (unsigned i = 0; i < 100; i++)
        at = execution(&w, at, 2000000, 1000000);
    for (unsigned i = 0; i < 90; i++)
        at = execution(&w, at, UINT64_C(15800000000), (uint32_t)7900000000u);
    assert_int_equal(xm_account_calibrate(w.a), 2000000000);
    world_end(&w);
}

/* More than there is room for: thinned out, not stopped. */
static void test_rate_of_long_traces(void **state)
{
    struct world w = world();
    uint64_t at = 2000;
    for (unsigned i = 0; i < 9000; i++)
        at = execution(&w, at, 1000000, 500000);
    for (unsigned i = 0; i < 60000; i++)
        at = execution(&w, at, 1500000, 500000);
    assert_int_equal(xm_account_calibrate(w.a), 3000000000u);
    world_end(&w);
}

/* A gap between INFNEXT and INFPREV: not the same execution. */
static void test_rate_and_gaps(void **state)
{
    struct world w = world();
    uint64_t at = 2000;
    for (unsigned i = 0; i < 10; i++) {
        EV(&w, XM_EV_INFNEXT, at, 0, 1, 0, 0, 1000);
        gap_opens(&w, at + 10, 0);
        gap_closes(&w, at + 20, 0, 5, 1, 0);
        EV(&w, XM_EV_INFPREV, at + 5000000, 0, 1, 0, 1000000);
        EV(&w, XM_EV_INFNEXT, at + 5000001, 0, 1, 0, 0, 1000);
        EV(&w, XM_EV_INFPREV, at + 6000000, 0, 1, 1, 1000000); /* nor of the same vCPU */
        EV(&w, XM_EV_INFNEXT, at + 6000001, 0, 1, 0, 0, 1000);
        EV(&w, XM_EV_INFPREV, at + 7000000, 0, 2, 0, 1000000); /* nor domain */
        EV(&w, XM_EV_INFPREV, at + 8000000, 0, 1, 0, 1000000); /* nor the next one after all */
        at += 10000000;
    }
    assert_int_equal(xm_account_calibrate(w.a), 0);
    world_end(&w);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_migrations), TEST(test_yield), TEST(test_slices), TEST(test_slices_without_vcpu),
        TEST(test_slices_and_migrations_over_a_gap), TEST(test_io), TEST(test_batches),
        TEST(test_any_waiting), TEST(test_peaks), TEST(test_coarse_waits), TEST(test_rate), TEST(test_rate_wraps),
        TEST(test_rate_of_an_idle_host),
        TEST(test_rate_of_long_traces), TEST(test_rate_and_gaps),
    };
    return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
