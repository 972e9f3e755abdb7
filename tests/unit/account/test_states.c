/* SPDX-License-Identifier: MIT */
/* Laws 1 to 4, 6 and 9: states, waits, contradictions, states from SWITCH. */
#include "world.h"

/* Law 3: before the first record its old state held, back to the start; it is published as unknown and told late. */
static void test_back_fill(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, B, W);
    look(&w, 1300);
    STATES(vcpu(&w, 1, 0), 0, 200, 0, 0, 100);
    assert_int_equal(vcpu(&w, 1, 0)->late_blocked, 100);
    assert_int_equal(vcpu(&w, 1, 0)->wait_wake, 200);
    assert_int_equal(vcpu(&w, 1, 0)->state, XM_RUNNABLE);
    total(&w, 1300);
    STATES(vcpu(&w, 1, 0), 0, 200, 100, 0, 0);
    assert_int_equal(vcpu(&w, 1, 0)->executions, 0);
    assert_int_equal(w.s.host.window, 300);
    assert_int_equal(w.s.host.tsc, 1300);
    PCPU(pcpu(&w, 0), 0, 0, 0, 300); /* whose buffer it was says nothing of who is on it */
    world_end(&w);
}

static void test_every_first_state(void **state)
{
    for (unsigned from = 0; from < 4; from++)
        for (unsigned to = 0; to < 4; to++) {
            uint64_t want[4] = {0};
            struct world w = world();
            if (from == to)
                goto next;
            change(&w, 1100, 0, 1, 0, from, to);
            total(&w, 1400);
            want[from] = 100;
            want[to] = 300;
            STATES(vcpu(&w, 1, 0), want[0], want[1], want[2], want[3], 0);
            assert_int_equal(vcpu(&w, 1, 0)->executions, to == R);
            /* A wait that began before the window has the cause other, of the rest the record tells. */
            assert_int_equal(vcpu(&w, 1, 0)->wait_other, from == W ? 100 : to == W && from == O ? 300 : 0);
            assert_int_equal(vcpu(&w, 1, 0)->wait_max, from == W ? 100 : 0);
            assert_int_equal(all_anomalies(&w), 0);
        next:
            world_end(&w);
        }
}

/* A guest that spins alone on a pCPU has no other record. */
static void test_continue_only(void **state)
{
    struct world w = world();
    goes_on(&w, 1500, 2, 7, 3);
    goes_on(&w, 1800, 2, 7, 3);
    total(&w, 2000);
    STATES(vcpu(&w, 7, 3), 1000, 0, 0, 0, 0);
    assert_int_equal(vcpu(&w, 7, 3)->executions, 0);
    assert_int_equal(vcpu(&w, 7, 3)->pcpu, 3);
    PCPU(pcpu(&w, 2), 1000, 0, 0, 0);
    assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 7, XM_ROW_USED | 2)->running, 500); /* what was learned late is the vCPU's */
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

static void test_waits(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, R, W); /* preempted */
    change(&w, 1150, 0, 1, 0, W, R);
    change(&w, 1200, 0, 1, 0, R, B);
    change(&w, 1300, 1, 1, 0, B, W); /* woken */
    change(&w, 1330, 0, 1, 0, W, R);
    change(&w, 1400, 0, 1, 0, R, O); /* paused */
    change(&w, 1450, 1, 1, 0, O, W); /* and let go: waits still */
    look(&w, 1500);
    const struct xm_vcpu_row *v = vcpu(&w, 1, 0);
    STATES(v, 120, 130, 100, 50, 100);
    assert_int_equal(v->late_running, 100);
    assert_int_equal(v->wait_preempt, 50);
    assert_int_equal(v->wait_wake, 30);
    assert_int_equal(v->wait_other, 50);
    assert_int_equal(v->wait_max, 50); /* the open one is not among those that ended, only by chance as long */
    assert_int_equal(v->executions, 2);
    assert_int_equal(v->preemptions, 0); /* of an execution whose beginning was not seen */
    assert_int_equal(v->last_run, 70);
    assert_int_equal(v->last_wait, 30);
    assert_int_equal(v->last_blocked, 100);
    assert_int_equal(domain(&w, 1)->last_run, 70);
    look(&w, 1900);
    assert_int_equal(vcpu(&w, 1, 0)->wait_max, 50);
    assert_int_equal(vcpu(&w, 1, 0)->wait_other, 450);
    const uint64_t *hist = xm_account_histogram(w.a, 0, XM_HIST_WAIT);
    assert_int_equal(hist[30], 1);
    assert_int_equal(hist[50], 1);
    assert_int_equal(xm_account_histogram(w.a, 0, XM_HIST_EXECUTION)[50], 1);
    assert_int_equal(xm_account_histogram(w.a, 0, XM_HIST_BLOCKED)[82], 1); /* 100 shares its bucket with 101 */
    change(&w, 2000, 1, 1, 0, W, O); /* a wait that a pause ends is a finished one too */
    look(&w, 2000);
    assert_int_equal(vcpu(&w, 1, 0)->wait_max, 550);
    world_end(&w);
}

