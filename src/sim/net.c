/* SPDX-License-Identifier: MIT */
#include "sim/net.h"

#include <stdlib.h>

#include "base/check.h"

#define CHUNK 64u

struct xm_chunk {
    struct xm_chunk *next;
    struct xm_packet packet[CHUNK];
    struct xm_request request[CHUNK];
};

/* ---- Packets. */

static void packets_init(struct xm_packets *list)
{
    *list = (struct xm_packets){.last = &list->first};
}

static void append(struct xm_packets *list, struct xm_packet *packet)
{
    packet->next = NULL;
    *list->last = packet;
    list->last = &packet->next;
    list->count++;
}

static struct xm_packet *take_first(struct xm_packets *list)
{
    struct xm_packet *packet = list->first;
    if (!packet)
        return NULL;
    list->first = packet->next;
    if (!list->first)
        list->last = &list->first;
    list->count--;
    return packet;
}

static bool more_memory(struct xm_nic *nic)
{
    struct xm_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return false;
    chunk->next = nic->chunks;
    nic->chunks = chunk;
    for (unsigned i = 0; i < CHUNK; i++) {
        chunk->packet[i].next = nic->free_packets;
        nic->free_packets = &chunk->packet[i];
        chunk->request[i].next = nic->free_requests;
        nic->free_requests = &chunk->request[i];
    }
    return true;
}

static void arrives(void *user);

/* NULL when out of memory: the packet is lost, as packets are. */
static struct xm_packet *new_packet(struct xm_netif *netif, struct xm_request *request, enum xm_packet_kind kind)
{
    struct xm_nic *nic = netif->nic;
    if (!nic->free_packets && !more_memory(nic))
        return NULL;
    struct xm_packet *packet = nic->free_packets;
    nic->free_packets = packet->next;
    *packet = (struct xm_packet){.netif = netif, .request = request, .kind = kind};
    xm_alarm_init(&packet->arrives, XM_ALARM_DEVICE, arrives, packet);
    return packet;
}

void xm_netif_free(struct xm_netif *netif, struct xm_packet *packet)
{
    packet->netif = NULL;
    packet->next = netif->nic->free_packets;
    netif->nic->free_packets = packet;
}

static void free_request(struct xm_request *request)
{
    struct xm_nic *nic = request->netif->nic;
    request->netif = NULL;
    request->next = nic->free_requests;
    nic->free_requests = request;
}

/* ---- The card. */

static void interrupt(void *user)
{
    struct xm_nic *nic = user;
    for (struct xm_netif *netif = nic->first; netif; netif = netif->next) {
        netif->sent += netif->leaving;
        netif->leaving = 0;
    }
    nic->interrupted_ns = xm_machine_now(nic->machine);
    xm_machine_interrupt(nic->machine, 0);
    xm_machine_notify(nic->machine, nic->driver);
}

static void expect_interrupt(struct xm_nic *nic)
{
    uint64_t now = xm_machine_now(nic->machine);
    uint64_t soonest = nic->interrupted_ns + nic->costs->interrupt_gap;
    if (!xm_alarm_is_set(&nic->interrupt))
        xm_alarm_set(xm_machine_engine(nic->machine), &nic->interrupt, soonest > now ? soonest : now);
}

static void arrives(void *user)
{
    struct xm_packet *packet = user;
    struct xm_netif *netif = packet->netif;
    append(&netif->incoming, packet);
    expect_interrupt(netif->nic);
}

void xm_nic_init(struct xm_nic *nic, struct xm_machine *m, const struct xm_costs *costs, struct xm_sim_vcpu *driver)
{
    *nic = (struct xm_nic){.machine = m, .costs = costs, .driver = driver};
    xm_alarm_init(&nic->interrupt, XM_ALARM_DEVICE, interrupt, nic);
}

