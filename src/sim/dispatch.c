/* SPDX-License-Identifier: MIT */
/* A pass through the scheduler, and how vCPUs wake up, work and go to sleep. */
#include "sim/machine_int.h"

#include "base/check.h"
#include "trace/format.h"

#define TRC_SLEEP 0x00028003u
#define TRC_WAKE 0x00028004u
#define TRC_BLOCK 0x00028006u
#define TRC_SWITCH_INFCONT 0x00028011u

static uint64_t now_of(const struct xm_machine *m)
{
    return xm_engine_now(m->engine);
}

/* ---- Work. */

/* From now on, or from when it has been switched to, it works on what is in hand. */
static void go_on(struct xm_machine *m, struct xm_sim_vcpu *v, uint64_t from_ns)
{
    if (xm_sim_is_idle(v))
        return;
    v->from_ns = from_ns;
    xm_alarm_set(m->engine, &v->done, from_ns + v->entry_ns + (v->has_piece ? v->piece_ns : 0));
}

/* It leaves its pCPU: what it has done by now is done. */
static void stop_work(struct xm_machine *m, struct xm_sim_vcpu *v)
{
    uint64_t worked = now_of(m) > v->from_ns ? now_of(m) - v->from_ns : 0;
    xm_alarm_cancel(m->engine, &v->done);
    if (worked < v->entry_ns)
        return; /* it is begun anew next time, for caches will be cold again */
    worked -= v->entry_ns;
    v->piece_ns -= worked < v->piece_ns ? worked : v->piece_ns;
}

static void next_piece(struct xm_machine *m, struct xm_sim_vcpu *v)
{
    v->piece_ns = v->domain->ops->work(v->domain->guest, v);
    v->has_piece = v->piece_ns > 0;
    v->entry_ns = 0;
    if (v->has_piece) {
        go_on(m, v, now_of(m));
        return;
    }
    v->blocking = true;
    xm_sim_record_vcpu(m, v->cpu, TRC_BLOCK, v);
    xm_machine_tickle(m, v->cpu);
}

void xm_sim_piece_rings(void *vcpu)
{
    struct xm_sim_vcpu *v = vcpu;
    struct xm_machine *m = v->domain->machine;
    m->at = v->cpu;
    if (v->has_piece) {
        v->has_piece = false;
        v->domain->ops->done(v->domain->guest, v);
    }
    next_piece(m, v);
}

/* ---- A pass. */

/* Whether it does not run even where it has something to do. */
static bool is_held(const struct xm_sim_vcpu *v)
{
    return v->unplugged || v->parked || v->domain->paused;
}

static enum xm_runstate leaves_as(const struct xm_sim_vcpu *v)
{
    if (is_held(v))
        return v->blocking ? XM_BLOCKED : XM_OFFLINE; /* blocked dominates */
    return v->blocking ? XM_BLOCKED : XM_RUNNABLE;
}

static uint32_t low(uint64_t ns)
{
    return (uint32_t)ns;
}

static uint32_t slice_word(uint64_t slice_ns)
{
    return slice_ns == XM_SIM_NEVER ? UINT32_MAX : low(slice_ns);
}

static void keep(struct xm_machine *m, struct xm_sim_cpu *c, uint64_t slice_ns)
{
    struct xm_sim_vcpu *v = c->current;
    const uint32_t word[] = {v->domain->domid, v->number, low(now_of(m) - v->entered_ns), slice_word(slice_ns)};
    xm_sim_record(m, c->number, TRC_SWITCH_INFCONT, 4, word);
    xm_sim_record_vcpu(m, c->number, XM_TRC_CONTINUE, v);
    v->truth.seen |= !xm_sim_is_idle(v) && (m->events & 0x21000u) == 0x21000u;
}

