/* SPDX-License-Identifier: MIT */
/*
 * How large a region is and where everything lies in it: a pure function of what was asked for.
 *
 * Threads: no state, any thread.
 */
#ifndef XM_PLAN_H
#define XM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "region/layout.h"
#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"

#define XM_PLAN_INTERVAL_NS UINT64_C(100000000)
#define XM_PLAN_SLOW_INTERVAL_NS UINT64_C(1000000000)
#define XM_PLAN_FAST_S 60u
#define XM_PLAN_SLOW_S 3600u
#define XM_PLAN_FAST_LEAST_S 10u /* history never shrinks below this */
#define XM_PLAN_SLOW_LEAST_S 60u
#define XM_PLAN_LIMIT_BYTES (UINT64_C(64) << 20)
#define XM_PLAN_MOST_BYTES (UINT64_C(1) << 40) /* no region is larger; the reader believes no more either */
#define XM_PLAN_MOST_ROWS (1u << 20)
#define XM_PLAN_MOST_SLOTS (UINT64_C(1) << 24)
#define XM_PLAN_MOST_SLOT_BYTES (UINT64_C(1) << 32)

/* What is asked for.  Zeros mean the default. */
struct xm_region_settings {
    struct xm_capacity capacity; /* 32 domains, 100 vCPUs, 8 pCPUs; each 1 to 2^20 */
    uint64_t interval_ns;        /* between fast samples: 1 ms to 60 s; 0: 100 ms */
    uint32_t fast_s;             /* seconds of fast history: at most 86400; 0: 60 */
    uint32_t slow_s;             /* seconds of slow history: at most 604800; 0: 3600 */
    uint64_t limit_bytes;        /* the history shrinks to stay below; 0: 64 MiB */
};

/* A stretch of words that a row in the region and a row in memory both have. */
struct xm_run {
    uint32_t row;    /* offset in the region's row */
    uint32_t member; /* offset in struct xm_*_row */
    uint32_t bytes;
};

#define XM_RUNS 64 /* no row structure has more members */

/* Rows of one kind within a slot. */
struct xm_rows {
    uint64_t offset; /* from the slot's first byte */
    uint64_t stride;
    uint64_t count; /* 0: the series has none */
    unsigned runs;
    struct xm_run run[XM_RUNS];
};

/* A series' ring. */
struct xm_plan_ring {
    uint64_t offset; /* from the region's first byte */
    uint64_t stride;
    uint64_t slots;
    uint64_t vcpu_domain; /* offset of the map within a slot */
    struct xm_rows rows[XM_SCOPES];
};

struct xm_region_plan {
    struct xm_capacity capacity;
    uint64_t interval_ns[XM_SERIES_COUNT];
    struct xm_plan_ring ring[XM_SERIES_COUNT];
    struct xm_layout_section section[XM_SECTIONS];
    uint64_t metric_offset;
    uint32_t metric_count;
    uint64_t bytes; /* of the whole region */
    bool shrunk;    /* some history is shorter than asked for */
};

/*
 * Works out a region for `settings`.  The history shrinks, slow first, then fast, to stay below
 * limit_bytes, but not below 10 s of fast and 60 s of slow history (or what was asked for, if less).
 * XM_OK; XM_INVALID: a setting out of range; XM_LIMIT: more than 2^40 bytes; plan is then unspecified,
 * `err` (may be NULL) says which.  No allocation.
 */
enum xm_status xm_region_plan(const struct xm_region_settings *settings, struct xm_region_plan *plan,
                              struct xm_error *err) XM_MUST_CHECK;

/*
 * Length of the window that a series always holds, whatever is being written: two slots less than it has,
 * times its interval.
 */
uint64_t xm_plan_history_ns(const struct xm_region_plan *plan, enum xm_series series);

/* Whether a series carries a metric: the slow one those marked so, the fast one all but coarse histograms. */
bool xm_series_carries(enum xm_series series, const struct xm_metric *metric);

/*
 * Adds a stretch to a row's runs, or makes the last one longer where both follow on.  False: no room,
 * which only a region that names a metric many times can cause.
 */
bool xm_rows_add(struct xm_rows *rows, struct xm_run run);

/*
 * Writes the header's constants and both tables to `base`, which has plan->bytes bytes, all 0, and
 * nobody reads it yet.  Identity, state and facts are left to the caller.
 */
void xm_plan_describe(const struct xm_region_plan *plan, void *base);

#endif
