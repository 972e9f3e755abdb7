/* SPDX-License-Identifier: MIT */
/*
 * Transitions of vCPUs and of the pCPUs they run on.
 *
 * A vCPU and a pCPU are two views of the same records and each keeps its own time, so that a contradiction
 * between records can spoil neither's sums.
 */
#include "account/account_int.h"
#include "base/check.h"
#include "base/histogram.h"

static unsigned coarse_index(uint64_t cycles)
{
    if (cycles >> XM_COARSE_FIRST_BITS == 0)
        return 0;
    unsigned bits = 64u - (unsigned)__builtin_clzll(cycles);
    unsigned index = (bits - XM_COARSE_FIRST_BITS + XM_COARSE_STEP_BITS - 1) / XM_COARSE_STEP_BITS;
    return index < XM_COARSE_BUCKETS ? index : XM_COARSE_BUCKETS - 1;
}

/* ---- Time. */

static uint64_t *counter(struct vcpu *v)
{
    /* The five states stand in this order in the row: metrics.def. */
    return &v->row.running + v->state;
}

_Static_assert(offsetof(struct xm_vcpu_row, unknown) == offsetof(struct xm_vcpu_row, running) + 4 * sizeof(uint64_t),
               "the states' counters stand in the order of enum xm_runstate, unknown last");
_Static_assert(offsetof(struct xm_vcpu_row, late_offline) ==
                   offsetof(struct xm_vcpu_row, late_running) + 3 * sizeof(uint64_t),
               "late counters stand in the same order");

static uint64_t *wait_counter(struct xm_vcpu_row *row, unsigned cause)
{
    return cause == WAIT_WAKE ? &row->wait_wake : cause == WAIT_PREEMPT ? &row->wait_preempt : &row->wait_other;
}

void xm_vcpu_settle(struct xm_account *a, struct vcpu *v, uint64_t now)
{
    (void)a;
    XM_ASSERT(now >= v->settled);
    uint64_t span = now - v->settled;
    *counter(v) += span;
    if (v->state == XM_RUNNABLE)
        *wait_counter(&v->row, v->cause) += span;
    v->settled = now;
}

void xm_pcpu_settle(struct xm_account *a, struct pcpu *p, uint64_t now)
{
    XM_ASSERT(now >= p->settled);
    uint64_t span = now - p->settled;
    p->settled = now;
    switch ((enum occupant)p->occupant) {
    case OCC_VCPU:
        p->row.busy += span;
        xm_pair(a, a->vcpu[p->vcpu].domain, (uint32_t)(p - a->pcpu))->running += span;
        break;
    case OCC_IDLE:
        p->row.idle += span;
        break;
    case OCC_NONE:
        p->row.switching += span;
        break;
    case OCC_UNKNOWN:
        p->row.unknown += span;
        break;
    }
}

static void any_waiting(struct xm_account *a, struct vcpu *v, int change, uint64_t now)
{
    struct domain *d = &a->domain[v->domain];
    if (d->waiting)
        d->row.wait_any += now - d->any_settled;
    d->any_settled = now;
    d->waiting += (uint32_t)change;
}

/* The one place where a vCPU's state changes.  Settled up to now already. */
static void set_state(struct xm_account *a, struct vcpu *v, unsigned state, uint64_t now)
{
    if ((v->state == XM_RUNNABLE) != (state == XM_RUNNABLE))
        any_waiting(a, v, state == XM_RUNNABLE ? 1 : -1, now);
    if (state != STATE_UNKNOWN)
        v->unknown = KNOWN;
    v->state = (uint8_t)state;
    v->since = now;
    v->start_seen = true;
}

/* ---- What is on a pCPU. */

static void set_occupant(struct xm_account *a, struct pcpu *p, enum occupant who, uint32_t vcpu, uint64_t now)
{
    xm_pcpu_settle(a, p, now);
    p->occupant = (uint8_t)who;
    p->vcpu = vcpu;
    p->learnable = false;
    p->named = false;
}

/* A record tells who was on a pCPU of which that was not known: OCC_NONE where it is a dispatch. */
static void learn_occupant(struct xm_account *a, struct pcpu *p, enum occupant who, uint64_t now)
{
    xm_pcpu_settle(a, p, now);
    if (p->occupant != OCC_UNKNOWN || !p->learnable)
        return;
    uint64_t span = now - p->learn_from;
    if (who == OCC_VCPU)
        p->row.late_busy += span;
    else if (who == OCC_IDLE)
        p->row.late_idle += span;
    else
        p->row.late_switching += span;
    p->learnable = false;
}

