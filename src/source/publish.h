/* SPDX-License-Identifier: MIT */
/*
 * bake -> region: a sample of the account becomes the region's next ones, with names, facts and histograms at the pace
 * of the slow series.
 *
 * Threads: one.  Allocates only when rows become more.
 */
#ifndef XM_PUBLISH_H
#define XM_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "region/writer.h"
#include "source/bake.h"
#include "xenmon/status.h"

/* What time it is: CLOCK_MONOTONIC and CLOCK_REALTIME. */
struct xm_moment {
    uint64_t mono_ns;
    uint64_t real_ns;
};

/*
 * What is known of the host beside its trace.  Every call may be NULL.
 * before: a sample as of `now`, which was at `moment`, is about to be taken; the account may be told of domains
 *         (xm_bake_introduce).  Anything but XM_OK ends the loop.
 * fill:   the sample as it comes from the trace; adds what is not in it.
 * name:   name and uuid of a domain, "" before; one left "" is what it was.
 */
struct xm_surroundings {
    enum xm_status (*before)(void *user, struct xm_bake *bake, xm_cycles now, struct xm_moment moment);
    void (*fill)(void *user, struct xm_sample *sample);
    void (*name)(void *user, uint32_t domid, char name[64], char uuid[40]);
    void *user;
};

struct xm_publish_config {
    struct xm_bake *bake;     /* borrowed */
    struct xm_writer *writer; /* borrowed */
    uint64_t keep_ns;         /* as in struct xm_loop_config */
    const char *hz_from;      /* NULL: what the bake says */
    struct xm_writer_facts facts; /* constant ones: of the host; its strings are borrowed */
    struct xm_surroundings around;
};

struct xm_publisher;

/* config is copied.  XM_OK, XM_NOMEM. */
enum xm_status xm_publisher_create(const struct xm_publish_config *config, struct xm_publisher **publisher,
                                   struct xm_error *err) XM_MUST_CHECK;
void xm_publisher_destroy(struct xm_publisher *publisher); /* NULL is fine */

/* The account has grown: room for that many rows, in memory and, if there is room, in the region.  XM_OK, XM_NOMEM. */
enum xm_status xm_publish_grow(struct xm_publisher *publisher, struct xm_capacity capacity,
                               struct xm_error *err) XM_MUST_CHECK;

/*
 * Publishes a sample as of trace time `now`, `at_ns` into the trace, taken at `moment`; into the slow series too where one is
 * due.  XM_OK; what around.before returned; XM_LIMIT: the region has no room, err says so.
 */
enum xm_status xm_publish(struct xm_publisher *publisher, xm_cycles now, uint64_t at_ns, struct xm_moment moment,
                          struct xm_error *err) XM_MUST_CHECK;

/* The end: the newest sample into the slow series if it is not there, and the facts.  As xm_publish(). */
enum xm_status xm_publish_end(struct xm_publisher *publisher, uint64_t at_ns) XM_MUST_CHECK;

struct xm_publish_status {
    uint64_t samples;               /* published to the fast series */
    uint64_t newest_tsc;            /* of them; 0: none */
    uint64_t newest_mono;           /* its host.mono */
    struct xm_capacity wanted;      /* rows that there ought to be room for */
    const struct xm_error *cramped; /* why the region has less; status XM_OK: it has not.  Borrowed */
};
struct xm_publish_status xm_publish_status(const struct xm_publisher *publisher);

#endif
