/* SPDX-License-Identifier: MIT */
#include "sim/machine_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "trace/format.h"

#define TRC_SCHED_DOM_ADD 0x00028001u
#define TRC_SCHED_DOM_REM 0x00028002u

/* ---- The machine. */

static void begin_vcpu(struct xm_sim_vcpu *v, struct xm_sim_domain *d, uint16_t number, uint64_t start)
{
    *v = (struct xm_sim_vcpu){.domain = d, .number = number, .state = XM_OFFLINE, .cause = XM_TRUTH_OTHER,
                              .truth.since = start, .stamp = start};
    xm_alarm_init(&v->done, XM_ALARM_GUEST, xm_sim_piece_rings, v);
}

static void begin_cpu(struct xm_machine *m, uint32_t number)
{
    struct xm_sim_cpu *c = &m->cpu[number];
    c->machine = m;
    c->number = number;
    begin_vcpu(&c->idle, &m->idle, (uint16_t)number, XM_SIM_TSC_START);
    c->idle.state = XM_RUNNING;
    c->idle.cpu = number;
    c->current = &c->idle;
    c->stamp = c->truth.since = XM_SIM_TSC_START;
    xm_alarm_init(&c->slice, XM_ALARM_XEN, xm_sim_slice_rings, c);
    xm_alarm_init(&c->switched, XM_ALARM_XEN, xm_sim_slice_rings, c);
}

enum xm_status xm_machine_create(const struct xm_machine_config *config, struct xm_machine **machine, struct xm_error *err)
{
    *machine = NULL;
    if (config->cpus == 0 || config->cpus > XM_SIM_CPUS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a simulated host has 1 to %u pCPUs, not %u", XM_SIM_CPUS,
                       config->cpus);
    if (config->hz < 1000000 || config->hz > UINT64_C(1) << 40)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a clock of %llu Hz", (unsigned long long)config->hz);
    struct xm_machine *m = calloc(1, sizeof *m);
    if (m)
        m->engine = xm_engine_create();
    if (m && m->engine)
        m->past = calloc(XM_DOMID_FIRST_RESERVED, sizeof *m->past);
    if (!m || !m->past) {
        if (m)
            xm_engine_destroy(m->engine);
        free(m);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    m->ops = config->sched;
    m->sink = config->sink;
    m->hz = config->hz;
    m->switch_ns = config->switch_ns;
    m->switch_cycles = xm_machine_tsc(m, config->switch_ns).v - XM_SIM_TSC_START;
    m->events = config->events;
    m->batch_transfers = config->batch_transfers;
    m->cpus = config->cpus;
    m->last = &m->first;
    m->idle = (struct xm_sim_domain){.machine = m, .domid = XM_DOMID_IDLE, .name = "idle"};
    for (uint32_t i = 0; i < m->cpus; i++)
        begin_cpu(m, i);
    enum xm_status status = m->ops->create(m, &config->params, &m->sched, err);
    if (status != XM_OK) {
        xm_engine_destroy(m->engine);
        free(m->past);
        free(m);
        return status;
    }
    *machine = m;
    return XM_OK;
}

static void free_domain(struct xm_sim_domain *d)
{
    for (uint32_t i = 0; d->vcpu && i < d->vcpus; i++)
        free(d->vcpu[i].sched);
    free(d->vcpu);
    free(d->sched);
    free(d);
}

void xm_machine_destroy(struct xm_machine *m)
{
    if (!m)
        return;
    m->ops->destroy(m->sched);
    xm_engine_destroy(m->engine);
    for (struct xm_sim_domain *d = m->first, *next; d; d = next) {
        next = d->next;
        free_domain(d);
    }
    free(m->past);
    free(m);
}

enum xm_status xm_machine_run(struct xm_machine *m, uint64_t until_ns)
{
    xm_sim_settle(m);
    while (xm_engine_step(m->engine, until_ns))
        xm_sim_settle(m);
    return xm_engine_status(m->engine);
}

/* ---- Domains. */

static bool make_room(struct xm_machine *m, struct xm_sim_domain *d)
{
    d->vcpu = calloc(d->vcpus, sizeof *d->vcpu);
    d->sched = calloc(1, m->ops->domain_bytes ? m->ops->domain_bytes : 1);
    if (!d->vcpu || !d->sched)
        return false;
    for (uint32_t i = 0; i < d->vcpus; i++) {
        begin_vcpu(&d->vcpu[i], d, (uint16_t)i, XM_SIM_TSC_START);
        d->vcpu[i].sched = calloc(1, m->ops->vcpu_bytes ? m->ops->vcpu_bytes : 1);
        if (!d->vcpu[i].sched)
            return false;
    }
    return true;
}

static enum xm_status check(const struct xm_machine *m, const struct xm_domain_config *c, struct xm_error *err)
{
    if (c->domid >= XM_DOMID_FIRST_RESERVED || c->domid == XM_DOMID_IDLE)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "no domain can have the id %u", c->domid);
    if (c->vcpus == 0 || c->vcpus > XM_SIM_VCPUS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "domain %u: 1 to %u vCPUs, not %u", c->domid, XM_SIM_VCPUS, c->vcpus);
    for (const struct xm_sim_domain *d = m->first; d; d = d->next)
        if (d->domid == c->domid && !d->ended)
            return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "there is a domain %u already", c->domid);
    return XM_OK;
}

