/* SPDX-License-Identifier: MIT */
/* Distributions of a domain's vCPUs, since they began and since somebody watches. */
#include <stdlib.h>
#include <string.h>

#include "front/feed/digest.h"
#include "front/feed/feed_int.h"

void xm_feed_spread_drop(struct xm_feed *feed)
{
    for (uint32_t i = 0; feed->baseline && i < XM_FEED_BASELINES; i++)
        free(feed->baseline[i]);
    free(feed->baseline);
    feed->baseline = NULL;
    xm_digests_forget(feed->model.digests);
}

void xm_feed_watch_anew(struct xm_feed *feed)
{
    xm_feed_spread_drop(feed);
}

/* Once for each sample: a walk over all vCPUs for every domain is too dear on a large host. */
static void chain_vcpus(struct xm_feed *feed)
{
    const struct xm_sample *s = &feed->sample;
    if (feed->chained)
        return;
    memset(feed->first_vcpu, 0, s->used.domains * sizeof *feed->first_vcpu);
    for (uint32_t slot = s->used.vcpus; slot-- > 0;) {
        uint32_t domain = s->vcpu_domain[slot];
        if (s->vcpu[slot].id == 0 || domain >= s->used.domains)
            continue;
        feed->next_vcpu[slot] = feed->first_vcpu[domain];
        feed->first_vcpu[domain] = slot + 1;
    }
    feed->chained = true;
}

/* Sums what the domain's vCPUs have; false: nothing could be read. */
static bool sum_vcpus(struct xm_feed *feed, uint32_t domain, struct xm_spread *spread)
{
    const struct xm_sample *s = &feed->sample;
    bool found = false;
    memset(spread, 0, sizeof *spread);
    chain_vcpus(feed);
    for (uint32_t next = feed->first_vcpu[domain]; next; next = feed->next_vcpu[next - 1]) {
        uint32_t slot = next - 1;
        uint64_t id;
        /* The histograms are those of now: in the past the slot may have been another's. */
        if (xm_region_histograms(feed->region, slot, feed->counts, &id) != XM_REGION_OK ||
            id != s->vcpu[slot].id)
            continue;
        found = true;
        for (unsigned kind = 0; kind < XM_HISTS; kind++)
            for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
                spread->counts[kind][i] += feed->counts[kind][i];
    }
    return found;
}

static void add_up(struct xm_spread *spread)
{
    for (unsigned kind = 0; kind < XM_HISTS; kind++) {
        spread->total[kind] = 0;
        for (unsigned i = 0; i < XM_HIST_BUCKETS; i++)
            spread->total[kind] += spread->counts[kind][i];
    }
}

/*
 * The domain's baseline, made from `now` where there is none yet.  NULL: out of memory, or more domains are
 * watched than there is room for; one that nobody asked for lately makes room.
 */
static struct xm_feed_baseline *baseline_of(struct xm_feed *feed, uint64_t id, const struct xm_spread *now)
{
    struct xm_feed_baseline **place = NULL;
    if (!feed->baseline)
        feed->baseline = calloc(XM_FEED_BASELINES, sizeof(struct xm_feed_baseline *));
    for (uint32_t i = 0; feed->baseline && i < XM_FEED_BASELINES; i++) {
        struct xm_feed_baseline *b = feed->baseline[i];
        if (b && b->id == id)
            return b;
        if (!b) {
            place = &feed->baseline[i];
            break; /* they are filled from the front */
        }
        if (b->round + 1 < feed->round && (!place || b->round < (*place)->round))
            place = &feed->baseline[i];
    }
    if (!place || (!*place && !(*place = malloc(sizeof **place))))
        return NULL;
    **place = (struct xm_feed_baseline){.id = id, .window = feed->model.newest};
    memcpy((*place)->counts, now->counts, sizeof now->counts);
    return *place;
}

static uint64_t since_ns(const struct xm_feed *feed, uint64_t window)
{
    uint64_t newest = feed->model.newest;
    if (feed->model.info.tsc_hz == 0 || newest < window)
        return 0;
    return xm_scale_to_ns(&feed->scale, xm_cycles_of(newest - window)).v;
}

const struct xm_spread *xm_feed_spread(void *user, uint32_t slot, enum xm_spread_since since)
{
    struct xm_feed *feed = user;
    struct xm_spread *spread = &feed->spread;
    const struct xm_sample *s = &feed->sample;
    if (!feed->region || !feed->model.data || slot >= s->used.domains || s->domain[slot].id == 0 ||
        !sum_vcpus(feed, slot, spread))
        return NULL;
    spread->since_ns = since_ns(feed, 0);
    if (since == XM_SPREAD_WATCHED) {
        struct xm_feed_baseline *b = baseline_of(feed, s->domain[slot].id, spread);
        if (!b)
            return NULL;
        b->round = feed->round;
        spread->since_ns = since_ns(feed, b->window);
        for (unsigned kind = 0; kind < XM_HISTS; kind++)
            for (unsigned i = 0; i < XM_HIST_BUCKETS; i++) {
                uint64_t before = b->counts[kind][i];
                spread->counts[kind][i] -=
                    before < spread->counts[kind][i] ? before : spread->counts[kind][i];
            }
    }
    add_up(spread);
    return spread;
}
