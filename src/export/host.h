/* SPDX-License-Identifier: MIT */
/*
 * What every answer of the server is made from: an immutable picture of the host.
 *
 * One updater reads the region and makes a snapshot at an interval; whoever answers takes the newest one,
 * reads it for as long as it likes, and gives it back.  Snapshots come from a pool of fixed size and are used
 * again: nothing grows.  The region is followed over a restart and over growth; where it is absent, dead or
 * stale, a snapshot says so and has no data, or the last there was.
 *
 * Threads: the updater is a thread of its own, inside; all functions but create and destroy may be called by
 * any thread.
 */
#ifndef XM_HOST_EXPORT_H
#define XM_HOST_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "view/view.h"
#include "xenmon/region.h"
#include "xenmon/sample.h"
#include "xenmon/status.h"
#include "xenmon/units.h"

/* How it stands with xenbaked and its region. */
enum xm_host_state {
    XM_HOST_RUNNING,
    XM_HOST_RESTARTED, /* runs, but began anew less than ten seconds ago: windows are short, counters began at
                          0 */
    XM_HOST_STARTING,  /* there is a region, and no sample in it or no rate of the TSC yet */
    XM_HOST_ENDED,     /* its source has ended: the last sample is final (a replay) */
    XM_HOST_STALE,     /* alive, but it has not written for some seconds */
    XM_HOST_DEAD,      /* the process is gone; what it left can be read */
    XM_HOST_ABSENT,    /* no region of that name */
    XM_HOST_BROKEN,    /* a file that is no region, or one this version cannot read */
    XM_HOST_STATES
};
const char *xm_host_state_name(enum xm_host_state state); /* "running", "restarted", ... */

enum xm_host_window { XM_HOST_1S, XM_HOST_10S, XM_HOST_WINDOWS };

/*
 * Fixed edges of distributions, in ns, without the last (infinity): 10 us to 1 s.  1 ms is the default rate
 * limit of the schedulers, 30 ms the slice of credit1.
 */
#define XM_HOST_EDGES 14u
extern const uint64_t xm_host_edge_ns[XM_HOST_EDGES];

/*
 * A distribution since the trace began.  at_most[i]: how many were at most edge i; at_most[XM_HOST_EDGES]:
 * all.  The histograms in the region have buckets 1/32 wide: the one bucket that an edge cuts is shared out
 * evenly, and sum_ns takes the middle of each bucket (at most 1/64 off).  Never goes back while the row
 * lives.
 */
struct xm_host_distribution {
    uint64_t at_most[XM_HOST_EDGES + 1];
    uint64_t sum_ns;
};

/* Percentiles of the waits that ended in a window, at most 1/16 off, all vCPUs of a domain together. */
struct xm_host_waits {
    bool known;     /* false: histograms were not read for so long yet, and nothing here means anything */
    uint64_t count; /* 0: none ended, and the others mean nothing */
    uint64_t p50_ns, p95_ns, p99_ns;
};

/* Beside each domain row of window[].to, by the same slot. */
struct xm_host_domain {
    struct xm_region_domain fact; /* id 0: not known (yet); names are sanitised UTF-8, but < > & " ' are as
                                     the guest has them */
    struct xm_host_waits waits[XM_HOST_WINDOWS];
    struct xm_host_distribution of[XM_HISTS];
    bool expired; /* ended so long ago that it is not to be shown any more (see linger_ns) */
};

/* Beside each vCPU row, by the same slot. */
struct xm_host_vcpu {
    struct xm_host_distribution of[XM_HISTS];
};

/* What the reader itself did, since the server began. */
struct xm_host_reading {
    uint64_t updates, skipped; /* snapshots made; not made, because all of the pool were held */
    uint64_t restarts;         /* times another run of xenbaked was found */
    uint64_t growths;          /* times the region had grown */
    uint64_t last_update_ns;   /* how long the newest update took */
};

struct xm_host_snapshot {
    uint64_t number; /* 1 for the first; each one later is larger.  Unique while the server runs */
    enum xm_host_state state;
    char reason[200];          /* of a state that is not running: one sentence for people, "" else */
    bool data;                 /* false: nothing below but `reading` means anything */
    uint64_t age_ns;           /* of the newest sample when the snapshot was made: CLOCK_MONOTONIC; 0 in a
                                replay */
    uint64_t since_restart_ns; /* since this run of xenbaked was first seen; UINT64_MAX: it was there from the
                                  first */
    uint64_t made_mono_ns, made_real_ns;

    struct xm_region_info info;
    uint64_t index;         /* of the newest sample, in the fast series */
    uint64_t began_real_ns; /* CLOCK_REALTIME at which this trace began: now's real time less its window */
    /*
     * window[].to is the newest sample, with the peaks of that window; from is NULL where the trace is
     * younger than the window. Both windows' `to` have the same rows.  xm_usage_*() takes these; the last
     * execution too (any window).  no_peaks: not all samples of that window could be read.
     */
    struct xm_window window[XM_HOST_WINDOWS];
    uint64_t window_ns[XM_HOST_WINDOWS]; /* how long they really are */
    struct xm_scale scale;               /* fixed for a run of xenbaked once it is known: counters in ns never
                                            go back */
    const struct xm_host_domain *domain; /* [slot below window[0].to->used.domains] */
    const struct xm_host_vcpu *vcpu;     /* [slot below window[0].to->used.vcpus] */
    struct xm_host_reading reading;
};

struct xm_host_config {
    const char *path;     /* of the region; borrowed until destroy */
    uint64_t interval_ns; /* between snapshots: 100 ms to 60 s */
    uint64_t linger_ns;   /* how long a domain is shown after its end */
    uint64_t stale_ns;    /* without a sign of life for so long it is stale */
    unsigned pool;        /* snapshots, 3 to 16 */
    /* Called by the updater after each new snapshot, without any lock held.  May be NULL. */
    void (*made)(void *user);
    void *user;
};

struct xm_host;

/* Starts the updater; returns when the first snapshot is made, of whatever there is.  XM_OK; XM_NOMEM;
 * XM_INVALID; XM_IO: no thread. */
enum xm_status xm_host_create(const struct xm_host_config *config, struct xm_host **host,
                              struct xm_error *err) XM_MUST_CHECK;
void xm_host_destroy(struct xm_host *host); /* NULL is fine; all snapshots must have been given back */

/* The newest snapshot, held; never NULL.  O(1), does not wait for the updater. */
const struct xm_host_snapshot *xm_host_take(struct xm_host *host);
void xm_host_give_back(struct xm_host *host, const struct xm_host_snapshot *snapshot); /* NULL is fine */

/* Where the region is, for who reads its series on a handle of their own (struct xm_region is not for two
 * threads). */
const char *xm_host_path(const struct xm_host *host);

#endif
