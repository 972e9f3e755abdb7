/* SPDX-License-Identifier: MIT */
/* What a live host says of its domains, beside what the trace says. */
#include "world.h"

static void introduce(struct world *w, uint32_t dom, uint32_t vcpu, enum xm_runstate state, uint64_t told, uint64_t now)
{
    struct xm_capacity want;
    assert_int_equal(
        xm_account_introduce(w->a, dom, vcpu, state, xm_cycles_of(told), xm_cycles_of(now), &want), XM_OK);
}

/* It has left no record, so it has been that way since the window began. */
static void test_quiet(void **state)
{
    struct world w = world();
    goes_on(&w, 1100, 0, 0, 0);
    introduce(&w, 7, 0, O, 1150, 1200);
    introduce(&w, 8, 1, W, 1150, 1200);
    total(&w, 1400);
    STATES(vcpu(&w, 7, 0), 0, 0, 0, 400, 0);
    STATES(vcpu(&w, 8, 1), 0, 400, 0, 0, 0);
    assert_int_equal(vcpu(&w, 8, 1)->wait_other, 400);
    assert_int_equal(domain(&w, 8)->wait_any, 200);
    change(&w, 1500, 1, 8, 1, W, R);
    change(&w, 1520, 0, 7, 0, O, W);
    total(&w, 1600);
    STATES(vcpu(&w, 8, 1), 100, 500, 0, 0, 0);
    STATES(vcpu(&w, 7, 0), 0, 80, 0, 520, 0);
    assert_int_equal(vcpu(&w, 8, 1)->executions, 1);
    assert_int_equal(vcpu(&w, 8, 1)->wait_max, 500);
    for (unsigned kind = 0; kind < XM_ANOMALIES; kind++)
        assert_int_equal(xm_account_anomalies(w.a, kind), 0);
    world_end(&w);
}

static void test_published_counters_stay(void **state)
{
    struct world w = world();
    goes_on(&w, 1100, 0, 0, 0);
    introduce(&w, 7, 0, B, 1150, 1200);
    xm_account_sample(w.a, xm_cycles_of(1300), false, &w.s);
    STATES(vcpu(&w, 7, 0), 0, 0, 100, 0, 200);
    assert_int_equal(vcpu(&w, 7, 0)->late_blocked, 200);
    world_end(&w);
}

/* Not certain, or running: a guess, and its time is unknown until a record tells. */
static void test_guess(void **state)
{
    struct world w = world();
    goes_on(&w, 1100, 0, 0, 0);
    introduce(&w, 7, 0, B, 0, 1200);
    introduce(&w, 7, 1, R, 1150, 1200);
    total(&w, 1400);
    STATES(vcpu(&w, 7, 0), 0, 0, 0, 0, 400);
    STATES(vcpu(&w, 7, 1), 0, 0, 0, 0, 400);
    assert_int_equal(vcpu(&w, 7, 0)->state, 4 | 16 | XM_BLOCKED << 8);
    change(&w, 1500, 1, 7, 1, R, B);
    total(&w, 1500);
    STATES(vcpu(&w, 7, 1), 500, 0, 0, 0, 0);
    world_end(&w);
}

/* A gap: what the host said before its end is worth nothing, what it said after holds from its end on. */
static void test_gap(void **state)
{
    struct world w = world();
    goes_on(&w, 1100, 0, 0, 0);
    gap_opens(&w, 1200, 0);
    introduce(&w, 6, 0, B, 1250, 1260);
    gap_closes(&w, 1300, 0, 1, XM_NO_DOM, XM_NO_VCPU);
    introduce(&w, 7, 0, B, 1250, 1350);
    introduce(&w, 8, 0, B, 1320, 1350);
    total(&w, 1400);
    STATES(vcpu(&w, 6, 0), 0, 0, 0, 0, 400);
    STATES(vcpu(&w, 7, 0), 0, 0, 0, 0, 400);
    STATES(vcpu(&w, 8, 0), 0, 0, 100, 0, 300);
    /* That it was waiting when the gap ended is known, how long already is not. */
    introduce(&w, 9, 0, W, 1320, 1400);
    change(&w, 1450, 0, 9, 0, W, R);
    total(&w, 1500);
    STATES(vcpu(&w, 9, 0), 50, 150, 0, 0, 300);
    assert_int_equal(vcpu(&w, 9, 0)->wait_max, 0);
    world_end(&w);
}

static void test_known_is_left_alone(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 7, 0, B, R);
    introduce(&w, 7, 0, O, 1150, 1200);
    introduce(&w, XM_DOMID_IDLE, 0, O, 1150, 1200);
    introduce(&w, 1, 70000, O, 1150, 1200);
    total(&w, 1400);
    STATES(vcpu(&w, 7, 0), 300, 0, 100, 0, 0);
    assert_int_equal(w.s.used.vcpus, 1);
    world_end(&w);
}

static void test_full(void **state)
{
    struct world w = world_of((struct xm_capacity){1, 1, 1});
    struct xm_capacity want;
    goes_on(&w, 1100, 0, 0, 0);
    assert_int_equal(xm_account_introduce(w.a, 7, 0, B, xm_cycles_of(1150), xm_cycles_of(1200), &want), XM_FULL);
    assert_true(want.vcpus == 2 || want.domains == 2);
    assert_int_equal(xm_account_grow(w.a, (struct xm_capacity){2, 2, 1}), XM_OK);
    introduce(&w, 7, 0, B, 1150, 1200);
    total(&w, 1400);
    STATES(vcpu(&w, 7, 0), 0, 0, 400, 0, 0);
    world_end(&w);
}

static void test_gone(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 7, 0, B, R);
    xm_account_gone(w.a, 7, xm_cycles_of(1200));
    xm_account_gone(w.a, 9, xm_cycles_of(1200));
    total(&w, 1400);
    STATES(vcpu(&w, 7, 0), 100, 0, 100, 200, 0);
    assert_int_equal(domain(&w, 7)->ended, 1);
    assert_int_equal(xm_account_ends(w.a), 1);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet), cmocka_unit_test(test_published_counters_stay),
        cmocka_unit_test(test_guess), cmocka_unit_test(test_gap),
        cmocka_unit_test(test_known_is_left_alone), cmocka_unit_test(test_full), cmocka_unit_test(test_gone),
    };
    return cmocka_run_group_tests_name("account told", tests, NULL, NULL);
}
