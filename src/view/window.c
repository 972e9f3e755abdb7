/* SPDX-License-Identifier: MIT */
#include "view/view.h"

#include <math.h>

#include "base/histogram.h"

static void fold_row(void *into, const void *row, const struct xm_metric *m)
{
    uint64_t *a = (uint64_t *)(void *)((char *)into + m->offset);
    uint64_t b = *(const uint64_t *)(const void *)((const char *)row + m->offset);
    if (m->kind == XM_KIND_PEAK ? b > *a : b < *a)
        *a = b;
}

/* One metric of all rows of one kind.  Every row begins with its id. */
static void fold_rows(void *into, uint32_t into_used, const void *rows, uint32_t used,
                      const struct xm_metric *m)
{
    size_t bytes = xm_row_bytes(m->scope);
    for (uint32_t i = 0; i < into_used && i < used; i++) {
        char *a = (char *)into + i * bytes;
        const char *b = (const char *)rows + i * bytes;
        if (*(uint64_t *)(void *)a && *(uint64_t *)(void *)a == *(const uint64_t *)(const void *)b)
            fold_row(a, b, m);
    }
}

void xm_window_peaks(struct xm_sample *into, const struct xm_sample *sample)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        const struct xm_metric *m = &metrics[i];
        if (m->kind != XM_KIND_PEAK && m->kind != XM_KIND_TROUGH)
            continue;
        if (m->scope == XM_SCOPE_VCPU)
            fold_rows(into->vcpu, into->used.vcpus, sample->vcpu, sample->used.vcpus, m);
        else if (m->scope == XM_SCOPE_DOMAIN)
            fold_rows(into->domain, into->used.domains, sample->domain, sample->used.domains, m);
        else if (m->scope == XM_SCOPE_PCPU)
            fold_rows(into->pcpu, into->used.pcpus, sample->pcpu, sample->used.pcpus, m);
    }
}

static uint64_t bucket(const uint64_t *after, const uint64_t *before, unsigned i)
{
    uint64_t then = before ? before[i] : 0;
    return after[i] > then ? after[i] - then : 0;
}

uint64_t xm_percentile(const uint64_t *after, const uint64_t *before, double p)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
        total += bucket(after, before, i);
    if (total == 0)
        return 0;
    /* The hair's breadth less keeps 0.1 of 10 values at the first one: 0.1 has no exact double. */
    double exact = ceil(p * (double)total * (1 - 1e-12));
    uint64_t rank = exact >= 1 ? (exact < (double)total ? (uint64_t)exact : total) : 1;
    uint64_t seen = 0;
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++) {
        seen += bucket(after, before, i);
        if (seen >= rank)
            return xm_hist_low(i) + xm_hist_width(i) / 2;
    }
    return 0;
}