/* Law 9, and what lies between two occupants. */
static void test_pcpu(void **state)
{
    struct world w = world();
    idle(&w, 1100, 0, R, W);
    change(&w, 1103, 0, 1, 0, W, R);
    change(&w, 1200, 0, 1, 0, R, B);
    idle(&w, 1205, 0, W, R);
    look(&w, 1300);
    PCPU(pcpu(&w, 0), 97, 95, 8, 100);
    assert_int_equal(pcpu(&w, 0)->late_idle, 100);
    assert_int_equal(pcpu(&w, 0)->executions, 1);
    assert_int_equal(pcpu(&w, 0)->current, XM_ROW_USED | XM_DOMID_IDLE);
    total(&w, 1300);
    PCPU(pcpu(&w, 0), 97, 195, 8, 0);
    assert_int_equal(w.s.used.domains, 1); /* idle is not among them */
    change(&w, 1400, 0, 1, 0, B, W); /* idle is still there: nothing of the wake-up concerns the pCPU */
    goes_on(&w, 1450, 0, XM_DOMID_IDLE, 0);
    total(&w, 1500);
    PCPU(pcpu(&w, 0), 97, 395, 8, 0);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

static void test_pcpu_first_record_is_a_dispatch(void **state)
{
    struct world w = world();
    change(&w, 1010, 3, 1, 0, W, R);
    total(&w, 1100);
    PCPU(pcpu(&w, 3), 90, 0, 10, 0); /* whoever was there had left before the trace began */
    assert_int_equal(pcpu(&w, 3)->current, XM_ROW_USED | 1);
    world_end(&w);
}

static void test_eviction(void **state)
{
    for (unsigned proof = 0; proof < 2; proof++) {
        struct world w = world();
        change(&w, 1100, 0, 1, 0, W, R);
        change(&w, 1200, 0, 2, 0, W, R);
        assert_int_equal(anomalies(&w, XM_ANOMALY_EVICTED), 1);
        look(&w, 1250);
        assert_int_equal(vcpu(&w, 1, 0)->state, 4 | 16 | XM_RUNNING << 8);
        if (proof)
            change(&w, 1300, 0, 1, 0, R, B); /* it was running all along */
        else
            change(&w, 1300, 0, 1, 0, B, W); /* it went to sleep, but when? */
        total(&w, 1400);
        STATES(vcpu(&w, 1, 0), proof ? 200 : 100, proof ? 100 : 200, proof ? 100 : 0, 0, proof ? 0 : 100);
        PCPU(pcpu(&w, 0), 300, 0, 100, 0);
        assert_int_equal(all_anomalies(&w), 1);
        world_end(&w);
    }
}

static void test_eviction_of_idle(void **state)
{
    struct world w = world();
    idle(&w, 1100, 0, W, R);
    change(&w, 1200, 0, 2, 0, W, R);
    assert_int_equal(anomalies(&w, XM_ANOMALY_EVICTED), 1);
    total(&w, 1300);
    PCPU(pcpu(&w, 0), 100, 100, 100, 0);
    world_end(&w);
}

static void test_twice(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1200, 1, 1, 0, W, R);
    assert_int_equal(anomalies(&w, XM_ANOMALY_TWICE), 1);
    assert_int_equal(anomalies(&w, XM_ANOMALY_STATE), 1);
    total(&w, 1300);
    STATES(vcpu(&w, 1, 0), 200, 100, 0, 0, 0);
    assert_int_equal(vcpu(&w, 1, 0)->executions, 2);
    assert_int_equal(pcpu(&w, 0)->busy, 100);
    assert_int_equal(pcpu(&w, 0)->unknown, 100); /* nobody knows who is there now */
    assert_int_equal(pcpu(&w, 1)->busy, 100);
    world_end(&w);
}

