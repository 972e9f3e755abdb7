/* SPDX-License-Identifier: MIT */
/*
 * Borrowed virtual time as Xen had it in October 2005 (doc/simulation.md, "BVT").
 *
 * Each pCPU has a queue of runnable vCPUs, the running one among them.  Virtual time (avt) advances by the
 * domain's mcu_advance for each minimum charging unit of 100 us, begun ones counted whole; who has the least
 * effective virtual time (evt) runs.  Three peculiarities of that code are kept, each of which can be
 * switched off: the rounding (params.mcu_ns), the context switch allowance (params.ctx_allow_ns), and a slip
 * of units: what the next but one is ahead by is counted in MCUs, and added to nanoseconds
 * (params.fix_slip).  Virtual times are 32 bits, as there.
 *
 * Warping is left out: the paper does not use it.
 */
#include <stdlib.h>

#include "sim/cpus.h"
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
    uint32_t home; /* the pCPU that it is queued on */
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
    uint32_t vcpus[XM_SIM_CPUS]; /* that are at home there */
};

static struct bvt_vcpu *of(const struct xm_sim_vcpu *v)
{
    return v->sched;
}

static uint32_t advance_of(const struct xm_sim_vcpu *v)
{
    return v->domain->share.mcu_advance ? v->domain->share.mcu_advance : MCU_ADVANCE;
}

static enum xm_status create(struct xm_machine *m, const struct xm_sched_params *params, void **self,
                             struct xm_error *err)
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

/* The pCPU with the fewest vCPUs.  Nothing moves one later but a change of what it may run on. */
static void settle_down(struct bvt *b, struct xm_sim_vcpu *v)
{
    of(v)->home = xm_cpu_fewest(v->allowed, b->vcpus);
    b->vcpus[of(v)->home]++;
}

static void add(void *self, struct xm_sim_vcpu *v)
{
    struct bvt *b = self;
    of(v)->link.vcpu = v;
    settle_down(b, v);
    v->cpu = of(v)->home;
    of(v)->avt = of(v)->evt = b->cpu[v->cpu].svt;
}

static void remove_vcpu(void *self, struct xm_sim_vcpu *v)
{
    struct bvt *b = self;
    xm_link_take(&of(v)->link);
    b->vcpus[of(v)->home]--;
}

static void sleep_vcpu(void *self, struct xm_sim_vcpu *v)
{
    (void)self;
    xm_link_take(&of(v)->link);
}

static void wake(void *self, struct xm_sim_vcpu *v)
{
    struct bvt *b = self;
    if (xm_link_is_queued(&of(v)->link))
        return;
    bool moves = !xm_vcpu_may_run(v, of(v)->home);
    if (moves) {
        b->vcpus[of(v)->home]--;
        settle_down(b, v);
    }
    uint32_t home = of(v)->home;
    struct bvt_cpu *c = &b->cpu[home];
    xm_link_put(&of(v)->link, c->queue.next);
    if (of(v)->avt < c->svt || moves)
        of(v)->avt = c->svt;
    of(v)->evt = of(v)->avt;
    const struct xm_sim_vcpu *current = xm_machine_current(b->machine, home);
    uint32_t current_evt = current ? charged(b, current) : UINT32_MAX;
    if (!current || of(v)->evt <= current_evt) {
        xm_machine_tickle(b->machine, home);
        return;
    }
    uint64_t due = current->lastschd_ns + run_time(b, current, of(v)->evt - current_evt);
    if (due < xm_machine_slice_end(b->machine, home))
        xm_machine_end_slice(b->machine, home, due);
}

/*
 * All that are at home here, the blocked ones too: one that was left where it is would be ahead of all
 * others for hours. One that lags so far that it wraps around is, and so it is in Xen's code.
 */
static void mind_overflow(struct bvt *b, uint32_t cpu)
{
    if (b->cpu[cpu].svt < OVERFLOW_AT)
        return;
    for (struct xm_sim_domain *d = xm_machine_domains(b->machine); d; d = d->next)
        for (uint32_t i = 0; i < d->vcpus; i++)
            if (of(&d->vcpu[i])->home == cpu) {
                of(&d->vcpu[i])->avt -= OVERFLOW_BY;
                of(&d->vcpu[i])->evt -= OVERFLOW_BY;
            }
    b->cpu[cpu].svt -= OVERFLOW_BY;
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
    mind_overflow(b, cpu);
    uint64_t slice = after ? run_time(b, next, of(after)->evt - of(next)->evt) : 10 * b->ctx_allow_ns;
    return (struct xm_sched_choice){next, slice};
}

const struct xm_sched_ops xm_sched_bvt = {.name = "bvt",
                                          .vcpu_bytes = sizeof(struct bvt_vcpu),
                                          .create = create,
                                          .destroy = free,
                                          .add = add,
                                          .remove = remove_vcpu,
                                          .wake = wake,
                                          .sleep = sleep_vcpu,
                                          .schedule = schedule};
