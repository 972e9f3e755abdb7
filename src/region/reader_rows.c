/* SPDX-License-Identifier: MIT */
/* The reader's half of samples, domains and histograms: copy, make sure that the copy is whole, unpack. */
#include <string.h>

#include "region/reader_int.h"
#include "region/text.h"
#include "region/words.h"
#include "xenmon/region.h"

#define TRIES 100

/* An index near the end of 64 bits would make sequences that wrap: nobody got there by counting. */
#define MOST_INDEX (UINT64_C(1) << 62)

/* ---- A slot of a ring. */

/* Kinds of rows, a bit each. */
#define HOST_ROW (1u << XM_SCOPE_HOST)
#define ALL_ROWS ((1u << XM_SCOPES) - 1)

static uint64_t slot_at(const struct xm_plan_ring *ring, uint64_t index)
{
    return ring->offset + index % ring->slots * ring->stride;
}

/* Copies the slot's header and the rows in use to the scratch memory, each where the slot has it. */
static bool copy_rows(const struct xm_region *r, const struct xm_plan_ring *ring, uint64_t at,
                      struct xm_capacity used, unsigned scopes)
{
    const struct xm_attach *a = &r->a;
    const uint64_t rows[XM_SCOPES] = {
        [XM_SCOPE_HOST] = 1,
        [XM_SCOPE_VCPU] = used.vcpus,
        [XM_SCOPE_DOMAIN] = used.domains,
        [XM_SCOPE_PCPU] = used.pcpus,
        [XM_SCOPE_PAIR] = (uint64_t)used.domains * a->capacity.pcpus,
    };
    for (enum xm_scope scope = 0; scope < XM_SCOPES; scope++) {
        const struct xm_rows *from = &ring->rows[scope];
        uint64_t bytes = from->count ? rows[scope] * from->stride : 0;
        if (!(scopes & 1u << scope))
            continue;
        if (bytes && !xm_bytes_read(&a->bytes, at + from->offset, r->scratch + from->offset, bytes))
            return false;
    }
    return !(scopes & 1u << XM_SCOPE_VCPU) || used.vcpus == 0 ||
           xm_bytes_read(&a->bytes, at + ring->vcpu_domain, r->scratch + ring->vcpu_domain, 4 * used.vcpus);
}

/* The counts of rows in use, at most the capacity; false where they were more. */
static bool used_rows(const struct xm_layout_slot *head, struct xm_capacity capacity,
                      struct xm_capacity *used)
{
    bool good = head->used_domains <= capacity.domains && head->used_vcpus <= capacity.vcpus &&
                head->used_pcpus <= capacity.pcpus;
    *used = good ? (struct xm_capacity){(uint32_t)head->used_domains, (uint32_t)head->used_vcpus,
                                        (uint32_t)head->used_pcpus}
                 : (struct xm_capacity){0};
    return good;
}

/*
 * Copies sample `index` to the scratch memory.  The sequence word that says "complete" is known
 * beforehand, so there is nothing to try again: once it is another one, the slot belongs to a later sample.
 */
static enum xm_region_outcome copy_slot(const struct xm_region *r, const struct xm_plan_ring *ring,
                                        uint64_t index, unsigned scopes, struct xm_capacity *used)
{
    struct xm_layout_slot head;
    uint64_t after;
    uint64_t at = slot_at(ring, index);
    uint64_t complete = 2 * index + 2;
    if (!xm_bytes_read(&r->a.bytes, at, &head.seq, sizeof head.seq))
        return XM_REGION_INCOMPATIBLE;
    if (head.seq != complete)
        return XM_REGION_OVERRUN;
    xm_seq_before();
    if (!xm_bytes_read(&r->a.bytes, at, &head, sizeof head))
        return XM_REGION_INCOMPATIBLE;
    bool good = used_rows(&head, r->a.capacity, used) && head.index == index;
    if (!copy_rows(r, ring, at, *used, scopes))
        return XM_REGION_INCOMPATIBLE;
    xm_seq_after();
    if (!xm_bytes_read(&r->a.bytes, at, &after, sizeof after))
        return XM_REGION_INCOMPATIBLE;
    if (after != complete)
        return XM_REGION_OVERRUN;
    return good ? XM_REGION_OK : XM_REGION_INCOMPATIBLE;
}

