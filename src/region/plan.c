/* SPDX-License-Identifier: MIT */
#include "region/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const struct xm_capacity default_capacity = {32, 100, 8};

static uint64_t round_up(uint64_t value)
{
    return (value + XM_LAYOUT_ALIGN - 1) / XM_LAYOUT_ALIGN * XM_LAYOUT_ALIGN;
}

bool xm_series_carries(enum xm_series series, const struct xm_metric *metric)
{
    return series == XM_SERIES_SLOW ? metric->slow : metric->count == 1;
}

bool xm_rows_add(struct xm_rows *rows, struct xm_run run)
{
    struct xm_run *last = rows->runs ? &rows->run[rows->runs - 1] : NULL;
    if (last && last->row + last->bytes == run.row && last->member + last->bytes == run.member) {
        last->bytes += run.bytes;
        return true;
    }
    if (rows->runs == XM_RUNS)
        return false;
    rows->run[rows->runs++] = run;
    return true;
}

/* ---- Settings. */

static enum xm_status complete(const struct xm_region_settings *asked, struct xm_region_settings *s,
                               struct xm_error *err)
{
    *s = *asked;
    if (s->capacity.domains == 0)
        s->capacity.domains = default_capacity.domains;
    if (s->capacity.vcpus == 0)
        s->capacity.vcpus = default_capacity.vcpus;
    if (s->capacity.pcpus == 0)
        s->capacity.pcpus = default_capacity.pcpus;
    if (s->interval_ns == 0)
        s->interval_ns = XM_PLAN_INTERVAL_NS;
    if (s->fast_s == 0)
        s->fast_s = XM_PLAN_FAST_S;
    if (s->slow_s == 0)
        s->slow_s = XM_PLAN_SLOW_S;
    if (s->limit_bytes == 0)
        s->limit_bytes = XM_PLAN_LIMIT_BYTES;
    if (s->capacity.domains > XM_PLAN_MOST_ROWS || s->capacity.vcpus > XM_PLAN_MOST_ROWS ||
        s->capacity.pcpus > XM_PLAN_MOST_ROWS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a capacity is at most %u", XM_PLAN_MOST_ROWS);
    if (s->interval_ns < 1000000 || s->interval_ns > UINT64_C(60000000000))
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "the time between samples is 1 ms to 60 s");
    if (s->fast_s > 86400)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "the fast history is at most 86400 s");
    if (s->slow_s > 604800)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "the slow history is at most 604800 s");
    return XM_OK;
}

/* ---- Slots. */

static uint64_t rows_of(struct xm_capacity c, enum xm_scope scope)
{
    switch (scope) {
    case XM_SCOPE_VCPU:
        return c.vcpus;
    case XM_SCOPE_DOMAIN:
        return c.domains;
    case XM_SCOPE_PCPU:
        return c.pcpus;
    case XM_SCOPE_PAIR:
        return (uint64_t)c.domains * c.pcpus;
    default:
        return 1;
    }
}

static void plan_rows(enum xm_series series, enum xm_scope scope, struct xm_rows *rows)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const struct xm_metric *m = &metrics[i];
        if (m->scope != scope || !xm_series_carries(series, m))
            continue;
        uint32_t bytes = (uint32_t)m->count * m->bytes;
        bool room = xm_rows_add(rows, (struct xm_run){at, m->offset, bytes});
        XM_ASSERT(room);
        at += bytes;
    }
    rows->stride = (at + 7) / 8 * 8;
}

/* Rows lie in this order; each kind begins on a boundary of its own. */
static const enum xm_scope scope_order[XM_SCOPES] = {XM_SCOPE_HOST, XM_SCOPE_VCPU, XM_SCOPE_DOMAIN,
                                                     XM_SCOPE_PCPU, XM_SCOPE_PAIR};

static void put_section(struct xm_region_plan *plan, enum xm_section which, uint32_t parent, uint64_t offset,
                        uint64_t stride, uint64_t count)
{
    struct xm_layout_section *s = &plan->section[which];
    snprintf(s->name, sizeof s->name, "%s", xm_section_name(which));
    s->parent = parent;
    s->offset = offset;
    s->stride = stride;
    s->count = count;
}

static void plan_slot(struct xm_region_plan *plan, enum xm_series series)
{
    struct xm_plan_ring *ring = &plan->ring[series];
    uint32_t parent = xm_section_series(series);
    uint64_t at = sizeof(struct xm_layout_slot);
    for (unsigned i = 0; i < XM_SCOPES; i++) {
        enum xm_scope scope = scope_order[i];
        enum xm_section section = xm_section_rows(series, scope);
        struct xm_rows *rows = &ring->rows[scope];
        if (section == XM_SECTIONS)
            continue;
        plan_rows(series, scope, rows);
        rows->offset = at;
        rows->count = rows_of(plan->capacity, scope);
        put_section(plan, section, parent, at, rows->stride, rows->count);
        at = round_up(at + rows->stride * rows->count);
        if (scope == XM_SCOPE_VCPU) {
            ring->vcpu_domain = at;
            put_section(plan, xm_section_vcpu_domain(series), parent, at, 4, rows->count);
            at = round_up(at + 4 * rows->count);
        }
    }
    ring->stride = at;
}

