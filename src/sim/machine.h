/* SPDX-License-Identifier: MIT */
/*
 * The simulated hypervisor: pCPUs, domains, vCPUs with their runstates, event channels, and the trace records that Xen
 * writes of them (doc/trace-format.md 2).  What a domain's software does is a table of calls (struct xm_guest_ops), how
 * pCPUs are shared is another (sched.h), and where records go a third.
 *
 * It keeps an account of its own of every vCPU and pCPU, in the cycles of the records: the truth that whoever reads the
 * trace is held to.
 *
 * Records carry TSC cycles.  As in Xen they are read a little after the decision that they are of: a record is never
 * before the last one of its pCPU, and after the last one of its vCPU, wherever that was written.
 *
 * Threads: one machine, one thread.
 */
#ifndef XM_SIM_MACHINE_H
#define XM_SIM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/engine.h"
#include "sim/sched.h"
#include "xenmon/status.h"
#include "xenmon/trace.h"
#include "xenmon/units.h"

#define XM_SIM_CPUS 64u       /* pCPUs; an affinity is a word */
#define XM_SIM_VCPUS 128u     /* vCPUs of a domain */
#define XM_SIM_TSC_START UINT64_C(1000000000) /* a host that has run for a while */

struct xm_machine;
struct xm_sim_domain;
struct xm_sim_vcpu;

/* What a domain's software does; `guest` is what its owner says. */
struct xm_guest_ops {
    /* What a vCPU that has a pCPU does next: ns of CPU time; 0: nothing, it blocks. */
    uint64_t (*work)(void *guest, struct xm_sim_vcpu *v);
    /* That is done: what it brings about. */
    void (*done)(void *guest, struct xm_sim_vcpu *v);
};

enum xm_truth_cause { XM_TRUTH_WAKE, XM_TRUTH_PREEMPT, XM_TRUTH_OTHER, XM_TRUTH_CAUSES };

/* Cycles of a vCPU since the machine began; what it was before it was created is offline. */
struct xm_truth_vcpu {
    uint64_t in_state[4]; /* by enum xm_runstate, up to `since` */
    uint64_t since;       /* TSC of its last change of state */
    uint64_t waited[XM_TRUTH_CAUSES]; /* of runnable, as far as it has ended */
    uint64_t executions, migrations;
    uint64_t slices, slice_sum_ns;
    bool seen;            /* a record has named it */
};

struct xm_truth_io {
    uint64_t transfers, maps, unmaps, copies; /* pages */
};

struct xm_truth_cpu {
    uint64_t busy, idle, switching; /* cycles up to `since` */
    uint64_t since;
};

struct xm_sim_vcpu {
    struct xm_sim_domain *domain;
    uint16_t number;
    uint8_t state;        /* enum xm_runstate */
    bool blocking;        /* has nothing to do: blocks at the next pass through the scheduler */
    bool unplugged;
    bool parked;          /* by the scheduler: its cap is used up */
    uint8_t cause;        /* enum xm_truth_cause of the wait that goes on */
    uint32_t cpu;         /* pCPU it runs on or ran on last; the scheduler's choice before that */
    uint64_t allowed;     /* pCPUs that it may run on, a bit each */
    uint64_t lastschd_ns; /* the last pass through the scheduler that chose it */
    uint64_t entered_ns;  /* when it last was switched to, */
    uint64_t left_ns;     /* and from */

    bool has_piece;       /* of work, begun or not */
    uint64_t piece_ns;    /* CPU time that the piece still needs */
    uint64_t entry_ns;    /* and what this dispatch costs before that: the switch, the interrupt, cold caches */
    uint64_t from_ns;     /* since when it works on that */
    struct xm_alarm done;

    uint64_t stamp;       /* TSC of its last record */
    struct xm_truth_vcpu truth;
    void *sched;          /* the scheduler's, sched_ops.vcpu_bytes of it, zeroed at first */
};

struct xm_sim_domain {
    struct xm_machine *machine;
    struct xm_sim_domain *next; /* in the order of creation, the ended ones too unless forgotten */
    uint16_t domid;
    char name[32];
    bool paused;
    bool ended;
    uint64_t born, gone;  /* TSC of its creation and, where it has ended, its end */
    uint64_t instance;    /* how many domains had this id before */
    struct xm_sched_share share;
    uint64_t entry_ns;    /* see struct xm_sim_vcpu */
    const struct xm_guest_ops *ops;
    void *guest;
    uint32_t vcpus;
    struct xm_sim_vcpu *vcpu; /* [vcpus] */
    struct xm_truth_io io;      /* of its pages */
    struct xm_truth_io io_done; /* done while it was on the pCPU */
    void *sched;          /* the scheduler's, sched_ops.domain_bytes of it, zeroed at first */
};

/* Where records go.  now: the time of writing; current: who is on that pCPU, as LOST_RECORDS says it. */
struct xm_sim_sink {
    void (*put)(void *user, uint32_t cpu, const struct xm_record *record, xm_cycles now, uint32_t current);
    void *user;
};

struct xm_machine_config {
    uint32_t cpus;                      /* 1 to XM_SIM_CPUS */
    uint64_t hz;                        /* of the TSC */
    uint32_t events;                    /* event mask, with Xen's own meaning (doc/trace-format.md 1.5) */
    uint64_t switch_ns;                 /* between the record of who leaves a pCPU and that of who comes */
    bool batch_transfers;               /* one record for a batch of page transfers, its second word the count */
    const struct xm_sched_ops *sched;
    struct xm_sched_params params;
    struct xm_sim_sink sink;
};