static enum xm_region_outcome read_slot(const struct xm_region *r, enum xm_series series, uint64_t index,
                                        unsigned scopes, struct xm_capacity *used)
{
    struct xm_live live;
    if (!xm_region_live(r, &live))
        return XM_REGION_INCOMPATIBLE;
    uint64_t newest = live.newest[series];
    if (newest == XM_LAYOUT_NONE || (index > newest && index < MOST_INDEX))
        return XM_REGION_RETRY;
    if (newest >= MOST_INDEX || index >= MOST_INDEX)
        return XM_REGION_INCOMPATIBLE;
    if (newest - index >= r->a.ring[series].slots)
        return XM_REGION_OVERRUN;
    return copy_slot(r, &r->a.ring[series], index, scopes, used);
}

/* ---- Unpacking. */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Clears `clear` rows of `row_bytes` bytes at `to`, then fills the first `count` of them. */
static void unpack(const struct xm_rows *rows, const unsigned char *from, uint64_t count, void *to,
                   size_t row_bytes, uint64_t clear)
{
    unsigned char *row = to;
    const struct xm_run *run = rows->run;
    if (rows->runs == 1 && run->row == 0 && run->member == 0 && run->bytes == row_bytes && rows->stride == row_bytes) {
        /* A row is the same in both: the usual case of vCPUs, which are the most. */
        if (count)
            memcpy(to, from, count * row_bytes);
        if (clear > count)
            memset(row + count * row_bytes, 0, (clear - count) * row_bytes);
        return;
    }
    memset(to, 0, (clear > count ? clear : count) * row_bytes);
    for (uint64_t i = 0; i < count; i++, row += row_bytes, from += rows->stride)
        for (unsigned k = 0; k < rows->runs; k++)
            memcpy(row + rows->run[k].member, from + rows->run[k].row, rows->run[k].bytes);
}

static void unpack_pairs(const struct xm_region *r, const struct xm_rows *rows, struct xm_capacity used,
                         struct xm_sample *sample, struct xm_capacity before)
{
    const unsigned char *from = r->scratch + rows->offset;
    uint32_t domains = rows->count ? used.domains : 0;
    for (uint32_t d = 0; d < domains || d < before.domains; d++)
        unpack(rows, from + d * rows->stride * r->a.capacity.pcpus, d < domains ? used.pcpus : 0,
               sample->pair + (size_t)d * sample->capacity.pcpus, sizeof *sample->pair, before.pcpus);
}

/* Domain slots are what callers index with: one of a row in use must exist. */
static bool unpack_map(const struct xm_region *r, const struct xm_plan_ring *ring, struct xm_capacity used,
                       struct xm_sample *sample, uint32_t clear)
{
    if (clear > used.vcpus)
        memset(sample->vcpu_domain + used.vcpus, 0, (clear - used.vcpus) * sizeof *sample->vcpu_domain);
    memcpy(sample->vcpu_domain, r->scratch + ring->vcpu_domain, used.vcpus * sizeof *sample->vcpu_domain);
    bool good = true;
    for (uint32_t v = 0; v < used.vcpus; v++)
        if (sample->vcpu_domain[v] >= r->a.capacity.domains) {
            good = good && sample->vcpu[v].id == 0;
            sample->vcpu_domain[v] = 0;
        }
    return good;
}

static bool unpack_sample(const struct xm_region *r, const struct xm_plan_ring *ring, struct xm_capacity used,
                          unsigned scopes, struct xm_sample *s)
{
    const struct xm_rows *rows = ring->rows;
    struct xm_capacity before = {smaller(s->used.domains, s->capacity.domains),
                                 smaller(s->used.vcpus, s->capacity.vcpus),
                                 smaller(s->used.pcpus, s->capacity.pcpus)};
    unpack(&rows[XM_SCOPE_HOST], r->scratch + rows[XM_SCOPE_HOST].offset, 1, &s->host, sizeof s->host, 1);
    if (scopes & 1u << XM_SCOPE_VCPU)
        unpack(&rows[XM_SCOPE_VCPU], r->scratch + rows[XM_SCOPE_VCPU].offset, used.vcpus, s->vcpu, sizeof *s->vcpu,
               before.vcpus);
    if (scopes & 1u << XM_SCOPE_DOMAIN)
        unpack(&rows[XM_SCOPE_DOMAIN], r->scratch + rows[XM_SCOPE_DOMAIN].offset, used.domains, s->domain,
               sizeof *s->domain, before.domains);
    if (scopes & 1u << XM_SCOPE_PCPU)
        unpack(&rows[XM_SCOPE_PCPU], r->scratch + rows[XM_SCOPE_PCPU].offset, used.pcpus, s->pcpu, sizeof *s->pcpu,
               before.pcpus);
    if (scopes & 1u << XM_SCOPE_PAIR)
        unpack_pairs(r, &rows[XM_SCOPE_PAIR], used, s, before);
    s->used = used;
    return !(scopes & 1u << XM_SCOPE_VCPU) || unpack_map(r, ring, used, s, before.vcpus);
}

