/* SPDX-License-Identifier: MIT */
/*
 * What tables show of distributions: percentiles and shares, made from histograms of 30 kB a vCPU, and kept
 * as long as the sample is the newest.  Where that is a lot to read every second, a domain's turn comes less often:
 * on a host of n thousand vCPUs after 2n samples, 8 at most.
 *
 * Threads: one store, one thread.
 */
#ifndef XM_DIGEST_H
#define XM_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "front/feed/model.h"
#include "xenmon/sample.h"

/* Cells of a distribution's strip: of equal width on a logarithmic axis from 1 us to 1 s, with both ends
 * open. */
#define XM_DIGEST_CELLS 14u

/* Of what has ended of one kind.  In ns; 0 where there is none. */
struct xm_digest_of {
    uint64_t count;
    uint64_t p50_ns, p95_ns, p99_ns; /* as xm_percentile() has them */
    uint64_t longest_ns;             /* the middle of the last bucket that holds one */
    uint64_t over_1ms, over_10ms;    /* how many were longer */
    uint64_t cell[XM_DIGEST_CELLS];  /* how many in each cell of the strip; their sum is `count` */
};

struct xm_digest {
    struct xm_digest_of of[XM_HISTS];
    uint64_t since_ns; /* as in struct xm_spread */
};

struct xm_digests;

/* NULL when out of memory.  destroy: NULL is fine.  forget: distributions have begun anew; NULL is fine. */
struct xm_digests *xm_digests_create(void);
void xm_digests_destroy(struct xm_digests *digests);
void xm_digests_forget(struct xm_digests *digests);

/*
 * The digest of the domain in `slot` of window[].to; false, and all 0: its distributions cannot be had, or
 * the rate of the TSC is not known.  Kept in model->digests, where there is one, until the model's next beat,
 * or the domain's turn; since_ns is as of then.  Cost: the model's spread(), which reads 30 kB a vCPU, and a walk
 * over the buckets of each kind; or next to nothing where it was kept.
 */
bool xm_digest_get(const struct xm_model *model, uint32_t slot, enum xm_spread_since since,
                   struct xm_digest *digest);

/* The cell of the strip that a duration falls into. */
unsigned xm_digest_cell(uint64_t ns);

#endif
