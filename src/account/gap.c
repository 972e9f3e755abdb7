/* SPDX-License-Identifier: MIT */
/*
 * Lost records (law 5).
 *
 * While records of a pCPU are missing, any vCPU may have been dispatched there unseen, and woken, and put to
 * sleep.  Only one that is seen running on a pCPU whose records are all there is known.
 */
#include "account/account_int.h"

static bool seen_running(const struct xm_account *a, const struct vcpu *v)
{
    return v->state == XM_RUNNING && v->on != NOBODY && !a->pcpu[v->on].gap;
}

/*
 * Who LOST_RECORDS named and of whom nothing came after was running: nobody else was seen there since.  A switch
 * that was dropped undecided may have been somebody.  `slot`: of a vCPU that is named, NOBODY where it has none.
 */
static void settle_named(struct xm_account *a, struct pcpu *p, uint32_t slot, uint64_t now)
{
    xm_pcpu_settle(a, p, now);
    if (!p->named || p->occupant != OCC_UNKNOWN || !p->learnable)
        return;
    p->learnable = false;
    if (a->from == FROM_UNDECIDED && a->forgotten >= p->named_at)
        return;
    if (xm_is_idle(p->named_word)) {
        p->row.late_idle += now - p->learn_from;
        return;
    }
    if (slot == NOBODY)
        return;
    struct vcpu *v = &a->vcpu[slot];
    if (v->state != STATE_UNKNOWN || v->unknown != AFTER_GAP)
        return;
    uint64_t from = v->learn_from > p->named_at ? v->learn_from : p->named_at;
    if (from >= now)
        return; /* another pCPU that named it too has had its time: it cannot have been on both */
    p->row.late_busy += now - p->learn_from;
    xm_vcpu_settle(a, v, now);
    v->row.late_running += now - from;
    v->learn_from = now;
    v->assumed = XM_RUNNING;
}

void xm_gap_open(struct xm_account *a, uint32_t slot, uint64_t now)
{
    struct pcpu *p = &a->pcpu[slot];
    if (p->gap)
        return;
    xm_switch_forget(a);
    /* Between two gaps there may be no record at all; that a row is made for one is not worth it. */
    settle_named(a, p, p->named ? xm_known_vcpu(a, p->named_word) : NOBODY, now);
    p->gap = true;
    p->gap_since = now;
    p->occupant = OCC_UNKNOWN;
    p->vcpu = NOBODY;
    p->learnable = false;
    p->named = false;
    p->inf_at = 0;
    p->slice_pending = false;
    if (a->gaps_open++ == 0)
        a->gap_since = now;
    for (uint32_t i = 0; i < a->used.vcpus; i++) {
        struct vcpu *v = &a->vcpu[i];
        if (v->row.id == 0 || a->domain[v->domain].is_ended || seen_running(a, v))
            continue;
        xm_vcpu_forget(a, v, IN_GAP, now);
    }
}

static void note_current(struct pcpu *p, const struct xm_event *event, uint64_t now)
{
    uint32_t dom = event->word[1];
    if (event->words < 3 || (dom >= XM_DOMID_FIRST_RESERVED && dom != XM_DOMID_IDLE))
        return; /* who writes the record did not know */
    p->named = true;
    p->named_word = (event->word[2] & 0xffffu) | dom << 16;
    p->named_at = now;
}

void xm_gap_close(struct xm_account *a, uint32_t slot, const struct xm_event *event, uint64_t now)
{
    struct pcpu *p = &a->pcpu[slot];
    p->row.lost_records += event->word[0];
    if (!p->gap)
        return;
    xm_pcpu_settle(a, p, now);
    p->gap = false;
    p->row.gap += now - p->gap_since;
    p->learnable = p->occupant == OCC_UNKNOWN; /* a record in the middle of its own gap may have shown somebody */
    p->learn_from = now;
    note_current(p, event, now);
    if (--a->gaps_open > 0)
        return;
    a->gap += now - a->gap_since;
    a->gap_closed = now;
    for (uint32_t i = 0; i < a->used.vcpus; i++) {
        struct vcpu *v = &a->vcpu[i];
        if (v->row.id && v->unknown == IN_GAP) {
            v->unknown = AFTER_GAP;
            v->learn_from = now;
        }
    }
}

static uint32_t name_vcpu(struct xm_account *a, const struct pcpu *p)
{
    bool undecided = p->named && p->occupant == OCC_UNKNOWN && p->learnable;
    return undecided && !xm_is_idle(p->named_word) ? xm_find_vcpu(a, p->named_word) : NOBODY;
}

void xm_account_finish(struct xm_account *a, xm_cycles now)
{
    xm_switch_decide(a);
    if (now.v < a->now)
        now.v = a->now;
    a->now = now.v;
    for (uint32_t i = 0; i < a->used.pcpus; i++)
        settle_named(a, &a->pcpu[i], name_vcpu(a, &a->pcpu[i]), now.v);
}
