/* SPDX-License-Identifier: MIT */
/* Distributions: fixed edges since the trace began, and percentiles of the last seconds. */
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "export/host_int.h"

/* More vCPUs than this have their turns: their histograms are read in one of four updates. */
#define AT_ONCE 1024u
#define TURNS   4u
#define MS      UINT64_C(1000000)
/* A window of a second begins with the youngest histogram that is nearly as old: updates are never exactly on
 * time. */
#define NEARLY(ns) ((ns) - (ns) / 20)

const uint64_t xm_host_edge_ns[XM_HOST_EDGES] = {MS / 100, MS / 40,  MS / 20,    MS / 10,  MS / 4,
                                                 MS / 2,   MS,       MS * 5 / 2, MS * 5,   MS * 10,
                                                 MS * 30,  MS * 100, MS * 300,   MS * 1000};
static const uint64_t span_ns[XM_HOST_WINDOWS] = {XM_NS_PER_S, 10 * XM_NS_PER_S};

void xm_host_spread_fini(struct xm_host_spread *spread)
{
    free(spread->vcpu_id);
    free(spread->vcpu_activity);
    free(spread->vcpu_again);
    free(spread->vcpu_waits);
    free(spread->vcpu);
    free(spread->waits);
    for (unsigned i = 0; i < XM_SPREAD_RING; i++) {
        free(spread->ring[i].id);
        free(spread->ring[i].counts);
    }
    *spread = (struct xm_host_spread){0};
}

enum xm_status xm_host_spread_init(struct xm_host_spread *spread, struct xm_capacity capacity)
{
    xm_host_spread_fini(spread);
    spread->capacity = capacity;
    spread->vcpu_id = calloc(capacity.vcpus, sizeof *spread->vcpu_id);
    spread->vcpu_activity = calloc(capacity.vcpus, sizeof *spread->vcpu_activity);
    spread->vcpu_again = calloc(capacity.vcpus, sizeof *spread->vcpu_again);
    spread->vcpu_waits = calloc((size_t)capacity.vcpus * XM_SPREAD_BUCKETS, sizeof *spread->vcpu_waits);
    spread->vcpu = calloc(capacity.vcpus, sizeof *spread->vcpu);
    spread->waits = calloc((size_t)capacity.domains * XM_SPREAD_BUCKETS, sizeof *spread->waits);
    bool good = spread->vcpu_id && spread->vcpu_activity && spread->vcpu_again && spread->vcpu_waits &&
                spread->vcpu && spread->waits;
    for (unsigned i = 0; i < XM_SPREAD_RING; i++) {
        struct xm_spread_entry *e = &spread->ring[i];
        e->id = calloc(capacity.domains, sizeof *e->id);
        e->counts = calloc((size_t)capacity.domains * XM_SPREAD_BUCKETS, sizeof *e->counts);
        good = good && e->id && e->counts;
    }
    if (good)
        return XM_OK;
    xm_host_spread_fini(spread);
    return XM_NOMEM;
}

void xm_host_spread_forget(struct xm_host_spread *spread)
{
    if (spread->vcpu_id)
        memset(spread->vcpu_id, 0, spread->capacity.vcpus * sizeof *spread->vcpu_id);
    for (unsigned i = 0; i < XM_SPREAD_RING; i++)
        spread->ring[i].mono_ns = 0;
}

/* ---- Fixed edges. */

/* How many of a bucket's values are at most `edge`: all, none, or an even share. */
static uint64_t share(uint64_t count, uint64_t low, uint64_t width, uint64_t edge)
{
    if (edge < low)
        return 0;
    if (edge - low >= width - 1)
        return count;
    return (uint64_t)((unsigned __int128)count * (edge - low + 1) / width);
}

/* Values in buckets [from, to). */
static uint64_t sum_counts(const uint64_t *counts, unsigned from, unsigned to)
{
    uint64_t sum = 0;
    for (unsigned i = from; i < to; i++)
        sum += counts[i];
    return sum;
}

static uint64_t sum_values_ns(const uint64_t counts[XM_HIST_BUCKETS], const struct xm_scale *scale)
{
    unsigned __int128 sum = 0;
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
        if (counts[i])
            sum += (unsigned __int128)counts[i] * (xm_hist_low(i) + xm_hist_width(i) / 2);
    return xm_scale_to_ns(scale, xm_cycles_of(sum >> 64 ? UINT64_MAX : (uint64_t)sum)).v;
}

