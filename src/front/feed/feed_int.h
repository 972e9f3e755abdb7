/* SPDX-License-Identifier: MIT */
/*
 * What the parts of a feed share: the connection (feed.c), windows (feed_window.c), places in time
 * (feed_time.c), the last minute (feed_trail.c), distributions (feed_spread.c).
 */
#ifndef XM_FEED_INT_H
#define XM_FEED_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "front/feed/feed.h"
#include "front/feed/peaks.h"

#define XM_FEED_NONE UINT64_MAX

/* A sample of the region. */
struct xm_feed_place {
    enum xm_series series;
    uint64_t index;  /* XM_FEED_NONE: none */
    uint64_t window; /* its host.window */
};

/* One window: its two samples. */
struct xm_feed_window {
    struct xm_sample from;
    struct xm_sample to; /* vCPUs, domains and pCPUs of its own, for the peaks; the rest is borrowed */
    uint64_t first;      /* the fast samples from this index on have its peaks; XM_FEED_NONE: not all are there */
};

/* The window that was chosen is in one of two places, so that it stays where another cannot be made. */
enum { XM_FEED_CHOSEN = XM_SPANS, XM_FEED_SPARE, XM_FEED_WINDOWS };

#define XM_FEED_BASELINES 1024u

/* What a domain's histograms were when it was first asked for. */
struct xm_feed_baseline {
    uint64_t id;     /* of the domain; 0: free */
    uint64_t window; /* of the newest sample then */
    uint64_t round;  /* the update that it was last asked for in */
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
};

struct xm_feed_trail {
    struct xm_trail shown;
    struct xm_trail_step (*domain)[XM_TRAIL_STEPS]; /* what shown.domain is */
    uint64_t *id;                                   /* of the domain in each slot */
    struct xm_sample sample[2]; /* [turn] is of the newest step's end, the other of its beginning */
    unsigned turn;
    bool begun;      /* sample[turn] is there */
    uint64_t newest; /* index of the slow sample that the newest step ends at; XM_FEED_NONE: none */
};

struct xm_feed {
    char *path;
    struct xm_region *region;
    struct xm_model model;
    struct xm_error error;
    char notice[96];
    uint64_t notice_until_ns;
    uint64_t newest; /* index of the newest fast sample */
    uint64_t newest_at_ns;
    struct xm_scale scale;
    uint64_t chosen_ns;
    unsigned chosen_at; /* XM_FEED_CHOSEN or XM_FEED_SPARE: where the model's chosen window is */

    bool held; /* `sought` is shown, not the newest */
    uint64_t sought;
    struct xm_feed_place shown;
    bool settled; /* held: no sample to come can be nearer to what was sought */
    bool stale;   /* something is to be made again although the sample is the same */

    struct xm_sample sample;  /* the one on show */
    struct xm_sample scratch; /* of parts */
    struct xm_feed_window window[XM_FEED_WINDOWS];
    struct xm_region_domain *fact;
    struct xm_peaks *peaks;
    struct xm_feed_trail trail;
    struct xm_spread spread;
    uint32_t *first_vcpu, *next_vcpu; /* by domain slot, by vCPU slot: the vCPUs of each domain; 0: no more, else
                                         the slot + 1 */
    bool chained;                     /* they are of `sample` */
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS]; /* of one vCPU */
    struct xm_feed_baseline **baseline;         /* XM_FEED_BASELINES; NULL: none yet */
    uint64_t round;                             /* counts updates */
};

/* ---- Windows. */

/* Makes room for the windows of a region of this capacity.  XM_OK; XM_NOMEM: to be freed all the same. */
enum xm_status xm_feed_windows_init(struct xm_feed *feed, struct xm_capacity capacity) XM_MUST_CHECK;

/* Frees that room; a feed without any is fine. */
void xm_feed_windows_fini(struct xm_feed *feed);

/*
 * Makes all windows of the model that end at feed->sample.  False: there is no data of that kind, or not
 * any more.
 */
bool xm_feed_windows_make(struct xm_feed *feed) XM_MUST_CHECK;

/*
 * The same for a sample that is shown already, and that the region need not have any more: reads on what peaks
 * are missing, and makes the chosen window where its length is another now.  False: the region no longer has
 * what that takes; the one that was there stays.
 */
bool xm_feed_windows_remake(struct xm_feed *feed) XM_MUST_CHECK;

/* ---- Places in time.  `region` is open, info is of now. */

/* The oldest sample of a series that windows can end at, now and for some time yet; false: none. */
bool xm_feed_oldest(const struct xm_feed *feed, enum xm_series series, struct xm_feed_place *place);

/*
 * The last sample no later than `window`: of the fast series where it reaches; the oldest where all are
 * later.
 */
bool xm_feed_find(const struct xm_feed *feed, uint64_t window, struct xm_feed_place *place);

/* ---- The last minute. */

/* Brings the trail up to the sample on show.  XM_OK, XM_NOMEM. */
enum xm_status xm_feed_trail_update(struct xm_feed *feed) XM_MUST_CHECK;
void xm_feed_trail_drop(struct xm_feed *feed);

/* ---- Distributions. */

const struct xm_spread *xm_feed_spread(void *user, uint32_t slot,
                                       enum xm_spread_since since); /* user: a feed */
void xm_feed_spread_drop(struct xm_feed *feed);

#endif