static void test_foreign(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1200, 1, 1, 0, R, B);
    assert_int_equal(anomalies(&w, XM_ANOMALY_FOREIGN), 1);
    assert_int_equal(all_anomalies(&w), 1);
    total(&w, 1300);
    STATES(vcpu(&w, 1, 0), 100, 100, 100, 0, 0);
    PCPU(pcpu(&w, 0), 100, 0, 200, 0);
    change(&w, 1310, 0, XM_DOMID_IDLE, 5, W, R); /* the idle vCPU of another pCPU */
    assert_int_equal(anomalies(&w, XM_ANOMALY_FOREIGN), 2);
    world_end(&w);
}

/* Law 4: a contradiction is counted and the record wins. */
static void test_contradiction(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, R, B);
    change(&w, 1200, 0, 1, 0, W, R);
    assert_int_equal(anomalies(&w, XM_ANOMALY_STATE), 1);
    assert_int_equal(all_anomalies(&w), 1);
    total(&w, 1300);
    STATES(vcpu(&w, 1, 0), 200, 0, 100, 0, 0);
    change(&w, 1300, 0, 1, 0, R, B);
    goes_on(&w, 1400, 1, 1, 0);
    assert_int_equal(anomalies(&w, XM_ANOMALY_STATE), 2);
    total(&w, 1500);
    STATES(vcpu(&w, 1, 0), 300, 0, 200, 0, 0);
    world_end(&w);
}

/* The same two records in the wrong order are explained by clocks that differ: nothing was lost. */
static void test_skew(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1200, 1, 1, 0, B, W);
    assert_int_equal(anomalies(&w, XM_ANOMALY_STATE), 1);
    change(&w, 1201, 0, 1, 0, R, B);
    assert_int_equal(anomalies(&w, XM_ANOMALY_STATE), 0);
    assert_int_equal(anomalies(&w, XM_ANOMALY_SKEW), 1);
    change(&w, 1300, 0, 1, 0, W, R);
    assert_int_equal(all_anomalies(&w), 1);
    total(&w, 1400);
    STATES(vcpu(&w, 1, 0), 200, 200, 0, 0, 0);
    world_end(&w);
}

/* Time and numbers that cannot be. */
static void test_nonsense(void **state)
{
    struct world w = world();
    change(&w, 1100, 0, 1, 0, W, R);
    change(&w, 1050, 0, 1, 0, R, B);
    assert_int_equal(anomalies(&w, XM_ANOMALY_TIME), 1);
    change(&w, 1200, 0, XM_DOMID_FIRST_RESERVED, 0, W, R);
    change(&w, 1200, 0, 1, XM_MAX_VCPU_NUMBER, W, R);
    assert_int_equal(anomalies(&w, XM_ANOMALY_RESERVED), 2);
    EV(&w, XM_EV_KINDS, 1200, 0, 1, 2, 3, 4);
    EV(&w, 255, 1200, 0, 1, 2, 3, 4);
    EV(&w, XM_EV_NONE, 1200, 0, 1, 2, 3, 4);
    total(&w, 1300);
    assert_int_equal(w.s.used.vcpus, 1);
    STATES(vcpu(&w, 1, 0), 0, 100, 200, 0, 0);
    assert_int_equal(w.s.host.anomalies, 3);
    world_end(&w);
}

static void test_names(void **state)
{
    struct world w = world();
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(xm_anomaly_name(i), xm_anomaly_name(k));
    assert_null(xm_anomaly_name(XM_ANOMALIES));
    assert_int_equal(xm_account_anomalies(w.a, XM_ANOMALIES), 0);
    assert_int_equal(xm_account_anomalies(w.a, (enum xm_anomaly)1000000), 0);
    world_end(&w);
}

/* ---- Law 1: where there are no runstate records. */

