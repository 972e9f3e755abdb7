/* SPDX-License-Identifier: MIT */
/*
 * Borrowed virtual time as Xen had it in October 2005 (doc/simulation.md, "BVT").
 *
 * Each pCPU has a queue of runnable vCPUs, the running one among them.  Virtual time (avt) advances by the domain's
 * mcu_advance for each minimum charging unit of 100 us, begun ones counted whole; who has the least effective virtual
 * time (evt) runs.  Three peculiarities of that code are kept, each of which can be switched off: the rounding
 * (params.mcu_ns), the context switch allowance (params.ctx_allow_ns), and a slip of units: what the next but one is ahead
 * by is counted in MCUs, and added to nanoseconds (params.fix_slip).  Virtual times are 32 bits, as there.
 *
 * Warping is left out: the paper does not use it.
 */
#include <stdlib.h>

#include "sim/machine.h"
#include "sim/queue.h"

#define MCU_NS UINT64_C(100000)
#define MCU_ADVANCE 10u
#define CTX_ALLOW_NS UINT64_C(5000000)
/* Virtual times are brought back before they overflow. */
#define OVERFLOW_AT UINT32_C(0xf0000000)
#define OVERFLOW_BY UINT32_C(0xe0000000)

struct bvt_vcpu {
    struct xm_link link;
    uint32_t avt, evt;
};

struct bvt_cpu {
    struct xm_link queue;
    uint32_t svt; /* least avt of the queue at the last pass */
};

struct bvt {
    struct xm_machine *machine;
    uint64_t mcu_ns, ctx_allow_ns;
    bool fix_slip;
    struct bvt_cpu cpu[XM_SIM_CPUS];
};

static struct bvt_vcpu *of(const struct xm_sim_vcpu *v)
{
    return v->sched;
}

static uint32_t advance_of(const struct xm_sim_vcpu *v)
{
    return v->domain->share.mcu_advance ? v->domain->share.mcu_advance : MCU_ADVANCE;
}

static enum xm_status create(struct xm_machine *m, const struct xm_sched_params *params, void **self, struct xm_error *err)
{
    struct bvt *b = calloc(1, sizeof *b);
    if (!b)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    b->machine = m;
    b->mcu_ns = params->mcu_ns ? params->mcu_ns : MCU_NS;
    b->ctx_allow_ns = params->ctx_allow_ns ? params->ctx_allow_ns : CTX_ALLOW_NS;
    b->fix_slip = params->fix_slip;
    for (uint32_t i = 0; i < xm_machine_cpus(m); i++)
        xm_queue_init(&b->cpu[i].queue);
    *self = b;
    return XM_OK;
}

/* avt of a vCPU that has run since the last pass. */
static uint32_t charged(const struct bvt *b, const struct xm_sim_vcpu *v)
{
    uint32_t ran = (uint32_t)(xm_machine_now(b->machine) - v->lastschd_ns);
    uint64_t units = (ran + b->mcu_ns - 1) / b->mcu_ns;
    return of(v)->avt + (uint32_t)units * advance_of(v);
}

/* How long one runs before another, further ahead, is due. */
static uint64_t run_time(const struct bvt *b, const struct xm_sim_vcpu *v, uint32_t ahead)
{
    uint64_t units = ahead / advance_of(v);
    return (b->fix_slip ? units * b->mcu_ns : units) + b->ctx_allow_ns;
}

/* The least loaded pCPU that it may run on. */
static uint32_t home_of(const struct bvt *b, const struct xm_sim_vcpu *v)
{
    uint32_t best = XM_SIM_CPUS, least = UINT32_MAX;
    for (uint32_t i = 0; i < xm_machine_cpus(b->machine); i++) {
        uint32_t length = 0;
        for (const struct xm_link *l = b->cpu[i].queue.next; l != &b->cpu[i].queue; l = l->next)
            length++;
        if (xm_vcpu_may_run(v, i) && length < least) {
            best = i;
            least = length;
        }
    }
    return best;
}

