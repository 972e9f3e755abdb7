/* SPDX-License-Identifier: MIT */
/* The simulated hypervisor's inside: machine.c (domains), dispatch.c (the scheduler's passes), record.c (records, truth). */
#ifndef XM_SIM_MACHINE_INT_H
#define XM_SIM_MACHINE_INT_H

#include "sim/machine.h"

struct xm_sim_cpu {
    struct xm_machine *machine;
    uint32_t number;
    struct xm_sim_vcpu *current; /* its idle vCPU, or a domain's */
    struct xm_sim_vcpu idle;
    struct xm_alarm slice;
    uint64_t stamp;              /* TSC of its last record */
    uint64_t switching_ns;       /* until then it switches, and does nothing else */
    struct xm_alarm switched;
    struct xm_truth_cpu truth;
};

/* What is known of an id for ever. */
struct xm_sim_past {
    uint64_t domains; /* that have had it, the one that lives too */
    uint64_t gone;    /* TSC of the last one's end; 0: none has ended */
};

struct xm_machine {
    struct xm_engine *engine;
    const struct xm_sched_ops *ops;
    void *sched;
    struct xm_sim_sink sink;
    uint64_t hz, switch_ns, switch_cycles;
    uint32_t events;
    bool batch_transfers;
    uint32_t cpus;
    uint64_t tickled;    /* pCPUs that a pass is due on, a bit each */
    uint32_t at;         /* the pCPU on which what happens now is done */
    uint64_t records;
    struct xm_sim_domain *first, **last;
    uint32_t dead;       /* of them */
    struct xm_sim_past *past; /* by id, XM_DOMID_FIRST_RESERVED of them */
    struct xm_sim_domain idle; /* the domain of the idle vCPUs */
    struct xm_sim_cpu cpu[XM_SIM_CPUS];
};

/* ---- record.c */

/* A change of runstate, in the buffer of `cpu`: record and truth.  Returns the record's time. */
uint64_t xm_sim_runstate(struct xm_machine *m, uint32_t cpu, struct xm_sim_vcpu *v, enum xm_runstate state);

/* Any other record that is of a vCPU or of none: written if the mask lets it through. */
void xm_sim_record(struct xm_machine *m, uint32_t cpu, uint32_t event, uint32_t words, const uint32_t *word);

/* The same with numbers of a vCPU: domain and vCPU as two words, or as one. */
void xm_sim_record_vcpu(struct xm_machine *m, uint32_t cpu, uint32_t event, const struct xm_sim_vcpu *v);

/* What is written in the buffer of this pCPU from now on is after that TSC: it knows of what was recorded then. */
void xm_sim_after(struct xm_machine *m, uint32_t cpu, uint64_t stamp);

/* A pCPU's occupant has gone at `left`, and the next come at `came`. */
void xm_sim_switched(struct xm_sim_cpu *c, bool was_idle, uint64_t left, uint64_t came);

/* ---- dispatch.c */

/* The passes that are due, until none is; a pCPU that switches comes to its own when it has done so. */
void xm_sim_settle(struct xm_machine *m);
void xm_sim_settle_now(struct xm_machine *m); /* that too */

/* Runnable from blocked or offline. */
void xm_sim_wake(struct xm_machine *m, struct xm_sim_vcpu *v);

/* Not to run any more until it is woken: asks the pCPU it is on, or takes it from its queue. */
void xm_sim_sleep(struct xm_machine *m, struct xm_sim_vcpu *v);

/* Alarms: the work in hand of a struct xm_sim_vcpu is done; the slice of a struct xm_sim_cpu is over. */
void xm_sim_piece_rings(void *vcpu);
void xm_sim_slice_rings(void *cpu);

static inline bool xm_sim_is_idle(const struct xm_sim_vcpu *v)
{
    return v->domain->domid == XM_DOMID_IDLE;
}

#endif
