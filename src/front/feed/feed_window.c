/* SPDX-License-Identifier: MIT */
/* The windows of a feed's model: which samples they begin with, and their peaks. */
#include <stdlib.h>
#include <string.h>

#include "front/feed/feed_int.h"

static const uint64_t span_ns[XM_SPANS] = {XM_NS_PER_S, 10 * XM_NS_PER_S};

#define STATE_UNKNOWN 4u

/* ---- Room. */

static enum xm_status init_rows(struct xm_sample *to, struct xm_capacity capacity)
{
    *to = (struct xm_sample){.capacity = capacity};
    to->vcpu = calloc(capacity.vcpus, sizeof *to->vcpu);
    to->domain = calloc(capacity.domains, sizeof *to->domain);
    to->pcpu = calloc(capacity.pcpus, sizeof *to->pcpu);
    return to->vcpu && to->domain && to->pcpu ? XM_OK : XM_NOMEM;
}

enum xm_status xm_feed_windows_init(struct xm_feed *feed, struct xm_capacity capacity)
{
    enum xm_status status = XM_OK;
    for (unsigned i = 0; i < XM_FEED_WINDOWS && status == XM_OK; i++) {
        status = xm_sample_init(&feed->window[i].from, capacity);
        if (status == XM_OK)
            status = init_rows(&feed->window[i].to, capacity);
    }
    return status;
}

void xm_feed_windows_fini(struct xm_feed *feed)
{
    for (unsigned i = 0; i < XM_FEED_WINDOWS; i++) {
        struct xm_feed_window *w = &feed->window[i];
        xm_sample_fini(&w->from);
        free(w->to.vcpu);
        free(w->to.domain);
        free(w->to.pcpu);
        w->to = (struct xm_sample){0};
    }
}

/* The rows in use: a region may have room for far more. */
static void copy_rows(struct xm_sample *to, const struct xm_sample *from)
{
    to->used = from->used;
    to->host = from->host;
    to->pair = from->pair;
    to->vcpu_domain = from->vcpu_domain;
    memcpy(to->vcpu, from->vcpu, from->used.vcpus * sizeof *to->vcpu);
    memcpy(to->domain, from->domain, from->used.domains * sizeof *to->domain);
    memcpy(to->pcpu, from->pcpu, from->used.pcpus * sizeof *to->pcpu);
}

/* ---- Where a window begins. */

struct beginning {
    bool whole; /* with the trace: there is no sample before it */
    struct xm_feed_place place;
};

/*
 * The sample of `series` nearest to `cycles` before the one on show.  XM_REGION_OVERRUN: *b is the oldest
 * there is, and the window begins before it.
 */
static enum xm_region_outcome find_beginning(struct xm_feed *feed, enum xm_series series, uint64_t cycles,
                                             struct beginning *b)
{
    uint64_t now = feed->shown.window;
    uint64_t half =
        xm_scale_to_cycles(&feed->scale, xm_ns_of(feed->model.info.series[series].interval_ns / 2)).v;
    *b = (struct beginning){.place = {.series = series}};
    if (half > now)
        half = now;
    if (now + half <= cycles) {
        b->whole = true;
        return XM_REGION_OK;
    }
    uint64_t index = 0;
    enum xm_region_outcome found =
        xm_region_find(feed->region, series, half < cycles ? now + half - cycles : now, &index);
    if (found != XM_REGION_OK && found != XM_REGION_OVERRUN)
        return found;
    if (found == XM_REGION_OVERRUN && index == 0) {
        b->whole = true; /* nothing was overwritten: the first sample is younger than the window */
        return XM_REGION_OK;
    }
    /* Samples that are further apart than the window is long: the one before. */
    if (series == feed->shown.series && index == feed->shown.index) {
        b->whole = index == 0;
        index -= index > 0;
    }
    b->place.index = index;
    return found;
}

