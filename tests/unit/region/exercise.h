/* SPDX-License-Identifier: MIT */
/* Every call of the reader on a region that may say anything: for hostile files, and for fuzzing. */
#ifndef XM_TEST_REGION_EXERCISE_H
#define XM_TEST_REGION_EXERCISE_H

#include <stdlib.h>
#include <string.h>

#include "xenmon/region.h"

#define EXERCISE_MOST 64u /* larger capacities get a sample that is too small for them */

/* Our bug if it is not so: the same with and without cmocka. */
static inline void exercise_expect(bool good)
{
    if (!good)
        abort();
}

static inline void exercise_sample(struct xm_region *region, enum xm_series series, uint64_t index,
                                   struct xm_sample *s)
{
    struct xm_host_row host;
    enum xm_region_outcome outcome = xm_region_sample(region, series, index, s);
    exercise_expect(outcome != XM_REGION_GONE && outcome != XM_REGION_RESTARTED);
    exercise_expect(s->used.domains <= s->capacity.domains && s->used.vcpus <= s->capacity.vcpus &&
                    s->used.pcpus <= s->capacity.pcpus);
    for (uint32_t v = 0; v < s->used.vcpus; v++)
        exercise_expect(s->vcpu_domain[v] < s->capacity.domains);
    outcome = xm_region_host(region, series, index, &host);
    exercise_expect(outcome != XM_REGION_GONE && outcome != XM_REGION_RESTARTED);
}

static inline void exercise_series(struct xm_region *region, enum xm_series series, uint64_t newest,
                                   struct xm_sample *s)
{
    const uint64_t indices[] = {0,      1,          newest - 5,     newest - 2, newest - 1,
                                newest, newest + 1, UINT64_MAX / 2, UINT64_MAX};
    const uint64_t windows[] = {0, 1000, UINT64_MAX / 2, UINT64_MAX};
    for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++)
        exercise_sample(region, series, indices[i], s);
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        uint64_t index;
        enum xm_region_outcome outcome = xm_region_find(region, series, windows[i], &index);
        if (outcome == XM_REGION_OK || outcome == XM_REGION_OVERRUN)
            exercise_sample(region, series, index, s);
    }
}

static inline void exercise_slots(struct xm_region *region, uint32_t slot)
{
    struct xm_region_domain domain;
    uint64_t counts[XM_HIST_BUCKETS];
    uint64_t id;
    if (xm_region_domain(region, slot, &domain) == XM_REGION_OK)
        exercise_expect(memchr(domain.name, 0, sizeof domain.name) &&
                        memchr(domain.uuid, 0, sizeof domain.uuid));
    for (unsigned kind = 0; kind <= XM_HISTS; kind++)
        (void)!xm_region_histogram(region, slot, (enum xm_hist_kind)kind, counts, &id);
}

static inline void exercise(struct xm_region *region)
{
    struct xm_region_info info;
    struct xm_sample s;
    enum xm_region_outcome outcome = xm_region_info(region, &info);
    if (outcome != XM_REGION_OK)
        memset(&info, 0, sizeof info);
    struct xm_capacity c = info.capacity;
    if (c.domains == 0 || c.domains > EXERCISE_MOST || c.vcpus > EXERCISE_MOST || c.pcpus > EXERCISE_MOST)
        c = (struct xm_capacity){EXERCISE_MOST, EXERCISE_MOST, EXERCISE_MOST};
    if (xm_sample_init(&s, c) != XM_OK)
        return;
    for (enum xm_series series = 0; series < XM_SERIES_COUNT; series++)
        exercise_series(region, series, info.series[series].newest, &s);
    const uint32_t slots[] = {0, 1, info.capacity.vcpus - 1, info.capacity.vcpus, UINT32_MAX};
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        exercise_slots(region, slots[i]);
    (void)!xm_region_check(region);
    xm_sample_fini(&s);
}

#endif
