/* SPDX-License-Identifier: MIT */
/*
 * How long to wait until the next pass over the trace buffers: as long as may be, and so short that no buffer comes
 * past half its size.
 *
 * The fullest buffer of a pass and the time since the pass before give a rate; the next pass is due when at that rate
 * 40 % would be full, which leaves room for a load that grows by a quarter.  A load that grows faster raises
 * VIRQ_TBUF, and the time is halved.  It comes down at once and goes up slowly, at most twofold a pass, and not at all
 * for less than a quarter, so that a load that varies a little does not move it.
 *
 * Pure: no clock, no allocation.  Threads: none of its own.
 */
#ifndef XM_POLL_H
#define XM_POLL_H

#include <stdbool.h>
#include <stdint.h>

#define XM_POLL_LEAST_NS UINT64_C(1000000)
#define XM_POLL_MOST_NS UINT64_C(60000000000)
#define XM_POLL_AIM_PERMILLE 400u

struct xm_poll {
    uint64_t longest_ns; /* never more than this */
    bool fixed;          /* always that, whatever the load */
    uint64_t ns;         /* until the next pass */
};

/* longest_ns: XM_POLL_LEAST_NS to XM_POLL_MOST_NS.  Begins with the longest time, fixed or not. */
void xm_poll_init(struct xm_poll *poll, uint64_t longest_ns, bool fixed);

/*
 * A pass found its fullest buffer at `permille`, 0 to 1000, `elapsed_ns` after the pass before had emptied it; urgent:
 * VIRQ_TBUF brought it about.  Returns the time until the next one: XM_POLL_LEAST_NS to longest_ns.
 */
uint64_t xm_poll_pass(struct xm_poll *poll, uint32_t permille, uint64_t elapsed_ns, bool urgent);

#endif