enum xm_region_outcome xm_region_rows(struct xm_region *region, enum xm_series series, uint64_t index,
                                      unsigned scopes, struct xm_sample *sample)
{
    struct xm_capacity have = sample->capacity;
    struct xm_capacity need = region->a.capacity;
    struct xm_capacity used;
    if (have.domains < need.domains || have.vcpus < need.vcpus || have.pcpus < need.pcpus)
        return XM_REGION_INCOMPATIBLE;
    scopes |= HOST_ROW;
    enum xm_region_outcome outcome = read_slot(region, series, index, scopes, &used);
    if (outcome != XM_REGION_OK)
        return outcome;
    return unpack_sample(region, &region->a.ring[series], used, scopes, sample) ? XM_REGION_OK
                                                                                : XM_REGION_INCOMPATIBLE;
}

enum xm_region_outcome xm_region_sample(struct xm_region *region, enum xm_series series, uint64_t index,
                                        struct xm_sample *sample)
{
    return xm_region_rows(region, series, index, ALL_ROWS, sample);
}

enum xm_region_outcome xm_region_host(struct xm_region *region, enum xm_series series, uint64_t index,
                                      struct xm_host_row *host)
{
    struct xm_capacity used;
    const struct xm_rows *rows = &region->a.ring[series].rows[XM_SCOPE_HOST];
    enum xm_region_outcome outcome = read_slot(region, series, index, HOST_ROW, &used);
    if (outcome == XM_REGION_OK)
        unpack(rows, region->scratch + rows->offset, 1, host, sizeof *host, 1);
    return outcome;
}

/* ---- Searching by time. */

/* Oldest and newest index that a series may still have; false: none yet. */
static enum xm_region_outcome bounds(const struct xm_region *r, enum xm_series series, uint64_t *low,
                                     uint64_t *high)
{
    struct xm_live live;
    if (!xm_region_live(r, &live))
        return XM_REGION_INCOMPATIBLE;
    uint64_t newest = live.newest[series];
    uint64_t slots = r->a.ring[series].slots;
    if (newest == XM_LAYOUT_NONE)
        return XM_REGION_RETRY;
    if (newest >= MOST_INDEX)
        return XM_REGION_INCOMPATIBLE;
    *high = newest;
    *low = newest >= slots ? newest - slots + 1 : 0;
    if (*low < r->a.header.first[series])
        *low = r->a.header.first[series];
    return *low <= newest ? XM_REGION_OK : XM_REGION_INCOMPATIBLE;
}

/* Bisects [low, high].  OK: *index is good; OVERRUN: every sample that is still there, *index on, is newer. */
static enum xm_region_outcome bisect(struct xm_region *r, enum xm_series series, uint64_t window,
                                     uint64_t low, uint64_t high, uint64_t *index)
{
    bool found = false;
    uint64_t oldest = low; /* none before it is readable */
    while (low <= high) {
        uint64_t middle = low + (high - low) / 2;
        struct xm_host_row host;
        enum xm_region_outcome outcome = xm_region_host(r, series, middle, &host);
        if (outcome == XM_REGION_OVERRUN) {
            oldest = low = middle + 1;
            found = false; /* what was found is older still */
            continue;
        }
        if (outcome != XM_REGION_OK)
            return outcome;
        if (host.window <= window) {
            found = true;
            *index = middle;
            low = middle + 1;
        } else if (middle == low) {
            break;
        } else {
            high = middle - 1;
        }
    }
    if (found)
        return XM_REGION_OK;
    *index = oldest;
    return XM_REGION_OVERRUN;
}

