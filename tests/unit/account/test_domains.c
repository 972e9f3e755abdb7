/* SPDX-License-Identifier: MIT */
/* Law 8, and the tables: domains come and go, capacities are reached. */
#include <time.h>

#include "world.h"

static const struct xm_vcpu_row *vcpu_of(const struct world *w, uint32_t instance, uint32_t dom, uint32_t number)
{
    const struct xm_vcpu_row *row = xt_vcpu(&w->s, xt_vcpu_id(instance, dom, number));
    assert_non_null(row);
    return row;
}

static void test_end(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1150, 0, 1, 1, B, W);
    EV(&w, XM_EV_DOM_REM, 1200, 1, 1);
    assert_int_equal(xm_account_ends(w.a), 1);
    EV(&w, XM_EV_SCHED_REM, 1300, 1, 1); /* the late one */
    assert_int_equal(xm_account_ends(w.a), 1);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 100, 100, 0, 200, 0);
    STATES(vcpu(&w, 1, 1), 0, 50, 150, 200, 0);
    assert_int_equal(domain(&w, 1)->ended, 1);
    assert_int_equal(domain(&w, 1)->vcpus, 2);
    assert_int_equal(domain(&w, 1)->wait_any, 50);
    PCPU(pcpu(&w, 0), 100, 0, 300, 0);
    struct xm_account_domain d = xm_account_domain(w.a, 0);
    assert_int_equal(d.ended.v, 1200);
    assert_int_equal(d.created.v, 0);
    assert_int_equal(xm_account_domain(w.a, 5).id, 0);
    world_end(&w);
}

/* Where SCHED_DOM_REM is all there is, it is the end. */
static void test_end_by_the_scheduler(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, R, B);
    EV(&w, XM_EV_SCHED_REM, 1300, 1, 1);
    EV(&w, XM_EV_SCHED_REM, 1310, 1, 77); /* nobody knows it */
    assert_int_equal(xm_account_ends(w.a), 1);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 100, 0, 200, 100, 0);
    assert_int_equal(w.s.used.domains, 1);
    world_end(&w);
}

/* The id again, before the first one's late SCHED_DOM_REM: that one must not end the second. */
static void test_reuse(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 5, 0, R, B);
    EV(&w, XM_EV_DOM_REM, 1200, 1, 5);
    EV(&w, XM_EV_DOM_ADD, 1250, 1, 5);
    EV(&w, XM_EV_SCHED_ADD, 1251, 1, 5);
    EV(&w, XM_EV_SCHED_REM, 1260, 1, 5);
    change(&w, 1300, 0, 5, 0, O, W);
    total(&w, 1400);
    assert_int_equal(w.s.used.domains, 2);
    assert_int_equal(xm_account_ends(w.a), 1);
    STATES(vcpu_of(&w, 0, 5, 0), 100, 0, 100, 200, 0);
    STATES(vcpu_of(&w, 1, 5, 0), 0, 100, 0, 300, 0);
    EV(&w, XM_EV_DOM_REM, 1450, 1, 5);
    EV(&w, XM_EV_SCHED_REM, 1460, 1, 5);
    assert_int_equal(xm_account_ends(w.a), 2);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Its creation was not seen: whoever runs under an id whose domain has ended is a new one. */
static void test_reuse_unseen(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 5, 0, R, B);
    EV(&w, XM_EV_DOM_REM, 1200, 1, 5);
    change(&w, 1300, 0, 5, 0, B, W);
    total(&w, 1400);
    STATES(vcpu_of(&w, 0, 5, 0), 100, 0, 100, 200, 0);
    STATES(vcpu_of(&w, 1, 5, 0), 0, 100, 100, 200, 0);
    world_end(&w);
}

