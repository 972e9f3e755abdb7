/* SPDX-License-Identifier: MIT */
/* Places in time: what a feed is told to show, and how far one can go. */
#include "front/feed/feed_int.h"

void xm_feed_seek(struct xm_feed *feed, uint64_t cycles)
{
    if (feed->held && feed->sought == cycles)
        return;
    /* Told what it shows already, it need not look for that, which may be gone from the region. */
    feed->settled = feed->held && feed->settled && feed->shown.window == cycles;
    feed->held = true;
    feed->sought = cycles;
}

void xm_feed_follow(struct xm_feed *feed)
{
    feed->held = false;
    feed->settled = false;
}

static bool place_at(const struct xm_feed *feed, enum xm_series series, uint64_t index,
                     struct xm_feed_place *place)
{
    struct xm_host_row host;
    if (xm_region_host(feed->region, series, index, &host) != XM_REGION_OK)
        return false;
    *place = (struct xm_feed_place){series, index, host.window};
    return true;
}

/* Samples that a window needs before its end, and that the writer may take next. */
#define MARGIN 2u

bool xm_feed_oldest(const struct xm_feed *feed, enum xm_series series, struct xm_feed_place *place)
{
    uint64_t newest = feed->model.info.series[series].newest;
    /* The writer may take the one that was the oldest meanwhile. */
    for (unsigned tries = 0; tries < 3; tries++) {
        uint64_t index;
        enum xm_region_outcome found = xm_region_find(feed->region, series, 0, &index);
        if (found != XM_REGION_OK && found != XM_REGION_OVERRUN)
            return false;
        if (index > 0 && newest > index)
            index += newest - index < MARGIN ? newest - index : MARGIN;
        if (place_at(feed, series, index, place))
            return true;
    }
    return false;
}

/* The last sample no later than `window` that a window can end at. */
static bool find_in(const struct xm_feed *feed, enum xm_series series, uint64_t window,
                    struct xm_feed_place *place)
{
    struct xm_feed_place oldest;
    uint64_t index;
    return xm_feed_oldest(feed, series, &oldest) && oldest.window <= window &&
           xm_region_find(feed->region, series, window, &index) == XM_REGION_OK &&
           place_at(feed, series, index, place);
}

bool xm_feed_find(const struct xm_feed *feed, uint64_t window, struct xm_feed_place *place)
{
    struct xm_feed_place fast = {.index = XM_FEED_NONE};
    struct xm_feed_place slow = fast;
    if (find_in(feed, XM_SERIES_FAST, window, place) || find_in(feed, XM_SERIES_SLOW, window, place))
        return true;
    bool have_fast = xm_feed_oldest(feed, XM_SERIES_FAST, &fast);
    bool have_slow = xm_feed_oldest(feed, XM_SERIES_SLOW, &slow);
    *place = have_slow && (!have_fast || slow.window < fast.window) ? slow : fast;
    return have_slow || have_fast;
}

/* ---- Steps. */

static uint64_t window_at(const struct xm_feed *feed, enum xm_series series, uint64_t index)
{
    struct xm_feed_place place;
    return place_at(feed, series, index, &place) ? place.window : feed->shown.window;
}

static uint64_t step_back(const struct xm_feed *feed, struct xm_feed_place at, uint64_t steps)
{
    struct xm_feed_place oldest;
    struct xm_feed_place before;
    if (!xm_feed_oldest(feed, at.series, &oldest))
        return at.window;
    uint64_t here = at.index > oldest.index ? at.index - oldest.index : 0;
    if (steps <= here)
        return window_at(feed, at.series, at.index - steps);
    if (at.series == XM_SERIES_SLOW || oldest.window == 0 ||
        !find_in(feed, XM_SERIES_SLOW, oldest.window - 1, &before))
        return oldest.window < at.window ? oldest.window : at.window;
    return step_back(feed, before, steps - here - 1);
}

static uint64_t step_on(const struct xm_feed *feed, struct xm_feed_place at, uint64_t steps)
{
    uint64_t newest = feed->model.info.series[XM_SERIES_FAST].newest;
    struct xm_feed_place first;
    struct xm_feed_place last;
    if (at.series == XM_SERIES_SLOW) {
        if (!xm_feed_oldest(feed, XM_SERIES_FAST, &first))
            return at.window;
        bool between = first.window > 0 && find_in(feed, XM_SERIES_SLOW, first.window - 1, &last);
        uint64_t here = between && last.index > at.index ? last.index - at.index : 0;
        if (steps <= here)
            return window_at(feed, XM_SERIES_SLOW, at.index + steps);
        at = first;
        steps -= here + 1;
    }
    uint64_t room = newest > at.index ? newest - at.index : 0;
    return window_at(feed, XM_SERIES_FAST, at.index + (steps < room ? steps : room));
}

uint64_t xm_feed_step(const struct xm_feed *feed, int steps)
{
    const struct xm_feed_place *at = &feed->shown;
    if (!feed->region || at->index == XM_FEED_NONE || steps == 0)
        return feed->model.data ? at->window : 0;
    return steps < 0 ? step_back(feed, *at, (uint64_t)(-(int64_t)steps))
                     : step_on(feed, *at, (uint64_t)steps);
}

/* ---- Moments of the clock. */

/*
 * The last sample of [low, high] that is no later; false: none.  The clock may have been set: what is found
 * is one.
 */
static bool find_real(const struct xm_feed *feed, enum xm_series series, uint64_t low, uint64_t high,
                      uint64_t real_ns, uint64_t *window)
{
    bool found = false;
    while (low <= high) {
        uint64_t middle = low + (high - low) / 2;
        struct xm_host_row host;
        enum xm_region_outcome outcome = xm_region_host(feed->region, series, middle, &host);
        if (outcome == XM_REGION_OVERRUN || (outcome == XM_REGION_OK && host.real <= real_ns)) {
            if (outcome == XM_REGION_OK) {
                found = true;
                *window = host.window;
            }
            low = middle + 1;
        } else if (outcome != XM_REGION_OK || middle == low) {
            break;
        } else {
            high = middle - 1;
        }
    }
    return found;
}

bool xm_feed_position(struct xm_feed *feed, uint64_t real_ns, uint64_t *cycles)
{
    const enum xm_series order[] = {XM_SERIES_FAST, XM_SERIES_SLOW};
    struct xm_host_row newest;
    *cycles = feed->shown.window;
    if (!feed->region || !feed->model.data)
        return false;
    uint64_t last = feed->model.info.series[XM_SERIES_FAST].newest;
    if (xm_region_host(feed->region, XM_SERIES_FAST, last, &newest) == XM_REGION_OK &&
        real_ns > newest.real) {
        *cycles = newest.window;
        return false;
    }
    *cycles = feed->model.oldest;
    for (unsigned i = 0; i < 2; i++) {
        struct xm_feed_place oldest;
        uint64_t high = feed->model.info.series[order[i]].newest;
        if (high != XM_FEED_NONE && xm_feed_oldest(feed, order[i], &oldest) &&
            find_real(feed, order[i], oldest.index, high, real_ns, cycles))
            return true;
    }
    return false;
}
