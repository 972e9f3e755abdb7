/* SPDX-License-Identifier: MIT */
/*
 * The account's tables and how its parts work together.
 *
 *     event.c      takes events and hands each to whom it concerns
 *     table.c      slots: domains, vCPUs, pCPUs; creation, end, reuse, growth
 *     state.c      what a vCPU's and a pCPU's time was: the transitions
 *     gap.c        lost records (law 5)
 *     told.c       what is known from elsewhere than the trace
 *     switch.c     states where there are no runstate records (law 1)
 *     calibrate.c  the TSC rate that the trace reveals
 *     sample.c     the way out
 *
 * Time moves by settling: a row's `settled` is the instant up to which its counters hold; settling it to a
 * later one adds the difference to the counter of the state it was in.  There is no other way for time to
 * get into a counter, which is why the sums hold.
 */
#ifndef XM_ACCOUNT_INT_H
#define XM_ACCOUNT_INT_H

#include "account/account.h"

#define STATE_UNKNOWN 4u
#define NOBODY UINT32_MAX

/* Why a vCPU's state is not known, and so what its next record tells about the time before it. */
enum unknown {
    KNOWN,
    NOT_YET,   /* no record so far: the old state has held since `learn_from` (law 3) */
    IN_GAP,    /* records are missing right now: nothing */
    AFTER_GAP, /* the old state has held since `learn_from`: a gap closed, or what was dropped ended (law 5) */
    EVICTED    /* another vCPU was dispatched on its pCPU: only an old state of running proves anything */
};

enum wait_cause { WAIT_OTHER, WAIT_WAKE, WAIT_PREEMPT };

struct vcpu {
    struct xm_vcpu_row row; /* counters up to `settled`; id 0: free slot */
    uint64_t settled;
    uint64_t since;      /* when the current state began, or was first known */
    uint64_t learn_from; /* see enum unknown */
    uint32_t domain;     /* slot */
    uint32_t on;         /* pCPU slot while running, else NOBODY */
    uint32_t last_on;    /* pCPU slot of the last execution seen */
    uint8_t state;       /* enum xm_runstate or STATE_UNKNOWN */
    uint8_t unknown;     /* enum unknown */
    uint8_t assumed;     /* best guess while unknown; STATE_UNKNOWN: none */
    uint8_t cause;       /* enum wait_cause, while runnable */
    bool start_seen;     /* `since` is the true beginning of the state, or the window's own cut it */
    bool yielded;        /* since its dispatch */
    bool will_block;     /* switch.c: asked to block, */
    bool will_sleep;     /* or to be paused, at the next switch, */
    bool sleep_paused;   /* paused in its sleep, */
    uint64_t wake_at;    /* or asked to wake while nothing was known of it: when */
    bool odd;            /* the last record contradicted the tracked state `odd_state`, */
    uint8_t odd_state;
    uint8_t odd_old;     /* saying it had been this one */
    uint64_t waited, was_blocked; /* since the last execution ended */
    uint64_t wait_before, blocked_before; /* of the current execution */
    uint64_t slice;      /* allocated to the current execution, ns; 0: not seen */
    uint64_t slice_next; /* to the next one */
    uint64_t io;         /* pages during the current execution */
};

struct domain {
    struct xm_domain_row row; /* its own counters; sums over vCPUs are made when sampling */
    uint64_t created, ended;
    uint64_t any_settled;
    uint32_t waiting;    /* vCPUs known to be runnable */
    bool is_ended;
};

enum occupant { OCC_UNKNOWN, OCC_NONE, OCC_VCPU, OCC_IDLE };

struct pcpu {
    struct xm_pcpu_row row;
    uint64_t settled;
    bool learnable;      /* OCC_UNKNOWN: the next record tells who it was since `learn_from` */
    uint64_t learn_from;
    uint8_t occupant;    /* enum occupant */
    uint32_t vcpu;       /* slot, OCC_VCPU */
    bool gap;
    uint64_t gap_since;
    bool named;          /* the last LOST_RECORDS named `named_word` as current; nobody was seen there since */
    uint32_t named_word; /* vcpu | dom << 16 */
    uint64_t named_at;
    bool slice_pending;  /* INFNEXT without a vCPU: for the next dispatch of slice_dom */
    uint32_t slice_dom;
    uint64_t slice;
    bool switch_seen;    /* switch.c, undecided */
    uint64_t inf_at;     /* the last SWITCH_INFNEXT: when (0: none), of whom */
    uint32_t inf_dom, inf_vcpu;
};

struct slot_hash {
    uint32_t key;  /* vcpu | dom << 16 */
    uint32_t slot; /* + 1; 0: free */
};

enum states_from { FROM_UNDECIDED, FROM_RUNSTATE, FROM_SWITCH };
#define UNDECIDED_EVENTS 64

struct rate_sample {
    float ratio; /* cycles per ns */
    float weight; /* ns */
};
#define RATE_SAMPLES 8192

