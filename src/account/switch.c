/* SPDX-License-Identifier: MIT */
/*
 * States where there are no runstate records: traces older than Xen 3.4, or of a mask without them (law 1).
 *
 * BLOCK and SLEEP say what a vCPU is about to do, SWITCH that it did.  In a trace that has both kinds of
 * record a SWITCH comes just before the two runstate records it stands for, so the first few are kept until it
 * is clear which kind of trace this is.
 */
#include "account/account_int.h"

static uint32_t word_of(uint32_t dom, uint32_t vcpu)
{
    return dom > 0xffffu || vcpu > 0xffffu ? (XM_DOMID_FIRST_RESERVED << 16) : dom << 16 | vcpu;
}

/*
 * Someone asks to wake it.  The record is there too where nothing changes, so of a vCPU of which nothing is known it
 * proves nothing yet.  A vCPU that was paused in its sleep sleeps on when it is let go (Xen says blocked while both),
 * and one that is woken while paused goes on waiting for that: it takes two requests until it is runnable.
 */
static void woken(struct xm_account *a, struct vcpu *v, uint32_t slot, uint32_t p, uint64_t now)
{
    bool paused = v->sleep_paused;
    v->will_block = v->will_sleep = v->sleep_paused = false;
    if (v->state == STATE_UNKNOWN) {
        if (v->wake_at <= v->learn_from)
            v->wake_at = now;
        v->assumed = XM_RUNNABLE;
    } else if (v->state == XM_OFFLINE || (v->state == XM_BLOCKED && !paused)) {
        xm_vcpu_change(a, slot, p, v->state, XM_RUNNABLE, now);
    }
}

static void about_to_block(struct vcpu *v)
{
    v->will_block = true;
    v->wake_at = 0;
}

static void put_to_sleep(struct xm_account *a, struct vcpu *v, uint32_t slot, uint32_t p, uint64_t now)
{
    v->wake_at = 0;
    if (v->state == XM_RUNNABLE)
        xm_vcpu_change(a, slot, p, XM_RUNNABLE, XM_OFFLINE, now);
    else if (v->state == XM_BLOCKED)
        v->sleep_paused = true;
    else
        v->will_sleep = true;
}

static void leaves(struct xm_account *a, uint32_t word, uint32_t p, uint64_t now)
{
    if (xm_is_idle(word)) {
        xm_idle_change(a, p, false, now);
        return;
    }
    uint32_t slot = xm_find_vcpu(a, word);
    if (slot == NOBODY)
        return;
    struct vcpu *v = &a->vcpu[slot];
    unsigned to = v->will_block ? XM_BLOCKED : v->will_sleep ? XM_OFFLINE : XM_RUNNABLE;
    v->will_block = v->will_sleep = v->sleep_paused = false;
    v->wake_at = 0;
    xm_vcpu_change(a, slot, p, XM_RUNNING, to, now);
}

/* Its dispatch proves what a request to wake did not: it slept until then, and has waited since. */
static void learn_wake(struct xm_account *a, struct vcpu *v, uint64_t now)
{
    if (v->unknown != NOT_YET && v->unknown != AFTER_GAP)
        return;
    if (v->wake_at <= v->learn_from || v->wake_at > now)
        return;
    xm_vcpu_settle(a, v, now);
    v->row.late_blocked += v->wake_at - v->learn_from;
    v->learn_from = v->wake_at;
}

static void enters(struct xm_account *a, uint32_t word, uint32_t p, uint64_t now)
{
    if (xm_is_idle(word)) {
        xm_idle_change(a, p, true, now);
        return;
    }
    uint32_t slot = xm_find_vcpu(a, word);
    if (slot == NOBODY)
        return;
    struct vcpu *v = &a->vcpu[slot];
    if (v->state == STATE_UNKNOWN)
        learn_wake(a, v, now);
    v->will_block = v->will_sleep = v->sleep_paused = false;
    v->wake_at = 0;
    xm_vcpu_change(a, slot, p, XM_RUNNABLE, XM_RUNNING, now);
}

static bool apply(struct xm_account *a, const struct xm_event *e, uint32_t p, uint64_t now)
{
    uint32_t first = word_of(e->word[0], e->word[1]);
    if (e->kind == XM_EV_SWITCH) {
        uint32_t second = word_of(e->word[2], e->word[3]);
        /* Both must have a place before anything changes: the event comes again after growth. */
        if (!xm_is_idle(first))
            (void)xm_find_vcpu(a, first);
        if (!xm_is_idle(second) && !xm_table_full(a))
            (void)xm_find_vcpu(a, second);
        if (xm_table_full(a))
            return false;
        leaves(a, first, p, now);
        enters(a, second, p, now);
        return true;
    }
    if (xm_is_idle(first))
        return true;
    uint32_t slot = xm_find_vcpu(a, first);
    if (slot == NOBODY)
        return !xm_table_full(a);
    struct vcpu *v = &a->vcpu[slot];
    if (e->kind == XM_EV_WAKE)
        woken(a, v, slot, p, now);
    else if (e->kind == XM_EV_BLOCK)
        about_to_block(v);
    else if (e->kind == XM_EV_SLEEP)
        put_to_sleep(a, v, slot, p, now);
    return true;
}