static void legacy(struct world *w, unsigned kind, uint64_t tsc, unsigned cpu, uint32_t a, uint32_t b, uint32_t c,
                   uint32_t d)
{
    tell(w, &(struct xm_event){.tsc = {tsc}, .cpu = (uint16_t)cpu, .kind = (uint8_t)kind, .words = 4, .legacy = 1,
                               .word = {a, b, c, d}});
}

static void test_from_switch(void **state)
{
    struct world w = world();
    legacy(&w, XM_EV_SWITCH, 1100, 0, XM_DOMID_IDLE, 0, 1, 0); /* idle leaves, d1v0 was waiting */
    legacy(&w, XM_EV_BLOCK, 1190, 0, 1, 0, 0, 0);
    legacy(&w, XM_EV_SWITCH, 1200, 0, 1, 0, 2, 0);
    legacy(&w, XM_EV_WAKE, 1250, 1, 1, 0, 0, 0);
    legacy(&w, XM_EV_SWITCH, 1300, 0, 2, 0, 1, 0);             /* d2v0 preempted */
    legacy(&w, XM_EV_SLEEP, 1350, 1, 1, 0, 0, 0);              /* d1v0 to be paused */
    legacy(&w, XM_EV_SWITCH, 1400, 0, 1, 0, XM_DOMID_IDLE, 0);
    legacy(&w, XM_EV_SLEEP, 1450, 1, 2, 0, 0, 0);              /* d2v0 paused while queued */
    legacy(&w, XM_EV_WAKE, 1500, 1, 2, 0, 0, 0);
    assert_true(xm_account_from_switch(w.a));
    total(&w, 1600);
    STATES(vcpu(&w, 1, 0), 200, 150, 50, 200, 0);
    STATES(vcpu(&w, 2, 0), 100, 450, 0, 50, 0);
    PCPU(pcpu(&w, 0), 300, 300, 0, 0);
    assert_int_equal(vcpu(&w, 1, 0)->executions, 2);
    assert_int_equal(vcpu(&w, 1, 0)->wait_wake, 50);
    assert_int_equal(vcpu(&w, 2, 0)->wait_preempt, 150);
    assert_int_equal(vcpu(&w, 2, 0)->wait_other, 300);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Today's numbers, but a mask without runstate records: clear at the second SWITCH of a pCPU. */
static void test_undecided(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_WAKE, 1050, 0, 1, 0);
    EV(&w, XM_EV_SWITCH, 1100, 0, XM_DOMID_IDLE, 0, 1, 0);
    EV(&w, XM_EV_SWITCH, 1120, 1, XM_DOMID_IDLE, 1, 2, 0);
    assert_false(xm_account_from_switch(w.a));
    EV(&w, XM_EV_BLOCK, 1190, 0, 1, 0);
    EV(&w, XM_EV_SWITCH, 1200, 0, 1, 0, XM_DOMID_IDLE, 0);
    assert_true(xm_account_from_switch(w.a));
    total(&w, 1300);
    STATES(vcpu(&w, 1, 0), 100, 50, 150, 0, 0);
    STATES(vcpu(&w, 2, 0), 180, 120, 0, 0, 0);
    PCPU(pcpu(&w, 0), 100, 200, 0, 0);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* A sample in between: what was published as unknown stays so, what is learned of that time is late, and all of it true. */
static void test_undecided_and_sampled(void **state)
{
    for (unsigned sample = 1010; sample < 1200; sample += 10) {
        struct world w = world();
        bool done = false;
        static const struct {
            unsigned kind, tsc;
            uint32_t word[4];
        } events[] = {{XM_EV_WAKE, 1050, {1, 0}}, {XM_EV_SWITCH, 1100, {XM_DOMID_IDLE, 0, 1, 0}},
                      {XM_EV_BLOCK, 1190, {1, 0}}, {XM_EV_SWITCH, 1200, {1, 0, XM_DOMID_IDLE, 0}}};
        for (unsigned i = 0; i < 4; i++) {
            if (!done && events[i].tsc > sample) {
                look(&w, sample);
                done = true;
                if (i > 0)
                    PCPU(pcpu(&w, 0), 0, 0, 0, sample - START);
            }
            EV(&w, events[i].kind, events[i].tsc, 0, events[i].word[0], events[i].word[1], events[i].word[2],
               events[i].word[3]);
        }
        look(&w, 1300);
        PCPU(pcpu(&w, 0), sample < 1100 ? 100 : 1200 - sample, 100, 0, sample < 1100 ? 100 : sample - START);
        total(&w, 1300);
        STATES(vcpu(&w, 1, 0), 100, 50, 150, 0, 0);
        PCPU(pcpu(&w, 0), 100, 200, 0, 0);
        assert_int_equal(xt_pair(&w.s, XM_ROW_USED | 1, XM_ROW_USED)->running, 100);
        assert_int_equal(all_anomalies(&w), 0);
        world_end(&w);
    }
}

/* Records were lost before it was clear: what came before stands for nothing. */
static void test_undecided_and_lost(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_WAKE, 1050, 1, 1, 0);
    EV(&w, XM_EV_SWITCH, 1100, 0, XM_DOMID_IDLE, 0, 1, 0);
    gap_opens(&w, 1101, 0);
    gap_closes(&w, 1200, 0, 10, 1, 0);
    change(&w, 1250, 0, 1, 0, R, B);
    finish(&w, 1300);
    assert_false(xm_account_from_switch(w.a));
    STATES(vcpu(&w, 1, 0), 50, 0, 50, 0, 200);
    PCPU(pcpu(&w, 0), 50, 0, 50, 200);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* The same where no runstate records come at all: neither what was before the gap counts nor what was in it. */
static void test_switches_and_lost(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_SWITCH, 1100, 0, XM_DOMID_IDLE, 0, 1, 0);
    gap_opens(&w, 1110, 0);
    EV(&w, XM_EV_SWITCH, 1150, 1, XM_DOMID_IDLE, 1, 3, 0);
    gap_closes(&w, 1200, 0, 10, XM_NO_DOM, XM_NO_VCPU);
    EV(&w, XM_EV_SWITCH, 1250, 0, 1, 0, XM_DOMID_IDLE, 0);
    EV(&w, XM_EV_SWITCH, 1300, 0, XM_DOMID_IDLE, 0, 2, 0);
    EV(&w, XM_EV_SWITCH, 1350, 1, 3, 0, XM_DOMID_IDLE, 1);
    finish(&w, 1400);
    assert_true(xm_account_from_switch(w.a));
    STATES(vcpu(&w, 1, 0), 50, 150, 0, 0, 200);
    STATES(vcpu(&w, 2, 0), 100, 100, 0, 0, 200);
    STATES(vcpu(&w, 3, 0), 150, 50, 0, 0, 200);
    assert_int_equal(vcpu(&w, 1, 0)->executions + vcpu(&w, 3, 0)->executions, 0);
    PCPU(pcpu(&w, 1), 200, 50, 0, 150); /* that 3 came in the gap was dropped */
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* WAKE is there too where nothing changes: of a vCPU that turns out to have been running it was no wake-up. */
static void test_wake_of_the_unknown(void **state)
{
    struct world w = world();
    legacy(&w, XM_EV_WAKE, 1100, 1, 1, 0, 0, 0);
    legacy(&w, XM_EV_WAKE, 1100, 1, 2, 0, 0, 0);
    legacy(&w, XM_EV_WAKE, 1150, 1, 2, 0, 0, 0);
    legacy(&w, XM_EV_WAKE, 1160, 1, 3, 0, 0, 0);
    legacy(&w, XM_EV_SWITCH, 1200, 0, 1, 0, 2, 0);
    finish(&w, 1300);
    STATES(vcpu(&w, 1, 0), 200, 100, 0, 0, 0);
    STATES(vcpu(&w, 2, 0), 100, 100, 100, 0, 0); /* asleep until it was asked to wake, waiting since */
    STATES(vcpu(&w, 3, 0), 0, 0, 0, 0, 300);     /* nobody knows */
    assert_int_equal(vcpu(&w, 3, 0)->state, 4 | 16 | XM_RUNNABLE << 8);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Paused and let go in its sleep it sleeps on. */
static void test_paused_in_its_sleep(void **state)
{
    struct world w = world();
    legacy(&w, XM_EV_BLOCK, 1090, 0, 1, 0, 0, 0);
    legacy(&w, XM_EV_SWITCH, 1100, 0, 1, 0, 2, 0);
    legacy(&w, XM_EV_SLEEP, 1150, 1, 1, 0, 0, 0);
    legacy(&w, XM_EV_WAKE, 1200, 1, 1, 0, 0, 0); /* let go */
    legacy(&w, XM_EV_WAKE, 1300, 1, 1, 0, 0, 0); /* woken */
    finish(&w, 1400);
    STATES(vcpu(&w, 1, 0), 100, 100, 200, 0, 0);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* With runstate records SWITCH and the like say nothing that is not known better. */
static void test_both_kinds(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_SWITCH, 1100, 0, XM_DOMID_IDLE, 0, 1, 0);
    idle(&w, 1101, 0, R, W);
    change(&w, 1102, 0, 1, 0, W, R);
    EV(&w, XM_EV_BLOCK, 1150, 0, 1, 0);
    EV(&w, XM_EV_SWITCH, 1200, 0, 1, 0, XM_DOMID_IDLE, 0);
    change(&w, 1201, 0, 1, 0, R, B);
    idle(&w, 1202, 0, W, R);
    EV(&w, XM_EV_WAKE, 1250, 0, 1, 0);
    assert_false(xm_account_from_switch(w.a));
    finish(&w, 1300);
    STATES(vcpu(&w, 1, 0), 99, 102, 99, 0, 0);
    PCPU(pcpu(&w, 0), 99, 199, 2, 0);
    world_end(&w);
}

/* A vCPU that runs is asked to wake again and again: that is no trace without runstate records. */
static void test_many_requests_first(void **state)
{
    struct world w = world();
    for (unsigned i = 0; i < 200; i++)
        EV(&w, XM_EV_WAKE, 1001 + i, 0, 1, 0);
    change(&w, 1250, 0, 1, 0, R, B);
    finish(&w, 1300);
    STATES(vcpu(&w, 1, 0), 250, 0, 50, 0, 0);
    assert_int_equal(all_anomalies(&w), 0);
    world_end(&w);
}

/* Too short to be decided: at the end it is. */
static void test_undecided_at_the_end(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_SWITCH, 1100, 0, XM_DOMID_IDLE, 0, 1, 0);
    finish(&w, 1300);
    assert_true(xm_account_from_switch(w.a));
    STATES(vcpu(&w, 1, 0), 200, 100, 0, 0, 0);
    PCPU(pcpu(&w, 0), 200, 100, 0, 0);
    world_end(&w);
}

/*
 * A domain is made, or removed, while it is not clear yet: its own switches of before that are no part of the instance
 * that begins then, and what is taken in after them stays in order.
 */
static void test_undecided_and_a_domain(void **state)
{
    static const unsigned event[] = {XM_EV_DOM_ADD, XM_EV_DOM_REM};
    for (unsigned i = 0; i < 2; i++) {
        struct world w = world();
        EV(&w, XM_EV_YIELD, 1010, 0, 1, 0); /* gives it a row */
        EV(&w, XM_EV_SWITCH, 1100, 0, 1, 0, 2, 0);
        EV(&w, XM_EV_SWITCH, 1120, 1, 1, 1, 3, 0);
        EV(&w, event[i], 1200, 2, 1);
        EV(&w, XM_EV_SWITCH, 1300, 0, 2, 0, XM_DOMID_IDLE, 0);
        EV(&w, XM_EV_SWITCH, 1400, 0, XM_DOMID_IDLE, 0, 2, 0);
        assert_true(xm_account_from_switch(w.a));
        finish(&w, 1500);
        /* Known again from the last one that was dropped: nobody remembers that it was dispatched at 1100. */
        STATES(vcpu(&w, 2, 0), 280, 100, 0, 0, 120);
        PCPU(pcpu(&w, 0), 280, 100, 0, 120);
        PCPU(pcpu(&w, 1), 0, 0, 0, 500);
        assert_null(xt_domain(&w.s, XM_ROW_USED | 3));
        world_end(&w);
    }
}

/* A domain of which only such a switch tells ends: it never runs. */
static void test_undecided_and_a_stranger_ends(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_SWITCH, 1100, 0, XM_DOMID_IDLE, 0, 7, 0);
    EV(&w, XM_EV_DOM_REM, 1200, 1, 7);
    EV(&w, XM_EV_SWITCH, 1300, 0, XM_DOMID_IDLE, 0, 2, 0);
    EV(&w, XM_EV_SWITCH, 1400, 0, 2, 0, 3, 0);
    finish(&w, 1500);
    assert_null(xt_domain(&w.s, XM_ROW_USED | 7));
    STATES(vcpu(&w, 2, 0), 100, 300, 0, 0, 100);
    assert_int_equal(vcpu(&w, 2, 0)->wait_max, 0); /* how long it had waited at 1100 is not known */
    PCPU(pcpu(&w, 0), 200, 200, 0, 100);
    world_end(&w);
}

