/* SPDX-License-Identifier: MIT */
/*
 * What a reader learns from a region once, when it opens it: where everything is, checked against the
 * region's size.  The words concerned never change while a region lives; should they all the same, this
 * copy does not.
 */
#ifndef XM_ATTACH_H
#define XM_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "region/bytes.h"
#include "region/layout.h"
#include "region/plan.h"
#include "xenmon/status.h"

/* An array whose elements all lie within the region. */
struct xm_array {
    uint64_t offset;
    uint64_t stride;
    uint64_t count;
};

struct xm_attach {
    struct xm_bytes bytes;
    struct xm_layout_header header; /* as it was when opened: only what never changes is good later */
    struct xm_capacity capacity;
    struct xm_array domains;
    struct xm_array histograms;
    bool histograms_known; /* their buckets are ours */
    struct xm_plan_ring ring[XM_SERIES_COUNT];
    uint64_t largest; /* bytes of the largest element of any array */
};

/*
 * Reads and checks the header and both tables of the region in `bytes`.
 * XM_OK: whatever the region says later, an element found through *a lies within bytes.size;
 * XM_UNSUPPORTED: another major version or byte order; XM_DAMAGED: not a region, or one that contradicts
 * itself; XM_NOMEM.  `err` (may be NULL) says what and at which offset.  Allocates and frees; two reads
 * a table.
 */
enum xm_status xm_attach(struct xm_attach *a, const struct xm_bytes *bytes, struct xm_error *err) XM_MUST_CHECK;

#endif