/* Its end was not seen: said, and the old one ends where the new one begins. */
static void test_created_alive(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 5, 0, R, B);
    EV(&w, XM_EV_DOM_ADD, 1200, 1, 5);
    assert_int_equal(anomalies(&w, XM_ANOMALY_REUSED), 1);
    change(&w, 1300, 0, 5, 0, O, W);
    total(&w, 1400);
    STATES(vcpu_of(&w, 0, 5, 0), 100, 0, 100, 200, 0);
    STATES(vcpu_of(&w, 1, 5, 0), 0, 100, 0, 300, 0);
    assert_int_equal(domain(&w, 5)->ended, 1);
    world_end(&w);
}

/* Created in the trace: offline before. SCHED_DOM_ADD, also one a vCPU as before 4.7, creates nothing twice. */
static void test_creation(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_DOM_ADD, 1200, 1, 3);
    EV(&w, XM_EV_SCHED_ADD, 1201, 1, 3);
    EV(&w, XM_EV_SCHED_ADD, 1202, 1, 3, 1);
    EV(&w, XM_EV_SCHED_ADD, 1300, 1, 4, 0);
    EV(&w, XM_EV_SCHED_ADD, 1301, 1, 4, 1);
    EV(&w, XM_EV_SCHED_ADD, 1302, 1, XM_DOMID_IDLE, 1);
    change(&w, 1400, 0, 3, 0, O, W);
    change(&w, 1450, 0, 3, 7, O, W); /* hot-plugged later: offline all along */
    change(&w, 1450, 0, 4, 0, O, W);
    total(&w, 1500);
    assert_int_equal(w.s.used.domains, 2);
    assert_int_equal(xm_account_domain(w.a, 0).created.v, 1200);
    STATES(vcpu(&w, 3, 0), 0, 100, 0, 400, 0);
    STATES(vcpu(&w, 3, 7), 0, 50, 0, 450, 0);
    STATES(vcpu(&w, 4, 0), 0, 50, 0, 450, 0);
    assert_int_equal(domain(&w, 3)->vcpus, 2);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* A domain without a record of its vCPUs stays on the screen. */
static void test_created_only(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_DOM_ADD, 1200, 1, 3);
    total(&w, 1500);
    assert_int_equal(domain(&w, 3)->vcpus, 0);
    assert_int_equal(domain(&w, 3)->id, XM_ROW_USED | 3);
    world_end(&w);
}

static void test_growth(void **state)
{
    struct world w = world_of((struct xm_capacity){1, 1, 1});
    struct xm_event e[40];
    struct xm_capacity want;
    size_t used, at = 0, full = 0;
    for (unsigned i = 0; i < 40; i++)
        e[i] = (struct xm_event){.tsc = {1100 + i}, .cpu = (uint16_t)(i % 5), .kind = XM_EV_RUNSTATE, .words = 1,
                                 .from_to = B << 2 | W, .word = {i % 3 | (i / 3) << 16}};
    while (at < 40) {
        enum xm_status status = xm_account_events(w.a, e + at, 40 - at, &used, &want);
        at += used;
        if (status == XM_OK)
            break;
        assert_int_equal(status, XM_FULL);
        struct xm_capacity is = xm_account_capacity(w.a);
        assert_true(want.domains > is.domains || want.vcpus > is.vcpus || want.pcpus > is.pcpus);
        assert_true(want.domains <= is.domains + 1 && want.vcpus <= is.vcpus + 1 && want.pcpus <= is.pcpus + 1);
        assert_int_equal(xm_account_grow(w.a, want), XM_OK);
        full++;
    }
    assert_int_equal(at, 40);
    assert_int_equal(full, 39 + 13 + 4);
    total(&w, 1200);
    assert_int_equal(w.s.used.vcpus, 40);
    assert_int_equal(w.s.used.domains, 14);
    assert_int_equal(w.s.used.pcpus, 5);
    for (unsigned i = 0; i < 40; i++)
        STATES(vcpu(&w, i / 3, i % 3), 0, 100 - i, 100 + i, 0, 0);
    assert_int_equal(w.s.host.refused, 0);
    assert_int_equal(xm_account_grow(w.a, (struct xm_capacity){1, 1, 1}), XM_OK); /* never shrinks */
    assert_int_equal(xm_account_capacity(w.a).vcpus, 40);
    assert_int_equal(xm_account_grow(w.a, (struct xm_capacity){1, (1 << 20) + 1, 1}), XM_LIMIT);
    world_end(&w);
}

