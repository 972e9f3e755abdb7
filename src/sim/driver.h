/* SPDX-License-Identifier: MIT */
/*
 * The driver domain's software: carries packets between the card and the servers, and requests between guests and
 * disks, in batches of what there is.
 */
#ifndef XM_SIM_DRIVER_H
#define XM_SIM_DRIVER_H

#include "sim/disk.h"
#include "sim/net.h"

struct xm_driver {
    struct xm_machine *machine;
    const struct xm_costs *costs;
    struct xm_nic nic;
    struct xm_disk disk;
    struct xm_rng rng;

    /* The piece of work in hand. */
    enum { XM_DRIVER_NONE, XM_DRIVER_RECEIVES, XM_DRIVER_SENDS, XM_DRIVER_COMPLETES, XM_DRIVER_READS } doing;
    struct xm_netif *netif;
    uint32_t packets;
    struct xm_packets taken;
    struct xm_reader *reader;
};

extern const struct xm_guest_ops xm_driver_ops; /* guest: struct xm_driver */

/* Everything is done by one of the domain's vCPUs, others idle. */
void xm_driver_init(struct xm_driver *d, struct xm_machine *m, const struct xm_costs *costs, struct xm_sim_vcpu *vcpu,
                    uint64_t seed);
void xm_driver_fini(struct xm_driver *d);

/* These are about to go: a piece of work in hand that is for one of them will bring nothing about.  NULL is fine. */
void xm_driver_forget(struct xm_driver *d, const struct xm_netif *netif, const struct xm_reader *reader);

#endif