void xm_host_distribution_of(const uint64_t counts[XM_HIST_BUCKETS],
                             const uint64_t edge_cycles[XM_HOST_EDGES], const struct xm_scale *scale,
                             struct xm_host_distribution *d)
{
    uint64_t below = 0; /* values in the buckets before `done` */
    unsigned done = 0;
    for (unsigned edge = 0; edge < XM_HOST_EDGES; edge++) {
        unsigned cut = xm_hist_index(edge_cycles[edge]);
        below += sum_counts(counts, done, cut);
        done = cut;
        /* The last bucket has no end: its values are above all edges. */
        bool open = cut == XM_HIST_BUCKETS - 1;
        d->at_most[edge] +=
            below + (open ? 0 : share(counts[cut], xm_hist_low(cut), xm_hist_width(cut), edge_cycles[edge]));
    }
    d->at_most[XM_HOST_EDGES] += below + sum_counts(counts, done, XM_HIST_BUCKETS);
    d->sum_ns += sum_values_ns(counts, scale);
}

static void add(struct xm_host_distribution *to, const struct xm_host_distribution *d)
{
    for (unsigned i = 0; i <= XM_HOST_EDGES; i++)
        to->at_most[i] += d->at_most[i];
    to->sum_ns += d->sum_ns;
}

/* ---- Percentiles. */

static uint64_t percentile(const uint32_t *counts, uint64_t total, unsigned percent)
{
    uint64_t rank = (total * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < XM_SPREAD_BUCKETS; i++) {
        seen += counts[i];
        if (seen >= rank)
            return xm_hist_low(4 * i) + 2 * xm_hist_width(4 * i);
    }
    return 0;
}

static void set_waits(const uint32_t *now, const uint32_t *then, const struct xm_scale *scale,
                      struct xm_host_waits *waits)
{
    uint32_t counts[XM_SPREAD_BUCKETS];
    uint64_t total = 0;
    for (unsigned i = 0; i < XM_SPREAD_BUCKETS; i++) {
        counts[i] = now[i] - (then ? then[i] : 0);
        total += counts[i];
    }
    *waits = (struct xm_host_waits){.known = true, .count = total};
    if (total == 0)
        return;
    waits->p50_ns = xm_scale_to_ns(scale, xm_cycles_of(percentile(counts, total, 50))).v;
    waits->p95_ns = xm_scale_to_ns(scale, xm_cycles_of(percentile(counts, total, 95))).v;
    waits->p99_ns = xm_scale_to_ns(scale, xm_cycles_of(percentile(counts, total, 99))).v;
}

/* The youngest entry that is `ns` old, else the oldest; NULL: there is none. */
static const struct xm_spread_entry *entry_before(const struct xm_host_spread *spread, uint64_t mono_ns,
                                                  uint64_t ns)
{
    const struct xm_spread_entry *best = NULL;
    for (unsigned i = 0; i < XM_SPREAD_RING; i++) {
        const struct xm_spread_entry *e = &spread->ring[i];
        if (e->mono_ns == 0)
            continue;
        bool old = mono_ns - e->mono_ns >= NEARLY(ns);
        bool best_old = best && mono_ns - best->mono_ns >= NEARLY(ns);
        if (!best || (old && !best_old) ||
            (old == best_old && (old ? e->mono_ns > best->mono_ns : e->mono_ns < best->mono_ns)))
            best = e;
    }
    return best;
}

static void keep_entry(struct xm_host_spread *spread, const struct xm_host_slot *slot, uint64_t mono_ns)
{
    const struct xm_spread_entry *last = &spread->ring[(spread->next + XM_SPREAD_RING - 1) % XM_SPREAD_RING];
    if (last->mono_ns && mono_ns - last->mono_ns < NEARLY(XM_NS_PER_S))
        return;
    struct xm_spread_entry *e = &spread->ring[spread->next];
    uint32_t used = slot->to[0].used.domains;
    memset(e->id, 0, spread->capacity.domains * sizeof *e->id);
    for (uint32_t i = 0; i < used; i++)
        e->id[i] = slot->to[0].domain[i].id;
    memcpy(e->counts, spread->waits, (size_t)used * XM_SPREAD_BUCKETS * sizeof *e->counts);
    e->mono_ns = mono_ns;
    spread->next = (spread->next + 1) % XM_SPREAD_RING;
}

/* ---- Reading. */

static void set_edges(struct xm_host_spread *spread, const struct xm_scale *scale)
{
    if (spread->edges_hz == scale->hz)
        return;
    for (unsigned i = 0; i < XM_HOST_EDGES; i++)
        spread->edge_cycles[i] = xm_scale_to_cycles(scale, xm_ns_of(xm_host_edge_ns[i])).v;
    spread->edges_hz = scale->hz;
}