/* Somebody arrives on a pCPU: whoever is still there has left unseen. */
static void arrive(struct xm_account *a, struct pcpu *p, enum occupant who, uint32_t vcpu, uint64_t now)
{
    learn_occupant(a, p, OCC_NONE, now);
    if (p->occupant == OCC_VCPU && p->vcpu != vcpu) {
        a->anomaly[XM_ANOMALY_EVICTED]++;
        xm_vcpu_forget(a, &a->vcpu[p->vcpu], EVICTED, now);
    } else if (p->occupant == OCC_IDLE && who != OCC_IDLE) {
        a->anomaly[XM_ANOMALY_EVICTED]++;
    }
    set_occupant(a, p, who, vcpu, now);
}

/* A vCPU that is known to be on a pCPU leaves it. */
static void vacate(struct xm_account *a, struct vcpu *v, uint64_t now)
{
    if (v->on == NOBODY)
        return;
    struct pcpu *p = &a->pcpu[v->on];
    if (p->occupant == OCC_VCPU && &a->vcpu[p->vcpu] == v)
        set_occupant(a, p, OCC_NONE, NOBODY, now);
    v->on = NOBODY;
}

/* A record contradicts that a vCPU is on its pCPU: who is there, and since when, is not known. */
static void lose_occupant(struct xm_account *a, struct vcpu *v, uint64_t now)
{
    if (v->on == NOBODY)
        return;
    struct pcpu *p = &a->pcpu[v->on];
    if (p->occupant == OCC_VCPU && &a->vcpu[p->vcpu] == v)
        set_occupant(a, p, OCC_UNKNOWN, NOBODY, now);
    v->on = NOBODY;
}

/* ---- What ends with a transition. */

static void end_execution(struct xm_account *a, struct vcpu *v, uint64_t now)
{
    uint64_t length = now - v->since;
    if (!v->start_seen)
        return;
    xm_hist(a, (uint32_t)(v - a->vcpu), XM_HIST_EXECUTION)[xm_hist_index(length)]++;
    struct xm_vcpu_row *row = &v->row;
    row->last_run = length;
    row->last_wait = v->wait_before;
    row->last_blocked = v->blocked_before;
    row->last_slice = v->slice;
    row->last_io = v->io;
    struct xm_domain_row *d = &a->domain[v->domain].row;
    d->last_run = row->last_run;
    d->last_wait = row->last_wait;
    d->last_blocked = row->last_blocked;
    d->last_slice = row->last_slice;
    d->last_io = row->last_io;
}

/*
 * A wait or a sleep ends.  One that was already going on when the window began counts from there; of one
 * that was going on when a gap ended the length is not known.
 */
static void end_wait(struct xm_account *a, struct vcpu *v, uint64_t length, bool length_known)
{
    v->waited += length;
    if (!length_known)
        return;
    xm_hist(a, (uint32_t)(v - a->vcpu), XM_HIST_WAIT)[xm_hist_index(length)]++;
    a->domain[v->domain].row.wait_coarse[coarse_index(length)]++;
    if (length > v->row.wait_max)
        v->row.wait_max = length;
}

static void end_blocked(struct xm_account *a, struct vcpu *v, uint64_t length, bool length_known)
{
    v->was_blocked += length;
    if (length_known)
        xm_hist(a, (uint32_t)(v - a->vcpu), XM_HIST_BLOCKED)[xm_hist_index(length)]++;
}

static void end_state(struct xm_account *a, struct vcpu *v, uint64_t now)
{
    if (v->state == XM_RUNNING)
        end_execution(a, v, now);
    else if (v->state == XM_RUNNABLE)
        end_wait(a, v, now - v->since, v->start_seen);
    else if (v->state == XM_BLOCKED)
        end_blocked(a, v, now - v->since, v->start_seen);
}

void xm_slice_allocated(struct vcpu *v, uint64_t slice)
{
    v->slice_next = slice;
    v->row.slices++;
    v->row.slice_sum += slice;
    if (slice < v->row.slice_min)
        v->row.slice_min = slice;
    if (slice > v->row.slice_max)
        v->row.slice_max = slice;
}

