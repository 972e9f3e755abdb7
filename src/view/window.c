/* SPDX-License-Identifier: MIT */
#include "view/view.h"

#include <math.h>
#include <stdlib.h>

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

static int compare_places(const void *a, const void *b)
{
    uint64_t x = ((const struct xm_place *)a)->key;
    uint64_t y = ((const struct xm_place *)b)->key;
    return x < y ? -1 : x > y;
}

static uint64_t order_key(uint64_t id)
{
    return (uint64_t)xm_row_domid(id) << 47 | (uint64_t)xm_row_instance(id) << 16 | xm_row_vcpu(id);
}

/* Rows of one kind, each of which begins with its id. */
static size_t order_rows(const void *rows, uint32_t used, size_t bytes, bool plain, struct xm_place *places)
{
    size_t n = 0;
    for (uint32_t slot = 0; slot < used; slot++) {
        uint64_t id = *(const uint64_t *)(const void *)((const char *)rows + slot * bytes);
        if (id)
            places[n++] = (struct xm_place){plain ? id : order_key(id), slot};
    }
    qsort(places, n, sizeof *places, compare_places);
    return n;
}

size_t xm_order_vcpus(const struct xm_sample *sample, struct xm_place *places)
{
    return order_rows(sample->vcpu, sample->used.vcpus, sizeof *sample->vcpu, false, places);
}

size_t xm_order_domains(const struct xm_sample *sample, struct xm_place *places)
{
    return order_rows(sample->domain, sample->used.domains, sizeof *sample->domain, false, places);
}

size_t xm_order_pcpus(const struct xm_sample *sample, struct xm_place *places)
{
    return order_rows(sample->pcpu, sample->used.pcpus, sizeof *sample->pcpu, true, places);
}

bool xm_window_was_over(const struct xm_window *w, uint32_t slot)
{
    return w->from && slot < w->from->used.domains && w->from->domain[slot].id == w->to->domain[slot].id &&
           w->from->domain[slot].ended;
}