struct xm_account {
    struct xm_capacity capacity;
    struct xm_capacity used;  /* highest slot in use + 1 */
    struct xm_capacity rows;  /* slots in use; of pCPUs, which never go, `used` says it */
    struct xm_capacity want;  /* set when a table is full */
    struct vcpu *vcpu;
    struct domain *domain;
    struct pcpu *pcpu;
    struct xm_pair_row *pair; /* [domain slot * capacity.pcpus + pcpu slot] */
    uint64_t *hist;           /* [vcpu slot][kind][bucket] */
    struct slot_hash *hash;   /* live vCPUs by number */
    uint32_t hash_bits;
    uint32_t *domain_slot;    /* [65536] latest instance of a domid: slot + 1 */
    uint32_t *instances;      /* [65536] how many there were */
    uint8_t *rem_due;         /* [65536] SCHED_DOM_REMs still to come for instances that have ended */
    uint64_t *reaped;         /* [65536] the end of the latest instance whose row is gone; 0: there is none */
    uint32_t *pcpu_slot;      /* [65536] slot + 1 */
    bool refuse;
    uint64_t refused;
    uint64_t start;
    uint64_t now;
    uint32_t gaps_open;
    uint64_t gap_since;       /* of the first open one */
    uint64_t gap;             /* union of the closed ones */
    uint64_t gap_closed;      /* when the last one closed; 0: there was none */
    uint64_t ends;
    uint64_t anomaly[XM_ANOMALIES];
    enum states_from from;
    uint64_t sampled;         /* what was before this is published */
    struct xm_event undecided[UNDECIDED_EVENTS];
    unsigned undecided_count;
    uint64_t forgotten;       /* the last of them that was dropped: if it counted, what was before is unknown */
    struct rate_sample rate[RATE_SAMPLES];
    struct rate_sample *sorted; /* [RATE_SAMPLES], calibrate.c's own */
    unsigned rate_count, rate_stride, rate_skip;
};

/* ---- table.c */

/* Slots, made where there is none; NOBODY: full (a->want is set), refused, or impossible (counted). */
uint32_t xm_new_vcpu(struct xm_account *a, uint32_t word);
uint32_t xm_new_pcpu(struct xm_account *a, uint32_t cpu);
uint32_t xm_find_domain(struct xm_account *a, uint32_t domid);
bool xm_table_full(const struct xm_account *a); /* the last NOBODY was for want of room */

static inline uint32_t xm_hash_index(const struct xm_account *a, uint32_t key)
{
    return key * 2654435761u >> (32 - a->hash_bits);
}

/* NOBODY: it has no slot. */
static inline uint32_t xm_known_vcpu(const struct xm_account *a, uint32_t word)
{
    uint32_t mask = (UINT32_C(1) << a->hash_bits) - 1;
    for (uint32_t i = xm_hash_index(a, word); a->hash[i].slot; i = (i + 1) & mask)
        if (a->hash[i].key == word)
            return a->hash[i].slot - 1;
    return NOBODY;
}

static inline uint32_t xm_find_vcpu(struct xm_account *a, uint32_t word)
{
    uint32_t slot = xm_known_vcpu(a, word);
    return slot != NOBODY ? slot : xm_new_vcpu(a, word);
}

static inline uint32_t xm_find_pcpu(struct xm_account *a, uint32_t cpu)
{
    uint32_t slot = a->pcpu_slot[cpu];
    return slot ? slot - 1 : xm_new_pcpu(a, cpu);
}

static inline bool xm_is_idle(uint32_t word)
{
    return word >> 16 == XM_DOMID_IDLE;
}

static inline struct xm_pair_row *xm_pair(struct xm_account *a, uint32_t domain, uint32_t pcpu)
{
    return &a->pair[(size_t)domain * a->capacity.pcpus + pcpu];
}

static inline uint64_t *xm_hist(struct xm_account *a, uint32_t vcpu, enum xm_hist_kind kind)
{
    return &a->hist[((size_t)vcpu * XM_HISTS + kind) * XM_HIST_BUCKETS];
}

/* Domains come and go.  True unless the table is full. */
bool xm_domain_added(struct xm_account *a, uint32_t domid, uint64_t now, bool by_scheduler);
void xm_domain_removed(struct xm_account *a, uint32_t domid, uint64_t now, bool by_scheduler);

/* ---- state.c */

/* A runstate change of a vCPU that is not idle, seen on pCPU slot `p`. */
void xm_vcpu_change(struct xm_account *a, uint32_t v, uint32_t p, unsigned from, unsigned to, uint64_t now);
void xm_slice_allocated(struct vcpu *v, uint64_t slice_ns);
void xm_vcpu_continue(struct xm_account *a, uint32_t v, uint32_t p, uint64_t now);
void xm_idle_change(struct xm_account *a, uint32_t p, bool arrives, uint64_t now);
void xm_idle_continue(struct xm_account *a, uint32_t p, uint64_t now);

void xm_vcpu_settle(struct xm_account *a, struct vcpu *v, uint64_t now);
/* To an unknown state, off its pCPU. */
void xm_vcpu_forget(struct xm_account *a, struct vcpu *v, enum unknown why, uint64_t now);
/* One without a record so far is known to have been in `state` all along.  Not XM_RUNNING. */
void xm_vcpu_is(struct xm_account *a, struct vcpu *v, unsigned state, uint64_t now);
/* Its domain has ended: offline from now on. */
void xm_vcpu_end(struct xm_account *a, struct vcpu *v, uint64_t now);
void xm_pcpu_settle(struct xm_account *a, struct pcpu *p, uint64_t now);

/* ---- gap.c */
void xm_gap_open(struct xm_account *a, uint32_t p, uint64_t now);
void xm_gap_close(struct xm_account *a, uint32_t p, const struct xm_event *event, uint64_t now);

/* ---- switch.c */
/* False: a table is full and nothing was done. */
bool xm_switch_event(struct xm_account *a, const struct xm_event *event, uint32_t p, uint64_t now);
void xm_switch_decide(struct xm_account *a);
/*
 * Drops what was kept to decide by: records are missing and it stands for nothing any more; or a domain begins
 * or ends, and a switch of before that, taken after it, would be one of an instance that was not there.  Should
 * states come from such records, what was before the last of them stays unknown (a->forgotten).
 */
void xm_switch_forget(struct xm_account *a);

/* ---- calibrate.c */
void xm_rate_note(struct xm_account *a, uint64_t cycles, uint32_t ran_ns);

#endif
