/* SPDX-License-Identifier: MIT */
/*
 * Who may have how much: connections and requests by client address.
 *
 * A table of fixed size.  An IPv4 address counts as itself, an IPv6 one by its /64, all clients of Unix
 * sockets as one.  Where there are more addresses than places, those that have no connection and were quiet
 * for longest give way; where all have connections, a new address gets none.
 *
 * Threads: any.  Never allocates after create.
 */
#ifndef XM_LIMITS_H
#define XM_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct xm_limits;

#define XM_LIMITS_KEPT 8u /* one connection in so many is for Unix sockets alone */

struct xm_limits_config {
    unsigned connections, per_address; /* at least 1 each */
    unsigned requests_per_second;      /* 0: any number */
    unsigned burst;                    /* at least 1 */
};

/* What stands for an address here: the same for all that count as one.  NULL counts as a Unix socket.  Pure. */
#define XM_LIMITS_KEY 16u /* bytes */
void xm_limits_key(const struct sockaddr *address, uint8_t key[XM_LIMITS_KEY]);

/* NULL when out of memory. */
struct xm_limits *xm_limits_create(const struct xm_limits_config *config);
void xm_limits_destroy(struct xm_limits *limits); /* NULL is fine */

/* Whether a connection from there may be opened; changes nothing. */
bool xm_limits_admits(struct xm_limits *limits, const struct sockaddr *address);
/* It has been opened; closed.  False: there was no place, and close must not be called. */
bool xm_limits_open(struct xm_limits *limits, const struct sockaddr *address);
void xm_limits_close(struct xm_limits *limits, const struct sockaddr *address);

/*
 * A stream on one of its connections begins, of which it may have `most`, Unix sockets any number; it ends,
 * before its connection does.  False: it has as many already, and close_stream must not be called.
 */
bool xm_limits_open_stream(struct xm_limits *limits, const struct sockaddr *address, unsigned most);
void xm_limits_close_stream(struct xm_limits *limits, const struct sockaddr *address);

/*
 * Takes `cost` requests off what an address may do.  True: it may; false: not before *wait_s seconds have
 * passed, and nothing was taken. now_ns: CLOCK_MONOTONIC.
 */
bool xm_limits_take(struct xm_limits *limits, const struct sockaddr *address, unsigned cost, uint64_t now_ns,
                    unsigned *wait_s);
/* The same, but it is taken even where it is not there: for what has been done already. */
void xm_limits_charge(struct xm_limits *limits, const struct sockaddr *address, unsigned cost,
                      uint64_t now_ns);

/* Connections now. */
unsigned xm_limits_connections(struct xm_limits *limits);

#endif
