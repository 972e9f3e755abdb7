/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's controls, typed: tracing, the host, its domains (reference of the layouts: Xen's public
 * headers sysctl.h, domctl.h, version.h).
 *
 * sysctl and domctl are the toolstack's interface: their version must be the hypervisor's own or the call is
 * refused (-EACCES).  Only structures, or beginnings of structures, that have been the same in every version
 * are used (abi.h says which were checked); the version is found by trying, which has no effect.
 *
 * Threads: one.  Every call is a hypercall or a few.
 */
#ifndef XM_CONTROL_H
#define XM_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/xen/hyper.h"
#include "xenmon/status.h"

/* Versions that are tried; what lies outside has other structures or is not known. */
#define XM_SYSCTL_OLDEST 0x0du /* Xen 4.7 */
#define XM_SYSCTL_NEWEST 0x24u
#define XM_DOMCTL_OLDEST 0x0bu /* Xen 4.7 */
#define XM_DOMCTL_NEWEST 0x24u

struct xm_control;

/*
 * What hyper refers to is borrowed until the control is closed.  XM_DENIED, err in one line: every version is
 * refused (too old, too new, or a security policy: says which hypervisor it is and what was tried), or the
 * hypervisor was built without tracing; XM_IO: it answers otherwise, or nonsense; XM_NOMEM.  *control is NULL
 * then.
 * A domctl version that cannot be found is no error: weights, caps and vCPUs are not known then.
 * Cost: up to 60 hypercalls, a page of memory.
 */
enum xm_status xm_control_open(const struct xm_hyper *hyper, struct xm_control **control,
                               struct xm_error *err) XM_MUST_CHECK;
void xm_control_close(struct xm_control *control); /* NULL is fine */

/* ---- Tracing.  XM_OK; XM_DENIED, XM_IO: err names the call and why.  A hypercall each. */

struct xm_control_tbuf {
    uint32_t events;     /* the event mask */
    uint32_t info_bytes; /* of t_info, at most 512 KiB; 0: no buffers have been allocated since boot */
    uint64_t info_frame; /* its first frame */
};
enum xm_status xm_control_tbuf(struct xm_control *control, struct xm_control_tbuf *tbuf,
                               struct xm_error *err) XM_MUST_CHECK;

/*
 * Allocates `pages` for each pCPU that is online, and tracing is on from then on.  Xen takes fewer pages
 * where its table has no room for so many.  XM_FULL: they were allocated before, with this or another size,
 * and stay (err is untouched, and whether tracing is on too).  XM_IO: too little memory, too.
 */
enum xm_status xm_control_allocate(struct xm_control *control, uint32_t pages,
                                   struct xm_error *err) XM_MUST_CHECK;
enum xm_status xm_control_events(struct xm_control *control, uint32_t mask,
                                 struct xm_error *err) XM_MUST_CHECK;
/*
 * bitmap: CPU n is bit n % 8 of byte n / 8; bits that are missing count as 0, those past 16383 too.  NULL:
 * every CPU.
 */
enum xm_status xm_control_cpus(struct xm_control *control, const uint8_t *bitmap, uint32_t bits,
                               struct xm_error *err) XM_MUST_CHECK;
/* On: XM_IO where no buffers are allocated.  Off: forgets what was lost since the last record that fitted. */
enum xm_status xm_control_enable(struct xm_control *control, bool on, struct xm_error *err) XM_MUST_CHECK;

/* ---- The host. */

struct xm_control_host {
    uint64_t tsc_hz;      /* of the trace's clock (TSC, Arm's counter), to the kHz; 0: not known */
    uint32_t cpus;        /* online; 0: not known */
    uint32_t max_cpu;     /* highest id there can be */
    uint32_t sysctl_version;
    uint32_t domctl_version; /* 0: none was accepted */
    char hypervisor[32];  /* "Xen 4.17.7"; "Xen" where it does not say */
    char scheduler[16];   /* of CPUs in no other pool: "credit2", ...; "" where not known */
};
/* What cannot be had is 0 or "".  Cost: a hypercall. */
void xm_control_host(struct xm_control *control, struct xm_control_host *host);

/* ---- Domains. */

struct xm_control_domain {
    uint16_t domid;
    bool dying;            /* destroyed, and not yet gone */
    bool paused;           /* by the toolstack */
    bool shut_down;        /* or crashed, and kept: nothing of it runs, though no vCPU is paused or offline */
    bool hvm;              /* HVM or PVH */
    uint8_t handle[16];    /* its UUID, in the order it is written */
    uint32_t vcpus;        /* highest vCPU id + 1; 0: none yet, or not known */
    uint32_t online;       /* of them, not unplugged; at most `vcpus` */
    uint64_t cpu_ns;       /* CPU time of all its vCPUs since it was made, by the hypervisor's own account */
    uint32_t weight;       /* under credit or credit2; 0: not known */
    uint32_t cap;          /* percent of one pCPU; 0: none or not known */
};

/*
 * The domain with the lowest id that is at least `first`.  XM_OK; XM_END: there is none; XM_UNSUPPORTED: the
 * hypervisor does not list domains to us; XM_IO.  Cost: two hypercalls; three where the domain is in a pool
 * with another scheduler.  Xen traces that a weight was asked for (TRC_SCHED_ADJDOM, among the verbose
 * scheduling events).
 */
enum xm_status xm_control_domain(struct xm_control *control, uint32_t first,
                                 struct xm_control_domain *domain) XM_MUST_CHECK;

struct xm_control_vcpu {
    bool online;     /* not unplugged; a paused domain's vCPUs are online all the same */
    bool blocked;    /* waits for an event, also while the domain is paused */
    bool running;
    uint32_t cpu;    /* where it runs or ran */
    uint64_t cpu_ns; /* running time since it was made, by the hypervisor's own clock */
};

/* One vCPU as it is now.  XM_OK; XM_END: there is no such domain or vCPU; XM_UNSUPPORTED, XM_IO as above. */
enum xm_status xm_control_vcpu(struct xm_control *control, uint32_t domid, uint32_t vcpu,
                               struct xm_control_vcpu *info) XM_MUST_CHECK;

#endif
