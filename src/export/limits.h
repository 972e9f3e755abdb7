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

/*
 * One connection in so many is for Unix sockets alone, and one more for them and this machine's own
 * addresses: a crowd from elsewhere must not shut out who works here.
 */
#define XM_LIMITS_KEPT 8u

struct xm_limits_config {
    unsigned connections, per_address; /* at least 1 each */
    unsigned requests_per_second;      /* 0: any number */
    unsigned burst;                    /* at least 1.  New connections may be four times as many */
};

/* What becomes of a new connection: let in; not, as its address opens too many too fast, or has as many as it
 * may; not, as all are taken that its kind of address may have. */
enum xm_limits_verdict { XM_LIMITS_YES, XM_LIMITS_FAST, XM_LIMITS_MANY, XM_LIMITS_FULL };

/*
 * What stands for an address here: the same for all that count as one.  NULL counts as a Unix socket.  Pure.
 */
#define XM_LIMITS_KEY 16u /* bytes */
void xm_limits_key(const struct sockaddr *address, uint8_t key[XM_LIMITS_KEY]);

/* NULL when out of memory. */
struct xm_limits *xm_limits_create(const struct xm_limits_config *config);
void xm_limits_destroy(struct xm_limits *limits); /* NULL is fine */

/*
 * Whether a connection from there may be opened.  It counts against the rate of new ones, whatever comes of
 * it, and changes nothing else. now_ns: CLOCK_MONOTONIC.
 */
enum xm_limits_verdict xm_limits_admits(struct xm_limits *limits, const struct sockaddr *address,
                                        uint64_t now_ns);
/* It has been opened; closed.  False: there was no place, and close must not be called. */
bool xm_limits_open(struct xm_limits *limits, const struct sockaddr *address);
void xm_limits_close(struct xm_limits *limits, const struct sockaddr *address);

/*
 * A stream on one of its connections begins, of which it may have `most`, Unix sockets any number; it ends,
 * before its connection does.  False: it has as many already, and close_stream must not be called.
 */
bool xm_limits_open_stream(struct xm_limits *limits, const struct sockaddr *address, unsigned most);
void xm_limits_close_stream(struct xm_limits *limits, const struct sockaddr *address);

/* Who asks: those of an address that have shown who they are have as much as all others of it, apart. */
enum xm_limits_who { XM_LIMITS_STRANGER, XM_LIMITS_KNOWN };

/*
 * Takes `cost` requests off what such clients of an address may do.  True: they may; false: not before
 * *wait_s seconds have passed, and nothing was taken. now_ns: CLOCK_MONOTONIC.
 */
bool xm_limits_take(struct xm_limits *limits, const struct sockaddr *address, enum xm_limits_who who,
                    unsigned cost, uint64_t now_ns, unsigned *wait_s);
/* The same, but it is taken even where it is not there: for what has been done already. */
void xm_limits_charge(struct xm_limits *limits, const struct sockaddr *address, enum xm_limits_who who,
                      unsigned cost, uint64_t now_ns);

/* Connections now: in all; of one address. */
unsigned xm_limits_connections(struct xm_limits *limits);
unsigned xm_limits_held(struct xm_limits *limits, const struct sockaddr *address);

/* From where a connection is: a Unix socket (NULL is one too), this machine by TCP, elsewhere.  Pure. */
enum xm_limits_origin { XM_LIMITS_UNIX, XM_LIMITS_LOOPBACK, XM_LIMITS_FOREIGN };
enum xm_limits_origin xm_limits_origin(const struct sockaddr *address);

#endif