static uint64_t every_cpu(const struct xm_machine *m)
{
    return m->cpus < 64 ? (UINT64_C(1) << m->cpus) - 1 : UINT64_MAX;
}

static uint64_t allowed_of(const struct xm_machine *m, uint64_t allowed)
{
    allowed &= every_cpu(m);
    return allowed ? allowed : every_cpu(m);
}

enum xm_status xm_machine_add(struct xm_machine *m, const struct xm_domain_config *c, struct xm_sim_domain **domain,
                              struct xm_error *err)
{
    enum xm_status status = check(m, c, err);
    if (status != XM_OK)
        return status;
    struct xm_sim_past *past = &m->past[c->domid];
    struct xm_sim_domain *d = calloc(1, sizeof *d);
    if (!d)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    *d = (struct xm_sim_domain){.machine = m, .domid = c->domid, .instance = past->domains, .share = c->share,
                                .entry_ns = c->entry_ns, .ops = c->ops, .guest = c->guest, .vcpus = c->vcpus, .paused = true};
    snprintf(d->name, sizeof d->name, "%s", c->name ? c->name : "");
    if (!make_room(m, d)) {
        free_domain(d);
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    }
    *m->last = d;
    m->last = &d->next;
    past->domains++;
    const uint32_t word = d->domid;
    if (past->gone)
        xm_sim_after(m, m->at, past->gone); /* an id is free once its end is written, on whatever pCPU that was */
    if (!c->before) {
        xm_sim_record(m, m->at, XM_TRC_DOM_ADD, 1, &word);
        xm_sim_record(m, m->at, TRC_SCHED_DOM_ADD, 1, &word);
    }
    d->born = m->cpu[m->at].stamp; /* whatever it does, or is done to it, comes after that, on any pCPU */
    for (uint32_t i = 0; i < d->vcpus; i++) {
        struct xm_sim_vcpu *v = &d->vcpu[i];
        v->allowed = allowed_of(m, c->allowed);
        v->stamp = d->born;
        m->ops->add(m->sched, v);
    }
    *domain = d;
    if (!c->paused)
        xm_machine_pause(m, d, false);
    return XM_OK;
}

void xm_machine_pause(struct xm_machine *m, struct xm_sim_domain *d, bool paused)
{
    if (d->ended || d->paused == paused)
        return;
    d->paused = paused;
    for (uint32_t i = 0; i < d->vcpus; i++) {
        struct xm_sim_vcpu *v = &d->vcpu[i];
        if (paused)
            xm_sim_sleep(m, v);
        else if (v->state == XM_OFFLINE && !v->unplugged)
            xm_sim_wake(m, v);
    }
    xm_sim_settle(m);
}

void xm_machine_plug(struct xm_machine *m, struct xm_sim_vcpu *v, bool plugged)
{
    if (v->domain->ended || v->unplugged == !plugged)
        return;
    v->unplugged = !plugged;
    if (!plugged)
        xm_sim_sleep(m, v);
    else if (v->state == XM_OFFLINE && !v->domain->paused)
        xm_sim_wake(m, v);
    xm_sim_settle(m);
}

