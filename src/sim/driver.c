/* SPDX-License-Identifier: MIT */
#include "sim/driver.h"

void xm_driver_init(struct xm_driver *d, struct xm_machine *m, const struct xm_costs *costs, struct xm_sim_vcpu *vcpu,
                    uint64_t seed)
{
    *d = (struct xm_driver){.machine = m, .costs = costs};
    xm_nic_init(&d->nic, m, costs, vcpu);
    xm_disk_init(&d->disk, m, costs, vcpu);
    xm_rng_seed(&d->rng, seed, 'D');
}

void xm_driver_fini(struct xm_driver *d)
{
    xm_nic_fini(&d->nic);
}

void xm_driver_forget(struct xm_driver *d, const struct xm_netif *netif, const struct xm_reader *reader)
{
    if (d->doing == XM_DRIVER_READS ? d->reader == reader : d->netif == netif)
        d->doing = XM_DRIVER_NONE;
}

/* What so many packets cost, each as the dice fall. */
static uint64_t packets_cost(struct xm_driver *d, uint32_t packets, uint64_t each)
{
    double sigma = (double)d->costs->packet_sigma / 1000;
    uint64_t sum = d->costs->driver_batch;
    if (sigma == 0)
        return sum + packets * each;
    for (uint32_t i = 0; i < packets; i++)
        sum += xm_rng_lognormal(&d->rng, each, sigma);
    return sum ? sum : 1;
}

static uint64_t receive_cost(const struct xm_driver *d)
{
    return d->costs->driver_packet + (d->nic.copies ? d->costs->driver_copy : d->costs->driver_flip);
}

/* Receiving comes first, as it does in a kernel whose interrupts feed it. */
static uint64_t choose(struct xm_driver *d, struct xm_netif *netif)
{
    d->netif = netif;
    if ((d->packets = xm_netif_can_receive(netif)) > 0) {
        d->doing = XM_DRIVER_RECEIVES;
        return packets_cost(d, d->packets, receive_cost(d));
    }
    if ((d->packets = xm_netif_take(netif, &d->taken)) > 0) {
        d->doing = XM_DRIVER_SENDS;
        return packets_cost(d, d->packets, d->costs->driver_packet);
    }
    if ((d->packets = netif->sent) > 0) {
        d->doing = XM_DRIVER_COMPLETES;
        return d->packets * d->costs->driver_complete;
    }
    return 0;
}

static uint64_t work(void *guest, struct xm_sim_vcpu *v)
{
    struct xm_driver *d = guest;
    if (v != d->nic.driver)
        return 0;
    for (struct xm_netif *netif = d->nic.first; netif; netif = netif->next) {
        uint64_t cost = netif->domain ? choose(d, netif) : 0;
        if (cost)
            return cost;
    }
    d->reader = xm_disk_next(&d->disk);
    d->doing = d->reader ? XM_DRIVER_READS : XM_DRIVER_NONE;
    return d->reader ? d->costs->driver_block : 0;
}

static void done(void *guest, struct xm_sim_vcpu *v)
{
    struct xm_driver *d = guest;
    (void)v;
    switch (d->doing) {
    case XM_DRIVER_RECEIVES:
        xm_netif_receive(d->netif, d->packets);
        break;
    case XM_DRIVER_SENDS:
        xm_netif_transmit(d->netif, &d->taken);
        break;
    case XM_DRIVER_COMPLETES:
        xm_netif_complete(d->netif, d->packets);
        break;
    case XM_DRIVER_READS:
        xm_disk_carry(d->reader);
        break;
    case XM_DRIVER_NONE:
        break;
    }
    d->doing = XM_DRIVER_NONE;
}

const struct xm_guest_ops xm_driver_ops = {work, done};
