/* SPDX-License-Identifier: MIT */
/* Takes events in and hands each to whom it concerns. */
#include "account/account_int.h"
#include "base/check.h"

#define NO_SLICE UINT32_MAX
/* Of one hypercall: 4 GiB, and more than any ring of requests holds by far. */
#define MOST_PAGES (UINT32_C(1) << 20)

const char *xm_anomaly_name(unsigned kind)
{
    static const char *const names[XM_ANOMALIES] = {"state", "skew",   "evicted",  "twice",
                                                    "foreign", "reused", "reserved", "time"};
    return kind < XM_ANOMALIES ? names[kind] : NULL;
}

void xm_account_begin(struct xm_account *a, xm_cycles start)
{
    a->start = a->now = start.v;
}

/* False: a table is full and nothing was done.  The same for all handlers below. */
static bool runstate(struct xm_account *a, const struct xm_event *e, uint32_t p, uint64_t now)
{
    uint32_t word = e->word[0];
    unsigned from = e->from_to >> 2 & 3u;
    unsigned to = e->from_to & 3u;
    a->from = FROM_RUNSTATE;
    if (xm_is_idle(word)) {
        if ((word & 0xffffu) != xm_row_domid(a->pcpu[p].row.id))
            a->anomaly[XM_ANOMALY_FOREIGN]++;
        if (from == XM_RUNNING || to == XM_RUNNING)
            xm_idle_change(a, p, to == XM_RUNNING, now);
        return true;
    }
    uint32_t v = xm_find_vcpu(a, word);
    if (XM_UNLIKELY(v == NOBODY))
        return !xm_table_full(a);
    xm_vcpu_change(a, v, p, from, to, now);
    return true;
}

static bool continues(struct xm_account *a, const struct xm_event *e, uint32_t p, uint64_t now)
{
    a->from = FROM_RUNSTATE;
    if (xm_is_idle(e->word[0])) {
        xm_idle_continue(a, p, now);
        return true;
    }
    uint32_t v = xm_find_vcpu(a, e->word[0]);
    if (v == NOBODY)
        return !xm_table_full(a);
    xm_vcpu_continue(a, v, p, now);
    return true;
}

/*
 * Xen reads its clock once per decision and writes INFPREV and INFNEXT right after: from one INFNEXT to the next
 * INFPREV is what the ns in the latter measure, closer than from the runstate records, which come later.
 */
static bool infprev(struct xm_account *a, const struct xm_event *e, uint32_t p, uint64_t now)
{
    struct pcpu *c = &a->pcpu[p];
    bool same = c->inf_at && c->inf_dom == e->word[0] && (e->words < 3 || c->inf_vcpu == e->word[1]);
    if (same)
        xm_rate_note(a, now - c->inf_at, e->words >= 3 ? e->word[2] : e->word[1]);
    c->inf_at = 0;
    return true;
}

static bool infnext(struct xm_account *a, const struct xm_event *e, uint32_t p, uint64_t now)
{
    uint32_t dom = e->word[0];
    a->pcpu[p].slice_pending = false;
    a->pcpu[p].inf_at = now;
    a->pcpu[p].inf_dom = dom;
    a->pcpu[p].inf_vcpu = e->word[1];
    uint32_t slice = e->words >= 4 ? e->word[3] : e->word[2];
    if (dom == XM_DOMID_IDLE || slice == NO_SLICE)
        return true;
    if (e->words < 4) {
        struct pcpu *c = &a->pcpu[p];
        c->slice_pending = true;
        c->slice_dom = dom;
        c->slice = slice;
        return true;
    }
    if (dom > 0xffffu || e->word[1] > 0xffffu) {
        a->anomaly[XM_ANOMALY_RESERVED]++;
        return true;
    }
    uint32_t v = xm_find_vcpu(a, dom << 16 | e->word[1]);
    if (v == NOBODY)
        return !xm_table_full(a);
    xm_slice_allocated(&a->vcpu[v], slice);
    return true;
}

static bool yield(struct xm_account *a, const struct xm_event *e)
{
    if (e->word[0] > 0xffffu || e->word[1] > 0xffffu || e->word[0] == XM_DOMID_IDLE)
        return true;
    uint32_t v = xm_find_vcpu(a, e->word[0] << 16 | e->word[1]);
    if (v == NOBODY)
        return !xm_table_full(a);
    a->vcpu[v].row.yields++;
    a->vcpu[v].yielded = true;
    return true;
}