void xm_machine_pin(struct xm_machine *m, struct xm_sim_vcpu *v, uint64_t allowed)
{
    if (v->domain->ended)
        return;
    v->allowed = allowed_of(m, allowed);
    if (v->state == XM_RUNNABLE) {
        m->ops->sleep(m->sched, v);
        m->ops->wake(m->sched, v);
    } else if (v->state == XM_RUNNING && !xm_vcpu_may_run(v, v->cpu)) {
        xm_machine_tickle(m, v->cpu);
    }
    xm_sim_settle(m);
}

void xm_machine_adjust(struct xm_machine *m, struct xm_sim_domain *d, const struct xm_sched_share *share)
{
    d->share = *share;
    if (!d->ended && m->ops->adjust)
        m->ops->adjust(m->sched, d);
    xm_sim_settle(m);
}

void xm_machine_remove(struct xm_machine *m, struct xm_sim_domain *d)
{
    const uint32_t word = d->domid;
    if (d->ended)
        return;
    xm_machine_pause(m, d, true);
    for (uint32_t i = 0; i < d->vcpus; i++)
        if (d->vcpu[i].state == XM_RUNNING)
            xm_machine_tickle(m, d->vcpu[i].cpu);
    xm_sim_settle_now(m);
    for (uint32_t i = 0; i < d->vcpus; i++) {
        struct xm_sim_vcpu *v = &d->vcpu[i];
        XM_ASSERT(v->state == XM_BLOCKED || v->state == XM_OFFLINE);
        xm_alarm_cancel(m->engine, &v->done);
        m->ops->remove(m->sched, v);
        xm_sim_after(m, m->at, v->stamp); /* its end is after its last record, on whatever pCPU that was */
    }
    xm_sim_record(m, m->at, XM_TRC_DOM_REM, 1, &word);
    xm_sim_record(m, m->at, TRC_SCHED_DOM_REM, 1, &word);
    d->ended = true;
    d->gone = m->past[d->domid].gone = m->cpu[m->at].stamp;
    m->dead++;
    for (uint32_t i = 0; i < d->vcpus; i++) {
        struct xm_sim_vcpu *v = &d->vcpu[i];
        /* What is no more counts as offline (law 8); no record says so. */
        v->truth.in_state[v->state] += d->gone - v->truth.since;
        v->truth.since = d->gone;
        v->state = XM_OFFLINE;
    }
}

void xm_machine_forget(struct xm_machine *m, uint32_t keep)
{
    struct xm_sim_domain **link = &m->first;
    while (m->dead > keep) {
        struct xm_sim_domain *d = *link;
        if (!d->ended) {
            link = &d->next;
            continue;
        }
        *link = d->next;
        if (m->last == &d->next)
            m->last = link;
        free_domain(d);
        m->dead--;
    }
}

/* ---- What others ask. */

struct xm_engine *xm_machine_engine(const struct xm_machine *m)
{
    return m->engine;
}

uint64_t xm_machine_now(const struct xm_machine *m)
{
    return xm_engine_now(m->engine);
}

uint32_t xm_machine_cpus(const struct xm_machine *m)
{
    return m->cpus;
}

void xm_machine_interrupt(struct xm_machine *m, uint32_t cpu)
{
    m->at = cpu < m->cpus ? cpu : 0;
}

struct xm_sim_vcpu *xm_machine_current(const struct xm_machine *m, uint32_t cpu)
{
    struct xm_sim_vcpu *v = m->cpu[cpu].current;
    return xm_sim_is_idle(v) ? NULL : v;
}

uint64_t xm_machine_slice_end(const struct xm_machine *m, uint32_t cpu)
{
    const struct xm_alarm *slice = &m->cpu[cpu].slice;
    return xm_alarm_is_set(slice) ? slice->when_ns : XM_SIM_NEVER;
}

void xm_machine_end_slice(struct xm_machine *m, uint32_t cpu, uint64_t when_ns)
{
    uint64_t now = xm_machine_now(m);
    xm_alarm_set(m->engine, &m->cpu[cpu].slice, when_ns > now ? when_ns : now);
}

struct xm_sim_domain *xm_machine_domains(const struct xm_machine *m)
{
    return m->first;
}

xm_cycles xm_machine_ended(const struct xm_machine *m, uint16_t domid)
{
    return xm_cycles_of(domid < XM_DOMID_FIRST_RESERVED ? m->past[domid].gone : 0);
}

uint64_t xm_machine_records(const struct xm_machine *m)
{
    return m->records;
}
