/* SPDX-License-Identifier: MIT */
/*
 * What a screen is built from: two windows over a region's samples, and how the connection to the region
 * stands.  Filled by a feed (front/feed.h), or by a test.
 */
#ifndef XM_MODEL_H
#define XM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "view/view.h"
#include "xenmon/region.h"

enum xm_link {
    XM_LINK_ABSENT, /* no region of this name (yet) */
    XM_LINK_BROKEN, /* something is there that cannot be read */
    XM_LINK_EMPTY,  /* a region without a sample (yet) */
    XM_LINK_LIVE,
    XM_LINK_STALE, /* the writer has given no sign of life for some time */
    XM_LINK_ENDED, /* the source has ended: the newest sample is the last */
    XM_LINK_GONE   /* the writer is dead; what it left is shown */
};

enum xm_span { XM_SPAN_1S, XM_SPAN_10S, XM_SPANS };

/* Borrowed throughout: valid until the feed's next update. */
struct xm_model {
    enum xm_link link;
    const char *path;                    /* of the region */
    const char *reason;                  /* for ABSENT and BROKEN: why, in words, with the path; else "" */
    const char *notice;                  /* what has just happened ("xenbaked was restarted"); "" mostly */
    uint64_t silent_ns;                  /* since the writer's last sign of life */
    uint64_t quiet_ns;                   /* since the newest sample came */
    unsigned beat;                       /* counts the updates that brought a new sample */
    struct xm_region_info info;          /* of the region last seen; zeroed before the first */
    bool data;                           /* false: the members below are not to be used */
    struct xm_window window[XM_SPANS];   /* `to` holds the window's peaks, not only the last interval's */
    const struct xm_region_domain *fact; /* by domain slot of window[].to; id 0 or another: nothing known */
};

#endif
