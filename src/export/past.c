/* SPDX-License-Identifier: MIT */
#include "export/past.h"

#include <inttypes.h>
#include <stdlib.h>

#include "export/past_int.h"
#include "xenmon/region.h"

#define FOLD_ROWS 200000u
#define ALL_ROWS  (1u << XM_SCOPE_VCPU | 1u << XM_SCOPE_DOMAIN | 1u << XM_SCOPE_PCPU)

enum xm_status xm_past_not_now(enum xm_region_outcome outcome, struct xm_error *err)
{
    return xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "the region cannot be read now: %s",
                   xm_region_outcome_name(outcome));
}

enum xm_status xm_past_open(const struct xm_host_snapshot *snapshot, const char *path, struct xm_past **past,
                            struct xm_error *err)
{
    struct xm_error why = {0};
    *past = NULL;
    struct xm_past *p = calloc(1, sizeof *p);
    if (!p)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    p->snapshot = snapshot;
    enum xm_status status = xm_region_open(path, &p->region, &why);
    if (status != XM_OK) {
        status = xm_fail(err, status == XM_NOMEM ? XM_NOMEM : XM_AGAIN, XM_NO_OFFSET, "%s", why.text);
    } else {
        enum xm_region_outcome outcome = xm_region_info(p->region, &p->info);
        if (outcome != XM_REGION_OK)
            status = xm_past_not_now(outcome, err);
        else if (p->info.lineage_id != snapshot->info.lineage_id)
            status = xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "xenbaked has just been started anew");
        else if (p->info.series[XM_SERIES_FAST].newest == UINT64_MAX)
            status = xm_fail(err, XM_AGAIN, XM_NO_OFFSET, "there is no sample yet");
    }
    for (size_t i = 0; i < 3 && status == XM_OK; i++)
        if (xm_sample_init(&p->sample[i], p->info.capacity) != XM_OK)
            status = xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (status == XM_OK)
        *past = p;
    else
        xm_past_close(p);
    return status;
}

void xm_past_close(struct xm_past *past)
{
    if (!past)
        return;
    for (size_t i = 0; i < 3; i++)
        xm_sample_fini(&past->sample[i]);
    xm_region_close(past->region);
    free(past);
}

uint64_t xm_past_back_by(const struct xm_past *p, enum xm_series series, uint64_t window, uint64_t ns)
{
    const struct xm_scale *scale = &p->snapshot->scale;
    uint64_t cycles = xm_scale_to_cycles(scale, xm_ns_of(ns)).v;
    uint64_t half = xm_scale_to_cycles(scale, xm_ns_of(p->info.series[series].interval_ns / 2)).v;
    return window > cycles ? window - cycles + half : 0;
}

/* ---- Windows. */

/* Both ends out of one series.  *whole: all of the time that was asked for is in it. */
static enum xm_status ends_of(struct xm_past *p, enum xm_series series, uint64_t ns, struct xm_window *w,
                              uint64_t *first, uint64_t *last, bool *whole, struct xm_error *err)
{
    struct xm_region_info info;
    enum xm_region_outcome outcome = xm_region_info(p->region, &info);
    if (outcome != XM_REGION_OK || info.series[series].newest == UINT64_MAX)
        return xm_past_not_now(outcome == XM_REGION_OK ? XM_REGION_RETRY : outcome, err);
    *last = info.series[series].newest;
    outcome = xm_region_rows(p->region, series, *last, ALL_ROWS, &p->sample[1]);
    if (outcome != XM_REGION_OK)
        return xm_past_not_now(outcome, err);
    *w = (struct xm_window){.to = &p->sample[1], .scale = &p->snapshot->scale, .io_seen = info.io_seen};
    uint64_t target = xm_past_back_by(p, series, p->sample[1].host.window, ns);
    *whole = true;
    if (target == 0) /* since the trace began */
        return XM_OK;
    outcome = xm_region_find(p->region, series, target, first);
    if (outcome == XM_REGION_OVERRUN)
        *whole = false;
    else if (outcome != XM_REGION_OK)
        return xm_past_not_now(outcome, err);
    outcome = xm_region_rows(p->region, series, *first, ALL_ROWS, &p->sample[0]);
    if (outcome != XM_REGION_OK)
        return xm_past_not_now(outcome, err);
    w->from = &p->sample[0];
    return XM_OK;
}

/* The longest wait and the like are kept by interval: those between the ends count too. */
static bool fold_peaks(struct xm_past *p, uint64_t first, uint64_t last)
{
    uint64_t rows = (uint64_t)p->sample[1].used.vcpus + p->sample[1].used.domains + 1;
    if (last <= first || (last - first) * rows > FOLD_ROWS)
        return false;
    for (uint64_t i = first + 1; i < last; i++) {
        if (xm_region_rows(p->region, XM_SERIES_FAST, i, ALL_ROWS, &p->sample[2]) != XM_REGION_OK)
            return false;
        xm_window_peaks(&p->sample[1], &p->sample[2]);
    }
    return true;
}

enum xm_status xm_past_window(struct xm_past *p, uint64_t ns, struct xm_shape_window *w, struct xm_error *err)
{
    uint64_t first = 0, last = 0;
    bool whole = false;
    w->waits = -1;
    w->coarse = false;
    enum xm_status status = ends_of(p, XM_SERIES_FAST, ns, &w->window, &first, &last, &whole, err);
    if (status != XM_OK)
        return status;
    if (whole) {
        w->no_peaks = !w->window.from || !fold_peaks(p, first, last);
        return XM_OK;
    }
    w->coarse = true;
    w->no_peaks = true;
    return ends_of(p, XM_SERIES_SLOW, ns, &w->window, &first, &last, &whole, err);
}
