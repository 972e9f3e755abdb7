/* SPDX-License-Identifier: MIT */
#include "region/attach.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TABLE_BYTES (UINT64_C(1) << 20)

/* One of the two tables, copied. */
struct table {
    unsigned char *bytes; /* owned */
    uint64_t stride;
    uint64_t count;
};

struct tables {
    struct table sections;
    struct table metrics;
    uint64_t place[XM_SECTIONS]; /* of the sections we know, in the region's table */
    struct xm_layout_section section[XM_SECTIONS];
};

static enum xm_status damaged(struct xm_error *err, uint64_t offset, const char *what)
{
    return xm_fail(err, XM_DAMAGED, offset, "not a region, or a damaged one: %s", what);
}

static enum xm_status check_header(const struct xm_layout_header *h, uint64_t size, struct xm_error *err)
{
    if (memcmp(h->magic, XM_LAYOUT_MAGIC, sizeof h->magic) != 0)
        return damaged(err, 0, "no magic number");
    if (h->byte_order != XM_LAYOUT_ORDER)
        return xm_fail(err, XM_UNSUPPORTED, offsetof(struct xm_layout_header, byte_order),
                       "a region in another byte order");
    if (h->version >> 16 != XM_LAYOUT_MAJOR)
        return xm_fail(err, XM_UNSUPPORTED, offsetof(struct xm_layout_header, version),
                       "a region of version %" PRIu32 ".%" PRIu32 ", and this program reads %u",
                       h->version >> 16, h->version & 0xffff, XM_LAYOUT_MAJOR);
    if (h->header_bytes < sizeof *h || h->header_bytes > h->region_bytes)
        return damaged(err, offsetof(struct xm_layout_header, header_bytes), "length of the header");
    if (h->region_bytes > size)
        return xm_fail(err, XM_DAMAGED, offsetof(struct xm_layout_header, region_bytes),
                       "a damaged region: %" PRIu64 " bytes, of which there are %" PRIu64, h->region_bytes,
                       size);
    if (h->region_bytes > XM_PLAN_MOST_BYTES)
        return damaged(err, offsetof(struct xm_layout_header, region_bytes), "length of the region");
    if (h->domains == 0 || h->vcpus == 0 || h->pcpus == 0 || h->domains > XM_PLAN_MOST_ROWS ||
        h->vcpus > XM_PLAN_MOST_ROWS || h->pcpus > XM_PLAN_MOST_ROWS)
        return damaged(err, offsetof(struct xm_layout_header, domains), "capacities");
    return XM_OK;
}

static enum xm_status read_table(const struct xm_bytes *b, uint64_t offset, uint32_t count, uint32_t stride,
                                 size_t least, struct table *t, struct xm_error *err)
{
    uint64_t bytes = (uint64_t)count * stride;
    if (offset % 8 != 0 || stride < least || bytes == 0 || bytes > MOST_TABLE_BYTES || bytes > b->size ||
        offset > b->size - bytes)
        return damaged(err, offset, "a table's place");
    t->stride = stride;
    t->count = count;
    t->bytes = malloc(bytes);
    if (!t->bytes)
        return xm_fail(err, XM_NOMEM, XM_NO_OFFSET, "out of memory");
    if (!xm_bytes_read(b, offset, t->bytes, bytes))
        return damaged(err, offset, "it ends within a table");
    return XM_OK;
}

/* ---- Sections. */

static bool same_name(const char *entry, size_t size, const char *name)
{
    size_t n = strlen(name);
    return n < size && memcmp(entry, name, n + 1) == 0;
}

static bool find_sections(struct tables *t)
{
    for (enum xm_section want = 0; want < XM_SECTIONS; want++) {
        uint64_t i = 0;
        for (; i < t->sections.count; i++) {
            memcpy(&t->section[want], t->sections.bytes + i * t->sections.stride, sizeof t->section[want]);
            if (same_name(t->section[want].name, sizeof t->section[want].name, xm_section_name(want)))
                break;
        }
        if (i == t->sections.count)
            return false;
        t->place[want] = i;
    }
    return true;
}

/* Whether the section's elements, each at least `least` bytes, lie within `room` bytes. */
static bool lies_within(const struct xm_layout_section *s, uint64_t room, uint64_t least, uint64_t align)
{
    return s->offset % 8 == 0 && s->stride % align == 0 && s->stride >= least && s->stride > 0 &&
           s->count > 0 && s->offset <= room && s->count <= (room - s->offset) / s->stride;
}

static bool take_array(const struct xm_layout_section *s, uint64_t region_bytes, size_t least,
                       struct xm_array *array)
{
    if (s->parent != XM_LAYOUT_TOP || !lies_within(s, region_bytes, least, 8))
        return false;
    *array = (struct xm_array){s->offset, s->stride, s->count};
    return true;
}

static uint64_t rows_expected(const struct xm_layout_header *h, enum xm_scope scope)
{
    const uint64_t rows[XM_SCOPES] = {[XM_SCOPE_VCPU] = h->vcpus,
                                      [XM_SCOPE_DOMAIN] = h->domains,
                                      [XM_SCOPE_PCPU] = h->pcpus,
                                      [XM_SCOPE_PAIR] = h->domains * h->pcpus,
                                      [XM_SCOPE_HOST] = 1};
    return rows[scope];
}

