/* SPDX-License-Identifier: MIT */
#include "source/experiment.h"

#include <time.h>

#include "sim/host.h"
#include "source/bake.h"
#include "trace/format.h"
#include "trace/ring.h"

#define SHORTEST_NS UINT64_C(1000000)

struct run {
    struct xm_simhost *host;
    struct xm_bake *bake;
    struct xm_ring ring[XM_SIM_CPUS];
    uint32_t cpus;
    uint64_t poll_ns;
    uint64_t now_ns; /* simulated */
    uint64_t own_ns;
};

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * XM_NS_PER_S + (uint64_t)t.tv_nsec;
}

static enum xm_status bake_bytes(struct xm_bake *bake, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        size_t used = 0;
        enum xm_status status = xm_bake_run(bake, bytes, size, &used);
        if (status != XM_OK)
            return status;
        bytes += used;
        size -= used;
    }
    return XM_OK;
}

static enum xm_status bake_window(struct run *r, uint32_t cpu)
{
    struct xm_ring_window window;
    if (xm_ring_peek(&r->ring[cpu], &window) != XM_OK)
        return XM_OK; /* empty: nobody else writes the indices */
    const uint32_t header[] = {XM_WINDOW_HEADER, cpu, window.size};
    enum xm_status status = bake_bytes(r->bake, (const unsigned char *)header, sizeof header);
    for (unsigned i = 0; i < 2 && status == XM_OK; i++)
        status = bake_bytes(r->bake, window.part[i].bytes, window.part[i].size);
    xm_ring_consume(&r->ring[cpu], window.size);
    return status;
}

/* A pass over the buffers. */
static enum xm_status bake_pass(struct run *r)
{
    enum xm_status status = XM_OK;
    uint64_t before = cpu_ns();
    for (uint32_t i = 0; i < r->cpus && status == XM_OK; i++)
        status = bake_window(r, i);
    r->own_ns += cpu_ns() - before;
    return status;
}

static enum xm_status advance(struct run *r, uint64_t until_ns)
{
    while (r->now_ns < until_ns) {
        r->now_ns = until_ns - r->now_ns > r->poll_ns ? r->now_ns + r->poll_ns : until_ns;
        enum xm_status status = xm_simhost_run(r->host, r->now_ns);
        if (status == XM_OK)
            status = bake_pass(r);
        if (status != XM_OK)
            return status;
    }
    return XM_OK;
}

/* As of the last record of this pass but for what shares its time: some microseconds ago. */
static enum xm_status take_sample(struct run *r, struct xm_sample *sample)
{
    enum xm_status status = xm_sample_init(sample, xm_account_capacity(xm_bake_account(r->bake)));
    if (status == XM_OK)
        xm_bake_sample(r->bake, xm_bake_now(r->bake), true, sample);
    return status;
}

static enum xm_status measure(struct run *r, const struct xm_experiment *e, struct xm_outcome *o)
{
    enum xm_status status = advance(r, e->warm_up_ns);
    if (status == XM_OK)
        status = take_sample(r, &o->from);
    if (status != XM_OK)
        return status;
    struct xm_served before = xm_simhost_served(r->host, e->server);
    struct xm_stream_stats stats_before = xm_bake_stats(r->bake);
    r->own_ns = 0;
    status = advance(r, e->warm_up_ns + e->length_ns);
    if (status == XM_OK)
        status = take_sample(r, &o->to);
    if (status != XM_OK)
        return status;
    struct xm_served after = xm_simhost_served(r->host, e->server);
    struct xm_stream_stats stats = xm_bake_stats(r->bake);
    o->served = (struct xm_served){after.offered - before.offered, after.turned_away - before.turned_away,
                                   after.answered - before.answered, after.response_ns - before.response_ns};
    o->io_seen = xm_bake_io_seen(r->bake);
    o->records = stats.records - stats_before.records;
    o->lost = stats.lost_records - stats_before.lost_records;
    o->own_ns = r->own_ns;
    for (unsigned i = 0; i < XM_ANOMALIES; i++)
        o->anomalies += xm_account_anomalies(xm_bake_account(r->bake), (enum xm_anomaly)i);
    return XM_OK;
}

static enum xm_status begin(struct run *r, const struct xm_experiment *e, struct xm_error *err)
{
    enum xm_status status = xm_simhost_create(e->scenario, &r->host, err);
    if (status != XM_OK)
        return status;
    for (uint32_t i = 0; i < r->cpus; i++) {
        status = xm_ring_attach(&r->ring[i], xm_simhost_buffer(r->host, i), xm_simhost_pages(r->host));
        if (status != XM_OK)
            return xm_fail(err, status, XM_NO_OFFSET, "a trace buffer of %u pages",
                           xm_simhost_pages(r->host));
    }
    /* Strict order: nothing here is in a hurry, and where one pCPU is all there is, nothing is held back. */
    const struct xm_bake_config config = {.stream.order = XM_ORDER_STRICT, .hz = e->scenario->hz};
    r->bake = xm_bake_create(&config);
    return r->bake ? XM_OK : xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
}

enum xm_status xm_experiment_run(const struct xm_experiment *e, struct xm_outcome *o, struct xm_error *err)
{
    *o = (struct xm_outcome){0};
    if (e->warm_up_ns < SHORTEST_NS || e->length_ns < SHORTEST_NS ||
        !xm_scale_init(&o->scale, e->scenario->hz))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET,
                       "an experiment takes 1 ms of warming up and 1 ms at least");
    struct run r = {.cpus = e->scenario->cpus,
                    .poll_ns = e->scenario->poll_ns ? e->scenario->poll_ns : SHORTEST_NS};
    enum xm_status status = begin(&r, e, err);
    if (status == XM_OK) {
        status = measure(&r, e, o);
        if (status != XM_OK)
            (void)xm_fail(err, status, XM_NO_OFFSET,
                          status == XM_DAMAGED ? "the simulated trace makes no sense" : "out of memory");
    }
    xm_bake_destroy(r.bake);
    xm_simhost_destroy(r.host);
    if (status != XM_OK)
        xm_outcome_free(o);
    return status;
}

void xm_outcome_free(struct xm_outcome *o)
{
    xm_sample_fini(&o->from);
    xm_sample_fini(&o->to);
    *o = (struct xm_outcome){0};
}