/* Whose vCPU is on the pCPU now: the one that did it. */
static struct xm_domain_row *doer(struct xm_account *a, uint32_t p, struct vcpu **v)
{
    if (a->pcpu[p].occupant != OCC_VCPU)
        return NULL;
    *v = &a->vcpu[a->pcpu[p].vcpu];
    return &a->domain[(*v)->domain].row;
}

/* A record of every page, or one of a batch whose second word says how many; a number that no batch has is damage. */
static uint64_t pages_of(const struct xm_event *e)
{
    return e->words >= 2 && e->word[1] <= MOST_PAGES ? e->word[1] : 1;
}

static bool exchanged(struct xm_account *a, const struct xm_event *e, uint32_t p)
{
    uint64_t pages = 1;
    uint32_t slot = xm_find_domain(a, e->word[0]);
    if (slot == NOBODY)
        return !xm_table_full(a);
    struct vcpu *v = NULL;
    struct xm_domain_row *owner = &a->domain[slot].row;
    struct xm_domain_row *done = doer(a, p, &v);
    if (e->kind == XM_EV_GRANT_MAP) {
        owner->grant_maps++;
        if (done)
            done->done_maps++;
    } else if (e->kind == XM_EV_GRANT_UNMAP) {
        owner->grant_unmaps++;
        if (done)
            done->done_unmaps++;
    } else {
        pages = pages_of(e);
        owner->page_transfers += pages;
        if (done)
            done->done_transfers += pages;
    }
    if (v)
        v->io += pages;
    return true;
}

static bool copied(struct xm_account *a, const struct xm_event *e, uint32_t p)
{
    struct vcpu *v = NULL;
    struct xm_domain_row *done = doer(a, p, &v);
    if (done)
        done->done_copies += e->word[0];
    return true;
}

static bool take(struct xm_account *a, const struct xm_event *e, uint32_t p, uint64_t now)
{
    switch ((enum xm_event_kind)e->kind) {
    case XM_EV_RUNSTATE:
        return runstate(a, e, p, now);
    case XM_EV_CONTINUE:
        return continues(a, e, p, now);
    case XM_EV_SWITCH:
    case XM_EV_WAKE:
    case XM_EV_SLEEP:
    case XM_EV_BLOCK:
        return xm_switch_event(a, e, p, now);
    case XM_EV_INFPREV:
        return infprev(a, e, p, now);
    case XM_EV_INFNEXT:
        return infnext(a, e, p, now);
    case XM_EV_YIELD:
        return yield(a, e);
    case XM_EV_SCHED_ADD:
    case XM_EV_DOM_ADD:
        return xm_domain_added(a, e->word[0], now, e->kind == XM_EV_SCHED_ADD);
    case XM_EV_SCHED_REM:
    case XM_EV_DOM_REM:
        xm_domain_removed(a, e->word[0], now, e->kind == XM_EV_SCHED_REM);
        return true;
    case XM_EV_GRANT_MAP:
    case XM_EV_GRANT_UNMAP:
    case XM_EV_TRANSFER:
        return exchanged(a, e, p);
    case XM_EV_GRANT_COPIES:
        return copied(a, e, p);
    case XM_EV_GAP_OPEN:
        xm_gap_open(a, p, now);
        return true;
    case XM_EV_GAP_CLOSE:
        xm_gap_close(a, p, e, now);
        return true;
    case XM_EV_NONE:
    case XM_EV_KINDS:
        break;
    }
    return true;
}

enum xm_status xm_account_events(struct xm_account *a, const struct xm_event *events, size_t count, size_t *used,
                                 struct xm_capacity *want)
{
    for (size_t i = 0; i < count; i++) {
        const struct xm_event *e = &events[i];
        uint64_t now = e->tsc.v;
        if (XM_UNLIKELY(now < a->now)) {
            /* A gap may begin before the trace does: its first drop can be older than any record. */
            if (e->kind != XM_EV_GAP_OPEN)
                a->anomaly[XM_ANOMALY_TIME]++;
            now = a->now;
        }
        uint32_t p = xm_find_pcpu(a, e->cpu);
        bool done = p != NOBODY ? take(a, e, p, now) : !xm_table_full(a);
        if (XM_UNLIKELY(!done)) {
            *used = i;
            *want = a->want;
            a->want = a->capacity;
            return XM_FULL;
        }
        a->now = now;
    }
    *used = count;
    return XM_OK;
}

uint64_t xm_account_anomalies(const struct xm_account *a, enum xm_anomaly kind)
{
    return kind < XM_ANOMALIES ? a->anomaly[kind] : 0;
}