/* What was counted before growth is there after it, wherever it was kept. */
static void test_growth_keeps(void **state)
{
    struct world w = world_of((struct xm_capacity){2, 2, 2});
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1200, 0, 1, 0, R, W);
    change(&w, 1250, 1, 1, 0, W, R);
    change(&w, 1100, 1, 2, 0, R, B);
    assert_int_equal(xm_account_grow(w.a, (struct xm_capacity){40, 50, 9}), XM_OK);
    change(&w, 1300, 1, 1, 0, R, W);
    change(&w, 1300, 5, 9, 0, W, R);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 150, 250, 0, 0, 0);
    assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 1, XM_ROW_USED)->running, 100);
    assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 1, XM_ROW_USED | 1)->running, 50);
    assert_int_equal(xm_account_histogram(w.a, 0, XM_HIST_EXECUTION)[82], 1);
    world_end(&w);
}

static void test_refuse(void **state)
{
    struct world w = world_of((struct xm_capacity){1, 1, 1});
    xm_account_refuse(w.a, true);
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1200, 0, 1, 1, W, R); /* no room */
    change(&w, 1300, 0, 2, 0, W, R); /* nor for its domain */
    change(&w, 1300, 7, 1, 0, R, B); /* nor for the pCPU: what was found there is left out too */
    EV(&w, XM_EV_GRANT_MAP, 1350, 0, 9);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 300, 100, 0, 0, 0);
    assert_int_equal(w.s.used.vcpus, 1);
    assert_int_equal(w.s.host.refused, 4);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Who is refused costs the same however many rows there are: searched for a place, these would take minutes. */
static void test_refusing_is_quick(void **state)
{
    const uint32_t rows = 30000, refused = 1000000;
    struct xm_account *a = xm_account_create((struct xm_capacity){rows, 1, 1});
    assert_non_null(a);
    xm_account_refuse(a, true);
    clock_t begun = clock();
    for (uint32_t i = 0; i < rows + refused; i++) {
        const struct xm_event e = {.tsc = {1000 + i}, .kind = XM_EV_GRANT_MAP, .words = 1,
                                   .word = {i < rows ? i : rows + i % 2}};
        size_t used;
        struct xm_capacity want;
        assert_int_equal(xm_account_events(a, &e, 1, &used, &want), XM_OK);
    }
    assert_true(clock() - begun < 10 * CLOCKS_PER_SEC);
    xm_account_destroy(a);
}

static void test_reap(void **state)
{
    struct world w = world_of((struct xm_capacity){2, 3, 1});
    change(&w, 1100, 0, 1, 0, R, B);
    change(&w, 1100, 0, 2, 0, R, B);
    change(&w, 1110, 0, 2, 1, R, W);
    EV(&w, XM_EV_DOM_REM, 1200, 0, 1);
    xm_account_reap(w.a, xm_cycles_of(1200)); /* not before 1200 */
    look(&w, 1210);
    assert_int_equal(domain(&w, 1)->ended, 1);
    xm_account_reap(w.a, xm_cycles_of(1201));
    look(&w, 1220);
    assert_null(xt_domain(&w.s, XM_ROW_USED | 1));
    assert_null(xt_vcpu(&w.s, xt_vcpu_id(0, 1, 0)));
    STATES(vcpu(&w, 2, 0), 0, 0, 120, 0, 100);
    /* Its slots are used again, its id by another instance. */
    EV(&w, XM_EV_DOM_ADD, 1300, 0, 1);
    change(&w, 1310, 0, 1, 0, O, W);
    total(&w, 1400);
    STATES(vcpu_of(&w, 1, 1, 0), 0, 90, 0, 310, 0);
    assert_int_equal(w.s.used.vcpus, 3);
    assert_int_equal(w.s.used.domains, 2);
    uint64_t sum = 0;
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
        sum += xm_account_histogram(w.a, 0, XM_HIST_BLOCKED)[i] + xm_account_histogram(w.a, 0, XM_HIST_EXECUTION)[i];
    assert_int_equal(sum, 0);
    /* And all that ended at the end of the tables makes them shorter, also in a sample that had been longer. */
    EV(&w, XM_EV_DOM_REM, 1450, 0, 1);
    EV(&w, XM_EV_DOM_REM, 1450, 0, 2);
    xm_account_reap(w.a, xm_cycles_of(2000));
    look(&w, 1500);
    assert_int_equal(w.s.used.vcpus + w.s.used.domains, 0);
    assert_int_equal(w.s.vcpu[1].id | w.s.vcpu[2].id | w.s.domain[1].id, 0);
    world_end(&w);
}

