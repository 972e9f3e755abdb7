/* SPDX-License-Identifier: MIT */
/* Sets of pCPUs, a bit each, for schedulers. */
#ifndef XM_SIM_CPUS_H
#define XM_SIM_CPUS_H

#include "sim/machine.h"
#include "sim/queue.h"

static inline uint64_t xm_cpu_bit(uint32_t cpu)
{
    return UINT64_C(1) << cpu;
}

/* The first of these pCPUs from this one on, around; XM_SIM_CPUS: there is none. */
static inline uint32_t xm_cpu_cycle(uint64_t cpus, uint32_t from)
{
    uint64_t above = cpus >> from << from;
    return cpus ? (uint32_t)__builtin_ctzll(above ? above : cpus) : XM_SIM_CPUS;
}

/*
 * Of the pCPUs allowed the one with the least of what is counted, the first of several.  count:
 * [XM_SIM_CPUS]
 */
static inline uint32_t xm_cpu_fewest(uint64_t allowed, const uint32_t *count)
{
    uint32_t best = XM_SIM_CPUS;
    for (; allowed; allowed &= allowed - 1) {
        uint32_t cpu = (uint32_t)__builtin_ctzll(allowed);
        best = best == XM_SIM_CPUS || count[cpu] < count[best] ? cpu : best;
    }
    return best;
}

/* ---- Idle pCPUs that nobody has been sent to yet.
 *
 * Schedulers that share work among pCPUs keep them, so that none idles while somebody waits who may run on
 * it: two who wake up at one instant must not be sent to the same.  A pass on a pCPU takes it out, and puts
 * it in where it chooses nobody.
 */

/* Sends an idle pCPU for this vCPU, its own rather than another; false: it may run on none of them. */
static inline bool xm_idle_offer(struct xm_machine *m, uint64_t *idle, const struct xm_sim_vcpu *v,
                                 uint32_t own)
{
    uint32_t cpu = xm_cpu_cycle(*idle & v->allowed, own);
    if (cpu == XM_SIM_CPUS)
        return false;
    *idle &= ~xm_cpu_bit(cpu);
    xm_machine_tickle(m, cpu);
    return true;
}

/*
 * The same for all who wait in a queue.  To be called by a pass that has chosen somebody: the pCPU may have
 * been sent for another one, who waits on.  (A pass that has chosen nobody must not: it would be sent for
 * the same one forever.)
 */
static inline void xm_idle_offer_queue(struct xm_machine *m, uint64_t *idle, const struct xm_link *queue)
{
    for (const struct xm_link *l = queue->next; *idle && l != queue; l = l->next) {
        XM_ASSERT(l);
        (void)xm_idle_offer(m, idle, l->vcpu, l->vcpu->cpu);
    }
}

#endif
