/* SPDX-License-Identifier: MIT */
/* The way out: every row as of one instant, without touching the account's own counters. */
#include <string.h>

#include "account/account_int.h"
#include "base/check.h"

static void vcpu_row(const struct xm_account *a, const struct vcpu *v, uint64_t now, struct xm_vcpu_row *row)
{
    *row = v->row;
    uint64_t open = now - v->settled;
    (&row->running)[v->state] += open;
    if (v->state == XM_RUNNABLE)
        *(v->cause == WAIT_WAKE ? &row->wait_wake : v->cause == WAIT_PREEMPT ? &row->wait_preempt : &row->wait_other) +=
            open;
    row->state = v->state;
    if (v->state == STATE_UNKNOWN && v->assumed != STATE_UNKNOWN)
        row->state |= 16u | (uint64_t)v->assumed << 8;
    uint32_t p = v->on != NOBODY ? v->on : v->last_on;
    row->pcpu = p == NOBODY ? 0 : xm_row_domid(a->pcpu[p].row.id) + 1;
}

/* Adds a vCPU's counters to its domain's; peaks are the largest, troughs the smallest. */
static void add_to_domain(struct xm_domain_row *d, const struct xm_vcpu_row *v)
{
    d->running += v->running;
    d->runnable += v->runnable;
    d->blocked += v->blocked;
    d->offline += v->offline;
    d->unknown += v->unknown;
    d->late_running += v->late_running;
    d->late_runnable += v->late_runnable;
    d->late_blocked += v->late_blocked;
    d->late_offline += v->late_offline;
    d->wait_wake += v->wait_wake;
    d->wait_preempt += v->wait_preempt;
    d->wait_other += v->wait_other;
    d->executions += v->executions;
    d->migrations += v->migrations;
    d->preemptions += v->preemptions;
    d->yields += v->yields;
    d->slices += v->slices;
    d->slice_sum += v->slice_sum;
    if (v->slice_min < d->slice_min)
        d->slice_min = v->slice_min;
    if (v->slice_max > d->slice_max)
        d->slice_max = v->slice_max;
    if (v->wait_max > d->wait_max)
        d->wait_max = v->wait_max;
}

static void sample_domains(const struct xm_account *a, uint64_t now, struct xm_sample *s)
{
    for (uint32_t i = 0; i < a->used.domains; i++) {
        const struct domain *d = &a->domain[i];
        struct xm_domain_row *row = &s->domain[i];
        *row = d->row;
        if (row->id && d->waiting)
            row->wait_any += now - d->any_settled;
    }
}

static void pcpu_row(struct xm_account *a, struct pcpu *p, uint64_t now, struct xm_pcpu_row *row)
{
    if (p->occupant == OCC_UNKNOWN) {
        /* Not settled: switch.c may still tell of the time before. */
        *row = p->row;
        row->unknown += now - p->settled;
    } else {
        /* The pair's counter moves along with the pCPU's, so here settling itself is what is wanted. */
        xm_pcpu_settle(a, p, now);
        *row = p->row;
    }
    if (p->gap)
        row->gap += now - p->gap_since;
    if (p->occupant == OCC_VCPU)
        row->current = (a->vcpu[p->vcpu].row.id & 0xffffffffu) | XM_ROW_USED;
    else if (p->occupant == OCC_IDLE)
        row->current = XM_DOMID_IDLE | XM_ROW_USED | (uint64_t)xm_row_domid(p->row.id) << 16;
}

static void sample_host(const struct xm_account *a, uint64_t now, struct xm_host_row *host)
{
    host->tsc = now;
    host->window = now - a->start;
    host->gap = a->gap + (a->gaps_open ? now - a->gap_since : 0);
    host->anomalies = 0;
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        host->anomalies += a->anomaly[i];
    host->refused = a->refused;
}

