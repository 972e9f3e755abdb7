/* SPDX-License-Identifier: MIT */
/*
 * What schedulers promise: shares by weight, caps, reservations, short waits for who wakes up, the rate
 * limit.
 */
#include "host.h"

#define WARM (2 * S)
#define LONG (20 * S)

static const char *const schedulers[] = {"credit", "credit2", NULL};

static void assert_near(const char *what, double is, double should)
{
    if (is < 0.97 * should || is > 1.03 * should)
        fail_msg("%s: %.4f instead of %.4f", what, is, should);
}

/* Runs for a while, then measures: shares of one pCPU. */
static void measure(struct host *h, double *share)
{
    uint64_t before[GUESTS];
    host_run(h, WARM);
    for (uint32_t i = 0; i < h->guests; i++)
        before[i] = ran(&h->guest[i]);
    host_run(h, WARM + LONG);
    for (uint32_t i = 0; i < h->guests; i++)
        share[i] = (double)(ran(&h->guest[i]) - before[i]) / (double)LONG;
}

/* No more than 1 each; what one cannot use others get by weight. */
static void fill(const uint32_t *weight, uint32_t count, double cpus, double *share)
{
    for (uint32_t i = 0; i < count; i++)
        share[i] = 0;
    for (uint32_t round = 0; round <= count; round++) {
        double left = cpus, sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            left -= share[i] >= 1;
            sum += share[i] >= 1 ? 0 : weight[i];
        }
        for (uint32_t i = 0; i < count; i++)
            if (share[i] < 1)
                share[i] = left * weight[i] / sum < 1 ? left * weight[i] / sum : 1;
    }
}

static void weights(const char *sched, uint32_t cpus, const uint32_t *weight, uint32_t count)
{
    double share[GUESTS], should[GUESTS];
    struct host *h = host_begin(sched, cpus, DEFAULTS);
    for (uint32_t i = 0; i < count; i++)
        guest_add(h, 1, 0, (struct xm_sched_share){.weight = weight[i]}, spins());
    measure(h, share);
    fill(weight, count, cpus, should);
    for (uint32_t i = 0; i < count; i++) {
        print_message("# %s, %u pCPUs, weight %u: %.4f (%.4f)\n", sched, cpus, weight[i], share[i],
                      should[i]);
        assert_near(sched, share[i], should[i]);
    }
    host_end(h);
}

static void test_weights(void **state)
{
    const uint32_t two[] = {256, 512}, equal[] = {256, 256}, four[] = {256, 256, 512, 1024},
                   close[] = {200, 250, 300, 350};
    for (const char *const *s = schedulers; *s; s++)
        for (uint32_t cpus = 1; cpus <= 4; cpus *= 2) {
            weights(*s, cpus, two, 2);
            weights(*s, cpus, equal, 2);
            weights(*s, cpus, close, 4);
            weights(*s, cpus, four, 4);
        }
}

/* A weight that changes while it runs. */
static void test_adjust(void **state)
{
    for (const char *const *s = schedulers; *s; s++) {
        double share[2];
        struct host *h = host_begin(*s, 1, DEFAULTS);
        guest_add(h, 1, 0, (struct xm_sched_share){.weight = 256}, spins());
        guest_add(h, 1, 0, (struct xm_sched_share){.weight = 1024}, spins());
        host_run(h, S);
        xm_machine_adjust(h->m, h->guest[0].d, &(struct xm_sched_share){.weight = 3072});
        measure(h, share);
        assert_near(*s, share[0], 0.75);
        xm_machine_adjust(h->m, h->guest[0].d, &(struct xm_sched_share){.weight = 3072, .cap = 40});
        uint64_t before = ran(&h->guest[0]);
        host_run(h, WARM + 2 * LONG);
        assert_near(*s, (double)(ran(&h->guest[0]) - before) / (double)LONG, 0.4);
        xm_machine_adjust(h->m, h->guest[0].d, &(struct xm_sched_share){.weight = 3072});
        before = ran(&h->guest[0]);
        host_run(h, WARM + 3 * LONG);
        assert_near(*s, (double)(ran(&h->guest[0]) - before) / (double)LONG, 0.75);
        host_end(h);
    }
}

