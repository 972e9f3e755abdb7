/* SPDX-License-Identifier: MIT */
#include "sim/web.h"

void xm_web_init(struct xm_web *w, struct xm_nic *nic, const struct xm_costs *costs, uint64_t seed)
{
    *w = (struct xm_web){.costs = costs};
    w->last = &w->first;
    xm_netif_init(&w->netif, nic, seed);
    xm_rng_seed(&w->rng, seed, 'w');
}

static uint64_t cost(struct xm_web *w, uint64_t mean, uint64_t sigma_milli)
{
    uint64_t ns = xm_rng_lognormal(&w->rng, mean, (double)sigma_milli / 1000);
    return ns ? ns : 1;
}

static uint64_t work(void *guest, struct xm_sim_vcpu *v)
{
    struct xm_web *w = guest;
    if (v->number != 0)
        return 0;
    if ((w->packet = xm_netif_next(&w->netif)) != NULL) {
        w->doing = XM_WEB_RECEIVES;
        return cost(w, w->costs->server_receive, w->costs->packet_sigma);
    }
    if (xm_netif_can_send(&w->netif)) {
        w->doing = XM_WEB_SENDS;
        return cost(w, w->costs->server_send, w->costs->packet_sigma);
    }
    if (w->first) {
        w->doing = XM_WEB_ANSWERS;
        return cost(w, w->costs->server_request, w->costs->request_sigma);
    }
    w->doing = XM_WEB_NONE;
    return 0;
}

/* As much of the answer as the window lets out. */
static void send_data(struct xm_web *w, struct xm_request *request)
{
    while (request->sent < w->costs->data_packets && request->sent < request->acknowledged + request->window) {
        request->sent++;
        xm_netif_answer(&w->netif, request, XM_PACKET_DATA);
        if (request->sent == w->costs->data_packets)
            xm_netif_answer(&w->netif, request, XM_PACKET_SERVER_FIN);
    }
}

static void received(struct xm_web *w)
{
    struct xm_request *request = w->packet->request;
    switch (w->packet->kind) {
    case XM_PACKET_SYN:
        xm_netif_answer(&w->netif, request, XM_PACKET_SYN_ACK);
        break;
    case XM_PACKET_GET:
        xm_netif_answer(&w->netif, request, XM_PACKET_GET_ACK);
        request->next = NULL;
        *w->last = request;
        w->last = &request->next;
        break;
    case XM_PACKET_DATA_ACK:
        request->window++;
        request->acknowledged += w->packet->acknowledges;
        send_data(w, request);
        break;
    case XM_PACKET_FIN:
        xm_netif_answer(&w->netif, request, XM_PACKET_LAST_ACK);
        break;
    default:
        break;
    }
    xm_netif_free(&w->netif, w->packet);
    w->packet = NULL;
}

static void answer(struct xm_web *w)
{
    struct xm_request *request = w->first;
    w->first = request->next;
    if (!w->first)
        w->last = &w->first;
    request->window = (uint32_t)w->costs->first_window;
    send_data(w, request);
}

static void done(void *guest, struct xm_sim_vcpu *v)
{
    struct xm_web *w = guest;
    (void)v;
    if (w->doing == XM_WEB_RECEIVES)
        received(w);
    else if (w->doing == XM_WEB_SENDS)
        xm_netif_send(&w->netif);
    else if (w->doing == XM_WEB_ANSWERS)
        answer(w);
    w->doing = XM_WEB_NONE;
}

const struct xm_guest_ops xm_web_ops = {work, done};
