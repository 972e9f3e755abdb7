/* SPDX-License-Identifier: MIT */
/* Traces run through the whole of bake: stream, account, samples. */
#ifndef XM_TEST_BAKED_H
#define XM_TEST_BAKED_H

#include "account/account.h"
#include "source/bake.h"
#include "support.h"

/* A vCPU's counters as they were published at one instant: running, runnable, blocked, offline, unknown. */
struct xt_point {
    uint64_t id;
    uint64_t state[5];
};

struct xt_baked {
    enum xm_status ended;
    struct xm_sample end;   /* totals: counters plus late */
    struct xt_point *point; /* [sample * XT_VCPUS + vCPU slot] */
    size_t samples, sample_room;
    struct xm_sample scratch;
    struct xm_stream_stats stats;
    struct xm_error error;
    uint64_t anomaly[XM_ANOMALIES];
    uint64_t hz;
    bool from_switch;
};

#define XT_VCPUS 64

/*
 * interval_ns: 0 keeps no samples but the end's.  hz: 0 leaves it to the trace.  piece: bytes a push, 0: all at once.
 * The account has room for 32 domains, XT_VCPUS vCPUs and 8 pCPUs and refuses what is beyond.
 */
struct xt_baked xt_bake(const void *bytes, size_t size, uint64_t interval_ns, uint64_t hz, size_t piece);
/* The same at 1 GHz and without samples, in the order of a live stream. */
struct xt_baked xt_bake_prompt(const void *bytes, size_t size, size_t piece);
void xt_baked_free(struct xt_baked *b);

/* Rows by their ids; NULL where there is none. */
const struct xm_vcpu_row *xt_vcpu(const struct xm_sample *s, uint64_t id);
const struct xm_domain_row *xt_domain(const struct xm_sample *s, uint64_t id);
const struct xm_pcpu_row *xt_pcpu(const struct xm_sample *s, uint64_t id);
const struct xm_pair_row *xt_pair(const struct xm_sample *s, uint64_t domain_id, uint64_t pcpu_id);

/* The same in a sample before the end. */
const struct xt_point *xt_point(const struct xt_baked *b, size_t sample, uint64_t id);

/* Row ids. */
static inline uint64_t xt_vcpu_id(uint32_t instance, uint32_t dom, uint32_t vcpu)
{
    return XM_ROW_USED | (uint64_t)instance << 32 | (uint64_t)vcpu << 16 | dom;
}

/* Laws 2 and 6 in one sample: what every row's states must add up to.  NULL where they do, else what does not. */
const char *xt_broken_sum(const struct xm_sample *s);

#endif