/* Law 2, checked whenever anybody looks. */
static void check_conservation(const struct xm_sample *s)
{
    uint64_t window = s->host.window;
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        const struct xm_vcpu_row *v = &s->vcpu[i];
        if (!v->id)
            continue;
        XM_ASSERT(v->running + v->runnable + v->blocked + v->offline + v->unknown == window);
        XM_ASSERT(v->wait_wake + v->wait_preempt + v->wait_other == v->runnable);
        XM_ASSERT(v->late_running + v->late_runnable + v->late_blocked + v->late_offline <= v->unknown);
    }
    for (uint32_t i = 0; i < s->used.pcpus; i++) {
        const struct xm_pcpu_row *p = &s->pcpu[i];
        XM_ASSERT(p->busy + p->idle + p->switching + p->unknown == window);
        XM_ASSERT(p->late_busy + p->late_idle + p->late_switching <= p->unknown);
    }
}

static void new_interval(struct xm_account *a)
{
    for (uint32_t i = 0; i < a->used.vcpus; i++) {
        a->vcpu[i].row.slice_min = UINT64_MAX;
        a->vcpu[i].row.slice_max = 0;
        a->vcpu[i].row.wait_max = 0;
    }
}

void xm_account_sample(struct xm_account *a, xm_cycles at, bool end_interval, struct xm_sample *s)
{
    uint64_t now = at.v < a->now ? a->now : at.v;
    XM_ASSERT(s->capacity.vcpus >= a->used.vcpus && s->capacity.domains >= a->used.domains &&
              s->capacity.pcpus >= a->used.pcpus);
    a->now = a->sampled = now;
    struct xm_capacity was = s->used;
    s->used = a->used;
    sample_host(a, now, &s->host);
    sample_domains(a, now, s);
    for (uint32_t i = 0; i < a->used.vcpus; i++) {
        const struct vcpu *v = &a->vcpu[i];
        s->vcpu_domain[i] = v->domain;
        if (v->row.id) {
            vcpu_row(a, v, now, &s->vcpu[i]);
            add_to_domain(&s->domain[v->domain], &s->vcpu[i]);
        } else {
            memset(&s->vcpu[i], 0, sizeof s->vcpu[i]);
        }
    }
    for (uint32_t i = 0; i < a->used.pcpus; i++)
        pcpu_row(a, &a->pcpu[i], now, &s->pcpu[i]);
    for (uint32_t d = 0; d < a->used.domains; d++)
        memcpy(&s->pair[(size_t)d * s->capacity.pcpus], xm_pair(a, d, 0), a->used.pcpus * sizeof *s->pair);
    /* Rows of the sample before that are no longer in use. */
    for (uint32_t i = a->used.vcpus; i < was.vcpus; i++)
        memset(&s->vcpu[i], 0, sizeof s->vcpu[i]);
    for (uint32_t i = a->used.domains; i < was.domains; i++)
        memset(&s->domain[i], 0, sizeof s->domain[i]);
    check_conservation(s);
    if (end_interval)
        new_interval(a);
}

void xm_account_total(struct xm_sample *s)
{
    for (uint32_t i = 0; i < s->used.vcpus; i++) {
        struct xm_vcpu_row *v = &s->vcpu[i];
        v->running += v->late_running;
        v->runnable += v->late_runnable;
        v->wait_other += v->late_runnable; /* its beginning was not seen: law 6 */
        v->blocked += v->late_blocked;
        v->offline += v->late_offline;
        v->unknown -= v->late_running + v->late_runnable + v->late_blocked + v->late_offline;
        v->late_running = v->late_runnable = v->late_blocked = v->late_offline = 0;
    }
    for (uint32_t i = 0; i < s->used.domains; i++) {
        struct xm_domain_row *d = &s->domain[i];
        d->running += d->late_running;
        d->runnable += d->late_runnable;
        d->wait_other += d->late_runnable;
        d->blocked += d->late_blocked;
        d->offline += d->late_offline;
        d->unknown -= d->late_running + d->late_runnable + d->late_blocked + d->late_offline;
        d->late_running = d->late_runnable = d->late_blocked = d->late_offline = 0;
    }
    for (uint32_t i = 0; i < s->used.pcpus; i++) {
        struct xm_pcpu_row *p = &s->pcpu[i];
        p->busy += p->late_busy;
        p->idle += p->late_idle;
        p->switching += p->late_switching;
        p->unknown -= p->late_busy + p->late_idle + p->late_switching;
        p->late_busy = p->late_idle = p->late_switching = 0;
    }
}