static void test_caps(void **state)
{
    const uint32_t caps[] = {5, 10, 25, 33, 50, 75, 90};
    for (const char *const *s = schedulers; *s; s++)
        for (unsigned i = 0; i < sizeof caps / sizeof caps[0]; i++)
            for (unsigned rival = 0; rival < 2; rival++) {
                double share[2];
                struct host *h = host_begin(*s, 1 + rival, DEFAULTS);
                guest_add(h, 1, 0, (struct xm_sched_share){.cap = caps[i], .weight = 1024}, spins());
                if (rival)
                    guest_add(h, 2, 0, (struct xm_sched_share){0}, spins());
                measure(h, share);
                print_message("# %s, cap %u: %.4f\n", *s, caps[i], share[0]);
                assert_near(*s, share[0], caps[i] / 100.0);
                if (rival)
                    assert_near(*s, share[1], 2 - caps[i] / 100.0);
                host_end(h);
            }
}

/* A cap over several vCPUs; they are offline while it is used up. */
static void test_wide_cap(void **state)
{
    for (const char *const *s = schedulers; *s; s++) {
        double share[1];
        struct host *h = host_begin(*s, 4, DEFAULTS);
        guest_add(h, 4, 0, (struct xm_sched_share){.cap = 150}, spins());
        measure(h, share);
        print_message("# %s, cap 150: %.4f\n", *s, share[0]);
        assert_near(*s, share[0], 1.5);
        struct xm_truth_vcpu t = xm_truth_of(h->m, &h->guest[0].d->vcpu[0]);
        assert_near(*s, (double)t.in_state[XM_OFFLINE] / (double)(WARM + LONG), 1 - 1.5 / 4);
        host_end(h);
    }
}

static double mean_wait(const char *sched)
{
    struct host *h = host_begin(sched, 1, DEFAULTS);
    guest_add(h, 1, 0, (struct xm_sched_share){0}, naps(100 * US, 7 * MS));
    guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
    guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
    host_run(h, LONG);
    assert_true(h->seen[0].waits > 500);
    double mean = (double)h->seen[0].waited / (double)h->seen[0].waits;
    print_message("# %s: a waking vCPU waits %.0f ns, %.0f at most\n", sched, mean,
                  (double)h->seen[0].longest_wait);
    host_end(h);
    return mean;
}

/* Who wakes up with credits waits for the rate limit at most, where round robin makes it wait for turns. */
static void test_boost(void **state)
{
    assert_true(mean_wait("credit") < 200e3);
    assert_true(mean_wait("credit2") < 700e3);
    assert_true(mean_wait("rr") > 5e6);
}

static void test_ratelimit(void **state)
{
    const uint64_t limits[] = {XM_SCHED_OWN, 200 * US, 5 * MS};
    for (const char *const *s = schedulers; *s; s++)
        for (unsigned i = 0; i < 3; i++) {
            uint64_t limit = limits[i] == XM_SCHED_OWN ? MS : limits[i];
            struct host *h = host_begin(*s, 1, (struct xm_sched_params){.ratelimit_ns = limits[i]});
            guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
            guest_add(h, 1, 0, (struct xm_sched_share){0}, naps(50 * US, 300 * US));
            host_run(h, 5 * S);
            assert_true(h->seen[0].preempted > 400);
            assert_true(h->seen[0].shortest_preempted >= limit);
            /*
             * Credit asks again at its end; credit2 does not, and the slice of who was alone may last for
             * 10 ms.
             */
            assert_true(h->seen[0].shortest_preempted < ((*s)[6] == '2' ? 11 * MS : limit + 200 * US));
            host_end(h);
        }
}

/* 0 is none: who wakes up does not wait for it. */
static void test_no_ratelimit(void **state)
{
    const uint64_t limits[] = {0, XM_SCHED_OWN};
    for (const char *const *s = schedulers; *s; s++) {
        uint64_t waited[2];
        for (unsigned i = 0; i < 2; i++) {
            struct host *h = host_begin(*s, 1, (struct xm_sched_params){.ratelimit_ns = limits[i]});
            guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
            guest_add(h, 1, 0, (struct xm_sched_share){0}, naps(50 * US, 300 * US));
            host_run(h, 5 * S);
            waited[i] = h->seen[1].waited / h->seen[1].waits;
            if (limits[i] == 0)
                assert_true(h->seen[0].shortest_preempted < MS / 2);
            host_end(h);
        }
        assert_true(waited[0] < waited[1] / 2);
    }
}