/* XM_OK; XM_INVALID: a value out of range; XM_NOMEM. */
enum xm_status xm_machine_create(const struct xm_machine_config *config, struct xm_machine **machine,
                                 struct xm_error *err) XM_MUST_CHECK;
void xm_machine_destroy(struct xm_machine *m); /* NULL is fine */

struct xm_domain_config {
    uint16_t domid;
    const char *name;
    uint32_t vcpus;       /* 1 to XM_SIM_VCPUS */
    uint64_t allowed;     /* pCPUs; 0: all */
    uint64_t entry_ns;
    struct xm_sched_share share;
    const struct xm_guest_ops *ops;
    void *guest;          /* borrowed until the domain is removed */
    bool paused;          /* is not unpaused yet */
    bool before;          /* was there before the trace began: no record of its creation */
};

/* XM_OK; XM_INVALID: a domain of that id lives, a value out of range; XM_NOMEM.  *domain is there until xm_machine_forget(). */
enum xm_status xm_machine_add(struct xm_machine *m, const struct xm_domain_config *config, struct xm_sim_domain **domain,
                              struct xm_error *err) XM_MUST_CHECK;

/* The domain is destroyed: it is paused and, with DOM0_DOM_REM, no more.  Its account stays. */
void xm_machine_remove(struct xm_machine *m, struct xm_sim_domain *d);

/* Of the domains that have ended, all but so many are freed with their accounts, those created first. */
void xm_machine_forget(struct xm_machine *m, uint32_t keep);

void xm_machine_pause(struct xm_machine *m, struct xm_sim_domain *d, bool paused);
void xm_machine_plug(struct xm_machine *m, struct xm_sim_vcpu *v, bool plugged);
void xm_machine_pin(struct xm_machine *m, struct xm_sim_vcpu *v, uint64_t allowed); /* 0: every pCPU */
void xm_machine_adjust(struct xm_machine *m, struct xm_sim_domain *d, const struct xm_sched_share *share);

/* Rings alarms and lets the schedulers do what follows from them, up to this time and including it. */
enum xm_status xm_machine_run(struct xm_machine *m, uint64_t until_ns) XM_MUST_CHECK;

/* ---- For guests, devices and schedulers. */

/* What the machine is made of, borrowed, and what time it is there; its TSC at a time. */
struct xm_engine *xm_machine_engine(const struct xm_machine *m);
uint64_t xm_machine_now(const struct xm_machine *m);
uint32_t xm_machine_cpus(const struct xm_machine *m);
xm_cycles xm_machine_tsc(const struct xm_machine *m, uint64_t ns);

/* An event for this vCPU: one that is blocked wakes up, for any other it makes no difference. */
void xm_machine_notify(struct xm_machine *m, struct xm_sim_vcpu *v);

/* An interrupt on this pCPU: what is done until the next one is done there. */
void xm_machine_interrupt(struct xm_machine *m, uint32_t cpu);

/* Pages that the vCPU on the pCPU where this is done gives to, maps or unmaps of, or copies from or to a domain. */
void xm_machine_transfer(struct xm_machine *m, struct xm_sim_domain *to, uint32_t pages);
void xm_machine_map(struct xm_machine *m, struct xm_sim_domain *of, uint32_t pages);
void xm_machine_unmap(struct xm_machine *m, struct xm_sim_domain *of, uint32_t pages);
void xm_machine_copy(struct xm_machine *m, uint32_t pages);

/* ---- For schedulers. */

struct xm_sim_vcpu *xm_machine_current(const struct xm_machine *m, uint32_t cpu); /* NULL: idle */
void xm_machine_tickle(struct xm_machine *m, uint32_t cpu); /* the scheduler is to be run there now */
uint64_t xm_machine_slice_end(const struct xm_machine *m, uint32_t cpu); /* when it will run anyway; XM_SIM_NEVER */
void xm_machine_end_slice(struct xm_machine *m, uint32_t cpu, uint64_t when_ns);

/*
 * One that has used up what it may have is offline until it is unparked.  The caller has taken it from its queue; where it
 * is running, its pCPU has to be tickled or to be in a pass.
 */
void xm_machine_park(struct xm_machine *m, struct xm_sim_vcpu *v);
bool xm_machine_unpark(struct xm_machine *m, struct xm_sim_vcpu *v); /* true: it is runnable now, and to be queued */

/* Whether it wants to go on: asked of the vCPU that is on a pCPU during a pass of the scheduler. */
static inline bool xm_vcpu_goes_on(const struct xm_sim_vcpu *v)
{
    return !v->blocking && !v->unplugged && !v->parked && !v->domain->paused;
}
static inline bool xm_vcpu_may_run(const struct xm_sim_vcpu *v, uint32_t cpu)
{
    return v->allowed >> cpu & 1;
}

/* ---- The truth. */

struct xm_sim_domain *xm_machine_domains(const struct xm_machine *m); /* the first created that is not forgotten */
xm_cycles xm_machine_end(const struct xm_machine *m); /* now, or the last record where that is later */

/* All up to xm_machine_end(). */
struct xm_truth_vcpu xm_truth_of(const struct xm_machine *m, const struct xm_sim_vcpu *v);
struct xm_truth_cpu xm_truth_of_cpu(const struct xm_machine *m, uint32_t cpu);

/* When the last domain of this id that has ended did, forgotten or not; 0: none has. */
xm_cycles xm_machine_ended(const struct xm_machine *m, uint16_t domid);

/* Records written, by what the sink is given; those masked out are not among them. */
uint64_t xm_machine_records(const struct xm_machine *m);

#endif
