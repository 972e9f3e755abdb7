/* SPDX-License-Identifier: MIT */
/*
 * What the software of the simulated host costs, and how the world behaves around it.
 *
 * Every value is a named parameter with a default and a source; scenarios change them by these names.  None is a figure of
 * the paper's results (shared reference: doc/simulation.md).
 */
#ifndef XM_SIM_COSTS_H
#define XM_SIM_COSTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * XM_COST(name, unit, default, least, most, text)
 * unit: ns, count or milli (thousandths).
 */
#define XM_COSTS(XM_COST)                                                                                               \
    XM_COST(driver_entry, ns, 23200, 0, 10000000, "what a dispatch of the driver domain costs beside its work")         \
    XM_COST(server_entry, ns, 19000, 0, 10000000, "what a dispatch of a server costs beside its work")                  \
    XM_COST(driver_packet, ns, 8300, 1, 10000000, "a packet's way through the driver domain, either way")               \
    XM_COST(driver_flip, ns, 2500, 0, 10000000, "giving a received packet's page away, on top of that")                    \
    XM_COST(driver_copy, ns, 800, 0, 10000000, "or copying it into the server's page instead")                            \
    XM_COST(driver_batch, ns, 0, 0, 10000000, "a batch of packets, beside what each costs")                             \
    XM_COST(driver_complete, ns, 300, 1, 10000000, "what was sent is taken off the card and told to the server, a packet")   \
    XM_COST(server_receive, ns, 13000, 1, 10000000, "a received packet in the server's stack")                          \
    XM_COST(server_send, ns, 12000, 1, 10000000, "a sent packet in the server's stack")                                 \
    XM_COST(server_request, ns, 208000, 1, 1000000000, "a request in the web server, on average")                       \
    XM_COST(request_sigma, milli, 1000, 0, 4000, "spread of that: sigma of the logarithm, in thousandths")              \
    XM_COST(packet_sigma, milli, 1800, 0, 4000, "spread of what packets cost")                                             \
    XM_COST(packet_gap, ns, 250000, 0, 10000000, "a client's own time between two packets that it sends by itself")                         \
    XM_COST(round_trip, ns, 500000, 0, 10000000000, "from a packet sent to the client's answer to it")                  \
    XM_COST(trip_sigma, milli, 500, 0, 4000, "spread of that: sigma of the logarithm, in thousandths")                    \
    XM_COST(interrupt_gap, ns, 175000, 0, 100000000, "least time between two interrupts of the network card")            \
    XM_COST(data_packets, count, 8, 1, 1000, "packets that an answer of 10 KB takes")                                   \
    XM_COST(first_window, count, 2, 1, 1000, "packets of it that are sent before the first acknowledgement (RFC 2581)")  \
    XM_COST(in_flight, count, 74, 1, 100000, "requests under way at most; more are turned away")                       \
    XM_COST(ring, count, 256, 4, 4096, "slots of each ring between driver domain and server")                           \
    XM_COST(batch, count, 64, 1, 4096, "packets that the driver domain takes at a time")                                \
    XM_COST(disk_latency, ns, 4000000, 1000, 10000000000, "a disk's answer, on average")                                \
    XM_COST(driver_block, ns, 20000, 1, 10000000, "a block request in the driver domain")

#define XM_COST_MEMBER(name, unit, default_, least, most, text) uint64_t name;
struct xm_costs {
    XM_COSTS(XM_COST_MEMBER)
};
#undef XM_COST_MEMBER

struct xm_cost_name {
    const char *name, *unit, *text;
    uint64_t least, most, by_default;
    unsigned offset; /* in struct xm_costs */
};

/* Every cost at its default. */
struct xm_costs xm_costs_default(void);

/* All of them in their order; NULL past the last. */
const struct xm_cost_name *xm_cost_at(unsigned index);
const struct xm_cost_name *xm_cost_named(const char *name); /* NULL: there is none */
uint64_t *xm_cost_of(struct xm_costs *costs, const struct xm_cost_name *name);

#endif
