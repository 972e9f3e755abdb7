/* SPDX-License-Identifier: MIT */
/* A web server: one process that answers requests in the order in which they came, beside a network stack that comes first. */
#ifndef XM_SIM_WEB_H
#define XM_SIM_WEB_H

#include "sim/net.h"

struct xm_web {
    struct xm_netif netif;
    const struct xm_costs *costs;
    struct xm_rng rng;
    struct xm_request *first, **last; /* requests to be worked on */

    /* The piece of work in hand. */
    enum { XM_WEB_NONE, XM_WEB_RECEIVES, XM_WEB_SENDS, XM_WEB_ANSWERS } doing;
    struct xm_packet *packet;
};

extern const struct xm_guest_ops xm_web_ops; /* guest: struct xm_web; its vCPU 0 does everything */

/* netif.domain is to be set before clients come. */
void xm_web_init(struct xm_web *w, struct xm_nic *nic, const struct xm_costs *costs, uint64_t seed);

#endif