static bool take_ring(const struct tables *t, const struct xm_layout_header *h, enum xm_series series,
                      struct xm_plan_ring *ring)
{
    enum xm_section top = xm_section_series(series);
    struct xm_array slots;
    if (!take_array(&t->section[top], h->region_bytes, sizeof(struct xm_layout_slot), &slots) ||
        slots.stride > XM_PLAN_MOST_SLOT_BYTES)
        return false;
    ring->offset = slots.offset;
    ring->stride = slots.stride;
    ring->slots = slots.count;
    for (enum xm_scope scope = 0; scope < XM_SCOPES; scope++) {
        enum xm_section which = xm_section_rows(series, scope);
        if (which == XM_SECTIONS)
            continue;
        const struct xm_layout_section *s = &t->section[which];
        if (s->parent != t->place[top] || s->count != rows_expected(h, scope) ||
            !lies_within(s, slots.stride, 8, 8))
            return false;
        ring->rows[scope].offset = s->offset;
        ring->rows[scope].stride = s->stride;
        ring->rows[scope].count = s->count;
    }
    const struct xm_layout_section *map = &t->section[xm_section_vcpu_domain(series)];
    ring->vcpu_domain = map->offset;
    return map->parent == t->place[top] && map->count == h->vcpus && map->stride == 4 &&
           lies_within(map, slots.stride, 4, 4);
}

/* ---- Metrics. */

static const struct xm_metric *find_metric(enum xm_scope scope, const char *name, size_t size)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    for (size_t i = 0; i < count; i++)
        if (metrics[i].scope == scope && same_name(name, size, metrics[i].name))
            return &metrics[i];
    return NULL;
}

/* The rows that an entry is about: NULL where it is about something else. */
static struct xm_rows *rows_of_entry(struct xm_attach *a, const struct tables *t,
                                     const struct xm_layout_metric *e, enum xm_scope *scope)
{
    for (enum xm_series series = 0; series < XM_SERIES_COUNT; series++)
        for (*scope = 0; *scope < XM_SCOPES; (*scope)++) {
            enum xm_section which = xm_section_rows(series, *scope);
            if (which != XM_SECTIONS && t->place[which] == e->section)
                return &a->ring[series].rows[*scope];
        }
    return NULL;
}

static bool take_metric(struct xm_attach *a, const struct tables *t, const struct xm_layout_metric *e)
{
    enum xm_scope scope;
    struct xm_rows *rows = rows_of_entry(a, t, e, &scope);
    if (!rows)
        return true;
    uint64_t bytes = (uint64_t)e->count * e->bytes;
    if (e->offset > rows->stride || bytes > rows->stride - e->offset)
        return false;
    const struct xm_metric *m = find_metric(scope, e->name, sizeof e->name);
    /* Unknown here, or of another type there: what both know is read, the rest is 0. */
    if (!m || e->bytes != m->bytes || e->count == 0)
        return true;
    uint32_t count = e->count < m->count ? e->count : m->count;
    return xm_rows_add(rows, (struct xm_run){e->offset, m->offset, count * m->bytes});
}

static bool take_metrics(struct xm_attach *a, const struct tables *t)
{
    for (uint64_t i = 0; i < t->metrics.count; i++) {
        struct xm_layout_metric e;
        memcpy(&e, t->metrics.bytes + i * t->metrics.stride, sizeof e);
        if (!take_metric(a, t, &e))
            return false;
    }
    return true;
}

/* ---- All of it. */

static enum xm_status take_all(struct xm_attach *a, struct tables *t, struct xm_error *err)
{
    const struct xm_layout_header *h = &a->header;
    enum xm_status status = read_table(&a->bytes, h->section_offset, h->section_count, h->section_stride,
                                       sizeof(struct xm_layout_section), &t->sections, err);
    if (status == XM_OK)
        status = read_table(&a->bytes, h->metric_offset, h->metric_count, h->metric_stride,
                            sizeof(struct xm_layout_metric), &t->metrics, err);
    if (status != XM_OK)
        return status;
    if (!find_sections(t))
        return damaged(err, h->section_offset, "a section is missing");
    if (!take_array(&t->section[XM_SECTION_DOMAINS], h->region_bytes, sizeof(struct xm_layout_domain),
                    &a->domains) ||
        a->domains.count != h->domains)
        return damaged(err, h->section_offset, "the section of domains");
    if (!take_array(&t->section[XM_SECTION_HISTOGRAMS], h->region_bytes, 16, &a->histograms) ||
        a->histograms.count != h->vcpus)
        return damaged(err, h->section_offset, "the section of histograms");
    a->histograms_known = h->hist_sub_bits == XM_HIST_SUB_BITS && h->hist_top_bits == XM_HIST_TOP_BITS &&
                          a->histograms.stride >= sizeof(struct xm_layout_histogram);
    for (enum xm_series series = 0; series < XM_SERIES_COUNT; series++) {
        if (!take_ring(t, h, series, &a->ring[series]))
            return damaged(err, h->section_offset, "the sections of a series");
        if (a->largest < a->ring[series].stride)
            a->largest = a->ring[series].stride;
    }
    if (!take_metrics(a, t))
        return damaged(err, h->metric_offset, "the table of metrics");
    return XM_OK;
}

enum xm_status xm_attach(struct xm_attach *a, const struct xm_bytes *bytes, struct xm_error *err)
{
    *a = (struct xm_attach){.bytes = *bytes, .largest = sizeof(struct xm_layout_histogram)};
    if (!xm_bytes_read(bytes, 0, &a->header, sizeof a->header))
        return damaged(err, bytes->size, "shorter than a header");
    enum xm_status status = check_header(&a->header, bytes->size, err);
    if (status != XM_OK)
        return status;
    a->bytes.size = a->header.region_bytes / 8 * 8;
    a->capacity = (struct xm_capacity){(uint32_t)a->header.domains, (uint32_t)a->header.vcpus,
                                       (uint32_t)a->header.pcpus};
    struct tables tables = {0};
    status = take_all(a, &tables, err);
    free(tables.sections.bytes);
    free(tables.metrics.bytes);
    return status;
}