static void begin_execution(struct xm_account *a, struct vcpu *v, uint32_t p, unsigned from, uint64_t waited)
{
    v->row.executions++;
    a->pcpu[p].row.executions++;
    struct xm_pair_row *pair = xm_pair(a, v->domain, p);
    pair->executions++;
    if (from == XM_RUNNABLE)
        pair->waited += waited;
    if (v->last_on != NOBODY && v->last_on != p)
        v->row.migrations++;
    v->last_on = p;
    v->wait_before = v->waited;
    v->blocked_before = v->was_blocked;
    v->waited = v->was_blocked = 0;
    v->io = 0;
    v->yielded = false;
    struct pcpu *c = &a->pcpu[p];
    if (c->slice_pending && c->slice_dom == xm_row_domid(v->row.id))
        xm_slice_allocated(v, c->slice);
    c->slice_pending = false;
    v->slice = v->slice_next;
    v->slice_next = 0;
}

/* ---- Where the state was not known: what the record says of the time before it. */

static uint64_t learn(struct xm_account *a, struct vcpu *v, unsigned old, uint64_t now)
{
    xm_vcpu_settle(a, v, now);
    bool tells = v->unknown == NOT_YET || v->unknown == AFTER_GAP || (v->unknown == EVICTED && old == XM_RUNNING);
    if (!tells)
        return 0;
    uint64_t span = now - v->learn_from;
    (&v->row.late_running)[old] += span;
    /* Only a wait or sleep that the window's own beginning cut has a length that counts (traces/README). */
    if (old == XM_RUNNABLE)
        end_wait(a, v, span, v->unknown == NOT_YET);
    else if (old == XM_BLOCKED)
        end_blocked(a, v, span, v->unknown == NOT_YET);
    return span;
}

void xm_vcpu_forget(struct xm_account *a, struct vcpu *v, enum unknown why, uint64_t now)
{
    xm_vcpu_settle(a, v, now);
    if (v->state != STATE_UNKNOWN)
        v->assumed = v->state;
    set_state(a, v, STATE_UNKNOWN, now);
    v->unknown = (uint8_t)why;
    v->learn_from = now;
    v->start_seen = false;
    v->will_block = v->will_sleep = v->sleep_paused = false;
    lose_occupant(a, v, now); /* one that a record showed in the middle of its pCPU's own gap is still there */
}

void xm_vcpu_is(struct xm_account *a, struct vcpu *v, unsigned state, uint64_t now)
{
    uint64_t since = v->learn_from;
    bool cut_by_window = v->unknown == NOT_YET;
    xm_vcpu_settle(a, v, now);
    (&v->row.late_running)[state] += now - since;
    set_state(a, v, state, now);
    v->since = since; /* its wait or sleep counts from where the window began, as under law 3 */
    v->cause = WAIT_OTHER;
    v->start_seen = cut_by_window;
}

void xm_vcpu_end(struct xm_account *a, struct vcpu *v, uint64_t now)
{
    xm_vcpu_settle(a, v, now);
    if (v->state != STATE_UNKNOWN)
        end_state(a, v, now);
    vacate(a, v, now);
    set_state(a, v, XM_OFFLINE, now);
}

/* ---- Contradictions (law 4). */

/*
 * The record before this one of the vCPU contradicted what was tracked, and this one is the transition that was
 * missing then: the two were written on pCPUs whose clocks differ, nothing was lost.
 */
static bool explains_skew(const struct vcpu *v, unsigned from, unsigned to)
{
    return v->odd && from == v->odd_state && to == v->odd_old && v->state != from;
}

static void contradict(struct xm_account *a, struct vcpu *v, unsigned from)
{
    a->anomaly[XM_ANOMALY_STATE]++;
    v->odd = true;
    v->odd_state = v->state;
    v->odd_old = (uint8_t)from;
}

/* ---- The transitions. */

static unsigned cause_of(unsigned from)
{
    return from == XM_BLOCKED ? WAIT_WAKE : from == XM_RUNNING ? WAIT_PREEMPT : WAIT_OTHER;
}

/* It is seen on a pCPU without its dispatch having been seen: the next execution elsewhere is a migration from here. */
static void seen_on(struct vcpu *v, uint32_t p)
{
    if (v->last_on != NOBODY)
        v->last_on = p;
}

static void leave_pcpu(struct xm_account *a, struct vcpu *v, uint32_t p, uint64_t now)
{
    if (v->on != NOBODY) {
        if (v->on != p)
            a->anomaly[XM_ANOMALY_FOREIGN]++;
        vacate(a, v, now);
        return;
    }
    struct pcpu *c = &a->pcpu[p];
    seen_on(v, p);
    if (c->occupant == OCC_UNKNOWN) {
        learn_occupant(a, c, OCC_VCPU, now);
        set_occupant(a, c, OCC_NONE, NOBODY, now);
    }
}