/* What was published as known stays: its vCPUs were offline before a domain was created and after it ended. */
static void test_undecided_and_known(void **state)
{
    struct world w = world();
    struct xm_capacity want;
    EV(&w, XM_EV_DOM_ADD, 1100, 0, 5);
    EV(&w, XM_EV_YIELD, 1110, 0, 5, 0);
    EV(&w, XM_EV_YIELD, 1120, 0, 6, 0);
    EV(&w, XM_EV_DOM_REM, 1150, 0, 6);
    assert_int_equal(xm_account_introduce(w.a, 7, 0, B, xm_cycles_of(1160), xm_cycles_of(1160), &want), XM_OK);
    EV(&w, XM_EV_SWITCH, 1200, 0, XM_DOMID_IDLE, 0, 5, 0);
    look(&w, 1250);
    STATES(vcpu(&w, 5, 0), 0, 0, 0, 100, 150);
    STATES(vcpu(&w, 6, 0), 0, 0, 0, 100, 150);
    STATES(vcpu(&w, 7, 0), 0, 0, 0, 0, 250); /* no record has told so far that changes leave one */
    EV(&w, XM_EV_SWITCH, 1300, 0, 5, 0, 7, 0);
    look(&w, 1400);
    STATES(vcpu(&w, 5, 0), 50, 100, 0, 100, 150);
    STATES(vcpu(&w, 6, 0), 0, 0, 0, 250, 150);
    STATES(vcpu(&w, 7, 0), 100, 0, 0, 0, 300);
    total(&w, 1400);
    STATES(vcpu(&w, 5, 0), 100, 200, 0, 100, 0);
    STATES(vcpu(&w, 7, 0), 100, 300, 0, 0, 0);
    world_end(&w);
}

