/* SPDX-License-Identifier: MIT */
/*
 * Round robin: one queue for all, everybody's turn is as long.  The simplest scheduler there is, to begin
 * a new one from.
 */
#include <stdlib.h>

#include "sim/cpus.h"
#include "sim/machine.h"
#include "sim/queue.h"

#define SLICE_NS UINT64_C(10000000)

struct rr {
    struct xm_machine *machine;
    uint64_t slice_ns;
    uint64_t idle; /* pCPUs, see sim/cpus.h */
    struct xm_link queue;
};

static struct xm_link *link_of(const struct xm_sim_vcpu *v)
{
    return v->sched;
}

static enum xm_status create(struct xm_machine *m, const struct xm_sched_params *params, void **self,
                             struct xm_error *err)
{
    struct rr *rr = calloc(1, sizeof *rr);
    if (!rr)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    rr->machine = m;
    rr->slice_ns = params->slice_ns ? params->slice_ns : SLICE_NS;
    rr->idle = UINT64_MAX >> (XM_SIM_CPUS - xm_machine_cpus(m));
    xm_queue_init(&rr->queue);
    *self = rr;
    return XM_OK;
}

static void add(void *self, struct xm_sim_vcpu *v)
{
    const struct rr *rr = self;
    link_of(v)->vcpu = v;
    v->cpu = (uint32_t)(v->domain->domid + v->number) % xm_machine_cpus(rr->machine);
}

static void take_out(void *self, struct xm_sim_vcpu *v)
{
    (void)self;
    xm_link_take(link_of(v));
}

static void wake(void *self, struct xm_sim_vcpu *v)
{
    struct rr *rr = self;
    xm_link_put(link_of(v), &rr->queue);
    (void)xm_idle_offer(rr->machine, &rr->idle, v, v->cpu);
}

static struct xm_sched_choice schedule(void *self, uint32_t cpu)
{
    struct rr *rr = self;
    struct xm_sim_vcpu *current = xm_machine_current(rr->machine, cpu);
    rr->idle &= ~xm_cpu_bit(cpu);
    if (current && xm_vcpu_goes_on(current)) {
        xm_link_put(link_of(current), &rr->queue);
        if (!xm_vcpu_may_run(current, cpu))
            (void)xm_idle_offer(rr->machine, &rr->idle, current, cpu);
    }
    for (struct xm_link *l = rr->queue.next; l != &rr->queue; l = l->next)
        if (xm_vcpu_may_run(l->vcpu, cpu)) {
            xm_link_take(l);
            xm_idle_offer_queue(rr->machine, &rr->idle, &rr->queue);
            return (struct xm_sched_choice){l->vcpu, rr->slice_ns};
        }
    rr->idle |= xm_cpu_bit(cpu);
    return (struct xm_sched_choice){NULL, XM_SIM_NEVER};
}

const struct xm_sched_ops xm_sched_rr = {.name = "rr",
                                         .vcpu_bytes = sizeof(struct xm_link),
                                         .create = create,
                                         .destroy = free,
                                         .add = add,
                                         .remove = take_out,
                                         .wake = wake,
                                         .sleep = take_out,
                                         .schedule = schedule};
