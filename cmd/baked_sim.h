/* SPDX-License-Identifier: MIT */
/* xenbaked on a simulated host: what is opened for it, in order, and given up again. */
#ifndef XM_CMD_BAKED_SIM_H
#define XM_CMD_BAKED_SIM_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon.h"
#include "source/loop.h"
#include "source/sim.h"
#include "source/sim_control.h"
#include "source/tee.h"

struct xm_baked_sim {
    struct xm_log *log; /* borrowed */
    char socket[PATH_MAX], control_path[PATH_MAX];
    char title[80]; /* "simulated Xen (credit2)" */
    struct xm_scenario scenario;
    struct xm_simhost *host;
    struct xm_sim_control *control;
    struct xm_source *source;
    struct xm_tee *tee;
    uint64_t late_ns; /* of which the log has told */
};

/*
 * The first half: the scenario and its host.  name: as in cmd/scenarios.h; region: where the region will be; what belongs to
 * it lies beside.  XM_OK; XM_INVALID, XM_IO: err in one line.  Ended by xm_baked_sim_close() in any case.
 */
enum xm_status xm_baked_sim_open(struct xm_baked_sim *sim, struct xm_log *log, const char *name, const char *region,
                                 struct xm_error *err) XM_MUST_CHECK;

/* The second half: its time begins, it may be changed, and unless no_record recorded.  ends: after the scenario's duration. */
enum xm_status xm_baked_sim_start(struct xm_baked_sim *sim, bool no_record, bool ends, struct xm_error *err) XM_MUST_CHECK;

/* Fills in what the loop needs to know of it. */
void xm_baked_sim_loop(const struct xm_baked_sim *sim, struct xm_loop_config *loop);

/* Does what clients have asked for; due whenever the source has come back. */
void xm_baked_sim_serve(struct xm_baked_sim *sim);

/* Due once a second: says where the simulation does not keep up. */
void xm_baked_sim_look_after(struct xm_baked_sim *sim);

/* A zeroed one is fine. */
void xm_baked_sim_close(struct xm_baked_sim *sim);

#endif