/* Times that go back before it is clear: kept as of when they came, as where it is clear. */
static void test_undecided_and_back(void **state)
{
    struct world w = world();
    EV(&w, XM_EV_SWITCH, 1200, 0, XM_DOMID_IDLE, 0, 1, 0);
    EV(&w, XM_EV_SWITCH, 1100, 1, XM_DOMID_IDLE, 1, 2, 0);
    EV(&w, XM_EV_SWITCH, 1300, 0, 1, 0, 3, 0);
    finish(&w, 1400);
    STATES(vcpu(&w, 1, 0), 100, 300, 0, 0, 0);
    PCPU(pcpu(&w, 1), 200, 200, 0, 0);
    assert_int_equal(xm_account_anomalies(w.a, XM_ANOMALY_TIME), 1);
    world_end(&w);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_back_fill), TEST(test_every_first_state), TEST(test_continue_only), TEST(test_waits), TEST(test_pcpu),
        TEST(test_pcpu_first_record_is_a_dispatch), TEST(test_eviction), TEST(test_eviction_of_idle), TEST(test_twice),
        TEST(test_foreign), TEST(test_contradiction), TEST(test_skew), TEST(test_nonsense), TEST(test_names),
        TEST(test_from_switch), TEST(test_undecided), TEST(test_undecided_and_sampled), TEST(test_undecided_and_lost), TEST(test_switches_and_lost),
        TEST(test_wake_of_the_unknown), TEST(test_paused_in_its_sleep),
        TEST(test_both_kinds),
        TEST(test_undecided_at_the_end), TEST(test_undecided_and_a_domain), TEST(test_undecided_and_a_stranger_ends),
        TEST(test_undecided_and_known), TEST(test_undecided_and_back), TEST(test_many_requests_first),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
