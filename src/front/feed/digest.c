/* SPDX-License-Identifier: MIT */
#include "front/feed/digest.h"

#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "view/view.h"

#define SINCES 2u

/* So many vCPUs' histograms are read at one beat, in the long run; and the most beats that takes. */
#define VCPUS_A_BEAT 512u
#define MOST_TURNS   8u

/* What is known of one domain, as long as the sample is the same one. */
struct entry {
    uint64_t id, creation_id;
    unsigned beat;
    bool made[SINCES], there[SINCES];
    struct xm_digest digest[SINCES];
};

struct xm_digests {
    struct entry *entry; /* by domain slot */
    uint32_t count;
};

struct xm_digests *xm_digests_create(void)
{
    return calloc(1, sizeof(struct xm_digests));
}

void xm_digests_destroy(struct xm_digests *digests)
{
    if (digests)
        free(digests->entry);
    free(digests);
}

void xm_digests_forget(struct xm_digests *digests)
{
    if (digests && digests->count)
        memset(digests->entry, 0, digests->count * sizeof *digests->entry);
}

unsigned xm_digest_cell(uint64_t ns)
{
    /* Two a decade: the upper end of each but the last, which is open. */
    static const uint64_t ends_ns[XM_DIGEST_CELLS - 1] = {
        1000,    3162,     10000,    31623,     100000,    316228,     1000000,
        3162278, 10000000, 31622777, 100000000, 316227766, 1000000000,
    };
    unsigned cell = 0;
    while (cell + 1 < XM_DIGEST_CELLS && ns >= ends_ns[cell])
        cell++;
    return cell;
}

static uint64_t percentile_ns(const struct xm_scale *scale, const uint64_t *counts, double p)
{
    return xm_scale_to_ns(scale, xm_cycles_of(xm_percentile(counts, NULL, p))).v;
}

static void digest_one(const uint64_t *counts, const struct xm_scale *scale, struct xm_digest_of *of)
{
    for (unsigned i = 0; i < XM_HIST_BUCKETS; i++) {
        if (counts[i] == 0)
            continue;
        /* As xm_percentile() has it, so that nothing is beyond the longest. */
        uint64_t ns = xm_scale_to_ns(scale, xm_cycles_of(xm_hist_low(i) + xm_hist_width(i) / 2)).v;
        of->count += counts[i];
        of->longest_ns = ns;
        of->over_1ms += ns > XM_NS_PER_S / 1000 ? counts[i] : 0;
        of->over_10ms += ns > XM_NS_PER_S / 100 ? counts[i] : 0;
        of->cell[xm_digest_cell(ns)] += counts[i];
    }
    if (of->count == 0)
        return;
    of->p50_ns = percentile_ns(scale, counts, 0.50);
    of->p95_ns = percentile_ns(scale, counts, 0.95);
    of->p99_ns = percentile_ns(scale, counts, 0.99);
}

static bool make(const struct xm_model *model, uint32_t slot, enum xm_spread_since since,
                 struct xm_digest *digest)
{
    *digest = (struct xm_digest){.since_ns = 0};
    if (!model->spread || model->info.tsc_hz == 0 || slot >= model->window[XM_SPAN_1S].to->used.domains)
        return false;
    const struct xm_spread *spread = model->spread(model->spread_user, slot, since);
    if (!spread)
        return false;
    digest->since_ns = spread->since_ns;
    for (unsigned kind = 0; kind < XM_HISTS; kind++)
        digest_one(spread->counts[kind], model->window[XM_SPAN_1S].scale, &digest->of[kind]);
    return true;
}

/* Whether what was made at an earlier beat will do: it is not this domain's turn. */
static bool may_wait(const struct xm_model *model, uint32_t slot, const struct entry *e)
{
    unsigned turns = 1 + model->window[XM_SPAN_1S].to->used.vcpus / VCPUS_A_BEAT;
    turns = turns < MOST_TURNS ? turns : MOST_TURNS;
    unsigned age = model->beat - e->beat;
    return age == 0 || (age < turns && slot % turns != model->beat % turns);
}

/* Where the domain's digests are kept; NULL where there is no room. */
static struct entry *entry_of(const struct xm_model *model, uint32_t slot)
{
    struct xm_digests *store = model->digests;
    const struct xm_sample *s = model->window[XM_SPAN_1S].to;
    if (!store || slot >= s->used.domains)
        return NULL;
    if (slot >= store->count) {
        uint32_t count = s->used.domains;
        struct entry *entry = realloc(store->entry, count * sizeof *entry);
        if (!entry)
            return NULL;
        memset(entry + store->count, 0, (count - store->count) * sizeof *entry);
        store->entry = entry;
        store->count = count;
    }
    struct entry *e = &store->entry[slot];
    uint64_t id = s->domain[slot].id;
    if (e->id != id || !may_wait(model, slot, e) || e->creation_id != model->info.creation_id) {
        e->id = id;
        e->beat = model->beat;
        e->creation_id = model->info.creation_id;
        memset(e->made, 0, sizeof e->made);
    }
    return e;
}

bool xm_digest_get(const struct xm_model *model, uint32_t slot, enum xm_spread_since since,
                   struct xm_digest *digest)
{
    struct entry *e = entry_of(model, slot);
    if (!e || (unsigned)since >= SINCES)
        return make(model, slot, since, digest);
    if (!e->made[since]) {
        e->there[since] = make(model, slot, since, &e->digest[since]);
        e->made[since] = true;
    }
    *digest = e->digest[since];
    return e->there[since];
}