/* Reads the beginning into `from`.  True: it is there (or whole). */
static bool read_beginning(struct xm_feed *feed, struct beginning *b, struct xm_sample *from)
{
    if (b->whole)
        return true;
    if (xm_region_sample(feed->region, b->place.series, b->place.index, from) != XM_REGION_OK)
        return false;
    b->place.window = from->host.window;
    return from->host.window < feed->shown.window;
}

/* In the series of the sample on show; a window that reaches further back is as long as that series. */
static bool begin_in_series(struct xm_feed *feed, uint64_t cycles, struct xm_sample *from,
                            struct beginning *b)
{
    for (unsigned tries = 0; tries < 3; tries++) {
        enum xm_region_outcome found = find_beginning(feed, feed->shown.series, cycles, b);
        if (found != XM_REGION_OK && found != XM_REGION_OVERRUN)
            return false;
        if (read_beginning(feed, b, from))
            return true;
    }
    return false;
}

/* In the slow series, where the fast one does not reach and the slow one does further. */
static bool begin_further_back(struct xm_feed *feed, uint64_t cycles, struct xm_sample *from,
                               struct beginning *b)
{
    struct xm_feed_place oldest;
    struct beginning fast;
    if (feed->shown.series == XM_SERIES_SLOW ||
        find_beginning(feed, XM_SERIES_FAST, cycles, &fast) != XM_REGION_OVERRUN ||
        !xm_feed_oldest(feed, XM_SERIES_FAST, &oldest))
        return false;
    for (unsigned tries = 0; tries < 3; tries++) {
        enum xm_region_outcome found = find_beginning(feed, XM_SERIES_SLOW, cycles, b);
        if (found != XM_REGION_OK && found != XM_REGION_OVERRUN)
            return false;
        if (read_beginning(feed, b, from))
            return b->whole || b->place.window < oldest.window;
    }
    return false;
}

/* ---- What is not in the slow series cannot be subtracted: it is not known. */

static void clear_words(void *rows, uint32_t used, size_t bytes, size_t offset)
{
    char *row = rows;
    for (uint32_t i = 0; i < used; i++, row += bytes)
        *(uint64_t *)(void *)(row + offset) = 0;
}

static void forget_fast(struct xm_sample *to, const struct xm_sample *from)
{
    size_t count;
    const struct xm_metric *metrics = xm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        const struct xm_metric *m = &metrics[i];
        if (m->slow || m->kind != XM_KIND_COUNTER)
            continue;
        if (m->scope == XM_SCOPE_VCPU)
            clear_words(to->vcpu, to->used.vcpus, sizeof *to->vcpu, m->offset);
        else if (m->scope == XM_SCOPE_DOMAIN)
            clear_words(to->domain, to->used.domains, sizeof *to->domain, m->offset);
        else if (m->scope == XM_SCOPE_PCPU)
            clear_words(to->pcpu, to->used.pcpus, sizeof *to->pcpu, m->offset);
        else if (m->scope == XM_SCOPE_HOST)
            clear_words(&to->host, 1, sizeof to->host, m->offset);
    }
    to->pair = from->pair; /* all 0 */
}

/* ---- Making them. */

/* Only where every fast sample of the window is there yet: the peaks of a part of it are not the window's. */
static uint64_t first_of(const struct xm_feed *feed, const struct beginning *b)
{
    struct xm_feed_place oldest;
    if (feed->shown.series != XM_SERIES_FAST)
        return XM_FEED_NONE;
    if (!b->whole)
        return b->place.series == XM_SERIES_FAST ? b->place.index + 1 : XM_FEED_NONE;
    return xm_feed_oldest(feed, XM_SERIES_FAST, &oldest) && oldest.index == 0 ? 0 : XM_FEED_NONE;
}

static void fold_peaks(struct xm_feed *feed, struct xm_feed_window *w, struct xm_window *window)
{
    uint64_t last = feed->shown.index;
    enum xm_status status = w->first == XM_FEED_NONE ? XM_END : XM_OK;
    /* The newest sample's own peaks are in `to` already. */
    if (status == XM_OK && w->first < last)
        status = xm_peaks_fold(feed->peaks, feed->region, w->first, last - 1, &feed->scratch, &w->to);
    window->no_peaks = status != XM_OK;
    if (status == XM_AGAIN)
        feed->model.reading = feed->stale = true;
    else if (status != XM_OK)
        w->first = XM_FEED_NONE;
}

