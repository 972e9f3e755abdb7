/* SPDX-License-Identifier: MIT */
/*
 * Follows a region: attaches to it when it appears, reads what is new, keeps the windows of 1 s and 10 s, and
 * goes on through restarts, growth and a writer's death.
 *
 * Threads: one feed, one thread.
 */
#ifndef XM_FEED_H
#define XM_FEED_H

#include <stdint.h>

#include "front/feed/model.h"
#include "xenmon/status.h"

struct xm_feed;

/* path: of the region, copied; need not exist yet.  NULL when out of memory. */
struct xm_feed *xm_feed_create(const char *path);
void xm_feed_destroy(struct xm_feed *feed); /* NULL is fine */

/*
 * Looks at the region and takes in what is new.  now_ns: CLOCK_MONOTONIC, never going back.  Whatever goes
 * wrong, the model says it, and the next update tries again.  Cost: of the samples since the last update the
 * peaks are read, of a minute's at most at the first one of many rows; five samples are copied whole.
 */
void xm_feed_update(struct xm_feed *feed, uint64_t now_ns);

/* Length of the model's chosen window from the next update on: 1 ms to 7 days; 1 s to begin with. */
void xm_feed_set_window(struct xm_feed *feed, uint64_t ns);

/*
 * Which sample the next updates show: the last one that is no later than `cycles` since the trace began (the
 * oldest there is where all are later); xm_feed_follow(): the newest again.  While a position is held the
 * connection, warnings and reach of the model go on being those of now.  A restart of xenbaked drops the
 * position.  What is shown of a position stays, also when the region no longer has it; a window of a length that
 * cannot be had there any more leaves the one before, and the model's notice says so.
 */
void xm_feed_seek(struct xm_feed *feed, uint64_t cycles);
void xm_feed_follow(struct xm_feed *feed);

/*
 * The position that is `steps` samples of the fast series (where the series no longer has them: of the slow
 * one) before (negative) or after the sample on show; cut at both ends.
 */
uint64_t xm_feed_step(const struct xm_feed *feed, int steps);

/*
 * The position of a moment of CLOCK_REALTIME; false, and the nearest end, where no sample is that old or
 * new.
 */
bool xm_feed_position(struct xm_feed *feed, uint64_t real_ns, uint64_t *cycles);

/* XM_SPREAD_WATCHED begins anew for every domain. */
void xm_feed_watch_anew(struct xm_feed *feed);

/* Borrowed; changes with every update. */
const struct xm_model *xm_feed_model(const struct xm_feed *feed);

#endif