void xm_vcpu_change(struct xm_account *a, uint32_t slot, uint32_t p, unsigned from, unsigned to, uint64_t now)
{
    struct vcpu *v = &a->vcpu[slot];
    uint64_t waited = 0;
    if (now < v->settled)
        now = v->settled;
    if (XM_UNLIKELY(v->state == STATE_UNKNOWN)) {
        waited = learn(a, v, from, now);
        v->odd = false;
    } else if (XM_UNLIKELY(v->state != from)) {
        if (explains_skew(v, from, to)) {
            a->anomaly[XM_ANOMALY_STATE]--;
            a->anomaly[XM_ANOMALY_SKEW]++;
            v->odd = false;
            return;
        }
        xm_vcpu_settle(a, v, now);
        contradict(a, v, from);
        if (v->state == XM_RUNNING && from != XM_RUNNING)
            a->anomaly[XM_ANOMALY_TWICE] += to == XM_RUNNING;
    } else {
        v->odd = false;
        waited = now - v->since;
        xm_vcpu_settle(a, v, now);
        end_state(a, v, now);
        if (from == XM_RUNNING && to == XM_RUNNABLE && !v->yielded)
            v->row.preemptions++;
    }
    if (from == XM_RUNNING)
        leave_pcpu(a, v, p, now);
    else if (XM_UNLIKELY(v->on != NOBODY))
        lose_occupant(a, v, now);
    set_state(a, v, to, now);
    v->cause = (uint8_t)cause_of(from);
    if (to == XM_RUNNING) {
        arrive(a, &a->pcpu[p], OCC_VCPU, slot, now);
        v->on = p;
        begin_execution(a, v, p, from, waited);
    } else if (XM_UNLIKELY(a->gaps_open)) {
        /* Somewhere records are missing: whatever happens to it next may not be seen (law 5). */
        xm_vcpu_forget(a, v, IN_GAP, now);
    }
}

void xm_vcpu_continue(struct xm_account *a, uint32_t slot, uint32_t p, uint64_t now)
{
    struct vcpu *v = &a->vcpu[slot];
    struct pcpu *c = &a->pcpu[p];
    if (now < v->settled)
        now = v->settled;
    bool here = v->state == XM_RUNNING && v->on == p;
    if (XM_LIKELY(here))
        return;
    if (v->state == STATE_UNKNOWN) {
        learn(a, v, XM_RUNNING, now);
    } else {
        contradict(a, v, XM_RUNNING);
        xm_vcpu_settle(a, v, now);
        lose_occupant(a, v, now);
    }
    set_state(a, v, XM_RUNNING, now);
    v->start_seen = false;
    if (c->occupant == OCC_UNKNOWN)
        learn_occupant(a, c, OCC_VCPU, now);
    arrive(a, c, OCC_VCPU, slot, now);
    v->on = p;
    seen_on(v, p);
}

void xm_idle_change(struct xm_account *a, uint32_t slot, bool arrives, uint64_t now)
{
    struct pcpu *p = &a->pcpu[slot];
    if (now < p->settled)
        now = p->settled;
    if (arrives) {
        if (p->occupant == OCC_IDLE)
            a->anomaly[XM_ANOMALY_STATE]++;
        arrive(a, p, OCC_IDLE, NOBODY, now);
        return;
    }
    if (p->occupant == OCC_UNKNOWN)
        learn_occupant(a, p, OCC_IDLE, now);
    else if (p->occupant != OCC_IDLE)
        a->anomaly[XM_ANOMALY_STATE]++;
    if (p->occupant == OCC_VCPU)
        return; /* the vCPU's own records say when it leaves */
    set_occupant(a, p, OCC_NONE, NOBODY, now);
}

void xm_idle_continue(struct xm_account *a, uint32_t slot, uint64_t now)
{
    struct pcpu *p = &a->pcpu[slot];
    if (p->occupant == OCC_IDLE)
        return;
    if (p->occupant == OCC_UNKNOWN)
        learn_occupant(a, p, OCC_IDLE, now);
    else
        a->anomaly[XM_ANOMALY_STATE]++;
    arrive(a, p, OCC_IDLE, NOBODY, now);
}