/* ---- SEDF. */

static struct xm_sched_share reserves(uint64_t slice_ns, uint64_t period_ns, bool extra)
{
    return (struct xm_sched_share){.slice_ns = slice_ns, .period_ns = period_ns, .extratime = extra};
}

static void test_sedf_slices(void **state)
{
    double share[3];
    struct host *h = host_begin("sedf", 1, DEFAULTS);
    guest_add(h, 1, 0, reserves(2 * MS, 10 * MS, false), spins());
    guest_add(h, 1, 0, reserves(15 * MS, 50 * MS, false), spins());
    guest_add(h, 1, 0, reserves(400 * US, MS, false), spins());
    measure(h, share);
    assert_near("sedf 2 of 10 ms", share[0], 0.2);
    assert_near("sedf 15 of 50 ms", share[1], 0.3);
    assert_near("sedf 0.4 of 1 ms", share[2], 0.4);
    assert_true(h->seen[2].longest_wait < 2 * MS); /* in each period, whatever the others do */
    assert_true(h->seen[0].longest_wait < 20 * MS);
    host_end(h);
}

/* What is left goes to those alone who want it, by weight where they have no slice. */
static void test_sedf_extra(void **state)
{
    double share[4];
    struct host *h = host_begin("sedf", 1, DEFAULTS);
    guest_add(h, 1, 0, reserves(4 * MS, 20 * MS, false), spins());
    guest_add(h, 1, 0, (struct xm_sched_share){.weight = 256}, spins());
    guest_add(h, 1, 0, (struct xm_sched_share){.weight = 512}, spins());
    guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
    measure(h, share);
    for (unsigned i = 0; i < 4; i++)
        print_message("# sedf: %.4f\n", share[i]);
    assert_near("sedf slice", share[0], 0.2);
    assert_near("sedf extra", share[1], 0.2);
    assert_near("sedf extra", share[2], 0.4);
    assert_near("sedf extra", share[3], 0.2);
    xm_machine_adjust(h->m, h->guest[0].d,
                      &(struct xm_sched_share){.slice_ns = 10 * MS, .period_ns = 20 * MS});
    uint64_t before = ran(&h->guest[0]);
    host_run(h, WARM + 2 * LONG);
    assert_near("sedf adjusted", (double)(ran(&h->guest[0]) - before) / (double)LONG, 0.5);
    host_end(h);
}

/* Domains without a period are equal, on as many pCPUs as there are; vCPUs stay where they are. */
static void test_sedf_default(void **state)
{
    for (uint32_t cpus = 1; cpus <= 4; cpus *= 2) {
        double share[4];
        struct host *h = host_begin("sedf", cpus, DEFAULTS);
        for (unsigned i = 0; i < 4; i++)
            guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
        measure(h, share);
        for (unsigned i = 0; i < 4; i++)
            assert_near("sedf default", share[i], cpus / 4.0);
        host_end(h);
    }
}

/* Who blocks within its slice gets what it lost from extra time before others do: it waits little. */
static void test_sedf_penalty(void **state)
{
    struct host *h = host_begin("sedf", 1, DEFAULTS);
    guest_add(h, 1, 0, reserves(10 * MS, 20 * MS, true), naps(200 * US, MS));
    guest_add(h, 1, 0, (struct xm_sched_share){0}, spins());
    host_run(h, LONG);
    double mean = (double)h->seen[0].waited / (double)h->seen[0].waits;
    print_message("# sedf: one with a slice that blocks waits %.0f ns\n", mean);
    assert_true(h->seen[0].waits > 5000);
    assert_true(mean < (double)MS);
    host_end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),      cmocka_unit_test(test_adjust),
        cmocka_unit_test(test_caps),         cmocka_unit_test(test_wide_cap),
        cmocka_unit_test(test_boost),        cmocka_unit_test(test_ratelimit), cmocka_unit_test(test_no_ratelimit),
        cmocka_unit_test(test_sedf_slices),  cmocka_unit_test(test_sedf_extra),
        cmocka_unit_test(test_sedf_default), cmocka_unit_test(test_sedf_penalty),
    };
    return cmocka_run_group_tests_name("sim shares", tests, NULL, NULL);
}
