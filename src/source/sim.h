/* SPDX-License-Identifier: MIT */
/*
 * A simulated host as a live source: passes over its trace buffers, every window in place, as a live Xen's.
 *
 * In real time by CLOCK_MONOTONIC, at a multiple of it, or as fast as can be; a host that is simulated more slowly
 * than asked for, or whose process slept, is late and does not hurry after what it missed.
 *
 * Threads: one, which is the host's too.
 */
#ifndef XM_SOURCE_SIM_H
#define XM_SOURCE_SIM_H

#include <stdint.h>

#include "sim/host.h"
#include "source/publish.h"
#include "source/source.h"
#include "xenmon/status.h"

#define XM_SIM_SPEED_ONE UINT64_C(1000000) /* real time; in millionths of it */
#define XM_SIM_SPEED_MAX 0                 /* no waiting */

struct xm_sim_source_config {
    struct xm_simhost *host; /* borrowed; may be run by others between two passes */
    const char *name;        /* for messages */
    uint64_t poll_ns;        /* of simulated time between two passes; not 0 */
    uint64_t speed;
    uint64_t until_ns;       /* its time ends there, with the last pass; 0: never */
    int wake_fd;             /* while this can be read from, waiting ends early with XM_AGAIN; -1: none */
};

/* config is copied.  XM_OK; XM_NOMEM. */
enum xm_status xm_sim_source_open(const struct xm_sim_source_config *config, struct xm_source **source,
                                  struct xm_error *err) XM_MUST_CHECK;

/* For struct xm_loop_config; good as long as the host and the source are.  own_cpu has no part of the simulation. */
struct xm_surroundings xm_sim_source_surroundings(struct xm_source *source);

/* Its time ends with the pass that is being delivered, or with the last one: XM_END follows.  Not from a signal's handler. */
void xm_sim_source_stop(struct xm_source *source);

struct xm_sim_source_status {
    uint64_t passes;
    uint64_t bytes;   /* delivered, without headers */
    uint64_t late_ns; /* given up because the simulation was too slow */
};
struct xm_sim_source_status xm_sim_source_status(const struct xm_source *source);

#endif