static uint32_t count_metrics(void)
{
    size_t metrics;
    size_t fields;
    const struct xm_metric *table = xm_metrics(&metrics);
    uint32_t n = 0;
    for (size_t i = 0; i < metrics; i++)
        for (enum xm_series s = 0; s < XM_SERIES_COUNT; s++)
            n += xm_series_carries(s, &table[i]);
    (void)xm_layout_fields(&fields);
    return n + (uint32_t)fields;
}

/* ---- History: two slots more than the window needs, one for its beginning and one that is being written. */

static uint64_t slots_for(uint64_t seconds, uint64_t interval_ns)
{
    return (seconds * UINT64_C(1000000000) + interval_ns - 1) / interval_ns + 2;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* As many slots of `stride` bytes as fit, within bounds. */
static uint64_t fit(uint64_t bytes, uint64_t stride, uint64_t low, uint64_t high)
{
    uint64_t n = bytes / stride;
    return n < low ? low : least(n, high);
}

static enum xm_status plan_history(const struct xm_region_settings *s, struct xm_region_plan *plan,
                                   uint64_t fixed, struct xm_error *err)
{
    struct xm_plan_ring *fast = &plan->ring[XM_SERIES_FAST];
    struct xm_plan_ring *slow = &plan->ring[XM_SERIES_SLOW];
    uint64_t fast_want = slots_for(s->fast_s, plan->interval_ns[XM_SERIES_FAST]);
    uint64_t slow_want = slots_for(s->slow_s, plan->interval_ns[XM_SERIES_SLOW]);
    uint64_t fast_least =
        slots_for(least(s->fast_s, XM_PLAN_FAST_LEAST_S), plan->interval_ns[XM_SERIES_FAST]);
    uint64_t slow_least =
        slots_for(least(s->slow_s, XM_PLAN_SLOW_LEAST_S), plan->interval_ns[XM_SERIES_SLOW]);
    if (fast_want > XM_PLAN_MOST_SLOTS || slow_want > XM_PLAN_MOST_SLOTS)
        return xm_fail(err, XM_INVALID, XM_NO_OFFSET, "a history has at most %llu samples",
                       (unsigned long long)XM_PLAN_MOST_SLOTS);
    if (fast->stride > XM_PLAN_MOST_SLOT_BYTES)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "one sample of these capacities would need %llu MiB",
                       (unsigned long long)(fast->stride >> 20));

    /* Neither product overflows: at most 2^24 slots of 2^32 bytes. */
    uint64_t need = fixed + fast_least * fast->stride + slow_least * slow->stride;
    uint64_t limit = s->limit_bytes > need ? s->limit_bytes : need;
    uint64_t rest = limit - fixed - slow_least * slow->stride;
    fast->slots = fit(rest, fast->stride, fast_least, fast_want);
    rest = limit - fixed - fast->slots * fast->stride;
    slow->slots = fit(rest, slow->stride, slow_least, slow_want);
    plan->shrunk = fast->slots < fast_want || slow->slots < slow_want;
    plan->bytes = fixed + fast->slots * fast->stride + slow->slots * slow->stride;
    if (plan->bytes > XM_PLAN_MOST_BYTES)
        return xm_fail(err, XM_LIMIT, XM_NO_OFFSET, "a region of these capacities would need %llu GiB",
                       (unsigned long long)(plan->bytes >> 30));
    return XM_OK;
}

enum xm_status xm_region_plan(const struct xm_region_settings *settings, struct xm_region_plan *plan,
                              struct xm_error *err)
{
    struct xm_region_settings s;
    enum xm_status status = complete(settings, &s, err);
    if (status != XM_OK)
        return status;
    *plan = (struct xm_region_plan){.capacity = s.capacity};
    plan->interval_ns[XM_SERIES_FAST] = s.interval_ns;
    plan->interval_ns[XM_SERIES_SLOW] = XM_PLAN_SLOW_INTERVAL_NS;
    for (enum xm_series i = 0; i < XM_SERIES_COUNT; i++)
        plan_slot(plan, i);

    plan->metric_offset = sizeof(struct xm_layout_header) + XM_SECTIONS * sizeof(struct xm_layout_section);
    plan->metric_count = count_metrics();
    uint64_t domains = round_up(plan->metric_offset + plan->metric_count * sizeof(struct xm_layout_metric));
    uint64_t hist_stride = round_up(sizeof(struct xm_layout_histogram));
    uint64_t histograms = round_up(domains + sizeof(struct xm_layout_domain) * s.capacity.domains);
    uint64_t rings = histograms + hist_stride * s.capacity.vcpus;
    status = plan_history(&s, plan, rings, err);
    if (status != XM_OK)
        return status;