void xm_nic_fini(struct xm_nic *nic)
{
    for (struct xm_chunk *chunk = nic->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    nic->chunks = NULL;
}

/* ---- Clients. */

/* A round trip after now, as the dice fall, but behind what this client has sent before. */
static void client_sends(struct xm_netif *netif, struct xm_request *request, enum xm_packet_kind kind)
{
    const struct xm_costs *costs = netif->nic->costs;
    struct xm_packet *packet = new_packet(netif, request, kind);
    if (!packet)
        return;
    uint64_t trip = xm_rng_lognormal(&netif->rng, costs->round_trip, (double)costs->trip_sigma / 1000);
    uint64_t when = xm_machine_now(netif->nic->machine) + trip;
    if (when < request->last_ns + costs->packet_gap)
        when = request->last_ns + costs->packet_gap;
    request->last_ns = when;
    if (kind == XM_PACKET_DATA_ACK) {
        packet->acknowledges = request->unacknowledged;
        request->unacknowledged = 0;
    }
    xm_alarm_set(xm_machine_engine(netif->nic->machine), &packet->arrives, when);
}

static void next_arrival(struct xm_netif *netif)
{
    uint64_t now = xm_machine_now(netif->nic->machine);
    uint64_t gap = xm_rng_exponential(&netif->rng, (uint64_t)(1e9 / netif->rate));
    xm_alarm_set(xm_machine_engine(netif->nic->machine), &netif->arrival, now + gap);
}

static void client_comes(void *user)
{
    struct xm_netif *netif = user;
    struct xm_nic *nic = netif->nic;
    next_arrival(netif);
    netif->served.offered++;
    if (netif->in_flight >= nic->costs->in_flight || (!nic->free_requests && !more_memory(nic))) {
        netif->served.turned_away++;
        return;
    }
    struct xm_request *request = nic->free_requests;
    nic->free_requests = request->next;
    *request = (struct xm_request){.netif = netif, .began_ns = xm_machine_now(nic->machine)};
    netif->in_flight++;
    client_sends(netif, request, XM_PACKET_SYN);
}

static void answered(struct xm_netif *netif, const struct xm_request *request)
{
    netif->served.answered++;
    netif->served.response_ns += xm_machine_now(netif->nic->machine) + netif->nic->costs->round_trip / 2 - request->began_ns;
}

/* What a client does about a packet that leaves the host now; its answer is back a round trip later. */
static void client_gets(struct xm_netif *netif, struct xm_request *request, enum xm_packet_kind kind)
{
    const struct xm_costs *costs = netif->nic->costs;
    switch (kind) {
    case XM_PACKET_SYN_ACK:
        client_sends(netif, request, XM_PACKET_ACK);
        client_sends(netif, request, XM_PACKET_GET);
        break;
    case XM_PACKET_DATA:
        request->received++;
        request->unacknowledged++;
        /* Every other one is acknowledged, and one that ends the window: nothing would come after it. */
        if (request->unacknowledged == 2 || request->received == request->sent)
            client_sends(netif, request, XM_PACKET_DATA_ACK);
        if (request->received == costs->data_packets)
            answered(netif, request);
        break;
    case XM_PACKET_SERVER_FIN:
        client_sends(netif, request, XM_PACKET_ACK);
        client_sends(netif, request, XM_PACKET_FIN);
        break;
    case XM_PACKET_LAST_ACK:
        free_request(request);
        netif->in_flight--;
        break;
    default:
        break;
    }
}

void xm_netif_init(struct xm_netif *netif, struct xm_nic *nic, uint64_t seed)
{
    *netif = (struct xm_netif){.nic = nic};
    xm_rng_seed(&netif->rng, seed, 'n');
    xm_alarm_init(&netif->arrival, XM_ALARM_DEVICE, client_comes, netif);
    packets_init(&netif->incoming);
    packets_init(&netif->receive);
    packets_init(&netif->send);
    packets_init(&netif->outgoing);
    netif->next = nic->first;
    nic->first = netif;
}

void xm_netif_remove(struct xm_netif *netif)
{
    struct xm_nic *nic = netif->nic;
    struct xm_engine *engine = xm_machine_engine(nic->machine);
    struct xm_netif **link = &nic->first;
    xm_netif_rate(netif, 0);
    for (struct xm_chunk *chunk = nic->chunks; chunk; chunk = chunk->next)
        for (unsigned i = 0; i < CHUNK; i++) {
            if (chunk->packet[i].netif == netif) {
                xm_alarm_cancel(engine, &chunk->packet[i].arrives);
                xm_netif_free(netif, &chunk->packet[i]);
            }
            if (chunk->request[i].netif == netif)
                free_request(&chunk->request[i]);
        }
    while (*link != netif)
        link = &(*link)->next;
    *link = netif->next;
    netif->domain = NULL;
}

void xm_netif_rate(struct xm_netif *netif, double rate)
{
    netif->rate = rate;
    if (rate > 0)
        next_arrival(netif);
    else
        xm_alarm_cancel(xm_machine_engine(netif->nic->machine), &netif->arrival);
}

/* ---- The driver domain. */

static uint32_t least(uint32_t a, uint64_t b)
{
    return a < b ? a : (uint32_t)b;
}

uint32_t xm_netif_can_receive(struct xm_netif *netif)
{
    const struct xm_costs *costs = netif->nic->costs;
    uint32_t wanted = least(netif->incoming.count, costs->batch);
    uint32_t count = least(wanted, costs->ring - netif->receive.count);
    netif->stalled = count < wanted;
    return count;
}

void xm_netif_receive(struct xm_netif *netif, uint32_t packets)
{
    struct xm_nic *nic = netif->nic;
    for (uint32_t i = 0; i < packets; i++)
        append(&netif->receive, take_first(&netif->incoming));
    if (nic->copies)
        xm_machine_copy(nic->machine, packets);
    else
        xm_machine_transfer(nic->machine, netif->domain, packets);
    xm_machine_notify(nic->machine, &netif->domain->vcpu[0]);
}

uint32_t xm_netif_take(struct xm_netif *netif, struct xm_packets *taken)
{
    packets_init(taken);
    for (struct xm_packet *packet; taken->count < netif->nic->costs->batch && (packet = take_first(&netif->send));)
        append(taken, packet);
    return taken->count;
}

void xm_netif_transmit(struct xm_netif *netif, struct xm_packets *taken)
{
    struct xm_nic *nic = netif->nic;
    uint32_t count = taken->count;
    xm_machine_map(nic->machine, netif->domain, count);
    for (struct xm_packet *packet; (packet = take_first(taken)) != NULL;) {
        client_gets(netif, packet->request, packet->kind);
        xm_netif_free(netif, packet);
    }
    netif->leaving += count;
    expect_interrupt(nic);
}

void xm_netif_complete(struct xm_netif *netif, uint32_t packets)
{
    xm_machine_unmap(netif->nic->machine, netif->domain, packets);
    netif->sent -= packets;
    netif->send_slots -= packets;
    if (netif->send_event == 0)
        return;
    netif->send_event -= packets < netif->send_event ? packets : netif->send_event;
    if (netif->send_event == 0)
        xm_machine_notify(netif->nic->machine, &netif->domain->vcpu[0]);
}

/* ---- The server. */

struct xm_packet *xm_netif_next(struct xm_netif *netif)
{
    struct xm_packet *packet = take_first(&netif->receive);
    if (packet && netif->stalled)
        xm_machine_notify(netif->nic->machine, netif->nic->driver);
    return packet;
}

void xm_netif_answer(struct xm_netif *netif, struct xm_request *request, enum xm_packet_kind kind)
{
    struct xm_packet *packet = new_packet(netif, request, kind);
    if (packet)
        append(&netif->outgoing, packet);
}

bool xm_netif_can_send(const struct xm_netif *netif)
{
    return netif->outgoing.count > 0 && netif->send_slots < netif->nic->costs->ring;
}

void xm_netif_send(struct xm_netif *netif)
{
    bool caught_up = netif->send.count == 0;
    append(&netif->send, take_first(&netif->outgoing));
    netif->send_slots++;
    netif->send_event = netif->send_slots / 2 + 1;
    if (caught_up)
        xm_machine_notify(netif->nic->machine, netif->nic->driver);
}
