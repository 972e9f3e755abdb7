/* SPDX-License-Identifier: MIT */
/*
 * The split network path of October 2005 and of today: clients, a network card, and for each server an interface with
 * two rings between it and the driver domain (doc/simulation.md, "The network").
 *
 *     clients --incoming--> driver domain --receive ring--> server
 *     clients <--card------ driver domain <--send ring----- server
 *
 * The rules that make the paper's two regimes: the server notifies the driver domain of a packet only if that had
 * caught up with all before it; the driver domain notifies the server once for a batch; the card leaves some time
 * between two interrupts.
 *
 * Clients come at a rate whether they are answered or not.  A request is nine packets to the server and twelve back.
 *
 * Threads: the machine's one.
 */
#ifndef XM_SIM_NET_H
#define XM_SIM_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "sim/costs.h"
#include "sim/machine.h"

/* Packets to the server, and from it. */
enum xm_packet_kind {
    XM_PACKET_SYN, XM_PACKET_ACK, XM_PACKET_GET, XM_PACKET_DATA_ACK, XM_PACKET_FIN,
    XM_PACKET_SYN_ACK, XM_PACKET_GET_ACK, XM_PACKET_DATA, XM_PACKET_SERVER_FIN, XM_PACKET_LAST_ACK
};

struct xm_request {
    struct xm_request *next; /* of a list of free ones, or of those that the server has to work on */
    struct xm_netif *netif;  /* whose it is; NULL: nobody's */
    uint64_t began_ns;
    uint64_t last_ns;        /* when the last packet of the client's arrives */
    uint32_t received;       /* packets of data that the client has */
    uint32_t unacknowledged; /* of them, those that it has said nothing of */
    uint32_t sent;           /* packets of data that the server has sent, */
    uint32_t acknowledged;   /* and knows to have arrived; */
    uint32_t window;         /* so many may be on their way: TCP's slow start */
};

struct xm_netif;

struct xm_packet {
    struct xm_packet *next;
    struct xm_netif *netif;  /* NULL: it is free */
    struct xm_request *request;
    enum xm_packet_kind kind;
    uint32_t acknowledges;   /* XM_PACKET_DATA_ACK: packets of data */
    struct xm_alarm arrives;
};

struct xm_packets {
    struct xm_packet *first, **last;
    uint32_t count;
};

/* The card, and what all interfaces share. */
struct xm_nic {
    struct xm_machine *machine;
    const struct xm_costs *costs;
    struct xm_sim_vcpu *driver; /* whom its interrupts are for */
    bool copies;                /* grant copies instead of page flips */
    struct xm_alarm interrupt;
    uint64_t interrupted_ns;    /* when the last one was */
    struct xm_netif *first;
    struct xm_packet *free_packets;
    struct xm_request *free_requests;
    struct xm_chunk *chunks;    /* what these were cut from */
};

/* What clients have got since the counters were last cleared. */
struct xm_served {
    uint64_t offered, turned_away, answered;
    uint64_t response_ns; /* sum over the answered */
};

struct xm_netif {
    struct xm_nic *nic;
    struct xm_netif *next;
    struct xm_sim_domain *domain; /* the server's */
    struct xm_rng rng;

    /* Clients. */
    struct xm_alarm arrival;
    double rate;                /* requests a second; 0: none come */
    uint32_t in_flight;
    struct xm_served served;

    /* The driver domain's side. */
    struct xm_packets incoming; /* on the card */
    bool stalled;               /* it has something for a receive ring that is full */
    uint32_t leaving;           /* given to the card */
    uint32_t sent;              /* which has said that they are out; the server has not been told */

    /* The rings. */
    struct xm_packets receive;  /* the driver domain has put them there */
    struct xm_packets send;     /* the server has, and the driver domain has not taken them */
    uint32_t send_slots;        /* in use: those, and the ones on their way out */
    uint32_t send_event;        /* slots that have to become free before the server is notified; 0: not asked for */

    /* The server's side. */
    struct xm_packets outgoing; /* it would send them if there were room */
};

void xm_nic_init(struct xm_nic *nic, struct xm_machine *m, const struct xm_costs *costs, struct xm_sim_vcpu *driver);
void xm_nic_fini(struct xm_nic *nic); /* the interfaces themselves are their owners' */

void xm_netif_init(struct xm_netif *netif, struct xm_nic *nic, uint64_t seed);
/*
 * Its server is gone.  What was under way to it and from it goes too, wherever it is, and nothing has a pointer to it any
 * more but a driver's piece of work in hand: xm_driver_forget().  Cost: that of looking at all packets there have ever been
 * at a time.
 */
void xm_netif_remove(struct xm_netif *netif);
void xm_netif_rate(struct xm_netif *netif, double rate);

/* ---- The driver domain's software (driver.c). */

/* A batch of packets from the card that there is room for in the server's ring: how many. */
uint32_t xm_netif_can_receive(struct xm_netif *netif);
void xm_netif_receive(struct xm_netif *netif, uint32_t packets);
/* Packets that the server wants to send: how many; they are taken, and the server's next one notifies again. */
uint32_t xm_netif_take(struct xm_netif *netif, struct xm_packets *taken);
void xm_netif_transmit(struct xm_netif *netif, struct xm_packets *taken);
void xm_netif_complete(struct xm_netif *netif, uint32_t packets);

/* ---- The server's software (web.c). */

/* A packet that has arrived; NULL: none. */
struct xm_packet *xm_netif_next(struct xm_netif *netif);
void xm_netif_free(struct xm_netif *netif, struct xm_packet *packet);
/* Makes a packet ready to be sent. */
void xm_netif_answer(struct xm_netif *netif, struct xm_request *request, enum xm_packet_kind kind);
bool xm_netif_can_send(const struct xm_netif *netif);
void xm_netif_send(struct xm_netif *netif);

#endif