static void vcpu_late(struct xm_account *a, struct vcpu *v, uint64_t upto)
{
    uint64_t *known = &v->row.running;
    uint64_t *late = &v->row.late_running;
    if (v->settled < upto)
        xm_vcpu_settle(a, v, upto);
    uint64_t created = a->domain[v->domain].created;
    uint64_t unborn = created > a->start ? created - a->start : 0; /* known, and published, all along */
    known[XM_OFFLINE] -= unborn;
    for (unsigned state = XM_RUNNING; state <= XM_OFFLINE; state++) {
        late[state] += known[state];
        v->row.unknown += known[state];
        known[state] = 0;
    }
    known[XM_OFFLINE] = unborn;
    v->row.wait_wake = v->row.wait_preempt = v->row.wait_other = 0;
}

static void pcpu_late(struct xm_account *a, struct pcpu *p, uint64_t upto)
{
    struct xm_pcpu_row *row = &p->row;
    if (p->settled < upto)
        xm_pcpu_settle(a, p, upto);
    row->late_busy += row->busy;
    row->late_idle += row->idle;
    row->late_switching += row->switching;
    row->unknown += row->busy + row->idle + row->switching;
    row->busy = row->idle = row->switching = 0;
}

/*
 * Up to the last sample nothing was known and all was published as unknown: what is known of it now is late.
 * Of a domain that has ended nothing is: whatever was kept of it has been dropped.
 */
static void all_late(struct xm_account *a)
{
    for (uint32_t i = 0; i < a->used.vcpus; i++)
        if (a->vcpu[i].row.id && !a->domain[a->vcpu[i].domain].is_ended)
            vcpu_late(a, &a->vcpu[i], a->sampled);
    for (uint32_t i = 0; i < a->used.pcpus; i++)
        pcpu_late(a, &a->pcpu[i], a->sampled);
}

/* What was dropped counted after all: who was in which state before it is not what the next record says. */
static void unlearn(struct xm_account *a)
{
    for (uint32_t i = 0; i < a->used.vcpus; i++) {
        struct vcpu *v = &a->vcpu[i];
        if (v->state == STATE_UNKNOWN && v->unknown != IN_GAP && v->learn_from < a->forgotten) {
            v->unknown = AFTER_GAP;
            v->learn_from = a->forgotten;
        }
    }
    for (uint32_t i = 0; i < a->used.pcpus; i++) {
        struct pcpu *p = &a->pcpu[i];
        if (p->learnable && p->learn_from < a->forgotten) {
            p->learn_from = a->forgotten;
            p->named = false;
        }
    }
}

static void decide(struct xm_account *a)
{
    a->from = FROM_SWITCH;
    unlearn(a);
    bool published = a->sampled > a->start;
    for (unsigned i = 0; i < a->undecided_count; i++) {
        const struct xm_event *e = &a->undecided[i];
        uint32_t p = xm_find_pcpu(a, e->cpu);
        if (published && e->tsc.v > a->sampled) {
            all_late(a);
            published = false;
        }
        /* No room for these few first events costs only their own time, which stays unknown. */
        if (p != NOBODY)
            (void)apply(a, e, p, e->tsc.v);
    }
    if (published)
        all_late(a);
    a->undecided_count = 0;
}

void xm_switch_decide(struct xm_account *a)
{
    if (a->from == FROM_UNDECIDED && a->undecided_count > 0)
        decide(a);
}

static void drop_undecided(struct xm_account *a)
{
    if (a->undecided_count > 0)
        a->forgotten = a->undecided[a->undecided_count - 1].tsc.v;
    a->undecided_count = 0;
}

void xm_switch_forget(struct xm_account *a)
{
    if (a->from != FROM_UNDECIDED)
        return;
    drop_undecided(a);
    for (uint32_t i = 0; i < a->used.pcpus; i++)
        a->pcpu[i].switch_seen = false;
}

static bool any_switch_seen(const struct xm_account *a)
{
    for (uint32_t i = 0; i < a->used.pcpus; i++)
        if (a->pcpu[i].switch_seen)
            return true;
    return false;
}

bool xm_switch_event(struct xm_account *a, const struct xm_event *event, uint32_t p, uint64_t now)
{
    if (a->from == FROM_RUNSTATE)
        return true;
    if (a->from == FROM_UNDECIDED) {
        bool second = event->kind == XM_EV_SWITCH && a->pcpu[p].switch_seen;
        /* Requests alone prove nothing: of a vCPU that is awake they make no runstate record either. */
        if (a->undecided_count == UNDECIDED_EVENTS && !any_switch_seen(a))
            drop_undecided(a);
        if (event->legacy || second || a->undecided_count == UNDECIDED_EVENTS) {
            decide(a);
        } else {
            if (a->gaps_open) {
                a->forgotten = now;
                return true; /* the runstate records may be those that were lost */
            }
            if (event->kind == XM_EV_SWITCH)
                a->pcpu[p].switch_seen = true;
            a->undecided[a->undecided_count] = *event;
            a->undecided[a->undecided_count++].tsc.v = now; /* its own may lie before what came until then */
            return true;
        }
    }
    return apply(a, event, p, now);
}

bool xm_account_from_switch(const struct xm_account *a)
{
    return a->from == FROM_SWITCH;
}

bool xm_account_from_runstate(const struct xm_account *a)
{
    return a->from == FROM_RUNSTATE;
}
