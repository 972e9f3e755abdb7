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

#include "front/model.h"
#include "xenmon/status.h"

struct xm_feed;

/* path: of the region, copied; need not exist yet.  NULL when out of memory. */
struct xm_feed *xm_feed_create(const char *path);
void xm_feed_destroy(struct xm_feed *feed); /* NULL is fine */

/*
 * Looks at the region and takes in what is new.  now_ns: CLOCK_MONOTONIC, never going back.  Whatever goes
 * wrong, the model says it, and the next update tries again.
 * Cost: the samples since the last update are copied, at most 10 s of them, and two older ones.
 */
void xm_feed_update(struct xm_feed *feed, uint64_t now_ns);

/* Borrowed; changes with every update. */
const struct xm_model *xm_feed_model(const struct xm_feed *feed);

#endif