static void switch_to(struct xm_machine *m, struct xm_sim_cpu *c, struct xm_sim_vcpu *next, uint64_t slice_ns)
{
    struct xm_sim_vcpu *prev = c->current;
    uint64_t now = now_of(m);
    const uint32_t infprev[] = {prev->domain->domid, prev->number, low(now - prev->entered_ns)};
    /* Since Xen 4.13 what is called a wait is the time since it was last switched from. */
    const uint32_t infnext[] = {next->domain->domid, next->number, low(now - next->left_ns), slice_word(slice_ns)};
    const uint32_t both[] = {prev->domain->domid, prev->number, next->domain->domid, next->number};
    XM_ASSERT(next->state == XM_RUNNABLE);
    if (!xm_sim_is_idle(prev))
        stop_work(m, prev);
    xm_sim_after(m, c->number, next->stamp); /* who is woken on another pCPU is known here only then */
    xm_sim_record(m, c->number, XM_TRC_SWITCH_INFPREV, 3, infprev);
    xm_sim_record(m, c->number, XM_TRC_SWITCH_INFNEXT, 4, infnext);
    xm_sim_record(m, c->number, XM_TRC_SWITCH, 4, both);
    enum xm_runstate as = xm_sim_is_idle(prev) ? XM_RUNNABLE : leaves_as(prev);
    uint64_t left = xm_sim_runstate(m, c->number, prev, as);
    prev->left_ns = now;
    c->current = next;
    if (next->truth.executions++ && next->cpu != c->number)
        next->truth.migrations++;
    next->truth.slices++;
    next->truth.slice_sum_ns += slice_word(slice_ns);
    next->cpu = c->number;
    next->entered_ns = now;
    uint64_t came = xm_sim_runstate(m, c->number, next, XM_RUNNING);
    xm_sim_switched(c, xm_sim_is_idle(prev), left, came);
    next->entry_ns = next->domain->entry_ns;
    c->switching_ns = now + m->switch_ns;
    go_on(m, next, c->switching_ns);
}

static void pass(struct xm_machine *m, struct xm_sim_cpu *c)
{
    m->at = c->number;
    struct xm_sched_choice choice = m->ops->schedule(m->sched, c->number);
    struct xm_sim_vcpu *next = choice.next ? choice.next : &c->idle;
    uint64_t now = now_of(m);
    uint64_t end = choice.slice_ns < XM_SIM_NEVER - now ? now + choice.slice_ns : XM_SIM_NEVER;
    xm_alarm_set(m->engine, &c->slice, end);
    next->lastschd_ns = now;
    if (next == c->current)
        keep(m, c, choice.slice_ns);
    else
        switch_to(m, c, next, choice.slice_ns);
}

static struct xm_sim_cpu *next_tickled(struct xm_machine *m)
{
    unsigned number = (unsigned)__builtin_ctzll(m->tickled);
    m->tickled &= m->tickled - 1;
    return &m->cpu[number];
}

void xm_sim_settle(struct xm_machine *m)
{
    while (m->tickled) {
        struct xm_sim_cpu *c = next_tickled(m);
        /* Else its records would run ahead of time by a switch for each of them. */
        if (now_of(m) < c->switching_ns)
            xm_alarm_set(m->engine, &c->switched, c->switching_ns);
        else
            pass(m, c);
    }
}

void xm_sim_settle_now(struct xm_machine *m)
{
    while (m->tickled)
        pass(m, next_tickled(m));
}

void xm_sim_slice_rings(void *cpu)
{
    struct xm_sim_cpu *c = cpu;
    xm_machine_tickle(c->machine, c->number);
}

void xm_machine_tickle(struct xm_machine *m, uint32_t cpu)
{
    m->tickled |= UINT64_C(1) << cpu;
}

/* ---- Waking up and going to sleep. */

void xm_sim_wake(struct xm_machine *m, struct xm_sim_vcpu *v)
{
    xm_sim_record_vcpu(m, m->at, TRC_WAKE, v);
    if (v->state != XM_BLOCKED && v->state != XM_OFFLINE)
        return;
    v->blocking = false;
    if (is_held(v)) {
        if (v->state == XM_BLOCKED)
            (void)xm_sim_runstate(m, m->at, v, XM_OFFLINE);
        return;
    }
    (void)xm_sim_runstate(m, m->at, v, XM_RUNNABLE);
    m->ops->wake(m->sched, v);
}

void xm_sim_sleep(struct xm_machine *m, struct xm_sim_vcpu *v)
{
    xm_sim_record_vcpu(m, m->at, TRC_SLEEP, v);
    if (v->state == XM_RUNNING) {
        xm_machine_tickle(m, v->cpu);
    } else if (v->state == XM_RUNNABLE) {
        m->ops->sleep(m->sched, v);
        (void)xm_sim_runstate(m, m->at, v, XM_OFFLINE);
    }
}

void xm_machine_park(struct xm_machine *m, struct xm_sim_vcpu *v)
{
    v->parked = true;
    if (v->state == XM_RUNNABLE)
        (void)xm_sim_runstate(m, m->at, v, XM_OFFLINE);
}

bool xm_machine_unpark(struct xm_machine *m, struct xm_sim_vcpu *v)
{
    v->parked = false;
    if (v->state != XM_OFFLINE || is_held(v))
        return false;
    (void)xm_sim_runstate(m, m->at, v, XM_RUNNABLE);
    return true;
}

void xm_machine_notify(struct xm_machine *m, struct xm_sim_vcpu *v)
{
    if (v->state == XM_BLOCKED)
        xm_sim_wake(m, v);
    else
        v->blocking = false; /* an event that is pending is looked at before it blocks */
}