    struct xm_plan_ring *fast = &plan->ring[XM_SERIES_FAST];
    struct xm_plan_ring *slow = &plan->ring[XM_SERIES_SLOW];
    fast->offset = rings;
    slow->offset = rings + fast->stride * fast->slots;
    put_section(plan, XM_SECTION_HEADER, XM_LAYOUT_TOP, 0, sizeof(struct xm_layout_header), 1);
    put_section(plan, XM_SECTION_DOMAINS, XM_LAYOUT_TOP, domains, sizeof(struct xm_layout_domain),
                s.capacity.domains);
    put_section(plan, XM_SECTION_HISTOGRAMS, XM_LAYOUT_TOP, histograms, hist_stride, s.capacity.vcpus);
    put_section(plan, XM_SECTION_FAST, XM_LAYOUT_TOP, fast->offset, fast->stride, fast->slots);
    put_section(plan, XM_SECTION_SLOW, XM_LAYOUT_TOP, slow->offset, slow->stride, slow->slots);
    return XM_OK;
}

uint64_t xm_plan_history_ns(const struct xm_region_plan *plan, enum xm_series series)
{
    return (plan->ring[series].slots - 2) * plan->interval_ns[series];
}

/* ---- The description inside the region. */

static void put_metric(struct xm_layout_metric *e, enum xm_section section, uint32_t offset, uint32_t count,
                       uint32_t bytes)
{
    e->section = section;
    e->offset = offset;
    e->count = count;
    e->bytes = bytes;
}

static void put_words(struct xm_layout_metric *e, const char *type, const char *kind, enum xm_unit unit,
                      const char *name, const char *help)
{
    snprintf(e->type, sizeof e->type, "%s", type);
    snprintf(e->kind, sizeof e->kind, "%s", kind);
    snprintf(e->unit, sizeof e->unit, "%s", xm_unit_name(unit));
    snprintf(e->name, sizeof e->name, "%s", name);
    snprintf(e->help, sizeof e->help, "%s", help);
}

static struct xm_layout_metric *describe_rows(struct xm_layout_metric *e, enum xm_series series)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    uint32_t at[XM_SCOPES] = {0};
    for (size_t i = 0; i < count; i++) {
        const struct xm_metric *m = &metrics[i];
        if (!xm_series_carries(series, m))
            continue;
        put_metric(e, xm_section_rows(series, m->scope), at[m->scope], m->count, m->bytes);
        put_words(e, m->bytes == 8 ? "u64" : "u32", xm_kind_name(m->kind), m->unit, m->name, m->help);
        at[m->scope] += (uint32_t)m->count * m->bytes;
        e++;
    }
    return e;
}

void xm_plan_describe(const struct xm_region_plan *plan, void *base)
{
    struct xm_layout_header *h = base;
    memcpy(h->magic, XM_LAYOUT_MAGIC, sizeof h->magic);
    h->version = XM_LAYOUT_VERSION;
    h->byte_order = XM_LAYOUT_ORDER;
    h->header_bytes = sizeof *h;
    h->region_bytes = plan->bytes;
    h->section_offset = sizeof *h;
    h->section_count = XM_SECTIONS;
    h->section_stride = sizeof(struct xm_layout_section);
    h->metric_offset = plan->metric_offset;
    h->metric_count = plan->metric_count;
    h->metric_stride = sizeof(struct xm_layout_metric);
    h->domains = plan->capacity.domains;
    h->vcpus = plan->capacity.vcpus;
    h->pcpus = plan->capacity.pcpus;
    h->hist_sub_bits = XM_HIST_SUB_BITS;
    h->hist_top_bits = XM_HIST_TOP_BITS;
    h->coarse_first_bits = XM_COARSE_FIRST_BITS;
    h->coarse_step_bits = XM_COARSE_STEP_BITS;
    for (enum xm_series s = 0; s < XM_SERIES_COUNT; s++) {
        h->interval_ns[s] = plan->interval_ns[s];
        h->newest[s] = XM_LAYOUT_NONE;
    }
    memcpy((unsigned char *)base + h->section_offset, plan->section, sizeof plan->section);

    size_t count;
    const struct xm_field *f = xm_layout_fields(&count);
    struct xm_layout_metric *e = (void *)((unsigned char *)base + plan->metric_offset);
    for (size_t i = 0; i < count; i++, e++) {
        put_metric(e, f[i].section, f[i].offset, f[i].count, f[i].bytes);
        put_words(e, f[i].type, "fact", f[i].unit, f[i].name, f[i].help);
    }
    for (enum xm_series s = 0; s < XM_SERIES_COUNT; s++)
        e = describe_rows(e, s);
}