/* False: *window and *coarse are as they were. */
static bool make_window(struct xm_feed *feed, uint64_t ns, unsigned which, struct xm_window *window,
                        bool *coarse)
{
    struct xm_feed_window *w = &feed->window[which];
    uint64_t cycles = xm_scale_to_cycles(&feed->scale, xm_ns_of(ns)).v;
    struct beginning b;
    bool further = which >= XM_FEED_CHOSEN && begin_further_back(feed, cycles, &w->from, &b);
    if (!further && !begin_in_series(feed, cycles, &w->from, &b))
        return false;
    copy_rows(&w->to, &feed->sample);
    *coarse = feed->shown.series == XM_SERIES_SLOW || (!b.whole && b.place.series == XM_SERIES_SLOW);
    if (*coarse && !b.whole && feed->shown.series == XM_SERIES_FAST)
        forget_fast(&w->to, &w->from);
    *window = (struct xm_window){
        .from = b.whole ? NULL : &w->from,
        .to = &w->to,
        .scale = &feed->scale,
        .io_seen = feed->model.info.io_seen,
    };
    w->first = first_of(feed, &b);
    fold_peaks(feed, w, window);
    return true;
}

static bool make_chosen(struct xm_feed *feed)
{
    struct xm_model *m = &feed->model;
    for (enum xm_span span = 0; span < XM_SPANS; span++)
        if (feed->chosen_ns == span_ns[span]) {
            m->chosen = m->window[span];
            m->chosen_coarse = m->coarse;
            m->chosen_ns = feed->chosen_ns;
            return true;
        }
    unsigned other = feed->chosen_at == XM_FEED_CHOSEN ? XM_FEED_SPARE : XM_FEED_CHOSEN;
    if (!make_window(feed, feed->chosen_ns, other, &m->chosen, &m->chosen_coarse))
        return false;
    feed->chosen_at = other;
    m->chosen_ns = feed->chosen_ns;
    return true;
}

/* The slow series has no states: 0 would be running. */
static void unknown_states(struct xm_sample *s)
{
    for (uint32_t i = 0; i < s->used.vcpus; i++)
        s->vcpu[i].state = STATE_UNKNOWN;
}

bool xm_feed_windows_make(struct xm_feed *feed)
{
    struct xm_model *m = &feed->model;
    bool coarse;
    m->coarse = feed->shown.series == XM_SERIES_SLOW;
    if (m->coarse)
        unknown_states(&feed->sample);
    xm_peaks_begin(feed->peaks);
    feed->stale = m->reading = false;
    for (enum xm_span span = 0; span < XM_SPANS; span++)
        if (!make_window(feed, span_ns[span], span, &m->window[span], &coarse))
            return false;
    return make_chosen(feed);
}

/* Only what is missing: the rest of these windows needs samples that may have gone meanwhile. */
static void read_on(struct xm_feed *feed, unsigned which, struct xm_window *window)
{
    if (window->no_peaks && feed->window[which].first != XM_FEED_NONE)
        fold_peaks(feed, &feed->window[which], window);
}

bool xm_feed_windows_remake(struct xm_feed *feed)
{
    struct xm_model *m = &feed->model;
    bool same = m->chosen_ns == feed->chosen_ns;
    xm_peaks_begin(feed->peaks);
    feed->stale = m->reading = false;
    for (enum xm_span span = 0; span < XM_SPANS; span++)
        read_on(feed, span, &m->window[span]);
    if (!same || m->chosen.to != &feed->window[feed->chosen_at].to)
        return make_chosen(feed); /* of another length, or one of those above */
    read_on(feed, feed->chosen_at, &m->chosen);
    return true;
}
