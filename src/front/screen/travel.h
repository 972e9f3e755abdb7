/* SPDX-License-Identifier: MIT */
/*
 * Time on the screen: takes what a choice asks for (freeze, steps, jumps, playing on) to the feed, and says
 * back where that led.
 *
 *     !travelling            the newest sample is shown
 *     travelling, frozen     `position` is held
 *     travelling, !frozen    played on from `position`, `speed` times as fast as it was; at the newest sample
 *                            it is live again, or, where no more will come, held there; played on from that
 *                            end it begins again with the oldest
 *
 * Reads no clock.  Threads: one.
 */
#ifndef XM_TRAVEL_H
#define XM_TRAVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "front/screen/choice.h"
#include "front/feed/feed.h"

/* Zeroed to begin with. */
struct xm_travel {
    uint64_t lineage; /* of the region that was travelled in */
    uint64_t last_ns; /* when it was last played on; 0: it was not */
    double rest;      /* of a cycle, not played yet */
    bool begun;       /* a replay has been put to its start */
};

/*
 * Brings the feed to what the choice asks for, as of now_ns (CLOCK_MONOTONIC), and updates it.  Requests
 * are cleared; where there is no sample of the moment asked for, the nearest is shown and choice->said says
 * so.  A restart of xenbaked ends travelling.
 */
void xm_travel_update(struct xm_travel *travel, struct xm_feed *feed, struct xm_choice *choice,
                      uint64_t now_ns);

#endif