enum xm_region_outcome xm_region_find(struct xm_region *region, enum xm_series series, uint64_t window,
                                      uint64_t *index)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t low;
        uint64_t high;
        enum xm_region_outcome outcome = bounds(region, series, &low, &high);
        if (outcome == XM_REGION_OK)
            outcome = bisect(region, series, window, low, high, index);
        /* Past the newest: the writer overwrote the whole ring meanwhile, so there are others now. */
        if (outcome != XM_REGION_OVERRUN || *index <= high)
            return outcome;
    }
    return XM_REGION_RETRY;
}

/* ---- Elements with a sequence of their own. */

/* Copies `bytes` bytes from `from` bytes into the element at `at`, and its id, both after its sequence word. */
static enum xm_region_outcome copy_element(const struct xm_region *r, uint64_t at, uint64_t from,
                                           size_t bytes, uint64_t *id)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t before;
        uint64_t after;
        if (!xm_bytes_read(&r->a.bytes, at, &before, sizeof before))
            return XM_REGION_INCOMPATIBLE;
        if (before & 1)
            continue;
        xm_seq_before();
        if (!xm_bytes_read(&r->a.bytes, at + 8, id, sizeof *id) ||
            !xm_bytes_read(&r->a.bytes, at + from, r->scratch, bytes))
            return XM_REGION_INCOMPATIBLE;
        xm_seq_after();
        if (!xm_bytes_read(&r->a.bytes, at, &after, sizeof after))
            return XM_REGION_INCOMPATIBLE;
        if (before == after)
            return XM_REGION_OK;
    }
    return XM_REGION_RETRY;
}

enum xm_region_outcome xm_region_domain(struct xm_region *region, uint32_t slot,
                                        struct xm_region_domain *domain)
{
    struct xm_layout_domain d;
    const struct xm_array *array = &region->a.domains;
    uint64_t id;
    if (slot >= array->count)
        return XM_REGION_INCOMPATIBLE;
    enum xm_region_outcome outcome =
        copy_element(region, array->offset + slot * array->stride, 0, sizeof d, &id);
    if (outcome != XM_REGION_OK)
        return outcome;
    memcpy(&d, region->scratch, sizeof d);
    domain->id = d.id;
    domain->created_tsc = d.created_tsc;
    domain->ended_tsc = d.ended_tsc;
    xm_text_clean(domain->name, sizeof domain->name, d.name, sizeof d.name);
    xm_text_clean(domain->uuid, sizeof domain->uuid, d.uuid, sizeof d.uuid);
    return XM_REGION_OK;
}

enum xm_region_outcome xm_region_histograms(struct xm_region *region, uint32_t slot,
                                            uint64_t counts[XM_HISTS][XM_HIST_BUCKETS], uint64_t *id)
{
    const struct xm_array *array = &region->a.histograms;
    const size_t bytes = sizeof(uint64_t[XM_HISTS][XM_HIST_BUCKETS]);
    uint64_t owner;
    if (slot >= array->count || !region->a.histograms_known)
        return XM_REGION_INCOMPATIBLE;
    enum xm_region_outcome outcome =
        copy_element(region, array->offset + slot * array->stride, offsetof(struct xm_layout_histogram, counts),
                     bytes, &owner);
    if (outcome != XM_REGION_OK)
        return outcome;
    memcpy(counts, region->scratch, bytes);
    *id = owner;
    return XM_REGION_OK;
}

enum xm_region_outcome xm_region_histogram(struct xm_region *region, uint32_t slot, enum xm_hist_kind kind,
                                           uint64_t counts[XM_HIST_BUCKETS], uint64_t *id)
{
    const struct xm_array *array = &region->a.histograms;
    const size_t bytes = XM_HIST_BUCKETS * sizeof counts[0];
    uint64_t owner;
    if (slot >= array->count || !region->a.histograms_known || (unsigned)kind >= XM_HISTS)
        return XM_REGION_INCOMPATIBLE;
    enum xm_region_outcome outcome =
        copy_element(region, array->offset + slot * array->stride,
                     offsetof(struct xm_layout_histogram, counts) + (unsigned)kind * bytes, bytes, &owner);
    if (outcome != XM_REGION_OK)
        return outcome;
    memcpy(counts, region->scratch, bytes);
    *id = owner;
    return XM_REGION_OK;
}