static void add(void *self, struct xm_sim_vcpu *v)
{
    struct bvt *b = self;
    of(v)->link.vcpu = v;
    v->cpu = home_of(b, v);
    of(v)->avt = of(v)->evt = b->cpu[v->cpu].svt;
}

static void take_out(void *self, struct xm_sim_vcpu *v)
{
    (void)self;
    xm_link_take(&of(v)->link);
}

static void wake(void *self, struct xm_sim_vcpu *v)
{
    struct bvt *b = self;
    if (xm_link_is_queued(&of(v)->link))
        return;
    if (!xm_vcpu_may_run(v, v->cpu))
        v->cpu = home_of(b, v);
    struct bvt_cpu *c = &b->cpu[v->cpu];
    xm_link_put(&of(v)->link, c->queue.next);
    if (of(v)->avt < c->svt)
        of(v)->avt = c->svt;
    of(v)->evt = of(v)->avt;
    const struct xm_sim_vcpu *current = xm_machine_current(b->machine, v->cpu);
    uint32_t current_evt = current ? charged(b, current) : UINT32_MAX;
    if (!current || of(v)->evt <= current_evt) {
        xm_machine_tickle(b->machine, v->cpu);
        return;
    }
    uint64_t due = current->lastschd_ns + run_time(b, current, of(v)->evt - current_evt);
    if (due < xm_machine_slice_end(b->machine, v->cpu))
        xm_machine_end_slice(b->machine, v->cpu, due);
}

static void mind_overflow(struct bvt_cpu *c)
{
    if (c->svt < OVERFLOW_AT)
        return;
    for (struct xm_link *l = c->queue.next; l != &c->queue; l = l->next) {
        of(l->vcpu)->avt -= OVERFLOW_BY;
        of(l->vcpu)->evt -= OVERFLOW_BY;
    }
    c->svt -= OVERFLOW_BY;
}

/* Who has run goes to the tail where it goes on, else out. */
static void put_back(struct bvt *b, struct bvt_cpu *c, struct xm_sim_vcpu *prev, uint32_t cpu)
{
    of(prev)->avt = of(prev)->evt = charged(b, prev);
    xm_link_take(&of(prev)->link);
    if (!xm_vcpu_goes_on(prev))
        return;
    if (xm_vcpu_may_run(prev, cpu))
        xm_link_put(&of(prev)->link, &c->queue);
    else
        wake(b, prev);
}

static struct xm_sched_choice schedule(void *self, uint32_t cpu)
{
    struct bvt *b = self;
    struct bvt_cpu *c = &b->cpu[cpu];
    struct xm_sim_vcpu *prev = xm_machine_current(b->machine, cpu);
    if (prev)
        put_back(b, c, prev, cpu);
    if (xm_queue_is_empty(&c->queue))
        return (struct xm_sched_choice){NULL, b->ctx_allow_ns};
    struct xm_sim_vcpu *next = NULL, *after = NULL;
    uint32_t least = UINT32_MAX;
    for (const struct xm_link *l = c->queue.next; l != &c->queue; l = l->next) {
        struct xm_sim_vcpu *v = l->vcpu;
        least = of(v)->avt < least ? of(v)->avt : least;
        if (!next || of(v)->evt < of(next)->evt) {
            after = next;
            next = v;
        } else if (!after || of(v)->evt < of(after)->evt) {
            after = v;
        }
    }
    c->svt = least;
    mind_overflow(c);
    uint64_t slice = after ? run_time(b, next, of(after)->evt - of(next)->evt) : 10 * b->ctx_allow_ns;
    return (struct xm_sched_choice){next, slice};
}

const struct xm_sched_ops xm_sched_bvt = {.name = "bvt",
                                          .vcpu_bytes = sizeof(struct bvt_vcpu),
                                          .create = create,
                                          .destroy = free,
                                          .add = add,
                                          .remove = take_out,
                                          .wake = wake,
                                          .sleep = take_out,
                                          .schedule = schedule};
