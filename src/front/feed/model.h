/* SPDX-License-Identifier: MIT */
/*
 * What a screen is built from: windows over a region's samples that end at one instant, now or in the past, the
 * last minute second by second, distributions, and how the connection to the region stands.  Filled by a feed
 * (front/feed/feed.h), or by a test.
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

/* ---- The last minute, for strips and sparklines. */

#define XM_TRAIL_STEPS 60u

/* Shares of one step, in thousandths of its length; a domain's and the host's are of all its vCPUs or pCPUs. */
struct xm_trail_step {
    bool known; /* false: no sample for this step, or the row is not in it; the shares are 0 */
    uint16_t running, runnable, blocked, offline, unknown; /* of pCPUs: busy, any vCPU waiting, idle, switching, unknown */
};

/*
 * Steps of about a second; [XM_TRAIL_STEPS - 1] is the newest and ends at the newest sample of the slow series
 * that is not after the instant on show.
 */
struct xm_trail {
    uint32_t domains;                                     /* rows of `domain` */
    const struct xm_trail_step (*domain)[XM_TRAIL_STEPS]; /* by domain slot of window[].to */
    struct xm_trail_step host[XM_TRAIL_STEPS];            /* all pCPUs */
    uint64_t step_ns[XM_TRAIL_STEPS];                     /* real length; 0: none */
};

/* ---- Distributions of a domain: the sum over its vCPUs. */

/* What they are of. */
enum xm_spread_since {
    XM_SPREAD_START,  /* since the trace, or the vCPU, began */
    XM_SPREAD_WATCHED /* since the feed was first asked for this domain, or told to begin anew */
};

/* Log-linear histograms in cycles (xm_percentile()); counts of what has ended. */
struct xm_spread {
    uint64_t counts[XM_HISTS][XM_HIST_BUCKETS];
    uint64_t total[XM_HISTS];
    uint64_t since_ns; /* how long that is; 0: not known */
};

struct xm_digests;

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
    bool copied;                         /* who started us writes it: a copy of another host's, or of the history */
    bool data;                           /* false: the members below are not to be used */
    struct xm_window window[XM_SPANS];   /* `to` holds the window's peaks; where it cannot, no_peaks is set */
    const struct xm_region_domain *fact; /* by domain slot of window[].to; id 0 or another: nothing known */

    /* The window that the person chose, of any length; what window[] has in it too, all end at the same sample. */
    struct xm_window chosen;
    uint64_t chosen_ns;  /* what was asked for; its real length is that of the samples */
    bool chosen_coarse;  /* from the slow series: causes of waits, slices, migrations, I/O done, pairs, a vCPU's
                            executions are 0 in it, not known; it has no peaks */
    bool reading;        /* peaks that a window lacks are still being read: the next update gets further */

    const struct xm_trail *trail; /* NULL: none yet */

    /*
     * Distributions of the domain in `slot`, read when asked for; NULL where they cannot be had.  Borrowed until
     * the next call or update.  They are always those of the newest sample, also when the past is on show.
     */
    const struct xm_spread *(*spread)(void *user, uint32_t slot, enum xm_spread_since since);
    void *spread_user;
    struct xm_digests *digests; /* of them (front/feed/digest.h), kept by the feed; NULL: made anew each time */

    /* The time axis: cycles since the trace began, as host.window has them. */
    bool coarse;          /* window[] and chosen end at a sample of the slow series: what chosen_coarse says is true of
                             all, no vCPU's state (4, unknown) or pCPU is known, no last execution, no peak */
    bool past;            /* the sample on show was asked for, and is not the newest */
    uint64_t oldest;      /* of the region's samples, of either series */
    uint64_t newest;      /* of the region's samples */
    uint64_t real_ns;     /* CLOCK_REALTIME of the sample on show; 0: not known, as a trace in a file does not say */
};

#endif
