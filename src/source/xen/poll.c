/* SPDX-License-Identifier: MIT */
#include "source/xen/poll.h"

#include "base/check.h"

/* A buffer as full as this may have been full: its records say only that the load was at least so high. */
#define FULL_PERMILLE 980u

void xm_poll_init(struct xm_poll *poll, uint64_t longest_ns, bool fixed)
{
    XM_ASSERT(longest_ns >= XM_POLL_LEAST_NS && longest_ns <= XM_POLL_MOST_NS);
    *poll = (struct xm_poll){.longest_ns = longest_ns, .fixed = fixed, .ns = longest_ns};
}

/* When a buffer would be as full as is aimed for, at the rate that was found. */
static uint64_t wanted(const struct xm_poll *poll, uint32_t permille, uint64_t elapsed_ns)
{
    if (permille == 0)
        return poll->longest_ns;
    if (permille >= FULL_PERMILLE)
        permille = 4 * 1000;
    /* Longer than the longest wait it was only if the machine stood still; more would not fit into 64 bits. */
    uint64_t elapsed = elapsed_ns < XM_POLL_MOST_NS ? elapsed_ns : XM_POLL_MOST_NS;
    return elapsed * XM_POLL_AIM_PERMILLE / permille;
}

uint64_t xm_poll_pass(struct xm_poll *poll, uint32_t permille, uint64_t elapsed_ns, bool urgent)
{
    if (poll->fixed)
        return poll->ns;
    uint64_t want = wanted(poll, permille, elapsed_ns);
    if (urgent && want > poll->ns / 2)
        want = poll->ns / 2;
    if (want > poll->ns) {
        bool worthwhile = want / 5 * 4 > poll->ns || want >= poll->longest_ns;
        uint64_t most = 2 * poll->ns;
        want = !worthwhile ? poll->ns : want < most ? want : most;
    }
    if (want > poll->longest_ns)
        want = poll->longest_ns;
    poll->ns = want < XM_POLL_LEAST_NS ? XM_POLL_LEAST_NS : want;
    return poll->ns;
}
