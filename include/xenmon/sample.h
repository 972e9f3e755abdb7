/* SPDX-License-Identifier: MIT */
/*
 * A sample: cumulative counters of everything at one instant.  Any window is the difference of two.
 *
 * The structures are made from metrics.def; every member is a uint64_t.  Slots are stable while their
 * row lives and are used again after its end: compare `id` before subtracting two rows.
 */
#ifndef XENMON_SAMPLE_H
#define XENMON_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenmon/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XM_ROW_VCPU(name) uint64_t name;
#define XM_ROW_DOMAIN(name)
#define XM_ROW_PCPU(name)
#define XM_ROW_PAIR(name)
#define XM_ROW_HOST(name)
#define XM_METRIC(scope, name, kind, unit, series, help) XM_ROW_##scope(name)
struct xm_vcpu_row {
#include "xenmon/metrics.def"
};
#undef XM_ROW_VCPU
#undef XM_ROW_DOMAIN
#define XM_ROW_VCPU(name)
#define XM_ROW_DOMAIN(name) uint64_t name;
#define XM_METRIC(scope, name, kind, unit, series, help) XM_ROW_##scope(name)
struct xm_domain_row {
#include "xenmon/metrics.def"
    uint32_t wait_coarse[12]; /* waits that ended, by length, modulo 2^32: see XM_COARSE_* */
};
#undef XM_ROW_DOMAIN
#undef XM_ROW_PCPU
#define XM_ROW_DOMAIN(name)
#define XM_ROW_PCPU(name) uint64_t name;
#define XM_METRIC(scope, name, kind, unit, series, help) XM_ROW_##scope(name)
struct xm_pcpu_row {
#include "xenmon/metrics.def"
};
#undef XM_ROW_PCPU
#undef XM_ROW_PAIR
#define XM_ROW_PCPU(name)
#define XM_ROW_PAIR(name) uint64_t name;
#define XM_METRIC(scope, name, kind, unit, series, help) XM_ROW_##scope(name)
struct xm_pair_row {
#include "xenmon/metrics.def"
};
#undef XM_ROW_PAIR
#undef XM_ROW_HOST
#define XM_ROW_PAIR(name)
#define XM_ROW_HOST(name) uint64_t name;
#define XM_METRIC(scope, name, kind, unit, series, help) XM_ROW_##scope(name)
struct xm_host_row {
#include "xenmon/metrics.def"
};
#undef XM_ROW_VCPU
#undef XM_ROW_DOMAIN
#undef XM_ROW_PCPU
#undef XM_ROW_PAIR
#undef XM_ROW_HOST

/* Coarse histogram of waits (1 s series only): bucket i holds waits below 2^(11 + 2i) cycles that no bucket
 * before it holds; the last is open. */
#define XM_COARSE_BUCKETS 12
#define XM_COARSE_FIRST_BITS 11
#define XM_COARSE_STEP_BITS 2

/* Row ids. */
#define XM_ROW_USED (UINT64_C(1) << 63)
static inline uint32_t xm_row_domid(uint64_t id) { return (uint32_t)(id & 0xffff); }
static inline uint32_t xm_row_vcpu(uint64_t id) { return (uint32_t)(id >> 16 & 0xffff); }
static inline uint32_t xm_row_instance(uint64_t id) { return (uint32_t)(id >> 32 & 0x7fffffff); }

/* How many rows of each kind there is room for. */
struct xm_capacity {
    uint32_t domains;
    uint32_t vcpus;
    uint32_t pcpus;
};

/*
 * One sample in memory.  Owned by whoever made it; arrays have `capacity` elements, `used` of them from
 * the front may hold rows (unused slots in between have id 0).
 */
struct xm_sample {
    struct xm_capacity capacity;
    struct xm_capacity used;
    struct xm_host_row host;
    struct xm_vcpu_row *vcpu;
    struct xm_domain_row *domain;
    struct xm_pcpu_row *pcpu;
    struct xm_pair_row *pair; /* [domain slot * capacity.pcpus + pcpu slot]; all 0 in the 1 s series */
    uint32_t *vcpu_domain;    /* [vcpu slot] -> domain slot */
};

/* Allocates the arrays, zeroed.  XM_OK, XM_NOMEM, XM_LIMIT for a capacity of 0 or over 2^20 rows. */
enum xm_status xm_sample_init(struct xm_sample *sample, struct xm_capacity capacity) XM_MUST_CHECK;
void xm_sample_fini(struct xm_sample *sample); /* a zeroed sample is fine */
void xm_sample_clear(struct xm_sample *sample);

/*
 * Metric kinds, units and the table as data, for those who walk over metrics.
 */
enum xm_scope { XM_SCOPE_VCPU, XM_SCOPE_DOMAIN, XM_SCOPE_PCPU, XM_SCOPE_PAIR, XM_SCOPE_HOST, XM_SCOPES };
enum xm_kind { XM_KIND_ID, XM_KIND_COUNTER, XM_KIND_GAUGE, XM_KIND_PEAK, XM_KIND_TROUGH };
enum xm_unit { XM_UNIT_NONE, XM_UNIT_CYCLES, XM_UNIT_NS, XM_UNIT_COUNT, XM_UNIT_BYTES };

struct xm_metric {
    enum xm_scope scope;
    enum xm_kind kind;
    enum xm_unit unit;
    bool slow;       /* in the 1 s series too */
    uint16_t offset; /* in the row structure, bytes */
    uint16_t count;  /* elements of `bytes` bytes each: 1 but for histograms */
    uint8_t bytes;   /* 8, or 4 for coarse histograms */
    const char *name;
    const char *help;
};

/* The whole table in layout order; *count elements, static storage. */
const struct xm_metric *xm_metrics(size_t *count);
size_t xm_row_bytes(enum xm_scope scope); /* sizeof the row structure */
const char *xm_scope_name(enum xm_scope scope); /* "vcpu", "domain", "pcpu", "pair", "host" */
const char *xm_kind_name(enum xm_kind kind);    /* "id", "counter", "gauge", "peak", "trough" */
const char *xm_unit_name(enum xm_unit unit);    /* "", "cycles", "ns", "count", "bytes" */

/* Log-linear histograms: see src/base/histogram.h for the bucket rule, also written in the region. */
enum xm_hist_kind { XM_HIST_EXECUTION, XM_HIST_WAIT, XM_HIST_BLOCKED, XM_HISTS };
#define XM_HIST_SUB_BITS 5
#define XM_HIST_TOP_BITS 44
#define XM_HIST_BUCKETS ((1u << (XM_HIST_SUB_BITS + 1)) + (XM_HIST_TOP_BITS - XM_HIST_SUB_BITS - 1) * (1u << XM_HIST_SUB_BITS))

#ifdef __cplusplus
}
#endif
#endif
