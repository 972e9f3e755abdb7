/* SPDX-License-Identifier: MIT */
/* The updater's side of a snapshot: where it is read to, and what is kept between two of them. */
#ifndef XM_HOST_EXPORT_INT_H
#define XM_HOST_EXPORT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "export/host.h"
#include "front/feed/peaks.h"

/* One snapshot of the pool, and its room. */
struct xm_host_slot {
    struct xm_host_snapshot s; /* first: a snapshot is given back by its address */
    unsigned held;             /* by readers, and by the host while it is the newest; under the host's lock */
    struct xm_capacity capacity;
    struct xm_sample from[XM_HOST_WINDOWS];
    struct xm_sample to[XM_HOST_WINDOWS]; /* the second borrows `pair` and `vcpu_domain` from the first */
    struct xm_host_domain *domain;
    struct xm_host_vcpu *vcpu;
};

/* Waits of a second ago and more are found in this ring of cumulative histograms, four buckets of the
 * region's to one here. */
#define XM_SPREAD_BUCKETS (XM_HIST_BUCKETS / 4)
#define XM_SPREAD_RING    11u

struct xm_spread_entry {
    uint64_t mono_ns; /* 0: not used yet */
    uint64_t *id;     /* [domain slot] */
    uint32_t *counts; /* [domain slot * XM_SPREAD_BUCKETS], modulo 2^32 */
};

/* What is known of the histograms in the region. */
struct xm_host_spread {
    struct xm_capacity capacity;
    uint64_t *vcpu_id;         /* [vCPU slot] whose they are */
    uint64_t *vcpu_activity;   /* what told that they had changed */
    bool *vcpu_again;          /* [vCPU slot] to be read once more, though nothing moves */
    uint32_t *vcpu_waits;      /* [vCPU slot * XM_SPREAD_BUCKETS] */
    struct xm_host_vcpu *vcpu; /* [vCPU slot] */
    uint32_t *waits;           /* [domain slot * XM_SPREAD_BUCKETS] of this update */
    struct xm_spread_entry ring[XM_SPREAD_RING];
    unsigned next;
    unsigned turn; /* of whose histograms are read, where there are many */
    uint64_t edge_cycles[XM_HOST_EDGES];
    uint64_t edges_hz; /* the rate they were made for */
};

/* Room for a capacity; what was there is forgotten.  XM_OK; XM_NOMEM: nothing is left. */
enum xm_status xm_host_spread_init(struct xm_host_spread *spread, struct xm_capacity capacity) XM_MUST_CHECK;
void xm_host_spread_fini(struct xm_host_spread *spread);
/* Another run of xenbaked: its histograms began anew. */
void xm_host_spread_forget(struct xm_host_spread *spread);

/*
 * Fills slot->domain[].of, .waits and slot->vcpu[] for the sample in slot->to[0].  Reads the histograms of
 * the vCPUs that did anything since the last time.  mono_ns: when that sample was seen first, so that what a
 * dead xenbaked left keeps the waits of its last seconds.  Cost: 30 kB a vCPU that ran.
 */
void xm_host_spread_read(struct xm_host_spread *spread, struct xm_region *region, struct xm_host_slot *slot,
                         uint64_t mono_ns);

/* Adds a histogram to a distribution; edges in cycles, ascending.  Pure. */
void xm_host_distribution_of(const uint64_t counts[XM_HIST_BUCKETS],
                             const uint64_t edge_cycles[XM_HOST_EDGES], const struct xm_scale *scale,
                             struct xm_host_distribution *d);

/* What is kept between updates. */
struct xm_host_reader {
    const char *path;
    struct xm_region *region; /* NULL: not open */
    bool known;               /* lineage and creation mean something */
    uint64_t lineage, creation;
    uint64_t index, index_mono_ns; /* the newest sample, and when it was seen first; 0: none of this run */
    uint64_t restart_mono_ns; /* when the lineage was found to be another; 0: never */
    struct xm_scale scale;
    uint64_t stale_ns, linger_ns;
    struct xm_sample scratch;
    struct {
        uint64_t id, seen_ns; /* CLOCK_MONOTONIC when its end was seen first */
    } * ended;                /* [domain slot] */
    struct xm_peaks *peaks;
    struct xm_host_spread spread;
    struct xm_host_reading reading;
    uint64_t number;
};

/* Makes `slot` the newest snapshot there can be.  False: what was read does not fit together, try again.  No
 * memory: a state with a reason. */
bool xm_host_read(struct xm_host_reader *reader, struct xm_host_slot *slot) XM_MUST_CHECK;

/* Frees what a slot has room in; it is empty then. */
void xm_host_slot_fini(struct xm_host_slot *slot);

#endif