static void fold_waits(const uint64_t counts[XM_HIST_BUCKETS], uint32_t *waits)
{
    for (unsigned i = 0; i < XM_SPREAD_BUCKETS; i++)
        waits[i] = (uint32_t)(counts[4 * i] + counts[4 * i + 1] + counts[4 * i + 2] + counts[4 * i + 3]);
}

/* One vCPU's histograms; what cannot be read stays as it was. */
static void read_vcpu(struct xm_host_spread *spread, struct xm_region *region, const struct xm_vcpu_row *row,
                      uint32_t slot, const struct xm_scale *scale)
{
    /* Where none of these moved, no execution, wait or blocked time has ended; the one that ended last may
     * have come after its sample. */
    uint64_t activity = row->executions + row->running + row->runnable + row->state;
    bool still = spread->vcpu_activity[slot] == activity;
    uint64_t counts[XM_HIST_BUCKETS];
    struct xm_host_vcpu fresh = {0};
    if (spread->vcpu_id[slot] != row->id) {
        spread->vcpu[slot] = fresh;
        memset(spread->vcpu_waits + (size_t)slot * XM_SPREAD_BUCKETS, 0,
               XM_SPREAD_BUCKETS * sizeof *spread->vcpu_waits);
    } else if (still && !spread->vcpu_again[slot]) {
        return;
    }
    spread->vcpu_id[slot] = row->id;
    for (unsigned kind = 0; kind < XM_HISTS; kind++) {
        uint64_t id = 0;
        if (xm_region_histogram(region, slot, (enum xm_hist_kind)kind, counts, &id) != XM_REGION_OK ||
            id != row->id)
            return;
        xm_host_distribution_of(counts, spread->edge_cycles, scale, &fresh.of[kind]);
        if (kind == XM_HIST_WAIT)
            fold_waits(counts, spread->vcpu_waits + (size_t)slot * XM_SPREAD_BUCKETS);
    }
    spread->vcpu[slot] = fresh;
    spread->vcpu_activity[slot] = activity;
    spread->vcpu_again[slot] = !still;
}

static void sum_vcpu(struct xm_host_spread *spread, struct xm_host_slot *slot, uint32_t vcpu)
{
    uint32_t domain = slot->to[0].vcpu_domain[vcpu];
    if (domain >= slot->to[0].used.domains)
        return;
    for (unsigned kind = 0; kind < XM_HISTS; kind++)
        add(&slot->domain[domain].of[kind], &spread->vcpu[vcpu].of[kind]);
    const uint32_t *from = spread->vcpu_waits + (size_t)vcpu * XM_SPREAD_BUCKETS;
    uint32_t *to = spread->waits + (size_t)domain * XM_SPREAD_BUCKETS;
    for (unsigned i = 0; i < XM_SPREAD_BUCKETS; i++)
        to[i] += from[i];
}

static void set_domain_waits(const struct xm_host_spread *spread, struct xm_host_slot *slot, uint64_t mono_ns)
{
    for (unsigned w = 0; w < XM_HOST_WINDOWS; w++) {
        const struct xm_spread_entry *e = entry_before(spread, mono_ns, span_ns[w]);
        bool all = !slot->s.window[w].from; /* the window is the whole trace: so are the histograms */
        if (!all && (!e || mono_ns - e->mono_ns < NEARLY(span_ns[w])))
            continue;
        for (uint32_t i = 0; i < slot->to[0].used.domains; i++) {
            size_t at = (size_t)i * XM_SPREAD_BUCKETS;
            bool before = !all && e->id[i] == slot->to[0].domain[i].id;
            set_waits(spread->waits + at, before ? e->counts + at : NULL, &slot->s.scale,
                      &slot->domain[i].waits[w]);
        }
    }
}

void xm_host_spread_read(struct xm_host_spread *spread, struct xm_region *region, struct xm_host_slot *slot,
                         uint64_t mono_ns)
{
    const struct xm_sample *now = &slot->to[0];
    set_edges(spread, &slot->s.scale);
    spread->turn = (spread->turn + 1) % TURNS;
    memset(spread->waits, 0, (size_t)now->used.domains * XM_SPREAD_BUCKETS * sizeof *spread->waits);
    for (uint32_t i = 0; i < now->used.vcpus; i++) {
        slot->vcpu[i] = (struct xm_host_vcpu){0};
        if (now->vcpu[i].id == 0)
            continue;
        if (now->used.vcpus <= AT_ONCE || i % TURNS == spread->turn || spread->vcpu_id[i] != now->vcpu[i].id)
            read_vcpu(spread, region, &now->vcpu[i], i, &slot->s.scale);
        slot->vcpu[i] = spread->vcpu[i];
        sum_vcpu(spread, slot, i);
    }
    set_domain_waits(spread, slot, mono_ns);
    keep_entry(spread, slot, mono_ns);
}