static void test_many_instances(void **state)
{
    struct world w = world_of((struct xm_capacity){4, 4, 1});
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t at = 1100 + 100 * i;
        EV(&w, XM_EV_DOM_ADD, at, 0, 1);
        change(&w, at + 10, 0, 1, 0, O, W);
        change(&w, at + 20, 0, 1, 0, W, R);
        EV(&w, XM_EV_DOM_REM, at + 50, 0, 1);
        EV(&w, XM_EV_SCHED_REM, at + 60, 0, 1);
        xm_account_reap(w.a, xm_cycles_of(at + 55));
        look(&w, at + 70);
    }
    assert_int_equal(xm_account_ends(w.a), 1000);
    assert_int_equal(all_anomalies(&w), 0);
    EV(&w, XM_EV_DOM_ADD, 200000, 0, 1);
    look(&w, 200000);
    assert_int_equal(xm_row_instance(w.s.domain[0].id), 1000);
    world_end(&w);
}

static void test_create(void **state)
{
    static const struct xm_capacity bad[] = {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {(1 << 20) + 1, 1, 1}};
    for (unsigned i = 0; i < 4; i++)
        assert_null(xm_account_create(bad[i]));
    assert_true(xm_account_bytes((struct xm_capacity){1, 1, 1}) < xm_account_bytes((struct xm_capacity){1, 2, 1}));
    xm_account_destroy(NULL);
}

#define TEST(name) cmocka_unit_test(name)

/* The id of one that is reaped is used again, its creation not seen: nothing is learned of before that end. */
static void test_reaped_and_used_again(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 5, 0, B, R);
    EV(&w, XM_EV_DOM_REM, 1200, 0, 5);
    change(&w, 1250, 2, 7, 0, B, R);
    EV(&w, XM_EV_DOM_REM, 1350, 0, 7); /* another's end says nothing of it */
    xm_account_reap(w.a, xm_cycles_of(1360));
    change(&w, 1400, 0, 5, 0, B, R);
    change(&w, 1400, 1, 6, 0, B, R);
    total(&w, 1500);
    const struct xm_vcpu_row *again = xt_vcpu(&w.s, xt_vcpu_id(1, 5, 0));
    assert_non_null(again);
    STATES(again, 100, 0, 200, 0, 200);
    STATES(vcpu(&w, 6, 0), 100, 0, 400, 0, 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_end), TEST(test_end_by_the_scheduler), TEST(test_reuse), TEST(test_reuse_unseen),
        TEST(test_created_alive), TEST(test_creation), TEST(test_created_only), TEST(test_growth),
        TEST(test_growth_keeps), TEST(test_refuse), TEST(test_refusing_is_quick),
        TEST(test_reap), TEST(test_reaped_and_used_again), TEST(test_many_instances), TEST(test_create),
    };
    return cmocka_run_group_tests_name("domains", tests, NULL, NULL);
}
