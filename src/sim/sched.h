/* SPDX-License-Identifier: MIT */
/*
 * A scheduler of the simulated hypervisor: a table of calls and a file of its own.
 *
 * The machine keeps runstates, time and records; a scheduler keeps queues, and says who is next.
 */
#ifndef XM_SIM_SCHED_H
#define XM_SIM_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

struct xm_machine;
struct xm_sim_domain;
struct xm_sim_vcpu;

/* What a domain is to get; a scheduler looks at what it knows. */
struct xm_sched_share {
    uint32_t mcu_advance; /* BVT: virtual time per MCU; more is less */
    uint32_t weight;      /* credit, credit2, of SEDF's extra time: 256 is usual, and what 0 stands for */
    uint32_t cap;         /* credit, credit2: percent of one pCPU, 0 none */
    uint64_t period_ns;   /* SEDF: each vCPU gets, in each of these, so much */
    uint64_t slice_ns;    /* CPU time; 0: extra time alone */
    bool extratime;       /* and more where there is some */
};

/* How the host is set; 0 is each scheduler's own default, but where 0 means something. */
#define XM_SCHED_OWN UINT64_MAX
struct xm_sched_params {
    uint64_t slice_ns;     /* round robin, credit: longest time on a pCPU */
    uint64_t ratelimit_ns; /* credit, credit2: shortest, unless it blocks; 0: no limit; XM_SCHED_OWN: the default, 1 ms */
    uint64_t ctx_allow_ns; /* BVT: context switch allowance */
    uint64_t mcu_ns;       /* BVT: what is begun of this is charged whole */
    bool fix_slip;         /* BVT: without the slip of units in the slice */
};

struct xm_sched_choice {
    struct xm_sim_vcpu *next; /* NULL: nobody, the pCPU idles */
    uint64_t slice_ns;        /* until the scheduler wants to be asked again; XM_SIM_NEVER */
};

struct xm_sched_ops {
    const char *name;
    size_t vcpu_bytes, domain_bytes; /* of their own that vCPUs and domains carry for it */

    /* XM_NOMEM, XM_INVALID */
    enum xm_status (*create)(struct xm_machine *m, const struct xm_sched_params *params, void **self, struct xm_error *err);
    void (*destroy)(void *self);

    void (*add)(void *self, struct xm_sim_vcpu *v);    /* a new one, not runnable yet: v->cpu is to be chosen */
    void (*remove)(void *self, struct xm_sim_vcpu *v); /* is neither queued nor running, and will not be again */
    void (*wake)(void *self, struct xm_sim_vcpu *v);   /* has become runnable: queue it, and tickle whom that concerns */
    void (*sleep)(void *self, struct xm_sim_vcpu *v);  /* runnable but not running, is so no more: take it from its queue */
    void (*adjust)(void *self, struct xm_sim_domain *d); /* d->share has changed; NULL: it is looked at all the time */

    /*
     * A pass on a pCPU.  xm_machine_current() is who is on it, NULL when idle; one that goes on (xm_vcpu_goes_on()) is
     * still runnable and has to be queued if it is not chosen.
     */
    struct xm_sched_choice (*schedule)(void *self, uint32_t cpu);
};

extern const struct xm_sched_ops xm_sched_bvt, xm_sched_sedf, xm_sched_credit, xm_sched_credit2, xm_sched_rr;

/* By its name; NULL: there is none. */
const struct xm_sched_ops *xm_sched_named(const char *name);
const char *xm_sched_names(void); /* all, joined by commas */

#endif
